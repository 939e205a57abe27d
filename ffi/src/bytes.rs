//! Owned bytes: how every result that has no fixed size crosses to C.

use crate::call::Plain;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Reserved, Table, Tag};
use crate::status::*;

/// Bytes that the library made and the caller owns. Free them with `sw_bytes_free`.
///
/// All zeros is the empty value, and needs no freeing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_bytes {
    /// The first byte; NULL when there are none. Valid until `sw_bytes_free`.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
    /// What the library knows them by. Do not change it.
    pub owner: u64,
}

// SAFETY: integers and a raw pointer.
unsafe impl Plain for sw_bytes {}

static BYTES: Table<Vec<u8>> = Table::new(Tag::Bytes);

impl sw_bytes {
    pub(crate) const EMPTY: sw_bytes = sw_bytes {
        data: std::ptr::null(),
        len: 0,
        owner: 0,
    };

    /// Keeps `bytes` until C frees them.
    pub(crate) fn lend(bytes: Vec<u8>) -> Result<sw_bytes> {
        if bytes.is_empty() {
            return Ok(sw_bytes::EMPTY);
        }
        // Moving the vector into the table does not move what it points to.
        let (data, len) = (bytes.as_ptr(), bytes.len());
        let owner = BYTES.insert(bytes).map_err(|_| full())?;
        Ok(sw_bytes { data, len, owner })
    }

    /// Makes sure that there will be room for bytes: for a call that changes something before it has made them.
    pub(crate) fn reserve() -> Result<Room> {
        Ok(Room(BYTES.reserve().ok_or_else(full)?))
    }
}

/// Room for bytes that are made later.
pub(crate) struct Room(Reserved<'static, Vec<u8>>);

impl Room {
    /// Keeps `bytes` until C frees them.
    pub(crate) fn lend(self, bytes: Vec<u8>) -> sw_bytes {
        if bytes.is_empty() {
            return sw_bytes::EMPTY;
        }
        let (data, len) = (bytes.as_ptr(), bytes.len());
        let owner = self.0.fill(bytes);
        sw_bytes { data, len, owner }
    }
}

fn full() -> Failure {
    Failure::new(SW_TOO_LARGE, "too many results are held")
        .help("free results with sw_bytes_free when done with them")
}

/// Frees bytes that another function returned, and zeroes the struct.
///
/// Freeing an all-zero struct does nothing. Freeing a copy of a struct that was freed already is detected:
/// `SW_MISUSE`.
///
/// @role destructor
/// @on bytes
/// @thread safe
/// @param bytes inout struct consumed: What to free; it is zeroed.
/// @since 0.1 unstable
/// @noerror
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_bytes_free(bytes: *mut sw_bytes) -> sw_status {
    guard!(sw_bytes_free, std::ptr::null_mut(), |call| {
        let given = call.read("bytes", bytes)?;
        if given.owner == 0 && given.data.is_null() && given.len == 0 {
            return Ok(());
        }
        let freed = BYTES.remove(given.owner);
        call.out("bytes", bytes)?;
        freed.map(drop).ok_or_else(|| Failure::misuse("result"))
    })
}
