//! Every op reads back; nothing that does not read back crashes.

use statewright_value::value;

use super::*;
use crate::run::{RunChange, RunStatus};

fn samples() -> Vec<Op> {
    let doc = |primitive| Doc {
        primitive,
        space: Space::parse("acme/app").unwrap(),
        key: "order-17".into(),
    };
    let path = Path::parse(".lines[2].price").unwrap();
    vec![
        Op::KvPut {
            space: Space::default(),
            key: vec![0, 255],
            value: value!({"a": [1, 2.5, null]}),
        },
        Op::KvDelete {
            space: Space::parse("a/b/c/d").unwrap(),
            key: b"k".to_vec(),
        },
        Op::DocCreate {
            doc: doc(Primitive::Json),
            value: value!({}),
        },
        Op::DocSet {
            doc: doc(Primitive::Flow),
            path: path.clone(),
            value: value!("x"),
        },
        Op::DocRemove {
            doc: doc(Primitive::Json),
            path,
        },
        Op::DocDrop {
            doc: doc(Primitive::Flow),
        },
    ]
    .into_iter()
    .chain(edits())
    .chain(others())
    .collect()
}

/// Every edit, of a key and of a document.
fn edits() -> Vec<Op> {
    let edits = vec![
        Edit::Add {
            by: value!(2.5),
            initial: value!(0),
        },
        Edit::Append {
            tail: value!("x"),
            separator: None,
        },
        Edit::Append {
            tail: value!("x"),
            separator: Some(value!(", ")),
        },
        Edit::Extend {
            items: value!([1, null]),
        },
        Edit::Insert { value: value!({}) },
        Edit::MoveItem { to: 300 },
        Edit::MergePatch {
            patch: value!({"a": null}),
        },
        Edit::DeepMerge {
            other: value!({"a": {"b": 1}}),
        },
        Edit::Relocate {
            to: Path::parse(".a[0]").unwrap(),
        },
    ];
    let of = |primitive| Doc {
        primitive,
        space: Space::default(),
        key: "d".into(),
    };
    let both = edits.into_iter().flat_map(|edit| {
        [
            Op::KvEdit {
                space: Space::default(),
                key: b"k".to_vec(),
                edit: edit.clone(),
            },
            Op::DocEdit {
                doc: of(Primitive::Cell),
                path: Path::parse(".x").unwrap(),
                edit,
            },
        ]
    });
    both.collect()
}

fn others() -> Vec<Op> {
    let space = Space::parse("a/b").unwrap();
    let run = |change| {
        Op::Run(Box::new(RunOp {
            space: Space::default(),
            id: "r1".into(),
            time: Timestamp::from_micros(-5),
            change,
        }))
    };
    let path = Path::parse(".m[1]").unwrap();
    vec![
        Op::KvPutUntil {
            space: space.clone(),
            key: b"k".to_vec(),
            value: value!(1),
            expires: Timestamp::from_micros(1 << 50),
        },
        Op::KvPurge {
            space: space.clone(),
            max: 1000,
        },
        Op::Event(EventAppend {
            space: space.clone(),
            stream: "s".into(),
            kind: "k".into(),
            payload: value!({"a": 1}),
            time: None,
        }),
        Op::Event(EventAppend {
            space: space.clone(),
            stream: "s".into(),
            kind: "k".into(),
            payload: value!({}),
            time: Some(Timestamp::from_micros(-7)),
        }),
        Op::Trace(Box::new(TraceRecord {
            space: space.clone(),
            id: "t".into(),
            parent: Some("p".into()),
            kind: "k".into(),
            tags: vec!["x".into(), "y".into()],
            time: Timestamp::from_micros(7),
            payload: value!([1]),
        })),
        run(RunChange::Create {
            parent: None,
            tags: vec!["x".into()],
            metadata: value!({}),
        }),
        run(RunChange::Status(RunStatus::Paused)),
        run(RunChange::Tag("x".into())),
        run(RunChange::Untag("x".into())),
        run(RunChange::Set(path.clone(), value!(1))),
        run(RunChange::Remove(path)),
        run(RunChange::Delete),
        Op::Space(SpaceOp::Delete {
            space: space.clone(),
        }),
        Op::Space(SpaceOp::Copy {
            from: space,
            to: Space::default(),
        }),
    ]
}

#[test]
fn a_commit_reads_back() {
    let mut bytes = Vec::new();
    encode_commit(41, &samples(), &mut bytes);
    assert_eq!(decode_commit(42, &bytes).unwrap(), samples());
}

#[test]
fn every_cut_and_every_wrong_byte_is_an_error_or_another_commit() {
    let mut bytes = Vec::new();
    encode_commit(41, &samples(), &mut bytes);
    for cut in 0..bytes.len() {
        assert!(matches!(
            decode_commit(1, &bytes[..cut]),
            Err(Error::Corrupt { version: 1, .. })
        ));
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            let _ = decode_commit(1, &bad); // must not crash or allocate without bound
        }
    }
}

#[test]
fn one_field_of_a_large_document_logs_about_the_path_and_the_value() {
    let op = samples().remove(3);
    let mut bytes = Vec::new();
    encode_commit(1, &[op], &mut bytes);
    assert!(bytes.len() < 50);
}
