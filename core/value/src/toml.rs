//! TOML (1.1.0, which every TOML 1.0.0 document is): to values and back, through the `toml` crate.
//!
//! | TOML | value |
//! | --- | --- |
//! | string, integer, float, boolean, array, table | text, integer, float, boolean, array, object |
//! | offset date-time, local date, local time | datetime, date, time |
//! | local date-time | text in the same form: without an offset it is no moment, and no kind holds one |
//! | `inf`, `nan` | refused: a float is finite |
//!
//! The other way, decimals, durations, bytes and files take the form they have in plain JSON, and null is refused.

use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, Source, Span, decoder::Encoding};

use ::toml::value::Datetime;
use ::toml::{Table, Value as Toml};

use crate::build::within;
use crate::json::place;
use crate::limits::SERDE_DEPTH;
use crate::{Error, Kind, Limits, Path, Result, Segment, Value, ValueRef};

/// TOML.
impl Value {
    /// Reads one TOML document within [`Limits::default`]; O(length). A byte order mark is skipped.
    ///
    /// Offset date-times, local dates and local times become values of those kinds. A local date-time becomes text,
    /// since without an offset it is no moment. Tables keep the order of the text.
    ///
    /// ```
    /// use statewright_value::{Kind, Value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let config = Value::from_toml("[server]\nports = [80, 443]\nsince = 2024-05-01\n")?;
    /// assert_eq!(config.to_json(), r#"{"server":{"ports":[80,443],"since":"2024-05-01"}}"#);
    /// assert_eq!(config.query("$.server.since")?[0].kind(), Kind::Date);
    /// assert_eq!(Value::from_toml(config.to_toml()?)?, config);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidText`] with line and column; [`Error::NotRepresentable`] for `inf` and `nan`; [`Error::Limit`],
    /// also for more than 128 levels, whatever the limits say.
    pub fn from_toml(toml: impl AsRef<[u8]>) -> Result<Value> {
        Value::from_toml_with(toml, &Limits::default())
    }

    /// As [`Value::from_toml`], within the given limits.
    ///
    /// # Errors
    /// As [`Value::from_toml`].
    pub fn from_toml_with(toml: impl AsRef<[u8]>, limits: &Limits) -> Result<Value> {
        let bytes = toml.as_ref();
        within("length of the TOML text", bytes.len(), limits.max_bytes)
            .map_err(|exceeded| exceeded.at(format_args!("found {} bytes", bytes.len())))?;
        let text = std::str::from_utf8(bytes)
            .map_err(|error| invalid(bytes, error.valid_up_to(), "the text is not UTF-8"))?;
        check_depth(text)?;
        let table: Table = text.parse().map_err(|error: ::toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            invalid(bytes, at, error.message())
        })?;
        let value = from_table(table, &mut Vec::new())?;
        value.check(limits)?;
        Ok(value)
    }

    /// Prints a TOML document, which reads back to an equal value but for the kinds that TOML lacks: decimals,
    /// durations, bytes and files take the form they have in [`Value::to_json`]. O(size).
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] with the path, for null, integers beyond `i64`, and dates that TOML cannot write;
    /// [`Error::WrongType`] when this is no object; [`Error::Limit`] beyond 128 levels.
    pub fn to_toml(&self) -> Result<String> {
        if self.kind() != Kind::Object {
            return Err(Error::WrongType {
                path: Path::root(),
                expected: "object",
                found: self.kind().name(),
            });
        }
        let mut path = Vec::new();
        let table = to_table(self.by_ref(), &mut path)?;
        ::toml::to_string(&table)
            .map_err(|error| Error::not_representable_at(Path::root(), error.to_string()))
    }
}

/// An error at a byte of the text.
fn invalid(text: &[u8], at: usize, reason: &str) -> Error {
    let (line, column) = place(text, at);
    Error::InvalidText {
        format: "TOML",
        line,
        column,
        reason: reason.to_owned().into(),
    }
}

fn too_deep(at: impl ToString) -> Error {
    Error::Limit {
        what: "nesting depth",
        limit: SERDE_DEPTH,
        at: at.to_string(),
    }
}

/// Refuses what nests too deep before anything is built, since both reading and dropping a tree of the crate recurse:
/// a kilobyte of dotted keys in inline tables in dotted keys can nest thousands of levels.
fn check_depth(text: &str) -> Result<()> {
    let tokens = Source::new(text).lex().into_vec();
    let mut depth = Depth::default();
    parse_document(&tokens, &mut depth, &mut ()); // what is wrong is reported when it is read
    match depth.too_deep_at {
        None => Ok(()),
        Some(at) => {
            let (line, column) = place(text.as_bytes(), at);
            Err(too_deep(format_args!("line {line}, column {column}")))
        }
    }
}

/// Counts how deep a document nests: never too few levels, and at most twice as many for a header, each key of which
/// may go through an array of tables.
#[derive(Default)]
struct Depth {
    /// The levels outside the innermost table or array.
    outside: usize,
    /// The levels of `outside` that each open inline table and array has added.
    open: Vec<usize>,
    /// Levels of the key being read: one for each of its parts.
    key: usize,
    in_header: bool,
    after_dot: bool,
    too_deep_at: Option<usize>,
}

impl Depth {
    fn check(&mut self, span: Span) {
        if self.outside + self.key > SERDE_DEPTH && self.too_deep_at.is_none() {
            self.too_deep_at = Some(span.start());
        }
    }

    fn begin_header(&mut self) {
        self.in_header = true;
        (self.outside, self.key) = (0, 0);
        self.open.clear();
    }

    /// The levels of the header are those outside of what follows.
    fn end_header(&mut self) {
        self.in_header = false;
        (self.outside, self.key) = (2 * self.key, 0);
    }

    /// Whether to go on inside: not where it is too deep, since the parser recurses.
    fn begin(&mut self, span: Span) -> bool {
        let added = self.key + 1;
        self.outside += added;
        self.key = 0;
        self.open.push(added);
        self.check(span);
        self.too_deep_at.is_none()
    }

    fn end(&mut self) {
        self.outside -= self.open.pop().unwrap_or(0);
        self.key = 0;
    }
}

impl EventReceiver for Depth {
    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.begin_header();
    }

    fn std_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_header();
    }

    fn array_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.begin_header();
    }

    fn array_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end_header();
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.begin(span)
    }

    fn inline_table_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end();
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.begin(span)
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.end();
    }

    fn simple_key(&mut self, span: Span, _: Option<Encoding>, _: &mut dyn ErrorSink) {
        if !self.after_dot {
            self.key = 0;
        }
        self.after_dot = false;
        self.key += 1;
        if self.in_header {
            self.check_header(span);
        } else {
            self.check(span);
        }
    }

    fn key_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.after_dot = true;
    }
}

impl Depth {
    fn check_header(&mut self, span: Span) {
        if 2 * self.key > SERDE_DEPTH && self.too_deep_at.is_none() {
            self.too_deep_at = Some(span.start());
        }
    }
}

/// Recurses, on at most 128 levels: [`check_depth`].
fn from_table(table: Table, path: &mut Vec<Segment>) -> Result<Value> {
    table
        .into_iter()
        .map(|(key, toml)| {
            let segment = Segment::Key(key.as_str().into());
            Ok((key, at(segment, path, |path| from_toml(toml, path))?))
        })
        .collect()
}

fn from_toml(toml: Toml, path: &mut Vec<Segment>) -> Result<Value> {
    Ok(match toml {
        Toml::String(text) => Value::from(text),
        Toml::Integer(int) => Value::from(int),
        Toml::Float(float) => Value::from_f64(float).ok_or_else(|| {
            let reason = format!("a float is finite, not {float}; use a string");
            Error::not_representable_at(here(path), reason)
        })?,
        Toml::Boolean(bool) => Value::from(bool),
        Toml::Datetime(datetime) => from_datetime(datetime)
            .map_err(|error| Error::not_representable_at(here(path), error.to_string()))?,
        Toml::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, toml)| at(Segment::Index(index), path, |path| from_toml(toml, path)))
            .collect::<Result<Vec<Value>>>()?
            .into(),
        Toml::Table(table) => from_table(table, path)?,
    })
}

fn from_datetime(datetime: Datetime) -> Result<Value> {
    let text = datetime.to_string();
    match (datetime.date, datetime.time, datetime.offset) {
        (Some(_), None, _) => Value::date(&text),
        (None, Some(_), _) => Value::time(&text),
        (_, _, Some(_)) => Value::datetime(&text),
        _ => Ok(Value::from(text)),
    }
}

fn here(path: &[Segment]) -> Path {
    path.iter().cloned().collect()
}

/// Does `inside` one level down.
fn at<R>(
    segment: Segment,
    path: &mut Vec<Segment>,
    inside: impl FnOnce(&mut Vec<Segment>) -> Result<R>,
) -> Result<R> {
    path.push(segment);
    let result = inside(path);
    path.pop();
    result
}

/// Recurses, on at most 128 levels.
fn to_table(object: ValueRef<'_>, path: &mut Vec<Segment>) -> Result<Table> {
    if path.len() >= SERDE_DEPTH {
        return Err(too_deep(here(path)));
    }
    object
        .entries()
        .map(|(key, value)| {
            let toml = at(Segment::Key(key.into()), path, |path| to_toml(value, path))?;
            Ok((key.to_owned(), toml))
        })
        .collect()
}

fn to_toml(value: ValueRef<'_>, path: &mut Vec<Segment>) -> Result<Toml> {
    let refuse = |reason: &'static str, path: &[Segment]| {
        Err(Error::not_representable_at(here(path), reason))
    };
    match value.kind() {
        Kind::Null => refuse("TOML has no null; remove it, or use an empty string", path),
        Kind::Integer => match value.as_i64() {
            Some(int) => Ok(Toml::Integer(int)),
            None => refuse("TOML's integers end at 2^63 - 1; use a string", path),
        },
        Kind::Array => {
            if path.len() >= SERDE_DEPTH {
                return Err(too_deep(here(path)));
            }
            value
                .items()
                .enumerate()
                .map(|(index, item)| at(Segment::Index(index), path, |path| to_toml(item, path)))
                .collect::<Result<_>>()
                .map(Toml::Array)
        }
        Kind::Object => to_table(value, path).map(Toml::Table),
        kind => {
            let toml = Toml::try_from(value)
                .map_err(|error| Error::not_representable_at(here(path), error.to_string()))?;
            match (kind, &toml) {
                (Kind::Date | Kind::Time | Kind::DateTime, Toml::String(text)) => {
                    match text.parse::<Datetime>() {
                        Ok(datetime) => Ok(Toml::Datetime(datetime)),
                        Err(_) => {
                            refuse("TOML has the years 0 to 9999 and offsets of minutes", path)
                        }
                    }
                }
                _ => Ok(toml),
            }
        }
    }
}
