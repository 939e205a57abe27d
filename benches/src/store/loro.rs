//! Loro: the document as nested maps and lists, one commit a field (feature `crdt`).

use anyhow::{Context, Result, bail};
use loro::{Container, LoroDoc, LoroList, LoroMap, LoroValue, ValueOrContainer};
use serde_json::Value as Json;

use super::document::{Document, Place};

/// The document, in memory.
pub struct Loro(LoroDoc);

impl Loro {
    /// Takes the whole document in one commit.
    pub fn load(json: &Json) -> Result<Loro> {
        let document = LoroDoc::new();
        let root = document.get_map("root");
        for (key, value) in json.as_object().into_iter().flatten() {
            put(&root, key, value)?;
        }
        document.commit();
        Ok(Loro(document))
    }

    /// The map that holds the field, and the field's key.
    fn holder<'p>(&self, place: &'p Place) -> Result<(LoroMap, &'p str)> {
        let (last, above) = place.keys.split_last().context("no key")?;
        let mut map = self.0.get_map("root");
        for key in above {
            map = match map.get(key) {
                Some(ValueOrContainer::Container(Container::Map(inner))) => inner,
                _ => bail!("no map at {key}"),
            };
        }
        Ok((map, last))
    }
}

fn put(map: &LoroMap, key: &str, json: &Json) -> Result<()> {
    match json {
        Json::Object(entries) => {
            let inner = map.insert_container(key, LoroMap::new())?;
            entries
                .iter()
                .try_for_each(|(key, json)| put(&inner, key, json))
        }
        Json::Array(items) => {
            let inner = map.insert_container(key, LoroList::new())?;
            items.iter().try_for_each(|json| push(&inner, json))
        }
        scalar => Ok(map.insert(key, LoroValue::from(scalar.clone()))?),
    }
}

fn push(list: &LoroList, json: &Json) -> Result<()> {
    match json {
        Json::Object(entries) => {
            let inner = list.push_container(LoroMap::new())?;
            entries
                .iter()
                .try_for_each(|(key, json)| put(&inner, key, json))
        }
        Json::Array(items) => {
            let inner = list.push_container(LoroList::new())?;
            items.iter().try_for_each(|json| push(&inner, json))
        }
        scalar => Ok(list.push(LoroValue::from(scalar.clone()))?),
    }
}

impl Document for Loro {
    fn name(&self) -> String {
        "Loro".into()
    }

    fn set(&mut self, fields: &[(&Place, i64)]) -> Result<()> {
        for (place, number) in fields {
            let (map, key) = self.holder(place)?;
            map.insert(key, *number)?;
            self.0.commit();
        }
        Ok(())
    }

    fn get(&mut self, place: &Place) -> Result<i64> {
        let (map, key) = self.holder(place)?;
        match map.get(key) {
            Some(ValueOrContainer::Value(LoroValue::I64(number))) => Ok(number),
            _ => bail!("no number"),
        }
    }
}
