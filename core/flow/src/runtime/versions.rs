//! Several versions of a flow side by side.

use std::sync::Arc;

use super::Flows;
use crate::error::Result;
use crate::net::Net;

impl Flows {
    /// The net that a case runs on: that of the version of its flow with which it began, or to which it was moved.
    /// O(1) if it is in memory, else what compiling it takes.
    ///
    /// Fails with [`Error::UnknownCase`](crate::Error::UnknownCase).
    pub fn net_of_case(&self, id: &str) -> Result<Arc<Net>> {
        Ok(self.load(id)?.0)
    }
}
