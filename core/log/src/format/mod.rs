//! The bytes on disk. `docs/FORMAT.md` is the specification; these modules are its implementation.

mod frame;
mod header;

pub(crate) use frame::{FRAME_HEADER, FrameHeader, Kind, frame_len, write_frame};
pub(crate) use header::{HeaderError, SEGMENT_HEADER, SegmentHeader};

/// The first 16 bytes of a BLAKE3 hash, identifying a commit and everything before it.
pub(crate) type Hash = [u8; 16];

/// Takes fixed-size little-endian fields off the front of a byte slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }
}
