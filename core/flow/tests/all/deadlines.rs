//! Retries and deadlines: what is tried again and when, and what happens to what was not done in time; straight, and
//! with a power cut and recovery after every event.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::{Answer, World};
use statewright_flow::{CaseInfo, Error, Failure, Queue, Status, WorkItem};
use statewright_log::Env;
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::{Path, Value, value};

/// What is of interest of an ended case: the same whatever crashed.
#[derive(Debug, PartialEq)]
struct Ended {
    status: Status,
    code: String,
    data: Value,
    /// What happened, with the task and the seconds since the start; but for what a crash repeats.
    events: Vec<String>,
}

/// Drives case `case` of a flow to its end. `work` answers an item, or leaves it with whoever has claimed it.
fn play(
    spec: &str,
    input: &Value,
    crash: bool,
    work: &dyn Fn(&WorkItem) -> Option<Answer>,
) -> (World, Ended) {
    let (mut io, clock) = (SimIo::new(), SimClock::new());
    let mut world = World::on_disk(&io, &clock, 1).unwrap();
    let mut crashes = 0;
    let mut event = |world: &mut World| {
        if crash {
            crashes += 1;
            io = io.crash(&Image::series(crashes, 1).next().unwrap());
            *world = World::on_disk(&io, &clock, crashes).unwrap();
        }
    };
    let deployed = world.flows.deploy(spec, None);
    let name = deployed.unwrap_or_else(|e| panic!("{e}\n{spec}")).name;
    world.flows.start(&name, input, Some("case")).unwrap();
    event(&mut world);
    let topics = ["a", "b", "c", "d", "undo_a", "undo_b", "late"];
    let of_page = ["charge", "book", "invoice", "ship", "refund"];
    let topics = topics.iter().chain(&of_page).map(|t| (*t).to_owned());
    let topics = Queue::Topics(topics.collect());
    let mut keys = BTreeSet::new();
    for _ in 0..500 {
        for case in world.flows.open_cases(None, 100).unwrap() {
            while world.flows.advance(&case).unwrap().is_some() {
                event(&mut world);
            }
        }
        let lease = Some(Duration::from_secs(1 << 20));
        let claims = world.flows.claim(&topics, "w", lease, 1).unwrap();
        if let Some(item) = claims.into_iter().next().and_then(|c| c.item) {
            match work(&item) {
                None => {}
                Some(Ok(result)) => {
                    world.flows.complete(&item.token, &result).unwrap();
                    assert!(keys.insert(item.idempotency_key), "completed twice");
                    event(&mut world);
                }
                Some(Err(failure)) => {
                    world.flows.fail(&item.token, &failure).unwrap();
                    event(&mut world);
                }
            }
            continue;
        }
        let Some(due) = world.flows.next_due().unwrap() else {
            let ended = ended(&world);
            return (world, ended);
        };
        clock.advance(due.saturating_since(world.flows.store().env().clock.now()));
        world.flows.fire_due().unwrap();
        event(&mut world);
    }
    panic!("it does not end: {:#?}", world.trace("case"));
}

fn ended(world: &World) -> Ended {
    let info = world.flows.case("case").unwrap();
    let repeated = ["started", "offered", "released", "withdrawn"];
    let history = world.flows.history("case", 0).unwrap();
    let events = history
        .iter()
        .filter(|e| !repeated.contains(&e.kind.name()));
    let show = |e: &statewright_flow::HistoryEvent| {
        let since = e.at.saturating_since(info.created).as_secs_f64();
        let task = e.task.as_deref().unwrap_or("-");
        format!("{since} {} {task}", e.kind.name())
    };
    Ended {
        status: info.status,
        code: text(&info, ".code"),
        data: info.data.clone(),
        events: events.map(show).collect(),
    }
}

/// A part of the error of a case.
fn text(info: &CaseInfo, path: &str) -> String {
    let part = info
        .error
        .as_ref()
        .and_then(|e| e.at(&Path::parse(path).unwrap()));
    part.and_then(|p| p.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Plays straight and with crashes; both must end alike.
fn both(spec: &str, input: &Value, work: &dyn Fn(&WorkItem) -> Option<Answer>) -> Ended {
    let (straight, crashed) = (
        play(spec, input, false, work),
        play(spec, input, true, work),
    );
    assert_eq!(straight.1, crashed.1);
    for world in [&straight.0, &crashed.0] {
        let info = world.flows.case("case").unwrap();
        assert!(info.items.is_empty(), "work is left");
        assert_eq!(world.flows.next_due().unwrap(), None);
        assert!(world.flows.open_cases(None, 10).unwrap().is_empty());
    }
    straight.1
}

fn yes(item: &WorkItem) -> Option<Answer> {
    Some(Ok(Value::from(item.task.as_str())))
}

fn no(code: &str) -> Option<Answer> {
    Some(Err(Failure::new(code, "no")))
}

#[test]
fn pauses_with_jitter_are_shorter_and_the_same_after_a_crash() {
    let spec = "name: f\ntasks:\n  a: { kind: host, retry: { attempts: 4, delay: 10s, factor: 1, jitter: 0.5 } }\n";
    let ended = both(spec, &Value::NULL, &|_| no("busy"));
    let times: Vec<f64> = ended
        .events
        .iter()
        .filter(|e| e.contains("attempt_failed"))
        .map(|e| e.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(times.len(), 4);
    let pauses: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(
        pauses.iter().all(|p| (5.0..=10.0).contains(p)),
        "{pauses:?}"
    );
    assert!(
        pauses[0] != pauses[1] && pauses[1] != pauses[2],
        "{pauses:?}"
    );
}

#[test]
fn only_errors_that_the_policy_names_are_tried_again() {
    let spec = "name: f\ntasks:\n  a: { kind: host, retry: { attempts: 5, delay: 1s, when: '.code == \"busy\" and $attempt < 9' } }\n";
    let ended = both(spec, &Value::NULL, &|item| match item.attempt {
        1 | 2 => no("busy"),
        _ => no("declined"),
    });
    assert_eq!(
        (ended.status, ended.code.as_str()),
        (Status::Failed, "declined")
    );
    let retries = ended
        .events
        .iter()
        .filter(|e| e.contains("retry_scheduled"));
    assert_eq!(retries.count(), 2);
    // Whoever says that it cannot help is believed, whatever the policy says.
    let ended = both(spec, &Value::NULL, &|_| {
        Some(Err(Failure::new("busy", "never").for_good()))
    });
    assert_eq!(
        ended
            .events
            .iter()
            .filter(|e| e.contains("attempt_failed"))
            .count(),
        1
    );
    // A policy that cannot be evaluated fails the task, and tells of both.
    let spec = "name: f\ntasks:\n  a: { kind: host, retry: { attempts: 5, when: '.code + 1' } }\n";
    let (world, ended) = play(spec, &Value::NULL, false, &|_| no("busy"));
    assert_eq!(
        (ended.status, ended.code.as_str()),
        (Status::Failed, "expression")
    );
    assert_eq!(
        text(&world.flows.case("case").unwrap(), ".detail.code"),
        "busy"
    );
}

#[test]
fn a_task_fails_at_its_deadline_whether_it_is_offered_claimed_or_between_attempts() {
    let spec = "name: f\ntasks:\n  a: { kind: host, timeout: 1h, deadline: 10s, retry: { attempts: 9, delay: 1s } }\n";
    for (answer, failures) in [
        (None, 0),
        (no("busy"), 4), // at 0, 1, 3 and 7 s; the next would be at 15 s
    ] {
        let ended = both(spec, &Value::NULL, &|_| answer.clone());
        let code = if failures == 0 { "deadline" } else { "busy" };
        assert_eq!((ended.status, ended.code.as_str()), (Status::Failed, code));
        let failed = ended.events.iter().filter(|e| e.contains("attempt_failed"));
        assert_eq!(failed.count(), failures, "{:?}", ended.events);
        let last = if failures == 0 {
            "10 case_failed -"
        } else {
            "7 case_failed -"
        };
        assert_eq!(ended.events.last().unwrap(), last);
    }
    // Nobody polls for it.
    let spec = "name: f\ntasks:\n  a: { kind: host, topic: nobody, deadline: 10s, on_error: b }\n  b: { kind: host }\n";
    let ended = both(spec, &Value::NULL, &yes);
    assert_eq!(ended.status, Status::Completed);
    assert_eq!(
        ended.events,
        [
            "0 case_started -",
            "10 deadline_passed a",
            "10 failed a",
            "10 caught a",
            "10 completed b",
            "10 case_completed -"
        ]
    );
}

#[test]
fn a_deadline_can_be_a_time_from_the_data_or_the_past() {
    let spec = "name: f\ntasks:\n  a: { kind: host, topic: nobody, deadline: .input.by, on_error: { skip: true } }\n";
    for (by, at) in [
        (value!(90), "90"),
        (value!("2m"), "120"),
        (value!("1971-01-01T00:00:00Z"), "0"),
    ] {
        let input = value!({ "by": by });
        let ended = both(spec, &input, &yes);
        assert_eq!(ended.status, Status::Completed);
        let passed = ended.events.iter().find(|e| e.contains("deadline_passed"));
        assert_eq!(passed.unwrap(), &format!("{at} deadline_passed a"));
    }
    let ended = both(spec, &value!({"by": "soon"}), &yes);
    assert_eq!(
        ended.status,
        Status::Completed,
        "its on_error took it: {ended:?}"
    );
    assert_eq!(
        ended.data.at(&Path::parse(".errors.a.code").unwrap()),
        Some(Value::from("expression"))
    );
}

#[test]
fn signals_instances_and_called_flows_have_deadlines_too() {
    let spec =
        "name: f\ntasks:\n  s: { kind: signal, deadline: 5s, on_error: b }\n  b: { kind: host }\n";
    let ended = both(spec, &Value::NULL, &yes);
    assert_eq!(ended.events[2], "5 deadline_passed s");
    assert_eq!(ended.status, Status::Completed);

    let spec = "name: f\ntasks:\n  a: { kind: host, many: { items: '[3, 5, 7]' }, deadline: $item, on_error: b }\n  b: { kind: host }\n";
    let ended = both(spec, &Value::NULL, &|item| match item.task.as_str() {
        "a" => None,
        _ => yes(item),
    });
    assert_eq!(ended.status, Status::Completed);
    let passed = ended
        .events
        .iter()
        .filter(|e| e.contains("deadline_passed"));
    assert_eq!(passed.collect::<Vec<_>>(), ["3 deadline_passed a"]);
    let cancelled = ended.events.iter().filter(|e| e.contains("cancelled a"));
    assert_eq!(cancelled.count(), 2, "the others end with it");
}

const CALLER: &str = "
name: caller
tasks:
  call: { kind: flow, flow: part, deadline: 1m, ON_ERROR next: end }
  end: { kind: host, topic: d, join: xor }
flows:
  part:
    tasks:
      a: { kind: host, compensate: undo_a, next: b }
      b: { kind: host }
      undo_a: { kind: host }
";

#[test]
fn a_called_case_is_cancelled_at_its_callers_deadline_and_undoes_what_it_did() {
    let work = |item: &WorkItem| if item.task == "b" { None } else { yes(item) };
    for (on_error, status) in [("on_error: end,", Status::Completed), ("", Status::Failed)] {
        let spec = CALLER.replace("ON_ERROR", on_error);
        for crash in [false, true] {
            let (world, ended) = play(&spec, &Value::NULL, crash, &work);
            assert_eq!(ended.status, status, "{:?}", ended.events);
            let called = world.flows.case("case~1").unwrap();
            assert_eq!(called.status, Status::Cancelled);
            let trace = world.trace("case~1");
            assert!(trace.contains(&"compensated a".to_owned()), "{trace:?}");
            if status == Status::Failed {
                assert_eq!(ended.code, "deadline");
                // It waits for the called one to have undone what it did.
                let own = world.flows.history("case", 0).unwrap();
                let its = world.flows.history("case~1", 0).unwrap();
                assert!(own.last().unwrap().version >= its.last().unwrap().version);
            }
        }
    }
}

#[test]
fn a_case_fails_at_its_deadline_and_undoes_what_it_did() {
    let spec = "name: f\ndeadline: 1h\ntasks:\n  a: { kind: host, compensate: undo_a, next: b }\n  b: { kind: host }\n  undo_a: { kind: host }\n";
    let ended = both(spec, &Value::NULL, &|item| match item.task.as_str() {
        "b" => None,
        _ => yes(item),
    });
    assert_eq!(
        (ended.status, ended.code.as_str()),
        (Status::Failed, "deadline")
    );
    assert_eq!(
        ended.events,
        [
            "0 case_started -",
            "0 completed a",
            "3600 deadline_passed -",
            "3600 cancelled b",
            "3600 case_compensating -",
            "3600 compensating a",
            "3600 completed undo_a",
            "3600 compensated a",
            "3600 case_failed -"
        ]
    );
    // One that has ended in time has no deadline any more.
    let ended = both(spec, &Value::NULL, &yes);
    assert_eq!(ended.status, Status::Completed);
}

#[test]
fn a_case_can_go_on_elsewhere_at_its_deadline_without_all_it_had() {
    let spec = "
name: f
deadline: { after: .input.by, to: late }
tasks:
  begin: { split: and, next: [a, pause, call, listen] }
  a: { kind: host, next: end }
  pause: { kind: wait, for: 30d, next: end }
  call: { kind: flow, flow: part, next: end }
  listen: { kind: signal, next: end }
  end: { kind: set, set: { .end: 1 }, join: and }
  late: { kind: host, next: really }
  really: { kind: wait, for: 1d }
flows:
  part: { tasks: { b: { kind: host } } }
";
    let work = |item: &WorkItem| match item.task.as_str() {
        "late" => yes(item),
        _ => None,
    };
    for crash in [false, true] {
        let (world, ended) = play(spec, &value!({"by": "20m"}), crash, &work);
        assert_eq!(ended.status, Status::Completed, "{:?}", ended.events);
        let tail = ended.events.iter().skip_while(|e| !e.starts_with("1200"));
        let tail: Vec<&String> = tail.collect();
        let last = [
            "1200 completed late",
            "1200 timer_set really",
            "87600 timer_fired really",
            "87600 case_completed -",
        ];
        assert_eq!(tail[tail.len() - 4..], last);
        let passed = tail.iter().filter(|e| e.contains("deadline_passed"));
        assert_eq!(passed.count(), 1, "it passes once: {tail:?}");
        assert_eq!(world.status("case~4"), Status::Cancelled);
        assert!(world.flows.case("case").unwrap().marking.is_empty());
        assert_eq!(world.flows.next_due().unwrap(), None);
    }
}

/// The example of the user's page.
#[test]
fn several_tasks_have_a_time_limit_together_by_a_wait_that_cancels_them() {
    let page = Env::real()
        .io
        .read(std::path::Path::new("../../docs/FLOWS.md"), 1 << 20);
    let page = String::from_utf8(page.unwrap()).unwrap();
    let spec = page
        .split("```yaml\n")
        .find(|b| b.starts_with("name: pay-in-time"));
    let spec = spec.unwrap().split("```").next().unwrap();
    let in_time = both(spec, &Value::NULL, &yes);
    assert_eq!(
        in_time.events,
        [
            "0 case_started -",
            "0 routed order",
            "0 timer_set late",
            "0 completed charge",
            "0 completed book",
            "0 emptied -",
            "0 completed ship",
            "0 case_completed -"
        ]
    );
    let stays = |task: &'static str| {
        move |item: &WorkItem| match item.task == task {
            true => None,
            false => yes(item),
        }
    };
    // Nothing of it was done, or a part, which is undone.
    for (task, undone) in [("charge", &[][..]), ("book", &["1800 compensated charge"])] {
        let late = both(spec, &Value::NULL, &stays(task));
        assert_eq!(late.status, Status::Completed);
        let cancelled = format!("1800 cancelled {task}");
        for event in [
            "1800 timer_fired late",
            &cancelled,
            "1800 completed invoice",
        ] {
            assert!(
                late.events.iter().any(|e| e == event),
                "{event}: {:#?}",
                late.events
            );
        }
        let found = late.events.iter().filter(|e| e.contains("compensated"));
        assert_eq!(found.collect::<Vec<_>>(), undone);
        assert!(!late.events.iter().any(|e| e.ends_with("completed book")));
    }
    // Or the case fails, and undoes what it did.
    let fails = "undo: { kind: set, set: { .x: 'error(\"too late\")' }, next: invoice }";
    let undo = spec
        .lines()
        .find(|l| l.trim().starts_with("undo:"))
        .unwrap();
    let late = both(
        &spec.replace(undo.trim(), fails),
        &Value::NULL,
        &stays("book"),
    );
    assert_eq!(
        (late.status, late.code.as_str()),
        (Status::Failed, "expression")
    );
    assert!(late.events.contains(&"1800 compensated charge".to_owned()));
}

#[test]
fn explain_tells_what_the_next_deadline_does_and_a_suspended_case_has_none() {
    let world = World::with_flow(
        "name: f\ndeadline: { after: 1h, to: b }\ntasks:\n  a: { kind: host, deadline: 2h, next: b }\n  b: { kind: host, join: xor }\n",
    );
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let told = || -> Vec<(String, String)> {
        let told = world.flows.explain("c").unwrap().into_iter();
        told.map(|w| (w.task, w.until.map_or_else(String::new, |u| u.1)))
            .collect()
    };
    assert_eq!(
        told(),
        [
            (
                String::new(),
                "all its work is cancelled, and it goes on at b".to_owned()
            ),
            ("a".to_owned(), "the task fails: its deadline".to_owned())
        ]
    );
    world.flows.suspend("c").unwrap();
    assert_eq!(world.flows.next_due().unwrap(), None);
    world.clock.advance(Duration::from_secs(4000));
    assert!(world.flows.fire_due().unwrap().is_empty());
    world.flows.resume("c").unwrap();
    assert_eq!(world.flows.fire_due().unwrap().len(), 1, "it catches up");
    assert_eq!(told(), [("b".to_owned(), String::new())]);
    // A late result of what was cancelled is stale; the deadline does not come again.
    world.clock.advance(Duration::from_secs(1 << 20));
    assert!(world.flows.fire_due().unwrap().is_empty());
    assert_eq!(world.status("c"), Status::Running);
}

#[test]
fn a_worker_is_told_the_sooner_of_timeout_and_deadline_and_is_late_after_it() {
    let world =
        World::with_flow("name: f\ntasks:\n  a: { kind: host, timeout: 1h, deadline: 90s }\n");
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    world.clock.advance(Duration::from_secs(60));
    let item = world.claim(&["a"]).unwrap().unwrap();
    let left = item
        .deadline
        .unwrap()
        .saturating_since(world.flows.store().env().clock.now());
    assert_eq!(left, Duration::from_secs(30));
    world
        .flows
        .heartbeat(&item.token, Duration::from_secs(1 << 20))
        .unwrap();
    world.clock.advance(left);
    assert_eq!(world.flows.fire_due().unwrap().len(), 1);
    let late = world.flows.complete(&item.token, &value!(1));
    assert!(matches!(late, Err(Error::StaleItem { .. })), "{late:?}");
    assert_eq!(world.status("c"), Status::Failed);
}

#[test]
fn cancelling_a_compensation_that_runs_undoes_no_more_than_the_step_at_hand() {
    let spec = "
name: f
tasks:
  a: { kind: host, compensate: undo_a, next: b }
  b: { kind: host, compensate: undo_b, next: c }
  c: { kind: host, compensate: undo_a, split: and, next: [back, stop] }
  back: { kind: compensate, of: [b], next: end }
  stop: { kind: host, topic: d, cancels: [back], next: end }
  end: { join: xor }
  undo_a: { kind: host }
  undo_b: { kind: host }
";
    let world = World::with_flow(spec);
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let does = |topic: &str| {
        let item = world.claim(&[topic]).unwrap().unwrap();
        world.flows.complete(&item.token, &value!(1)).unwrap();
        while world.flows.advance("c").unwrap().is_some() {}
    };
    ["a", "b", "c", "d"].into_iter().for_each(does);
    // `b` is being undone while the task that asked for it is cancelled; `a` and `c` stay as they are.
    does("undo_b");
    assert_eq!(
        world.status("c"),
        Status::Completed,
        "{:?}",
        world.trace("c")
    );
    assert!(world.claim(&["undo_a"]).unwrap().is_none());
}

#[test]
fn a_worker_that_fails_at_the_deadline_itself_is_no_faster_than_it() {
    let spec = "name: f\ntasks:\n  a: { kind: host, deadline: 90s, retry: { attempts: 9 } }\n";
    let world = World::with_flow(spec);
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let item = world.claim(&["a"]).unwrap().unwrap();
    world
        .flows
        .heartbeat(&item.token, Duration::from_secs(1 << 20))
        .unwrap();
    world.clock.advance(Duration::from_secs(90));
    world
        .flows
        .fail(&item.token, &Failure::new("timeout", "too long"))
        .unwrap();
    assert_eq!(text(&world.flows.case("c").unwrap(), ".code"), "deadline");
}

#[test]
fn a_case_that_is_moved_or_forked_keeps_its_deadline() {
    let spec = "name: f\ndeadline: 1h\ntasks:\n  a: { kind: host, topic: a, next: b }\n  b: { kind: host }\n";
    let (io, clock) = (SimIo::new(), SimClock::new());
    let world = World::on_disk(&io, &clock, 1).unwrap();
    world.flows.deploy(spec, None).unwrap();
    world.flows.start("f", &Value::NULL, Some("c")).unwrap();
    let due = world.flows.next_due().unwrap();
    let second = spec.replace("deadline: 1h", "version: 2\ndeadline: { after: 9h, to: b }");
    let second = second.replace("b: { kind: host }", "b: { kind: host, join: xor }");
    let options = statewright_flow::MigrateOptions::default();
    world.flows.deploy(&second, None).unwrap();
    world.flows.migrate(&second, None, &options).unwrap();
    assert_eq!(world.flows.case("c").unwrap().version, 2);
    assert_eq!(world.flows.next_due().unwrap(), due);
    clock.advance(Duration::from_secs(3600));
    world.flows.fire_due().unwrap();
    // Where it goes on then is said by the version that it is on.
    assert_eq!(world.status("c"), Status::Running);
    let items = world.flows.case("c").unwrap().items;
    assert_eq!(items.iter().map(|i| &*i.task).collect::<Vec<_>>(), ["b"]);
}

/// It fails before it has taken its tokens, and the round before has put them there.
#[test]
fn a_task_that_loops_to_itself_and_cannot_be_offered_again_gives_its_tokens_up() {
    for join in ["", "join: xor, "] {
        let again = match join {
            "" => "next: again }\n  again: { kind: set, set: { .n: '.n + 1' }, next: t",
            _ => "next: t",
        };
        let spec = format!(
            "name: f\ninput: {{ by: 1h }}\ntasks:\n  t: {{ kind: host, topic: work, {join}into: .input.by, \
             deadline: .input.by, on_error: over, {again} }}\n  over: {{ kind: set, set: {{ .over: '.over + 1' }} }}\n\
             start: t\n"
        );
        let world = World::with_flow(&spec);
        let case = world.run("f", Value::NULL, |_| Ok(value!("soon")));
        let info = world.flows.case(&case).unwrap();
        assert_eq!(info.status, Status::Completed, "{:?}", info.error);
        assert_eq!(info.data.get("over"), Some(value!(1)));
        assert!(info.marking.is_empty(), "{:?}", info.marking);
    }
}

#[test]
fn a_task_that_cannot_be_offered_and_leads_to_itself_fails_the_case() {
    for on_error in [
        "on_error: t",
        "on_error: { skip: true }, split: xor, next: [{ to: t, when: 'true' }, e] }\n  e: { kind: host",
    ] {
        let spec = format!(
            "name: f\ntasks:\n  t: {{ kind: host, topic: work, join: xor, deadline: .input.by, {on_error} }}\nstart: t\n"
        );
        let world = World::with_flow(&spec);
        let case = world.run("f", value!({"by": "soon"}), |_| Ok(value!(1)));
        let info = world.flows.case(&case).unwrap();
        assert_eq!(info.status, Status::Failed);
        assert_eq!(text(&info, ".code"), "expression", "{:?}", info.error);
    }
}
