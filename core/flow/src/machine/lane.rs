//! The key and priority of an item in its lane.

use super::Machine;
use super::outside::signal_key;
use crate::case::{Instance, ItemLane};
use crate::failure::Failure;
use crate::net::TaskId;

impl Machine<'_> {
    /// What the lane of a task says of its next item, or of this instance; none without a lane.
    pub(super) fn lane(
        &self,
        task: TaskId,
        instance: Option<&Instance>,
    ) -> Result<ItemLane, Failure> {
        let work = self.task(task).and_then(|t| t.kind.work());
        let Some(lane) = work.and_then(|w| w.lane.as_ref()) else {
            return Ok(None);
        };
        let name = self.task(task).map_or("", |t| &*t.name);
        let eval = |expr| self.eval_in(expr, name, 1, None, instance);
        let key = match &lane.key {
            None => String::new(),
            Some(key) => signal_key(&eval(key)?)?,
        };
        let priority = match &lane.priority {
            None => 0,
            Some(priority) => {
                let value = eval(priority)?;
                let number = value.as_u64().and_then(|n| u8::try_from(n).ok());
                number.ok_or_else(|| {
                    Failure::wrong("priority", "a whole number from 0 to 255", &value)
                })?
            }
        };
        Ok(Some((key, priority)))
    }
}
