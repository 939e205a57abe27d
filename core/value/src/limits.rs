//! How much a reader accepts from outside.

/// The deepest nesting any checked entrance accepts, whatever [`Limits`] say: an empty array has depth 1.
pub const MAX_DEPTH: usize = 1024;

/// The deepest nesting that goes through serde, which recurses on the thread's stack.
pub(crate) const SERDE_DEPTH: usize = 128;

/// What a parser or decoder accepts. Everything is counted, nothing is timed, so the verdict on an
/// input is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nested arrays and objects; an empty array has depth 1. More than [`MAX_DEPTH`] counts as [`MAX_DEPTH`].
    pub max_depth: usize,
    /// Bytes of encoded input, per value read.
    pub max_bytes: usize,
    /// Bytes of one text or byte string, decoded.
    pub max_string: usize,
    /// Bytes of one object key, decoded.
    pub max_key: usize,
    /// Values in all, containers included, keys not.
    pub max_items: usize,
}

impl Default for Limits {
    /// Generous: depth 128, 64 MiB of input, 16 MiB per string, 64 KiB per key, 10 million values.
    fn default() -> Self {
        Limits {
            max_depth: 128,
            max_bytes: 64 << 20,
            max_string: 16 << 20,
            max_key: 64 << 10,
            max_items: 10_000_000,
        }
    }
}

impl Limits {
    /// For input from strangers: depth 32, 1 MiB of input, 256 KiB per string, 1 KiB per key, 100 000 values.
    pub fn strict() -> Self {
        Limits {
            max_depth: 32,
            max_bytes: 1 << 20,
            max_string: 256 << 10,
            max_key: 1 << 10,
            max_items: 100_000,
        }
    }

    /// For what the library wrote itself: only [`MAX_DEPTH`] and the 32-bit lengths of MessagePack remain.
    pub fn unlimited() -> Self {
        let u32_max = u32::MAX as usize;
        Limits {
            max_depth: MAX_DEPTH,
            max_bytes: usize::MAX,
            max_string: u32_max,
            max_key: u32_max,
            max_items: usize::MAX,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(MAX_DEPTH)
    }
}
