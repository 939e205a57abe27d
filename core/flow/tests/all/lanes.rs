//! Lanes: keys take turns exactly, limits and rates hold, over restarts too, and priorities go first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::World;
use statewright_flow::net::Net;
use statewright_flow::{Error, Failure, Queue, Status, WorkItem};
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_store::{Primitive, Reader, Space};
use statewright_value::{Value, value};

/// A store that loses power after every event.
struct Shop {
    io: SimIo,
    clock: SimClock,
    world: World,
    crashes: u64,
}

impl Shop {
    fn new(spec: &str) -> Shop {
        let (io, clock) = (SimIo::new(), SimClock::new());
        let world = World::on_disk(&io, &clock, 1).unwrap();
        world
            .flows
            .deploy(spec, None)
            .unwrap_or_else(|e| panic!("{e}\n{spec}"));
        Shop {
            io,
            clock,
            world,
            crashes: 0,
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        let image = Image::series(self.crashes, 1).next().unwrap();
        self.io = self.io.crash(&image);
        self.world = World::on_disk(&self.io, &self.clock, self.crashes).unwrap();
    }

    fn start(&mut self, input: Value) {
        self.world.flows.start("shop", &input, None).unwrap();
        self.crash();
    }

    fn claim(&mut self, max: usize) -> Vec<WorkItem> {
        let topics = Queue::Topics(vec!["work".to_owned(), "other".to_owned()]);
        let lease = Some(Duration::from_secs(1000));
        let claims = self.world.flows.claim(&topics, "w", lease, max).unwrap();
        self.crash();
        claims.into_iter().filter_map(|c| c.item).collect()
    }

    fn complete(&mut self, item: &WorkItem) {
        self.world
            .flows
            .complete(&item.token, &Value::NULL)
            .unwrap();
        self.crash();
    }

    /// What is claimed and completed, one at a time, until nothing is offered.
    fn order(&mut self) -> Vec<String> {
        let mut order = Vec::new();
        while let Some(item) = self.claim(1).pop() {
            order.push(item.input.as_str().unwrap_or_default().to_owned());
            self.complete(&item);
        }
        order
    }

    fn wait(&mut self, time: Duration) {
        self.clock.advance(time);
        self.world.flows.fire_due().unwrap();
        self.crash();
    }
}

fn spec(lane: &str) -> String {
    format!(
        "name: shop\nversion: 1\ntasks:\n  work: {{ kind: host, input: .input.who, lane: {lane} }}\n"
    )
}

fn who(name: &str, urgent: u64) -> Value {
    value!({"who": name, "urgent": urgent})
}

#[test]
fn keys_take_turns_one_item_each() {
    let mut shop = Shop::new(&spec("{ key: .input.who }"));
    for (name, count) in [("a", 4), ("b", 2), ("c", 3)] {
        (0..count).for_each(|_| shop.start(who(name, 0)));
    }
    assert_eq!(shop.order(), ["a", "b", "c", "a", "b", "c", "a", "c", "a"]);
}

#[test]
fn several_claimed_at_once_take_turns_too() {
    let mut shop = Shop::new(&spec("{ key: .input.who }"));
    for (name, count) in [("a", 4), ("b", 2)] {
        (0..count).for_each(|_| shop.start(who(name, 0)));
    }
    let claimed = shop.claim(5);
    let order: Vec<&str> = claimed.iter().map(|i| i.input.as_str().unwrap()).collect();
    assert_eq!(order, ["a", "b", "a", "b", "a"]);
}

#[test]
fn cases_that_are_started_together_take_turns_as_if_one_by_one() {
    let mut shop = Shop::new(&spec("{ key: .input.who }"));
    // More than are committed in a row; and until the first is, nobody knows that there are lanes.
    let inputs: Vec<Value> = "aabacbaabacbaabacb"
        .chars()
        .map(|name| who(&name.to_string(), 0))
        .collect();
    for started in shop.world.flows.start_all("shop", &inputs).unwrap() {
        started.unwrap();
    }
    shop.crash();
    assert_eq!(shop.order().concat(), "abcabcabcabababaaa");
}

#[test]
fn the_greatest_priority_comes_first_and_keys_take_turns_within_it() {
    let mut shop = Shop::new(&spec("{ key: .input.who, priority: .input.urgent }"));
    for (name, urgent) in [("a", 0), ("b", 0), ("b", 9), ("c", 5), ("a", 9), ("b", 9)] {
        shop.start(who(name, urgent));
    }
    assert_eq!(shop.order(), ["b", "a", "b", "c", "a", "b"]);
}

#[test]
fn no_key_has_more_at_work_than_its_limit() {
    let mut shop = Shop::new(&spec("{ key: .input.who, limit: 2 }"));
    (0..5).for_each(|_| shop.start(who("a", 0)));
    (0..3).for_each(|_| shop.start(who("b", 0)));
    let mut held = shop.claim(10);
    let count = |held: &[WorkItem]| {
        let mut counts = BTreeMap::new();
        for item in held {
            *counts
                .entry(item.input.as_str().unwrap().to_owned())
                .or_insert(0) += 1;
        }
        counts.into_values().collect::<Vec<u32>>()
    };
    assert_eq!(count(&held), [2, 2]);
    assert!(shop.claim(10).is_empty());
    let cases = shop.world.flows.open_cases(None, 10).unwrap();
    let waits = cases
        .iter()
        .flat_map(|case| shop.world.flows.explain(case).unwrap());
    let told = waits.filter(|w| {
        w.what
            .ends_with("of lane 'work' to end: 2 of 2 are at work")
    });
    assert_eq!(told.count(), 4);
    let first = held.remove(0);
    shop.complete(&first);
    held.extend(shop.claim(10));
    assert_eq!(count(&held), [2, 2]);
    // A failed attempt, a cancelled case and one that is suspended free their places, or keep them.
    let failed = held.remove(0);
    let failure = Failure::new("no", "no").for_good();
    shop.world.flows.fail(&failed.token, &failure).unwrap();
    shop.crash();
    held.extend(shop.claim(10));
    assert!(count(&held).iter().all(|n| *n <= 2), "{:?}", count(&held));
    let cancelled = held.remove(0);
    shop.world.flows.cancel(&cancelled.case, "").unwrap();
    shop.crash();
    held.extend(shop.claim(10));
    assert!(count(&held).iter().all(|n| *n <= 2), "{:?}", count(&held));
    for case in shop.world.flows.open_cases(None, 10).unwrap() {
        shop.world.flows.suspend(&case).unwrap();
        shop.crash();
    }
    assert!(shop.claim(10).is_empty());
    for case in shop.world.flows.open_cases(None, 10).unwrap() {
        shop.world.flows.resume(&case).unwrap();
        shop.crash();
    }
    for _ in 0..10 {
        held.extend(shop.claim(10));
        assert!(count(&held).iter().all(|n| *n <= 2), "{:?}", count(&held));
        while let Some(item) = held.pop() {
            shop.complete(&item);
        }
    }
    assert!(shop.world.flows.open_cases(None, 10).unwrap().is_empty());
}

#[test]
fn a_rate_lets_so_many_start_in_a_time_and_wakes_who_waits() {
    let mut shop = Shop::new(&spec(
        "{ key: .input.who, rate: { count: 6, per: 1m, burst: 2 } }",
    ));
    (0..5).for_each(|_| shop.start(who("a", 0)));
    shop.start(who("b", 0));
    assert_eq!(shop.order(), ["a", "b", "a"]);
    let now = shop.world.flows.store().env().clock.now();
    let due = shop.world.flows.next_due().unwrap().unwrap();
    assert_eq!(due.saturating_since(now), Duration::from_secs(10));
    shop.wait(Duration::from_secs(9));
    assert!(shop.order().is_empty());
    shop.wait(Duration::from_secs(1));
    assert_eq!(shop.order(), ["a"]);
    shop.wait(Duration::from_secs(10));
    assert_eq!(shop.order(), ["a"]);
    shop.wait(Duration::from_secs(100));
    assert_eq!(shop.order(), ["a"]);
    shop.wait(Duration::from_secs(10));
    assert_eq!(shop.world.flows.next_due().unwrap(), None);
}

#[test]
fn nothing_is_left_of_keys_that_come_once() {
    let mut shop = Shop::new(&spec(
        "{ key: .input.who, rate: { count: 6, per: 1m, burst: 1 } }",
    ));
    let kept = |shop: &Shop, prefix: &str| {
        let view = shop.world.flows.store().snapshot();
        let found = view.doc_scan(Primitive::Flow, &Space::default(), prefix, None, 1000);
        found.unwrap().len()
    };
    for n in 0..70 {
        shop.start(who(&format!("k{n}"), 0));
    }
    for item in shop.claim(100) {
        shop.complete(&item);
    }
    // One that comes again before its time is one.
    shop.start(who("k7", 0));
    assert_eq!(kept(&shop, "lane/key/"), 70);
    assert_eq!(shop.order(), [] as [&str; 0]);
    shop.wait(Duration::from_secs(10));
    shop.wait(Duration::ZERO);
    assert_eq!(kept(&shop, "lane/key/"), 1);
    assert_eq!(shop.order(), ["k7"]);
    shop.wait(Duration::from_secs(10));
    assert_eq!(kept(&shop, "lane/key/") + kept(&shop, "lane/wait/"), 0);
    assert_eq!(shop.world.flows.next_due().unwrap(), None);
}

#[test]
fn tasks_of_several_topics_and_programs_share_a_lane_by_its_name() {
    let spec = "
name: shop
version: 1
tasks:
  begin: { split: and, next: [work, other, run] }
  work: { kind: host, lane: { name: bank, limit: 1 } }
  other: { kind: host, many: { items: 2 }, lane: { name: bank, limit: 1 } }
  run: { kind: process, run: [true], lane: { name: bank, limit: 1 } }
";
    let mut shop = Shop::new(spec);
    shop.start(Value::NULL);
    let case = shop.world.flows.open_cases(None, 1).unwrap().remove(0);
    while shop.world.flows.advance(&case).unwrap().is_some() {
        shop.crash();
    }
    let mut done = 0;
    loop {
        let lease = Some(Duration::from_secs(1000));
        let process = shop
            .world
            .flows
            .claim(&Queue::Process, "p", lease, 9)
            .unwrap();
        shop.crash();
        let mut held: Vec<WorkItem> = process.into_iter().filter_map(|c| c.item).collect();
        held.extend(shop.claim(9));
        let Some(item) = held.pop() else { break };
        assert!(held.is_empty(), "one at a time");
        shop.complete(&item);
        done += 1;
    }
    assert_eq!(done, 4);
}

#[test]
fn a_lane_and_what_has_none_are_served_by_who_has_waited_longer() {
    let spec = "
name: shop
version: 1
tasks:
  begin: { split: and, next: [work, other] }
  work: { kind: host, input: '\"lane\"', lane: { limit: 1 } }
  other: { kind: host, input: '\"none\"' }
";
    let mut shop = Shop::new(spec);
    for _ in 0..2 {
        shop.start(Value::NULL);
        shop.clock.advance(Duration::from_secs(1));
    }
    let mut order = shop.order();
    order.iter_mut().for_each(|s| s.truncate(1));
    assert_eq!(order.concat(), "lnln");
}

#[test]
fn taking_one_by_name_keeps_to_the_lane() {
    let mut shop = Shop::new(&spec("{ limit: 1 }"));
    shop.start(who("a", 0));
    shop.start(who("b", 0));
    assert_eq!(shop.claim(1).len(), 1);
    let filter = statewright_flow::WorkFilter {
        topic: Some("work".to_owned()),
        state: Some(statewright_flow::WorkState::Offered),
        ..statewright_flow::WorkFilter::default()
    };
    let offered = shop.world.flows.work(&filter).unwrap();
    assert_eq!(offered.len(), 1);
    let refused = shop
        .world
        .flows
        .take(&offered[0].case, offered[0].item, "me", None);
    assert!(
        matches!(refused, Err(Error::Refused { code: "lane", .. })),
        "{refused:?}"
    );
}

#[test]
fn a_key_of_another_type_fails_the_task() {
    let mut shop = Shop::new(&spec("{ key: .input.nothing }"));
    shop.start(Value::NULL);
    let case = shop
        .world
        .flows
        .cases(&statewright_flow::CaseFilter::default())
        .unwrap();
    assert_eq!(case[0].status, Status::Failed);
    assert!(
        case[0]
            .error
            .as_ref()
            .unwrap()
            .to_string()
            .contains("`key` must give text")
    );
}

#[test]
fn what_a_lane_cannot_be_is_refused() {
    for (lane, code) in [
        ("{}", "empty"),
        ("{ name: x }", "empty"),
        ("{ limit: 0 }", "wrong-type"),
        ("{ rate: { count: 1 } }", "missing-field"),
        ("{ rate: { count: 1, per: 0 } }", "bad-duration"),
        ("{ rate: { count: 1, per: 400d } }", "bad-duration"),
        ("{ limit: 1, fair: true }", "unknown-field"),
        ("{ key: '.a b' }", "expression"),
        ("{ name: 'a/b', limit: 1 }", "bad-name"),
    ] {
        let problems = Net::compile(&spec(lane), None).unwrap_err();
        assert_eq!(problems[0].code, code, "{lane}: {problems:?}");
    }
    let flow = "name: f\nversion: 1\ntasks:\n  a: { kind: wait, for: 1s, lane: { limit: 1 } }\n";
    assert_eq!(
        Net::compile(flow, None).unwrap_err()[0].code,
        "unknown-field"
    );
}

/// A key that was in the line when the clock was set back may not go on: it waits for its time, whoever keeps the time
/// is told, and others behind it go first.
#[test]
fn a_clock_that_is_set_back_leaves_no_key_in_the_line_that_may_not_go_on() {
    let world = World::with_flow(
        "name: shop\ntasks:\n  work: { kind: host, input: .input.who, lane: { key: .input.who, rate: { count: 1, per: 10m } } }\n",
    );
    let start = |who: &str| {
        let input = value!({"who": who});
        world.flows.start("shop", &input, None).unwrap();
    };
    let claim = || {
        let queue = Queue::Topics(vec!["work".to_owned()]);
        let lease = Some(Duration::from_secs(100_000));
        let claims = world.flows.claim(&queue, "w", lease, 1).unwrap();
        let items = claims.into_iter().filter_map(|c| c.item);
        items.map(|i| i.input).collect::<Vec<Value>>()
    };
    let ten_minutes = Duration::from_secs(600);
    start("a");
    start("a");
    let began = world.flows.store().env().clock.now();
    assert_eq!(claim(), [value!("a")]);
    world.clock.advance(ten_minutes);
    world.flows.fire_due().unwrap();
    world.clock.jump(-300_000_000);
    start("b");
    assert_eq!(claim(), [value!("b")]);
    assert_eq!(claim(), []);
    let lane = world.flows.next_due().unwrap();
    assert_eq!(lane, Some(began.saturating_add(ten_minutes)));
    world.clock.advance(Duration::from_secs(300));
    world.flows.fire_due().unwrap();
    assert_eq!(claim(), [value!("a")]);
}

/// Thousands of them are no recursion, and are held back many in one commit.
#[test]
fn a_clock_that_is_set_back_holds_many_keys_back_at_once() {
    const KEYS: usize = 2000;
    let world = World::with_flow(
        "name: shop\ntasks:\n  work: { kind: host, lane: { key: .input.who, rate: { count: 1, per: 10m } } }\n",
    );
    let names: Vec<Value> = (0..KEYS)
        .map(|n| value!({"who": (format!("k{n}"))}))
        .collect();
    let claim = |max| {
        let queue = Queue::Topics(vec!["work".to_owned()]);
        let lease = Some(Duration::from_secs(100_000));
        let claims = world.flows.claim(&queue, "w", lease, max).unwrap();
        claims.into_iter().filter_map(|c| c.item).count()
    };
    for started in world.flows.start_all("shop", &names).unwrap() {
        started.unwrap();
    }
    assert_eq!(claim(KEYS), KEYS);
    for started in world.flows.start_all("shop", &names).unwrap() {
        started.unwrap();
    }
    world.clock.advance(Duration::from_secs(600));
    for _ in 0..=KEYS / 64 {
        world.flows.fire_due().unwrap();
    }
    world.clock.jump(-300_000_000);
    let before = world.flows.store().stats().version;
    assert_eq!(claim(1), 0);
    let commits = world.flows.store().stats().version - before;
    assert!(commits <= 40, "{commits}");
    world.clock.advance(Duration::from_secs(300));
    for _ in 0..=KEYS / 64 {
        world.flows.fire_due().unwrap();
    }
    assert_eq!(claim(KEYS), KEYS);
}
