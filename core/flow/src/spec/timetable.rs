//! `schedule`, and what else recurs.

use statewright_value::Value;

use super::fields::SCHEDULE;
use super::read::{Fields, Reader};
use super::yaml::{Data, Node};
use crate::calendar::Calendar;
use crate::net::{Overlap, Schedule};

/// Most missed starts that are made up for.
pub(super) const MAX_CATCH_UP: u64 = 100;
/// Most cron expressions of one schedule or wait.
pub(super) const MAX_CRONS: usize = 32;

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

    /// One cron expression or several, and the time zone they are in.
    pub(super) fn cron(&mut self, node: &Node, zone: Option<&Node>) -> Option<Calendar> {
        let nodes = match &node.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if !(1..=MAX_CRONS).contains(&nodes.len()) {
            let expected = format!("one cron expression or up to {MAX_CRONS}");
            self.wrong(node, "cron", &expected);
            return None;
        }
        let crons: Vec<Option<&str>> = nodes.iter().map(|node| self.text(node, "cron")).collect();
        let name = match zone {
            None => None,
            Some(zone) => Some(self.text(zone, "zone")?),
        };
        let crons: Vec<&str> = crons.into_iter().collect::<Option<_>>()?;
        let wrong = match Calendar::cron(&crons, name) {
            Ok(calendar) => return Some(calendar),
            Err(wrong) => wrong,
        };
        for (which, why) in wrong {
            let cron = which.and_then(|at| Some((nodes.get(at)?, crons.get(at)?)));
            if let Some((node, cron)) = cron {
                let message = format!("`{cron}` is not a cron expression: {why}");
                let help = "minute, hour, day of month, month, day of week: `0 9 * * 1-5` is 09:00 from Monday to Friday";
                self.problems.error(node.at, "bad-cron", message, help);
            } else {
                let at = zone.map_or(node.at, |zone| zone.at);
                let help =
                    "name one of the IANA's, such as `Europe/Berlin`; `UTC` if it is left out";
                self.problems.error(at, "bad-zone", why, help);
            }
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
