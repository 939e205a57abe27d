//! The packed form: a whole value in one immutable buffer of 64-bit words, read in place.
//!
//! What decoders make. A container's children lie side by side, after what they refer to themselves, so an
//! item is found in O(1) and a value needs nothing but its [`word`]. Objects with the same keys in the same
//! order share one *shape* (the keys and their hashes), which makes a list of records cost one word a
//! field; an object with many keys is a *dictionary* with keys of its own and an index sorted by hash.
//!
//! ```text
//! items, texts, values of records, dictionaries …      in the order they were closed
//! per shape: its key words, then their hashes (u32)
//! per shape: offset | length << 32                      at `shapes`
//! ```
//!
//! Couchbase's Fleece and SQLite's JSONB are the models for reading in place, hidden classes for shapes.

mod bytes;
mod check;
mod packer;
mod read;
mod shapes;
pub(crate) mod word;
mod write;

use std::sync::OnceLock;

use triomphe::Arc;

use crate::Key;
use crate::extended::Extended;
pub use packer::Packer;
pub(crate) use read::View;
pub(crate) use write::{Full, Writer};

/// The buffer that all packed values of one document share.
pub(crate) struct Packed {
    words: Box<[u64]>,
    /// Where the table of shapes begins, and how many there are.
    shapes: u32,
    shape_count: u32,
    /// The scalars of kinds beyond JSON.
    extended: Box<[Extended]>,
    /// Nested containers in the deepest place.
    depth: u32,
    /// The keys of each shape, made when a record is first turned into nodes.
    keys: OnceLock<Box<[ShapeKeys]>>,
}

type ShapeKeys = OnceLock<Box<[Key]>>;

impl Packed {
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// Bytes of the buffer, if it has neither shapes nor scalars of its own beside it.
    pub(crate) fn flat_size(&self) -> Option<usize> {
        let flat = self.shape_count == 0 && self.extended.is_empty();
        flat.then(|| self.words.len().saturating_mul(8))
    }
}

/// A container, long text or byte string inside a packed document: what a [`crate::Value`] holds of it.
pub(crate) type Document = Arc<Packed>;
