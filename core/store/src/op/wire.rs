//! How the parts of ops are written and read.

use rmp::decode::{read_array_len, read_bin_len, read_int, read_marker, read_str_len};
use rmp::{Marker, encode};
use statewright_log::Timestamp;
use statewright_value::{Limits, Path, Segment, Value};

use crate::space::Space;

/// What reading a part gives; an error says what is wrong with the commit.
pub(crate) type Decoded<T> = std::result::Result<T, &'static str>;

pub(crate) fn head(out: &mut Vec<u8>, len: u32, tag: u8, space: &Space) {
    let _ = encode::write_array_len(out, len);
    let _ = encode::write_uint(out, u64::from(tag));
    if space.is_default() {
        let _ = encode::write_nil(out);
    } else {
        text(out, space.as_str());
    }
}

pub(crate) fn text(out: &mut Vec<u8>, s: &str) {
    let _ = encode::write_str(out, s);
}

pub(crate) fn bin(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = encode::write_bin(out, bytes);
}

pub(crate) fn uint(out: &mut Vec<u8>, n: u64) {
    let _ = encode::write_uint(out, n);
}

pub(crate) fn read_uint(input: &mut &[u8]) -> Decoded<u64> {
    read_int(input).map_err(|_| "an op's number is not readable")
}

pub(crate) fn time(out: &mut Vec<u8>, at: Timestamp) {
    let _ = encode::write_sint(out, at.as_micros());
}

pub(crate) fn read_time(input: &mut &[u8]) -> Decoded<Timestamp> {
    let micros = read_int(input).map_err(|_| "an op's time is not readable")?;
    Ok(Timestamp::from_micros(micros))
}

/// Text, or nil for none.
pub(crate) fn maybe_text(out: &mut Vec<u8>, s: Option<&str>) {
    match s {
        Some(s) => text(out, s),
        None => {
            let _ = encode::write_nil(out);
        }
    }
}

pub(crate) fn read_maybe_text(input: &mut &[u8]) -> Decoded<Option<String>> {
    if read_nil(input) {
        return Ok(None);
    }
    read_text(input).map(Some)
}

/// Passes over a nil; false, and nothing is passed over, if there is something else.
pub(crate) fn read_nil(input: &mut &[u8]) -> bool {
    let mut ahead = *input;
    let nil = matches!(read_marker(&mut ahead), Ok(Marker::Null));
    if nil {
        *input = ahead;
    }
    nil
}

pub(crate) fn texts(out: &mut Vec<u8>, all: &[String]) {
    let _ = encode::write_array_len(out, u32::try_from(all.len()).unwrap_or(u32::MAX));
    for one in all {
        text(out, one);
    }
}

pub(crate) fn read_texts(input: &mut &[u8]) -> Decoded<Vec<String>> {
    let count = read_array_len(input).map_err(|_| "an op's list is not readable")?;
    (0..count).map(|_| read_text(input)).collect()
}

pub(crate) fn write_path(out: &mut Vec<u8>, path: &Path) {
    let segments = path.segments();
    let _ = encode::write_array_len(out, u32::try_from(segments.len()).unwrap_or(u32::MAX));
    for segment in segments {
        match segment {
            Segment::Key(key) => text(out, key),
            Segment::Index(i) => {
                let _ = encode::write_uint(out, *i as u64);
            }
        }
    }
}

pub(crate) fn read_path(input: &mut &[u8]) -> Decoded<Path> {
    let bad = "an op's path is not readable";
    let mut path = Path::root();
    for _ in 0..read_array_len(input).map_err(|_| bad)? {
        let mut ahead = *input;
        path = match read_marker(&mut ahead).map_err(|_| bad)? {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                path.key(&read_text(input)?)
            }
            _ => path.index(read_int(input).map_err(|_| bad)?),
        };
    }
    Ok(path)
}

pub(crate) fn read_space(input: &mut &[u8]) -> Decoded<Space> {
    if read_nil(input) {
        return Ok(Space::default());
    }
    Space::parse(&read_text(input)?).map_err(|_| "an op's space is not a space")
}

pub(crate) fn take<'a>(input: &mut &'a [u8], len: u32) -> Decoded<&'a [u8]> {
    let (taken, rest) = input
        .split_at_checked(len as usize)
        .ok_or("an op is cut short")?;
    *input = rest;
    Ok(taken)
}

pub(crate) fn read_text(input: &mut &[u8]) -> Decoded<String> {
    let len = read_str_len(input).map_err(|_| "an op's text is not readable")?;
    let bytes = take(input, len)?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| "an op's text is not UTF-8")
}

pub(crate) fn read_bytes(input: &mut &[u8]) -> Decoded<Vec<u8>> {
    let len = read_bin_len(input).map_err(|_| "an op's key is not readable")?;
    take(input, len).map(<[u8]>::to_vec)
}

pub(crate) fn read_value(input: &mut &[u8]) -> Decoded<Value> {
    // What was committed had passed the limits of its day.
    Value::read_msgpack(input, &Limits::unlimited()).map_err(|_| "an op's value is not readable")
}
