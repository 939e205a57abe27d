//! Keys, priorities, limits and rates before an executor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use statewright_log::{Env, Gate, Timestamp};

use crate::executor::{Executor, Rejected};
use crate::thread::spawn_thread;
use crate::turns::{Turn, Turns};

type Task = Box<dyn FnOnce() + Send>;

/// How many of a key's tasks may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneLimits {
    /// At the same time; 0 = as many as there are threads.
    pub running: usize,
    /// In a period; none = without limit.
    pub rate: Option<Rate>,
}

/// A rate: a bucket that `burst` tasks fit in, filled evenly with `tasks` in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tasks in a period, at least 1.
    pub tasks: u32,
    /// The period, at least a microsecond.
    pub per: Duration,
    /// Tasks that may start at once after a pause, at least 1.
    pub burst: u32,
}

/// Hands tasks to an executor in fair order: higher priorities first, then the keys in turn, a key's tasks in their
/// order, none above its key's limits. Clones are the same lanes. When the last one is dropped without
/// [`shut_down`](Lanes::shut_down), tasks that a rate holds back are dropped too.
///
/// ```
/// use statewright_exec::{Executor, ExecutorOptions, LaneLimits, Lanes};
/// use statewright_log::Env;
/// let executor = Executor::new(ExecutorOptions::threads(4))?;
/// let one_at_a_time = LaneLimits { running: 1, rate: None };
/// let lanes = Lanes::new(&executor, &Env::real(), one_at_a_time);
/// for n in 0..10 {
///     lanes.submit("customer-17", 0, move || println!("order {n}, and no other of this customer")).unwrap();
/// }
/// lanes.shut_down();
/// assert_eq!(lanes.waiting(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Lanes(Arc<Shared>);

struct Shared {
    executor: Executor,
    env: Env,
    state: Mutex<State>,
    /// Once it is closed, notified when a task is handed out, and when none is left.
    changed: Condvar,
    /// Notified when there is an earlier time to wait for, and at the end.
    timer: Gate,
}

struct State {
    turns: Turns<Task>,
    /// Tasks that the executor has. No more than it has threads, so that what comes later can still come first.
    running: usize,
    /// Tasks that the executor was given so far.
    handed_out: u64,
    closed: bool,
    /// When a rate allows the next task.
    due: Option<Timestamp>,
    has_timer: bool,
}

impl Lanes {
    /// Lanes before an executor; the limits are those of every key that is given none of its own.
    #[must_use]
    pub fn new(executor: &Executor, env: &Env, limits: LaneLimits) -> Lanes {
        Lanes(Arc::new(Shared {
            executor: executor.clone(),
            env: env.clone(),
            state: Mutex::new(State {
                turns: Turns::new(limits),
                running: 0,
                handed_out: 0,
                closed: false,
                due: None,
                has_timer: false,
            }),
            changed: Condvar::new(),
            timer: Gate::new(),
        }))
    }

    /// Gives a key limits of its own, from its next task on.
    pub fn limit(&self, key: &str, limits: LaneLimits) {
        let now = self.0.now();
        self.0.state.lock().turns.limit(key, limits, now);
        self.0.hand_out();
    }

    /// Adds a task. Of two priorities the higher one comes first. O(log priorities) amortised.
    ///
    /// # Errors
    /// [`Rejected::Closed`] after [`shut_down`](Lanes::shut_down).
    pub fn submit(
        &self,
        key: &str,
        priority: u8,
        task: impl FnOnce() + Send + 'static,
    ) -> Result<(), Rejected> {
        let now = self.0.now();
        let mut state = self.0.state.lock();
        if state.closed {
            return Err(Rejected::Closed);
        }
        state.turns.push(key, priority, Box::new(task), now);
        drop(state);
        self.0.hand_out();
        Ok(())
    }

    /// Tasks that wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.state.lock().turns.len()
    }

    /// Takes no more tasks, and waits until those it has have run, running some of them here. Not to be called by one
    /// of these tasks: it would wait for itself, for ever.
    pub fn shut_down(&self) {
        let shared = &self.0;
        shared.state.lock().closed = true;
        loop {
            let seen = shared.state.lock().handed_out;
            while shared.executor.run_one() {}
            let mut state = shared.state.lock();
            if state.running == 0 && state.turns.len() == 0 {
                return;
            }
            if state.handed_out == seen {
                shared.changed.wait(&mut state);
            }
        }
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// A task that runs; dropped when it has ended, also by a panic.
struct Running {
    shared: Arc<Shared>,
    key: Arc<str>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.end(&self.key);
        self.shared.hand_out();
    }
}

impl Shared {
    /// The time since some moment: rates do not mind how the clock is set.
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add(self.env.clock.monotonic())
    }

    /// Hands tasks to the executor while it has threads for them.
    fn hand_out(self: &Arc<Self>) {
        let slots = self.executor.threads().max(1);
        loop {
            let now = self.now();
            let mut state = self.state.lock();
            if state.running >= slots {
                return;
            }
            let (key, task) = match state.turns.next(now) {
                Turn::Now(key, task) => (key, task),
                Turn::NotBefore(due) => return self.wait_for(&mut state, due),
                Turn::Nothing => {
                    if state.running == 0 {
                        self.changed.notify_all();
                    }
                    return;
                }
            };
            state.running += 1;
            state.handed_out += 1;
            let closed = state.closed;
            drop(state);
            let (shared, name) = (self.clone(), key.clone());
            // It has no more of them than threads, so that it is never too full for one.
            let handed = self.executor.spawn_in_any_case(move || {
                let _running = Running { shared, key: name };
                task();
            });
            if handed.is_err() {
                // The executor was shut down; the task is dropped and the next one looked at.
                self.end(&key);
            } else if self.executor.threads() == 0 {
                // Only who shuts down runs it, and may have looked for it before it was there.
                let mut state = self.state.lock();
                state.handed_out += 1;
                self.changed.notify_all();
            } else if closed {
                self.changed.notify_all();
            }
        }
    }

    fn end(&self, key: &Arc<str>) {
        let mut state = self.state.lock();
        state.running -= 1;
        state.turns.ended(key);
    }

    /// Has tasks handed out at a time.
    fn wait_for(self: &Arc<Self>, state: &mut State, due: Timestamp) {
        let sooner = state.due.is_none_or(|before| due < before);
        state.due = Some(due);
        if !state.has_timer {
            let (weak, gate, clock) = (
                Arc::downgrade(self),
                self.timer.clone(),
                self.env.clock.clone(),
            );
            // If there is no room for the thread, the next task that comes or ends tries again.
            let started = spawn_thread("sw-lanes", move || {
                loop {
                    let seen = gate.epoch();
                    let Some(due) = weak.upgrade().map(|shared| shared.due()) else {
                        return;
                    };
                    clock.wait(&gate, seen, due);
                }
            });
            state.has_timer = started.is_ok();
        } else if sooner {
            self.timer.notify();
        }
    }

    /// Hands out what is due; gives when the next one is, by the clock.
    fn due(self: &Arc<Self>) -> Option<Timestamp> {
        let now = self.now();
        let is_due = {
            let mut state = self.state.lock();
            state.due.take_if(|due| *due <= now).is_some()
        };
        if is_due {
            self.hand_out();
        }
        let due = self.state.lock().due?;
        let left = due.saturating_since(self.now());
        Some(self.env.clock.now().saturating_add(left))
    }
}

/// The timer has nothing to wait for any more.
impl Drop for Shared {
    fn drop(&mut self) {
        self.timer.notify();
    }
}
