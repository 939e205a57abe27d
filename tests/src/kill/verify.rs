//! What must hold when a killed run has come to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::scenario::{CASE, Scenario};

/// What is wrong with a run.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub run_twice: usize,
    pub lost: usize,
    pub problems: Vec<String>,
}

impl Found {
    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    fn twice(&mut self, what: String) {
        self.run_twice += 1;
        self.problem(what);
    }

    fn lost(&mut self, what: String) {
        self.lost += 1;
        self.problem(what);
    }
}

/// Holds the outputs of a run's processes, its history, its log and its witness against each other.
pub fn verify(scenario: &Scenario, folder: &Path, processes: u32) -> Found {
    let mut found = Found::default();
    let case = match objects(scenario, folder, &["case", CASE, "--history"]) {
        Ok(mut lines) => lines.pop().unwrap_or_default(),
        Err(problem) => {
            found.problem(problem);
            return found;
        }
    };
    let history = case
        .get("history")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    end(scenario, &case, &mut found);
    order(&history, &mut found);
    steps(scenario.tasks, &history, &mut found);
    let finished = finished_by(folder, processes);
    witness(
        folder,
        &history,
        &finished,
        scenario.claims_in_memory(),
        &mut found,
    );
    acknowledged(folder, processes, &history, &mut found);
    match objects(scenario, folder, &["log"]) {
        Ok(commits) => log(&commits, &history, &mut found),
        Err(problem) => found.problem(problem),
    }
    found
}

/// The JSON lines of a command on the store.
fn objects(scenario: &Scenario, folder: &Path, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let (what, rest) = arguments.split_first().ok_or("no command")?;
    let mut command = scenario.command(folder, what);
    let output = command
        .args(rest)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "`{what}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|e| format!("`{what}` printed '{line}': {e}"))
        })
        .collect()
}

/// It completed, with the result of a run that nobody killed.
fn end(scenario: &Scenario, case: &Value, found: &mut Found) {
    let (status, result) = (case.get("status"), case.get("result"));
    if status != Some(&json!("completed")) {
        found.problem(format!(
            "the case did not complete: {}",
            status.unwrap_or(&Value::Null)
        ));
    } else if result != Some(&scenario.result) {
        found.problem(format!(
            "the result is {} instead of {}",
            result.unwrap_or(&Value::Null),
            scenario.result
        ));
    }
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn number(event: &Value, field: &str) -> u64 {
    event.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// The history has no gap, and versions never go back.
fn order(history: &[Value], found: &mut Found) {
    for (event, seq) in history.iter().zip(1..) {
        if number(event, "seq") != seq {
            found.lost(format!("event {seq} is missing from the history"));
            return;
        }
    }
    if !history.is_sorted_by_key(|event| number(event, "version")) {
        found.problem("the versions of the history go back".to_owned());
    }
}

/// No item goes on after its completion, and every task is completed exactly once.
fn steps(tasks: &[&str], history: &[Value], found: &mut Found) {
    let mut completed: BTreeSet<u64> = BTreeSet::new();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for event in history {
        let (kind, task) = (text(event, "event"), text(event, "task"));
        let item = event.get("item").and_then(Value::as_u64);
        if item.is_some_and(|item| completed.contains(&item)) {
            found.twice(format!("{task} went on after its completion: {event}"));
        }
        if matches!(kind, "completed" | "timer_fired" | "fired" | "logged") {
            completed.extend(item);
            *times.entry(task).or_default() += 1;
        }
    }
    for task in tasks {
        match times.remove(task).unwrap_or(0) {
            1 => {}
            0 => found.problem(format!("{task} never ran")),
            n => found.twice(format!("{task} ran {n} times")),
        }
    }
    for task in times.keys() {
        found.problem(format!("{task} ran, but should not have"));
    }
}

/// Which process printed that an item completed.
fn finished_by(folder: &Path, processes: u32) -> BTreeMap<u64, u32> {
    let mut finished = BTreeMap::new();
    for process in 1..=processes {
        let printed = fs::read_to_string(folder.join(format!("out-{process}"))).unwrap_or_default();
        let events = printed
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for event in events.filter(|event| text(event, "event") == "completed") {
            finished.entry(number(&event, "item")).or_insert(process);
        }
    }
    finished
}

/// A step runs only as attempts that are in the history, each once, and never after its completion. If claims are in
/// memory alone, one that a kill undid is made again as the same attempt: then each runs once in a process.
fn witness(
    folder: &Path,
    history: &[Value],
    finished: &BTreeMap<u64, u32>,
    claims_in_memory: bool,
    found: &mut Found,
) {
    let of_kind = |kind: &'static str| {
        history
            .iter()
            .filter(move |e| text(e, "event") == kind)
            .map(|e| (number(e, "item"), number(e, "attempt")))
    };
    let started: BTreeSet<(u64, u64)> = of_kind("started").collect();
    let completed: BTreeMap<u64, u64> = of_kind("completed").collect();
    let (mut ran, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let witness = fs::read_to_string(folder.join("witness")).unwrap_or_default();
    for line in witness.lines() {
        let parsed = line.rsplit_once(' ').and_then(|(line, process)| {
            let (key, attempt) = line.rsplit_once(' ')?;
            let item: u64 = key.strip_prefix(CASE)?.strip_prefix('/')?.parse().ok()?;
            Some((item, attempt.parse().ok()?, process.parse().ok()?))
        });
        let Some((item, attempt, process)) = parsed else {
            found.problem(format!(
                "the witness has a line that is not of it: '{line}'"
            ));
            continue;
        };
        if finished.get(&item).is_some_and(|by| process > *by) {
            found.twice(format!(
                "item {item} ran in process {process} after its completion"
            ));
        }
        let of = if claims_in_memory { process } else { 0 };
        ran.insert((item, attempt));
        if !seen.insert((item, attempt, of)) {
            found.twice(format!("item {item} ran twice as attempt {attempt}"));
        }
        if !started.contains(&(item, attempt)) {
            found.lost(format!(
                "item {item} ran as attempt {attempt}, but no such start is in the history"
            ));
        }
        if completed.get(&item).is_some_and(|last| attempt > *last) {
            found.twice(format!(
                "item {item} ran as attempt {attempt} after its completion"
            ));
        }
    }
    for (item, attempt) in completed {
        if !ran.contains(&(item, attempt)) {
            found.problem(format!(
                "item {item} completed as attempt {attempt}, but never ran"
            ));
        }
    }
}

/// Every event that any of the processes printed is in the history, the same in every field.
fn acknowledged(folder: &Path, processes: u32, history: &[Value], found: &mut Found) {
    for process in 1..=processes {
        let printed = fs::read_to_string(folder.join(format!("out-{process}"))).unwrap_or_default();
        // What has no line end was being written when the process was killed.
        for line in printed
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                found.problem(format!("process {process} printed '{line}'"));
                continue;
            };
            let kept = number(&event, "seq")
                .checked_sub(1)
                .and_then(|at| history.get(usize::try_from(at).ok()?));
            if event.get("event").is_some() && kept != Some(&event) {
                found.lost(format!(
                    "process {process} had printed {event}, but the history has {kept:?}"
                ));
            }
        }
    }
}

/// The log has every version once, and in each event's commit the op that made it.
fn log(commits: &[Value], history: &[Value], found: &mut Found) {
    for (commit, version) in commits.iter().zip(1..) {
        if number(commit, "version") != version {
            found.lost(format!("version {version} is missing from the log"));
            return;
        }
    }
    for event in history {
        let (version, seq) = (number(event, "version"), number(event, "seq"));
        let commit = version
            .checked_sub(1)
            .and_then(|at| commits.get(usize::try_from(at).ok()?));
        let ops = commit.and_then(|commit| commit.get("ops")?.as_array());
        // The events of a commit are one document.
        let key = format!("/h/{CASE}/");
        if !ops.is_some_and(|ops| ops.iter().any(|op| text(op, "at").contains(&key))) {
            found.lost(format!("the log has no event {seq} in commit {version}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: &str, task: &str, item: u64, attempt: u64) -> Value {
        json!({"event": kind, "seq": seq, "version": seq, "task": task, "item": item, "attempt": attempt})
    }

    /// A step that was killed once.
    fn history() -> Vec<Value> {
        vec![
            event(1, "offered", "t", 1, 0),
            event(2, "started", "t", 1, 1),
            event(3, "released", "t", 1, 1),
            event(4, "started", "t", 1, 2),
            event(5, "completed", "t", 1, 2),
        ]
    }

    fn folder(witness: &str, printed: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("witness"), witness).unwrap();
        fs::write(folder.path().join("out-1"), printed).unwrap();
        folder
    }

    fn steps_of(history: &[Value]) -> Found {
        let mut found = Found::default();
        order(history, &mut found);
        steps(&["t"], history, &mut found);
        found
    }

    #[test]
    fn a_good_history_is_good() {
        let history = history();
        assert!(steps_of(&history).problems.is_empty());
        let line = format!("{}\n{{\"event\":\"comple", history[0]);
        let folder = folder("victim/1 1 1\nvictim/1 2 2\n", &line);
        let mut found = Found::default();
        witness(folder.path(), &history, &BTreeMap::new(), false, &mut found);
        acknowledged(folder.path(), 1, &history, &mut found);
        assert!(found.problems.is_empty(), "{found:?}");
    }

    #[test]
    fn steps_after_a_completion_are_found() {
        let mut again = history();
        again.push(event(6, "started", "t", 1, 3));
        assert_eq!(steps_of(&again).run_twice, 1);
        let mut fired_twice = history();
        fired_twice.push(event(6, "completed", "t", 2, 1));
        assert_eq!(steps_of(&fired_twice).run_twice, 1);
    }

    #[test]
    fn gaps_and_missing_steps_are_found() {
        let mut gap = history();
        gap.remove(2);
        assert_eq!(steps_of(&gap).lost, 1);
        assert_eq!(steps_of(&history()[..4]).problems, ["t never ran"]);
    }

    #[test]
    fn the_witness_tells_what_the_history_does_not() {
        let finished = BTreeMap::from([(1, 2)]);
        for (lines, in_memory, twice, lost) in [
            ("victim/1 1 1\nvictim/1 2 2\nvictim/1 2 2\n", false, 1, 0),
            ("victim/1 1 1\nvictim/1 2 2\nvictim/1 2 2\n", true, 1, 0),
            ("victim/1 1 1\nvictim/1 2 1\nvictim/1 2 2\n", false, 1, 0),
            ("victim/1 1 1\nvictim/1 2 1\nvictim/1 2 2\n", true, 0, 0),
            ("victim/1 1 1\nvictim/1 2 2\nvictim/1 2 3\n", true, 1, 0),
            ("victim/1 1 1\nvictim/1 2 2\nvictim/1 3 2\n", false, 1, 1),
            ("victim/1 1 1\nvictim/1 2 2\nvictim/2 1 2\n", false, 0, 1),
        ] {
            let mut found = Found::default();
            witness(
                folder(lines, "").path(),
                &history(),
                &finished,
                in_memory,
                &mut found,
            );
            assert_eq!(
                (found.run_twice, found.lost),
                (twice, lost),
                "{lines}: {found:?}"
            );
        }
        let mut found = Found::default();
        witness(
            folder("", "").path(),
            &history(),
            &BTreeMap::new(),
            false,
            &mut found,
        );
        assert_eq!(
            found.problems,
            ["item 1 completed as attempt 2, but never ran"]
        );
    }

    #[test]
    fn what_was_printed_and_is_not_kept_is_lost() {
        for printed in [
            event(6, "completed", "u", 2, 1),
            event(2, "started", "t", 1, 7),
        ] {
            let mut found = Found::default();
            acknowledged(
                folder("", &format!("{printed}\n")).path(),
                1,
                &history(),
                &mut found,
            );
            assert_eq!(found.lost, 1, "{printed}");
        }
    }

    #[test]
    fn the_log_must_hold_every_event_in_its_commit() {
        let commit = |version: u64| json!({"version": version, "ops": [{"at": format!("default/flow/h/victim/a{version}")}]});
        let mut commits: Vec<Value> = (1..=5).map(commit).collect();
        let mut found = Found::default();
        log(&commits, &history(), &mut found);
        assert!(found.problems.is_empty(), "{found:?}");
        commits.swap_remove(4);
        log(&commits, &history(), &mut found);
        assert_eq!(found.lost, 1);
    }
}
