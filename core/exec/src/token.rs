//! Cancellation: a tree of tokens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use statewright_log::{Clock, Gate, Timestamp};

/// Says whether somebody wants a task to end. Clones are the same token; cancelling it cancels its children too, but
/// never its parent. Cancelling is a request: a task ends when it looks.
///
/// ```
/// use statewright_exec::Token;
/// let request = Token::new();
/// let part = request.child();
/// request.cancel("the client is gone");
/// assert_eq!(part.check().unwrap_err().to_string(), "cancelled: the client is gone");
/// ```
#[derive(Clone, Default)]
pub struct Token(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Kept, so that what cancels the parent reaches this one.
    parent: Option<Arc<Inner>>,
    cancelled: AtomicBool,
    state: Mutex<State>,
    gate: Gate,
}

#[derive(Default)]
struct State {
    reason: Option<Arc<str>>,
    /// Children that may be alive; those that are gone are swept out as the list grows.
    children: Vec<std::sync::Weak<Inner>>,
}

/// Why a task was to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// What [`Token::cancel`] was told.
    pub reason: Arc<str>,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.reason)
    }
}

impl std::error::Error for Cancelled {}

impl Token {
    /// A token without a parent.
    #[must_use]
    pub fn new() -> Token {
        Token::default()
    }

    /// A token that is cancelled with this one; at once, if this one is already. O(1) amortised.
    #[must_use]
    pub fn child(&self) -> Token {
        let child = Token(Arc::new(Inner {
            parent: Some(self.0.clone()),
            cancelled: AtomicBool::default(),
            state: Mutex::default(),
            gate: Gate::default(),
        }));
        let mut state = self.0.state.lock();
        if let Some(reason) = state.reason.clone() {
            drop(state);
            child.cancel_for(&reason);
            return child;
        }
        if state.children.len() == state.children.capacity() {
            state.children.retain(|child| child.strong_count() > 0);
            // Room for as many again, or a list of those that live long would be swept for each that does not.
            let alive = state.children.len();
            state.children.reserve(alive.saturating_add(1));
        }
        state.children.push(Arc::downgrade(&child.0));
        drop(state);
        child
    }

    /// Cancels this token and all below it; only the first reason counts. O(tokens below).
    pub fn cancel(&self, reason: &str) {
        self.cancel_for(&reason.into());
    }

    fn cancel_for(&self, reason: &Arc<str>) {
        // A list instead of a recursion: a tree may be deep.
        let mut next = vec![self.0.clone()];
        while let Some(token) = next.pop() {
            let mut state = token.state.lock();
            if state.reason.is_none() {
                state.reason = Some(reason.clone());
                token.cancelled.store(true, Ordering::Release);
                let children = std::mem::take(&mut state.children);
                next.extend(children.iter().filter_map(std::sync::Weak::upgrade));
            }
            drop(state);
            token.gate.notify();
        }
    }

    /// Whether it is cancelled. One atomic load, so a task may look often.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Fails if it is cancelled: for `?` between the steps of a task.
    ///
    /// # Errors
    /// [`Cancelled`] with the reason.
    pub fn check(&self) -> Result<(), Cancelled> {
        if !self.is_cancelled() {
            return Ok(());
        }
        let reason = self.0.state.lock().reason.clone();
        Err(Cancelled {
            reason: reason.unwrap_or_default(),
        })
    }

    /// Sleeps until a time, or until it is cancelled.
    ///
    /// # Errors
    /// [`Cancelled`] if it is, even if the time has come too.
    pub fn sleep_until(&self, clock: &dyn Clock, time: Timestamp) -> Result<(), Cancelled> {
        loop {
            let seen = self.0.gate.epoch();
            self.check()?;
            if clock.now() >= time {
                return Ok(());
            }
            clock.wait(&self.0.gate, seen, Some(time));
        }
    }
}

/// One after the other instead of recursively: a chain may be long.
impl Drop for Inner {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut parent) = next.and_then(Arc::into_inner) {
            next = parent.parent.take();
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_reaches_all_below_and_nothing_else() {
        let root = Token::new();
        let (left, right) = (root.child(), root.child());
        let below = left.child().child();
        left.cancel("enough");
        left.cancel("again");
        assert!(left.is_cancelled() && below.is_cancelled());
        assert!(!root.is_cancelled() && !right.is_cancelled());
        assert_eq!(&*below.check().unwrap_err().reason, "enough");
        assert!(left.child().is_cancelled());
        root.cancel("all");
        assert_eq!(&*right.check().unwrap_err().reason, "all");
        assert_eq!(&*left.check().unwrap_err().reason, "enough");
    }

    #[test]
    fn a_token_with_a_million_short_lived_children_stays_small() {
        let root = Token::new();
        for _ in 0..1_000_000 {
            drop(root.child());
        }
        assert!(root.0.state.lock().children.capacity() < 16);
    }

    #[test]
    fn a_short_lived_child_beside_many_that_live_long_costs_no_sweep() {
        let root = Token::new();
        let kept: Vec<Token> = (0..1000).map(|_| root.child()).collect();
        let (mut sweeps, mut before) = (0, 0);
        for _ in 0..100_000 {
            drop(root.child());
            let listed = root.0.state.lock().children.len();
            sweeps += usize::from(listed <= before);
            before = listed;
        }
        assert!(sweeps <= 100, "{sweeps}");
        drop(kept);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_is_cancelled_and_dropped_without_recursion() {
        let root = Token::new();
        let mut chain = vec![root.child()];
        for _ in 0..100_000 {
            let next = chain.last().unwrap().child();
            chain.push(next);
        }
        root.cancel("all");
        let last = chain.pop().unwrap();
        drop((root, chain));
        assert!(last.is_cancelled());
    }

    #[test]
    fn a_sleeper_is_woken_by_either() {
        let clock = &*statewright_log::Env::real().clock;
        let token = Token::new();
        let soon = clock
            .now()
            .saturating_add(std::time::Duration::from_millis(2));
        assert_eq!(token.sleep_until(clock, soon), Ok(()));
        let other = token.clone();
        let sleeper = std::thread::spawn(move || {
            let clock = &*statewright_log::Env::real().clock;
            other.sleep_until(clock, Timestamp::MAX)
        });
        token.cancel("now");
        assert!(sleeper.join().unwrap().is_err());
    }
}
