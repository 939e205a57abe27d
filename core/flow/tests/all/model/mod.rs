//! Random nets, and a slow token game on them that is easy to see to be right. Independent of the analysis and the
//! machine: it shares only the structure of the net with them.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeMap, BTreeSet};

use statewright_flow::analysis::{Builder, Join, Marking, Skeleton, Split};

/// A small generator of random numbers (SplitMix64): the same numbers from the same seed for ever.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both possible.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.range(0, from.len() - 1)]
    }

    /// `n` different ones.
    pub fn sample<T: Clone>(&mut self, from: &[T], n: usize) -> Vec<T> {
        let mut rest = from.to_vec();
        let n = n.min(rest.len());
        (0..n)
            .map(|_| {
                let at = self.range(0, rest.len() - 1);
                rest.remove(at)
            })
            .collect()
    }
}

/// A task by names, so that other programs can read it too.
#[derive(Clone, Debug)]
pub struct NamedTask {
    pub name: String,
    pub join: Join,
    pub split: Split,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub cancels: Vec<String>,
    pub tests: Vec<String>,
    /// Where a token goes when it fails.
    pub fails: Vec<String>,
}

/// A net and a marking, by names; a task's name in the marking is a run of it.
#[derive(Clone, Debug)]
pub struct NamedNet {
    pub tasks: Vec<NamedTask>,
    pub marking: Vec<String>,
}

impl NamedNet {
    pub fn skeleton(&self) -> Skeleton {
        let mut net = Builder::default();
        for task in &self.tasks {
            net.task(&task.name, &strs(&task.inputs), &strs(&task.outputs))
                .join(task.join)
                .split(task.split)
                .cancels(&strs(&task.cancels))
                .tests(&strs(&task.tests))
                .fails_to(&strs(&task.fails));
        }
        // Places that no arc leads to or from.
        let cancelled = self.tasks.iter().flat_map(|t| &t.cancels);
        for name in cancelled.chain(&self.marking) {
            if name.starts_with('c') {
                net.tokens(name, 0);
            }
        }
        net.build().unwrap()
    }

    pub fn marking(&self, net: &Skeleton) -> Marking {
        net.marking(&strs(&self.marking)).unwrap()
    }
}

pub fn strs(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// A random net with an OR-join `J`: loops, cancellation, nested OR-joins, weights on AND-joins and AND-splits.
pub fn random_net(seed: u64) -> NamedNet {
    let mut rng = Rng(seed);
    let n = rng.range(3, 7);
    let places: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
    let mut tasks: Vec<NamedTask> = Vec::new();
    for i in 0..rng.range(2, 6) {
        let join = *rng.pick(&[Join::And, Join::Xor, Join::Or]);
        let split = *rng.pick(&[Split::And, Split::Xor, Split::Or]);
        let (ins, outs) = (rng.range(1, 3), rng.range(1, 3));
        let mut inputs = rng.sample(&places, ins);
        let mut outputs = rng.sample(&places, outs);
        if join == Join::And && rng.chance(20) {
            inputs.push(inputs[0].clone());
        }
        if split == Split::And && rng.chance(20) {
            outputs.push(outputs[0].clone());
        }
        let mut cancels = Vec::new();
        if rng.chance(40) {
            let mut all = places.clone();
            all.extend((0..i).map(|k| format!("T{k}")));
            let size = rng.range(1, 3);
            cancels = rng.sample(&all, size);
        }
        tasks.push(NamedTask {
            name: format!("T{i}"),
            join,
            split,
            inputs,
            outputs,
            cancels,
            tests: Vec::new(),
            fails: Vec::new(),
        });
    }
    let size = rng.range(2, 3);
    tasks.push(NamedTask {
        name: "J".to_owned(),
        join: Join::Or,
        split: Split::And,
        inputs: rng.sample(&places, size),
        outputs: vec![rng.pick(&places).clone()],
        cancels: Vec::new(),
        tests: Vec::new(),
        fails: Vec::new(),
    });
    // One input is marked: else the answer is plain.
    let mut marking = vec![rng.pick(&tasks[tasks.len() - 1].inputs).clone()];
    for _ in 0..rng.range(0, 3) {
        marking.push(if rng.chance(25) {
            format!("T{}", rng.range(0, tasks.len() - 2))
        } else {
            rng.pick(&places).clone()
        });
    }
    NamedNet { tasks, marking }
}

/// A marking of the slow game: tokens of places, and runs of tasks, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tokens {
    pub places: BTreeMap<usize, u32>,
    pub runs: BTreeMap<usize, u32>,
}

impl Tokens {
    pub fn of(net: &Skeleton, marking: &Marking) -> Tokens {
        let some = |n: &u32| *n > 0;
        Tokens {
            places: (0..net.places().len())
                .map(|p| (p, marking.tokens(p)))
                .filter(|(_, n)| some(n))
                .collect(),
            runs: (0..net.tasks().len())
                .map(|t| (t, marking.running(t)))
                .filter(|(_, n)| some(n))
                .collect(),
        }
    }

    pub fn at(&self, place: usize) -> u32 {
        self.places.get(&place).copied().unwrap_or(0)
    }

    fn put(map: &mut BTreeMap<usize, u32>, key: usize, n: u32) {
        *map.entry(key).or_default() += n;
    }

    fn take(map: &mut BTreeMap<usize, u32>, key: usize, n: u32) {
        let left = map[&key] - n;
        if left == 0 {
            map.remove(&key);
        } else {
            map.insert(key, left);
        }
    }
}

/// Every marking that one start or completion leads to, while task `j` does nothing and OR-joins are XOR-joins.
pub fn successors_without(net: &Skeleton, j: usize, now: &Tokens) -> Vec<Tokens> {
    let mut after = Vec::new();
    for (t, task) in net.tasks().iter().enumerate().filter(|(t, _)| *t != j) {
        let holds = |p: usize, n: u32| now.at(p) >= n;
        let tested = task.tests.iter().all(|p| holds(*p, 1));
        let mut takes: Vec<Vec<(usize, u32)>> = Vec::new();
        let all: Vec<(usize, u32)> = task.inputs.iter().map(|a| (a.place, a.weight)).collect();
        match task.join {
            Join::And => takes.push(all),
            _ => takes.extend(all.into_iter().map(|one| vec![one])),
        }
        for take in takes.iter().filter(|take| !take.is_empty()) {
            // A token that is only tested must be there beside those that are taken.
            let spare = |p: &usize| {
                let taken = take.iter().find(|(q, _)| q == p).map_or(0, |(_, n)| *n);
                holds(*p, taken + 1)
            };
            if tested && task.tests.iter().all(spare) && take.iter().all(|(p, n)| holds(*p, *n)) {
                let mut next = now.clone();
                take.iter()
                    .for_each(|(p, n)| Tokens::take(&mut next.places, *p, *n));
                Tokens::put(&mut next.runs, t, 1);
                after.push(next);
            }
        }
        if now.runs.contains_key(&t) {
            for produced in choices(net, t) {
                after.push(completed(net, t, now, &produced));
            }
            let places = net.tasks()[t].fails_to.iter();
            after.extend(places.map(|place| failed(t, now, *place)));
        }
    }
    after
}

/// The sets of outputs that a completion may produce to.
pub fn choices(net: &Skeleton, t: usize) -> Vec<Vec<(usize, u32)>> {
    let task = &net.tasks()[t];
    let all: Vec<(usize, u32)> = task.outputs.iter().map(|a| (a.place, a.weight)).collect();
    match task.split {
        _ if all.is_empty() => vec![Vec::new()],
        Split::And => vec![all],
        Split::Xor => all.into_iter().map(|one| vec![one]).collect(),
        Split::Or => (1..1_usize << all.len())
            .map(|set| {
                let chosen = all.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
                chosen.map(|(_, arc)| *arc).collect()
            })
            .collect(),
    }
}

/// A run of `t` ends: its region is emptied, then it produces.
pub fn completed(net: &Skeleton, t: usize, now: &Tokens, produced: &[(usize, u32)]) -> Tokens {
    let task = &net.tasks()[t];
    let mut next = now.clone();
    Tokens::take(&mut next.runs, t, 1);
    for p in &task.cancels_places {
        next.places.remove(p);
    }
    for u in &task.cancels_tasks {
        next.runs.remove(u);
    }
    for (p, n) in produced {
        Tokens::put(&mut next.places, *p, *n);
    }
    next
}

/// A run of `t` fails, and the flow goes on from a place: nothing else happens.
pub fn failed(t: usize, now: &Tokens, place: usize) -> Tokens {
    let mut next = now.clone();
    Tokens::take(&mut next.runs, t, 1);
    Tokens::put(&mut next.places, place, 1);
    next
}

/// The OR-join's definition, by trying everything: `None` when there are too many tokens or markings to try.
pub fn or_join_by_hand(net: &Skeleton, j: usize, start: &Tokens) -> Option<bool> {
    let inputs: BTreeSet<usize> = net.tasks()[j].inputs.iter().map(|a| a.place).collect();
    let marked: BTreeSet<usize> = inputs
        .iter()
        .copied()
        .filter(|p| start.at(*p) > 0)
        .collect();
    if marked.is_empty() || start.runs.contains_key(&j) {
        return Some(false);
    }
    let more = |m: &Tokens| {
        marked.iter().all(|p| m.at(*p) > 0)
            && inputs.iter().any(|p| !marked.contains(p) && m.at(*p) > 0)
    };
    let mut known: BTreeSet<Tokens> = BTreeSet::from([start.clone()]);
    let mut todo = vec![start.clone()];
    while let Some(now) = todo.pop() {
        if more(&now) {
            return Some(false);
        }
        if now.places.values().chain(now.runs.values()).any(|n| *n > 3) || known.len() > 3_000 {
            return None;
        }
        for next in successors_without(net, j, &now) {
            if known.insert(next.clone()) {
                todo.push(next);
            }
        }
    }
    Some(true)
}

/// Every marking that one start or completion leads to, and the task and whether it started: the whole game of a net
/// of AND-, XOR- and OR-joins, read arcs, cancellation and sections. `None` when an OR-join is too much to try.
pub fn successors(net: &Skeleton, now: &Tokens) -> Option<Vec<(usize, bool, Tokens)>> {
    let mut after = Vec::new();
    for (t, task) in net.tasks().iter().enumerate() {
        if now.runs.contains_key(&t) {
            for produced in choices(net, t) {
                after.push((t, false, completed(net, t, now, &produced)));
            }
            let places = task.fails_to.iter();
            after.extend(places.map(|place| (t, false, failed(t, now, *place))));
            continue;
        }
        if !is_free(net, t, now) {
            continue;
        }
        let all: Vec<(usize, u32)> = task.inputs.iter().map(|a| (a.place, a.weight)).collect();
        let marked: Vec<(usize, u32)> = all
            .iter()
            .copied()
            .filter(|(p, n)| now.at(*p) >= *n)
            .collect();
        let takes: Vec<Vec<(usize, u32)>> = match task.join {
            _ if marked.is_empty() => Vec::new(),
            Join::And if marked.len() == all.len() => vec![marked],
            Join::And => Vec::new(),
            Join::Xor => marked.into_iter().map(|one| vec![one]).collect(),
            _ if or_join_by_hand(net, t, now)? => vec![marked],
            _ => Vec::new(),
        };
        for take in takes {
            let taken = |p: usize| take.iter().find(|(q, _)| *q == p).map_or(0, |(_, n)| *n);
            if task.tests.iter().all(|p| now.at(*p) > taken(*p)) {
                let mut next = now.clone();
                take.iter()
                    .for_each(|(p, n)| Tokens::take(&mut next.places, *p, *n));
                Tokens::put(&mut next.runs, t, 1);
                after.push((t, true, next));
            }
        }
    }
    Some(after)
}

/// Whether no other section of a mutex of the task's sections is active.
fn is_free(net: &Skeleton, t: usize, now: &Tokens) -> bool {
    let own: Vec<usize> = (0..net.sections().len())
        .filter(|s| net.sections()[*s].tasks.contains(&t))
        .collect();
    own.iter().all(|s| {
        (0..net.sections().len()).all(|other| {
            own.contains(&other)
                || net.sections()[other].mutex != net.sections()[*s].mutex
                || !is_active(net, other, now)
        })
    })
}

pub fn is_active(net: &Skeleton, section: usize, now: &Tokens) -> bool {
    let section = &net.sections()[section];
    section.tasks.iter().any(|t| now.runs.contains_key(t))
        || section.places.iter().any(|p| now.at(*p) > 0)
}

/// Everything that can happen to a net, or `None` when it is too much.
pub struct Everything {
    pub stuck: usize,
    pub completes: bool,
    pub livelock: bool,
    pub dead: BTreeSet<usize>,
}

pub fn everything(net: &Skeleton, most: usize) -> Option<Everything> {
    let start = Tokens::of(net, &net.initial());
    let mut known: BTreeMap<Tokens, usize> = BTreeMap::from([(start.clone(), 0)]);
    let mut next: Vec<Vec<usize>> = vec![Vec::new()];
    let mut todo = vec![start];
    let mut dead: BTreeSet<usize> = (0..net.tasks().len()).collect();
    while let Some(now) = todo.pop() {
        if known.len() > most || now.places.values().any(|n| *n > 3) {
            return None;
        }
        let from = known[&now];
        for (t, starts, to) in successors(net, &now)? {
            if starts {
                dead.remove(&t);
            }
            let number = known.len();
            let at = *known.entry(to.clone()).or_insert(number);
            if at == number {
                next.push(Vec::new());
                todo.push(to);
            }
            next[from].push(at);
        }
    }
    let reach = |goals: Vec<usize>| {
        let mut reach: BTreeSet<usize> = goals.into_iter().collect();
        loop {
            let before = reach.len();
            for (at, to) in next.iter().enumerate() {
                if to.iter().any(|to| reach.contains(to)) {
                    reach.insert(at);
                }
            }
            if reach.len() == before {
                return reach;
            }
        }
    };
    // What is in a place that leads nowhere has arrived.
    let consumed = |p: &usize| {
        let tasks = net.tasks().iter();
        tasks.flat_map(|t| &t.inputs).any(|a| a.place == *p)
    };
    let is_done = |m: &Tokens| m.runs.is_empty() && !m.places.keys().any(consumed);
    let done: Vec<usize> = known
        .iter()
        .filter(|(m, _)| is_done(m))
        .map(|(_, at)| *at)
        .collect();
    let ends: Vec<usize> = (0..next.len()).filter(|at| next[*at].is_empty()).collect();
    Some(Everything {
        stuck: ends.len() - done.len(),
        completes: !done.is_empty(),
        livelock: reach(ends).len() < next.len(),
        dead,
    })
}
