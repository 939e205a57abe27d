//! Running a flow: by a script, in one order, or in a random one; and judging what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use statewright_flow::{Delivery, EventKind, parse_duration};
use statewright_value::Value;

use super::data::Expected;
use super::world::{CASE, World};

/// More events than any of the cases has.
const EVENTS_MOST: usize = 5_000;

/// What came of a run: where runs in the same order, with and without power cuts, must agree.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub status: String,
    pub tokens: Vec<String>,
    pub trace: Vec<String>,
    pub result: Option<Value>,
}

/// Runs the script of a case.
pub fn script(spec: &str, case: &Expected, power_cuts: bool) -> Result<Outcome> {
    let mut world = World::start(spec, &case.input, &case.results, power_cuts)?;
    world.settle()?;
    for (number, line) in case.script.iter().enumerate() {
        let at = || format!("step {}: {line}", number + 1);
        step(&mut world, line).with_context(at)?;
        world.settle().with_context(at)?;
    }
    outcome(&world)
}

/// One step of a script.
fn step(world: &mut World, line: &str) -> Result<()> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "offered" => same(&world.offered()?, rest),
        "marking" => same(&world.tokens()?, rest),
        "status" => {
            let status = world.status()?;
            ensure!(status == rest, "it is {status}");
            Ok(())
        }
        "result" => {
            let result = world.flows().case(CASE)?.result.unwrap_or(Value::NULL);
            ensure!(result == Value::from_json(rest)?, "it is {result}");
            Ok(())
        }
        "start" => world.claim(rest),
        "do" => {
            world.claim(rest)?;
            world.settle()?;
            world.complete(rest)
        }
        "tick" => world.pass(parse_duration(rest).context("a duration")?),
        "refused" => {
            let refused = event(world, rest).err();
            let why = refused.context("it was not refused")?;
            // A refusal of the engine, not of this script.
            ensure!(why.is::<statewright_flow::Error>(), "{why:#}");
            Ok(())
        }
        "dropped" | "kept" => {
            let delivery = event(world, rest)?.context("it is no signal")?;
            let as_wanted = match delivery {
                Delivery::Dropped { .. } => word == "dropped",
                Delivery::Kept => word == "kept",
                _ => false,
            };
            ensure!(as_wanted, "it was {delivery:?}");
            Ok(())
        }
        _ => event(world, line).map(|_| ()),
    }
}

/// What comes from outside: results, signals, cancellations, instances.
fn event(world: &mut World, line: &str) -> Result<Option<Delivery>> {
    let mut words = line.split_whitespace();
    let (word, name) = (words.next(), words.next().unwrap_or_default());
    let value = words.next().map_or(Ok(Value::NULL), Value::from_json)?;
    match word {
        Some("complete") => world.complete(name)?,
        Some("cancel-case") => {
            world.cancel()?;
        }
        Some("cancel-task") => {
            world.event(|flows| Ok(flows.cancel_task(CASE, name)?))?;
        }
        Some("skip") => {
            let item = world.item(name)?;
            world.event(|flows| Ok(flows.skip(CASE, item, "")?))?;
        }
        Some("stop-case") => {
            world.event(|flows| Ok(flows.suspend(CASE)?))?;
        }
        Some("go-on") => {
            world.event(|flows| Ok(flows.resume(CASE)?))?;
        }
        Some("abort-case") => {
            world.event(|flows| Ok(flows.terminate(CASE, "asked for")?))?;
        }
        Some("force") => {
            world.event(|flows| Ok(flows.complete_task(CASE, name)?))?;
        }
        Some("add") => {
            let count = value.as_u64().context("how many")?;
            let items: Vec<Value> = (0..count).map(Value::from).collect();
            world.event(|flows| Ok(flows.add_instances(CASE, name, &items)?))?;
        }
        Some("signal") => {
            let (delivery, _) = world.event(|flows| Ok(flows.signal(CASE, name, &value)?))?;
            return Ok(Some(delivery));
        }
        _ => bail!("there is no such step"),
    }
    Ok(None)
}

fn same(found: &[String], expected: &str) -> Result<()> {
    let mut expected: Vec<&str> = expected.split_whitespace().collect();
    expected.sort_unstable();
    ensure!(found == expected, "it is {}", found.join(" "));
    Ok(())
}

/// One thing that can happen now.
enum Choice {
    Start(String),
    Complete(String),
    Advance,
    Outside,
    Pass(Duration),
}

/// Runs a case to its end; `choose` says which of so many possible events is next.
pub fn run(
    spec: &str,
    case: &Expected,
    power_cuts: bool,
    mut choose: impl FnMut(usize) -> usize,
) -> Result<Outcome> {
    let mut world = World::start(spec, &case.input, &case.results, power_cuts)?;
    let mut outside = case.outside.iter();
    let mut automatic = true;
    for _ in 0..EVENTS_MOST {
        let mut choices: Vec<Choice> = Vec::new();
        if automatic {
            choices.push(Choice::Advance);
        }
        let mut started = BTreeSet::new();
        for task in world.startable()? {
            if started.insert(task.clone()) {
                choices.push(Choice::Start(task));
            }
        }
        let held = world.held.iter().map(|h| h.task.clone());
        choices.extend(held.map(Choice::Complete));
        if !outside.as_slice().is_empty() {
            choices.push(Choice::Outside);
        }
        choices.extend(world.due()?.map(Choice::Pass));
        if choices.is_empty() {
            let outcome = outcome(&world)?;
            judge(&world, case, &outcome)
                .with_context(|| format!("after {}", outcome.trace.join(" ")))?;
            return Ok(outcome);
        }
        let at = choose(choices.len());
        automatic = true;
        match choices.swap_remove(at) {
            Choice::Start(task) => world.claim(&task)?,
            Choice::Advance => automatic = world.advance()?,
            Choice::Pass(time) => world.pass(time)?,
            // A result may come too late, and what comes from outside may find nobody: that is refused.
            Choice::Complete(task) => refusable(world.complete(&task))?,
            Choice::Outside => {
                if let Some(line) = outside.next() {
                    refusable(event(&mut world, line).map(|_| ()))?;
                }
            }
        }
    }
    bail!("it does not end")
}

fn refusable(done: Result<()>) -> Result<()> {
    match done {
        Err(why) if why.is::<statewright_flow::Error>() => Ok(()),
        done => done,
    }
}

fn outcome(world: &World) -> Result<Outcome> {
    Ok(Outcome {
        status: world.status()?,
        tokens: world.tokens()?,
        trace: world.trace()?,
        result: world.flows().case(CASE)?.result,
    })
}

/// Whether a run was as expected.
fn judge(world: &World, case: &Expected, outcome: &Outcome) -> Result<()> {
    ensure!(
        case.status.contains(&outcome.status),
        "it is {}",
        outcome.status
    );
    let trace = &outcome.trace;
    ensure!(
        case.traces.is_empty() || case.traces.contains(trace),
        "no such order was expected"
    );
    for (task, (from, to)) in &case.counts {
        let count = trace.iter().filter(|done| *done == task).count() as u64;
        ensure!(
            (*from..=*to).contains(&count),
            "{task} completed {count} times"
        );
    }
    for (first, second) in &case.before {
        let at = |task| trace.iter().position(|done| done == task);
        if let Some(second_at) = at(second) {
            let before = at(first).is_some_and(|at| at < second_at);
            ensure!(before, "{second} completed before {first}");
        }
    }
    let mut left: Vec<String> = Vec::new();
    for (place, tokens) in &case.marking {
        left.extend((0..*tokens).map(|_| place.clone()));
    }
    // Where a case may still wait, its tokens say only that.
    if outcome.status != "running" && outcome.status != "failed" {
        ensure!(outcome.tokens == left, "left: {}", outcome.tokens.join(" "));
    }
    if let Some(result) = &case.result {
        let found = outcome.result.clone().unwrap_or(Value::NULL);
        ensure!(found == *result, "the result is {found}");
    }
    if let Some(cases) = case.cases {
        ensure!(world.cases()? == cases, "{} cases", world.cases()?);
    }
    history(world, case)
}

/// Nothing completes twice, and what excludes each other never runs at the same time.
fn history(world: &World, case: &Expected) -> Result<()> {
    let mut done = BTreeSet::new();
    let mut active: BTreeMap<(String, u64), String> = BTreeMap::new();
    for event in world.history()? {
        let (Some(task), Some(item)) = (event.task, event.item) else {
            continue;
        };
        let key = (event.case.to_string(), item);
        match event.kind {
            EventKind::Started => {
                active.insert(key, task.to_string());
            }
            EventKind::Completed | EventKind::Cancelled | EventKind::Failed => {
                active.remove(&key);
                let twice = event.kind == EventKind::Completed && !done.insert(key);
                ensure!(!twice, "{task} completed twice");
            }
            _ => {}
        }
        for tasks in &case.exclusive {
            let now = active.values().filter(|task| tasks.contains(task));
            let now: Vec<&str> = now.map(String::as_str).collect();
            ensure!(now.len() < 2, "at the same time: {}", now.join(" "));
        }
    }
    Ok(())
}
