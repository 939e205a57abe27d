//! Opening a log: find its segments, replay them, and make the end safe to append to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Frame;
use crate::classify::{End, Evidence, Next, Verdict, classify};
use crate::env::{Env, File, OpenMode, PathKind, parent_of, read_full};
use crate::error::{Error, Result};
use crate::format::{
    FrameHeader, HeaderError, Kind, SEGMENT_HEADER, SegmentHeader, frame_len, write_frame,
};
use crate::options::{LogOptions, Recovery};
use crate::segment::{
    Chain, FIRST_FRAME, Item, MARK_LEN, Reader, Unfinished, is_unfinished, segment_length,
    segment_name, segment_number,
};

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
    /// The last segment's file, open for writing.
    pub(crate) file: Arc<dyn File>,
    /// Where in it the next frame goes; everything before is durable.
    pub(crate) end: u64,
    pub(crate) chain: Chain,
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
    visit: Visit<'_>,
) -> Result<Opened> {
    let io = &*env.io;
    let fresh_dir = prepare_dir(env, dir)?;
    let lock_path = dir.join(LOCK_NAME);
    let lock = io.lock(&lock_path).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked {
            path: dir.to_path_buf(),
            holder: e.to_string(),
        },
        _ => Error::io("lock", &lock_path, e),
    })?;
    // Listed again: only now is it certain that nobody else is changing the folder.
    let numbers = list_segments(env, dir, true)?;
    if numbers.is_empty() {
        return create(env, dir, options, lock, fresh_dir);
    }
    // Names that are visible need not be durable yet.
    io.sync_dir(dir).map_err(|e| Error::io("sync", dir, e))?;
    let segments = read_headers(env, dir, &numbers)?;
    Recoverer {
        env,
        dir,
        options,
        segments,
        recovery: Recovery::default(),
        log_bytes: 0,
    }
    .run(lock, visit)
}

/// Makes sure that the folder exists and is ours to use; returns whether it was created.
fn prepare_dir(env: &Env, dir: &Path) -> Result<bool> {
    match env.io.kind(dir).map_err(|e| Error::io("look at", dir, e))? {
        PathKind::File => Err(Error::NotAStore {
            path: dir.to_path_buf(),
            problem: "it is a file".into(),
        }),
        PathKind::Dir => list_segments(env, dir, false).map(|_| false),
        PathKind::Missing => env
            .io
            .create_dir_all(dir)
            .map(|()| true)
            .map_err(|e| Error::io("create", dir, e)),
    }
}

/// The numbers of the segments in the folder, ascending. With `clean_up`, removes segments whose making was
/// interrupted.
fn list_segments(env: &Env, dir: &Path, clean_up: bool) -> Result<Vec<u64>> {
    let names = env.io.list(dir).map_err(|e| Error::io("list", dir, e))?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    numbers.sort_unstable();
    let foreign = names
        .iter()
        .find(|name| *name != LOCK_NAME && !is_unfinished(name));
    if let (true, Some(name)) = (numbers.is_empty(), foreign) {
        let problem = format!("it has no log, but other things in it (\"{name}\")");
        return Err(Error::NotAStore {
            path: dir.to_path_buf(),
            problem,
        });
    }
    if clean_up {
        for name in names.iter().filter(|name| is_unfinished(name)) {
            let path = dir.join(name);
            env.io
                .remove(&path)
                .map_err(|e| Error::io("remove", &path, e))?;
        }
    }
    Ok(numbers)
}

/// Starts a log in an empty folder.
fn create(
    env: &Env,
    dir: &Path,
    options: &LogOptions,
    lock: Box<dyn Send + Sync>,
    made: bool,
) -> Result<Opened> {
    if !made {
        // Whoever made the folder may not have made its name durable. Not being allowed to is their decision.
        let parent = parent_of(dir);
        match env.io.sync_dir(parent) {
            Err(e) if e.kind() != std::io::ErrorKind::PermissionDenied => {
                return Err(Error::io("sync", parent, e));
            }
            _ => {}
        }
    }
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
    };
    let file = Unfinished::create(&*env.io, path.clone(), &header, &[])?.publish(&*env.io)?;
    let recovery = Recovery {
        segments: 1,
        clean: true,
        ..Recovery::default()
    };
    let segments = vec![SegmentInfo { path, header }];
    Ok(Opened {
        lock,
        segments,
        file,
        end: FIRST_FRAME,
        chain,
        log_bytes: 0,
        recovery,
    })
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
        let file = env
            .io
            .open(&path, OpenMode::Read)
            .map_err(|e| Error::io("open", &path, e))?;
        let mut bytes = vec![0; SEGMENT_HEADER];
        let n = read_full(&*file, &mut bytes, 0).map_err(|e| Error::io("read", &path, e))?;
        let header = match SegmentHeader::decode(bytes.get(..n).unwrap_or_default()) {
            Ok(header) => header,
            Err(HeaderError::Damaged(problem)) => return Err(Error::corrupt(&path, 0, problem)),
            Err(HeaderError::Unsupported(problem)) => {
                return Err(Error::UnsupportedFormat { path, problem });
            }
        };
        if header.number != expected
            || segments
                .first()
                .is_some_and(|first| first.header.store != header.store)
        {
            return Err(Error::corrupt(
                &path,
                0,
                "the file belongs to another place or another store",
            ));
        }
        let first_ok = expected > 1 || (header.first_version == 1 && header.prev == header.store);
        if !first_ok || header.first_version == 0 || header.length < FIRST_FRAME + MARK_LEN {
            return Err(Error::corrupt(
                &path,
                0,
                "the segment header contradicts itself",
            ));
        }
        segments.push(SegmentInfo { path, header });
    }
    Ok(segments)
}

/// How far the valid commits of a segment go.
struct Run {
    end: u64,
    /// The highest offset that they prove durable.
    proven: u64,
    at_end: End,
    /// Why there is no next commit, for the message.
    problem: &'static str,
    chain: Chain,
    next: Next,
}

/// Follows a segment's commits up to the next segment's first, or as far as they are valid. `visit` also gets each
/// commit's offset.
fn follow(
    reader: &mut Reader<'_>,
    header: &SegmentHeader,
    next: Option<&SegmentHeader>,
    visit: &mut dyn FnMut(u64, &FrameHeader, Frame<'_>) -> Result<()>,
) -> Result<Run> {
    let mut chain = Chain::before(header);
    let (mut end, mut proven) = (FIRST_FRAME, FIRST_FRAME);
    let run = |end, proven, at_end, problem, chain, next| Run {
        end,
        proven,
        at_end,
        problem,
        chain,
        next,
    };
    let gap = if next.is_some() {
        Next::Gap
    } else {
        Next::None
    };
    loop {
        if let Some(next) =
            next.filter(|next| next.first_version == chain.version.saturating_add(1))
        {
            let joins = if next.prev == chain.hash {
                Next::Joins
            } else {
                Next::Gap
            };
            return Ok(run(
                end,
                proven,
                End::Nothing,
                "the next segment continues other commits",
                chain,
                joins,
            ));
        }
        match reader.item(end, header.tag, &chain)? {
            Item::Commit(frame, ops) => {
                let hash = frame.hash(ops);
                let commit = Frame {
                    version: frame.version,
                    time: frame.time,
                    prev: frame.prev,
                    hash,
                    ops,
                };
                let length = frame_len(ops.len());
                visit(end, &frame, commit)?;
                chain = Chain {
                    version: frame.version,
                    hash,
                };
                proven = proven.max(frame.proven.into());
                end += length;
            }
            Item::Mark(frame) => {
                let at_end = if frame.kind == Kind::Seal {
                    End::Seal
                } else {
                    End::Close
                };
                return Ok(run(
                    end,
                    proven.max(frame.proven.into()),
                    at_end,
                    "a mark",
                    chain,
                    gap,
                ));
            }
            Item::Nothing(problem) => {
                return Ok(run(end, proven, End::Nothing, problem, chain, gap));
            }
        }
    }
}

struct Recoverer<'a> {
    env: &'a Env,
    dir: &'a Path,
    options: &'a LogOptions,
    segments: Vec<SegmentInfo>,
    recovery: Recovery,
    log_bytes: u64,
}

impl Recoverer<'_> {
    fn run(mut self, lock: Box<dyn Send + Sync>, visit: Visit<'_>) -> Result<Opened> {
        let segments = self.segments.clone();
        let headers = segments
            .iter()
            .skip(1)
            .map(|segment| Some(&segment.header))
            .chain([None]);
        let mut last = None;
        for (segment, next) in segments.iter().zip(headers) {
            last = Some(self.segment(segment, next, visit)?);
        }
        // There is at least one segment, so this is never the default.
        let Some((file, run, verdict)) = last else {
            return Err(Error::corrupt(self.dir, 0, "no segment"));
        };
        let (file, end) = match verdict {
            Verdict::Torn => self.rewrite(&file, &run)?,
            _ => (file, run.end),
        };
        self.recovery.clean = verdict != Verdict::Torn;
        self.recovery.segments = self.segments.len() as u64;
        let Recoverer {
            segments,
            log_bytes,
            recovery,
            ..
        } = self;
        Ok(Opened {
            lock,
            segments,
            file,
            end,
            chain: run.chain,
            log_bytes,
            recovery,
        })
    }

    /// Replays one segment and decides what its end means.
    fn segment(
        &mut self,
        segment: &SegmentInfo,
        next: Option<&SegmentHeader>,
        visit: Visit<'_>,
    ) -> Result<(Arc<dyn File>, Run, Verdict)> {
        let SegmentInfo { path, header } = segment;
        let mode = if next.is_some() {
            OpenMode::Read
        } else {
            OpenMode::ReadWrite
        };
        let file = self
            .env
            .io
            .open(path, mode)
            .map_err(|e| Error::io("open", path, e))?;
        let size = file.len().map_err(|e| Error::io("look at", path, e))?;
        let mut reader = Reader::new(&*file, path, header.length.min(size));
        let recovery = &mut self.recovery;
        let run = follow(&mut reader, header, next, &mut |_, _, commit| {
            recovery.frames += 1;
            recovery.bytes += commit.ops.len() as u64;
            visit(commit)
        })?;
        self.log_bytes += run.end - FIRST_FRAME;
        let mut evidence = Evidence {
            next: run.next,
            whole: size == header.length,
            end: run.at_end,
            proven_to_end: run.proven >= run.end,
            proven_behind_end: false,
            zeros_behind: true,
        };
        if run.next == Next::None {
            let mark = if run.at_end == End::Nothing {
                0
            } else {
                MARK_LEN
            };
            let tail = reader.tail(run.end, mark, header.tag)?;
            evidence.proven_behind_end = tail.proven > run.end;
            evidence.zeros_behind = tail.last_byte.is_none();
            self.recovery.cut_bytes = tail.last_byte.map_or(0, |last| last - run.end - mark);
        }
        match classify(&evidence) {
            Verdict::Damaged(verdict) => {
                let problem = format!(
                    "{verdict} (found there: {}; last good commit: {})",
                    run.problem, run.chain.version
                );
                Err(Error::corrupt(path, run.end, problem))
            }
            verdict => Ok((file, run, verdict)),
        }
    }

    /// Moves the commits of the last segment that are not proven durable into a new one, and goes on there.
    ///
    /// Nothing is changed in place: the new segment says which commit it begins with, and from then on nobody looks
    /// at what the old one has behind the commit before. Writing the commits again also means that none is believed
    /// because the page cache had it: a failed sync may have left it clean there and absent on the disk (rule W3).
    fn rewrite(&mut self, old: &Arc<dyn File>, run: &Run) -> Result<(Arc<dyn File>, u64)> {
        let Some(last) = self.segments.last().cloned() else {
            return Err(Error::corrupt(self.dir, 0, "no segment"));
        };
        let number = last.header.number + 1;
        let path = self.dir.join(segment_name(number));
        let tag = random_tag(self.env, &path)?;
        let (mut first, mut cut_at) = (run.chain, run.end);
        let (mut frames, mut end) = (Vec::new(), FIRST_FRAME);
        let mut reader = Reader::new(&**old, &last.path, last.header.length);
        follow(&mut reader, &last.header, None, &mut |at, frame, commit| {
            if at >= run.proven {
                if frames.is_empty() {
                    (first, cut_at) = (
                        Chain {
                            version: commit.version - 1,
                            hash: commit.prev,
                        },
                        at,
                    );
                }
                write_frame(&mut frames, at_place(*frame, tag, end), commit.ops);
                end += frame_len(commit.ops.len());
            }
            Ok(())
        })?;
        self.recovery.rewritten = run.chain.version - first.version;
        // The file is durable before it has its name, so all of it is proven: the mark says so to the next opening.
        write_frame(&mut frames, mark(Kind::Close, tag, end, &run.chain), &[]);
        let header = SegmentHeader {
            number,
            first_version: first.version + 1,
            prev: first.hash,
            tag,
            length: segment_length(self.options, self.log_bytes, end - FIRST_FRAME),
            created: self.env.clock.now(),
            ..last.header
        };
        let io = &*self.env.io;
        let file = Unfinished::create(io, path.clone(), &header, &frames)?.publish(io)?;
        self.segments.push(SegmentInfo { path, header });
        // Only to give the space back: whether or not this is lost in a crash, nobody reads behind it any more.
        old.set_len(cut_at)
            .map_err(|e| Error::io("cut", &last.path, e))?;
        Ok((file, end))
    }
}

fn at_place(frame: FrameHeader, tag: u32, offset: u64) -> FrameHeader {
    FrameHeader {
        tag,
        offset: offset as u32,
        proven: FIRST_FRAME as u32,
        ..frame
    }
}

/// A mark at `offset` saying that everything before it is durable.
pub(crate) fn mark(kind: Kind, tag: u32, offset: u64, chain: &Chain) -> FrameHeader {
    FrameHeader {
        kind,
        length: 0,
        tag,
        offset: offset as u32,
        proven: offset as u32,
        payload_crc: 0,
        version: chain.version,
        time: crate::Timestamp::EPOCH,
        prev: chain.hash,
    }
}
