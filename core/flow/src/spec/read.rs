//! From the tree to tasks, edges and compiled expressions.

use std::time::Duration;

use statewright_value::Value;

use super::yaml::{Data, Key, Node};
use crate::duration::parse_duration;
use crate::expr::Expr;
use crate::names::closest;
use crate::net::{Join, Split, TaskKind, VARIABLES};
use crate::problem::{Pos, Problems};

/// Most tasks, and most edges, of a flow.
pub(crate) const MAX_TASKS: usize = 10_000;

pub(crate) struct Flow {
    pub name: String,
    pub version: u64,
    pub input: Value,
    pub start: Option<(String, Pos)>,
    pub tasks: Vec<Task>,
    pub output: Option<Expr>,
    pub document: Option<Expr>,
}

pub(crate) struct Task {
    pub name: String,
    pub at: Pos,
    /// None if it could not be read; then that is a problem already.
    pub kind: Option<TaskKind>,
    pub join: Option<(Join, Pos)>,
    pub split: Option<(Split, Pos)>,
    pub next: Vec<Next>,
}

pub(crate) struct Next {
    pub to: String,
    pub at: Pos,
    pub when: Option<When>,
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
    let known = [
        "name",
        "version",
        "description",
        "input",
        "start",
        "tasks",
        "output",
        "document",
    ];
    let fields = reader.fields(root, root.at, "a flow", &known)?;
    reader.description(&fields);
    let name = match fields.required(&mut reader, "name", "a flow") {
        Some(node) => reader.flow_name(node),
        None => None,
    };
    let version = fields
        .get("version")
        .and_then(|node| reader.integer(node, "version", 1, i64::MAX as u64));
    let input = fields.get("input").map_or_else(
        || Some(Value::object()),
        |node| reader.object(node, "input"),
    );
    let start = fields
        .get("start")
        .and_then(|node| Some((reader.text(node, "start")?.to_owned(), node.at)));
    let output = fields
        .get("output")
        .and_then(|node| reader.expr(node, "output"));
    let document = fields
        .get("document")
        .and_then(|node| reader.expr(node, "document"));
    let tasks = fields
        .required(&mut reader, "tasks", "a flow")
        .and_then(|node| reader.tasks(node));
    Some(Flow {
        name: name.unwrap_or_default(),
        version: version.unwrap_or(1),
        input: input.unwrap_or_default(),
        start,
        tasks: tasks?,
        output,
        document,
    })
}

/// The entries of a mapping whose keys are all known.
pub(super) struct Fields<'n> {
    pub(super) at: Pos,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
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

    fn description(&mut self, fields: &Fields<'_>) {
        if let Some(node) = fields.get("description") {
            self.text(node, "description");
        }
    }

    fn flow_name(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "name")?;
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let good = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(allowed)
            && name.len() <= 64;
        if !good {
            let help = "use up to 64 of a-z, 0-9, _ and -, beginning with a letter";
            self.problems.error(
                node.at,
                "bad-name",
                format!("`{name}` is not a name for a flow"),
                help,
            );
        }
        good.then(|| name.to_owned())
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

    fn object(&mut self, node: &Node, field: &str) -> Option<Value> {
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
                let at = error
                    .offset
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

    fn tasks(&mut self, node: &Node) -> Option<Vec<Task>> {
        let Data::Map(entries) = &node.data else {
            self.wrong(node, "tasks", "a mapping from names to tasks");
            return None;
        };
        if entries.is_empty() {
            self.problems.error(
                node.at,
                "no-tasks",
                "a flow needs at least one task",
                "add one under `tasks:`",
            );
            return None;
        }
        if entries.len() > MAX_TASKS {
            let message = format!(
                "the flow has {} tasks; at most {MAX_TASKS} are allowed",
                entries.len()
            );
            self.problems.error(
                node.at,
                "too-many-tasks",
                message,
                "split it into several flows",
            );
            return None;
        }
        Some(
            entries
                .iter()
                .map(|(key, node)| self.task(key, node))
                .collect(),
        )
    }

    fn task(&mut self, key: &Key, node: &Node) -> Task {
        let name = key.name.clone();
        if !is_task_name(&name) {
            let help = "use up to 64 letters, digits, _ and -, beginning with a letter or _";
            self.problems.error(
                key.at,
                "bad-name",
                format!("`{name}` is not a name for a task"),
                help,
            );
        }
        let mut task = Task {
            name,
            at: key.at,
            kind: None,
            join: None,
            split: None,
            next: Vec::new(),
        };
        let Some(fields) = self.task_fields(key, node) else {
            return task;
        };
        self.description(&fields);
        task.join = fields.get("join").and_then(|node| {
            Some((
                self.word(node, "join", &[("and", Join::And), ("xor", Join::Xor)])?,
                node.at,
            ))
        });
        task.split = fields.get("split").and_then(|node| {
            Some((
                self.word(node, "split", &[("and", Split::And), ("xor", Split::Xor)])?,
                node.at,
            ))
        });
        task.next = fields
            .get("next")
            .map(|node| self.next(node))
            .unwrap_or_default();
        task.kind = match kind_name(&fields) {
            Some("set") => self.set(&fields).map(TaskKind::Set),
            Some("log") => fields
                .required(self, "message", "a `log` task")
                .and_then(|node| self.expr(node, "message"))
                .map(TaskKind::Log),
            Some("wait") => self.wait(&fields).map(TaskKind::Wait),
            Some("process") => self.process(&fields, &task.name).map(TaskKind::Process),
            Some("host") => self.host(&fields, &task.name).map(TaskKind::Host),
            _ => None,
        };
        task
    }

    /// Checks the kind and that the task has only fields of that kind.
    fn task_fields<'n>(&mut self, key: &Key, node: &'n Node) -> Option<Fields<'n>> {
        let what = format!("task `{}`", key.name);
        let Data::Map(entries) = &node.data else {
            let message = format!("{what} must be a mapping, not {}", node.data.describe());
            self.problems.error(
                node.at,
                "wrong-type",
                message,
                "write its fields under it: `kind`, `next`, …",
            );
            return None;
        };
        let fields = Fields {
            at: key.at,
            entries,
        };
        let kind = match fields.get("kind") {
            None => {
                let help = format!(
                    "add `kind:` and one of {}",
                    listed(&KINDS.map(|(kind, _)| kind))
                );
                self.problems.error(
                    key.at,
                    "missing-field",
                    format!("{what} needs the field `kind`"),
                    help,
                );
                return None;
            }
            Some(node) => self.word(node, "kind", &KINDS.map(|(kind, own)| (kind, (kind, own)))),
        };
        let (kind, own) = kind?;
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        self.fields(node, key.at, &format!("{what} of kind `{kind}`"), &known)
    }

    fn next(&mut self, node: &Node) -> Vec<Next> {
        let items = match &node.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        items.iter().filter_map(|item| self.edge(item)).collect()
    }

    fn edge(&mut self, node: &Node) -> Option<Next> {
        match &node.data {
            Data::Text(to) => Some(Next {
                to: to.clone(),
                at: node.at,
                when: None,
            }),
            Data::Map(_) => {
                let fields = self.fields(node, node.at, "an edge", &["to", "when"])?;
                let to = fields.required(self, "to", "an edge")?;
                let when = fields.get("when").map(|when| When {
                    at: when.at,
                    expr: self.expr(when, "when"),
                });
                Some(Next {
                    to: self.text(to, "to")?.to_owned(),
                    at: to.at,
                    when,
                })
            }
            _ => {
                self.wrong(
                    node,
                    "next",
                    "a task's name, `{to, when}`, or a list of them",
                );
                None
            }
        }
    }
}

const COMMON: [&str; 5] = ["kind", "description", "join", "split", "next"];

const KINDS: [(&str, &[&str]); 5] = [
    ("set", &["set"]),
    ("log", &["message"]),
    ("wait", &["for", "until"]),
    (
        "process",
        &[
            "run", "args", "cwd", "stdin", "stdout", "input", "output", "into", "retry", "timeout",
        ],
    ),
    (
        "host",
        &["topic", "input", "output", "into", "retry", "timeout"],
    ),
];

fn kind_name<'n>(fields: &Fields<'n>) -> Option<&'n str> {
    match &fields.get("kind")?.data {
        Data::Text(kind) => Some(kind),
        _ => None,
    }
}

fn is_task_name(name: &str) -> bool {
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
