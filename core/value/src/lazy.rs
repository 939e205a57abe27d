//! Values computed when they are asked for.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::{Error, Result, Value};

/// How long a computed value is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CachePolicy {
    /// Not at all: computed each time, and in several threads at once.
    Never,
    /// For ever: computed once.
    #[default]
    Once,
    /// For so many uses, the first included; then computed again. Counted, not timed.
    Uses(NonZeroU64),
}

/// A value that is computed when it is first asked for, and kept as its [`CachePolicy`] says.
///
/// A clone shares the computation and what is kept. While one thread computes, others that ask wait for its result
/// ([`CachePolicy::Never`] excepted), so a value is computed once however many ask. What is computed must
/// not ask for itself: in the same thread that is an error, across two lazy values in two threads it waits for
/// ever, as locks do.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use statewright_value::{Lazy, value};
/// # fn main() -> statewright_value::Result<()> {
/// static COMPUTED: AtomicU32 = AtomicU32::new(0);
/// let answer = Lazy::new(|| {
///     COMPUTED.fetch_add(1, Ordering::Relaxed);
///     Ok(value!({ "answer": 42 }))
/// });
/// assert_eq!(COMPUTED.load(Ordering::Relaxed), 0);
/// assert_eq!(answer.get()?, answer.get()?);
/// assert_eq!(COMPUTED.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Lazy(Arc<Inner>);

struct Inner {
    compute: Box<dyn Fn() -> Result<Value> + Send + Sync>,
    policy: CachePolicy,
    cost: u64,
    cache_errors: bool,
    state: Mutex<State>,
    finished: Condvar,
}

#[derive(Default)]
struct State {
    kept: Option<Result<Value>>,
    /// How often `kept` may still be used.
    left: u64,
    computing: Option<ThreadId>,
    stats: LazyStats,
}

/// What a lazy value has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LazyStats {
    /// How often it was computed, failures included.
    pub computed: u64,
    /// How often it was computed in vain.
    pub failed: u64,
    /// How often it was given out from what was kept.
    pub reused: u64,
}

/// How a [`Lazy`] value is made.
#[derive(Clone, Copy, Debug)]
pub struct LazyOptions {
    policy: CachePolicy,
    cost: u64,
    cache_errors: bool,
}

impl Default for LazyOptions {
    /// Kept for ever, at cost 1; errors are not kept.
    fn default() -> Self {
        LazyOptions {
            policy: CachePolicy::Once,
            cost: 1,
            cache_errors: false,
        }
    }
}

impl LazyOptions {
    /// With this policy.
    #[must_use]
    pub fn policy(mut self, policy: CachePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What one computation is declared to cost, in units of the program's choice; see [`Lazy::get_within`].
    #[must_use]
    pub fn cost(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }

    /// Whether an error is kept as a value is; otherwise the next one who asks tries again.
    #[must_use]
    pub fn cache_errors(mut self, cache: bool) -> Self {
        self.cache_errors = cache;
        self
    }

    /// A lazy value computed by `compute`.
    pub fn build(self, compute: impl Fn() -> Result<Value> + Send + Sync + 'static) -> Lazy {
        Lazy(Arc::new(Inner {
            compute: Box::new(compute),
            policy: self.policy,
            cost: self.cost,
            cache_errors: self.cache_errors,
            state: Mutex::default(),
            finished: Condvar::new(),
        }))
    }
}

impl Lazy {
    /// A value computed once. See [`LazyOptions`] for other policies.
    pub fn new(compute: impl Fn() -> Result<Value> + Send + Sync + 'static) -> Lazy {
        LazyOptions::default().build(compute)
    }

    /// How long what is computed is kept.
    pub fn policy(&self) -> CachePolicy {
        self.0.policy
    }

    /// The declared cost of one computation.
    pub fn cost(&self) -> u64 {
        self.0.cost
    }

    /// What it has done so far.
    pub fn stats(&self) -> LazyStats {
        self.lock().stats
    }

    /// Whether the next [`Lazy::get`] costs nothing.
    pub fn is_computed(&self) -> bool {
        self.lock().kept.is_some()
    }

    /// The value that is kept, if there is one. Does not count as a use.
    pub fn peek(&self) -> Option<Value> {
        self.lock().kept.clone()?.ok()
    }

    /// Forgets what is kept. A computation under way is kept when it ends.
    pub fn forget(&self) {
        self.lock().kept = None;
    }

    /// The value: what is kept, or computed now.
    ///
    /// # Errors
    /// That of the computation; [`Error::NotRepresentable`] if it asks for its own value.
    pub fn get(&self) -> Result<Value> {
        let mut unbounded = u64::MAX;
        self.get_within(&mut unbounded)
    }

    /// As [`Lazy::get`], but computes only if `budget` covers the declared cost, which is then taken from it. What
    /// is kept costs nothing.
    ///
    /// # Errors
    /// As [`Lazy::get`]; [`Error::Limit`] if the budget does not cover the cost, which leaves it as it is.
    ///
    /// ```
    /// use statewright_value::{Error, LazyOptions, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let report = LazyOptions::default().cost(60).build(|| Ok(value!("long")));
    /// let mut budget = 100;
    /// report.get_within(&mut budget)?;
    /// report.get_within(&mut budget)?;
    /// assert_eq!(budget, 40);
    /// report.forget();
    /// assert!(matches!(report.get_within(&mut budget), Err(Error::Limit { limit: 40, .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_within(&self, budget: &mut u64) -> Result<Value> {
        if self.0.policy == CachePolicy::Never {
            self.pay(budget)?;
            let computed = (self.0.compute)();
            self.lock().stats.count(&computed);
            return computed;
        }
        let mut state = self.lock();
        let me = thread::current().id();
        loop {
            if let Some(kept) = state.reuse() {
                return kept;
            }
            match state.computing {
                None => break,
                Some(thread) if thread == me => {
                    return Err(Error::not_representable(
                        "a lazy value",
                        "computing it asks for its own value, which has no end",
                    ));
                }
                Some(_) => {
                    let waited = self.0.finished.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        self.pay(budget)?;
        state.computing = Some(me);
        drop(state);
        let computing = Computing(self);
        let computed = (self.0.compute)();
        let mut state = self.lock();
        state.stats.count(&computed);
        if computed.is_ok() || self.0.cache_errors {
            state.keep(&computed, self.0.policy);
        }
        drop(state);
        drop(computing);
        computed
    }

    fn pay(&self, budget: &mut u64) -> Result<()> {
        match budget.checked_sub(self.0.cost) {
            Some(left) => {
                *budget = left;
                Ok(())
            }
            None => Err(Error::Limit {
                what: "cost of a lazy value",
                limit: usize::try_from(*budget).unwrap_or(usize::MAX),
                at: format!("it is declared to cost {}", self.0.cost),
            }),
        }
    }

    /// A panic of a computation leaves the state whole, so a poisoned lock is none.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reuse(&mut self) -> Option<Result<Value>> {
        let kept = self.kept.clone()?;
        self.stats.reused += 1;
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.kept = None;
        }
        Some(kept)
    }

    /// The one who computed has used it once.
    fn keep(&mut self, computed: &Result<Value>, policy: CachePolicy) {
        self.left = match policy {
            CachePolicy::Never => 0,
            CachePolicy::Once => u64::MAX,
            CachePolicy::Uses(uses) => uses.get() - 1,
        };
        self.kept = (self.left > 0).then(|| computed.clone());
    }
}

impl LazyStats {
    fn count(&mut self, computed: &Result<Value>) {
        self.computed += 1;
        self.failed += u64::from(computed.is_err());
    }
}

/// Wakes those who wait when a computation ends, also by a panic: then one of them computes.
struct Computing<'a>(&'a Lazy);

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.lock().computing = None;
        self.0.0.finished.notify_all();
    }
}

/// What is kept.
impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy")
            .field("policy", &self.0.policy)
            .field("cost", &self.0.cost)
            .field("kept", &self.lock().kept)
            .finish_non_exhaustive()
    }
}
