//! The tags that stand for a kind of value.

use super::read::{BREAK, Head, Reader, half, limited, refuse};
use super::{
    BIGNUM, DATE_TEXT, DATETIME_NUMBER, DATETIME_TEXT, DAYS, DECIMAL, DURATION, FILE_NAME,
    NEGATIVE_BIGNUM, OBJECT, TIME_NAME,
};
use crate::extended::{Extended, NANOS};
use crate::kinds::parts::{Parts, TOO_LONG};
use crate::{File, Kind, Result, Value};

impl Reader<'_, '_> {
    /// The item under a tag that makes it another kind.
    pub(super) fn tagged(&mut self, tag: Head) -> Result<()> {
        let start = tag.start;
        let extended = match tag.argument {
            DATETIME_TEXT => self.parsed(Kind::DateTime)?,
            DATE_TEXT => self.parsed(Kind::Date)?,
            DATETIME_NUMBER => self.epoch()?,
            BIGNUM | NEGATIVE_BIGNUM => {
                let (negative, magnitude) = self.bignum(tag)?;
                return self.integer(negative, magnitude, start);
            }
            DECIMAL => self.decimal()?,
            OBJECT => self.object()?,
            DAYS => {
                let days = self.int("the days of a date")?;
                match Extended::from_days(days) {
                    Some(date) => date,
                    None => return refuse(start, "a date has a year from -9999 to 9999"),
                }
            }
            DURATION => self.duration()?,
            number => {
                let hint = "send what it stands for as a text, number or object";
                return refuse(
                    start,
                    format!("tag {number} has no form in a value; {hint}"),
                );
            }
        };
        let len = self.pos - start;
        limited(self.builder.extended(extended, len), start)
    }

    fn parsed(&mut self, kind: Kind) -> Result<Extended> {
        let head = self.expect(3, "a text under this tag")?;
        let text = self.text(head)?;
        Extended::parse(kind, &text).or_else(|reason| refuse(head.start, reason))
    }

    /// Seconds since 1970 (section 3.4.2).
    fn epoch(&mut self) -> Result<Extended> {
        let head = self.head()?;
        let datetime = match (head.major, head.info) {
            (0 | 1, _) => signed(head).and_then(|seconds| Extended::datetime(seconds, 0, 0)),
            (7, 25) => Extended::from_epoch(half(head.argument as u16)),
            (7, 26) => Extended::from_epoch(f32::from_bits(head.argument as u32).into()),
            (7, 27) => Extended::from_epoch(f64::from_bits(head.argument)),
            _ => return self.unexpected(head, "a number under tag 1"),
        };
        match datetime {
            Some(datetime) => Ok(datetime),
            None => refuse(head.start, "a datetime has a year from -9999 to 9999"),
        }
    }

    /// Exponent and mantissa (section 3.4.4).
    fn decimal(&mut self) -> Result<Extended> {
        let start = self.pos;
        let end = self.array("an array of two under tag 4", 2)?;
        let exponent = self.int("the exponent of a decimal")?;
        let head = self.head()?;
        let (negative, digits) = match (head.major, head.argument) {
            (0, argument) => (false, argument.into()),
            (1, argument) => (true, u128::from(argument) + 1),
            (6, BIGNUM | NEGATIVE_BIGNUM) => self.bignum(head)?,
            _ => return self.unexpected(head, "the digits of a decimal, an integer"),
        };
        self.end(end)?;
        let parts = exponent
            .checked_neg()
            .and_then(|scale| Parts::scaled(negative, digits, scale));
        let decimal =
            parts.and_then(|parts| Extended::decimal(parts.negative, parts.digits, parts.scale));
        match decimal {
            Some(decimal) => Ok(decimal),
            None => refuse(start, TOO_LONG),
        }
    }

    /// Tag 27: the name of a type and its content.
    fn object(&mut self) -> Result<Extended> {
        let start = self.pos;
        let end = self.array("an array under tag 27", 2)?;
        let head = self.expect(3, "the name of a type under tag 27")?;
        let name = self.text(head)?;
        let extended = match &*name {
            TIME_NAME => {
                let head = self.expect(0, "the nanoseconds of a time")?;
                Extended::time(head.argument)
            }
            FILE_NAME => {
                let file = File::from_object(self.fields()?.by_ref());
                Some(Extended::File(
                    file.or_else(|reason| refuse(start, reason))?.into(),
                ))
            }
            _ => {
                let name: String = name.chars().take(80).collect();
                return refuse(
                    start,
                    format!("an object of type `{name}` has no form in a value"),
                );
            }
        };
        self.end(end)?;
        match extended {
            Some(extended) => Ok(extended),
            None => refuse(start, "a time has less than 24 hours"),
        }
    }

    /// A map of texts and numbers.
    fn fields(&mut self) -> Result<Value> {
        let head = self.expect(5, "the fields of a file, a map")?;
        let mut lacks = (!head.is_indefinite()).then_some(head.argument);
        let mut fields = Vec::new();
        while self.more(&mut lacks) {
            let head = self.expect(3, "the name of a field")?;
            let key = self.text(head)?.into_owned();
            let head = self.head()?;
            let value = match head.major {
                0 => Value::from(head.argument),
                3 => Value::from(self.text(head)?),
                _ => return self.unexpected(head, "a text or a number as a field of a file"),
            };
            fields.push((key, value));
        }
        Ok(fields.into_iter().collect())
    }

    /// Seconds under key 1, and thousandths and so on under −3, −6 or −9 (RFC 9581, section 3).
    fn duration(&mut self) -> Result<Extended> {
        let start = self.pos;
        let head = self.expect(5, "a map under tag 1002")?;
        let mut lacks = (!head.is_indefinite()).then_some(head.argument);
        let (mut seconds, mut nanos) = (None, None);
        while self.more(&mut lacks) {
            let key = self.int("a key of a duration")?;
            let scale = match key {
                1 if seconds.is_none() => {
                    seconds = Some(self.wide_int("the seconds of a duration")?);
                    continue;
                }
                -3 => 1_000_000,
                -6 => 1_000,
                -9 => 1,
                _ => return refuse(start, format!("the key {key} of a duration cannot be kept")),
            };
            let fraction = self.int("the fraction of a duration")?.checked_mul(scale);
            let valid = fraction.filter(|nanos| (0..NANOS.into()).contains(nanos));
            if valid.is_none() || nanos.is_some() {
                return refuse(start, "a duration has one fraction, of less than a second");
            }
            nanos = valid;
        }
        let (Some(seconds), nanos) = (seconds, nanos.unwrap_or(0)) else {
            return refuse(start, "a duration needs seconds, under the key 1");
        };
        let (seconds, nanos) = match seconds < 0 && nanos > 0 {
            true => (seconds + 1, nanos - i64::from(NANOS)),
            false => (seconds, nanos),
        };
        let duration = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| Extended::duration(seconds, nanos as i32));
        match duration {
            Some(duration) => Ok(duration),
            None => refuse(start, "the seconds of a duration are out of range"),
        }
    }

    /// The content of tag 2 or 3 (section 3.4.3): sign and magnitude.
    fn bignum(&mut self, tag: Head) -> Result<(bool, u128)> {
        let head = self.expect(2, "a byte string under tag 2 or 3")?;
        let bytes = self.bytes(head)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let digits = bytes.get(zeros..).unwrap_or_default();
        if digits.len() > 12 {
            return refuse(
                tag.start,
                "an integer of more than 96 bits has no form in a value",
            );
        }
        let negative = tag.argument == NEGATIVE_BIGNUM;
        let magnitude = digits
            .iter()
            .fold(0, |all, byte| all << 8 | u128::from(*byte));
        Ok((negative, magnitude + u128::from(negative)))
    }

    /// An integer of 64 bits.
    fn int(&mut self, what: &'static str) -> Result<i64> {
        let start = self.pos;
        match i64::try_from(self.wide_int(what)?) {
            Ok(int) => Ok(int),
            Err(_) => refuse(start, format!("{what} is out of range")),
        }
    }

    /// Any integer of major type 0 or 1.
    fn wide_int(&mut self, what: &'static str) -> Result<i128> {
        let head = self.head()?;
        match head.major {
            0 => Ok(head.argument.into()),
            1 => Ok(-1 - i128::from(head.argument)),
            _ => self.unexpected(head, what),
        }
    }

    /// The beginning of an array of `len` items: whether a break ends it.
    fn array(&mut self, what: &'static str, len: u64) -> Result<bool> {
        let head = self.expect(4, what)?;
        match head.is_indefinite() || head.argument == len {
            true => Ok(head.is_indefinite()),
            false => self.unexpected(head, what),
        }
    }

    fn end(&mut self, by_break: bool) -> Result<()> {
        if !by_break {
            return Ok(());
        }
        let head = self.head()?;
        match head.is_break() {
            true => Ok(()),
            false => self.unexpected(head, "the end of the array"),
        }
    }

    /// Whether a map that still lacks so many entries has another one.
    fn more(&mut self, lacks: &mut Option<u64>) -> bool {
        match lacks {
            Some(0) => false,
            Some(lacks) => {
                *lacks -= 1;
                true
            }
            None => {
                let ended = self.bytes.get(self.pos) == Some(&BREAK);
                self.pos += usize::from(ended);
                !ended
            }
        }
    }
}

/// The integer of major type 0 or 1, if 64 bits hold it.
fn signed(head: Head) -> Option<i64> {
    let argument = i64::try_from(head.argument).ok()?;
    Some(if head.major == 1 { !argument } else { argument })
}
