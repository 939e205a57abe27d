//! Where values go: stdout, or a file that is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::Writing;
use super::format::Format;
use super::paint;
use super::source::Source;
use crate::console;
use crate::exit::{Exit, Failure, Result};

const ROOM: usize = 64 << 10;

/// Where output goes. What is written is seen after [`commit`](Sink::commit).
pub struct Sink {
    to: To,
    /// Whether JSON is painted.
    pub colours: bool,
}

enum To {
    Stdout(BufWriter<StdoutLock<'static>>),
    File(Replacement),
}

impl Sink {
    /// Stdout, or the file of `-o`, which must not be one of the inputs.
    pub fn open(output: Option<&Path>, inputs: &[&Source]) -> Result<Sink> {
        let Some(path) = output.filter(|path| path.as_os_str() != "-") else {
            return Ok(Sink::stdout());
        };
        let same = |source: &&&Source| source.path().is_some_and(|input| is_same(input, path));
        if inputs.iter().any(|source| same(&source)) {
            let message = format!(
                "-o {} is an input too; give another file, or --in-place where a command has it",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, 104, message));
        }
        Sink::file(path)
    }

    pub fn stdout() -> Sink {
        Sink {
            to: To::Stdout(BufWriter::with_capacity(ROOM, io::stdout().lock())),
            colours: console::colours(),
        }
    }

    pub fn file(path: &Path) -> Result<Sink> {
        let to = To::File(Replacement::new(path)?);
        Ok(Sink { to, colours: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.to {
            To::Stdout(out) => out.write_all(bytes).map_err(|e| Failure::output(&e)),
            To::File(file) => file.write(bytes),
        }
    }

    /// JSON text, painted if that is wanted.
    pub fn json(&mut self, json: &[u8]) -> Result<()> {
        match std::str::from_utf8(json).ok().filter(|_| self.colours) {
            Some(text) => self.write(paint::json(text).as_bytes()),
            None => self.write(json),
        }
    }

    /// Makes what was written seen: at once and as a whole, if it goes to a file.
    pub fn commit(self) -> Result<()> {
        match self.to {
            To::Stdout(mut out) => out.flush().map_err(|e| Failure::output(&e)),
            To::File(file) => file.commit(),
        }
    }

    /// Shows what has been written to stdout so far.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.to {
            To::Stdout(out) => out.flush().map_err(|e| Failure::output(&e)),
            To::File(_) => Ok(()),
        }
    }

    /// Shows it if somebody sits at a terminal and waits.
    pub fn flush_if_watched(&mut self) -> Result<()> {
        match io::stdout().is_terminal() {
            true => self.flush(),
            false => Ok(()),
        }
    }
}

/// The format a result is written in: as asked for, by the name of the file it goes to, else that of the input.
pub fn format_of(writing: &Writing, input: Format) -> Format {
    let by_name = || Format::of_path(writing.output.as_deref()?);
    writing.to.or_else(by_name).unwrap_or(input)
}

/// Refuses to fill a terminal with bytes.
pub fn check_terminal(format: Format, writing: &Writing) -> Result<()> {
    let to_stdout = writing
        .output
        .as_deref()
        .is_none_or(|path| path.as_os_str() == "-");
    if format.is_binary() && to_stdout && !writing.force && io::stdout().is_terminal() {
        let message = format!(
            "{} is binary and would garble the terminal; send it into a file with -o or to a program, or add --force",
            format.name()
        );
        return Err(Failure::new(Exit::Usage, 104, message));
    }
    Ok(())
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b || is_same_inode(&a, &b),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same_inode(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_inode(_: &Path, _: &Path) -> bool {
    false
}

/// A file that takes another's place once it is complete. What is no regular file, such as a device or a pipe,
/// is written to directly.
struct Replacement {
    target: PathBuf,
    /// The file that is written; none if that is the target itself.
    temporary: Option<Temporary>,
    out: BufWriter<File>,
}

/// Removed unless it has become the target.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = fs::remove_file(&self.0);
    }
}

impl Replacement {
    fn new(path: &Path) -> Result<Replacement> {
        let failed = |error: &io::Error| Failure::file(path, error);
        // Through a link, what it leads to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            let file = OpenOptions::new()
                .write(true)
                .open(&target)
                .map_err(|e| failed(&e))?;
            let out = BufWriter::with_capacity(ROOM, file);
            return Ok(Replacement {
                target,
                temporary: None,
                out,
            });
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = Temporary(target.with_file_name(name));
        remove_on_signal(&temporary.0);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary.0)
            .map_err(|e| failed(&e))?;
        if let Some(old) = old {
            fs::set_permissions(&temporary.0, old.permissions()).map_err(|e| failed(&e))?;
        }
        let out = BufWriter::with_capacity(ROOM, file);
        Ok(Replacement {
            target,
            temporary: Some(temporary),
            out,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out
            .write_all(bytes)
            .map_err(|error| Failure::file(&self.target, &error))
    }

    fn commit(mut self) -> Result<()> {
        self.out
            .flush()
            .and_then(|()| match &self.temporary {
                None => Ok(()),
                Some(Temporary(temporary)) => {
                    self.out.get_ref().sync_all()?;
                    fs::rename(temporary, &self.target)
                }
            })
            .map_err(|error| Failure::file(&self.target, &error))
    }
}

/// A signal ends the process and takes the unfinished file away. Without this thread it only stays there.
fn remove_on_signal(temporary: &Path) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
        return;
    };
    let temporary = temporary.to_owned();
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            let _ = fs::remove_file(&temporary);
            std::process::exit(i32::from(Exit::Signal(signal).code()));
        }
    };
    let _ = thread::Builder::new().name("signals".into()).spawn(wait);
}
