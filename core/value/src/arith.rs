//! Calculating with numbers of all kinds: nothing overflows, is rounded in silence, or becomes NaN.

use std::fmt;

use crate::equal::Number;
use crate::extended::Extended;
use crate::kinds::exact;
use crate::kinds::parts::Parts;
use crate::value::Repr;
use crate::{Error, Path, Result, Value, ValueRef};

/// Calculating with numbers.
///
/// # Which kind the result is of
///
/// | operands | result |
/// | --- | --- |
/// | two integers | integer, from −2⁶³ to 2⁶⁴−1 |
/// | decimal with decimal or integer | decimal, exact |
/// | float with float or integer | float (IEEE 754 double, rounded to nearest) |
/// | float with decimal | an error, as in Python's `decimal`: 0.1 is not the same number in both |
///
/// So the kind depends on the kinds of the operands, never on the numbers. An integer goes with a float only
/// if a double holds it exactly, as all up to ±2⁵³ do. Of decimals the result keeps the digits after the point
/// that the General Decimal Arithmetic specification says (12.50 + 0.50 is 13.00), or fewer where only zeros
/// are dropped to make room.
///
/// # Errors
/// Of each: [`Error::WrongType`] if an operand is no number, whose path is the root of that operand;
/// [`Error::Arithmetic`] (code 212) for an overflow, a division by zero, a float that would not be finite, and a
/// decimal that would need more than 28 digits after the point or 96 bits. Each is O(1).
///
/// ```
/// use statewright_value::{Error, Value, value};
/// # fn main() -> statewright_value::Result<()> {
/// let total = value!(3).checked_mul(&Value::decimal("19.99")?)?;
/// assert_eq!(total, Value::decimal("59.97")?);
/// assert_eq!(value!(7).checked_div(&value!(2))?, value!(3));
/// assert_eq!(value!(7).checked_div(&value!(2.0))?, value!(3.5));
/// let error = value!(u64::MAX).checked_add(&value!(1)).unwrap_err();
/// assert_eq!(error.code(), 212);
/// # Ok(())
/// # }
/// ```
impl Value {
    /// `self` + `other`.
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of).
    pub fn checked_add(&self, other: &Value) -> Result<Value> {
        if let (Some(a), Some(b)) = (self.as_i64(), other.as_i64())
            && let Some(sum) = a.checked_add(b)
        {
            return Ok(Value::from(sum));
        }
        calculate(Op::Add, self, other)
    }

    /// `self` − `other`.
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of).
    pub fn checked_sub(&self, other: &Value) -> Result<Value> {
        calculate(Op::Sub, self, other)
    }

    /// `self` × `other`.
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of).
    pub fn checked_mul(&self, other: &Value) -> Result<Value> {
        calculate(Op::Mul, self, other)
    }

    /// `self` ÷ `other`: of integers the whole part, cut towards zero as in Rust and C (the rest is
    /// [`Value::checked_rem`]); of decimals the exact quotient, and an error where there is none, as for
    /// 1 ÷ 3 (`Value::div_round` rounds it).
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of).
    pub fn checked_div(&self, other: &Value) -> Result<Value> {
        calculate(Op::Div, self, other)
    }

    /// What is left of `self` after taking away `other` as often as possible; it has the sign of `self`, as
    /// in Rust and C. Always exact.
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(value!(-7).checked_rem(&value!(3))?, value!(-1));
    /// assert_eq!(value!(7.5).checked_rem(&value!(2))?, value!(1.5));
    /// # Ok(())
    /// # }
    /// ```
    pub fn checked_rem(&self, other: &Value) -> Result<Value> {
        calculate(Op::Rem, self, other)
    }

    /// −`self`, of the same kind.
    ///
    /// # Errors
    /// See [above](#which-kind-the-result-is-of): an integer above 2⁶³ has no negative.
    pub fn checked_neg(&self) -> Result<Value> {
        match number(self.by_ref())? {
            Number::Float(float) => Ok(Value(Repr::Float(-float))),
            Number::Decimal(parts) => decimal_value(parts.negated())
                .ok_or_else(|| Error::arithmetic(format_args!("negate {self}"), DIGITS)),
            Number::Integer(int) => integer_value(-int)
                .ok_or_else(|| Error::arithmetic(format_args!("negate {self}"), RANGE)),
        }
    }

    /// Whether both count as true, see [`Value::is_truthy`]. O(1).
    ///
    /// ```
    /// use statewright_value::value;
    /// let (some, none) = (value!("x"), value!([]));
    /// assert!(some.or(&none) && !some.and(&none) && none.not());
    /// ```
    pub fn and(&self, other: &Value) -> bool {
        self.is_truthy() && other.is_truthy()
    }

    /// Whether one of both counts as true, see [`Value::is_truthy`]. O(1).
    pub fn or(&self, other: &Value) -> bool {
        self.is_truthy() || other.is_truthy()
    }

    /// Whether this counts as false, see [`Value::is_truthy`]. O(1).
    pub fn not(&self) -> bool {
        !self.is_truthy()
    }
}

/// Numbers as Rust's, whatever kind they are of, without loss. See also `Value::to_decimal`; a text is no
/// number: [`Value::from_json`] reads one.
impl Value {
    /// The number if it is whole and fits: `2`, `2.0` and the decimal `2.00` are all 2. O(1).
    ///
    /// # Errors
    /// [`Error::Arithmetic`] if a fraction would be lost or the number is out of range; [`Error::WrongType`]
    /// if this is no number.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(value!(2.0).to_i64()?, 2);
    /// let error = value!(2.5).to_i64().unwrap_err();
    /// assert_eq!(error.to_string(), "cannot make an integer of 2.5: the digits after the point would be lost");
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_i64(&self) -> Result<i64> {
        self.to_whole("−2⁶³ to 2⁶³−1")
    }

    /// As [`Value::to_i64`], for 0 to 2⁶⁴−1. O(1).
    ///
    /// # Errors
    /// As [`Value::to_i64`].
    pub fn to_u64(&self) -> Result<u64> {
        self.to_whole("0 to 2⁶⁴−1")
    }

    /// The number as a double: a float, an integer that a double holds exactly, or a decimal with the digits
    /// that the nearest double prints as (so 0.1, but not 17 threes). O(1).
    ///
    /// # Errors
    /// [`Error::Arithmetic`] if digits would be lost ([`Number::to_f64`](crate::Number::to_f64) rounds);
    /// [`Error::WrongType`] if this is no number.
    ///
    /// ```
    /// use statewright_value::{Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// assert_eq!(Value::decimal("0.10")?.to_f64()?, 0.1);
    /// let big = value!((1_u64 << 53) + 1);
    /// assert!(big.to_f64().is_err());
    /// assert_eq!(big.as_number().map(|number| number.to_f64()), Some(9_007_199_254_740_992.0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_f64(&self) -> Result<f64> {
        let float = match number(self.by_ref())? {
            Number::Float(float) => Some(float),
            Number::Integer(int) => exact_float(int),
            Number::Decimal(parts) => parts.exact_float(),
        };
        float.ok_or_else(|| {
            let operation = format_args!("make a float of {self}");
            Error::arithmetic(operation, "digits would be lost; a double holds about 16")
        })
    }

    fn to_whole<T: TryFrom<i128>>(&self, range: &str) -> Result<T> {
        let fail = |reason| Error::arithmetic(format_args!("make an integer of {self}"), reason);
        let whole = match number(self.by_ref())? {
            Number::Integer(int) => Some(int),
            // A cast beyond i128 saturates, which is out of range too.
            Number::Float(float) => (float.fract() == 0.0).then_some(float as i128),
            Number::Decimal(parts) => (parts.fraction() == 0).then_some(parts.whole()),
        };
        let Some(whole) = whole else {
            return Err(fail("the digits after the point would be lost".to_owned()));
        };
        T::try_from(whole).map_err(|_| fail(format!("it is not within {range}")))
    }
}

/// Feature `decimal`.
#[cfg(feature = "decimal")]
impl Value {
    /// `self` ÷ `other`, of decimals and integers, with exactly `digits` digits after the point: rounded once
    /// from the exact quotient. O(1).
    ///
    /// # Errors
    /// [`Error::WrongType`] for other kinds, floats included; [`Error::Arithmetic`] for a division by zero, for
    /// more than 28 digits, for a result of more than 96 bits, and for what
    /// [`Rounding::Exact`](crate::Rounding::Exact) would have to cut.
    ///
    /// ```
    /// use statewright_value::{Rounding, Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let share = value!(100).div_round(&value!(3), 2, Rounding::HalfEven)?;
    /// assert_eq!(share, Value::decimal("33.33")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn div_round(
        &self,
        other: &Value,
        digits: u32,
        rounding: crate::Rounding,
    ) -> Result<Value> {
        let fail = |reason| Error::arithmetic(Calculation(Op::Div, self, other), reason);
        let (a, b) = (self.exact_parts()?, other.exact_parts()?);
        if b.digits == 0 {
            return Err(fail(ZERO));
        }
        if digits > crate::extended::MAX_SCALE {
            return Err(fail(DIGITS));
        }
        let (quotient, rest) = exact::div_floor(a, b, digits).ok_or_else(|| fail(DIGITS))?;
        let negative = a.negative != b.negative;
        let up = rounding
            .away_from_zero(quotient % 2 == 1, negative, rest)
            .ok_or_else(|| fail(exact::INEXACT))?;
        Extended::decimal(negative, quotient + u128::from(up), digits)
            .map(|decimal| Value(Repr::Extended(decimal)))
            .ok_or_else(|| fail(DIGITS))
    }

    fn exact_parts(&self) -> Result<Parts> {
        match Number::of(self.by_ref()) {
            Some(Number::Integer(int)) => Ok(Parts::integer(int)),
            Some(Number::Decimal(parts)) => Ok(parts),
            _ => Err(wrong(self.by_ref(), "a decimal or an integer")),
        }
    }
}

#[derive(Clone, Copy)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

const RANGE: &str = "the result is not within −2⁶³ to 2⁶⁴−1; a decimal has more room";
const DIGITS: &str =
    "the result needs more than 28 digits after the point or more than 96 bits in all";
const ZERO: &str = "there is no division by zero";

fn calculate(op: Op, a: &Value, b: &Value) -> Result<Value> {
    let result = match (number(a.by_ref())?, number(b.by_ref())?) {
        (Number::Integer(x), Number::Integer(y)) => integers(op, x, y),
        (Number::Decimal(x), Number::Decimal(y)) => decimals(op, x, y),
        (Number::Decimal(x), Number::Integer(y)) => decimals(op, x, Parts::integer(y)),
        (Number::Integer(x), Number::Decimal(y)) => decimals(op, Parts::integer(x), y),
        (Number::Float(x), Number::Float(y)) => floats(op, Some(x), Some(y)),
        (Number::Float(x), Number::Integer(y)) => floats(op, Some(x), exact_float(y)),
        (Number::Integer(x), Number::Float(y)) => floats(op, exact_float(x), Some(y)),
        (Number::Float(_), Number::Decimal(_)) | (Number::Decimal(_), Number::Float(_)) => {
            Err("a float and a decimal do not mix; convert one (to_decimal, to_f64)")
        }
    };
    result.map_err(|reason| Error::arithmetic(Calculation(op, a, b), reason))
}

/// Both fit 65 bits, so only the product can leave `i128`.
fn integers(op: Op, a: i128, b: i128) -> Result<Value, &'static str> {
    let result = match op {
        Op::Add => Some(a + b),
        Op::Sub => Some(a - b),
        Op::Mul => a.checked_mul(b),
        Op::Div => Some(a.checked_div(b).ok_or(ZERO)?),
        Op::Rem => Some(a.checked_rem(b).ok_or(ZERO)?),
    };
    result.and_then(integer_value).ok_or(RANGE)
}

fn floats(op: Op, a: Option<f64>, b: Option<f64>) -> Result<Value, &'static str> {
    let (Some(a), Some(b)) = (a, b) else {
        return Err("a double does not hold the integer exactly; convert it first");
    };
    let result = match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div | Op::Rem if b == 0.0 => return Err(ZERO),
        Op::Div => a / b,
        Op::Rem => a % b,
    };
    Value::from_f64(result).ok_or("the result is beyond the largest double, about 1.8 × 10³⁰⁸")
}

fn decimals(op: Op, a: Parts, b: Parts) -> Result<Value, &'static str> {
    let result = match op {
        Op::Add => exact::add(a, b),
        Op::Sub => exact::add(a, b.negated()),
        Op::Mul => exact::mul(a, b),
        Op::Div | Op::Rem if b.digits == 0 => return Err(ZERO),
        Op::Div => Some(exact::div(a, b).ok_or(exact::INEXACT)?),
        Op::Rem => Some(exact::rem(a, b)),
    };
    result.and_then(decimal_value).ok_or(DIGITS)
}

fn integer_value(int: i128) -> Option<Value> {
    let signed = i64::try_from(int).ok().map(Value::from);
    signed.or_else(|| u64::try_from(int).ok().map(Value::from))
}

fn decimal_value(parts: Parts) -> Option<Value> {
    let decimal = Extended::decimal(parts.negative, parts.digits, parts.scale)?;
    Some(Value(Repr::Extended(decimal)))
}

fn exact_float(int: i128) -> Option<f64> {
    Some(int as f64).filter(|float| *float as i128 == int)
}

fn number(value: ValueRef<'_>) -> Result<Number> {
    Number::of(value).ok_or_else(|| wrong(value, "a number"))
}

fn wrong(value: ValueRef<'_>, expected: &'static str) -> Error {
    Error::WrongType {
        path: Path::root(),
        expected,
        found: value.kind().name(),
    }
}

/// "add 1 to 2", for messages.
struct Calculation<'a>(Op, &'a Value, &'a Value);

impl fmt::Display for Calculation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Calculation(op, a, b) = self;
        match op {
            Op::Add => write!(f, "add {b} to {a}"),
            Op::Sub => write!(f, "subtract {b} from {a}"),
            Op::Mul => write!(f, "multiply {a} by {b}"),
            Op::Div => write!(f, "divide {a} by {b}"),
            Op::Rem => write!(f, "divide {a} by {b} with a remainder"),
        }
    }
}
