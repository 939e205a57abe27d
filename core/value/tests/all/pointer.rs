//! Places as text: JSON Pointer, normalized paths, `path!`, and what paths say of each other.

use std::fs;

use proptest::prelude::*;
use serde_json::Value as Json;
use statewright_value::{Error, Key, MAX_DEPTH, Path, Pointer, Segment, Value, path, value};

use crate::suites::suite;

#[test]
fn what_a_pointer_sets_is_what_the_path_sets() {
    let doc = value!({ "list": [{ "a": 1 }], "text": "x", "0": {} });
    for (pointer, path) in [
        ("", "."),
        ("/text", ".text"),
        ("/new", ".new"),
        ("/new/a/b", ".new.a.b"),
        ("/list/0/a", ".list[0].a"),
        ("/list/0/b/c", ".list[0].b.c"),
        ("/list/1", ".list[1]"),
        ("/list/-", ".list[1]"),
        ("/list/-/a/b", ".list[1].a.b"),
        ("/0/1", r#"."0"."1""#),
        ("/7", r#"."7""#),
    ] {
        let pointer = Pointer::parse(pointer).unwrap();
        let found = pointer.resolve_to_set(doc.by_ref()).unwrap();
        assert_eq!(found, Path::parse(path).unwrap(), "{pointer}");
        doc.check_set(&found, &value!(1)).unwrap();
    }
    for pointer in [
        "/new/0",
        "/new/-",
        "/new/a/0/b",
        "/list/2",
        "/list/01",
        "/list/x",
        "/list/1/0",
        "/text/a",
    ] {
        let pointer = Pointer::parse(pointer).unwrap();
        assert!(pointer.resolve_to_set(doc.by_ref()).is_err(), "{pointer}");
    }
}

#[test]
fn the_cases_of_rfc_6901() {
    let Some(folder) = suite("json-pointer") else {
        return;
    };
    let text = fs::read(folder.join("rfc6901.json")).unwrap();
    let suite: Json = serde_json::from_slice(&text).unwrap();
    let document = Value::from(&suite["document"]);
    let doc = document.by_ref();
    for case in suite["string_form"].as_array().unwrap() {
        let text = case["pointer"].as_str().unwrap();
        let pointer = Pointer::parse(text).unwrap();
        let expected = Value::from(&case["expected"]);
        assert_eq!(pointer.get(doc), Some(expected.by_ref()), "{text}");
        assert_eq!(doc.pointer(text), Some(expected.by_ref()), "{text}");
        assert_eq!(pointer.to_string(), text);
        let path = pointer.resolve(doc).unwrap();
        assert_eq!(doc.at(&path), Some(expected.by_ref()), "{text}");
        assert_eq!(path.to_pointer(), text);
        assert_eq!(pointer.resolve_to_put(doc).unwrap(), path);
    }
    for case in suite["uri_fragment_form"].as_array().unwrap() {
        let text = case["fragment"].as_str().unwrap();
        let pointer = Pointer::parse(text).unwrap();
        let expected = Value::from(&case["expected"]);
        assert_eq!(pointer.get(doc), Some(expected.by_ref()), "{text}");
        assert_eq!(doc.pointer(text), Some(expected.by_ref()), "{text}");
        assert_eq!(pointer.to_fragment(), text);
    }
    for case in suite["errors"].as_array().unwrap() {
        let text = case["pointer"].as_str().unwrap();
        assert_eq!(doc.pointer(text), None, "{text}");
        let pointer = Pointer::parse(text);
        match case["kind"].as_str().unwrap() {
            "syntax-error" => assert_eq!(pointer.unwrap_err().code(), 202, "{text}"),
            _ => {
                let pointer = pointer.unwrap();
                assert_eq!(pointer.get(doc), None, "{text}");
                assert!(pointer.resolve(doc).is_err(), "{text}");
            }
        }
    }
    for case in suite["escape_order"].as_array().unwrap() {
        let text = format!("/{}", case["token"].as_str().unwrap());
        let pointer = Pointer::parse(&text).unwrap();
        let unescaped = case["unescaped"].as_str().unwrap();
        assert_eq!(pointer.tokens().collect::<Vec<_>>(), [unescaped]);
        assert_eq!(pointer.to_string(), text);
    }
}

#[test]
fn a_token_is_key_or_index_by_what_it_meets() {
    let doc = value!({ "0": "key", "list": ["item"], "-": "dash" });
    assert_eq!(doc.pointer("/0"), Some("key".into()));
    assert_eq!(doc.pointer("/list/0"), Some("item".into()));
    assert_eq!(doc.pointer("/-"), Some("dash".into()));
    let zero = Pointer::parse("/0").unwrap();
    assert_eq!(zero.resolve(doc.by_ref()).unwrap(), path!["0"]);
    assert_eq!(zero.resolve(value!([1]).by_ref()).unwrap(), path![0]);
}

#[test]
fn a_pointer_that_finds_nothing_says_why() {
    let doc = value!({ "list": [1, 2], "text": "x" });
    for (pointer, error) in [
        (
            "/nope/0",
            r#"invalid path `/nope/0` at character 2: the object at `.` has no key "nope""#,
        ),
        (
            "/list/2",
            "index 2 is out of range at `.list`: the array has 2 items",
        ),
        (
            "/list/01",
            "invalid path `/list/01` at character 7: an index of the array at `.list` is written in digits without \
             leading zeros, not \"01\"",
        ),
        (
            "/list/-",
            "invalid path `/list/-` at character 7: `-` is the place after the last item of the array at `.list`, \
             where something can be added but nothing is",
        ),
        ("/text/a", "expected object or array at `.text`, found text"),
    ] {
        let refused = Path::from_pointer(pointer, doc.by_ref()).unwrap_err();
        assert_eq!(refused.to_string(), error, "{pointer}");
    }
    for (pointer, position) in [
        ("a", 1),
        ("/a~", 3),
        ("/é/~2", 4),
        ("#/%2", 3),
        ("#/a b", 4),
        ("#/%FF", 2),
    ] {
        match Pointer::parse(pointer).unwrap_err() {
            Error::InvalidPath { position: at, .. } => assert_eq!(at, position, "{pointer}"),
            other => panic!("{other}"),
        }
    }
    let long = "/a".repeat(MAX_DEPTH + 1);
    assert_eq!(Pointer::parse(&long).unwrap_err().code(), 204);
}

#[test]
fn where_something_can_be_put() {
    let doc = value!({ "list": [1, 2], "text": "x" });
    let to_put = |pointer: &str| {
        Pointer::parse(pointer)
            .unwrap()
            .resolve_to_put(doc.by_ref())
    };
    assert_eq!(to_put("").unwrap(), Path::root());
    assert_eq!(to_put("/new").unwrap(), path!(new));
    assert_eq!(to_put("/-").unwrap(), path!["-"]);
    assert_eq!(to_put("/list/-").unwrap(), path!(list[2]));
    assert_eq!(to_put("/list/2").unwrap(), path!(list[2]));
    assert_eq!(to_put("/list/1").unwrap(), path!(list[1]));
    for pointer in ["/list/3", "/list/x", "/text/x", "/new/x", "/list/-/x"] {
        assert!(to_put(pointer).is_err(), "{pointer}");
    }
}

#[test]
fn parts_of_pointers() {
    let pointer = Pointer::root().token("a/b").token("0");
    assert_eq!(pointer.to_string(), "/a~1b/0");
    let (parent, last) = pointer.split_last().unwrap();
    assert_eq!((parent.to_string().as_str(), last), ("/a~1b", "0"));
    assert!(pointer.starts_with(&parent) && !parent.starts_with(&pointer));
    assert!(Pointer::root().is_root() && Pointer::root().split_last().is_none());
    assert_eq!(Pointer::from(&path!["a/b", 0]), pointer);
}

#[test]
fn the_path_macro() {
    let name = String::from("odd key");
    assert_eq!(path!(), Path::root());
    assert_eq!(path!(user), Path::root().key("user"));
    assert_eq!(path!(type.in), path!["type", "in"]);
    assert_eq!(path!(.user.tags[0]), Path::parse(".user.tags[0]").unwrap());
    assert_eq!(path!(user[name.as_str()]["x"]), path!["user", name, "x"]);
    let name = "odd key";
    assert_eq!(path![name, 0], path!["odd key", 0]);
    assert_eq!(path!["odd key", 0,], Path::root().key("odd key").index(0));
    assert_eq!(path![0], Path::root().index(0));
    assert_eq!(path!([0].id), Path::root().index(0).key("id"));
    assert_eq!(
        path![(Key::new("a")), (1 + 1)],
        Path::root().key("a").index(2)
    );
}

#[test]
fn what_paths_say_of_each_other() {
    let (user, tags, name) = (path!(user), path!(user.tags[0]), path!(user.name));
    assert!(
        user.is_ancestor_of(&tags) && !tags.is_ancestor_of(&user) && !user.is_ancestor_of(&user)
    );
    assert!(user.overlaps(&tags) && tags.overlaps(&user) && user.overlaps(&user));
    assert!(!tags.overlaps(&name) && Path::root().overlaps(&name));
    assert_eq!(tags.common_prefix(&name), user);
    assert_eq!(tags.relative_to(&user), Some(path!(tags[0])));
    assert_eq!(user.relative_to(&tags), None);
    assert_eq!(user.join(&path!(tags[0])), tags);
    assert_eq!(tags.last(), Some(&Segment::Index(0)));
    assert_eq!((tags.depth(), Path::root().last()), (3, None));
    let mut paths = vec![
        path![1],
        path!["b"],
        path!["a", 0],
        path![0],
        path!["a"],
        path!["a", 10],
        path!["a", 9],
    ];
    paths.sort();
    assert_eq!(
        paths,
        [
            path!["a"],
            path!["a", 0],
            path!["a", 9],
            path!["a", 10],
            path!["b"],
            path![0],
            path![1]
        ]
    );
}

#[test]
fn normalized_paths_are_exact() {
    for (path, text) in [
        (Path::root(), "$"),
        (path!["a", 3, "b"], "$['a'][3]['b']"),
        (path!["'\\\""], r#"$['\'\\"']"#),
        (
            path!["\u{8}\t\n\u{c}\r\u{b}\u{0}\u{1f}"],
            r"$['\b\t\n\f\r\u000b\u0000\u001f']",
        ),
        (path!["é☺/\u{7f}"], "$['é☺/\u{7f}']"),
    ] {
        assert_eq!(path.to_normalized(), text);
        assert_eq!(Path::from_normalized(text).unwrap(), path);
    }
    for (text, position) in [
        ("$.a", 2),
        (r#"$["a"]"#, 3),
        ("$[ 'a']", 3),
        (r"$['\u000B']", 9),
        (r"$['\u0061']", 4),
        (r"$['\/']", 4),
        ("$[-1]", 1),
        ("$[*]", 1),
        ("$['a'", 6),
        ("", 1),
    ] {
        match Path::from_normalized(text).unwrap_err() {
            Error::InvalidPath { position: at, .. } => assert_eq!(at, position, "{text}"),
            other => panic!("{other}"),
        }
    }
    let long = format!("${}", "[0]".repeat(MAX_DEPTH + 1));
    assert_eq!(Path::from_normalized(&long).unwrap_err().code(), 204);
}

fn segment() -> impl Strategy<Value = Segment> {
    prop_oneof![
        any::<String>().prop_map(Segment::from),
        r#"[~/'"\\\n -]{0,4}"#.prop_map(Segment::from),
        "[0-9]{1,3}".prop_map(Segment::from),
        any::<u32>().prop_map(|index| Segment::from(index as usize)),
    ]
}

proptest! {
    #[test]
    fn every_path_is_written_and_read_back(segments in prop::collection::vec(segment(), 0..6)) {
        let path: Path = segments.into_iter().collect();
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path.clone());
        prop_assert_eq!(Path::from_normalized(&path.to_normalized()).unwrap(), path.clone());
        let pointer = Pointer::from(&path);
        prop_assert_eq!(&Pointer::parse(&path.to_pointer()).unwrap(), &pointer);
        prop_assert_eq!(&Pointer::parse(&pointer.to_fragment()).unwrap(), &pointer);
        // A value in which the path leads somewhere, to tell keys from indexes.
        if path.segments().iter().all(|segment| !matches!(segment, Segment::Index(at) if *at > 3)) {
            let doc = path.segments().iter().rev().fold(value!("here"), |inner, segment| match segment {
                Segment::Key(key) => value!({ (key.as_str()): inner }),
                Segment::Index(at) => std::iter::repeat_n(inner, at + 1).collect(),
            });
            prop_assert_eq!(&Path::from_pointer(&path.to_pointer(), doc.by_ref()).unwrap(), &path);
            prop_assert_eq!(doc.pointer(&path.to_pointer()), Some(value!("here")));
        }
    }

    #[test]
    fn no_text_makes_a_pointer_panic(text in "[#/~%0-9a-fé -]{0,12}") {
        if let Ok(pointer) = Pointer::parse(&text) {
            prop_assert_eq!(Pointer::parse(&pointer.to_string()).unwrap(), pointer);
        }
    }
}
