//! From the tree to tasks, edges and compiled expressions.

use std::time::Duration;

use statewright_value::{Path, Value};

use super::fields::{DEADLINE, LEVEL, SPEC};
use super::yaml::{Data, Key, Node};
use crate::duration::parse_duration;
use crate::expr::Expr;
use crate::names::closest;
use crate::net::{Deadline, Join, Many, Schedule, Split, TaskKind, VARIABLES};
use crate::problem::{Pos, Problems};

/// A whole spec.
pub(crate) struct Flow {
    pub version: u64,
    pub schedule: Option<Schedule>,
    pub document: Option<Expr>,
    pub main: Level,
    /// The nets under `flows`.
    pub flows: Vec<Level>,
}

/// One net of a spec.
pub(crate) struct Level {
    pub name: String,
    pub at: Pos,
    pub input: Value,
    pub start: Option<(String, Pos)>,
    pub tasks: Vec<Task>,
    pub places: Vec<PlaceSpec>,
    pub sections: Vec<SectionSpec>,
    pub deadline: Option<DeadlineSpec>,
    pub output: Option<Expr>,
}

pub(crate) struct Task {
    pub name: String,
    pub at: Pos,
    /// None if it could not be read; then that is a problem already.
    pub kind: Option<TaskKind>,
    pub join: Option<(Join, Pos)>,
    pub split: Option<(Split, Pos)>,
    pub next: Vec<Next>,
    pub takes: Vec<(Name, u32)>,
    pub tests: Vec<Name>,
    pub cancels: Vec<Name>,
    pub mutex: Option<Name>,
    pub many: Option<Many>,
    pub terminate: Option<Pos>,
    pub on_error: Vec<CatchSpec>,
    pub compensate: Option<Name>,
    /// Of a task of kind `compensate`: what it undoes.
    pub of: Vec<Name>,
}

/// A line of `on_error`.
pub(crate) struct CatchSpec {
    pub at: Pos,
    pub when: Option<Expr>,
    pub into: Path,
    pub then: ThenSpec,
}

pub(crate) enum ThenSpec {
    To(Name),
    Skip,
    Result(Expr),
    Abort,
}

/// The deadline of a case, and where it goes on then.
pub(crate) struct DeadlineSpec {
    pub by: Deadline,
    pub to: Option<Name>,
}

/// A name of something, to be looked up.
#[derive(Clone)]
pub(crate) struct Name {
    pub text: String,
    pub at: Pos,
}

pub(crate) struct PlaceSpec {
    pub name: Name,
    pub tokens: u32,
    pub next: Vec<Name>,
}

pub(crate) struct SectionSpec {
    pub name: Name,
    pub tasks: Vec<Name>,
    pub mutex: Name,
}

pub(crate) struct Next {
    pub to: String,
    pub at: Pos,
    pub when: Option<When>,
    pub tokens: u32,
}

pub(crate) struct When {
    pub at: Pos,
    /// None if it does not compile.
    pub expr: Option<Expr>,
}

pub(super) struct Reader<'s> {
    source: &'s str,
    pub(super) problems: &'s mut Problems,
}

/// Reads a whole spec; none if it is not even a mapping with tasks.
pub(crate) fn flow(source: &str, root: &Node, problems: &mut Problems) -> Option<Flow> {
    let mut reader = Reader { source, problems };
    let known: Vec<&str> = [&SPEC[..], &LEVEL].concat();
    let fields = reader.fields(root, root.at, "a flow", &known)?;
    let name = match fields.required(&mut reader, "name", "a flow") {
        Some(node) => reader.flow_name(node),
        None => None,
    };
    let version = fields
        .get("version")
        .and_then(|node| reader.integer(node, "version", 1, i64::MAX as u64));
    let schedule = fields
        .get("schedule")
        .and_then(|node| reader.schedule(node));
    let document = fields
        .get("document")
        .and_then(|node| reader.expr(node, "document"));
    let flows = fields
        .get("flows")
        .map(|node| reader.flows(node))
        .unwrap_or_default();
    let main = reader.level(name.unwrap_or_default(), &fields, "a flow")?;
    Some(Flow {
        version: version.unwrap_or(1),
        schedule,
        document,
        main,
        flows,
    })
}

impl Reader<'_> {
    /// The nets under `flows`.
    fn flows(&mut self, node: &Node) -> Vec<Level> {
        let Data::Map(entries) = &node.data else {
            self.wrong(node, "flows", "a mapping from names to flows");
            return Vec::new();
        };
        let mut levels = Vec::new();
        for (key, node) in entries {
            let what = format!("flow `{}`", key.name);
            self.name_of_flow(&key.name, key.at);
            let Some(fields) = self.fields(node, key.at, &what, &LEVEL) else {
                continue;
            };
            levels.extend(self.level(key.name.clone(), &fields, &what));
        }
        levels
    }

    fn level(&mut self, name: String, fields: &Fields<'_>, what: &str) -> Option<Level> {
        self.description(fields);
        let input = fields
            .get("input")
            .map_or_else(|| Some(Value::object()), |node| self.object(node, "input"));
        let start = fields
            .get("start")
            .and_then(|node| Some((self.text(node, "start")?.to_owned(), node.at)));
        let output = fields
            .get("output")
            .and_then(|node| self.expr(node, "output"));
        let places = fields
            .get("places")
            .map(|node| self.places(node))
            .unwrap_or_default();
        let sections = fields
            .get("sections")
            .map(|node| self.sections(node))
            .unwrap_or_default();
        let deadline = fields
            .get("deadline")
            .and_then(|node| self.case_deadline(node));
        let tasks = fields
            .required(self, "tasks", what)
            .and_then(|node| self.tasks(node))?;
        Some(Level {
            name,
            at: fields.at,
            input: input.unwrap_or_default(),
            start,
            tasks,
            places,
            sections,
            deadline,
            output,
        })
    }

    /// When, or `{after, to}`.
    fn case_deadline(&mut self, node: &Node) -> Option<DeadlineSpec> {
        let Data::Map(_) = &node.data else {
            let by = self.deadline(node, "deadline")?;
            return Some(DeadlineSpec { by, to: None });
        };
        let fields = self.fields(node, node.at, "`deadline`", &DEADLINE)?;
        let by = fields
            .required(self, "after", "`deadline`")
            .and_then(|node| self.deadline(node, "after"));
        let to = match fields.get("to") {
            None => None,
            Some(node) => Some(Name {
                text: self.text(node, "to")?.to_owned(),
                at: node.at,
            }),
        };
        Some(DeadlineSpec { by: by?, to })
    }
}

/// The entries of a mapping whose keys are all known.
pub(super) struct Fields<'n> {
    pub(super) at: Pos,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    pub(super) fn of(at: Pos, entries: &'n [(Key, Node)]) -> Fields<'n> {
        Fields { at, entries }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }

    pub(super) fn required(
        &self,
        reader: &mut Reader<'_>,
        name: &str,
        of: &str,
    ) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() {
            let message = format!("{of} needs the field `{name}`");
            reader.problems.error(
                self.at,
                "missing-field",
                message,
                format!("add `{name}: …`"),
            );
        }
        found
    }
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, node: &Node, field: &str, expected: &str) {
        let message = format!("`{field}` must be {expected}, not {}", node.data.describe());
        self.problems.error(node.at, "wrong-type", message, "");
    }

    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        at: Pos,
        what: &str,
        known: &[&str],
    ) -> Option<Fields<'n>> {
        let Data::Map(entries) = &node.data else {
            let message = format!("{what} must be a mapping, not {}", node.data.describe());
            self.problems.error(
                node.at,
                "wrong-type",
                message,
                format!("its fields are {}", listed(known)),
            );
            return None;
        };
        for (key, _) in entries {
            if known.contains(&key.name.as_str()) {
                continue;
            }
            let help = match closest(&key.name, known.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("its fields are {}", listed(known)),
            };
            let message = format!("{what} has no field `{}`", key.name);
            self.problems.error(key.at, "unknown-field", message, help);
        }
        Some(Fields { at, entries })
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, field: &str) -> Option<&'n str> {
        match &node.data {
            Data::Text(text) => Some(text),
            _ => {
                self.wrong(node, field, "text");
                None
            }
        }
    }

    pub(super) fn description(&mut self, fields: &Fields<'_>) {
        if let Some(node) = fields.get("description") {
            self.text(node, "description");
        }
    }

    fn flow_name(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "name")?;
        self.name_of_flow(name, node.at).then(|| name.to_owned())
    }

    pub(super) fn name_of_flow(&mut self, name: &str, at: Pos) -> bool {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let good = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(allowed)
            && name.len() <= 64;
        if !good {
            let help = "use up to 64 of a-z, 0-9, _ and -, beginning with a letter";
            self.problems.error(
                at,
                "bad-name",
                format!("`{name}` is not a name for a flow"),
                help,
            );
        }
        good
    }

    pub(super) fn integer(
        &mut self,
        node: &Node,
        field: &str,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        match node.data {
            Data::Integer(n) if u64::try_from(n).is_ok_and(|n| (least..=most).contains(&n)) => {
                u64::try_from(n).ok()
            }
            _ => {
                self.wrong(
                    node,
                    field,
                    &format!("a whole number from {least} to {most}"),
                );
                None
            }
        }
    }

    pub(super) fn object(&mut self, node: &Node, field: &str) -> Option<Value> {
        match &node.data {
            Data::Map(_) => Some(node.value()),
            _ => {
                self.wrong(node, field, "a mapping");
                None
            }
        }
    }

    /// A jq expression. Numbers, booleans and null are expressions too, so they need no quotes.
    pub(super) fn expr(&mut self, node: &Node, field: &str) -> Option<Expr> {
        let text = match &node.data {
            Data::Text(text) => text.clone(),
            Data::List(_) | Data::Map(_) => {
                let message = format!(
                    "`{field}` must be a jq expression, so text, not {}",
                    node.data.describe()
                );
                let help = format!("put it in quotes, as in `{field}: '{{a: .b}}'`");
                self.problems.error(node.at, "wrong-type", message, help);
                return None;
            }
            _ => node.value().to_json(),
        };
        match Expr::compile(&text, &VARIABLES) {
            Ok(expr) => Some(expr),
            Err(error) => {
                // Finding the place takes reading the source up to there.
                let at = error
                    .offset
                    .filter(|_| !self.problems.is_full())
                    .map_or(node.at, |offset| node.inside(self.source, offset));
                let message = format!("in `{field}`: {}", error.message);
                self.problems.error(at, "expression", message, error.help);
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: &Node, field: &str) -> Option<Duration> {
        let duration = match &node.data {
            Data::Text(text) => parse_duration(text),
            Data::Integer(_) | Data::Float(_) => parse_duration(&node.value().to_json()),
            _ => None,
        };
        if duration.is_none() {
            let message = format!("`{field}` must be a duration");
            let help = "write `200ms`, `1.5s`, `2m`, `1h`, `1d`, or a number of seconds";
            self.problems.error(node.at, "bad-duration", message, help);
        }
        duration
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        node: &Node,
        field: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let found = match &node.data {
            Data::Text(text) => words
                .iter()
                .find(|(word, _)| word == text)
                .map(|(_, meaning)| *meaning),
            // YAML reads a bare `none` as text, but `null` and `~` are what people also write.
            Data::Null => words
                .iter()
                .find(|(word, _)| *word == "none")
                .map(|(_, meaning)| *meaning),
            _ => None,
        };
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = match &node.data {
                Data::Text(text) => format!("`{field}` cannot be `{text}`"),
                data => format!("`{field}` must be a word, not {}", data.describe()),
            };
            self.problems.error(
                node.at,
                "unknown-word",
                message,
                format!("it is one of {}", listed(&names)),
            );
        }
        found
    }
}

pub(super) fn is_task_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(allowed)
}

/// `a`, `b` and `c`.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
