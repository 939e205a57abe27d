//! The kinds beyond JSON as MessagePack extension types.
//!
//! | type | kind | payload, big-endian |
//! | --- | --- | --- |
//! | −1 | datetime in UTC | the specification's timestamp, in its shortest form |
//! | `D` 0x44 | decimal | sign (highest bit) and digits after the point (1 byte); all digits (0 to 12 bytes) |
//! | `d` 0x64 | date | year (i16), month (u8), day (u8) |
//! | `t` 0x74 | time | nanoseconds since midnight (u64) |
//! | `z` 0x7a | datetime at another offset | seconds since 1970 UTC (i64), nanoseconds (u32), offset in seconds (i32) |
//! | `p` 0x70 | duration | seconds (i64), nanoseconds of the same sign (i32) |
//! | `f` 0x66 | file | its JSON form as text |

use std::sync::Arc;

use crate::extended::Extended;
use crate::{Error, File, Limits, Value};

const TIMESTAMP: i8 = -1;
const DECIMAL: i8 = b'D' as i8;
const DATE: i8 = b'd' as i8;
const TIME: i8 = b't' as i8;
const DATETIME: i8 = b'z' as i8;
const DURATION: i8 = b'p' as i8;
const FILE: i8 = b'f' as i8;

/// A payload on its way out.
pub(crate) enum Payload {
    Short([u8; 16], usize),
    Text(String),
}

impl Payload {
    fn of(parts: &[&[u8]]) -> Payload {
        let mut bytes = [0; 16];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
            *to = *from;
            len += 1;
        }
        Payload::Short(bytes, len)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Short(bytes, len) => bytes.get(..*len).unwrap_or_default(),
            Payload::Text(text) => text.as_bytes(),
        }
    }
}

/// Why a payload was refused.
pub(crate) enum Refused {
    /// Not a type from the table.
    Unknown,
    /// Not a payload of its type.
    Malformed(&'static str),
    /// A payload of its type that stands for something no value can hold.
    OutOfRange(&'static str),
    /// The content of a file.
    File(String),
}

impl Extended {
    /// The extension type and payload; equal content has equal bytes and unequal content does not.
    pub(crate) fn to_ext(&self) -> (i8, Payload) {
        match self {
            Extended::Decimal {
                flags,
                digits: [low, middle, high],
            } => {
                let digits = [high.to_be_bytes(), middle.to_be_bytes(), low.to_be_bytes()];
                let digits = digits.as_flattened();
                let zeros = digits.iter().take_while(|byte| **byte == 0).count();
                let digits = digits.get(zeros..).unwrap_or_default();
                (DECIMAL, Payload::of(&[&[*flags], digits]))
            }
            Extended::Date { year, month, day } => {
                (DATE, Payload::of(&[&year.to_be_bytes(), &[*month, *day]]))
            }
            Extended::Time { nanos } => (TIME, Payload::of(&[&nanos.to_be_bytes()])),
            Extended::DateTime { .. } => match self.instant().unwrap_or_default() {
                (seconds, nanos, 0) => (TIMESTAMP, timestamp(seconds, nanos)),
                (seconds, nanos, offset) => {
                    let (seconds, nanos) = (seconds.to_be_bytes(), nanos.to_be_bytes());
                    (
                        DATETIME,
                        Payload::of(&[&seconds, &nanos, &offset.to_be_bytes()]),
                    )
                }
            },
            Extended::Duration { seconds, nanos } => (
                DURATION,
                Payload::of(&[&seconds.to_be_bytes(), &nanos.to_be_bytes()]),
            ),
            Extended::File(file) => (FILE, Payload::Text(file.to_json())),
        }
    }

    pub(crate) fn from_ext(kind: i8, payload: &[u8]) -> Result<Extended, Refused> {
        let length = |is: &'static str| Refused::Malformed(is);
        let extended = match kind {
            TIMESTAMP => read_timestamp(payload)?,
            DECIMAL => {
                let Some((flags, digits)) =
                    payload.split_first().filter(|(_, rest)| rest.len() <= 12)
                else {
                    return Err(length("a decimal has 1 to 13 bytes"));
                };
                let digits = digits
                    .iter()
                    .fold(0, |digits, byte| digits << 8 | u128::from(*byte));
                Extended::decimal(flags & 0x80 != 0, digits, (flags & 0x7f).into())
            }
            DATE => {
                let [y1, y2, month, day] = exact(payload).ok_or(length("a date has 4 bytes"))?;
                Extended::date(i16::from_be_bytes([y1, y2]), month, day)
            }
            TIME => {
                let bytes = exact(payload).ok_or(length("a time has 8 bytes"))?;
                Extended::time(u64::from_be_bytes(bytes))
            }
            DATETIME => {
                let bytes: [u8; 16] = exact(payload).ok_or(length("a datetime has 16 bytes"))?;
                let (seconds, rest) = split_i64(&bytes);
                let nanos = (rest >> 32) as u32;
                Extended::datetime(seconds, nanos, rest as i32)
            }
            DURATION => {
                let bytes: [u8; 12] = exact(payload).ok_or(length("a duration has 12 bytes"))?;
                let (seconds, nanos) = split_i64(&bytes);
                Extended::duration(seconds, nanos as i32)
            }
            FILE => Some(read_file(payload)?),
            _ => return Err(Refused::Unknown),
        };
        extended.ok_or(Refused::OutOfRange("a part is out of its range"))
    }
}

fn exact<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
    payload.try_into().ok()
}

/// The first eight bytes, and what follows as a number.
fn split_i64(bytes: &[u8]) -> (i64, u64) {
    let (first, rest) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let rest = rest
        .iter()
        .fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    (i64::from_be_bytes(*first), rest)
}

/// The specification's timestamp 32, 64 or 96.
fn timestamp(seconds: i64, nanos: u32) -> Payload {
    match (u64::try_from(seconds), u32::try_from(seconds)) {
        (_, Ok(seconds)) if nanos == 0 => Payload::of(&[&seconds.to_be_bytes()]),
        (Ok(seconds), _) if seconds >> 34 == 0 => {
            Payload::of(&[&(u64::from(nanos) << 34 | seconds).to_be_bytes()])
        }
        _ => Payload::of(&[&nanos.to_be_bytes(), &seconds.to_be_bytes()]),
    }
}

fn read_timestamp(payload: &[u8]) -> Result<Option<Extended>, Refused> {
    let (seconds, nanos) = match payload.len() {
        4 => (
            u32::from_be_bytes(exact(payload).unwrap_or_default()).into(),
            0,
        ),
        8 => {
            let both = u64::from_be_bytes(exact(payload).unwrap_or_default());
            ((both & ((1 << 34) - 1)) as i64, (both >> 34) as u32)
        }
        12 => {
            let (nanos, seconds) = payload.split_first_chunk().unwrap_or((&[0; 4], &[]));
            let seconds = i64::from_be_bytes(exact(seconds).unwrap_or_default());
            (seconds, u32::from_be_bytes(*nanos))
        }
        _ => return Err(Refused::Malformed("a timestamp has 4, 8 or 12 bytes")),
    };
    if nanos >= crate::extended::NANOS {
        return Err(Refused::Malformed(
            "a timestamp has at most 999,999,999 nanoseconds",
        ));
    }
    match Extended::datetime(seconds, nanos, 0) {
        None => Err(Refused::OutOfRange(
            "a datetime has a year from -9999 to 9999",
        )),
        some => Ok(some),
    }
}

/// How long the payload may be is said by the limits of what it was read out of.
fn read_file(payload: &[u8]) -> Result<Extended, Refused> {
    let reason = |error: Error| Refused::File(error.to_string());
    let object = Value::from_json_with(payload, &Limits::unlimited()).map_err(reason)?;
    let file = File::from_object(object.by_ref()).map_err(Refused::File)?;
    Ok(Extended::File(Arc::new(file)))
}
