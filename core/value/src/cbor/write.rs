//! The encoder.

use std::cmp::Ordering;

use super::{
    BIGNUM, DATETIME_NUMBER, DATETIME_TEXT, DAYS, DECIMAL, DURATION, FILE_NAME, NEGATIVE_BIGNUM,
    OBJECT, TIME_NAME,
};
use crate::extended::{Extended, NANOS};
use crate::value_ref::Data;
use crate::walk::{Event, Walk};
use crate::{File, Value, ValueRef};

/// How the keys of maps are sorted, if they are.
pub(super) type Order = Option<fn(&str, &str) -> Ordering>;

pub(super) fn write(out: &mut Vec<u8>, value: ValueRef<'_>, order: Order) {
    let walk = match order {
        Some(order) => Walk::sorted_by(value, order),
        None => Walk::new(value),
    };
    for event in walk {
        match event {
            Event::Scalar(scalar) => write_scalar(out, scalar, order),
            Event::Array(array) => head(out, 4, array.len() as u64),
            Event::Object(object) => head(out, 5, object.len() as u64),
            Event::Key(key) => text(out, key),
            Event::End => {}
        }
    }
}

/// A major type and its argument, in its shortest form.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    if argument < 24 {
        out.push(major | argument as u8);
    } else if let Ok(argument) = u8::try_from(argument) {
        out.extend([major | 24, argument]);
    } else if let Ok(argument) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend(argument.to_be_bytes());
    } else if let Ok(argument) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend(argument.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend(argument.to_be_bytes());
    }
}

fn tag(out: &mut Vec<u8>, number: u64) {
    head(out, 6, number);
}

fn text(out: &mut Vec<u8>, text: &str) {
    head(out, 3, text.len() as u64);
    out.extend(text.as_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, 2, bytes.len() as u64);
    out.extend(bytes);
}

fn int(out: &mut Vec<u8>, int: i64) {
    match u64::try_from(int) {
        Ok(uint) => head(out, 0, uint),
        Err(_) => head(out, 1, !int as u64),
    }
}

fn write_scalar(out: &mut Vec<u8>, scalar: Data<'_>, order: Order) {
    match scalar {
        Data::Null | Data::Array | Data::Object => out.push(0xf6),
        Data::Bool(bool) => out.push(0xf4 + u8::from(bool)),
        Data::Int(value) => int(out, value),
        Data::Uint(uint) => head(out, 0, uint),
        Data::Float(value) => float(out, value),
        Data::Text(value) => text(out, value),
        Data::Bytes(value) => bytes(out, value),
        Data::Extended(extended) => write_extended(out, extended, order),
    }
}

fn write_extended(out: &mut Vec<u8>, extended: &Extended, order: Order) {
    match *extended {
        Extended::Decimal { .. } => {
            let Some(parts) = extended.decimal_parts() else {
                return; // not reached: it is a decimal
            };
            let value = parts.whole();
            let integer = i128::from(i64::MIN)..=i128::from(u64::MAX);
            if parts.scale > 0 || integer.contains(&value) {
                tag(out, DECIMAL);
                head(out, 4, 2);
                int(out, -i64::from(parts.scale));
            }
            whole(out, parts.negative, parts.digits);
        }
        Extended::Date { .. } => {
            tag(out, DAYS);
            int(out, extended.days().unwrap_or_default());
        }
        Extended::Time { nanos } => {
            tag(out, OBJECT);
            head(out, 4, 2);
            text(out, TIME_NAME);
            head(out, 0, nanos);
        }
        Extended::DateTime { .. } => datetime(out, extended),
        Extended::Duration { seconds, nanos } => {
            // The nanoseconds are added, so they are never negative.
            let seconds = i128::from(seconds);
            let (seconds, nanos) = match nanos < 0 {
                true => (seconds - 1, nanos + NANOS as i32),
                false => (seconds, nanos),
            };
            tag(out, DURATION);
            head(out, 5, 1 + u64::from(nanos != 0));
            int(out, 1);
            whole(out, seconds < 0, seconds.unsigned_abs());
            if nanos != 0 {
                int(out, -9);
                int(out, nanos.into());
            }
        }
        Extended::File(ref content) => file(out, content, order),
    }
}

fn file(out: &mut Vec<u8>, file: &File, order: Order) {
    tag(out, OBJECT);
    head(out, 4, 2);
    text(out, FILE_NAME);
    let fields = Value::from(file.to_serde_json());
    write(out, fields.by_ref(), order);
}

/// An integer of any size: major type 0 or 1, or a bignum.
fn whole(out: &mut Vec<u8>, negative: bool, magnitude: u128) {
    // Of a negative number n, −1 − n is written.
    let argument = magnitude - u128::from(negative);
    if let Ok(argument) = u64::try_from(argument) {
        return head(out, negative.into(), argument);
    }
    tag(out, if negative { NEGATIVE_BIGNUM } else { BIGNUM });
    let all = argument.to_be_bytes();
    let zeros = argument.leading_zeros() as usize / 8;
    bytes(out, all.get(zeros..).unwrap_or_default());
}

fn datetime(out: &mut Vec<u8>, datetime: &Extended) {
    let (seconds, nanos, offset) = datetime.instant().unwrap_or_default();
    if offset == 0 && nanos == 0 {
        tag(out, DATETIME_NUMBER);
        return int(out, seconds);
    }
    let number = seconds as f64 + f64::from(nanos) / f64::from(NANOS);
    if offset == 0 && Extended::from_epoch(number).as_ref() == Some(datetime) {
        tag(out, DATETIME_NUMBER);
        return float(out, number);
    }
    tag(out, DATETIME_TEXT);
    text(out, &datetime.to_string());
}

/// The shortest of the three widths that holds the float.
fn float(out: &mut Vec<u8>, float: f64) {
    let single = float as f32;
    if f64::from(single).to_bits() != float.to_bits() {
        out.push(0xfb);
        return out.extend(float.to_be_bytes());
    }
    match half(single) {
        Some(half) => {
            out.push(0xf9);
            out.extend(half.to_be_bytes());
        }
        None => {
            out.push(0xfa);
            out.extend(single.to_be_bytes());
        }
    }
}

/// The half precision (IEEE 754 binary16) of a finite float, if it is the same: 1 bit of sign, 5 of exponent
/// (bias 15), 10 of mantissa; exponent 0 is for multiples of 2⁻²⁴.
fn half(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let (exponent, mantissa) = (bits >> 23 & 0xff, bits & 0x007f_ffff);
    let rest = match exponent {
        0 if mantissa == 0 => 0,
        113..=142 if mantissa.trailing_zeros() >= 13 => (exponent - 112) << 10 | mantissa >> 13,
        103..=112 => {
            let mantissa = mantissa | 1 << 23;
            let shift = 126 - exponent;
            (mantissa.trailing_zeros() >= shift).then_some(mantissa >> shift)?
        }
        _ => return None,
    };
    Some(sign | rest as u16)
}
