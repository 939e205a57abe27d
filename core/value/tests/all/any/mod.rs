//! Random values of every kind.

use proptest::prelude::*;
use statewright_value::jiff::civil::{Date, Time};
use statewright_value::jiff::{SignedDuration, tz::Offset};
use statewright_value::{DateTime, Decimal, File, Value};

pub fn decimal() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![any::<u32>().prop_map(u128::from), any::<u128>(), 0u128..100];
    (digits, 0u32..=28, any::<bool>()).prop_map(|(digits, scale, negative)| {
        let digits = (digits & ((1 << 96) - 1)) as i128;
        let signed = if negative { -digits } else { digits };
        Decimal::from_i128_with_scale(signed, scale)
    })
}

pub fn date() -> impl Strategy<Value = Date> {
    (-9999i16..=9999, 1i8..=12, 1i8..=31).prop_filter_map("a day", |(year, month, day)| {
        Date::new(year, month, day).ok()
    })
}

pub fn time() -> impl Strategy<Value = Time> {
    let fraction = prop_oneof![Just(0), Just(500_000_000), 0i32..1_000_000_000];
    (0i8..24, 0i8..60, 0i8..60, fraction)
        .prop_map(|(hour, minute, second, nanos)| Time::new(hour, minute, second, nanos).unwrap())
}

pub fn datetime() -> impl Strategy<Value = DateTime> {
    let offset = prop_oneof![
        2 => Just(0),
        2 => (-25i32..=25).prop_map(|hours| hours * 3600),
        1 => -93_599i32..=93_599
    ];
    (date(), time(), offset).prop_map(|(date, time, offset)| {
        DateTime::new(
            date.to_datetime(time),
            Offset::from_seconds(offset).unwrap(),
        )
    })
}

pub fn duration() -> impl Strategy<Value = SignedDuration> {
    prop_oneof![
        any::<i64>().prop_map(SignedDuration::from_nanos),
        (any::<i64>(), 0i32..1_000_000_000).prop_map(|(seconds, nanos)| {
            SignedDuration::new(seconds, if seconds < 0 { -nanos } else { nanos })
        }),
    ]
}

pub fn file() -> impl Strategy<Value = File> {
    let text = prop::option::of(any::<String>());
    (
        any::<String>(),
        text.clone(),
        any::<u64>(),
        any::<Option<[u8; 32]>>(),
        text,
    )
        .prop_map(|(name, media_type, size, hash, location)| {
            let file = File::new(&name, size);
            let file = media_type
                .iter()
                .fold(file, |file, text| file.with_media_type(text));
            let file = hash.iter().fold(file, |file, hash| file.with_hash(*hash));
            location
                .iter()
                .fold(file, |file, text| file.with_location(text))
        })
}

pub fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        (-6i64..6).prop_map(|int| Value::from_f64(int as f64 / 2.0).unwrap()),
        (-60i64..60, 0u32..3).prop_map(|(digits, scale)| Value::from(Decimal::new(digits, scale))),
        any::<f64>().prop_filter_map("finite", Value::from_f64),
        "[a-c]{0,3}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::bytes),
        decimal().prop_map(Value::from),
        date().prop_map(Value::from),
        time().prop_map(Value::from),
        datetime().prop_map(Value::from),
        duration().prop_map(Value::from),
        file().prop_map(Value::from),
    ]
}

pub fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c$]{0,3}",
        1 => (1usize..4, prop::sample::select(vec!["bytes", "decimal", "date", "file", "object", ""]))
            .prop_map(|(dollars, name)| "$".repeat(dollars) + name),
        1 => any::<String>(),
    ]
}

pub fn any_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 30, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}
