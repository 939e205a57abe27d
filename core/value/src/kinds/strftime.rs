//! Dates, times and datetimes in formats of one's own, as `strftime` of POSIX writes them; by `jiff`.

use jiff::fmt::strtime::BrokenDownTime;

use crate::kinds::datetime::DateTime;
use crate::{Error, Path, Result, Value};

/// Formats of one's own; feature `time`. A format is that of POSIX `strftime` with the extensions of
/// [`jiff::fmt::strtime`], which lists every directive: `%Y-%m-%d`, `%H:%M:%S%.f`, `%A`, `%-d %B`, `%G-W%V`,
/// `%z`, `%:z`, `%s`. Names of months and days are English, whatever the machine's locale.
impl Value {
    /// A date, time or datetime (at its offset) in this format. O(length of the result).
    ///
    /// ```
    /// # use statewright_value::Value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let due = Value::datetime("2024-05-01T14:05:00+02:00")?;
    /// assert_eq!(due.strftime("%a %-d %b %Y, %-I:%M %P (%:z)")?, "Wed 1 May 2024, 2:05 pm (+02:00)");
    /// assert!(Value::date("2024-05-01")?.strftime("%H").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotRepresentable`] for a format that is none, or asks for what the kind does not have (an hour of
    /// a date, a name of a time zone); [`Error::WrongType`] for other kinds.
    pub fn strftime(&self, format: &str) -> Result<String> {
        let parts = if let Some(datetime) = self.as_datetime() {
            let mut parts = BrokenDownTime::from(datetime.local());
            parts.set_offset(Some(datetime.offset()));
            parts.set_timestamp(datetime.timestamp());
            parts
        } else if let Some(date) = self.as_date() {
            BrokenDownTime::from(date)
        } else if let Some(time) = self.as_time() {
            BrokenDownTime::from(time)
        } else {
            return Err(Error::WrongType {
                path: Path::root(),
                expected: "a date, time or datetime",
                found: self.kind().name(),
            });
        };
        let printed = parts.to_string(format);
        printed.map_err(|error| {
            let format = crate::path::shorten(format);
            Error::not_representable(format_args!("format `{format}`"), error.to_string())
        })
    }

    /// Reads a text in this format. What the format has decides the kind: a date, a time of day, or a datetime
    /// if it has both and an offset (`%z`), or the seconds since 1970 (`%s`, in UTC). O(length).
    ///
    /// ```
    /// # use statewright_value::Value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(Value::strptime("01/05/2024", "%d/%m/%Y")?, Value::date("2024-05-01")?);
    /// assert_eq!(Value::strptime("2.05 pm", "%I.%M %p")?, Value::time("14:05")?);
    /// let log = Value::strptime("01/May/2024:14:05:00 +0200", "%d/%b/%Y:%H:%M:%S %z")?;
    /// assert_eq!(log, Value::datetime("2024-05-01T14:05:00+02:00")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`] for a text that is not in this format, a day that does not exist, a format
    /// that is none or leaves out what a date or a time needs, and a date with a time but without an offset:
    /// nobody knows then which moment is meant.
    pub fn strptime(text: &str, format: &str) -> Result<Value> {
        let fail = |reason: String| {
            let format = crate::path::shorten(format);
            let reason = format!("{reason} (format `{format}`)");
            Error::invalid_temporal("date, time or datetime", text, reason)
        };
        let refuse = |error: jiff::Error| fail(error.to_string());
        let parts = BrokenDownTime::parse(format, text).map_err(refuse)?;
        if let Some(timestamp) = parts.timestamp() {
            return Ok(Value::from(timestamp));
        }
        let clock = [parts.hour(), parts.minute(), parts.second()];
        let has_time = clock.iter().any(Option::is_some) || parts.subsec_nanosecond().is_some();
        let has_date = parts.year().is_some() || parts.iso_week_year().is_some();
        match (has_date, has_time, parts.offset()) {
            (true, true, Some(offset)) => {
                let local = parts.to_datetime().map_err(refuse)?;
                Ok(Value::from(DateTime::new(local, offset)))
            }
            (true, true, None) => Err(fail(
                "an offset from UTC is missing: `%z` in the format".to_owned(),
            )),
            (true, false, None) => Ok(Value::from(parts.to_date().map_err(refuse)?)),
            (false, true, None) if !has_day(&parts) => {
                Ok(Value::from(parts.to_time().map_err(refuse)?))
            }
            _ => Err(fail(
                "what it has makes neither a date, a time of day nor a datetime".to_owned(),
            )),
        }
    }
}

/// Whether there is a part of a date, the year aside.
fn has_day(parts: &BrokenDownTime) -> bool {
    let small = [parts.month(), parts.day(), parts.iso_week()];
    let weeks = [parts.sunday_based_week(), parts.monday_based_week()];
    small.iter().chain(&weeks).any(Option::is_some)
        || parts.day_of_year().is_some()
        || parts.weekday().is_some()
}

#[cfg(test)]
mod tests {
    use crate::{Value, value};

    #[test]
    fn a_format_reads_back_what_it_printed() {
        for (value, format) in [
            (Value::date("2024-02-29"), "%d.%m.%Y"),
            (Value::date("2024-12-30"), "%G-W%V-%u"),
            (Value::time("23:59:59.25"), "%H:%M:%S%.f"),
            (
                Value::datetime("2024-05-01T14:05:00.5-03:30"),
                "%FT%T%.f%:z",
            ),
            (Value::datetime("2024-05-01T14:05:00Z"), "%s"),
        ] {
            let value = value.unwrap();
            let text = value.strftime(format).unwrap();
            assert_eq!(Value::strptime(&text, format).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let read = |text, format| Value::strptime(text, format).unwrap_err().to_string();
        assert!(read("2024-05-01 10:00", "%F %H:%M").contains("offset"));
        assert!(read("05-01", "%m-%d").contains("neither"));
        assert!(read("Mon 10:00", "%a %H:%M").contains("neither"));
        assert!(read("2024-02-30", "%F").contains("`2024-02-30` is no date"));
        assert!(read("10:61", "%H:%M").contains("10:61"));
        assert!(read("x", "%").contains("format `%`"));
        assert_eq!(value!("x").strftime("%Y").unwrap_err().code(), 203);
        let date = Value::date("2024-05-01").unwrap();
        assert_eq!(date.strftime("%Z").unwrap_err().code(), 205);
        assert_eq!(date.strftime("%").unwrap_err().code(), 205);
    }
}
