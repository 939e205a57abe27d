//! Streams of values: many values out of one reader or into one writer, one at a time.
//!
//! [`ndjson`] reads lines that each hold a JSON value (NDJSON, JSON Lines); [`array()`] reads the items of one
//! JSON array, however long. Both are iterators of `Result<Value>` and hold one item at a time: memory is
//! bounded by [`Limits::max_bytes`] for an item, not by the length of the stream. What an item may be is said
//! by [`Limits`], too. [`NdjsonWriter`] and [`ArrayWriter`] are the other direction; they hold back what the
//! writer under them does not take, and nothing more.
//!
//! A reader or writer is anything with `std::io`'s traits; nothing is opened here.
//!
//! ```
//! use statewright_value::stream::{self, NdjsonWriter, ValueStream};
//! use statewright_value::{Value, value};
//! # fn main() -> statewright_value::Result<()> {
//! let input = "[ {\"n\": 1}, {\"n\": 2},\n {\"n\": 3} ]";
//! let mut out = NdjsonWriter::new(Vec::new());
//! for item in stream::array(input.as_bytes()).filter_values(|item| item.get("n") != Some(value!(2).by_ref())) {
//!     out.write(item?.by_ref())?;
//! }
//! let lines = out.finish()?;
//! assert_eq!(lines, b"{\"n\":1}\n{\"n\":3}\n");
//!
//! let all: Value = stream::ndjson(lines.as_slice()).collect::<Result<_, _>>()?;
//! assert_eq!(all, value!([{ "n": 1 }, { "n": 3 }]));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! An error says in which item it is and where that begins ([`Error::InStream`]), or that the reader failed
//! ([`Error::StreamFailed`]). After one the iterator ends, unless [`Reader::keep_going`] or
//! [`Reader::skip_bad`] is asked for: then a bad item costs only itself.

mod adapters;
mod array;
mod ndjson;
mod source;
mod write;

use std::io::Read;

pub use adapters::{Chunks, SkipBad, ValueStream};
pub use write::{ArrayWriter, NdjsonWriter};

use self::array::Array;
use self::ndjson::Ndjson;
use self::source::Source;
use crate::{Error, Limits, Result, Value};

/// The values of a reader of lines, each a JSON value (NDJSON). Within [`Limits::default`] per line.
///
/// Lines end with `\n` or `\r\n`, the last one also at the end. Blank lines are skipped. A value cannot be broken into
/// lines. O(1) memory, see [the module](self).
///
/// ```
/// use statewright_value::{stream, value};
/// # fn main() -> statewright_value::Result<()> {
/// let mut values = stream::ndjson("1\r\n\n[2]".as_bytes());
/// assert_eq!(values.next().transpose()?, Some(value!(1)));
/// assert_eq!(values.next().transpose()?, Some(value!([2])));
/// assert_eq!(values.next(), None);
/// assert_eq!((values.progress().items, values.progress().bytes), (2, 7));
/// # Ok(())
/// # }
/// ```
pub fn ndjson<R: Read>(reader: R) -> Reader<R> {
    Reader::new(reader, Form::Lines(Ndjson))
}

/// The items of a JSON array (RFC 8259), one at a time. Within [`Limits::default`] per item.
///
/// The text is one array and nothing else: what follows it is looked at when the last item has been read. O(1)
/// memory, see [the module](self).
///
/// ```
/// use statewright_value::{Error, stream};
/// let broken = "[1,\n 2,\n {\"a\": tru} ]";
/// let error = stream::array(broken.as_bytes()).find_map(Result::err);
/// assert_eq!(
///     error.map(|error| error.to_string()).as_deref(),
///     Some("item 3 (line 3, byte 9): invalid JSON at line 3, column 8: expected a value; the literals are `true`, `false` and `null` (found 't')"),
/// );
/// ```
pub fn array<R: Read>(reader: R) -> Reader<R> {
    Reader::new(reader, Form::Array(Array::default()))
}

/// An iterator over the values of a reader; see [`ndjson`] and [`array()`].
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    form: Form,
    limits: Limits,
    keep_going: bool,
    ended: bool,
    items: u64,
    bad: u64,
}

#[derive(Debug)]
enum Form {
    Lines(Ndjson),
    Array(Array),
}

/// How far a reader of values has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Values given out.
    pub items: u64,
    /// Items that were no values.
    pub bad: u64,
    /// Bytes used up, of those the reader gave.
    pub bytes: u64,
    /// Line ends among those bytes.
    pub lines: u64,
}

/// The place of the next item, or why there is none.
enum Next {
    /// So many bytes from the start of what is unread.
    Item(usize),
    /// An item too long for the limit.
    TooLong(Place),
    End,
}

/// How long an item may be.
#[derive(Clone, Copy)]
struct Bound {
    max: usize,
    /// Whether one that is longer is read to its end.
    pass_over: bool,
}

/// Where something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Bytes before it.
    offset: u64,
    /// From 1.
    line: u64,
    /// In characters, from 1.
    column: u64,
}

impl<R: Read> Reader<R> {
    fn new(reader: R, form: Form) -> Self {
        Reader {
            source: Source::new(reader),
            form,
            limits: Limits::default(),
            keep_going: false,
            ended: false,
            items: 0,
            bad: 0,
        }
    }

    /// Within other limits; `max_bytes` is that of one item, and bounds the memory.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether the iterator goes on behind an item that is no value; otherwise it ends there. When the reader fails
    /// or an array is not one, it ends anyhow.
    #[must_use]
    pub fn keep_going(mut self, keep_going: bool) -> Self {
        self.keep_going = keep_going;
        self
    }

    /// Passes over items that are no values, and tells `report` of each. Errors that end the stream are
    /// given out as always.
    ///
    /// ```
    /// use statewright_value::stream;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut bad = Vec::new();
    /// let sum = stream::ndjson("1\n2x\n3".as_bytes())
    ///     .skip_bad(|error| bad.push(error.to_string()))
    ///     .try_fold(0, |sum, value| Ok(sum + value?.as_i64().unwrap_or(0)))?;
    /// assert_eq!(sum, 4);
    /// assert_eq!(bad.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip_bad<F: FnMut(Error)>(self, report: F) -> SkipBad<R, F> {
        SkipBad {
            reader: self.keep_going(true),
            report,
        }
    }

    /// How far the stream has been read.
    pub fn progress(&self) -> Progress {
        let place = self.source.place();
        Progress {
            items: self.items,
            bad: self.bad,
            bytes: place.offset,
            lines: place.line.saturating_sub(1),
        }
    }

    /// The reader. It may have given more bytes than [`Progress::bytes`]; those are lost.
    pub fn into_inner(self) -> R {
        self.source.into_inner()
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next item as a value. An error that the stream cannot go on behind ends it.
    fn read(&mut self) -> Result<Option<Value>> {
        let bound = Bound {
            max: self.limits.max_bytes,
            pass_over: self.keep_going,
        };
        let next = match &mut self.form {
            Form::Lines(lines) => lines.next(&mut self.source, bound),
            Form::Array(array) => array.next(&mut self.source, bound),
        };
        let place = self.source.place();
        let next = next.map_err(|error| {
            self.ended = true;
            self.in_item(place, error)
        })?;
        let (place, value) = match next {
            Next::End => {
                self.ended = true;
                return Ok(None);
            }
            Next::TooLong(begin) => {
                let error = Error::Limit {
                    what: "length of an item of the stream",
                    limit: bound.max,
                    at: "a longer one was found".to_owned(),
                };
                (begin, Err(error))
            }
            Next::Item(len) => {
                let value = Value::from_json_with(self.source.unread(len), &self.limits);
                self.source.consume(len);
                (place, value)
            }
        };
        match value {
            Ok(value) => {
                self.items += 1;
                Ok(Some(value))
            }
            Err(error) => {
                let error = self.in_item(place, error);
                self.bad += 1;
                self.ended |= !self.keep_going;
                Err(error)
            }
        }
    }

    /// An error of the item that begins at `place`.
    fn in_item(&self, place: Place, error: Error) -> Error {
        let error = match error {
            failed @ Error::StreamFailed { .. } => return failed,
            Error::InvalidJson {
                line,
                column,
                reason,
            } => {
                let before = if line == 1 { place.column - 1 } else { 0 };
                let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
                Error::InvalidJson {
                    line: line.saturating_add(size(place.line - 1)),
                    column: column.saturating_add(size(before)),
                    reason,
                }
            }
            other => other,
        };
        Error::InStream {
            item: self.items + self.bad + 1,
            line: place.line,
            offset: place.offset,
            error: Box::new(error),
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        if self.ended {
            return None;
        }
        self.read().transpose()
    }
}

impl<R: Read> std::iter::FusedIterator for Reader<R> {}
