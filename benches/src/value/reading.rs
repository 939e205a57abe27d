//! Looking into a document: compiled paths, pointers, JSONPath.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use serde_json_path::JsonPath;
use statewright_value::{Path, Query, Segment, Value};

use super::inputs::{Inputs, LARGE, places};
use super::{Means, Run};
use crate::measure::Contender;
use crate::memory::counted;
use crate::report::{Row, Target};

const CHAIN: &str = "serde_json, chain of indexes";
const POINTER: &str = "serde_json, pointer()";

/// One place by a compiled path.
#[expect(
    clippy::indexing_slicing,
    reason = "indexing a serde_json value gives null for what is not there, and is what is measured"
)]
pub fn path(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    // With one key a level, serde_json's map compares instead of hashing: a case of its own.
    let one_key = json!({"a": {"b": {"c": 1}}});
    let four_keys = json!({"id": 1, "a": {"id": 2, "b": {"id": 3, "c": 1, "d": 2, "e": 3},
        "c": 2, "d": 3}, "b": 2, "c": 3});
    for (name, json, target) in [
        ("path/$.a.b.c", four_keys, Some(Target::ratio(1.0))),
        (
            "path/$.a.b.c, one key a level",
            one_key,
            Some(Target::ratio(1.0)),
        ),
    ] {
        let ours = Value::from_json(json.to_string())?;
        let path = Path::parse(".a.b.c")?;
        let contenders = vec![
            Contender::new("ours", || black_box(&ours).by_ref().at(black_box(&path))),
            Contender::new(CHAIN, || &black_box(&json)["a"]["b"]["c"]),
            Contender::new(POINTER, || black_box(&json).pointer(black_box("/a/b/c"))),
        ];
        run.compare(name, contenders, &[target]);
    }

    let text = inputs.text("twitter")?;
    let json: Json = serde_json::from_slice(text)?;
    let ours = Value::from_json(text)?;
    let path = Path::parse(".statuses[50].user.screen_name")?;
    let pointer = "/statuses/50/user/screen_name";
    let found = ours.by_ref().at(&path).and_then(|name| name.as_str());
    ensure!(
        found.is_some() && found == json.pointer(pointer).and_then(Json::as_str),
        "found {found:?} at {path}"
    );
    let contenders = vec![
        Contender::new("ours", || {
            black_box(&ours)
                .by_ref()
                .at(black_box(&path))
                .and_then(|name| name.as_str())
        }),
        Contender::new(CHAIN, || {
            black_box(&json)["statuses"][50]["user"]["screen_name"].as_str()
        }),
        Contender::new(POINTER, || {
            black_box(&json)
                .pointer(black_box(pointer))
                .and_then(Json::as_str)
        }),
    ];
    let targets = [Some(Target::ratio(1.0)), Some(Target::ratio(5.0))];
    run.compare("path/$.statuses[50].user.screen_name", contenders, &targets);
    large(run, inputs)
}

/// Many places of the large document in turn, so that neither caches nor branch prediction know them.
fn large(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let text = inputs.text("1MB")?;
    let json: Json = serde_json::from_slice(text)?;
    let ours = Value::from_json(text)?;
    let paths = places(LARGE, 1024);
    let pointers: Vec<String> = paths.iter().map(pointer_of).collect();
    let (mut next, mut peer_next) = (paths.iter().cycle(), pointers.iter().cycle());
    for (path, pointer) in paths.iter().zip(&pointers) {
        let found = ours.by_ref().at(path).and_then(|value| value.as_i64());
        let expected = json.pointer(pointer).context("no such place")?;
        ensure!(found == expected.as_i64(), "found {found:?} at {path}");
    }
    let contenders = vec![
        Contender::new("ours", || {
            next.next()
                .and_then(|path| black_box(&ours).by_ref().at(path))
        }),
        Contender::new(POINTER, || {
            peer_next
                .next()
                .and_then(|pointer| black_box(&json).pointer(pointer))
        }),
    ];
    run.compare("path/1MB, 1024 places in turn", contenders, &[]);
    Ok(())
}

fn pointer_of(path: &Path) -> String {
    path.segments()
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => format!("/{}", &**key),
            Segment::Index(at) => format!("/{at}"),
        })
        .collect()
}

/// JSONPath queries of the twitter document, compiled: what no path can do. The first ones filter.
const QUERIES: &[&str] = &[
    "$.statuses[?@.retweet_count > 10].user.screen_name",
    "$.statuses[?@.user.followers_count > 1000 && @.lang == 'ja'].id",
    "$.statuses[?@.entities.hashtags[0]].text",
    "$..[?@.screen_name == 'thetabot']",
    "$..[?length(@.text) > 100].id",
    "$.statuses[*].user.screen_name",
    "$.statuses[::7].id",
    "$..id",
];

/// JSONPath, compiled, every result as a borrowed value.
pub fn query(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    const PEER: &str = "serde_json_path, compiled";
    let text = inputs.text("twitter")?;
    let json: Json = serde_json::from_slice(text)?;
    let ours = Value::from_json(text)?;
    let mut means = Means::default();
    for text in QUERIES {
        let query = Query::parse(text)?;
        let peer = JsonPath::parse(text)?;
        let found = query.select(ours.by_ref())?;
        let expected = peer.query(&json).all();
        ensure!(
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(found, expected)| *found == Value::from(*expected).by_ref()),
            "{text} selects something else"
        );
        let contenders = vec![
            Contender::new("ours", || {
                black_box(&query).select(black_box(&ours).by_ref())
            }),
            Contender::new(PEER, || black_box(&peer).query(black_box(&json)).all()),
        ];
        let target = [Some(Target::ratio(1.0))];
        means.add(run.compare(&format!("query/{text}"), contenders, &target));
    }
    means.rows(run, "query/geometric mean", |_| Some(Target::ratio(1.0)))?;
    one_place(run, &ours, &json)
}

/// A query that selects at most one place, compiled.
fn one_place(run: &mut Run<'_>, ours: &Value, json: &Json) -> Result<()> {
    let text = "$.statuses[50].user.screen_name";
    let query = Query::parse(text)?;
    let path = JsonPath::parse(text)?;
    let pointer = "/statuses/50/user/screen_name";
    let contenders = vec![
        Contender::new("ours", || black_box(&query).first(black_box(ours).by_ref())),
        Contender::new(POINTER, || black_box(json).pointer(black_box(pointer))),
        Contender::new("serde_json_path, compiled", || {
            black_box(&path).query(black_box(json)).first()
        }),
    ];
    let targets = [Some(Target::ratio(5.0)), Some(Target::ratio(1.0))];
    run.compare(&format!("query/{text} (first)"), contenders, &targets);
    Ok(())
}

/// What asks for memory, and must not: get, clone, compiled query.
pub fn allocations(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let text = inputs.text("twitter")?;
    let json: Json = serde_json::from_slice(text)?;
    let ours = Value::from_json(text)?;
    let place = ".statuses[50].user.screen_name";
    let (path, query) = (Path::parse(place)?, Query::parse(&format!("${place}"))?);
    let peer = JsonPath::parse(&format!("${place}"))?;
    let pointer = "/statuses/50/user/screen_name";

    let (found, get) = counted(|| ours.by_ref().at(&path));
    let (expected, peer_get) = counted(|| json.pointer(pointer));
    ensure!(found.and_then(|name| name.as_str()) == expected.and_then(Json::as_str));
    let (copy, clone) = counted(|| ours.clone());
    let (peer_copy, peer_clone) = counted(|| json.clone());
    drop((copy, peer_copy));
    let (first, queried) = counted(|| query.first(ours.by_ref()));
    let (peer_first, peer_queried) = counted(|| peer.query(&json).first());
    ensure!(first?.is_some() && peer_first.is_some());
    for (name, ours, theirs, who) in [
        ("get", get, peer_get, POINTER),
        ("clone", clone, peer_clone, "serde_json"),
        ("query", queried, peer_queried, "serde_json_path, compiled"),
    ] {
        let name = format!("allocations/{name} twitter");
        if run.wants(&name) {
            let [ours, theirs] = [ours, theirs].map(|counted| counted.allocations as f64);
            let row = Row::allocations(format!("value/{name}"), ours, theirs, who);
            run.emit(row.with_target(Some(Target::ours(0.0))));
        }
    }
    Ok(())
}
