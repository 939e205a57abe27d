//! Decimals as a program sees them: exact numbers with up to 28 digits after the point, by `rust_decimal`.

use std::cmp::Ordering;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::extended::Extended;
use crate::kinds::parts::{Parts, float_text};
use crate::value::Repr;
use crate::{Error, Path, Result, Value, ValueRef};

/// What becomes of digits that are cut off; see [`Value::round`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest; a half to the even neighbour, as bankers do. Sums of many stay fair.
    HalfEven,
    /// To the nearest; a half away from zero, as taught at school.
    HalfUp,
    /// To the nearest; a half towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero: just cut.
    Down,
    /// To the greater.
    Ceiling,
    /// To the smaller.
    Floor,
    /// Nothing may be cut off but zeros; anything else is an error.
    Exact,
}

impl Rounding {
    fn strategy(self) -> RoundingStrategy {
        match self {
            Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
            Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Rounding::HalfDown => RoundingStrategy::MidpointTowardZero,
            Rounding::Up => RoundingStrategy::AwayFromZero,
            Rounding::Down | Rounding::Exact => RoundingStrategy::ToZero,
            Rounding::Ceiling => RoundingStrategy::ToPositiveInfinity,
            Rounding::Floor => RoundingStrategy::ToNegativeInfinity,
        }
    }
}

impl Rounding {
    /// Whether the last digit kept (odd or not) goes up by one, away from zero; `rest` says how what is cut off
    /// compares with a half of it, if that is not zero. None for what may not be cut.
    pub(crate) fn away_from_zero(
        self,
        odd: bool,
        negative: bool,
        rest: Option<Ordering>,
    ) -> Option<bool> {
        let Some(rest) = rest else {
            return Some(false);
        };
        Some(match self {
            Rounding::HalfEven => rest == Ordering::Greater || (rest == Ordering::Equal && odd),
            Rounding::HalfUp => rest != Ordering::Less,
            Rounding::HalfDown => rest == Ordering::Greater,
            Rounding::Up => true,
            Rounding::Down => false,
            Rounding::Ceiling => !negative,
            Rounding::Floor => negative,
            Rounding::Exact => return None,
        })
    }
}

impl From<Decimal> for Value {
    /// Keeps the digits after the point: `12.50` stays `12.50`. Zero loses its sign.
    fn from(decimal: Decimal) -> Value {
        let digits = decimal.mantissa().unsigned_abs();
        Extended::decimal(decimal.is_sign_negative(), digits, decimal.scale())
            .map(|decimal| Value(Repr::Extended(decimal)))
            .unwrap_or_default() // always in range
    }
}

/// A decimal or an integer, as [`Value::as_decimal`]; [`Error::WrongType`] for anything else.
impl TryFrom<ValueRef<'_>> for Decimal {
    type Error = Error;

    fn try_from(value: ValueRef<'_>) -> Result<Decimal> {
        value
            .as_decimal()
            .ok_or_else(|| value.to_value().no_number())
    }
}

/// Decimals; feature `decimal`.
impl Value {
    /// The decimal, or an integer as one; exact. Floats are never converted, see [`Value::to_decimal`].
    pub fn as_decimal(&self) -> Option<Decimal> {
        self.by_ref().as_decimal()
    }

    /// A number as a decimal without loss: a decimal, an integer, or a float by its shortest decimal form,
    /// which is what it prints as and what reads back as the same float (0.1 becomes 0.1).
    ///
    /// # Errors
    /// [`Error::Arithmetic`] if that needs more than 28 digits after the point or 96 bits in all;
    /// [`Error::WrongType`] if this is no number.
    pub fn to_decimal(&self) -> Result<Decimal> {
        if let Some(decimal) = self.as_decimal() {
            return Ok(decimal);
        }
        let Some(float) = self.as_f64() else {
            return Err(self.no_number());
        };
        (Parts::parse(&float_text(float))
            .ok()
            .and_then(Parts::decimal))
        .ok_or_else(|| {
            Error::arithmetic(
                format_args!("make a decimal of {float}"),
                "a decimal has at most 28 digits after the point and 96 bits in all",
            )
        })
    }

    /// A decimal or an integer with exactly `digits` digits after the point: cut by `rounding`, or filled
    /// with zeros. Money usually has two. O(1).
    ///
    /// # Errors
    /// [`Error::WrongType`] for other kinds, floats included (see [`Value::to_decimal`]);
    /// [`Error::Arithmetic`] for more than 28 digits, for a result of more than 96 bits, and for what
    /// [`Rounding::Exact`] would have to cut.
    ///
    /// ```
    /// # use statewright_value::{Rounding, Value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let price = Value::decimal("12.345")?;
    /// assert_eq!(price.round(2, Rounding::HalfEven)?.to_json(), "12.34");
    /// # Ok(())
    /// # }
    /// ```
    pub fn round(&self, digits: u32, rounding: Rounding) -> Result<Value> {
        let Some(decimal) = self.as_decimal() else {
            return Err(self.no_number());
        };
        let fail = |reason: &'static str| {
            let operation = format!("give {decimal} {digits} digits after the point");
            Err(Error::arithmetic(operation, reason))
        };
        if digits > Decimal::MAX_SCALE {
            return fail("a decimal has at most 28");
        }
        let rounded = decimal.round_dp_with_strategy(digits, rounding.strategy());
        if rounding == Rounding::Exact && rounded != decimal {
            return fail("digits that are not zero would be lost; choose how to round");
        }
        // Rounding up a number of all its bits has no room for the next one, and zeros need room too.
        let negative = rounded.is_sign_negative();
        let scale = rounded.scale();
        let mantissa = rounded.mantissa().unsigned_abs();
        let filled = 10u128.checked_pow(digits.saturating_sub(scale));
        let value = filled
            .and_then(|zeros| mantissa.checked_mul(zeros))
            .and_then(|mantissa| Extended::decimal(negative, mantissa, digits.max(scale)));
        match value {
            Some(value) => Ok(Value(Repr::Extended(value))),
            None => fail("the result has more than 96 bits"),
        }
    }

    fn no_number(&self) -> Error {
        Error::WrongType {
            path: Path::root(),
            expected: "a decimal or an integer",
            found: self.kind().name(),
        }
    }
}

impl ValueRef<'_> {
    /// As [`Value::as_decimal`].
    pub fn as_decimal(self) -> Option<Decimal> {
        match self.extended() {
            Some(extended) => extended.decimal_parts().and_then(Parts::decimal),
            None => (self.as_i64().map(Decimal::from)).or_else(|| self.as_u64().map(Decimal::from)),
        }
    }
}

impl Parts {
    fn decimal(self) -> Option<Decimal> {
        let digits = self.digits as i128; // 96 bits
        let signed = if self.negative { -digits } else { digits };
        Decimal::try_from_i128_with_scale(signed, self.scale).ok()
    }
}
