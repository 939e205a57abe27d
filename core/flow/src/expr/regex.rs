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

/// A pattern with its flags, and what it compiles to.
type Kept = ((String, String), (Regex, u64));

thread_local! {
    static COMPILED: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
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
    let (regex, weight) = compiled(pattern, flags)?;
    meter::charge((text.len() as u64).saturating_mul(weight.saturating_add(16)) / 256)?;
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

/// A compiled expression and its [`weight`].
fn compiled(pattern: &str, flags: &str) -> Result<(Regex, u64)> {
    let key = (pattern.to_owned(), flags.to_owned());
    let kept = COMPILED.with_borrow(|kept| {
        kept.iter()
            .find(|(k, _)| *k == key)
            .map(|(_, compiled)| compiled.clone())
    });
    if let Some(compiled) = kept {
        return Ok(compiled);
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
    let compiled = (regex, weight(pattern));
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, compiled.clone()));
    });
    Ok(compiled)
}

/// How many characters, roughly, an expression has with its counted repetitions written out: so many places in it may
/// have to be looked at for each character of a text.
fn weight(pattern: &str) -> u64 {
    // Of each open group: all but its last part, and that.
    let mut groups: Vec<(u64, u64)> = vec![(0, 0)];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let part = match c {
            '(' => {
                groups.push((0, 0));
                continue;
            }
            ')' => groups
                .pop()
                .map_or(0, |(sum, last)| sum.saturating_add(last)),
            '{' => {
                let counts: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let most = counts
                    .rsplit(',')
                    .find_map(|n| n.trim().parse::<u64>().ok());
                if let Some((_, last)) = groups.last_mut() {
                    *last = last.saturating_mul(most.unwrap_or(1).max(1));
                }
                continue;
            }
            '[' => {
                while let Some(c) = chars.next().filter(|c| *c != ']') {
                    if c == '\\' {
                        chars.next();
                    }
                }
                1
            }
            '\\' => chars.next().map_or(0, |_| 1),
            _ => 1,
        };
        if let Some((sum, last)) = groups.last_mut() {
            *sum = sum.saturating_add(*last);
            *last = part;
        }
    }
    groups.iter().fold(0, |all: u64, (sum, last)| {
        all.saturating_add(*sum).saturating_add(*last)
    })
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
