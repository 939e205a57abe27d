//! Tests of flows for those who write flows: a simulated world with a clock that is set, work that is answered as the
//! test says, power cuts after every event, every order in which things can happen, and the shortest run that fails.
//!
//! A [`FlowTest`] says what a flow is started with, what its workers answer, what comes from outside and what must be
//! so. [`FlowTest::run`] runs it
//!
//! * straight: what can be done is done at once, and time passes only when nothing else can happen;
//! * the same with a power cut and recovery after every event, which must come to the same end;
//! * in as many random orders as asked for, some of them with power cuts. Each order is a function of a seed.
//!
//! A test with a script is run as the script says, with and without power cuts. The world has no threads and reads no
//! clock: a case that waits for a month is tested in a millisecond, and a seed that fails does so again.
//!
//! ```
//! use statewright_flow::testing::{FlowTest, Plan, Reply};
//! use statewright_value::value;
//! let flow = "
//! name: order
//! tasks:
//!   charge: { kind: host, retry: { attempts: 3, delay: 1h }, next: ship }
//!   ship: { kind: host }
//! ";
//! let test = FlowTest::new("the second try is good", flow)
//!     .replies("charge", [Reply::fail("no-answer"), Reply::value(value!({"paid": true}))])
//!     .always(".done.ship == 0 or .data.charge.paid")
//!     .before("charge", "ship");
//! let summary = test.run(&Plan { runs: 20, ..Plan::default() }).map_err(|e| e.to_string())?;
//! assert_eq!(summary.runs, 22);
//!
//! let failed = test.count("charge", 2).run(&Plan::default()).unwrap_err();
//! assert_eq!(failed.found, "it completed 1 times");
//! # Ok::<(), String>(())
//! ```
//!
//! [`TestFile`] reads tests from YAML, JSON or TOML (`docs/TESTING.md`), as `statewright test` does.
//!
//! | file | what is there |
//! | --- | --- |
//! | `world` | the simulated world, and all that can be done to it |
//! | `script` | steps in words |
//! | `play` | one run: what can happen next, and which of it does |
//! | `judge` | whether what came of it is as it must be |
//! | `shrink` | a shorter run that fails |
//! | `report` | what is told of runs |
//! | `file` | tests in files |

mod file;
mod judge;
mod play;
mod report;
mod script;
mod shrink;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use statewright_value::Value;

use crate::error::Error;
use crate::expr::Expr;
use crate::failure::Failure;
use crate::runtime::Nets;

pub use file::TestFile;
pub use report::{Failed, Summary, Way};
pub use world::View;

/// What a worker does with one attempt of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It completes it with this result.
    Value(Value),
    /// It says that the attempt failed.
    Fail(Failure),
    /// It dies with it: nothing comes until the lease or the task's timeout is over. A lease is an hour here.
    Never,
    /// It needs so long before it does the other.
    After(Duration, Box<Reply>),
}

impl Reply {
    /// A result.
    pub fn value(result: Value) -> Reply {
        Reply::Value(result)
    }

    /// A failure with this code, which may be tried again.
    pub fn fail(code: &str) -> Reply {
        Reply::Fail(Failure::new(code, code))
    }

    /// The same, so much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Reply {
        Reply::After(time, Box::new(self))
    }
}

/// How often, and from where on, a test is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Random orders, beside the straight run and the one with power cuts.
    pub runs: u64,
    /// The seed of the first random order; each later one is the next number.
    pub seed: u64,
    /// Whether the power is cut: after every event of one run, and now and then in some random ones.
    pub power_cuts: bool,
    /// A run that has more events than this is said not to end.
    pub events: usize,
    /// How many runs may be spent on making a failing one shorter.
    pub shrink: u64,
}

impl Default for Plan {
    /// 100 random orders from seed 0, with power cuts, at most 5,000 events, 1,000 runs to shrink.
    fn default() -> Self {
        Plan {
            runs: 100,
            seed: 0,
            power_cuts: true,
            events: 5_000,
            shrink: 1_000,
        }
    }
}

type Check = Arc<dyn Fn(&View) -> Result<(), String> + Send + Sync>;

/// What must be so after every event.
#[derive(Clone)]
pub(crate) enum Rule {
    Always(Expr),
    Never(Expr),
    Check(Check),
}

/// What is expected of a run.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    /// How it may end; `completed` if nothing is said and there is no script.
    pub status: Option<Vec<String>>,
    pub result: Option<Value>,
    /// The code of the error of a failed case.
    pub error: Option<String>,
    /// The tokens that are left; none if nothing is said and there is no script.
    pub marking: Option<BTreeMap<String, u64>>,
    /// The orders of completion that may come up.
    pub traces: Vec<Vec<String>>,
    /// How often a task completes: from, to.
    pub counts: Vec<(String, u64, u64)>,
    /// The first of these completes before the second does for the first time.
    pub before: Vec<(String, String)>,
    /// Of these tasks at most one is at work at a time.
    pub exclusive: Vec<Vec<String>>,
    /// Events that happen, in this order, whatever is between them: a kind, or a kind and a task.
    pub history: Vec<String>,
    /// How many cases there are in the end, called ones too.
    pub cases: Option<u64>,
    /// After every event.
    pub rules: Vec<Rule>,
    /// At the end.
    pub ends: Vec<Check>,
}

/// A test of a flow. Building it never fails: what is wrong with it is told when it is run.
#[derive(Clone)]
pub struct FlowTest {
    pub(crate) name: String,
    pub(crate) spec: String,
    pub(crate) dir: Option<String>,
    /// Flows that are deployed before it, for it to call.
    pub(crate) with: Vec<String>,
    pub(crate) input: Value,
    pub(crate) replies: BTreeMap<String, Vec<Reply>>,
    pub(crate) script: Vec<String>,
    pub(crate) outside: Vec<String>,
    pub(crate) expected: Expected,
    /// What could not be used of what was said.
    pub(crate) wrong: Vec<String>,
    /// What was compiled of the specs: once for all runs.
    pub(crate) nets: Nets,
}

impl fmt::Debug for FlowTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FlowTest").field(&self.name).finish()
    }
}

impl FlowTest {
    /// A test of a flow that is to complete, whatever the order of events.
    pub fn new(name: impl Into<String>, spec: impl Into<String>) -> FlowTest {
        FlowTest {
            name: name.into(),
            spec: spec.into(),
            dir: None,
            with: Vec::new(),
            input: Value::NULL,
            replies: BTreeMap::new(),
            script: Vec::new(),
            outside: Vec::new(),
            expected: Expected::default(),
            wrong: Vec::new(),
            nets: Nets::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The orders of completion that are expected to come up.
    pub fn traces(&self) -> &[Vec<String>] {
        &self.expected.traces
    }

    /// Whether it has a script, and so one order.
    pub fn is_script(&self) -> bool {
        !self.script.is_empty()
    }

    /// What the case is started with.
    #[must_use]
    pub fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    /// Another flow that is deployed before this one, so that it can be called.
    #[must_use]
    pub fn with(mut self, spec: impl Into<String>) -> Self {
        self.with.push(spec.into());
        self
    }

    /// What the workers of a task answer: to the first attempt, the second, …; the last again and again. Without this
    /// they answer null. Attempts of all firings and instances of the task are counted together.
    #[must_use]
    pub fn replies(mut self, task: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies
            .insert(task.to_owned(), replies.into_iter().collect());
        self
    }

    /// A step of the script: it must be possible, and what it says must hold. See `docs/TESTING.md` for the steps.
    #[must_use]
    pub fn step(mut self, step: &str) -> Self {
        self.script.push(step.to_owned());
        self
    }

    /// What comes from outside at any time, in the order given: `signal paid {"by": "card"}`, `cancel-case`, ….
    #[must_use]
    pub fn outside(mut self, step: &str) -> Self {
        self.outside.push(step.to_owned());
        self
    }

    /// How it may end; may be said several times. `running` is a case that waits for what does not come.
    #[must_use]
    pub fn ends(mut self, status: &str) -> Self {
        let statuses = self.expected.status.get_or_insert_default();
        statuses.push(status.to_owned());
        self
    }

    /// The case's result.
    #[must_use]
    pub fn result(mut self, result: Value) -> Self {
        self.expected.result = Some(result);
        self
    }

    /// How often a task completes.
    #[must_use]
    pub fn count(self, task: &str, times: u64) -> Self {
        self.count_within(task, times, times)
    }

    /// How often a task completes: at least, at most.
    #[must_use]
    pub fn count_within(mut self, task: &str, least: u64, most: u64) -> Self {
        let count = (task.to_owned(), least, most);
        self.expected.counts.push(count);
        self
    }

    /// `second` does not complete before `first` has.
    #[must_use]
    pub fn before(mut self, first: &str, second: &str) -> Self {
        let pair = (first.to_owned(), second.to_owned());
        self.expected.before.push(pair);
        self
    }

    /// At most one of these tasks is at work at a time.
    #[must_use]
    pub fn exclusive(mut self, tasks: &[&str]) -> Self {
        let tasks = tasks.iter().map(|task| (*task).to_owned());
        self.expected.exclusive.push(tasks.collect());
        self
    }

    /// Events that happen in this order, whatever is between them: `completed charge`, `timer_fired`, ….
    #[must_use]
    pub fn history(mut self, events: &[&str]) -> Self {
        let events = events.iter().map(|event| (*event).to_owned());
        self.expected.history.extend(events);
        self
    }

    /// jq on a [`View`] that is true after every event.
    #[must_use]
    pub fn always(self, jq: &str) -> Self {
        self.rule(jq, Rule::Always)
    }

    /// jq on a [`View`] that is false after every event.
    #[must_use]
    pub fn never(self, jq: &str) -> Self {
        self.rule(jq, Rule::Never)
    }

    fn rule(mut self, jq: &str, rule: impl FnOnce(Expr) -> Rule) -> Self {
        match Expr::compile(jq, &[]) {
            Ok(expr) => self.expected.rules.push(rule(expr)),
            Err(error) => self.wrong.push(format!("`{jq}`: {error}")),
        }
        self
    }

    /// A check of your own, after every event.
    #[must_use]
    pub fn each(
        mut self,
        check: impl Fn(&View) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.expected.rules.push(Rule::Check(Arc::new(check)));
        self
    }

    /// A check of your own, at the end.
    #[must_use]
    pub fn check(
        mut self,
        check: impl Fn(&View) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.expected.ends.push(Arc::new(check));
        self
    }
}

/// What is wrong in a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrong {
    /// What was looked at: runs that fail in the same way have the same.
    pub what: String,
    pub expected: String,
    pub found: String,
    /// Whether it is a refusal of the engine, which a late result may meet.
    pub refusal: bool,
}

pub(crate) type Checked<T = ()> = Result<T, Wrong>;

impl Wrong {
    pub fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Wrong {
        Wrong {
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
            refusal: false,
        }
    }

    /// What a test says that nobody can do.
    pub fn test(found: impl Into<String>) -> Wrong {
        Wrong::new("test", "a test that can be run", found)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Wrong {
        let refusal = matches!(
            error,
            Error::StaleItem { .. }
                | Error::CaseClosed { .. }
                | Error::Refused { .. }
                | Error::UnknownCase { .. }
                | Error::Input { .. }
        );
        Wrong {
            refusal,
            ..Wrong::new("engine", "no error", error.to_string())
        }
    }
}
