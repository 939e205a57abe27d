//! Signals with a schema and a reply, and cases that a schedule started: done again, forked, moved and moved back.

use std::time::Duration;

use crate::common::{World, disk, migrate, same, start};
use statewright_flow::{CaseFilter, Delivery, Error, EventKind, ForkOptions, Migrated, Status};
use statewright_value::{Value, value};

/// One that waits, one that keeps, and one by a key; each wants other data.
const ASKED: &str = "
name: asked
version: 1
tasks:
  begin: { split: and, next: [paid, note, key] }
  paid:
    kind: signal
    schema: { type: object, required: [euros], properties: { euros: { type: integer } } }
    output: .euros
    reply: '{case: $case.id, thanks: .paid}'
    next: work
  note: { kind: signal, keep: true, join: xor, schema: { type: string }, into: .note, next: seen }
  seen:
    { kind: set, set: { .notes: '(.notes // []) + [.note]' }, split: xor,
      next: [{ to: end, when: (.notes | length) > 9 }, note] }
  key: { kind: signal, keep: true, key: '\"k\"', schema: { type: integer }, on_error: badly, next: end }
  badly: { kind: set, set: { .badly: 'true' }, next: end }
  work: { kind: host, topic: a, input: .paid, next: end }
  end: { join: xor, kind: log, message: '\"end\"' }
";

fn advance(world: &World, id: &str) {
    while world.flows.advance(id).unwrap().is_some() {}
}

fn send(world: &World, id: &str, signal: &str, data: &Value) -> Delivery {
    let sent = world.flows.signal(id, signal, data).unwrap().0;
    advance(world, id);
    sent
}

fn why(report: &Migrated) -> Vec<String> {
    report.left.iter().map(|p| p.reasons.join("; ")).collect()
}

#[test]
fn signals_with_a_schema_and_a_reply_replay() {
    let world = disk();
    world.flows.deploy(ASKED, None).unwrap();
    start(&world, "asked", "c");
    // Refused ones leave nothing.
    let before = world.flows.history("c", 0).unwrap().len();
    let refused = world.flows.signal("c", "paid", &value!({"euros": "7"}));
    assert!(matches!(
        refused,
        Err(Error::Refused { code: "schema", .. })
    ));
    assert_eq!(world.flows.history("c", 0).unwrap().len(), before);
    let taken = send(&world, "c", "paid", &value!({"euros": 7}));
    let Delivery::Taken { reply, .. } = taken else {
        panic!("{taken:?}")
    };
    assert_eq!(reply, Some(value!({"case": "c", "thanks": 7})));
    // Kept while the case is suspended, then taken one after the other.
    world.flows.suspend("c").unwrap();
    for note in ["one", "two"] {
        assert_eq!(send(&world, "c", "note", &value!(note)), Delivery::Kept);
    }
    world.flows.resume("c").unwrap();
    advance(&world, "c");
    let data = world.flows.case("c").unwrap().data;
    assert_eq!(data.get("notes").unwrap(), value!(["one", "two"]));
    world.flows.signal_key("key", "k", &value!(3)).unwrap();
    advance(&world, "c");
    same(&world, "c");
}

/// Kept for a key when nobody knew what would be wanted.
#[test]
fn a_signal_that_does_not_fit_fails_its_task_and_replays() {
    let world = disk();
    world.flows.deploy(ASKED, None).unwrap();
    let kept = world
        .flows
        .signal_key("key", "k", &value!("three"))
        .unwrap();
    assert_eq!(kept.0, Delivery::Kept);
    start(&world, "asked", "c");
    let data = world.flows.case("c").unwrap().data;
    assert_eq!(data.get("badly").unwrap(), value!(true));
    let error = data.get("errors").unwrap().get("key").unwrap();
    assert_eq!(error.get("code").unwrap().as_str(), Some("schema"));
    same(&world, "c");
    // Without an error edge, the case fails.
    let hard = ASKED
        .replace(", on_error: badly", "")
        .replace("name: asked", "name: hard");
    let hard = hard
        .lines()
        .filter(|l| !l.contains("  badly:"))
        .collect::<Vec<_>>();
    world.flows.deploy(&hard.join("\n"), None).unwrap();
    world
        .flows
        .signal_key("key", "k", &value!("three"))
        .unwrap();
    start(&world, "hard", "d");
    assert_eq!(world.status("d"), Status::Failed);
    same(&world, "d");
}

#[test]
fn a_fork_waits_for_its_own_signals_and_has_those_that_were_kept() {
    let world = disk();
    world.flows.deploy(ASKED, None).unwrap();
    start(&world, "asked", "c");
    world.flows.suspend("c").unwrap();
    send(&world, "c", "note", &value!("one"));
    let kept = world.flows.history("c", 0).unwrap().len() as u64;
    world.flows.resume("c").unwrap();
    advance(&world, "c");
    send(&world, "c", "paid", &value!({"euros": 7}));
    world.clock.advance(Duration::from_secs(1));
    let options = ForkOptions::default();
    let forked = world.flows.fork("c", kept, &options).unwrap().case;
    assert_eq!(world.status(&forked), Status::Suspended);
    world.flows.resume(&forked).unwrap();
    advance(&world, &forked);
    let data = world.flows.case(&forked).unwrap().data;
    assert_eq!(data.get("notes").unwrap(), value!(["one"]));
    let refused = world.flows.signal(&forked, "paid", &value!(7));
    assert!(matches!(
        refused,
        Err(Error::Refused { code: "schema", .. })
    ));
    let taken = send(&world, &forked, "paid", &value!({"euros": 8}));
    let Delivery::Taken { reply, .. } = taken else {
        panic!("{taken:?}")
    };
    let thanks = value!({"case": (forked.as_str()), "thanks": 8});
    assert_eq!(reply, Some(thanks));
    // Whoever has waited longer takes the signal of a key.
    for of in ["c", &forked] {
        let taken = world.flows.signal_key("key", "k", &value!(1)).unwrap().0;
        assert!(matches!(&taken, Delivery::Taken { case, .. } if case == of));
    }
    for id in ["c", &forked] {
        advance(&world, id);
        same(&world, id);
    }
}

#[test]
fn a_moved_case_takes_what_the_new_version_wants() {
    let world = disk();
    world.flows.deploy(ASKED, None).unwrap();
    start(&world, "asked", "c");
    world.flows.suspend("c").unwrap();
    send(&world, "c", "note", &value!("one"));
    // What it keeps would not be taken there.
    let numbers = ASKED
        .replace("version: 1", "version: 2")
        .replace("schema: { type: string }", "schema: { type: integer }");
    let done = migrate(&world, &numbers);
    assert_eq!(done.moved.len(), 0);
    assert!(why(&done)[0].contains("note"), "{:?}", why(&done));
    let second = ASKED
        .replace("version: 1", "version: 3\nstart: begin")
        .replace("tasks:\n", "tasks:\n  last: { kind: host, topic: b }\n")
        .replace("type: integer } }", "type: string } }")
        .replace("thanks: .paid", "thanks: .paid, all: .notes")
        .replace("message: '\"end\"'", "message: '\"end\"', next: last");
    let done = migrate(&world, &second);
    assert_eq!((done.moved.len(), why(&done)), (1, vec![]));
    world.flows.resume("c").unwrap();
    advance(&world, "c");
    let refused = world.flows.signal("c", "paid", &value!({"euros": 7}));
    assert!(matches!(
        refused,
        Err(Error::Refused { code: "schema", .. })
    ));
    let taken = send(&world, "c", "paid", &value!({"euros": "8"}));
    let Delivery::Taken { reply, .. } = taken else {
        panic!("{taken:?}")
    };
    let thanks = value!({"case": "c", "thanks": "8", "all": ["one"]});
    assert_eq!(reply, Some(thanks));
    send(&world, "c", "note", &value!("two"));
    same(&world, "c");
    // Back again, and what is kept meanwhile is taken there.
    world.flows.suspend("c").unwrap();
    send(&world, "c", "note", &value!("three"));
    let back = world.flows.undo_migration("asked").unwrap();
    assert_eq!((back.moved.len(), why(&back)), (1, vec![]));
    world.flows.resume("c").unwrap();
    advance(&world, "c");
    let data = world.flows.case("c").unwrap().data;
    assert_eq!(data.get("notes").unwrap(), value!(["one", "two", "three"]));
    same(&world, "c");
}

/// Cases of a schedule: moved, one of them forked, done again; the schedule goes on.
#[test]
fn cases_of_a_schedule_are_forked_moved_and_done_again() {
    let first = "
name: daily
version: 1
schedule: { every: 1d, overlap: queue }
tasks:
  work: { kind: host, topic: a, input: .scheduled }
";
    let second = first
        .replace("version: 1", "version: 2\nstart: work")
        .replace("tasks:", "tasks:\n  last: { kind: host, topic: b }")
        .replace("input: .scheduled", "input: .scheduled, next: last");
    let world = disk();
    world.flows.deploy(first, None).unwrap();
    let day = Duration::from_secs(86_400);
    for _ in 0..2 {
        world.clock.advance(day);
        while !world.flows.fire_due().unwrap().is_empty() {}
    }
    let cases = |world: &World| -> Vec<(String, u64, Status)> {
        let cases = world.flows.cases(&CaseFilter::default()).unwrap();
        let shown = cases.into_iter().map(|c| (c.id, c.version, c.status));
        shown.collect()
    };
    let (head, queued) = ("daily@20200102T000000Z", "daily@20200103T000000Z");
    assert_eq!(cases(&world), [(head.to_owned(), 1, Status::Running)]);
    let forked = world.flows.fork(head, 1, &ForkOptions::default()).unwrap();
    let done = migrate(&world, &second);
    assert_eq!((done.moved.len(), why(&done)), (2, vec![]));
    // A fork is nobody's: its end begins nothing. The end of the other begins the one that waits, on the new version.
    for (id, topic) in [
        (&*forked.case, "a"),
        (&*forked.case, "b"),
        (head, "a"),
        (head, "b"),
    ] {
        let work = world.flows.work(&Default::default()).unwrap();
        let item = work.iter().find(|w| w.case == id && w.topic == topic);
        let taken = world
            .flows
            .take(id, item.unwrap().item, "ann", None)
            .unwrap();
        let item = taken.item.unwrap();
        if topic == "a" {
            assert_eq!(item.input.as_str(), Some("2020-01-02T00:00:00Z"));
        }
        let ended = world.flows.complete(&item.token, &Value::NULL).unwrap();
        let begun = ended.also.iter().any(|m| &*m.case == queued);
        assert_eq!(begun, (id, topic) == (head, "b"), "{id} {topic}");
    }
    let all = cases(&world);
    assert!(
        all.contains(&(queued.to_owned(), 2, Status::Running)),
        "{all:?}"
    );
    for (id, _, _) in &all {
        same(&world, id);
    }
    // Undone, the running one cannot go back to where it never was; the schedule goes on as it was.
    let back = world.flows.undo_migration("daily").unwrap();
    assert_eq!(back.moved.len(), 0);
    let schedule = world.flows.schedules().unwrap().remove(0);
    assert_eq!(
        (schedule.started, schedule.skipped, schedule.missed),
        (2, 0, 0)
    );
    let tried = world.flows.replay(head, Some((&second, None))).unwrap();
    assert_eq!(tried.version, 2);
}

/// A case that lost its deadline, as the version that it was moved to has none, has it again when that is undone.
#[test]
fn an_undone_migration_gives_the_deadline_back() {
    let first = "
name: bounded
version: 1
deadline: 5h
tasks:
  work: { kind: host, topic: a }
";
    let second = first.replace("version: 1\ndeadline: 5h", "version: 2");
    let hour = Duration::from_secs(3600);
    for late in [false, true] {
        let world = disk();
        world.flows.deploy(first, None).unwrap();
        start(&world, "bounded", "c");
        let due = world.flows.next_due().unwrap();
        world.clock.advance(hour);
        let done = migrate(&world, &second);
        assert_eq!(
            (done.moved.len(), world.flows.next_due().unwrap()),
            (1, None)
        );
        world.clock.advance(if late { 9 * hour } else { hour });
        assert!(world.flows.fire_due().unwrap().is_empty());
        let back = world.flows.undo_migration(&done.id.unwrap()).unwrap();
        assert_eq!(
            (back.moved.len(), world.flows.next_due().unwrap()),
            (1, due)
        );
        // Forth and back once more, by the undoings' own undoings.
        let forth = world.flows.undo_migration(&back.id.unwrap()).unwrap();
        assert_eq!(
            (forth.moved.len(), world.flows.next_due().unwrap()),
            (1, None)
        );
        world.flows.undo_migration(&forth.id.unwrap()).unwrap();
        world.clock.advance(5 * hour);
        world.flows.fire_due().unwrap();
        assert_eq!(world.status("c"), Status::Failed);
        let passed = world.flows.history("c", 0).unwrap();
        let passed = passed
            .iter()
            .filter(|e| e.kind == EventKind::DeadlinePassed);
        assert_eq!(passed.count(), 1);
        same(&world, "c");
    }
}
