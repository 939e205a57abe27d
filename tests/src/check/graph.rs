//! The graph of who must come before whom, and its cycles.

use std::collections::{BTreeMap, VecDeque};

use super::order::{Order, Written};
use super::{Anomaly, Edge, Event, History, Level, Outcome};

/// Nodes are the history's transactions, then moments in time.
pub(super) struct Graph {
    edges: Vec<Vec<(usize, Edge)>>,
    txns: usize,
}

impl Graph {
    /// All edges between committed transactions. With `mixed`, what a transaction missed counts only if it was
    /// promised [`Level::Serializable`]; without, for all.
    pub(super) fn dependencies(history: &History, order: &Order<'_>, mixed: bool) -> Graph {
        let txns = history.txns.len();
        let mut graph = Graph {
            edges: vec![Vec::new(); txns],
            txns,
        };
        for (key, versions) in order.keys() {
            for (first, second) in versions.iter().zip(versions.iter().skip(1)) {
                graph.add(first.txn, second.txn, || Edge::WriteWrite(key.to_owned()));
            }
        }
        for (txn, it) in history.txns.iter().enumerate() {
            if it.outcome == Outcome::Aborted {
                continue;
            }
            let strict = !mixed || it.level == Level::Serializable;
            let mut own: Vec<&str> = Vec::new();
            for event in &it.events {
                match event {
                    Event::Write(key, _) => own.push(key),
                    Event::Read(key, value) if !own.contains(&key.as_str()) => {
                        let at = Order::seen(order.versions(key), *value, it.snapshot);
                        graph.read(txn, key, order.versions(key), at, strict, false);
                    }
                    Event::Read(..) => {}
                    Event::Range { from, to, seen } => {
                        for (key, versions) in order.range(from, to.as_deref()) {
                            if own.contains(&key) {
                                continue;
                            }
                            let value = seen.iter().find(|(k, _)| k == key).map(|(_, v)| *v);
                            let at = Order::seen(versions, value, it.snapshot);
                            graph.read(txn, key, versions, at, strict, value.is_none());
                        }
                    }
                }
            }
        }
        if mixed {
            graph.real_time(history);
        }
        graph
    }

    fn add(&mut self, from: usize, to: usize, edge: impl FnOnce() -> Edge) {
        if from != to
            && let Some(edges) = self.edges.get_mut(from)
        {
            edges.push((to, edge()));
        }
    }

    /// The edges of one read, which saw the version `at`.
    fn read(
        &mut self,
        txn: usize,
        key: &str,
        versions: &[Written],
        at: Option<usize>,
        strict: bool,
        range: bool,
    ) {
        if let Some(seen) = at.and_then(|at| versions.get(at)) {
            self.add(seen.txn, txn, || Edge::WriteRead(key.to_owned()));
        }
        // The first version that was missed; its own does not count, but hides what the write-write edges say.
        let missed = versions.get(at.map_or(0, |at| at + 1));
        if let (true, Some(missed)) = (strict, missed) {
            let key = key.to_owned();
            self.add(txn, missed.txn, || {
                if range {
                    Edge::RangeWrite(key)
                } else {
                    Edge::ReadWrite(key)
                }
            });
        }
    }

    /// Whoever ended before another began comes before it: through a chain of moments, so that the edges are few.
    fn real_time(&mut self, history: &History) {
        let committed = |txn: &&(usize, &super::Txn)| txn.1.outcome != Outcome::Aborted;
        let all: Vec<_> = history.txns.iter().enumerate().collect();
        let mut ends: Vec<(u64, usize)> = all
            .iter()
            .filter(committed)
            .map(|(i, txn)| (txn.end, *i))
            .collect();
        ends.sort_unstable();
        let first = self.edges.len();
        for (i, (_, txn)) in ends.iter().enumerate() {
            self.edges.push(Vec::new());
            self.add(*txn, first + i, || Edge::RealTime);
            if i > 0 {
                self.add(first + i - 1, first + i, || Edge::RealTime);
            }
        }
        for (i, txn) in all.iter().filter(committed) {
            let before = ends.partition_point(|(end, _)| *end < txn.start);
            if let Some(moment) = before.checked_sub(1) {
                self.add(first + moment, *i, || Edge::RealTime);
            }
        }
    }

    /// The graph whose edges are: an edge that is not a missed write, alone or followed by one that is.
    pub(super) fn composed(&self) -> Graph {
        let mut edges = vec![Vec::new(); self.edges.len()];
        for (from, to_all) in edges.iter_mut().zip(&self.edges) {
            for (middle, first) in to_all.iter().filter(|(_, edge)| !edge.is_missed_write()) {
                from.push((*middle, first.clone()));
                for (to, second) in self.edges.get(*middle).into_iter().flatten() {
                    if second.is_missed_write() {
                        let then = Edge::Then(Box::new(first.clone()), Box::new(second.clone()));
                        from.push((*to, then));
                    }
                }
            }
        }
        Graph {
            edges,
            txns: self.txns,
        }
    }

    /// An error with a shortest cycle through one of the transactions on a cycle, if there is one.
    pub(super) fn acyclic(&self, _history: &History) -> Result<(), Anomaly> {
        // Kahn: what is left when everything without a predecessor is taken away again and again.
        let mut incoming = vec![0_usize; self.edges.len()];
        for (to, _) in self.edges.iter().flatten() {
            if let Some(count) = incoming.get_mut(*to) {
                *count += 1;
            }
        }
        let mut free: Vec<usize> = (0..self.edges.len())
            .filter(|node| incoming.get(*node) == Some(&0))
            .collect();
        let mut left = self.edges.len();
        while let Some(node) = free.pop() {
            left -= 1;
            for (to, _) in self.edges.get(node).into_iter().flatten() {
                if let Some(count) = incoming.get_mut(*to) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*to);
                    }
                }
            }
        }
        if left == 0 {
            return Ok(());
        }
        let stuck = (0..self.txns).filter(|node| incoming.get(*node).is_some_and(|n| *n > 0));
        let shortest = stuck
            .take(200)
            .filter_map(|node| self.cycle_through(node))
            .min_by_key(Vec::len);
        // What is stuck but on no cycle only follows one; then one is among the first all the same.
        Err(Anomaly::Cycle(shortest.unwrap_or_default()))
    }

    /// A shortest way from a node back to it.
    fn cycle_through(&self, start: usize) -> Option<Vec<(usize, Edge)>> {
        let mut came: BTreeMap<usize, (usize, &Edge)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for (to, edge) in self.edges.get(node).into_iter().flatten() {
                if came.contains_key(to) {
                    continue;
                }
                came.insert(*to, (node, edge));
                if *to == start {
                    return Some(self.steps(start, &came));
                }
                queue.push_back(*to);
            }
        }
        None
    }

    fn steps(&self, start: usize, came: &BTreeMap<usize, (usize, &Edge)>) -> Vec<(usize, Edge)> {
        let mut steps: Vec<(usize, Edge)> = Vec::new();
        let mut at = start;
        while let Some((from, edge)) = came.get(&at) {
            // A way through moments is one step.
            if *from < self.txns {
                steps.push((*from, (*edge).clone()));
            }
            at = *from;
            if at == start {
                break;
            }
        }
        steps.reverse();
        steps
    }
}
