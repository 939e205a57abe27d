//! Values into a writer, one at a time.

use std::io::{BufWriter, Write};

use super::source::failed;
use crate::{Error, Result, ValueRef};

/// Writes values as lines of JSON (NDJSON).
///
/// Waits where the writer does: at most one value and 64 KiB are held back. Call [`NdjsonWriter::finish`] at the
/// end; without it what is held back is written when this is dropped, but nobody learns if that fails.
///
/// ```
/// use statewright_value::stream::NdjsonWriter;
/// use statewright_value::value;
/// # fn main() -> statewright_value::Result<()> {
/// let mut lines = NdjsonWriter::new(Vec::new());
/// lines.write(value!({ "n": 1 }).by_ref())?;
/// lines.write(value!([2]).by_ref())?;
/// assert_eq!(lines.finish()?, b"{\"n\":1}\n[2]\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NdjsonWriter<W: Write> {
    out: Out<W>,
}

impl<W: Write> NdjsonWriter<W> {
    /// A writer of lines into `writer`.
    pub fn new(writer: W) -> Self {
        NdjsonWriter {
            out: Out::new(writer),
        }
    }

    /// Writes a value and a line end. O(size of the value). Bytes and other kinds that JSON does not have go
    /// as in [`Value::to_json`](crate::Value::to_json).
    ///
    /// # Errors
    /// [`Error::StreamFailed`]: part of the line may be written.
    pub fn write(&mut self, value: ValueRef<'_>) -> Result<()> {
        self.out.item(b"", value, b"\n")
    }

    /// Hands everything to the writer and makes it hand it on.
    ///
    /// # Errors
    /// [`Error::StreamFailed`].
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    /// How many values were written.
    pub fn written(&self) -> u64 {
        self.out.written
    }

    /// Writes what is held back and gives the writer back.
    ///
    /// # Errors
    /// [`Error::StreamFailed`].
    pub fn finish(self) -> Result<W> {
        self.out.finish()
    }
}

/// Writes values as the items of one JSON array.
///
/// As [`NdjsonWriter`]; the array ends with [`ArrayWriter::finish`] and stays open without it, so that a reader
/// sees that it was cut off.
///
/// ```
/// use statewright_value::stream::ArrayWriter;
/// use statewright_value::value;
/// # fn main() -> statewright_value::Result<()> {
/// let mut array = ArrayWriter::new(Vec::new());
/// array.write(value!(1).by_ref())?;
/// array.write(value!({ "a": null }).by_ref())?;
/// assert_eq!(array.finish()?, b"[1,{\"a\":null}]");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ArrayWriter<W: Write> {
    out: Out<W>,
}

impl<W: Write> ArrayWriter<W> {
    /// A writer of one array into `writer`.
    pub fn new(writer: W) -> Self {
        ArrayWriter {
            out: Out::new(writer),
        }
    }

    /// Writes a value as the next item. O(size of the value).
    ///
    /// # Errors
    /// [`Error::StreamFailed`]: part of the item may be written.
    pub fn write(&mut self, value: ValueRef<'_>) -> Result<()> {
        let before: &[u8] = if self.out.written == 0 { b"[" } else { b"," };
        self.out.item(before, value, b"")
    }

    /// Hands everything to the writer and makes it hand it on.
    ///
    /// # Errors
    /// [`Error::StreamFailed`].
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    /// How many values were written.
    pub fn written(&self) -> u64 {
        self.out.written
    }

    /// Ends the array, writes what is held back and gives the writer back.
    ///
    /// # Errors
    /// [`Error::StreamFailed`].
    pub fn finish(mut self) -> Result<W> {
        let end: &[u8] = if self.out.written == 0 { b"[]" } else { b"]" };
        self.out.raw(end)?;
        self.out.finish()
    }
}

#[derive(Debug)]
struct Out<W: Write> {
    writer: BufWriter<W>,
    item: Vec<u8>,
    written: u64,
}

/// Bytes held back before the writer is called.
const HELD_BACK: usize = 64 << 10;

impl<W: Write> Out<W> {
    fn new(writer: W) -> Self {
        Out {
            writer: BufWriter::with_capacity(HELD_BACK, writer),
            item: Vec::new(),
            written: 0,
        }
    }

    fn item(&mut self, before: &[u8], value: ValueRef<'_>, after: &[u8]) -> Result<()> {
        self.item.clear();
        self.item.extend_from_slice(before);
        value.write_json(&mut self.item);
        self.item.extend_from_slice(after);
        self.writer
            .write_all(&self.item)
            .map_err(|error| failed(&error))?;
        self.written += 1;
        if self.item.capacity() > 4 * HELD_BACK {
            self.item = Vec::new(); // one long value does not cost memory for ever
        }
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|error| failed(&error))
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| failed(&error))
    }

    fn finish(mut self) -> Result<W> {
        self.flush()?;
        let writer = self.writer.into_inner();
        writer.map_err(|error| -> Error { failed(error.error()) })
    }
}
