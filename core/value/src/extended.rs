//! The kinds beyond JSON: how they are stored, ordered, printed and put into bytes.
//!
//! What is stored is plain numbers of our own, the same in every build: a store written by a build with
//! the features `decimal` and `time` is read, compared, printed and copied by one without. The features
//! bring the libraries that parse and calculate (`kinds`).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::kinds::parts::{Parts, TOO_LONG, float_text};
use crate::{File, Kind, ValueRef};
#[cfg(feature = "time")]
use crate::{Value, value::Repr};

/// A scalar of a kind beyond JSON. Equal content has one form, so the derived equality and hash are right.
///
/// At most 16 bytes, so that it fits beside the tag of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Extended {
    /// `scale` in the low 7 bits, the sign in the highest; 96 bits of digits, lowest word first. Zero is
    /// never negative.
    Decimal { flags: u8, digits: [u32; 3] },
    /// Proleptic Gregorian calendar.
    Date { year: i16, month: u8, day: u8 },
    /// Nanoseconds since midnight, below 86,400 × 10⁹.
    Time { nanos: u64 },
    /// Seconds since 1970-01-01T00:00:00Z; packed into 48 bits, nanoseconds (30) and the offset in
    /// seconds plus [`MAX_OFFSET`] (18).
    DateTime { seconds: i64, low: u32, high: u16 },
    /// Both of one sign; below 10⁹ nanoseconds either way.
    Duration { seconds: i64, nanos: i32 },
    /// A described blob.
    File(Arc<File>),
}

const _: () = assert!(size_of::<Extended>() <= 16);

/// Decimals have 96 bits of digits and up to 28 of them after the point.
pub(crate) const MAX_DIGITS: u128 = (1 << 96) - 1;
pub(crate) const MAX_SCALE: u32 = 28;
/// Years from −9999 to 9999.
pub(crate) const MAX_YEAR: i16 = 9999;
/// Offsets stay below 26 hours either way.
pub(crate) const MAX_OFFSET: i32 = 26 * 3600 - 1;
pub(crate) const DAY_NANOS: u64 = 86_400 * NANOS as u64;
pub(crate) const NANOS: u32 = 1_000_000_000;
/// −9999-01-01T00:00:00 and 9999-12-31T23:59:59, as seconds since 1970.
const FIRST_SECOND: i64 = -377_705_116_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// Making them: none for what is out of range.
impl Extended {
    pub(crate) fn decimal(negative: bool, digits: u128, scale: u32) -> Option<Extended> {
        if digits > MAX_DIGITS || scale > MAX_SCALE {
            return None;
        }
        let sign = u8::from(negative && digits > 0) << 7;
        Some(Extended::Decimal {
            flags: sign | scale as u8,
            digits: [digits as u32, (digits >> 32) as u32, (digits >> 64) as u32],
        })
    }

    /// Reads a decimal, see [`Parts::parse`].
    pub(crate) fn parse_decimal(text: &str) -> Result<Extended, &'static str> {
        let Parts {
            negative,
            digits,
            scale,
        } = Parts::parse(text)?;
        Extended::decimal(negative, digits, scale).ok_or(TOO_LONG)
    }

    /// Reads the text of a kind that prints as one, see `Display`.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Extended, String> {
        #[cfg(feature = "time")]
        let parsed = match kind {
            Kind::Date => Value::date(text),
            Kind::Time => Value::time(text),
            Kind::DateTime => Value::datetime(text),
            Kind::Duration => Value::duration(text),
            _ => return Extended::parse_decimal(text).map_err(str::to_owned),
        };
        #[cfg(feature = "time")]
        return match parsed {
            Ok(Value(Repr::Extended(extended))) => Ok(extended),
            Ok(_) => Err("it is of another kind".to_owned()), // not reached
            Err(error) => Err(error.to_string()),
        };
        #[cfg(not(feature = "time"))]
        match kind {
            Kind::Decimal => Extended::parse_decimal(text).map_err(str::to_owned),
            _ => Err(format!(
                "reading a {kind} needs the feature `time`, which this build lacks"
            )),
        }
    }

    pub(crate) fn date(year: i16, month: u8, day: u8) -> Option<Extended> {
        let valid = year.abs() <= MAX_YEAR
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        valid.then_some(Extended::Date { year, month, day })
    }

    /// The day so many days after 1970-01-01.
    #[cfg(feature = "cbor")]
    pub(crate) fn from_days(days: i64) -> Option<Extended> {
        let seconds = days.checked_mul(86_400)?;
        if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
            return None;
        }
        let (year, month, day) = civil(days);
        Extended::date(year as i16, month as u8, day as u8)
    }

    /// The moment in UTC so many seconds after 1970, to the nearest nanosecond.
    #[cfg(feature = "cbor")]
    pub(crate) fn from_epoch(number: f64) -> Option<Extended> {
        let seconds = number.floor();
        let nanos = ((number - seconds) * f64::from(NANOS)).round() as u32;
        let carry = nanos / NANOS;
        // A cast of what is beyond i64 saturates, which is beyond every year; NaN becomes 0 seconds.
        let seconds = (seconds as i64).checked_add(carry.into())?;
        if !number.is_finite() {
            return None;
        }
        Extended::datetime(seconds, nanos % NANOS, 0)
    }

    pub(crate) fn time(nanos: u64) -> Option<Extended> {
        (nanos < DAY_NANOS).then_some(Extended::Time { nanos })
    }

    /// `seconds` and `nanos` since 1970 in UTC; the local time at `offset` must have a year of four digits.
    pub(crate) fn datetime(seconds: i64, nanos: u32, offset: i32) -> Option<Extended> {
        let local = seconds.checked_add(offset.into())?;
        if nanos >= NANOS
            || offset.abs() > MAX_OFFSET
            || !(FIRST_SECOND..=LAST_SECOND).contains(&local)
        {
            return None;
        }
        let shifted = (offset + MAX_OFFSET) as u32;
        Some(Extended::DateTime {
            seconds,
            low: nanos | shifted << 30,
            high: (shifted >> 2) as u16,
        })
    }

    pub(crate) fn duration(seconds: i64, nanos: i32) -> Option<Extended> {
        let same_sign = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
        (same_sign && nanos.unsigned_abs() < NANOS).then_some(Extended::Duration { seconds, nanos })
    }
}

/// Looking into them.
impl Extended {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Extended::Decimal { .. } => Kind::Decimal,
            Extended::Date { .. } => Kind::Date,
            Extended::Time { .. } => Kind::Time,
            Extended::DateTime { .. } => Kind::DateTime,
            Extended::Duration { .. } => Kind::Duration,
            Extended::File(_) => Kind::File,
        }
    }

    /// The days of a date since 1970-01-01.
    #[cfg(feature = "cbor")]
    pub(crate) fn days(&self) -> Option<i64> {
        match *self {
            Extended::Date { year, month, day } => {
                Some(days(year.into(), month.into(), day.into()))
            }
            _ => None,
        }
    }

    /// Whether this is a decimal or a duration of zero.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Extended::Decimal { digits, .. } => *digits == [0; 3],
            Extended::Duration { seconds, nanos } => (*seconds, *nanos) == (0, 0),
            _ => false,
        }
    }

    /// Sign, digits and scale of a decimal.
    pub(crate) fn decimal_parts(&self) -> Option<Parts> {
        match *self {
            Extended::Decimal {
                flags,
                digits: [low, middle, high],
            } => Some(Parts {
                negative: flags & 0x80 != 0,
                digits: u128::from(low) | u128::from(middle) << 32 | u128::from(high) << 64,
                scale: (flags & 0x7f).into(),
            }),
            _ => None,
        }
    }

    /// A decimal that is a whole number, as one.
    pub(crate) fn whole(&self) -> Option<i128> {
        let parts = self.decimal_parts()?;
        (parts.fraction() == 0).then_some(parts.whole())
    }

    /// Seconds and nanoseconds since 1970 in UTC, and the offset in seconds, of a datetime.
    pub(crate) fn instant(&self) -> Option<(i64, u32, i32)> {
        match *self {
            Extended::DateTime { seconds, low, high } => {
                let shifted = u32::from(high) << 2 | low >> 30;
                Some((seconds, low & ((1 << 30) - 1), shifted as i32 - MAX_OFFSET))
            }
            _ => None,
        }
    }
}

impl ValueRef<'_> {
    /// Seconds and nanoseconds since 1970 in UTC.
    pub(crate) fn instant(self) -> Option<(i64, u32)> {
        let (seconds, nanos, _) = self.extended()?.instant()?;
        Some((seconds, nanos))
    }
}

/// Of one kind: decimals by value, then by digits after the point; datetimes by instant, then by offset;
/// durations by length; files by their fields. The kinds themselves order as [`Kind`] does.
impl Ord for Extended {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(a), Some(b)) = (self.decimal_parts(), other.decimal_parts()) {
            return a.compare(b).then(a.scale.cmp(&b.scale));
        }
        match (self, other) {
            (
                Extended::Date { year, month, day },
                Extended::Date {
                    year: other_year,
                    month: other_month,
                    day: other_day,
                },
            ) => (year, month, day).cmp(&(other_year, other_month, other_day)),
            (Extended::Time { nanos: a }, Extended::Time { nanos: b }) => a.cmp(b),
            (Extended::DateTime { .. }, Extended::DateTime { .. }) => {
                self.instant().cmp(&other.instant())
            }
            (
                Extended::Duration { seconds, nanos },
                Extended::Duration {
                    seconds: other_seconds,
                    nanos: other_nanos,
                },
            ) => (seconds, nanos).cmp(&(other_seconds, other_nanos)),
            (Extended::File(a), Extended::File(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl PartialOrd for Extended {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The text of plain JSON: decimals with all their digits, temporals in ISO 8601 and RFC 3339.
impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extended::Decimal { .. } => match self.decimal_parts() {
                Some(parts) => parts.fmt(f),
                None => Ok(()),
            },
            Extended::Date { year, month, day } => {
                write_date(f, (*year).into(), (*month).into(), (*day).into())
            }
            Extended::Time { nanos } => write_time(
                f,
                nanos / u64::from(NANOS),
                (nanos % u64::from(NANOS)) as u32,
            ),
            Extended::DateTime { .. } => match self.instant() {
                Some((seconds, nanos, offset)) => write_datetime(f, seconds, nanos, offset),
                None => Ok(()),
            },
            Extended::Duration { seconds, nanos } => write_duration(f, *seconds, *nanos),
            Extended::File(file) => f.write_str(&file.to_json()),
        }
    }
}

impl Extended {
    /// What plain JSON has for it.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let quotes: &[u8] = match self {
            Extended::Decimal { .. } | Extended::File(_) => b"",
            _ => b"\"",
        };
        out.extend(quotes);
        out.extend(self.to_string().into_bytes());
        out.extend(quotes);
    }

    /// What plain JSON has for it, as the other library reads it: a decimal is a number if a double has all
    /// its digits, else a text.
    pub(crate) fn to_serde_json(&self) -> serde_json::Value {
        match self {
            Extended::Decimal { .. } => match self.exact_number() {
                Some(number) => number.into(),
                None => self.to_string().into(),
            },
            Extended::File(file) => file.to_serde_json(),
            _ => self.to_string().into(),
        }
    }

    /// The decimal as a double, if the double's shortest form has the same value.
    pub(crate) fn exact_number(&self) -> Option<f64> {
        let parts = self.decimal_parts()?;
        let float: f64 = self.to_string().parse().ok()?;
        let read = Parts::parse(&float_text(float)).ok()?;
        (read.compare(parts) == Ordering::Equal).then_some(float)
    }
}

fn is_leap(year: i16) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a day counted from 1970-01-01. The calendar repeats every 400 years (146,097
/// days); years here begin in March, so that a leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The opposite of [`civil`].
#[cfg(feature = "cbor")]
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// ISO 8601, with a sign and six digits for years before 0 (expanded representation).
fn write_date(f: &mut fmt::Formatter<'_>, year: i64, month: i64, day: i64) -> fmt::Result {
    match year {
        0.. => write!(f, "{year:04}")?,
        _ => write!(f, "-{:06}", -year)?,
    }
    write!(f, "-{month:02}-{day:02}")
}

fn write_time(f: &mut fmt::Formatter<'_>, seconds: u64, nanos: u32) -> fmt::Result {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(f, "{hour:02}:{minute:02}:{second:02}")?;
    write_fraction(f, nanos)
}

fn write_fraction(f: &mut fmt::Formatter<'_>, nanos: u32) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    f.write_str(format!(".{nanos:09}").trim_end_matches('0'))
}

/// RFC 3339, with seconds in an offset that has some.
fn write_datetime(
    f: &mut fmt::Formatter<'_>,
    seconds: i64,
    nanos: u32,
    offset: i32,
) -> fmt::Result {
    let local = seconds + i64::from(offset);
    let (year, month, day) = civil(local.div_euclid(86_400));
    write_date(f, year, month, day)?;
    f.write_str("T")?;
    write_time(f, local.rem_euclid(86_400) as u64, nanos)?;
    if offset == 0 {
        return f.write_str("Z");
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.abs();
    write!(f, "{sign}{:02}:{:02}", offset / 3600, offset / 60 % 60)?;
    match offset % 60 {
        0 => Ok(()),
        seconds => write!(f, ":{seconds:02}"),
    }
}

/// ISO 8601 in hours, minutes and seconds, the units that always have one length.
fn write_duration(f: &mut fmt::Formatter<'_>, seconds: i64, nanos: i32) -> fmt::Result {
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    write!(f, "{sign}PT")?;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        write!(f, "{hours}H")?;
    }
    if minutes > 0 {
        write!(f, "{minutes}M")?;
    }
    if rest > 0 || nanos > 0 || seconds == 0 {
        write!(f, "{rest}")?;
        write_fraction(f, nanos)?;
        f.write_str("S")?;
    }
    Ok(())
}
