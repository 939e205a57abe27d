//! A session: an engine whose cases are followed to their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use statewright::flow::{CaseInfo, EventKind, HistoryEvent};
use statewright::{Engine, Timestamp};

use crate::args::Drive;
use crate::exit::{Exit, Failure, Result};
use crate::signals;
use crate::store::{self, Place};
use crate::timeline::{Mode, Timeline};
use crate::worker::Workers;

/// When nothing has happened for this long, work that nobody takes is pointed out.
const HINT_AFTER: Duration = Duration::from_secs(2);
/// Messages that are taken before the time is looked at again.
const MOST_AT_ONCE: usize = 1000;

/// What comes to the main thread.
pub enum Message {
    /// An event was committed.
    Event(Box<HistoryEvent>),
    /// A case has ended, or nobody will ever know.
    Closed(String, Box<statewright::Result<CaseInfo>>),
    Signal(i32),
    /// What the user should know about a worker.
    Note(String),
    /// A worker's name, and a line it wrote to its stderr.
    Said(String, String),
    /// A worker could not be kept running.
    WorkerLost(String),
    /// The engine cannot go on.
    Broken(Box<statewright::Error>),
}

pub struct Session {
    pub engine: Engine,
    place: Place,
    timeline: Timeline,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    deadline: Option<(Instant, Duration)>,
    /// The cases that are followed and not closed.
    open: BTreeMap<String, Order>,
    ended: Vec<CaseInfo>,
    hinted: BTreeSet<(String, u64)>,
    workers: Workers,
    /// It goes on when all cases have ended, and follows those that begin.
    serves: bool,
    /// It was told to stop serving.
    stopped: bool,
}

/// Events of one case come from several threads; this puts them in order.
struct Order {
    /// The number of the last event that was shown.
    seen: u64,
    early: BTreeMap<u64, Box<HistoryEvent>>,
}

impl Session {
    /// Opens a store. Nothing moves before [`run`](Session::run).
    pub fn open(place: Place, drive: &Drive) -> Result<Session> {
        let deadline = drive
            .timeout
            .and_then(|t| Some((Instant::now().checked_add(t)?, t)));
        let (sender, receiver) = channel();
        let engine = store::open(&place, drive)?;
        let events = sender.clone();
        engine.observe(move |event| {
            // When nobody listens any more, the session is over.
            let _ = events.send(Message::Event(Box::new(event.clone())));
        });
        signals::listen(sender.clone())?;
        Ok(Session {
            engine,
            place,
            timeline: Timeline::new(Mode::of(drive.json, drive.quiet)),
            sender,
            receiver,
            deadline,
            open: BTreeMap::new(),
            ended: Vec::new(),
            hinted: BTreeSet::new(),
            workers: Workers::default(),
            serves: false,
            stopped: false,
        })
    }

    /// Whether any case is followed that has not ended.
    pub fn follows(&self) -> bool {
        !self.open.is_empty()
    }

    /// Lets cases move until a signal comes or the time is over; follows those that begin, and shows how each one ends.
    /// The engine is closed in any case.
    pub fn serve(mut self, drive: &Drive) -> Result<Exit> {
        self.serves = true;
        self.timeline.name_cases();
        self.run(drive)
    }

    fn now(&self) -> Timestamp {
        self.engine.store().env().clock.now()
    }

    pub fn note(&mut self, text: &str) {
        self.timeline.note(text);
    }

    /// Follows a case from the event after number `seen` on.
    pub fn follow(&mut self, case: &str, seen: u64, resumed: bool) -> Result<()> {
        let now = self.now();
        self.timeline.begin(&self.engine.case(case)?, resumed, now);
        if self.timeline.wants_tally() {
            let net = self.engine.net_of_case(case)?;
            let tasks = net.tasks.iter().filter(|task| !task.undoes).count();
            let mut before = self.engine.history(case, 0)?;
            before.retain(|event| event.seq <= seen);
            self.timeline.tally(case, tasks, &before);
        }
        self.open.insert(
            case.to_owned(),
            Order {
                seen,
                early: BTreeMap::new(),
            },
        );
        let (sender, id) = (self.sender.clone(), case.to_owned());
        let tell = move |closed| {
            let _ = sender.send(Message::Closed(id, Box::new(closed)));
        };
        self.engine.on_closed(case, Box::new(tell))?;
        Ok(())
    }

    /// Lets cases move until all that are followed have ended; shows each one's result, and gives the exit code of the
    /// worst. The engine is closed in any case.
    pub fn run(mut self, drive: &Drive) -> Result<Exit> {
        let driven = self.drive(drive);
        self.workers.stop();
        let closed = self.engine.close();
        for message in self.receiver.try_iter() {
            // A worker's last words.
            if let Message::Said(worker, line) = message {
                self.timeline.said(&worker, &line);
            }
        }
        if self.serves && driven.is_ok() {
            let open = match self.open.len() {
                0 => "no case is open".to_owned(),
                1 => "1 case is open".to_owned(),
                cases => format!("{cases} cases are open"),
            };
            self.timeline.note(&format!("stopped; {open}"));
        }
        let now = self.now();
        self.timeline.finish(now)?;
        let mut worst = Exit::Done;
        // Those that ended before an interruption too.
        for info in &self.ended {
            self.timeline.end(info)?;
            let exit = Exit::of_status(info.status);
            if exit != Exit::Done {
                crate::show::unhappy_end(info);
            }
            if exit != Exit::Done && worst != Exit::CaseFailed {
                worst = exit;
            }
        }
        driven?;
        closed?;
        Ok(worst)
    }

    fn drive(&mut self, drive: &Drive) -> Result<()> {
        self.engine.drive()?;
        // An engine that does not drive yet hands out no work.
        self.workers = Workers::start(&drive.workers, &self.engine, drive.lease, &self.sender)?;
        let mut quiet_since = Some(Instant::now());
        while !self.stopped && (self.serves || self.follows()) {
            let now = self.now();
            self.timeline.update(now)?;
            match self.next(quiet_since) {
                Some(message) => {
                    quiet_since = Some(Instant::now());
                    self.take(message)?;
                    // What has come meanwhile is shown in one go.
                    let more: Vec<Message> = self.receiver.try_iter().take(MOST_AT_ONCE).collect();
                    more.into_iter()
                        .try_for_each(|message| self.take(message))?;
                }
                None if quiet_since.is_some_and(|since| since.elapsed() >= HINT_AFTER) => {
                    quiet_since = None;
                    self.hint()?;
                }
                None => {}
            }
            self.check_deadline()?;
        }
        Ok(())
    }

    /// The next message; none if something else is to be done first.
    fn next(&self, quiet_since: Option<Instant>) -> Option<Message> {
        let hint = quiet_since.map(|since| HINT_AFTER.saturating_sub(since.elapsed()));
        let deadline = self
            .deadline
            .map(|(at, _)| at.saturating_duration_since(Instant::now()));
        match [hint, deadline, self.timeline.idle()]
            .into_iter()
            .flatten()
            .min()
        {
            Some(patience) => self.receiver.recv_timeout(patience).ok(),
            // This session holds a sender, so something may always come.
            None => self.receiver.recv().ok(),
        }
    }

    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Event(event) => self.event(event)?,
            Message::Closed(case, closed) => {
                let info = (*closed).map_err(|e| Failure::from(e).case(&case))?;
                self.catch_up(&case)?;
                self.open.remove(&case);
                if self.serves {
                    self.hinted.retain(|(of, _)| *of != case);
                    let now = self.now();
                    self.timeline.closed(&info, now)?;
                } else {
                    self.ended.push(info);
                }
            }
            Message::Signal(_) if self.serves => self.stopped = true,
            Message::Signal(signal) => {
                let why = format!("{} stopped it", signals::name(signal));
                return Err(self.interrupted(Exit::Signal(signal), 111, &why));
            }
            Message::Note(text) => self.timeline.note(&text),
            Message::Said(worker, line) => self.timeline.said(&worker, &line),
            Message::Broken(error) => return Err((*error).into()),
            Message::WorkerLost(why) => return Err(self.interrupted(Exit::Worker, 602, &why)),
        }
        Ok(())
    }

    /// Shows an event and those that waited for it.
    fn event(&mut self, event: Box<HistoryEvent>) -> Result<()> {
        let Some(order) = self.open.get_mut(&*event.case) else {
            return match event.kind {
                EventKind::CaseStarted if self.serves => self.meet(&event.case),
                _ => Ok(()),
            };
        };
        if event.seq > order.seen {
            order.early.insert(event.seq, event);
        }
        while let Some(event) = order.early.remove(&order.seen.saturating_add(1)) {
            order.seen = event.seq;
            self.timeline.event(&event)?;
        }
        Ok(())
    }

    /// Follows a case that has begun, unless another one called it.
    fn meet(&mut self, case: &str) -> Result<()> {
        if self.engine.case(case)?.parent.is_some() {
            return Ok(());
        }
        self.follow(case, 0, false)?;
        // Others of its events may have come before.
        self.catch_up(case)
    }

    /// The end of a case may overtake its last events: takes what is missing from the history.
    fn catch_up(&mut self, case: &str) -> Result<()> {
        let Some(seen) = self.open.get(case).map(|order| order.seen) else {
            return Ok(());
        };
        for event in self.engine.history(case, seen)? {
            self.event(Box::new(event))?;
        }
        Ok(())
    }

    fn check_deadline(&mut self) -> Result<()> {
        match self.deadline {
            Some((at, _)) if self.serves => self.stopped |= Instant::now() >= at,
            Some((at, timeout)) if Instant::now() >= at => {
                let why = format!("not done within {timeout:?}");
                return Err(self.interrupted(Exit::Timeout, 112, &why));
            }
            _ => {}
        }
        Ok(())
    }

    /// Why the session ends before its cases do, and how to go on with them.
    fn interrupted(&self, exit: Exit, code: i32, why: &str) -> Failure {
        let mut cases = self.open.keys();
        let (first, more) = (cases.next(), cases.next().is_some());
        let all = if more {
            ""
        } else {
            first.map_or("", String::as_str)
        };
        let case = first.map(|first| {
            if more {
                "the open cases are kept".to_owned()
            } else {
                format!("case {first} is kept")
            }
        });
        let kept = match (&self.place, case) {
            (Place::Dir(_), Some(case)) => format!("{case}; {}", self.place.how_to_resume(all)),
            (Place::Memory, Some(_)) => self.place.how_to_resume(all),
            (_, None) => "nothing is open".to_owned(),
        };
        let failure = Failure::new(
            exit,
            code,
            format!("{}; {kept}", why.trim_end_matches(['.', ';'])),
        );
        match first {
            Some(case) if !more => failure.case(case),
            _ => failure,
        }
    }

    /// Points out offered items that nobody takes, once each.
    fn hint(&mut self) -> Result<()> {
        let cases: Vec<String> = self.open.keys().cloned().collect();
        for case in cases {
            let info = self.engine.case(&case)?;
            let offered = info
                .items
                .iter()
                .filter(|item| item.kind == "host" && item.state == "offered");
            let offered: BTreeSet<u64> = offered.map(|item| item.item).collect();
            for waiting in self.engine.explain(&case)? {
                let Some(item) = waiting.item.filter(|item| offered.contains(item)) else {
                    continue;
                };
                if self.hinted.insert((case.clone(), item)) {
                    let text = format!(
                        "{} waits for {}; --worker CMD can serve it",
                        waiting.task, waiting.what
                    );
                    self.timeline.note(&text);
                }
            }
        }
        Ok(())
    }
}
