//! Decimals as numbers: parsing, printing and exact comparison with the other numbers.

use std::cmp::Ordering;
use std::fmt;

use crate::extended::{Extended, MAX_DIGITS, MAX_SCALE};
use crate::value::Repr;
use crate::{Error, Result, Value};

/// Decimals.
impl Value {
    /// Reads a decimal: a sign or none, digits, and optionally a point with digits and an exponent. Every
    /// digit is kept, so `12.50` prints as `12.50`. O(length).
    ///
    /// # Errors
    /// [`Error::InvalidTemporal`] for another text, and for more than 28 digits after the point or more
    /// digits in all than 96 bits hold (28, and some numbers of 29); nothing is ever rounded.
    ///
    /// ```
    /// # use statewright_value::Value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(Value::decimal("12.50")?.to_json(), "12.50");
    /// assert_eq!(Value::decimal("12.5e-2")?.to_json(), "0.125");
    /// assert!(Value::decimal("12,50").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn decimal(text: &str) -> Result<Value> {
        match Extended::parse_decimal(text) {
            Ok(decimal) => Ok(Value(Repr::Extended(decimal))),
            Err(reason) => Err(Error::invalid_temporal("decimal", text, reason)),
        }
    }
}

/// A decimal: ±`digits` × 10^−`scale`.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) negative: bool,
    pub(crate) digits: u128,
    pub(crate) scale: u32,
}

/// The shortest digits that read back as this finite float, as JSON prints it. Rust's own formatting is as
/// short, but breaks a tie between two such the other way.
pub(crate) fn float_text(float: f64) -> String {
    Value::from_f64(float).unwrap_or_default().to_json()
}

/// Why a text or a number is no decimal.
pub(crate) const TOO_LONG: &str =
    "a decimal has at most 28 digits after the point, and at most 28 or 29 in all (96 bits)";
const NO_NUMBER: &str =
    "expected a sign or none, digits, and optionally a point with digits and an exponent";

impl Parts {
    /// Reads a number: JSON's grammar (RFC 8259), and leading zeros and a plus sign are allowed too. Every
    /// digit is kept: `12.50` has two digits after the point. An exponent moves the point.
    pub(crate) fn parse(text: &str) -> Result<Parts, &'static str> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| NO_NUMBER)?),
            None => (rest, 0i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(NO_NUMBER);
        }
        let fraction = if mantissa.contains('.') { fraction } else { "" };
        let mut value = 0u128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            value = value * 10 + u128::from(digit - b'0');
            if value > MAX_DIGITS {
                return Err(TOO_LONG);
            }
        }
        let scale = i64::try_from(fraction.len()).map_err(|_| TOO_LONG)? - i64::from(exponent);
        Parts::scaled(negative, value, scale).ok_or(TOO_LONG)
    }

    /// ±`digits` × 10^−`scale`, exactly, with as few digits after the point as `scale` says.
    pub(crate) fn scaled(negative: bool, digits: u128, scale: i64) -> Option<Parts> {
        let digits = match scale {
            0.. => digits,
            _ if digits == 0 => 0,
            _ => {
                let zeros = u32::try_from(scale.unsigned_abs()).ok()?;
                digits.checked_mul(10u128.checked_pow(zeros)?)?
            }
        };
        let scale = u32::try_from(scale.max(0)).ok()?;
        (digits <= MAX_DIGITS && scale <= MAX_SCALE).then_some(Parts {
            negative: negative && digits > 0,
            digits,
            scale,
        })
    }

    fn signed(self, digits: u128) -> i128 {
        let digits = digits as i128; // at most 96 bits
        if self.negative { -digits } else { digits }
    }

    /// The whole part, towards zero.
    pub(crate) fn whole(self) -> i128 {
        self.signed(self.digits / 10u128.pow(self.scale))
    }

    /// The digits after the point, signed, over 10^`scale`.
    pub(crate) fn fraction(self) -> i128 {
        self.signed(self.digits % 10u128.pow(self.scale))
    }

    /// By value, exactly.
    pub(crate) fn compare_integer(self, int: i128) -> Ordering {
        self.whole().cmp(&int).then(self.fraction().cmp(&0))
    }

    /// By value, exactly.
    pub(crate) fn compare(self, other: Parts) -> Ordering {
        let common = |parts: Parts| parts.fraction() * 10i128.pow(MAX_SCALE - parts.scale);
        (self.whole().cmp(&other.whole())).then_with(|| common(self).cmp(&common(other)))
    }

    /// By value, exactly. `float` is finite; a cast beyond `i128` saturates, which is beyond every decimal.
    pub(crate) fn compare_float(self, float: f64) -> Ordering {
        let whole = float.trunc();
        (self.whole().cmp(&(whole as i128))).then_with(|| {
            let (fraction, rest) = (self.fraction(), float - whole); // both exact
            (fraction.signum() as f64)
                .total_cmp(&if rest == 0.0 { 0.0 } else { rest.signum() })
                .then_with(|| {
                    let magnitude =
                        compare_fractions(fraction.unsigned_abs(), self.scale, rest.abs());
                    if fraction < 0 {
                        magnitude.reverse()
                    } else {
                        magnitude
                    }
                })
        })
    }
}

/// Compares `digits` × 10^−`scale` with `float`, both from 0 to below 1.
///
/// A float is k × 2^−n with k < 2⁵³ and, below 1, n ≥ 53. So digits / (5^s 2^s) against k / 2^n is digits ×
/// 2^(n−s) against k × 5^s, and the latter is below 2^119.
fn compare_fractions(digits: u128, scale: u32, float: f64) -> Ordering {
    let bits = float.to_bits();
    let (exponent, mantissa) = ((bits >> 52) as u32, bits & ((1 << 52) - 1));
    let (k, n) = match exponent {
        0 => (mantissa, 1074),
        _ => (mantissa | 1 << 52, 1075u32.saturating_sub(exponent)),
    };
    let right = u128::from(k) * 5u128.pow(scale);
    let shift = n.saturating_sub(scale);
    if digits != 0 && shift > digits.leading_zeros() {
        return Ordering::Greater;
    }
    digits.checked_shl(shift).unwrap_or(0).cmp(&right)
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let one = 10u128.pow(self.scale);
        write!(f, "{sign}{}", self.digits / one)?;
        match self.scale as usize {
            0 => Ok(()),
            scale => write!(f, ".{:0scale$}", self.digits % one),
        }
    }
}
