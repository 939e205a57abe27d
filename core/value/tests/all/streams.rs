//! Streams of values: the same values at any chunk size, bounded memory, errors with their place.

use std::io::{self, ErrorKind, Read, Write};

use proptest::prelude::*;
use statewright_value::stream::{self, ArrayWriter, NdjsonWriter, ValueStream};
use statewright_value::{Error, Limits, Result, Value, value};

/// Gives the bytes in pieces of these sizes, over and over; 0 is an interruption.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    next: usize,
}

fn pieces<'a>(bytes: &'a [u8], sizes: &[usize]) -> Pieces<'a> {
    Pieces {
        bytes,
        sizes: sizes.to_vec(),
        next: 0,
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.next % self.sizes.len()];
        self.next += 1;
        if size == 0 {
            return Err(ErrorKind::Interrupted.into());
        }
        let size = size.min(buffer.len());
        self.bytes.read(&mut buffer[..size])
    }
}

#[track_caller]
fn lines(text: &str, expected: &[&str]) {
    check(expected, |sizes| {
        stream::ndjson(pieces(text.as_bytes(), sizes)).collect()
    });
}

#[track_caller]
fn items(text: &str, expected: &[&str]) {
    check(expected, |sizes| {
        stream::array(pieces(text.as_bytes(), sizes)).collect()
    });
}

/// Values as JSON, errors as text after `!`, at several chunk sizes.
#[track_caller]
fn check(expected: &[&str], read: impl Fn(&[usize]) -> Vec<Result<Value>>) {
    for sizes in [&[1][..], &[2], &[3, 0, 1], &[7], &[1 << 20]] {
        let found: Vec<_> = read(sizes)
            .into_iter()
            .map(|value| value.map_or_else(|error| format!("!{error}"), |value| value.to_json()))
            .collect();
        assert_eq!(found, expected, "in pieces of {sizes:?}");
    }
}

#[test]
fn lines_end_in_every_way() {
    lines("", &[]);
    lines("\n\r\n  \t\n", &[]);
    lines("1\n2", &["1", "2"]);
    lines(
        "1\r\n\r\n {\"a\" : [ 1 , \"\\\"\\\\é😀\" ] } \r\n\n\"x\"\r\n",
        &["1", "{\"a\":[1,\"\\\"\\\\é😀\"]}", "\"x\""],
    );
}

#[test]
fn a_bad_line_is_named() {
    lines(
        "1\n\n[2,]\n3\n",
        &[
            "1",
            "!item 2 (line 3, byte 3): invalid JSON at line 3, column 4: expected a value (found ']')",
        ],
    );
    lines(
        "{\"a\":1} {\"a\":2}\n",
        &[
            "!item 1 (line 1, byte 0): invalid JSON at line 1, column 9: unexpected text after the value (found '{')",
        ],
    );
    let found: Vec<_> = stream::ndjson(&b"1\n\"\xff\"\n"[..]).collect();
    assert_eq!(found[1].as_ref().unwrap_err().code(), 200);
}

#[test]
fn bad_lines_can_be_passed_over() {
    let text = "1\nx\n2\n[\n\"\\ud800\"\n3";
    let mut bad = Vec::new();
    let mut good = stream::ndjson(text.as_bytes()).skip_bad(|error| bad.push(error));
    let values: Value = good.by_ref().collect::<Result<_>>().unwrap();
    let progress = good.progress();
    assert_eq!(values, value!([1, 2, 3]));
    assert_eq!((progress.items, progress.bad), (3, 3));
    assert_eq!((progress.bytes, progress.lines), (text.len() as u64, 5));
    let places: Vec<_> = bad
        .iter()
        .map(|error| match error {
            Error::InStream {
                item, line, offset, ..
            } => (*item, *line, *offset),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(places, [(2, 2, 2), (4, 4, 6), (5, 5, 8)]);

    let kept: Vec<_> = stream::ndjson(text.as_bytes())
        .keep_going(true)
        .map(|value| value.is_ok())
        .collect();
    assert_eq!(kept, [true, false, true, false, false, true]);
    let stopped = stream::ndjson(text.as_bytes()).count();
    assert_eq!(stopped, 2);

    let array = "[1, tru, [2, {\"a\" 1}], \"\\x\", 3]";
    let mut bad = 0;
    let values: Value = stream::array(array.as_bytes())
        .skip_bad(|_| bad += 1)
        .collect::<Result<_>>()
        .unwrap();
    assert_eq!((values, bad), (value!([1, 3]), 3));
    // What is no array cannot be gone on behind.
    let ends: Vec<_> = stream::array("[1 2, 3]".as_bytes())
        .skip_bad(|_| ())
        .collect();
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[1].as_ref().unwrap_err().code(), 200);
}

#[test]
fn arrays_are_read_as_the_standard_says() {
    items("[]", &[]);
    items(" \n[ \t] \r\n", &[]);
    items(
        "[1,2.5e3,true,null,\"a,b]\"]",
        &["1", "2500.0", "true", "null", "\"a,b]\""],
    );
    items(
        " [ {\"a\":[1,{\"b\":\"]}\\\"\"}]} , [[[]]] ,\n\"\\\\\" ] ",
        &["{\"a\":[1,{\"b\":\"]}\\\"\"}]}", "[[[]]]", "\"\\\\\""],
    );
    items(
        "",
        &[
            "!item 1 (line 1, byte 0): invalid JSON at line 1, column 1: expected an array (found the end)",
        ],
    );
    items(
        "{}",
        &[
            "!item 1 (line 1, byte 0): invalid JSON at line 1, column 1: expected an array (found `{`)",
        ],
    );
    items(
        "[1,]",
        &[
            "1",
            "!item 2 (line 1, byte 3): invalid JSON at line 1, column 4: expected a value (found `]`)",
        ],
    );
    items(
        "[,1]",
        &[
            "!item 1 (line 1, byte 1): invalid JSON at line 1, column 2: expected a value (found `,`)",
        ],
    );
    items(
        "[1",
        &[
            "!item 1 (line 1, byte 2): invalid JSON at line 1, column 3: the array does not end, nor does this item (found the end)",
        ],
    );
    items(
        "[1 ",
        &[
            "1",
            "!item 2 (line 1, byte 3): invalid JSON at line 1, column 4: expected `,` or `]` (found the end)",
        ],
    );
    items(
        "[\"é\",\n\"😀\" x]",
        &[
            "\"é\"",
            "\"😀\"",
            "!item 3 (line 2, byte 14): invalid JSON at line 2, column 5: expected `,` or `]` (found `x`)",
        ],
    );
    items(
        "[1] 2",
        &[
            "1",
            "!item 2 (line 1, byte 4): invalid JSON at line 1, column 5: expected nothing after the array (found `2`)",
        ],
    );
    items(
        "[é]",
        &[
            "!item 1 (line 1, byte 1): invalid JSON at line 1, column 2: expected a value (found 'é')",
        ],
    );
}

/// A text without end, which notes how much was asked of it.
struct Endless {
    text: &'static [u8],
    at: usize,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.text[self.at % self.text.len()];
            self.at += 1;
        }
        self.given += buffer.len();
        Ok(buffer.len())
    }
}

fn endless(text: &'static str) -> Endless {
    Endless {
        text: text.as_bytes(),
        at: 0,
        given: 0,
    }
}

#[test]
fn a_stream_need_not_end() {
    let mut values = stream::ndjson(endless("{\"a\":1}\n"));
    for _ in 0..100_000 {
        assert_eq!(values.next(), Some(Ok(value!({ "a": 1 }))));
    }
    assert_eq!(values.progress().bytes, 799_999);
    assert!(values.into_inner().given < 1_000_000);
    let mut text = "[".to_owned();
    text.push_str(&"[1,\"]\"],".repeat(10));
    let text: &'static str = text.leak();
    let mut values = stream::array(endless(text));
    for _ in 0..10 {
        assert_eq!(values.next(), Some(Ok(value!([1, "]"]))));
    }
}

#[test]
fn an_item_too_long_is_not_held() {
    let limits = Limits::default().with_max_bytes(1000);
    let stops = |text, found: Option<Result<Value>>| match found {
        Some(Err(error)) => assert_eq!(error.code(), 204, "{error}"),
        other => panic!("{text}: {other:?}"),
    };
    stops(
        "lines",
        stream::ndjson(endless("x")).with_limits(limits).next(),
    );
    stops(
        "items",
        stream::array(endless("[")).with_limits(limits).next(),
    );
    let long = format!(
        "1\n\"{}\"\n2\r\n\"{}\"\r\n",
        "x".repeat(5_000_000),
        "y".repeat(999)
    );
    for sizes in [&[1 << 20][..], &[4096], &[999]] {
        let read = |text: &str| -> Vec<Result<Value>> {
            let values = stream::ndjson(pieces(text.as_bytes(), sizes)).with_limits(limits);
            values.keep_going(true).collect()
        };
        let found = read(&long);
        assert_eq!(found.len(), 4);
        assert_eq!(found[1].as_ref().unwrap_err().code(), 204);
        assert_eq!(
            found[1].as_ref().unwrap_err().to_string(),
            "item 2 (line 2, byte 2): length of an item of the stream exceeds the limit of 1000 (a longer one was \
             found); make the input smaller or raise the limit"
        );
        assert_eq!((found[2].clone(), found[3].is_err()), (Ok(value!(2)), true));
        assert!(read(&format!("\"{}\"\n", "y".repeat(998)))[0].is_ok());

        let array = format!(
            "[1, [\"{}\"], 2, \"{}\"]",
            "x]".repeat(50_000),
            "y".repeat(998)
        );
        let values = stream::array(pieces(array.as_bytes(), sizes)).with_limits(limits);
        let found: Vec<_> = values.keep_going(true).collect();
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[1].as_ref().unwrap_err().code(), 204);
        assert_eq!((found[2].clone(), found[3].is_ok()), (Ok(value!(2)), true));
    }
}

#[test]
fn the_end_of_a_line_is_not_part_of_its_length() {
    let limits = Limits::default().with_max_bytes(10);
    for end in ["", "\n", "\r\n", "\r"] {
        let text = format!("\"12345678\"{end}");
        let mut read = stream::ndjson(text.as_bytes()).with_limits(limits);
        assert_eq!(read.next(), Some(Ok(value!("12345678"))), "{end:?}");
        assert_eq!(read.next(), None);
        assert_eq!(read.progress().bytes, text.len() as u64);
    }
}

/// Too long is too long, whether the end of the line has been read by then or not; also for a blank one.
#[test]
fn a_line_too_long_is_so_however_it_arrives() {
    let limits = Limits::default().with_max_bytes(20);
    for line in [format!("\"{}\"", "x".repeat(60)), " ".repeat(60)] {
        let text = format!("1\n{line}\n2\n");
        let read = |sizes: &[usize]| -> Vec<_> {
            stream::ndjson(pieces(text.as_bytes(), sizes))
                .with_limits(limits)
                .keep_going(true)
                .collect()
        };
        let at_once = read(&[1000]);
        assert_eq!(at_once.len(), 3);
        let refused = at_once[1].as_ref().unwrap_err().to_string();
        assert!(
            refused.contains("length of an item of the stream"),
            "{refused}"
        );
        assert_eq!(read(&[1]), at_once);
        assert_eq!(read(&[7, 30]), at_once);
    }
}

#[test]
fn every_item_is_within_the_limits() {
    let limits = Limits::default().with_max_depth(2).with_max_items(3);
    let found: Vec<_> = stream::array("[[[1]],[[[1]]],[1,2],[1,2,3]]".as_bytes())
        .with_limits(limits)
        .keep_going(true)
        .map(|value| value.map_or_else(|error| error.code(), |_| 0))
        .collect();
    assert_eq!(found, [0, 204, 0, 204]);
    let deep = "[".repeat(1_000_000);
    let found: Vec<_> = stream::array(deep.as_bytes()).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_err());
}

#[test]
fn a_reader_that_fails_ends_the_stream() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => (&b"1\n2\n3"[..]).read(buffer),
                _ => Err(io::Error::new(
                    ErrorKind::ConnectionReset,
                    "the line is dead",
                )),
            }
        }
    }
    let found: Vec<_> = stream::ndjson(Failing(0)).keep_going(true).collect();
    assert_eq!(found.len(), 3);
    let error = found[2].clone().unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (216, "the stream failed: the line is dead")
    );
    assert!(matches!(
        error,
        Error::StreamFailed {
            kind: ErrorKind::ConnectionReset,
            ..
        }
    ));
}

#[test]
fn adapters_keep_errors_in_their_place() {
    let text = "[1,2,3,x,5]";
    let chunks: Vec<_> = stream::array(text.as_bytes())
        .keep_going(true)
        .chunks(2)
        .collect();
    assert_eq!(chunks.len(), 4);
    assert_eq!(chunks[0], Ok(vec![value!(1), value!(2)]));
    assert_eq!(chunks[1], Ok(vec![value!(3)]));
    assert!(chunks[2].is_err());
    assert_eq!(chunks[3], Ok(vec![value!(5)]));
    let odd: Vec<_> = stream::array("[1,2,3]".as_bytes())
        .filter_values(|value| value.as_i64().is_some_and(|int| int % 2 == 1))
        .map_values(|value| Ok(value!([value])))
        .collect::<Result<_>>()
        .unwrap();
    assert_eq!(odd, [value!([1]), value!([3])]);
    assert_eq!(
        stream::array(text.as_bytes())
            .filter_values(|_| false)
            .count(),
        1
    );
}

#[test]
fn a_writer_that_fails_says_so() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(bytes.len()) {
                Some(left) => {
                    self.0 = left;
                    Ok(bytes.len())
                }
                None => Err(ErrorKind::StorageFull.into()),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut lines = NdjsonWriter::new(Full(100_000));
    let long = Value::from("x".repeat(1000));
    let error = (0..1000)
        .find_map(|_| lines.write(long.by_ref()).err())
        .unwrap();
    assert_eq!(error.code(), 216);
    assert!((50..150).contains(&lines.written()));
    assert!(lines.finish().is_err());
    let mut array = ArrayWriter::new(Full(3));
    array.write(value!(1).by_ref()).unwrap();
    array.write(value!(2).by_ref()).unwrap();
    assert_eq!(array.finish().map(|_| ()).unwrap_err().code(), 216);
}

#[test]
fn what_is_not_finished_is_written_but_not_ended() {
    let mut written = Vec::new();
    let mut array = ArrayWriter::new(&mut written);
    array.write(value!(1).by_ref()).unwrap();
    drop(array);
    assert_eq!(written, b"[1");
    assert_eq!(ArrayWriter::new(Vec::new()).finish().unwrap(), b"[]");
    assert_eq!(NdjsonWriter::new(Vec::new()).finish().unwrap(), b"");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", Value::from_f64),
        any::<String>().prop_map(Value::from),
        "[\\[\\]{}\",\\\\:\n é]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_pieces_of_any_size(
        values in prop::collection::vec(any_value(), 0..12),
        sizes in prop::collection::vec(1usize..20, 1..6),
        pretty in any::<bool>(),
    ) {
        let (mut lines, mut array) = (NdjsonWriter::new(Vec::new()), ArrayWriter::new(Vec::new()));
        for value in &values {
            lines.write(value.by_ref()).unwrap();
            array.write(value.by_ref()).unwrap();
        }
        let (lines, array) = (lines.finish().unwrap(), array.finish().unwrap());
        let whole = Value::from(values.clone());
        prop_assert_eq!(&Value::from_json(&array).unwrap(), &whole);
        let array = if pretty { whole.to_json_pretty().into_bytes() } else { array };
        let read: Result<Vec<_>> = stream::ndjson(pieces(&lines, &sizes)).collect();
        prop_assert_eq!(read.as_ref(), Ok(&values));
        let mut reader = stream::array(pieces(&array, &sizes));
        let read: Result<Vec<_>> = reader.by_ref().collect();
        prop_assert_eq!(read, Ok(values));
        prop_assert_eq!(reader.progress().bytes, array.len() as u64);
    }

    /// An array is read as the parser reads it as a whole: the same values, or an error in both.
    #[test]
    fn a_stream_accepts_what_the_parser_accepts(
        text in "\\[?[\\[\\]{}\",:\\\\ 01e.\ntrue-]{0,14}\\]?",
        sizes in prop::collection::vec(1usize..5, 1..4),
    ) {
        let streamed: Result<Value> = stream::array(pieces(text.as_bytes(), &sizes)).collect();
        let parsed = Value::from_json(&text).ok().filter(|value| value.kind() == statewright_value::Kind::Array);
        prop_assert_eq!(streamed.ok(), parsed, "{}", text);
    }

    #[test]
    fn any_bytes_end_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        sizes in prop::collection::vec(1usize..20, 1..4),
    ) {
        let limits = Limits::strict().with_max_bytes(20);
        let lines = stream::ndjson(pieces(&bytes, &sizes)).with_limits(limits).keep_going(true);
        prop_assert!(lines.count() <= bytes.len());
        let items = stream::array(pieces(&bytes, &sizes)).with_limits(limits).keep_going(true);
        prop_assert!(items.count() <= bytes.len() + 1);
    }
}

#[test]
fn a_carriage_return_does_not_count_for_the_limit() {
    let limits = Limits::default().with_max_bytes(3);
    for lines in ["[1]\n", "[1]\r\n", "[1]\r"] {
        let first = stream::ndjson(lines.as_bytes()).with_limits(limits).next();
        assert!(matches!(first, Some(Ok(_))), "{lines:?} {first:?}");
    }
    let first = stream::ndjson("[10]\r\n".as_bytes())
        .with_limits(limits)
        .next();
    assert!(matches!(first, Some(Err(_))), "{first:?}");
}
