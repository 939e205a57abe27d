//! Files mapped for writing, and what the kernel says about file systems.
#![expect(
    unsafe_code,
    reason = "mappings and the kernel's own structures; each block says why it is sound"
)]

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

use memmap2::{Mmap, MmapOptions, MmapRaw};

use crate::env::{FileSystem, Mapping, ReadMapping};

/// A mapping of a segment that nobody else writes: its folder is locked.
pub(super) struct Mapped(MmapRaw);

/// A mapping of a checkpoint, which nobody writes.
pub(super) struct ReadMapped(Mmap);

impl ReadMapped {
    pub(super) fn new(file: &File, len: u64) -> io::Result<ReadMapped> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        // SAFETY: a checkpoint has its name only once it is complete, and nobody who keeps to the store's lock writes
        // it afterwards; its pages are checked against their checksums before they are believed. A foreign process
        // that cuts the file while it is mapped makes reads fault, as with any mapped database.
        let map = unsafe { MmapOptions::new().len(len).map(file) }?;
        Ok(ReadMapped(map))
    }
}

impl ReadMapping for ReadMapped {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

// File systems, as in statfs(2).
const EXT: u64 = 0xEF53;
const XFS: u64 = 0x5846_5342;
const TMPFS: u64 = 0x0102_1994;
const NETWORK: [u64; 9] = [
    0x6969,      // NFS
    0x517B,      // SMB
    0xFF53_4D42, // CIFS
    0xFE53_4D42, // SMB 2 and later
    0x0102_1997, // 9P
    0x5346_414F, // AFS
    0x00C3_6400, // Ceph
    0x0BD0_0BD0, // Lustre
    0x4750_4653, // GPFS
];

/// The number of the file system that a file is on; 0 where that is not known.
#[cfg(target_os = "linux")]
fn number(file: &File) -> io::Result<u64> {
    // SAFETY: all zeros is a value of this plain structure of numbers.
    let mut answer: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open for as long as `file` is borrowed; the pointer is to a live, writable structure.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &mut answer) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The numbers are 32 bits, which some targets extend with their sign.
    Ok(answer.f_type as u64 & 0xFFFF_FFFF)
}

#[cfg(not(target_os = "linux"))]
fn number(_file: &File) -> io::Result<u64> {
    Ok(0)
}

pub(super) fn file_system(file: &File) -> io::Result<FileSystem> {
    Ok(if NETWORK.contains(&number(file)?) {
        FileSystem::Network
    } else {
        FileSystem::Local
    })
}

impl Mapped {
    /// Only where a write to an allocated block needs no new one, so that a full disk cannot turn it into a signal:
    /// not on file systems that copy on write.
    pub(super) fn new(file: &File, len: u64) -> io::Result<Option<Mapped>> {
        if ![EXT, XFS, TMPFS].contains(&number(file)?) || file.metadata()?.len() < len {
            return Ok(None);
        }
        let Ok(len) = usize::try_from(len) else {
            return Ok(None);
        };
        Ok(Some(Mapped(MmapOptions::new().len(len).map_raw(file)?)))
    }
}

impl Mapping for Mapped {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fits = |at: &usize| {
            at.checked_add(bytes.len())
                .is_some_and(|end| end <= self.0.len())
        };
        let Some(at) = usize::try_from(offset).ok().filter(fits) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // SAFETY: `at..at + bytes.len()` is within the mapping, which lives as long as `self`. `bytes` cannot overlap
        // it: no reference into the mapping is ever handed out. Other processes do not write the file, because its
        // folder is locked, and it is not made shorter while it is mapped.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_mut_ptr().add(at), bytes.len());
        }
        Ok(())
    }
}
