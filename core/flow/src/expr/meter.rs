//! What one evaluation may spend: steps, sizes and stack, counted per thread.
//!
//! jaq calls the value type's operators and iterators without a context, so the meter of the evaluation that
//! runs on this thread is thread-local. Once a limit is passed the meter is *tripped*: every later charge fails
//! at once, so whatever an expression does with the error (`try`, `?`, `//`), it comes to an end quickly, and
//! the evaluation as a whole fails.

use std::cell::Cell;

use super::ExprLimits;

/// Which limit an evaluation passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trip {
    Steps,
    Text,
    Items,
    Depth,
}

struct Meter {
    steps: Cell<u64>,
    text: Cell<usize>,
    items: Cell<usize>,
    stack: Cell<usize>,
    base: Cell<usize>,
    tripped: Cell<Option<Trip>>,
}

impl Meter {
    const fn idle() -> Self {
        Meter {
            steps: Cell::new(0),
            text: Cell::new(0),
            items: Cell::new(0),
            stack: Cell::new(0),
            base: Cell::new(0),
            tripped: Cell::new(None),
        }
    }

    fn load(&self, from: &Meter) {
        self.steps.set(from.steps.get());
        self.text.set(from.text.get());
        self.items.set(from.items.get());
        self.stack.set(from.stack.get());
        self.base.set(from.base.get());
        self.tripped.set(from.tripped.get());
    }
}

thread_local! {
    static METER: Meter = const { Meter::idle() };
}

/// A running meter; the one before it on this thread, if any, goes on when this is dropped.
pub(super) struct Metered {
    before: Meter,
}

impl Metered {
    pub(super) fn start(limits: &ExprLimits) -> Self {
        METER.with(|meter| {
            let before = Meter::idle();
            before.load(meter);
            meter.steps.set(limits.steps);
            meter.text.set(limits.text_bytes);
            meter.items.set(limits.items);
            meter.stack.set(limits.stack_bytes);
            meter.base.set(stack_address());
            meter.tripped.set(None);
            Metered { before }
        })
    }

    pub(super) fn tripped(&self) -> Option<Trip> {
        METER.with(|meter| meter.tripped.get())
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        METER.with(|meter| meter.load(&self.before));
    }
}

/// Whereabouts on the stack the caller is. Only compared, never dereferenced.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(std::ptr::from_ref(&here)).addr()
}

fn trip(meter: &Meter, why: Trip) -> Trip {
    meter.tripped.set(Some(why));
    meter.steps.set(0);
    why
}

/// Spends `steps`. Fails when there are not that many left, when the stack is used up, or when the meter is
/// already tripped.
pub(super) fn charge(steps: u64) -> Result<(), Trip> {
    METER.with(|meter| {
        if let Some(why) = meter.tripped.get() {
            return Err(why);
        }
        let Some(left) = meter.steps.get().checked_sub(steps.max(1)) else {
            return Err(trip(meter, Trip::Steps));
        };
        meter.steps.set(left);
        if stack_address().abs_diff(meter.base.get()) > meter.stack.get() {
            return Err(trip(meter, Trip::Depth));
        }
        Ok(())
    })
}

/// Spends what making or reading a text of `bytes` costs, and refuses one that is too long.
pub(super) fn charge_text(bytes: usize) -> Result<(), Trip> {
    METER.with(|meter| match meter.tripped.get() {
        None if bytes > meter.text.get() => Err(trip(meter, Trip::Text)),
        _ => charge(bytes as u64 / 16),
    })
}

/// Spends what making a container of `items` costs, and refuses one that is too large.
pub(super) fn charge_items(items: usize) -> Result<(), Trip> {
    METER.with(|meter| match meter.tripped.get() {
        None if items > meter.items.get() => Err(trip(meter, Trip::Items)),
        _ => charge(items as u64),
    })
}

/// Refuses a container of more than `items`.
pub(super) fn check_len(items: usize) -> Result<(), Trip> {
    METER.with(|meter| match meter.tripped.get() {
        Some(why) => Err(why),
        None if items > meter.items.get() => Err(trip(meter, Trip::Items)),
        None => Ok(()),
    })
}

/// Refuses something nested too deeply to be handled.
pub(super) fn too_deep() -> Trip {
    METER.with(|meter| trip(meter, Trip::Depth))
}
