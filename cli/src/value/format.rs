//! The formats: bytes to values and back.

use std::path::Path;

use clap::ValueEnum;
use statewright::value::{Error, ValueRef};
use statewright::{Kind, Limits, Value};

use super::yaml;
use crate::exit::{Exit, Failure, Result};

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON (RFC 8259)
    Json,
    /// One JSON value a line
    #[value(alias = "jsonl")]
    Ndjson,
    /// MessagePack
    Msgpack,
    /// CBOR (RFC 8949)
    Cbor,
    /// YAML 1.2
    #[value(alias = "yml")]
    Yaml,
    /// TOML 1.1
    Toml,
}

/// How JSON looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Pretty,
    Compact,
    Canonical,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub layout: Layout,
    pub typed: bool,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "JSON",
            Format::Ndjson => "NDJSON",
            Format::Msgpack => "MessagePack",
            Format::Cbor => "CBOR",
            Format::Yaml => "YAML",
            Format::Toml => "TOML",
        }
    }

    /// By the extension of a file's name.
    pub fn of_path(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "json" => Some(Format::Json),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "msgpack" | "mpk" => Some(Format::Msgpack),
            "cbor" => Some(Format::Cbor),
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            _ => None,
        }
    }

    /// Whether it is not for eyes.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Msgpack | Format::Cbor)
    }

    /// Whether it consists of JSON texts.
    pub fn is_json(self) -> bool {
        matches!(self, Format::Json | Format::Ndjson)
    }

    /// Whether people write comments in it, which values do not keep.
    pub fn has_comments(self) -> bool {
        matches!(self, Format::Yaml | Format::Toml)
    }

    /// Reads one value; for NDJSON, the array of its lines. `place` is where the bytes come from.
    pub fn decode(self, bytes: &[u8], limits: &Limits, typed: bool, place: &str) -> Result<Value> {
        let refused = |error: Error| refused(&error, place);
        match self {
            Format::Json => json(bytes, limits, typed).map_err(|error| {
                let mut failure = refused(error);
                if matches!(failure.code, 200) && is_lines(bytes, limits) {
                    let hint = "; its first line is a JSON value of its own: if every line is, say --from ndjson";
                    failure.message.push_str(hint);
                }
                failure
            }),
            Format::Ndjson => lines(bytes, limits, typed, place),
            Format::Msgpack => msgpack(bytes, limits)
                .and_then(|value| from_typed(value, typed))
                .map_err(refused),
            Format::Cbor => Value::from_cbor_with(bytes, limits)
                .and_then(|value| from_typed(value, typed))
                .map_err(refused),
            Format::Yaml => yaml::read(text(bytes, place)?, limits)
                .and_then(|value| from_typed(value, typed))
                .map_err(refused),
            Format::Toml => Value::from_toml_with(bytes, limits)
                .and_then(|value| from_typed(value, typed))
                .map_err(refused),
        }
    }

    /// Appends one value to `out`; of NDJSON, the items of an array.
    pub fn encode(self, value: &Value, style: Style, out: &mut Vec<u8>) -> Result<()> {
        let typed = in_style(value, style);
        let canonical = style.layout == Layout::Canonical;
        match self {
            Format::Json => {
                json_text(typed.by_ref(), style.layout, out)?;
                // Canonical JSON is just these bytes.
                if !canonical {
                    out.push(b'\n');
                }
            }
            Format::Ndjson if typed.kind() == Kind::Array => {
                for item in value.items() {
                    self.encode_item(&item, style, out)?;
                }
            }
            Format::Ndjson => self.encode_item(value, style, out)?,
            Format::Msgpack if canonical => out.extend(typed.canonical()),
            Format::Msgpack => typed.write_msgpack(out),
            Format::Cbor if canonical => out.extend(typed.to_deterministic_cbor()),
            Format::Cbor => typed.write_cbor(out),
            Format::Yaml | Format::Toml if canonical => return Err(self.not_canonical()),
            Format::Yaml => out.extend(yaml::write(&typed).map_err(unwritable)?.bytes()),
            Format::Toml => out.extend(typed.to_toml().map_err(unwritable)?.bytes()),
        }
        Ok(())
    }

    /// Appends one of the values of NDJSON, with its line end, or of a JSON array, without what separates them.
    pub fn encode_item(self, value: &Value, style: Style, out: &mut Vec<u8>) -> Result<()> {
        let item = in_style(value, style);
        match (self, style.layout) {
            (Format::Json, Layout::Pretty) => {
                // A level further in. Texts have no line ends in JSON.
                out.extend(item.to_json_pretty().replace('\n', "\n  ").bytes());
            }
            (_, Layout::Canonical) => json_text(item.by_ref(), Layout::Canonical, out)?,
            _ => item.write_json(out),
        }
        if self == Format::Ndjson {
            out.push(b'\n');
        }
        Ok(())
    }

    fn not_canonical(self) -> Failure {
        let message = format!(
            "{} has no canonical form; json, ndjson, msgpack and cbor have one",
            self.name()
        );
        Failure::new(Exit::Usage, 104, message)
    }
}

fn in_style(value: &Value, style: Style) -> Value {
    match style.typed {
        true => value.to_typed(),
        false => value.clone(),
    }
}

/// Appends JSON without a line end.
pub fn json_text(value: ValueRef<'_>, layout: Layout, out: &mut Vec<u8>) -> Result<()> {
    match layout {
        Layout::Pretty => out.extend(value.to_json_pretty().bytes()),
        Layout::Compact => value.write_json(out),
        Layout::Canonical => {
            let json = value.to_value().to_canonical_json().map_err(unwritable)?;
            out.extend(json.bytes());
        }
    }
    Ok(())
}

/// One JSON text.
pub fn json(bytes: &[u8], limits: &Limits, typed: bool) -> Result<Value, Error> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if typed {
        Value::from_typed_json_with(text, limits)
    } else {
        Value::from_json_with(text, limits)
    }
}

/// Exactly one value.
fn msgpack(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let mut rest = bytes;
    let value = Value::read_msgpack(&mut rest, limits)?;
    match rest.len() {
        0 => Ok(value),
        left => Err(Error::InvalidMsgpack {
            offset: bytes.len().saturating_sub(left),
            reason: format!("{left} bytes are left after the value").into(),
        }),
    }
}

/// Whether this looks like NDJSON: a JSON value in the first line, and another line.
fn is_lines(bytes: &[u8], limits: &Limits) -> bool {
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let first = lines.next();
    lines.next().is_some() && first.is_some_and(|line| Value::from_json_with(line, limits).is_ok())
}

fn from_typed(value: Value, typed: bool) -> Result<Value, Error> {
    if typed { value.from_typed() } else { Ok(value) }
}

fn lines(bytes: &[u8], limits: &Limits, typed: bool, place: &str) -> Result<Value> {
    let mut items = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let item = json(line, limits, typed)
            .map_err(|error| refused(&error, &format!("{place}, line {}", at.saturating_add(1))))?;
        items.push(item);
    }
    Ok(Value::from(items))
}

fn text<'a>(bytes: &'a [u8], place: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!(
            "{place} is not UTF-8 text: byte {} is wrong; save it as UTF-8, or say with --from which format it has",
            error.valid_up_to()
        );
        Failure::new(Exit::Usage, 102, message)
    })
}

/// What a format cannot hold.
fn unwritable(error: Error) -> Failure {
    let message = format!("the result cannot be written: {error}");
    Failure::new(Exit::of_code(error.code()), error.code(), message)
}

/// What the library said of some input, and what can be done about it here.
pub fn refused(error: &Error, place: &str) -> Failure {
    let mut message = format!("{place}: {error}");
    if matches!(error, Error::Limit { .. }) {
        message.push_str(" with --limits");
    }
    Failure::new(Exit::of_code(error.code()), error.code(), message)
}
