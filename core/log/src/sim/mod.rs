//! A simulated world: files in memory that lose what a real disk may lose, a clock that is set, and random bytes from
//! a seed. Everything is a function of the seed and of the calls made.
//!
//! # What can go wrong
//!
//! | fault | how | |
//! | --- | --- | --- |
//! | power cut between any two changes | [`SimIo::on_change`], [`SimIo::halt_at`], [`SimIo::crash`] | yes |
//! | un-synced write kept, lost, or torn at any byte | [`Damage`]: `Keep`, `Lose`, `Prefix` | yes |
//! | un-synced writes in any order: a later one kept, an earlier one lost | `Suffix`, `Sectors` | yes |
//! | sectors (512 B) of a write kept or lost each for itself | `Sectors` | yes |
//! | size kept, content zero | `Zeros` | yes |
//! | sectors of a write full of garbage | `Garbage` | yes |
//! | un-synced names and sizes kept or lost each for itself | all but `Keep` and `Lose` | yes |
//! | names durable and contents not, and the other way round | `Names`, `Contents` | yes |
//! | any call fails with any error, at the k-th time, once or for ever | [`SimIo::fail`] | yes |
//! | write fails after a part of it was done | [`Fault::partial`] | yes |
//! | failed sync: the cache calls the data clean, the disk has some of it, the next sync succeeds | always | yes |
//! | killed process: the page cache survives | [`SimIo::halt_at`], then [`SimIo::resume`] | yes |
//! | a sync that lies, a write that the disk never gets | [`Fault::silently`] | yes |
//! | flipped bits, misdirected writes, cut files | [`SimIo::edit`] | by hand |
//! | file removed while open, missing files | [`Io::remove`](crate::Io::remove) | by hand |
//! | damage near, but not in, an un-synced write (no power-safe overwrite) | | no |
//! | read errors that come and go, slow calls | [`SimIo::fail`] with [`Op::Read`] | in part |
//! | memory exhaustion, thread schedules | | no |
//!
//! `docs/FAULTS.md` lists what the simulation of the whole store (`cargo xtask sim`) makes of these.

mod clock;
mod disk;
mod io;

pub use clock::{SimClock, SimRandom};
pub use disk::{Damage, Disk, Image};
pub use io::{Change, Fault, Op, SimIo};

use std::sync::Arc;

use crate::env::Env;

/// A world with an empty disk, made from a seed. The handles control what the environment's users see.
///
/// ```
/// use statewright_log::{Log, LogOptions, Timestamp, sim};
/// # fn main() -> Result<(), statewright_log::Error> {
/// let (env, io, _clock) = sim::world(1);
/// let dir = std::path::Path::new("/store");
/// let (log, _) = Log::open(env, dir, LogOptions::default(), &mut |_| Ok(()))?;
/// log.sync_to(log.append(Timestamp::EPOCH, b"kept")?, &())?;
/// log.append(Timestamp::EPOCH, b"not synced")?;
///
/// // The power goes; none of the un-synced writes had reached the disk.
/// let io = io.crash(&sim::Image { damage: sim::Damage::Lose, seed: 7 });
/// let mut seen = Vec::new();
/// Log::open(sim::env(&io, 2), dir, LogOptions::default(), &mut |frame| {
///     seen.push(frame.ops.to_vec());
///     Ok(())
/// })?;
/// assert_eq!(seen, [b"kept".to_vec()]);
/// # Ok(()) }
/// ```
#[must_use]
pub fn world(seed: u64) -> (Env, SimIo, SimClock) {
    let (io, clock) = (SimIo::new(), SimClock::new());
    let env = Env {
        io: Arc::new(io.clone()),
        clock: Arc::new(clock.clone()),
        random: Arc::new(SimRandom::new(seed)),
    };
    (env, io, clock)
}

/// An environment on an existing disk, with a clock and random bytes of its own.
#[must_use]
pub fn env(io: &SimIo, seed: u64) -> Env {
    Env {
        io: Arc::new(io.clone()),
        clock: Arc::new(SimClock::new()),
        random: Arc::new(SimRandom::new(seed)),
    }
}
