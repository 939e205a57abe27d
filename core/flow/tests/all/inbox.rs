//! Host work items for people: listed, taken by name, delegated, given back, skipped.

use std::time::Duration;

use crate::common::World;
use statewright_flow::{Error, Queue, Status, WorkFilter, WorkInfo, WorkItem, WorkState};
use statewright_value::{Value, value};

const TWO: &str = "
name: two
input: { who: 'Ada' }
tasks:
  begin: { split: and, next: [approve, pack] }
  approve: { kind: host, topic: office, input: .input.who, timeout: 1h, next: end }
  pack: { kind: host, topic: store, retry: { attempts: 3, delay: 1m }, next: end }
  end: { join: and }
";

const SEVERAL: &str = "
name: several
tasks:
  ask: { kind: host, topic: office, many: { items: 3, add: true }, into: .answers }
";

fn world() -> World {
    let world = World::with_flow(TWO);
    world.flows.start("two", &Value::NULL, Some("c")).unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    world
}

fn take(world: &World, task: &str, worker: &str) -> Result<WorkItem, Error> {
    let item = number(world, task);
    let claim = world.flows.take("c", item, worker, None)?;
    Ok(claim.item.unwrap())
}

fn number(world: &World, task: &str) -> u64 {
    list(world, |f| f.task = Some(task.into()))[0].item
}

fn list(world: &World, change: impl FnOnce(&mut WorkFilter)) -> Vec<WorkInfo> {
    let mut filter = WorkFilter::default();
    change(&mut filter);
    world.flows.work(&filter).unwrap()
}

fn code(error: Error) -> &'static str {
    match error {
        Error::Refused { code, .. } => code,
        Error::StaleItem { .. } => "stale",
        Error::UnknownItem { .. } => "unknown-item",
        Error::UnknownCase { .. } => "unknown-case",
        Error::CaseClosed { .. } => "closed",
        other => panic!("{other}"),
    }
}

#[test]
fn items_are_listed_by_topic_case_task_worker_and_state_in_pages() {
    let world = world();
    world.flows.start("two", &Value::NULL, Some("c-2")).unwrap();
    let names = |items: Vec<WorkInfo>| -> Vec<String> {
        items
            .iter()
            .map(|i| format!("{} {}", i.case, i.task))
            .collect()
    };
    let all = ["c approve", "c pack", "c-2 approve", "c-2 pack"];
    assert_eq!(names(list(&world, |_| {})), all);
    let offered = |f: &mut WorkFilter| {
        f.topic = Some("office".into());
        f.state = Some(WorkState::Offered);
    };
    assert_eq!(names(list(&world, offered)), ["c approve", "c-2 approve"]);
    assert_eq!(
        names(list(&world, |f| f.topic = Some("off".into()))),
        [""; 0]
    );
    assert_eq!(
        names(list(&world, |f| f.case = Some("c".into()))),
        ["c approve", "c pack"]
    );

    let taken = take(&world, "pack", "ann").unwrap();
    let of_ann = list(&world, |f| f.worker = Some("ann".into()));
    assert_eq!(of_ann.len(), 1);
    assert_eq!(of_ann[0].state, WorkState::Leased);
    assert_eq!(of_ann[0].token.as_ref(), Some(&taken.token));
    assert_eq!(
        names(list(&world, |f| f.state = Some(WorkState::Offered))),
        ["c approve", "c-2 approve", "c-2 pack"]
    );

    // Page by page, both ways to look, it is the same list.
    for topic in [None, Some("office".to_owned())] {
        let mut filter = WorkFilter {
            topic,
            state: Some(WorkState::Offered),
            ..WorkFilter::default()
        };
        let whole = world.flows.work(&filter).unwrap();
        filter.limit = Some(1);
        let mut paged = Vec::new();
        while let Some(item) = world.flows.work(&filter).unwrap().pop() {
            filter.after = Some((item.case.clone(), item.item));
            paged.push(item);
        }
        assert_eq!(paged, whole);
    }
}

#[test]
fn one_person_has_an_item_until_something_is_done_with_it() {
    let world = world();
    let item = take(&world, "approve", "ann").unwrap();
    assert_eq!(item.input, value!("Ada"));
    assert_eq!(item.lease_until, None);
    assert_eq!(code(take(&world, "approve", "bob").unwrap_err()), "taken");
    // The timeout of the attempt still counts.
    assert!(item.deadline.is_some());
    world.flows.complete(&item.token, &value!(true)).unwrap();
    assert_eq!(
        code(world.flows.give_back(&item.token).unwrap_err()),
        "stale"
    );
    assert_eq!(
        code(world.flows.take("c", item.item, "ann", None).unwrap_err()),
        "unknown-item"
    );
    assert_eq!(
        code(world.flows.take("x", 1, "ann", None).unwrap_err()),
        "unknown-case"
    );
    assert!(matches!(
        world.flows.take("c", 1, "", None),
        Err(Error::Input { .. })
    ));
}

#[test]
fn a_delegated_item_is_the_new_worker_s_and_the_attempt_goes_on() {
    let world = world();
    let mine = take(&world, "approve", "ann").unwrap();
    let hour = Some(Duration::from_secs(3600));
    let (theirs, _) = world.flows.delegate(&mine.token, "bob", hour).unwrap();
    assert_eq!(
        (theirs.attempt, theirs.deadline),
        (mine.attempt, mine.deadline)
    );
    assert_eq!(theirs.idempotency_key, mine.idempotency_key);
    assert!(theirs.lease_until.is_some());
    assert_eq!(
        code(world.flows.complete(&mine.token, &Value::NULL).unwrap_err()),
        "stale"
    );
    assert_eq!(
        code(world.flows.delegate(&mine.token, "eve", None).unwrap_err()),
        "stale"
    );
    world.flows.complete(&theirs.token, &Value::NULL).unwrap();
    let history = world.flows.history("c", 0).unwrap();
    let handed = history
        .iter()
        .find(|e| e.kind.name() == "delegated")
        .unwrap();
    assert_eq!(handed.detail, value!({"from": "ann", "worker": "bob"}));
}

#[test]
fn an_item_given_back_is_offered_again_and_no_attempt_has_failed() {
    let world = world();
    for attempt in 1..=5 {
        let item = take(&world, "pack", "ann").unwrap();
        assert_eq!(item.attempt, attempt);
        let moved = world.flows.give_back(&item.token).unwrap();
        assert_eq!(moved.topics_offered, ["store"]);
    }
    let item = take(&world, "pack", "ann").unwrap();
    let failure = statewright_flow::Failure::new("no", "not now");
    world.flows.fail(&item.token, &failure).unwrap();
    assert_eq!(
        code(take(&world, "pack", "ann").unwrap_err()),
        "backing-off"
    );
    assert_eq!(
        list(&world, |f| f.state = Some(WorkState::BackingOff)).len(),
        1
    );
    assert_eq!(world.status("c"), Status::Running);
}

#[test]
fn a_skipped_item_completes_its_task_without_a_result() {
    let world = world();
    let held = take(&world, "pack", "ann").unwrap();
    world.flows.skip("c", held.item, "out of paper").unwrap();
    assert_eq!(
        code(world.flows.complete(&held.token, &Value::NULL).unwrap_err()),
        "stale"
    );
    let offered = number(&world, "approve");
    let moved = world.flows.skip("c", offered, "").unwrap();
    assert_eq!(moved.closed, Some(Status::Completed));
    let data = world.flows.case("c").unwrap().data;
    assert_eq!(data, value!({"input": {"who": "Ada"}}));
    assert_eq!(
        code(world.flows.skip("c", offered, "").unwrap_err()),
        "closed"
    );
    assert_eq!(
        code(world.flows.skip("x", 1, "").unwrap_err()),
        "unknown-case"
    );
    assert!(list(&world, |_| {}).is_empty());
}

#[test]
fn a_skipped_instance_gives_null_and_the_others_their_results() {
    let world = World::with_flow(SEVERAL);
    world
        .flows
        .start("several", &Value::NULL, Some("c"))
        .unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    let items = list(&world, |_| {});
    assert_eq!(items.len(), 3);
    let item = world
        .flows
        .take("c", items[0].item, "ann", None)
        .unwrap()
        .item
        .unwrap();
    world.flows.complete(&item.token, &value!("first")).unwrap();
    world.flows.skip("c", items[1].item, "").unwrap();
    assert_eq!(list(&world, |_| {}).len(), 1);
    let moved = world.flows.skip("c", items[2].item, "").unwrap();
    assert_eq!(moved.closed, Some(Status::Completed));
    let data = world.flows.case("c").unwrap().data;
    assert_eq!(data.get("answers"), Some(value!(["first", null, null])));
}

#[test]
fn a_suspended_case_hands_nothing_out_but_what_is_held_may_be_given_back() {
    let world = world();
    let held = take(&world, "pack", "ann").unwrap();
    let offered = number(&world, "approve");
    world.flows.suspend("c").unwrap();
    let left: Vec<String> = list(&world, |_| {}).into_iter().map(|i| i.task).collect();
    assert_eq!(left, ["pack"]);
    let flows = &world.flows;
    assert_eq!(
        code(flows.take("c", offered, "bob", None).unwrap_err()),
        "suspended"
    );
    assert_eq!(code(flows.skip("c", offered, "").unwrap_err()), "suspended");
    flows.give_back(&held.token).unwrap();
    assert!(list(&world, |_| {}).is_empty());
    flows.resume("c").unwrap();
    assert_eq!(list(&world, |_| {}).len(), 2);
    take(&world, "pack", "bob").unwrap();
}

#[test]
fn what_is_no_host_work_is_refused() {
    let world = World::with_flow(
        "
name: two
tasks:
  begin: { split: and, next: [nap, run] }
  nap: { kind: wait, for: 1h, next: end }
  run: { kind: process, run: ['true'], next: end }
  end: { join: and }
",
    );
    world.flows.start("two", &Value::NULL, Some("c")).unwrap();
    while world.flows.advance("c").unwrap().is_some() {}
    assert!(list(&world, |_| {}).is_empty());
    let items = world.flows.case("c").unwrap().items;
    assert_eq!(items.len(), 2);
    for item in &items {
        let taken = world.flows.take("c", item.item, "ann", None).unwrap_err();
        assert_eq!(code(taken), "not-work");
        assert_eq!(
            code(world.flows.skip("c", item.item, "").unwrap_err()),
            "not-work"
        );
    }
    // A program that runs is its worker's alone: nothing of it is handed to a host.
    let claim = world
        .flows
        .claim(&Queue::Process, "p", None, 1)
        .unwrap()
        .remove(0);
    let token = claim.item.unwrap().token;
    assert_eq!(
        code(world.flows.delegate(&token, "ann", None).unwrap_err()),
        "stale"
    );
    assert_eq!(code(world.flows.give_back(&token).unwrap_err()), "stale");
}

#[test]
fn what_is_taken_by_name_stays_so_over_a_restart() {
    let world = world();
    let minute = Some(Duration::from_secs(60));
    let (with, without) = (number(&world, "approve"), number(&world, "pack"));
    world.flows.take("c", with, "ann", minute).unwrap();
    world.flows.take("c", without, "ann", None).unwrap();
    let again = statewright_flow::Flows::new(world.flows.store().clone());
    for item in [with, without] {
        assert_eq!(
            code(again.take("c", item, "bob", None).unwrap_err()),
            "taken"
        );
    }
}
