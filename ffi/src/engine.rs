//! The engine: opening a store's folder, and what holds for all of it.

use std::ffi::c_char;
use std::sync::Arc;

use crate::bytes::sw_bytes;
use crate::call::{Options, Plain, Sized32, init_options};
use crate::error::sw_error;
use crate::failure::Failure;
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::session::Session;
use crate::status::*;

/// An open engine: a store and the flows that run on it. Open with `sw_open`, close with `sw_close`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_engine {
    /// Opaque; zero is no engine.
    pub id: u64,
}

/// How to open an engine. Fill it with `sw_open_options_init`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_open_options {
    /// The size of this struct as the caller knows it.
    pub struct_size: u32,
    /// What a commit survives: one of `SW_DURABILITY_…`.
    pub durability: u32,
    /// Whether cases run in the background: one of `SW_DRIVE_…`.
    pub drive: u32,
    /// How many programs of `process` tasks run at the same time, 1 to 256; 0 is the default, 4.
    pub worker_threads: u32,
    /// In buffered mode, how long a commit waits at most before it is synced, in nanoseconds; 0 is the
    /// default, 50 ms.
    pub sync_interval_ns: u64,
    /// How many bytes one commit has at most, up to 1 GiB; 0 is the default, 64 MiB. A larger one is refused with
    /// `SW_FRAME_TOO_LARGE`. In memory there is no such limit.
    pub max_commit_bytes: u64,
}

/// Strict with a folder, memory without one.
pub const SW_DURABILITY_DEFAULT: u32 = 0;
/// Commits survive nothing; only without a folder.
pub const SW_DURABILITY_MEMORY: u32 = 1;
/// Commits survive a killed process, and a power cut once they are synced in the background.
pub const SW_DURABILITY_BUFFERED: u32 = 2;
/// Commits survive a power cut.
pub const SW_DURABILITY_STRICT: u32 = 3;

/// Cases run in the background.
pub const SW_DRIVE_BACKGROUND: u32 = 0;
/// Nothing moves: the store can be used, and cases looked at.
pub const SW_DRIVE_NONE: u32 = 1;

// SAFETY: integers.
unsafe impl Plain for sw_engine {}
// SAFETY: integers.
unsafe impl Plain for sw_open_options {}
// SAFETY: `struct_size` is first; four `u32` then two `u64` leave no padding.
unsafe impl Sized32 for sw_open_options {
    const FIRST_SIZE: usize = 24;
}

impl Options for sw_open_options {
    const DEFAULT: Self = sw_open_options {
        struct_size: size_of::<Self>() as u32,
        durability: SW_DURABILITY_DEFAULT,
        drive: SW_DRIVE_BACKGROUND,
        worker_threads: 0,
        sync_interval_ns: 0,
        max_commit_bytes: 0,
    };
}

pub(crate) static ENGINES: Table<Arc<Session>> = Table::new(Tag::Engine);

/// Fills `options` with the defaults.
///
/// @role function
/// @on engine
/// @thread safe
/// @param options inout struct: The options to fill.
/// @param size in number: `sizeof(sw_open_options)`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_open_options_init(
    options: *mut sw_open_options,
    size: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_open_options_init, err, |call| {
        init_options(call, options, size)
    })
}

/// Opens a store's folder, making it if it is not there, and recovers what it holds.
///
/// One process at a time has a folder open; another gets `SW_LOCKED`. With an empty path the engine lives in
/// memory and is gone when it is closed.
///
/// @role constructor
/// @on engine
/// @thread safe
/// @param path in text max=SW_MAX_NAME_BYTES: The folder; empty is memory.
/// @param options in options nullable: How to open it; NULL is the defaults.
/// @param engine out handle owned: Receives the engine. Close it with `sw_close`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_open(
    path: *const c_char,
    path_len: usize,
    options: *const sw_open_options,
    engine: *mut sw_engine,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_open, err, |call| {
        let out = call.out("engine", engine)?;
        let path = call.text("path", path, path_len)?;
        let options = call.options("options", options)?;
        let session = Session::open(path, &options)?;
        let id = ENGINES.insert(session).map_err(|session| {
            // It was opened only just now; what matters to the caller is why it cannot be kept.
            let _ = session.close();
            Failure::new(SW_TOO_LARGE, "too many engines are open")
                .help("close engines that are not needed")
        })?;
        out.set(sw_engine { id });
        Ok(())
    })
}

/// Closes the engine: stops its work, syncs, and releases the folder.
///
/// Its handle is stale from then on. Its transactions give `SW_CLOSED` (roll them back), and pending
/// operations complete with `SW_CLOSED`. A poisoned engine can be closed too.
///
/// @role destructor
/// @on engine
/// @thread safe
/// @blocks
/// @param engine in handle consumed: The engine.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_close(engine: sw_engine, err: *mut sw_error) -> sw_status {
    guard!(sw_close, err, |call| {
        call.session(engine)?;
        let session = ENGINES
            .remove(engine.id)
            .ok_or_else(|| Failure::misuse("engine"))?;
        session.close()
    })
}

/// Figures about the store: versions, durability in force, commits, syncs, bytes, the newest checkpoint.
///
/// @role getter
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param stats out msgpack owned: Receives an object: `version`, `durable_version`, `durability` (in force),
///   `entries`, `transactions`, `limits` and `settings` (in force), `log` (since opening), `recovery` (what
///   opening found) and `checkpoint` (the newest one).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_stats(
    engine: sw_engine,
    stats: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_stats, err, |call| {
        let stats = call.out("stats", stats)?;
        stats.give_value(&call.engine(engine)?.stats()?)
    })
}

/// Makes everything committed so far survive a power cut. Does nothing in memory.
///
/// @role method
/// @on engine
/// @thread safe
/// @blocks
/// @param engine in handle: The engine.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_sync(engine: sw_engine, err: *mut sw_error) -> sw_status {
    guard!(sw_sync, err, |call| { call.engine(engine)?.sync() })
}
