//! Where values come from: files and stdin.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use statewright::value::Error;
use statewright::{Limits, Value};

use super::args::Reading;
use super::format::{Format, refused};
use super::progress::{Progress, Watched};
use crate::console;
use crate::exit::{Exit, Failure, Result};

/// The byte order mark of UTF-8, which some editors write.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file, or stdin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Stdin,
    File(PathBuf),
}

impl Source {
    /// `-` and nothing are stdin.
    pub fn of(path: Option<&Path>) -> Source {
        match path {
            Some(path) if path.as_os_str() != "-" => Source::File(path.to_owned()),
            _ => Source::Stdin,
        }
    }

    /// Of commands that take several; stdin if there are none.
    pub fn all(paths: &[PathBuf]) -> Result<Vec<Source>> {
        let mut sources: Vec<Source> = paths.iter().map(|path| Source::of(Some(path))).collect();
        if sources.is_empty() {
            sources.push(Source::Stdin);
        }
        one_stdin(&sources.iter().collect::<Vec<_>>())?;
        Ok(sources)
    }

    pub fn path(&self) -> Option<&Path> {
        match self {
            Source::Stdin => None,
            Source::File(path) => Some(path),
        }
    }

    /// The format it is read in.
    pub fn format(&self, from: Option<Format>) -> Format {
        from.or_else(|| Format::of_path(self.path()?))
            .unwrap_or(Format::Json)
    }

    /// All its bytes.
    pub fn read(&self, limits: &Limits) -> Result<Vec<u8>> {
        Bytes::open(self)?.read_all(limits)
    }

    /// Its value.
    pub fn value(&self, reading: &Reading) -> Result<Value> {
        self.value_in(self.format(reading.from), reading)
    }

    /// Its value, in a format of its own: of a patch, a schema, a second input.
    pub fn value_in(&self, format: Format, reading: &Reading) -> Result<Value> {
        let limits = reading.limits.limits();
        format.decode(
            &self.read(&limits)?,
            &limits,
            reading.typed,
            &self.to_string(),
        )
    }

    /// Opens it. The second is its size, where that is known.
    fn open(&self) -> Result<(Box<dyn Read>, Option<u64>)> {
        let Source::File(path) = self else {
            if io::stdin().is_terminal() {
                // Without a stderr there is nobody to tell.
                let _ = writeln!(
                    console::stderr(),
                    "reading from the terminal; Ctrl-D ends the input"
                );
            }
            return Ok((Box::new(io::stdin().lock()), None));
        };
        let opened = File::open(path).and_then(|file| Ok((fs::metadata(path)?, file)));
        let (metadata, file) = opened.map_err(|error| self.unreadable(&error))?;
        let size = metadata.is_file().then_some(metadata.len());
        Ok((Box::new(file), size))
    }

    pub fn unreadable(&self, error: &io::Error) -> Failure {
        let advice = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => "; check the path",
            _ => "",
        };
        Failure::new(
            Exit::Usage,
            300,
            format!("could not read {self}: {error}{advice}"),
        )
    }

    fn too_large(&self, limits: &Limits, found: &str) -> Failure {
        let error = Error::Limit {
            what: "length of the input",
            limit: limits.max_bytes,
            at: found.to_owned(),
        };
        refused(&error, &self.to_string())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Stdin => f.write_str("stdin"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The bytes of a source, without a byte order mark.
pub struct Bytes<'s> {
    pub source: &'s Source,
    size: Option<u64>,
    /// What has been looked at already, from `at` on.
    begin: Vec<u8>,
    at: usize,
    rest: Watched<Box<dyn Read>>,
}

/// How far is looked for the first byte of a JSON text.
const LOOK_AHEAD: u64 = 4096;

impl<'s> Bytes<'s> {
    pub fn open(source: &'s Source) -> Result<Bytes<'s>> {
        let (file, size) = source.open()?;
        let mut bytes = Bytes {
            source,
            size,
            begin: Vec::new(),
            at: 0,
            rest: Progress::new(source, size).watch(file),
        };
        bytes.look(MARK.len() as u64)?;
        if bytes.begin == MARK {
            bytes.at = MARK.len();
        }
        Ok(bytes)
    }

    /// Whether it is a JSON array, by its first byte.
    pub fn begin_array(&mut self) -> Result<bool> {
        for _ in 0..LOOK_AHEAD {
            let ahead = self.begin.get(self.at..).unwrap_or_default();
            if let Some(byte) = ahead.iter().find(|byte| !byte.is_ascii_whitespace()) {
                return Ok(*byte == b'[');
            }
            if self.look(1)? == 0 {
                break;
            }
        }
        Ok(false)
    }

    /// Reads so much more of the beginning; gives how much there was.
    fn look(&mut self, bytes: u64) -> Result<usize> {
        let read = self.rest.by_ref().take(bytes).read_to_end(&mut self.begin);
        read.map_err(|error| self.source.unreadable(&error))
    }

    pub fn read_all(mut self, limits: &Limits) -> Result<Vec<u8>> {
        let source = self.source;
        let limit = u64::try_from(limits.max_bytes).unwrap_or(u64::MAX);
        if let Some(size) = self.size.filter(|size| *size > limit) {
            return Err(source.too_large(limits, &format!("found {size} bytes")));
        }
        let room = self.size.and_then(|size| usize::try_from(size).ok());
        let mut bytes = Vec::with_capacity(room.unwrap_or(0).saturating_add(1));
        self.by_ref()
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| source.unreadable(&error))?;
        if bytes.len() > limits.max_bytes {
            return Err(source.too_large(limits, "there is more"));
        }
        Ok(bytes)
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut begin = self.begin.get(self.at..).unwrap_or_default();
        if begin.is_empty() {
            return self.rest.read(buffer);
        }
        let read = begin.read(buffer)?;
        self.at = self.at.saturating_add(read);
        Ok(read)
    }
}

/// Stdin can be read once only.
pub fn one_stdin(sources: &[&Source]) -> Result<()> {
    let several = sources
        .iter()
        .filter(|source| ***source == Source::Stdin)
        .count()
        > 1;
    if several {
        let message = "only one of the inputs can be stdin; give a file for the others";
        return Err(Failure::new(Exit::Usage, 104, message));
    }
    Ok(())
}
