//! When something recurs: by cron expressions in a time zone, or every so often.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::tz::TimeZone;
use statewright_log::Timestamp;

use crate::sabotage::{self, Bug};

/// What recurs, with its next times. Two are equal if they were written alike.
#[derive(Clone, Debug)]
pub struct Calendar {
    rule: Rule,
    text: String,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Whenever one of them says.
    Cron(Vec<Cron>, TimeZone),
    /// Microseconds, at least 1.
    Every(i64),
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Calendar) -> bool {
        self.text == other.text
    }
}

impl Calendar {
    /// Whenever one of these cron expressions says: minute, hour, day of month, month, day of week, and seconds before
    /// them if there are six; or a name such as `@daily`. A moment that several say is one. In the UTC unless a time
    /// zone of the IANA's names is given.
    ///
    /// What is due at a time that a clock skips, as it is set forward, is due when it has been; what is due at a time
    /// that a clock has twice, as it is set back, is due the first time, unless it is due at every hour or minute.
    ///
    /// # Errors
    /// All that is wrong: which of the expressions, or none of them if it is the zone, and why, for people.
    pub(crate) fn cron(
        crons: &[&str],
        zone: Option<&str>,
    ) -> Result<Calendar, Vec<(Option<usize>, String)>> {
        let name = zone.unwrap_or("UTC");
        let Ok(zone) = TimeZone::get(name) else {
            return Err(vec![(None, format!("there is no time zone `{name}`"))]);
        };
        let (mut parsed, mut wrong) = (Vec::with_capacity(crons.len()), Vec::new());
        for (at, cron) in crons.iter().enumerate() {
            match expression(cron) {
                Ok(cron) => parsed.push(cron),
                Err(why) => wrong.push((Some(at), why)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let crons: Vec<&str> = crons.iter().map(|cron| cron.trim()).collect();
        Ok(Calendar {
            rule: Rule::Cron(parsed, zone),
            text: format!("{} {name}", crons.join(", ")),
        })
    }

    /// Every so often, counted from the beginning of 1970 in the UTC: `10m` is at each full ten minutes.
    pub(crate) fn every(every: Duration) -> Calendar {
        let micros = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
        Calendar {
            rule: Rule::Every(micros.max(1)),
            text: format!("every {every:?}"),
        }
    }

    /// As it was written: the expressions and the time zone, or the period.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first time after this one; none if there is none in the next thousands of years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Cron(crons, zone) => {
                let from = zoned(after, zone)?;
                let found = crons.iter().filter_map(|cron| next(cron, &from));
                found.filter(|found| *found > after).min()
            }
            Rule::Every(every) => {
                let periods = after.as_micros().div_euclid(*every).checked_add(1)?;
                Some(Timestamp::from_micros(periods.checked_mul(*every)?))
            }
        }
    }

    /// The last time before this one; none if there is none.
    pub(crate) fn previous(&self, before: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Cron(crons, zone) => {
                // The last full second before it.
                let second = before.as_micros().checked_sub(1)?.div_euclid(1_000_000);
                let second = Timestamp::from_micros(second.checked_mul(1_000_000)?);
                let from = zoned(second, zone)?;
                let found = crons
                    .iter()
                    .filter_map(|cron| cron.find_previous_occurrence(&from, true).ok());
                found.map(|found| timestamp(&found)).max()
            }
            Rule::Every(every) => {
                let before = before.as_micros().checked_sub(1)?;
                let periods = before.div_euclid(*every);
                Some(Timestamp::from_micros(periods.checked_mul(*every)?))
            }
        }
    }
}

fn expression(cron: &str) -> Result<Cron, String> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let parsed = parser.parse(cron).map_err(|e| e.to_string())?;
    // From the beginning of a year with a leap day.
    let start = zoned(Timestamp::from_micros(946_684_800_000_000), &TimeZone::UTC);
    if start.and_then(|start| next(&parsed, &start)).is_none() {
        return Err("there is no such day".to_owned());
    }
    Ok(parsed)
}

fn next(cron: &Cron, after: &Zoned) -> Option<Timestamp> {
    let found = cron.find_next_occurrence(after, false).ok()?;
    Some(timestamp(&found))
}

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    let zone = match sabotage::on(Bug::IgnoreClockChange) {
        true => TimeZone::fixed(zone.to_offset(at)), // planted
        false => zone.clone(),
    };
    Some(at.to_zoned(zone))
}

fn timestamp(at: &Zoned) -> Timestamp {
    Timestamp::from_micros(at.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let parsed: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(parsed.as_microsecond())
    }

    /// The next times, in the UTC, without the year.
    fn times(calendar: &Calendar, after: &str, count: usize) -> Vec<String> {
        let mut now = at(after);
        let mut times = Vec::new();
        for _ in 0..count {
            now = calendar.next(now).unwrap();
            times.push(now.to_string().get(5..16).unwrap().to_owned());
        }
        times
    }

    #[test]
    fn times_of_a_zone_stay_at_its_wall_clock_through_the_year() {
        let berlin = Calendar::cron(&["0 9 * * 1-5"], Some("Europe/Berlin")).unwrap();
        // A Friday, and the clocks go forward on Sunday.
        assert_eq!(
            times(&berlin, "2026-03-27T00:00:00Z", 3),
            ["03-27T08:00", "03-30T07:00", "03-31T07:00"]
        );
        assert_eq!(
            times(&berlin, "2026-10-23T00:00:00Z", 2),
            ["10-23T07:00", "10-26T08:00"]
        );
    }

    #[test]
    fn a_time_that_a_clock_skips_is_due_after_it_and_one_it_has_twice_once() {
        let daily = Calendar::cron(&["30 2 * * *"], Some("Europe/Berlin")).unwrap();
        // 02:00 becomes 03:00 on 29 March, at 01:00 UTC: 02:30 is not there.
        assert_eq!(
            times(&daily, "2026-03-28T00:00:00Z", 3),
            ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
        );
        // 03:00 becomes 02:00 on 25 October, at 01:00 UTC: 02:30 is there twice.
        assert_eq!(
            times(&daily, "2026-10-24T00:00:00Z", 3),
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
        );
        // What is due at every hour or minute is due in both.
        let hourly = Calendar::cron(&["30 * * * *"], Some("Europe/Berlin")).unwrap();
        assert_eq!(
            times(&hourly, "2026-10-24T23:00:00Z", 4),
            ["10-24T23:30", "10-25T00:30", "10-25T01:30", "10-25T02:30"]
        );
        let half = Calendar::cron(&["*/30 * * * *"], Some("Australia/Lord_Howe")).unwrap();
        let mut now = at("2026-04-04T13:45:00Z");
        for _ in 0..6 {
            let next = half.next(now).unwrap();
            // A zone that moves by half an hour.
            assert!(
                next.saturating_since(now) <= Duration::from_secs(1800),
                "{next}"
            );
            now = next;
        }
    }

    #[test]
    fn of_several_expressions_the_earliest_is_next_and_one_moment_is_one() {
        let crons = ["0 9 * * MON-FRI", "0 12 * * SAT", "0 9 1 * *"];
        let office = Calendar::cron(&crons, None).unwrap();
        // 1 May is a Friday, and 1 August a Saturday.
        assert_eq!(
            times(&office, "2026-04-30T10:00:00Z", 4),
            ["05-01T09:00", "05-02T12:00", "05-04T09:00", "05-05T09:00"]
        );
        assert_eq!(
            times(&office, "2026-07-31T10:00:00Z", 3),
            ["08-01T09:00", "08-01T12:00", "08-03T09:00"]
        );
        // Both are due at 03:00 on the day on which 02:30 is not there.
        let night = Calendar::cron(&["30 2 * * *", "0 3 * * *"], Some("Europe/Berlin")).unwrap();
        assert_eq!(
            times(&night, "2026-03-28T12:00:00Z", 3),
            ["03-29T01:00", "03-30T00:30", "03-30T01:00"]
        );
    }

    #[test]
    fn the_next_time_is_later_and_the_one_before_it_leads_back() {
        for calendar in [
            Calendar::cron(&["*/7 3,9 * * *"], Some("America/New_York")).unwrap(),
            Calendar::cron(&["*/10 * * * * *"], None).unwrap(),
            Calendar::cron(&["@daily"], None).unwrap(),
            Calendar::cron(&["0 0 29 2 *"], None).unwrap(),
            Calendar::cron(&["0 0 L * *"], None).unwrap(),
            Calendar::cron(&["0 9 * * MON-FRI", "0 12 * * SAT", "0 9 1 * *"], None).unwrap(),
            Calendar::every(Duration::from_secs(600)),
            Calendar::every(Duration::from_micros(7)),
        ] {
            let mut now = at("2026-03-01T11:22:33.4Z");
            for _ in 0..20 {
                let next = calendar.next(now).unwrap();
                assert!(next > now, "{}", calendar.text());
                assert_eq!(
                    calendar.next(Timestamp::from_micros(next.as_micros() - 1)),
                    Some(next)
                );
                let after = calendar.next(next).unwrap();
                assert_eq!(calendar.previous(after), Some(next), "{}", calendar.text());
                let behind = Timestamp::from_micros(next.as_micros() + 1);
                assert_eq!(calendar.previous(behind), Some(next), "{}", calendar.text());
                now = next;
            }
        }
        let ten = Calendar::every(Duration::from_secs(600));
        assert_eq!(
            times(&ten, "2026-03-01T11:22:33Z", 2),
            ["03-01T11:30", "03-01T11:40"]
        );
    }

    #[test]
    fn what_is_no_expression_or_zone_or_never_comes_is_refused() {
        for (cron, zone, bad_zone) in [
            ("", None, false),
            ("* * * *", None, false),
            ("60 * * * *", None, false),
            ("0 9 * * 1-5 2030 7 8", None, false),
            ("0 0 30 2 *", None, false),
            ("soon", None, false),
            ("0 9 * * *", Some("Europe/Berln"), true),
            ("0 9 * * *", Some(""), true),
        ] {
            let refused = Calendar::cron(&["@daily", cron], zone).unwrap_err();
            let which: Vec<Option<usize>> = refused.iter().map(|(which, _)| *which).collect();
            let expected = if bad_zone { None } else { Some(1) };
            assert_eq!(which, [expected], "{cron} {refused:?}");
        }
    }
}
