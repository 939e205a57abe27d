//! Dates, times, datetimes and durations, by `jiff`.

use std::fmt;

use jiff::civil::{self, Date, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::extended::{Extended, NANOS};
use crate::value::Repr;
use crate::{Error, Path, Result, Value, ValueRef};

/// A moment with the offset from UTC it was noted at: RFC 3339's date and time.
///
/// Equality and order look at the moment first and then at the offset: 10:00Z and 11:00+01:00 are the same
/// moment ([`DateTime::instant`]) but not equal. The years are −9999 to 9999 at the offset, with nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    seconds: i64,
    nanos: u32,
    offset: i32,
}

impl DateTime {
    /// The moment at which it is `local` at `offset`.
    pub fn new(local: civil::DateTime, offset: Offset) -> DateTime {
        let epoch = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        let since = local.duration_since(epoch).as_nanos();
        let second = i128::from(NANOS);
        DateTime {
            seconds: since.div_euclid(second) as i64 - i64::from(offset.seconds()),
            nanos: since.rem_euclid(second) as u32,
            offset: offset.seconds(),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, and nanoseconds after that.
    pub fn instant(self) -> (i64, u32) {
        (self.seconds, self.nanos)
    }

    /// The date and time of day at the offset.
    pub fn local(self) -> civil::DateTime {
        let epoch = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        let seconds = self.seconds + i64::from(self.offset);
        epoch.saturating_add(SignedDuration::new(seconds, self.nanos as i32)) // always in range
    }

    /// The offset from UTC.
    pub fn offset(self) -> Offset {
        Offset::from_seconds(self.offset).unwrap_or(Offset::UTC) // always in range
    }

    /// The moment as a timestamp of `jiff`; none within about a day of the years −9999 and 9999, which a
    /// timestamp leaves out.
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanos as i32).ok()
    }
}

impl From<Timestamp> for DateTime {
    /// In UTC.
    fn from(timestamp: Timestamp) -> DateTime {
        DateTime::new(Offset::UTC.to_datetime(timestamp), Offset::UTC)
    }
}

impl From<&Zoned> for DateTime {
    /// Keeps the moment and the offset, not the name of the time zone.
    fn from(zoned: &Zoned) -> DateTime {
        DateTime::new(zoned.datetime(), zoned.offset())
    }
}

/// RFC 3339, e.g. `2024-05-01T12:30:00.25+02:00`, with `Z` for UTC.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Extended::datetime(self.seconds, self.nanos, self.offset) {
            Some(datetime) => datetime.fmt(f),
            None => Ok(()), // not reached: always in range
        }
    }
}

/// As `Display`.
impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn value(extended: Option<Extended>) -> Value {
    extended
        .map(|extended| Value(Repr::Extended(extended)))
        .unwrap_or_default() // always in range
}

impl From<DateTime> for Value {
    fn from(datetime: DateTime) -> Value {
        value(Extended::datetime(
            datetime.seconds,
            datetime.nanos,
            datetime.offset,
        ))
    }
}

/// In UTC.
impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Value {
        Value::from(DateTime::from(timestamp))
    }
}

/// Keeps the moment and the offset, not the name of the time zone.
impl From<&Zoned> for Value {
    fn from(zoned: &Zoned) -> Value {
        Value::from(DateTime::from(zoned))
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Value {
        value(Extended::date(
            date.year(),
            date.month() as u8,
            date.day() as u8,
        ))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Value {
        let nanos = time.duration_since(Time::midnight()).as_nanos();
        value(Extended::time(nanos as u64))
    }
}

impl From<SignedDuration> for Value {
    fn from(duration: SignedDuration) -> Value {
        value(Extended::duration(
            duration.as_secs(),
            duration.subsec_nanos(),
        ))
    }
}

/// Refuses more than 2⁶³−1 seconds with [`Error::NotRepresentable`].
impl TryFrom<std::time::Duration> for Value {
    type Error = Error;

    fn try_from(duration: std::time::Duration) -> Result<Value> {
        match SignedDuration::try_from(duration) {
            Ok(duration) => Ok(Value::from(duration)),
            Err(error) => Err(Error::not_representable_at(Path::root(), error.to_string())),
        }
    }
}

impl Value {
    /// The date, if it is one.
    pub fn as_date(&self) -> Option<Date> {
        self.by_ref().as_date()
    }

    /// The time of day, if it is one.
    pub fn as_time(&self) -> Option<Time> {
        self.by_ref().as_time()
    }

    /// The datetime, if it is one.
    pub fn as_datetime(&self) -> Option<DateTime> {
        self.by_ref().as_datetime()
    }

    /// The duration, if it is one.
    pub fn as_duration(&self) -> Option<SignedDuration> {
        self.by_ref().as_duration()
    }
}

impl ValueRef<'_> {
    /// As [`Value::as_date`].
    pub fn as_date(self) -> Option<Date> {
        match *self.extended()? {
            Extended::Date { year, month, day } => Date::new(year, month as i8, day as i8).ok(),
            _ => None,
        }
    }

    /// As [`Value::as_time`].
    pub fn as_time(self) -> Option<Time> {
        match *self.extended()? {
            Extended::Time { nanos } => {
                Some(Time::midnight().saturating_add(SignedDuration::from_nanos(nanos as i64)))
            }
            _ => None,
        }
    }

    /// As [`Value::as_datetime`].
    pub fn as_datetime(self) -> Option<DateTime> {
        let (seconds, nanos, offset) = self.extended()?.instant()?;
        Some(DateTime {
            seconds,
            nanos,
            offset,
        })
    }

    /// As [`Value::as_duration`].
    pub fn as_duration(self) -> Option<SignedDuration> {
        match *self.extended()? {
            Extended::Duration { seconds, nanos } => Some(SignedDuration::new(seconds, nanos)),
            _ => None,
        }
    }
}

macro_rules! try_from {
    ($($expected:literal $accessor:ident $target:ty),+) => {$(
        /// [`Error::WrongType`] for another kind.
        impl TryFrom<ValueRef<'_>> for $target {
            type Error = Error;

            fn try_from(value: ValueRef<'_>) -> Result<$target> {
                value.$accessor().ok_or_else(|| Error::WrongType {
                    path: Path::root(),
                    expected: $expected,
                    found: value.kind().name(),
                })
            }
        }
    )+};
}

try_from!(
    "date" as_date Date, "time" as_time Time, "datetime" as_datetime DateTime,
    "duration" as_duration SignedDuration
);
