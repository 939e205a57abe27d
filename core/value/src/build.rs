//! Assembling a value from a stream of events, within limits: what every binary decoder ends in.

use crate::extended::Extended;
use crate::packed::{Full, Writer, word};
use crate::{Error, Limits, Result, Value};

/// A value under construction, in the packed form. Nesting is on a stack of its own, not on the thread's.
pub(crate) struct Builder<'l> {
    limits: &'l Limits,
    writer: Box<Writer>,
    /// Values so far.
    count: usize,
}

/// A limit that was exceeded; the decoder adds where.
pub(crate) struct Exceeded {
    what: &'static str,
    limit: usize,
}

impl Exceeded {
    #[cold]
    pub(crate) fn at(self, at: impl ToString) -> Error {
        Error::Limit {
            what: self.what,
            limit: self.limit,
            at: at.to_string(),
        }
    }
}

impl From<Full> for Exceeded {
    fn from(Full: Full) -> Self {
        Exceeded {
            what: "size of one value in 8-byte words",
            limit: u32::MAX as usize,
        }
    }
}

/// Fails if `found` is more than `limit`.
#[inline(always)]
pub(crate) fn within(what: &'static str, found: usize, limit: usize) -> Result<(), Exceeded> {
    if found > limit {
        Err(Exceeded { what, limit })
    } else {
        Ok(())
    }
}

impl<'l> Builder<'l> {
    /// For input of about `bytes` bytes.
    pub(crate) fn new(limits: &'l Limits, bytes: usize) -> Self {
        Builder {
            limits,
            writer: Writer::new(bytes / 8 + 16),
            count: 0,
        }
    }

    pub(crate) fn begin_array(&mut self) -> Result<(), Exceeded> {
        self.begin()?;
        self.writer.open_array();
        Ok(())
    }

    pub(crate) fn begin_object(&mut self) -> Result<(), Exceeded> {
        self.begin()?;
        self.writer.open_object();
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Exceeded> {
        self.count()?;
        within(
            "nesting depth",
            self.writer.depth() + 1,
            self.limits.depth(),
        )
    }

    /// The key of the next value; the innermost container must be an object.
    #[inline]
    pub(crate) fn key(&mut self, text: &str) -> Result<(), Exceeded> {
        within("length of a key", text.len(), self.limits.max_key)?;
        Ok(self.writer.key(text)?)
    }

    /// Closes the innermost container.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), Exceeded> {
        Ok(self.writer.close()?)
    }

    pub(crate) fn null(&mut self) -> Result<(), Exceeded> {
        self.add(word::NULL)
    }

    pub(crate) fn bool(&mut self, bool: bool) -> Result<(), Exceeded> {
        self.add(if bool { word::TRUE } else { word::FALSE })
    }

    #[inline]
    pub(crate) fn int(&mut self, int: i64) -> Result<(), Exceeded> {
        let word = self.writer.int(int)?;
        self.add(word)
    }

    pub(crate) fn uint(&mut self, uint: u64) -> Result<(), Exceeded> {
        let word = self.writer.uint(uint)?;
        self.add(word)
    }

    /// A finite float.
    #[inline]
    pub(crate) fn float(&mut self, float: f64) -> Result<(), Exceeded> {
        self.add(float.to_bits())
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Exceeded> {
        within("length of a text", text.len(), self.limits.max_string)?;
        let word = self.writer.text(text)?;
        self.add(word)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Exceeded> {
        within(
            "length of a byte string",
            bytes.len(),
            self.limits.max_string,
        )?;
        let word = self.writer.bytes(bytes)?;
        self.add(word)
    }

    /// `len` is the length of what it was read from.
    pub(crate) fn extended(&mut self, extended: Extended, len: usize) -> Result<(), Exceeded> {
        within(
            "length of a file's description",
            len,
            self.limits.max_string,
        )?;
        let word = self.writer.extended(extended)?;
        self.add(word)
    }

    #[inline]
    fn add(&mut self, word: u64) -> Result<(), Exceeded> {
        self.count()?;
        self.writer.push(word);
        Ok(())
    }

    /// The value, when everything that was begun has ended.
    pub(crate) fn finish(self) -> Result<Value, Exceeded> {
        Ok(self.writer.finish()?)
    }

    #[inline]
    fn count(&mut self) -> Result<(), Exceeded> {
        self.count += 1;
        within("number of values", self.count, self.limits.max_items)
    }
}
