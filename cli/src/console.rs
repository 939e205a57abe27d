//! Writing: stdout for results, stderr for everything else, colours where they are wanted.
//!
//! Colours are written always and taken away where stdout or stderr is no terminal, or `NO_COLOR` is set.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, Stderr, StdoutLock, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice, adapter};
use anstyle::{AnsiColor, Style};

use crate::exit::{Failure, Result};

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const NAME: Style = AnsiColor::Cyan.on_default();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();

pub fn stderr() -> AutoStream<Stderr> {
    anstream::stderr()
}

/// Whether stdout shows colours.
pub fn colours() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Buffered stdout. What is written is seen after [`flush`](Out::flush).
pub struct Out {
    stream: BufWriter<StdoutLock<'static>>,
    colours: bool,
}

impl Out {
    pub fn new() -> Out {
        Out {
            stream: BufWriter::new(io::stdout().lock()),
            colours: colours(),
        }
    }

    pub fn line(&mut self, line: impl Display) -> Result<()> {
        let line = line.to_string();
        let line = match self.colours {
            true => Cow::Borrowed(line.as_str()),
            false => plain(&line),
        };
        writeln!(self.stream, "{line}").map_err(|e| Failure::output(&e))
    }

    pub fn flush(&mut self) -> Result<()> {
        self.stream.flush().map_err(|e| Failure::output(&e))
    }
}

/// A line without its colours. JSON has none and stays as it is: what takes colours away would also take away control
/// characters that JSON does not escape, such as U+007F.
fn plain(line: &str) -> Cow<'_, str> {
    match line.contains('\u{1b}') {
        true => Cow::Owned(adapter::strip_str(line).to_string()),
        false => Cow::Borrowed(line),
    }
}

/// Text from outside on one line, without control characters: it must not move the cursor or set colours.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            line.replace(|c: char| c.is_control(), " ")
                .trim()
                .to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect();
    Cow::Owned(lines.join("; "))
}

/// A duration for people: `12 ms`, `1.35 s`, `2 min 3 s`, `5 h 2 min`.
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.2} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Whether something can be drawn and redrawn on stderr.
pub fn is_live() -> bool {
    io::IsTerminal::is_terminal(&io::stderr())
        && std::env::var("TERM").is_ok_and(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1350, "1.35 s"),
            (61_000, "1 min 1 s"),
            (18_120_000, "5 h 2 min"),
        ] {
            assert_eq!(took(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(one_line("plain"), "plain");
        assert_eq!(one_line("a\n\n  b\tc\n"), "a; b c");
        assert_eq!(one_line("\u{1b}[2Jgone"), "[2Jgone");
    }
}
