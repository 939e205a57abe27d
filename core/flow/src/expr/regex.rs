//! Regular expressions, in time linear in the text (no back-references, no look-around).

use std::cell::RefCell;

use jaq_core::Cv;
use jaq_core::native::{bome, v};
use regex_lite::{Captures, Regex, RegexBuilder};
use statewright_value::Value;

use super::meter;
use super::natives::{Data, Filter};
use super::value::{Json, Result, fail};

/// Largest compiled expression, in bytes: bounds what `(a{1000}){1000}` can cost.
const COMPILED_BYTES: usize = 256 << 10;
/// Compiled expressions kept per thread: filters such as `map(test("…"))` ask for the same one again and again.
const KEPT: usize = 16;

thread_local! {
    static COMPILED: RefCell<Vec<((String, String), Regex)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn funs() -> Vec<Filter> {
    vec![
        ("matches", v(2), |cv| bome(run(cv, false, true))),
        ("split_matches", v(2), |cv| bome(run(cv, true, true))),
        ("split_", v(2), |cv| bome(run(cv, true, false))),
    ]
}

/// Gives, in order, the parts of the input that do not match (as strings) and the matches (as arrays of the whole
/// match and its groups), whichever is wanted.
fn run(mut cv: Cv<'_, Data>, between: bool, matches: bool) -> Result {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let (flags, pattern, text) = (flags.try_str()?, pattern.try_str()?, cv.1.try_str()?);
    meter::charge_text(text.len().saturating_mul(1 + pattern.len() / 16))?;
    let regex = compiled(pattern, flags)?;
    let mut out = Vec::new();
    let mut end = 0;
    let mut counter = Counter {
        text,
        byte: 0,
        chars: 0,
    };
    for captures in regex.captures_iter(text) {
        meter::charge(4)?;
        let Some(whole) = captures.get(0) else {
            continue;
        };
        if whole.is_empty() && flags.contains('n') {
            continue;
        }
        if between {
            out.push(Value::text(
                text.get(end..whole.start()).unwrap_or_default(),
            ));
            end = whole.end();
        }
        if matches {
            out.push(describe(&regex, &captures, &mut counter)?);
        }
        if !flags.contains('g') {
            break;
        }
    }
    if between {
        out.push(Value::text(text.get(end..).unwrap_or_default()));
    }
    Json::array(out)
}

fn compiled(pattern: &str, flags: &str) -> Result<Regex> {
    let key = (pattern.to_owned(), flags.to_owned());
    let kept = COMPILED.with_borrow(|kept| {
        kept.iter()
            .find(|(k, _)| *k == key)
            .map(|(_, regex)| regex.clone())
    });
    if let Some(regex) = kept {
        return Ok(regex);
    }
    meter::charge(100 + pattern.len() as u64)?;
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_BYTES);
    for flag in flags.chars() {
        match flag {
            'g' | 'n' => {}
            'i' => drop(builder.case_insensitive(true)),
            'x' => drop(builder.ignore_whitespace(true)),
            's' => drop(builder.dot_matches_new_line(true)),
            'm' => drop(builder.multi_line(true)),
            'p' => drop(builder.multi_line(true).dot_matches_new_line(true)),
            other => {
                return fail(format_args!(
                    "{other:?} is not a regular expression flag; there are g i m n p s x"
                ));
            }
        }
    }
    let regex = match builder.build() {
        Ok(regex) => regex,
        Err(error) => {
            return fail(format_args!(
                "{pattern:?} is not a regular expression: {error}"
            ));
        }
    };
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, regex.clone()));
    });
    Ok(regex)
}

/// Turns byte offsets into counts of code points; cheap because matches come in order.
struct Counter<'t> {
    text: &'t str,
    byte: usize,
    chars: usize,
}

impl Counter<'_> {
    fn chars_before(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.chars) = (0, 0);
        }
        self.chars += self
            .text
            .get(self.byte..byte)
            .map_or(0, |part| part.chars().count());
        self.byte = byte;
        self.chars
    }
}

fn describe(regex: &Regex, captures: &Captures<'_>, counter: &mut Counter<'_>) -> Result<Value> {
    let mut groups = Vec::new();
    for (at, (group, name)) in captures.iter().zip(regex.capture_names()).enumerate() {
        meter::charge(4)?;
        let mut fields = match group {
            Some(group) => {
                let offset = counter.chars_before(group.start());
                meter::charge_text(group.len())?;
                vec![
                    ("offset", Value::from(offset)),
                    ("length", Value::from(group.as_str().chars().count())),
                    ("string", Value::text(group.as_str())),
                ]
            }
            None => vec![
                ("offset", Value::from(-1)),
                ("length", Value::from(0)),
                ("string", Value::NULL),
            ],
        };
        if at > 0 {
            fields.push(("name", name.map(Value::text).unwrap_or_default()));
        }
        groups.push(fields.into_iter().collect());
    }
    Ok(Value::from(groups))
}
