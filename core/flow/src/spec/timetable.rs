//! `schedule`, and what else recurs.

use statewright_value::Value;

use super::fields::SCHEDULE;
use super::read::{Fields, Reader};
use super::yaml::Node;
use crate::calendar::Calendar;
use crate::net::{Overlap, Schedule};

/// Most missed starts that are made up for.
pub(super) const MAX_CATCH_UP: u64 = 100;

impl Reader<'_> {
    pub(super) fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        let fields = self.fields(node, node.at, "`schedule`", &SCHEDULE)?;
        let calendar = match (fields.get("cron"), fields.get("every")) {
            (Some(cron), None) => self.cron(cron, fields.get("zone")),
            (None, Some(every)) => {
                if let Some(zone) = fields.get("zone") {
                    let message = "`every` has no time zone: it counts from 1970 in the UTC";
                    let help = "remove `zone`, or write `cron` for times of a clock";
                    self.problems.error(zone.at, "bad-zone", message, help);
                }
                self.positive(every, "every").map(Calendar::every)
            }
            (first, _) => {
                let how = if first.is_some() {
                    "only one of"
                } else {
                    "one of"
                };
                let message = format!("`schedule` has {how} `cron` and `every`");
                let help = "write `cron: \"0 9 * * 1-5\"`, or `every: 10m`";
                self.problems.error(node.at, "missing-field", message, help);
                None
            }
        };
        let overlaps = [
            Overlap::Skip,
            Overlap::Allow,
            Overlap::Queue,
            Overlap::Cancel,
        ];
        let overlaps = overlaps.map(|overlap| (overlap.name(), overlap));
        let overlap = fields.get("overlap").map_or(Some(Overlap::Skip), |node| {
            self.word(node, "overlap", &overlaps)
        });
        let catch_up = fields.get("catch_up").map_or(Some(1), |node| {
            self.integer(node, "catch_up", 0, MAX_CATCH_UP)
        });
        let input = fields
            .get("input")
            .map_or(Some(Value::NULL), |node| self.object(node, "input"));
        Some(Schedule {
            calendar: calendar?,
            overlap: overlap?,
            catch_up: catch_up.and_then(|n| u32::try_from(n).ok())?,
            input: input?,
        })
    }

    /// A cron expression and the time zone it is in.
    pub(super) fn cron(&mut self, node: &Node, zone: Option<&Node>) -> Option<Calendar> {
        let cron = self.text(node, "cron")?;
        let name = match zone {
            None => None,
            Some(zone) => Some(self.text(zone, "zone")?),
        };
        let (why, bad_zone) = match Calendar::cron(cron, name) {
            Ok(calendar) => return Some(calendar),
            Err(refused) => refused,
        };
        if let (true, Some(zone)) = (bad_zone, zone) {
            let help = "name one of the IANA's, such as `Europe/Berlin`; `UTC` if it is left out";
            self.problems.error(zone.at, "bad-zone", why, help);
        } else {
            let message = format!("`{cron}` is not a cron expression: {why}");
            let help = "minute, hour, day of month, month, day of week: `0 9 * * 1-5` is 09:00 from Monday to Friday";
            self.problems.error(node.at, "bad-cron", message, help);
        }
        None
    }

    /// A zone belongs to a cron expression.
    pub(super) fn zone_alone(&mut self, fields: &Fields<'_>) {
        if let (Some(zone), None) = (fields.get("zone"), fields.get("cron")) {
            let message = "`zone` is the time zone of `cron`, which is not there";
            self.problems
                .error(zone.at, "bad-zone", message, "remove it, or write `cron`");
        }
    }
}
