//! TOML as the same tree of nodes as YAML.

use statewright_value::Value;
use toml::de::{DeTable, DeValue};

use super::yaml::{Data, Key, MAX_BYTES, Node};
use crate::problem::{Pos, Problems};

/// Whether a spec is TOML: its first line that says something is a table's head or `key = …`. Neither can begin a
/// flow in YAML or JSON.
pub(super) fn is_toml(source: &str) -> bool {
    let source = source.trim_start_matches('\u{feff}');
    let lines = source.lines().map(str::trim);
    let Some(first) = lines
        .into_iter()
        .find(|l| !l.is_empty() && !l.starts_with('#'))
    else {
        return false;
    };
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-.\"' ".contains(c);
    let is_key =
        |text: &str| !text.trim().is_empty() && !text.starts_with("- ") && text.chars().all(bare);
    match first.strip_prefix('[') {
        Some(head) => head.split_once(']').is_some_and(|(name, rest)| {
            is_key(name) && (rest.trim().is_empty() || rest.trim().starts_with('#'))
        }),
        None => first.split_once('=').is_some_and(|(key, _)| is_key(key)),
    }
}

/// Parses a spec; what is wrong with it as TOML is a problem, and then there is no tree.
pub(super) fn parse(source: &str, problems: &mut Problems) -> Option<Node> {
    let top = Pos { line: 1, column: 1 };
    if source.len() > MAX_BYTES {
        let message = format!(
            "the spec has {} bytes; at most {MAX_BYTES} are allowed",
            source.len()
        );
        problems.error(top, "too-large", message, "split it into several flows");
        return None;
    }
    // This also limits the depth, before a tree is built that recurses.
    if let Err(error) = Value::from_toml(source) {
        let (at, message) = match &error {
            statewright_value::Error::InvalidText {
                line,
                column,
                reason,
                ..
            } => {
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let at = Pos {
                    line: number(*line),
                    column: number(*column),
                };
                (at, reason.to_string())
            }
            other => (top, other.to_string()),
        };
        let help = "a spec is TOML if it begins with `key = …` or `[table]`; else it is YAML";
        problems.error(at, "toml", message, help);
        return None;
    }
    let table = DeTable::parse(source).ok()?;
    let lines = Lines::of(source);
    let at = lines.position(0);
    Some(Node {
        at,
        byte: None,
        data: lines.table(table.get_ref()),
    })
}

/// Where the lines of a source begin, in bytes.
struct Lines<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    fn of(source: &'s str) -> Self {
        let breaks = source.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at.saturating_add(1)));
        Lines {
            source,
            starts: starts.collect(),
        }
    }

    fn position(&self, byte: usize) -> Pos {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let before = self.source.get(start.unwrap_or(0)..byte).unwrap_or("");
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Pos {
            line: number(line),
            column: number(before.chars().count()).saturating_add(1),
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Data {
        let entries = table.iter().map(|(key, value)| {
            let name = Key {
                at: self.position(key.span().start),
                name: key.get_ref().to_string(),
            };
            (name, self.node(value.span().start, value.get_ref()))
        });
        Data::Map(entries.collect())
    }

    fn node(&self, start: usize, value: &DeValue<'_>) -> Node {
        let data = match value {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Boolean(flag) => Data::Bool(*flag),
            DeValue::Integer(n) => integer(n.as_str(), n.radix()),
            DeValue::Float(n) => n
                .as_str()
                .parse()
                .map_or_else(|_| Data::Text(n.as_str().to_owned()), Data::Float),
            DeValue::Datetime(time) => Data::Text(time.to_string()),
            DeValue::Array(items) => Data::List(
                items
                    .iter()
                    .map(|item| self.node(item.span().start, item.get_ref()))
                    .collect(),
            ),
            DeValue::Table(table) => self.table(table),
        };
        // In a text of several lines, places are not told more exactly than its beginning.
        let long = |quotes: &str| {
            self.source
                .get(start..)
                .is_some_and(|s| s.starts_with(quotes))
        };
        let exact = matches!(data, Data::Text(_)) && !long("\"\"\"") && !long("'''");
        Node {
            at: self.position(start),
            byte: exact.then_some(start),
            data,
        }
    }
}

fn integer(digits: &str, radix: u32) -> Data {
    match (
        i64::from_str_radix(digits, radix),
        u64::from_str_radix(digits, radix),
    ) {
        (Ok(n), _) => Data::Integer(n),
        (_, Ok(n)) => Data::Large(n),
        _ => Data::Text(digits.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_is_told_from_yaml_and_json() {
        for toml in [
            "name = \"x\"",
            "# a flow\n\nname=\"x\"\n",
            "[tasks.a]\nkind = \"host\"",
            "[tasks] # all\n",
            "\"name\" = 'x'",
        ] {
            assert!(is_toml(toml), "{toml}");
        }
        for other in [
            "name: x",
            "name: a = b",
            "{\"name\": \"x\"}",
            "",
            "# name = x\nname: y",
            "[1, 2]",
            "- a = b",
        ] {
            assert!(!is_toml(other), "{other}");
        }
    }
}
