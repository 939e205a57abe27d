//! Automerge: the document as nested maps and lists, one commit a field (feature `crdt`).

use anyhow::{Context, Result};
use automerge::transaction::Transactable;
use automerge::{AutoCommit, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use serde_json::Value as Json;

use super::document::{Document, Place};

/// The document, in memory.
pub struct Automerge(AutoCommit);

impl Automerge {
    /// Takes the whole document in one commit.
    pub fn load(json: &Json) -> Result<Automerge> {
        let mut document = AutoCommit::new();
        for (key, value) in json.as_object().into_iter().flatten() {
            put(&mut document, &ROOT, key, value)?;
        }
        document.commit();
        Ok(Automerge(document))
    }

    /// The map that holds the field, and the field's key.
    fn holder<'p>(&self, place: &'p Place) -> Result<(ObjId, &'p str)> {
        let (last, above) = place.keys.split_last().context("no key")?;
        let mut map = ROOT;
        for key in above {
            map = self.0.get(&map, key.as_str())?.context("no map")?.1;
        }
        Ok((map, last))
    }
}

fn put(document: &mut AutoCommit, map: &ObjId, key: &str, json: &Json) -> Result<()> {
    match json {
        Json::Object(entries) => {
            let inner = document.put_object(map, key, ObjType::Map)?;
            let mut each = entries.iter();
            each.try_for_each(|(key, json)| put(document, &inner, key, json))
        }
        Json::Array(items) => {
            let inner = document.put_object(map, key, ObjType::List)?;
            items
                .iter()
                .try_for_each(|json| push(document, &inner, json))
        }
        other => Ok(document.put(map, key, scalar(other))?),
    }
}

fn push(document: &mut AutoCommit, list: &ObjId, json: &Json) -> Result<()> {
    let end = document.length(list);
    match json {
        Json::Object(entries) => {
            let inner = document.insert_object(list, end, ObjType::Map)?;
            let mut each = entries.iter();
            each.try_for_each(|(key, json)| put(document, &inner, key, json))
        }
        Json::Array(items) => {
            let inner = document.insert_object(list, end, ObjType::List)?;
            items
                .iter()
                .try_for_each(|json| push(document, &inner, json))
        }
        other => Ok(document.insert(list, end, scalar(other))?),
    }
}

fn scalar(json: &Json) -> ScalarValue {
    match json {
        Json::Bool(yes) => (*yes).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.as_str().into(),
        _ => ScalarValue::Null,
    }
}

impl Document for Automerge {
    fn name(&self) -> String {
        "Automerge".into()
    }

    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()> {
        for (place, number) in fields {
            let (map, key) = self.holder(place)?;
            self.0.put(&map, key, *number)?;
            self.0.commit();
        }
        Ok(())
    }

    fn get(&mut self, place: &Place) -> Result<i64> {
        let (map, key) = self.holder(place)?;
        let (value, _) = self.0.get(&map, key)?.context("no field")?;
        value.to_i64().context("no number")
    }
}
