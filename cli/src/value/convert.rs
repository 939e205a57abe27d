//! `value convert`: from one format into another.

use super::args::Convert;
use super::document::{Document, style};
use super::format::{Format, Layout};
use super::records::Stream;
use super::sink::{Sink, format_of};
use super::source::{Bytes, Source};
use crate::exit::{Exit, Failure, Result};

pub fn convert(options: &Convert) -> Result<Exit> {
    let writing = &options.writing;
    let named = writing.output.as_deref().and_then(Format::of_path);
    if writing.to.or(named).is_none() {
        let message =
            "into which format? Say it with --to, or by the extension of the file given with -o";
        return Err(Failure::new(Exit::Usage, 104, message));
    }
    let source = Source::of(options.file.as_deref());
    let from = source.format(options.reading.from);
    let to = format_of(writing, from);
    match (from, to) {
        (Format::Ndjson, Format::Ndjson | Format::Json) => {
            let stream = Stream::open(&source, &options.reading, Format::Ndjson, false)?;
            items(stream, &source, to, options)?;
        }
        (Format::Json, Format::Ndjson) => into_lines(&source, options)?,
        _ => Document::read(source, &options.reading)?.write(writing, &[])?,
    }
    Ok(Exit::Done)
}

/// An array into lines, one item in memory at a time; anything else into one line.
fn into_lines(source: &Source, options: &Convert) -> Result<()> {
    let mut bytes = Bytes::open(source)?;
    if bytes.begin_array()? {
        let stream = Stream::new(bytes, &options.reading, Format::Json, false);
        return items(stream, source, Format::Ndjson, options);
    }
    Document::of(bytes, Format::Json, &options.reading)?.write(&options.writing, &[])
}

/// Values into lines or into one array.
fn items(stream: Stream<'_>, source: &Source, to: Format, options: &Convert) -> Result<()> {
    let style = style(&options.writing, options.reading.typed);
    let mut sink = Sink::open(options.writing.output.as_deref(), &[source])?;
    let mut text = Vec::new();
    let mut is_first = true;
    let array = to == Format::Json;
    let (begin, separator, end) = match style.layout {
        _ if !array => ("", "", ""),
        Layout::Pretty => ("[\n  ", ",\n  ", "\n]\n"),
        Layout::Compact => ("[", ",", "]\n"),
        Layout::Canonical => ("[", ",", "]"),
    };
    for record in stream {
        let record = record?;
        text.clear();
        text.extend(if is_first { begin } else { separator }.bytes());
        is_first = false;
        to.encode_item(&record.value, style, &mut text)?;
        sink.json(&text)?;
        if !array {
            sink.flush_if_watched()?;
        }
    }
    sink.json(match (is_first, style.layout) {
        (false, _) => end.as_bytes(),
        (true, _) if !array => b"",
        (true, Layout::Canonical) => b"[]",
        (true, _) => b"[]\n",
    })?;
    sink.commit()
}
