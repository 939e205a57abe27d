//! Arithmetic of decimals, exact or none: on plain 128-bit integers, the same in every build.

use std::cmp::Ordering;

use crate::extended::{MAX_DIGITS, MAX_SCALE};
use crate::kinds::parts::{Parts, float_text};

pub(crate) const INEXACT: &str = "the quotient has no end within 28 digits after the point and 96 bits; round it \
                                  (div_round)";

impl Parts {
    /// Of 65 bits at most.
    pub(crate) fn integer(int: i128) -> Parts {
        Parts {
            negative: int < 0,
            digits: int.unsigned_abs(),
            scale: 0,
        }
    }

    pub(crate) fn negated(self) -> Parts {
        Parts {
            negative: !self.negative && self.digits > 0,
            ..self
        }
    }

    /// The nearest double, if it prints as this number.
    pub(crate) fn exact_float(self) -> Option<f64> {
        let float: f64 = self.to_string().parse().ok()?;
        let back = Parts::parse(&float_text(float)).ok()?;
        (back.compare(self) == Ordering::Equal).then_some(float)
    }

    /// Without zeros at the end of what is after the point.
    fn trimmed(mut self) -> Parts {
        while self.scale > 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }

    /// The same number with at most 96 bits, dropping as few zeros as that needs.
    fn fitting(mut self) -> Option<Parts> {
        while self.digits > MAX_DIGITS || self.scale > MAX_SCALE {
            if self.scale == 0 || !self.digits.is_multiple_of(10) {
                return None;
            }
            self.digits /= 10;
            self.scale -= 1;
        }
        Some(Parts {
            negative: self.negative && self.digits > 0,
            ..self
        })
    }

    /// The signed digits with `scale` digits after the point, of which there are no fewer than here.
    fn at_scale(self, scale: u32) -> Option<i128> {
        let factor = 10i128.checked_pow(scale.checked_sub(self.scale)?)?;
        let digits = i128::try_from(self.digits).ok()?.checked_mul(factor)?;
        Some(if self.negative { -digits } else { digits })
    }
}

/// The sum, with the digits after the point of the operand that has more.
pub(crate) fn add(a: Parts, b: Parts) -> Option<Parts> {
    // Without trailing zeros, what leaves 128 bits has a last digit that is not zero, and so no shorter form.
    aligned_sum(a, b).or_else(|| aligned_sum(a.trimmed(), b.trimmed()))
}

fn aligned_sum(a: Parts, b: Parts) -> Option<Parts> {
    let scale = a.scale.max(b.scale);
    let sum = a.at_scale(scale)?.checked_add(b.at_scale(scale)?)?;
    let parts = Parts {
        negative: sum < 0,
        digits: sum.unsigned_abs(),
        scale,
    };
    parts.fitting()
}

/// The product, with as many digits after the point as both have together.
pub(crate) fn mul(mut a: Parts, mut b: Parts) -> Option<Parts> {
    let mut scale = a.scale + b.scale;
    let digits = loop {
        if let Some(digits) = a.digits.checked_mul(b.digits) {
            break digits;
        }
        // A ten of the product that comes after the point may be in one factor, or a two and a five in both.
        scale = scale.checked_sub(1)?;
        let (x, y) = ((a.digits), (b.digits));
        (a.digits, b.digits) = [(10, 1), (1, 10), (2, 5), (5, 2)]
            .into_iter()
            .find(|(p, q)| x.is_multiple_of(*p) && y.is_multiple_of(*q))
            .map(|(p, q)| (x / p, y / q))?;
    };
    let negative = a.negative != b.negative;
    let parts = Parts {
        negative,
        digits,
        scale,
    };
    parts.fitting()
}

/// The quotient if it is a decimal, with as many digits after the point as the dividend has more than the
/// divisor, or as many more as it needs. `b` is not zero.
pub(crate) fn div(a: Parts, b: Parts) -> Option<Parts> {
    let common = gcd(a.digits, b.digits);
    let (digits, divisor) = (a.digits / common, b.digits / common);
    // A fraction in lowest terms ends where its denominator is 2^x 5^y: over 10^max(x, y) then.
    let twos = divisor.trailing_zeros();
    let (mut fives, mut rest) = (0, divisor >> twos);
    while rest.is_multiple_of(5) {
        rest /= 5;
        fives += 1;
    }
    if rest != 1 {
        return None;
    }
    let more = twos.max(fives);
    let factor = 2u128
        .checked_pow(more - twos)?
        .checked_mul(5u128.checked_pow(more - fives)?)?;
    let mut digits = digits.checked_mul(factor)?;
    let mut scale = i64::from(a.scale) - i64::from(b.scale) + i64::from(more);
    while scale > i64::from(MAX_SCALE) && digits.is_multiple_of(10) {
        digits /= 10;
        scale -= 1;
    }
    Parts::scaled(a.negative != b.negative, digits, scale)
}

/// The remainder, with the sign of `a` and the digits after the point of the operand that has more (fewer
/// where only zeros are dropped). `b` is not zero.
pub(crate) fn rem(a: Parts, b: Parts) -> Parts {
    let scale = a.scale.max(b.scale);
    let aligned = 10u128
        .checked_pow(scale - b.scale)
        .and_then(|factor| b.digits.checked_mul(factor));
    // A divisor that leaves 128 bits is larger than the dividend, which stays in 96.
    let Some(divisor) = aligned else {
        return a;
    };
    let mut digits = a.digits % divisor;
    for _ in a.scale..scale {
        digits = mul_mod_ten(digits, divisor);
    }
    Parts {
        negative: a.negative && digits > 0,
        digits,
        scale,
    }
}

/// 10 × `digits` modulo `modulus`, of which `digits` is smaller.
fn mul_mod_ten(digits: u128, modulus: u128) -> u128 {
    match digits.checked_mul(10) {
        Some(product) => product % modulus,
        None => (0..9).fold(digits, |sum, _| match sum >= modulus - digits {
            true => sum - (modulus - digits),
            false => sum + digits,
        }),
    }
}

/// |`a` ÷ `b`| cut to `digits` digits after the point, and how twice what is left compares with one unit of the
/// last digit; none for more than 96 bits. `b` is not zero. The rest is `None` if nothing is left.
#[cfg(feature = "decimal")]
pub(crate) fn div_floor(a: Parts, b: Parts, digits: u32) -> Option<(u128, Option<Ordering>)> {
    // Long division of a.digits by the divisor, one more digit each time; a.scale may have to be made up for.
    let shift = i64::from(digits) + i64::from(b.scale) - i64::from(a.scale);
    let (mut quotient, mut rest) = (a.digits / b.digits, a.digits % b.digits);
    for _ in 0..shift.max(0) {
        rest *= 10; // below 100 bits
        quotient = quotient.checked_mul(10)?.checked_add(rest / b.digits)?;
        rest %= b.digits;
    }
    let mut half = half(rest, b.digits);
    for _ in shift.min(0)..0 {
        let cut = quotient % 10;
        quotient /= 10;
        half = match (cut.cmp(&5), half) {
            (Ordering::Equal, None) => Some(Ordering::Equal),
            (Ordering::Equal, Some(_)) => Some(Ordering::Greater),
            (Ordering::Less, None) if cut == 0 => None,
            (ordering, _) => Some(ordering),
        };
    }
    (quotient <= MAX_DIGITS).then_some((quotient, half))
}

#[cfg(feature = "decimal")]
fn half(rest: u128, divisor: u128) -> Option<Ordering> {
    (rest > 0).then(|| (rest * 2).cmp(&divisor))
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
