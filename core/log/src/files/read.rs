//! Reading commits of an open log again.

use super::Files;
use crate::Frame;
use crate::env::OpenMode;
use crate::error::{Error, Result};
use crate::format::frame_len;
use crate::reader::{Item, Reader};
use crate::recover::SegmentInfo;
use crate::segment::{Chain, FIRST_FRAME};

impl Files {
    /// Passes the commits `from..=until` to `visit`, until it wants no more.
    pub(crate) fn read(
        &self,
        from: u64,
        until: u64,
        visit: &mut dyn FnMut(Frame<'_>) -> Result<bool>,
    ) -> Result<()> {
        let segments = self.segments();
        let start = segments
            .partition_point(|segment| segment.header.first_version <= from)
            .saturating_sub(1);
        let segments = segments.get(start..).unwrap_or_default();
        // A segment ends where the next begins, whatever else it holds.
        let ends = segments
            .iter()
            .skip(1)
            .map(|next| next.header.first_version.saturating_sub(1).min(until));
        for (segment, end) in segments.iter().zip(ends.chain([until])) {
            if !self.read_segment(segment, from, end, visit)? {
                break;
            }
        }
        Ok(())
    }

    /// Passes the commits `from..=until` of one segment to `visit`; returns whether it wants more.
    fn read_segment(
        &self,
        segment: &SegmentInfo,
        from: u64,
        until: u64,
        visit: &mut dyn FnMut(Frame<'_>) -> Result<bool>,
    ) -> Result<bool> {
        let SegmentInfo { path, header } = segment;
        let mut chain = Chain::before(header);
        if chain.version >= until {
            return Ok(true);
        }
        let file = self
            .env
            .io
            .open(path, OpenMode::Read)
            .map_err(|e| Error::io("open", path, e))?;
        let mut reader = Reader::new(&*file, path, header.length);
        let mut at = FIRST_FRAME;
        while chain.version < until {
            let commit = match reader.item(at, header, &chain)? {
                Item::Commit(_, commit) => commit,
                Item::Pad(frame) => {
                    at += frame_len(frame.length as usize);
                    continue;
                }
                Item::Mark(_) => return Err(Error::corrupt(path, at, "a mark where a commit was")),
                Item::Nothing(problem) => return Err(Error::corrupt(path, at, problem)),
            };
            chain = Chain {
                version: commit.version,
                hash: commit.hash,
            };
            at += frame_len(commit.ops.len());
            if commit.version >= from && !visit(commit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
