//! The operating system's files, clock and random source: the only place in the workspace that may use them directly.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this module is the seam that everything else is told to use instead"
)]

mod clock;
mod fork;
mod io;
mod map;
mod spare;

pub use clock::{RealClock, RealRandom};
pub use io::RealIo;
pub use spare::SpareMemory;
