//! New cases made of others as they were.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::{World, claim, disk, seven, start};
use statewright_flow::{
    Delivery, Error, EventKind, ForkOptions, Forked, MigrateOptions, Status, WorkItem,
};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Value, value};

/// Work in a row, beside another, with retries; a wait, instances, a called flow, a process, and what undoes.
const EVERYTHING: &str = "
name: all
version: 1
tasks:
  begin: { kind: set, set: { .n: '0' }, split: and, next: [left, right, pause, each, call] }
  left: { kind: host, topic: a, next: join, retry: { attempts: 3, delay: 1s }, compensate: unleft }
  right: { kind: process, run: [true], stdout: json, next: join, timeout: 10s }
  pause: { kind: wait, for: 2s, next: join }
  each: { kind: host, topic: c, many: { items: '[1, 2, 3]' }, output: '. + $item', next: join }
  call: { kind: flow, flow: below, next: join }
  join: { kind: set, join: and, set: { .n: '.n + 1' }, next: last }
  last: { kind: host, topic: b, input: '{left, right, each}' }
  unleft: { kind: host, topic: d }
flows:
  below:
    tasks:
      one: { kind: host, topic: a, next: two }
      two: { kind: host, topic: b }
    output: '.one + .two'
output: '{n, left, right, each, call, last}'
";

fn fork(world: &World, at: u64, results: bool) -> Forked {
    let options = ForkOptions { id: None, results };
    world.flows.fork("c", at, &options).unwrap()
}

#[test]
fn a_fork_that_waits_for_a_key_takes_what_was_kept_for_it_since() {
    let spec = "name: f\ntasks:\n  s: { kind: signal, keep: true, key: '\"k\"', next: end }\n  end: { kind: host, topic: a }\n";
    let world = disk();
    world.flows.deploy(spec, None).unwrap();
    start(&world, "f", "c");
    let waits = world.flows.history("c", 0).unwrap().last().unwrap().seq;
    world.flows.cancel("c", "").unwrap();
    let (kept, _) = world.flows.signal_key("s", "k", &value!(1)).unwrap();
    assert_eq!(kept, Delivery::Kept);
    let forked = fork(&world, waits, false);
    let item = claim(&world, "a").unwrap();
    assert_eq!(item.case, forked.case);
    // It was given once.
    let second = fork(&world, waits, false);
    assert!(claim(&world, "a").is_none());
    world.flows.signal_key("s", "k", &value!(2)).unwrap();
    assert_eq!(claim(&world, "a").unwrap().case, second.case);
}

/// Whatever event a case is forked at, the new one has the state of then and comes to the same end, and the other
/// is as it was.
#[test]
fn a_fork_at_any_event_comes_to_the_same_end() {
    let world = disk();
    world.flows.deploy(EVERYTHING, None).unwrap();
    world.flows.start("all", &Value::NULL, Some("c")).unwrap();
    world.drive(seven).unwrap();
    let end = world.flows.case("c").unwrap();
    assert_eq!(end.status, Status::Completed);
    let history = world.flows.history("c", 0).unwrap();
    let mut forks = 0;
    for event in &history {
        if event.version == history.last().unwrap().version {
            let ended = world.flows.fork("c", event.seq, &ForkOptions::default());
            assert!(matches!(
                ended.unwrap_err(),
                Error::Refused { code: "ended", .. }
            ));
            continue;
        }
        let forked = fork(&world, event.seq, false);
        assert!(forked.at >= event.seq);
        let told = world.flows.history(&forked.case, 0).unwrap();
        let own = &told[forked.at as usize];
        assert_eq!((own.kind, own.seq), (EventKind::CaseForked, forked.at + 1));
        assert_eq!(own.detail.get("from").unwrap().as_str(), Some("c"));
        let before = |e: &statewright_flow::HistoryEvent| (e.seq, e.at, e.kind, e.task.clone());
        let same: Vec<_> = told.iter().take(forked.at as usize).map(before).collect();
        let others: Vec<_> = history
            .iter()
            .take(forked.at as usize)
            .map(before)
            .collect();
        assert_eq!(same, others);
        world.drive(seven).unwrap();
        let info = world.flows.case(&forked.case).unwrap();
        let at = format!("forked at {}: {:?}", event.seq, world.trace(&forked.case));
        assert_eq!(
            (info.status, &info.result),
            (Status::Completed, &end.result),
            "{at}"
        );
        forks += 1;
    }
    assert!(forks > 20, "{forks}");
    assert_eq!(world.flows.case("c").unwrap(), end);
    assert_eq!(world.flows.history("c", 0).unwrap(), history);
    assert!(world.flows.open_cases(None, 9).unwrap().is_empty());
    assert_eq!(world.flows.next_due().unwrap(), None);
}

#[test]
fn recorded_results_are_given_again_for_the_same_input() {
    let spec = "
name: steps
tasks:
  one: { kind: host, topic: a, output: '. + 1', next: two }
  two: { kind: host, topic: b, input: '{n: .one}', next: three }
  three: { kind: host, topic: c, input: '{case: $case.id}', next: four }
  four: { kind: host, topic: d }
";
    let world = disk();
    world.flows.deploy(spec, None).unwrap();
    world.flows.start("steps", &Value::NULL, Some("c")).unwrap();
    let asked = RefCell::new(BTreeMap::new());
    let count = |item: &WorkItem| {
        *asked.borrow_mut().entry(item.task.clone()).or_insert(0) += 1;
        Ok(value!(7))
    };
    world.drive(count).unwrap();
    asked.borrow_mut().clear();
    let forked = fork(&world, 1, true);
    // The third is asked with another input: from there on, all is done.
    assert_eq!(forked.results, 2);
    let data = world.flows.case(&forked.case).unwrap().data;
    assert_eq!(
        (data.get("one"), data.get("two")),
        (Some(value!(8)), Some(value!(7)))
    );
    world.drive(count).unwrap();
    let tasks: Vec<String> = asked.borrow().keys().cloned().collect();
    assert_eq!(tasks, ["four", "three"]);
    assert_eq!(world.status(&forked.case), Status::Completed);
    // Without them, all is done anew.
    asked.borrow_mut().clear();
    assert_eq!(fork(&world, 1, false).results, 0);
    world.drive(count).unwrap();
    assert_eq!(asked.borrow().len(), 4);
}

#[test]
fn what_was_claimed_is_offered_and_what_time_was_left_is_left() {
    let world = disk();
    let spec = "
name: f
start: ask
places: { open: { next: [answer, late] } }
tasks:
  ask: { kind: host, topic: a, next: open }
  answer: { kind: host, topic: b, next: end }
  late: { kind: wait, for: 1h, next: end }
  end: { join: xor }
";
    world.flows.deploy(spec, None).unwrap();
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let asked = world.claim(&["a"]).unwrap().unwrap();
    world.flows.complete(&asked.token, &Value::NULL).unwrap();
    let at = world.flows.history("c", 0).unwrap().len() as u64;
    world.clock.advance(Duration::from_secs(7200));
    world.flows.fire_due().unwrap();
    assert_eq!(world.status("c"), Status::Completed);
    let forked = fork(&world, at, false);
    assert_eq!(world.status(&forked.case), Status::Running);
    let now = world.flows.store().env().clock.now();
    let due = world.flows.next_due().unwrap().unwrap();
    assert_eq!(due.saturating_since(now).as_secs(), 3600);
    // The claim of the other's item is not one of the new one's.
    assert!(matches!(
        world
            .flows
            .complete(&asked.token, &Value::NULL)
            .unwrap_err(),
        Error::StaleItem { .. }
    ));
    let item = world.claim(&["b"]).unwrap().unwrap();
    assert_eq!((item.case.as_str(), item.attempt), (&*forked.case, 1));
    world.flows.complete(&item.token, &Value::NULL).unwrap();
    assert_eq!(world.status(&forked.case), Status::Completed);
}

/// The versions that a case was on are those of its fork, and what it undoes are its own called cases.
#[test]
fn a_fork_knows_the_versions_and_undoes_its_own() {
    let world = disk();
    world.flows.deploy(EVERYTHING, None).unwrap();
    world.flows.start("all", &Value::NULL, Some("c")).unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    let mut claimed = BTreeMap::new();
    while let Some(item) = world.claim(&["a", "b", "c", "d"]).unwrap() {
        if item.task == "left" {
            world.flows.complete(&item.token, &value!(1)).unwrap();
        }
        claimed.insert(item.task.clone(), item);
    }
    let second = EVERYTHING
        .replace("version: 1", "version: 2")
        .replace(
            "tasks:\n  begin",
            "start: begin\ntasks:\n  zero: { next: last }\n  begin",
        )
        .replace("next: last }", "next: zero }")
        .replace("zero: { next: zero }", "zero: { next: last }");
    let done = world
        .flows
        .migrate(&second, None, &MigrateOptions::default())
        .unwrap();
    assert_eq!(done.moved.len(), 1, "{:?}", done.left);
    let at = world.flows.history("c", 0).unwrap().len() as u64;
    let forked = fork(&world, at, false);
    assert_eq!(
        world.flows.case(&forked.case).unwrap().data,
        world.flows.case("c").unwrap().data
    );
    assert_eq!(world.flows.case(&forked.case).unwrap().version, 2);
    let of_old = |id: &str| {
        world
            .trace(id)
            .into_iter()
            .take(at as usize)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_old(&forked.case), of_old("c"));
    let first = world.flows.history("c", 0).unwrap()[0].seq;
    assert_eq!(
        world
            .flows
            .case(&fork(&world, first, false).case)
            .unwrap()
            .version,
        1
    );
    world.flows.cancel(&forked.case, "").unwrap();
    while world.flows.advance(&forked.case).unwrap().is_some() {}
    let undo = world.claim(&["d"]).unwrap().unwrap();
    assert_eq!(
        (undo.task.as_str(), undo.case.as_str()),
        ("unleft", &*forked.case)
    );
    world.flows.complete(&undo.token, &Value::NULL).unwrap();
    assert_eq!(world.status(&forked.case), Status::Cancelled);
    let below = format!("{}~", forked.case);
    let cases = world.flows.cases(&Default::default()).unwrap();
    let called = cases.iter().filter(|c| c.id.starts_with(&below));
    let called: Vec<Status> = called.map(|c| c.status).collect();
    assert_eq!(called, [Status::Cancelled]);
    assert_eq!(world.status("c"), Status::Running);
    world.drive(seven).unwrap();
}

#[test]
fn bad_input_makes_nothing() {
    let world = disk();
    world.flows.deploy(EVERYTHING, None).unwrap();
    world.flows.start("all", &Value::NULL, Some("c")).unwrap();
    let before = world.flows.store().stats().version;
    let bad = |case: &str, at: u64, id: Option<&str>| {
        let options = ForkOptions {
            id: id.map(str::to_owned),
            results: true,
        };
        let error = world.flows.fork(case, at, &options).unwrap_err();
        assert_eq!(world.flows.store().stats().version, before);
        error
    };
    assert!(matches!(bad("x", 1, None), Error::UnknownCase { .. }));
    assert!(matches!(bad("c", 0, None), Error::Input { .. }));
    assert!(matches!(bad("c", 99, None), Error::Input { .. }));
    assert!(matches!(bad("c", 1, Some("a b")), Error::Input { .. }));
    assert!(matches!(bad("c", 1, Some("c")), Error::CaseExists { .. }));
    let world = World::with_flow(EVERYTHING);
    world.flows.start("all", &Value::NULL, Some("c")).unwrap();
    let error = world
        .flows
        .fork("c", 1, &ForkOptions::default())
        .unwrap_err();
    assert!(matches!(error, Error::Refused { code: "no-log", .. }));
}

/// The other waits until a case that it called and that is cancelled has undone what it did: so does the fork, for
/// one of its own.
#[test]
fn a_fork_of_a_case_that_ends_ends_with_its_own_called_case() {
    let world = disk();
    let spec = "
name: outer
tasks:
  call: { kind: flow, flow: inner }
flows:
  inner:
    tasks:
      one: { kind: host, topic: a, compensate: unone, next: two }
      two: { kind: signal }
      unone: { kind: host, topic: d }
";
    world.flows.deploy(spec, None).unwrap();
    start(&world, "outer", "c");
    let one = claim(&world, "a").unwrap();
    world.flows.complete(&one.token, &value!(7)).unwrap();
    world.flows.cancel("c", "enough").unwrap();
    let at = world.flows.history("c", 0).unwrap().len() as u64;
    let forked = fork(&world, at, false);
    assert_eq!(world.status(&forked.case), Status::Compensating);
    let mut undone = Vec::new();
    world
        .drive(|item| {
            undone.push((item.case.clone(), item.task.clone()));
            seven(item)
        })
        .unwrap();
    let own = |id: &str| (format!("{id}~1"), "unone".to_owned());
    undone.sort();
    let mut expected = [own("c"), own(&forked.case)];
    expected.sort();
    assert_eq!(undone, expected);
    let ends = ["c", &*forked.case].map(|id| world.status(id));
    assert_eq!(ends, [Status::Cancelled; 2]);
}

/// At whatever event it is made, a fork has as much time left as the other had then, to the microsecond: for the case,
/// for its tasks and for what it calls.
#[test]
fn deadlines_of_a_fork_are_as_far_ahead_as_they_were() {
    let spec = "
name: f
deadline: 1h
tasks:
  a: { kind: host, deadline: 30m, next: b }
  b: { kind: host, deadline: 20m, next: call }
  call: { kind: flow, flow: below, deadline: 25m, next: c }
  c: { kind: host, deadline: 15m }
flows:
  below: { deadline: 10m, tasks: { d: { kind: host } } }
";
    /// What is ahead for a case and the one it called: of which task, and in how long.
    fn ahead(world: &World, case: &str) -> Vec<(String, Duration)> {
        let now = world.flows.store().env().clock.now();
        let below = format!("{case}~3");
        let told = [case, &below].map(|case| world.flows.explain(case).unwrap_or_default());
        let until = |w: statewright_flow::Waiting| Some((w.task, w.until?.0.saturating_since(now)));
        told.into_iter().flatten().filter_map(until).collect()
    }
    let (io, clock) = (SimIo::new(), SimClock::new());
    let world = World::on_disk(&io, &clock, 1).unwrap();
    world.flows.deploy(spec, None).unwrap();
    start(&world, "f", "c");
    let mut moments = Vec::new();
    for (step, topic) in ["a", "b", "d", "c"].into_iter().enumerate() {
        let last = world.flows.history("c", 0).unwrap().len() as u64;
        moments.push((last, ahead(&world, "c")));
        clock.advance(Duration::from_micros(61_234_567 + step as u64));
        world
            .flows
            .complete(&world.claim(&[topic]).unwrap().unwrap().token, &Value::NULL)
            .unwrap();
        while world.flows.advance("c").unwrap().is_some() {}
    }
    assert_eq!(world.status("c"), Status::Completed);
    clock.advance(Duration::from_micros(9_876_543_210));
    for (at, expected) in moments {
        assert!(expected.len() > 1, "{expected:?}");
        for results in [false, true] {
            let forked = fork(&world, at, results).case;
            // With the results of then, it has gone on at once, and what it asks for now has its own time.
            let (found, case) = (ahead(&world, &forked), String::new());
            let of_case = |all: &[(String, Duration)]| all.iter().find(|w| w.0 == case).cloned();
            match results {
                false => assert_eq!(found, expected, "at {at}"),
                true => assert!(found.is_empty() || of_case(&found) == of_case(&expected)),
            }
            let last = World::on_disk(&io.crash(&Image::series(at, 1).next().unwrap()), &clock, at);
            assert_eq!(
                ahead(&last.unwrap(), &forked),
                found,
                "at {at}, opened again"
            );
            if !found.is_empty() {
                world.flows.terminate(&forked, "seen").unwrap();
            }
        }
    }
    // It passes then.
    let forked = fork(&world, 1, false).case;
    let begun = world.flows.store().env().clock.now();
    while world.flows.next_due().unwrap().is_some() {
        let due = world.flows.next_due().unwrap().unwrap();
        clock.advance(due.saturating_since(world.flows.store().env().clock.now()));
        world.flows.fire_due().unwrap();
    }
    let history = world.flows.history(&forked, 0).unwrap();
    let passed = history.iter().find(|e| e.kind == EventKind::DeadlinePassed);
    assert_eq!(
        passed.unwrap().at.saturating_since(begun),
        Duration::from_secs(1800)
    );
}
