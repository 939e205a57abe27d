//! Serving with one program: items to it, answers from it, leases kept in between.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use statewright::flow::{self, Outcome, WorkItem};
use statewright::{Engine, Error, Poll, WaitId};

use super::Inbox;
use super::process::{MAX_LINE, Process};
use super::protocol::{self, Answer};

/// A program says which topics it serves within this time.
const INTRODUCTION: Duration = Duration::from_secs(30);

/// So many answers are handed in at once at most, whatever more the program says.
const MOST_ANSWERS: usize = 1000;

/// Why serving ended.
pub(crate) enum End {
    /// It was told to stop.
    Stopped,
    /// The program is gone; the rest of a sentence that begins with its name.
    Gone(String),
    /// The engine cannot go on.
    Broken(Error),
}

pub(crate) struct Serving<'a> {
    engine: &'a Engine,
    name: &'a str,
    lease: Duration,
    inbox: &'a Receiver<Inbox>,
    sender: &'a Sender<Inbox>,
    process: Process,
    run: u32,
    topics: Vec<String>,
    max: usize,
    poll: Option<WaitId>,
    /// The items that the program has, with the time of their next heartbeat.
    held: BTreeMap<String, Instant>,
    /// What the program has answered and the engine does not know yet.
    answers: Vec<Outcome>,
    answered: bool,
}

impl<'a> Serving<'a> {
    pub fn new(
        engine: &'a Engine,
        name: &'a str,
        lease: Duration,
        inbox: &'a Receiver<Inbox>,
        sender: &'a Sender<Inbox>,
        process: Process,
        run: u32,
    ) -> Self {
        Serving {
            engine,
            name,
            lease,
            inbox,
            sender,
            process,
            run,
            topics: Vec::new(),
            max: 0,
            poll: None,
            held: BTreeMap::new(),
            answers: Vec::new(),
            answered: false,
        }
    }

    /// Whether the program answered anything.
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// Serves until the program ends or is told to.
    pub fn serve(&mut self) -> End {
        let end = self.serve_on();
        let end = self.hand_in().and(end);
        if let Some(poll) = self.poll.take() {
            // An item that came just now is offered again when its lease ends.
            self.engine.cancel(poll);
        }
        let ended = self.process.end();
        match end {
            Ok(End::Gone(why)) if why.is_empty() => End::Gone(ended),
            Ok(end) => end,
            Err(Error::Closed) => End::Stopped,
            Err(error) => End::Broken(error),
        }
    }

    fn serve_on(&mut self) -> Result<End, Error> {
        let introduction = Instant::now();
        loop {
            self.keep_leases()?;
            // What the program says without a pause is handed in together.
            let received = match self.inbox.try_recv() {
                Ok(message) if self.answers.len() < MOST_ANSWERS => Ok(message),
                message => {
                    self.hand_in()?;
                    self.ask_for_work()?;
                    message.or_else(|_| self.receive(introduction))
                }
            };
            match received {
                Ok(Inbox::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(End::Stopped),
                Ok(Inbox::End(run)) if run == self.run => return Ok(End::Gone(String::new())),
                Ok(Inbox::Line(run, line)) if run == self.run => {
                    if let Err(why) = self.line(&line)? {
                        return Ok(End::Gone(why));
                    }
                }
                Ok(Inbox::Items(items)) => {
                    self.poll = None;
                    self.hand_over(items)?;
                }
                // Of an earlier run of the program.
                Ok(Inbox::End(_) | Inbox::Line(..)) => {}
                Err(RecvTimeoutError::Timeout)
                    if self.topics.is_empty() && introduction.elapsed() >= INTRODUCTION =>
                {
                    let limit = INTRODUCTION.as_secs();
                    return Ok(End::Gone(format!(
                        "did not say within {limit} s which topics it serves"
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn receive(&self, introduction: Instant) -> Result<Inbox, RecvTimeoutError> {
        match self.patience(introduction) {
            Some(patience) => self.inbox.recv_timeout(patience),
            None => self
                .inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// How long there is nothing to do without a message.
    fn patience(&self, introduction: Instant) -> Option<Duration> {
        if self.topics.is_empty() {
            return Some(INTRODUCTION.saturating_sub(introduction.elapsed()));
        }
        self.held
            .values()
            .min()
            .map(|next| next.saturating_duration_since(Instant::now()))
    }

    fn ask_for_work(&mut self) -> Result<(), Error> {
        let free = self.max.saturating_sub(self.held.len());
        if self.poll.is_some() || free == 0 {
            return Ok(());
        }
        let poll = Poll {
            topics: self.topics.clone(),
            worker: self.name.to_owned(),
            max: free,
            lease: self.lease,
        };
        let sender = self.sender.clone();
        let tell = move |items| {
            // A worker that has stopped does not listen; then the lease ends.
            let _ = sender.send(Inbox::Items(items));
        };
        self.poll = Some(self.engine.on_work(poll, Box::new(tell))?);
        Ok(())
    }

    fn hand_over(&mut self, items: Result<Vec<WorkItem>, Error>) -> Result<(), Error> {
        let items = match items {
            // A poll of an earlier run of the program.
            Err(Error::Cancelled) => return Ok(()),
            items => items?,
        };
        for item in items {
            self.process.send(protocol::item(&item));
            self.hold(item.token);
        }
        Ok(())
    }

    fn hold(&mut self, token: String) {
        let now = Instant::now();
        self.held
            .insert(token, now.checked_add(self.lease / 3).unwrap_or(now));
    }

    /// Heartbeats that are due. The program lives, so what it has stays its own.
    fn keep_leases(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let due: Vec<String> = self
            .held
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(token, _)| token.clone())
            .collect();
        due.into_iter().try_for_each(|token| self.heartbeat(token))
    }

    fn heartbeat(&mut self, token: String) -> Result<(), Error> {
        let kept = self.engine.heartbeat(&token, self.lease).map(drop);
        if self.accepted(&token, kept)? {
            self.hold(token);
        }
        Ok(())
    }

    /// Gives the engine what the program has answered: each answer is a commit, and they wait for the disk together.
    fn hand_in(&mut self) -> Result<(), Error> {
        let answers = std::mem::take(&mut self.answers);
        if answers.is_empty() {
            return Ok(());
        }
        let delivered = self.engine.deliver(&answers)?;
        for (answer, done) in answers.iter().zip(delivered) {
            self.answered |= self.accepted(&answer.token, done)?;
        }
        Ok(())
    }

    /// Tells the program if an item is not its own any more; tells whether it is.
    fn accepted(&mut self, token: &str, done: Result<(), Error>) -> Result<bool, Error> {
        self.held.remove(token);
        match done {
            Ok(()) => Ok(true),
            Err(Error::Flow(error)) if is_stale(&error) => {
                self.process
                    .send(protocol::cancel(token, &error.to_string()));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What the program says; the inner error is what is wrong with it.
    fn line(&mut self, line: &[u8]) -> Result<Result<(), String>, Error> {
        if line.len() as u64 > MAX_LINE {
            return Ok(Err(format!(
                "wrote a line of more than {} MiB",
                MAX_LINE >> 20
            )));
        }
        let answer = match protocol::read(line) {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        let introduced = !self.topics.is_empty();
        match answer {
            Answer::Topics { topics, max } if !introduced => {
                self.topics = topics;
                self.max = max;
            }
            Answer::Topics { .. } => return Ok(Err("declared its topics twice".to_owned())),
            _ if !introduced => {
                return Ok(Err(
                    "did not declare its topics in its first line".to_owned()
                ));
            }
            Answer::Heartbeat { token } => self.heartbeat(token)?,
            Answer::Complete { token, result } => self.answers.push(Outcome {
                token,
                result: Ok(result),
            }),
            Answer::Fail { token, failure } => self.answers.push(Outcome {
                token,
                result: Err(failure),
            }),
        }
        Ok(Ok(()))
    }
}

/// Whether an error means that a token is of no use any more, or never was.
fn is_stale(error: &flow::Error) -> bool {
    matches!(
        error,
        flow::Error::StaleItem { .. }
            | flow::Error::UnknownItem { .. }
            | flow::Error::Input { .. }
            | flow::Error::Value(_)
    )
}
