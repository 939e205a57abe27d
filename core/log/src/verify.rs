//! Looking at everything a log has, and saying what is wrong with it (rule W16). Nothing is changed here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::begin::{Begin, find};
use crate::checkpoint::{CheckpointFile, checkpoints};
use crate::classify::{Next, Verdict};
use crate::env::{Env, File, OpenMode, PathKind, read_full};
use crate::error::{Error, Result};
use crate::format::{FRAME_HEADER, FrameHeader, Hash, Kind, SegmentHeader};
use crate::reader::Reader;
use crate::recover::{ELSEWHERE, SegmentInfo, list_segments, random_tag, read_header};
use crate::replay::{Run, follow, judge};
use crate::segment::{Chain, FIRST_FRAME, segment_name};
use crate::time::Timestamp;
use crate::{Frame, Position};

/// What looking at all of a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Segment files.
    pub segments: u64,
    /// Segment files that were made in buffered mode: of their commits, some may have been acknowledged before they
    /// were synced.
    pub buffered_segments: u64,
    /// Commits whose bytes are what was written.
    pub commits: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// The highest version among them; 0 if there is none.
    pub last_version: u64,
    /// Bytes of unfinished writes at the end, which the next opening cuts. They are normal after a power cut, and
    /// never part of an acknowledged strict commit.
    pub torn_bytes: u64,
    /// Whether the log was closed properly, so that the next opening has nothing to do.
    pub clean: bool,
    /// Checkpoints that are intact, as are those that they build on.
    pub checkpoints: u64,
    /// Everything that is wrong: with checkpoints first, then from the beginning of the log on. A store with any of
    /// this that is not [covered](Damage::covered) does not open.
    pub damage: Vec<Damage>,
}

/// A place in a log that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Offset in bytes of the first record in it that cannot be trusted.
    pub offset: u64,
    /// What is wrong.
    pub problem: String,
    /// The last good commit before.
    pub last_good: u64,
    /// Commits behind it in this file that still have an intact header.
    pub behind: u64,
    /// Whether a checkpoint has the state behind this place: then only history is damaged, and the store opens.
    pub covered: bool,
}

/// A segment as it was found.
pub(crate) struct Part {
    pub(crate) info: SegmentInfo,
    /// How far its commits go that can be used.
    pub(crate) run: Run,
    /// Whether the header in the file can be read; otherwise `info` has what could be found out.
    pub(crate) sound_header: bool,
}

/// A log as it was found.
#[derive(Default)]
pub(crate) struct Survey {
    /// Where opening may begin to replay.
    pub(crate) start: Option<Position>,
    /// Where that is now: the number of the segment, and the place in it. What is before is covered.
    begin: Option<(u64, Begin)>,
    /// That it is nowhere.
    pub(crate) disagreement: Option<Damage>,
    pub(crate) found: Verification,
    /// The segments that can be followed.
    pub(crate) parts: Vec<Part>,
    /// The highest version that anything speaks of.
    pub(crate) highest: u64,
    /// The number of the segment that each damage is in; 0 for that of a checkpoint.
    damaged: Vec<u64>,
    /// Checkpoints that cannot be used: those that are damaged, and those that build on them.
    pub(crate) bad_checkpoints: Vec<u64>,
}

/// Fails unless `dir` is a folder with a log in it.
pub(crate) fn must_be_store(env: &Env, dir: &Path) -> Result<Vec<u64>> {
    let problem = match env.io.kind(dir).map_err(|e| Error::io("look at", dir, e))? {
        PathKind::Missing => "it does not exist",
        PathKind::File => "it is a file",
        PathKind::Dir => {
            let numbers = list_segments(env, dir, false)?;
            if !numbers.is_empty() {
                return Ok(numbers);
            }
            "it has no log"
        }
    };
    Err(Error::NotAStore {
        path: dir.to_path_buf(),
        problem: problem.into(),
    })
}

/// Looks at what commits say, while a log is looked at or repaired: what it finds wrong is damage too. Any function
/// from a [`Frame`] to what is wrong with it is one.
pub trait Content {
    /// All commits follow, from the first on. Opening the log begins to replay them at `start`; `None` if it begins
    /// with the first.
    fn begin(&mut self, start: Option<&Position>) {
        let _ = start;
    }

    /// The checkpoints that one needs, its own number included; `there` are those that the folder has. By default, all
    /// of them that are not newer.
    ///
    /// # Errors
    /// What is wrong with what it says.
    fn needs(&mut self, checkpoint: &CheckpointFile, there: &[u64]) -> Result<Vec<u64>, String> {
        let older = there.iter().filter(|n| **n <= checkpoint.number());
        Ok(older.copied().collect())
    }

    /// Looks at a commit whose bytes are what was written.
    ///
    /// # Errors
    /// What is wrong with it.
    fn look(&mut self, commit: Frame<'_>) -> Result<(), String>;
}

impl<F: FnMut(Frame<'_>) -> Result<(), String>> Content for F {
    fn look(&mut self, commit: Frame<'_>) -> Result<(), String> {
        self(commit)
    }
}

/// Looks at everything. The caller holds the folder's lock.
pub(crate) fn survey(
    env: &Env,
    dir: &Path,
    start: Option<&Position>,
    content: &mut dyn Content,
) -> Result<Survey> {
    let numbers = must_be_store(env, dir)?;
    let mut survey = Survey::default();
    let newest = survey.checkpoints(env, dir, content)?;
    let start = start.or(newest.as_ref());
    survey.start = start.copied();
    content.begin(start);
    survey.found.segments = numbers.len() as u64;
    let headers = survey.headers(env, dir, &numbers)?;
    if let Some(start) = start {
        survey.find(env, dir, &headers, start)?;
    }
    for (i, number) in numbers.iter().enumerate() {
        let Some(Some((info, sound_header))) = headers.get(i).cloned() else {
            continue;
        };
        let last = i + 1 == numbers.len();
        let next = match (numbers.get(i + 1), headers.get(i + 1)) {
            (Some(next), Some(Some((info, _)))) if *next == number + 1 => Some(info.header),
            _ => None,
        };
        survey.segment(env, (info, sound_header), next, last, content)?;
    }
    survey.found.clean &= survey.found.damage.is_empty();
    Ok(survey)
}

impl Survey {
    /// Notes a damage, and returns whether a checkpoint covers it. Opening reads all headers, and never damaged
    /// checkpoints.
    fn damage(&mut self, number: u64, damage: Damage) -> bool {
        let begin = self.begin.filter(|_| damage.offset > 0 && number > 0);
        let covered = begin.is_some_and(|(n, begin)| (number, damage.offset) < (n, begin.offset));
        self.damaged.push(number);
        self.found.damage.push(Damage { covered, ..damage });
        covered
    }

    /// Looks at all checkpoints; returns the position of the newest that can be used, as opening would.
    fn checkpoints(
        &mut self,
        env: &Env,
        dir: &Path,
        content: &mut dyn Content,
    ) -> Result<Option<Position>> {
        let there = checkpoints(env, dir)?;
        let (mut usable, mut newest, mut lost) = (BTreeSet::new(), None, Vec::new());
        for number in &there {
            let path = dir.join(crate::checkpoint::name(*number));
            let looked = CheckpointFile::open(env, dir, *number).and_then(|file| {
                file.verify()?;
                let needs = content.needs(&file, &there);
                let needs = needs.map_err(|problem| Error::corrupt(&path, 0, problem))?;
                Ok((file.position(), needs))
            });
            let damage = |path, offset, problem| Damage {
                path,
                offset,
                problem,
                last_good: newest.map_or(0, |newest: Position| newest.version),
                behind: 0,
                covered: false,
            };
            match looked {
                Ok((position, needs)) => {
                    let bad = |n: &&u64| *n != number && !usable.contains(*n);
                    match needs.iter().find(bad) {
                        None => {
                            newest = Some(position);
                            usable.insert(*number);
                            lost.clear();
                        }
                        Some(n) if there.contains(n) => {}
                        Some(n) => {
                            let problem = format!("it builds on checkpoint {n}, which is missing");
                            lost.push(damage(path, 0, problem));
                        }
                    }
                }
                Err(Error::Corrupt {
                    path,
                    offset,
                    problem,
                }) => {
                    let damage = damage(path, offset, problem);
                    self.damage(0, damage);
                }
                Err(other) => return Err(other),
            }
        }
        // Older ones than that are left from a removal that was interrupted.
        for damage in lost {
            self.damage(0, damage);
        }
        self.found.checkpoints = usable.len() as u64;
        self.bad_checkpoints = there;
        self.bad_checkpoints.retain(|n| !usable.contains(n));
        Ok(newest)
    }

    /// Whether a segment's commits are damaged where no checkpoint helps.
    pub(crate) fn is_broken(&self, number: u64) -> bool {
        let damages = self.damaged.iter().zip(&self.found.damage);
        damages
            .filter(|(at, damage)| **at == number && damage.offset > 0)
            .any(|(_, damage)| !damage.covered)
    }

    fn header_damage(&mut self, path: &Path, number: u64, problem: &str) {
        let damage = Damage {
            path: path.to_path_buf(),
            offset: 0,
            problem: problem.to_owned(),
            last_good: 0,
            behind: 0,
            covered: false,
        };
        self.damage(number, damage);
    }

    /// The headers of all segments, and whether they are sound. Of one that is not, what its first commit tells.
    fn headers(
        &mut self,
        env: &Env,
        dir: &Path,
        numbers: &[u64],
    ) -> Result<Vec<Option<(SegmentInfo, bool)>>> {
        let mut headers: Vec<Option<(SegmentInfo, bool)>> = Vec::with_capacity(numbers.len());
        let read = |number: &u64| read_header(env, &dir.join(segment_name(*number)), *number);
        let all: Vec<_> = numbers.iter().map(read).collect::<Result<_>>()?;
        let mut store = all.iter().flatten().map(|header| header.store).next();
        let mut expected = 1;
        for (i, (number, mut read)) in numbers.iter().zip(all.clone()).enumerate() {
            if *number != expected {
                let path = dir.join(segment_name(expected));
                let problem = "the file is missing, but later parts of the log exist";
                self.header_damage(&path, expected, problem);
            }
            expected = number.saturating_add(1);
            let path = dir.join(segment_name(*number));
            if read.is_ok_and(|header| store != Some(header.store)) {
                read = Err(ELSEWHERE);
            }
            headers.push(match read {
                Ok(header) => {
                    self.found.buffered_segments += u64::from(header.buffered);
                    Some((SegmentInfo { path, header }, true))
                }
                Err(problem) => {
                    self.header_damage(&path, *number, problem);
                    let header = match problem == ELSEWHERE {
                        true => None,
                        false => guess_header(env, &path, *number, store, all.get(i + 1))?,
                    };
                    store = store.or(header.map(|header| header.store));
                    header.map(|header| (SegmentInfo { path, header }, false))
                }
            });
        }
        Ok(headers)
    }

    /// Finds where opening begins that has everything up to `start`.
    fn find(
        &mut self,
        env: &Env,
        dir: &Path,
        headers: &[Option<(SegmentInfo, bool)>],
        start: &Position,
    ) -> Result<()> {
        let known = headers.iter().flatten().map(|(info, _)| info.clone());
        let segments: Vec<SegmentInfo> = known.collect();
        match find(env, dir, &segments, start) {
            Ok((at, begin)) => {
                self.begin = segments.get(at).map(|s| (s.header.number, begin));
            }
            Err(Error::Corrupt {
                path,
                offset,
                problem,
            }) => {
                let damage = Damage {
                    path,
                    offset,
                    problem,
                    last_good: 0,
                    behind: 0,
                    covered: false,
                };
                self.damage(0, damage.clone());
                self.disagreement = Some(damage);
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn segment(
        &mut self,
        env: &Env,
        (info, sound_header): (SegmentInfo, bool),
        next: Option<SegmentHeader>,
        last: bool,
        content: &mut dyn Content,
    ) -> Result<()> {
        let SegmentInfo { path, header } = &info;
        let open = env.io.open(path, OpenMode::Read);
        let file = open.map_err(|e| Error::io("open", path, e))?;
        let size = file.len().map_err(|e| Error::io("look at", path, e))?;
        let mut reader = Reader::new(&*file, path, header.length.min(size));
        let (mut begin, mut usable) = (Begin::of(header), None);
        let mut run = loop {
            let (run, rejected) =
                self.follow(&mut reader, begin, header, next.as_ref(), content)?;
            usable = usable.or(rejected);
            let (verdict, torn) = if !last && run.next == Next::None {
                (Verdict::Sealed, 0) // what follows is missing or cannot be read, which is noted already
            } else {
                judge(&mut reader, header, size, &run)?
            };
            (self.found.torn_bytes, self.found.clean) = (torn, verdict == Verdict::Clean);
            let here = self.begin.filter(|(number, _)| *number == header.number);
            let behind = here.map(|(_, begin)| begin);
            let behind = behind.filter(|begin| begin.offset > run.end);
            let problem = match verdict {
                Verdict::Damaged(problem) => problem,
                _ if behind.is_some() => "a commit that a checkpoint has is missing or damaged",
                _ => break run,
            };
            let tail = reader.tail(run.end, 0, u64::MAX, header.tag)?;
            self.highest = self.highest.max(tail.version);
            self.found.torn_bytes = 0;
            let damage = Damage {
                path: path.clone(),
                offset: run.end,
                problem: format!("{problem} (found there: {})", run.problem),
                last_good: run.chain.version,
                behind: tail.commits,
                covered: false,
            };
            self.damage(header.number, damage);
            // Behind what a checkpoint covers, the log goes on.
            match behind {
                Some(behind) => begin = behind,
                None => break run,
            }
        };
        if let Some(end) = usable {
            (run.end, run.chain) = (end.offset, end.chain);
        }
        self.parts.push(Part {
            info,
            run,
            sound_header,
        });
        Ok(())
    }

    /// Follows the commits of a segment, and has their content looked at. Also says where the first begins whose
    /// content is wrong, unless a checkpoint covers it.
    fn follow(
        &mut self,
        reader: &mut Reader<'_>,
        begin: Begin,
        header: &SegmentHeader,
        next: Option<&SegmentHeader>,
        content: &mut dyn Content,
    ) -> Result<(Run, Option<Begin>)> {
        let (found, mut rejected) = (&mut self.found, Vec::new());
        let run = follow(reader, header, begin, next, &mut |frame, commit| {
            found.commits += 1;
            found.bytes += commit.ops.len() as u64;
            found.last_version = found.last_version.max(commit.version);
            if let Err(problem) = content.look(commit) {
                let before = Chain {
                    version: commit.version.saturating_sub(1),
                    hash: frame.prev,
                };
                let offset = frame.offset.into();
                rejected.push((
                    Begin {
                        offset,
                        chain: before,
                    },
                    problem,
                    found.commits,
                ));
            }
            Ok(())
        })?;
        self.highest = self.highest.max(run.chain.version);
        let (followed, mut usable) = (self.found.commits, None);
        for (at, problem, commits) in rejected {
            let version = at.chain.version.saturating_add(1);
            let covered = self.damage(
                header.number,
                Damage {
                    path: reader.path().to_path_buf(),
                    offset: at.offset,
                    problem: format!("commit {version} cannot be applied: {problem}"),
                    last_good: at.chain.version,
                    behind: followed.saturating_sub(commits),
                    covered: false,
                },
            );
            usable = usable.or((!covered).then_some(at));
        }
        Ok((run, usable))
    }
}

/// What the first commit or mark of a segment tells about the header before it, if it is intact. Of an empty segment,
/// what the `next` one tells, which then begins with the same commit.
fn guess_header(
    env: &Env,
    path: &Path,
    number: u64,
    store: Option<Hash>,
    next: Option<&Result<SegmentHeader, &'static str>>,
) -> Result<Option<SegmentHeader>> {
    let open = env.io.open(path, OpenMode::Read);
    let file = open.map_err(|e| Error::io("open", path, e))?;
    let length = file.len().map_err(|e| Error::io("look at", path, e))?;
    let mut bytes = vec![0; FRAME_HEADER];
    let n = read_full(&*file, &mut bytes, FIRST_FRAME).map_err(|e| Error::io("read", path, e))?;
    let first = FrameHeader::decode(bytes.get(..n).unwrap_or_default());
    let (first_version, prev, tag) = match (first, next) {
        (Some(first), _) if u64::from(first.offset) == FIRST_FRAME => match first.kind {
            Kind::Commit => (first.version, first.prev, first.tag),
            _ => (first.version.saturating_add(1), first.prev, first.tag),
        },
        _ if !is_empty(&*file, path, length)? => return Ok(None),
        (_, Some(Ok(next))) if next.number == number + 1 => {
            (next.first_version, next.prev, random_tag(env, path)?)
        }
        // The whole log is empty: its identity is nowhere else, and of no use to anybody.
        (_, None) if number == 1 => {
            let mut store = Hash::default();
            let random = env.random.fill(&mut store);
            random.map_err(|e| Error::io("get random bytes for", path, e))?;
            (1, store, random_tag(env, path)?)
        }
        _ => return Ok(None),
    };
    // Before the first commit of a log is the identity of the store in place of a hash.
    let store = if number == 1 { Some(prev) } else { store };
    let known = store.filter(|_| number > 1 || first_version == 1);
    Ok(known.map(|store| SegmentHeader {
        number,
        first_version,
        store,
        prev,
        tag,
        length,
        created: Timestamp::EPOCH,
        buffered: false,
        padded: true, // whether it is, only reading tells
    }))
}

/// Whether there is nothing but zeros where the commits of a segment are.
fn is_empty(file: &dyn File, path: &Path, length: u64) -> Result<bool> {
    let tail = Reader::new(file, path, length).tail(FIRST_FRAME, 0, u64::MAX, 0)?;
    Ok(tail.last_byte.is_none())
}
