//! An open engine as the exports see it: the engine itself, and whether it can still be used.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use statewright::{Durability, Engine, Options, Poll, Store, Value, WaitId};

use crate::engine::*;
use crate::failure::{Failure, Result};
use crate::queue::{Outcome, Queue, Timeout};
use crate::status::*;

pub(crate) struct Session {
    engine: Engine,
    closed: AtomicBool,
    poisoned: AtomicBool,
    /// The queues that operations of this engine were submitted to; told when it is poisoned.
    queues: Mutex<Vec<Weak<Queue>>>,
}

impl Session {
    pub(crate) fn open(path: &str, options: &sw_open_options) -> Result<Arc<Session>> {
        let options = engine_options(path, options)?;
        let engine = if path.is_empty() { Engine::in_memory(options)? } else { Engine::open(Path::new(path), options)? };
        let (closed, poisoned) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Arc::new(Session { engine, closed, poisoned, queues: Mutex::default() }))
    }

    /// Fails if the engine is closed or poisoned.
    pub(crate) fn usable(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::closed("engine"));
        }
        if self.poisoned.load(Ordering::Acquire) { Err(poisoned()) } else { Ok(()) }
    }

    /// Stops the use of the engine after a defect: its state can no longer be trusted, only its log can.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
        let queues = std::mem::take(&mut *self.queues.lock());
        for queue in queues.iter().filter_map(Weak::upgrade) {
            queue.fail_all(self, &poisoned());
        }
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(self.engine.close()?)
    }

    pub(crate) fn store(&self) -> &Store {
        self.engine.store()
    }

    pub(crate) fn stats(&self) -> Result<Value> {
        Ok(self.engine.stats().to_value())
    }

    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.engine.sync()?)
    }

    pub(crate) fn deploy(&self, text: &str, dir: &str) -> Result<Value> {
        let dir = if dir.is_empty() { None } else { Some(dir) };
        Ok(self.engine.deploy(text, dir)?.to_value())
    }

    pub(crate) fn start(&self, flow: &str, input: Value, case: &str) -> Result<String> {
        let case = if case.is_empty() { None } else { Some(case) };
        Ok(self.engine.start(flow, input, case)?)
    }

    pub(crate) fn case(&self, id: &str) -> Result<Value> {
        Ok(self.engine.case(id)?.to_value())
    }

    pub(crate) fn cases(&self, after: &str, limit: usize) -> Result<Value> {
        let after = if after.is_empty() { None } else { Some(after) };
        Ok(self.engine.cases(after, limit)?.iter().map(|case| case.to_value()).collect())
    }

    pub(crate) fn explain(&self, id: &str) -> Result<Value> {
        Ok(self.engine.explain(id)?.to_value())
    }

    pub(crate) fn history(&self, id: &str) -> Result<Value> {
        Ok(self.engine.history(id)?.iter().map(|event| event.to_value()).collect())
    }

    pub(crate) fn wait(&self, id: &str, timeout: Timeout) -> Result<Value> {
        Ok(self.engine.wait(id, timeout.duration())?.to_value())
    }

    pub(crate) fn poll(&self, poll: Poll, timeout: Timeout) -> Result<Value> {
        Ok(self.engine.poll(poll, timeout.duration())?.iter().map(|item| item.to_value()).collect())
    }

    /// Calls `done` once: with the case's state when it has ended, or with why that will not come.
    pub(crate) fn on_end(&self, id: &str, done: Box<dyn FnOnce(Outcome) + Send>) -> Result<WaitId> {
        let told = move |result: statewright::Result<_>| done(result.map(|case| case.to_value().to_msgpack()).map_err(Failure::from));
        Ok(self.engine.on_end(id, Box::new(told))?)
    }

    /// Calls `done` once: with at least one work item, or with why that will not come.
    pub(crate) fn on_work(&self, poll: Poll, done: Box<dyn FnOnce(Outcome) + Send>) -> Result<WaitId> {
        let told = move |result: statewright::Result<Vec<_>>| done(result.map(|items| items.iter().map(|item| item.to_value()).collect::<Value>().to_msgpack()).map_err(Failure::from));
        Ok(self.engine.on_work(poll, Box::new(told))?)
    }

    /// Ends a wait early; it then ends with `SW_CANCELLED`, unless it has just ended otherwise.
    pub(crate) fn cancel(&self, wait: WaitId) {
        self.engine.cancel(wait);
    }

    pub(crate) fn heartbeat(&self, token: &str, lease: Duration) -> Result<()> {
        Ok(self.engine.heartbeat(token, lease)?)
    }

    pub(crate) fn complete(&self, token: &str, result: Value) -> Result<()> {
        Ok(self.engine.complete(token, result)?)
    }

    pub(crate) fn fail(&self, token: &str, failure: &Value) -> Result<()> {
        Ok(self.engine.fail(token, failure)?)
    }

    /// Remembers a queue, to tell it if the engine is poisoned.
    pub(crate) fn remember(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.retain(|known| known.strong_count() > 0);
        if !queues.iter().any(|known| known.as_ptr() == Arc::as_ptr(queue)) {
            queues.push(Arc::downgrade(queue));
        }
    }
}

fn poisoned() -> Failure {
    Failure::new(SW_POISONED, "an earlier call hit a defect, so the engine's state can no longer be trusted")
        .help("close the engine and open it again, which recovers from the log")
}

fn engine_options(path: &str, given: &sw_open_options) -> Result<Options> {
    let wrong = |what: &'static str, value: u32| {
        Failure::new(SW_INVALID_ARGUMENT, format!("`options.{what}` {value} is not known")).at(format!("options.{what}"))
    };
    let mut options = Options::default();
    options = match (given.durability, path.is_empty()) {
        (SW_DURABILITY_DEFAULT | SW_DURABILITY_MEMORY, true) => options.durability(Durability::Memory),
        (SW_DURABILITY_DEFAULT | SW_DURABILITY_STRICT, false) => options.durability(Durability::Strict),
        (SW_DURABILITY_BUFFERED, false) => options.durability(Durability::Buffered),
        (SW_DURABILITY_MEMORY | SW_DURABILITY_BUFFERED | SW_DURABILITY_STRICT, _) => {
            let message = "`options.durability` and `path` do not go together: memory is for the empty path, the others for a folder";
            return Err(Failure::new(SW_INVALID_ARGUMENT, message).at("options.durability"));
        }
        (other, _) => return Err(wrong("durability", other)),
    };
    options = match given.drive {
        SW_DRIVE_BACKGROUND => options.drive(true),
        SW_DRIVE_NONE => options.drive(false),
        other => return Err(wrong("drive", other)),
    };
    if given.worker_threads != 0 {
        options = options.workers(given.worker_threads as usize);
    }
    if given.sync_interval_ns != 0 {
        options = options.sync_interval(Duration::from_nanos(given.sync_interval_ns));
    }
    Ok(options)
}
