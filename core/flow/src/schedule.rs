//! When: pauses between attempts, and durations and times that expressions give.

use std::time::Duration;

use statewright_log::Timestamp;
use statewright_value::Value;

use crate::duration::parse_duration;
use crate::net::Retry;

/// No pause or wait is longer than this: about a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How long to wait after the `failures`-th failed attempt: `delay × factor^(failures − 1)`, at most `max_delay`, and
/// up to its part `jitter` less. How much less is as good as random, so that what failed together is not tried again
/// together; but it follows from the case and the item, so that the same attempt has the same pause wherever it is
/// computed.
pub(crate) fn pause(retry: &Retry, failures: u32, (case, item): (&str, u64)) -> Duration {
    if retry.delay.is_zero() {
        return Duration::ZERO; // times what the factor grows to, it would be no number some time
    }
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = retry.delay.as_secs_f64() * retry.factor.powi(exponent);
    let longest = retry.max_delay.unwrap_or(LONGEST).min(LONGEST);
    let pause = Duration::try_from_secs_f64(seconds).map_or(longest, |pause| pause.min(longest));
    if retry.jitter == 0.0 {
        return pause;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(case.as_bytes());
    hasher.update(&item.to_le_bytes());
    hasher.update(&failures.to_le_bytes());
    let first = hasher.finalize().as_bytes().first_chunk().copied();
    // 32 bits of it, as a number from 0 to 1.
    let chance = f64::from(first.map_or(0, u32::from_le_bytes)) / f64::from(u32::MAX);
    pause.mul_f64(1.0 - retry.jitter * chance)
}

/// A duration: a number of seconds, or text such as `1.5s`. None for anything else, negative numbers included.
pub(crate) fn duration_of(value: &Value) -> Option<Duration> {
    let duration = match value.as_str() {
        Some(text) => parse_duration(text)?,
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    Some(duration.min(LONGEST))
}

/// A point in time: RFC 3339 text.
pub(crate) fn time_of(value: &Value) -> Option<Timestamp> {
    let parsed: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_micros(parsed.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: (&str, u64) = ("case", 1);

    fn retry(delay_ms: u64, factor: f64, max_ms: Option<u64>) -> Retry {
        let max_delay = max_ms.map(Duration::from_millis);
        Retry {
            attempts: 100,
            delay: Duration::from_millis(delay_ms),
            factor,
            max_delay,
            jitter: 0.0,
            when: None,
        }
    }

    #[test]
    fn pauses_grow_by_the_factor_up_to_the_limit() {
        let policy = retry(100, 2.0, Some(1000));
        let got: Vec<u128> = (1..=6)
            .map(|n| pause(&policy, n, ITEM).as_millis())
            .collect();
        assert_eq!(got, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pause(&retry(100, 10.0, None), u32::MAX, ITEM), LONGEST);
        for failures in [5, 1025, u32::MAX] {
            assert_eq!(pause(&retry(0, 2.0, None), failures, ITEM), Duration::ZERO);
        }
    }

    #[test]
    fn jitter_shortens_pauses_evenly_and_always_the_same_way() {
        let policy = Retry {
            jitter: 0.5,
            ..retry(1000, 1.0, None)
        };
        let pauses: Vec<Duration> = (0..1000).map(|n| pause(&policy, 1, ("case", n))).collect();
        let again: Vec<Duration> = (0..1000).map(|n| pause(&policy, 1, ("case", n))).collect();
        assert_eq!(pauses, again);
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(1));
        assert!(pauses.iter().all(|p| (least..=most).contains(p)));
        let mean = pauses.iter().sum::<Duration>() / 1000;
        let middle = Duration::from_millis(740)..Duration::from_millis(760);
        assert!(middle.contains(&mean), "{mean:?}");
        let others = [("case", 1, 2), ("other", 1, 1), ("case", 2, 1)];
        let others = others.map(|(case, item, n)| pause(&policy, n, (case, item)));
        assert!(others.iter().all(|p| *p != pause(&policy, 1, ("case", 1))));
    }

    #[test]
    fn durations_and_times_are_read_or_refused() {
        assert_eq!(
            duration_of(&statewright_value::value!(1.5)),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(
            duration_of(&Value::from("200ms")),
            Some(Duration::from_millis(200))
        );
        assert_eq!(duration_of(&Value::from(-1)), None);
        assert_eq!(duration_of(&Value::from("soon")), None);
        assert_eq!(duration_of(&statewright_value::value!(1e300)), None);
        let time = time_of(&Value::from("1970-01-01T01:00:00+01:00")).unwrap();
        assert_eq!(time, Timestamp::EPOCH);
        assert_eq!(time_of(&Value::from("tomorrow")), None);
    }
}
