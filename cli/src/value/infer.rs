//! `value infer`: a schema from samples.

use std::ops::ControlFlow;

use statewright::value::schema::Inference;

use super::args::Infer;
use super::document;
use super::format::Format;
use super::records::Finding;
use super::sink::Sink;
use super::source::Source;
use crate::exit::{Exit, Result};

pub fn infer(options: &Infer) -> Result<Exit> {
    let sources = Source::all(&options.files)?;
    let sink = Sink::open(
        options.writing.output.as_deref(),
        &sources.iter().collect::<Vec<_>>(),
    )?;
    let mut inference = Inference::new();
    let finding = Finding {
        reading: &options.reading,
        records: &options.records,
        keep_going: options.keep_going,
    };
    let read = finding.each(&sources, |record| {
        inference.add(record.value.by_ref());
        Ok(ControlFlow::Continue(()))
    })?;
    document::write(
        &inference.schema(),
        &options.writing,
        options.reading.typed,
        Format::Json,
        sink,
    )?;
    Ok(read)
}
