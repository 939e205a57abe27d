//! `--worker CMD`: a program in another process that serves host tasks, one JSON object a line in both directions.
//!
//! Each worker has a thread here. It starts the program, claims items of the topics that it declares, hands them over,
//! keeps their leases while the program lives, and gives its answers to the engine. A program that ends is started
//! again after a pause. What it held is offered again when its leases end: a program that dies is no failed attempt.
//! `docs/CLI.md` describes the protocol.

mod process;
mod protocol;
mod serve;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use statewright::flow::WorkItem;
use statewright::{Engine, Error};

use crate::exit::{Exit, Failure, Result};
use crate::session::Message;
use process::Process;
use serve::{End, Serving};

/// After so many ends in a row without an answer in between, a worker is given up.
const MAX_ENDS: u32 = 5;
/// The pause before the first new start; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What comes to a worker's thread.
pub(crate) enum Inbox {
    /// The program of this number wrote a line.
    Line(u32, Vec<u8>),
    /// The program of this number closed its stdout.
    End(u32),
    /// A poll ended.
    Items(Result<Vec<WorkItem>, Error>),
    Stop,
}

/// The workers of a session.
#[derive(Default)]
pub struct Workers {
    running: Vec<(Sender<Inbox>, JoinHandle<()>)>,
}

impl Workers {
    /// Starts one worker for each command.
    pub fn start(
        commands: &[String],
        engine: &Engine,
        lease: Duration,
        session: &Sender<Message>,
    ) -> Result<Workers> {
        let mut workers = Workers::default();
        for (number, command) in (1..).zip(commands) {
            let (sender, inbox) = channel();
            let worker = Worker {
                name: format!("worker-{number}"),
                command: command.clone(),
                engine: engine.clone(),
                lease,
                session: session.clone(),
                sender: sender.clone(),
                inbox,
            };
            let thread = Builder::new()
                .name(worker.name.clone())
                .spawn(move || worker.run());
            let cannot = |e: io::Error| {
                Failure::new(Exit::Store, 602, format!("could not start a thread: {e}"))
            };
            workers.running.push((sender, thread.map_err(cannot)?));
        }
        Ok(workers)
    }

    /// Ends every worker: its stdin is closed, and it is killed if it does not end soon.
    pub fn stop(&mut self) {
        for (sender, _) in &self.running {
            // One that has given up does not listen.
            let _ = sender.send(Inbox::Stop);
        }
        for (_, thread) in self.running.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Worker {
    name: String,
    command: String,
    engine: Engine,
    lease: Duration,
    session: Sender<Message>,
    sender: Sender<Inbox>,
    inbox: Receiver<Inbox>,
}

impl Worker {
    fn run(self) {
        let (mut run, mut ends) = (0_u32, 0_u32);
        loop {
            run = run.saturating_add(1);
            let (end, answered) = self.serve(run);
            let why = match end {
                End::Stopped => return,
                End::Broken(error) => return self.tell(Message::Broken(Box::new(error))),
                End::Gone(why) => why,
            };
            ends = if answered { 1 } else { ends.saturating_add(1) };
            let what = format!("{} ({}) {why}", self.name, self.command);
            if ends >= MAX_ENDS {
                return self.tell(Message::WorkerLost(format!(
                    "{what}, {ends} times in a row; run it by hand to see why"
                )));
            }
            // Whoever stops the session often stops its workers at the same moment; then there is nothing to tell.
            if self.pause(FIRST_PAUSE.saturating_mul(1 << ends.min(8).saturating_sub(1))) {
                return;
            }
            self.tell(Message::Note(format!("{what}; started again")));
        }
    }

    fn tell(&self, message: Message) {
        // A session that is over does not listen.
        let _ = self.session.send(message);
    }

    /// Starts the program once and serves until it ends; tells also whether it gave any answer.
    fn serve(&self, run: u32) -> (End, bool) {
        let process =
            match Process::start(&self.command, run, &self.name, &self.sender, &self.session) {
                Ok(process) => process,
                Err(error) => return (End::Gone(format!("could not be started: {error}")), false),
            };
        let mut serving = Serving::new(
            &self.engine,
            &self.name,
            self.lease,
            &self.inbox,
            &self.sender,
            process,
            run,
        );
        let end = serving.serve();
        (end, serving.answered())
    }

    /// Whether it was told to stop meanwhile.
    fn pause(&self, pause: Duration) -> bool {
        let until = std::time::Instant::now().checked_add(pause);
        loop {
            let left = until.map_or(Duration::ZERO, |at| {
                at.saturating_duration_since(std::time::Instant::now())
            });
            match self.inbox.recv_timeout(left) {
                Ok(Inbox::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
