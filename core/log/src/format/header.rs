//! The first 4096 bytes of a segment file.

use super::{Fields, Hash};
use crate::time::Timestamp;

/// Bytes of the segment header; the first frame starts there. A page of its own, which no later write touches.
pub(crate) const SEGMENT_HEADER: usize = 4096;
/// The format this version writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// The features (bits) this version must know to read a file.
const KNOWN_FEATURES: u64 = PADDED;
/// Required feature: there may be padding between commits.
const PADDED: u64 = 1;
/// Optional feature: made in buffered mode.
const BUFFERED: u64 = 1;

const MAGIC: [u8; 8] = *b"\x89SWLOG\r\n";
/// The checksum is here and covers everything before it, in every version of the format.
const CRC_AT: usize = 124;

/// What a segment file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Position in the log, from 1.
    pub(crate) number: u64,
    /// Version of the first commit in the segment.
    pub(crate) first_version: u64,
    /// Random identity of the store, the same in all segments. Also the "previous hash" of commit 1.
    pub(crate) store: [u8; 16],
    /// Hash of the commit before `first_version`.
    pub(crate) prev: Hash,
    /// Random identity of this file, repeated in its frames.
    pub(crate) tag: u32,
    /// Size of the file in bytes when it was made: header, frames and the zeros after them.
    pub(crate) length: u64,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// Whether commits were acknowledged before they were synced when it was made (rule W18).
    pub(crate) buffered: bool,
    /// Whether there may be padding between its commits.
    pub(crate) padded: bool,
}

/// Why a segment header was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// Not intact.
    Damaged(&'static str),
    /// Intact, but from another version.
    Unsupported(String),
}

impl SegmentHeader {
    /// Reads the first [`SEGMENT_HEADER`] bytes of a file.
    pub(crate) fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderError> {
        let short = HeaderError::Damaged("the file is shorter than its header");
        let Some((checked, _)) = bytes
            .split_at_checked(CRC_AT)
            .filter(|_| bytes.len() >= SEGMENT_HEADER)
        else {
            return Err(short);
        };
        let mut fields = Fields(bytes);
        if fields.bytes() != Some(MAGIC) {
            return Err(HeaderError::Damaged(
                "it does not begin as a log segment does",
            ));
        }
        let stored = bytes.get(CRC_AT..).and_then(|at| Fields(at).u32());
        if stored != Some(crc32fast::hash(checked)) {
            return Err(HeaderError::Damaged(
                "the checksum of the segment header does not match",
            ));
        }
        Self::supported(fields)?.ok_or(short)
    }

    fn supported(mut fields: Fields<'_>) -> Result<Option<SegmentHeader>, HeaderError> {
        let (version, features) = (fields.u32().unwrap_or(0), fields.u64().unwrap_or(0));
        if version != FORMAT_VERSION {
            return Err(HeaderError::Unsupported(format!(
                "its format version is {version}, not {FORMAT_VERSION}"
            )));
        }
        let unknown = features & !KNOWN_FEATURES;
        if unknown != 0 {
            return Err(HeaderError::Unsupported(format!(
                "it uses the unknown features {unknown:#x}"
            )));
        }
        let read = |mut f: Fields<'_>| {
            let optional = f.u64()?; // a reader may ignore what it does not know here
            Some(SegmentHeader {
                number: f.u64()?,
                first_version: f.u64()?,
                store: f.bytes()?,
                prev: f.bytes()?,
                tag: f.u32()?,
                length: f.u64()?,
                created: Timestamp::from_micros(f.i64()?),
                buffered: optional & BUFFERED != 0,
                padded: features & PADDED != 0,
            })
        };
        Ok(read(fields))
    }

    /// The whole header page, zeros after the fields.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        let required = if self.padded { PADDED } else { 0 };
        bytes.extend_from_slice(&required.to_le_bytes());
        let optional = if self.buffered { BUFFERED } else { 0 };
        bytes.extend_from_slice(&optional.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.first_version.to_le_bytes());
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(&self.prev);
        bytes.extend_from_slice(&self.tag.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.created.as_micros().to_le_bytes());
        bytes.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.resize(SEGMENT_HEADER, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SegmentHeader {
        SegmentHeader {
            number: 3,
            first_version: 17,
            store: [1; 16],
            prev: [2; 16],
            tag: 99,
            length: 1 << 20,
            created: Timestamp::from_micros(5),
            buffered: false,
            padded: false,
        }
    }

    #[test]
    fn a_header_reads_back_and_any_flipped_bit_is_noticed() {
        let bytes = sample().encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(sample()));
        let buffered = SegmentHeader {
            buffered: true,
            padded: true,
            ..sample()
        };
        assert_eq!(SegmentHeader::decode(&buffered.encode()), Ok(buffered));
        for bit in 0..(CRC_AT + 4) * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(
                    SegmentHeader::decode(&damaged),
                    Err(HeaderError::Damaged(_))
                ),
                "bit {bit}"
            );
        }
        assert!(SegmentHeader::decode(&[0; SEGMENT_HEADER]).is_err());
        assert!(SegmentHeader::decode(&bytes[..SEGMENT_HEADER - 1]).is_err());
    }

    #[test]
    fn newer_formats_and_unknown_features_are_named() {
        for (at, value) in [(8, 2_u8), (12, 2), (19, 0x80)] {
            let mut bytes = sample().encode();
            bytes[at] = value;
            let crc = crc32fast::hash(&bytes[..CRC_AT]);
            bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
            assert!(
                matches!(
                    SegmentHeader::decode(&bytes),
                    Err(HeaderError::Unsupported(_))
                ),
                "byte {at}"
            );
        }
        // Optional features are ignored.
        let mut bytes = sample().encode();
        bytes[20] = 2;
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Ok(sample()));
    }
}
