//! [`Json`]: a [`Value`] that jaq can work on directly, with every operation metered.

use std::cmp::Ordering;
use std::fmt;

use jaq_core::box_iter::box_once;
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Error, Exn, ValR, ValT, ValX};
use statewright_value::{Kind, Limits, Value};

use super::compare::{compare, equal};
use super::meter::{self, Trip};
use super::number::{Number, bound};

/// A value inside an expression.
#[derive(Clone)]
pub(super) struct Json(pub(super) Value);

pub(super) type Result<T = Json> = ValR<T, Json>;

/// Most of a value that an error message quotes, in characters.
const PREVIEW: usize = 120;

impl From<Trip> for Error<Json> {
    fn from(_: Trip) -> Self {
        // The evaluation reports the limit itself; what `catch` sees of it does not matter.
        Error::new(Json(Value::text("a limit of the expression was passed")))
    }
}

pub(super) fn fail<T>(message: impl fmt::Display) -> Result<T> {
    Err(Error::new(Json(Value::from(message.to_string()))))
}

/// Whether an expression sees the value as it is, see [`Json::seen`].
pub(super) fn is_seen(value: &Value) -> bool {
    use Kind::{Date, DateTime, Duration, File, Time};
    !matches!(value.kind(), Date | Time | DateTime | Duration | File)
}

impl Json {
    /// What an expression sees of a value from outside or from a container: jq has texts, numbers and objects
    /// for dates, decimals and files. A decimal stays, and counts as a number.
    pub(super) fn seen(value: Value) -> Json {
        Json(match is_seen(&value) {
            true => value,
            false => value.to_plain(),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The name jq's `type` gives.
    pub(super) fn type_name(&self) -> &'static str {
        match self.kind() {
            Kind::Integer | Kind::Float | Kind::Decimal => "number",
            Kind::Text => "string",
            kind => kind.name(),
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        Number::of(&self.0)
    }

    pub(super) fn text(text: impl Into<String>) -> Result {
        let text = text.into();
        meter::charge_text(text.len())?;
        Ok(Json(Value::from(text)))
    }

    pub(super) fn array(items: Vec<Value>) -> Result {
        meter::charge_items(items.len())?;
        Ok(Json(Value::from(items)))
    }

    pub(super) fn try_str(&self) -> Result<&str> {
        self.0
            .as_str()
            .ok_or_else(|| Error::typ(self.clone(), "string"))
    }

    pub(super) fn from_number(number: Number) -> Result {
        match number.value() {
            Some(value) => Ok(Json(value)),
            None => {
                fail("the result is not a finite number, and no value can hold infinity or NaN")
            }
        }
    }

    pub(super) fn insert(&mut self, key: &str, value: Value) -> Result<()> {
        match self.0.insert(key, value) {
            Ok(_) => Ok(()),
            Err(_) => Err(meter::too_deep().into()),
        }
    }

    fn index_of(&self, index: &Json) -> Result<Option<Value>> {
        let found = match (self.kind(), index.kind()) {
            (Kind::Null, _) => None,
            (Kind::Object, Kind::Text) => self.0.get(index.try_str()?),
            (Kind::Array, Kind::Integer | Kind::Float | Kind::Decimal) => {
                place(&index.0, self.0.len()).and_then(|at| self.0.index(at))
            }
            (Kind::Array, Kind::Array) => Some(super::natives::indices(self, index)?.0),
            (Kind::Array | Kind::Text | Kind::Bytes, Kind::Object) => {
                let (start, end) = slice_bounds(index);
                let part = self.clone().range(start.as_ref()..end.as_ref())?;
                Some(part.0)
            }
            _ => return Err(Error::index(self.clone(), index.clone())),
        };
        Ok(found)
    }

    pub(super) fn has(&self, key: &Json) -> Result<bool> {
        match (self.kind(), key.kind()) {
            (Kind::Object, Kind::Text)
            | (Kind::Array, Kind::Integer | Kind::Float | Kind::Decimal) => {
                Ok(self.index_of(key)?.is_some())
            }
            _ => fail(format_args!(
                "cannot check whether {} has the key {key}",
                article(self.type_name())
            )),
        }
    }

    /// The byte range that character bounds select in a text, or item bounds in an array.
    fn span(&self, range: &Range<&Json>) -> Option<std::ops::Range<usize>> {
        let start = range.start.map(|json| &json.0);
        let end = range.end.map(|json| &json.0);
        let len = match self.0.as_str() {
            Some(text) => text.chars().count(),
            None => self.0.len(),
        };
        let (from, to) = (bound(start, len, 0)?, bound(end, len, len)?);
        let to = to.max(from);
        Some(match self.0.as_str() {
            Some(text) => byte_at(text, from)..byte_at(text, to),
            None => from..to,
        })
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

fn byte_at(text: &str, character: usize) -> usize {
    text.char_indices()
        .nth(character)
        .map_or(text.len(), |(byte, _)| byte)
}

fn slice_bounds(index: &Json) -> (Option<Json>, Option<Json>) {
    (index.0.get("start").map(Json), index.0.get("end").map(Json))
}

/// Where `index` points in an array of `len` items, counted from the end if negative; none before the beginning.
fn place(index: &Value, len: usize) -> Option<usize> {
    let at = match Number::of(index)? {
        Number::Integer(integer) => integer,
        Number::Float(float) => float.floor() as i128,
    };
    let at = if at < 0 {
        at.saturating_add(len as i128)
    } else {
        at
    };
    usize::try_from(at).ok()
}

/// An iterator that spends a step on each item and ends with an error when a limit is passed.
fn metered<T: 'static>(
    items: impl Iterator<Item = T> + 'static,
) -> Box<dyn Iterator<Item = Result<T>>> {
    let mut items = Some(items);
    Box::new(std::iter::from_fn(move || {
        let item = items.as_mut()?.next()?;
        match meter::charge(1) {
            Ok(()) => Some(Ok(item)),
            Err(trip) => {
                items = None;
                Some(Err(trip.into()))
            }
        }
    }))
}

impl ValT for Json {
    fn from_num(number: &str) -> Result {
        if let Ok(integer) = number.parse::<u64>() {
            return Ok(Json(Value::from(integer)));
        }
        match number.parse::<f64>().ok().and_then(Value::from_f64) {
            Some(value) => Ok(Json(value)),
            None => fail(format_args!(
                "{number} is not a number that a value can hold"
            )),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(entries: I) -> Result {
        let mut object = Json(Value::object());
        for (key, Json(value)) in entries {
            meter::charge(1)?;
            let Some(key) = key.0.as_str() else {
                return fail(format_args!(
                    "the key of an object must be a string, not {key}"
                ));
            };
            object.insert(key, value)?;
        }
        Ok(object)
    }

    fn key_values(self) -> jaq_core::val::ValRs<'static, (Self, Self), Self> {
        match self.kind() {
            Kind::Array => {
                let len = self.0.len();
                let pair = move |at| Some((Json(Value::from(at)), Json::seen(self.0.index(at)?)));
                metered((0..len).map_while(pair))
            }
            Kind::Object => {
                let entries: Vec<_> = self
                    .0
                    .entries()
                    .map(|(key, value)| (Json(Value::text(key)), Json::seen(value)))
                    .collect();
                metered(entries.into_iter())
            }
            _ => box_once(Err(Error::typ(self, "array or object"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = Result>> {
        if let Err(trip) = meter::charge(1 + self.0.len() as u64 / 32) {
            return box_once(Err(trip.into()));
        }
        match self.kind() {
            Kind::Array => {
                let len = self.0.len();
                metered((0..len).map_while(move |at| self.0.index(at).map(Json::seen)))
            }
            Kind::Object => {
                let values: Vec<_> = self
                    .0
                    .entries()
                    .map(|(_, value)| Json::seen(value))
                    .collect();
                metered(values.into_iter())
            }
            _ => box_once(Err(Error::typ(self, "array or object"))),
        }
    }

    fn index(self, index: &Self) -> Result {
        meter::charge(1)?;
        Ok(Json::seen(self.index_of(index)?.unwrap_or_default()))
    }

    fn range(self, range: Range<&Self>) -> Result {
        if self.0.is_null() {
            return Ok(self);
        }
        meter::charge(1 + self.0.len() as u64 / 64)?;
        let span = || {
            self.span(&range)
                .ok_or_else(|| Error::typ(self.clone(), "something to slice by numbers"))
        };
        match self.kind() {
            Kind::Array => {
                let span = span()?;
                Json::array(self.0.items().skip(span.start).take(span.len()).collect())
            }
            Kind::Text => {
                let span = span()?;
                Json::text(self.try_str()?.get(span).unwrap_or_default())
            }
            _ => Err(Error::typ(self, "array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let step = || meter::charge(2).map_err(Error::from);
        match self.kind() {
            Kind::Array => {
                let mut items = Vec::with_capacity(self.0.len());
                for item in self.0.items() {
                    for made in f(Json::seen(item)) {
                        step()?;
                        items.push(made?.0);
                    }
                    step()?;
                }
                Ok(Json::array(items)?)
            }
            Kind::Object => {
                let mut object = Json(Value::object());
                for (key, value) in self.0.entries() {
                    step()?;
                    if let Some(made) = f(Json::seen(value)).next().transpose()? {
                        object.insert(key, made.0)?;
                    }
                }
                Ok(object)
            }
            _ => opt.fail(self, |v| Exn::from(Error::typ(v, "array or object"))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        // An edit copies the container when somebody else holds it, so it costs its length.
        meter::charge(2 + self.0.len() as u64 / 32).map_err(Error::from)?;
        match (self.kind(), index.kind()) {
            (Kind::Array | Kind::Text, Kind::Object) => {
                let (start, end) = slice_bounds(index);
                self.map_range(start.as_ref()..end.as_ref(), opt, f)
            }
            (Kind::Object | Kind::Null, Kind::Text) => self.update_entry(index, f),
            (Kind::Array | Kind::Null, Kind::Integer | Kind::Float | Kind::Decimal) => {
                self.update_item(index, opt, f)
            }
            _ => opt.fail(self, |v| Exn::from(Error::index(v, index.clone()))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if self.kind() != Kind::Array {
            return opt.fail(self, |v| Exn::from(Error::typ(v, "array")));
        }
        let Some(span) = self.span(&range) else {
            return opt.fail(self, |v| {
                Exn::from(Error::typ(v, "something to slice by numbers"))
            });
        };
        let part = Json::array(self.0.items().skip(span.start).take(span.len()).collect())?;
        let new = match f(part).next().transpose()? {
            Some(new) if new.kind() == Kind::Array => new,
            Some(other) => return Err(Exn::from(Error::typ(other, "array"))),
            None => Json(Value::array()),
        };
        let items = self
            .0
            .items()
            .take(span.start)
            .chain(new.0.items())
            .chain(self.0.items().skip(span.end));
        Ok(Json::array(items.collect())?)
    }

    fn as_bool(&self) -> bool {
        !self.0.is_null() && self.0.as_bool() != Some(false)
    }

    fn into_string(self) -> Self {
        match self.kind() {
            Kind::Text => self,
            // The trait leaves no room for an error here; a passed limit fails the evaluation anyway.
            _ => to_json(&self).unwrap_or(Json(Value::NULL)),
        }
    }
}

impl Json {
    fn update_entry<'a, I: Iterator<Item = ValX<'a, Self>>>(
        mut self,
        key: &Json,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let key = key.try_str()?;
        if self.0.is_null() {
            self.0 = Value::object();
        }
        let old = self.0.get(key);
        let there = old.is_some();
        match f(Json::seen(old.unwrap_or_default())).next().transpose()? {
            Some(new) => self.insert(key, new.0)?,
            None if there => {
                let kept = self.0.entries().filter(|(other, _)| *other != key);
                self.0 = kept.map(|(key, value)| (key.to_owned(), value)).collect();
            }
            None => {}
        }
        Ok(self)
    }

    fn update_item<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Json,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        // A place past the end is made, as in jq; one before the beginning does not exist.
        let Some(at) = place(&index.0, self.0.len()) else {
            return opt.fail(self, |_| {
                Exn::from(Error::str(format_args!(
                    "index {index} is before the first item"
                )))
            });
        };
        let mut items: Vec<Value> = self.0.items().collect();
        let new = f(Json::seen(items.get(at).cloned().unwrap_or_default()))
            .next()
            .transpose()?;
        match new {
            Some(new) => {
                if at >= items.len() {
                    meter::charge_items(at.saturating_add(1)).map_err(Error::from)?;
                    items.resize(at.saturating_add(1), Value::NULL);
                }
                if let Some(slot) = items.get_mut(at) {
                    *slot = new.0;
                }
            }
            None if at < items.len() => drop(items.remove(at)),
            None => {}
        }
        Ok(Json::array(items)?)
    }
}

/// The value as compact JSON text.
pub(super) fn to_json(json: &Json) -> Result {
    weigh(&json.0)?;
    Json::text(json.0.to_json())
}

/// Spends what walking the whole value costs. Parts that are shared count as often as they appear, since that is
/// how often whoever writes the value out meets them.
pub(super) fn weigh(value: &Value) -> std::result::Result<(), Trip> {
    weigh_at(value, 1)
}

fn weigh_at(value: &Value, depth: usize) -> std::result::Result<(), Trip> {
    match value.kind() {
        Kind::Array | Kind::Object if depth > Limits::default().max_depth => Err(meter::too_deep()),
        Kind::Array => {
            meter::charge(1)?;
            value
                .items()
                .try_for_each(|item| weigh_at(&item, depth + 1))
        }
        Kind::Object => {
            meter::charge(1)?;
            value.entries().try_for_each(|(key, value)| {
                meter::charge_text(key.len())?;
                weigh_at(&value, depth + 1)
            })
        }
        Kind::Text | Kind::Bytes => meter::charge_text(value.len()),
        _ => meter::charge(1),
    }
}

/// The beginning of a value as JSON: enough to recognise it in a message, never much work.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let whole = preview(&self.0, &mut text);
        f.write_str(&text.chars().take(PREVIEW).collect::<String>())?;
        if whole && text.chars().count() <= PREVIEW {
            Ok(())
        } else {
            f.write_str("…")
        }
    }
}

/// Writes a value until the preview is full; tells whether it was written as a whole.
fn preview(value: &Value, out: &mut String) -> bool {
    if out.len() > PREVIEW {
        return false;
    }
    let mut separator = "";
    match value.kind() {
        Kind::Array => {
            out.push('[');
            for item in value.items() {
                out.push_str(separator);
                separator = ",";
                if !preview(&item, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Kind::Object => {
            out.push('{');
            for (key, value) in value.entries() {
                out.push_str(separator);
                separator = ",";
                if !preview(&Value::text(key), out) {
                    return false;
                }
                out.push(':');
                if !preview(&value, out) {
                    return false;
                }
            }
            out.push('}');
        }
        Kind::Text => {
            let text = value.as_str().unwrap_or_default();
            let start: String = text.chars().take(PREVIEW).collect();
            out.push_str(&Value::from(start).to_json());
        }
        Kind::Bytes => out.push_str("bytes"),
        _ => out.push_str(&value.to_json()),
    }
    true
}

impl From<bool> for Json {
    fn from(bool: bool) -> Self {
        Json(Value::from(bool))
    }
}

impl From<isize> for Json {
    fn from(integer: isize) -> Self {
        Json(Value::from(integer as i64))
    }
}

impl From<usize> for Json {
    fn from(integer: usize) -> Self {
        Json(Value::from(integer))
    }
}

impl From<f64> for Json {
    /// NaN and infinity become null, as jq prints them.
    fn from(float: f64) -> Self {
        Json(Value::from_f64(float).unwrap_or_default())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::text(text).unwrap_or(Json(Value::NULL))
    }
}

impl From<Range<Json>> for Json {
    fn from(range: Range<Json>) -> Self {
        let bound = |bound: Option<Json>| bound.map(|json| json.0).unwrap_or_default();
        Json(
            [("start", bound(range.start)), ("end", bound(range.end))]
                .into_iter()
                .collect(),
        )
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<T: IntoIterator<Item = Json>>(items: T) -> Self {
        let mut array = Vec::new();
        for Json(item) in items {
            if meter::charge_items(1).is_err() || meter::check_len(array.len()).is_err() {
                break;
            }
            array.push(item);
        }
        Json(Value::from(array))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0).unwrap_or(false)
    }
}

impl Eq for Json {}

impl PartialOrd for Json {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Json {
    /// jq's order. When a limit is passed this says "equal", which no sort may rely on: sorting uses
    /// [`compare`], which fails.
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0).unwrap_or(Ordering::Equal)
    }
}

impl jaq_std::ValT for Json {
    fn into_seq<S: FromIterator<Self>>(self) -> std::result::Result<S, Self> {
        if self.kind() != Kind::Array || meter::charge_items(self.0.len()).is_err() {
            return Err(self);
        }
        Ok(self.0.items().map(Json).collect())
    }

    fn is_int(&self) -> bool {
        self.kind() == Kind::Integer
    }

    fn as_isize(&self) -> Option<isize> {
        self.0
            .as_i64()
            .and_then(|integer| isize::try_from(integer).ok())
    }

    fn as_f64(&self) -> Option<f64> {
        self.number().map(Number::float)
    }

    fn is_utf8_str(&self) -> bool {
        self.kind() == Kind::Text
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.0
            .as_str()
            .map(str::as_bytes)
            .or_else(|| self.0.as_bytes())
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Json::from(String::from_utf8_lossy(sub).into_owned())
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Json::from(String::from_utf8_lossy(bytes.as_ref()).into_owned())
    }
}
