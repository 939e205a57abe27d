//! `value diff`: what differs between two values.

use anstyle::Style;
use statewright::Value;
use statewright::value::{Change, ValueRef, changes, diff as patch_between, merge_diff};

use super::args::Diff;
use super::sink::Sink;
use super::source::{Source, one_stdin};
use crate::console::{BAD, BOLD, GOOD};
use crate::exit::{Exit, Failure, Result};

/// Longer values are cut in the text for people.
const LONG: usize = 2_000;

pub fn diff(options: &Diff) -> Result<Exit> {
    let sources = [
        Source::of(Some(&options.before)),
        Source::of(Some(&options.after)),
    ];
    let [first, second] = &sources;
    one_stdin(&[first, second])?;
    let before = first.value(&options.reading)?;
    let after = second.value(&options.reading)?;
    let differ = before != after;
    if !options.quiet {
        let mut sink = Sink::open(options.output.as_deref(), &[first, second])?;
        let (before, after) = (before.by_ref(), after.by_ref());
        if options.text {
            sink.write(&for_people(before, after, sink.colours))?;
        } else {
            let mut json = for_programs(before, after, options)?;
            json.push(b'\n');
            sink.json(&json)?;
        }
        sink.commit()?;
    }
    Ok(if differ { Exit::No } else { Exit::Done })
}

fn for_programs(before: ValueRef<'_>, after: ValueRef<'_>, options: &Diff) -> Result<Vec<u8>> {
    let typed = |value: Value| {
        if options.reading.typed {
            value.to_typed()
        } else {
            value
        }
    };
    let mut json = Vec::new();
    if options.merge {
        let patch = merge_diff(before, after).ok_or_else(|| {
            let message = "a merge patch cannot set a member to null, which is what differs here; leave out --merge";
            Failure::new(Exit::Usage, 205, message)
        })?;
        let patch = typed(patch);
        match options.compact {
            true => patch.write_json(&mut json),
            false => json.extend(patch.to_json_pretty().bytes()),
        }
        return Ok(json);
    }
    let patch = typed(patch_between(before, after).to_value());
    if options.compact || patch.is_empty() {
        patch.write_json(&mut json);
        return Ok(json);
    }
    // An operation a line.
    for (at, op) in patch.by_ref().items().enumerate() {
        json.extend_from_slice(if at == 0 { b"[\n  " } else { b",\n  " });
        op.write_json(&mut json);
    }
    json.extend_from_slice(b"\n]");
    Ok(json)
}

/// `- .place: value` for what has gone, `+ .place: value` for what has come, both for what has changed.
fn for_people(before: ValueRef<'_>, after: ValueRef<'_>, colours: bool) -> Vec<u8> {
    let mut text = String::new();
    for Change {
        path,
        before,
        after,
        ..
    } in changes(before, after)
    {
        let place = path.to_string();
        for (sign, style, value) in [('-', BAD, before), ('+', GOOD, after)] {
            if let Some(value) = value {
                push_line(
                    &mut text,
                    sign,
                    if colours { style } else { Style::new() },
                    &place,
                    &value,
                    colours,
                );
            }
        }
    }
    text.into_bytes()
}

fn push_line(
    text: &mut String,
    sign: char,
    style: Style,
    place: &str,
    value: &Value,
    colours: bool,
) {
    let json = value.to_typed_json();
    let mut shown: String = json.chars().take(LONG).collect();
    if shown.len() < json.len() {
        shown.push_str(&format!("… ({} bytes)", json.len()));
    }
    let bold = if colours { BOLD } else { Style::new() };
    text.push_str(&format!(
        "{style}{sign}{style:#} {bold}{place}{bold:#}: {style}{shown}{style:#}\n"
    ));
}
