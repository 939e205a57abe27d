//! Tests in files: YAML, JSON or TOML, every mistake with its line and column. `docs/TESTING.md` describes the format.

use statewright_value::Value;

use super::{FlowTest, Reply, script};
use crate::case::EventKind;
use crate::duration::parse_duration;
use crate::failure::Failure;
use crate::names::closest;
use crate::problem::{Problem, Problems};
use crate::spec::{Data, Node};

/// The fields of a file and of a test.
const FILE: [&str; 6] = [
    "flow",
    "with",
    "pattern",
    "numbering",
    "description",
    "tests",
];
const TEST: [&str; 18] = [
    "name",
    "description",
    "input",
    "results",
    "script",
    "outside",
    "status",
    "result",
    "error",
    "marking",
    "traces",
    "counts",
    "before",
    "exclusive",
    "history",
    "cases",
    "always",
    "never",
];

/// Tests as they are written in a file.
///
/// ```
/// use statewright_flow::testing::{Plan, TestFile};
/// let file = TestFile::read("
/// flow: order.yaml
/// tests:
///   - name: the card is declined once
///     results:
///       charge: [{ $fail: declined }, { paid: true }]
///     counts: { charge: 1, ship: 1 }
///     history: [attempt_failed charge, completed charge, completed ship]
/// ").map_err(|problems| problems[0].to_string())?;
/// assert_eq!(file.flow.as_deref(), Some("order.yaml"));
///
/// let order = "
/// name: order
/// tasks:
///   charge: { kind: host, retry: { attempts: 2, delay: 1m }, next: ship }
///   ship: { kind: host }
/// ";
/// for test in file.tests(order, None, &[]) {
///     test.run(&Plan { runs: 10, ..Plan::default() }).map_err(|e| e.to_string())?;
/// }
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestFile {
    /// The file of the flow, beside this one; by default it has the same name without `.test`.
    pub flow: Option<String>,
    /// Files of flows that are deployed before it, for it to call.
    pub with: Vec<String>,
    /// The number of the workflow pattern that it is about, if it says so.
    pub pattern: Option<u64>,
    tests: Vec<FlowTest>,
}

impl TestFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(source: &str) -> Result<TestFile, Vec<Problem>> {
        let mut problems = Problems::default();
        let file = crate::spec::parse(source, &mut problems)
            .and_then(|root| Reader(&mut problems).file(&root));
        match file {
            Some(file) if !problems.has_errors() => Ok(file),
            _ => Err(problems.into_sorted()),
        }
    }

    /// Its tests, of this spec and with these other ones; `dir` is what `$flow.dir` gives.
    pub fn tests(&self, spec: &str, dir: Option<&str>, with: &[String]) -> Vec<FlowTest> {
        let on = |test: &FlowTest| FlowTest {
            spec: spec.to_owned(),
            dir: dir.map(str::to_owned),
            with: with.to_vec(),
            nets: Default::default(),
            ..test.clone()
        };
        self.tests.iter().map(on).collect()
    }
}

struct Reader<'p>(&'p mut Problems);

impl Reader<'_> {
    fn wrong(&mut self, at: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.0.error(at.at, "test", message, help);
    }

    fn must_be(&mut self, at: &Node, field: &str, what: &str) {
        let found = at.data.describe();
        self.wrong(at, format!("`{field}` must be {what}, not {found}"), "");
    }

    fn unknown(&mut self, at: &Node, name: &str, of: &str, known: &[&'static str]) {
        let help = match closest(name, known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.wrong(at, format!("{of} has no field `{name}`"), help);
    }

    fn file(&mut self, root: &Node) -> Option<TestFile> {
        let Data::Map(entries) = &root.data else {
            self.must_be(root, "the file", "a mapping with `tests`");
            return None;
        };
        let mut file = TestFile {
            flow: None,
            with: Vec::new(),
            pattern: None,
            tests: Vec::new(),
        };
        for (key, node) in entries {
            match key.name.as_str() {
                "flow" => file.flow = self.text(node, "flow"),
                "with" => file.with = self.texts(node, "with"),
                "pattern" => file.pattern = self.number(node, "pattern"),
                "numbering" | "description" => {}
                "tests" => {
                    let Data::List(tests) = &node.data else {
                        self.must_be(node, "tests", "a list");
                        continue;
                    };
                    file.tests = tests.iter().filter_map(|test| self.test(test)).collect();
                }
                other => self.unknown(node, other, "a test file", &FILE),
            }
        }
        if file.tests.is_empty() && !self.0.has_errors() {
            self.wrong(root, "there are no tests", "add one under `tests`");
        }
        Some(file)
    }

    fn test(&mut self, node: &Node) -> Option<FlowTest> {
        let Data::Map(entries) = &node.data else {
            self.must_be(node, "a test", "a mapping");
            return None;
        };
        let mut test = FlowTest::new("", "");
        for (key, node) in entries {
            let field = key.name.as_str();
            match field {
                "name" => test.name = self.text(node, field).unwrap_or_default(),
                "description" => {}
                "input" => test.input = node.value(),
                "results" => test = self.results(test, node),
                "script" => test.script = self.steps(node, field, true),
                "outside" => test.outside = self.steps(node, field, false),
                "always" | "never" => {
                    for jq in self.texts(node, field) {
                        let known = test.wrong.len();
                        test = match field {
                            "always" => test.always(&jq),
                            _ => test.never(&jq),
                        };
                        if test.wrong.len() > known
                            && let Some(why) = test.wrong.pop()
                        {
                            self.wrong(node, why, "");
                        }
                    }
                }
                _ => self.expectation(&mut test, field, node),
            }
        }
        if test.name.is_empty() {
            self.wrong(node, "a test has no name", "say what it shows: `name: …`");
        }
        if !test.script.is_empty() && !test.outside.is_empty() {
            let help = "put what comes from outside into the script, where it is to come";
            self.wrong(node, "a test has a `script` or `outside`, not both", help);
        }
        Some(test)
    }

    fn expectation(&mut self, test: &mut FlowTest, field: &str, node: &Node) {
        let expected = &mut test.expected;
        match field {
            "status" => expected.status = Some(self.texts(node, field)),
            "result" => expected.result = Some(node.value()),
            "error" => expected.error = self.text(node, field),
            "cases" => expected.cases = self.number(node, field),
            "history" => {
                expected.history = self.texts(node, field);
                for line in &expected.history {
                    let kind = line.split_whitespace().next().unwrap_or_default();
                    if EventKind::from_name(kind).is_none() {
                        let help = "the kinds are those that `statewright case ID --history` shows";
                        self.wrong(node, format!("there is no event `{kind}`"), help);
                    }
                }
            }
            "traces" => expected.traces = self.words(node, field),
            "exclusive" => expected.exclusive = self.words(node, field),
            "before" => {
                for pair in self.words(node, field) {
                    match pair.as_slice() {
                        [a, b] => expected.before.push((a.clone(), b.clone())),
                        _ => self.wrong(node, "`before` names two tasks a line: `A B`", ""),
                    }
                }
            }
            "marking" => {
                let counts = self.counts(node, field);
                let counts = counts.into_iter().map(|(place, n, _)| (place, n));
                expected.marking = Some(counts.collect());
            }
            "counts" => expected.counts = self.counts(node, field),
            other => self.unknown(node, other, "a test", &TEST),
        }
    }

    /// What workers answer, by task.
    fn results(&mut self, test: FlowTest, node: &Node) -> FlowTest {
        let Data::Map(tasks) = &node.data else {
            self.must_be(node, "results", "a mapping of tasks to lists");
            return test;
        };
        let mut test = test;
        for (task, replies) in tasks {
            let replies = match &replies.data {
                Data::List(replies) => replies.iter().map(|reply| self.reply(reply)).collect(),
                _ => {
                    self.must_be(
                        replies,
                        &task.name,
                        "a list of results, one for each attempt",
                    );
                    Vec::new()
                }
            };
            test = test.replies(&task.name, replies);
        }
        test
    }

    /// A result, or an object of `$fail`, `$never`, `$after` and `$result`.
    fn reply(&mut self, node: &Node) -> Reply {
        let plain = || Reply::Value(node.value());
        let Data::Map(entries) = &node.data else {
            return plain();
        };
        if !entries.iter().any(|(key, _)| key.name.starts_with('$')) {
            return plain();
        }
        let mut reply = Reply::Value(Value::NULL);
        let mut after = None;
        for (key, node) in entries {
            match (key.name.as_str(), &node.data) {
                ("$result", _) => reply = Reply::Value(node.value()),
                ("$never", Data::Bool(true)) => reply = Reply::Never,
                ("$fail", Data::Text(code)) => reply = Reply::fail(code),
                ("$fail", Data::Map(_)) => match Failure::from_value(&node.value()) {
                    Ok(failure) => reply = Reply::Fail(failure),
                    Err(why) => self.wrong(node, why.to_string(), ""),
                },
                ("$after", _) => {
                    let text = self.text(node, "$after").unwrap_or_default();
                    after = parse_duration(&text);
                    if after.is_none() {
                        self.wrong(
                            node,
                            format!("`{text}` is not a duration"),
                            "write 90s or 2h",
                        );
                    }
                }
                (other, _) => {
                    let help = "there are `$result: any`, `$fail: code`, \
                                `$fail: {code, message, retryable}`, `$never: true` and `$after: 2h`";
                    self.wrong(node, format!("`{other}` is not an answer"), help);
                }
            }
        }
        match after {
            Some(time) => reply.after(time),
            None => reply,
        }
    }

    fn steps(&mut self, node: &Node, field: &str, script: bool) -> Vec<String> {
        let Data::List(items) = &node.data else {
            self.must_be(node, field, "a list of steps");
            return Vec::new();
        };
        let mut steps = Vec::new();
        for item in items {
            let Some(step) = self.text(item, field) else {
                continue;
            };
            if let Some(problem) = script::problem(&step, script) {
                self.wrong(item, problem, "");
            }
            steps.push(step);
        }
        steps
    }

    fn text(&mut self, node: &Node, field: &str) -> Option<String> {
        if let Data::Text(text) = &node.data {
            return Some(text.trim().to_owned());
        }
        self.must_be(node, field, "text");
        None
    }

    fn number(&mut self, node: &Node, field: &str) -> Option<u64> {
        let number = node.value().as_u64();
        if number.is_none() {
            self.must_be(node, field, "a number");
        }
        number
    }

    /// A text, or a list of them.
    fn texts(&mut self, node: &Node, field: &str) -> Vec<String> {
        match &node.data {
            Data::List(items) => items.iter().filter_map(|i| self.text(i, field)).collect(),
            _ => self.text(node, field).into_iter().collect(),
        }
    }

    fn words(&mut self, node: &Node, field: &str) -> Vec<Vec<String>> {
        let split = |line: String| line.split_whitespace().map(str::to_owned).collect();
        self.texts(node, field).into_iter().map(split).collect()
    }

    /// `A: 1` or `A: [0, 1]`.
    fn counts(&mut self, node: &Node, field: &str) -> Vec<(String, u64, u64)> {
        let Data::Map(entries) = &node.data else {
            self.must_be(node, field, "a mapping of names to numbers");
            return Vec::new();
        };
        let mut counts = Vec::new();
        for (key, node) in entries {
            let value = node.value();
            let ends: Vec<u64> = match value.as_u64() {
                Some(n) => vec![n, n],
                None => value.items().filter_map(|n| n.as_u64()).collect(),
            };
            match ends.as_slice() {
                [from, to] => counts.push((key.name.clone(), *from, *to)),
                _ => self.must_be(node, &key.name, "a number, or a list of least and most"),
            }
        }
        counts
    }
}
