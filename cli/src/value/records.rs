//! Documents one by one: a file's only one, the lines of NDJSON, or the items of a JSON array. Of the last two, one is
//! in memory at a time.

use std::fmt;
use std::ops::ControlFlow;

use statewright::value::{Error, stream};
use statewright::{Kind, Value};

use super::args::{Reading, Records};
use super::format::{Format, refused};
use super::source::{Bytes, Source};
use crate::exit::{Exit, Failure, Result};

/// One document of a source.
pub struct Record<'s> {
    pub value: Value,
    pub source: &'s Source,
    /// Where; none if it is the only one.
    pub place: Option<Place>,
}

/// Counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    Item(u64),
}

/// `file`, `file, line 3` or `file, item 3`.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => write!(f, "{}", self.source),
            Some(Place::Line(line)) => write!(f, "{}, line {line}", self.source),
            Some(Place::Item(item)) => write!(f, "{}, item {item}", self.source),
        }
    }
}

/// How documents are found.
#[derive(Clone, Copy)]
pub struct Finding<'o> {
    pub reading: &'o Reading,
    pub records: &'o Records,
    /// Whether those that cannot be read are told and passed over.
    pub keep_going: bool,
}

impl Finding<'_> {
    /// Gives every document of all sources to `f`, until it breaks. [`Exit::Usage`] means that some have been passed
    /// over.
    pub fn each(
        self,
        sources: &[Source],
        mut f: impl FnMut(Record<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<Exit> {
        let mut exit = Exit::Done;
        for source in sources {
            match self.each_of(source, &mut exit, &mut f) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(failure) => self.pass_over(failure, &mut exit)?,
            }
        }
        Ok(exit)
    }

    fn each_of(
        self,
        source: &Source,
        exit: &mut Exit,
        f: &mut impl FnMut(Record<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let format = match self.records.ndjson {
            true => Format::Ndjson,
            false => source.format(self.reading.from),
        };
        let items = self.records.items;
        if format == Format::Ndjson || (items && format == Format::Json) {
            let stream = Stream::open(source, self.reading, format, self.keep_going)?;
            return self.each_in(stream, exit, f);
        }
        let value = source.value_in(format, self.reading)?;
        if !items {
            let place = None;
            return f(Record {
                value,
                source,
                place,
            });
        }
        if value.kind() != Kind::Array {
            let message = format!("{source}: --items needs an array, not {}", value.kind());
            return Err(Failure::new(Exit::Usage, 203, message));
        }
        for (number, value) in (1..).zip(value.items()) {
            let place = Some(Place::Item(number));
            if f(Record {
                value,
                source,
                place,
            })?
            .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn each_in(
        self,
        stream: Stream<'_>,
        exit: &mut Exit,
        f: &mut impl FnMut(Record<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        for record in stream {
            match record {
                Ok(record) => {
                    if f(record)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(failure) => self.pass_over(failure, exit)?,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn pass_over(self, failure: Failure, exit: &mut Exit) -> Result<()> {
        if !self.keep_going || failure.exit != Exit::Usage {
            return Err(failure);
        }
        failure.report(self.reading.json);
        *exit = Exit::Usage;
        Ok(())
    }
}

/// A source that is read value by value. The limits are those of one value.
pub struct Stream<'s> {
    source: &'s Source,
    values: stream::Reader<Bytes<'s>>,
    are_lines: bool,
    typed: bool,
}

impl<'s> Stream<'s> {
    /// Lines, if the format is NDJSON, else the items of one JSON array.
    pub fn open(
        source: &'s Source,
        reading: &Reading,
        format: Format,
        keep_going: bool,
    ) -> Result<Stream<'s>> {
        Ok(Stream::new(
            Bytes::open(source)?,
            reading,
            format,
            keep_going,
        ))
    }

    /// As [`Stream::open`], of a source that is open.
    pub fn new(
        bytes: Bytes<'s>,
        reading: &Reading,
        format: Format,
        keep_going: bool,
    ) -> Stream<'s> {
        let source = bytes.source;
        let are_lines = format == Format::Ndjson;
        let values = match are_lines {
            true => stream::ndjson(bytes),
            false => stream::array(bytes),
        };
        let limits = reading.limits.limits();
        Stream {
            source,
            values: values.with_limits(limits).keep_going(keep_going),
            are_lines,
            typed: reading.typed,
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let source = self.source;
        match error {
            Error::StreamFailed { reason, .. } => Failure::new(
                Exit::Usage,
                300,
                format!("could not read {source}: {reason}"),
            ),
            // It says line and column itself.
            Error::InStream { error, .. } if matches!(**error, Error::InvalidJson { .. }) => {
                refused(error, &source.to_string())
            }
            Error::InStream {
                item, line, error, ..
            } => refused(error, &format!("{source}, item {item}, line {line}")),
            other => refused(other, &source.to_string()),
        }
    }
}

impl<'s> Iterator for Stream<'s> {
    type Item = Result<Record<'s>>;

    fn next(&mut self) -> Option<Result<Record<'s>>> {
        let value = match self.values.next()? {
            Ok(value) => value,
            Err(error) => return Some(Err(self.failure(&error))),
        };
        let so_far = self.values.progress();
        let place = match self.are_lines {
            // The line's end has not been read yet.
            true => Place::Line(so_far.lines.saturating_add(1)),
            false => Place::Item(so_far.items.saturating_add(so_far.bad)),
        };
        let mut record = Record {
            value,
            source: self.source,
            place: Some(place),
        };
        if self.typed {
            match record.value.from_typed() {
                Ok(value) => record.value = value,
                Err(error) => return Some(Err(refused(&error, &record.to_string()))),
            }
        }
        Some(Ok(record))
    }
}
