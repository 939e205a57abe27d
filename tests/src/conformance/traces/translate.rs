//! From a definition of the public traces to a flow of this project. What every element means is in the data's
//! `index.json`; every element becomes a task for a host, so that the trace can be played.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::super::read;
use super::xml::{Element, parse};

/// A definition as a flow.
pub struct Translated {
    pub spec: String,
    /// The tasks that run another flow: they complete by themselves.
    pub calls: BTreeSet<String>,
    /// The task whose completion is to cancel the case.
    pub cancels_case: Option<String>,
}

/// An edge out: to what, how many tokens, on what condition.
struct Out {
    to: String,
    tokens: u64,
    when: Option<String>,
}

struct Task<'a> {
    name: String,
    of: &'a Element,
    split: &'static str,
    next: Vec<Out>,
}

/// Reads a definition and translates it; `name` is the flow's.
pub fn translate(path: &Path, name: &str) -> Result<Translated> {
    let text = String::from_utf8(read(path)?)?;
    let root = parse(&text)?;
    let tasks = tasks(&root)?;
    let mut flow = Translated {
        spec: format!("name: {name}\nversion: 1\nstart: Start\n"),
        calls: BTreeSet::new(),
        cancels_case: None,
    };
    let mut flows = String::new();
    let body = body(&tasks, path, name, &mut flow, &mut flows)?;
    flow.spec.push_str(&body);
    if !flows.is_empty() {
        let _ = write!(flow.spec, "flows:\n{flows}");
    }
    Ok(flow)
}

/// The tasks of a definition with their edges; parts of names that the flow language has no room for are left as
/// they are.
fn tasks(root: &Element) -> Result<Vec<Task<'_>>> {
    let mut tasks = Vec::new();
    for of in &root.children {
        let name = match of.tag.as_str() {
            "description" => continue,
            "start-task" => "Start",
            _ => of.attribute("name").context("an element without a name")?,
        };
        let tokens = match of.tag.as_str() {
            "multi-instance" | "thread-split" => times(of)?,
            _ => 1,
        };
        let mut next: Vec<Out> = Vec::new();
        for child in &of.children {
            match child.tag.as_str() {
                "successor" => next.push(out(&child.text, tokens, None)),
                "conditional-successor" => {
                    let [condition, successor] = child.children.as_slice() else {
                        bail!("{name} has a strange condition");
                    };
                    next.push(out(&successor.text, tokens, Some(when(condition)?)));
                }
                _ => {}
            }
        }
        let defaults = of.named("default-successor");
        next.extend(defaults.map(|d| out(&d.text, tokens, None)));
        let split = match of.tag.as_str() {
            "exclusive-choice" => "xor",
            "multi-choice" => "or",
            _ => "and",
        };
        if split == "or" {
            for edge in &mut next {
                edge.when.get_or_insert_with(|| "true".to_owned());
            }
        }
        if of.tag == "thread-split" {
            let starts = std::mem::take(&mut next);
            next.push(out("ThreadStart", tokens, None));
            let starts = starts.into_iter().map(|o| Out { tokens: 1, ..o });
            tasks.push(Task {
                name: "ThreadStart".to_owned(),
                of,
                split: "and",
                next: starts.collect(),
            });
        }
        tasks.push(Task {
            name: name.to_owned(),
            of,
            split,
            next,
        });
    }
    Ok(tasks)
}

fn out(to: &str, tokens: u64, when: Option<String>) -> Out {
    let to = if to == "end" { "End" } else { to };
    Out {
        to: to.to_owned(),
        tokens,
        when,
    }
}

fn times(of: &Element) -> Result<u64> {
    match (of.attribute("times"), of.attribute("times-field")) {
        (Some(times), _) => Ok(times.parse()?),
        (None, Some("two")) => Ok(2),
        (None, Some("three")) => Ok(3),
        _ => Ok(1),
    }
}

/// A condition as jq.
fn when(of: &Element) -> Result<String> {
    let side = |side: &str| -> Result<String> {
        if let Some(value) = of.attribute(&format!("{side}-value")) {
            return Ok(match value.parse::<i64>() {
                Ok(number) => number.to_string(),
                Err(_) => format!("\"{value}\""),
            });
        }
        let field = of.attribute(&format!("{side}-field"));
        Ok(match field.context("a condition without a side")? {
            "test_attribute1" => "\"false\"".to_owned(),
            "test_attribute2" => "\"true\"".to_owned(),
            field => format!(".{field}"),
        })
    };
    let (left, right) = (side("left")?, side("right")?);
    match of.tag.as_str() {
        "equals" => Ok(format!("{left} == {right}")),
        "not-equals" => Ok(format!("{left} != {right}")),
        other => bail!("there is no condition {other}"),
    }
}

/// The tasks and places of a flow, as text.
fn body(
    tasks: &[Task<'_>],
    path: &Path,
    name: &str,
    flow: &mut Translated,
    flows: &mut String,
) -> Result<String> {
    let mut text = String::from("tasks:\n");
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut sources: BTreeMap<&str, Vec<&Task<'_>>> = BTreeMap::new();
    for task in tasks {
        for edge in &task.next {
            sources.entry(&edge.to).or_default().push(task);
        }
    }
    let of_tag = |tag: &str| -> BTreeSet<&str> {
        let tasks = tasks.iter().filter(|t| t.of.tag == tag);
        tasks.map(|t| t.name.as_str()).collect()
    };
    let acquires = of_tag("acquire-mutex");
    for task in tasks {
        let from = sources.get(task.name.as_str());
        if from.is_none() && task.name != "Start" {
            bail!("nothing leads to {}", task.name);
        }
        let mut edges: Vec<String> = Vec::new();
        for edge in &task.next {
            let to = match acquires.contains(edge.to.as_str()) {
                true => format!("in_{}", edge.to),
                false => edge.to.clone(),
            };
            let when = edge.when.as_ref();
            let when = when.map_or(String::new(), |w| format!(", when: '{w}'"));
            edges.push(format!("{{ to: {to}, tokens: {}{when} }}", edge.tokens));
        }
        let gated = tasks
            .iter()
            .any(|t| t.of.tag == "gate" && t.of.attribute("context") == Some(task.name.as_str()));
        if gated {
            let done = format!("done_{}", task.name);
            edges.push(format!("{{ to: {done}, tokens: 1 }}"));
            places.insert(done, "{}".to_owned());
        }
        let _ = writeln!(text, "  {}:", task.name);
        let from = from.map_or(&[][..], Vec::as_slice);
        element(
            task,
            tasks,
            from,
            path,
            name,
            flow,
            flows,
            &mut text,
            &mut edges,
            &mut places,
        )?;
        let _ = writeln!(text, "    split: {}", task.split);
        if !edges.is_empty() {
            let _ = writeln!(text, "    next: [{}]", edges.join(", "));
        }
    }
    if sources.contains_key("End") {
        let _ = writeln!(text, "  End: {{ kind: host, join: xor }}");
    }
    if !places.is_empty() {
        text.push_str("places:\n");
        for (place, of) in places {
            let _ = writeln!(text, "  {place}: {of}");
        }
    }
    Ok(text)
}

/// What an element does beside its edges.
#[expect(clippy::too_many_arguments, reason = "the parts of one text")]
fn element(
    task: &Task<'_>,
    tasks: &[Task<'_>],
    from: &[&Task<'_>],
    path: &Path,
    name: &str,
    flow: &mut Translated,
    flows: &mut String,
    text: &mut String,
    edges: &mut Vec<String>,
    places: &mut BTreeMap<String, String>,
) -> Result<()> {
    let own = &task.name;
    let mut join = "xor".to_owned();
    let mut kind = format!(
        "    kind: host\n    output: '($data.{own}_reached // $data.input.{own}_reached // 0) + 1'\n    \
         into: .{own}_reached\n"
    );
    match task.of.tag.as_str() {
        "join" => join = join_of(task, tasks, from, text)?,
        "thread-merge" => {
            let split = context(task, tasks)?;
            let from = from.first().context("a merge of nothing")?;
            let _ = writeln!(text, "    takes: {{ {}: {} }}", from.name, times(split.of)?);
        }
        "gate" => {
            let context = task.of.attribute("context").unwrap_or_default();
            let _ = writeln!(text, "    tests: [done_{context}]");
        }
        "cancel-task" => {
            let mut region = Vec::new();
            for cancel in task.of.named("cancel") {
                region.push(cancel.text.clone());
                let before = tasks
                    .iter()
                    .filter(|t| t.next.iter().any(|e| e.to == cancel.text));
                region.extend(before.map(|t| format!("'{}>{}'", t.name, cancel.text)));
            }
            let _ = writeln!(text, "    cancels: [{}]", region.join(", "));
        }
        "cancel" if task.of.attribute("success") == Some("1") => {
            text.push_str("    terminate: true\n");
        }
        "cancel" => flow.cancels_case = Some(own.clone()),
        "acquire-mutex" => {
            let mutex = task.of.attribute("mutex").unwrap_or_default();
            join = "and".to_owned();
            places.insert(format!("in_{own}"), format!("{{ next: [{own}] }}"));
            let wants = tasks
                .iter()
                .filter(|t| t.of.tag == "acquire-mutex" && t.of.attribute("mutex") == Some(mutex));
            let wants: Vec<&str> = wants.map(|t| t.name.as_str()).collect();
            let place = format!("{{ tokens: 1, next: [{}] }}", wants.join(", "));
            places.insert(mutex.to_owned(), place);
        }
        "release-mutex" => {
            let mutex = task.of.attribute("mutex").unwrap_or_default();
            edges.push(format!("{{ to: {mutex}, tokens: 1 }}"));
        }
        "sub-workflow" => {
            let file = task.of.attribute("file").context("a flow without a file")?;
            let below = path.with_file_name(file);
            let called = match below == path {
                true => name.to_owned(),
                false => "below".to_owned(),
            };
            if below != path {
                let text = String::from_utf8(read(&below)?)?;
                let root = parse(&text)?;
                let inner = body(&self::tasks(&root)?, &below, "below", flow, flows)?;
                flows.push_str("  below:\n    start: Start\n");
                for line in inner.lines() {
                    let _ = writeln!(flows, "    {line}");
                }
            }
            flow.calls.insert(own.clone());
            let given = task.of.named("in").flat_map(|i| &i.children);
            let given: Vec<String> = given
                .filter_map(|a| Some((a.attribute("name")?, a.attribute("field")?)))
                .map(|(name, field)| format!("{name}: .{field}"))
                .collect();
            kind = format!(
                "    kind: flow\n    flow: {called}\n    input: '{{{}}}'\n",
                given.join(", ")
            );
        }
        "trigger" | "choose" => bail!(
            "a `{}` element acts on another element from inside the flow; here that is a call from outside",
            task.of.tag
        ),
        "task" | "start-task" | "exclusive-choice" | "multi-choice" | "multi-instance"
        | "thread-split" => {}
        other => bail!("there is no element {other}"),
    }
    text.push_str(&kind);
    let _ = writeln!(text, "    join: {join}");
    Ok(())
}

fn context<'t, 'a>(task: &Task<'_>, tasks: &'t [Task<'a>]) -> Result<&'t Task<'a>> {
    let context = task.of.attribute("context").context("no context")?;
    let found = tasks.iter().find(|t| t.name == context);
    found.with_context(|| format!("there is no {context}"))
}

fn join_of(
    task: &Task<'_>,
    tasks: &[Task<'_>],
    from: &[&Task<'_>],
    text: &mut String,
) -> Result<String> {
    let Some(of) = task.of.attribute("context") else {
        return Ok("and".to_owned());
    };
    let split = context(task, tasks)?;
    let Some(threshold) = task.of.attribute("threshold") else {
        if split.of.tag == "multi-instance" {
            let times = times(split.of)?;
            let takes: Vec<String> = from
                .iter()
                .map(|t| format!("{}: {times}", t.name))
                .collect();
            let _ = writeln!(text, "    takes: {{ {} }}", takes.join(", "));
        }
        let all = matches!(split.of.tag.as_str(), "multi-instance" | "thread-split");
        return Ok(if all { "and" } else { "or" }.to_owned());
    };
    ensure!(
        split.of.tag != "multi-instance",
        "a threshold over the arrivals of instances is `threshold` of `many` here, without branches inside"
    );
    if task.of.attribute("cancel") != Some("1") {
        return Ok(format!("{{ of: {threshold}, reset: blocking }}"));
    }
    // All that is between the split and the join.
    let mut region: BTreeSet<String> = BTreeSet::new();
    let mut todo: Vec<&Task<'_>> = tasks.iter().filter(|t| t.name == of).collect();
    let mut seen = BTreeSet::new();
    while let Some(at) = todo.pop() {
        for edge in &at.next {
            region.insert(format!("'{}>{}'", at.name, edge.to));
            if edge.to != task.name && seen.insert(edge.to.clone()) {
                region.insert(edge.to.clone());
                todo.extend(tasks.iter().filter(|t| t.name == edge.to));
            }
        }
    }
    let region: Vec<String> = region.into_iter().collect();
    let _ = writeln!(text, "    cancels: [{}]", region.join(", "));
    Ok(format!("{{ of: {threshold}, reset: cancel }}"))
}
