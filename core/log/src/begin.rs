//! Where replay begins if somebody has the state up to a position.

use std::path::Path;

use crate::env::{Env, OpenMode};
use crate::error::{Error, Result};
use crate::format::{SegmentHeader, frame_len};
use crate::reader::{Item, Reader};
use crate::recover::{SegmentInfo, disagree};
use crate::segment::{Chain, FIRST_FRAME};
use crate::{Frame, Position};

/// A place in a segment from which commits are followed. Everything before it is durable.
#[derive(Clone, Copy)]
pub(crate) struct Begin {
    pub(crate) offset: u64,
    /// The commit before.
    pub(crate) chain: Chain,
}

impl Begin {
    pub(crate) fn of(header: &SegmentHeader) -> Begin {
        Begin {
            offset: FIRST_FRAME,
            chain: Chain::before(header),
        }
    }

    /// The place behind the commits from here on up to `version` and, if there is one, `offset`; or as far as they
    /// are valid.
    fn follow(
        mut self,
        reader: &mut Reader<'_>,
        header: &SegmentHeader,
        version: u64,
        offset: Option<u64>,
    ) -> Result<Begin> {
        while self.chain.version < version || offset.is_some_and(|offset| self.offset < offset) {
            match reader.item(self.offset, header, &self.chain)? {
                Item::Commit(_, commit) if self.chain.version < version => {
                    let Frame { version, hash, .. } = commit;
                    self.chain = Chain { version, hash };
                    self.offset += frame_len(commit.ops.len());
                }
                Item::Pad(frame) => self.offset += frame_len(frame.length as usize),
                _ => break,
            }
        }
        Ok(self)
    }
}

/// Where replay begins that has everything up to `start` already: how many segments to skip, and the place in the
/// next. Checks that the commit before is the one that `start` names.
///
/// That place is in the last segment that does not begin behind it: a segment that was made because the one before
/// was torn begins with commits that are in that one too, and counts instead of it.
pub(crate) fn find(
    env: &Env,
    dir: &Path,
    segments: &[SegmentInfo],
    start: &Position,
) -> Result<(usize, Begin)> {
    let sorted = segments.is_sorted_by_key(|s| s.header.first_version);
    let behind =
        segments.partition_point(|s| s.header.first_version.saturating_sub(1) <= start.version);
    let at = behind.saturating_sub(1);
    let Some(SegmentInfo { path, header }) = segments.get(at).filter(|_| sorted) else {
        return Err(disagree(dir, start, "the segments are in another order"));
    };
    let chain = Chain {
        version: start.version,
        hash: start.hash,
    };
    if header.number < start.segment {
        return Err(disagree(path, start, "the log ends before that file"));
    }
    let begin = Begin::of(header);
    let moved = header.number > start.segment;
    if begin.chain == chain && (moved || start.offset == FIRST_FRAME) {
        return Ok((at, begin));
    }
    let open = env.io.open(path, OpenMode::Read);
    let file = open.map_err(|e| Error::io("open", path, e))?;
    let size = file.len().map_err(|e| Error::io("look at", path, e))?;
    let mut reader = Reader::new(&*file, path, header.length.min(size));
    if !moved && start.offset >= FIRST_FRAME {
        let offset = start.offset;
        if !matches!(reader.item(offset, header, &chain)?, Item::Nothing(_)) {
            return Ok((at, Begin { offset, chain }));
        }
    }
    // There is nothing at that place, or the commit is elsewhere now: follow the commits up to it.
    let (version, offset) = (start.version, (!moved).then_some(start.offset));
    let mut place = begin.follow(&mut reader, header, version, offset)?;
    if place.chain.version < version
        && let Some(before) = reader.before(version, header.tag)?
    {
        // One on the way is damaged, but that is history: it is the last that counts.
        let behind = before.follow(&mut reader, header, version, offset)?;
        if behind.chain == chain {
            place = behind;
        }
    }
    if place.chain.version < version {
        let problem = format!("the log ends with commit {}", place.chain.version);
        return Err(disagree(path, start, &problem));
    }
    if place.chain != chain || offset.is_some_and(|offset| place.offset != offset) {
        return Err(disagree(path, start, "the log has another commit there"));
    }
    Ok((at, place))
}
