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
    while let Some(eight) = json
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .and_then(|chunk| eight_digits(*chunk))
    {
        *value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        at += 8;
    }
    while let Some(digit @ b'0'..=b'9') = json.get(at) {
        *value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    at
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
        end = digits(json, whole_end + 1, &mut significand);
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
    // Clinger's fast path: both factors exact, so one rounding.
    if whole_digits + fraction <= 19 && significand < 1 << 53 {
        let float = significand as f64;
        let exact = |power: i64| EXACT.get(usize::try_from(power).ok()?).copied();
        let scaled = match (exact(power), exact(-power)) {
            (Some(factor), _) => Some(float * factor),
            (_, Some(divisor)) => Some(float / divisor),
            _ => None,
        };
        if let Some(float) = scaled {
            return Ok((Number::Float(if negative { -float } else { float }), end));
        }
    }
    float(json, start, end)
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
