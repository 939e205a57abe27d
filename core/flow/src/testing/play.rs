//! One run: what can happen next, and which of it does.

use std::collections::BTreeSet;
use std::time::Duration;

use statewright_value::Value;

use super::world::{CASE, World};
use super::{Checked, FlowTest, Wrong, judge, script};

/// When the power is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    Never,
    /// After every event.
    Always,
    /// After some: the choices say which.
    Some,
}

/// Who says which of so many things is next. What was said is noted, so that it can be said again.
pub(super) struct Chooser {
    seed: Option<u64>,
    /// What to say first; then, without a seed, always 0.
    given: Vec<usize>,
    pub said: Vec<usize>,
}

impl Chooser {
    /// Always the first.
    pub fn first() -> Chooser {
        Chooser::given(Vec::new())
    }

    pub fn given(given: Vec<usize>) -> Chooser {
        let said = Vec::new();
        Chooser {
            seed: None,
            given,
            said,
        }
    }

    pub fn random(seed: u64) -> Chooser {
        Chooser {
            seed: Some(seed),
            ..Chooser::first()
        }
    }

    fn below(&mut self, n: usize) -> usize {
        let given = self.given.get(self.said.len()).copied().unwrap_or(0);
        let next = match &mut self.seed {
            None => given.min(n.saturating_sub(1)),
            Some(seed) => {
                let bound = u64::try_from(n).unwrap_or(u64::MAX).max(1);
                usize::try_from(split_mix(seed) % bound).unwrap_or(0)
            }
        };
        self.said.push(next);
        next
    }
}

/// SplitMix64: the same numbers from the same seed for ever.
fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What came of a run: where runs in the same order, with and without power cuts, must agree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    pub status: String,
    pub tokens: Vec<String>,
    pub trace: Vec<String>,
    pub result: Option<Value>,
}

impl End {
    pub fn describe(&self) -> String {
        let result = self.result.as_ref().map(|r| format!(" with {r}"));
        format!(
            "{}{}; done: {}; left: {}",
            self.status,
            result.unwrap_or_default(),
            list(&self.trace),
            list(&self.tokens)
        )
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(" ")
    }
}

/// A run that is over, one way or the other.
pub(super) struct Played {
    pub steps: Vec<String>,
    pub end: Checked<End>,
}

/// Runs a test once.
pub(super) fn play(test: &FlowTest, cuts: Cuts, most: usize, chooser: &mut Chooser) -> Played {
    let mut world = match World::start(test, cuts != Cuts::Never) {
        Ok(world) => world,
        Err(wrong) => {
            return Played {
                steps: Vec::new(),
                end: Err(wrong),
            };
        }
    };
    let mut run = Run {
        test,
        cuts,
        chooser,
    };
    let end = run.all(&mut world, most);
    Played {
        steps: world.steps,
        end,
    }
}

struct Run<'a> {
    test: &'a FlowTest,
    cuts: Cuts,
    chooser: &'a mut Chooser,
}

/// One thing that can happen now.
enum Choice {
    Advance,
    Start(String, u64, String),
    Finish(usize),
    Outside,
    Pass(Duration),
}

impl Run<'_> {
    fn all(&mut self, world: &mut World, most: usize) -> Checked<End> {
        self.happened(world)?;
        if self.test.is_script() {
            self.script(world)?;
        } else {
            self.orders(world, most)?;
        }
        let end = End {
            status: world.status()?,
            tokens: world.tokens()?,
            trace: world.trace()?,
            result: world.flows().case(CASE)?.result,
        };
        judge::end(world, self.test, &end)?;
        Ok(end)
    }

    /// After every event.
    fn happened(&mut self, world: &mut World) -> Checked {
        let cut = match self.cuts {
            Cuts::Never => false,
            Cuts::Always => true,
            // The first choice is that nothing happens, which is what a shorter run wants.
            Cuts::Some => self.chooser.below(4) == 3,
        };
        if cut {
            if self.cuts == Cuts::Some {
                world.note("; then the power is cut");
            }
            world.cut_power()?;
        }
        judge::rules(world, self.test)
    }

    /// Fires what fires by itself.
    fn settle(&mut self, world: &mut World) -> Checked {
        while world.advance()? {
            self.happened(world)?;
        }
        Ok(())
    }

    fn script(&mut self, world: &mut World) -> Checked {
        self.settle(world)?;
        for (number, line) in self.test.script.iter().enumerate() {
            let at = |mut wrong: Wrong| {
                wrong.what = format!("step {}: {line}", number.saturating_add(1));
                wrong
            };
            for part in script::parts(line) {
                let before = world.steps.len();
                script::step(world, &part).map_err(at)?;
                if world.steps.len() > before {
                    self.happened(world)?;
                }
                self.settle(world)?;
            }
        }
        Ok(())
    }

    fn orders(&mut self, world: &mut World, most: usize) -> Checked {
        let mut outside = self.test.outside.iter();
        let mut automatic = true;
        // Work whose turn in its lane has not come; until something else happens.
        let mut waits: BTreeSet<(String, u64)> = BTreeSet::new();
        for _ in 0..most {
            let mut choices: Vec<Choice> = Vec::new();
            if automatic {
                choices.push(Choice::Advance);
            }
            let startable = world.startable()?.into_iter();
            let startable =
                startable.filter(|(case, item, _)| !waits.contains(&(case.clone(), *item)));
            choices.extend(startable.map(|(case, item, task)| Choice::Start(case, item, task)));
            choices.extend(world.ready().into_iter().map(Choice::Finish));
            if !outside.as_slice().is_empty() {
                choices.push(Choice::Outside);
            }
            choices.extend(world.due()?.map(Choice::Pass));
            if choices.is_empty() {
                return Ok(());
            }
            let at = self.chooser.below(choices.len());
            automatic = true;
            match choices.swap_remove(at) {
                Choice::Start(case, item, task) => match world.claim_item(&case, item, &task) {
                    Err(why) if why.refusal => {
                        waits.insert((case, item));
                        world.steps.pop();
                        continue;
                    }
                    done => done?,
                },
                Choice::Advance => {
                    automatic = world.advance()?;
                    if !automatic {
                        continue;
                    }
                }
                Choice::Pass(time) => world.pass(time)?,
                // A result may come too late, and what comes from outside may find nobody: that is refused.
                Choice::Finish(at) => refusable(world.finish_at(at))?,
                Choice::Outside => {
                    if let Some(line) = outside.next() {
                        refusable(script::event(world, line).map(|_| ()))?;
                    }
                }
            }
            waits.clear();
            self.happened(world)?;
        }
        let tasks: BTreeSet<String> = world.startable()?.into_iter().map(|(_, _, t)| t).collect();
        let tasks: Vec<String> = tasks.into_iter().collect();
        Err(Wrong::new(
            "the end",
            format!("an end within {most} events"),
            format!("it goes on; offered: {}", list(&tasks)),
        ))
    }
}

fn refusable(done: Checked) -> Checked {
    match done {
        Err(why) if why.refusal => Ok(()),
        done => done,
    }
}
