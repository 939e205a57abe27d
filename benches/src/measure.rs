//! Timing contenders in turn, so that what else the machine does falls on all of them alike.

use std::time::{Duration, Instant};

use anyhow::Result;

/// One sample, or the median of many: time of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    /// Nanoseconds by the wall clock.
    pub wall: f64,
    /// Nanoseconds this thread was running; blind to other threads of the contender and to waiting.
    pub cpu: f64,
}

/// CPU time of the calling thread.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live, writable timespec, which is all the call touches.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    if result != 0 {
        return Duration::ZERO;
    }
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Times `operations` operations done by `work`, per operation.
fn sample(operations: usize, work: impl FnOnce() -> Result<()>) -> Result<Time> {
    let (wall, cpu) = (Instant::now(), thread_cpu_time());
    work()?;
    let (wall, cpu) = (wall.elapsed(), thread_cpu_time().saturating_sub(cpu));
    let each = |time: Duration| time.as_nanos() as f64 / operations.max(1) as f64;
    Ok(Time {
        wall: each(wall),
        cpu: each(cpu),
    })
}

/// Runs `work(contender, input)` for every contender in every round and returns the median time of each.
///
/// All contenders of a round get the same input, which `prepare(round)` makes beforehand, untimed. Rounds begin with
/// another contender each time; one round before the first is not counted.
pub fn in_turn<C, I>(
    contenders: &mut [C],
    samples: usize,
    operations: usize,
    mut prepare: impl FnMut(usize) -> I,
    mut work: impl FnMut(&mut C, &I) -> Result<()>,
) -> Result<Vec<Time>> {
    let count = contenders.len();
    let mut taken: Vec<Vec<Time>> = vec![Vec::with_capacity(samples); count];
    for round in 0..=samples {
        let input = prepare(round);
        for turn in 0..count {
            let index = (turn + round) % count;
            let (Some(contender), Some(times)) = (contenders.get_mut(index), taken.get_mut(index))
            else {
                continue;
            };
            let time = sample(operations, || work(contender, &input))?;
            if round > 0 {
                times.push(time);
            }
        }
    }
    Ok(taken.iter().map(|times| median_time(times)).collect())
}

fn median_time(times: &[Time]) -> Time {
    let of = |part: fn(&Time) -> f64| median(times.iter().map(part).collect());
    Time {
        wall: of(|time| time.wall),
        cpu: of(|time| time.cpu),
    }
}

/// The middle value, or the mean of the two in the middle. 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => values
            .get(middle.wrapping_sub(1))
            .map_or(*value, |below| (below + value) / 2.0),
        (None, _) => 0.0,
    }
}

/// A small deterministic generator (xorshift64*): every contender sees the same keys in the same order.
pub struct Sequence(u64);

impl Sequence {
    /// The same seed gives the same sequence.
    pub fn new(seed: u64) -> Sequence {
        Sequence(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound` (which is at least 1).
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() >> 16) as usize % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn everyone_takes_every_turn() {
        let mut contenders = [vec![], vec![], vec![]];
        let times = in_turn(
            &mut contenders,
            4,
            1,
            |round| round,
            |rounds, round| {
                rounds.push(*round);
                Ok(())
            },
        );
        assert_eq!(times.unwrap().len(), 3);
        assert_eq!(
            contenders,
            [
                vec![0, 1, 2, 3, 4],
                vec![0, 1, 2, 3, 4],
                vec![0, 1, 2, 3, 4]
            ]
        );
    }

    #[test]
    fn sequences_repeat() {
        let take = |seed| {
            let mut sequence = Sequence::new(seed);
            [
                sequence.below(1000),
                sequence.below(1000),
                sequence.below(1000),
            ]
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }
}
