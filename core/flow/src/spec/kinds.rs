//! What each kind of task has of its own.

#[cfg(feature = "schema")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "schema")]
use statewright_value::Schema;
use statewright_value::{Path, Value};

use super::fields::RETRY;
use super::read::{Fields, Reader};
use super::yaml::{Data, Node};
use crate::duration::parse_duration;
use crate::expr::Expr;
use crate::net::{
    Deadline, FlowRef, Format, Host, Process, Retry, Signal, SubFlow, VARIABLES, Wait, Work,
};
use crate::problem::Pos;

impl Reader<'_> {
    pub(super) fn set(&mut self, fields: &Fields<'_>) -> Option<Vec<(Path, Expr)>> {
        let node = fields.required(self, "set", "a `set` task")?;
        let Data::Map(entries) = &node.data else {
            self.wrong(node, "set", "a mapping from paths to expressions");
            return None;
        };
        if entries.is_empty() {
            self.problems.error(
                node.at,
                "empty",
                "`set` sets nothing",
                "add `.path: 'expression'`",
            );
            return None;
        }
        let mut assignments = Some(Vec::new());
        for (key, node) in entries {
            let path = self.path(&key.name, key.at);
            let expr = self.expr(node, &key.name);
            match (assignments.as_mut(), path, expr) {
                (Some(list), Some(path), Some(expr)) => list.push((path, expr)),
                _ => assignments = None,
            }
        }
        assignments
    }

    pub(super) fn path(&mut self, text: &str, at: Pos) -> Option<Path> {
        let help = "a path begins with a dot, such as `.report.total` or `.rows[0]`";
        match Path::parse(text) {
            Ok(path) if path.segments().is_empty() => {
                self.problems.error(
                    at,
                    "bad-path",
                    "the data as a whole cannot be replaced",
                    help,
                );
                None
            }
            Ok(path) if !text.starts_with('.') => {
                self.problems.error(
                    at,
                    "bad-path",
                    format!("`{path}` is written without its dot"),
                    help,
                );
                None
            }
            Ok(path) => Some(path),
            Err(error) => {
                self.problems.error(at, "bad-path", error.to_string(), help);
                None
            }
        }
    }

    pub(super) fn wait(&mut self, fields: &Fields<'_>) -> Option<Wait> {
        self.zone_alone(fields);
        let ways = ["for", "until", "cron"].map(|name| fields.get(name));
        match ways {
            [None, None, Some(cron)] => self.cron(cron, fields.get("zone")).map(Wait::Cron),
            [Some(node), None, None] => match &node.data {
                Data::Text(text) if parse_duration(text).is_none() => {
                    self.expr(node, "for").map(Wait::ForExpr)
                }
                _ => self.duration(node, "for").map(Wait::For),
            },
            [None, Some(node), None] => match &node.data {
                Data::Text(text) if text.parse::<jiff::Timestamp>().is_ok() => {
                    Expr::compile(&Value::text(text).to_json(), &VARIABLES)
                        .ok()
                        .map(Wait::Until)
                }
                _ => self.expr(node, "until").map(Wait::Until),
            },
            ways => {
                let how = match ways.iter().any(Option::is_some) {
                    true => "only one of",
                    false => "one of",
                };
                let help = "`for: 1.5s` waits so long, `until: .deadline` for that time, and `cron: \"0 9 * * *\"` for the \
                            next one of these";
                let message = format!("a `wait` task has {how} `for`, `until` and `cron`");
                self.problems
                    .error(fields.at, "missing-field", message, help);
                None
            }
        }
    }

    pub(super) fn process(&mut self, fields: &Fields<'_>, name: &str) -> Option<Process> {
        let formats = [
            ("json", Format::Json),
            ("text", Format::Text),
            ("lines", Format::Lines),
            ("none", Format::None),
        ];
        let work = self.work(fields, name);
        let run = fields
            .required(self, "run", "a `process` task")
            .and_then(|node| self.run(node));
        let args = self.optional_expr(fields, "args");
        let cwd = self.optional_expr(fields, "cwd");
        let stdin = fields.get("stdin").map_or(Some(Format::Json), |node| {
            self.word(node, "stdin", &formats)
        });
        let stdout = fields.get("stdout").map_or(Some(Format::Json), |node| {
            self.word(node, "stdout", &formats)
        });
        Some(Process {
            work: work?,
            run: run?,
            args: args?,
            cwd: cwd?,
            stdin: stdin?,
            stdout: stdout?,
        })
    }

    pub(super) fn host(&mut self, fields: &Fields<'_>, name: &str) -> Option<Host> {
        let work = self.work(fields, name);
        let topic = match fields.get("topic") {
            None => Some(name.to_owned()),
            Some(node) => self.topic(node),
        };
        Some(Host {
            work: work?,
            topic: topic?,
        })
    }

    fn topic(&mut self, node: &Node) -> Option<String> {
        self.label(node, "topic")
    }

    pub(super) fn signal(&mut self, fields: &Fields<'_>, name: &str) -> Option<Signal> {
        let work = self.work(fields, name);
        let signal = match fields.get("signal") {
            None => Some(name.to_owned()),
            Some(node) => self.label(node, "signal"),
        };
        let keep = fields
            .get("keep")
            .is_some_and(|node| self.flag(node, "keep"));
        let key = self.optional_expr(fields, "key");
        let reply = self.optional_expr(fields, "reply");
        let schema = match fields.get("schema") {
            None => Some(None),
            Some(node) => self.data_schema(node).map(Some),
        };
        #[cfg(not(feature = "schema"))]
        schema?;
        Some(Signal {
            work: work?,
            signal: signal?,
            keep,
            key: key?,
            #[cfg(feature = "schema")]
            schema: schema?,
            reply: reply?,
        })
    }

    /// A JSON Schema.
    #[cfg(feature = "schema")]
    fn data_schema(&mut self, node: &Node) -> Option<Arc<Schema>> {
        let of = self.object(node, "schema")?;
        match Schema::compile(of.by_ref()) {
            Ok(schema) => Some(Arc::new(schema)),
            Err(error) => {
                let help = "write a JSON Schema, such as `{ type: object, required: [amount] }`";
                let message = error.to_string();
                self.problems.error(node.at, "bad-schema", message, help);
                None
            }
        }
    }

    #[cfg(not(feature = "schema"))]
    fn data_schema(&mut self, node: &Node) -> Option<()> {
        let message = "this build checks no data against a JSON Schema";
        let help = "build it with the feature `schema`, or leave `schema` out";
        self.problems.error(node.at, "unsupported", message, help);
        None
    }

    pub(super) fn sub_flow(&mut self, fields: &Fields<'_>, name: &str) -> Option<SubFlow> {
        let work = self.work(fields, name);
        let flow = fields
            .required(self, "flow", "a `flow` task")
            .and_then(|node| {
                let text = self.text(node, "flow")?;
                self.name_of_flow(text, node.at).then(|| text.to_owned())
            });
        Some(SubFlow {
            work: work?,
            // Which it is, is found out when all names are known.
            flow: FlowRef::Deployed(flow?),
        })
    }

    /// A topic or the name of a signal.
    pub(super) fn label(&mut self, node: &Node, field: &str) -> Option<String> {
        let topic = self.text(node, field)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good = (1..=128).contains(&topic.len()) && topic.chars().all(allowed);
        if !good {
            let help = "use up to 128 letters, digits, `.`, `_` and `-`";
            self.problems.error(
                node.at,
                "bad-name",
                format!("`{topic}` is not a {field}"),
                help,
            );
        }
        good.then(|| topic.to_owned())
    }

    fn run(&mut self, node: &Node) -> Option<Vec<String>> {
        let Data::List(items) = &node.data else {
            let message = format!(
                "`run` must be a list: the program and its arguments, not {}",
                node.data.describe()
            );
            let help =
                "write `run: [program, argument]`, or `run: [sh, -c, \"…\"]` for a shell command";
            self.problems.error(node.at, "wrong-type", message, help);
            return None;
        };
        if items.is_empty() {
            self.problems.error(
                node.at,
                "empty",
                "`run` names no program",
                "write `run: [program, argument]`",
            );
            return None;
        }
        let mut run = Some(Vec::new());
        for item in items {
            let text = match &item.data {
                Data::Text(text) if !text.contains('\0') => Some(text.clone()),
                Data::Integer(_) | Data::Bool(_) => Some(item.value().to_json()),
                Data::Text(_) => {
                    self.problems.error(
                        item.at,
                        "bad-argument",
                        "an argument cannot contain a NUL character",
                        "",
                    );
                    None
                }
                _ => {
                    self.wrong(item, "an item of `run`", "text");
                    None
                }
            };
            match (run.as_mut(), text) {
                (Some(run), Some(text)) => run.push(text),
                _ => run = None,
            }
        }
        run
    }

    /// None if there is one that does not compile.
    pub(super) fn optional_expr(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
    ) -> Option<Option<Expr>> {
        match fields.get(name) {
            None => Some(None),
            Some(node) => self.expr(node, name).map(Some),
        }
    }

    fn work(&mut self, fields: &Fields<'_>, name: &str) -> Option<Work> {
        let input = self.optional_expr(fields, "input");
        let output = self.optional_expr(fields, "output");
        let into = match fields.get("into") {
            None => Some(Path::root().key(name)),
            Some(node) => self
                .text(node, "into")
                .and_then(|text| self.path(text, node.at)),
        };
        let retry = fields
            .get("retry")
            .map_or_else(|| Some(Retry::default()), |node| self.retry(node));
        let timeout = match fields.get("timeout") {
            None => Some(None),
            Some(node) => self.positive(node, "timeout").map(Some),
        };
        let deadline = match fields.get("deadline") {
            None => Some(None),
            Some(node) => self.deadline(node, "deadline").map(Some),
        };
        let lane = match fields.get("lane") {
            None => Some(None),
            Some(node) => self.lane(node).map(Some),
        };
        Some(Work {
            input: input?,
            output: output?,
            into: into?,
            retry: retry?,
            timeout: timeout?,
            deadline: deadline?,
            lane: lane?,
        })
    }

    /// A duration, a time, or jq that gives one of them.
    pub(super) fn deadline(&mut self, node: &Node, field: &str) -> Option<Deadline> {
        match &node.data {
            Data::Text(text) if text.parse::<jiff::Timestamp>().is_ok() => {
                Expr::compile(&Value::text(text).to_json(), &VARIABLES)
                    .ok()
                    .map(Deadline::Expr)
            }
            Data::Text(text) if parse_duration(text).is_none() => {
                self.expr(node, field).map(Deadline::Expr)
            }
            _ => self.positive(node, field).map(Deadline::After),
        }
    }

    pub(super) fn positive(&mut self, node: &Node, field: &str) -> Option<Duration> {
        let duration = self.duration(node, field)?;
        if duration.is_zero() {
            let help = "leave it out for no limit";
            self.problems.error(
                node.at,
                "bad-duration",
                format!("`{field}` must be longer than 0"),
                help,
            );
        }
        (!duration.is_zero()).then_some(duration)
    }

    fn retry(&mut self, node: &Node) -> Option<Retry> {
        let default = Retry::default();
        let fields = self.fields(node, node.at, "`retry`", &RETRY)?;
        let attempts = fields
            .required(self, "attempts", "`retry`")
            .and_then(|node| self.integer(node, "attempts", 1, 1_000_000))
            .and_then(|attempts| u32::try_from(attempts).ok());
        let delay = fields
            .get("delay")
            .map_or(Some(default.delay), |node| self.duration(node, "delay"));
        let factor = fields.get("factor").map_or(Some(default.factor), |node| {
            self.number(node, "factor", 1.0, 1000.0)
        });
        let jitter = fields.get("jitter").map_or(Some(default.jitter), |node| {
            self.number(node, "jitter", 0.0, 1.0)
        });
        let when = self.optional_expr(&fields, "when");
        let max_delay = match fields.get("max_delay") {
            None => Some(None),
            Some(node) => self.duration(node, "max_delay").map(Some),
        };
        Some(Retry {
            attempts: attempts?,
            delay: delay?,
            factor: factor?,
            max_delay: max_delay?,
            jitter: jitter?,
            when: when?,
        })
    }

    fn number(&mut self, node: &Node, field: &str, least: f64, most: f64) -> Option<f64> {
        let number = match node.data {
            Data::Integer(n) => Some(n as f64),
            Data::Float(n) => Some(n),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(node, field, &format!("a number from {least} to {most}"));
        }
        number
    }
}
