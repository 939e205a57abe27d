//! Waits: who is told when a case closes or when work is offered.
//!
//! A wait is a callback that runs exactly once: with what was waited for, or with why it will not come (cancelled,
//! closed, the engine failed). The synchronous calls and the C completion queue are both built on it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use statewright_flow::{CaseInfo, SOME_WORKER, WorkItem};
use statewright_log::{Clock, Gate};

use crate::error::{Error, Result};

/// Runs once with the result of a wait, on a thread of the library. Must be quick and not call the engine.
pub type Callback<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Names a wait, for cancelling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitId(u64);

/// What a poll asks for.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The topics to take items from.
    pub topics: Vec<String>,
    /// Who takes them; shown by [`Engine::explain`](crate::Engine::explain).
    pub worker: String,
    /// How many at most.
    pub max: usize,
    /// How long the items are this worker's alone without a heartbeat.
    pub lease: Duration,
}

impl Poll {
    /// One item of one topic, leased for 30 seconds.
    pub fn topic(topic: impl Into<String>) -> Poll {
        Poll {
            topics: vec![topic.into()],
            worker: SOME_WORKER.into(),
            max: 1,
            lease: Duration::from_secs(30),
        }
    }

    /// Adds a topic.
    #[must_use]
    pub fn and_topic(mut self, topic: impl Into<String>) -> Poll {
        self.topics.push(topic.into());
        self
    }

    /// Says who polls.
    #[must_use]
    pub fn worker(mut self, worker: impl Into<String>) -> Poll {
        self.worker = worker.into();
        self
    }

    /// Takes up to this many items at once.
    #[must_use]
    pub fn max(mut self, max: usize) -> Poll {
        self.max = max;
        self
    }

    /// Leases the items for this long.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Poll {
        self.lease = lease;
        self
    }
}

/// Polls of different topics hardly ever share one of so many turns.
const TURNS: usize = 64;

/// Every wait there is.
pub(crate) struct Waits {
    inner: Mutex<Inner>,
    /// Held for writing while waiting polls are served: one thread at a time, and none is cancelled in the middle. Held
    /// for reading by polls that do not wait.
    serving: RwLock<()>,
    /// Of these, those of the same topics take turns: each finds other items, and does not reach for the same ones.
    turns: Vec<Mutex<()>>,
}

impl Default for Waits {
    fn default() -> Self {
        Waits {
            inner: Mutex::default(),
            serving: RwLock::default(),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
        }
    }
}

#[derive(Default)]
struct Inner {
    next: u64,
    cases: BTreeMap<WaitId, (String, Callback<CaseInfo>)>,
    /// The waits for each case.
    by_case: BTreeMap<String, Vec<WaitId>>,
    polls: BTreeMap<WaitId, (Poll, Callback<Vec<WorkItem>>)>,
    over: Option<Error>,
}

impl Inner {
    fn remove_case(&mut self, id: WaitId) -> Option<Callback<CaseInfo>> {
        let (case, callback) = self.cases.remove(&id)?;
        if let Some(ids) = self.by_case.get_mut(&case) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_case.remove(&case);
            }
        }
        Some(callback)
    }

    fn id(&mut self) -> WaitId {
        self.next = self.next.saturating_add(1);
        WaitId(self.next)
    }
}

impl Waits {
    pub fn add_case(&self, case: &str, callback: Callback<CaseInfo>) -> WaitId {
        let mut inner = self.inner.lock();
        let id = inner.id();
        match inner.over.clone() {
            None => {
                inner.cases.insert(id, (case.to_owned(), callback));
                inner.by_case.entry(case.to_owned()).or_default().push(id);
            }
            Some(why) => {
                drop(inner);
                callback(Err(why));
            }
        }
        id
    }

    pub fn add_poll(&self, poll: Poll, callback: Callback<Vec<WorkItem>>) -> WaitId {
        let mut inner = self.inner.lock();
        let id = inner.id();
        match inner.over.clone() {
            None => {
                inner.polls.insert(id, (poll, callback));
            }
            Some(why) => {
                drop(inner);
                callback(Err(why));
            }
        }
        id
    }

    /// Ends a wait with [`Error::Cancelled`]; tells whether it was still waiting.
    pub fn cancel(&self, id: WaitId) -> bool {
        let _turn = self.serving.write();
        let why = Error::Cancelled;
        let mut inner = self.inner.lock();
        if let Some(callback) = inner.remove_case(id) {
            drop(inner);
            callback(Err(why));
            return true;
        }
        if let Some((_, callback)) = inner.polls.remove(&id) {
            drop(inner);
            callback(Err(why));
            return true;
        }
        false
    }

    /// Takes a wait back without calling it; tells whether it was still waiting.
    pub fn forget(&self, id: WaitId) -> bool {
        let mut inner = self.inner.lock();
        let case = inner.remove_case(id);
        let poll = inner.polls.remove(&id);
        drop(inner); // what a callback holds is dropped outside the lock
        case.is_some() || poll.is_some()
    }

    /// Tells everyone who waits for this case.
    pub fn case_closed(&self, info: &CaseInfo) {
        let mut inner = self.inner.lock();
        let ids = inner.by_case.remove(&info.id).unwrap_or_default();
        let waiting: Vec<_> = ids.iter().filter_map(|id| inner.cases.remove(id)).collect();
        drop(inner);
        for (_, callback) in waiting {
            callback(Ok(info.clone()));
        }
    }

    /// Whether somebody waits for this case to end.
    pub fn is_awaited(&self, case: &str) -> bool {
        self.inner.lock().by_case.contains_key(case)
    }

    /// Whether somebody polls at all.
    pub fn has_polls(&self) -> bool {
        !self.inner.lock().polls.is_empty()
    }

    /// What `claim` finds for these topics, unless a poll waits, which comes before it.
    pub fn if_none_waits<T>(
        &self,
        topics: &[String],
        claim: impl FnOnce() -> Result<T>,
    ) -> Result<Option<T>> {
        let _serving = self.serving.read();
        // Always in the same order, so that nobody waits for somebody who waits for them.
        let mut turns: Vec<usize> = topics.iter().map(|topic| turn_of(topic)).collect();
        turns.sort_unstable();
        turns.dedup();
        let turns = turns.into_iter().filter_map(|turn| self.turns.get(turn));
        let _turns: Vec<_> = turns.map(Mutex::lock).collect();
        match self.has_polls() {
            true => Ok(None),
            false => claim().map(Some),
        }
    }

    /// Gives polls what `claim` finds for them, longest waiting first, or why it failed: that is nobody else's.
    ///
    /// Callers take turns, so an item that was offered before the call is seen by every poll that was added before
    /// it.
    pub fn serve_polls(&self, mut claim: impl FnMut(&Poll) -> Result<Vec<WorkItem>>) {
        let _turn = self.serving.write();
        let mut after = WaitId(0);
        loop {
            let (id, poll) = {
                let inner = self.inner.lock();
                match inner.polls.range((Excluded(after), Unbounded)).next() {
                    Some((id, (poll, _))) => (*id, poll.clone()),
                    None => return,
                }
            };
            after = id;
            let claimed = claim(&poll);
            if claimed.as_ref().is_ok_and(Vec::is_empty) {
                continue;
            }
            let waiting = self.inner.lock().polls.remove(&id);
            // If the engine closed meanwhile, nobody waits any more, and the lease will end.
            if let Some((_, callback)) = waiting {
                callback(claimed);
            }
        }
    }

    /// Ends every wait there is and every one that comes.
    pub fn end_all(&self, why: &Error) {
        let mut inner = self.inner.lock();
        inner.over.get_or_insert_with(|| why.clone());
        inner.by_case.clear();
        let cases = std::mem::take(&mut inner.cases);
        let polls = std::mem::take(&mut inner.polls);
        drop(inner);
        for (_, callback) in cases.into_values() {
            callback(Err(why.clone()));
        }
        for (_, callback) in polls.into_values() {
            callback(Err(why.clone()));
        }
    }
}

fn turn_of(topic: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    hasher.finish() as usize % TURNS
}

/// Turns a wait into a blocking call: `start` hands the callback over, `cancel` ends the wait when time is up.
pub(crate) fn block_on<T: Send + 'static>(
    clock: &dyn Clock,
    timeout: Option<Duration>,
    start: impl FnOnce(Callback<T>) -> Result<WaitId>,
    cancel: impl FnOnce(WaitId) -> bool,
) -> Result<T> {
    let gate = Gate::new();
    let slot: std::sync::Arc<Mutex<Option<Result<T>>>> = std::sync::Arc::default();
    let (done, full) = (gate.clone(), slot.clone());
    let deadline = timeout.map(|t| clock.monotonic().saturating_add(t));
    let id = start(Box::new(move |result| {
        *full.lock() = Some(result);
        done.notify();
    }))?;
    let mut cancel = Some(cancel);
    loop {
        let seen = gate.epoch();
        if let Some(result) = slot.lock().take() {
            return match (result, timeout) {
                (Err(Error::Cancelled), Some(timeout)) if cancel.is_none() => {
                    Err(Error::TimedOut(timeout))
                }
                (result, _) => result,
            };
        }
        let left = deadline.map(|d| d.saturating_sub(clock.monotonic()));
        match cancel.take() {
            // Cancelling gives the wait its end through the callback, or finds that it has just come.
            Some(cancel) if left.is_some_and(|left| left.is_zero()) => {
                cancel(id);
            }
            still => {
                let until = left.map(|left| clock.now().saturating_add(left));
                clock.wait(&gate, seen, until.filter(|_| still.is_some()));
                cancel = still;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use statewright_log::{Env, sim::SimClock};

    use super::*;

    /// Whether a poll of `second` comes to an end while one of `first` claims.
    fn at_once(first: &[&str], second: &[&str], patience: Duration) -> bool {
        let topics = |of: &[&str]| of.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let (waits, first, second) = (Waits::default(), topics(first), topics(second));
        let (ended, end) = channel();
        thread::scope(|scope| {
            let claim = || {
                scope.spawn(|| {
                    let served = waits.if_none_waits(&second, || Ok(()));
                    served.unwrap().unwrap();
                    ended.send(()).unwrap();
                });
                Ok(end.recv_timeout(patience).is_ok())
            };
            waits.if_none_waits(&first, claim).unwrap().unwrap()
        })
    }

    #[test]
    fn polls_of_the_same_topic_take_turns_and_others_do_not() {
        let other = (0..).map(|n| format!("t{n}"));
        let other = other
            .into_iter()
            .find(|t| turn_of(t) != turn_of("a"))
            .unwrap();
        let (short, long) = (Duration::from_millis(50), Duration::from_secs(20));
        assert!(at_once(&["a", "a"], &[&other], long));
        assert!(!at_once(&["a"], &["a"], short));
        assert!(!at_once(&["a", &other], &[&other, "a"], short));
    }

    #[test]
    fn a_timeout_is_no_matter_of_the_wall_clock() {
        let clock = SimClock::new();
        let waits = std::sync::Arc::new(Waits::default());
        let (added, adding) = channel();
        let wait = || {
            let start = |callback: Callback<CaseInfo>| {
                let id = waits.add_case("c", callback);
                added.send(()).unwrap();
                Ok(id)
            };
            let timeout = Some(Duration::from_secs(10));
            block_on(&clock, timeout, start, |id| waits.cancel(id))
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(wait);
            adding.recv().unwrap();
            clock.jump(3_600_000_000);
            let (real, soon) = (Env::real().clock, Duration::from_millis(50));
            real.wait(&Gate::new(), 0, Some(real.now().saturating_add(soon)));
            assert!(waits.is_awaited("c"), "no time has passed");
            clock.advance(Duration::from_secs(10));
            let ended = waiting.join().unwrap();
            assert!(matches!(ended, Err(Error::TimedOut(_))));
        });
    }

    #[test]
    fn a_poll_that_waits_comes_before_one_that_does_not() {
        let waits = Waits::default();
        let id = waits.add_poll(Poll::topic("a"), Box::new(|_| {}));
        let claim = || -> Result<()> { panic!("not its turn") };
        assert_eq!(waits.if_none_waits(&["b".to_owned()], claim).unwrap(), None);
        assert!(waits.cancel(id));
        let claim = || Ok(7);
        assert_eq!(
            waits.if_none_waits(&["b".to_owned()], claim).unwrap(),
            Some(7)
        );
    }
}
