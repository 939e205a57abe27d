//! A shorter run that fails in the same way: fewer events, then fewer detours from the straight order.

use super::FlowTest;
use super::play::{Chooser, Cuts, Played, play};

/// A run that fails, and what was chosen in it.
pub(super) struct Found {
    pub choices: Vec<usize>,
    pub played: Played,
}

impl Found {
    /// What is to become smaller.
    fn size(&self) -> (usize, usize, usize) {
        let detours = self.choices.iter().filter(|c| **c > 0).count();
        let sum = self
            .choices
            .iter()
            .fold(0, |sum: usize, c| sum.saturating_add(*c));
        (self.played.steps.len(), detours, sum)
    }

    fn what(&self) -> Option<&str> {
        self.played.end.as_ref().err().map(|w| w.what.as_str())
    }
}

/// Makes a failing run smaller, with at most so many runs. A script has one order: there, nothing can be left out.
pub(super) fn shrink(test: &FlowTest, cuts: Cuts, events: usize, runs: u64, first: Found) -> Found {
    let mut best = first;
    let mut left = runs;
    let mut attempt = |best: &mut Found, choices: Vec<usize>| -> bool {
        if left == 0 || choices == best.choices {
            return false;
        }
        left = left.saturating_sub(1);
        let mut chooser = Chooser::given(choices);
        let played = play(test, cuts, events, &mut chooser);
        let mut choices = chooser.said;
        // Zeros at the end are what is chosen anyway.
        let last = choices.iter().rposition(|c| *c > 0);
        choices.truncate(last.map_or(0, |last| last.saturating_add(1)));
        let found = Found { choices, played };
        let better =
            found.what().is_some() && found.what() == best.what() && found.size() < best.size();
        if better {
            *best = found;
        }
        better
    };
    loop {
        let mut smaller = false;
        // Straight on from some point.
        let mut keep = 0;
        while keep < best.choices.len() {
            let cut = best.choices.iter().take(keep).copied().collect();
            if attempt(&mut best, cut) {
                smaller = true;
                break;
            }
            keep = keep.saturating_mul(2).max(1);
        }
        // Without a part.
        for size in [16_usize, 8, 4, 2, 1] {
            let mut at = 0;
            while at < best.choices.len() {
                let mut cut = best.choices.clone();
                cut.drain(at..at.saturating_add(size).min(cut.len()));
                if attempt(&mut best, cut) {
                    smaller = true;
                } else {
                    at = at.saturating_add(size);
                }
            }
        }
        // Nearer to the straight order.
        for at in 0..best.choices.len() {
            let Some(was) = best.choices.get(at).copied().filter(|c| *c > 0) else {
                continue;
            };
            for lower in [0, was.saturating_sub(1)] {
                let mut less = best.choices.clone();
                if let Some(choice) = less.get_mut(at) {
                    *choice = lower;
                }
                if attempt(&mut best, less) {
                    smaller = true;
                    break;
                }
            }
        }
        if !smaller {
            return best;
        }
    }
}
