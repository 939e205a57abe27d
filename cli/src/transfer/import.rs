//! `import`: reads in what `export` wrote, or any operations.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use statewright::store::{Error as StoreError, Retryable, Store, StoreLimits};
use statewright::{Engine, Limits, Options, Value, value};

use super::{FORMAT, MARK};
use crate::args::Import;
use crate::console::Out;
use crate::exit::{Exit, Failure, Result};
use crate::store;
use crate::value::progress::Progress;

/// Lines and bytes of them in a commit.
const BATCH_LINES: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// Changes in a commit: with `--atomic` there is one of all lines.
const CHANGES: usize = 1_000_000;
/// Bytes of a line. A commit has at most 64 MiB, of which each byte can become six in JSON.
const LINE_BYTES: u64 = 1 << 30;

pub fn run(options: &Import) -> Result<Exit> {
    let mut lines = Lines::open(&options.file)?;
    let mut import = Importer {
        engine: None,
        options,
        batch: Vec::new(),
        bytes: 0,
        imported: 0,
        through: 0,
        open: false,
        since_header: 0,
    };
    let read = import.all(&mut lines);
    let closed = import.engine.take().map_or(Ok(()), |engine| engine.close());
    read?;
    closed?;
    let mut out = Out::new();
    let (imported, read) = (import.imported, lines.number);
    if options.json {
        out.line(value!({ "lines": read, "imported": imported }))?;
    } else {
        out.line(format!("{imported} operations imported"))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

struct Importer<'a> {
    /// Opened for the first commit: what is refused as a whole makes no store.
    engine: Option<Engine>,
    options: &'a Import,
    /// Operations to be committed, with the numbers of their lines.
    batch: Vec<(u64, Value)>,
    bytes: usize,
    imported: u64,
    /// The last line up to which all is committed.
    through: u64,
    /// Whether there was a first line of an export, and not yet its last.
    open: bool,
    /// Operations since then.
    since_header: u64,
}

impl Importer<'_> {
    fn all(&mut self, lines: &mut Lines) -> Result<()> {
        while let Some(line) = lines.next().map_err(|e| self.stopped(e))? {
            let number = lines.number;
            let size = line.len();
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // What a store holds was accepted once, and is a level deeper here; ops are checked when they are made.
            let limits = Limits::unlimited();
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
            let read = Value::from_typed_json_with(text, &limits);
            let call = read.map_err(|e| self.refused(number, e.code(), &e.to_string()))?;
            if call.get(MARK).is_some() {
                self.mark(number, &call)?;
                continue;
            }
            self.since_header = self.since_header.saturating_add(1);
            if number <= self.options.skip {
                continue;
            }
            let bytes = self.bytes.saturating_add(size);
            let is_full = self.batch.len() >= BATCH_LINES || bytes > BATCH_BYTES;
            if is_full && !self.batch.is_empty() && !self.options.atomic {
                self.commit(number.saturating_sub(1))?;
            }
            self.batch.push((number, call));
            self.bytes = self.bytes.saturating_add(size);
        }
        if self.open {
            let problem = format!(
                "the input ends at line {}, before the end of the export",
                lines.number
            );
            return Err(self.cut_off(lines.number, &problem));
        }
        self.commit(lines.number)?;
        // An export of nothing makes a store with nothing in it.
        self.store(&[]).map(drop)
    }

    /// The first or the last line of an export.
    fn mark(&mut self, number: u64, line: &Value) -> Result<()> {
        let text = |name: &str| line.get(name).unwrap_or_default();
        match text(MARK).as_str() {
            Some("export") if self.open => {
                let problem =
                    format!("line {number}: another export begins before the end of this one");
                Err(self.cut_off(number.saturating_sub(1), &problem))
            }
            Some("export") if text("format").as_u64() == Some(FORMAT) => {
                self.open = true;
                self.since_header = 0;
                Ok(())
            }
            Some("export") => {
                let problem = format!(
                    "it is of the format {}, and this version reads {FORMAT}",
                    text("format")
                );
                Err(self.refused(number, 304, &problem))
            }
            Some("end") if text("lines").as_u64() == Some(self.since_header) => {
                self.open = false;
                Ok(())
            }
            Some("end") => {
                let problem = format!(
                    "line {number}: {} operations were written, and {} are here",
                    text("lines"),
                    self.since_header
                );
                Err(self.cut_off(number, &problem))
            }
            _ => Err(self.refused(
                number,
                418,
                "it is neither an operation nor the begin or end of an export",
            )),
        }
    }

    /// Commits what is there of the lines up to this one.
    fn commit(&mut self, through: u64) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let done = self.store(&batch).and_then(|store| apply(store, &batch));
        done.map_err(|failure| self.stopped(failure))?;
        self.imported = self.imported.saturating_add(batch.len() as u64);
        self.through = through;
        Ok(())
    }

    /// The store; this is the first batch of a new one.
    fn store(&mut self, first: &[(u64, Value)]) -> Result<&Store> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => {
                // A value that grew may be larger than what other commits may have.
                let options = Options::default()
                    .limits(limits())
                    .max_commit_bytes(u64::MAX);
                store::open_to_change(&self.options.store, options, |store| apply(store, first))?
            }
        };
        Ok(self.engine.insert(engine).store())
    }

    /// Part of an export is missing; what came, up to this line, counts all the same, unless it is all or nothing.
    fn cut_off(&mut self, through: u64, problem: &str) -> Failure {
        if !self.options.atomic
            && let Err(failure) = self.commit(through)
        {
            return failure;
        }
        let message = format!("{problem}: it was cut off");
        self.stopped(Failure::new(Exit::Usage, 302, message))
    }

    fn refused(&self, line: u64, code: i32, problem: &str) -> Failure {
        self.stopped(Failure::new(
            Exit::Usage,
            code,
            format!("line {line}: {problem}"),
        ))
    }

    /// Says how far it got.
    fn stopped(&self, failure: Failure) -> Failure {
        let far = match self.through.max(self.options.skip) {
            0 => "nothing is imported".to_owned(),
            n if self.through == 0 => {
                format!("nothing more is imported; the first {n} lines were skipped")
            }
            n => format!("lines 1 to {n} are imported, the rest is not; go on with --skip {n}"),
        };
        let Failure {
            exit,
            code,
            message,
            ..
        } = failure;
        Failure::new(exit, code, format!("{message}; {far}"))
    }
}

/// A line can be more than one change.
fn limits() -> StoreLimits {
    let mut limits = StoreLimits::default();
    limits.max_ops = CHANGES;
    limits
}

/// Makes one commit of operations.
fn apply(store: &Store, batch: &[(u64, Value)]) -> Result<()> {
    let done = store.transact(|txn| {
        batch.iter().try_for_each(|(line, call)| {
            txn.call(call).map(drop).map_err(|error| Refused {
                line: Some(*line),
                error,
            })
        })
    });
    let Err(Refused { line, error }) = done else {
        return Ok(());
    };
    let code = error.code();
    let exit = match code {
        // An event that is not what its hash says, or not the next one: the line is wrong, not the store.
        413 | 419 => Exit::Usage,
        code => Exit::of_code(code),
    };
    let lines = match (line.as_ref(), batch) {
        (Some(line), _) | (None, [(line, _)]) => format!("line {line}: "),
        (None, [(first, _), .., (last, _)]) => format!("lines {first} to {last}: "),
        (None, []) => String::new(),
    };
    Err(Failure::new(exit, code, format!("{lines}{error}")))
}

/// Why a commit was refused, and at which line; none if it is about all of them.
struct Refused {
    line: Option<u64>,
    error: StoreError,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused { line: None, error }
    }
}

impl Retryable for Refused {
    fn is_retryable(&self) -> bool {
        self.error.is_retryable()
    }
}

/// The lines of a file or of stdin.
struct Lines {
    from: BufReader<Box<dyn Read>>,
    progress: Progress,
    name: String,
    number: u64,
}

impl Lines {
    fn open(file: &Path) -> Result<Lines> {
        let name = file.display().to_string();
        let stdin = file.as_os_str() == "-";
        let opened = || -> io::Result<(Box<dyn Read>, Option<u64>)> {
            if stdin {
                return Ok((Box::new(io::stdin()), None));
            }
            let metadata = fs::metadata(file)?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let size = metadata.is_file().then_some(metadata.len());
            Ok((Box::new(File::open(file)?), size))
        };
        let (from, size) = opened().map_err(|e| unreadable(&name, &e))?;
        Ok(Lines {
            from: BufReader::with_capacity(64 << 10, from),
            progress: Progress::of(&format!("import of {name}"), size),
            name,
            number: 0,
        })
    }

    /// The next line; none at the end. Of a line that is too long no more is read than is allowed.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut upto = (&mut self.from).take(LINE_BYTES.saturating_add(1));
        upto.read_until(b'\n', &mut line)
            .map_err(|e| unreadable(&self.name, &e))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        self.progress.add(line.len());
        if line.len() as u64 > LINE_BYTES {
            let message = format!("line {}: it is longer than {LINE_BYTES} bytes", self.number);
            return Err(Failure::new(Exit::Usage, 204, message));
        }
        Ok(Some(line))
    }
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, 300, format!("could not read {name}: {error}"))
}
