//! The bytes of a reader: a window that moves forward and knows where it is.

use std::fmt;
use std::io::{ErrorKind, Read};

use super::Place;
use crate::{Error, Result};

/// Bytes asked of the reader at once.
const CHUNK: usize = 64 << 10;

pub(super) struct Source<R> {
    reader: R,
    /// Of these, `start..end` are unread.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `start`.
    place: Place,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Source {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            place: Place {
                offset: 0,
                line: 1,
                column: 1,
            },
        }
    }

    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The first `len` unread bytes, or as many as there are.
    pub(super) fn unread(&self, len: usize) -> &[u8] {
        let end = self.end.min(self.start.saturating_add(len));
        self.buffer.get(self.start..end).unwrap_or_default()
    }

    /// What has been read and not used up.
    pub(super) fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Uses up `len` bytes of the window. O(len).
    pub(super) fn consume(&mut self, len: usize) {
        let used = self.unread(len);
        let len = used.len();
        let lines = memchr::memchr_iter(b'\n', used).count() as u64;
        let begin = memchr::memrchr(b'\n', used).map_or(0, |at| at + 1);
        let line = used.get(begin..).unwrap_or_default();
        // Characters are what does not continue another one in UTF-8.
        let columns = line.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as u64;
        if lines > 0 {
            self.place.column = 1;
        }
        self.place.line += lines;
        self.place.column += columns;
        self.place.offset += len as u64;
        self.start += len;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > 4 * CHUNK {
                self.buffer = Vec::new(); // one long item does not cost memory for ever
            }
        }
    }

    /// Reads more into the window; false at the end.
    pub(super) fn fill(&mut self) -> Result<bool> {
        if self.end == self.buffer.len() {
            if self.start >= CHUNK {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                let room = self.buffer.len().max(CHUNK); // doubles it
                self.buffer.resize(self.buffer.len() + room, 0);
            }
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let asked = room.len().min(CHUNK);
        let room = room.get_mut(..asked).unwrap_or_default();
        loop {
            match self.reader.read(room) {
                Ok(count) => {
                    self.end += count.min(asked);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

/// The error of a reader or writer.
pub(super) fn failed(error: &std::io::Error) -> Error {
    Error::StreamFailed {
        kind: error.kind(),
        reason: error.to_string(),
    }
}

/// Without the bytes.
impl<R: fmt::Debug> fmt::Debug for Source<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("reader", &self.reader)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
