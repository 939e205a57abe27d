//! The public traces of control-flow patterns: each definition is translated to a flow, and the flow is led along the
//! trace. Every task of it must be possible when its turn comes, and at the end nothing may be left to do.

mod translate;
mod xml;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use statewright_flow::testing::{Failed, FlowTest, Plan};

use super::{Report, Suite, member, read, read_json, text};
use translate::{Translated, translate};

/// The traces that another engine's own tests demand.
pub const SUITE: Suite = Suite {
    name: "workflow-patterns",
    about: "a definition and a trace for 32 of the control-flow patterns (sartography/SpiffWorkflow)",
    judged: "the definition is translated to a flow of tasks for hosts, and these are started and completed in the \
             order of the trace: each must be offered when its turn comes, and nothing may be left at the end. Where \
             the other engine's reading is not the pattern's published definition, the definition wins: those are \
             skipped, and must indeed differ",
    cases: 33,
    run,
};

/// Where the reading of the other engine, or what its elements can say, is another one.
const DIFFERENCES: &[(&str, &str)] = &[
    ("cancel_task", NOT_YET),
    ("cancel_region", NOT_YET),
    (
        "blocking_discriminator",
        "in the source each round of the split has a join of its own; by the definition a second token on a branch is \
         held until all active branches of the round before have arrived",
    ),
    ("deferred_choice", FROM_INSIDE),
    ("transient_trigger", FROM_INSIDE),
    ("persistent_trigger", FROM_INSIDE),
    ("complete_multiple_instance_activity", ARRIVALS),
    ("static_partial_join_for_multi_instance", ARRIVALS),
    ("cancelling_partial_join_for_multi_instance", ARRIVALS),
];

const NOT_YET: &str = "in the source a task that has not been reached yet is cancelled for good; by the definition \
                       cancelling what is neither enabled nor running does nothing";
const FROM_INSIDE: &str = "in the source a task of the flow makes the choice, or sends the signal, for another task \
                           of it; by the definition it comes from the environment";
const ARRIVALS: &str = "in the source a task of the flow adds an instance or ends the join, and arrivals of branches \
                        inside the instances are counted; by the definition instances of one task are";

fn run(data: &Path, report: &mut Report) -> Result<()> {
    let folder = data.join("workflow-patterns");
    let index = read_json(&folder.join("index.json"))?;
    for case in member(index.by_ref(), "cases")?.items() {
        let definition = text(case, "definition")?;
        let trace = String::from_utf8(read(&folder.join(text(case, "trace")?))?)?;
        let name = definition.trim_end_matches(".xml");
        let played =
            translate(&folder.join(definition), "flow").and_then(|flow| play(&flow, &trace));
        let known = DIFFERENCES.iter().find(|(of, _)| *of == name);
        match (played, known) {
            (Ok(()), None) => report.case(name, Ok(())),
            (Err(_), Some((_, why))) => report.skip(name, *why),
            (Err(why), None) => report.case(name, Err(format!("{why:#}"))),
            (Ok(()), Some(_)) => {
                report.case(name, Err("it was to differ, but does not".to_owned()));
            }
        }
    }
    Ok(())
}

fn play(flow: &Translated, trace: &str) -> Result<()> {
    let tasks: Vec<&str> = trace
        .lines()
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .collect();
    let mut test = FlowTest::new("the trace", &flow.spec);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for task in &tasks {
        *counts.entry(task).or_default() += 1;
        if !flow.calls.contains(*task) {
            test = test.step(&format!("do {task}"));
        }
        if flow.cancels_case.as_deref() == Some(*task) {
            test = test.step("cancel-case");
        }
    }
    // Nothing is left, and nothing else was done.
    test = test.step("offered");
    for (task, times) in counts {
        test = test.count(task, times);
    }
    let all = tasks.len() as u64;
    test = test.check(move |view| match view.done.values().sum::<u64>() {
        done if done == all => Ok(()),
        _ => Err(format!("completed: {:?}", view.done)),
    });
    let failed = |why: Box<Failed>| anyhow::anyhow!("{why}");
    test.run(&Plan::default()).map_err(failed)?;
    Ok(())
}
