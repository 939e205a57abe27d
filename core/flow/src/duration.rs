//! Durations as people write them.

use std::time::Duration;

/// No duration is longer than this: about a hundred years, which keeps every due time representable.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Reads `200ms`, `1.5s`, `2m`, `1h`, `1d`, a sum such as `1h30m`, or a plain number of seconds. None for anything
/// else, negative durations and durations beyond a hundred years included.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(statewright_flow::parse_duration("1.5s"), Some(Duration::from_millis(1500)));
/// assert_eq!(statewright_flow::parse_duration("1h30m"), Some(Duration::from_secs(5400)));
/// assert_eq!(statewright_flow::parse_duration("soon"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(seconds) = number(text) {
        return checked(seconds);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, tail) = rest.split_at_checked(digits)?;
        let unit_len = tail
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_len)?;
        let unit = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total = total.checked_add(checked(number(amount)? * unit)?)?;
        rest = tail;
    }
    (!text.is_empty() && total <= LONGEST).then_some(total)
}

/// Digits with at most one point: no sign, no exponent, no `inf`.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.bytes().any(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn checked(seconds: f64) -> Option<Duration> {
    // To the nanosecond, so that 0.1 s is not 99 999 999 ns.
    let nanos = (seconds * 1e9).round();
    (nanos <= LONGEST.as_nanos() as f64).then(|| Duration::from_nanos(nanos as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (text, expected) in [
            ("200ms", ms(200)),
            ("1.5s", ms(1500)),
            ("1500us", Some(Duration::from_micros(1500))),
            ("7µs", Some(Duration::from_micros(7))),
            ("0.1s", ms(100)),
            ("2m", ms(120_000)),
            ("1h", ms(3_600_000)),
            ("1d", ms(86_400_000)),
            ("1h30m", ms(5_400_000)),
            ("5", ms(5000)),
            ("0", ms(0)),
            (" 1s ", ms(1000)),
            ("", None),
            ("s", None),
            (".", None),
            ("-1s", None),
            ("1 s", None),
            ("1w", None),
            ("1e3", None),
            ("1.2.3s", None),
            ("inf", None),
            ("1s2", None),
            ("99999999999d", None),
            ("1é", None),
        ] {
            assert_eq!(parse_duration(text), expected, "{text:?}");
        }
    }
}
