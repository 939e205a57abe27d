//! RocksDB, through the C interface of the system's library (feature `rocksdb`): optimistic transactions over a
//! database without compression, tuned for point reads as its own documentation advises. Flushing and compaction run
//! on its own threads, which CPU time of the caller does not see.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};

use anyhow::{Context, Result, bail};

use super::contender::{Contender, Key, Peer, Promise, Value};

pub const PEERS: &[Peer] = &[
    Peer {
        key: "rocksdb-nowal",
        name: "RocksDB without WAL",
        promise: Promise::Memory,
        keeps: true,
        open: |dir, _| Ok(Box::new(Rocks::open(dir, Promise::Memory)?)),
    },
    Peer {
        key: "rocksdb-wal",
        name: "RocksDB WAL, sync=false",
        promise: Promise::Buffered,
        keeps: true,
        open: |dir, _| Ok(Box::new(Rocks::open(dir, Promise::Buffered)?)),
    },
    Peer {
        key: "rocksdb-sync",
        name: "RocksDB WAL, sync=true",
        promise: Promise::Strict,
        keeps: true,
        open: |dir, _| Ok(Box::new(Rocks::open(dir, Promise::Strict)?)),
    },
];

/// A pointer to one of RocksDB's objects.
type Object = *mut c_void;
/// Where a call leaves its error.
type Fault = *mut *mut c_char;

#[link(name = "rocksdb")]
unsafe extern "C" {
    fn rocksdb_options_create() -> Object;
    fn rocksdb_options_destroy(options: Object);
    fn rocksdb_options_set_create_if_missing(options: Object, yes: c_uchar);
    fn rocksdb_options_set_compression(options: Object, kind: c_int);
    fn rocksdb_options_optimize_for_point_lookup(options: Object, cache_megabytes: u64);
    fn rocksdb_optimistictransactiondb_open(
        options: Object,
        name: *const c_char,
        fault: Fault,
    ) -> Object;
    fn rocksdb_optimistictransactiondb_get_base_db(database: Object) -> Object;
    fn rocksdb_optimistictransactiondb_close_base_db(base: Object);
    fn rocksdb_optimistictransactiondb_close(database: Object);
    fn rocksdb_writeoptions_create() -> Object;
    fn rocksdb_writeoptions_destroy(options: Object);
    fn rocksdb_writeoptions_set_sync(options: Object, yes: c_uchar);
    fn rocksdb_writeoptions_disable_WAL(options: Object, yes: c_int);
    fn rocksdb_readoptions_create() -> Object;
    fn rocksdb_readoptions_destroy(options: Object);
    fn rocksdb_readoptions_set_snapshot(options: Object, snapshot: *const c_void);
    fn rocksdb_create_snapshot(base: Object) -> *const c_void;
    fn rocksdb_release_snapshot(base: Object, snapshot: *const c_void);
    fn rocksdb_put(
        base: Object,
        options: Object,
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
        fault: Fault,
    );
    fn rocksdb_get_pinned(
        base: Object,
        options: Object,
        key: *const u8,
        length: usize,
        fault: Fault,
    ) -> Object;
    fn rocksdb_pinnableslice_value(slice: Object, length: *mut usize) -> *const c_char;
    fn rocksdb_pinnableslice_destroy(slice: Object);
    fn rocksdb_writebatch_create() -> Object;
    fn rocksdb_writebatch_put(
        batch: Object,
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
    );
    fn rocksdb_writebatch_destroy(batch: Object);
    fn rocksdb_write(base: Object, options: Object, batch: Object, fault: Fault);
    fn rocksdb_optimistictransaction_begin(
        database: Object,
        options: Object,
        transaction_options: Object,
        old: Object,
    ) -> Object;
    fn rocksdb_optimistictransaction_options_create() -> Object;
    fn rocksdb_optimistictransaction_options_destroy(options: Object);
    fn rocksdb_transaction_get_for_update(
        transaction: Object,
        options: Object,
        key: *const u8,
        key_length: usize,
        value_length: *mut usize,
        exclusive: c_uchar,
        fault: Fault,
    ) -> *mut u8;
    fn rocksdb_transaction_put(
        transaction: Object,
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
        fault: Fault,
    );
    fn rocksdb_transaction_commit(transaction: Object, fault: Fault);
    fn rocksdb_transaction_destroy(transaction: Object);
    fn rocksdb_create_iterator(base: Object, options: Object) -> Object;
    fn rocksdb_iter_seek(iterator: Object, key: *const u8, length: usize);
    fn rocksdb_iter_valid(iterator: Object) -> c_uchar;
    fn rocksdb_iter_next(iterator: Object);
    fn rocksdb_iter_key(iterator: Object, length: *mut usize) -> *const c_char;
    fn rocksdb_iter_value(iterator: Object, length: *mut usize) -> *const c_char;
    fn rocksdb_iter_destroy(iterator: Object);
    fn rocksdb_free(pointer: *mut c_void);
}

/// A database with the options of its calls, and the same database without transactions.
pub struct Rocks {
    database: Object,
    base: Object,
    writes: Object,
    reads: Object,
    transactions: Object,
}

// SAFETY: RocksDB's database may be used by many threads at once, and the options are only read after opening.
unsafe impl Send for Rocks {}
// SAFETY: as above.
unsafe impl Sync for Rocks {}

/// Runs a call that may leave an error.
fn checked<R>(call: impl FnOnce(Fault) -> R) -> Result<R> {
    let mut fault = null_mut();
    let result = call(&mut fault);
    if fault.is_null() {
        return Ok(result);
    }
    // SAFETY: RocksDB's errors are texts that end in NUL and are the caller's to free.
    let text = unsafe { CStr::from_ptr(fault) }
        .to_string_lossy()
        .into_owned();
    // SAFETY: as above.
    unsafe { rocksdb_free(fault.cast()) };
    bail!("RocksDB: {text}")
}

impl Rocks {
    fn open(dir: &Path, promise: Promise) -> Result<Rocks> {
        let name = dir.join("rocksdb");
        let name = CString::new(name.to_str().context("a path that is not UTF-8")?)?;
        // SAFETY: every pointer comes from RocksDB and is destroyed once, the last ones by `drop`.
        unsafe {
            let options = rocksdb_options_create();
            rocksdb_options_set_create_if_missing(options, 1);
            rocksdb_options_set_compression(options, 0);
            rocksdb_options_optimize_for_point_lookup(options, 128);
            let opened = checked(|fault| {
                rocksdb_optimistictransactiondb_open(options, name.as_ptr(), fault)
            });
            rocksdb_options_destroy(options);
            let database = opened?;
            let writes = rocksdb_writeoptions_create();
            rocksdb_writeoptions_set_sync(writes, (promise == Promise::Strict).into());
            rocksdb_writeoptions_disable_WAL(writes, (promise == Promise::Memory).into());
            Ok(Rocks {
                database,
                base: rocksdb_optimistictransactiondb_get_base_db(database),
                writes,
                reads: rocksdb_readoptions_create(),
                transactions: rocksdb_optimistictransaction_options_create(),
            })
        }
    }

    fn length_of(&self, reads: Object, key: &Key) -> Result<Option<usize>> {
        // SAFETY: the key is as long as said, and the slice is looked at before it is destroyed.
        unsafe {
            let slice = checked(|fault| {
                rocksdb_get_pinned(self.base, reads, key.as_ptr(), key.len(), fault)
            })?;
            if slice.is_null() {
                return Ok(None);
            }
            let mut length = 0;
            rocksdb_pinnableslice_value(slice, &mut length);
            rocksdb_pinnableslice_destroy(slice);
            Ok(Some(length))
        }
    }

    /// One try to add 1; fails when somebody else was faster.
    fn try_increment(&self, key: &Key) -> Result<()> {
        // SAFETY: pointers are to live arrays as long as said; what RocksDB gives is freed once.
        unsafe {
            let transaction = rocksdb_optimistictransaction_begin(
                self.database,
                self.writes,
                self.transactions,
                null_mut(),
            );
            let mut length = 0;
            let done = checked(|fault| {
                let (key, size) = (key.as_ptr(), key.len());
                let old = rocksdb_transaction_get_for_update(
                    transaction,
                    self.reads,
                    key,
                    size,
                    &mut length,
                    1,
                    fault,
                );
                let mut count = 1_u64;
                if !old.is_null() {
                    if length == size_of::<u64>() {
                        count += old.cast::<u64>().read_unaligned();
                    }
                    rocksdb_free(old.cast());
                }
                let count = count.to_ne_bytes();
                if (*fault).is_null() {
                    let value = count.as_ptr();
                    rocksdb_transaction_put(transaction, key, size, value, count.len(), fault);
                }
                if (*fault).is_null() {
                    rocksdb_transaction_commit(transaction, fault);
                }
            });
            rocksdb_transaction_destroy(transaction);
            done
        }
    }
}

impl Contender for Rocks {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        // SAFETY: keys and values are as long as said, and the batch is destroyed once.
        unsafe {
            if let [(key, value)] = pairs {
                let (key, value) = (&key[..], &value[..]);
                return checked(|fault| {
                    rocksdb_put(
                        self.base,
                        self.writes,
                        key.as_ptr(),
                        key.len(),
                        value.as_ptr(),
                        value.len(),
                        fault,
                    );
                });
            }
            let batch = rocksdb_writebatch_create();
            for (key, value) in pairs {
                let (key, value) = (&key[..], &value[..]);
                rocksdb_writebatch_put(batch, key.as_ptr(), key.len(), value.as_ptr(), value.len());
            }
            let done = checked(|fault| rocksdb_write(self.base, self.writes, batch, fault));
            rocksdb_writebatch_destroy(batch);
            done
        }
    }

    fn increment(&self, key: &Key) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.try_increment(key) {
                Err(_) if tries < 1000 => tries += 1,
                done => return done,
            }
        }
    }

    fn get(&self, key: &Key) -> Result<Option<usize>> {
        self.length_of(self.reads, key)
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        // SAFETY: the snapshot outlives the options that name it, and both end here.
        unsafe {
            let snapshot = rocksdb_create_snapshot(self.base);
            let reads = rocksdb_readoptions_create();
            rocksdb_readoptions_set_snapshot(reads, snapshot);
            let lengths = keys.iter().map(|key| self.length_of(reads, key));
            let sum = lengths.map(|length| Ok(length?.unwrap_or(0))).sum();
            rocksdb_readoptions_set_snapshot(reads, null());
            rocksdb_readoptions_destroy(reads);
            rocksdb_release_snapshot(self.base, snapshot);
            sum
        }
    }

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        let mut sum = 0;
        // SAFETY: the iterator is asked for an entry only while it has one, and destroyed once.
        unsafe {
            let iterator = rocksdb_create_iterator(self.base, self.reads);
            rocksdb_iter_seek(iterator, from.as_ptr(), from.len());
            for _ in 0..count {
                if rocksdb_iter_valid(iterator) == 0 {
                    break;
                }
                let (mut key, mut value) = (0, 0);
                rocksdb_iter_key(iterator, &mut key);
                rocksdb_iter_value(iterator, &mut value);
                sum += key + value;
                rocksdb_iter_next(iterator);
            }
            rocksdb_iter_destroy(iterator);
        }
        Ok(sum)
    }
}

impl Drop for Rocks {
    fn drop(&mut self) {
        // SAFETY: each was made by RocksDB for this value alone, and the database goes last.
        unsafe {
            rocksdb_writeoptions_destroy(self.writes);
            rocksdb_readoptions_destroy(self.reads);
            rocksdb_optimistictransaction_options_destroy(self.transactions);
            rocksdb_optimistictransactiondb_close_base_db(self.base);
            rocksdb_optimistictransactiondb_close(self.database);
        }
    }
}
