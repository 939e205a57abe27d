//! Lines, each a JSON value. A JSON text has no line end inside unless between tokens, so lines need no scanning.

use std::io::Read;

use super::source::Source;
use super::{Bound, Next};
use crate::Result;

#[derive(Debug)]
pub(super) struct Ndjson;

impl Ndjson {
    /// Finds the next line that is not blank.
    pub(super) fn next<R: Read>(&mut self, source: &mut Source<R>, bound: Bound) -> Result<Next> {
        loop {
            let Some((len, ended)) = line(source, bound.max)? else {
                let begin = source.place();
                if bound.pass_over {
                    pass_over(source)?;
                }
                return Ok(Next::TooLong(begin));
            };
            let line = source.unread(len);
            let blank = line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
            if !blank {
                // The `\r` of the line's end counts for no limit; what it leaves is a blank line.
                return Ok(Next::Item(line.strip_suffix(b"\r").unwrap_or(line).len()));
            }
            // With its line end.
            source.consume(len + 1);
            if ended {
                return Ok(Next::End);
            }
        }
    }
}

/// The length of the line at the start, without its end, and whether it is the last. None if it is too long,
/// whether its end is in sight or not.
fn line<R: Read>(source: &mut Source<R>, max: usize) -> Result<Option<(usize, bool)>> {
    // One more, for the `\r` of the line's end.
    let max = max.saturating_add(1);
    let mut searched = 0;
    loop {
        let window = source.window();
        let rest = window.get(searched..).unwrap_or_default();
        if let Some(at) = memchr::memchr(b'\n', rest) {
            let len = searched + at;
            return Ok((len <= max).then_some((len, false)));
        }
        searched = window.len();
        if searched > max {
            return Ok(None);
        }
        if !source.fill()? {
            return Ok(Some((searched, true)));
        }
    }
}

/// Uses up the line at the start without holding it.
fn pass_over<R: Read>(source: &mut Source<R>) -> Result<()> {
    loop {
        let window = source.window();
        match memchr::memchr(b'\n', window) {
            Some(at) => {
                source.consume(at);
                return Ok(());
            }
            None => source.consume(window.len()),
        }
        if !source.fill()? {
            return Ok(());
        }
    }
}
