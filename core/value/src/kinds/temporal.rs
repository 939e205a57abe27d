//! Reading, printing and calculating with dates, times, datetimes and durations, by `jiff`.

use std::borrow::Cow;

use jiff::civil::{Date, ISOWeekDate, Time, Weekday};
use jiff::fmt::friendly::SpanPrinter;
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::fmt::{rfc2822, temporal};
use jiff::{SignedDuration, Span, SpanRelativeTo, Zoned};

use crate::kinds::datetime::DateTime;
use crate::{Error, Path, Result, Value};

/// A unit that a point in time is cut to; see [`Value::truncate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Also cuts off microseconds and so on, as every unit does with the smaller ones.
    Microsecond,
    /// A thousandth of a second.
    Millisecond,
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// A day of the calendar; in a duration 24 hours.
    Day,
    /// Seven days, from Monday (ISO 8601).
    Week,
    /// A month of the calendar.
    Month,
    /// Three months, from January, April, July or October.
    Quarter,
    /// A year of the calendar.
    Year,
}

impl TimeUnit {
    fn name(self) -> &'static str {
        match self {
            TimeUnit::Microsecond => "microsecond",
            TimeUnit::Millisecond => "millisecond",
            TimeUnit::Second => "second",
            TimeUnit::Minute => "minute",
            TimeUnit::Hour => "hour",
            TimeUnit::Day => "day",
            TimeUnit::Week => "week",
            TimeUnit::Month => "month",
            TimeUnit::Quarter => "quarter",
            TimeUnit::Year => "year",
        }
    }

    /// Its length in nanoseconds, if it always has the same.
    fn nanos(self) -> Option<i128> {
        Some(match self {
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Second => 1_000_000_000,
            TimeUnit::Minute => 60_000_000_000,
            TimeUnit::Hour => 3_600_000_000_000,
            TimeUnit::Day => 86_400_000_000_000,
            TimeUnit::Week => 604_800_000_000_000,
            TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year => return None,
        })
    }
}

/// What the calendar says about a day; see [`Value::calendar`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Calendar {
    /// The year, −9999 to 9999.
    pub year: i16,
    /// The quarter, 1 to 4.
    pub quarter: i8,
    /// The month, 1 to 12.
    pub month: i8,
    /// The day of the month, 1 to 31.
    pub day: i8,
    /// The day of the year, 1 to 366.
    pub day_of_year: i16,
    /// The day of the week.
    pub weekday: Weekday,
    /// The year the week belongs to (ISO 8601), which differs from `year` around new year.
    pub week_year: i16,
    /// The week of that year (ISO 8601), 1 to 53; week 1 is the one with the first Thursday.
    pub week: i8,
}

impl From<Date> for Calendar {
    fn from(date: Date) -> Calendar {
        let week = date.iso_week_date();
        Calendar {
            year: date.year(),
            quarter: (date.month() - 1) / 3 + 1,
            month: date.month(),
            day: date.day(),
            day_of_year: date.day_of_year(),
            weekday: date.weekday(),
            week_year: week.year(),
            week: week.week(),
        }
    }
}

/// Reading temporals; feature `time`. Errors are [`Error::InvalidTemporal`] and say what is wrong with the text.
impl Value {
    /// Reads a date of ISO 8601: `2024-05-01`, `20240501` or by week, `2024-W18-3`. O(1).
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`], also for a date with a time, which would be lost.
    pub fn date(text: &str) -> Result<Value> {
        let fail = |reason| Error::invalid_temporal("date", text, reason);
        if let Ok(week) = text.parse::<ISOWeekDate>() {
            return Ok(Value::from(week.date()));
        }
        let pieces = Pieces::parse(text).map_err(|error| fail(reason(&error)))?;
        if pieces.time().is_some() || pieces.time_zone_annotation().is_some() {
            return Err(fail(
                "it has a time or a time zone too; read a datetime".into(),
            ));
        }
        Ok(Value::from(pieces.date()))
    }

    /// Reads a time of day of ISO 8601: `12:30`, `12:30:05.25`, `T1230`. A leap second (`:60`) is read as 59. O(1).
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`], also for a time with a date or an offset, which would be lost.
    pub fn time(text: &str) -> Result<Value> {
        let fail = |reason| Error::invalid_temporal("time", text, reason);
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b':' | b'.' | b',' | b'T' | b't');
        if !text.as_bytes().iter().all(part) {
            return Err(fail(
                "expected hours, minutes and seconds, as in `12:30:05.25`".into(),
            ));
        }
        let time = temporal::DateTimeParser::new().parse_time(text);
        Ok(Value::from(time.map_err(|error| fail(reason(&error)))?))
    }

    /// Reads a datetime with an offset from UTC, of RFC 3339 (and ISO 8601 around it), as in
    /// `2024-05-01T12:30:00+02:00`, or of RFC 2822, as in `Wed, 01 May 2024 12:30:00 +0200`. The offset is
    /// kept; the name of a time zone after it (`[Europe/Berlin]`, RFC 9557) is not. O(1).
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`], also when there is no offset: nobody knows then which moment is meant.
    ///
    /// ```
    /// # use statewright_value::{TimeUnit, Value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let start = Value::datetime("2024-01-31T10:15:00+01:00")?;
    /// let due = start.shift("1 month 2h")?;
    /// assert_eq!(due, Value::datetime("2024-02-29T12:15:00+01:00")?);
    /// assert_eq!(due.truncate(TimeUnit::Week)?, Value::datetime("2024-02-26T00:00:00+01:00")?);
    /// assert_eq!(due.since(&start)?, Value::duration("29d 2h")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn datetime(text: &str) -> Result<Value> {
        text.parse::<DateTime>().map(Value::from)
    }

    /// Reads a duration, of ISO 8601, as in `PT1H30M`, or as people write it, as in `1h 30m`, `2 days, 3
    /// hours`, `90 seconds ago`. Days have 24 hours and weeks seven days. O(length).
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`], also for months and years, which have no one length: see
    /// [`Value::shift`].
    pub fn duration(text: &str) -> Result<Value> {
        let fail = |reason| Error::invalid_temporal("duration", text, reason);
        if let Ok(duration) = text.parse::<SignedDuration>() {
            return Ok(Value::from(duration));
        }
        let span: Span = text.parse().map_err(|error| fail(reason(&error)))?;
        if span.get_months() != 0 || span.get_years() != 0 {
            let lengths = "months and years have no one length; shift a date by them instead";
            return Err(fail(lengths.into()));
        }
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
        Ok(Value::from(duration.map_err(|error| fail(reason(&error)))?))
    }

    /// A duration as people write it, as in `2d 3h 30m`; none if this is no duration. Days have 24 hours; beyond
    /// 7,304,484 of them, about 20,000 years, everything is told in hours. [`Value::duration`] reads it back
    /// exactly. O(1).
    pub fn human_duration(&self) -> Option<String> {
        let duration = self.as_duration()?;
        let days = duration.as_secs() / 86_400;
        let rest = SignedDuration::new(duration.as_secs() % 86_400, duration.subsec_nanos());
        let printer = SpanPrinter::new();
        Some(match (days, rest.is_zero()) {
            (0, _) => printer.duration_to_string(&duration),
            (days, _) if days.unsigned_abs() > MOST_DAYS => printer.duration_to_string(&duration),
            (days, true) if days < 0 => format!("{}d ago", days.unsigned_abs()),
            (days, true) => format!("{days}d"),
            (days, false) => {
                format!(
                    "{}d {}",
                    days.unsigned_abs(),
                    printer.duration_to_string(&rest)
                )
            }
        })
    }
}

/// The most days that a span has, and so the most to be read.
const MOST_DAYS: u64 = 7_304_484;

/// What the library says about it.
fn reason(error: &jiff::Error) -> Cow<'static, str> {
    error.to_string().into()
}

impl std::str::FromStr for DateTime {
    type Err = Error;

    /// As [`Value::datetime`].
    fn from_str(text: &str) -> Result<DateTime> {
        let fail = |reason| Error::invalid_temporal("datetime", text, reason);
        let pieces = match Pieces::parse(text) {
            Ok(pieces) => pieces,
            Err(error) => {
                return match rfc2822::DateTimeParser::new().parse_zoned(text) {
                    Ok(zoned) => Ok(DateTime::from(&zoned)),
                    Err(_) => Err(fail(reason(&error))),
                };
            }
        };
        let (Some(time), Some(offset)) = (pieces.time(), pieces.offset()) else {
            let missing = match pieces.time() {
                Some(_) => "an offset from UTC is missing, such as `Z` or `+02:00`",
                None => "the time of day is missing, such as `T12:30:00Z`",
            };
            return Err(fail(missing.into()));
        };
        if pieces
            .time_zone_annotation()
            .is_some_and(|zone| zone.is_critical())
        {
            return Err(fail(
                "the time zone in `[!…]` must be kept, and cannot be".into(),
            ));
        }
        let offset = match offset {
            PiecesOffset::Numeric(numeric) => numeric.offset(),
            _ => jiff::tz::Offset::UTC,
        };
        Ok(DateTime::new(pieces.date().to_datetime(time), offset))
    }
}

impl DateTime {
    /// RFC 2822, as in e-mail: `Wed, 1 May 2024 12:30:00 +0200`. Fractions of a second are not printed, and
    /// the offset is in minutes.
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] for years before 0 or within a day of 9999's end.
    pub fn to_rfc2822(self) -> Result<String> {
        let refuse = |reason: String| Error::not_representable("RFC 2822", reason);
        let Some(timestamp) = self.timestamp() else {
            return Err(refuse(format!("{self} is out of range")));
        };
        let zoned = Zoned::new(timestamp, self.offset().to_time_zone());
        let printed = rfc2822::DateTimePrinter::new().zoned_to_string(&zoned);
        printed.map_err(|error| refuse(error.to_string()))
    }

    /// The same moment at another offset from UTC.
    ///
    /// # Errors
    /// [`Error::Arithmetic`] if the year there is beyond ±9999.
    pub fn at_offset(self, offset: jiff::tz::Offset) -> Result<DateTime> {
        let moved = SignedDuration::from_secs((offset.seconds() - self.offset().seconds()).into());
        match self.local().checked_add(moved) {
            Ok(local) => Ok(DateTime::new(local, offset)),
            Err(error) => Err(Error::arithmetic(
                format_args!("show {self} at {offset}"),
                reason(&error),
            )),
        }
    }
}

/// Calculating with temporals; feature `time`. The calendar is the proleptic Gregorian one.
impl Value {
    /// The date, time, datetime or duration that is `by` later (earlier if negative). O(1).
    ///
    /// Months and years keep the day where the month has it and else take its last (31 January and one
    /// month is the last of February); a datetime stays at its offset; a time of day goes around midnight;
    /// in a duration a day has 24 hours. What to add is written as a duration (see [`Value::duration`]), in
    /// which months (`mo`) and years are allowed: `1 month 2h`, `-3 days`, `P1Y2M`.
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`] if `by` is something else; [`Error::Arithmetic`] for a result out of range,
    /// hours on a date, days or more on a time of day, and months or years on a duration;
    /// [`Error::WrongType`] for other kinds.
    pub fn shift(&self, by: &str) -> Result<Value> {
        match by.parse() {
            Ok(span) => self.shift_span(&span),
            Err(error) => Err(Error::invalid_temporal(
                "length of time",
                by,
                reason(&error),
            )),
        }
    }

    /// As [`Value::shift`], by a span of `jiff`. O(1).
    ///
    /// # Errors
    /// As [`Value::shift`].
    pub fn shift_span(&self, by: &Span) -> Result<Value> {
        let fail = |reason| Error::arithmetic(format_args!("add {by:#} to {self}"), reason);
        let out_of_range = |error: jiff::Error| fail(reason(&error));
        let calendar = [
            by.get_years().into(),
            by.get_months(),
            by.get_weeks(),
            by.get_days(),
        ];
        let clock = clock(by);
        if let Some(datetime) = self.as_datetime() {
            let local = datetime.local().checked_add(*by).map_err(out_of_range)?;
            return Ok(Value::from(DateTime::new(local, datetime.offset())));
        }
        if let Some(date) = self.as_date() {
            if clock {
                return Err(fail("a date has no hours; use a datetime".into()));
            }
            return Ok(Value::from(date.checked_add(*by).map_err(out_of_range)?));
        }
        if let Some(time) = self.as_time() {
            if calendar != [0; 4] {
                return Err(fail("a time of day has no days; use a datetime".into()));
            }
            return Ok(Value::from(time.wrapping_add(*by)));
        }
        if let Some(duration) = self.as_duration() {
            if by.get_years() != 0 || by.get_months() != 0 {
                return Err(fail("months and years have no one length".into()));
            }
            let by = by
                .to_duration(SpanRelativeTo::days_are_24_hours())
                .map_err(out_of_range)?;
            return match duration.checked_add(by) {
                Some(sum) => Ok(Value::from(sum)),
                None => Err(fail("the result is too long".into())),
            };
        }
        Err(self.no_temporal("a date, time, datetime or duration"))
    }

    /// How long after `earlier` this is, as a duration: between two dates (whole days of 24 hours), two times
    /// of day, two datetimes (by moment, whatever the offsets) or two durations. Negative if it is before. O(1).
    ///
    /// # Errors
    /// [`Error::WrongType`] if the two are not of one of these kinds; [`Error::Arithmetic`] for durations whose
    /// difference is too long.
    pub fn since(&self, earlier: &Value) -> Result<Value> {
        let (a, b) = (self, earlier);
        if let (Some(a), Some(b)) = (a.as_datetime(), b.as_datetime()) {
            return Ok(Value::from(a.moment() - b.moment()));
        }
        if let (Some(a), Some(b)) = (a.as_date(), b.as_date()) {
            return Ok(Value::from(a.duration_since(b)));
        }
        if let (Some(a), Some(b)) = (a.as_time(), b.as_time()) {
            return Ok(Value::from(a.duration_since(b)));
        }
        if let (Some(x), Some(y)) = (a.as_duration(), b.as_duration()) {
            return match x.checked_sub(y) {
                Some(difference) => Ok(Value::from(difference)),
                None => Err(Error::arithmetic(
                    format_args!("subtract {b} from {a}"),
                    "the result is too long",
                )),
            };
        }
        let kinds = [a, b].map(|value| value.no_temporal("a date, time, datetime or duration"));
        let temporal = [a, b].map(|value| value.kind().is_temporal());
        let [first, second] = kinds;
        Err(match temporal {
            [false, _] => first,
            [true, false] => second,
            [true, true] => earlier.no_temporal(self.kind().name()),
        })
    }

    /// The beginning of the unit that this date, time or datetime (at its offset) lies in; a duration cut
    /// towards zero to whole units. O(1).
    ///
    /// # Errors
    /// [`Error::Arithmetic`] for a unit that the kind does not have (hours of a date, days of a time of day,
    /// months of a duration) and for a week that begins before the first year; [`Error::WrongType`] for
    /// other kinds.
    pub fn truncate(&self, unit: TimeUnit) -> Result<Value> {
        let fail = |reason| {
            Error::arithmetic(
                format_args!("truncate {self} to the {}", unit.name()),
                reason,
            )
        };
        let too_early = |error: jiff::Error| fail(reason(&error));
        if let Some(datetime) = self.as_datetime() {
            let local = match truncate_time(datetime.local().time(), unit) {
                Some(time) => datetime.local().date().to_datetime(time),
                None => (truncate_date(datetime.local().date(), unit).map_err(too_early)?)
                    .to_datetime(Time::midnight()),
            };
            return Ok(Value::from(DateTime::new(local, datetime.offset())));
        }
        if let Some(date) = self.as_date() {
            if unit < TimeUnit::Day {
                return Err(fail("a date has no such unit".into()));
            }
            return Ok(Value::from(truncate_date(date, unit).map_err(too_early)?));
        }
        if let Some(time) = self.as_time() {
            return match truncate_time(time, unit) {
                Some(time) => Ok(Value::from(time)),
                None => Err(fail("a time of day has no such unit".into())),
            };
        }
        if let Some(duration) = self.as_duration() {
            let Some(nanos) = unit.nanos() else {
                return Err(fail("months and years have no one length".into()));
            };
            let whole = duration.as_nanos() - duration.as_nanos() % nanos;
            let truncated = SignedDuration::try_from_nanos_i128(whole);
            return Ok(Value::from(truncated.unwrap_or(duration))); // never longer, so it fits
        }
        Err(self.no_temporal("a date, time, datetime or duration"))
    }

    /// Year, quarter, month, day, weekday and ISO week of a date, or of a datetime at its offset; none for
    /// other kinds. O(1).
    ///
    /// ```
    /// # use statewright_value::Value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let day = Value::date("2024-12-30")?.calendar();
    /// assert_eq!(day.map(|day| (day.quarter, day.week_year, day.week)), Some((4, 2025, 1)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn calendar(&self) -> Option<Calendar> {
        let date = self
            .as_date()
            .or_else(|| Some(self.as_datetime()?.local().date()))?;
        Some(Calendar::from(date))
    }

    fn no_temporal(&self, expected: &'static str) -> Error {
        Error::WrongType {
            path: Path::root(),
            expected,
            found: self.kind().name(),
        }
    }
}

impl DateTime {
    fn moment(self) -> SignedDuration {
        let (seconds, nanos) = self.instant();
        SignedDuration::new(seconds, nanos as i32)
    }
}

/// Whether a span has parts below a day.
fn clock(by: &Span) -> bool {
    let small = [
        by.get_minutes(),
        by.get_seconds(),
        by.get_milliseconds(),
        by.get_microseconds(),
        by.get_nanoseconds(),
    ];
    by.get_hours() != 0 || small != [0; 5]
}

/// None for units of a day and more.
fn truncate_time(time: Time, unit: TimeUnit) -> Option<Time> {
    let unit = unit.nanos().filter(|_| unit < TimeUnit::Day)?;
    let since = time.duration_since(Time::midnight());
    let over = SignedDuration::try_from_nanos_i128(since.as_nanos() % unit)?;
    Some(time.saturating_sub(over))
}

fn truncate_date(date: Date, unit: TimeUnit) -> std::result::Result<Date, jiff::Error> {
    match unit {
        TimeUnit::Year => Ok(date.first_of_year()),
        TimeUnit::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1),
        TimeUnit::Month => Ok(date.first_of_month()),
        TimeUnit::Week => {
            let days = date.weekday().to_monday_zero_offset();
            date.checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
        }
        _ => Ok(date),
    }
}
