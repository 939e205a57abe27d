//! The `lane` of a task.

use std::time::Duration;

use super::fields::{LANE, RATE};
use super::read::Reader;
use super::yaml::Node;
use crate::net::{Lane, Rate};

/// Most items at a time, and most starts in a period.
const MAX: u64 = 1_000_000;
/// The longest period.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Reader<'_> {
    /// A lane; its name is empty if the spec gives it none.
    pub(super) fn lane(&mut self, node: &Node) -> Option<Lane> {
        let fields = self.fields(node, node.at, "`lane`", &LANE)?;
        let name = match fields.get("name") {
            None => Some(String::new()),
            Some(node) => self.label(node, "name"),
        };
        let key = self.optional_expr(&fields, "key");
        let priority = self.optional_expr(&fields, "priority");
        let limit = match fields.get("limit") {
            None => Some(None),
            Some(node) => self.integer(node, "limit", 1, MAX).map(Some),
        };
        let rate = match fields.get("rate") {
            None => Some(None),
            Some(node) => self.rate(node).map(Some),
        };
        let lane = Lane {
            name: name?,
            key: key?,
            limit: limit?.and_then(|n| u32::try_from(n).ok()),
            rate: rate?,
            priority: priority?,
        };
        if lane.key.is_none()
            && lane.limit.is_none()
            && lane.rate.is_none()
            && lane.priority.is_none()
        {
            let help = "say `limit`, `rate` or `priority`, or a `key` whose items take turns";
            let message = "this `lane` holds nothing back and puts nothing in order";
            self.problems.error(node.at, "empty", message, help);
            return None;
        }
        Some(lane)
    }

    fn rate(&mut self, node: &Node) -> Option<Rate> {
        let fields = self.fields(node, node.at, "`rate`", &RATE)?;
        let count = fields
            .required(self, "count", "`rate`")
            .and_then(|node| self.integer(node, "count", 1, MAX));
        let per = fields.required(self, "per", "`rate`").and_then(|node| {
            let per = self.positive(node, "per")?;
            if per > LONGEST {
                let help = "a year at most; `limit` bounds what runs at a time";
                self.problems
                    .error(node.at, "bad-duration", "`per` is too long", help);
            }
            (per <= LONGEST).then_some(per)
        });
        let burst = match fields.get("burst") {
            None => Some(count),
            Some(node) => self.integer(node, "burst", 1, MAX).map(Some),
        };
        let small = |n: u64| u32::try_from(n).ok();
        Some(Rate {
            count: small(count?)?,
            per: per?,
            burst: small(burst??)?,
        })
    }
}
