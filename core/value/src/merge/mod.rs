//! Putting two or three documents together.

mod rfc7396;

pub use rfc7396::merge_diff;
