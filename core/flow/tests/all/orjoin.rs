//! OR-joins: the nets of the definition, and random nets against two independent oracles.

use crate::model::{NamedNet, Tokens, or_join_by_hand, random_net};
use statewright_flow::analysis::{Builder, Decision, Join, OrJoins, Reset, Skeleton, Split};

const BUDGET: u64 = 1_000_000;

/// What the decision is for every marking, with each of the restrictions on and off.
#[track_caller]
fn decides(net: &Skeleton, join: &str, cases: &[(&[&str], bool)]) {
    let task = net.task(join).unwrap();
    for (forward, backward) in [(true, true), (true, false), (false, true), (false, false)] {
        let joins = OrJoins::unrestricted(net, forward, backward);
        for (names, enabled) in cases {
            let expected = if *enabled {
                Decision::Yes
            } else {
                Decision::No
            };
            let marking = net.marking(names).unwrap();
            for asked in 1..=2 {
                let found = joins.enabled(task, &marking, BUDGET);
                assert_eq!(
                    found, expected,
                    "{join} at {names:?}, asked {asked} times, forward {forward}, backward {backward}"
                );
            }
            let hand = or_join_by_hand(net, task, &Tokens::of(net, &marking));
            assert!(
                hand.is_none_or(|hand| hand == *enabled),
                "{names:?}: {hand:?}"
            );
        }
    }
}

fn net(build: impl FnOnce(&mut Builder)) -> Skeleton {
    let mut builder = Builder::default();
    build(&mut builder);
    builder.build().unwrap()
}

#[test]
fn n1_structured() {
    let net = net(|n| {
        n.task("A", &["i"], &["c1", "c2", "c3"]).split(Split::Or);
        n.task("B", &["c1"], &["d1"]);
        n.task("C", &["c2"], &["d2"]);
        n.task("D", &["c3"], &["d3"]);
        n.task("E", &["d1", "d2", "d3"], &["o"]).join(Join::Or);
    });
    let cases: &[(&[&str], bool)] = &[
        (&["d1", "c2"], false),
        (&["d1", "C"], false),
        (&["d1", "d2"], true),
        (&["d1"], true),
        (&["c1"], false),
        (&["d1", "E"], false),
        (&["d1", "d2", "d3"], true),
    ];
    decides(&net, "E", cases);
}

#[test]
fn n2_loops() {
    let net = net(|n| {
        n.task("S", &["i"], &["p", "q"]).split(Split::Or);
        n.task("P", &["p"], &["p1"]);
        n.task("Q", &["q"], &["r"]);
        n.task("R", &["r"], &["q", "q1"]).split(Split::Xor);
        n.task("E", &["p1", "q1"], &["e"]).join(Join::Or);
        n.task("F", &["e"], &["q", "o"]).split(Split::Xor);
    });
    let cases: &[(&[&str], bool)] = &[
        (&["p1"], true),
        (&["p1", "q"], false),
        (&["p1", "r"], false),
        (&["p1", "q1"], true),
        (&["q1"], true),
        (&["p1", "e"], false),
    ];
    decides(&net, "E", cases);
}

#[test]
fn n3_a_cancellation_elsewhere_enables() {
    let net = net(|n| {
        n.task("B", &["c1"], &["d1"]);
        n.task("C", &["c2"], &["d2"]);
        n.task("X", &["x"], &["x1"]).cancels(&["c2", "C"]);
        n.task("E", &["d1", "d2"], &["o"]).join(Join::Or);
    });
    let cases: &[(&[&str], bool)] = &[
        (&["d1", "c2", "x"], false),
        (&["d1", "C", "X"], false),
        (&["d1", "x1"], true),
    ];
    decides(&net, "E", cases);
}

#[test]
fn n4_a_reset_on_the_way() {
    let with = |cancels: &[&str]| {
        net(|n| {
            n.task("T", &["c"], &["q"]).cancels(cancels);
            n.task("J", &["a", "q"], &["o"]).join(Join::Or);
        })
    };
    decides(&with(&["a"]), "J", &[(&["a", "c"], true)]);
    decides(&with(&[]), "J", &[(&["a", "c"], false)]);
}

#[test]
fn n5_nested() {
    let net = net(|n| {
        n.task("A", &["i"], &["c1", "c2"]);
        n.task("C", &["c1"], &["c4", "c5"]).split(Split::Or);
        n.task("D", &["c5"], &["c6"]);
        n.task("E", &["c4", "c6"], &["c7"]).join(Join::Or);
        n.task("B", &["c2"], &["c3"]);
        n.task("F", &["c7", "c3"], &["o"]).join(Join::Or);
        n.task("K", &["k"], &["k1"])
            .cancels(&["c1", "C", "c4", "c5", "D", "c6", "E"]);
    });
    let outer: &[(&[&str], bool)] = &[
        (&["c1", "c3"], false),
        (&["c4", "c3"], false),
        (&["c7", "c3"], true),
        (&["c1", "c3", "k"], false),
        (&["c3", "k1"], true),
    ];
    decides(&net, "F", outer);
    let inner: &[(&[&str], bool)] = &[
        (&["c4", "c5"], false),
        (&["c4"], true),
        (&["c4", "c6"], true),
    ];
    decides(&net, "E", inner);
}

#[test]
fn n6_in_a_vicious_circle_both_wait() {
    let net = net(|n| {
        n.task("J1", &["a", "y"], &["x", "r1"]).join(Join::Or);
        n.task("J2", &["b", "x"], &["y", "r2"]).join(Join::Or);
    });
    decides(&net, "J1", &[(&["a", "b"], false), (&["a"], true)]);
    decides(&net, "J2", &[(&["a", "b"], false)]);
}

#[test]
fn n7_what_comes_only_through_the_join_itself_is_not_waited_for() {
    let net = net(|n| {
        n.task("J", &["a", "q"], &["e"]).join(Join::Or);
        n.task("X", &["e"], &["q", "o"]).split(Split::Xor);
    });
    decides(&net, "J", &[(&["a"], true), (&["a", "e"], false)]);
}

#[test]
fn n8_a_rival_for_the_marked_input_is_not_waited_for() {
    let net = net(|n| {
        n.task("U", &["u"], &["a2", "v"]);
        n.task("V", &["a"], &["q"]);
        n.task("J", &["a", "q"], &["o"]).join(Join::Or);
    });
    decides(&net, "J", &[(&["a"], true), (&["a", "a"], false)]);
}

#[test]
fn weights_count_for_what_is_marked() {
    // Two tokens make `q` marked; only one can come.
    let net = net(|n| {
        n.task("T", &["c"], &["q"]);
        n.task("J", &["a", "q", "q"], &["o"]).join(Join::Or);
    });
    let task = net.task("J").unwrap();
    let joins = OrJoins::new(&net);
    for (names, expected) in [
        (&["a", "c"] as &[&str], Decision::Yes),
        (&["a", "c", "c"], Decision::No),
        (&["a", "c", "q"], Decision::No),
        (&["q"], Decision::No),
        (&["q", "q"], Decision::Yes),
    ] {
        let found = joins.enabled(task, &net.marking(names).unwrap(), BUDGET);
        assert_eq!(found, expected, "{names:?}");
    }
}

#[test]
fn a_read_arc_must_hold_for_what_is_to_come() {
    let net = net(|n| {
        n.task("T", &["c"], &["q"]).tests(&["m"]);
        n.task("J", &["a", "q"], &["o"]).join(Join::Or);
    });
    let cases: &[(&[&str], bool)] = &[(&["a", "c"], true), (&["a", "c", "m"], false)];
    decides(&net, "J", cases);
}

#[test]
fn a_fired_discriminator_is_not_expected_to_fire_again() {
    // B and C race at the discriminator D, whose token goes to J; after its firing the other arrival is absorbed.
    let net = net(|n| {
        n.task("B", &["b"], &["b1"]);
        n.task("C", &["c"], &["c1"]);
        n.task("D", &["b1", "c1"], &["q"]).join(Join::Of {
            n: 1,
            reset: Reset::All,
        });
        n.task("J", &["a", "q"], &["o"]).join(Join::Or);
    });
    let joins = OrJoins::new(&net);
    let (task, d) = (net.task("J").unwrap(), net.task("D").unwrap());
    let mut marking = net.marking(&["a", "c"]).unwrap();
    assert_eq!(joins.enabled(task, &marking, BUDGET), Decision::No);
    marking.set_seen(&net, d, 0, true);
    assert_eq!(joins.enabled(task, &marking, BUDGET), Decision::Yes);
    // A second round could begin.
    marking.set_tokens(net.place("b").unwrap(), 1);
    assert_eq!(joins.enabled(task, &marking, BUDGET), Decision::No);
}

#[test]
fn a_blocking_join_knows_which_branches_are_active() {
    let net = net(|n| {
        n.task("B", &["b"], &["b1"]);
        n.task("C", &["c"], &["c1"]);
        n.task("D", &["b1", "c1"], &["b"]).join(Join::Of {
            n: 1,
            reset: Reset::Blocking,
        });
    });
    let joins = OrJoins::new(&net);
    let d = net.task("D").unwrap();
    let active =
        |names: &[&str], input| joins.may_arrive(d, input, &net.marking(names).unwrap(), BUDGET);
    assert_eq!(active(&["c"], 1), Decision::Yes);
    assert_eq!(active(&["C"], 1), Decision::Yes);
    assert_eq!(active(&["b"], 1), Decision::No);
    assert_eq!(
        active(&["c"], 0),
        Decision::No,
        "only through the join itself"
    );
}

#[test]
fn without_steps_it_says_that_it_is_undecided_and_with_more_it_decides() {
    let net = net(|n| {
        n.task("A", &["i"], &["c1"]);
        n.task("B", &["c1"], &["c2"]);
        n.task("J", &["a", "c2"], &["o"]).join(Join::Or);
    });
    let joins = OrJoins::new(&net);
    let (task, marking) = (net.task("J").unwrap(), net.marking(&["a", "i"]).unwrap());
    assert_eq!(joins.enabled(task, &marking, 2), Decision::Undecided);
    assert_eq!(joins.enabled(task, &marking, 1), Decision::Undecided);
    assert_eq!(joins.enabled(task, &marking, BUDGET), Decision::No);
    assert_eq!(
        joins.enabled(task, &marking, 2),
        Decision::No,
        "it is known"
    );
    assert_eq!(
        joins.enabled(0, &marking, BUDGET),
        Decision::No,
        "no OR-join"
    );
}

/// What the analysis says of a random net; the same in all four ways.
fn decide(named: &NamedNet, net: &Skeleton, budget: u64) -> Decision {
    let (task, marking) = (net.task("J").unwrap(), named.marking(net));
    let found = OrJoins::new(net).enabled(task, &marking, budget);
    for (forward, backward) in [(true, false), (false, true), (false, false)] {
        let other = OrJoins::unrestricted(net, forward, backward).enabled(task, &marking, budget);
        if other != Decision::Undecided && found != Decision::Undecided {
            assert_eq!(
                found, other,
                "forward {forward}, backward {backward}: {named:?}"
            );
        }
    }
    found
}

/// The verdicts of the Python oracle on nets 0, 1, 2, … of the generator, a letter a net: `y`, `n`, and `-` for a
/// net on which there is none: it took too long, or the analysis is undecided within its budget. Before them a hash
/// of those nets.
const SAMPLE: &str = include_str!("orjoin.sample");
const SAMPLED: u64 = 8_000;
const SAMPLE_BUDGET: u64 = 2_000;

/// The nets, so that a changed generator is told from a wrong verdict.
fn fingerprint(nets: u64) -> u64 {
    (0..nets).fold(0, |hash, seed| {
        // Error edges came later; the nets of the sample have none.
        let text = format!("{:?}", random_net(seed)).replace(", fails: []", "");
        text.bytes().fold(hash, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
    })
}

#[test]
fn random_nets_agree_with_the_verdicts_kept_of_the_oracle() {
    let (hash, verdicts) = SAMPLE.split_once('\n').unwrap();
    assert_eq!(
        hash,
        format!("{:016x}", fingerprint(SAMPLED)),
        "the generator has changed: write the sample again with the_oracle_agrees"
    );
    let verdicts: Vec<char> = verdicts.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(verdicts.len() as u64, SAMPLED);
    let mut asked = 0;
    for (seed, verdict) in (0..).zip(verdicts) {
        if verdict == '-' {
            continue;
        }
        let named = random_net(seed);
        let net = named.skeleton();
        let task = net.task("J").unwrap();
        let found = OrJoins::new(&net).enabled(task, &named.marking(&net), SAMPLE_BUDGET);
        assert_eq!(letter(found), verdict, "seed {seed}: {named:?}");
        asked += 1;
    }
    assert!(asked > SAMPLED * 9 / 10, "only {asked}");
}

fn letter(decision: Decision) -> char {
    match decision {
        Decision::Yes => 'y',
        Decision::No => 'n',
        Decision::Undecided => '-',
    }
}

/// Reads a net a line, as JSON, and answers `y` or `n`, or `-` when it takes too long.
const ASK_ORACLE: &str = "
import sys, json, signal
sys.path.insert(0, sys.argv[1])
import orjoin
from collections import Counter
class Late(Exception): pass
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
def answer(j):
    net = orjoin.Net()
    for name, join, ins, split, outs, cancel in j['tasks']:
        net.task(name, ins, outs, join, split, cancel)
    return 'y' if orjoin.enabled(net, Counter(j['marking']), 'J') else 'n'
for line in sys.stdin:
    said = '-'
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        try: said = answer(json.loads(line))
        finally: signal.setitimer(signal.ITIMER_REAL, 0)
    except Late: pass
    print(said, flush=True)
";

fn as_json(named: &NamedNet) -> String {
    let tasks: Vec<String> = named
        .tasks
        .iter()
        .map(|t| {
            let (join, split) = (format!("{:?}", t.join), format!("{:?}", t.split));
            format!(
                "[{:?},{:?},{:?},{:?},{:?},{:?}]",
                t.name,
                join.to_uppercase(),
                t.inputs,
                split.to_uppercase(),
                t.outputs,
                t.cancels
            )
        })
        .collect();
    let task = |name: &String| match name.strip_prefix('T') {
        Some(_) => format!("p_{name}"),
        None => name.clone(),
    };
    let marking: Vec<String> = named.marking.iter().map(task).collect();
    format!(
        "{{\"tasks\":[{}],\"marking\":{marking:?}}}",
        tasks.join(",")
    )
}

/// Asks the Python oracle itself about 110,000 random nets, and writes the sample. By hand:
/// `cargo test --release -p statewright-flow --test all orjoin:: -- --ignored --nocapture`.
#[test]
#[ignore = "needs python3 and ../shared/oracles, and takes minutes"]
#[expect(
    clippy::disallowed_methods,
    reason = "writes the sample beside this test"
)]
fn the_oracle_agrees() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let root = env!("CARGO_MANIFEST_DIR");
    let oracles = format!("{root}/../../../shared/oracles");
    let nets = 110_000_u64;
    let mut python = Command::new("python3")
        .args(["-c", ASK_ORACLE, &oracles])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = python.stdin.take().unwrap();
    let asking = std::thread::spawn(move || {
        let mut found = Vec::new();
        for seed in 0..nets {
            let named = random_net(seed);
            let net = named.skeleton();
            let decision = decide(&named, &net, SAMPLE_BUDGET);
            // When the oracle ends early, what it has said until then counts.
            if decision != Decision::Undecided && writeln!(to, "{}", as_json(&named)).is_err() {
                break;
            }
            found.push(decision);
        }
        found
    });
    let said = python.wait_with_output().unwrap();
    let found = asking.join().unwrap();
    let mut said = String::from_utf8(said.stdout).unwrap();
    said.retain(|c| !c.is_whitespace());
    let (mut said, mut sample) = (said.chars(), String::new());
    let (mut compared, mut enabled, mut different) = (0, 0, 0);
    for (seed, decision) in (0..).zip(&found) {
        let mut verdict = '-';
        if *decision != Decision::Undecided {
            let Some(next) = said.next() else {
                break;
            };
            verdict = next;
            compared += usize::from(verdict != '-');
            enabled += usize::from(verdict == 'y');
            if verdict != '-' && verdict != letter(*decision) {
                different += 1;
                eprintln!(
                    "seed {seed}: oracle {verdict}, {decision:?}: {:?}",
                    random_net(seed)
                );
            }
        }
        if seed < SAMPLED {
            sample.push(verdict);
            if seed % 100 == 99 {
                sample.push('\n');
            }
        }
    }
    eprintln!("{compared} of {nets} compared, {enabled} enabled, {different} different");
    assert_eq!(different, 0);
    let sample = format!("{:016x}\n{sample}", fingerprint(SAMPLED));
    std::fs::write(format!("{root}/tests/all/orjoin.sample"), sample).unwrap();
}

#[test]
fn random_nets_agree_with_trying_everything() {
    let (mut compared, mut enabled, mut undecided) = (0, 0, 0);
    for seed in 0..6_000 {
        let named = random_net(seed);
        let net = named.skeleton();
        let start = Tokens::of(&net, &named.marking(&net));
        let Some(hand) = or_join_by_hand(&net, net.task("J").unwrap(), &start) else {
            continue;
        };
        let found = decide(&named, &net, 20_000);
        if found == Decision::Undecided {
            undecided += 1;
            continue;
        }
        let expected = if hand { Decision::Yes } else { Decision::No };
        assert_eq!(found, expected, "seed {seed}: {named:?}");
        compared += 1;
        enabled += usize::from(hand);
    }
    assert!(
        compared > 3_000 && enabled > 300 && undecided < 60,
        "{compared} compared, {enabled} enabled, {undecided} undecided"
    );
}
