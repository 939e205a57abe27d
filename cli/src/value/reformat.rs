//! `value format`: a uniform layout.

use statewright::value::ValueRef;
use statewright::{Kind, Value};

use super::args::Reformat;
use super::document::Document;
use super::sink::Sink;
use super::source::Source;
use crate::exit::{Exit, Result};

pub fn format(options: &Reformat) -> Result<Exit> {
    let sources = Source::all(&options.files)?;
    let writing = &options.writing;
    if options.in_place.in_place {
        for source in sources {
            document(source, options)?.write_back(writing)?;
        }
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    let mut sink = Sink::open(
        writing.output.as_deref(),
        &sources.iter().collect::<Vec<_>>(),
    )?;
    for source in sources {
        let document = document(source.clone(), options)?;
        if !options.check {
            document.write_to(writing, &mut sink)?;
        } else if !document.is_as_written(writing)? {
            exit = Exit::No;
            sink.write(format!("{source}\n").as_bytes())?;
        }
    }
    sink.commit()?;
    Ok(exit)
}

fn document(source: Source, options: &Reformat) -> Result<Document> {
    let mut document = Document::read(source, &options.reading)?;
    if options.sort_keys {
        document.value = sorted(document.value.by_ref());
    }
    Ok(document)
}

/// The same with the keys of all objects sorted by code point. Recurses as deep as values nest, which is bounded
/// (`MAX_DEPTH`).
fn sorted(value: ValueRef<'_>) -> Value {
    match value.kind() {
        Kind::Array => value.items().map(sorted).collect(),
        Kind::Object => {
            let mut entries: Vec<_> = value.entries().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            entries
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect()
        }
        _ => value.to_value(),
    }
}
