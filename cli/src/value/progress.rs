//! How far reading or writing has come, for people who wait.

use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::source::Source;
use crate::console;

/// Who waits longer than this is told.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often.
const REDRAW: Duration = Duration::from_millis(200);

/// A line on stderr that changes in place, if stderr is a terminal and stdout is not: there, results show.
pub struct Progress {
    what: String,
    size: Option<u64>,
    done: u64,
    /// None if nobody looks.
    next: Option<Instant>,
    begun: Instant,
    drawn: bool,
}

impl Progress {
    pub fn new(source: &Source, size: Option<u64>) -> Progress {
        Progress::of(&source.to_string(), size)
    }

    /// Of something that is not a source of values.
    pub fn of(what: &str, size: Option<u64>) -> Progress {
        let begun = Instant::now();
        let watched = console::is_live() && !io::stdout().is_terminal();
        Progress {
            what: console::one_line(what).into_owned(),
            size,
            done: 0,
            next: watched.then(|| begun + PATIENCE),
            begun,
            drawn: false,
        }
    }

    /// Counts what is read.
    pub fn watch<R: Read>(self, inner: R) -> Watched<R> {
        Watched {
            inner,
            progress: self,
        }
    }

    pub fn add(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + REDRAW);
        self.drawn = true;
        let line = describe(&self.what, self.done, self.size, now - self.begun);
        let mut err = console::stderr();
        // Without a terminal there is nobody to show it to.
        let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let mut err = console::stderr();
            let _ = write!(err, "\r\x1b[2K").and_then(|()| err.flush());
        }
    }
}

fn describe(what: &str, done: u64, size: Option<u64>, took: Duration) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let rate = done as f64 / f64::from(1 << 20) / took.as_secs_f64().max(0.001);
    match size.filter(|size| *size > 0) {
        Some(size) => format!(
            "{what}: {} {} of {} MiB ({} %), {rate:.1} MiB/s",
            bar(done, size),
            mib(done),
            mib(size),
            done.saturating_mul(100) / size
        ),
        None => format!("{what}: {} MiB, {rate:.1} MiB/s", mib(done)),
    }
}

/// How much of it is done, as a picture.
fn bar(done: u64, size: u64) -> String {
    const WIDTH: u64 = 20;
    let full = done.saturating_mul(WIDTH).checked_div(size).unwrap_or(0);
    let full = usize::try_from(full.min(WIDTH)).unwrap_or(0);
    format!("[{:<20}]", "#".repeat(full))
}

/// A reader that tells how far it is.
pub struct Watched<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.add(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_with_and_without_a_size() {
        let took = Duration::from_secs(2);
        for (done, size, line) in [
            (
                3 << 20,
                Some(12 << 20),
                "x: [#####               ] 3.0 of 12.0 MiB (25 %), 1.5 MiB/s",
            ),
            (3 << 20, None, "x: 3.0 MiB, 1.5 MiB/s"),
            (0, Some(0), "x: 0.0 MiB, 0.0 MiB/s"),
        ] {
            assert_eq!(describe("x", done, size, took), line);
        }
    }
}
