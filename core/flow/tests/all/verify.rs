//! Verification: nets with known faults, and random nets against trying everything.

use std::collections::BTreeSet;

use crate::model::{Rng, everything, random_net, strs};
use statewright_flow::analysis::{
    Budget, Builder, FindingKind, Join, Method, Reset, Skeleton, Split, Verdict, Verification,
    verify,
};
use statewright_flow::net::Net;

fn net(build: impl FnOnce(&mut Builder)) -> Skeleton {
    let mut builder = Builder::default();
    build(&mut builder);
    builder.tokens("i", 1);
    builder.build().unwrap()
}

/// The verdict, and the findings with what they are about and the trace.
#[track_caller]
fn finds(net: &Skeleton, verdict: Verdict, expected: &[(FindingKind, &str, &str)]) -> Verification {
    let found = verify(net, Budget::default());
    let told: Vec<(FindingKind, String, String)> = found
        .findings
        .iter()
        .map(|f| {
            let trace: Vec<String> = f.trace.iter().map(ToString::to_string).collect();
            (f.kind, f.about.join(" "), trace.join("; "))
        })
        .collect();
    let expected: Vec<(FindingKind, String, String)> = expected
        .iter()
        .map(|(kind, about, trace)| (*kind, (*about).to_owned(), (*trace).to_owned()))
        .collect();
    assert_eq!(told, expected, "{found:?}");
    assert_eq!(found.verdict, verdict, "{found:?}");
    found
}

#[test]
fn a_net_without_faults_is_sound() {
    let net = net(|n| {
        n.task("A", &["i"], &["b", "c"]).split(Split::Or);
        n.task("B", &["b"], &["b1"]);
        n.task("C", &["c"], &["c1"]);
        n.task("D", &["b1", "c1"], &["d"]).join(Join::Or);
        n.task("E", &["d"], &["d", "e"]).split(Split::Xor);
        n.task("F", &["e"], &[]);
    });
    let found = finds(&net, Verdict::Sound, &[]);
    assert_eq!((found.method, found.limits.len()), (Method::StateSpace, 0));
}

#[test]
fn an_and_join_after_a_choice_is_stuck_and_an_or_join_is_not() {
    let with = |join| {
        net(|n| {
            n.task("A", &["i"], &["b", "c"]).split(Split::Xor);
            n.task("D", &["b", "c"], &[]).join(join);
        })
    };
    let stuck = [
        (FindingKind::Deadlock, "b", "A -> b"),
        (FindingKind::Deadlock, "c", "A -> c"),
        (FindingKind::DeadTask, "D", ""),
    ];
    finds(&with(Join::And), Verdict::NotSound, &stuck);
    finds(&with(Join::Or), Verdict::Sound, &[]);
    finds(&with(Join::Xor), Verdict::Sound, &[]);
}

#[test]
fn or_joins_that_wait_for_each_other_are_a_vicious_circle() {
    let net = net(|n| {
        n.task("A", &["i"], &["a", "b"]);
        n.task("J1", &["a", "y"], &["x", "r1"]).join(Join::Or);
        n.task("J2", &["b", "x"], &["y", "r2"]).join(Join::Or);
        n.task("R1", &["r1"], &[]);
        n.task("R2", &["r2"], &[]);
    });
    let found = verify(&net, Budget::default());
    assert_eq!(found.findings[0].kind, FindingKind::ViciousCircle);
    assert_eq!(found.findings[0].about, ["J1", "J2"]);
    assert_eq!(found.findings[0].trace.len(), 1);
}

#[test]
fn a_loop_without_an_exit_is_found() {
    let net = net(|n| {
        n.task("A", &["i"], &["b", "o"]).split(Split::Xor);
        n.task("B", &["b"], &["c"]);
        n.task("C", &["c"], &["b"]);
        n.task("O", &["o"], &[]);
    });
    let lost = [(FindingKind::Livelock, "B C", "A -> b")];
    finds(&net, Verdict::NotSound, &lost);
}

#[test]
fn a_place_that_grows_is_found_and_what_is_decided_is_said() {
    let net = net(|n| {
        n.task("A", &["i"], &["i", "b", "o"]).split(Split::Xor);
        n.task("L", &["b"], &["b2", "i"]);
        n.task("B", &["b2"], &[]);
        n.task("O", &["o"], &[]);
        n.task("Never", &["o", "x"], &[]);
    });
    let found = verify(&net, Budget::default());
    let kinds: Vec<FindingKind> = found.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [FindingKind::Unbounded, FindingKind::DeadTask]);
    assert_eq!(found.findings[0].about, ["b2"]);
    assert_eq!(found.findings[1].about, ["Never"]);
    assert_eq!(found.method, Method::Coverability);
    assert!(
        found.limits[0].contains("without end"),
        "{:?}",
        found.limits
    );
}

#[test]
fn what_is_emptied_in_the_same_round_does_not_grow() {
    // Each round puts a token into x and empties it again.
    let net = net(|n| {
        n.task("A", &["i"], &["x", "y"]);
        n.task("B", &["y"], &["i", "o"])
            .split(Split::Xor)
            .cancels(&["x"]);
        n.task("O", &["o"], &[]);
    });
    finds(&net, Verdict::Sound, &[]);
}

#[test]
fn a_mutex_that_is_never_returned_is_found() {
    // Section 0 is entered by B, and its inner token waits for something that never comes.
    let net = net(|n| {
        n.task("A", &["i"], &["b", "c"]);
        n.task("B", &["b"], &["d"]);
        n.task("D", &["d", "never"], &[]);
        n.task("C", &["c"], &[]);
        n.section(0, &["B", "D"], &["d"]);
        n.section(0, &["C"], &[]);
    });
    let found = verify(&net, Budget::default());
    let leaked = &found.findings[0];
    assert_eq!(leaked.kind, FindingKind::LeakedMutex, "{found:?}");
    assert_eq!(leaked.about, ["s0", "C"]);
}

#[test]
fn a_critical_section_that_is_left_in_any_way_is_sound() {
    let net = net(|n| {
        n.task("A", &["i"], &["b", "c", "x"]);
        n.task("B", &["b"], &["d"]);
        n.task("D", &["d"], &["b1"]);
        n.task("C", &["c"], &["e"]);
        n.task("E", &["e"], &["c1"]);
        n.task("X", &["x"], &["b1"])
            .cancels(&["b", "B", "d", "D", "b1"]);
        n.task("Z", &["b1", "c1"], &["o"]).join(Join::Or);
        n.task("O", &["o"], &[]).terminate();
        n.section(0, &["B", "D"], &["d"]);
        n.section(0, &["C", "E"], &["e"]);
    });
    let found = verify(&net, Budget::default());
    let wrong = |k: FindingKind| k != FindingKind::LeftOver;
    assert!(found.findings.iter().all(|f| !wrong(f.kind)), "{found:?}");
    assert_eq!(found.verdict, Verdict::Sound);
}

#[test]
fn counting_joins_absorb_what_comes_late_and_begin_again() {
    let with = |n: u32, reset, looped: bool| {
        net(|b| {
            b.task("A", &["i"], &["b", "c", "d"]);
            b.task("B", &["b"], &["b1"]);
            b.task("C", &["c"], &["c1"]);
            b.task("D", &["d"], &["d1"]);
            let join = b
                .task("E", &["b1", "c1", "d1"], &["e"])
                .join(Join::Of { n, reset });
            if reset == Reset::Cancel {
                join.cancels(&["b", "B", "b1", "c", "C", "c1", "d", "D", "d1"]);
            }
            let next: &[&str] = if looped { &["i", "o"] } else { &["o"] };
            b.task("F", &["e"], next).split(Split::Xor);
            b.task("O", &["o"], &[]);
        })
    };
    for n in 1..=3 {
        for reset in [Reset::All, Reset::Blocking, Reset::Cancel] {
            finds(&with(n, reset, false), Verdict::Sound, &[]);
        }
        finds(&with(n, Reset::Cancel, true), Verdict::Sound, &[]);
    }
}

#[test]
fn a_case_that_is_ended_early_is_sound_and_noted() {
    let net = net(|n| {
        n.task("A", &["i"], &["b", "c"]);
        n.task("B", &["b"], &[]).terminate();
        n.task("C", &["c"], &[]);
    });
    let found = verify(&net, Budget::default());
    assert_eq!(found.verdict, Verdict::Sound);
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].kind, FindingKind::LeftOver);
}

#[test]
fn too_small_a_budget_is_said() {
    let net = net(|n| {
        n.task("A", &["i"], &["b", "c", "d"]);
        for (t, p) in [("B", "b"), ("C", "c"), ("D", "d")] {
            // A rival for each token keeps the tasks from commuting.
            n.task(t, &[p], &["e"]);
            n.task(&format!("{t}2"), &[p], &["e"]);
        }
        n.task("E", &["e", "e", "e"], &[]);
    });
    let small = Budget {
        states: 5,
        ..Budget::default()
    };
    let found = verify(&net, small);
    assert_eq!(found.verdict, Verdict::Undecided, "{found:?}");
    assert!(found.limits.iter().any(|l| l.contains("more than 5")));
    assert_eq!(verify(&net, Budget::default()).verdict, Verdict::Sound);
}

#[test]
fn a_wide_net_is_decided_without_all_its_interleavings() {
    // Thirty branches of three tasks: 4^30 markings.
    let names: Vec<String> = (0..30).map(|i| format!("p{i}_")).collect();
    let at = |k: usize| -> Vec<String> { names.iter().map(|n| format!("{n}{k}")).collect() };
    let net = net(|n| {
        n.task("A", &["i"], &strs(&at(0)));
        for name in &names {
            for k in 0..3 {
                n.task(
                    &format!("T{name}{k}"),
                    &[&format!("{name}{k}")],
                    &[&format!("{name}{}", k + 1)],
                );
            }
        }
        n.task("Z", &strs(&at(3)), &[]);
    });
    let found = finds(&net, Verdict::Sound, &[]);
    assert!(found.states < 200, "{}", found.states);
}

#[test]
fn random_nets_are_judged_as_by_trying_everything() {
    let (mut compared, mut sound, mut wrong) = (0, 0, 0);
    for seed in 0..1_500 {
        let mut named = random_net(seed);
        let mut rng = Rng(seed ^ 0xABCD);
        // An end, so that cases can complete, and sometimes a read arc.
        for task in &mut named.tasks {
            if rng.chance(35) {
                task.outputs = Vec::new();
            }
            if rng.chance(15) {
                task.tests = vec![format!("c{}", rng.range(0, 2))];
            }
            if rng.chance(10) {
                task.fails = vec![format!("c{}", rng.range(0, 2))];
            }
        }
        let plain = named.skeleton();
        let marking = named.marking(&plain);
        let mut places = plain.places().to_vec();
        for (p, place) in places.iter_mut().enumerate() {
            place.tokens = marking.tokens(p);
        }
        let net = Skeleton::new(places, plain.tasks().to_vec(), Vec::new()).unwrap();
        let Some(all) = everything(&net, 400) else {
            continue;
        };
        let budget = Budget {
            states: 5_000,
            steps: 50_000,
        };
        let found = verify(&net, budget);
        if found.method != Method::StateSpace || !found.limits.is_empty() {
            continue;
        }
        let has = |kinds: &[FindingKind]| found.findings.iter().any(|f| kinds.contains(&f.kind));
        let what = || format!("seed {seed}: {named:?}\n{found:?}");
        let stuck = has(&[FindingKind::Deadlock, FindingKind::ViciousCircle]);
        assert_eq!(stuck, all.stuck > 0, "{}", what());
        assert_eq!(has(&[FindingKind::Livelock]), all.livelock, "{}", what());
        let dead: Vec<&str> = all
            .dead
            .iter()
            .map(|t| net.tasks()[*t].name.as_str())
            .collect();
        let told: Vec<&str> = found
            .findings
            .iter()
            .filter(|f| f.kind == FindingKind::DeadTask)
            .map(|f| f.about[0].as_str())
            .collect();
        assert_eq!(told, dead, "{}", what());
        let fine = all.stuck == 0 && !all.livelock && all.completes && dead.is_empty();
        assert_eq!(found.verdict == Verdict::Sound, fine, "{}", what());
        compared += 1;
        sound += usize::from(fine);
        wrong += usize::from(stuck);
    }
    assert!(
        compared > 500,
        "{compared} compared, {sound} sound, {wrong} stuck"
    );
}

/// The flows of the patterns that are not sound, and how: what they show is what happens when things go wrong.
const UNSOUND: &[(&str, &[FindingKind])] = &[
    ("11-implicit-termination", &[FindingKind::Deadlock]),
    ("31-blocking-partial-join", &[FindingKind::Deadlock]),
    ("41-thread-merge", &[FindingKind::Deadlock]),
];

#[test]
#[expect(clippy::disallowed_methods, reason = "reads the examples")]
fn the_flows_of_the_patterns_are_judged_as_they_are_meant() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/patterns");
    let mut judged = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let net = Net::compile(&std::fs::read_to_string(&path).unwrap(), None).unwrap();
        for level in net.verify(Budget::default()) {
            let of = &level.verification;
            let kinds: BTreeSet<FindingKind> = of.findings.iter().map(|f| f.kind).collect();
            let kinds: Vec<FindingKind> = kinds
                .into_iter()
                .filter(|kind| *kind != FindingKind::LeftOver)
                .collect();
            let known = UNSOUND.iter().find(|(known, _)| *known == name);
            let expected = known.map_or(&[][..], |(_, kinds)| kinds);
            assert_eq!(kinds, expected, "{name}: {of:#?}");
            let verdict = match expected {
                [] => Verdict::Sound,
                _ => Verdict::NotSound,
            };
            assert_eq!(of.verdict, verdict, "{name}: {of:#?}");
        }
        judged += 1;
    }
    assert!(judged >= 43, "{judged}");
}
