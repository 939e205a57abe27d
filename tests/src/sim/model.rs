//! The naive model: for every version a map of everything.

use std::collections::BTreeMap;

use statewright_log::Timestamp;
use statewright_store::Space;
use statewright_value::{Path, Value, value};

use super::more::{More, Parts};

/// The fields of a document that are written. The last two are inside an object.
pub const FIELDS: [&str; 4] = [".a", ".b", ".c.x", ".c.y"];

/// Where a number is: what the checker calls a key.
pub type Item = String;

/// Everything at one version. Values are numbers, each written once; [`value_of`] says what the store has for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Which version it is; of a transaction's own view, the one after its snapshot.
    pub version: u64,
    /// Space and key to value.
    pub kv: BTreeMap<(usize, String), u64>,
    /// Documents: the value of each field that is there.
    pub docs: BTreeMap<String, [Option<u64>; 4]>,
    /// Sums, to which is added.
    pub counters: BTreeMap<u64, u64>,
    /// Streams of events, each with a number.
    pub streams: BTreeMap<String, Vec<u64>>,
    /// Cells: the value, and the version that set it.
    pub cells: BTreeMap<String, (u64, u64)>,
    /// Everything else.
    pub parts: Parts,
}

/// One change, as the model makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a key.
    Put(usize, String, u64),
    /// Removes a key.
    Delete(usize, String),
    /// Makes or replaces a whole document.
    Whole(String, [Option<u64>; 4]),
    /// Sets a field.
    Set(String, usize, u64),
    /// Removes a field.
    Unset(String, usize),
    /// Removes a document.
    Drop(String),
    /// Adds to a counter.
    Add(u64, u64),
    /// Appends an event to a stream.
    Append(String, u64),
    /// Puts an event of another store at the end of a stream.
    Restore(String, u64),
    /// Sets a cell.
    Cell(String, u64),
    /// Removes a cell.
    CellDrop(String),
    /// Changes something else.
    More(More),
}

/// What a transaction looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A key.
    Kv(usize, String),
    /// Keys of a space from one up to another (not included).
    KvRange(usize, String, Option<String>),
    /// A field of a document.
    Field(String, usize),
    /// A document.
    Doc(String),
    /// Documents from one up to another (not included).
    DocRange(String, Option<String>),
    /// A counter.
    Counter(u64),
    /// The end of a stream.
    End(String),
    /// A cell.
    Cell(String),
    /// A part of everything else.
    Part(String),
    /// All parts of a kind.
    Kind(String),
}

impl State {
    /// Makes a change.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(space, key, n) => {
                self.kv.insert((*space, key.clone()), *n);
            }
            Change::Delete(space, key) => {
                self.kv.remove(&(*space, key.clone()));
            }
            Change::Whole(doc, fields) => {
                self.docs.insert(doc.clone(), *fields);
            }
            Change::Set(doc, field, n) => {
                if let Some(slot) = self.field(doc, *field) {
                    *slot = Some(*n);
                }
            }
            Change::Unset(doc, field) => {
                if let Some(slot) = self.field(doc, *field) {
                    *slot = None;
                }
            }
            Change::Drop(doc) => {
                self.docs.remove(doc);
            }
            Change::Add(counter, by) => *self.counters.entry(*counter).or_default() += by,
            Change::Append(stream, n) | Change::Restore(stream, n) => {
                self.streams.entry(stream.clone()).or_default().push(*n);
            }
            Change::Cell(cell, n) => {
                self.cells.insert(cell.clone(), (*n, self.version));
            }
            Change::CellDrop(cell) => {
                self.cells.remove(cell);
            }
            Change::More(change) => self.parts.apply(change),
        }
    }

    /// The state that these changes make of it.
    #[must_use]
    pub fn after(&self, changes: &[Change]) -> State {
        let mut next = self.clone();
        next.version += 1;
        changes.iter().for_each(|change| next.apply(change));
        next
    }

    /// Whether `found` is what may be found of it when the clock has shown at least `low` and at most `high`.
    #[must_use]
    pub fn agrees(&self, found: &State, low: i64, high: i64) -> bool {
        let rest = |state: &State| State {
            parts: Parts::default(),
            ..state.clone()
        };
        found.parts.agrees(&self.parts, low, high) && rest(found) == rest(self)
    }

    fn field(&mut self, doc: &str, field: usize) -> Option<&mut Option<u64>> {
        self.docs.get_mut(doc)?.get_mut(field)
    }
}

impl Change {
    /// Whether somebody who looked there would have to look again.
    #[must_use]
    pub fn touches(&self, seen: &Seen) -> bool {
        let doc = match self {
            Change::Put(space, key, _) | Change::Delete(space, key) => {
                return match seen {
                    Seen::Kv(s, k) => s == space && k == key,
                    Seen::KvRange(s, from, to) => s == space && within(key, from, to.as_ref()),
                    _ => false,
                };
            }
            Change::More(change) => {
                let part = change.part();
                return match seen {
                    Seen::Part(seen) => *seen == part,
                    Seen::Kind(kind) => part.starts_with(kind),
                    _ => false,
                };
            }
            Change::Add(counter, _) => return *seen == Seen::Counter(*counter),
            Change::Append(stream, _) | Change::Restore(stream, _) => {
                return *seen == Seen::End(stream.clone());
            }
            Change::Cell(cell, _) | Change::CellDrop(cell) => {
                return *seen == Seen::Cell(cell.clone());
            }
            Change::Whole(doc, _) | Change::Drop(doc) => doc,
            Change::Set(doc, field, _) | Change::Unset(doc, field) => {
                if let Seen::Field(d, f) = seen {
                    return d == doc && f == field;
                }
                doc
            }
        };
        match seen {
            Seen::Field(d, _) | Seen::Doc(d) => d == doc,
            Seen::DocRange(from, to) => within(doc, from, to.as_ref()),
            _ => false,
        }
    }

    /// Whether two transactions cannot both make these changes: they overlap and do not commute.
    #[must_use]
    pub fn conflicts(&self, other: &Change) -> bool {
        if let (Change::More(one), Change::More(other)) = (self, other) {
            return one.conflicts(other);
        }
        let commute = matches!(
            (self, other),
            (Change::Add(..), Change::Add(..)) | (Change::Append(..), Change::Append(..))
        );
        !commute && self.touches(&other.place())
    }

    /// The place it writes to.
    #[must_use]
    pub fn place(&self) -> Seen {
        match self {
            Change::Put(space, key, _) | Change::Delete(space, key) => {
                Seen::Kv(*space, key.clone())
            }
            Change::Whole(doc, _) | Change::Drop(doc) => Seen::Doc(doc.clone()),
            Change::Set(doc, field, _) | Change::Unset(doc, field) => {
                Seen::Field(doc.clone(), *field)
            }
            Change::Add(counter, _) => Seen::Counter(*counter),
            Change::Append(stream, _) | Change::Restore(stream, _) => Seen::End(stream.clone()),
            Change::Cell(cell, _) | Change::CellDrop(cell) => Seen::Cell(cell.clone()),
            Change::More(change) => Seen::Part(change.part()),
        }
    }

    /// What it writes, item by item. A document's existence is an item of its own.
    #[must_use]
    pub fn items(&self, unique: impl Fn() -> u64) -> Vec<(Item, Option<u64>)> {
        let fields = |doc: &str, fields: [Option<u64>; 4]| {
            let names = (0..FIELDS.len()).map(|i| field_item(doc, i));
            names.zip(fields).collect::<Vec<_>>()
        };
        match self {
            Change::Put(space, key, n) => vec![(kv_item(*space, key), Some(*n))],
            Change::Delete(space, key) => vec![(kv_item(*space, key), None)],
            Change::Whole(doc, values) => {
                let mut items = fields(doc, *values);
                items.push((doc_item(doc), Some(unique())));
                items
            }
            Change::Set(doc, field, n) => vec![(field_item(doc, *field), Some(*n))],
            Change::Unset(doc, field) => vec![(field_item(doc, *field), None)],
            Change::Drop(doc) => {
                let mut items = fields(doc, [None; 4]);
                items.push((doc_item(doc), None));
                items
            }
            // Sums have no unique values, and what is appended has no place of its own before it is committed: these
            // are compared with the model alone.
            Change::Add(..) | Change::Append(..) | Change::Restore(..) | Change::More(_) => {
                Vec::new()
            }
            Change::Cell(cell, n) => vec![(cell_item(cell), Some(*n))],
            Change::CellDrop(cell) => vec![(cell_item(cell), None)],
        }
    }
}

fn within(key: &str, from: &str, to: Option<&String>) -> bool {
    key >= from && to.is_none_or(|to| key < to.as_str())
}

/// The checker's name of a key.
#[must_use]
pub fn kv_item(space: usize, key: &str) -> Item {
    format!("kv{space}/{key}")
}

/// The checker's name of a document's existence.
#[must_use]
pub fn doc_item(doc: &str) -> Item {
    format!("doc/{doc}")
}

/// The checker's name of a field.
#[must_use]
pub fn field_item(doc: &str, field: usize) -> Item {
    format!(
        "field/{doc}{}",
        FIELDS.get(field).copied().unwrap_or_default()
    )
}

/// The checker's name of a cell.
#[must_use]
pub fn cell_item(cell: &str) -> Item {
    format!("cell/{cell}")
}

/// When an event that is restored happened.
#[must_use]
pub fn time_of(n: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The space of the counters.
#[must_use]
pub fn numbers() -> Space {
    Space::parse("t/n").unwrap_or_default()
}

/// The key of a counter.
#[must_use]
pub fn counter_key(counter: u64) -> String {
    format!("n{counter}")
}

/// The path of a field.
#[must_use]
pub fn field_path(field: usize) -> Path {
    let text = FIELDS.get(field).copied().unwrap_or(".");
    Path::parse(text).unwrap_or_default()
}

/// What the store holds for a number: the number itself, or an object with it and some text, now and then a lot.
#[must_use]
pub fn value_of(n: u64) -> Value {
    let pad = match n % 16 {
        0..=7 => return value!(n),
        8..=12 => n % 40,
        13..=14 => 100 + n % 400,
        _ => 1000 + n % 2000,
    };
    let text = "x".repeat(pad as usize);
    value!({"n": n, "p": text})
}

/// The number in a value that [`value_of`] made.
#[must_use]
pub fn number_in(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.get("n")?.as_u64())
}

/// What the store holds for a document.
#[must_use]
pub fn doc_value(fields: &[Option<u64>; 4]) -> Value {
    let [a, b, x, y] = fields.map(|n| n.map(value_of));
    let object = |entries: [(&str, Option<Value>); 2]| -> Value {
        let there = entries.into_iter().filter_map(|(key, v)| Some((key, v?)));
        there.collect()
    };
    let inner = object([("x", x), ("y", y)]);
    let outer = [("a", a), ("b", b), ("c", Some(inner))];
    let there = outer.into_iter().filter_map(|(key, v)| Some((key, v?)));
    there.collect()
}

/// The numbers in a document, field by field.
#[must_use]
pub fn numbers_in(doc: &Value) -> [Option<u64>; 4] {
    let mut numbers = [None; 4];
    for (field, number) in numbers.iter_mut().enumerate() {
        *number = doc.at(&field_path(field)).as_ref().and_then(number_in);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_again_in_values() {
        for n in 1..100 {
            assert_eq!(number_in(&value_of(n)), Some(n));
        }
        for fields in [
            [None; 4],
            [Some(1), None, Some(3), None],
            [Some(9), Some(15), Some(31), Some(4)],
        ] {
            assert_eq!(numbers_in(&doc_value(&fields)), fields);
        }
    }

    #[test]
    fn siblings_do_not_touch_each_other_and_ancestors_do() {
        let set = Change::Set("d".into(), 0, 1);
        assert!(set.touches(&Seen::Field("d".into(), 0)));
        assert!(!set.touches(&Seen::Field("d".into(), 1)));
        assert!(set.touches(&Seen::Doc("d".into())));
        assert!(set.touches(&Seen::DocRange("a".into(), None)));
        assert!(!set.touches(&Seen::DocRange("a".into(), Some("d".into()))));
        assert!(Change::Drop("d".into()).touches(&Seen::Field("d".into(), 2)));
        assert!(!Change::Put(0, "d".into(), 1).touches(&Seen::Doc("d".into())));
        let add = Change::Add(1, 5);
        assert!(!add.conflicts(&Change::Add(1, 6)) && add.touches(&Seen::Counter(1)));
    }
}
