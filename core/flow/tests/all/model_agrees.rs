//! The engine against the slow token game of `model`: random nets and random events; what is enabled, and the marking
//! after every event, are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use crate::common::World;
use crate::model::{NamedNet, Rng, Tokens, choices, completed, failed, random_net, successors};
use statewright_flow::analysis::{Join, Skeleton, Split};
use statewright_flow::{Error, Failure, Queue, Status};
use statewright_value::Value;

/// A random net as a spec: every task is one for a host, whose result names the places that it chooses.
fn spec(net: &NamedNet, places: &BTreeSet<String>, start: &str) -> String {
    let mut text = format!("name: random\nversion: 1\nstart: {start}\ntasks:\n");
    for task in &net.tasks {
        let count = |list: &[String]| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for name in list {
                *counts.entry(name.clone()).or_default() += 1;
            }
            counts
        };
        let name = &task.name;
        let join = format!("{:?}", task.join).to_lowercase();
        let split = format!("{:?}", task.split).to_lowercase();
        let outputs = count(&task.outputs);
        let last = outputs.keys().last().cloned();
        let next: Vec<String> = outputs
            .iter()
            .map(|(to, tokens)| {
                let default = task.split == Split::And
                    || task.split == Split::Xor && last.as_ref() == Some(to);
                let when = if default {
                    String::new()
                } else {
                    format!(", when: '.{name}.{to}'")
                };
                format!("{{ to: {to}, tokens: {tokens}{when} }}")
            })
            .collect();
        let takes: Vec<String> = count(&task.inputs)
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(p, n)| format!("{p}: {n}"))
            .collect();
        let _ = writeln!(
            text,
            "  {name}:\n    kind: host\n    join: {join}\n    split: {split}"
        );
        let lists = [
            ("next", format!("[{}]", next.join(", "))),
            ("takes", format!("{{{}}}", takes.join(", "))),
            ("cancels", format!("[{}]", task.cancels.join(", "))),
            ("tests", format!("[{}]", task.tests.join(", "))),
            ("on_error", format!("[{}]", task.fails.join(", "))),
        ];
        for (field, list) in lists.iter().filter(|(_, list)| list.len() > 2) {
            let _ = writeln!(text, "    {field}: {list}");
        }
    }
    text.push_str("places:\n");
    for place in places {
        let tokens = net.marking.iter().filter(|p| *p == place).count();
        // The first token of a case is one of them.
        let tokens = tokens - usize::from(place == start);
        let next: Vec<&str> = net
            .tasks
            .iter()
            .filter(|t| t.inputs.contains(place))
            .map(|t| t.name.as_str())
            .collect();
        let _ = writeln!(
            text,
            "  {place}: {{ tokens: {tokens}, next: [{}] }}",
            next.join(", ")
        );
    }
    text
}

/// The engine's marking, in the model's terms.
fn engine_tokens(world: &World, net: &Skeleton) -> Tokens {
    let info = world.flows.case("case").unwrap();
    let mut tokens = Tokens::default();
    for (place, n) in &info.marking {
        tokens.places.insert(net.place(place).unwrap(), *n);
    }
    for item in info.items.iter().filter(|i| i.state == "leased") {
        *tokens
            .runs
            .entry(net.task(&item.task).unwrap())
            .or_default() += 1;
    }
    tokens
}

/// The tasks that the engine offers.
fn offered(world: &World) -> BTreeSet<String> {
    let info = world.flows.case("case").unwrap();
    let items = info.items.iter().filter(|i| i.state == "offered");
    items.map(|i| i.task.clone()).collect()
}

#[derive(Default)]
struct Tally {
    nets: usize,
    events: usize,
    or_joins: usize,
    stuck: usize,
    failures: usize,
}

/// Plays one net; false if the engine refuses it, or it is too much for the model.
fn play(seed: u64, tally: &mut Tally) -> bool {
    let mut rng = Rng(seed ^ 0x5EED);
    let mut named = random_net(seed);
    named.marking.retain(|name| name.starts_with('c'));
    let fails = ["c0", "c1", "c2", "end"].map(str::to_owned);
    for task in &mut named.tasks {
        if rng.chance(15) {
            task.outputs.push("end".to_owned());
        }
        if rng.chance(15) {
            task.tests = vec![task.inputs[0].clone()];
        }
        if rng.chance(10) {
            task.tests = vec!["c0".to_owned()];
        }
        if rng.chance(20) {
            task.fails = vec![rng.pick(&fails).clone()];
        }
    }
    let arcs = named.tasks.iter().flat_map(|t| {
        let places = t.inputs.iter().chain(&t.outputs).chain(&t.tests);
        let places = places.chain(&t.fails);
        places.chain(t.cancels.iter().filter(|c| c.starts_with('c')))
    });
    let places: BTreeSet<String> = arcs.chain(&named.marking).cloned().collect();
    let start = named.marking[0].clone();
    let world = World::new();
    let source = spec(&named, &places, &start);
    match world.flows.deploy(&source, None) {
        Ok(_) => {}
        // Tasks that cannot be reached or cannot reach an end.
        Err(Error::InvalidSpec { problems }) => {
            let plain = ["unreachable", "no-end"];
            let other = problems.iter().find(|p| !plain.contains(&p.code));
            assert!(
                other.is_none_or(|p| p.severity == statewright_flow::Severity::Warning),
                "{problems:?}\n{source}"
            );
            return false;
        }
        Err(other) => panic!("{other}"),
    }
    let net = named.skeleton();
    world
        .flows
        .start("random", &Value::NULL, Some("case"))
        .unwrap();
    let mut now = Tokens::of(&net, &named.marking(&net));
    let mut held: BTreeMap<usize, String> = BTreeMap::new();
    for step in 0..12 {
        let what = || format!("seed {seed}, step {step}, {now:?}\n{source}");
        let Some(all) = successors(&net, &now) else {
            return step > 2;
        };
        assert_eq!(engine_tokens(&world, &net), now, "{}", what());
        let name = |t: &usize| net.tasks()[*t].name.clone();
        let enabled: BTreeSet<usize> = all.iter().filter(|s| s.1).map(|s| s.0).collect();
        let status = world.flows.case("case").unwrap().status;
        if all.is_empty() {
            tally.stuck += usize::from(status == Status::Deadlocked);
            assert!(status.is_final(), "{status}: {}", what());
            return true;
        }
        assert_eq!(status, Status::Running, "{}", what());
        let names: BTreeSet<String> = enabled.iter().map(name).collect();
        assert_eq!(offered(&world), names, "{}", what());
        tally.events += 1;
        let waits = |t: &usize| net.tasks()[*t].join == Join::Or;
        tally.or_joins += enabled.iter().filter(|t| waits(t)).count();
        // What was cancelled is nobody's any more.
        held.retain(|t, token| {
            let mine = now.runs.contains_key(t);
            if !mine {
                assert!(world.flows.complete(token, &Value::NULL).is_err());
            }
            mine
        });
        let tasks: Vec<usize> = all.iter().map(|s| s.0).collect();
        let t = *rng.pick(&tasks);
        if enabled.contains(&t) && !held.contains_key(&t) {
            let queue = Queue::Topics(vec![name(&t)]);
            let lease = Some(Duration::from_secs(60));
            let claims = world.flows.claim(&queue, "w", lease, 1).unwrap();
            held.insert(t, claims[0].item.as_ref().unwrap().token.clone());
            let after = engine_tokens(&world, &net);
            let possible = all
                .iter()
                .any(|(of, starts, to)| *of == t && *starts && *to == after);
            assert!(possible, "start {}: {after:?}\n{}", name(&t), what());
            now = after;
        } else if let (Some(place), true) = (net.tasks()[t].fails_to.first(), rng.chance(40)) {
            let failure = Failure::new("no", "no").for_good();
            world
                .flows
                .fail(&held.remove(&t).unwrap(), &failure)
                .unwrap();
            now = failed(t, &now, *place);
            tally.failures += 1;
        } else {
            let chosen = rng.pick(&choices(&net, t)).clone();
            let mut result = Value::object();
            for (place, _) in &chosen {
                let place = net.places()[*place].name.as_str();
                result.insert(place, Value::from(true)).unwrap();
            }
            let token = held.remove(&t).unwrap();
            world.flows.complete(&token, &result).unwrap();
            now = completed(&net, t, &now, &chosen);
        }
    }
    true
}

#[test]
fn the_engine_does_what_the_model_does() {
    let mut tally = Tally::default();
    for seed in 0..700 {
        tally.nets += usize::from(play(seed, &mut tally));
    }
    let Tally {
        nets,
        events,
        or_joins,
        stuck,
        failures,
    } = tally;
    assert!(
        nets > 100 && events > 700 && or_joins > 100 && stuck > 5 && failures > 20,
        "{nets} nets, {events} events, {or_joins} or-joins enabled, {stuck} stuck, {failures} failed"
    );
}
