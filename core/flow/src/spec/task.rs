//! Tasks as they are written: what all kinds have in common, and the edges out.

use super::fields::{COMMON, EDGE, JOIN, KINDS};
use super::read::{Fields, Name, Next, Reader, Task, When, is_task_name, listed};
use super::yaml::{Data, Key, Node};
use crate::net::{Join, Reset, Split, TaskKind, Undo};
use crate::problem::Pos;

/// Most tasks, and most edges, of a flow.
pub(crate) const MAX_TASKS: usize = 10_000;
/// Most tokens that an edge moves, or that a place begins with.
pub(super) const MAX_TOKENS: u64 = 10_000;

impl Reader<'_> {
    pub(super) fn tasks(&mut self, node: &Node) -> Option<Vec<Task>> {
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

    /// Checks the name of a task, place or section.
    pub(super) fn check_name(&mut self, name: &str, at: Pos, what: &str) {
        if !is_task_name(name) {
            let help = "use up to 64 letters, digits, _ and -, beginning with a letter or _";
            self.problems.error(
                at,
                "bad-name",
                format!("`{name}` is not a name for a {what}"),
                help,
            );
        }
    }

    fn task(&mut self, key: &Key, node: &Node) -> Task {
        let name = key.name.clone();
        self.check_name(&name, key.at, "task");
        let mut task = Task {
            name,
            at: key.at,
            kind: None,
            join: None,
            split: None,
            next: Vec::new(),
            takes: Vec::new(),
            tests: Vec::new(),
            cancels: Vec::new(),
            mutex: None,
            many: None,
            terminate: None,
            on_error: Vec::new(),
            compensate: None,
            of: Vec::new(),
        };
        let Some((kind, fields)) = self.task_fields(key, node) else {
            return task;
        };
        self.description(&fields);
        self.control(&mut task, &fields);
        let many = fields.get("many").map(|node| self.many(node));
        task.kind = self.kind(kind, &fields, &task.name);
        match many {
            None => {}
            Some(Some(many)) => task.many = Some(many),
            // It is a problem already; without its instances the task means something else.
            Some(None) => task.kind = None,
        }
        task
    }

    /// What says when a task runs and what follows.
    fn control(&mut self, task: &mut Task, fields: &Fields<'_>) {
        task.join = fields
            .get("join")
            .and_then(|node| Some((self.join(node)?, node.at)));
        let splits = [("and", Split::And), ("xor", Split::Xor), ("or", Split::Or)];
        task.split = fields
            .get("split")
            .and_then(|node| Some((self.word(node, "split", &splits)?, node.at)));
        task.next = fields
            .get("next")
            .map(|node| self.next(node))
            .unwrap_or_default();
        task.takes = fields
            .get("takes")
            .map(|node| self.takes(node))
            .unwrap_or_default();
        task.tests = fields
            .get("tests")
            .map(|node| self.names(node, "tests"))
            .unwrap_or_default();
        task.cancels = fields
            .get("cancels")
            .map(|node| self.names(node, "cancels"))
            .unwrap_or_default();
        task.mutex = fields
            .get("mutex")
            .and_then(|node| self.name(node, "mutex", "mutex"));
        task.on_error = fields
            .get("on_error")
            .map(|node| self.on_error(node, &task.name))
            .unwrap_or_default();
        task.compensate = fields
            .get("compensate")
            .and_then(|node| self.name(node, "compensate", "task"));
        task.of = fields
            .get("of")
            .map(|node| self.names(node, "of"))
            .unwrap_or_default();
        task.terminate = fields
            .get("terminate")
            .filter(|node| self.flag(node, "terminate"))
            .map(|node| node.at);
    }

    fn kind(&mut self, kind: &'static str, fields: &Fields<'_>, name: &str) -> Option<TaskKind> {
        match kind {
            "set" => self.set(fields).map(TaskKind::Set),
            "log" => fields
                .required(self, "message", "a `log` task")
                .and_then(|node| self.expr(node, "message"))
                .map(TaskKind::Log),
            "wait" => self.wait(fields).map(TaskKind::Wait),
            "process" => self.process(fields, name).map(TaskKind::Process),
            "host" => self.host(fields, name).map(TaskKind::Host),
            "signal" => self.signal(fields, name).map(TaskKind::Signal),
            "flow" => self.sub_flow(fields, name).map(TaskKind::Flow),
            // What it undoes is looked up when all tasks are known.
            "compensate" => Some(TaskKind::Compensate(Undo::default())),
            _ => Some(TaskKind::Route),
        }
    }

    fn join(&mut self, node: &Node) -> Option<Join> {
        let words = [
            ("and", Join::And),
            ("xor", Join::Xor),
            ("or", Join::Or),
            ("local", Join::Local),
        ];
        let Data::Map(_) = &node.data else {
            return self.word(node, "join", &words);
        };
        let fields = self.fields(node, node.at, "`join`", &JOIN)?;
        let n = fields
            .required(self, "of", "`join`")
            .and_then(|node| self.integer(node, "of", 1, u64::from(u32::MAX)));
        let resets = [
            ("all", Reset::All),
            ("blocking", Reset::Blocking),
            ("cancel", Reset::Cancel),
        ];
        let reset = fields
            .get("reset")
            .map_or(Some(Reset::All), |node| self.word(node, "reset", &resets));
        Some(Join::Of {
            n: u32::try_from(n?).unwrap_or(u32::MAX),
            reset: reset?,
        })
    }

    /// Checks the kind and that the task has only fields of that kind.
    fn task_fields<'n>(&mut self, key: &Key, node: &'n Node) -> Option<(&'static str, Fields<'n>)> {
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
        let fields = Fields::of(key.at, entries);
        let (kind, own): (&str, &[&str]) = match fields.get("kind") {
            None => {
                let own = entries
                    .iter()
                    .find(|(key, _)| !COMMON.contains(&key.name.as_str()) && is_own(&key.name));
                if let Some((own, _)) = own {
                    let message = format!(
                        "{what} has the field `{}`, so it needs the field `kind`",
                        own.name
                    );
                    let help = format!(
                        "add `kind:` and one of {}; a task without one only joins and splits",
                        listed(&KINDS.map(|(kind, _)| kind))
                    );
                    self.problems.error(key.at, "missing-field", message, help);
                    return None;
                }
                ("route", &[])
            }
            Some(node) => self.word(node, "kind", &KINDS.map(|(kind, own)| (kind, (kind, own))))?,
        };
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        let what = match kind {
            "route" => what,
            kind => format!("{what} of kind `{kind}`"),
        };
        Some((kind, self.fields(node, key.at, &what, &known)?))
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
                tokens: 1,
            }),
            Data::Map(_) => {
                let fields = self.fields(node, node.at, "an edge", &EDGE)?;
                let to = fields.required(self, "to", "an edge")?;
                let when = fields.get("when").map(|when| When {
                    at: when.at,
                    expr: self.expr(when, "when"),
                });
                let tokens = fields
                    .get("tokens")
                    .map_or(Some(1), |node| self.tokens(node, "tokens", 1))?;
                Some(Next {
                    to: self.text(to, "to")?.to_owned(),
                    at: to.at,
                    when,
                    tokens,
                })
            }
            _ => {
                self.wrong(
                    node,
                    "next",
                    "a task's or place's name, `{to, when, tokens}`, or a list of them",
                );
                None
            }
        }
    }

    pub(super) fn tokens(&mut self, node: &Node, field: &str, least: u64) -> Option<u32> {
        let tokens = self.integer(node, field, least, MAX_TOKENS)?;
        u32::try_from(tokens).ok()
    }

    /// How many tokens a task takes, by the place or task they come from.
    fn takes(&mut self, node: &Node) -> Vec<(Name, u32)> {
        let Data::Map(entries) = &node.data else {
            self.wrong(
                node,
                "takes",
                "a mapping from places, or tasks with an edge here, to numbers of tokens",
            );
            return Vec::new();
        };
        let mut takes = Vec::new();
        for (key, node) in entries {
            let name = Name {
                text: key.name.clone(),
                at: key.at,
            };
            takes.extend(self.tokens(node, &key.name, 1).map(|tokens| (name, tokens)));
        }
        takes
    }
}

fn is_own(field: &str) -> bool {
    KINDS.iter().any(|(_, own)| own.contains(&field))
}
