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
    /// Most commits made durable by one sync.
    pub batch_max: u64,
    /// Segment files started.
    pub segments_started: u64,
    /// Bytes of unfinished writes that were cut when opening.
    pub cut_bytes: u64,
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
