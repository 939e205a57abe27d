//! Putting two or three values together.

mod rfc7396;
mod target;
mod three;
mod two;

pub use rfc7396::merge_diff;
pub use three::{Conflict, Merged, Resolution, merge3, merge3_with};
pub use two::{ArrayMerge, Merge, NullMerge};
