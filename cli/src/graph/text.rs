//! A picture as text for other tools: DOT for Graphviz, and Mermaid.

use std::fmt::Write;

use super::picture::{Picture, Shape, State, Style};

/// The picture as a digraph in the DOT language.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph flow {\n  node [fontname=\"sans-serif\"];\n");
    let mut add = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    add(format!("  label={};", quoted(&title(picture))));
    for (index, node) in picture.nodes.iter().enumerate() {
        let mut label = node.name.clone();
        for extra in [
            node.line.as_str(),
            &mark(node.state, node.done),
            &tokens(node.tokens),
        ] {
            if !extra.is_empty() {
                label = format!("{label}\n{extra}");
            }
        }
        let shape = match (node.shape, node.many) {
            (Shape::Task, false) => "box style=rounded",
            (Shape::Task, true) => "box peripheries=2",
            (Shape::Place, _) => "circle",
            (Shape::Start, _) => "circle width=0.2 fixedsize=true",
        };
        let label = if node.shape == Shape::Start {
            quoted(&tokens(node.tokens))
        } else {
            quoted(&label)
        };
        add(format!("  n{index} [label={label} shape={shape}];"));
    }
    for edge in &picture.edges {
        let label = [edge.label.as_str(), &tokens(edge.tokens)].join(" ");
        let style = match edge.style {
            Style::Flow => "",
            Style::Error => " color=red",
            Style::Tested | Style::Undo => " style=dashed",
        };
        add(format!(
            "  n{} -> n{} [label={}{style}];",
            edge.from,
            edge.to,
            quoted(label.trim())
        ));
    }
    out.push_str("}\n");
    out
}

/// The picture as a Mermaid flowchart.
pub fn mermaid(picture: &Picture) -> String {
    let mut out = format!(
        "---\ntitle: \"{}\"\n---\nflowchart TD\n",
        coded(&title(picture))
    );
    for (index, node) in picture.nodes.iter().enumerate() {
        let mut label = coded(&node.name);
        for extra in [
            node.line.as_str(),
            &mark(node.state, node.done),
            &tokens(node.tokens),
        ] {
            if !extra.is_empty() {
                label = format!("{label}<br/>{}", coded(extra));
            }
        }
        // Writing to a string cannot fail.
        let _ = match (node.shape, node.many) {
            (Shape::Task, false) => writeln!(out, "  n{index}(\"{label}\")"),
            (Shape::Task, true) => writeln!(out, "  n{index}[[\"{label}\"]]"),
            _ => writeln!(out, "  n{index}((\"{label}\"))"),
        };
        if node.state != State::Idle {
            let _ = writeln!(out, "  class n{index} {}", node.state.name());
        }
    }
    for edge in &picture.edges {
        let label = [edge.label.as_str(), &tokens(edge.tokens)].join(" ");
        let arrow = match edge.style {
            Style::Flow => "-->",
            _ => "-.->",
        };
        let label = match label.trim() {
            "" => String::new(),
            label => format!("|\"{}\"|", coded(label)),
        };
        let _ = writeln!(out, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    if picture.case.is_some() {
        for (state, fill, stroke) in [
            (State::Done, "#dafbe1", "#1a7f37"),
            (State::Waiting, "#fff8c5", "#9a6700"),
            (State::Running, "#ddf4ff", "#0969da"),
            (State::Failed, "#ffebe9", "#cf222e"),
        ] {
            let _ = writeln!(
                out,
                "  classDef {} fill:{fill},stroke:{stroke}",
                state.name()
            );
        }
    }
    out
}

fn title(picture: &Picture) -> String {
    match &picture.case {
        Some(case) => format!("{}, {case}", picture.title),
        None => picture.title.clone(),
    }
}

fn mark(state: State, done: u64) -> String {
    match (state, done) {
        (State::Idle, _) => String::new(),
        (state, 0 | 1) => state.name().to_owned(),
        (state, times) => format!("{}, {times} times", state.name()),
    }
}

fn tokens(tokens: u32) -> String {
    match tokens {
        0 => String::new(),
        1 => "●".to_owned(),
        more => format!("● {more}"),
    }
}

/// A string of the DOT language.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text in quotes of Mermaid, which knows characters by their numbers.
fn coded(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            c if c.is_alphanumeric() || " .,_-·●×()".contains(c) => out.push(c),
            // Writing to a string cannot fail.
            c => drop(write!(out, "#{};", u32::from(c))),
        }
    }
    out
}
