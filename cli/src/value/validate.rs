//! `value validate`: what is wrong with values, by a JSON Schema.

use std::ops::ControlFlow;
use std::slice;

use statewright::value::schema::SchemaOptions;
use statewright::value::{Schema, Violation};
use statewright::{Value, value};

use super::args::Validate;
use super::records::{Finding, Place, Record};
use super::source::{Source, one_stdin};
use crate::console::{BAD, BOLD, DIM, GOOD, Out, one_line};
use crate::exit::{Exit, Failure, Result};

pub fn validate(options: &Validate) -> Result<Exit> {
    let schema_source = Source::of(Some(&options.schema));
    let sources = Source::all(&options.files)?;
    let mut all: Vec<&Source> = sources.iter().collect();
    all.push(&schema_source);
    one_stdin(&all)?;
    let mut checker = Checker {
        schema: compile(&schema_source, options)?,
        options,
        out: Out::new(),
        valid: 0,
        invalid: 0,
    };
    let mut exit = Exit::Done;
    for source in &sources {
        let read = checker.check_source(source)?;
        exit = match (read, checker.invalid) {
            (Exit::Done, 0) => exit,
            (Exit::Done, _) if exit == Exit::Done => Exit::No,
            (Exit::Done, _) => exit,
            (unreadable, _) => unreadable,
        };
    }
    checker.out.flush()?;
    Ok(exit)
}

fn compile(source: &Source, options: &Validate) -> Result<Schema> {
    let reading = &options.reading;
    let mut compiler = SchemaOptions::new()
        .default_draft(options.draft.draft())
        .check_formats(options.formats)
        .max_violations(options.max);
    for path in &options.references {
        let reference = Source::of(Some(path));
        let document = reference.value_in(reference.format(None), reading)?;
        let id = document.get("$id").or_else(|| document.get("id"));
        let Some(id) = id.as_ref().and_then(Value::as_str) else {
            let message = format!(
                "{reference}: the schema has no `$id`, by which a reference could lead to it; add one"
            );
            return Err(Failure::new(Exit::Usage, 209, message));
        };
        compiler = compiler.with_document(id, document.clone());
    }
    let schema = source.value_in(source.format(None), reading)?;
    compiler
        .compile(schema.by_ref())
        .map_err(|error| Failure::new(Exit::Usage, error.code(), format!("{source}: {error}")))
}

struct Checker<'o> {
    schema: Schema,
    options: &'o Validate,
    out: Out,
    /// Of one source.
    valid: u64,
    invalid: u64,
}

impl Checker<'_> {
    /// Checks all documents of a source; what cannot be read is told and does not hide the others.
    fn check_source(&mut self, source: &Source) -> Result<Exit> {
        (self.valid, self.invalid) = (0, 0);
        let options = self.options;
        let finding = Finding {
            reading: &options.reading,
            records: &options.records,
            keep_going: true,
        };
        let read = finding.each(slice::from_ref(source), |record| {
            self.check(&record)?;
            Ok(ControlFlow::Continue(()))
        })?;
        let total = self.valid.saturating_add(self.invalid);
        if options.quiet || options.reading.json || total == 0 {
            return Ok(read);
        }
        match (total, self.invalid) {
            (1, 0) => self.out.line(format!("{source}: {GOOD}ok{GOOD:#}"))?,
            (1, _) => {}
            (_, 0) => self
                .out
                .line(format!("{source}: {GOOD}ok{GOOD:#}, {total} records"))?,
            (_, bad) => self.out.line(format!(
                "{source}: {BAD}{bad} of {total} records are not valid{BAD:#}"
            ))?,
        }
        Ok(read)
    }

    fn check(&mut self, record: &Record<'_>) -> Result<()> {
        let violations = self
            .schema
            .violations(record.value.by_ref())
            .map_err(|error| {
                Failure::new(Exit::Usage, error.code(), format!("{record}: {error}"))
            })?;
        let before = self.invalid;
        for violation in violations {
            self.invalid = before.saturating_add(1);
            match self.options.reading.json {
                true => self.out.line(to_value(record, &violation))?,
                false => self.for_people(record, &violation)?,
            }
        }
        if self.invalid == before {
            self.valid = self.valid.saturating_add(1);
        }
        Ok(())
    }

    fn for_people(&mut self, record: &Record<'_>, violation: &Violation) -> Result<()> {
        self.out
            .line(format!("{BOLD}{record}:{BOLD:#} {}", line(violation)))?;
        for (at, alternative) in (1..).zip(&violation.alternatives) {
            for violation in alternative {
                self.out.line(format!(
                    "  {DIM}alternative {at}:{DIM:#} {}",
                    line(violation)
                ))?;
            }
        }
        Ok(())
    }
}

fn line(violation: &Violation) -> String {
    let Violation {
        path,
        message,
        schema_path,
        ..
    } = violation;
    format!(
        "{BAD}{path}{BAD:#}: {} {DIM}(schema: {schema_path}){DIM:#}",
        one_line(message)
    )
}

/// `{file, line? or item?, path, pointer, schema_path, keyword, message, alternatives?}`.
fn to_value(record: &Record<'_>, violation: &Violation) -> Value {
    let mut object = value!({ "file": (record.source.to_string()) });
    let put = |object: &mut Value, key: &str, value: Value| {
        // An object takes another key.
        let _ = object.insert(key, value);
    };
    match record.place {
        Some(Place::Line(line)) => put(&mut object, "line", Value::from(line)),
        Some(Place::Item(item)) => put(&mut object, "item", Value::from(item)),
        None => {}
    }
    put(
        &mut object,
        "pointer",
        Value::from(violation.path.to_pointer()),
    );
    for (key, value) in violation.to_value().entries() {
        put(&mut object, key, value);
    }
    object
}
