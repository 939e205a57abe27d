//! Reading the numbers of JSON (RFC 8259 section 6).

use super::scan::eight_digits;

/// A number as it was written.
pub(super) enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

/// Why text is no number, and where.
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) reason: &'static str,
}

/// The powers of ten that floats hold exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Digits from `at` on, added to `value` (wrapping); where they end.
#[inline(always)]
fn digits(json: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(byte) = json.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *value = value.wrapping_mul(10).wrapping_add(digit.into());
        at += 1;
    }
    at
}

/// As [`digits`], where there are often many.
#[inline(always)]
fn many_digits(json: &[u8], mut at: usize, value: &mut u64) -> usize {
    while let Some(eight) = json
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .and_then(|chunk| eight_digits(*chunk))
    {
        *value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        at += 8;
    }
    digits(json, at, value)
}

/// Reads the number that begins at `at`, with a digit or a minus sign; and where it ends.
#[inline(always)]
pub(super) fn number(json: &[u8], start: usize) -> Result<(Number, usize), Malformed> {
    let negative = json.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let mut significand = 0u64;
    let whole_end = digits(json, first, &mut significand);
    let whole_digits = whole_end - first;
    let fail = |at, reason| Err(Malformed { at, reason });
    if whole_digits == 0 {
        return fail(first, "expected a digit");
    }
    if whole_digits > 1 && json.get(first) == Some(&b'0') {
        return fail(first + 1, "a number has no leading zeros");
    }
    let next = json.get(whole_end).copied().unwrap_or(0);
    if !matches!(next, b'.' | b'e' | b'E') {
        if whole_digits <= 18 && (significand != 0 || !negative) {
            let int = significand as i64;
            return Ok((Number::Int(if negative { -int } else { int }), whole_end));
        }
        return long_integer(json, start, whole_end);
    }
    let mut end = whole_end;
    let mut fraction = 0;
    if next == b'.' {
        end = many_digits(json, whole_end + 1, &mut significand);
        fraction = end - whole_end - 1;
        if fraction == 0 {
            return fail(end, "expected a digit");
        }
    }
    let mut exponent = 0i64;
    if matches!(json.get(end), Some(b'e' | b'E')) {
        end += 1;
        let minus = match json.get(end) {
            Some(b'-') => {
                end += 1;
                true
            }
            Some(b'+') => {
                end += 1;
                false
            }
            _ => false,
        };
        let from = end;
        while let Some(digit @ b'0'..=b'9') = json.get(end) {
            exponent = (exponent * 10 + i64::from(digit - b'0')).min(1 << 32);
            end += 1;
        }
        if end == from {
            return fail(end, "expected a digit");
        }
        if minus {
            exponent = -exponent;
        }
    }
    let power = exponent - fraction as i64;
    // With leading zeros there may be fewer significant digits than this counts, never more.
    if whole_digits + fraction <= 19
        && let Some(float) = decimal_to_float(significand, power)
    {
        return Ok((Number::Float(if negative { -float } else { float }), end));
    }
    float(json, start, end)
}

/// The float nearest to `significand` × 10^`power`; none where that needs more care.
#[inline(always)]
fn decimal_to_float(significand: u64, power: i64) -> Option<f64> {
    // Clinger's fast path: both factors exact, so one rounding.
    if significand < 1 << 53 && (-22..=22).contains(&power) {
        let factor = *EXACT.get(power.unsigned_abs() as usize)?;
        let float = significand as f64;
        return Some(if power < 0 {
            float / factor
        } else {
            float * factor
        });
    }
    eisel_lemire(significand, power)
}

/// D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), where the table is exact enough that the
/// product decides, and the result is a normal number.
fn eisel_lemire(significand: u64, power: i64) -> Option<f64> {
    let at = usize::try_from(power - LEAST_POWER).ok()?;
    let five = *FIVES.get(at)?;
    let shift = significand.leading_zeros();
    let normal = significand.checked_shl(shift)?; // none for zero
    let times = |factor: u64| u128::from(normal) * u128::from(factor);
    let mut product = times((five >> 64) as u64);
    // Where the bits below the result's are all ones, the lower half of the power may carry into it.
    if (product >> 64) as u64 & 0x1FF == 0x1FF {
        product += times(five as u64) >> 64;
    }
    let (high, low) = ((product >> 64) as u64, product as u64);
    let top = high >> 63;
    let below = top + 64 - 52 - 3;
    let mut mantissa = high >> below;
    // 217706 / 2^16 is the binary logarithm of ten.
    let mut exponent = ((217_706 * power) >> 16) + 63 + top as i64 - i64::from(shift) + 1023;
    if low <= 1 && (-4..=23).contains(&power) && mantissa & 3 == 1 && mantissa << below == high {
        mantissa &= !1; // exactly half way: to even
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if mantissa >= 2 << 52 {
        mantissa = 1 << 52;
        exponent += 1;
    }
    let normal = (1..0x7FF).contains(&exponent);
    normal.then(|| f64::from_bits(mantissa & !(1 << 52) | (exponent as u64) << 52))
}

const LEAST_POWER: i64 = -27;

/// The powers of five from −27 to 55, scaled to 128 bits: rounded up below 1, exact from there.
#[expect(
    clippy::indexing_slicing,
    reason = "a constant: a panic in it would be an error of compilation"
)]
const FIVES: [u128; 83] = {
    let mut table = [0; 83];
    let mut at = 0;
    while at < table.len() {
        let power = at as i64 + LEAST_POWER;
        table[at] = if power < 0 {
            reciprocal(5u128.pow(-power as u32))
        } else {
            let five = 5u128.pow(power as u32);
            five << five.leading_zeros()
        };
        at += 1;
    }
    table
};

/// 2^(127 + bits of `five`) / `five`, rounded up, by long division; `five` has at most 63 bits.
const fn reciprocal(five: u128) -> u128 {
    let bits = 128 - five.leading_zeros();
    let (mut quotient, mut rest) = (0u128, 1u128);
    let mut step = 0;
    while step < 127 + bits {
        rest <<= 1;
        quotient <<= 1;
        if rest >= five {
            rest -= five;
            quotient |= 1;
        }
        step += 1;
    }
    quotient + 1
}

#[cold]
fn long_integer(json: &[u8], start: usize, end: usize) -> Result<(Number, usize), Malformed> {
    let text = text(json, start, end);
    if text == "-0" {
        // No integer is negative zero.
        return Ok((Number::Float(-0.0), end));
    }
    if let Ok(int) = text.parse() {
        return Ok((Number::Int(int), end));
    }
    if let Ok(uint) = text.parse() {
        return Ok((Number::Uint(uint), end));
    }
    float(json, start, end)
}

fn float(json: &[u8], start: usize, end: usize) -> Result<(Number, usize), Malformed> {
    match text(json, start, end).parse() {
        Ok(float) if f64::is_finite(float) => Ok((Number::Float(float), end)),
        _ => Err(Malformed {
            at: start,
            reason: "the number is beyond the range of floats (about ±1.8e308)",
        }),
    }
}

fn text(json: &[u8], start: usize, end: usize) -> &str {
    let digits = json.get(start..end).unwrap_or_default();
    std::str::from_utf8(digits).unwrap_or_default()
}
