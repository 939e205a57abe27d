//! Merging and comparing two versions of one document that differ in 20 places.

use anyhow::{Result, ensure};
use serde_json::Value as Json;
use statewright_value::{Path, Value};

use super::Run;
use super::inputs::{Inputs, LARGE, json_mut, places};

const CHANGES: usize = 20;

/// The 1 MB document, and a version of it made by setting 20 places.
#[expect(dead_code, reason = "merge and diff are not there yet")]
struct Versions {
    before: Value,
    after: Value,
    json_before: Json,
    json_after: Json,
}

impl Versions {
    fn new(inputs: &Inputs) -> Result<Versions> {
        let text = inputs.text("1MB")?;
        let (before, json_before): (_, Json) =
            (Value::from_json(text)?, serde_json::from_slice(text)?);
        let (mut after, mut json_after) = (before.clone(), json_before.clone());
        let paths: Vec<Path> = places(LARGE, CHANGES);
        for path in &paths {
            after.set(path, Value::from(-7))?;
            if let Some(place) = json_mut(&mut json_after, path) {
                *place = Json::from(-7);
            }
        }
        ensure!(Value::from(&json_after) == after, "the versions differ");
        Ok(Versions {
            before,
            after,
            json_before,
            json_after,
        })
    }
}

/// One version merged deeply into the other.
pub fn merge(_run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let _versions = Versions::new(inputs)?;
    Ok(())
}

/// What has changed from one version to the other.
pub fn diff(_run: &mut Run<'_>, inputs: &Inputs) -> Result<()> {
    let _versions = Versions::new(inputs)?;
    Ok(())
}
