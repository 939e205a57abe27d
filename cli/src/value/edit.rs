//! `value get`, `set`, `remove` and `patch`.

use statewright::Value;
use statewright::value::{Error, Patch as JsonPatch};

use super::args::{Get, InPlace, Patch, Remove, Set, Writing};
use super::document::{self, Document};
use super::format::{self, Format};
use super::place::Place;
use super::sink::Sink;
use super::source::{Source, one_stdin};
use crate::exit::{Exit, Failure, Result};

pub fn get(options: &Get) -> Result<Exit> {
    let place = Place::parse(&options.path)?;
    let reading = &options.reading;
    let default = match &options.default {
        Some(json) => Some(argument("--default", json, reading.typed)?),
        None => None,
    };
    let source = Source::of(options.file.as_deref());
    let document = Document::read(source.clone(), reading)?;
    let found = match (place.find(document.value.by_ref()), default) {
        (Ok(path), _) => document.value.at(&path).unwrap_or_default(),
        (Err(_), Some(default)) => default,
        (Err(missing), None) => return Err(missing.of(&source, Exit::No)),
    };
    let writing = &options.writing;
    match found.as_str().filter(|_| options.raw) {
        Some(text) => {
            let mut sink = Sink::open(writing.output.as_deref(), &[&source])?;
            sink.write(text.as_bytes())?;
            sink.write(b"\n")?;
            sink.commit()?;
        }
        None => {
            // A part of a TOML file need not be one, and people expect JSON.
            let sink = Sink::open(writing.output.as_deref(), &[&source])?;
            document::write(&found, writing, reading.typed, Format::Json, sink)?;
        }
    }
    Ok(Exit::Done)
}

pub fn set(options: &Set) -> Result<Exit> {
    let place = Place::parse(&options.path)?;
    let value = match options.text {
        true => Value::text(&options.value),
        false => argument("VALUE", &options.value, options.reading.typed)?,
    };
    let source = Source::of(options.file.as_deref());
    let mut document = Document::read(source.clone(), &options.reading)?;
    let path = place
        .to_put(document.value.by_ref())
        .map_err(|missing| missing.of(&source, Exit::Usage))?;
    let set = document.value.set(&path, value);
    set.map_err(|error| place.cannot_put(error).of(&source, Exit::Usage))?;
    finish(&document, &options.in_place, &options.writing, &[])
}

pub fn remove(options: &Remove) -> Result<Exit> {
    let place = Place::parse(&options.path)?;
    let source = Source::of(options.file.as_deref());
    let mut document = Document::read(source.clone(), &options.reading)?;
    match place.find(document.value.by_ref()) {
        Ok(path) => {
            let removed = document.value.remove(&path);
            removed.map_err(|error| of_document(Exit::Usage, &source, &error))?;
        }
        Err(_) if options.missing_ok => {}
        Err(missing) => return Err(missing.of(&source, Exit::No)),
    }
    finish(&document, &options.in_place, &options.writing, &[])
}

pub fn patch(options: &Patch) -> Result<Exit> {
    let reading = &options.reading;
    let patch_source = Source::of(Some(&options.patch));
    let source = Source::of(options.file.as_deref());
    one_stdin(&[&patch_source, &source])?;
    let patch = patch_source.value_in(patch_source.format(None), reading)?;
    let limits = reading.limits.limits();
    let mut document = Document::read(source.clone(), reading)?;
    if options.merge {
        let merged = document.value.merge_patch(patch.by_ref());
        merged.map_err(|error| of_document(Exit::Usage, &source, &error))?;
    } else {
        let patch = JsonPatch::from_value_with(patch.by_ref(), &limits)
            .map_err(|error| of_document(Exit::Usage, &patch_source, &error))?;
        patch
            .apply_with(&mut document.value, &limits)
            .map_err(|error| of_document(Exit::No, &source, &error))?;
    }
    finish(
        &document,
        &options.in_place,
        &options.writing,
        &[&patch_source],
    )
}

/// Writes an edited document to wherever it goes.
fn finish(
    document: &Document,
    in_place: &InPlace,
    writing: &Writing,
    others: &[&Source],
) -> Result<Exit> {
    match in_place.in_place {
        true => document.write_back(writing)?,
        false => document.write(writing, others)?,
    }
    Ok(Exit::Done)
}

/// A value given as an argument.
fn argument(name: &str, json: &str, typed: bool) -> Result<Value> {
    format::json(json.as_bytes(), &statewright::Limits::default(), typed).map_err(|error| {
        let hint = match error {
            Error::InvalidJson { .. } if name == "VALUE" => {
                "; VALUE is JSON, add --text to set it as text"
            }
            _ => "",
        };
        Failure::new(Exit::Usage, error.code(), format!("{name}: {error}{hint}"))
    })
}

fn of_document(exit: Exit, source: &Source, error: &Error) -> Failure {
    Failure::new(exit, error.code(), format!("{source}: {error}"))
}
