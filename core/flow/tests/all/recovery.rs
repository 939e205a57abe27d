//! Compensation and error edges: what is undone, in which order, how often, and what the case tells of it; straight,
//! and with a power cut and recovery after every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::common::{Answer, World};
use statewright_flow::{CaseInfo, Error, Failure, HistoryEvent, Queue, Status, WorkItem};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Path, Value, value};

/// Drives cases on a simulated disk; if asked to, the power fails after every event.
struct Player {
    io: SimIo,
    clock: SimClock,
    world: World,
    crashes: Option<u64>,
    /// The tasks of the items whose completion was acknowledged, in order, and their keys.
    done: Vec<String>,
    keys: BTreeSet<String>,
}

const TOPICS: [&str; 12] = [
    "a", "b", "c", "d", "undo_a", "undo_b", "undo_c", "book", "cancel", "late", "fix", "other",
];

impl Player {
    fn new(spec: &str, crash: bool) -> Player {
        let (io, clock) = (SimIo::new(), SimClock::new());
        let world = World::on_disk(&io, &clock, 1).unwrap();
        let deployed = world.flows.deploy(spec, None);
        let name = deployed.unwrap_or_else(|e| panic!("{e}\n{spec}")).name;
        world
            .flows
            .start(&name, &Value::NULL, Some("case"))
            .unwrap();
        Player {
            io,
            clock,
            world,
            crashes: crash.then_some(0),
            done: Vec::new(),
            keys: BTreeSet::new(),
        }
    }

    fn event(&mut self) {
        if let Some(crashes) = &mut self.crashes {
            *crashes += 1;
            let image = Image::series(*crashes, 1).next().unwrap();
            self.io = self.io.crash(&image);
            self.world = World::on_disk(&self.io, &self.clock, *crashes).unwrap();
        }
    }

    fn claim(&mut self, topics: &[&str]) -> Option<WorkItem> {
        let topics = Queue::Topics(topics.iter().map(|t| (*t).to_owned()).collect());
        let lease = Some(Duration::from_secs(1 << 20));
        let claims = self.world.flows.claim(&topics, "w", lease, 1).unwrap();
        let item = claims.into_iter().next()?.item;
        self.event();
        item
    }

    fn answer(&mut self, item: &WorkItem, answer: Answer) {
        match answer {
            Ok(result) => {
                self.world.flows.complete(&item.token, &result).unwrap();
                let new = self.keys.insert(item.idempotency_key.clone());
                assert!(new, "{} completed twice", item.idempotency_key);
                self.done.push(item.task.clone());
            }
            Err(failure) => {
                self.world.flows.fail(&item.token, &failure).unwrap();
            }
        }
        self.event();
    }

    /// Does all that can be done, time included; work of `held` topics is left alone.
    fn drive(&mut self, held: &[&str], answer: &dyn Fn(&WorkItem) -> Answer) {
        for _ in 0..500 {
            let mut moved = false;
            for case in self.world.flows.open_cases(None, 100).unwrap() {
                while self.world.flows.advance(&case).unwrap().is_some() {
                    moved = true;
                    self.event();
                }
            }
            let topics: Vec<&str> = TOPICS.into_iter().filter(|t| !held.contains(t)).collect();
            if let Some(item) = self.claim(&topics) {
                let answer = answer(&item);
                self.answer(&item, answer);
                continue;
            }
            if moved {
                continue;
            }
            let Some(due) = self.world.flows.next_due().unwrap() else {
                return;
            };
            if !held.is_empty() {
                return;
            }
            let now = self.world.flows.store().env().clock.now();
            self.clock.advance(due.saturating_since(now));
            self.world.flows.fire_due().unwrap();
            self.event();
        }
        panic!("it does not end: {:#?}", self.trace());
    }

    fn info(&self) -> CaseInfo {
        self.world.flows.case("case").unwrap()
    }

    fn history(&self) -> Vec<HistoryEvent> {
        self.world.flows.history("case", 0).unwrap()
    }

    fn trace(&self) -> Vec<String> {
        self.world.trace("case")
    }

    /// The tasks of what was undone, in order.
    fn undone(&self) -> Vec<String> {
        let events = self.history().into_iter();
        let undone = events.filter(|e| e.kind.name() == "compensated");
        undone.map(|e| e.task.unwrap().to_string()).collect()
    }
}

/// Plays a flow straight and with crashes.
fn both(spec: &str, mut play: impl FnMut(&mut Player)) {
    for crash in [false, true] {
        let mut player = Player::new(spec, crash);
        play(&mut player);
        let info = player.info();
        assert!(
            !info.status.is_final() || info.items.is_empty(),
            "work is left"
        );
    }
}

fn at(value: &Value, path: &str) -> Value {
    value.at(&Path::parse(path).unwrap()).unwrap_or_default()
}

fn no(item: &WorkItem) -> Answer {
    Err(Failure::new("no", format!("{} says no", item.task)).for_good())
}

fn yes(item: &WorkItem) -> Answer {
    Ok(Value::from(item.task.as_str()))
}

/// `fails` names the tasks that fail.
fn unless(fails: &'static [&'static str]) -> impl Fn(&WorkItem) -> Answer {
    move |item| {
        if fails.contains(&item.task.as_str()) {
            no(item)
        } else {
            yes(item)
        }
    }
}

const SAGA: &str = "
name: saga
version: 1
tasks:
  a: { kind: host, compensate: undo_a, next: b }
  b: { kind: host, compensate: undo_b, next: c, input: '{of: .a}' }
  c: { kind: host, compensate: undo_c, next: d }
  d: { kind: host }
  undo_a: { kind: host, input: '{was: $done.result, why: $error.code}' }
  undo_b: { kind: host, retry: { attempts: 2, delay: 1s } }
  undo_c: { kind: set, set: { .undone: '[$done.task]' } }
";

#[test]
fn a_failed_case_undoes_what_it_did_newest_first_and_then_is_failed() {
    both(SAGA, |player| {
        let seen = std::cell::RefCell::new(BTreeMap::new());
        player.drive(&[], &|item| {
            seen.borrow_mut()
                .insert(item.task.clone(), item.input.clone());
            unless(&["d"])(item)
        });
        let info = player.info();
        assert_eq!(info.status, Status::Failed);
        assert_eq!(at(&info.error.unwrap(), ".task"), Value::from("d"));
        assert_eq!(player.undone(), ["c", "b", "a"]);
        assert_eq!(player.done, ["a", "b", "c", "undo_b", "undo_a"]);
        assert_eq!(at(&info.data, ".undone"), value!(["c"]));
        let seen = seen.into_inner();
        assert_eq!(seen["undo_a"], value!({"was": "a", "why": "no"}));
        assert_eq!(at(&seen["undo_b"], ".task"), Value::from("b"));
        assert_eq!(at(&seen["undo_b"], ".input"), value!({"of": "a"}));
        assert_eq!(at(&seen["undo_b"], ".result"), Value::from("b"));
    });
}

#[test]
fn a_cancelled_case_is_compensating_until_all_is_undone() {
    both(SAGA, |player| {
        player.drive(&["c"], &yes);
        player.world.flows.cancel("case", "not wanted").unwrap();
        player.event();
        assert_eq!(player.info().status, Status::Compensating);
        let again = player.world.flows.cancel("case", "").unwrap_err();
        assert!(again.to_string().contains("undoing"), "{again}");
        player.drive(&["undo_b", "undo_a"], &yes);
        let waits = player.world.flows.explain("case").unwrap();
        assert!(
            waits[0].what.contains("compensation by 'undo_b', one of 2"),
            "{waits:?}"
        );
        player.world.flows.suspend("case").unwrap();
        player.event();
        assert!(player.claim(&["undo_b"]).is_none());
        player.world.flows.resume("case").unwrap();
        player.event();
        assert_eq!(player.info().status, Status::Compensating);
        player.drive(&[], &yes);
        let info = player.info();
        assert_eq!(info.status, Status::Cancelled);
        assert_eq!(
            at(&info.error.unwrap(), ".message"),
            Value::from("not wanted")
        );
        assert_eq!(player.undone(), ["b", "a"]);
        assert!(player.world.flows.explain("case").unwrap().is_empty());
    });
}

#[test]
fn force_undoes_nothing_and_a_completed_case_can_be_undone_later() {
    both(SAGA, |player| {
        player.drive(&["d"], &yes);
        player.world.flows.terminate("case", "").unwrap();
        player.event();
        assert_eq!(player.info().status, Status::Terminated);
        assert!(player.undone().is_empty());
        player.world.flows.compensate("case", "it must go").unwrap();
        player.event();
        player.drive(&[], &yes);
        assert_eq!(player.info().status, Status::Compensated);
        assert_eq!(player.undone(), ["c", "b", "a"]);
    });
    both(SAGA, |player| {
        player.drive(&[], &yes);
        assert_eq!(player.info().status, Status::Completed);
        player.world.flows.compensate("case", "returned").unwrap();
        player.event();
        player.drive(&[], &yes);
        let info = player.info();
        assert_eq!(info.status, Status::Compensated);
        assert_eq!(
            at(&info.error.unwrap(), ".message"),
            Value::from("returned")
        );
        assert_eq!(player.undone(), ["c", "b", "a"]);
        let nothing = player.world.flows.compensate("case", "").unwrap_err();
        assert!(matches!(
            nothing,
            Error::Refused {
                code: "nothing-to-undo",
                ..
            }
        ));
    });
}

#[test]
fn what_cannot_be_undone_is_an_outcome_of_its_own_and_can_be_tried_again() {
    both(SAGA, |player| {
        let attempts = std::cell::Cell::new(0);
        player.drive(&[], &|item| {
            if item.task == "undo_b" {
                attempts.set(attempts.get() + 1);
                return Err(Failure::new("down", "not now"));
            }
            unless(&["d"])(item)
        });
        assert_eq!(attempts.get(), 2, "its retry policy holds");
        let info = player.info();
        assert_eq!(info.status, Status::CompensationFailed);
        let error = info.error.unwrap();
        assert_eq!(at(&error, ".code"), Value::from("compensation"));
        assert_eq!(at(&error, ".cause.task"), Value::from("undo_b"));
        assert_eq!(at(&error, ".cause.cause.task"), Value::from("d"));
        assert_eq!(
            player.undone(),
            ["c", "a"],
            "the others are undone all the same"
        );
        let waits = player.world.flows.explain("case").unwrap();
        assert!(waits[0].what.contains("1 could not be undone"), "{waits:?}");
        assert_eq!(waits[0].task, "undo_b");
        let kinds = player.trace();
        assert!(
            kinds.contains(&"compensation_failed b".to_owned()),
            "{kinds:?}"
        );
        assert_eq!(kinds.last().unwrap(), "case_compensation_failed");
        player
            .world
            .flows
            .compensate("case", "it is up again")
            .unwrap();
        player.event();
        player.drive(&[], &yes);
        let info = player.info();
        assert_eq!(info.status, Status::Failed, "as it was to end");
        assert_eq!(at(&info.error.unwrap(), ".task"), Value::from("d"));
        assert_eq!(player.undone(), ["c", "a", "b"]);
    });
}

/// Somebody has the called case undo what it did, and then its caller wants that too.
#[test]
fn a_called_case_that_undoes_already_is_waited_for() {
    let spec = "name: trip\ntasks:\n  hotel: { kind: flow, flow: hotel, next: c }\n  c: { kind: host }\nflows:\n  hotel:\n    \
        tasks:\n      book: { kind: host, compensate: cancel }\n      cancel: { kind: host }\n";
    for (suspended, works) in [(false, true), (true, true), (false, false), (true, false)] {
        both(spec, |player| {
            player.drive(&["c"], &yes);
            let called = player.info().items.len();
            assert_eq!(called, 1, "c is offered");
            let flows = &player.world.flows;
            let cases = flows.cases(&statewright_flow::CaseFilter::default());
            let hotel = cases.unwrap().pop().unwrap().id;
            flows.compensate(&hotel, "").unwrap();
            if suspended {
                flows.suspend(&hotel).unwrap();
            }
            player.event();
            player.drive(&["cancel"], &no);
            assert_eq!(player.info().status, Status::Compensating, "{suspended}");
            player.drive(&[], &if works { yes } else { no });
            let (mine, called) = match works {
                true => (Status::Failed, Status::Compensated),
                false => (Status::CompensationFailed, Status::CompensationFailed),
            };
            assert_eq!(player.info().status, mine);
            assert_eq!(player.world.status(&hotel), called);
        });
    }
}

const INSTANCES: &str = "
name: rooms
version: 1
tasks:
  book:
    kind: host
    many: { items: '[1, 2, 3, 4]' }
    output: '{room: $item}'
    compensate: cancel
    next: late
  late: { kind: host }
  cancel: { kind: host, input: '{item: $done.item, index: $done.index, got: $done.result}' }
";

#[test]
fn every_instance_that_completed_is_undone_by_itself() {
    both(INSTANCES, |player| {
        let inputs = std::cell::RefCell::new(Vec::new());
        player.drive(&[], &|item| {
            if item.task == "cancel" {
                inputs.borrow_mut().push(item.input.clone());
            }
            // The third fails, the fourth never begins.
            let third = item.task == "book" && item.input == value!(3);
            if third { no(item) } else { yes(item) }
        });
        assert_eq!(player.info().status, Status::Failed);
        let expected = [
            value!({"item": 2, "index": 1, "got": {"room": 2}}),
            value!({"item": 1, "index": 0, "got": {"room": 1}}),
        ];
        assert_eq!(inputs.into_inner(), expected);
        assert_eq!(player.undone(), ["book", "book"]);
    });
}

const FLOWS: &str = "
name: trip
version: 1
tasks:
  a: { kind: host, compensate: undo_a, next: hotel }
  hotel: { kind: flow, flow: hotel, next: b }
  b: { kind: host, compensate: undo_b, split: and, next: [car, c] }
  car: { kind: flow, flow: hotel }
  c: { kind: host }
  undo_a: { kind: host }
  undo_b: { kind: host }
flows:
  hotel:
    tasks:
      book: { kind: host, compensate: cancel, next: late }
      late: { kind: host, next: other }
      other: { kind: host }
      cancel: { kind: host }
";

#[test]
fn called_cases_undo_what_they_did_in_their_turn() {
    // The first hotel has completed, the second is at `late` when `c` fails.
    both(FLOWS, |player| {
        let lates = std::cell::Cell::new(0);
        player.drive(&["c"], &|item| {
            if item.task == "late" {
                lates.set(lates.get() + 1);
            }
            yes(item)
        });
        assert_eq!(player.info().status, Status::Running);
        player.drive(&[], &unless(&["c"]));
        assert_eq!(player.info().status, Status::Failed);
        assert_eq!(player.undone(), ["car", "b", "hotel", "a"]);
        let undone: Vec<&str> = player.done.iter().map(String::as_str).collect();
        let from = undone.iter().position(|t| *t == "cancel").unwrap();
        assert_eq!(undone[from..], ["cancel", "undo_b", "cancel", "undo_a"]);
        let flows = &player.world.flows;
        let statuses: Vec<Status> = flows
            .cases(&statewright_flow::CaseFilter::default())
            .unwrap()
            .into_iter()
            .map(|c| c.status)
            .collect();
        assert_eq!(
            statuses,
            [Status::Failed, Status::Compensated, Status::Compensated]
        );
    });
    // The second is at work: it is cancelled, and undoes what it did before its caller goes on to undo.
    both(FLOWS, |player| {
        let hotels = std::cell::Cell::new(0);
        player.drive(&["late", "c"], &yes);
        let item = player.claim(&["late"]).unwrap();
        player.answer(&item, Ok(Value::NULL));
        hotels.set(1);
        player.drive(&["late", "c"], &yes);
        let item = player.claim(&["c"]).unwrap();
        player.answer(&item, no(&item));
        assert_eq!(player.info().status, Status::Compensating);
        let waits = player.world.flows.explain("case").unwrap();
        assert!(waits[0].what.contains("the cases it called"), "{waits:?}");
        player.drive(&[], &yes);
        assert_eq!(player.info().status, Status::Failed);
        assert_eq!(player.undone(), ["b", "hotel", "a"]);
        let from = player.done.iter().position(|t| t == "cancel").unwrap();
        assert_eq!(
            player.done[from..],
            ["cancel", "undo_b", "cancel", "undo_a"]
        );
    });
}

const EDGES: &str = "
name: edges
version: 1
tasks:
  a:
    kind: host
    retry: { attempts: 2, delay: 1s }
    on_error:
      - { when: .code == \"declined\", to: other }
      - { when: .code == \"gone\", skip: true }
      - { when: .code == \"empty\", result: '{none: .message}' }
      - { when: .code == \"bad\", abort: true }
      - { to: fix, into: .why }
    next: d
  fix: { kind: host, on_error: late, next: d }
  other: { kind: host, next: d }
  late: { kind: host, next: d }
  d: { kind: host, join: xor }
";

#[test]
fn an_error_edge_is_chosen_by_the_error() {
    let run = |code: &'static str, check: &dyn Fn(&Player)| {
        both(EDGES, |player| {
            player.drive(&[], &|item| match item.task.as_str() {
                "a" => Err(Failure::new(code, "told so")),
                _ => yes(item),
            });
            check(player);
        });
    };
    run("declined", &|player| {
        assert_eq!(player.done, ["other", "d"]);
        let info = player.info();
        assert_eq!(info.status, Status::Completed);
        assert_eq!(at(&info.data, ".errors.a.code"), Value::from("declined"));
        assert!(player.trace().contains(&"caught a".to_owned()));
        assert_eq!(
            player
                .trace()
                .iter()
                .filter(|e| e.starts_with("attempt_failed"))
                .count(),
            2
        );
    });
    run("gone", &|player| {
        assert_eq!(player.done, ["d"]);
        assert!(at(&player.info().data, ".a").is_null());
    });
    run("empty", &|player| {
        assert_eq!(player.done, ["d"]);
        assert_eq!(at(&player.info().data, ".a.none"), Value::from("told so"));
    });
    run("bad", &|player| {
        assert_eq!(player.info().status, Status::Failed);
        assert!(player.done.is_empty());
    });
    run("else", &|player| {
        assert_eq!(player.done, ["fix", "d"]);
        assert_eq!(at(&player.info().data, ".why.code"), Value::from("else"));
    });
}

#[test]
fn an_error_keeps_the_errors_that_led_to_it() {
    both(EDGES, |player| {
        player.drive(&[], &unless(&["a", "fix", "late"]));
        let info = player.info();
        assert_eq!(info.status, Status::Failed);
        let error = info.error.unwrap();
        assert_eq!(at(&error, ".task"), Value::from("late"));
        assert_eq!(at(&error, ".cause.task"), Value::from("fix"));
        assert_eq!(at(&error, ".cause.cause.task"), Value::from("a"));
        assert_eq!(at(&info.data, ".errors.fix.cause.task"), Value::from("a"));
        let failed = player
            .history()
            .into_iter()
            .find(|e| e.kind.name() == "failed" && e.task.as_deref() == Some("late"));
        assert_eq!(
            at(&failed.unwrap().detail, ".cause.cause.task"),
            Value::from("a")
        );
    });
}

#[test]
fn tasks_that_fail_before_they_start_go_on_too() {
    let spec = "
name: early
version: 1
tasks:
  a: { kind: wait, until: .nothing, on_error: b }
  b: { kind: set, set: { .x: '1 / .zero' }, on_error: { skip: true }, next: c }
  c: { kind: host, input: '.x | error(\"bad\")', on_error: late }
  late: { kind: host, many: { items: .nothing }, on_error: fix }
  fix: { kind: host }
";
    both(spec, |player| {
        player.drive(&[], &yes);
        let info = player.info();
        assert_eq!(
            (info.status, player.done.as_slice()),
            (Status::Completed, &["fix".to_owned()][..])
        );
        assert!(info.marking.is_empty());
        for task in ["a", "b", "c", "late"] {
            let code = at(&info.data, &format!(".errors.{task}.code"));
            assert_eq!(code, Value::from("expression"), "{task}");
        }
    });
}

#[test]
fn one_instance_that_fails_fails_all_of_them_and_leads_on() {
    let spec = "
name: many
version: 1
tasks:
  book: { kind: host, many: { items: 3 }, on_error: fix, next: d }
  fix: { kind: host, next: d }
  d: { kind: host, join: xor }
";
    both(spec, |player| {
        player.drive(&[], &|item| {
            if item.input == value!(1) {
                no(item)
            } else {
                yes(item)
            }
        });
        assert_eq!(player.info().status, Status::Completed);
        assert_eq!(player.done, ["book", "fix", "d"]);
    });
}

const SCOPE: &str = "
name: scope
version: 1
tasks:
  a: { kind: host, compensate: undo_a, next: b }
  b: { kind: host, compensate: undo_b, next: c }
  c: { kind: host, on_error: undo, next: d }
  undo: { kind: compensate, of: [b], next: late }
  late: { kind: host, next: d }
  d: { kind: host, join: xor }
  undo_a: { kind: host }
  undo_b: { kind: host }
";

#[test]
fn a_flow_undoes_a_part_and_goes_on() {
    both(SCOPE, |player| {
        player.drive(&[], &unless(&["c"]));
        assert_eq!(player.info().status, Status::Completed);
        assert_eq!(player.done, ["a", "b", "undo_b", "late", "d"]);
    });
    // What is left is undone when the case fails after all.
    both(SCOPE, |player| {
        player.drive(&[], &unless(&["c", "late"]));
        assert_eq!(player.info().status, Status::Failed);
        assert_eq!(player.undone(), ["b", "a"]);
    });
    // If it cannot be undone, the task that wanted it fails, and with it the case, which tries once more.
    both(SCOPE, |player| {
        player.drive(&[], &unless(&["c", "undo_b"]));
        let info = player.info();
        assert_eq!(info.status, Status::CompensationFailed);
        assert_eq!(player.undone(), ["a"]);
        assert_eq!(
            at(&info.error.unwrap(), ".cause.cause.code"),
            Value::from("compensation")
        );
    });
    // It is cancelled while it undoes: what is being undone is undone, once.
    both(SCOPE, |player| {
        player.drive(&["undo_b"], &unless(&["c"]));
        let held = player.claim(&["undo_b"]).unwrap();
        player.world.flows.cancel("case", "").unwrap();
        player.event();
        player.answer(&held, Ok(Value::NULL));
        player.drive(&[], &yes);
        assert_eq!(player.info().status, Status::Cancelled);
        assert_eq!(player.undone(), ["b", "a"]);
    });
}

#[test]
fn an_or_join_waits_for_what_an_error_edge_may_still_bring() {
    let spec = "
name: waits
version: 1
tasks:
  begin: { split: and, next: [a, b] }
  a: { kind: host, on_error: late, next: d }
  late: { kind: host, next: d }
  b: { kind: host, next: d }
  d: { kind: host, join: or }
";
    both(spec, |player| {
        player.drive(&["a", "late"], &yes);
        assert_eq!(player.done, ["b"]);
        let item = player.claim(&["a"]).unwrap();
        player.answer(&item, no(&item));
        player.drive(&["late"], &yes);
        assert_eq!(player.done, ["b"]);
        player.drive(&[], &yes);
        assert_eq!(player.done, ["b", "late", "d"]);
        assert_eq!(player.info().status, Status::Completed);
    });
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    let table = [
        (
            "a: { kind: host, compensate: x }",
            "unknown-task",
            "there is no task `x`",
        ),
        (
            "a: { kind: host, on_error: x }",
            "unknown-task",
            "there is no task `x`",
        ),
        (
            "a: { kind: set, set: { .a: '1' }, compensate: x }",
            "unknown-field",
            "`compensate`",
        ),
        (
            "a: { kind: host, compensate: u }\n  u: { kind: host, next: a }",
            "bad-compensation",
            "no control flow",
        ),
        (
            "a: { kind: host, compensate: u }\n  u: { kind: wait, for: 1s }",
            "bad-compensation",
            "kind `wait`",
        ),
        (
            "a: { kind: host, compensate: u, next: u }\n  u: { kind: host }",
            "bad-compensation",
            "no edge can lead",
        ),
        (
            "a: { kind: host, compensate: a }",
            "bad-compensation",
            "`a` undoes a task",
        ),
        (
            "a: { on_error: b }\n  b: { kind: host }",
            "bad-error-edge",
            "only joins and splits",
        ),
        (
            "a: { kind: host, on_error: [{ skip: true }, { abort: true }] }",
            "missing-condition",
            "no `when`",
        ),
        (
            "a: { kind: host, on_error: { to: a, skip: true } }",
            "missing-field",
            "exactly one way",
        ),
        (
            "a: { kind: host, on_error: { when: .x } }",
            "missing-field",
            "exactly one way",
        ),
        (
            "a: { kind: host, on_error: { then: a } }",
            "unknown-field",
            "no field `then`",
        ),
        (
            "a: { kind: log, message: '1', on_error: { result: '2' } }",
            "bad-error-edge",
            "gives no result",
        ),
        (
            "a: { kind: host, many: { items: 2, wait: false }, on_error: b, next: b }\n  b: { kind: host, join: xor }",
            "bad-error-edge",
            "nobody waits",
        ),
        (
            "a: { kind: compensate, of: [b], next: b }\n  b: { kind: host }",
            "bad-compensation",
            "nothing undoes",
        ),
        (
            "a: { kind: compensate, of: [b] }",
            "bad-compensation",
            "no task `b`",
        ),
    ];
    for (tasks, code, says) in table {
        let spec = format!("name: n\nversion: 1\ntasks:\n  {tasks}\n");
        let problems = statewright_flow::net::Net::compile(&spec, None).unwrap_err();
        let found = problems.iter().find(|p| p.code == code);
        let found = found.unwrap_or_else(|| panic!("{tasks}: {problems:?}"));
        assert!(
            found.message.contains(says) && found.line >= 4,
            "{tasks}: {found:?}"
        );
    }
}

#[test]
fn somebody_can_decide_that_something_needs_no_undoing() {
    both(SAGA, |player| {
        player.drive(&["undo_a"], &unless(&["d"]));
        let info = player.info();
        assert_eq!(info.status, Status::Compensating);
        let item = info.items.iter().find(|i| i.task == "undo_a").unwrap().item;
        player
            .world
            .flows
            .skip("case", item, "it was never there")
            .unwrap();
        player.event();
        player.drive(&[], &yes);
        assert_eq!(player.info().status, Status::Failed);
        assert_eq!(player.undone(), ["c", "b", "a"]);
    });
}
