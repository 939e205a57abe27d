//! Reading the frames of a segment.

use std::path::Path;

use crate::Frame;
use crate::begin::Begin;
use crate::env::{File, read_full, reserve};
use crate::error::{Error, Result};
use crate::format::{FRAME_HEADER, FrameHeader, Kind, SegmentHeader, frame_len};
use crate::sabotage::{self, Bug};
use crate::segment::{Chain, FIRST_FRAME};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// What is at a place in a segment.
pub(crate) enum Item<'a> {
    /// The commit that continues the chain.
    Commit(FrameHeader, Frame<'a>),
    /// A mark at the end of the chain.
    Mark(FrameHeader),
    /// Padding; the chain goes on behind it.
    Pad(FrameHeader),
    /// Neither; why.
    Nothing(&'static str),
}

/// What is behind the end of a segment's valid frames.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Where the last byte that is not zero ends, if there is one.
    pub(crate) last_byte: Option<u64>,
    /// The highest offset that an intact frame header claims to have been durable.
    pub(crate) proven: u64,
    /// Commits with an intact header.
    pub(crate) commits: u64,
    /// The highest version among them.
    pub(crate) version: u64,
}

/// Reads a segment in bounded pieces (rule W13: never through a mapping, never more than a checked length).
pub(crate) struct Reader<'a> {
    file: &'a dyn File,
    path: &'a Path,
    /// Nothing at or behind this offset is read.
    limit: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a dyn File, path: &'a Path, limit: u64) -> Reader<'a> {
        Reader {
            file,
            path,
            limit,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.path
    }

    /// The bytes at `at`: `len` of them, or fewer at the limit or the end of the file.
    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8]> {
        let len = usize::try_from(self.limit.saturating_sub(at)).map_or(len, |left| len.min(left));
        let buffered = at
            .checked_sub(self.buffer_at)
            .and_then(|skip| usize::try_from(skip).ok());
        let skip = match buffered.filter(|skip| skip.saturating_add(len) <= self.buffer.len()) {
            Some(skip) => skip,
            None => {
                let left = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX);
                let size = len.max(CHUNK).min(left);
                self.buffer.clear();
                reserve(&mut self.buffer, size as u64)?;
                self.buffer.resize(size, 0);
                let n = read_full(self.file, &mut self.buffer, at)
                    .map_err(|e| Error::io("read", self.path, e))?;
                self.buffer.truncate(n);
                self.buffer_at = at;
                0
            }
        };
        let rest = self.buffer.get(skip..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// What is at `at`, given the segment's header and the chain so far. Every condition of a valid frame is here.
    pub(crate) fn item(
        &mut self,
        at: u64,
        segment: &SegmentHeader,
        chain: &Chain,
    ) -> Result<Item<'_>> {
        let SegmentHeader { tag, padded, .. } = *segment;
        let Some(header) = FrameHeader::decode(self.bytes(at, FRAME_HEADER)?) else {
            return Ok(Item::Nothing("no intact record header"));
        };
        if header.kind == Kind::Pad && !padded {
            return Ok(Item::Nothing("padding where there can be none"));
        }
        if header.tag != tag || u64::from(header.offset) != at {
            return Ok(Item::Nothing("a record that belongs elsewhere"));
        }
        if !(FIRST_FRAME..=at).contains(&u64::from(header.proven)) {
            return Ok(Item::Nothing("a record with an impossible durable point"));
        }
        let version = if header.kind == Kind::Commit {
            chain.version.checked_add(1)
        } else {
            Some(chain.version)
        };
        if Some(header.version) != version || header.prev != chain.hash {
            return Ok(Item::Nothing(
                "a record that does not continue the one before",
            ));
        }
        let length = header.length as usize;
        let stored = frame_len(length) - FRAME_HEADER as u64;
        let payload_at = at + FRAME_HEADER as u64;
        if payload_at + stored > self.limit
            || (matches!(header.kind, Kind::Close | Kind::Seal) && length != 0)
        {
            return Ok(Item::Nothing("a record of impossible length"));
        }
        let bytes = self.bytes(at, FRAME_HEADER + stored as usize)?;
        let Some((frame, padding)) = bytes.split_at_checked(FRAME_HEADER + length) else {
            return Ok(Item::Nothing("a record beyond the end of the file"));
        };
        let payload = frame.get(FRAME_HEADER..).unwrap_or_default();
        let trusted = sabotage::on(Bug::AcceptBadChecksum); // planted
        if (crc32fast::hash(payload) != header.payload_crc && !trusted)
            || padding.iter().any(|b| *b != 0)
        {
            return Ok(Item::Nothing(
                "a record whose content does not match its checksum",
            ));
        }
        Ok(match header.kind {
            Kind::Commit => Item::Commit(header, header.commit(frame)),
            Kind::Close | Kind::Seal => Item::Mark(header),
            Kind::Pad => Item::Pad(header),
        })
    }

    /// Looks at everything from `end`, the end of the valid frames, to `until`. The first `skip` bytes (a mark) do not
    /// count as non-zero. O(bytes looked at), a few GB/s when they are zeros.
    pub(crate) fn tail(&mut self, end: u64, skip: u64, until: u64, tag: u32) -> Result<Tail> {
        let mut tail = Tail {
            last_byte: None,
            proven: 0,
            commits: 0,
            version: 0,
        };
        let mut at = end;
        while at < self.limit.min(until) {
            let bytes = self.bytes(at, PAGE + FRAME_HEADER)?;
            if bytes.is_empty() {
                break;
            }
            let page = bytes.get(..PAGE).unwrap_or(bytes);
            if ZEROS.get(..page.len()) != Some(page) {
                if let Some(last) = page
                    .iter()
                    .rposition(|b| *b != 0)
                    .map(|last| at + last as u64 + 1)
                {
                    tail.last_byte = Some(last)
                        .filter(|last| *last > end + skip)
                        .or(tail.last_byte);
                }
                for h in headers(bytes, at, tag) {
                    tail.proven = tail.proven.max(h.proven.into());
                    if h.kind == Kind::Commit {
                        tail.commits += 1;
                        tail.version = tail.version.max(h.version);
                    }
                }
            }
            at += page.len() as u64;
        }
        Ok(tail)
    }

    /// The place of the commit with this version, wherever it is, if its header is intact. O(segment).
    pub(crate) fn before(&mut self, version: u64, tag: u32) -> Result<Option<Begin>> {
        let mut at = FIRST_FRAME;
        loop {
            let bytes = self.bytes(at, PAGE + FRAME_HEADER)?;
            let commit = |h: &FrameHeader| h.kind == Kind::Commit && h.version == version;
            if let Some(h) = headers(bytes, at, tag).find(commit) {
                let (version, hash) = (version.saturating_sub(1), h.prev);
                return Ok(Some(Begin {
                    offset: h.offset.into(),
                    chain: Chain { version, hash },
                }));
            }
            match bytes.len().min(PAGE) {
                0 => return Ok(None),
                page => at += page as u64,
            }
        }
    }
}

/// The intact frame headers, of a file with this tag, that begin in the first page of these bytes, which are at `at`.
fn headers(bytes: &[u8], at: u64, tag: u32) -> impl Iterator<Item = FrameHeader> {
    let page = bytes.get(..PAGE).unwrap_or(bytes);
    let begins = page.chunks(4).enumerate();
    let begins = begins.filter(|(_, quad)| quad.first() == Some(&0xF7));
    begins.filter_map(move |(i, _)| {
        let header = bytes.get(4 * i..).and_then(FrameHeader::decode)?;
        let place = at + 4 * i as u64;
        (header.tag == tag && u64::from(header.offset) == place).then_some(header)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Io, OpenMode};
    use crate::format::write_frame;
    use crate::sim::SimIo;
    use crate::time::Timestamp;

    const CHAIN: Chain = Chain {
        version: 6,
        hash: [3; 16],
    };
    const TAG: u32 = 0xABCD;

    fn segment(padded: bool) -> SegmentHeader {
        SegmentHeader {
            number: 1,
            first_version: 7,
            store: [1; 16],
            prev: CHAIN.hash,
            tag: TAG,
            length: 0,
            created: Timestamp::EPOCH,
            buffered: false,
            padded,
        }
    }

    fn commit(at: u64) -> FrameHeader {
        FrameHeader {
            kind: Kind::Commit,
            length: 0,
            tag: TAG,
            offset: at as u32,
            proven: FIRST_FRAME as u32,
            payload_crc: 0,
            version: 7,
            time: Timestamp::EPOCH,
            prev: CHAIN.hash,
        }
    }

    /// Passes a segment with these bytes as its first frame to `look`.
    fn with_segment<T>(
        frame: &[u8],
        limit: u64,
        look: impl FnOnce(&mut Reader<'_>) -> Result<T>,
    ) -> T {
        let (io, path) = (SimIo::new(), Path::new("/s"));
        let file = io.open(path, OpenMode::CreateNew).unwrap();
        file.set_len(FIRST_FRAME + 4096).unwrap();
        file.write_all_at(frame, FIRST_FRAME).unwrap();
        look(&mut Reader::new(&*file, path, limit)).unwrap()
    }

    /// Why a frame with these bytes is none, if it is none.
    fn problem(bytes: &[u8], limit: u64) -> Option<&'static str> {
        with_segment(bytes, limit, |reader| {
            Ok(match reader.item(FIRST_FRAME, &segment(true), &CHAIN)? {
                Item::Nothing(problem) => Some(problem),
                _ => None,
            })
        })
    }

    fn frame(header: FrameHeader, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, header, payload);
        bytes
    }
    #[test]
    fn each_condition_of_a_valid_frame_is_checked_by_itself() {
        let (good, limit) = (commit(FIRST_FRAME), FIRST_FRAME + 4096);
        assert_eq!(problem(&frame(good, b"hello"), limit), None);
        let wrong = [
            FrameHeader {
                tag: TAG + 1,
                ..good
            },
            FrameHeader {
                offset: good.offset + 4,
                ..good
            },
            FrameHeader {
                proven: good.proven - 4,
                ..good
            },
            FrameHeader {
                proven: good.offset + 4,
                ..good
            },
            FrameHeader { version: 6, ..good },
            FrameHeader { version: 8, ..good },
            FrameHeader {
                prev: [4; 16],
                ..good
            },
            FrameHeader {
                kind: Kind::Close,
                ..good
            },
            FrameHeader {
                kind: Kind::Seal,
                version: 6,
                ..good
            }, // a mark has no payload
        ];
        for header in wrong {
            assert!(
                problem(&frame(header, b"hello"), limit).is_some(),
                "{header:?}"
            );
        }
        for damaged in [
            FRAME_HEADER,
            FRAME_HEADER + 4,
            FRAME_HEADER + 5,
            FRAME_HEADER + 7,
        ] {
            let mut bytes = frame(good, b"hello");
            bytes[damaged] ^= 1; // payload, then padding
            assert!(problem(&bytes, limit).is_some(), "byte {damaged}");
        }
        for short in 0..frame_len(5) {
            assert!(
                problem(&frame(good, b"hello"), FIRST_FRAME + short).is_some(),
                "cut at {short}"
            );
        }
        assert_eq!(
            problem(&frame(good, b"hello"), FIRST_FRAME + frame_len(5)),
            None
        );
    }

    #[test]
    fn marks_are_told_from_commits() {
        for kind in [Kind::Close, Kind::Seal] {
            let mark = FrameHeader {
                kind,
                version: 6,
                ..commit(FIRST_FRAME)
            };
            let found = with_segment(&frame(mark, &[]), FIRST_FRAME + 4096, |reader| {
                Ok(match reader.item(FIRST_FRAME, &segment(true), &CHAIN)? {
                    Item::Mark(header) => Some(header.kind),
                    _ => None,
                })
            });
            assert_eq!(found, Some(kind));
        }
    }

    #[test]
    fn padding_is_valid_only_where_the_segment_says_so() {
        let pad = FrameHeader {
            kind: Kind::Pad,
            version: 6,
            ..commit(FIRST_FRAME)
        };
        for padded in [true, false] {
            let bytes = frame(pad, &[0; 100]);
            let found = with_segment(&bytes, FIRST_FRAME + 4096, |reader| {
                Ok(match reader.item(FIRST_FRAME, &segment(padded), &CHAIN)? {
                    Item::Pad(header) => Some(header.length),
                    _ => None,
                })
            });
            assert_eq!(found, padded.then_some(100));
        }
    }

    #[test]
    fn only_a_record_of_this_file_and_place_proves_anything() {
        let at = FIRST_FRAME + 1000;
        let behind = FrameHeader {
            proven: at as u32 - 8,
            ..commit(at)
        };
        for (header, proven) in [
            (behind, at - 8),
            (
                FrameHeader {
                    tag: TAG + 1,
                    ..behind
                },
                0,
            ),
            (
                FrameHeader {
                    offset: behind.offset + 4,
                    ..behind
                },
                0,
            ),
        ] {
            let mut bytes = vec![0; 1000];
            bytes.extend(frame(header, b""));
            let tail = with_segment(&bytes, FIRST_FRAME + 4096, |reader| {
                reader.tail(FIRST_FRAME, 0, u64::MAX, TAG)
            });
            let commits = u64::from(proven > 0);
            assert_eq!(
                (tail.last_byte, tail.proven, tail.commits, tail.version),
                (Some(at + FRAME_HEADER as u64), proven, commits, 7 * commits),
                "{header:?}"
            );
        }
    }

    #[test]
    fn the_tail_is_zeros_up_to_its_last_byte() {
        for (byte, skip, last) in [
            (0, 0, Some(1)),
            (0, 60, None),
            (59, 60, None),
            (60, 60, Some(61)),
            (4095, 60, Some(4096)),
        ] {
            let mut bytes = vec![0; 4096];
            bytes[byte] = 1;
            let tail = with_segment(&bytes, FIRST_FRAME + 4096, |reader| {
                reader.tail(FIRST_FRAME, skip, u64::MAX, TAG)
            });
            let last = last.map(|last: u64| FIRST_FRAME + last);
            assert_eq!((tail.last_byte, tail.proven), (last, 0), "{byte} {skip}");
        }
        assert_eq!(
            with_segment(&[], FIRST_FRAME + 4096, |r| r.tail(
                FIRST_FRAME,
                0,
                u64::MAX,
                TAG
            ))
            .last_byte,
            None
        );
    }
}
