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
use crate::exit::{Exit, Result};
use crate::region::Region;
use crate::tally::{Tally, bar};

/// How often the elapsed times on a terminal are brought up to date.
const REDRAW: Duration = Duration::from_millis(100);
/// What turns while something is at work.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// More pieces of work of one task than this are shown as one line.
const MOST_ROWS: usize = 3;
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
    /// How far the cases are that have not ended, by id.
    tallies: BTreeMap<String, Tally>,
    width: usize,
    /// Every line names its case, also if there is one only.
    named: bool,
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
    /// For time.
    Waiting,
    /// For a signal.
    Listening,
    /// For a case that it called.
    Calling,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            State::Offered => "offered",
            State::Running => "running",
            State::BackingOff => "failed, tried again soon",
            State::Waiting => "waiting",
            State::Listening => "waiting for a signal",
            State::Calling => "running a case",
        }
    }
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
            tallies: BTreeMap::new(),
            width: NAME_WIDTH,
            named: false,
        }
    }

    /// From now on every line names its case.
    pub fn name_cases(&mut self) {
        self.named = true;
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
                "listening" => State::Listening,
                "running" => State::Calling,
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

    /// Whether it is shown how far cases are.
    pub fn wants_tally(&self) -> bool {
        self.mode == Mode::Live
    }

    /// How many tasks a case's flow has, and what has happened before.
    pub fn tally(&mut self, case: &str, tasks: usize, history: &[HistoryEvent]) {
        let mut tally = Tally::new(tasks);
        history.iter().for_each(|event| tally.event(event));
        self.tallies.insert(case.to_owned(), tally);
    }

    /// Something happened.
    pub fn event(&mut self, event: &HistoryEvent) -> Result<()> {
        match self.mode {
            Mode::Quiet => return Ok(()),
            Mode::Json => return self.out.line(event::to_value(event)),
            Mode::Plain | Mode::Live => {}
        }
        if let Some(tally) = self.tallies.get_mut(&*event.case) {
            tally.event(event);
        }
        let task = event.task.as_deref().unwrap_or("");
        self.width = self.width.max(task.len());
        let line = self.describe(event);
        let live = self.mode == Mode::Live;
        let silent = live && self.is_one_of_many(event);
        if let Some(line) = line.filter(|line| !(silent || live && line.plain_only)) {
            let text = self.format(event, task, &line);
            self.ready.push(text);
        }
        Ok(())
    }

    /// Whether it is about one of many instances, which are counted on a terminal and not told one by one.
    fn is_one_of_many(&self, event: &HistoryEvent) -> bool {
        let instances = self.tallies.get(&*event.case).and_then(|tally| {
            let (_, all) = tally.instances(event.task.as_deref()?)?;
            Some(all)
        });
        matches!(event.kind, EventKind::Completed | EventKind::Cancelled)
            && instances.is_some_and(|all| all > MOST_ROWS as u64)
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
        let case = if self.named || self.begun.len() > 1 {
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
            EventKind::Withdrawn => Line::plain("withdrawn: another task was faster".to_owned()),
            EventKind::Listening => {
                Line::plain(format!("waits for signal {}", detail(event, "signal")))
            }
            EventKind::Signalled => {
                Line::new(GOOD, '✓', format!("signalled after {}", took(lasted)))
            }
            EventKind::SignalDropped => Line::new(
                WARN,
                '!',
                format!(
                    "signal {} was lost: {}",
                    detail(event, "signal"),
                    detail(event, "code")
                ),
            ),
            EventKind::CaseCalled => Line::plain(format!("calls case {}", detail(event, "case"))),
            EventKind::InstancesStarted => Line::plain(format!(
                "begins with {} instances",
                number(event, "instances")
            )),
            EventKind::InstancesAdded => Line::new(
                NAME,
                '+',
                format!("{} more instances", number(event, "instances")),
            ),
            EventKind::InstancesJoined => Line::new(
                GOOD,
                '✓',
                format!("done, {} instances completed", number(event, "completed")),
            ),
            EventKind::Delegated => Line::new(
                NAME,
                '›',
                format!(
                    "handed from {} to {}",
                    detail(event, "from"),
                    detail(event, "worker")
                ),
            ),
            EventKind::WorkSkipped => Line::new(DIM, '-', "skipped"),
            EventKind::TaskCancelled => Line::new(WARN, '-', "cancelled by somebody"),
            EventKind::CaseSuspended => Line::new(WARN, '!', "case suspended"),
            EventKind::CaseResumed => Line::new(NAME, '›', "case resumed"),
            EventKind::CaseMigrated => Line::new(NAME, '›', migrated(event)),
            EventKind::CaseForked => Line::new(
                NAME,
                '›',
                format!("forked from case {}", detail(event, "from")),
            ),
            EventKind::CaseCancelled => Line::new(BAD, '✗', self.ended(event, "cancelled")),
            EventKind::CaseTerminated => Line::new(BAD, '✗', self.ended(event, "terminated")),
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
            EventKind::Listening => State::Listening,
            EventKind::CaseCalled => State::Calling,
            EventKind::Delegated => State::Running,
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
                let lines = self.lines(now);
                self.region.update(&ready, lines);
            }
        }
        Ok(())
    }

    /// What is under way, a line each, and how far the cases are.
    fn lines(&self, now: Timestamp) -> Vec<String> {
        let mut tasks: BTreeMap<(&str, &str), Vec<&Doing>> = BTreeMap::new();
        for ((case, _), doing) in &self.doing {
            tasks.entry((case, &doing.task)).or_default().push(doing);
        }
        let mut lines = Vec::new();
        for ((case, task), of) in tasks {
            if of.len() > MOST_ROWS {
                lines.push(self.crowd(case, task, &of, now));
            } else {
                lines.extend(of.into_iter().map(|doing| self.under_way(doing, now)));
            }
        }
        lines.extend(self.summary());
        lines
    }

    /// How far the cases are; nothing when nothing is under way.
    fn summary(&self) -> Option<String> {
        let at = |states: &[State]| {
            let of = self.doing.values().filter(|d| states.contains(&d.state));
            of.count()
        };
        let (running, all) = (at(&[State::Running, State::Calling]), self.doing.len());
        if all == 0 || self.tallies.is_empty() {
            return None;
        }
        let (done, tasks) = self
            .tallies
            .values()
            .map(Tally::tasks)
            .fold((0usize, 0usize), |(done, all), (d, a)| {
                (done.saturating_add(d), all.saturating_add(a))
            });
        let mut text = format!("{done} of {tasks} tasks done");
        let waiting = all.saturating_sub(running);
        for (count, what) in [(running, "at work"), (waiting, "waiting")] {
            if count > 0 {
                text.push_str(&format!(" · {count} {what}"));
            }
        }
        if self.tallies.len() > 1 {
            text.push_str(&format!(" · {} cases", self.tallies.len()));
        }
        Some(format!(
            "{:>9}  {GOOD}{}{GOOD:#}  {text}",
            "",
            bar(done, tasks)
        ))
    }

    /// Many pieces of work of one task.
    fn crowd(&self, case: &str, task: &str, of: &[&Doing], now: Timestamp) -> String {
        let since = of.iter().map(|d| d.since).min().unwrap_or(now);
        let states = [
            State::Running,
            State::Calling,
            State::Offered,
            State::BackingOff,
            State::Waiting,
            State::Listening,
        ];
        let counts = states.iter().filter_map(|state| {
            let count = of.iter().filter(|d| d.state == *state).count();
            (count > 0).then(|| format!("{count} {}", state.text()))
        });
        let mut text = counts.collect::<Vec<String>>().join(", ");
        let instances = self.tallies.get(case).and_then(|t| t.instances(task));
        if let Some((done, all)) = instances {
            text.push_str(&format!(", {done} of {all} done"));
        }
        let running = of.iter().any(|d| d.state == State::Running);
        let state = if running {
            State::Running
        } else {
            State::Offered
        };
        self.row(state, since, task, &text, now)
    }

    fn under_way(&self, doing: &Doing, now: Timestamp) -> String {
        let again = if doing.attempt > 1 {
            format!(" (attempt {})", doing.attempt)
        } else {
            String::new()
        };
        let text = format!("{}{again}", doing.state.text());
        self.row(doing.state, doing.since, &doing.task, &text, now)
    }

    fn row(
        &self,
        state: State,
        since: Timestamp,
        task: &str,
        text: &str,
        now: Timestamp,
    ) -> String {
        let seconds = now.saturating_since(since).as_secs_f64();
        let turn = now.as_micros().max(0).unsigned_abs() / 100_000 % 10;
        let turn = usize::try_from(turn).ok().and_then(|t| SPINNER.get(t));
        let (style, mark) = match state {
            State::Running | State::Calling => (NAME, turn.copied().unwrap_or('.')),
            State::BackingOff => (WARN, '!'),
            _ => (DIM, '.'),
        };
        format!(
            "{DIM}{seconds:>8.1}s{DIM:#}  {style}{mark}{style:#} {task:<width$}  {text}",
            width = self.width
        )
    }

    /// A case has ended while others go on or may begin.
    pub fn closed(&mut self, info: &CaseInfo, now: Timestamp) -> Result<()> {
        self.doing.retain(|(case, _), _| **case != *info.id);
        self.begun.remove(&info.id);
        if self.mode == Mode::Live {
            // stdout may be the same terminal.
            let ready = std::mem::take(&mut self.ready);
            self.region.update(&ready, Vec::new());
        } else {
            self.update(now)?;
        }
        if Exit::of_status(info.status) != Exit::Done {
            crate::show::unhappy_end(info);
        }
        self.end(info)
    }

    /// How a case ended: its result on stdout.
    pub fn end(&mut self, info: &CaseInfo) -> Result<()> {
        self.tallies.remove(&info.id);
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

fn number(event: &HistoryEvent, field: &str) -> u64 {
    let number = event.detail.get(field).and_then(|n| n.as_u64());
    number.unwrap_or(0)
}

/// The time of day of an event's `until`.
fn until(event: &HistoryEvent) -> String {
    let text = detail(event, "until");
    text.split_once('T')
        .map_or(text.clone(), |(_, time)| time.to_owned())
}

/// From which version to which a case was moved.
fn migrated(event: &HistoryEvent) -> String {
    let version = |field: &str| {
        let side = event.detail.get(field);
        let version = side.and_then(|side| side.get("version"));
        version.unwrap_or_default().to_string()
    };
    let back = event.detail.get("undoes").map_or("", |_| " back");
    let (from, to) = (version("from"), version("to"));
    format!("moved{back} from version {from} to {to}")
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
