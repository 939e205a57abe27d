//! A value with what it was read from, on its way from a command's input to its output.

use statewright::Value;

use super::args::{Reading, Writing};
use super::format::{Format, Style};
use super::sink::{Sink, check_terminal, format_of};
use super::source::{Bytes, Source};
use crate::exit::{Exit, Failure, Result};

/// What a command reads, changes and writes.
pub struct Document {
    pub value: Value,
    source: Source,
    format: Format,
    typed: bool,
    /// What the source held.
    bytes: Vec<u8>,
}

impl Document {
    pub fn read(source: Source, reading: &Reading) -> Result<Document> {
        let format = source.format(reading.from);
        Document::of(Bytes::open(&source)?, format, reading)
    }

    /// Of a source that is open.
    pub fn of(bytes: Bytes<'_>, format: Format, reading: &Reading) -> Result<Document> {
        let limits = reading.limits.limits();
        let source = bytes.source.clone();
        let bytes = bytes.read_all(&limits)?;
        Ok(Document {
            value: format.decode(&bytes, &limits, reading.typed, &source.to_string())?,
            source,
            format,
            typed: reading.typed,
            bytes,
        })
    }

    /// Writes the value to where the result of a command goes. `others` have been read too.
    pub fn write(&self, writing: &Writing, others: &[&Source]) -> Result<()> {
        let mut inputs = vec![&self.source];
        inputs.extend(others);
        let sink = Sink::open(writing.output.as_deref(), &inputs)?;
        write(&self.value, writing, self.typed, self.format, sink)
    }

    /// Writes the value to `sink`, of which more may come.
    pub fn write_to(&self, writing: &Writing, sink: &mut Sink) -> Result<()> {
        write_to(&self.value, writing, self.typed, self.format, sink)
    }

    /// Writes the value back to the file it came from, if that changes anything.
    pub fn write_back(&self, writing: &Writing) -> Result<()> {
        let usage = |message: String| Err(Failure::new(Exit::Usage, 104, message));
        let Some(path) = self.source.path() else {
            return usage("--in-place needs a file; stdin cannot be written back".to_owned());
        };
        if writing.to.is_some_and(|to| to != self.format) {
            return usage(format!(
                "--in-place keeps the format of {}; `statewright value convert` changes it",
                path.display()
            ));
        }
        let bytes = self.encoded(writing)?;
        if bytes == self.bytes {
            return Ok(());
        }
        if self.format.has_comments() && !writing.force && may_have_comments(&self.bytes) {
            return usage(format!(
                "{} has comments, which would be lost; add --force if that is all right, or write to another file with \
                 -o",
                path.display()
            ));
        }
        let mut sink = Sink::file(path)?;
        sink.write(&bytes)?;
        sink.commit()
    }

    /// Whether the source is just what would be written.
    pub fn is_as_written(&self, writing: &Writing) -> Result<bool> {
        Ok(self.encoded(writing)? == self.bytes)
    }

    fn encoded(&self, writing: &Writing) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let format = format_of(writing, self.format);
        format.encode(&self.value, style(writing, self.typed), &mut bytes)?;
        Ok(bytes)
    }
}

/// How the options want output to look.
pub fn style(writing: &Writing, typed: bool) -> Style {
    Style {
        layout: writing.look.layout(),
        typed,
    }
}

/// Writes a value as the result of a command that read it, or what it was made of, in this format.
pub fn write(
    value: &Value,
    writing: &Writing,
    typed: bool,
    format: Format,
    mut sink: Sink,
) -> Result<()> {
    write_to(value, writing, typed, format, &mut sink)?;
    sink.commit()
}

fn write_to(
    value: &Value,
    writing: &Writing,
    typed: bool,
    format: Format,
    sink: &mut Sink,
) -> Result<()> {
    let format = format_of(writing, format);
    check_terminal(format, writing)?;
    let mut bytes = Vec::new();
    format.encode(value, style(writing, typed), &mut bytes)?;
    match format.is_json() {
        true => sink.json(&bytes),
        false => sink.write(&bytes),
    }
}

/// Whether a `#` that may begin a comment is in it: at the start of a line, or after a space.
fn may_have_comments(text: &[u8]) -> bool {
    let mut before = b'\n';
    text.iter().any(|byte| {
        let found = *byte == b'#' && before.is_ascii_whitespace();
        before = *byte;
        found
    })
}
