//! Reading, printing and calculating with decimals, dates, times, datetimes and durations.

use crate::any::{date, datetime, decimal, duration, time};
use proptest::prelude::*;
use statewright_value::jiff::{SignedDuration, Span, civil::Weekday, tz::Offset};
use statewright_value::{DateTime, Decimal, Error, Result, Rounding, TimeUnit, Value, value};

type Read = fn(&str) -> Result<Value>;

/// Reads `text`, and checks what it prints, or the end of the error if that begins with "!".
fn check(read: Read, text: &str, expected: &str) {
    match (read(text), expected.strip_prefix('!')) {
        (Ok(value), None) => assert_eq!(value.to_json().trim_matches('"'), expected, "{text}"),
        (Err(error), Some(expected)) => {
            assert_eq!(error.code(), 215);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
        (read, _) => panic!("{text}: {read:?}, not {expected}"),
    }
}

#[test]
fn decimals_are_read() {
    let cases = [
        ("12.50", "12.50"),
        ("-0.5", "-0.5"),
        ("-0.00", "0.00"),
        ("+7", "7"),
        ("007", "7"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("1.50e1", "15.0"),
        ("0e99999", "0"),
        (
            "79228162514264337593543950335",
            "79228162514264337593543950335",
        ),
        ("79228162514264337593543950336", "!at most 28"),
        ("1e28", "10000000000000000000000000000"),
        ("1e29", "!at most 28"),
        ("1e-28", "0.0000000000000000000000000001"),
        ("1e-29", "!at most 28 digits after the point"),
        ("", "!expected a sign or none"),
        ("1.", "!expected"),
        (".5", "!expected"),
        ("1,5", "!expected"),
        ("1_000", "!expected"),
        ("--1", "!expected"),
        ("1e", "!expected"),
        ("NaN", "!expected"),
        ("١", "!expected"),
    ];
    for (text, expected) in cases {
        check(Value::decimal, text, expected);
    }
}

#[test]
fn decimals_are_rounded_as_asked() {
    use Rounding::{Ceiling, Down, Exact, Floor, HalfDown, HalfEven, HalfUp, Up};
    let modes = [HalfEven, HalfUp, HalfDown, Up, Down, Ceiling, Floor];
    let cases = [
        (
            "2.345",
            ["2.34", "2.35", "2.34", "2.35", "2.34", "2.35", "2.34"],
        ),
        (
            "-2.345",
            [
                "-2.34", "-2.35", "-2.34", "-2.35", "-2.34", "-2.34", "-2.35",
            ],
        ),
        (
            "2.3451",
            ["2.35", "2.35", "2.35", "2.35", "2.34", "2.35", "2.34"],
        ),
        ("2", ["2.00"; 7]),
        (
            "-0.001",
            ["0.00", "0.00", "0.00", "-0.01", "0.00", "0.00", "-0.01"],
        ),
    ];
    for (text, expected) in cases {
        let decimal = Value::decimal(text).unwrap();
        for (mode, expected) in modes.into_iter().zip(expected) {
            assert_eq!(
                decimal.round(2, mode).unwrap().to_json(),
                expected,
                "{text} {mode:?}"
            );
        }
    }
    assert_eq!(value!(5).round(1, Exact).unwrap().to_json(), "5.0");
    assert_eq!(
        Value::decimal("5.500")
            .unwrap()
            .round(1, Exact)
            .unwrap()
            .to_json(),
        "5.5"
    );
    let lossy = Value::decimal("5.55").unwrap().round(1, Exact).unwrap_err();
    assert!(
        lossy
            .to_string()
            .contains("digits that are not zero would be lost"),
        "{lossy}"
    );
    for error in [
        lossy,
        Value::from(Decimal::MAX).round(1, Up).unwrap_err(),
        value!(1).round(29, Up).unwrap_err(),
    ] {
        assert_eq!(error.code(), 212, "{error}");
    }
    assert_eq!(value!(1.5).round(1, Up).unwrap_err().code(), 203);
}

#[test]
fn numbers_become_decimals_without_loss() {
    assert_eq!(value!(0.1).to_decimal().unwrap(), Decimal::new(1, 1));
    assert_eq!(
        value!(-1e20).to_decimal().unwrap().to_string(),
        "-100000000000000000000"
    );
    assert_eq!(
        value!(u64::MAX).to_decimal().unwrap(),
        Decimal::from(u64::MAX)
    );
    for large in [1e29, -1e300, 1e-29, 5e-324] {
        assert_eq!(value!(large).to_decimal().unwrap_err().code(), 212);
    }
    assert_eq!(value!("1").to_decimal().unwrap_err().code(), 203);
}

#[test]
fn dates_are_read() {
    let cases = [
        ("2024-02-29", "2024-02-29"),
        ("20240229", "2024-02-29"),
        ("2024-W09-4", "2024-02-29"),
        ("-000044-03-15", "-000044-03-15"),
        ("9999-12-31", "9999-12-31"),
        ("2023-02-29", "!is no date"),
        ("2024-02-29T10:00", "!read a datetime"),
        ("2024-02-29[UTC]", "!is no date"),
        ("29.02.2024", "!is no date"),
        ("", "!is no date"),
        ("2024-02-29 ", "!is no date"),
    ];
    for (text, expected) in cases {
        check(Value::date, text, expected);
    }
}

#[test]
fn times_are_read() {
    let cases = [
        ("12:30", "12:30:00"),
        ("12:30:05.25", "12:30:05.25"),
        ("12:30:05,25", "12:30:05.25"),
        ("T123005", "12:30:05"),
        ("23:59:60", "23:59:59"),
        ("12:30:00.123456789", "12:30:00.123456789"),
        ("24:00", "!is no time"),
        ("12:30Z", "!is no time"),
        ("12:30+02:00", "!is no time"),
        ("2024-05-01T12:30", "!is no time"),
        ("noon", "!is no time"),
        ("", "!is no time"),
    ];
    for (text, expected) in cases {
        check(Value::time, text, expected);
    }
}

#[test]
fn datetimes_are_read() {
    let cases = [
        ("2024-05-01T12:30:00Z", "2024-05-01T12:30:00Z"),
        ("2024-05-01t12:30:00z", "2024-05-01T12:30:00Z"),
        ("2024-05-01 12:30:00+02:00", "2024-05-01T12:30:00+02:00"),
        ("2024-05-01T12:30:00-00:00", "2024-05-01T12:30:00Z"),
        ("20240501T123000+0200", "2024-05-01T12:30:00+02:00"),
        (
            "2024-05-01T12:30:00.5+02:00[Europe/Berlin]",
            "2024-05-01T12:30:00.5+02:00",
        ),
        ("2024-05-01T12:30:00+02:00[!Europe/Berlin]", "!must be kept"),
        (
            "Wed, 01 May 2024 12:30:00 +0200",
            "2024-05-01T12:30:00+02:00",
        ),
        ("1 May 2024 12:30:00 GMT", "2024-05-01T12:30:00Z"),
        // The last moments that other systems use for "never", which a timestamp of jiff cannot hold.
        (
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59.999999999Z",
        ),
        ("-009999-01-01T00:00:00Z", "-009999-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59-23:00"),
        ("2024-05-01T12:30:00", "!an offset from UTC is missing"),
        ("2024-05-01", "!the time of day is missing"),
        ("2024-05-01T12:30:00+26:00", "!is no datetime"),
        ("10000-01-01T00:00:00Z", "!is no datetime"),
        ("Thu, 01 May 2024 12:30:00 +0200", "!is no datetime"),
        ("", "!is no datetime"),
    ];
    for (text, expected) in cases {
        check(Value::datetime, text, expected);
    }
}

#[test]
fn durations_are_read_and_written_for_people() {
    let cases = [
        ("PT1H30M", "PT1H30M", "1h 30m"),
        ("1h 30m", "PT1H30M", "1h 30m"),
        ("2 days, 3 hours", "PT51H", "2d 3h"),
        ("1 week", "PT168H", "7d"),
        ("P1D", "PT24H", "1d"),
        ("90 seconds ago", "-PT1M30S", "1m 30s ago"),
        ("-P2DT1S", "-PT48H1S", "2d 1s ago"),
        ("-P2D", "-PT48H", "2d ago"),
        ("0.25s", "PT0.25S", "250ms"),
        ("PT0S", "PT0S", "0s"),
        (
            "PT2562047788015215H30M7.999999999S",
            "PT2562047788015215H30M7.999999999S",
            "",
        ),
    ];
    for (text, expected, human) in cases {
        check(Value::duration, text, expected);
        let duration = Value::duration(text).unwrap();
        if !human.is_empty() {
            assert_eq!(duration.human_duration().as_deref(), Some(human));
        }
    }
    for (text, expected) in [
        ("1 month", "!no one length"),
        ("P1Y", "!no one length"),
        ("5", "!is no duration"),
        ("1h 30", "!is no duration"),
        ("", "!is no duration"),
        ("PT99999999999999999999H", "!is no duration"),
    ] {
        check(Value::duration, text, expected);
    }
    assert_eq!(value!("PT1H").human_duration(), None);
}

#[test]
fn the_longest_human_durations_read_back() {
    for (seconds, nanos) in [
        (86_400 * 7_304_484, 0),
        (86_400 * 7_304_484 + 86_399, 999_999_999),
        (-86_400 * 7_304_484 - 86_399, -1),
        (86_400 * 7_304_485, 0),
        (-86_400 * 7_304_485, -1),
        (i64::MAX, 999_999_999),
        (i64::MIN, -999_999_999),
    ] {
        let duration = Value::from(SignedDuration::new(seconds, nanos));
        let human = duration.human_duration().unwrap();
        assert_eq!(Value::duration(&human).unwrap(), duration, "{human}");
    }
}

#[test]
fn shifting() {
    let cases: [(Read, &str, &str, &str); 17] = [
        (Value::date, "2024-01-31", "1 month", "2024-02-29"),
        (Value::date, "2024-02-29", "1 year", "2025-02-28"),
        (Value::date, "2024-02-29", "-1 week", "2024-02-22"),
        (
            Value::date,
            "2024-02-29",
            "24 hours",
            "!a date has no hours",
        ),
        (Value::date, "9999-12-31", "1 day", "!cannot add 1d to"),
        (Value::time, "23:30", "1h", "00:30:00"),
        (Value::time, "00:30", "-1h", "23:30:00"),
        (Value::time, "00:30", "1 day", "!a time of day has no days"),
        (
            Value::datetime,
            "2024-01-31T23:30:00+01:00",
            "1mo 1h",
            "2024-03-01T00:30:00+01:00",
        ),
        (
            Value::datetime,
            "9999-12-31T23:59:59Z",
            "1s",
            "!cannot add 1s",
        ),
        (
            Value::datetime,
            "9999-12-31T23:59:58Z",
            "1s",
            "9999-12-31T23:59:59Z",
        ),
        (Value::duration, "1h", "30m", "PT1H30M"),
        (Value::duration, "1h", "1 day", "PT25H"),
        (Value::duration, "1h", "1 month", "!months and years"),
        (
            Value::duration,
            "PT2562047788015215H30M7S",
            "1s",
            "!too long",
        ),
        (Value::decimal, "1", "1s", "?203"),
        (Value::decimal, "1", "1mo", "?203"),
    ];
    let odd = Value::date("2024-01-31")
        .unwrap()
        .shift("soon")
        .unwrap_err();
    assert_eq!(odd.code(), 215, "{odd}");
    for (read, text, by, expected) in cases {
        let value = read(text).unwrap();
        match (value.shift(by), expected.strip_prefix('!')) {
            (Ok(shifted), None) => assert_eq!(shifted.to_json().trim_matches('"'), expected),
            (Err(error), None) => assert_eq!(format!("?{}", error.code()), expected),
            (Err(error), Some(expected)) => {
                assert!(matches!(error, Error::Arithmetic { .. }), "{error}");
                assert!(error.to_string().contains(expected), "{error}");
            }
            (Ok(shifted), _) => panic!("{text} + {by} = {shifted}"),
        }
    }
}

#[test]
fn differences() {
    let cases: [(Read, &str, &str, &str); 6] = [
        (Value::date, "2024-03-01", "2024-02-01", "PT696H"),
        (Value::date, "2024-02-01", "2024-03-01", "-PT696H"),
        (Value::time, "12:00", "11:59:59.5", "PT0.5S"),
        (
            Value::datetime,
            "2024-05-01T12:00:00+02:00",
            "2024-05-01T09:00:00Z",
            "PT1H",
        ),
        (
            Value::datetime,
            "9999-12-31T23:59:59Z",
            "-009999-01-01T00:00:00Z",
            "PT175307615H59M59S",
        ),
        (Value::duration, "1h", "90m", "-PT30M"),
    ];
    for (read, later, earlier, expected) in cases {
        let difference = read(later).unwrap().since(&read(earlier).unwrap()).unwrap();
        assert_eq!(difference.to_json().trim_matches('"'), expected);
    }
    let (date, time) = (
        Value::date("2024-03-01").unwrap(),
        Value::time("12:00").unwrap(),
    );
    for (a, b, expected) in [
        (&date, &time, "expected date at `.`, found time"),
        (&date, &value!(1), "found integer"),
        (&value!("x"), &date, "found text"),
    ] {
        let error = a.since(b).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.code(), 203);
    }
}

#[test]
fn truncating() {
    use TimeUnit::{
        Day, Hour, Microsecond, Millisecond, Minute, Month, Quarter, Second, Week, Year,
    };
    let datetime = Value::datetime("2024-08-15T12:34:56.123456789+02:00").unwrap();
    let cases = [
        (Microsecond, "2024-08-15T12:34:56.123456+02:00"),
        (Millisecond, "2024-08-15T12:34:56.123+02:00"),
        (Second, "2024-08-15T12:34:56+02:00"),
        (Minute, "2024-08-15T12:34:00+02:00"),
        (Hour, "2024-08-15T12:00:00+02:00"),
        (Day, "2024-08-15T00:00:00+02:00"),
        (Week, "2024-08-12T00:00:00+02:00"),
        (Month, "2024-08-01T00:00:00+02:00"),
        (Quarter, "2024-07-01T00:00:00+02:00"),
        (Year, "2024-01-01T00:00:00+02:00"),
    ];
    let date = Value::date("2024-08-15").unwrap();
    let time = Value::time("12:34:56.123456789").unwrap();
    for (unit, expected) in cases {
        assert_eq!(
            datetime.truncate(unit).unwrap(),
            Value::datetime(expected).unwrap()
        );
        match unit < Day {
            true => {
                let expected = Value::time(&expected[11..].replace("+02:00", "")).unwrap();
                assert_eq!(time.truncate(unit).unwrap(), expected);
                assert_eq!(date.truncate(unit).unwrap_err().code(), 212);
            }
            false => {
                let expected = Value::date(&expected[..10]).unwrap();
                assert_eq!(date.truncate(unit).unwrap(), expected);
                assert_eq!(time.truncate(unit).unwrap_err().code(), 212);
            }
        }
    }
    let duration = Value::duration("-P9DT1H").unwrap();
    assert_eq!(
        duration.truncate(Week).unwrap(),
        Value::duration("-P7D").unwrap()
    );
    assert_eq!(
        duration.truncate(Day).unwrap(),
        Value::duration("-P9D").unwrap()
    );
    assert_eq!(duration.truncate(Month).unwrap_err().code(), 212);
    assert_eq!(value!(1).truncate(Day).unwrap_err().code(), 203);
    let first = Value::date("-009999-01-01").unwrap();
    assert!(first.truncate(Week).is_ok(), "a Monday");
}

#[test]
fn the_calendar() {
    let calendar = |text: &str| Value::date(text).unwrap().calendar().unwrap();
    let day = calendar("2021-01-03");
    assert_eq!(
        (day.year, day.quarter, day.month, day.day, day.day_of_year),
        (2021, 1, 1, 3, 3)
    );
    assert_eq!(
        (day.weekday, day.week_year, day.week),
        (Weekday::Sunday, 2020, 53)
    );
    assert_eq!(calendar("2024-12-31").day_of_year, 366);
    assert_eq!(calendar("2024-10-01").quarter, 4);
    // At the offset it is the next day already.
    let late = Value::datetime("2024-12-31T23:30:00-01:00").unwrap();
    assert_eq!(late.calendar().unwrap().day, 31);
    assert_eq!(value!("2024-12-31").calendar(), None);
}

#[test]
fn datetimes_at_other_offsets_and_in_mail() {
    let datetime: DateTime = "2024-05-01T12:30:00+02:00".parse().unwrap();
    assert_eq!(
        datetime.to_rfc2822().unwrap(),
        "Wed, 1 May 2024 12:30:00 +0200"
    );
    let utc = datetime.at_offset(Offset::UTC).unwrap();
    assert_eq!(utc.to_string(), "2024-05-01T10:30:00Z");
    assert_eq!(utc.instant(), datetime.instant());
    assert_ne!(Value::from(utc), Value::from(datetime));
    assert_eq!(DateTime::from(datetime.timestamp().unwrap()), utc);
    let last: DateTime = "9999-12-31T23:59:59Z".parse().unwrap();
    assert_eq!(last.timestamp(), None);
    assert_eq!(last.to_rfc2822().unwrap_err().code(), 205);
    assert_eq!(last.at_offset(Offset::constant(1)).unwrap_err().code(), 212);
}

#[test]
fn durations_of_the_standard_library() {
    use std::time::Duration;
    assert_eq!(
        Value::try_from(Duration::from_millis(1500))
            .unwrap()
            .to_json(),
        r#""PT1.5S""#
    );
    assert_eq!(Value::try_from(Duration::MAX).unwrap_err().code(), 205);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_is_printed_reads_back(
        decimal in decimal(), date in date(), time in time(), datetime in datetime(), duration in duration()
    ) {
        for (read, value) in [
            (Value::decimal as Read, Value::from(decimal)),
            (Value::date, Value::from(date)),
            (Value::time, Value::from(time)),
            (Value::datetime, Value::from(datetime)),
            (Value::duration, Value::from(duration)),
        ] {
            let json = value.to_json();
            prop_assert_eq!(read(json.trim_matches('"')).unwrap(), value);
        }
        let value = Value::from(duration);
        let human = value.human_duration().unwrap();
        prop_assert_eq!(&Value::duration(&human).unwrap(), &value, "{}", human);
        let datetime = Value::from(datetime).truncate(TimeUnit::Second).unwrap().as_datetime().unwrap();
        if let (Ok(mail), 0) = (datetime.to_rfc2822(), datetime.offset().seconds() % 60) {
            prop_assert_eq!(mail.parse::<DateTime>().unwrap(), datetime, "{}", mail);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), like in "[-+0-9PT:.ZWDHMS e]{0,16}") {
        for text in [text, like] {
            for read in [Value::decimal as Read, Value::date, Value::time, Value::datetime, Value::duration] {
                if let Ok(value) = read(&text) {
                    let again = value.to_json();
                    prop_assert_eq!(read(again.trim_matches('"')).unwrap(), value, "{}", text);
                }
            }
        }
    }

    #[test]
    fn truncating_is_idempotent_and_goes_back(datetime in datetime(), unit in prop::sample::select(vec![
        TimeUnit::Microsecond, TimeUnit::Second, TimeUnit::Hour, TimeUnit::Day, TimeUnit::Week,
        TimeUnit::Month, TimeUnit::Quarter, TimeUnit::Year,
    ])) {
        let value = Value::from(datetime);
        let cut = value.truncate(unit).unwrap();
        prop_assert!(cut <= value);
        prop_assert_eq!(cut.truncate(unit).unwrap(), cut.clone());
        let back = cut.as_datetime().unwrap();
        prop_assert_eq!(back.offset(), datetime.offset());
        // Shifting by the difference leads back.
        let difference = value.since(&cut).unwrap().as_duration().unwrap();
        prop_assert_eq!(cut.shift_span(&Span::try_from(difference).unwrap()).unwrap(), value);
    }
}
