//! How a log is opened and what it reports.

use std::fmt;
use std::str::FromStr;

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Nothing is written; everything is lost when the process ends.
    Memory,
    /// When the kernel has it: it survives a killed process, and a power cut if it was synced before.
    Buffered,
    /// When the disk has it: it survives a power cut.
    #[default]
    Strict,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Memory => "memory",
            Durability::Buffered => "buffered",
            Durability::Strict => "strict",
        })
    }
}

/// Returned when a text names no [`Durability`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a durability; write memory, buffered or strict")]
pub struct UnknownDurability(String);

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Durability, UnknownDurability> {
        [Durability::Memory, Durability::Buffered, Durability::Strict]
            .into_iter()
            .find(|durability| durability.to_string() == text)
            .ok_or_else(|| UnknownDurability(text.to_owned()))
    }
}

/// How to open a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// When commits are acknowledged. `Memory` keeps no files: the folder is neither read nor made.
    pub durability: Durability,
    /// Size in bytes of the first segment file. Later ones are as large as all before them together, up to
    /// `segment_bytes`, so that a tiny store is quick to open and a large one has few files.
    pub first_segment_bytes: u64,
    /// Largest size in bytes of a segment file; only a commit that does not fit gets a larger one. At most 1 GiB.
    pub segment_bytes: u64,
    /// Largest payload of one commit in bytes. At most 1 GiB.
    pub max_commit_bytes: u64,
    /// Whether commits in buffered mode are copied into a mapping of the segment instead of being written by a system
    /// call, where the file system allows it (ext4, xfs, tmpfs). Ten times cheaper; but if the disk fails to read a
    /// page back that it had taken before, the process gets a `SIGBUS` instead of an error.
    pub map: bool,
    /// Whether each batch of commits that is synced is followed by padding up to the next page (4 KiB), so that no
    /// later write touches a page with acknowledged commits. Without it the log relies on *power-safe overwrite*: that
    /// bytes outside a write do not change when the power goes while it is under way. Disks that promise less are
    /// rare; padding makes a log of small strict commits many times larger. Takes effect with the next segment of a
    /// log that is there already.
    pub pad: bool,
    /// Size in bytes of a file of zeros that is kept beside the log, and removed when a full disk would keep a store
    /// from being opened after a crash, or a checkpoint from being finished
    /// ([`Log::spend_reserve`](crate::Log::spend_reserve)); the next opening makes it again, or removes it if it
    /// wants none (0). Closing never needs space.
    pub reserve_bytes: u64,
    /// Whether the folder may be on a network file system, where it depends on settings that nobody can see from here
    /// whether locks lock and syncs sync.
    pub network: bool,
}

impl LogOptions {
    /// No segment file and no commit is larger than this; offsets in a segment are 32 bits.
    pub const HARD_LIMIT: u64 = 1 << 30;
}

impl Default for LogOptions {
    /// Strict; segments of 256 KiB growing to 16 MiB; commits of at most 64 MiB.
    fn default() -> LogOptions {
        LogOptions {
            durability: Durability::Strict,
            first_segment_bytes: 256 << 10,
            segment_bytes: 16 << 20,
            max_commit_bytes: 64 << 20,
            map: true,
            pad: false,
            reserve_bytes: 0,
            network: false,
        }
    }
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Commits that were replayed.
    pub frames: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Bytes that they take in the log, framing and padding included.
    pub log_bytes: u64,
    /// Bytes of unfinished writes that were cut off the end. Never part of an acknowledged strict commit.
    pub cut_bytes: u64,
    /// Commits that were not yet proven durable and were written again (rule W3).
    pub rewritten: u64,
    /// Segment files.
    pub segments: u64,
    /// Whether the log had been closed properly (or was new), so that nothing had to be cut or rewritten.
    pub clean: bool,
}

/// Counters since the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Commits appended.
    pub commits: u64,
    /// Bytes appended, framing included.
    pub bytes: u64,
    /// Times the disk was told to make commits durable.
    pub syncs: u64,
    /// The durability in force: what an acknowledged commit survives.
    pub durability: Durability,
    /// Whether commits are written through a mapping.
    pub mapped: bool,
    /// Batches of commits that were made durable together. What a closing or full segment syncs is counted with the
    /// next batch.
    pub batches: u64,
    /// Commits in them.
    pub batch_commits: u64,
    /// Fewest commits in a batch.
    pub batch_min: u64,
    /// Most commits in a batch.
    pub batch_max: u64,
    /// How many batches had 1 commit, 2 to 3, 4 to 7, and so on; the last counts everything larger.
    pub batch_sizes: [u64; LogStats::SIZES],
    /// Segment files started since the log was opened.
    pub segments_started: u64,
    /// Bytes of unfinished writes that were cut when opening.
    pub cut_bytes: u64,
    /// Why the log takes no more commits: what failed when it was written or synced. It must be opened again.
    pub failed: Option<String>,
}

impl LogStats {
    /// How many sizes of batches are told apart.
    pub const SIZES: usize = 16;

    /// Bytes of a commit on average, framing included; 0 without commits.
    #[must_use]
    pub fn bytes_per_commit(&self) -> f64 {
        ratio(self.bytes, self.commits)
    }

    /// Commits in a batch on average; 0 without batches.
    #[must_use]
    pub fn batch_mean(&self) -> f64 {
        ratio(self.batch_commits, self.batches)
    }
}

fn ratio(sum: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_names_read_back_and_are_ordered() {
        for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert!(
            Durability::Memory < Durability::Buffered && Durability::Buffered < Durability::Strict
        );
        assert!("Strict".parse::<Durability>().is_err());
    }
}
