//! What is told of runs: how many there were, or how one failed.

use std::collections::BTreeSet;
use std::fmt;

use statewright_value::{Value, value};

use super::play::{Chooser, Cuts, End, Played, play};
use super::shrink::{Found, shrink};
use super::{FlowTest, Plan, Wrong};

/// How a test was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What can be done is done at once.
    Straight,
    /// The same, with a power cut after every event.
    PowerCuts,
    /// In the order of this seed.
    Random(u64),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Straight => f.write_str("run straight"),
            Way::PowerCuts => f.write_str("run with a power cut after every event"),
            Way::Random(seed) => write!(f, "in the random order of seed {seed}"),
        }
    }
}

/// What came of a test that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Runs, the straight one and the one with power cuts included.
    pub runs: u64,
    /// Events in all of them.
    pub events: u64,
    /// The different orders in which tasks completed.
    pub orders: BTreeSet<Vec<String>>,
}

/// How a test failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failed {
    /// The test.
    pub test: String,
    /// How it was run.
    pub way: Way,
    /// What was looked at: `status`, `always …`, `step 3: …`, ….
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What happened, one event each: the shortest run that was found to fail like this.
    pub steps: Vec<String>,
    /// How many events the run had that failed first.
    pub first: usize,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: failed, {}", self.test, self.way)?;
        writeln!(f, "  looked at: {}", self.what)?;
        writeln!(f, "  expected:  {}", self.expected)?;
        writeln!(f, "  found:     {}", self.found)?;
        let of = match self.first > self.steps.len() {
            true => format!(", the shortest found; the first had {}", self.first),
            false => String::new(),
        };
        write!(f, "  what happened ({} events{of}):", self.steps.len())?;
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "\n  {:>4}. {step}", number.saturating_add(1))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failed {}

impl Failed {
    /// The seed, if the order was random: to run it again with [`Plan::seed`] and one run.
    pub fn seed(&self) -> Option<u64> {
        match self.way {
            Way::Random(seed) => Some(seed),
            _ => None,
        }
    }

    /// As an object `{test, way, seed, what, expected, found, steps, first}`.
    pub fn to_value(&self) -> Value {
        let steps: Value = self.steps.iter().map(|step| Value::text(step)).collect();
        value!({
            "test": (self.test.as_str()),
            "way": (match self.way {
                Way::Straight => "straight",
                Way::PowerCuts => "power-cuts",
                Way::Random(_) => "random",
            }),
            "seed": (self.seed().map_or(Value::NULL, Value::from)),
            "what": (self.what.as_str()),
            "expected": (self.expected.as_str()),
            "found": (self.found.as_str()),
            "steps": (steps),
            "first": (u64::try_from(self.first).unwrap_or(u64::MAX)),
        })
    }
}

impl FlowTest {
    /// Runs the test in all ways. The first run that fails is made as short as the plan allows.
    ///
    /// # Errors
    /// How it failed; that is also what is told of a test that cannot be run: a flow that is refused, a step that does
    /// not exist.
    pub fn run(&self, plan: &Plan) -> Result<Summary, Box<Failed>> {
        let mut summary = Summary::default();
        if let Some(wrong) = self.wrong.first() {
            let wrong = Wrong::test(wrong.as_str());
            let played = Played {
                steps: Vec::new(),
                end: Err(wrong),
            };
            return Err(self.failed(Way::Straight, 0, played));
        }
        let straight = self.one(Way::Straight, Cuts::Never, plan, &mut summary)?;
        if plan.power_cuts {
            let cut = self.one(Way::PowerCuts, Cuts::Always, plan, &mut summary)?;
            if cut != straight {
                let wrong = Wrong::new(
                    "the end with power cuts",
                    straight.describe(),
                    cut.describe(),
                );
                let mut played = play(self, Cuts::Always, plan.events, &mut Chooser::first());
                played.end = Err(wrong);
                let first = played.steps.len();
                return Err(self.failed(Way::PowerCuts, first, played));
            }
        }
        if self.is_script() {
            return Ok(summary);
        }
        for number in 0..plan.runs {
            let seed = plan.seed.wrapping_add(number);
            let cuts = match plan.power_cuts && seed % 16 == 7 {
                true => Cuts::Some,
                false => Cuts::Never,
            };
            self.one(Way::Random(seed), cuts, plan, &mut summary)?;
        }
        Ok(summary)
    }

    fn one(
        &self,
        way: Way,
        cuts: Cuts,
        plan: &Plan,
        summary: &mut Summary,
    ) -> Result<End, Box<Failed>> {
        let mut chooser = match way {
            Way::Random(seed) => Chooser::random(seed),
            _ => Chooser::first(),
        };
        let played = play(self, cuts, plan.events, &mut chooser);
        let events = played.steps.len();
        summary.runs = summary.runs.saturating_add(1);
        let more = u64::try_from(events).unwrap_or(u64::MAX);
        summary.events = summary.events.saturating_add(more);
        if let Ok(end) = played.end {
            summary.orders.insert(end.trace.clone());
            return Ok(end);
        }
        let choices = chooser.said;
        let mut found = Found { choices, played };
        if !self.is_script() && matches!(way, Way::Random(_)) {
            found = shrink(self, cuts, plan.events, plan.shrink, found);
        }
        Err(self.failed(way, events, found.played))
    }

    fn failed(&self, way: Way, first: usize, played: Played) -> Box<Failed> {
        let wrong = played.end.err();
        let wrong = wrong.unwrap_or_else(|| Wrong::test("it did not fail"));
        Box::new(Failed {
            test: self.name.clone(),
            way,
            what: wrong.what,
            expected: wrong.expected,
            found: wrong.found,
            steps: played.steps,
            first,
        })
    }
}
