//! The engine: the Rust face of the library.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use statewright_flow::analysis::{Budget, Verified};
use statewright_flow::{
    CaseFilter, CaseInfo, Deployed, Failure, FlowInfo, HistoryEvent, Moved, Outcome, Problem,
    PutOff, Waiting, WorkItem, net::Net,
};
use statewright_log::{Durability, Timestamp};
use statewright_store::{Place, Store, StoreOptions};
use statewright_value::Value;

use crate::driver::Core;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::wait::{Callback, Poll, WaitId, block_on};
use statewright_exec::spawn_thread;

const MAX_WORKERS: usize = 256;
/// Items that one poll may take at most.
const MAX_POLL: usize = 10_000;
/// Cases or items that one call may start or give back.
const MAX_BATCH: usize = MAX_POLL;

/// An open store with its workflows. Cheap to clone; every clone is the same engine. Thread-safe.
///
/// When the last clone is dropped, the engine closes as by [`close`](Engine::close), ignoring errors.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
    threads: Arc<Threads>,
}

/// Joined when the engine closes; the threads themselves hold only the core.
struct Threads {
    core: Arc<Core>,
    workers: usize,
    /// How many of the driver and the workers were started, in this order.
    driving: Mutex<usize>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the store in a folder, making it if it is not there, and goes on with every case that is not closed.
    ///
    /// One process at a time has the folder; another one, or a second open in this one, gets
    /// [`LOCKED`](statewright_log::Error::Locked). A failure changes nothing. O(log) to recover.
    pub fn open(dir: impl Into<PathBuf>, options: Options) -> Result<Engine> {
        Engine::open_place(Place::Dir(dir.into()), options)
    }

    /// Opens an empty store in memory, gone when the engine closes.
    pub fn in_memory(options: Options) -> Result<Engine> {
        Engine::open_place(Place::Memory, options)
    }

    fn open_place(place: Place, options: Options) -> Result<Engine> {
        if !(1..=MAX_WORKERS).contains(&options.workers) {
            let given = options.workers.to_string();
            return Err(Error::Config {
                option: "workers",
                given,
                range: "1 to 256",
            });
        }
        if place != Place::Memory && options.durability == Durability::Memory {
            let given = "memory".to_owned();
            let range = "buffered or strict for a store in a folder; leave the folder out for a store in memory";
            return Err(Error::Config {
                option: "durability",
                given,
                range,
            });
        }
        let mut store_options = StoreOptions::with_durability(options.durability);
        store_options.limits = options.limits;
        store_options.log.max_commit_bytes = options.max_commit_bytes;
        store_options.checkpoints = options.checkpoints;
        let store = Store::open(options.env.clone(), place, store_options)?;
        let core = Arc::new(Core::new(store));
        let threads = Arc::new(Threads {
            core: core.clone(),
            workers: options.workers,
            driving: Mutex::default(),
            handles: Mutex::default(),
        });
        let engine = Engine { core, threads };
        let core = engine.core.clone();
        if core.store.stats().durability == Durability::Buffered {
            let interval = options.sync_interval;
            engine
                .threads
                .start("sw-sync", move || core.syncer(interval))?;
        }
        let core = engine.core.clone();
        if core.store.stats().durability != Durability::Memory {
            engine
                .threads
                .start("sw-checkpoint", move || core.checkpointer())?;
            let core = engine.core.clone();
            engine.threads.start("sw-log", move || core.readier())?;
        }
        if let Some(interval) = options.purge_interval {
            let core = engine.core.clone();
            engine
                .threads
                .start("sw-purge", move || core.purger(interval))?;
        }
        if options.drive {
            engine.drive()?;
        }
        Ok(engine)
    }

    /// Begins to move cases in an engine that was opened with [`drive(false)`](Options::drive), for whoever must
    /// look or [observe](Engine::observe) before anything happens. Does nothing if they move already.
    ///
    /// # Errors
    /// [`Error::Closed`], and [`Error::Thread`]; then it can be called again, for the threads that are missing.
    pub fn drive(&self) -> Result<()> {
        self.core.check()?;
        self.threads.drive()
    }

    /// The store: keys, documents, transactions, snapshots, the log.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// Finds everything that is wrong with a spec; warnings too. An empty list is a spec that can be run as it is.
    /// What its nets can do is another question: [`verify`](Engine::verify).
    pub fn check(spec: &str) -> Vec<Problem> {
        match Net::compile(spec, None) {
            Ok(net) => net.warnings,
            Err(problems) => problems,
        }
    }

    /// Verifies the nets of a spec: whether every case can complete, whether a task can never run, … The first is the
    /// main one. Takes up to seconds for large nets; `budget` says how much is tried.
    ///
    /// # Errors
    /// The problems of a spec that is refused, as [`check`](Engine::check) finds them.
    pub fn verify(spec: &str, budget: Budget) -> std::result::Result<Vec<Verified>, Vec<Problem>> {
        Net::compile(spec, None).map(|net| net.verify(budget))
    }

    /// Checks a spec (YAML or JSON) and makes it the newest of its name. `dir` is what `$flow.dir` gives in it.
    /// Deploying the same again changes nothing. A `schedule` in it takes the place of the one that the flow had. Fails
    /// with [`InvalidSpec`](statewright_flow::Error::InvalidSpec), which has every problem with its line and column.
    pub fn deploy(&self, spec: &str, dir: Option<&str>) -> Result<Deployed> {
        self.core.check()?;
        let deployed = self.core.flows.deploy(spec, dir)?;
        self.core.wake();
        Ok(deployed)
    }

    /// Starts a case of the newest version of a flow and gives its id. `input` is an object, or null; it is merged
    /// over the flow's defaults. `id` is 1 to 128 of `A-Z a-z 0-9 . _ -`; without one, a new one that sorts by time
    /// is made.
    ///
    /// When this returns, the case is as durable as the store. Its automatic tasks up to the first one that takes
    /// time have fired.
    pub fn start(&self, flow: &str, input: Value, id: Option<&str>) -> Result<String> {
        self.core.check()?;
        let moved = self.core.flows.start(flow, &input, id)?;
        let case = moved.case.to_string();
        self.core.follow(moved)?;
        Ok(case)
    }

    /// Starts several cases of the newest version of a flow, one for each input, each in a commit of its own. They wait
    /// for the disk together, so this is many times faster than [`start`](Engine::start) one by one. Gives for each
    /// its id, or why it was refused. At most 10,000.
    ///
    /// ```
    /// use statewright::{Engine, Options, value};
    /// let engine = Engine::in_memory(Options::default())?;
    /// engine.deploy("name: double\ntasks:\n  go: { kind: set, set: { .n: .input.n * 2 } }\noutput: .n", None)?;
    /// let cases = engine.start_all("double", &[value!({"n": 1}), value!("no object"), value!({"n": 3})])?;
    /// assert!(cases[0].is_ok() && cases[1].is_err());
    /// let third = cases[2].as_ref().map_err(|e| e.clone())?;
    /// assert_eq!(engine.wait(third, None)?.result, Some(value!(6)));
    /// # Ok::<(), statewright::Error>(())
    /// ```
    ///
    /// # Errors
    /// What concerns all of them: the engine is closed, or its store can no longer be written. Then none of them is
    /// said to be durable.
    pub fn start_all(&self, flow: &str, inputs: &[Value]) -> Result<Vec<Result<String>>> {
        self.core.check()?;
        check_batch(inputs.len())?;
        let started = self.core.flows.start_all(flow, inputs)?;
        self.followed(started, |moved| moved.case.to_string())
    }

    /// Goes on from what was not refused, and gives for each what `of` makes of it.
    fn followed<T>(
        &self,
        done: Vec<statewright_flow::Result<Moved>>,
        of: impl Fn(&Moved) -> T,
    ) -> Result<Vec<Result<T>>> {
        let mut all = Vec::with_capacity(done.len());
        let told = done.into_iter().map(|done| {
            let moved = done?;
            let told = of(&moved);
            all.push(moved);
            Ok(told)
        });
        let told = told.collect();
        self.core.follow_all(all)?;
        Ok(told)
    }

    /// A case as it is now.
    pub fn case(&self, id: &str) -> Result<CaseInfo> {
        Ok(self.core.flows.case(id)?)
    }

    /// Cases, oldest id first.
    pub fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseInfo>> {
        Ok(self.core.flows.cases(filter)?)
    }

    /// The deployed flows, by name, with all their versions and how many cases are on each.
    ///
    /// # Errors
    /// As [`Flows::flows`](statewright_flow::Flows::flows).
    pub fn flows(&self) -> Result<Vec<FlowInfo>> {
        Ok(self.core.flows.flows()?)
    }

    /// The net that a case runs on.
    ///
    /// # Errors
    /// [`UnknownCase`](statewright_flow::Error::UnknownCase).
    pub fn net_of_case(&self, id: &str) -> Result<Arc<Net>> {
        Ok(self.core.flows.net_of_case(id)?)
    }

    /// What happened to a case after event number `after`; 0 for everything.
    pub fn history(&self, id: &str, after: u64) -> Result<Vec<HistoryEvent>> {
        Ok(self.core.flows.history(id, after)?)
    }

    /// What a case waits for, since when, and what would move it on.
    pub fn explain(&self, id: &str) -> Result<Vec<Waiting>> {
        Ok(self.core.flows.explain(id)?)
    }

    /// What failed for one case alone, keeps no other from going on, and is tried again by itself, at longer and longer
    /// intervals: a case that cannot be read, whose spec this version refuses, or whose next step cannot be stored.
    /// Empty if all goes well. What such a case waits for [says so too](Engine::explain), if it can be read.
    pub fn put_off(&self) -> Vec<PutOff> {
        self.core.flows.put_off()
    }

    /// Calls `observer` for every history event from now on, after its commit, in order for each case. It runs on
    /// whatever thread made the commit; it must be quick and not call the engine.
    pub fn observe(&self, observer: impl Fn(&HistoryEvent) + Send + Sync + 'static) {
        self.core.observe(Arc::new(observer));
    }

    /// Waits until a case has ended. Fails with [`Error::TimedOut`] if it has not within `timeout`.
    pub fn wait(&self, case: &str, timeout: Option<Duration>) -> Result<CaseInfo> {
        block_on(
            &*self.core.store.env().clock,
            timeout,
            |callback| self.on_closed(case, callback),
            |id| self.cancel(id),
        )
    }

    /// Calls `callback` once when a case has ended, or at once if it has. [`cancel`](Engine::cancel) ends the wait.
    pub fn on_closed(&self, case: &str, callback: Callback<CaseInfo>) -> Result<WaitId> {
        self.core.check()?;
        let id = self.core.waits.add_case(case, callback);
        // Looked at after the wait was added, so that it cannot end unseen in between. That fails for a case that does
        // not exist, and then the wait is taken back.
        let looked = self.core.ended(case).map(|ended| {
            if let Some(info) = ended {
                self.core.waits.case_closed(&info);
            }
        });
        self.accepted(id, looked)
    }

    /// A wait that was added is either refused, and then its callback never runs, or accepted, and then it runs once:
    /// perhaps it has already, while what came after adding it failed (the engine was closing, say).
    fn accepted(&self, id: WaitId, result: Result<()>) -> Result<WaitId> {
        match result {
            Err(e) if self.core.waits.forget(id) => Err(e),
            _ => Ok(id),
        }
    }

    /// Takes work items of `host` tasks, waiting for some to be offered. Empty if none is within `timeout`.
    pub fn poll(&self, poll: Poll, timeout: Option<Duration>) -> Result<Vec<WorkItem>> {
        self.may_poll(&poll)?;
        // Mostly there is something, and nobody waits who has been there before.
        let waits = timeout != Some(Duration::ZERO);
        match self.core.serve_now(&poll)? {
            Some(taken) if !taken.is_empty() || !waits => return Ok(taken),
            _ => {}
        }
        let taken = block_on(
            &*self.core.store.env().clock,
            timeout,
            |callback| self.await_work(poll, callback),
            |id| self.cancel(id),
        );
        match taken {
            Err(Error::TimedOut(_)) => Ok(Vec::new()),
            taken => taken,
        }
    }

    /// Calls `callback` once with work items as soon as some are offered. [`cancel`](Engine::cancel) ends the wait.
    ///
    /// Items whose callback cannot be given them any more are offered again when their lease ends.
    pub fn on_work(&self, poll: Poll, callback: Callback<Vec<WorkItem>>) -> Result<WaitId> {
        self.may_poll(&poll)?;
        self.await_work(poll, callback)
    }

    fn await_work(&self, poll: Poll, callback: Callback<Vec<WorkItem>>) -> Result<WaitId> {
        let id = self.core.waits.add_poll(poll, callback);
        let served = self.core.serve_polls();
        self.accepted(id, served)
    }

    fn may_poll(&self, poll: &Poll) -> Result<()> {
        self.core.check()?;
        if !(1..=MAX_POLL).contains(&poll.max) {
            return Err(Error::Config {
                option: "max",
                given: poll.max.to_string(),
                range: "1 to 10000",
            });
        }
        if poll.topics.is_empty() {
            return Err(Error::Config {
                option: "topics",
                given: "empty".into(),
                range: "one topic or more",
            });
        }
        // Whoever serves polls must not fail because of one of them.
        statewright_flow::check_worker(&poll.worker)?;
        if !self.core.is_driving() {
            let range = "true: an engine that does not drive hands out no work";
            return Err(Error::Config {
                option: "drive",
                given: "false".into(),
                range,
            });
        }
        Ok(())
    }

    /// Ends a wait or poll with [`Error::Cancelled`]; tells whether it was still waiting. Its callback has run when
    /// this returns.
    pub fn cancel(&self, wait: WaitId) -> bool {
        self.core.waits.cancel(wait)
    }

    /// Keeps a claimed item for `lease` from now; gives the new end. Fails with
    /// [`StaleItem`](statewright_flow::Error::StaleItem) if it is not this claim's any more: stop working on it.
    pub fn heartbeat(&self, token: &str, lease: Duration) -> Result<Timestamp> {
        self.core.check()?;
        let (until, moved) = self.core.flows.heartbeat(token, lease)?;
        self.core.follow(moved)?;
        Ok(until)
    }

    /// Gives a claimed item's result. When this returns, the result is in the case's data and the case has moved
    /// on, in one commit. Fails with [`StaleItem`](statewright_flow::Error::StaleItem), and then nothing was
    /// changed.
    pub fn complete(&self, token: &str, result: Value) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.complete(token, &result)?;
        self.core.follow(moved)
    }

    /// Says that a claimed item's attempt failed. It is retried, or the case fails, as the task says.
    pub fn fail(&self, token: &str, failure: &Failure) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.fail(token, failure)?;
        self.core.follow(moved)
    }

    /// Gives what became of several claimed items, each a result as by [`complete`](Engine::complete) or a failure as
    /// by [`fail`](Engine::fail), each in a commit of its own. They wait for the disk together, so a worker that polls
    /// many items at a time and gives them back so is many times faster than one by one. Gives for each nothing, or
    /// why it was refused, as those do. At most 10,000.
    ///
    /// ```
    /// use statewright::{Engine, Options, Poll, flow::Outcome, value};
    /// let engine = Engine::in_memory(Options::default())?;
    /// engine.deploy("name: ship\ntasks:\n  pack: { kind: host, topic: packing }", None)?;
    /// engine.start_all("ship", &[value!({}), value!({})])?;
    /// let work = engine.poll(Poll { max: 100, ..Poll::topic("packing") }, None)?;
    /// let done = work.iter().map(|item| Outcome { token: item.token.clone(), result: Ok(value!("packed")) });
    /// let done = engine.deliver(&done.collect::<Vec<_>>())?;
    /// assert!(done.len() == 2 && done.iter().all(Result::is_ok));
    /// # Ok::<(), statewright::Error>(())
    /// ```
    ///
    /// # Errors
    /// What concerns all of them: the engine is closed, or its store can no longer be written. Then none of them is
    /// said to be durable.
    pub fn deliver(&self, outcomes: &[Outcome]) -> Result<Vec<Result<()>>> {
        self.core.check()?;
        check_batch(outcomes.len())?;
        let delivered = self.core.flows.deliver(outcomes)?;
        self.followed(delivered, |_| ())
    }

    /// Stops every thread, ends running programs and every wait (with [`Error::Closed`]), syncs and releases the
    /// folder. Cases that are not closed go on when the store is opened again. Doing it twice is fine.
    pub fn close(&self) -> Result<()> {
        self.threads.close()
    }
}

fn check_batch(given: usize) -> Result<()> {
    if given <= MAX_BATCH {
        return Ok(());
    }
    Err(Error::Config {
        option: "batch",
        given: given.to_string(),
        range: "at most 10000",
    })
}

impl Threads {
    /// Starts the driver and the workers, as far as they were not.
    fn drive(&self) -> Result<()> {
        let mut started = self.driving.lock();
        while *started <= self.workers {
            let (core, number) = (self.core.clone(), *started);
            if number == 0 {
                self.core.set_driving(true);
                let driver = self.start("sw-driver", move || core.driver());
                driver.inspect_err(|_| self.core.set_driving(false))?;
            } else {
                self.start("sw-worker", move || core.worker(number))?;
            }
            *started = number.saturating_add(1);
        }
        Ok(())
    }

    fn start(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let handle = spawn_thread(name, body).map_err(|e| Error::Thread(Arc::new(e)))?;
        self.handles.lock().push(handle);
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.core.stop();
        let me = std::thread::current().id();
        for handle in std::mem::take(&mut *self.handles.lock()) {
            // A callback may drop the last engine on one of our own threads.
            if handle.thread().id() != me {
                // A panic there has been reported by the runtime; what matters is that the thread is gone.
                let _ = handle.join();
            }
        }
        Ok(self.core.store.close()?)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
