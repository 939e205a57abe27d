//! Making a damaged log one that opens again, at the price of what cannot be read. Runs only when asked to (rule W16).
//!
//! A log is a chain: what is behind a commit that is lost cannot be applied. So a repair keeps everything up to the
//! first damage and drops the rest, except that a segment header can be made again from the segment's first commit,
//! and that a checkpoint is only a shorter way to what the log has. No byte is lost by it: every file that is changed
//! or dropped is kept under another name.

use std::path::{Path, PathBuf};

use crate::Position;
use crate::env::{Env, OpenMode, read_full, reserve};
use crate::error::{Error, Result};
use crate::format::{Kind, SegmentHeader, write_frame};
use crate::recover::{mark, take_lock};
use crate::segment::{FIRST_FRAME, MARK_LEN, Unfinished, damaged_name, segment_name};
use crate::verify::{Content, Part, Survey, Verification, must_be_store, survey};

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// What was found before.
    pub before: Verification,
    /// Whether anything was changed; nothing is if there was no damage that keeps the log from opening.
    pub changed: bool,
    /// The last commit that is there now.
    pub last_version: u64,
    /// Commits that are known to have been behind it, and are lost.
    pub lost_commits: u64,
    /// The files that have what was replaced or dropped, as it was.
    pub kept: Vec<PathBuf>,
}

/// How to repair; see [`plan`].
struct Plan {
    /// Parts whose header is made again, by their place in the survey.
    headers: Vec<usize>,
    /// The part that becomes the last one, if it is not good as it is.
    cut: Option<usize>,
    last_version: u64,
    last_number: u64,
}

pub(crate) fn repair(
    env: &Env,
    dir: &Path,
    start: Option<&Position>,
    content: &mut dyn Content,
    dry: bool,
) -> Result<Repair> {
    must_be_store(env, dir)?;
    let _lock = take_lock(env, dir)?;
    // Who had the lock until now may have added some.
    let numbers = must_be_store(env, dir)?;
    let found = survey(env, dir, start, content)?;
    let mut repair = Repair {
        before: found.found.clone(),
        last_version: found.found.last_version,
        ..Repair::default()
    };
    if repair.before.damage.iter().all(|damage| damage.covered) {
        return Ok(repair);
    }
    let plan = plan(dir, &found, &numbers)?;
    (repair.changed, repair.last_version) = (true, plan.last_version);
    repair.lost_commits = found.highest.saturating_sub(plan.last_version);
    if dry {
        return Ok(repair);
    }
    // The log has what they have. The last first, since they build on each other.
    for number in found.bad_checkpoints.iter().rev() {
        let path = dir.join(crate::checkpoint::name(*number));
        repair.kept.push(put_aside(env, dir, &path)?);
    }
    for part in plan.headers.iter().filter_map(|at| found.parts.get(*at)) {
        repair.kept.push(keep_copy(env, &part.info.path)?);
        rewrite(env, part, Kind::Seal)?;
    }
    // The last first: whenever this is interrupted, what is left has no gap.
    for number in numbers.iter().rev().filter(|n| **n > plan.last_number) {
        let path = dir.join(segment_name(*number));
        repair.kept.push(put_aside(env, dir, &path)?);
    }
    if let Some(part) = plan.cut.and_then(|at| found.parts.get(at)) {
        repair.kept.push(keep_copy(env, &part.info.path)?);
        rewrite(env, part, Kind::Close)?;
    }
    let after = survey(env, dir, start, content)?.found;
    match after.damage.into_iter().find(|damage| !damage.covered) {
        Some(left) => Err(Error::corrupt(
            &left.path,
            left.offset,
            format!("after the repair there is still this: {}", left.problem),
        )),
        None => Ok(repair),
    }
}

fn plan(dir: &Path, found: &Survey, numbers: &[u64]) -> Result<Plan> {
    let mut headers = Vec::new();
    let mut last: Option<(usize, &Part, bool)> = None;
    for ((at, part), expected) in found.parts.iter().enumerate().zip(1_u64..) {
        let number = part.info.header.number;
        if number != expected || last.is_some_and(|(.., broken)| broken) {
            break;
        }
        if !part.sound_header {
            headers.push(at);
        }
        last = Some((at, part, found.is_broken(number)));
    }
    let Some((at, part, broken)) = last else {
        let path = dir.join(segment_name(1));
        let problem = "nothing of the log can be kept, so there is nothing to repair";
        return Err(Error::corrupt(&path, 0, problem));
    };
    let (last_version, last_number) = (part.run.chain.version, part.info.header.number);
    if let Some(start) = found.start.filter(|start| start.version > last_version) {
        let problem = format!(
            "a repair would have to cut the log here, before commit {} that the checkpoint has",
            start.version
        );
        return Err(Error::corrupt(&part.info.path, part.run.end, problem));
    }
    // Which of the two is right is not for a repair to say.
    if let Some(damage) = &found.disagreement {
        let problem = damage.problem.clone();
        return Err(Error::corrupt(&damage.path, damage.offset, problem));
    }
    // A part that becomes the last one must not point to a next one, so it is written again.
    let cut = broken || numbers.last() != Some(&last_number) || !part.sound_header;
    headers.retain(|header| *header != at);
    Ok(Plan {
        headers,
        cut: cut.then_some(at),
        last_version,
        last_number,
    })
}

/// Writes a segment again, with the same commits at the same places, a sound header and a mark behind them.
fn rewrite(env: &Env, part: &Part, kind: Kind) -> Result<()> {
    let (path, header, end) = (&part.info.path, part.info.header, part.run.end);
    let file = env.io.open(path, OpenMode::Read);
    let file = file.map_err(|e| Error::io("open", path, e))?;
    let length = end.saturating_sub(FIRST_FRAME);
    let mut frames = Vec::new();
    reserve(&mut frames, length + MARK_LEN)?;
    frames.resize(length as usize, 0);
    let n = read_full(&*file, &mut frames, FIRST_FRAME).map_err(|e| Error::io("read", path, e))?;
    frames.truncate(n);
    write_frame(
        &mut frames,
        mark(kind, header.tag, end, &part.run.chain),
        &[],
    );
    let room = (end + MARK_LEN).next_multiple_of(4096);
    let header = SegmentHeader {
        length: header.length.max(room),
        ..header
    };
    Unfinished::create(&*env.io, path.clone(), &header, &frames)?.publish(&*env.io)?;
    Ok(())
}

/// Gives a file another name, durably.
fn put_aside(env: &Env, dir: &Path, path: &Path) -> Result<PathBuf> {
    let to = free_name(env, path)?;
    let renamed = env.io.rename(path, &to);
    renamed.map_err(|e| Error::io("rename", path, e))?;
    let synced = env.io.sync_dir(dir);
    synced.map_err(|e| Error::io("sync", dir, e))?;
    Ok(to)
}

/// A name beside `path` that is not taken, for its bytes as they are.
fn free_name(env: &Env, path: &Path) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for copy in 0..1000 {
        let to = path.with_file_name(damaged_name(&name, copy));
        let exists = env.io.exists(&to);
        if !exists.map_err(|e| Error::io("look at", &to, e))? {
            return Ok(to);
        }
    }
    let taken = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
    Err(Error::io("keep a copy of", path, taken))
}

/// Copies a file, durably.
fn keep_copy(env: &Env, path: &Path) -> Result<PathBuf> {
    const BLOCK: usize = 1 << 20;
    let (io, to) = (&*env.io, free_name(env, path)?);
    let copy = || {
        let from = io.open(path, OpenMode::Read)?;
        let file = io.open(&to, OpenMode::CreateNew)?;
        let (mut buffer, mut at) = (vec![0; BLOCK], 0);
        let mut fill = || loop {
            let n = read_full(&*from, &mut buffer, at)?;
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else {
                return file.sync_all();
            };
            file.write_all_at(bytes, at)?;
            at += n as u64;
        };
        // A part of it would only take up space, and would not be the file as it was.
        fill().inspect_err(|_| drop(io.remove(&to)))?;
        io.sync_dir(crate::env::parent_of(path))
    };
    copy().map_err(|e| Error::io("copy", path, e))?;
    Ok(to)
}
