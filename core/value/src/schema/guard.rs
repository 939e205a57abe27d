//! What a validation may use, counted.

use std::cell::Cell;

/// Why a validation was ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The instance or the chain of schemas is too deep for the part of the stack that may be used.
    Stack,
    /// Too much work.
    Steps,
    /// More violations than are to be reported.
    Violations,
    /// A pattern with lookaround or backreferences took more than so many steps.
    Pattern(usize),
}

/// Counts what a validation uses, and ends it: once stopped, every container looks like no container, so
/// the validator has nothing left to look into.
pub(super) struct Guard {
    /// An address in the frame that began the validation.
    base: usize,
    stack: usize,
    steps: Cell<u64>,
    violations: Cell<u32>,
    max_violations: u32,
    stopped: Cell<Option<Stop>>,
}

impl Guard {
    pub(super) fn new(stack: usize, steps: u64, max_violations: u32) -> Guard {
        Guard {
            base: here(),
            stack,
            steps: Cell::new(steps),
            violations: Cell::new(0),
            max_violations,
            stopped: Cell::new(None),
        }
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stopped.get()
    }

    /// The first reason stays, but a full report is no reason to hide another one.
    pub(super) fn stop(&self, why: Stop) {
        if matches!(self.stopped.get(), None | Some(Stop::Violations)) {
            self.stopped.set(Some(why));
        }
    }

    /// Whether even twice the stack is used up.
    pub(super) fn is_deep(&self) -> bool {
        self.used_stack() > self.stack.saturating_mul(2)
    }

    fn used_stack(&self) -> usize {
        self.base.abs_diff(here())
    }

    /// Whether the validator may look into one more container.
    pub(super) fn enter(&self) -> bool {
        match self.steps.get().checked_sub(1) {
            Some(left) => self.steps.set(left),
            None => self.stop(Stop::Steps),
        }
        if self.used_stack() > self.stack {
            self.stop(Stop::Stack);
        }
        self.stopped.get().is_none()
    }

    /// The number of one more violation.
    pub(super) fn violation(&self) -> u32 {
        let number = self.violations.get();
        self.violations.set(number.saturating_add(1));
        if number >= self.max_violations && self.stopped.get().is_none() {
            self.stopped.set(Some(Stop::Violations));
        }
        number
    }
}

/// An address in the current frame.
#[inline]
fn here() -> usize {
    let local = 0u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}
