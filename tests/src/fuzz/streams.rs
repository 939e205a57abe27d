//! Streams: the same items however the bytes arrive, and the same values as those read at once.

use std::io::{self, Read};

use statewright_value::stream::{self, ArrayWriter, NdjsonWriter, Reader};
use statewright_value::{Limits, Result, Value};

use super::{assert_same, limits};

/// Gives a few bytes at a time, and fails in between as a reader may.
struct Drops<'a> {
    rest: &'a [u8],
    size: usize,
    interrupted: bool,
}

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted ^= true;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = self.size.min(buffer.len()).min(self.rest.len());
        let (now, rest) = self.rest.split_at(len);
        for (slot, byte) in buffer.iter_mut().zip(now) {
            *slot = *byte;
        }
        self.rest = rest;
        Ok(len)
    }
}

/// The first byte says how many bytes arrive at a time.
pub(super) fn stream(data: &[u8]) {
    let Some((size, text)) = data.split_first() else {
        return;
    };
    let size = usize::from(size % 32) + 1;
    let drops = || Drops {
        rest: text,
        size,
        interrupted: false,
    };
    let small = limits().with_max_bytes(200);
    for limits in [Limits::default(), small] {
        for keep_going in [false, true] {
            let reader = |at_once| all(at_once, limits, keep_going, text.len());
            let lines = reader(stream::ndjson(text));
            assert_eq!(
                lines,
                all(stream::ndjson(drops()), limits, keep_going, text.len())
            );
            if keep_going {
                assert_lines(text, &lines, &limits);
            }
            let items = reader(stream::array(text));
            assert_eq!(
                items,
                all(stream::array(drops()), limits, keep_going, text.len())
            );
        }
    }
    let items = all(stream::array(text), Limits::default(), false, text.len());
    assert_array(text, items.into_iter().collect());
}

fn all<R: Read>(
    reader: Reader<R>,
    limits: Limits,
    keep_going: bool,
    len: usize,
) -> Vec<Result<Value>> {
    let mut reader = reader.with_limits(limits).keep_going(keep_going);
    let mut found = Vec::new();
    let mut before = 0;
    while let Some(item) = reader.next() {
        let progress = reader.progress();
        assert!(progress.bytes >= before && progress.bytes <= len as u64);
        before = progress.bytes;
        found.push(item);
        assert!(found.len() <= len + 1, "an item that uses up no byte");
        if !keep_going && found.iter().any(Result::is_err) {
            assert!(reader.next().is_none());
        }
    }
    assert!(reader.next().is_none());
    found
}

/// Each line that is not blank is a value or an error, as if it were alone.
fn assert_lines(text: &[u8], lines: &[Result<Value>], limits: &Limits) {
    let blank = |line: &&[u8]| !line.iter().all(|byte| b" \t\r".contains(byte));
    let expected: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(blank).collect();
    assert_eq!(lines.len(), expected.len());
    for (found, line) in lines.iter().zip(expected) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (found, Value::from_json_with(line, limits)) {
            (Ok(found), Ok(value)) => assert_same(found, &value),
            (Err(found), Err(error)) => assert_eq!(found.code(), error.code()),
            (found, alone) => panic!("{found:?} is not {alone:?}"),
        }
    }
    let Ok(values) = lines.iter().cloned().collect::<Result<Vec<_>>>() else {
        return;
    };
    let mut writer = NdjsonWriter::new(Vec::new());
    values
        .iter()
        .for_each(|value| writer.write(value.by_ref()).unwrap());
    let written = writer.finish().unwrap();
    let again: Vec<Value> = stream::ndjson(&written[..]).map(Result::unwrap).collect();
    assert_eq!(again, values);
}

/// An array item by item is the array at once.
fn assert_array(text: &[u8], items: Result<Vec<Value>>) {
    match (items, Value::from_json(text)) {
        (Ok(items), Ok(array)) => {
            assert_same(&Value::from(items.clone()), &array);
            let mut writer = ArrayWriter::new(Vec::new());
            items
                .iter()
                .for_each(|item| writer.write(item.by_ref()).unwrap());
            assert_same(&Value::from_json(writer.finish().unwrap()).unwrap(), &array);
        }
        // An item is counted alone.
        (Ok(_), Err(error)) => assert_eq!(error.code(), 204, "{error}"),
        (Err(_), Ok(value)) => assert!(value.kind() != statewright_value::Kind::Array),
        (Err(_), Err(_)) => {}
    }
}
