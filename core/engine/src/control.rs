//! What people and programs do to running cases from outside. What of it ends programs ends them before the call
//! returns; everything else that follows happens as after any other event.

use statewright_flow::Delivery;
use statewright_value::Value;

use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Cancels a case with all its work, timers and called cases; it is then `cancelled`.
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
}
