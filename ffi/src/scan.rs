//! Lists of any length, page by page.

use std::sync::Arc;

use parking_lot::Mutex;
use statewright_store::{Isolation, Scan};

use crate::bytes::sw_bytes;
use crate::call::{Call, Plain};
use crate::checks;
use crate::cursor::Rows;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::status::*;
use crate::txn::{TxnState, sw_txn};

/// A list that is gone through page by page. Begin it with `sw_scan_open` or `sw_scan_open_in`, end it with
/// `sw_scan_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_scan {
    /// Opaque; zero is no scan.
    pub id: u64,
}

// SAFETY: integers.
unsafe impl Plain for sw_scan {}

static SCANS: Table<Arc<ScanState>> = Table::new(Tag::Scan);

struct ScanState {
    /// What it reads: the caller's transaction, or one of its own.
    txn: Arc<TxnState>,
    scan: Mutex<Scan>,
}

fn open(call: &Call, txn: Arc<TxnState>, operation: *const u8, len: usize) -> Result<sw_scan> {
    let scan = Scan::new(call.value("operation", operation, len)?)?;
    let state = ScanState {
        txn,
        scan: Mutex::new(scan),
    };
    let full = |_| {
        Failure::new(SW_TOO_LARGE, "too many scans are open")
            .help("end scans with sw_scan_free when done with them")
    };
    Ok(sw_scan {
        id: SCANS.insert(Arc::new(state)).map_err(full)?,
    })
}

/// Begins a walk through a list of any length, as it is now: what is written later is not in it.
///
/// The list is what an operation gives (see `sw_call`), but all of it, or as much as its `limit` says:
/// `{"op": "kv.scan", "prefix": "color/"}`. These have pages: `kv.scan`, `kv.range`, `json.list`, `cell.list`,
/// `event.range`, `event.by_time`, `event.by_type`, `event.streams`, the lists of traces and runs, and `space.list`.
/// While it is open, what it may still read is kept in memory.
///
/// @role constructor
/// @on scan
/// @thread safe
/// @param engine in handle: The engine.
/// @param operation in msgpack max=SW_MAX_INPUT_BYTES: The operation. `SW_INVALID_CALL` if it gives no such list.
/// @param scan out handle owned: Receives the scan, before the first item.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_scan_open(
    engine: sw_engine,
    operation: *const u8,
    operation_len: usize,
    scan: *mut sw_scan,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_scan_open, err, |call| {
        let out = call.out("scan", scan)?;
        let session = call.engine(engine)?;
        let txn = session.store().begin_with(Isolation::Snapshot);
        let txn = Arc::new(TxnState::new(session, txn));
        out.set(open(call, txn, operation, operation_len)?);
        Ok(())
    })
}

/// Begins a walk through a list as a transaction sees it; see `sw_scan_open`.
///
/// What the transaction writes while it goes on may or may not be seen. Once the transaction is over, the scan gives
/// `SW_CLOSED`.
///
/// @role constructor
/// @on scan
/// @thread handle
/// @param txn in handle: The transaction.
/// @param operation in msgpack max=SW_MAX_INPUT_BYTES: The operation.
/// @param scan out handle owned: Receives the scan, before the first item.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_scan_open_in(
    txn: sw_txn,
    operation: *const u8,
    operation_len: usize,
    scan: *mut sw_scan,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_scan_open_in, err, |call| {
        let out = call.out("scan", scan)?;
        let txn = call.txn(txn)?;
        out.set(open(call, txn, operation, operation_len)?);
        Ok(())
    })
}

/// Gives the next items of a list. In a transaction, `SW_BUSY` if another thread is using that.
///
/// @role method
/// @on scan
/// @thread safe
/// @param scan in handle: The scan.
/// @param limit in number: At most so many, and at least 1.
/// @param max_bytes in number: At most so many bytes of MessagePack, but one item at least.
/// @param items out msgpack owned: Receives an array of what comes next, as the operation gives it.
/// @param done out flag: Receives 1 if that was all, and 0 if there may be more.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_scan_next(
    scan: sw_scan,
    limit: u32,
    max_bytes: u64,
    items: *mut sw_bytes,
    done: *mut u32,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_scan_next, err, |call| {
        let (items, done) = (call.out("items", items)?, call.out("done", done)?);
        let state = SCANS.get(scan.id).ok_or_else(|| Failure::misuse("scan"))?;
        call.concern(state.txn.session());
        state.txn.session().usable()?;
        if limit == 0 {
            return Err(checks::invalid("limit", "is 0"));
        }
        let mut place = state.scan.lock();
        let mut scan = place.clone();
        let most = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let mut rows = Rows::new(false);
        state
            .txn
            .step(|txn| scan.page(txn, limit as usize, &mut |item| rows.fits(item, most)))?;
        items.give(rows.finish())?;
        done.flag(scan.is_done());
        // Only what was handed over has been given.
        *place = scan;
        Ok(())
    })
}

/// Ends a scan: its handle is stale from now on. This works even if its engine is closed or poisoned.
///
/// @role destructor
/// @on scan
/// @thread safe
/// @param scan in handle consumed: The scan.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_scan_free(scan: sw_scan, err: *mut sw_error) -> sw_status {
    guard!(sw_scan_free, err, |_call| {
        SCANS
            .remove(scan.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("scan"))
    })
}
