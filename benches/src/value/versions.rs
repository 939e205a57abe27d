//! Two versions of the 1 MB document that differ in 20 places: merging them, and finding what differs.
//!
//! A version is made as programs make one: a clone is edited. For serde_json, which has neither, the peers are the
//! crate `json-patch` (diff, RFC 7396) and the recursions that its users write by hand (deep and three-way merge).
//! Merging leaves both versions as they are, and so begins with a clone on both sides.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;
use statewright_value::{Merge, Path, Value, diff, merge_diff, merge3};

use super::Run;
use super::inputs::{Inputs, LARGE, json_mut, places};
use crate::measure::Contender;
use crate::report::Target;

/// In how many places two versions differ.
const PLACES: usize = 20;

/// One version, for both sides.
struct Version {
    ours: Value,
    json: Json,
}

impl Version {
    fn edited(&self, paths: &[Path]) -> Result<Version> {
        let (mut ours, mut json) = (self.ours.clone(), self.json.clone());
        for (number, path) in (1000..).zip(paths) {
            ours.set(path, Value::from(number))?;
            *json_mut(&mut json, path).context("no such place")? = Json::from(number);
        }
        Ok(Version { ours, json })
    }
}

fn base(inputs: &Inputs) -> Result<Version> {
    let text = inputs.text("1MB")?;
    Ok(Version {
        ours: Value::from_json(text)?,
        json: serde_json::from_slice(text)?,
    })
}

/// One version merged into the other: by rules, by RFC 7396, and from a common ancestor.
pub fn merge(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let before = base(inputs)?;
    let after = before.edited(&places(LARGE, PLACES))?;
    let target = [Some(Target::ratio(100.0))];

    let how = Merge::deep();
    let ours = |into: &Value, from: &Value| -> Option<Value> {
        let mut merged = into.clone();
        merged.merge(from.by_ref(), &how).ok()?;
        Some(merged)
    };
    let peer = |into: &Json, from: &Json| -> Json {
        let mut merged = into.clone();
        merge_by_hand(&mut merged, from);
        merged
    };
    let merged = ours(&before.ours, &after.ours).context("no merge")?;
    ensure!(merged == Value::from(&peer(&before.json, &after.json)));
    let contenders = vec![
        Contender::prepared(
            "ours",
            || (),
            |()| ours(black_box(&before.ours), &after.ours),
        ),
        Contender::prepared(
            "serde_json, clone and merge by hand",
            || (),
            |()| peer(black_box(&before.json), &after.json),
        ),
    ];
    run.compare("merge/1MB, 20 places", contenders, &target);
    let contenders = vec![
        Contender::prepared(
            "ours",
            || before.ours.clone(),
            |mut merged| merged.merge(after.ours.by_ref(), &how).map(|()| merged),
        ),
        Contender::prepared(
            "serde_json, merge by hand",
            || before.json.clone(),
            |mut merged| {
                merge_by_hand(&mut merged, &after.json);
                merged
            },
        ),
    ];
    run.compare("merge/1MB, 20 places, in place", contenders, &[]);

    merge_patch(run, &before, &after)?;
    three_way(run, &before)
}

fn merge_patch(run: &mut Run<'_>, before: &Version, after: &Version) -> Result<()> {
    let patch = merge_diff(before.ours.by_ref(), after.ours.by_ref()).context("no patch")?;
    let json_patch = Json::from(patch.clone());
    let ours = |patch: &Value| -> Option<Value> {
        let mut patched = before.ours.clone();
        patched.merge_patch(patch.by_ref()).ok()?;
        Some(patched)
    };
    let peer = |patch: &Json| -> Json {
        let mut patched = before.json.clone();
        json_patch::merge(&mut patched, patch);
        patched
    };
    ensure!(ours(&patch).as_ref() == Some(&after.ours) && peer(&json_patch) == after.json);
    let contenders = vec![
        Contender::prepared("ours", || (), |()| ours(black_box(&patch))),
        Contender::prepared(
            "json-patch, clone and merge",
            || (),
            |()| peer(black_box(&json_patch)),
        ),
    ];
    let target = [Some(Target::ratio(100.0))];
    run.compare("merge/1MB, RFC 7396 patch of 20", contenders, &target);
    Ok(())
}

fn three_way(run: &mut Run<'_>, before: &Version) -> Result<()> {
    let places = places(LARGE, PLACES);
    let (left, right) = places.split_at(PLACES / 2);
    let (left, right) = (before.edited(left)?, before.edited(right)?);
    let ours = |base: &Value| merge3(base.by_ref(), left.ours.by_ref(), right.ours.by_ref()).ok();
    let peer = |base: &Json| {
        let mut merged = left.json.clone();
        merge3_by_hand(base, &mut merged, &right.json).then_some(merged)
    };
    let merged = ours(&before.ours).context("no merge")?.into_value()?;
    ensure!(peer(&before.json) == Some(Json::from(merged)));
    let contenders = vec![
        Contender::prepared("ours", || (), |()| ours(black_box(&before.ours))),
        Contender::prepared(
            "serde_json, clone and merge by hand",
            || (),
            |()| peer(black_box(&before.json)),
        ),
    ];
    let target = [Some(Target::ratio(100.0))];
    run.compare(
        "merge/1MB, three-way, 10 and 10 places",
        contenders,
        &target,
    );
    Ok(())
}

/// What differs between two versions, as a JSON Patch.
pub fn changes(run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    const PEER: &str = "json-patch";
    let before = base(inputs)?;
    let after = before.edited(&places(LARGE, PLACES))?;
    let compare = |run: &mut Run<'_>, name, ours: &Value, target: Option<Target>| -> Result<()> {
        let found = diff(before.ours.by_ref(), ours.by_ref());
        let expected = json_patch::diff(&before.json, &after.json);
        ensure!(found.len() == expected.len(), "{found:?}");
        let contenders = vec![
            Contender::prepared(
                "ours",
                || (),
                |()| diff(black_box(&before.ours).by_ref(), ours.by_ref()),
            ),
            Contender::prepared(
                PEER,
                || (),
                |()| json_patch::diff(black_box(&before.json), &after.json),
            ),
        ];
        run.compare(name, contenders, &[target]);
        Ok(())
    };
    let target = Some(Target::ratio(50.0));
    compare(run, "diff/1MB, 20 places", &after.ours, target)?;
    let apart = Value::from_json(after.ours.to_json())?;
    compare(run, "diff/1MB, 20 places, parsed apart", &apart, None)
}

/// What users of serde_json write: objects member by member, anything else is replaced.
fn merge_by_hand(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(key) {
                    Some(member) => merge_by_hand(member, value),
                    None => {
                        into.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (into, from) if into != from => *into = from.clone(),
        _ => {}
    }
}

/// The same from a common ancestor, as far as this comparison needs it: members and items that are there in all
/// three. False where both sides have changed one place.
fn merge3_by_hand(base: &Json, into: &mut Json, from: &Json) -> bool {
    match (base, into, from) {
        (Json::Object(base), Json::Object(into), Json::Object(from)) => {
            base.iter()
                .all(|(key, base)| match (into.get_mut(key), from.get(key)) {
                    (Some(into), Some(from)) => merge3_by_hand(base, into, from),
                    _ => false,
                })
        }
        (Json::Array(base), Json::Array(into), Json::Array(from)) => {
            let sides = into.iter_mut().zip(from);
            base.iter()
                .zip(sides)
                .all(|(base, (into, from))| merge3_by_hand(base, into, from))
        }
        (base, _, from) if base == from => true,
        (base, into, from) if base == into || into == from => {
            *into = from.clone();
            true
        }
        _ => false,
    }
}
