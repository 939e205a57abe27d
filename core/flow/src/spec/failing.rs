//! `on_error`, `compensate`, and what is wrong with them.

use statewright_value::Path;

use super::fields::CATCH;
use super::read::{CatchSpec, Level, Name, Reader, Task as SpecTask, ThenSpec, listed};
use super::yaml::{Data, Node};
use crate::net::TaskKind;
use crate::problem::{Pos, Problems};

/// What can undo a task.
const UNDOING: [&str; 5] = ["set", "log", "process", "host", "flow"];

impl Reader<'_> {
    /// A name, a line, or a list of lines.
    pub(super) fn on_error(&mut self, node: &Node, task: &str) -> Vec<CatchSpec> {
        let into = || Path::root().key("errors").key(task);
        let lines = match &node.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut catches = Vec::new();
        for line in lines {
            match &line.data {
                Data::Text(to) => catches.push(CatchSpec {
                    at: line.at,
                    when: None,
                    into: into(),
                    then: ThenSpec::To(Name {
                        text: to.clone(),
                        at: line.at,
                    }),
                }),
                _ => catches.extend(self.catch(line, into())),
            }
        }
        if let Some((_, others)) = catches.split_last() {
            for line in others.iter().filter(|c| c.when.is_none()) {
                let message = "this line of `on_error` has no `when`, so those after it never hold";
                let help = "add `when`, or move it to the end";
                self.problems
                    .error(line.at, "missing-condition", message, help);
            }
        }
        catches
    }

    fn catch(&mut self, node: &Node, into: Path) -> Option<CatchSpec> {
        let fields = self.fields(node, node.at, "a line of `on_error`", &CATCH)?;
        let when = match fields.get("when") {
            None => None,
            Some(when) => Some(self.expr(when, "when")?),
        };
        let into = match fields.get("into") {
            None => into,
            Some(node) => {
                let text = self.text(node, "into")?;
                self.path(text, node.at)?
            }
        };
        let mut ways = Vec::new();
        if let Some(to) = fields.get("to") {
            ways.push(ThenSpec::To(Name {
                text: self.text(to, "to")?.to_owned(),
                at: to.at,
            }));
        }
        if let Some(node) = fields.get("skip")
            && self.flag(node, "skip")
        {
            ways.push(ThenSpec::Skip);
        }
        if let Some(node) = fields.get("result") {
            ways.push(ThenSpec::Result(self.expr(node, "result")?));
        }
        if let Some(node) = fields.get("abort")
            && self.flag(node, "abort")
        {
            ways.push(ThenSpec::Abort);
        }
        let mut ways = ways.into_iter();
        let (Some(then), None) = (ways.next(), ways.next()) else {
            let message = "a line of `on_error` says exactly one way on";
            let help = "write one of `to: task`, `skip: true`, `result: 'jq'` and `abort: true`";
            self.problems.error(node.at, "missing-field", message, help);
            return None;
        };
        Some(CatchSpec {
            at: node.at,
            when,
            into,
            then,
        })
    }
}

/// The tasks that undo others; each problem with them is told.
pub(super) fn undoing(level: &Level, problems: &mut Problems) -> Vec<bool> {
    let mut undoes = vec![false; level.tasks.len()];
    for task in &level.tasks {
        let Some(name) = &task.compensate else {
            continue;
        };
        match level.tasks.iter().position(|t| t.name == name.text) {
            Some(found) => {
                if let Some(flag) = undoes.get_mut(found) {
                    *flag = true;
                }
            }
            None => {
                let message = format!("there is no task `{}`", name.text);
                let help = "name the task that undoes this one; no edge leads to it";
                problems.error(name.at, "unknown-task", message, help);
            }
        }
    }
    for (task, undoes) in level.tasks.iter().zip(&undoes) {
        if *undoes {
            plain(level, task, problems);
        }
        lines(task, problems);
        scope(level, task, problems);
    }
    undoes
}

/// What undoes others is no part of the net: nothing leads to it, and nothing follows it.
fn plain(level: &Level, task: &SpecTask, problems: &mut Problems) {
    let mut error = |at: Pos, what: &str, help: &str| {
        let message = format!("`{}` undoes a task, so {what}", task.name);
        problems.error(at, "bad-compensation", message, help);
    };
    let control = !task.next.is_empty()
        || task.join.is_some()
        || task.split.is_some()
        || !task.takes.is_empty()
        || !task.tests.is_empty()
        || !task.cancels.is_empty()
        || !task.on_error.is_empty()
        || task.mutex.is_some()
        || task.many.is_some()
        || task.compensate.is_some()
        || task.terminate.is_some();
    if control {
        let help = "remove all of its fields but those of its kind: it runs by itself, once for each completion of the \
                    task, and then the next one";
        error(task.at, "no control flow goes through it", help);
    }
    let kind = task.kind.as_ref().map_or("set", TaskKind::name);
    if !UNDOING.contains(&kind) {
        let what = format!("it cannot be of kind `{kind}`");
        error(
            task.at,
            &what,
            &format!("it is one of {}", listed(&UNDOING)),
        );
    }
    let leads = |t: &&SpecTask| {
        let errors = t
            .on_error
            .iter()
            .any(|c| matches!(&c.then, ThenSpec::To(name) if name.text == task.name));
        errors || t.next.iter().any(|n| n.to == task.name)
    };
    let late = level.deadline.as_ref().and_then(|d| d.to.as_ref());
    let start = level.start.as_ref().map(|(name, _)| name.as_str());
    let first = level.tasks.first().map(|t| t.name.as_str());
    let place = level.places.iter().flat_map(|p| &p.next);
    if level.tasks.iter().any(|t| leads(&t))
        || place.into_iter().any(|n| n.text == task.name)
        || late.is_some_and(|name| name.text == task.name)
        || start.or(first) == Some(&task.name)
    {
        let help = "write a second task for where the flow itself is to do it";
        error(task.at, "no edge can lead to it", help);
    }
}

/// Where a failure cannot lead on.
fn lines(task: &SpecTask, problems: &mut Problems) {
    let Some(first) = task.on_error.first() else {
        return;
    };
    if matches!(task.kind, Some(TaskKind::Route)) {
        let message = format!(
            "task `{}` only joins and splits: it does no work that could fail",
            task.name
        );
        let help = "remove `on_error`";
        problems.error(first.at, "bad-error-edge", message, help);
    }
    let gives = task.kind.as_ref().is_none_or(|kind| kind.work().is_some());
    for line in &task.on_error {
        if matches!(line.then, ThenSpec::Result(_)) && !gives {
            let message = format!(
                "task `{}` gives no result that another could stand for",
                task.name
            );
            let help = "write `skip: true`";
            problems.error(line.at, "bad-error-edge", message, help);
        }
    }
    let waits = task.many.as_ref().is_none_or(|many| many.wait);
    for line in &task.on_error {
        if matches!(line.then, ThenSpec::To(_)) && !waits {
            let message = format!(
                "nobody waits for the instances of `{}`, so their failure leads nowhere",
                task.name
            );
            let help = "write `skip: true`, or leave out `wait: false`";
            problems.error(line.at, "bad-error-edge", message, help);
        }
    }
}

/// What a task of kind `compensate` names.
fn scope(level: &Level, task: &SpecTask, problems: &mut Problems) {
    for name in &task.of {
        let message = match level.tasks.iter().find(|t| t.name == name.text) {
            None => format!("there is no task `{}`", name.text),
            Some(of) if of.compensate.is_none() && !matches!(of.kind, Some(TaskKind::Flow(_))) => {
                format!("nothing undoes task `{}`", name.text)
            }
            Some(_) => continue,
        };
        let help = "name tasks with `compensate`, or of kind `flow`";
        problems.error(name.at, "bad-compensation", message, help);
    }
}
