//! What is short to write and long to do, for every reader of texts and bytes: refused with a clear error, soon,
//! and with little memory; what was to be changed is as it was.
//!
//! `hostile.rs` is about what values themselves withstand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic and, here, measure time"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use statewright_value::{
    Error, Limits, MAX_DEPTH, Patch, Path, Pointer, Query, Result, Schema, Value, stream, value,
};

/// The system's allocator, counting what each thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// A thread that is ending has no counter any more; nothing is measured there.
fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call is passed on as it is to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is that of the allocator underneath.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Far more than any of this takes, in a debug build on a busy machine too.
const SOON: Duration = Duration::from_secs(20);

/// Runs it; it may hold so many bytes more than before, and not take long.
#[track_caller]
fn within<T>(what: &str, memory: usize, run: impl FnOnce() -> T) -> T {
    let (before, start) = (HELD.get(), Instant::now());
    MOST.set(before);
    let result = run();
    let (held, took) = (MOST.get() - before, start.elapsed());
    assert!(held <= memory as isize, "{what} held {held} bytes");
    assert!(took < SOON, "{what} took {took:?}");
    result
}

/// Refused with one of these codes, by a message that is not as long as the input.
#[track_caller]
fn refused<T: std::fmt::Debug>(
    what: &str,
    codes: &[i32],
    memory: usize,
    run: impl FnOnce() -> Result<T>,
) -> Error {
    let error = within(what, memory, run).expect_err(what);
    assert!(codes.contains(&error.code()), "{what}: {error}");
    assert!(error.to_string().len() < 1000, "{what}: {error}");
    error
}

#[test]
fn a_million_levels_in_every_format() {
    const LEVELS: usize = 1_000_000;
    let deepest = Limits::unlimited();
    for limits in [Limits::default(), deepest] {
        for (text, codes) in [
            ("[", [204, 204]),
            (r#"{"a":"#, [204, 204]),
            (r#"{"$$date":"#, [204, 204]),
            (r#"[{"$bytes":"#, [204, 204]),
        ] {
            let text = text.repeat(LEVELS);
            // The reader's first buffer grows with the text.
            let memory = text.len() + 2 * MIB;
            let json = || Value::from_json_with(&text, &limits);
            refused("JSON", &codes, memory, json);
            let typed = || Value::from_typed_json_with(&text, &limits);
            refused("typed JSON", &codes, memory, typed);
            let item = || {
                stream::array(text.as_bytes())
                    .with_limits(limits)
                    .next()
                    .unwrap()
            };
            // The item is held, within the limit of its bytes.
            if text.starts_with('[') {
                refused("an array's item", &[200, 204], 40 * MIB, item);
            }
            let line = || {
                stream::ndjson(text.as_bytes())
                    .with_limits(limits)
                    .next()
                    .unwrap()
            };
            refused("a line", &codes, 40 * MIB, line);
        }
        for byte in [0x81, 0x91, 0xDD] {
            let bytes = vec![byte; LEVELS];
            let msgpack = || Value::read_msgpack(&mut &bytes[..], &limits);
            refused("MessagePack", &[201, 204, 205], 2 * MIB, msgpack);
        }
        for level in [
            &b"\x81"[..],
            b"\x9F",
            b"\xA1\x61a",
            b"\xBF\x60",
            b"\xC1",
            b"\xD9\xD9\xF7",
        ] {
            let bytes = level.repeat(LEVELS);
            let memory = bytes.len() + 2 * MIB;
            let cbor = || Value::from_cbor_with(&bytes, &limits);
            refused("CBOR", &[204, 205, 211], memory, cbor);
        }
        for text in [
            format!("a = {}", "[".repeat(LEVELS)),
            format!("a = {}", "{a = ".repeat(LEVELS)),
            format!("{}a = 1", "a.".repeat(LEVELS)),
            format!("[{}a]", "a.".repeat(LEVELS)),
            format!("[[{}a]]", "a.".repeat(LEVELS)),
        ] {
            let toml = || Value::from_toml_with(&text, &limits);
            // The parser takes the text apart as a whole, into tokens.
            refused("TOML", &[204, 217], 30 * text.len() + 2 * MIB, toml);
        }
    }
}

#[test]
fn a_million_levels_in_every_text_that_names_places() {
    const LEVELS: usize = 1_000_000;
    for text in [".a", "[0]", r#"."a""#, r#"["a"]"#] {
        let text = text.repeat(LEVELS);
        refused("path", &[204], MIB, || Path::parse(&text));
    }
    for text in ["/a", "/", "/~0", "#/a"] {
        let text = text.repeat(LEVELS);
        // The fragment is decoded first.
        refused("pointer", &[202, 204], 4 * MIB, || Pointer::parse(&text));
    }
    let unit = |unit: &str| unit.repeat(LEVELS);
    for text in [
        format!("${}", unit(".a")),
        format!("${}", unit("..*")),
        format!("$[?{}", unit("(")),
        format!("$[?{}@", unit("!")),
        format!("${}", unit("[?@")),
        format!("$[?{}", unit("length(")),
        format!("$[{}]", unit("0,")),
        format!("$[?{}@]", unit("@||")),
    ] {
        refused("query", &[204, 207], MIB, || Query::parse(&text));
        // As much of it as a query may be long.
        let short: String = text.chars().take(60_000).collect();
        let parsed = within("query", 32 * MIB, || Query::parse(&short));
        if let Err(error) = parsed {
            assert!([204, 207].contains(&error.code()), "{error}");
        }
    }
}

#[test]
fn schemas_as_deep_as_values_can_be() {
    let nest = |keyword: &str, depth: usize| {
        (0..depth).fold(value!(true), |inner, _| match keyword {
            "allOf" | "anyOf" => Value::from_iter([(keyword, value!([inner]))]),
            _ => Value::from_iter([(keyword, inner)]),
        })
    };
    for keyword in [
        "items",
        "not",
        "allOf",
        "anyOf",
        "additionalProperties",
        "a",
        "const",
    ] {
        for depth in [100, MAX_DEPTH / 2 - 1] {
            let source = nest(keyword, depth);
            let compile = || Schema::compile(source.by_ref());
            match within("schema", 16 * MIB, compile) {
                Ok(schema) => {
                    let instance = nest("a", depth);
                    let valid = within("schema", 16 * MIB, || schema.validate(instance.by_ref()));
                    assert!(valid.is_ok_and(|()| true) || depth > 0);
                }
                Err(error) => assert!([204, 209].contains(&error.code()), "{error}"),
            }
        }
    }
    let pattern = value!({ "pattern": "(".repeat(1_000_000) });
    refused("pattern", &[204, 209], 64 * MIB, || {
        Schema::compile(pattern.by_ref())
    });
    let closed = value!({ "pattern": "(".repeat(100_000) + &")".repeat(100_000) });
    refused("pattern", &[204, 209], 64 * MIB, || {
        Schema::compile(closed.by_ref())
    });
}

#[test]
fn ten_megabytes_of_digits_in_every_format() {
    let digits = "7".repeat(10 * MIB);
    let limits = Limits::unlimited();
    for kind in ["decimal", "duration", "date", "time", "datetime"] {
        for text in [
            digits.clone(),
            format!("PT{digits}S"),
            format!("0.{digits}"),
        ] {
            let text = format!(r#"{{"${kind}":"{text}"}}"#);
            let typed = || Value::from_typed_json_with(&text, &limits);
            match within(kind, 80 * MIB, typed) {
                // The digits behind the 28th are cut off.
                Ok(value) => assert!(kind == "decimal" && value.to_json().len() < 40, "{value}"),
                Err(error) => {
                    assert!([205, 215].contains(&error.code()), "{error}");
                    assert!(error.to_string().len() < 1000);
                }
            }
        }
    }
    let text = format!("a = {digits}");
    refused("TOML", &[204, 217], 200 * MIB, || {
        Value::from_toml_with(&text, &limits)
    });
    let text = format!("[{digits}]");
    refused("path", &[202, 204], MIB, || Path::parse(&text));
    let text = format!("/{digits}");
    let pointer = within("pointer", 40 * MIB, || Pointer::parse(&text).unwrap());
    assert!(pointer.get(value!([1]).by_ref()).is_none());
    let failed = pointer.resolve(value!([1]).by_ref()).unwrap_err();
    assert!(failed.to_string().len() < 1000, "{failed}");
    let text = format!("$[{digits}]");
    refused("query", &[204, 207], MIB, || Query::parse(&text));
    let text = format!("$[{}]", "7".repeat(60_000));
    refused("query", &[204, 207], MIB, || Query::parse(&text));
    let mut bignum = vec![0xC2, 0x5A, 0x00, 0xA0, 0x00, 0x00];
    bignum.resize(6 + 10 * MIB, 0x77);
    refused("CBOR", &[205, 211], 16 * MIB, || Value::from_cbor(&bignum));
    let exponent = format!("1E-{digits}");
    let tiny = within("JSON", 12 * MIB, || Value::from_json(&exponent).unwrap());
    assert_eq!(tiny.as_f64(), Some(0.0));
}

#[test]
fn half_characters_are_refused_everywhere() {
    let surrogate = r#""\ud800""#;
    refused("typed JSON", &[200], MIB, || {
        Value::from_typed_json(surrogate)
    });
    refused("path", &[202], MIB, || {
        Path::parse(&format!(".{surrogate}"))
    });
    for quoted in [surrogate, r"'\udc00'", r"'\ud800\u0041'", r"'\ud800'"] {
        refused("query", &[207], MIB, || {
            Query::parse(&format!("$[{quoted}]"))
        });
    }
    refused("TOML", &[217], MIB, || Value::from_toml(r#"a = "\ud800""#));
    refused("TOML", &[217], MIB, || {
        Value::from_toml(b"a = \"\xED\xA0\x80\"")
    });
    refused("CBOR", &[211], MIB, || {
        Value::from_cbor(b"\x63\xED\xA0\x80")
    });
    // Each piece of a text must be whole by itself (RFC 8949, section 3.2.3).
    refused("CBOR", &[211], MIB, || {
        Value::from_cbor(b"\x7F\x61\xC3\x61\xA9\xFF")
    });
    refused("pointer", &[202], MIB, || Pointer::parse("#/%ED%A0%80"));
    let packed = value!("half").to_packed_bytes().unwrap();
    let broken: Vec<u8> = packed
        .iter()
        .map(|byte| if *byte == b'h' { 0xED } else { *byte })
        .collect();
    let limits = Limits::default();
    refused("packed", &[214], MIB, || {
        Value::from_packed_bytes(&broken, &limits)
    });
}

#[test]
fn of_equal_keys_the_last_is_taken_or_all_refused() {
    let last = value!({ "a": 3, "b": 2 });
    assert_eq!(
        Value::from_cbor(b"\xA3\x61a\x01\x61b\x02\x61a\x03").unwrap(),
        last
    );
    assert_eq!(
        Value::from_typed_json(r#"{"a":1,"b":2,"a":3}"#).unwrap(),
        last
    );
    // Two entries become one, which is then what one entry means.
    let date = Value::from_typed_json(r#"{"$date":"x","$date":"2024-05-01"}"#).unwrap();
    assert_eq!(date.kind().name(), "date");
    refused("TOML", &[217], MIB, || Value::from_toml("a = 1\na = 2"));
    let many: String = (0..200_000)
        .map(|at| format!("\"k{}\":{at},", at % 7))
        .collect();
    let text = format!("{{{}\"k0\":null}}", many);
    let read = within("JSON", 40 * MIB, || Value::from_json(&text).unwrap());
    assert_eq!((read.len(), read.get("k0")), (7, Some(Value::NULL)));
}

#[test]
fn a_document_doubled_64_times() {
    let before = value!({ "a": [1, "text"], "b": {} });
    for (from, path) in [("", "/x#"), ("/a", "/a/-"), ("", "/a/0"), ("", "/b/x#")] {
        let step = |at: usize| {
            let path = path.replace('#', &at.to_string());
            value!({ "op": "copy", "from": from, "path": path })
        };
        let patch: Value = (0..64).map(step).collect();
        let patch = Patch::from_value(patch.by_ref()).unwrap();
        let mut document = before.clone();
        // Ten million values are counted before the default limits are met.
        let limits = match from {
            "/a" => Limits::default(),
            _ => Limits::default().with_max_items(100_000),
        };
        refused(path, &[204], 8 * MIB, || {
            patch.apply_with(&mut document, &limits)
        });
        assert_eq!(document, before);
        assert_eq!(document.to_json(), before.to_json());
        refused(path, &[204], 8 * MIB, || {
            patch.invert_with(before.by_ref(), &limits)
        });
    }
}

#[test]
fn wildcards_of_wildcards_on_a_large_document() {
    // Half a million places, of which clones share the most.
    let document = (0..12).fold(value!(0), |inner, _| {
        value!([(inner.clone()), (inner.clone()), inner])
    });
    for text in [
        "$..*..*..*",
        "$..*..*..*..*",
        "$..[?count(@..*..*..*)<0]",
        "$..[?count($..*)<0]",
        "$..[?count($..*)==count(@..*)]",
    ] {
        let query = Query::parse(text).unwrap();
        let count = || query.count(document.by_ref());
        refused(text, &[204], 4 * MIB, count);
        // Every step may give a result.
        let many = query.clone().with_max_steps(1_000_000);
        refused(text, &[204], 64 * MIB, || many.select(document.by_ref()));
        let few = query.clone().with_max_steps(10_000);
        refused(text, &[204], MIB, || few.locate(document.by_ref()));
        let mut edited = document.clone();
        refused(text, &[204], MIB, || edited.set_all(&few, &Value::NULL));
        assert!(edited.by_ref().same(document.by_ref()));
    }
}

#[test]
fn regular_expressions_that_explode() {
    let text = "a".repeat(50_000) + "!";
    let document = value!([text.as_str()]);
    for pattern in [
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        "(.*)*x",
        "((a+)+)+b",
        "a*a*a*a*a*a*a*b",
    ] {
        let query = Query::parse(&format!("$[?match(@, '{pattern}')]")).unwrap();
        let found = within(pattern, 16 * MIB, || query.count(document.by_ref()));
        assert!(
            matches!(found, Ok(0) | Err(Error::Limit { .. })),
            "{found:?}"
        );
        let schema = Schema::compile(value!({ "items": { "pattern": pattern } }).by_ref()).unwrap();
        within(pattern, 32 * MIB, || schema.is_valid(document.by_ref()));
    }
    for pattern in [
        "(a{1000}){1000}",
        "((a{100}){100}){100}",
        "(\\\\p{L}{900}){900}",
    ] {
        // What is too large when compiled matches nothing, and says so.
        let query = within(pattern, 64 * MIB, || {
            Query::parse(&format!("$[?match(@, '{pattern}')]"))
        });
        if let Ok(query) = query {
            within(pattern, 16 * MIB, || {
                query.count(document.by_ref()).map_or(0, |found| found)
            });
        }
        let pattern = pattern.replace("\\\\", "\\");
        let source = value!({ "pattern": pattern.as_str() });
        refused(&pattern, &[204, 209], 128 * MIB, || {
            Schema::compile(source.by_ref())
        });
    }
}

#[test]
fn references_in_a_circle() {
    let instance = value!({ "a": [1, { "b": null }] });
    for source in [
        r##"{"$ref":"#"}"##,
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##,
        r##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##,
        r##"{"$dynamicAnchor":"a","anyOf":[{"$dynamicRef":"#a"},{"$dynamicRef":"#a"}]}"##,
        r##"{"not":{"$ref":"#"}}"##,
        r##"{"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"}}"##,
        r##"{"$id":"http://x/","$ref":"http://x/"}"##,
        r##"{"properties":{"a":{"$ref":"#/properties/a"}}}"##,
    ] {
        let source = Value::from_json(source).unwrap();
        match within("schema", 16 * MIB, || Schema::compile(source.by_ref())) {
            Ok(schema) => match within("schema", 64 * MIB, || schema.validate(instance.by_ref())) {
                Ok(()) => {}
                Err(error) => assert!([204, 209, 210].contains(&error.code()), "{error}"),
            },
            Err(error) => assert!([204, 209].contains(&error.code()), "{error}"),
        }
    }
}

#[test]
fn declared_lengths_are_not_believed_in_any_format() {
    let limits = Limits::unlimited();
    for major in [0x40u8, 0x60, 0x80, 0xA0] {
        for (bits, width) in [(25u8, 2), (26, 4), (27, 8)] {
            for first in [0xFF, 0x7F, 0x00] {
                let mut bytes = vec![major | bits, first];
                bytes.resize(1 + width, 0xFF);
                bytes.extend([0x01; 20]);
                refused("CBOR", &[204, 205, 211], MIB, || {
                    Value::from_cbor_with(&bytes, &limits)
                });
                // The same at every level.
                let levels = bytes
                    .iter()
                    .copied()
                    .take(1 + width)
                    .collect::<Vec<_>>()
                    .repeat(1000);
                refused("CBOR", &[204, 205, 211], 4 * MIB, || {
                    Value::from_cbor_with(&levels, &limits)
                });
            }
        }
    }
    for head in [&b"\xDB"[..], b"\xC6", b"\xDD", b"\xDF", b"\xC9"] {
        let mut bytes = head.to_vec();
        bytes.extend([0xFF; 40]);
        refused("MessagePack", &[201, 204, 205], MIB, || {
            Value::read_msgpack(&mut &bytes[..], &limits)
        });
    }
    let packed = value!([1, "a text of its own", { "k": 1.5 }])
        .to_packed_bytes()
        .unwrap();
    for word in 1..packed.len() / 8 {
        for filler in [0xFF, 0x7F] {
            let mut bytes = packed.clone();
            for byte in bytes.iter_mut().skip(8 * word).take(6) {
                *byte = filler;
            }
            let _ = within("packed", MIB, || Value::from_packed_bytes(&bytes, &limits));
        }
    }
}
