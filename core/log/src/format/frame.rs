//! Frames: one per commit, plus two kinds of marks that carry no commit.

use super::{Fields, Hash};
use crate::Frame;
use crate::time::Timestamp;

/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEADER: usize = 60;
/// Frames start at multiples of this.
const ALIGN: usize = 4;
/// The header checksum is at 4..8 and covers the rest of the header.
const CRC_AT: usize = 4;
const CRC_END: usize = 8;
/// From the version on the bytes of a frame are hashed.
const HASH_FROM: usize = 28;
/// What a frame is. The kind is part of the magic number, so zeros are no frame (rule W7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A commit.
    Commit,
    /// Everything before this place is durable and the log was closed. Overwritten by the next commit.
    Close,
    /// Everything before this place is durable and the log goes on in the next segment, which exists.
    Seal,
    /// Nothing: room up to the next page, so that what is synced later shares no page with what was synced before
    /// (rule W9). Its payload is zeros.
    Pad,
}

impl Kind {
    fn magic(self) -> [u8; 4] {
        match self {
            Kind::Commit => *b"\xF7SWC",
            Kind::Close => *b"\xF7SWE",
            Kind::Seal => *b"\xF7SWN",
            Kind::Pad => *b"\xF7SWP",
        }
    }

    fn from_magic(magic: [u8; 4]) -> Option<Kind> {
        [Kind::Commit, Kind::Close, Kind::Seal, Kind::Pad]
            .into_iter()
            .find(|kind| kind.magic() == magic)
    }
}

/// The fields of a frame, without its payload and checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    /// Payload bytes.
    pub(crate) length: u32,
    /// Identifies the segment file (rule W5).
    pub(crate) tag: u32,
    /// Where in the file the frame starts (rule W5).
    pub(crate) offset: u32,
    /// Everything before this offset was durable when the frame was written (rule W6).
    pub(crate) proven: u32,
    pub(crate) payload_crc: u32,
    pub(crate) version: u64,
    pub(crate) time: Timestamp,
    /// Hash of the commit before.
    pub(crate) prev: Hash,
}

impl FrameHeader {
    /// Reads the first [`FRAME_HEADER`] bytes; `None` if they are not an intact frame header.
    pub(crate) fn decode(bytes: &[u8]) -> Option<FrameHeader> {
        let mut fields = Fields(bytes);
        let kind = Kind::from_magic(fields.bytes()?)?;
        let crc = fields.u32()?;
        if checksum(bytes.first_chunk()?) != crc {
            return None;
        }
        Some(FrameHeader {
            kind,
            length: fields.u32()?,
            tag: fields.u32()?,
            offset: fields.u32()?,
            proven: fields.u32()?,
            payload_crc: fields.u32()?,
            version: fields.u64()?,
            time: Timestamp::from_micros(fields.i64()?),
            prev: fields.bytes()?,
        })
    }

    fn encode(&self) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        let mut rest = bytes.as_mut_slice();
        put(&mut rest, self.kind.magic());
        put(&mut rest, [0; 4]); // the checksum, once the rest is known
        put(&mut rest, self.length.to_le_bytes());
        put(&mut rest, self.tag.to_le_bytes());
        put(&mut rest, self.offset.to_le_bytes());
        put(&mut rest, self.proven.to_le_bytes());
        put(&mut rest, self.payload_crc.to_le_bytes());
        put(&mut rest, self.version.to_le_bytes());
        put(&mut rest, self.time.as_micros().to_le_bytes());
        put(&mut rest, self.prev);
        let crc = checksum(&bytes);
        put(&mut bytes.split_at_mut(CRC_AT).1, crc.to_le_bytes());
        bytes
    }

    /// The commit that a whole frame, without its padding, makes; `self` is its header.
    pub(crate) fn commit<'a>(&self, frame: &'a [u8]) -> Frame<'a> {
        let FrameHeader {
            version,
            time,
            prev,
            ..
        } = *self;
        Frame {
            version,
            time,
            prev,
            hash: hash(frame),
            ops: frame.get(FRAME_HEADER..).unwrap_or_default(),
        }
    }
}

/// The hash of the commit in a frame: of the bytes from the version to the end of the payload. Where the frame is
/// stored does not matter, so a commit keeps its hash when it is copied.
fn hash(frame: &[u8]) -> Hash {
    let hashed = frame.get(HASH_FROM..).unwrap_or_default();
    let mut hash = Hash::default();
    for (byte, digest) in hash.iter_mut().zip(blake3::hash(hashed).as_bytes()) {
        *byte = *digest;
    }
    hash
}

/// Puts a field at the front and goes on behind it.
fn put<const N: usize>(rest: &mut &mut [u8], field: [u8; N]) {
    if let Some((place, behind)) = std::mem::take(rest).split_first_chunk_mut::<N>() {
        *place = field;
        *rest = behind;
    }
}

/// CRC-32 of a frame header without its checksum field.
fn checksum(header: &[u8; FRAME_HEADER]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.split_at(CRC_AT).0);
    hasher.update(header.split_at(CRC_END).1);
    hasher.finalize()
}

/// Bytes a frame with `payload` bytes takes, padding included.
pub(crate) const fn frame_len(payload: usize) -> u64 {
    (FRAME_HEADER as u64 + payload as u64).next_multiple_of(ALIGN as u64)
}

/// Appends a frame to `out`; its length and checksums are filled in from the payload.
///
/// `header.length` and `header.payload_crc` are ignored. Returns the commit's hash.
pub(crate) fn write_frame(out: &mut Vec<u8>, mut header: FrameHeader, payload: &[u8]) -> Hash {
    // The callers limit payloads to far less than 4 GiB.
    header.length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    header.payload_crc = crc32fast::hash(payload);
    let start = out.len();
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(payload);
    let hash = hash(out.get(start..).unwrap_or_default());
    let padding = frame_len(payload.len()) as usize - FRAME_HEADER - payload.len();
    out.extend_from_slice([0; ALIGN].split_at(padding).0);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: Kind) -> FrameHeader {
        FrameHeader {
            kind,
            length: 3,
            tag: 0xDEAD_BEEF,
            offset: 4096,
            proven: 4096,
            payload_crc: crc32fast::hash(b"abc"),
            version: 7,
            time: Timestamp::from_micros(-1),
            prev: [9; 16],
        }
    }

    #[test]
    fn a_frame_reads_back_and_any_flipped_bit_is_noticed() {
        for kind in [Kind::Commit, Kind::Close, Kind::Seal, Kind::Pad] {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, sample(kind), b"abc");
            assert_eq!(bytes.len() as u64, frame_len(3));
            assert_eq!(bytes.len(), 64);
            assert_eq!(FrameHeader::decode(&bytes), Some(sample(kind)));
            for bit in 0..FRAME_HEADER * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(FrameHeader::decode(&damaged), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn zeros_and_short_input_are_no_frame() {
        assert_eq!(FrameHeader::decode(&[0; FRAME_HEADER]), None);
        let mut bytes = Vec::new();
        write_frame(&mut bytes, sample(Kind::Commit), b"");
        for len in 0..FRAME_HEADER {
            assert_eq!(FrameHeader::decode(&bytes[..len]), None);
        }
    }

    #[test]
    fn the_hash_covers_the_commit_but_not_its_place() {
        let header = sample(Kind::Commit);
        let elsewhere = FrameHeader {
            tag: 1,
            offset: 8192,
            proven: 5000,
            ..header
        };
        let hash = |header, payload: &[u8]| write_frame(&mut vec![1, 2, 3], header, payload);
        assert_eq!(hash(header, b"abc"), hash(elsewhere, b"abc"));
        for other in [
            FrameHeader {
                version: 8,
                ..header
            },
            FrameHeader {
                time: Timestamp::EPOCH,
                ..header
            },
            FrameHeader {
                prev: [8; 16],
                ..header
            },
        ] {
            assert_ne!(hash(header, b"abc"), hash(other, b"abc"));
        }
        assert_ne!(hash(header, b"abc"), hash(header, b"abd"));
    }
}
