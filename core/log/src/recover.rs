//! Opening a log: take the folder, find the segments, have them replayed; or start a new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{Env, File, FileSystem, OpenMode, PathKind, parent_of, read_full};
use crate::error::{Error, Result};
use crate::format::{FrameHeader, HeaderError, Kind, SEGMENT_HEADER, SegmentHeader};
use crate::options::{Durability, LogOptions, Recovery};
use crate::replay::Replay;
use crate::segment::{
    Chain, FIRST_FRAME, MARK_LEN, RESERVE_NAME, Unfinished, is_unfinished, segment_length,
    segment_name, segment_number,
};
use crate::{Frame, Position, Timestamp};

const LOCK_NAME: &str = "statewright.lock";

/// A segment file and where its commits begin.
#[derive(Clone, Debug)]
pub(crate) struct SegmentInfo {
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
}

/// A log that is ready to be appended to.
pub(crate) struct Opened {
    pub(crate) lock: Box<dyn Send + Sync>,
    pub(crate) segments: Vec<SegmentInfo>,
    /// The last of them.
    pub(crate) current: SegmentInfo,
    /// The last segment's file, open for writing.
    pub(crate) file: Arc<dyn File>,
    /// Where in it the next frame goes; everything before is durable.
    pub(crate) end: u64,
    /// Whether a closing mark is there.
    pub(crate) marked: bool,
    pub(crate) chain: Chain,
    /// When the last commit was made.
    pub(crate) time: Timestamp,
    /// Bytes of frames in all segments.
    pub(crate) log_bytes: u64,
    pub(crate) recovery: Recovery,
}

/// Receives commits in order.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Frame<'_>) -> Result<()>;

pub(crate) fn open(
    env: &Env,
    dir: &Path,
    options: &LogOptions,
    start: Option<Position>,
    visit: Visit<'_>,
) -> Result<Opened> {
    let io = &*env.io;
    prepare_dir(env, dir)?;
    if !options.network
        && io
            .file_system(dir)
            .is_ok_and(|fs| fs == FileSystem::Network)
    {
        return Err(Error::NotAStore {
            path: dir.to_path_buf(),
            problem: "it is on a network file system, where locks and syncs need not hold, and \
                      LogOptions::network does not allow that"
                .into(),
        });
    }
    let lock = take_lock(env, dir)?;
    // Listed again: only now is it certain that nobody else is changing the folder.
    let numbers = list_segments(env, dir, true)?;
    let segments = read_headers(env, dir, &numbers)?;
    let Some(current) = segments.last().cloned() else {
        return match start {
            None => create(env, dir, options, lock),
            Some(start) => Err(disagree(
                &dir.join(segment_name(1)),
                &start,
                "there is no log",
            )),
        };
    };
    // Names that are visible need not be durable yet.
    io.sync_dir(dir).map_err(|e| Error::io("sync", dir, e))?;
    Replay {
        env,
        dir,
        options,
        segments,
        current,
        time: Timestamp::EPOCH,
        recovery: Recovery::default(),
        log_bytes: 0,
    }
    .run(lock, start, visit)
}

/// Takes the folder for this log alone.
pub(crate) fn take_lock(env: &Env, dir: &Path) -> Result<Box<dyn Send + Sync>> {
    let path = dir.join(LOCK_NAME);
    env.io.lock(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked {
            path: dir.to_path_buf(),
            holder: e.to_string(),
        },
        _ => Error::io("lock", &path, e),
    })
}

/// That the log is not the one that `start` was a position in.
pub(crate) fn disagree(path: &Path, start: &Position, problem: &str) -> Error {
    let Position {
        version, offset, ..
    } = start;
    let problem = format!(
        "the checkpoint and the log disagree: by the checkpoint, commit {version} ends here, but {problem}"
    );
    Error::corrupt(path, *offset, problem)
}

/// Makes sure that the folder exists and is ours to use.
fn prepare_dir(env: &Env, dir: &Path) -> Result<()> {
    match env.io.kind(dir).map_err(|e| Error::io("look at", dir, e))? {
        PathKind::File => Err(Error::NotAStore {
            path: dir.to_path_buf(),
            problem: "it is a file".into(),
        }),
        PathKind::Dir => list_segments(env, dir, false).map(drop),
        PathKind::Missing => env
            .io
            .create_dir_all(dir)
            .map_err(|e| Error::io("create", dir, e)),
    }
}

/// The numbers of the segments in the folder, ascending. With `clean_up`, removes segments whose making was
/// interrupted.
pub(crate) fn list_segments(env: &Env, dir: &Path, clean_up: bool) -> Result<Vec<u64>> {
    let names = env.io.list(dir).map_err(|e| Error::io("list", dir, e))?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    numbers.sort_unstable();
    let foreign = names
        .iter()
        .find(|name| ![LOCK_NAME, RESERVE_NAME].contains(&name.as_str()) && !unfinished(name));
    if let (true, Some(name)) = (numbers.is_empty(), foreign) {
        let problem = format!("it has no log, but other things in it (\"{name}\")");
        return Err(Error::NotAStore {
            path: dir.to_path_buf(),
            problem,
        });
    }
    if clean_up {
        for name in names.iter().filter(|name| unfinished(name)) {
            let path = dir.join(name);
            env.io
                .remove(&path)
                .map_err(|e| Error::io("remove", &path, e))?;
        }
    }
    Ok(numbers)
}

/// Whether a name is that of a file whose making was interrupted.
fn unfinished(name: &str) -> bool {
    is_unfinished(name) || crate::checkpoint::is_unfinished(name)
}

/// Makes the names on the way to the folder durable. Whoever made a folder, perhaps we ourselves when an opening was
/// interrupted, may not have done so. Not being allowed to is their decision.
fn sync_ancestors(env: &Env, dir: &Path) -> Result<()> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    let mut at = dir;
    loop {
        let parent = parent_of(at);
        match env.io.sync_dir(parent) {
            Err(e) if !matches!(e.kind(), PermissionDenied | InvalidInput | Unsupported) => {
                return Err(Error::io("sync", parent, e));
            }
            _ if parent == at || parent.parent().is_none() || parent == Path::new(".") => {
                return Ok(());
            }
            _ => at = parent,
        }
    }
}

/// Starts a log in an empty folder.
fn create(
    env: &Env,
    dir: &Path,
    options: &LogOptions,
    lock: Box<dyn Send + Sync>,
) -> Result<Opened> {
    sync_ancestors(env, dir)?;
    let path = dir.join(segment_name(1));
    let mut store = [0; 16];
    env.random
        .fill(&mut store)
        .map_err(|e| Error::io("get random bytes for", &path, e))?;
    let chain = Chain {
        version: 0,
        hash: store,
    };
    let header = SegmentHeader {
        number: 1,
        first_version: 1,
        store,
        prev: store,
        tag: random_tag(env, &path)?,
        length: segment_length(options, 0, 0),
        created: env.clock.now(),
        buffered: options.durability == Durability::Buffered,
        padded: options.pad,
    };
    let file = Unfinished::create(&*env.io, path.clone(), &header, &[])?.publish(&*env.io)?;
    let recovery = Recovery {
        segments: 1,
        clean: true,
        ..Recovery::default()
    };
    let current = SegmentInfo { path, header };
    let segments = vec![current.clone()];
    Ok(Opened {
        lock,
        segments,
        current,
        file,
        end: FIRST_FRAME,
        marked: false,
        chain,
        time: Timestamp::EPOCH,
        log_bytes: 0,
        recovery,
    })
}

/// A mark at `offset` saying that everything before it is durable.
pub(crate) fn mark(kind: Kind, tag: u32, offset: u64, chain: &Chain) -> FrameHeader {
    let at = offset as u32;
    let (version, prev, time) = (chain.version, chain.hash, Timestamp::EPOCH);
    FrameHeader {
        kind,
        length: 0,
        tag,
        offset: at,
        proven: at,
        payload_crc: 0,
        version,
        time,
        prev,
    }
}

/// A random identity for a segment file; never 0, which is what unwritten bytes look like.
pub(crate) fn random_tag(env: &Env, path: &Path) -> Result<u32> {
    let random = env
        .random
        .u64()
        .map_err(|e| Error::io("get random bytes for", path, e))?;
    Ok((random as u32).max(1))
}

/// Reads and checks the headers of all segments: one store, numbered from 1 without gaps.
fn read_headers(env: &Env, dir: &Path, numbers: &[u64]) -> Result<Vec<SegmentInfo>> {
    let mut segments: Vec<SegmentInfo> = Vec::with_capacity(numbers.len());
    for (number, expected) in numbers.iter().zip(1_u64..) {
        let path = dir.join(segment_name(expected));
        if *number != expected {
            return Err(Error::corrupt(
                &path,
                0,
                "the file is missing, but later parts of the log exist",
            ));
        }
        let header = match read_header(env, &path, expected)? {
            Ok(header) => header,
            Err(problem) => return Err(Error::corrupt(&path, 0, problem)),
        };
        let store = segments.first().map(|first| first.header.store);
        if store.is_some_and(|store| store != header.store) {
            return Err(Error::corrupt(&path, 0, ELSEWHERE));
        }
        segments.push(SegmentInfo { path, header });
    }
    Ok(segments)
}

pub(crate) const ELSEWHERE: &str = "the file belongs to another place or another store";

/// Reads and checks the header of a segment by itself; the inner error says what is wrong with it.
pub(crate) fn read_header(
    env: &Env,
    path: &Path,
    number: u64,
) -> Result<Result<SegmentHeader, &'static str>> {
    let open = env.io.open(path, OpenMode::Read);
    let file = open.map_err(|e| Error::io("open", path, e))?;
    let mut bytes = vec![0; SEGMENT_HEADER];
    let n = read_full(&*file, &mut bytes, 0).map_err(|e| Error::io("read", path, e))?;
    let header = match SegmentHeader::decode(bytes.get(..n).unwrap_or_default()) {
        Ok(header) => header,
        Err(HeaderError::Damaged(problem)) => return Ok(Err(problem)),
        Err(HeaderError::Unsupported(problem)) => {
            let path = path.to_path_buf();
            return Err(Error::UnsupportedFormat { path, problem });
        }
    };
    if header.number != number {
        return Ok(Err(ELSEWHERE));
    }
    let first_ok = number > 1 || (header.first_version == 1 && header.prev == header.store);
    if !first_ok || header.first_version == 0 || header.length < FIRST_FRAME + MARK_LEN {
        return Ok(Err("the segment header contradicts itself"));
    }
    Ok(Ok(header))
}
