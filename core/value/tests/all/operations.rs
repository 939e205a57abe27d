//! Calculating, converting, walking, flattening and transforming, against plain models.

use crate::any::any_value;
use proptest::prelude::*;
use statewright_value::{Kind, Limits, Path, Transform, Value, ValueRef, assert_value_eq, value};

fn integer(int: i128) -> Option<Value> {
    let signed = i64::try_from(int).ok().map(Value::from);
    signed.or_else(|| u64::try_from(int).ok().map(Value::from))
}

/// What the operation gives or, as none, `Error::Arithmetic`.
fn outcome(result: statewright_value::Result<Value>) -> Option<Value> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_eq!(error.code(), 212, "{error}");
            None
        }
    }
}

fn any_integer() -> impl Strategy<Value = i128> {
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    let edges = [i64::MIN.into(), i64::MAX.into(), u64::MAX.into(), 1 << 63];
    prop_oneof![
        range,
        -3i128..4,
        proptest::sample::select(Vec::from(edges)),
        -70_000i128..70_000
    ]
}

proptest! {
    #[test]
    fn integers_calculate_as_i128_does(a in any_integer(), b in any_integer()) {
        let (x, y) = (integer(a).unwrap(), integer(b).unwrap());
        let check = |result, expected: Option<i128>| {
            assert_eq!(outcome(result), expected.and_then(integer));
        };
        check(x.checked_add(&y), a.checked_add(b));
        check(x.checked_sub(&y), a.checked_sub(b));
        check(x.checked_mul(&y), a.checked_mul(b));
        check(x.checked_div(&y), a.checked_div(b));
        check(x.checked_rem(&y), a.checked_rem(b));
        check(x.checked_neg(), Some(-a));
        prop_assert_eq!(x.to_i64().ok(), i64::try_from(a).ok());
        prop_assert_eq!(x.to_u64().ok(), u64::try_from(a).ok());
        prop_assert_eq!(x.to_f64().ok(), Some(a as f64).filter(|float| *float as i128 == a));
        prop_assert_eq!(u64::try_from(&x).ok(), u64::try_from(a).ok());
        prop_assert_eq!(i32::try_from(x).ok(), i32::try_from(a).ok());
    }

    #[test]
    fn floats_calculate_as_f64_does_and_stay_finite(a in any::<f64>(), b in any::<f64>()) {
        let (Some(x), Some(y)) = (Value::from_f64(a), Value::from_f64(b)) else {
            return Ok(());
        };
        let check = |result, expected: f64| {
            assert_eq!(outcome(result), Value::from_f64(expected));
        };
        check(x.checked_add(&y), a + b);
        check(x.checked_sub(&y), a - b);
        check(x.checked_mul(&y), a * b);
        check(x.checked_div(&y), a / b);
        check(x.checked_rem(&y), a % b);
        check(x.checked_neg(), -a);
        check(x.checked_add(&value!(2)), a + 2.0);
        check(value!(2).checked_sub(&x), 2.0 - a);
    }

    #[test]
    fn a_walk_sees_every_value_at_its_path_in_both_forms(doc in any_value()) {
        let places: Vec<(Path, Value)> = doc
            .walk()
            .with_paths()
            .map(|(path, value)| (path, value.to_value()))
            .collect();
        for (path, found) in &places {
            prop_assert_eq!(doc.at(path), Some(found.clone()));
        }
        prop_assert_eq!(&places, &model(&doc));
        let packed = doc.pack().unwrap();
        let again: Vec<(Path, Value)> = packed
            .walk()
            .with_paths()
            .map(|(path, value)| (path, value.to_value()))
            .collect();
        prop_assert_eq!(again, places);
        prop_assert_eq!(packed.counts(), doc.counts());
    }

    #[test]
    fn flattening_is_undone(doc in any_value()) {
        for doc in [doc.pack().unwrap(), doc] {
            let flat = doc.flatten().unwrap();
            prop_assert_eq!(flat.len(), doc.counts().leaves);
            let back = flat.unflatten().unwrap();
            prop_assert_eq!(back.to_msgpack(), doc.to_msgpack()); // the order of keys too
        }
    }

    #[test]
    fn transforming_agrees_with_a_recursive_model(doc in any_value()) {
        let change = |value: ValueRef<'_>| match value.kind() {
            Kind::Null => Transform::Remove,
            Kind::Integer => Transform::Replace(value!("n")),
            _ => Transform::Keep,
        };
        for doc in [doc.pack().unwrap(), doc] {
            prop_assert_eq!(doc.transform(change).unwrap(), transformed(&doc));
            let same = doc.transform(|_| Transform::Keep).unwrap().unwrap();
            if doc.kind().is_container() {
                prop_assert!(same.by_ref().same(doc.by_ref()));
            }
        }
    }
}

/// Everything inside, by recursion: test values are flat enough.
fn model(value: &Value) -> Vec<(Path, Value)> {
    let under = |at: Path, inner: Vec<(Path, Value)>| {
        inner
            .into_iter()
            .map(move |(path, value)| (at.join(&path), value))
    };
    let mut found = vec![(Path::root(), value.clone())];
    for (i, item) in value.items().enumerate() {
        found.extend(under(Path::root().index(i), model(&item)));
    }
    for (key, item) in value.entries() {
        found.extend(under(Path::root().key(key), model(&item)));
    }
    found
}

fn transformed(value: &Value) -> Option<Value> {
    match value.kind() {
        Kind::Null => None,
        Kind::Integer => Some(value!("n")),
        Kind::Array => Some(
            value
                .items()
                .filter_map(|item| transformed(&item))
                .collect(),
        ),
        Kind::Object => {
            let entries = value.entries();
            let kept = entries.filter_map(|(key, value)| Some((key, transformed(&value)?)));
            Some(kept.collect::<Vec<_>>().into_iter().fold(
                Value::object(),
                |mut object, (key, value)| {
                    object.insert(key, value).unwrap();
                    object
                },
            ))
        }
        _ => Some(value.clone()),
    }
}

#[test]
fn what_is_no_number_is_not_calculated_with() {
    for other in [value!("1"), value!(null), value!(true), value!([1])] {
        assert_eq!(value!(1).checked_add(&other).unwrap_err().code(), 203);
        assert_eq!(other.checked_neg().unwrap_err().code(), 203);
        assert_eq!(other.to_f64().unwrap_err().code(), 203);
    }
}

#[test]
fn numbers_convert_without_loss_or_not_at_all() {
    assert_eq!(value!(-0.0).to_i64().ok(), Some(0));
    assert_eq!(value!(2f64.powi(63)).to_i64().ok(), None);
    assert_eq!(value!(2f64.powi(63)).to_u64().ok(), Some(1 << 63));
    assert_eq!(value!(2f64.powi(64)).to_u64().ok(), None);
    assert_eq!(value!(f64::MAX).to_i64().ok(), None);
    assert_eq!(value!(0.5).to_u64().ok(), None);
    let message = value!(f64::MAX)
        .checked_mul(&value!(2))
        .unwrap_err()
        .to_string();
    assert!(message.contains("beyond the largest double"), "{message}");
    let big = value!((1i64 << 53) + 1);
    assert_eq!(outcome(big.checked_add(&value!(0.5))), None);
}

#[test]
fn rust_types_come_out_of_every_form() {
    let doc =
        Value::from_json(r#"{"s":"a long text that is not inline","a":[1,2],"f":2}"#).unwrap();
    let part = |key: &str| doc.get(key).unwrap();
    assert_eq!(
        String::try_from(part("s")).unwrap(),
        "a long text that is not inline"
    );
    let items = Vec::<Value>::try_from(&part("a")).unwrap();
    assert_eq!(items, [value!(1), value!(2)]);
    assert_eq!(f64::try_from(part("f")).unwrap(), 2.0);
    assert!(bool::try_from(part("f").by_ref()).is_err());
    assert!(Vec::<u8>::try_from(part("a")).is_err());
    assert_eq!(i64::try_from(value!(2.0)).unwrap_err().code(), 203);
}

#[test]
fn builders_keep_their_first_error() {
    let error = Value::build_object()
        .set("a", f64::NAN)
        .set("b", 1)
        .build()
        .unwrap_err();
    assert_eq!(error.code(), 205);
    let error = Value::build_object()
        .merge(&value!([]))
        .build()
        .unwrap_err();
    assert_eq!(error.code(), 203);
    let strict = Limits::strict().with_max_items(2);
    let three = Value::build_array().extend([1, 2]);
    assert_eq!(three.build_within(&strict).unwrap_err().code(), 204);
}

#[test]
fn a_failed_assertion_shows_where_the_values_differ() {
    let (left, right) = (
        value!({ "a": [1, 2], "b": 1 }),
        value!({ "a": [1, 3], "b": 1, "c": "x" }),
    );
    assert_value_eq!(left, &left.clone());
    let failure = std::panic::catch_unwind(|| assert_value_eq!(&left, right, "row {}", 7));
    let message = failure.unwrap_err().downcast::<String>().unwrap();
    let expected = "row 7: the values differ at 2 place(s)\n  .a[1]: left 2, right 3\n  .c: left nothing, right \"x\"";
    assert_eq!(message.as_str(), expected);
}

#[cfg(feature = "decimal")]
mod decimals {
    use super::{integer, outcome};
    use proptest::prelude::*;
    use statewright_value::{Decimal, Rounding, Value, value};

    fn any_decimal() -> impl Strategy<Value = Decimal> {
        let digits = prop_oneof![-200i128..200, -(1i128 << 96) + 1..1 << 96];
        (digits, 0u32..=28).prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale))
    }

    fn exact(value: Option<Value>) -> Option<Decimal> {
        value.and_then(|value| value.as_decimal())
    }

    proptest! {
        /// `rust_decimal` rounds where there is no exact result; then the value's is none.
        #[test]
        fn decimals_calculate_as_rust_decimal_does_but_never_round(a in any_decimal(), b in any_decimal()) {
            let (x, y) = (Value::from(a), Value::from(b));
            if let Some(sum) = exact(outcome(x.checked_add(&y))) {
                prop_assert_eq!(Some(sum), a.checked_add(b));
                prop_assert_eq!(exact(outcome(Value::from(sum).checked_sub(&y))), Some(a));
            }
            if let Some(product) = exact(outcome(x.checked_mul(&y))) {
                prop_assert_eq!(Some(product), a.checked_mul(b));
                if !b.is_zero() {
                    prop_assert_eq!(exact(outcome(Value::from(product).checked_div(&y))), Some(a));
                }
            }
            if let Some(quotient) = exact(outcome(x.checked_div(&y))) {
                prop_assert_eq!(exact(outcome(Value::from(quotient).checked_mul(&y))), Some(a));
            }
            if let Some(rest) = exact(outcome(x.checked_rem(&y))) {
                prop_assert!(rest.abs() < b.abs());
                prop_assert!(rest.is_zero() || rest.is_sign_negative() == a.is_sign_negative());
                prop_assert_eq!(Some(rest), a.checked_rem(b));
            }
            prop_assert_eq!(exact(outcome(x.checked_neg())), Some(-a));
        }

        #[test]
        fn what_has_an_exact_decimal_is_not_refused(
            a in -1_000_000_000i64..1_000_000_000,
            b in prop_oneof![-1_000_000_000i64..1_000_000_000, -40i64..40],
            scales in (0u32..=9, 0u32..=9),
        ) {
            let (a, b) = (Decimal::new(a, scales.0), Decimal::new(b, scales.1));
            let (x, y) = (Value::from(a), Value::from(b));
            prop_assert_eq!(exact(outcome(x.checked_add(&y))), Some(a + b));
            prop_assert_eq!(exact(outcome(x.checked_sub(&y))), Some(a - b));
            prop_assert_eq!(exact(outcome(x.checked_mul(&y))), Some(a * b));
            if !b.is_zero() {
                prop_assert_eq!(exact(outcome(x.checked_rem(&y))), Some(a % b));
                let quotient = (a / b).normalize(); // rounded, if it has no end
                let missing = (quotient.scale() + b.scale()).checked_sub(a.scale());
                let scaled = missing.and_then(|zeros| a.mantissa().checked_mul(10i128.checked_pow(zeros)?));
                let ends = match missing {
                    Some(_) => scaled == Some(quotient.mantissa() * b.mantissa()),
                    None => quotient * b == a,
                };
                prop_assert_eq!(exact(outcome(x.checked_div(&y))), ends.then_some(quotient));
            }
        }

        #[test]
        fn a_rounded_quotient_is_the_nearest(
            a in -10_000i64..10_000,
            b in 1i64..300,
            scale in 0u32..4,
            digits in 0u32..6,
        ) {
            let dividend = Decimal::new(a, scale);
            let divisor = Decimal::new(if a % 2 == 0 { b } else { -b }, 1);
            let exact = dividend / divisor; // to 28 digits: enough to tell the halves of these apart
            for (rounding, strategy) in [
                (Rounding::HalfEven, rust_decimal_strategy::MidpointNearestEven),
                (Rounding::HalfUp, rust_decimal_strategy::MidpointAwayFromZero),
                (Rounding::HalfDown, rust_decimal_strategy::MidpointTowardZero),
                (Rounding::Up, rust_decimal_strategy::AwayFromZero),
                (Rounding::Down, rust_decimal_strategy::ToZero),
                (Rounding::Ceiling, rust_decimal_strategy::ToPositiveInfinity),
                (Rounding::Floor, rust_decimal_strategy::ToNegativeInfinity),
            ] {
                let rounded = Value::from(dividend)
                    .div_round(&Value::from(divisor), digits, rounding)
                    .unwrap();
                let expected = exact.round_dp_with_strategy(digits, strategy);
                prop_assert_eq!(rounded.as_decimal(), Some(expected), "{:?}", rounding);
            }
        }
    }

    use rust_decimal::RoundingStrategy as rust_decimal_strategy;

    fn decimal(text: &str) -> Value {
        Value::decimal(text).unwrap()
    }

    #[test]
    fn the_digits_after_the_point_are_those_of_the_operands() {
        let text = |value: Value| value.to_json();
        assert_eq!(
            text(decimal("12.50").checked_add(&decimal("0.5")).unwrap()),
            "13.00"
        );
        assert_eq!(
            text(decimal("1.20").checked_mul(&value!(3)).unwrap()),
            "3.60"
        );
        assert_eq!(
            text(decimal("12.50").checked_div(&value!(5)).unwrap()),
            "2.50"
        );
        assert_eq!(text(value!(10).checked_div(&decimal("4")).unwrap()), "2.5");
        assert_eq!(
            text(decimal("-7.5").checked_rem(&value!(2)).unwrap()),
            "-1.5"
        );
        let tiny = decimal("0.0000000000000000000000000001");
        assert_eq!(outcome(tiny.checked_add(&decimal("10"))), None); // 30 digits
        assert_eq!(outcome(tiny.checked_mul(&tiny)), None);
        assert_eq!(
            text(
                decimal("0.0000000000000000000000000050")
                    .checked_mul(&decimal("0.2"))
                    .unwrap()
            ),
            "0.0000000000000000000000000010"
        );
        assert_eq!(outcome(value!(1).checked_div(&decimal("3"))), None);
        assert_eq!(outcome(decimal("1").checked_div(&decimal("0.0"))), None);
        assert_eq!(outcome(decimal("1").checked_add(&value!(0.5))), None);
        assert_eq!(
            outcome(value!(1).div_round(&decimal("8"), 2, Rounding::Exact)),
            None
        );
    }

    #[test]
    fn decimals_convert_without_loss_or_not_at_all() {
        assert_eq!(decimal("2.00").to_i64().ok(), Some(2));
        assert_eq!(decimal("2.01").to_i64().ok(), None);
        assert_eq!(decimal("18446744073709551616").to_u64().ok(), None);
        assert_eq!(decimal("0.1").to_f64().ok(), Some(0.1));
        assert_eq!(decimal("0.33333333333333333333").to_f64().ok(), None);
        assert_eq!(integer(3), decimal("3").to_i64().ok().map(Value::from));
    }
}
