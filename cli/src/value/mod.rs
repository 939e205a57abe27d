//! `statewright value`: values out of files and pipes, looked at, changed, compared and written in another format.
//!
//! # How data flows
//!
//! A [`source::Source`] gives bytes, a [`format::Format`] makes a value of them, a command looks at it or changes
//! it, and a [`sink::Sink`] takes the result: stdout, or a file that is replaced as a whole. A
//! [`document::Document`] is a value on that way. Records of NDJSON pass one by one.

pub mod args;
mod convert;
mod diff;
mod document;
mod edit;
mod format;
mod hash;
mod infer;
mod paint;
mod place;
pub mod progress;
mod query;
mod records;
mod reformat;
pub mod sink;
mod source;
mod validate;
mod yaml;

use args::ValueCommand;

use crate::exit::{Exit, Result};

pub fn run(command: &ValueCommand) -> Result<Exit> {
    match command {
        ValueCommand::Query(options) => query::query(options),
        ValueCommand::Get(options) => edit::get(options),
        ValueCommand::Set(options) => edit::set(options),
        ValueCommand::Remove(options) => edit::remove(options),
        ValueCommand::Patch(options) => edit::patch(options),
        ValueCommand::Diff(options) => diff::diff(options),
        ValueCommand::Validate(options) => validate::validate(options),
        ValueCommand::Infer(options) => infer::infer(options),
        ValueCommand::Convert(options) => convert::convert(options),
        ValueCommand::Format(options) => reformat::format(options),
        ValueCommand::Hash(options) => hash::hash(options),
    }
}
