//! Typed JSON: a form of plain JSON in which every kind reads back.
//!
//! | kind | in typed JSON |
//! | --- | --- |
//! | null, boolean, integer, float, text, array, object | as in plain JSON |
//! | bytes | `{"$bytes":"<base64>"}` (RFC 4648, padded) |
//! | decimal | `{"$decimal":"12.50"}` |
//! | date, time | `{"$date":"2024-05-01"}`, `{"$time":"12:30:00"}` (ISO 8601) |
//! | datetime | `{"$datetime":"2024-05-01T12:30:00+02:00"}` (RFC 3339) |
//! | duration | `{"$duration":"PT1H30M"}` (ISO 8601) |
//! | file | `{"$file":{"name":…,"media_type":…,"size":…,"hash":…,"location":…}}` |
//!
//! An object that has just one entry, and a key from this table behind one or more `$`, is written with one
//! more `$`, and one fewer is read: the object `{"$date":5}` is `{"$$date":5}`. Nothing else is escaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::extended::Extended;
use crate::json::{BYTES_KEY, bytes_to_base64};
use crate::value::Repr;
use crate::value_ref::{Entries, Items};
use crate::{Error, File, JsonText, Key, Kind, Limits, Path, Result, Segment, Value, ValueRef};

/// The name of a kind in typed JSON, behind its `$`. None for the kinds of plain JSON.
fn name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Bytes
        | Kind::Decimal
        | Kind::Date
        | Kind::Time
        | Kind::DateTime
        | Kind::Duration
        | Kind::File => Some(kind.name()),
        _ => None,
    }
}

/// The kind that a key stands for behind its last `$`, and how many `$` more it has.
fn reserved(key: &str) -> Option<(Kind, usize)> {
    let rest = key.trim_start_matches('$');
    let kind = match rest {
        "bytes" => Kind::Bytes,
        "decimal" => Kind::Decimal,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "datetime" => Kind::DateTime,
        "duration" => Kind::Duration,
        "file" => Kind::File,
        _ => return None,
    };
    Some((kind, (key.len() - rest.len()).checked_sub(1)?))
}

/// The longest key of this form, `media_type` in a file, in bytes.
const LONGEST_KEY: usize = 10;

/// No decimal, date, time, datetime, duration or hash has a longer text, in bytes.
const LONGEST_TEXT: usize = 80;

/// Typed JSON.
impl Value {
    /// Prints JSON in which every kind reads back with [`Value::from_typed_json`]: what plain JSON lacks is
    /// an object with one key, such as `{"$decimal":"12.50"}`, `{"$bytes":"…"}`, `{"$date":"2024-05-01"}`;
    /// and an object that looks like one gets a second `$`. O(size).
    ///
    /// ```
    /// # use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let value = value!({ "price": (Value::decimal("12.50")?), "other": { "$date": 5 } });
    /// let typed = value.to_typed_json();
    /// assert_eq!(typed, r#"{"price":{"$decimal":"12.50"},"other":{"$$date":5}}"#);
    /// assert_eq!(Value::from_typed_json(&typed)?, value);
    /// assert_eq!(value.to_json(), r#"{"price":12.50,"other":{"$date":5}}"#);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_typed_json(&self) -> String {
        self.to_typed().to_json()
    }

    /// Reads typed JSON within [`Limits::default`]; O(length). What [`Value::to_typed_json`] did not write
    /// is read as plain JSON.
    ///
    /// # Errors
    /// As [`Value::from_json`]; [`Error::NotRepresentable`] with the path for `{"$date":"tomorrow"}` and the
    /// like.
    pub fn from_typed_json<T: JsonText>(json: T) -> Result<Value> {
        Value::from_typed_json_with(json, &Limits::default())
    }

    /// As [`Value::from_typed_json`], within the given limits: `max_bytes` is that of the text, the others are those
    /// of the value that it stands for, as in [`Value::check`].
    ///
    /// # Errors
    /// As [`Value::from_typed_json`].
    pub fn from_typed_json_with<T: JsonText>(json: T, limits: &Limits) -> Result<Value> {
        // The text has more than the value: around a scalar up to two objects, and five fields in them; keys of
        // its own and a `$` more before others; base64 for bytes, and texts for what has none. What it stands
        // for is checked below.
        let of_text = Limits {
            max_items: limits.max_items.saturating_mul(7),
            max_key: limits.max_key.saturating_add(1).max(LONGEST_KEY),
            max_string: (limits.max_string / 3)
                .saturating_add(1)
                .saturating_mul(4)
                .max(LONGEST_TEXT),
            ..*limits
        };
        let depth = limits.depth().saturating_add(2);
        let value = Value::from_json_within(json, &of_text, depth)?.from_typed()?;
        value.check(limits)?;
        Ok(value)
    }

    /// The value that [`Value::to_typed_json`] prints: one of kinds that plain JSON has. For other formats
    /// with JSON's kinds, and for pretty-printing. O(size); shares what needs no change if nothing does.
    pub fn to_typed(&self) -> Value {
        let plain = |value: ValueRef<'_>| match single(value) {
            Some((key, _)) => reserved(key).is_none(),
            None => name(value.kind()).is_none(),
        };
        if all(self.by_ref(), plain) {
            return self.clone();
        }
        let typed = |value: ValueRef<'_>| {
            Ok(match (single(value), name(value.kind())) {
                (Some((key, _)), _) if reserved(key).is_some() => {
                    Change::Key(format!("${key}").into())
                }
                (_, Some(name)) => {
                    Change::Whole(Value::from_iter([(format!("${name}"), content(value))]))
                }
                _ => Change::None,
            })
        };
        change(self.by_ref(), typed).unwrap_or_default() // no change fails
    }

    /// The value that was made typed by [`Value::to_typed`]. O(size).
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] with the path, as for [`Value::from_typed_json`].
    #[allow(
        clippy::wrong_self_convention,
        reason = "the opposite of to_typed, and shares storage"
    )]
    pub fn from_typed(&self) -> Result<Value> {
        let plain =
            |value: ValueRef<'_>| single(value).is_none_or(|(key, _)| reserved(key).is_none());
        if all(self.by_ref(), plain) {
            return Ok(self.clone());
        }
        change(self.by_ref(), |value| {
            let Some((key, content)) = single(value) else {
                return Ok(Change::None);
            };
            match reserved(key) {
                Some((kind, 0)) => read(kind, content).map(Change::Whole),
                Some(_) => Ok(Change::Key(key.get(1..).unwrap_or_default().into())),
                None => Ok(Change::None),
            }
        })
    }
}

/// Plain JSON.
impl Value {
    /// The value that [`Value::to_json`] prints, of the kinds that JSON has: dates, times, datetimes and
    /// durations become text, files and bytes objects; decimals stay, since they print as numbers. For
    /// code that knows only JSON. O(size), O(1) for a scalar; shares what needs no change if nothing does.
    ///
    /// ```
    /// # use statewright_value::{File, value};
    /// let value = value!([(File::new("a", 1)), "b"]);
    /// assert_eq!(value.to_plain(), value!([{ "name": "a", "size": 1 }, "b"]));
    /// ```
    pub fn to_plain(&self) -> Value {
        let is_plain = |value: ValueRef<'_>| matches!(name(value.kind()), None | Some("decimal"));
        if all(self.by_ref(), is_plain) {
            return self.clone();
        }
        let plain = |value: ValueRef<'_>| {
            Ok(match value.kind() {
                Kind::Bytes => Change::Whole(Value::from_iter([(BYTES_KEY, content(value))])),
                _ if is_plain(value) => Change::None,
                _ => Change::Whole(content(value)),
            })
        };
        change(self.by_ref(), plain).unwrap_or_default() // no change fails
    }
}

/// The entry of an object that has just one.
fn single<'a>(value: ValueRef<'a>) -> Option<(&'a str, ValueRef<'a>)> {
    match value.kind() == Kind::Object && value.len() == 1 {
        true => value.entries().next(),
        false => None,
    }
}

/// What stands behind the key of the kind.
fn content(value: ValueRef<'_>) -> Value {
    match (value.as_bytes(), value.as_file()) {
        (Some(bytes), _) => Value::from(bytes_to_base64(bytes)),
        (_, Some(file)) => Value::from(file.to_serde_json()),
        _ => value.extended().map(ToString::to_string).into(), // only these kinds have a name
    }
}

fn read(kind: Kind, content: ValueRef<'_>) -> Result<Value, String> {
    if kind == Kind::File {
        return File::from_object(content).map(Value::from);
    }
    let name = name(kind).unwrap_or_default();
    let Some(text) = content.as_str() else {
        return Err(format!(
            "`${name}` needs a text, found {}; an object with this key is written with `$${name}`",
            content.kind()
        ));
    };
    match kind {
        Kind::Bytes => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Value::bytes(bytes)),
            Err(error) => Err(format!("`{BYTES_KEY}` needs padded base64: {error}")),
        },
        _ => Extended::parse(kind, text).map(|extended| Value(Repr::Extended(extended))),
    }
}

/// Whether `test` holds for every value inside `root`, itself included.
fn all(root: ValueRef<'_>, test: impl Fn(ValueRef<'_>) -> bool) -> bool {
    let mut open = vec![];
    let mut next = Some(root);
    loop {
        let Some(value) = next.take() else {
            match open.last_mut() {
                None => return true,
                Some(Inside::Items(items)) => next = items.next(),
                Some(Inside::Entries(entries)) => next = entries.next().map(|(_, value)| value),
            }
            if next.is_none() {
                open.pop();
            }
            continue;
        };
        if !test(value) {
            return false;
        }
        open.extend(Inside::of(value));
    }
}

/// What remains of a container.
enum Inside<'a> {
    Items(Items<'a>),
    Entries(Entries<'a>),
}

impl<'a> Inside<'a> {
    fn of(value: ValueRef<'a>) -> Option<Inside<'a>> {
        match value.kind() {
            Kind::Array => Some(Inside::Items(value.items())),
            Kind::Object => Some(Inside::Entries(value.entries())),
            _ => None,
        }
    }
}

/// What becomes of a value on the way in.
enum Change {
    /// Nothing, though its children may change.
    None,
    /// This instead, as it is.
    Whole(Value),
    /// Its one entry gets this key.
    Key(Key),
}

/// A container while it is rebuilt.
struct Frame<'a> {
    inside: Inside<'a>,
    items: Vec<Value>,
    entries: Vec<(Key, Value)>,
    /// The key of the next entry, and the one it gets instead.
    key: Option<Key>,
    renamed: Option<Key>,
}

/// Rebuilds a value from the outside in. An error gets the path of the value that `to` refused.
fn change(
    root: ValueRef<'_>,
    to: impl Fn(ValueRef<'_>) -> Result<Change, String>,
) -> Result<Value> {
    let mut open: Vec<Frame<'_>> = vec![];
    let mut next = root;
    loop {
        let changed =
            to(next).map_err(|reason| Error::not_representable_at(path(&open), reason))?;
        let (mut done, renamed) = match changed {
            Change::Whole(value) => (Some(value), None),
            Change::None => (None, None),
            Change::Key(key) => (None, Some(key)),
        };
        if done.is_none() {
            match Inside::of(next) {
                Some(inside) => open.push(Frame {
                    inside,
                    items: vec![],
                    entries: vec![],
                    key: None,
                    renamed,
                }),
                None => done = Some(next.to_value()),
            }
        }
        loop {
            let Some(frame) = open.last_mut() else {
                return Ok(done.unwrap_or_default());
            };
            if let Some(value) = done.take() {
                frame.add(value);
            }
            match frame.next() {
                Some(value) => {
                    next = value;
                    break;
                }
                None => done = open.pop().map(Frame::finish),
            }
        }
    }
}

impl<'a> Frame<'a> {
    fn next(&mut self) -> Option<ValueRef<'a>> {
        match &mut self.inside {
            Inside::Items(items) => items.next(),
            Inside::Entries(entries) => {
                let (key, value) = entries.next()?;
                self.key = Some(key.into());
                Some(value)
            }
        }
    }

    fn add(&mut self, value: Value) {
        match self.key.take() {
            Some(key) => self
                .entries
                .push((self.renamed.take().unwrap_or(key), value)),
            None => self.items.push(value),
        }
    }

    fn finish(self) -> Value {
        match self.inside {
            Inside::Items(_) => Value::from(self.items),
            Inside::Entries(_) => self.entries.into_iter().collect(),
        }
    }
}

/// The path of the value that the innermost of these is at.
fn path(open: &[Frame<'_>]) -> Path {
    open.iter()
        .map(|frame| match &frame.key {
            Some(key) => Segment::Key(key.clone()),
            None => Segment::Index(frame.items.len()),
        })
        .collect()
}
