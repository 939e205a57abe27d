//! What is made of streams of values, beyond what every iterator has.

use std::io::Read;

use super::{Progress, Reader};
use crate::{Error, Result, Value, ValueRef};

/// What streams of values have beyond the methods of every iterator; for any iterator of `Result<Value>`.
///
/// The standard ones serve, too: `collect::<Result<Value>>()` makes an array of a stream,
/// `collect::<Result<Vec<_>>>()` a vector, and `take`, `skip`, `step_by` and `inspect` are what they are.
pub trait ValueStream: Iterator<Item = Result<Value>> + Sized {
    /// Every value by what `map` makes of it, which may fail. Errors pass.
    fn map_values<F>(self, mut map: F) -> impl Iterator<Item = Result<Value>>
    where
        F: FnMut(Value) -> Result<Value>,
    {
        self.map(move |value| value.and_then(&mut map))
    }

    /// The values that `keep` accepts. Errors pass.
    fn filter_values<F>(self, mut keep: F) -> impl Iterator<Item = Result<Value>>
    where
        F: FnMut(ValueRef<'_>) -> bool,
    {
        self.filter(move |value| value.as_ref().map_or(true, |value| keep(value.by_ref())))
    }

    /// The values in vectors of `size` (at least 1), the last one with what is left. Before an error comes what was
    /// read before it.
    ///
    /// ```
    /// use statewright_value::stream::{self, ValueStream};
    /// # fn main() -> statewright_value::Result<()> {
    /// let sizes = stream::array("[1, 2, 3, 4, 5]".as_bytes())
    ///     .chunks(2)
    ///     .map(|chunk| chunk.map(|chunk| chunk.len()))
    ///     .collect::<statewright_value::Result<Vec<_>>>()?;
    /// assert_eq!(sizes, [2, 2, 1]);
    /// # Ok(())
    /// # }
    /// ```
    fn chunks(self, size: usize) -> Chunks<Self> {
        Chunks {
            values: self,
            size: size.max(1),
            error: None,
        }
    }
}

impl<I: Iterator<Item = Result<Value>>> ValueStream for I {}

/// Values in vectors; see [`ValueStream::chunks`].
#[derive(Debug)]
pub struct Chunks<I> {
    values: I,
    size: usize,
    /// To be given out after what came before it.
    error: Option<Error>,
}

impl<I: Iterator<Item = Result<Value>>> Iterator for Chunks<I> {
    type Item = Result<Vec<Value>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return Some(Err(error));
        }
        let mut chunk = Vec::new();
        while chunk.len() < self.size {
            match self.values.next() {
                Some(Ok(value)) => chunk.push(value),
                Some(Err(error)) if chunk.is_empty() => return Some(Err(error)),
                Some(Err(error)) => {
                    self.error = Some(error);
                    break;
                }
                None => break,
            }
        }
        (!chunk.is_empty()).then_some(Ok(chunk))
    }
}

/// A reader that passes over bad items; see [`Reader::skip_bad`].
#[derive(Debug)]
pub struct SkipBad<R, F> {
    pub(super) reader: Reader<R>,
    pub(super) report: F,
}

impl<R: Read, F> SkipBad<R, F> {
    /// As [`Reader::progress`].
    pub fn progress(&self) -> Progress {
        self.reader.progress()
    }
}

impl<R: Read, F: FnMut(Error)> Iterator for SkipBad<R, F> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        loop {
            match self.reader.next()? {
                Err(error) if !self.reader.has_ended() => (self.report)(error),
                other => return Some(other),
            }
        }
    }
}
