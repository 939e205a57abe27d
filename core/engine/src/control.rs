//! What people and programs do to running cases from outside. What of it ends programs ends them before the call
//! returns; everything else that follows happens as after any other event.

use std::time::Duration;

use statewright_flow::{Delivery, ScheduleInfo, WorkFilter, WorkInfo, WorkItem};
use statewright_log::Timestamp;
use statewright_value::Value;

use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Cancels a case with all its work, timers and called cases; it is then `cancelled`, once what it did and can be
    /// undone is undone.
    ///
    /// # Errors
    /// As [`Flows::cancel`](statewright_flow::Flows::cancel).
    pub fn cancel_case(&self, case: &str, reason: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.cancel(case, reason)?;
        self.core.follow(moved)
    }

    /// Ends a case by force; it is then `terminated`.
    ///
    /// # Errors
    /// As [`Flows::terminate`](statewright_flow::Flows::terminate).
    pub fn terminate_case(&self, case: &str, reason: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.terminate(case, reason)?;
        self.core.follow(moved)
    }

    /// Has a case undo what its tasks have done, newest first; a running one is cancelled for it.
    ///
    /// # Errors
    /// As [`Flows::compensate`](statewright_flow::Flows::compensate).
    pub fn compensate_case(&self, case: &str, reason: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.compensate(case, reason)?;
        self.core.follow(moved)
    }

    /// Suspends a case and those it called: nothing more is offered or started until it is resumed.
    ///
    /// # Errors
    /// As [`Flows::suspend`](statewright_flow::Flows::suspend).
    pub fn suspend_case(&self, case: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.suspend(case)?;
        self.core.follow(moved)
    }

    /// Lets a suspended case go on.
    ///
    /// # Errors
    /// As [`Flows::resume`](statewright_flow::Flows::resume).
    pub fn resume_case(&self, case: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.resume(case)?;
        self.core.follow(moved)
    }

    /// Cancels one task of a case: it produces nothing.
    ///
    /// # Errors
    /// As [`Flows::cancel_task`](statewright_flow::Flows::cancel_task).
    pub fn cancel_task(&self, case: &str, task: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.cancel_task(case, task)?;
        self.core.follow(moved)
    }

    /// Has a running task of several instances complete with what there is.
    ///
    /// # Errors
    /// As [`Flows::complete_task`](statewright_flow::Flows::complete_task).
    pub fn complete_task(&self, case: &str, task: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.complete_task(case, task)?;
        self.core.follow(moved)
    }

    /// Adds instances to a running task, one for each item.
    ///
    /// # Errors
    /// As [`Flows::add_instances`](statewright_flow::Flows::add_instances).
    pub fn add_instances(&self, case: &str, task: &str, items: &[Value]) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.add_instances(case, task, items)?;
        self.core.follow(moved)
    }

    /// Sends a signal to a case, and tells what became of it.
    ///
    /// # Errors
    /// As [`Flows::signal`](statewright_flow::Flows::signal).
    pub fn signal(&self, case: &str, signal: &str, data: &Value) -> Result<Delivery> {
        self.core.check()?;
        let (delivery, moved) = self.core.flows.signal(case, signal, data)?;
        self.core.follow(moved)?;
        Ok(delivery)
    }

    /// Sends a signal to whichever case waits for its name and key, and tells what became of it.
    ///
    /// # Errors
    /// As [`Flows::signal_key`](statewright_flow::Flows::signal_key).
    pub fn signal_key(&self, signal: &str, key: &str, data: &Value) -> Result<Delivery> {
        self.core.check()?;
        let (delivery, moved) = self.core.flows.signal_key(signal, key, data)?;
        if let Some(moved) = moved {
            self.core.follow(moved)?;
        }
        Ok(delivery)
    }

    /// Asks something of a case: a jq expression on its data.
    ///
    /// # Errors
    /// As [`Flows::query`](statewright_flow::Flows::query).
    pub fn query(&self, case: &str, query: &str) -> Result<Value> {
        Ok(self.core.flows.query(case, query)?)
    }

    /// The schedules of deployed flows, by the flow's name.
    ///
    /// # Errors
    /// As [`Flows::schedules`](statewright_flow::Flows::schedules).
    pub fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        Ok(self.core.flows.schedules()?)
    }

    /// The next times at which cases of a flow begin by themselves.
    ///
    /// # Errors
    /// As [`Flows::upcoming`](statewright_flow::Flows::upcoming).
    pub fn upcoming(&self, flow: &str, count: usize) -> Result<Vec<Timestamp>> {
        Ok(self.core.flows.upcoming(flow, count)?)
    }

    /// Starts no case of a flow by itself until its schedule is resumed.
    ///
    /// # Errors
    /// As [`Flows::pause_schedule`](statewright_flow::Flows::pause_schedule).
    pub fn pause_schedule(&self, flow: &str) -> Result<()> {
        self.core.check()?;
        Ok(self.core.flows.pause_schedule(flow)?)
    }

    /// Lets a paused schedule go on with its next time from now.
    ///
    /// # Errors
    /// As [`Flows::resume_schedule`](statewright_flow::Flows::resume_schedule).
    pub fn resume_schedule(&self, flow: &str) -> Result<()> {
        self.core.check()?;
        self.core.flows.resume_schedule(flow)?;
        self.core.wake();
        Ok(())
    }

    /// The host work items that wait for somebody or are at work, by case and number.
    ///
    /// # Errors
    /// As [`Flows::work`](statewright_flow::Flows::work).
    pub fn work(&self, filter: &WorkFilter) -> Result<Vec<WorkInfo>> {
        self.core.check()?;
        Ok(self.core.flows.work(filter)?)
    }

    /// Takes one offered host item by its case and number. Without a `lease` it is the worker's until it is completed,
    /// failed, given back or delegated, over restarts too. If computing its input fails, so does the case, and this is
    /// refused.
    ///
    /// # Errors
    /// As [`Flows::take`](statewright_flow::Flows::take).
    pub fn take(
        &self,
        case: &str,
        item: u64,
        worker: &str,
        lease: Option<Duration>,
    ) -> Result<WorkItem> {
        self.core.check()?;
        let claim = self.core.flows.take(case, item, worker, lease)?;
        self.core.follow(claim.moved)?;
        claim.item.ok_or_else(|| {
            let why = format!("computing its input failed case {case}");
            let code = "failed";
            statewright_flow::Error::Refused { code, why }.into()
        })
    }

    /// Hands a claimed item to another worker, and gives it as they have it, with a new token.
    ///
    /// # Errors
    /// As [`Flows::delegate`](statewright_flow::Flows::delegate).
    pub fn delegate(&self, token: &str, worker: &str, lease: Option<Duration>) -> Result<WorkItem> {
        self.core.check()?;
        let (item, moved) = self.core.flows.delegate(token, worker, lease)?;
        self.core.follow(moved)?;
        Ok(item)
    }

    /// Gives a claimed item back: it is offered again at once.
    ///
    /// # Errors
    /// As [`Flows::give_back`](statewright_flow::Flows::give_back).
    pub fn give_back(&self, token: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.give_back(token)?;
        self.core.follow(moved)
    }

    /// Decides that a host item is not to be done: its task completes without a result.
    ///
    /// # Errors
    /// As [`Flows::skip`](statewright_flow::Flows::skip).
    pub fn skip(&self, case: &str, item: u64, reason: &str) -> Result<()> {
        self.core.check()?;
        let moved = self.core.flows.skip(case, item, reason)?;
        self.core.follow(moved)
    }
}
