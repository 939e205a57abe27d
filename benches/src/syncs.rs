//! Counting what is asked of the disk, by everyone alike.
//!
//! The program defines `fdatasync`, `fsync` and `msync` itself, so every caller in the process (Rust, SQLite's and
//! LMDB's C, a shared RocksDB) is counted on its way to the kernel.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libc::{c_int, c_long, c_void, size_t};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How often this process has told a disk to keep something, so far.
pub fn count() -> u64 {
    SYNCS.load(Relaxed)
}

/// A system call that gives 0 or sets `errno` and gives -1.
fn told(result: c_long) -> c_int {
    SYNCS.fetch_add(1, Relaxed);
    if result == 0 { 0 } else { -1 }
}

/// In the place of libc's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    // SAFETY: the call takes a number alone, and refuses one that is no open file.
    told(unsafe { libc::syscall(libc::SYS_fdatasync, file) })
}

/// In the place of libc's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    // SAFETY: as above.
    told(unsafe { libc::syscall(libc::SYS_fsync, file) })
}

/// In the place of libc's.
///
/// # Safety
///
/// That of libc's: none beyond numbers, since the kernel checks the range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn msync(start: *mut c_void, length: size_t, flags: c_int) -> c_int {
    // SAFETY: the kernel only looks whether the range is mapped; nothing is written through the pointer.
    told(unsafe { libc::syscall(libc::SYS_msync, start, length, flags) })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    #[test]
    fn syncs_of_the_standard_library_are_counted() {
        let file = tempfile::tempfile().unwrap();
        let before = super::count();
        File::sync_data(&file).unwrap();
        File::sync_all(&file).unwrap();
        assert!(super::count() >= before + 2);
        assert_eq!(super::fsync(-1), -1);
    }
}
