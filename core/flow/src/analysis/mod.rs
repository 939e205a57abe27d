//! What can be said of a net without running it: its control-flow structure, OR-joins, soundness.
//!
//! The analysis sees one level of a net as a [`Skeleton`]: no data, no time, no host. Every choice that data makes
//! in a case is free here, so what the analysis rules out can never happen, and what it finds possible may be
//! impossible for the data of a given case. Sub-flows and multiple instances are black boxes that complete.

mod orjoin;
mod report;
mod reset_net;
mod rules;
pub mod skeleton;
mod space;
mod verify;
mod witness;

pub use orjoin::{Decision, OrJoins};
pub use report::Verified;
pub use skeleton::{Builder, Join, Marking, Reset, Skeleton, Split};
pub use verify::{Budget, Event, Finding, FindingKind, Method, Verdict, Verification, verify};
pub use witness::{Walk, WalkState, walk};
