//! The items of an array: where each ends is found by strings, escapes and nesting alone; whether it is a
//! value is the parser's business.

use std::io::Read;

use super::source::Source;
use super::{Bound, Next};
use crate::{Error, Result};

#[derive(Debug, Default)]
pub(super) struct Array {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Before,
    /// After the bracket: an item or the end.
    First,
    /// After a comma.
    Item,
    /// After an item.
    Behind,
    End,
}

impl Array {
    /// Finds the next item. What is before it is used up.
    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>, bound: Bound) -> Result<Next> {
        loop {
            let byte = skip_whitespace(source)?;
            self.state = match (self.state, byte) {
                (State::Before, Some(b'[')) => State::First,
                (State::Before, _) => return wrong("expected an array", byte),
                (State::First, Some(b']')) | (State::Behind, Some(b']')) => State::End,
                (State::Behind, Some(b',')) => State::Item,
                (State::Behind, _) => return wrong("expected `,` or `]`", byte),
                (State::End, None) => return Ok(Next::End),
                (State::End, Some(_)) => return wrong("expected nothing after the array", byte),
                (State::First | State::Item, None | Some(b',' | b']' | b'}' | b':')) => {
                    return wrong("expected a value", byte);
                }
                (State::First | State::Item, Some(_)) => {
                    self.state = State::Behind;
                    return item(source, bound);
                }
            };
            source.consume(1);
        }
    }
}

/// The first byte that is no whitespace, which stays.
fn skip_whitespace<R: Read>(source: &mut Source<R>) -> Result<Option<u8>> {
    loop {
        let window = source.window();
        let is_other = |byte: &u8| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        match window.iter().position(is_other) {
            Some(at) => {
                source.consume(at);
                return Ok(source.window().first().copied());
            }
            None => source.consume(window.len()),
        }
        if !source.fill()? {
            return Ok(None);
        }
    }
}

/// Fails at the next byte.
fn wrong(reason: &'static str, found: Option<u8>) -> Result<Next> {
    let found = match found {
        Some(byte) if byte.is_ascii_graphic() => format!("`{}`", char::from(byte)),
        Some(byte) => format!("the byte {byte:#04x}"),
        None => "the end".to_owned(),
    };
    Err(Error::InvalidJson {
        line: 1,
        column: 1,
        reason: format!("{reason} (found {found})").into(),
    })
}

/// The length of the item at the start. One that is too long is used up.
fn item<R: Read>(source: &mut Source<R>, bound: Bound) -> Result<Next> {
    let begin = source.place();
    let mut scan = Scan::default();
    let mut scanned = 0;
    let mut too_long = false;
    loop {
        let window = source.window();
        let end = scan.end(window.get(scanned..).unwrap_or_default());
        scanned += end.unwrap_or(window.len() - scanned);
        too_long |= scanned > bound.max;
        if too_long && !bound.pass_over {
            return Ok(Next::TooLong(begin));
        }
        match end {
            Some(_) if too_long => {
                source.consume(scanned);
                return Ok(Next::TooLong(begin));
            }
            Some(_) => return Ok(Next::Item(scanned)),
            None if too_long => {
                source.consume(scanned);
                scanned = 0;
            }
            None => {}
        }
        if !source.fill()? {
            source.consume(scanned);
            return wrong("the array does not end, nor does this item", None);
        }
    }
}

/// Looks for the end of an item, piece by piece.
#[derive(Debug, Default)]
struct Scan {
    in_string: bool,
    /// In a string, behind a backslash.
    escaped: bool,
    /// Open arrays and objects.
    depth: usize,
}

impl Scan {
    /// Where in the next piece the item ends, if it does.
    fn end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = piece.get(at..)
            && let Some(byte) = rest.first()
        {
            if self.in_string {
                at += self.string(rest);
                if !self.in_string && self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' | b',' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => {
                    return Some(at);
                }
                b']' | b'}' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Goes on in a string, up to behind its end or to the end of the piece. The number of bytes.
    fn string(&mut self, piece: &[u8]) -> usize {
        let mut at = 0;
        loop {
            if self.escaped && at < piece.len() {
                self.escaped = false;
                at += 1;
            }
            let rest = piece.get(at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(found) if rest.get(found) == Some(&b'"') => {
                    self.in_string = false;
                    return at + found + 1;
                }
                Some(found) => {
                    self.escaped = true;
                    at += found + 1;
                }
                None => return piece.len(),
            }
        }
    }
}
