//! Changing a document, with and without somebody who still holds the version before.

use std::hint::black_box;

use anyhow::{Context, Result};
use serde_json::{Map, Value as Json};
use statewright_value::{Key, Path, Value};

use super::Run;
use super::inputs::{Inputs, LARGE, json_mut, places};
use crate::measure::{Clock, Contender, Time};
use crate::report::Target;

const SERDE_JSON: &str = "serde_json";

/// One more handle on a value of any size. A thousand are made into a buffer; dropping them is not counted.
pub fn clone(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    const MANY: usize = 1000;
    // What one reference-count increment costs on this machine: no clone of anything shared is cheaper.
    const BARE: &str = "a bare Arc";
    let bare = std::sync::Arc::new(());
    let parsed = Value::from_json(inputs.text("1MB")?)?;
    let mut edited = parsed.clone();
    for path in places(LARGE, 20) {
        edited.set(&path, Value::from(7))?;
    }
    let customer = Path::root().key("users").key("u000700");
    let customer = parsed.at(&customer).context("no such customer")?;
    let long = "a text that is too long to be kept in the handle itself";
    let cases = [
        ("1MB document", parsed),
        ("1MB document, edited", edited),
        ("one customer of it", customer),
        ("integer", Value::from(17)),
        ("short text", Value::from("short")),
        ("long text", Value::from(long)),
        ("long bytes", Value::bytes(long.as_bytes())),
    ];
    for (name, ours) in &cases {
        let json = Json::from(ours.clone());
        let many = if ours.len() > 1 && json.is_object() {
            1
        } else {
            MANY
        };
        let mut buffer = Vec::with_capacity(MANY);
        let mut peer_buffer = Vec::with_capacity(MANY);
        let mut bare_buffer = Vec::with_capacity(MANY);
        let contenders = vec![
            Contender::timing("ours", || fill(&mut buffer, ours, MANY)).each_of(MANY),
            Contender::timing(SERDE_JSON, || fill(&mut peer_buffer, &json, many)).each_of(many),
            Contender::timing(BARE, || fill(&mut bare_buffer, &bare, MANY)).each_of(MANY),
        ];
        let target = [Some(Target::ours(5.0))];
        run.compare(&format!("clone/{name}"), contenders, &target);
    }
    Ok(())
}

/// The time of `count` clones, kept until it has been taken.
fn fill<T: Clone>(buffer: &mut Vec<T>, value: &T, count: usize) -> Time {
    let start = Clock::now();
    buffer.extend((0..count).map(|_| black_box(value).clone()));
    let time = start.elapsed(1);
    buffer.clear();
    time
}

/// Sets one of 1024 places in turn, four or seven steps deep, in the 1 MB document.
pub fn set(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    const KEPT: usize = 64;
    let text = inputs.text("1MB")?;
    let paths = places(LARGE, 1024);
    let mut turns = (0..).zip(paths.iter().cycle());
    let mut peer_turns = (0..).zip(paths.iter().cycle());
    let json: Json = serde_json::from_slice(text)?;

    let mut ours = Value::from_json(text)?;
    let mut snapshots = vec![ours.clone(); KEPT];
    let mut peer = json.clone();
    let mut snapshot = Json::Null;
    let contenders = vec![
        Contender::new("ours", || {
            let (turn, path) = turns.next()?;
            *snapshots.get_mut(turn % KEPT)? = ours.clone();
            ours.set(path, Value::from(turn)).ok()
        }),
        // The peer keeps one: 64 would be 400 MB, and slower still.
        Contender::new("serde_json, clone and set", || {
            let (turn, path) = peer_turns.next()?;
            snapshot = peer.clone();
            *json_mut(&mut peer, path)? = Json::from(turn);
            Some(())
        }),
    ];
    let target = Target::ratio(3000.0).and(Target::ours(2000.0));
    run.compare("set/1MB, keeping each version", contenders, &[Some(target)]);
    drop(snapshots);
    drop(snapshot);

    let mut ours = Value::from_json(text)?;
    let mut peer = json.clone();
    let contenders = vec![
        Contender::new("ours", || {
            let (turn, path) = turns.next()?;
            ours.set(path, Value::from(turn)).ok()
        }),
        Contender::new("serde_json, in place", || {
            let (turn, path) = peer_turns.next()?;
            *json_mut(&mut peer, path)? = Json::from(turn);
            Some(())
        }),
    ];
    run.compare("set/1MB, keeping none", contenders, &[]);

    let ours = Value::from_json(text)?;
    let contenders = vec![
        Contender::prepared(
            "ours",
            || ours.clone(),
            |mut copy| {
                let (turn, path) = turns.next()?;
                copy.set(path, Value::from(turn)).ok()?;
                Some(copy)
            },
        ),
        Contender::prepared(
            "serde_json, clone and set",
            || (),
            |()| {
                let (turn, path) = peer_turns.next()?;
                let mut copy = json.clone();
                *json_mut(&mut copy, path)? = Json::from(turn);
                Some(copy)
            },
        ),
    ];
    run.compare("set/1MB, the first after parsing", contenders, &[]);
    Ok(())
}

/// How often a container is added to.
const ADDED: usize = 1000;

/// Appends 1000 integers to an empty array: with a snapshot after each, and without.
pub fn push(run: &mut Run<'_>, _: &Inputs) -> Result<()> {
    let contenders = vec![
        Contender::prepared("ours", Value::array, |mut array| {
            let mut snapshot = Value::NULL;
            for item in 0..ADDED {
                array.push(Value::from(item)).ok()?;
                snapshot = array.clone();
            }
            Some((array, snapshot))
        }),
        Contender::prepared("serde_json, clone after each", Vec::new, |mut array| {
            let mut snapshot = Vec::new();
            for item in 0..ADDED {
                array.push(Json::from(item));
                snapshot = black_box(array.clone());
            }
            (array, snapshot)
        }),
    ];
    let target = [Some(Target::ratio(15.0))];
    run.compare("push/1000, a snapshot after each", contenders, &target);

    let contenders = vec![
        Contender::prepared("ours", Value::array, |mut array| {
            for item in 0..ADDED {
                array.push(Value::from(item)).ok()?;
            }
            Some(array)
        }),
        Contender::prepared("serde_json, in place", Vec::new, |mut array| {
            for item in 0..ADDED {
                array.push(Json::from(item));
            }
            array
        }),
    ];
    let target = [Some(Target::ratio(1.0 / 1.5))];
    run.compare("push/1000, no snapshots", contenders, &target);
    Ok(())
}

/// Inserts 1000 keys into an empty object: with a snapshot after each, and without.
pub fn insert(run: &mut Run<'_>, _: &Inputs) -> Result<()> {
    let keys: Vec<String> = (0..ADDED)
        .map(|at| format!("key_{:04}", (at * 7919) % ADDED))
        .collect();
    let contenders = vec![
        Contender::prepared("ours", Value::object, |mut object| {
            let mut snapshot = Value::NULL;
            for key in &keys {
                object.insert(key.as_str(), Value::from(1)).ok()?;
                snapshot = object.clone();
            }
            Some((object, snapshot))
        }),
        Contender::prepared("serde_json, clone after each", Map::new, |mut object| {
            let mut snapshot = Map::new();
            for key in &keys {
                object.insert(key.clone(), Json::from(1));
                snapshot = black_box(object.clone());
            }
            (object, snapshot)
        }),
    ];
    let target = [Some(Target::ratio(20.0))];
    run.compare("insert/1000, a snapshot after each", contenders, &target);

    let contenders = vec![
        Contender::prepared("ours", Value::object, |mut object| {
            for key in &keys {
                object.insert(key.as_str(), Value::from(1)).ok()?;
            }
            Some(object)
        }),
        Contender::prepared("serde_json, in place", Map::new, |mut object| {
            for key in &keys {
                object.insert(key.clone(), Json::from(1));
            }
            object
        }),
    ];
    let target = [Some(Target::ratio(1.0 / 1.5))];
    run.compare("insert/1000, no snapshots", contenders, &target);

    let shared: Vec<Key> = keys.iter().map(|key| Key::from(key.as_str())).collect();
    let contenders = vec![
        Contender::prepared("ours", Value::object, |mut object| {
            for key in &shared {
                object.insert(key.clone(), Value::from(1)).ok()?;
            }
            Some(object)
        }),
        Contender::prepared("serde_json, in place", Map::new, |mut object| {
            for key in &keys {
                object.insert(key.clone(), Json::from(1));
            }
            object
        }),
    ];
    run.compare("insert/1000, no snapshots, made keys", contenders, &[]);
    Ok(())
}
