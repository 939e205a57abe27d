//! An open engine as the exports see it: the engine itself, and whether it can still be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use statewright::flow::{self, CaseFilter, CaseInfo, Outcome, WorkItem};
use statewright::{Durability, Engine, Options, Poll, Store, Value, WaitId, value};

use crate::checks;
use crate::engine::*;
use crate::failure::{Failure, Result};
use crate::queue::{Done, Queue, Timeout};
use crate::shapes;
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
        let engine = if path.is_empty() {
            Engine::in_memory(options)?
        } else {
            Engine::open(path, options)?
        };
        let (closed, poisoned) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Arc::new(Session {
            engine,
            closed,
            poisoned,
            queues: Mutex::default(),
        }))
    }

    /// Fails if the engine is closed or poisoned.
    pub(crate) fn usable(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::closed("engine"));
        }
        if self.poisoned.load(Ordering::Acquire) {
            Err(poisoned())
        } else {
            Ok(())
        }
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

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn store(&self) -> &Store {
        self.engine.store()
    }

    pub(crate) fn stats(&self) -> Result<Value> {
        Ok(self.engine.store().stats().to_value())
    }

    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.engine.store().sync()?)
    }

    pub(crate) fn deploy(&self, text: &str, dir: &str) -> Result<Value> {
        Ok(shapes::deployed(&self.engine.deploy(text, given(dir))?))
    }

    pub(crate) fn start(&self, flow: &str, input: Value, case: &str) -> Result<String> {
        Ok(self.engine.start(flow, input, given(case))?)
    }

    pub(crate) fn start_all(&self, flow: &str, inputs: &[Value]) -> Result<Value> {
        let started = self.engine.start_all(flow, inputs)?;
        let told = |started: &statewright::Result<String>| match started {
            Ok(id) => value!({"case": (id.as_str())}),
            Err(e) => shapes::refused(e),
        };
        Ok(started.iter().map(told).collect())
    }

    pub(crate) fn case(&self, id: &str) -> Result<Value> {
        Ok(shapes::case(&self.engine.case(id)?))
    }

    pub(crate) fn cases(&self, filter: &CaseFilter) -> Result<Value> {
        Ok(self
            .engine
            .cases(filter)?
            .iter()
            .map(shapes::case)
            .collect())
    }

    pub(crate) fn query(&self, id: &str, query: &str) -> Result<Value> {
        Ok(self.engine.query(id, query)?)
    }

    pub(crate) fn explain(&self, id: &str) -> Result<Value> {
        Ok(self
            .engine
            .explain(id)?
            .iter()
            .map(shapes::waiting)
            .collect())
    }

    pub(crate) fn history(&self, id: &str, after: u64) -> Result<Value> {
        Ok(self
            .engine
            .history(id, after)?
            .iter()
            .map(shapes::event)
            .collect())
    }

    pub(crate) fn wait(&self, id: &str, timeout: Timeout) -> Result<Value> {
        Ok(shapes::case(&self.engine.wait(id, timeout.duration())?))
    }

    pub(crate) fn poll(&self, poll: Poll, timeout: Timeout) -> Result<Value> {
        let items = self.engine.poll(poll, timeout.duration())?;
        if items.is_empty() {
            return Err(Failure::new(
                SW_TIMEOUT,
                "no work was offered in the time given",
            ));
        }
        Ok(items.iter().map(shapes::item).collect())
    }

    /// Calls `done` once: with the case's state when it has ended, or with why that will not come.
    pub(crate) fn on_end(&self, id: &str, done: Done) -> Result<WaitId> {
        let told = move |case: statewright::Result<CaseInfo>| {
            done(
                case.map(|case| shapes::case(&case).to_msgpack())
                    .map_err(Failure::from),
            );
        };
        Ok(self.engine.on_closed(id, Box::new(told))?)
    }

    /// Calls `done` once: with at least one work item, or with why that will not come.
    pub(crate) fn on_work(&self, poll: Poll, done: Done) -> Result<WaitId> {
        let told = move |items: statewright::Result<Vec<WorkItem>>| {
            let as_value = |items: Vec<WorkItem>| items.iter().map(shapes::item).collect::<Value>();
            done(
                items
                    .map(|items| as_value(items).to_msgpack())
                    .map_err(Failure::from),
            );
        };
        Ok(self.engine.on_work(poll, Box::new(told))?)
    }

    /// Ends a wait early; it then ends with `SW_CANCELLED`, unless it has just ended otherwise.
    pub(crate) fn cancel(&self, wait: WaitId) {
        self.engine.cancel(wait);
    }

    pub(crate) fn heartbeat(&self, token: &str, lease: Duration) -> Result<()> {
        self.engine.heartbeat(token, lease)?;
        Ok(())
    }

    pub(crate) fn complete(&self, token: &str, result: Value) -> Result<()> {
        Ok(self.engine.complete(token, result)?)
    }

    pub(crate) fn fail(&self, token: &str, failure: &Value) -> Result<()> {
        Ok(self
            .engine
            .fail(token, &flow::Failure::from_value(failure)?)?)
    }

    pub(crate) fn deliver(&self, outcomes: &Value) -> Result<Value> {
        let outcomes: Result<Vec<Outcome>> = outcomes.items().map(|o| outcome(&o)).collect();
        let delivered = self.engine.deliver(&outcomes?)?;
        let told = |delivered: &statewright::Result<()>| match delivered {
            Ok(()) => Value::NULL,
            Err(e) => shapes::refused(e),
        };
        Ok(delivered.iter().map(told).collect())
    }

    /// Remembers a queue, to tell it if the engine is poisoned.
    pub(crate) fn remember(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.retain(|known| known.strong_count() > 0);
        if !queues
            .iter()
            .any(|known| known.as_ptr() == Arc::as_ptr(queue))
        {
            queues.push(Arc::downgrade(queue));
        }
    }
}

/// `{token, result}` or `{token, failure}`.
fn outcome(from: &Value) -> Result<Outcome> {
    checks::object("outcomes[]", from)?;
    let token = from.get("token").unwrap_or_default();
    let token = checks::text("outcomes[].token", &token)?;
    let result = match (from.get("result"), from.get("failure")) {
        (Some(_), Some(_)) => {
            let both = "must have a `result` or a `failure`, not both";
            return Err(checks::invalid("outcomes[]", both));
        }
        (result, None) => Ok(result.unwrap_or_default()),
        (None, Some(failure)) => Err(flow::Failure::from_value(&failure)?),
    };
    Ok(Outcome { token, result })
}

/// Everything that is wrong with a flow's text.
pub(crate) fn check(text: &str) -> Value {
    Engine::check(text).iter().map(shapes::problem).collect()
}

/// Optional text: C passes none as empty.
pub(crate) fn given(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}

fn poisoned() -> Failure {
    Failure::new(
        SW_POISONED,
        "an earlier call hit a defect, so the engine's state can no longer be trusted",
    )
    .help("close the engine and open it again, which recovers from the log")
}

fn engine_options(path: &str, given: &sw_open_options) -> Result<Options> {
    let wrong = |what: &'static str, value: u32| {
        checks::invalid(
            &format!("options.{what}"),
            format_args!("{value} is not known"),
        )
    };
    let mut options = Options::default();
    options = match (given.durability, path.is_empty()) {
        (SW_DURABILITY_DEFAULT | SW_DURABILITY_MEMORY, true) => {
            options.durability(Durability::Memory)
        }
        (SW_DURABILITY_DEFAULT | SW_DURABILITY_STRICT, false) => {
            options.durability(Durability::Strict)
        }
        (SW_DURABILITY_BUFFERED, false) => options.durability(Durability::Buffered),
        (SW_DURABILITY_MEMORY | SW_DURABILITY_BUFFERED | SW_DURABILITY_STRICT, _) => {
            let why = "does not fit `path`: memory is for none, the others for a folder";
            return Err(checks::invalid("options.durability", why));
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
    if given.max_commit_bytes != 0 {
        options = options.max_commit_bytes(given.max_commit_bytes);
    }
    Ok(options)
}
