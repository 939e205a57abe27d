//! The crash test: every change that a log or a store makes to its disk is a moment at which the power can go.
//!
//! A scenario of the log ([`scenario`]) or of the store ([`store`]) is run once on the simulated disk, and every moment
//! between two changes is kept ([`run`]). For each of them the disk is damaged in many ways that a power cut may leave
//! it in ([`Image`]), recovered, and checked ([`run::Expect`]). Each recovery changes the disk too, so some of them are
//! crashed in turn, and some of those again.

pub mod check;
pub mod run;
pub mod scenario;
pub mod store;

use std::fmt;

use statewright_log::sim::{Change, Image, SimRandom};

use run::Moment;

/// How much to try.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides the random scenarios and all damage.
    pub seed: u64,
    /// How many random scenarios to run besides the scripted ones.
    pub random: u64,
    /// Images per moment.
    pub images: usize,
    /// Images per moment of a recovery.
    pub nested_images: usize,
    /// How many recoveries deep to crash.
    pub depth: usize,
    /// Only the scenario of this name.
    pub only: Option<String>,
    /// Only what is on the way to this place.
    pub at: Option<Place>,
    /// Stop after the first violation, or after so many images.
    pub until: Option<u64>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            random: 20,
            images: 32,
            nested_images: 3,
            depth: 3,
            only: None,
            at: None,
            until: None,
        }
    }
}

/// A moment of a scenario and an image; then a moment of the recovery from it and an image; and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(pub Vec<(usize, usize)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (moment, image)) in self.0.iter().enumerate() {
            write!(f, "{}{moment}.{image}", if i == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let step = |step: &str| {
            let (moment, image) = step.split_once('.')?;
            Some((moment.parse().ok()?, image.parse().ok()?))
        };
        let steps: Option<Vec<_>> = text.split('/').map(step).collect();
        steps.map(Place).ok_or_else(|| {
            format!("\"{text}\" is not a place; write moment.image, as in 17.3 or 17.3/4.1")
        })
    }
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The scenario.
    pub scenario: String,
    /// Where in it the power went; empty if it did not.
    pub place: Place,
    /// What the power cut prevented, innermost last.
    pub moments: Vec<(Change, Image)>,
    /// What is wrong.
    pub problem: String,
}

/// What was tried, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Scenarios run.
    pub scenarios: u64,
    /// Changes that the scenarios made to their disks.
    pub changes: u64,
    /// Moments of the scenarios that were tested: changes before which the power went.
    pub boundaries: u64,
    /// Moments of recoveries.
    pub recovery_boundaries: u64,
    /// Damaged disks that were recovered from, in scenarios and recoveries.
    pub images: u64,
    /// Promises broken.
    pub violations: u64,
    /// The first of them.
    pub first: Option<Violation>,
}

/// Runs everything in the plan.
#[must_use]
pub fn crash(plan: &Plan) -> Report {
    let mut crasher = Crasher {
        plan,
        report: Report::default(),
        scenario: String::new(),
        trail: Vec::new(),
    };
    let chosen = |name: &str| plan.only.as_ref().is_none_or(|only| only == name);
    for scenario in scenario::all(plan.seed, plan.random) {
        if chosen(&scenario.name) {
            crasher.scenario(&scenario.name, run::run(&scenario, plan.seed));
        }
    }
    for scenario in store::all() {
        if chosen(&scenario.name) {
            crasher.scenario(&scenario.name, store::run(&scenario, plan.seed));
        }
    }
    crasher.report
}

struct Crasher<'a> {
    plan: &'a Plan,
    report: Report,
    scenario: String,
    /// How the moment at hand was reached.
    trail: Vec<(usize, usize, Change, Image)>,
}

impl Crasher<'_> {
    fn scenario(&mut self, name: &str, moments: Result<Vec<Moment>, String>) {
        self.report.scenarios += 1;
        name.clone_into(&mut self.scenario);
        match moments {
            Ok(moments) => {
                self.report.changes += moments.len() as u64;
                self.moments(&moments, self.plan.seed);
            }
            Err(problem) => self.violation(problem),
        }
    }

    fn violation(&mut self, problem: String) {
        self.report.violations += 1;
        let place = Place(
            self.trail
                .iter()
                .map(|(moment, image, ..)| (*moment, *image))
                .collect(),
        );
        let moments = self
            .trail
            .iter()
            .map(|(_, _, change, image)| (change.clone(), *image))
            .collect();
        let scenario = self.scenario.clone();
        self.report.first.get_or_insert(Violation {
            scenario,
            place,
            moments,
            problem,
        });
    }

    fn moments(&mut self, moments: &[Moment], seed: u64) {
        let depth = self.trail.len();
        let images = if depth == 0 {
            self.plan.images
        } else {
            self.plan.nested_images
        };
        let only = self.plan.at.as_ref().map(|at| at.0.get(depth).copied());
        for (number, moment) in moments.iter().enumerate() {
            if only.is_some_and(|only| only.is_none_or(|(moment, _)| moment != number)) {
                continue;
            }
            if depth == 0 {
                self.report.boundaries += 1;
            } else {
                self.report.recovery_boundaries += 1;
            }
            let seed = SimRandom::new(seed ^ number as u64).next();
            // The kinds of damage take turns, so that a recovery's few images are not always of the same kinds.
            let series =
                Image::series(seed, images + number).skip(if depth == 0 { 0 } else { number });
            for (i, image) in series.take(images).enumerate() {
                if only.is_some_and(|only| only.is_none_or(|(_, image)| image != i)) {
                    continue;
                }
                if self.is_done() {
                    return;
                }
                self.trail.push((number, i, moment.change.clone(), image));
                // One recovery per moment is crashed in turn, each moment another kind of damage; further down, that of
                // every eighth moment.
                let chosen =
                    (number + depth) % images == i && (depth == 0 || seed.is_multiple_of(8));
                self.image(moment, &image, chosen);
                self.trail.pop();
            }
        }
    }

    /// Whether the plan says to stop here.
    fn is_done(&self) -> bool {
        let Report {
            images, violations, ..
        } = self.report;
        let done = |until| images >= until || violations > 0;
        self.plan.until.is_some_and(done)
    }

    fn image(&mut self, moment: &Moment, image: &Image, deeper: bool) {
        self.report.images += 1;
        let disk = moment.disk.crash(image);
        match moment.expected.check(&disk, image.seed) {
            Ok(recovery) if deeper && self.trail.len() < self.plan.depth => {
                self.moments(&recovery, image.seed)
            }
            Ok(_) => {}
            Err(problem) => self.violation(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back() {
        for text in ["3.0", "17.3/4.1/0.2"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        assert!("17".parse::<Place>().is_err());
    }

    /// A part of the whole, so that `cargo test` says early what `cargo xtask crash` would say.
    #[test]
    fn a_sample_of_crashes() {
        let report = crash(&Plan {
            random: 2,
            images: 3,
            nested_images: 1,
            depth: 2,
            ..Plan::default()
        });
        assert_eq!(report.violations, 0, "{:?}", report.first);
        assert!(report.boundaries > 500, "{report:?}");
    }
}
