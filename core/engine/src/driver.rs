//! The threads that move cases: one driver for timers and recovery, workers for programs, one for background syncs.
//!
//! None of them polls. The driver sleeps until the next timer is due or the gate tells it that something changed; a
//! worker until work is offered; the syncer until there is something to sync; the maker of checkpoints until one is
//! due.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use statewright_flow::{
    EventKind, Failure, Flows, HistoryEvent, Moved, Outcome, Queue, WorkItem, WorkKind,
};
use statewright_log::{Gate, Timestamp};
use statewright_store::Store;
use statewright_value::Value;

use crate::error::{Error, Result};
use crate::process::{self, Ended, Program, Running};
use crate::wait::{Poll, Waits};

/// Cases taken up in one go when an engine opens.
const RECOVERY_PAGE: usize = 256;
/// A worker's name in the history is this and a number.
const WORKER: &str = "process-worker";

/// Names an attempt of an item among the programs that run: while the one before winds down, the next may begin.
fn attempt_of(case: &str, item: u64, attempt: u32) -> String {
    format!("{case}/{item}/{attempt}")
}

type Observer = Arc<dyn Fn(&HistoryEvent) + Send + Sync>;

/// What the engine's threads and its handles share.
pub(crate) struct Core {
    pub store: Store,
    pub flows: Flows,
    pub waits: Waits,
    pub running: Running,
    /// Whether cases move by themselves.
    driving: AtomicBool,
    observers: RwLock<Vec<Observer>>,
    /// Tells the driver to look at the timers again.
    timers: Gate,
    /// When the driver wakes by itself, in microseconds; the end of time if it does not, or is awake.
    alarm: AtomicI64,
    /// Tells workers that programs are offered.
    offers: Gate,
    /// Notified once, when the engine stops.
    stopping: Gate,
    stopped: AtomicBool,
    /// Whether every case that was open when the engine began has been taken up.
    recovered: AtomicBool,
    fault: Mutex<Option<Error>>,
}

impl Core {
    pub fn new(store: Store) -> Core {
        Core {
            flows: Flows::new(store.clone()),
            store,
            waits: Waits::default(),
            running: Running::default(),
            driving: AtomicBool::new(false),
            observers: RwLock::default(),
            timers: Gate::new(),
            alarm: AtomicI64::new(i64::MAX),
            offers: Gate::new(),
            stopping: Gate::new(),
            stopped: AtomicBool::new(false),
            recovered: AtomicBool::new(false),
            fault: Mutex::default(),
        }
    }

    pub fn observe(&self, observer: Observer) {
        self.observers.write().push(observer);
    }

    /// The reason why the engine cannot go on, if there is one.
    pub fn check(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::Closed);
        }
        self.fault.lock().clone().map_or(Ok(()), Err)
    }

    pub fn is_driving(&self) -> bool {
        self.driving.load(Ordering::Acquire)
    }

    /// Says whether cases move by themselves from now on.
    pub fn set_driving(&self, driving: bool) {
        self.driving.store(driving, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Stops every thread and ends every wait.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.running.cancel_all();
        for gate in [
            &self.timers,
            &self.offers,
            &self.stopping,
            self.store.unsynced_gate(),
            self.store.checkpoint_gate(),
            self.store.expiry_gate(),
        ] {
            gate.notify();
        }
        if let Some(gate) = self.store.log_gate() {
            gate.notify();
        }
        self.waits.end_all(&Error::Closed);
    }

    /// A thread cannot go on: whoever waits is told why, and so is every later call.
    fn fail(&self, error: Error) {
        if !self.is_stopped() {
            self.fault.lock().get_or_insert_with(|| error.clone());
            self.waits.end_all(&error);
        }
    }

    /// Goes on from a commit: tells observers, fires what it enabled, hands offered work out, ends waits; for every
    /// case that the commit changed.
    pub fn follow(&self, moved: Moved) -> Result<()> {
        self.follow_all(vec![moved])
    }

    /// The same from several commits. What they enabled is fired in rounds, so that the commits of a round wait for
    /// the disk together. A case that cannot go on keeps no other from it: it is put off, and why it cannot is said at
    /// the end.
    pub fn follow_all(&self, moved: Vec<Moved>) -> Result<()> {
        let mut round = moved;
        let mut failed: Option<Error> = None;
        // What concerns the store is said rather than what concerns one case.
        let mut fails = |e: Error| {
            if failed.as_ref().is_none_or(Error::is_of_one_case) {
                failed = Some(e);
            }
        };
        while !round.is_empty() {
            let (mut offered, mut ready) = (false, Vec::new());
            let mut rest = VecDeque::from(round);
            while let Some(mut moved) = rest.pop_front() {
                rest.extend(std::mem::take(&mut moved.also));
                self.announce(&moved);
                if moved.process_offered {
                    self.offers.notify();
                }
                offered |= !moved.topics_offered.is_empty();
                // Somebody may have had it undo what it did since: then it ends again.
                if moved.closed.is_some() && self.waits.is_awaited(&moved.case) {
                    match self.ended(&moved.case) {
                        Ok(Some(info)) => self.waits.case_closed(&info),
                        Ok(None) => {}
                        Err(e) => fails(e),
                    }
                }
                // A case that loops without work must not keep the engine from closing.
                if moved.more && self.is_driving() && !self.is_stopped() {
                    ready.push(moved.case);
                }
            }
            round = if offered {
                self.serve_waiting()
            } else {
                Vec::new()
            };
            if !ready.is_empty() {
                for fired in self.flows.advance_each(&ready)? {
                    match fired {
                        Ok(moved) => round.extend(moved),
                        Err(e) => {
                            // When it is tried again is new to the driver.
                            self.timers.notify();
                            fails(e.into());
                        }
                    }
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// [`follow_all`](Core::follow_all) for whom nobody waits who could be told of a case that cannot go on.
    fn go_on(&self, moved: Vec<Moved>) -> Result<()> {
        match self.follow_all(moved) {
            Err(e) if e.is_of_one_case() => Ok(()),
            done => done,
        }
    }

    /// Gives waiting polls what is offered to them, and goes on from there.
    pub fn serve_polls(&self) -> Result<()> {
        let moved = self.serve_waiting();
        self.follow_all(moved)
    }

    /// What is offered to a poll at once; `None` if others wait, who come before it.
    pub fn serve_now(&self, poll: &Poll) -> Result<Option<Vec<WorkItem>>> {
        let mut all = Vec::new();
        let claim = || self.claim(poll, &mut all);
        let items = self.waits.if_none_waits(&poll.topics, claim)?;
        match self.follow_all(all) {
            Err(e) if items.as_ref().is_none_or(Vec::is_empty) => Err(e),
            _ => Ok(items),
        }
    }

    /// Gives waiting polls what is offered to them; what that did to the cases is announced, and still to be followed.
    fn serve_waiting(&self) -> Vec<Moved> {
        let mut all = Vec::new();
        if self.waits.has_polls() {
            self.waits.serve_polls(|poll| self.claim(poll, &mut all));
        }
        all
    }

    fn claim(&self, poll: &Poll, all: &mut Vec<Moved>) -> Result<Vec<WorkItem>> {
        let queue = Queue::Topics(poll.topics.clone());
        let claimed = self
            .flows
            .claim(&queue, &poll.worker, Some(poll.lease), poll.max)?;
        let mut items = Vec::with_capacity(claimed.len());
        for mut claim in claimed {
            // The worker must not be faster than those who watch.
            self.announce(&claim.moved);
            claim.moved.events.clear();
            claim.moved.next_due = None;
            all.push(claim.moved);
            items.extend(claim.item);
        }
        Ok(items)
    }

    /// The part of [`follow`](Core::follow) that a claim needs too, which enables nothing.
    fn announce(&self, moved: &Moved) {
        for event in &moved.events {
            let ends = matches!(
                event.kind,
                EventKind::Cancelled | EventKind::TimedOut | EventKind::DeadlinePassed
            );
            if let (true, Some(item), Some(attempt)) = (ends, event.item, event.attempt) {
                self.running.cancel(&attempt_of(&event.case, item, attempt));
            }
            self.observers
                .read()
                .iter()
                .for_each(|observer| observer(event));
        }
        let alarm = self.alarm.load(Ordering::SeqCst);
        if moved.next_due.is_some_and(|due| due.as_micros() < alarm) {
            self.timers.notify();
        }
    }

    /// Takes up every case that goes on by itself where it was left; the others wait for somebody, who will come.
    fn recover(&self) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.flows.ready_cases(after.as_deref(), RECOVERY_PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let moved = self.flows.take_up(&page)?;
            self.go_on(moved)?;
        }
    }

    fn drive_timers(&self) -> Result<()> {
        self.recover()?;
        self.recovered.store(true, Ordering::Release);
        // Programs that were offered before this process began.
        self.offers.notify();
        let clock = &self.store.env().clock;
        loop {
            // Taken before looking whether to stop, so that no notification is missed in between.
            let seen = self.timers.epoch();
            if self.is_stopped() {
                return Ok(());
            }
            // Whatever comes while it looks around ends the wait below at once.
            self.alarm.store(i64::MAX, Ordering::SeqCst);
            let fired = self.flows.fire_due()?;
            self.go_on(fired)?;
            match self.flows.next_due()? {
                Some(due) if due <= clock.now() => {}
                due => {
                    let alarm = due.map_or(i64::MAX, Timestamp::as_micros);
                    self.alarm.store(alarm, Ordering::SeqCst);
                    clock.wait(&self.timers, seen, due);
                }
            }
        }
    }

    fn work(&self, name: &str) -> Result<()> {
        let clock = &self.store.env().clock;
        loop {
            // Taken before looking whether to stop, so that no notification is missed in between.
            let seen = self.offers.epoch();
            if self.is_stopped() {
                return Ok(());
            }
            // Recovery takes every claim for one of an earlier process, so there must be none of this one.
            let claimed = if self.recovered.load(Ordering::Acquire) {
                self.flows.claim(&Queue::Process, name, None, 1)?
            } else {
                Vec::new()
            };
            if claimed.is_empty() {
                clock.wait(&self.offers, seen, None);
            }
            for claim in claimed {
                self.go_on(vec![claim.moved])?;
                let Some(item) = claim.item else { continue };
                // All workers wake for an offer and reach for the same item; the others look again for what is left.
                self.offers.notify();
                // None if the engine closes. The next one to open this store offers the item again.
                let Some(result) = self.run(&item) else {
                    return Ok(());
                };
                let token = item.token;
                match self.flows.settle(Outcome { token, result })? {
                    Some(moved) => self.go_on(vec![moved])?,
                    // Too late, or put off: then the driver is to try it again.
                    None => self.timers.notify(),
                }
            }
        }
    }

    /// Runs the program of an item; none if the engine closed meanwhile.
    fn run(&self, item: &WorkItem) -> Option<Result<Value, Failure>> {
        let WorkKind::Process {
            argv,
            cwd,
            stdin,
            stdout,
        } = &item.work
        else {
            return Some(Err(Failure::new("kind", "this is not a program").for_good()));
        };
        let stdin = match stdin.encode(&item.input) {
            Ok(bytes) => bytes,
            Err(failure) => return Some(Err(failure)),
        };
        let program = Program {
            argv: argv.clone(),
            cwd: cwd.as_ref().map(PathBuf::from),
            env: vec![
                ("STATEWRIGHT_CASE".into(), item.case.clone()),
                ("STATEWRIGHT_TASK".into(), item.task.clone()),
                ("STATEWRIGHT_ATTEMPT".into(), item.attempt.to_string()),
                (
                    "STATEWRIGHT_IDEMPOTENCY_KEY".into(),
                    item.idempotency_key.clone(),
                ),
            ],
            stdin,
            deadline: item.deadline,
            key: attempt_of(&item.case, item.item, item.attempt),
        };
        let name = argv.first().map_or("", String::as_str);
        // Who ended it before it could be cancelled has committed that.
        let wanted = || self.flows.has_claim(&item.token).unwrap_or(true);
        let clock = &*self.store.env().clock;
        let ended = match process::run(program, clock, &self.running, wanted) {
            Ok(ended) => ended,
            Err(e) => {
                let place = cwd.as_ref().map(|c| format!(" in {c}")).unwrap_or_default();
                return Some(Err(Failure::new(
                    "start",
                    format!("cannot run {name}{place}: {e}"),
                )));
            }
        };
        match ended {
            Ended::Cancelled if self.is_stopped() => None,
            // The case has no use for it any more, so this is refused as stale.
            Ended::Cancelled => Some(Err(
                Failure::new("cancelled", "the work was cancelled").for_good()
            )),
            Ended::TimedOut => Some(Err(Failure::new(
                "timeout",
                format!("{name} took longer than its timeout"),
            ))),
            Ended::TooMuchOutput => {
                let limit = process::MAX_OUTPUT_BYTES >> 20;
                let message = format!("{name} wrote more than {limit} MiB to its stdout");
                Some(Err(Failure::new("output", message).for_good()))
            }
            Ended::Exited {
                status,
                stdout: bytes,
                ..
            } if status.success() => Some(stdout.decode(&bytes)),
            Ended::Exited { status, stderr, .. } => {
                let said = if stderr.is_empty() {
                    String::new()
                } else {
                    format!(": {stderr}")
                };
                Some(Err(Failure::new(
                    "exit",
                    format!("{name} ended with {status}{said}"),
                )))
            }
        }
    }

    /// Syncs in the background what was committed in buffered mode.
    fn sync_behind(&self, interval: Duration) -> Result<()> {
        let clock = &self.store.env().clock;
        let commits = self.store.unsynced_gate();
        let mut seen = 0;
        loop {
            let epoch = clock.wait(commits, seen, None);
            if self.is_stopped() {
                return Ok(());
            }
            if epoch != seen {
                seen = epoch;
                // What is committed meanwhile goes along; closing cuts this short.
                clock.wait(
                    &self.stopping,
                    0,
                    Some(clock.now().saturating_add(interval)),
                );
                self.store.sync()?;
            }
        }
    }

    /// Does something in the background whenever a gate tells, until the engine stops.
    fn behind(&self, due: &Gate, work: impl Fn(&Store)) {
        let mut seen = 0;
        loop {
            seen = self.store.env().clock.wait(due, seen, None);
            if self.is_stopped() {
                return;
            }
            work(&self.store);
        }
    }

    /// Gives back the memory of expired keys in the background.
    fn purge_behind(&self, interval: Duration) {
        const BATCH: u64 = 256;
        const LONGEST: Duration = Duration::from_secs(3600);
        let clock = &self.store.env().clock;
        let expiry = self.store.expiry_gate();
        loop {
            // Taken before looking whether to stop, so that no notification is missed in between.
            let seen = expiry.epoch();
            if self.is_stopped() {
                return;
            }
            let purged = self.store.purge_expired(BATCH);
            let now = clock.now();
            let soonest = now.saturating_add(interval);
            let latest = now.saturating_add(LONGEST);
            let next = match purged {
                // More is due than one commit is to hold others up for.
                Ok(purged) if purged.next.is_some_and(|next| next <= now) => continue,
                Ok(purged) => purged.next.map(|next| next.max(soonest).min(latest)),
                // What cannot be purged now can be later; nobody sees it meanwhile.
                Err(_) => Some(latest),
            };
            clock.wait(expiry, seen, next);
            // Not more often than that, however many keys are set; closing cuts this short.
            clock.wait(&self.stopping, 0, Some(soonest));
        }
    }

    /// The bodies of the threads: the first is the driver's.
    pub fn driver(self: Arc<Self>) {
        if let Err(e) = self.drive_timers() {
            self.fail(e);
        }
    }

    pub fn worker(self: Arc<Self>, number: usize) {
        if let Err(e) = self.work(&format!("{WORKER}-{number}")) {
            self.fail(e);
        }
    }

    pub fn purger(self: Arc<Self>, interval: Duration) {
        self.purge_behind(interval);
    }

    pub fn syncer(self: Arc<Self>, interval: Duration) {
        if let Err(e) = self.sync_behind(interval) {
            self.fail(e);
        }
    }

    /// Makes the log's next file ready in the background.
    pub fn readier(self: Arc<Self>) {
        if let Some(half_full) = self.store.log_gate() {
            // Without one, the commit that needs it makes it.
            self.behind(half_full, |store| drop(store.make_log_ready()));
        }
    }

    /// Makes checkpoints in the background when they are due.
    pub fn checkpointer(self: Arc<Self>) {
        // Without one, opening takes longer and nothing is lost; the store says in its figures which is the newest. It
        // is tried again when the log has grown as much again.
        self.behind(self.store.checkpoint_gate(), |store| {
            drop(store.checkpoint())
        });
    }

    /// The driver looks again when something is due.
    pub fn wake(&self) {
        self.timers.notify();
    }

    /// Whether a case has ended.
    pub fn ended(&self, case: &str) -> Result<Option<statewright_flow::CaseInfo>> {
        let info = self.flows.case(case)?;
        Ok(info.status.is_final().then_some(info))
    }
}
