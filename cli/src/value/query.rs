//! `value query`: what a JSONPath finds.

use std::ops::ControlFlow;

use statewright::value::{Query as Compiled, ValueRef};

use super::args::Query;
use super::records::{Finding, Record};
use super::sink::Sink;
use super::source::Source;
use crate::exit::{Exit, Failure, Result};

pub fn query(options: &Query) -> Result<Exit> {
    let compiled = Compiled::parse(&options.query)
        .map_err(|error| Failure::new(Exit::Usage, error.code(), error.to_string()))?;
    let sources = Source::all(&options.files)?;
    let mut printer = Printer {
        sink: Sink::open(
            options.output.as_deref(),
            &sources.iter().collect::<Vec<_>>(),
        )?,
        options,
        compiled,
        line: Vec::new(),
        found: 0,
        last_holds: false,
    };
    let finding = Finding {
        reading: &options.reading,
        records: &options.records,
        keep_going: options.keep_going,
    };
    let read = finding.each(&sources, |record| {
        let flow = printer.search(&record)?;
        match options.unbuffered {
            true => printer.sink.flush()?,
            false => printer.sink.flush_if_watched()?,
        }
        Ok(flow)
    })?;
    printer.end(read)
}

struct Printer<'o> {
    options: &'o Query,
    compiled: Compiled,
    sink: Sink,
    line: Vec<u8>,
    found: u64,
    /// Whether the last that was found is neither null nor false.
    last_holds: bool,
}

impl Printer<'_> {
    /// Searches one document; breaks when nothing more is wanted.
    fn search(&mut self, record: &Record<'_>) -> Result<ControlFlow<()>> {
        let root = record.value.by_ref();
        let mut steps = self.options.reading.limits.steps();
        let wants_paths = self.options.paths || self.options.pointers;
        let refused = |error: statewright::value::Error| {
            Failure::new(Exit::Usage, error.code(), format!("{record}: {error}"))
        };
        if wants_paths {
            let compiled = self.compiled.clone().with_max_steps(steps);
            for (path, value) in compiled.locate(root).map_err(refused)? {
                let text = match self.options.pointers {
                    true => path.to_pointer(),
                    false => path.to_normalized(),
                };
                if self.count(value).is_break() {
                    self.print_text(&text)?;
                    return Ok(ControlFlow::Break(()));
                }
                self.print_text(&text)?;
            }
            return Ok(ControlFlow::Continue(()));
        }
        let mut outcome = Ok(ControlFlow::Continue(()));
        let compiled = self.compiled.clone();
        let searched = compiled.visit(root, &mut steps, |value| {
            let flow = self.count(value);
            outcome = self.print(value).map(|()| flow);
            match outcome {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        });
        searched.map_err(refused)?;
        outcome
    }

    fn count(&mut self, value: ValueRef<'_>) -> ControlFlow<()> {
        self.found = self.found.saturating_add(1);
        self.last_holds = !value.is_null() && value.as_bool() != Some(false);
        match self.options.first {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn print(&mut self, value: ValueRef<'_>) -> Result<()> {
        let options = self.options;
        if options.count {
            return Ok(());
        }
        if let Some(text) = value.as_str().filter(|_| options.raw) {
            return self.print_text(text);
        }
        self.line.clear();
        match (options.reading.typed, options.pretty) {
            (false, false) => value.write_json(&mut self.line),
            (false, true) => self.line.extend(value.to_json_pretty().bytes()),
            (true, false) => self.line.extend(value.to_value().to_typed_json().bytes()),
            (true, true) => {
                let typed = value.to_value().to_typed();
                self.line.extend(typed.to_json_pretty().bytes());
            }
        }
        self.line.push(b'\n');
        self.sink.json(&self.line)
    }

    fn print_text(&mut self, text: &str) -> Result<()> {
        self.sink.write(text.as_bytes())?;
        self.sink.write(b"\n")
    }

    fn end(mut self, read: Exit) -> Result<Exit> {
        if self.options.count {
            self.print_text(&self.found.to_string())?;
        }
        self.sink.commit()?;
        match read {
            Exit::Done if self.options.exit_status && !self.last_holds => Ok(Exit::No),
            _ => Ok(read),
        }
    }
}
