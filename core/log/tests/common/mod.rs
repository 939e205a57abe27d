//! What the tests of the log share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use statewright_log::sim::{self, SimIo};
use statewright_log::{Durability, Env, Error, Frame, Log, LogOptions, Recovery, Timestamp};

pub const DIR: &str = "/data/store";

/// Finds nothing wrong with a commit.
pub fn sound(_: Frame<'_>) -> Result<(), String> {
    Ok(())
}

pub fn dir() -> &'static Path {
    Path::new(DIR)
}

/// Small segments, so that a few commits fill several.
pub fn small(durability: Durability) -> LogOptions {
    LogOptions {
        durability,
        first_segment_bytes: 8192,
        segment_bytes: 8192,
        ..LogOptions::default()
    }
}

pub type Commits = Vec<(u64, Vec<u8>)>;

pub fn try_open(
    env: Env,
    dir: &Path,
    options: LogOptions,
) -> Result<(Log, Recovery, Commits), Error> {
    let mut commits = Commits::new();
    let (log, recovery) = Log::open(env, dir, options, &mut |frame: Frame<'_>| {
        commits.push((frame.version, frame.ops.to_vec()));
        Ok(())
    })?;
    Ok((log, recovery, commits))
}

pub fn open(io: &SimIo, durability: Durability) -> (Log, Recovery, Commits) {
    try_open(sim::env(io, io.boundaries() + 1), dir(), small(durability)).unwrap()
}

/// A payload that can be told from every other.
pub fn payload(version: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (version as usize * 31 + i * 7) as u8)
        .collect()
}

pub fn append(log: &Log, len: usize) -> u64 {
    let version = log.last_version() + 1;
    assert_eq!(
        log.append(
            Timestamp::from_micros(version as i64),
            &payload(version, len)
        )
        .unwrap(),
        version
    );
    version
}

pub fn append_synced(log: &Log, len: usize) -> u64 {
    let version = append(log, len);
    log.sync_to(version, &()).unwrap();
    version
}

/// That `commits` are the first commits written by [`append`], with these payload lengths.
pub fn assert_prefix(commits: &Commits, lens: &[usize]) {
    for (i, (version, ops)) in commits.iter().enumerate() {
        assert_eq!(*version, i as u64 + 1);
        assert_eq!(
            *ops,
            payload(*version, lens[i]),
            "content of commit {version}"
        );
    }
}
