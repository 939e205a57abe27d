//! What happens to cases, for people: lines as things happen, and on a terminal a region of what is under way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use statewright::flow::{CaseInfo, EventKind, HistoryEvent};
use statewright::{Timestamp, Value};

use crate::console::{self, BAD, BOLD, DIM, GOOD, NAME, Out, WARN, one_line, took};
use crate::event;
use crate::exit::Result;
use crate::region::Region;

/// How often the elapsed times on a terminal are brought up to date.
const REDRAW: Duration = Duration::from_millis(100);
/// The column of task names is at least this wide.
const NAME_WIDTH: usize = 10;

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody.
    Quiet,
    /// A program: one JSON object a line on stdout.
    Json,
    /// Somebody, later: lines on stderr.
    Plain,
    /// Somebody at a terminal.
    Live,
}

impl Mode {
    pub fn of(json: bool, quiet: bool) -> Mode {
        match (json, quiet) {
            (true, _) => Mode::Json,
            (_, true) => Mode::Quiet,
            _ if console::is_live() => Mode::Live,
            _ => Mode::Plain,
        }
    }
}

/// Shows events as they come, in each case's order.
pub struct Timeline {
    mode: Mode,
    out: Out,
    region: Region,
    /// Lines to be printed with the next update.
    ready: Vec<String>,
    doing: BTreeMap<(Arc<str>, u64), Doing>,
    begun: BTreeMap<String, Timestamp>,
    width: usize,
}

/// A piece of work under way.
struct Doing {
    task: Arc<str>,
    state: State,
    since: Timestamp,
    attempt: u32,
    /// What the last attempt's failure said.
    failure: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Offered,
    Running,
    BackingOff,
    Waiting,
}

/// What one event says.
struct Line {
    style: Style,
    mark: char,
    text: String,
    /// On a terminal the region shows it already.
    plain_only: bool,
}

impl Line {
    fn new(style: Style, mark: char, text: impl Into<String>) -> Option<Line> {
        Some(Line {
            style,
            mark,
            text: text.into(),
            plain_only: false,
        })
    }

    fn plain(text: impl Into<String>) -> Option<Line> {
        Some(Line {
            style: DIM,
            mark: ' ',
            text: text.into(),
            plain_only: true,
        })
    }
}

impl Timeline {
    pub fn new(mode: Mode) -> Timeline {
        Timeline {
            mode,
            out: Out::new(),
            region: Region::default(),
            ready: Vec::new(),
            doing: BTreeMap::new(),
            begun: BTreeMap::new(),
            width: NAME_WIDTH,
        }
    }

    /// How long nothing need be drawn.
    pub fn idle(&self) -> Option<Duration> {
        (self.mode == Mode::Live && !self.doing.is_empty()).then_some(REDRAW)
    }

    /// A case comes into view.
    pub fn begin(&mut self, info: &CaseInfo, resumed: bool, now: Timestamp) {
        self.begun
            .insert(info.id.clone(), if resumed { now } else { info.created });
        if !matches!(self.mode, Mode::Plain | Mode::Live) {
            return;
        }
        let verb = if resumed { "resumed" } else { "started" };
        self.ready.push(format!(
            "case {BOLD}{}{BOLD:#} of {} {verb}",
            info.id, info.flow
        ));
        for item in &info.items {
            let state = match item.state {
                "leased" => State::Running,
                "backing_off" => State::BackingOff,
                "waiting" => State::Waiting,
                _ => State::Offered,
            };
            let doing = Doing {
                task: item.task.as_str().into(),
                state,
                since: now,
                attempt: item.attempt,
                failure: None,
            };
            self.doing
                .insert((info.id.as_str().into(), item.item), doing);
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &HistoryEvent) -> Result<()> {
        match self.mode {
            Mode::Quiet => return Ok(()),
            Mode::Json => return self.out.line(event::to_value(event)),
            Mode::Plain | Mode::Live => {}
        }
        let task = event.task.as_deref().unwrap_or("");
        self.width = self.width.max(task.len());
        let line = self.describe(event);
        if let Some(line) = line.filter(|line| self.mode == Mode::Plain || !line.plain_only) {
            let text = self.format(event, task, &line);
            self.ready.push(text);
        }
        Ok(())
    }

    fn format(&self, event: &HistoryEvent, task: &str, line: &Line) -> String {
        let begun = self.begun.get(&*event.case).copied().unwrap_or(event.at);
        let seconds = event.at.saturating_since(begun).as_secs_f64();
        let Line {
            style, mark, text, ..
        } = line;
        let text = one_line(text);
        let mark = if self.mode == Mode::Live {
            format!(" {style}{mark}{style:#}")
        } else {
            String::new()
        };
        let case = if self.begun.len() > 1 {
            format!("  {DIM}{}{DIM:#}", event.case)
        } else {
            String::new()
        };
        let task = if task.is_empty() {
            String::new()
        } else {
            format!("{task:<width$}  ", width = self.width)
        };
        format!("{DIM}{seconds:>8.2}s{DIM:#}{case} {mark} {task}{text}")
    }

    /// What an event says, and what it means for what is under way.
    fn describe(&mut self, event: &HistoryEvent) -> Option<Line> {
        let attempt = event.attempt.unwrap_or(0);
        let before = self.step(event);
        let lasted = before
            .as_ref()
            .map_or(Duration::ZERO, |d| event.at.saturating_since(d.since));
        let again = if attempt > 1 {
            format!(" (attempt {attempt})")
        } else {
            String::new()
        };
        match event.kind {
            EventKind::Fired => Line::new(GOOD, '✓', "done"),
            EventKind::Logged => Line::new(NAME, '›', detail(event, "message")),
            EventKind::Started => {
                let worker = detail(event, "worker");
                let by = if worker.starts_with("process-worker") {
                    String::new()
                } else {
                    format!(" by {worker}")
                };
                Line::plain(format!("started{by}{again}"))
            }
            EventKind::Completed => {
                Line::new(GOOD, '✓', format!("done in {}{again}", took(lasted)))
            }
            EventKind::AttemptFailed | EventKind::TimedOut => Line::new(
                WARN,
                '!',
                format!("attempt {attempt} failed: {}", detail(event, "message")),
            ),
            EventKind::RetryScheduled => {
                Line::plain(format!("will be tried again at {}", until(event)))
            }
            EventKind::LeaseExpired => Line::new(
                WARN,
                '!',
                "no heartbeat came within the lease; offered again",
            ),
            EventKind::Released => Line::new(
                WARN,
                '!',
                "was under way when the last process ended; runs again",
            ),
            EventKind::TimerSet => Line::plain(format!("waits until {}", until(event))),
            EventKind::TimerFired => Line::new(GOOD, '✓', format!("waited {}", took(lasted))),
            EventKind::Cancelled => Line::new(DIM, '-', "cancelled"),
            EventKind::Failed => {
                let said = before.and_then(|d| d.failure);
                let why = detail(event, "message");
                let text = if said.as_ref() == Some(&why) {
                    "failed for good".to_owned()
                } else {
                    format!("failed: {why}")
                };
                Line::new(BAD, '✗', text)
            }
            EventKind::Caught => Line::plain("the flow goes on from that failure".to_owned()),
            EventKind::Compensating => Line::plain("is being undone".to_owned()),
            EventKind::Compensated => Line::new(GOOD, '✓', "undone"),
            EventKind::CompensationFailed => Line::new(
                BAD,
                '✗',
                format!("could not be undone: {}", detail(event, "message")),
            ),
            EventKind::CaseCompensating => Line::plain("the case undoes what it did".to_owned()),
            EventKind::CaseCompensated => Line::new(GOOD, '✓', self.ended(event, "undone")),
            EventKind::CaseCompensationFailed => {
                Line::new(BAD, '✗', self.ended(event, "not undone as a whole"))
            }
            EventKind::CaseCompleted => Line::new(GOOD, '✓', self.ended(event, "completed")),
            EventKind::CaseFailed => Line::new(BAD, '✗', self.ended(event, "failed")),
            EventKind::CaseDeadlocked => Line::new(BAD, '✗', self.ended(event, "deadlocked")),
            _ => None,
        }
    }

    fn ended(&self, event: &HistoryEvent, how: &str) -> String {
        let begun = self.begun.get(&*event.case).copied().unwrap_or(event.at);
        format!(
            "case {how} after {}",
            took(event.at.saturating_since(begun))
        )
    }

    /// Follows the piece of work that an event is about; gives what was known of it before.
    fn step(&mut self, event: &HistoryEvent) -> Option<Doing> {
        let key = (event.case.clone(), event.item?);
        let before = self.doing.remove(&key);
        let state = match event.kind {
            EventKind::Offered | EventKind::LeaseExpired | EventKind::Released => State::Offered,
            EventKind::Started => State::Running,
            EventKind::AttemptFailed | EventKind::TimedOut | EventKind::RetryScheduled => {
                State::BackingOff
            }
            EventKind::TimerSet => State::Waiting,
            _ => return before,
        };
        let failure = match event.kind {
            EventKind::AttemptFailed | EventKind::TimedOut => Some(detail(event, "message")),
            _ => before.as_ref().and_then(|d| d.failure.clone()),
        };
        let task = event.task.clone().unwrap_or_default();
        self.doing.insert(
            key,
            Doing {
                task,
                state,
                since: event.at,
                attempt: event.attempt.unwrap_or(0),
                failure,
            },
        );
        before
    }

    /// Says something on stderr that is not of a case's history.
    pub fn note(&mut self, text: &str) {
        match self.mode {
            Mode::Quiet => {}
            Mode::Json => {
                // stdout is for objects; without a stderr there is nobody to tell.
                let _ = writeln!(console::stderr(), "note: {}", one_line(text));
            }
            Mode::Plain | Mode::Live => self
                .ready
                .push(format!("{WARN}note:{WARN:#} {}", one_line(text))),
        }
    }

    /// Passes on what a worker wrote to its stderr.
    pub fn said(&mut self, worker: &str, line: &str) {
        let line = format!("{DIM}{worker} |{DIM:#} {}", one_line(line));
        match self.mode {
            Mode::Plain | Mode::Live => self.ready.push(line),
            Mode::Quiet | Mode::Json => {
                let _ = writeln!(console::stderr(), "{line}");
            }
        }
    }

    /// Shows what has come together.
    pub fn update(&mut self, now: Timestamp) -> Result<()> {
        let ready = std::mem::take(&mut self.ready);
        match self.mode {
            Mode::Quiet => {}
            Mode::Json => self.out.flush()?,
            Mode::Plain => {
                let mut err = console::stderr();
                for line in ready {
                    let _ = writeln!(err, "{line}");
                }
            }
            Mode::Live => {
                let lines = self
                    .doing
                    .values()
                    .map(|doing| self.under_way(doing, now))
                    .collect();
                self.region.update(&ready, lines);
            }
        }
        Ok(())
    }

    fn under_way(&self, doing: &Doing, now: Timestamp) -> String {
        let seconds = now.saturating_since(doing.since).as_secs_f64();
        let state = match doing.state {
            State::Offered => "offered",
            State::Running => "running",
            State::BackingOff => "failed, tried again soon",
            State::Waiting => "waiting",
        };
        let again = if doing.attempt > 1 {
            format!(" (attempt {})", doing.attempt)
        } else {
            String::new()
        };
        format!(
            "{seconds:>8.1}s  . {task:<width$}  {state}{again}",
            task = doing.task,
            width = self.width
        )
    }

    /// How a case ended: its result on stdout.
    pub fn end(&mut self, info: &CaseInfo) -> Result<()> {
        match (self.mode, &info.result) {
            (Mode::Json, _) => self.out.line(event::end_to_value(info))?,
            (_, Some(result)) => self.out.line(result.to_json_pretty())?,
            _ => {}
        }
        self.out.flush()
    }

    /// Takes the region away.
    pub fn finish(&mut self, now: Timestamp) -> Result<()> {
        self.doing.clear();
        self.update(now)
    }
}

/// The time of day of an event's `until`.
fn until(event: &HistoryEvent) -> String {
    let text = detail(event, "until");
    text.split_once('T')
        .map_or(text.clone(), |(_, time)| time.to_owned())
}

/// A text field of an event's detail; anything else as JSON.
fn detail(event: &HistoryEvent, field: &str) -> String {
    match event.detail.get(field) {
        None => String::new(),
        Some(value) => value
            .as_str()
            .map_or_else(|| Value::to_json(&value), str::to_owned),
    }
}
