//! A picture as SVG. Whatever a name or an expression contains is text: it is escaped, and what XML cannot have is
//! replaced.

use std::fmt::Write;

use super::layout::{Layout, Point, Size, layout};
use super::picture::{Edge, Node, Picture, Shape, State, Style};

const MARGIN: f64 = 24.0;
/// The height of the title, and of the legend if a case is shown.
const TITLE: f64 = 34.0;
const LEGEND: f64 = 30.0;
const TASK_HEIGHT: f64 = 46.0;
const PLACE: f64 = 30.0;
const START: f64 = 18.0;
/// Longer text is cut; all of it is in the tip.
const LONGEST_NAME: usize = 40;
const LONGEST_LABEL: usize = 32;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}.line,.label,.legend{\
font-size:11px;fill:#57606a}.label{paint-order:stroke;stroke:#fff;stroke-width:4px}.badge{font-size:10px;fill:#57606a}\
.node{fill:#fff;stroke:#57606a;stroke-width:1.4}.done{fill:#dafbe1;stroke:#1a7f37}.waiting{fill:#fff8c5;stroke:#9a6700}\
.running{fill:#ddf4ff;stroke:#0969da}.failed{fill:#ffebe9;stroke:#cf222e}.last{stroke-width:3.4}\
.edge{fill:none;stroke:#57606a;stroke-width:1.4}.tested,.undo{stroke-dasharray:5 4}.error{stroke:#cf222e}\
.undone{fill:#f6f8fa;stroke:#57606a}.token{fill:#1f2328;stroke:#fff}\
.count{font-size:10px;font-weight:600;fill:#fff}.mark{font-size:11px;font-weight:600}";

/// Draws a picture; none if it is too large to be laid out.
pub fn svg(picture: &Picture) -> Option<String> {
    let sizes: Vec<Size> = picture
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| size(picture, index, node))
        .collect();
    let edges: Vec<(usize, usize)> = picture.edges.iter().map(|e| (e.from, e.to)).collect();
    let of = layout(&sizes, &edges)?;
    let mut body = String::new();
    // Writing to a string cannot fail.
    let labels = draw_all(&mut body, picture, &of, &sizes).unwrap_or_default();
    let mut out = String::new();
    let _ = frame(&mut out, picture, &of, &body, &labels);
    Some(out)
}

fn heading(picture: &Picture) -> String {
    match &picture.case {
        Some(case) => format!("{} · {case}", picture.title),
        None => picture.title.clone(),
    }
}

fn size(picture: &Picture, index: usize, node: &Node) -> Size {
    let loops = picture
        .edges
        .iter()
        .any(|e| e.from == index && e.to == index);
    match node.shape {
        Shape::Task => {
            // Joins and splits stand beside the two lines, on the left; the balance keeps those in the middle.
            let name = width(&cut(&node.name, LONGEST_NAME), 7.6) + 2.0 * width(&node.join, 6.0);
            let line = width(&cut(&node.line, LONGEST_NAME), 6.4) + 2.0 * width(&node.split, 6.0);
            let inner = name.max(line) + 36.0;
            Size {
                width: inner.max(84.0) + if loops { 88.0 } else { 0.0 },
                height: TASK_HEIGHT,
                round: false,
            }
        }
        Shape::Place => Size {
            // The name stands beside it, on both sides of the balance.
            width: PLACE + 2.0 * (width(&cut(&node.name, LONGEST_NAME), 6.4) + 8.0),
            height: PLACE,
            round: true,
        },
        Shape::Start => Size {
            width: START,
            height: START,
            round: true,
        },
    }
}

/// Draws edges and nodes; gives what the labels cover.
fn draw_all(
    out: &mut String,
    picture: &Picture,
    of: &Layout,
    sizes: &[Size],
) -> Result<Vec<Area>, std::fmt::Error> {
    let mut taken = Vec::new();
    for (edge, points) in picture.edges.iter().zip(&of.edges) {
        match points.as_slice() {
            [] => own_loop(out, edge, of, sizes, &mut taken)?,
            points => line(out, edge, points, &mut taken)?,
        }
    }
    for ((node, at), size) in picture.nodes.iter().zip(&of.nodes).zip(sizes) {
        draw(out, node, *at, *size)?;
    }
    Ok(taken)
}

/// The whole image around what was drawn.
fn frame(
    out: &mut String,
    picture: &Picture,
    of: &Layout,
    body: &str,
    labels: &[Area],
) -> std::fmt::Result {
    let title = heading(picture);
    let left = labels.iter().map(|l| l.0).fold(0.0, f64::min);
    let right = labels.iter().map(|l| l.2).fold(of.width, f64::max);
    let legend = if picture.case.is_some() { LEGEND } else { 0.0 };
    let least = if picture.case.is_some() { 380.0 } else { 160.0 };
    let inner = (right - left).max(least).max(width(&title, 8.4));
    let (wide, high) = (
        inner + 2.0 * MARGIN,
        of.height + 2.0 * MARGIN + TITLE + legend,
    );
    let title = escaped(&title);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" \
         viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\">"
    )?;
    writeln!(out, "<title>{title}</title>")?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(
        out,
        "<defs><marker id=\"to\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 1 10 5 0 9z\" fill=\"#57606a\"/></marker></defs>"
    )?;
    writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")?;
    writeln!(
        out,
        "<text class=\"title\" x=\"{MARGIN:.0}\" y=\"{:.0}\">{title}</text>",
        MARGIN + 8.0
    )?;
    let indent = (inner - (right - left)) / 2.0 - left;
    let (x, y) = (MARGIN + indent, MARGIN + TITLE);
    writeln!(out, "<g transform=\"translate({x:.1} {y:.1})\">")?;
    out.push_str(body);
    writeln!(out, "</g>")?;
    if picture.case.is_some() {
        let marks = [State::Done, State::Running, State::Waiting, State::Failed];
        let marks = marks.map(|s| format!("{} {}", s.mark(), s.name()));
        writeln!(
            out,
            "<text class=\"legend\" x=\"{MARGIN:.0}\" y=\"{:.0}\">{} · ● token</text>",
            high - MARGIN,
            marks.join(" · ")
        )?;
    }
    writeln!(out, "</svg>")
}

fn line(
    out: &mut String,
    edge: &Edge,
    points: &[Point],
    taken: &mut Vec<Area>,
) -> std::fmt::Result {
    let mut path = String::new();
    let mut previous: Option<Point> = None;
    for &(x, y) in points {
        match previous {
            None => write!(path, "M{x:.1} {y:.1}")?,
            Some((px, _)) if (px - x).abs() < 0.05 => write!(path, "L{x:.1} {y:.1}")?,
            Some((px, py)) => {
                let middle = (py + y) / 2.0;
                write!(
                    path,
                    "C{px:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}"
                )?;
            }
        }
        previous = Some((x, y));
    }
    curve(out, edge, &path)?;
    let (Some(from), Some(to)) = (points.first(), points.get(1)) else {
        return Ok(());
    };
    // On the first stretch, which is an S from one to the other.
    let on = |part: f64| {
        let eased = part * part * (3.0 - 2.0 * part);
        (
            from.0 + (to.0 - from.0) * eased,
            from.1 + (to.1 - from.1) * part,
        )
    };
    // Near the end the edges are apart; where labels would cover each other all the same, they move along.
    let places = [0.55, 0.35, 0.75, 0.2, 0.9].map(on);
    let free = |at: &Point| !taken.iter().any(|other| overlap(area(edge, *at), *other));
    let at = places.iter().copied().find(free).unwrap_or(on(0.55));
    if !edge.label.is_empty() {
        taken.push(area(edge, at));
    }
    label(out, edge, at)?;
    let tokens_at = if edge.label.is_empty() { 0.5 } else { 0.8 };
    tokens(out, edge.tokens, on(tokens_at))
}

/// Left, top, right, bottom.
type Area = (f64, f64, f64, f64);

/// What an edge's label covers.
fn area(edge: &Edge, (x, y): Point) -> Area {
    let half = width(&cut(&edge.label, LONGEST_LABEL), 6.4) / 2.0;
    (x - half, y - 8.0, x + half, y + 8.0)
}

fn overlap(a: Area, b: Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

fn own_loop(
    out: &mut String,
    edge: &Edge,
    of: &Layout,
    sizes: &[Size],
    taken: &mut Vec<Area>,
) -> std::fmt::Result {
    let (Some((x, y)), Some(size)) = (of.nodes.get(edge.from), sizes.get(edge.from)) else {
        return Ok(());
    };
    let side = x + size.width / 2.0 - 44.0;
    let path = format!(
        "M{side:.1} {0:.1}C{1:.1} {2:.1} {1:.1} {3:.1} {side:.1} {4:.1}",
        y - 9.0,
        side + 46.0,
        y - 30.0,
        y + 30.0,
        y + 9.0
    );
    curve(out, edge, &path)?;
    if !edge.label.is_empty() {
        taken.push(area(edge, (side + 30.0, y - 26.0)));
    }
    label(out, edge, (side + 30.0, y - 26.0))?;
    tokens(out, edge.tokens, (side + 34.0, *y))
}

fn curve(out: &mut String, edge: &Edge, path: &str) -> std::fmt::Result {
    let class = match edge.style {
        Style::Flow => "edge".to_owned(),
        style => format!("edge {}", style.name()),
    };
    writeln!(
        out,
        "<path class=\"{class}\" marker-end=\"url(#to)\" d=\"{path}\"/>"
    )
}

fn label(out: &mut String, edge: &Edge, (x, y): Point) -> std::fmt::Result {
    if edge.label.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<text class=\"label\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\"><title>{}</title>{}</text>",
        y + 4.0,
        escaped(&edge.label),
        escaped(&cut(&edge.label, LONGEST_LABEL))
    )
}

fn tokens(out: &mut String, tokens: u32, (x, y): Point) -> std::fmt::Result {
    match tokens {
        0 => Ok(()),
        1 => writeln!(
            out,
            "<circle class=\"token\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>"
        ),
        more => writeln!(
            out,
            "<circle class=\"token\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/><text class=\"count\" text-anchor=\"middle\" \
             x=\"{x:.1}\" y=\"{:.1}\">{more}</text>",
            y + 3.5
        ),
    }
}

fn draw(out: &mut String, node: &Node, (x, y): Point, size: Size) -> std::fmt::Result {
    writeln!(out, "<g><title>{}</title>", escaped(&node.hint.join("\n")))?;
    match node.shape {
        Shape::Task => task(out, node, (x, y), size)?,
        Shape::Place => {
            writeln!(
                out,
                "<circle class=\"node\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.0}\"/>",
                PLACE / 2.0
            )?;
            let name = escaped(&cut(&node.name, LONGEST_NAME));
            writeln!(
                out,
                "<text class=\"line\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                x + PLACE / 2.0 + 6.0,
                y + 4.0
            )?;
            tokens(out, node.tokens, (x, y))?;
        }
        Shape::Start => {
            writeln!(
                out,
                "<circle class=\"node\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.0}\"/>",
                START / 2.0
            )?;
            tokens(out, node.tokens, (x, y))?;
        }
    }
    writeln!(out, "</g>")
}

fn task(out: &mut String, node: &Node, (x, y): Point, size: Size) -> std::fmt::Result {
    let loops = size.width - width_without_loop(node);
    let wide = size.width - loops;
    let (left, top) = (x - wide / 2.0, y - size.height / 2.0);
    let class = match (node.state, node.terminate) {
        (State::Idle, false) => "node".to_owned(),
        (State::Idle, true) => "node last".to_owned(),
        (state, false) => format!("node {}", state.name()),
        (state, true) => format!("node {} last", state.name()),
    };
    let rect = |out: &mut String, by: f64| {
        writeln!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{:.0}\" rx=\"8\"/>",
            left + by,
            top - by,
            size.height
        )
    };
    if node.many {
        rect(out, 5.0)?;
    }
    rect(out, 0.0)?;
    let name = escaped(&cut(&node.name, LONGEST_NAME));
    let first = if node.line.is_empty() {
        y + 4.5
    } else {
        y - 2.0
    };
    writeln!(
        out,
        "<text text-anchor=\"middle\" x=\"{x:.1}\" y=\"{first:.1}\">{name}</text>"
    )?;
    if !node.line.is_empty() {
        let line = escaped(&cut(&node.line, LONGEST_NAME));
        writeln!(
            out,
            "<text class=\"line\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{line}</text>",
            y + 14.0
        )?;
    }
    for (text, at) in [
        (&node.join, top + 11.0),
        (&node.split, top + size.height - 4.0),
    ] {
        if !text.is_empty() {
            let text = escaped(text);
            writeln!(
                out,
                "<text class=\"badge\" x=\"{:.1}\" y=\"{at:.1}\">{text}</text>",
                left + 6.0
            )?;
        }
    }
    if node.state != State::Idle {
        let times = match node.done {
            0 | 1 => String::new(),
            times => times.to_string(),
        };
        writeln!(
            out,
            "<text class=\"mark\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}{times}</text>",
            left + wide - 6.0,
            top + 13.0,
            node.state.mark()
        )?;
    }
    Ok(())
}

fn width_without_loop(node: &Node) -> f64 {
    size(&Picture::default(), 0, node).width
}

/// How wide text is, roughly: no font is at hand. Scripts from Hangul on are wider.
fn width(text: &str, each: f64) -> f64 {
    let wide = |c: char| if c >= '\u{1100}' { each * 1.8 } else { each };
    text.chars().map(wide).sum()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(std::iter::once('…')).collect()
}

/// Text for content and attributes of XML 1.0.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // The rest of the control characters, and what is no character, cannot be in XML.
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        let hostile = "</text><script>alert('1')</script>&\u{0}\u{1b}\u{FFFE}\"";
        let safe = escaped(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}', '\u{1b}', '\u{FFFE}']));
        assert_eq!(escaped("a < b && c"), "a &lt; b &amp;&amp; c");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
