//! Random nets of and/xor splits and joins, loops included, beside a token game played with pencil and paper: after
//! every event both must have the same tokens in the same places and the same tasks busy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::common::World;
use proptest::prelude::*;
use statewright_flow::net::Net;
use statewright_flow::{Queue, Status};
use statewright_value::Value;

#[derive(Clone, Debug)]
struct Task {
    and_join: bool,
    xor_split: bool,
    next: Vec<usize>,
}

/// Tasks `t0`, `t1`, …; each is host work, and its result is the number of the edge an xor split takes.
fn spec(tasks: &[Task]) -> String {
    let mut spec = String::from("name: random\ntasks:\n");
    for (id, task) in tasks.iter().enumerate() {
        let join = if task.and_join { "and" } else { "xor" };
        let split = if task.xor_split { "xor" } else { "and" };
        writeln!(
            spec,
            "  t{id}:\n    kind: host\n    topic: work\n    join: {join}\n    split: {split}"
        )
        .unwrap();
        if task.next.is_empty() {
            continue;
        }
        writeln!(spec, "    next:").unwrap();
        let last = task.next.len() - 1;
        for (edge, to) in task.next.iter().enumerate() {
            let when = if task.xor_split && edge < last {
                format!(", when: .t{id} == {edge}")
            } else {
                String::new()
            };
            writeln!(spec, "      - {{ to: t{to}{when} }}").unwrap();
        }
    }
    spec
}

/// The token game: tokens on edges, named as the net names its places.
struct Paper<'n> {
    tasks: &'n [Task],
    tokens: BTreeMap<String, u32>,
    busy: BTreeSet<usize>,
}

impl<'n> Paper<'n> {
    fn new(tasks: &'n [Task]) -> Self {
        Paper {
            tasks,
            tokens: BTreeMap::from([("start".into(), 1)]),
            busy: BTreeSet::new(),
        }
    }

    fn inputs(&self, task: usize) -> Vec<String> {
        let start = (task == 0).then(|| "start".to_owned());
        let from =
            |(id, t): (usize, &Task)| t.next.contains(&task).then(|| format!("t{id}>t{task}"));
        start
            .into_iter()
            .chain(self.tasks.iter().enumerate().filter_map(from))
            .collect()
    }

    /// What an enabled task would take.
    fn takes(&self, task: usize) -> Option<Vec<String>> {
        let inputs = self.inputs(task);
        let marked: Vec<String> = inputs
            .iter()
            .filter(|e| self.tokens.contains_key(*e))
            .cloned()
            .collect();
        let ready = if self.tasks[task].and_join {
            marked.len() == inputs.len()
        } else {
            !marked.is_empty()
        };
        let takes = if self.tasks[task].and_join {
            inputs
        } else {
            marked.into_iter().take(1).collect()
        };
        (ready && !self.busy.contains(&task)).then_some(takes)
    }

    fn enabled(&self) -> BTreeSet<usize> {
        (0..self.tasks.len())
            .filter(|t| self.takes(*t).is_some())
            .collect()
    }

    fn start(&mut self, task: usize) {
        for edge in self.takes(task).unwrap() {
            let left = self.tokens.remove(&edge).unwrap() - 1;
            if left > 0 {
                self.tokens.insert(edge, left);
            }
        }
        self.busy.insert(task);
    }

    fn complete(&mut self, task: usize, pick: usize) {
        assert!(self.busy.remove(&task));
        let next = &self.tasks[task].next;
        let taken = match (self.tasks[task].xor_split, next.len()) {
            (_, 0) => &[],
            (true, len) => std::slice::from_ref(&next[pick.min(len - 1)]),
            (false, _) => next.as_slice(),
        };
        for to in taken {
            *self.tokens.entry(format!("t{task}>t{to}")).or_default() += 1;
        }
    }

    fn status(&self) -> Status {
        let idle = self.busy.is_empty() && self.enabled().is_empty();
        match (idle, self.tokens.is_empty()) {
            (false, _) => Status::Running,
            (true, true) => Status::Completed,
            (true, false) => Status::Deadlocked,
        }
    }
}

fn same(world: &World, case: &str, paper: &Paper<'_>) {
    let info = world.flows.case(case).unwrap();
    let tokens: BTreeMap<String, u32> = info.marking.iter().cloned().collect();
    let in_state = |offered: bool| -> BTreeSet<usize> {
        let items = info.items.iter();
        items
            .filter(|i| (i.state == "offered") == offered)
            .map(|i| number(&i.task))
            .collect()
    };
    assert_eq!(
        (info.status, tokens, in_state(false), in_state(true)),
        (
            paper.status(),
            paper.tokens.clone(),
            paper.busy.clone(),
            paper.enabled()
        )
    );
    assert_eq!(
        info.items.len(),
        paper.busy.len() + paper.enabled().len(),
        "a busy task is not offered again"
    );
}

fn number(task: &str) -> usize {
    task.trim_start_matches('t').parse().unwrap()
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    (2_usize..8).prop_flat_map(|count| {
        let task = (
            any::<bool>(),
            any::<bool>(),
            prop::collection::btree_set(0..count, 0..3),
        );
        prop::collection::vec(task, count).prop_map(move |raw| {
            let mut tasks = Vec::new();
            for (id, (and_join, xor_split, mut next)) in raw.into_iter().enumerate() {
                // A way forward from everywhere, so that every task is reached and reaches the last one, the end.
                if id + 1 < count {
                    next.insert(id + 1);
                } else {
                    next.clear();
                }
                tasks.push(Task {
                    and_join: and_join && id > 0,
                    xor_split,
                    next: next.into_iter().collect(),
                });
            }
            tasks
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_where_the_token_game_has_them(
        tasks in tasks(),
        picks in prop::collection::vec((0_usize..3, 0_usize..8), 40),
    ) {
        let spec = spec(&tasks);
        let net = Net::compile(&spec, None);
        prop_assert!(net.is_ok(), "{net:?}\n{spec}");
        let world = World::with_flow(&spec);
        let case = world.flows.start("random", &Value::NULL, None).unwrap().case.to_string();
        let mut paper = Paper::new(&tasks);
        same(&world, &case, &paper);
        let mut claimed = Vec::new();
        for (pick, which) in picks {
            let work = Queue::Topics(vec!["work".into()]);
            // Some of what is offered.
            for claim in world.flows.claim(&work, "w", None, 1 + which % 3).unwrap() {
                let item = claim.item.unwrap();
                paper.start(number(&item.task));
                claimed.push(item);
            }
            same(&world, &case, &paper);
            if claimed.is_empty() {
                break;
            }
            // Any interleaving.
            let item = claimed.remove(which % claimed.len());
            world.flows.complete(&item.token, &Value::from(pick)).unwrap();
            paper.complete(number(&item.task), pick);
            same(&world, &case, &paper);
            // Done is done.
            prop_assert!(world.flows.complete(&item.token, &Value::from(pick)).is_err());
        }
        same(&world, &case, &paper);
    }
}

/// What the static check calls a possible deadlock is one, and a net it has explored in full has no other.
#[test]
fn warnings_about_deadlocks_are_true() {
    let split = "name: d\ntasks:\n  a: { kind: host, split: xor, next: [{ to: b, when: .a }, c] }\n  \
                 b: { kind: host, next: d }\n  c: { kind: host, next: d }\n  d: { kind: host, join: and }\n";
    let net = Net::compile(split, None).unwrap();
    assert_eq!(net.warnings.len(), 1);
    let world = World::with_flow(split);
    let case = world
        .flows
        .start("d", &Value::NULL, None)
        .unwrap()
        .case
        .to_string();
    let topics = Queue::Topics(["a", "b", "c", "d"].map(str::to_owned).to_vec());
    while let Some((item, _)) = world
        .flows
        .claim(&topics, "w", None, 1)
        .unwrap()
        .into_iter()
        .next()
        .map(|c| (c.item.unwrap(), c.moved))
    {
        world.flows.complete(&item.token, &Value::NULL).unwrap();
    }
    assert_eq!(world.status(&case), Status::Deadlocked);
}
