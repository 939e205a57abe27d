//! Decimals: exact numbers with up to 28 digits after the point, by `rust_decimal`.

use rust_decimal::Decimal;

use crate::extended::Extended;
use crate::value::Repr;
use crate::{Value, ValueRef};

impl From<Decimal> for Value {
    /// Keeps the digits after the point: `12.50` stays `12.50`. Zero loses its sign.
    fn from(decimal: Decimal) -> Value {
        let digits = decimal.mantissa().unsigned_abs();
        Extended::decimal(decimal.is_sign_negative(), digits, decimal.scale())
            .map(|decimal| Value(Repr::Extended(decimal)))
            .unwrap_or_default() // always in range
    }
}

impl Value {
    /// The decimal, or an integer as one; exact. Floats are never converted.
    pub fn as_decimal(&self) -> Option<Decimal> {
        self.by_ref().as_decimal()
    }
}

impl ValueRef<'_> {
    /// As [`Value::as_decimal`].
    pub fn as_decimal(self) -> Option<Decimal> {
        match self.extended() {
            Some(extended) => {
                let parts = extended.decimal_parts()?;
                let digits = parts.digits as i128; // 96 bits
                let signed = if parts.negative { -digits } else { digits };
                Decimal::try_from_i128_with_scale(signed, parts.scale).ok()
            }
            None => (self.as_i64().map(Decimal::from)).or_else(|| self.as_u64().map(Decimal::from)),
        }
    }
}
