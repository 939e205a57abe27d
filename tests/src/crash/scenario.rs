//! The scripted histories whose every moment is crashed.

use std::io::ErrorKind;

use statewright_log::Durability::{self, Buffered, Strict};
use statewright_log::sim::{Fault, Op, SimRandom};

/// One thing that happens to a log.
#[derive(Clone, Debug)]
pub enum Step {
    /// A commit with a payload of so many bytes.
    Append(usize),
    /// Everything so far is made durable.
    Sync,
    /// What the next segment is made of is made.
    Ready,
    /// The log is closed and opened again.
    Reopen(Durability),
    /// The process is killed, and the log opened again by the next.
    Kill(Durability),
    /// A call will fail. The log is opened again when it stops working because of it.
    Fail(Fault),
    /// No call fails any more.
    Heal,
}

/// A named history of a log.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about.
    pub name: String,
    /// How the log is opened first.
    pub durability: Durability,
    /// Whether segments are so large that openings do not look at all of them.
    pub large: bool,
    /// What happens then. The log is closed at the end.
    pub steps: Vec<Step>,
}

fn scenario(name: &str, durability: Durability, steps: Vec<Step>) -> Scenario {
    Scenario {
        name: name.to_owned(),
        durability,
        large: false,
        steps,
    }
}

/// `count` commits of `len` bytes, synced after every `batch`.
fn commits(count: usize, len: usize, batch: usize) -> Vec<Step> {
    (1..=count)
        .flat_map(|i| {
            [
                Some(Step::Append(len)),
                (i % batch == 0).then_some(Step::Sync),
            ]
        })
        .flatten()
        .collect()
}

/// All scenarios: the scripted ones, and `random` more made from the seed.
#[must_use]
pub fn all(seed: u64, random: u64) -> Vec<Scenario> {
    let mut all = vec![
        scenario("open and close", Strict, vec![]),
        scenario(
            "nothing but openings",
            Strict,
            vec![
                Step::Reopen(Buffered),
                Step::Kill(Strict),
                Step::Reopen(Strict),
            ],
        ),
        scenario("strict, one by one", Strict, commits(12, 40, 1)),
        scenario("strict, empty commits", Strict, commits(8, 0, 2)),
        scenario(
            "strict, batches over many sectors",
            Strict,
            commits(18, 700, 6),
        ),
        scenario(
            "buffered, synced now and then",
            Buffered,
            commits(20, 150, 5),
        ),
        scenario("buffered, never synced", Buffered, commits(12, 300, 100)),
        scenario("strict, many segments", Strict, commits(30, 900, 3)),
        scenario("buffered, many segments", Buffered, commits(24, 1200, 7)),
        scenario("segments made ready, strict", Strict, ready(|_| None)),
        scenario(
            "segments made ready, buffered",
            Buffered,
            ready(|i| (i % 4 == 3).then_some(Step::Kill(Buffered))),
        ),
        scenario(
            "segments made ready, failing",
            Strict,
            ready(|i| {
                let ops = [Op::Write, Op::Sync, Op::Rename, Op::Create, Op::Remove];
                let op = ops.get(i % ops.len()).copied()?;
                Some(Step::Fail(Fault::once(op, 1, ErrorKind::Other)))
            }),
        ),
        scenario(
            "commits larger than a segment",
            Strict,
            [commits(3, 9000, 1), commits(2, 20, 2)].concat(),
        ),
        scenario("commits of all sizes", Buffered, all_sizes()),
        scenario(
            "closed and opened again",
            Strict,
            sessions(|i| Step::Reopen(if i % 2 == 0 { Strict } else { Buffered })),
        ),
        scenario("killed, strict", Strict, sessions(|_| Step::Kill(Strict))),
        scenario(
            "killed, buffered",
            Buffered,
            sessions(|_| Step::Kill(Buffered)),
        ),
    ];
    all.push(Scenario {
        large: true,
        ..scenario(
            "closed and opened again, far from the end of a segment",
            Strict,
            [
                commits(2, 700, 1),
                vec![Step::Reopen(Buffered)],
                commits(3, 700, 9),
                vec![Step::Reopen(Strict)],
                commits(3, 700, 3),
                vec![Step::Kill(Buffered)],
                commits(2, 700, 9),
                vec![Step::Reopen(Buffered), Step::Reopen(Strict)],
            ]
            .concat(),
        )
    });
    for (what, op) in [
        ("write", Op::Write),
        ("sync", Op::Sync),
        ("rename", Op::Rename),
        ("folder sync", Op::SyncDir),
    ] {
        for durability in [Strict, Buffered] {
            all.push(failing(
                &format!("{durability}, a {what} fails"),
                durability,
                op,
            ));
        }
    }
    all.push(full_disk());
    let random_ones = (0..random).map(|i| random_scenario(i, seed.wrapping_add(i)));
    all.extend(random_ones);
    all
}

/// Commits that fill segments, which are made ready; sometimes one that is too large for it, and what `more` says.
fn ready(more: impl Fn(usize) -> Option<Step>) -> Vec<Step> {
    let round = |i| {
        let large = if i % 3 == 2 { 9000 } else { 900 };
        let ready = [Some(Step::Ready), more(i), Some(Step::Append(large))];
        let ready = ready.into_iter().flatten();
        ready.chain(commits(5, 900, 3)).collect::<Vec<_>>()
    };
    (0..7).flat_map(round).collect()
}

fn all_sizes() -> Vec<Step> {
    let mut steps = Vec::new();
    for len in [
        0, 1, 3, 4, 5, 451, 452, 453, 511, 512, 513, 1000, 3000, 3968, 3972, 3976, 4096, 2,
    ] {
        steps.push(Step::Append(len));
        if len % 3 == 0 {
            steps.push(Step::Sync);
        }
    }
    steps
}

/// A few commits, some of them not synced, then `end`; several times.
fn sessions(end: impl Fn(usize) -> Step) -> Vec<Step> {
    let session = |i| [commits(5, 200 + 100 * i, 2), vec![end(i)]].concat();
    (0..4).flat_map(session).collect()
}

fn failing(name: &str, durability: Durability, op: Op) -> Scenario {
    let mut steps = commits(5, 500, 2);
    for (nth, partial) in [(1, 0), (1, 30), (2, 300), (3, 2000)] {
        steps.push(Step::Fail(
            Fault::once(op, nth, ErrorKind::Other).partial(partial),
        ));
        steps.extend(commits(9, 600, 2));
        steps.push(Step::Heal);
        steps.extend(commits(2, 100, 1));
    }
    scenario(name, durability, steps)
}

/// The disk is full when a new segment is needed, and has space again later.
fn full_disk() -> Scenario {
    let mut steps = commits(6, 500, 1);
    steps.push(Step::Fail(Fault::forever(
        Op::Sync,
        2,
        ErrorKind::StorageFull,
    )));
    steps.extend(commits(4, 900, 4));
    steps.push(Step::Heal);
    steps.extend(commits(5, 900, 1));
    scenario("the disk is full for a while", Buffered, steps)
}

fn random_scenario(number: u64, seed: u64) -> Scenario {
    let random = SimRandom::new(seed);
    let durability = || {
        if random.below(2) == 0 {
            Strict
        } else {
            Buffered
        }
    };
    let failing = [
        Op::Write,
        Op::Sync,
        Op::Rename,
        Op::SyncDir,
        Op::Create,
        Op::SetLen,
        Op::Remove,
    ];
    let first = durability();
    let mut steps = Vec::new();
    for _ in 0..20 + random.below(30) {
        steps.push(match random.below(20) {
            0..=10 => Step::Append((random.below(40) * random.below(80)) as usize),
            11..=15 => Step::Sync,
            16 => Step::Reopen(durability()),
            17 => Step::Kill(durability()),
            18 => Step::Heal,
            _ => {
                let op = failing
                    .get(random.below(failing.len() as u64) as usize)
                    .copied()
                    .unwrap_or(Op::Write);
                let fault = Fault::once(op, 1 + random.below(4), ErrorKind::Other);
                Step::Fail(fault.partial(random.below(1500) as usize))
            }
        });
    }
    scenario(&format!("random {number}"), first, steps)
}
