//! Running cases moved to another version and back.

use std::collections::BTreeSet;

use crate::common::{World, claim, migrate, start, started};
use statewright_flow::{Error, EventKind, MigrateOptions, Migrated, Status, WorkItem};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Value, value};

const FIRST: &str = "
name: order
version: 1
tasks:
  begin: { split: and, next: [pay, pack] }
  pay: { kind: host, topic: a, input: '{order: $case.id}', next: ship }
  pack: { kind: host, topic: b, next: ship }
  ship: { kind: host, topic: c, join: and }
";

/// One more task first, so that all are numbered otherwise; another topic, and a task more at the end.
const SECOND: &str = "
name: order
version: 2
start: begin
tasks:
  check: { kind: host, topic: d, next: end }
  pack: { kind: host, topic: d, next: ship }
  begin: { split: and, next: [pay, pack] }
  pay: { kind: host, topic: a, input: '{order: $case.id}', next: ship }
  ship: { kind: host, topic: c, join: and, next: check }
  end: {}
";

fn renamed(world: &World, spec: &str, names: &[(&str, &str)]) -> Migrated {
    let names = names
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    let options = MigrateOptions {
        renames: names.collect(),
        ..MigrateOptions::default()
    };
    world.flows.migrate(spec, None, &options).unwrap()
}

fn undo(world: &World, done: &Migrated) -> Migrated {
    world
        .flows
        .undo_migration(done.id.as_ref().unwrap())
        .unwrap()
}

fn complete(world: &World, item: &WorkItem) {
    world.flows.complete(&item.token, &value!(1)).unwrap();
    while world.flows.advance(&item.case).unwrap().is_some() {}
}

fn version(world: &World, case: &str) -> u64 {
    world.flows.case(case).unwrap().version
}

fn left(report: &Migrated) -> Vec<(String, String)> {
    let left = report.left.iter();
    left.map(|p| (p.case.clone(), p.reasons.join("; ")))
        .collect()
}

#[test]
fn a_case_moves_with_what_is_claimed_and_offered_and_goes_on() {
    let world = started(FIRST);
    // Known to this process alone.
    let paid = claim(&world, "a").unwrap();
    let done = migrate(&world, SECOND);
    assert_eq!((done.moved.len(), left(&done)), (1, vec![]));
    assert_eq!((done.moved[0].version, version(&world, "c")), (1, 2));
    // The item waits under its new topic, and no more under the old one.
    assert!(claim(&world, "b").is_none());
    let packed = claim(&world, "d").unwrap();
    assert_eq!(packed.task, "pack");
    complete(&world, &paid);
    complete(&world, &packed);
    let ship = claim(&world, "c").unwrap();
    complete(&world, &ship);
    let check = claim(&world, "d").unwrap();
    assert_eq!(check.task, "check");
    complete(&world, &check);
    assert_eq!(world.status("c"), Status::Completed);
    let events = world.flows.history("c", 0).unwrap();
    let seqs: Vec<u64> = events.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>());
    let shown = world.trace("c");
    let expected = [
        "case_started",
        "routed begin",
        "offered pay#0",
        "offered pack#0",
        "started pay#1",
        "case_migrated",
        "started pack#1",
    ];
    // What happened on the first version is told in its words, though its tasks had other numbers.
    let found: Vec<&str> = shown
        .iter()
        .map(String::as_str)
        .filter(|e| expected.contains(e))
        .collect();
    assert_eq!(found, expected, "{shown:?}");
    let moved = events
        .iter()
        .find(|e| e.kind == EventKind::CaseMigrated)
        .unwrap();
    assert_eq!(
        moved.detail.get("to").unwrap().get("version").unwrap(),
        value!(2)
    );
    assert_eq!(
        moved.detail.get("migration").unwrap().as_str(),
        done.id.as_deref()
    );
}

#[test]
fn undo_moves_back_those_that_still_fit() {
    let world = started(FIRST);
    for id in ["d", "e", "f"] {
        start(&world, "order", id);
    }
    let done = migrate(&world, SECOND);
    assert_eq!(done.moved.len(), 4);
    // d goes on to what the first version has not, e ends, f is claimed.
    for topic in ["a", "d", "c"] {
        let wanted = world.flows.work(&Default::default()).unwrap();
        let item = wanted.iter().find(|i| i.case == "d" && i.topic == topic);
        let taken = world
            .flows
            .take("d", item.unwrap().item, "ann", None)
            .unwrap();
        complete(&world, &taken.item.unwrap());
    }
    world.flows.cancel("e", "").unwrap();
    let items = world.flows.work(&Default::default()).unwrap();
    let pay = items
        .iter()
        .find(|i| i.case == "f" && i.task == "pay")
        .unwrap();
    let taken = world
        .flows
        .take("f", pay.item, "ann", None)
        .unwrap()
        .item
        .unwrap();
    let back = world.flows.undo_migration("order").unwrap();
    let moved: Vec<&str> = back.moved.iter().map(|p| &*p.case).collect();
    assert_eq!(moved, ["c", "f"]);
    let why = left(&back);
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(why[0].1.contains("ship>check"), "{why:?}");
    assert_eq!(why[1].1, "it has ended: cancelled");
    let versions: Vec<u64> = ["c", "d", "f"].map(|c| version(&world, c)).to_vec();
    assert_eq!(versions, [1, 2, 1]);
    complete(&world, &taken);
    assert_eq!(claim(&world, "b").unwrap().task, "pack");
    // It is a migration like others: its undoing moves them again. The first has nothing left to undo.
    let again = undo(&world, &done);
    assert_eq!(
        (again.moved.len(), again.left.len(), again.id.clone()),
        (0, 4, None)
    );
    let forth = undo(&world, &back);
    assert_eq!(forth.moved.len(), 2);
    assert_eq!(version(&world, "c"), 2);
    let all = world.flows.migrations().unwrap();
    let shown: Vec<_> = all.iter().map(|m| (m.cases, m.undoes.is_some())).collect();
    assert_eq!(shown, [(4, false), (2, true), (2, true)]);
}

#[test]
fn migrations_are_told_in_their_order_though_the_clock_was_set_back() {
    let world = started(FIRST);
    let mut made = vec![migrate(&world, SECOND).id];
    for _ in 0..10 {
        world.clock.jump(-3_600_000_000);
        let last = made.last().cloned().flatten().unwrap();
        made.push(world.flows.undo_migration(&last).unwrap().id);
    }
    let told = world.flows.migrations().unwrap();
    let told: Vec<_> = told.into_iter().map(|m| Some(m.id)).collect();
    assert_eq!(told, made);
}

#[test]
fn tasks_and_places_can_have_other_names() {
    let first = "
name: order
version: 1
start: ask
places:
  open: { next: [answer, nobody] }
tasks:
  ask: { kind: host, topic: a, compensate: unask, next: open }
  answer: { kind: host, topic: b, next: thank }
  nobody: { kind: wait, for: 3d, next: thank }
  thank: { kind: host, topic: c, join: xor }
  unask: { kind: host, topic: d }
";
    let second = first
        .replace("version: 1", "version: 2")
        .replace("open", "asked")
        .replace(" answer", " reply")
        .replace("[answer", "[reply")
        .replace("ask: {", "enquire: {")
        .replace("unenquire: {", "unask: {")
        .replace("start: ask", "start: enquire");
    let world = started(first);
    complete(&world, &claim(&world, "a").unwrap());
    let due = world.flows.next_due().unwrap();
    let done = migrate(&world, &second);
    let why = &left(&done)[0].1;
    assert!(
        why.contains("open, which the other version has not"),
        "{why}"
    );
    let names = [("open", "asked"), ("answer", "reply"), ("ask", "enquire")];
    let done = renamed(&world, &second, &names);
    assert_eq!((done.moved.len(), left(&done)), (1, vec![]));
    assert_eq!(done.moved[0].follows, ["case_migrated"; 0]);
    assert_eq!(world.flows.next_due().unwrap(), due);
    assert_eq!(
        world.flows.case("c").unwrap().marking,
        [("asked".to_owned(), 1)]
    );
    let back = undo(&world, &done);
    assert_eq!((back.moved.len(), left(&back)), (1, vec![]));
    assert_eq!(
        world.flows.case("c").unwrap().marking,
        [("open".to_owned(), 1)]
    );
    renamed(&world, &second, &names);
    // What the old task did is undone on the new version.
    world.flows.cancel("c", "").unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    complete(&world, &claim(&world, "d").unwrap());
    assert_eq!(world.status("c"), Status::Cancelled);
    let trace = world.trace("c");
    assert!(
        trace.contains(&"compensated enquire".to_owned()),
        "{trace:?}"
    );
}

#[test]
fn instances_move_with_their_results() {
    let first = "
name: many
version: 1
tasks:
  all: { kind: host, topic: a, many: { items: '[1, 2, 3]' }, output: '. * 10', into: .all, next: end }
  end: { kind: host, topic: b }
";
    let second = first
        .replace("version: 1", "version: 2")
        .replace("tasks:", "start: every\ntasks:\n  idle: { kind: host, next: end }\n  end: { kind: host, topic: b, join: xor }")
        .replace("  end: { kind: host, topic: b }\n", "")
        .replace("  all:", "  every:")
        .replace("next: end }\n\n", "next: end }\n");
    // Reachable: every leads to idle too.
    let second = second.replace(".all, next: end", ".all, next: idle");
    let world = started(first);
    complete(&world, &claim(&world, "a").unwrap());
    let held = claim(&world, "a").unwrap();
    let second = second.replace(
        "  end: { kind: host, topic: b, join: xor }",
        "  end: { kind: host, topic: b }",
    );
    let done = renamed(&world, &second, &[("all", "every")]);
    assert_eq!((done.moved.len(), left(&done)), (1, vec![]));
    complete(&world, &held);
    complete(&world, &claim(&world, "a").unwrap());
    let info = world.flows.case("c").unwrap();
    assert_eq!(info.data.get("all").unwrap(), value!([10, 10, 10]));
    assert_eq!(info.items[0].task, "idle");
}

#[test]
fn a_called_case_moves_with_its_caller() {
    let spec = |version: u64, last: &str| {
        format!(
            "
name: outer
version: {version}
tasks:
  call: {{ kind: flow, flow: inner, into: .inner, next: {last} }}
  {last}: {{ kind: host, topic: c }}
flows:
  inner:
    tasks:
      one: {{ kind: host, topic: a, next: two }}
      two: {{ kind: host, topic: b }}
    output: '\"{last}\"'
"
        )
    };
    let (first, second) = (spec(1, "first"), spec(2, "second"));
    let world = started(&first);
    let held = claim(&world, "a").unwrap();
    let child = held.case.clone();
    assert_eq!(version(&world, &child), 1);
    let without = second.replace("one:", "uno:");
    let done = migrate(&world, &without);
    assert_eq!(done.moved.len(), 0);
    let why = &left(&done)[0].1;
    assert!(
        why.contains("which it called: item 1 of task one is leased"),
        "{why}"
    );
    let names = [("first", "second")];
    let done = renamed(&world, &second, &names);
    assert_eq!((done.moved.len(), left(&done)), (1, vec![]));
    assert_eq!((version(&world, "c"), version(&world, &child)), (2, 2));
    let back = undo(&world, &done);
    assert_eq!((back.moved.len(), left(&back)), (1, vec![]));
    assert_eq!((version(&world, "c"), version(&world, &child)), (1, 1));
    undo(&world, &back);
    complete(&world, &held);
    complete(&world, &claim(&world, "b").unwrap());
    let info = world.flows.case("c").unwrap();
    assert_eq!(info.data.get("inner").unwrap(), value!("second"));
    complete(&world, &claim(&world, "c").unwrap());
    assert_eq!(world.status("c"), Status::Completed);
    // By itself it is not moved.
    let options = MigrateOptions {
        cases: Some(vec![child]),
        ..MigrateOptions::default()
    };
    let alone = world.flows.migrate(&first, None, &options).unwrap();
    assert_eq!(left(&alone)[0].1, "it has ended: completed");
}

#[test]
fn a_suspended_case_moves_and_shows_its_work_when_it_is_resumed() {
    let world = started(FIRST);
    world.flows.suspend("c").unwrap();
    assert_eq!(migrate(&world, SECOND).moved.len(), 1);
    assert!(claim(&world, "d").is_none());
    world.flows.resume("c").unwrap();
    assert_eq!(claim(&world, "d").unwrap().task, "pack");
    assert!(claim(&world, "b").is_none());
}

#[test]
fn lanes_keep_their_counts() {
    let spec = |version: u64, topic: &str| {
        format!(
            "
name: mails
version: {version}
tasks:
  mail: {{ kind: host, topic: {topic}, lane: {{ name: mails, limit: 1 }} }}
"
        )
    };
    let world = started(&spec(1, "a"));
    for id in ["d", "e"] {
        start(&world, "mails", id);
    }
    let held = claim(&world, "a").unwrap();
    assert!(claim(&world, "a").is_none());
    let done = migrate(&world, &spec(2, "b"));
    assert_eq!((done.moved.len(), left(&done)), (3, vec![]));
    // What stood in the line of the old topic stands in that of the new one.
    assert_eq!(done.moved[1].follows[0], "withdrawn mail");
    assert!(claim(&world, "a").is_none() && claim(&world, "b").is_none());
    complete(&world, &held);
    let next = claim(&world, "b").unwrap();
    assert!(claim(&world, "b").is_none());
    undo(&world, &done);
    complete(&world, &next);
    complete(&world, &claim(&world, "a").unwrap());
    assert!(world.flows.open_cases(None, 9).unwrap().is_empty());
}

#[test]
fn what_would_stop_at_once_stays() {
    let world = started(FIRST);
    let bad_wait = FIRST.replace("version: 1", "version: 3").replace(
        "pack: { kind: host, topic: b",
        "pack: { kind: wait, for: '.nothing'",
    );
    let done = migrate(&world, &bad_wait);
    assert_eq!(left(&done)[0].1, "it would be failed at once");
    assert_eq!((version(&world, "c"), done.id), (1, None));
    complete(&world, &claim(&world, "a").unwrap());
}

#[test]
fn bad_input_changes_nothing() {
    let world = started(FIRST);
    let before = world.flows.store().stats().version;
    let bad = |source: &str, options: MigrateOptions| {
        let error = world.flows.migrate(source, None, &options).unwrap_err();
        assert_eq!(world.flows.store().stats().version, before, "{error}");
        error
    };
    let names = |pairs: &[(&str, &str)]| MigrateOptions {
        renames: pairs
            .iter()
            .map(|(a, b)| ((*a).into(), (*b).into()))
            .collect(),
        ..MigrateOptions::default()
    };
    assert!(matches!(
        bad("name: x", MigrateOptions::default()),
        Error::InvalidSpec { .. }
    ));
    assert!(matches!(
        bad(SECOND, names(&[("pay", "nothing")])),
        Error::Input { .. }
    ));
    let twice = names(&[("pay", "pack"), ("pack", "pack")]);
    assert!(matches!(bad(SECOND, twice), Error::Input { .. }));
    for cohort in [0, 1 << 20] {
        let options = MigrateOptions {
            cohort,
            ..MigrateOptions::default()
        };
        assert!(matches!(bad(SECOND, options), Error::Input { .. }));
    }
    let options = MigrateOptions {
        cases: Some(vec!["nobody".into()]),
        ..MigrateOptions::default()
    };
    assert!(matches!(bad(SECOND, options), Error::UnknownCase { .. }));
    let none = world.flows.undo_migration("order").unwrap_err();
    assert!(matches!(none, Error::Input { .. }));
    assert_eq!(world.flows.store().stats().version, before);
}

/// Deploys, starts five cases, moves them two by two, back, and forth again, until done or until the disk fails.
fn back_and_forth(io: &SimIo, clock: &SimClock, seed: u64) -> Result<(), Error> {
    let world = World::on_disk(io, clock, seed)?;
    world.flows.deploy(FIRST, None)?;
    for id in ["a", "b", "c", "d", "e"] {
        match world.flows.start("order", &Value::NULL, Some(id)) {
            Ok(_) | Err(Error::CaseExists { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let options = MigrateOptions {
        cohort: 2,
        ..MigrateOptions::default()
    };
    let done = world.flows.migrate(SECOND, None, &options)?;
    if let Some(id) = done.id {
        world.flows.undo_migration(&id)?;
    }
    world.flows.migrate(SECOND, None, &options)?;
    world.flows.store().close()?;
    Ok(())
}

/// A power cut before every change of the disk: every case is wholly on one version, a cohort on the same one, and all
/// can go on.
#[test]
fn a_power_cut_leaves_whole_cohorts() {
    let (io, clock) = (SimIo::new(), SimClock::new());
    back_and_forth(&io, &clock, 1).unwrap();
    let boundaries = io.boundaries();
    assert!(boundaries > 20, "only {boundaries}");
    let mut mixed = 0;
    for boundary in 1..=boundaries {
        for image in Image::series(boundary, 1) {
            let (io, clock) = (SimIo::new(), SimClock::new());
            io.halt_at(boundary);
            let _ = back_and_forth(&io, &clock, 1);
            let after = io.crash(&image);
            {
                let world = World::on_disk(&after, &clock, 2).unwrap();
                let of = |id| world.flows.case(id).ok().map(|c| c.version);
                let versions = ["a", "b", "c", "d", "e"].map(of);
                let at = format!("boundary {boundary}: {versions:?}");
                assert!(versions[4].is_none() || versions[0] == versions[1], "{at}");
                assert!(versions[4].is_none() || versions[2] == versions[3], "{at}");
                mixed += usize::from(versions[4].is_some() && versions[0] != versions[4]);
            }
            back_and_forth(&after, &clock, 3).unwrap();
            let world = World::on_disk(&after, &clock, 4).unwrap();
            world.drive(|_| Ok(value!(1))).unwrap();
            for id in ["a", "b", "c", "d", "e"] {
                let info = world.flows.case(id).unwrap();
                assert_eq!(
                    (info.status, info.version),
                    (Status::Completed, 2),
                    "{boundary}"
                );
                let done = world.completed(id);
                let once: BTreeSet<&String> = done.iter().collect();
                assert_eq!((done.len(), once.len()), (4, 4), "{boundary}: {done:?}");
            }
        }
    }
    assert!(mixed > 0, "no cut was between two cohorts");
}

/// Workers go on while others move their cases back and forth: no work is lost and none is done twice.
#[test]
fn workers_do_not_notice() {
    const CASES: usize = 60;
    let world = World::with_flow(FIRST);
    for n in 0..CASES {
        start(&world, "order", &format!("c{n}"));
    }
    let done = std::sync::Mutex::new(Vec::new());
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                for spec in [SECOND, FIRST] {
                    let options = MigrateOptions {
                        cohort: 16,
                        ..MigrateOptions::default()
                    };
                    let moved = world.flows.migrate(spec, None, &options).unwrap();
                    for event in moved.events {
                        while world.flows.advance(&event.case).unwrap().is_some() {}
                    }
                }
            }
        });
        scope.spawn(|| {
            while !world.flows.open_cases(None, 1).unwrap().is_empty() {
                for topic in ["a", "b", "c", "d"] {
                    if let Some(item) = claim(&world, topic) {
                        complete(&world, &item);
                        done.lock().unwrap().push(item.idempotency_key);
                    }
                }
            }
            over.store(true, std::sync::atomic::Ordering::Release);
        });
    });
    let done = done.into_inner().unwrap();
    let once: BTreeSet<&String> = done.iter().collect();
    assert_eq!(once.len(), done.len());
    for n in 0..CASES {
        assert_eq!(world.status(&format!("c{n}")), Status::Completed);
        let tasks = world.completed(&format!("c{n}"));
        let once: BTreeSet<&String> = tasks.iter().collect();
        assert!(
            (3..=4).contains(&tasks.len()) && once.len() == tasks.len(),
            "{tasks:?}"
        );
    }
}

/// It stands in the line of its topic, and its task has taken its tokens, so it cannot be offered anew.
#[test]
fn work_that_stands_in_a_lane_does_not_move_to_another_topic() {
    for many in ["", "many: { items: '[1, 2]' }, "] {
        let spec = |version: u64, topic: &str| {
            format!(
                "name: f\nversion: {version}\ntasks:\n  t: {{ kind: host, topic: {topic}, {many}lane: {{ name: l, limit: 1 }} }}\n"
            )
        };
        let world = started(&spec(1, "a"));
        if many.is_empty() {
            let item = claim(&world, "a").unwrap();
            world.flows.give_back(&item.token).unwrap();
        }
        let done = migrate(&world, &spec(2, "b"));
        assert_eq!((done.moved.len(), done.left.len()), (0, 1), "{many}");
        assert!(done.left[0].reasons[0].contains("is offered"), "{done:?}");
        assert_eq!(migrate(&world, &spec(3, "a")).moved.len(), 1);
        while let Some(item) = claim(&world, "a") {
            world.flows.complete(&item.token, &value!(1)).unwrap();
        }
        assert_eq!(world.status("c"), Status::Completed, "{many}");
    }
}

#[test]
fn a_task_whose_name_another_one_takes_is_none_in_the_other_version() {
    let spec = |version: u64, tasks: &str| {
        format!("name: f\nversion: {version}\ntasks:\n  s: {{ split: and, next: [{tasks}] }}\n")
    };
    let (a, b) = (
        "  a: { kind: host, topic: a }\n",
        "  b: { kind: host, topic: b }\n",
    );
    let world = started(&(spec(1, "a, b") + a + b));
    // What waits for `a` would be taken for what waits for `b`.
    let done = renamed(&world, &(spec(2, "b") + b), &[("a", "b")]);
    assert!(done.moved.is_empty());
    let reasons = &done.left[0].reasons;
    assert!(reasons.iter().any(|why| why.contains("s>b")), "{reasons:?}");
    // They can change their names.
    let done = renamed(
        &world,
        &(spec(3, "b, a") + a + b),
        &[("a", "b"), ("b", "a")],
    );
    assert_eq!(done.moved.len(), 1, "{:?}", done.left);
}
