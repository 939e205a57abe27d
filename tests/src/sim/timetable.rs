//! When the simulated schedules are due, computed otherwise than in the library: from tables of when clocks are set.

use std::collections::BTreeSet;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// When cases are due.
pub(super) enum Due {
    /// Every so many hours since 1970, and so many minutes later.
    Every { hours: i64, minute: i64 },
    /// At these times of the clocks of a place: on which days of the week, hour and minute.
    Daily(&'static Place, &'static [(Days, i64, i64)]),
}

/// Days of the week, from Monday.
type Days = [bool; 7];
pub(super) const DAILY: Days = [true; 7];
pub(super) const WORKDAYS: Days = [true, true, true, true, true, false, false];
pub(super) const SATURDAYS: Days = [false, false, false, false, false, true, false];

/// How often clocks are set in 2020: at which time of the UTC, and the minutes that they are ahead of it before and
/// after.
pub(super) type Place = [(&'static str, i64, i64); 2];
pub(super) const BERLIN: Place = [
    ("2020-03-29T01:00:00Z", 60, 120),
    ("2020-10-25T01:00:00Z", 120, 60),
];
pub(super) const LORD_HOWE: Place = [
    ("2020-04-04T15:00:00Z", 660, 630),
    ("2020-10-03T15:30:00Z", 630, 660),
];

/// Where the clock of a seed begins, in microseconds after the new year of 2020: there, or within a day before the
/// clocks of one of these places are set.
pub(super) fn beginning(seed: u64) -> i64 {
    let days = match seed % 5 {
        0 => 0,
        1 => 87,  // 28 March
        2 => 94,  // 4 April
        3 => 276, // 3 October
        _ => 297, // 24 October
    };
    days * DAY
}

impl Due {
    /// How often it is due after one time, up to another.
    pub(super) fn between(&self, after: i64, until: i64) -> usize {
        if until <= after {
            return 0;
        }
        match self {
            Due::Every { hours, minute } => {
                let periods = |at: i64| (at - minute * MINUTE).div_euclid(hours * HOUR);
                (periods(until) - periods(after)) as usize
            }
            Due::Daily(place, times) => {
                let days = after.div_euclid(DAY) - 1..=until.div_euclid(DAY) + 1;
                let mut due = BTreeSet::new();
                for day in days {
                    // 1970 began on a Thursday.
                    let weekday = (day + 3).rem_euclid(7) as usize;
                    for (on, hour, minute) in *times {
                        if on.get(weekday) == Some(&true) {
                            due.insert(utc(place, day * DAY + hour * HOUR + minute * MINUTE));
                        }
                    }
                }
                due.range(after + 1..=until).count()
            }
        }
    }

    /// Whether it is due just then.
    pub(super) fn is_at(&self, at: i64) -> bool {
        self.between(at - 1, at) == 1
    }
}

/// When the clocks of a place show a time first; if they skip it, when they have been set.
fn utc(place: &Place, shown: i64) -> i64 {
    let mut ahead = 0;
    for (set, before, after) in place {
        let set = micros(set).unwrap_or(i64::MAX);
        if shown - before * MINUTE < set {
            return shown - before * MINUTE;
        }
        if shown - after * MINUTE < set {
            return set;
        }
        ahead = *after;
    }
    shown - ahead * MINUTE
}

/// A time of full seconds in the UTC (RFC 3339), in microseconds since 1970.
pub(super) fn micros(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days from civil (Howard Hinnant): years begin in March.
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let day = (153 * month + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day - 719_468;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(micros("1970-01-01T00:00:01Z"), Some(1_000_000));
        assert_eq!(micros("2020-01-01T00:00:00Z"), Some(1_577_836_800_000_000));
        assert_eq!(micros("2020-03-01T00:00:00Z"), Some(1_583_020_800_000_000));
        assert_eq!(micros("soon"), None);
    }

    #[test]
    fn a_time_that_is_skipped_is_due_after_it_and_one_that_is_there_twice_once() {
        let half_past_two = Due::Daily(&BERLIN, &[(DAILY, 2, 30)]);
        for (at, due) in [
            ("2020-03-28T01:30:00Z", true),
            ("2020-03-29T01:00:00Z", true),
            ("2020-03-29T01:30:00Z", false),
            ("2020-03-30T00:30:00Z", true),
            ("2020-10-25T00:30:00Z", true),
            ("2020-10-25T01:30:00Z", false),
            ("2020-10-26T01:30:00Z", true),
        ] {
            assert_eq!(half_past_two.is_at(micros(at).unwrap()), due, "{at}");
        }
        let week = |of| {
            let monday = micros("2020-03-02T00:00:00Z").unwrap();
            Due::Daily(&BERLIN, of).between(monday, monday + 7 * DAY)
        };
        assert_eq!(week(&[(WORKDAYS, 9, 0), (SATURDAYS, 12, 0)]), 6);
        assert_eq!(week(&[(DAILY, 9, 0), (SATURDAYS, 9, 0)]), 7);
    }
}
