//! In which order tasks with keys come: a data structure without threads.
//!
//! Higher priorities come first. Within a priority, keys take turns, one task each (round robin; Nagle 1987), and a
//! key's tasks come in their order: so of two keys that both have tasks waiting, neither ever gets more than one ahead
//! of the other. A key that is at its limit, or whose rate allows no task yet, is left out until it may go on, and then
//! stands at the end of the ring.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use statewright_log::Timestamp;

use crate::lanes::{LaneLimits, Rate};

/// The next task, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<T> {
    /// It counts as running until [`Turns::ended`] is called with its key.
    Now(Arc<str>, T),
    /// Some rate allows the next one then.
    NotBefore(Timestamp),
    /// Nothing waits, or all that waits is at its limit.
    Nothing,
}

#[derive(Debug)]
pub struct Turns<T> {
    lanes: HashMap<Arc<str>, Lane<T>>,
    /// Of each priority, the keys that may go on.
    rings: BTreeMap<Reverse<u8>, VecDeque<Arc<str>>>,
    /// Keys that their rate holds back, by when it allows the next task.
    held: BinaryHeap<Reverse<(Timestamp, Arc<str>)>>,
    limits: LaneLimits,
    waiting: usize,
    /// With so many lanes, those that have nothing to remember are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Lane<T> {
    /// By priority, the highest first.
    queues: BTreeMap<Reverse<u8>, Queue<T>>,
    limits: LaneLimits,
    running: usize,
    /// Tasks that the rate allows at once, times its period; as of `filled`.
    tokens: u128,
    filled: Timestamp,
    held: bool,
}

#[derive(Debug)]
struct Queue<T> {
    tasks: VecDeque<T>,
    /// Whether the key is in the ring of this priority.
    lined_up: bool,
}

impl<T> Lane<T> {
    fn new(limits: LaneLimits, now: Timestamp) -> Lane<T> {
        Lane {
            queues: BTreeMap::new(),
            tokens: limits.rate.map_or(0, full),
            limits,
            running: 0,
            filled: now,
            held: false,
        }
    }

    fn is_full(&self) -> bool {
        self.limits.running > 0 && self.running >= self.limits.running
    }

    /// Whether it is as if it were new.
    fn has_nothing_to_remember(&mut self, now: Timestamp) -> bool {
        let rate = self.limits.rate;
        let full_again = rate.is_none_or(|rate| {
            self.fill(rate, now);
            self.tokens >= full(rate)
        });
        self.running == 0 && self.queues.is_empty() && full_again
    }

    fn fill(&mut self, rate: Rate, now: Timestamp) {
        let gone = now.saturating_since(self.filled).as_micros();
        let filled = gone.saturating_mul(u128::from(rate.tasks));
        self.tokens = self.tokens.saturating_add(filled).min(full(rate));
        self.filled = self.filled.max(now);
    }

    /// Takes one from the bucket (a token bucket, filled all the time), or says when there will be one.
    fn take_token(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let Some(rate) = self.limits.rate else {
            return Ok(());
        };
        self.fill(rate, now);
        let one = rate.per.as_micros().max(1);
        match self.tokens.checked_sub(one) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => {
                let missing = one.saturating_sub(self.tokens);
                let micros = missing.div_ceil(u128::from(rate.tasks.max(1)));
                let micros = u64::try_from(micros).unwrap_or(u64::MAX);
                Err(now.saturating_add(Duration::from_micros(micros.max(1))))
            }
        }
    }
}

fn full(rate: Rate) -> u128 {
    rate.per
        .as_micros()
        .max(1)
        .saturating_mul(u128::from(rate.burst.max(1)))
}

impl<T> Turns<T> {
    pub fn new(limits: LaneLimits) -> Turns<T> {
        Turns {
            lanes: HashMap::new(),
            rings: BTreeMap::new(),
            held: BinaryHeap::new(),
            limits,
            waiting: 0,
            sweep_at: 64,
        }
    }

    /// Tasks that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Gives a key limits of its own. O(keys held back) if it is one of them.
    pub fn limit(&mut self, key: &str, limits: LaneLimits, now: Timestamp) {
        let key = self.lane(key, now);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.limits = limits;
            lane.tokens = limits.rate.map_or(0, full);
            lane.filled = now;
            // What its old rate allowed, and when, no longer matters.
            if std::mem::take(&mut lane.held) {
                self.held.retain(|Reverse((_, held))| *held != key);
            }
        }
        self.line_up(&key);
    }

    /// The lane of a key, made if need be.
    fn lane(&mut self, key: &str, now: Timestamp) -> Arc<str> {
        if let Some((key, _)) = self.lanes.get_key_value(key) {
            return key.clone();
        }
        if self.lanes.len() >= self.sweep_at {
            let limits = self.limits;
            let kept = |lane: &mut Lane<T>| {
                lane.limits != limits || lane.held || !lane.has_nothing_to_remember(now)
            };
            self.lanes.retain(|_, lane| kept(lane));
            self.sweep_at = self.lanes.len().saturating_mul(2).max(64);
        }
        let key: Arc<str> = key.into();
        let lane = Lane::new(self.limits, now);
        self.lanes.insert(key.clone(), lane);
        key
    }

    /// Adds a task. O(log priorities) amortised.
    pub fn push(&mut self, key: &str, priority: u8, task: T, now: Timestamp) {
        let key = self.lane(key, now);
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        let free = !lane.held && !lane.is_full();
        let queue = lane
            .queues
            .entry(Reverse(priority))
            .or_insert_with(|| Queue {
                tasks: VecDeque::new(),
                lined_up: false,
            });
        queue.tasks.push_back(task);
        self.waiting += 1;
        if free && !queue.lined_up {
            queue.lined_up = true;
            let ring = self.rings.entry(Reverse(priority)).or_default();
            ring.push_back(key);
        }
    }

    /// Whose turn it is. O(log priorities) amortised.
    pub fn next(&mut self, now: Timestamp) -> Turn<T> {
        while let Some(Reverse((due, _))) = self.held.peek()
            && *due <= now
            && let Some(Reverse((_, key))) = self.held.pop()
        {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.held = false;
            }
            self.line_up(&key);
        }
        while let Some(mut ring) = self.rings.first_entry() {
            let priority = *ring.key();
            let Some(key) = ring.get_mut().pop_front() else {
                ring.remove();
                continue;
            };
            if let Some(task) = self.take(&key, priority, now) {
                self.waiting -= 1;
                return Turn::Now(key, task);
            }
        }
        match self.held.peek() {
            Some(Reverse((due, _))) => Turn::NotBefore(*due),
            None => Turn::Nothing,
        }
    }

    /// The next task of a key that was just taken from the ring of a priority, if it may have one now.
    fn take(&mut self, key: &Arc<str>, priority: Reverse<u8>, now: Timestamp) -> Option<T> {
        let lane = self.lanes.get_mut(key)?;
        let free = !lane.held && !lane.is_full();
        lane.queues.get_mut(&priority)?.lined_up = false;
        // It was in the rings of several priorities, and took what it may have from another.
        if !free {
            return None;
        }
        if let Err(due) = lane.take_token(now) {
            lane.held = true;
            self.held.push(Reverse((due, key.clone())));
            return None;
        }
        lane.running += 1;
        let full = lane.is_full();
        let queue = lane.queues.get_mut(&priority)?;
        let task = queue.tasks.pop_front();
        if queue.tasks.is_empty() {
            lane.queues.remove(&priority);
        } else if !full {
            queue.lined_up = true;
            self.rings
                .entry(priority)
                .or_default()
                .push_back(key.clone());
        }
        task
    }

    /// A task that had its turn has ended.
    pub fn ended(&mut self, key: &Arc<str>) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.running = lane.running.saturating_sub(1);
            self.line_up(key);
        }
    }

    /// Puts a key that may go on at the end of the rings of the priorities that it has tasks of.
    fn line_up(&mut self, key: &Arc<str>) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.held || lane.is_full() {
            return;
        }
        for (priority, queue) in &mut lane.queues {
            if !queue.lined_up {
                queue.lined_up = true;
                let ring = self.rings.entry(*priority).or_default();
                ring.push_back(key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn after(micros: u64) -> Timestamp {
        NOW.saturating_add(Duration::from_micros(micros))
    }

    fn limits(running: usize, rate: Option<Rate>) -> LaneLimits {
        LaneLimits { running, rate }
    }

    fn rate(tasks: u32, per: Duration, burst: u32) -> Option<Rate> {
        Some(Rate { tasks, per, burst })
    }

    fn key_of<T>(turn: Turn<T>) -> Option<String> {
        match turn {
            Turn::Now(key, _) => Some(key.to_string()),
            _ => None,
        }
    }

    #[test]
    fn keys_take_turns_and_higher_priorities_come_first() {
        let mut turns = Turns::new(LaneLimits::default());
        for n in 0..3 {
            turns.push("a", 0, n, NOW);
        }
        turns.push("b", 0, 0, NOW);
        turns.push("a", 9, 7, NOW);
        turns.push("b", 0, 1, NOW);
        let order = std::iter::from_fn(|| match turns.next(NOW) {
            Turn::Now(key, task) => Some(format!("{key}{task}")),
            _ => None,
        });
        assert_eq!(
            order.collect::<Vec<_>>(),
            ["a7", "a0", "b0", "a1", "b1", "a2"]
        );
    }

    #[test]
    fn a_key_at_its_limit_waits_for_its_own_tasks_alone() {
        let mut turns = Turns::new(limits(1, None));
        for key in ["a", "a", "b"] {
            turns.push(key, 0, (), NOW);
        }
        assert_eq!(key_of(turns.next(NOW)).as_deref(), Some("a"));
        assert_eq!(key_of(turns.next(NOW)).as_deref(), Some("b"));
        assert_eq!(turns.next(NOW), Turn::Nothing);
        turns.ended(&"b".into());
        assert_eq!(turns.next(NOW), Turn::Nothing);
        turns.ended(&"a".into());
        assert_eq!(key_of(turns.next(NOW)).as_deref(), Some("a"));
    }

    #[test]
    fn a_rate_allows_a_burst_and_then_one_at_a_time() {
        let mut turns = Turns::new(limits(0, rate(2, Duration::from_micros(100), 3)));
        for n in 0..5 {
            turns.push("a", 0, n, NOW);
        }
        for n in 0..3 {
            assert_eq!(turns.next(NOW), Turn::Now("a".into(), n));
        }
        assert_eq!(turns.next(NOW), Turn::NotBefore(after(50)));
        assert_eq!(turns.next(after(49)), Turn::NotBefore(after(50)));
        assert_eq!(turns.next(after(50)), Turn::Now("a".into(), 3));
        assert_eq!(turns.next(after(50)), Turn::NotBefore(after(100)));
        assert_eq!(turns.next(after(1000)), Turn::Now("a".into(), 4));
        assert_eq!(turns.next(after(1000)), Turn::Nothing);
    }

    #[test]
    fn new_limits_hold_for_a_key_that_its_old_rate_holds_back() {
        let day = Duration::from_secs(86_400);
        let mut turns = Turns::new(limits(0, rate(1, day, 1)));
        for n in 0..3 {
            turns.push("a", 0, n, NOW);
        }
        assert_eq!(turns.next(NOW), Turn::Now("a".into(), 0));
        assert!(matches!(turns.next(NOW), Turn::NotBefore(_)));
        turns.limit("a", limits(0, rate(1, Duration::from_micros(5), 1)), NOW);
        assert_eq!(turns.next(NOW), Turn::Now("a".into(), 1));
        assert_eq!(turns.next(NOW), Turn::NotBefore(after(5)));
        turns.limit("a", limits(0, None), NOW);
        assert_eq!(turns.next(NOW), Turn::Now("a".into(), 2));
        assert!(turns.held.is_empty());
    }

    #[test]
    fn keys_that_come_and_go_leave_nothing() {
        let mut turns = Turns::new(limits(1, rate(1, Duration::from_micros(1), 1)));
        for n in 0..100_000_u64 {
            turns.push(&n.to_string(), 0, (), after(10 * n));
            let Turn::Now(key, ()) = turns.next(after(10 * n)) else {
                panic!("it may run");
            };
            turns.ended(&key);
        }
        assert!(turns.lanes.len() <= 64 && turns.rings.len() <= 1);
    }

    proptest! {
        /// Whatever comes and ends when: nothing is lost, no key is over its limit, a key's tasks come in order, and of
        /// two keys without limits that both have tasks waiting, neither gets two turns in a row.
        #[test]
        fn every_task_gets_its_turn(
            events in proptest::collection::vec((0u8..4, 0u8..6, any::<bool>()), 1..400),
            limit in 0usize..3,
        ) {
            let mut turns = Turns::new(limits(limit, None));
            let mut waiting: HashMap<String, VecDeque<usize>> = HashMap::new();
            let mut running: Vec<Arc<str>> = Vec::new();
            let mut last: Option<String> = None;
            for (number, (what, key, oldest)) in events.into_iter().enumerate() {
                let name = format!("key-{key}");
                match what {
                    0 | 1 => {
                        turns.push(&name, 0, number, NOW);
                        waiting.entry(name).or_default().push_back(number);
                        last = None;
                    }
                    2 if !running.is_empty() => {
                        let key = running.swap_remove(if oldest { 0 } else { running.len() - 1 });
                        turns.ended(&key);
                        last = None;
                    }
                    _ => match turns.next(NOW) {
                        Turn::Now(key, task) => {
                            let others = waiting.iter().any(|(k, q)| **k != *key && !q.is_empty());
                            let queue = waiting.get_mut(&*key).unwrap();
                            prop_assert_eq!(queue.pop_front(), Some(task));
                            if limit == 0 && others {
                                prop_assert_ne!(last.as_deref(), Some(&*key));
                            }
                            last = Some(key.to_string());
                            running.push(key.clone());
                            let count = running.iter().filter(|k| **k == key).count();
                            prop_assert!(limit == 0 || count <= limit);
                        }
                        Turn::Nothing => {
                            let free = |k: &String| {
                                limit == 0 || running.iter().filter(|r| ***r == **k).count() < limit
                            };
                            prop_assert!(waiting.iter().all(|(k, q)| q.is_empty() || !free(k)));
                        }
                        Turn::NotBefore(_) => prop_assert!(false, "there is no rate"),
                    },
                }
                prop_assert_eq!(turns.len(), waiting.values().map(VecDeque::len).sum::<usize>());
            }
        }
    }
}
