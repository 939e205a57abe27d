//! Replaying the segments of a log, and making its end safe to append to.

use std::path::Path;
use std::sync::Arc;

use crate::begin::{Begin, find};
use crate::classify::{End, Evidence, Next, Verdict, classify};
use crate::env::{Env, File, OpenMode, reserve};
use crate::error::{Error, Result};
use crate::format::{FrameHeader, Kind, SegmentHeader, frame_len, write_frame};
use crate::options::{Durability, LogOptions, Recovery};
use crate::reader::{Item, Reader};
use crate::recover::{Opened, SegmentInfo, Visit, mark, random_tag};
use crate::sabotage::{self, Bug};
use crate::segment::{
    Chain, FIRST_FRAME, LOOK, MARK_LEN, Unfinished, is_far, segment_length, segment_name,
    spend_reserve,
};
use crate::{Frame, Position, Timestamp};

/// How far the valid commits of a segment go.
pub(crate) struct Run {
    pub(crate) begin: Begin,
    pub(crate) end: u64,
    /// The highest offset that they prove durable.
    pub(crate) proven: u64,
    pub(crate) at_end: End,
    /// Why there is no next commit, for the message.
    pub(crate) problem: &'static str,
    pub(crate) chain: Chain,
    pub(crate) next: Next,
}

impl Run {
    /// The run that begins and, so far, ends here.
    fn start(begin: Begin, next: Next) -> Run {
        Run {
            begin,
            end: begin.offset,
            proven: begin.offset,
            at_end: End::Nothing,
            problem: "",
            chain: begin.chain,
            next,
        }
    }

    fn ends(self, problem: &'static str) -> Run {
        Run { problem, ..self }
    }
}

/// Follows a segment's commits from `begin` up to the next segment's first, or as far as they are valid. `visit` gets
/// each commit and where it is.
pub(crate) fn follow(
    reader: &mut Reader<'_>,
    header: &SegmentHeader,
    begin: Begin,
    next: Option<&SegmentHeader>,
    visit: &mut dyn FnMut(&FrameHeader, Frame<'_>) -> Result<()>,
) -> Result<Run> {
    let mut run = Run::start(
        begin,
        if next.is_some() {
            Next::Gap
        } else {
            Next::None
        },
    );
    loop {
        if let Some(next) =
            next.filter(|next| next.first_version == run.chain.version.saturating_add(1))
        {
            if next.prev == run.chain.hash {
                run.next = Next::Joins;
            }
            return Ok(run.ends("the next segment continues from another commit"));
        }
        match reader.item(run.end, header, &run.chain)? {
            Item::Commit(frame, commit) => {
                run.chain = Chain {
                    version: commit.version,
                    hash: commit.hash,
                };
                run.proven = run.proven.max(frame.proven.into());
                run.end += frame_len(commit.ops.len());
                visit(&frame, commit)?;
            }
            Item::Mark(frame) => {
                run.at_end = if frame.kind == Kind::Seal {
                    End::Seal
                } else {
                    End::Close
                };
                run.proven = run.proven.max(frame.proven.into());
                return Ok(run.ends("a mark"));
            }
            Item::Pad(frame) => {
                run.proven = run.proven.max(frame.proven.into());
                run.end += frame_len(frame.length as usize);
            }
            Item::Nothing(problem) => return Ok(run.ends(problem)),
        }
    }
}

/// What the end of a segment means, and how many bytes of unfinished writes are behind it.
pub(crate) fn judge(
    reader: &mut Reader<'_>,
    header: &SegmentHeader,
    size: u64,
    run: &Run,
) -> Result<(Verdict, u64)> {
    let mut evidence = Evidence {
        next: run.next,
        whole: size == header.length,
        end: run.at_end,
        proven_to_end: run.proven >= run.end,
        proven_behind_end: false,
        zeros_behind: true,
    };
    let mut torn = 0;
    if run.next == Next::None {
        let mark = if run.at_end == End::Nothing {
            0
        } else {
            MARK_LEN
        };
        let until = if run.at_end == End::Close && is_far(header, run.end) {
            run.end.saturating_add(LOOK)
        } else {
            u64::MAX
        };
        let tail = reader.tail(run.end, mark, until, header.tag)?;
        evidence.proven_behind_end = tail.proven > run.end;
        evidence.zeros_behind = tail.last_byte.is_none();
        torn = tail.last_byte.map_or(0, |last| last - run.end - mark);
    }
    Ok((classify(&evidence), torn))
}

/// A log that is being opened.
pub(crate) struct Replay<'a> {
    pub(crate) env: &'a Env,
    pub(crate) dir: &'a Path,
    pub(crate) options: &'a LogOptions,
    /// All segments, in order.
    pub(crate) segments: Vec<SegmentInfo>,
    /// The last of them.
    pub(crate) current: SegmentInfo,
    /// Of the last commit.
    pub(crate) time: Timestamp,
    pub(crate) recovery: Recovery,
    pub(crate) log_bytes: u64,
}

impl Replay<'_> {
    pub(crate) fn run(
        mut self,
        lock: Box<dyn Send + Sync>,
        start: Option<Position>,
        visit: Visit<'_>,
    ) -> Result<Opened> {
        let mut begin = None;
        let mut segments = self.segments.clone();
        if let Some(start) = start {
            let (skipped, place) = find(self.env, self.dir, &self.segments, &start)?;
            for segment in segments.drain(..skipped) {
                // At most: how many of them are frames is not looked at.
                self.log_bytes += segment.header.length.saturating_sub(FIRST_FRAME);
            }
            begin = Some(place);
            self.time = start.time;
        }
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            let begin = begin.take().unwrap_or(Begin::of(&segment.header));
            self.segment(segment, begin, Some(&next.header), visit)?;
        }
        let current = self.current.clone();
        let begin = begin.take().unwrap_or(Begin::of(&current.header));
        let (file, run, verdict) = self.segment(&current, begin, None, visit)?;
        self.recovery.clean = verdict != Verdict::Torn;
        let marked = verdict == Verdict::Torn || run.at_end == End::Close;
        let (file, end) = if verdict == Verdict::Torn && !sabotage::on(Bug::TrustTornTail) {
            self.rewrite(&file, &run)?
        } else {
            (file, run.end)
        };
        self.recovery.segments = self.segments.len() as u64;
        let Replay {
            segments,
            current,
            time,
            log_bytes,
            recovery,
            ..
        } = self;
        Ok(Opened {
            lock,
            segments,
            current,
            file,
            end,
            marked,
            chain: run.chain,
            time,
            log_bytes,
            recovery,
        })
    }

    /// Replays one segment from `begin` and decides what its end means.
    fn segment(
        &mut self,
        segment: &SegmentInfo,
        begin: Begin,
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
        let (recovery, time) = (&mut self.recovery, &mut self.time);
        let run = follow(&mut reader, header, begin, next, &mut |_, commit| {
            *time = commit.time;
            recovery.frames += 1;
            recovery.bytes += commit.ops.len() as u64;
            visit(commit)
        })?;
        self.log_bytes += run.end - FIRST_FRAME;
        self.recovery.log_bytes += run.end.saturating_sub(run.begin.offset);
        let (verdict, tail) = judge(&mut reader, header, size, &run)?;
        self.recovery.cut_bytes = tail;
        match verdict {
            Verdict::Damaged(verdict) => {
                let (problem, version) = (run.problem, run.chain.version);
                let problem =
                    format!("{verdict} (found there: {problem}; last good commit: {version})");
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
        let SegmentInfo {
            path: old_path,
            header: old_header,
        } = self.current.clone();
        let number = old_header.number + 1;
        let path = self.dir.join(segment_name(number));
        let tag = random_tag(self.env, &path)?;
        // Where the log is cut: the commit before, and the offset in the old segment.
        let (mut before, mut cut_at) = (run.chain, run.end);
        let (mut frames, mut end) = (Vec::new(), FIRST_FRAME);
        let mut reader = Reader::new(&**old, &old_path, old_header.length);
        let again = follow(
            &mut reader,
            &old_header,
            run.begin,
            None,
            &mut |frame, commit| {
                let at = u64::from(frame.offset);
                if at >= run.proven {
                    if frames.is_empty() {
                        before = Chain {
                            version: commit.version.saturating_sub(1),
                            hash: commit.prev,
                        };
                        cut_at = at;
                    }
                    let moved = FrameHeader {
                        tag,
                        offset: end as u32,
                        proven: FIRST_FRAME as u32,
                        ..*frame
                    };
                    let bytes = frame_len(commit.ops.len());
                    reserve(&mut frames, bytes)?;
                    write_frame(&mut frames, moved, commit.ops);
                    end += bytes;
                }
                Ok(())
            },
        )?;
        if again.chain != run.chain {
            let problem = "it is not what was read from there just before";
            return Err(Error::corrupt(&old_path, again.end, problem));
        }
        self.recovery.rewritten = run.chain.version.saturating_sub(before.version);
        // The file is durable before it has its name, so all of it is proven: the mark says so to the next opening.
        write_frame(&mut frames, mark(Kind::Close, tag, end, &run.chain), &[]);
        let header = SegmentHeader {
            number,
            first_version: before.version + 1,
            prev: before.hash,
            tag,
            length: segment_length(self.options, self.log_bytes, end - FIRST_FRAME),
            created: self.env.clock.now(),
            buffered: self.options.durability == Durability::Buffered,
            padded: self.options.pad,
            ..old_header
        };
        let io = &*self.env.io;
        let need = end - FIRST_FRAME;
        let create = || Unfinished::create_somehow(io, &path, header, &frames, need);
        let mut made = create();
        // This is what the reserve is for: without it the log could not be opened (rule W12).
        if matches!(made, Err(Error::NoSpace { .. })) && spend_reserve(io, self.dir)? {
            made = create();
        }
        let (new, header) = made?;
        let file = new.publish(io)?;
        self.current = SegmentInfo { path, header };
        self.segments.push(self.current.clone());
        // Only to give the space back: whether or not this is lost in a crash, nobody reads behind it any more.
        old.set_len(cut_at)
            .map_err(|e| Error::io("cut", &old_path, e))?;
        Ok((file, end))
    }
}
