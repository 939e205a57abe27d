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
    cpu_time(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of all threads of this process.
pub fn process_cpu_time() -> Duration {
    cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live, writable timespec, which is all the call touches.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
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
    let start = Clock::now();
    work()?;
    Ok(start.elapsed(operations))
}

/// Runs `work(contender, input)` for every contender in every round and returns the median time of each.
///
/// All contenders of a round get the same input, which `prepare(round)` makes beforehand, untimed. Each round has an
/// order of its own; one round before the first is not counted.
pub fn in_turn<C, I>(
    contenders: &mut [C],
    samples: usize,
    operations: usize,
    mut prepare: impl FnMut(usize) -> I,
    work: impl FnMut(&mut C, &I) -> Result<()>,
) -> Result<Vec<Time>> {
    let prepare = |round| (None, prepare(round));
    turns(contenders, samples, operations, prepare, work)
}

/// [`in_turn`], but each does the same amount of work untimed first, on an input of its own: it brings back to the
/// caches what the contenders before it have pushed out. For work that a program does all the time.
pub fn in_turn_warm<C, I>(
    contenders: &mut [C],
    samples: usize,
    operations: usize,
    mut prepare: impl FnMut(usize) -> I,
    work: impl FnMut(&mut C, &I) -> Result<()>,
) -> Result<Vec<Time>> {
    let prepare = |round| (Some(prepare(round + (1 << 16))), prepare(round));
    turns(contenders, samples, operations, prepare, work)
}

fn turns<C, I>(
    contenders: &mut [C],
    samples: usize,
    operations: usize,
    mut prepare: impl FnMut(usize) -> (Option<I>, I),
    mut work: impl FnMut(&mut C, &I) -> Result<()>,
) -> Result<Vec<Time>> {
    let count = contenders.len();
    let mut taken: Vec<Vec<Time>> = vec![Vec::with_capacity(samples); count];
    for round in 0..=samples {
        let (warm, input) = prepare(round);
        for index in shuffled(count, round) {
            let (Some(contender), Some(times)) = (contenders.get_mut(index), taken.get_mut(index))
            else {
                continue;
            };
            if let Some(warm) = &warm {
                work(contender, warm)?;
            }
            let time = sample(operations, || work(contender, &input))?;
            if round > 0 {
                times.push(time);
            }
        }
    }
    Ok(taken.iter().map(|times| median_time(times)).collect())
}

/// The numbers below `count` in another order every round, so that nobody always comes behind the same neighbour: one
/// that writes much makes the disk slow for the next.
pub fn shuffled(count: usize, round: usize) -> Vec<usize> {
    let mut sequence = Sequence::new(round as u64 + 1);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, sequence.below(last + 1));
    }
    order
}

/// Somebody who does the work of a comparison, many times in a row; see [`side_by_side`].
pub struct Contender<'a> {
    /// Who it is, and in which mode.
    pub name: String,
    run: Box<dyn FnMut(usize) -> Time + 'a>,
    /// Operations that one run of the work does.
    operations: usize,
}

impl<'a> Contender<'a> {
    /// Does `work` in a loop; what it returns is dropped within the loop.
    pub fn new<R>(name: impl Into<String>, mut work: impl FnMut() -> R + 'a) -> Contender<'a> {
        let run = move |count: usize| {
            let start = Clock::now();
            for _ in 0..count {
                std::hint::black_box(work());
            }
            start.elapsed(count)
        };
        Contender {
            name: name.into(),
            run: Box::new(run),
            operations: 1,
        }
    }

    /// Does `work` on what `prepare` makes; neither making that nor dropping the result is timed.
    pub fn prepared<I, R>(
        name: impl Into<String>,
        mut prepare: impl FnMut() -> I + 'a,
        mut work: impl FnMut(I) -> R + 'a,
    ) -> Contender<'a> {
        Contender::timing(name, move || {
            let input = prepare();
            let start = Clock::now();
            let result = std::hint::black_box(work(input));
            let time = start.elapsed(1);
            drop(result);
            time
        })
    }

    /// Times itself, once a call: `work` takes a [`Clock`] when it begins and gives what has elapsed when it has done.
    pub fn timing(name: impl Into<String>, mut work: impl FnMut() -> Time + 'a) -> Contender<'a> {
        let run = move |count: usize| {
            let mut sum = Time::default();
            for _ in 0..count {
                let time = work();
                sum.wall += time.wall;
                sum.cpu += time.cpu;
            }
            let each = |time: f64, cost: f64| (time / count.max(1) as f64 - cost).max(0.0);
            let cost = Clock::cost();
            Time {
                wall: each(sum.wall, cost.wall),
                cpu: each(sum.cpu, cost.cpu),
            }
        };
        Contender {
            name: name.into(),
            run: Box::new(run),
            operations: 1,
        }
    }
}

impl Contender<'_> {
    /// One run of the work is this many operations: times are for one of them.
    #[must_use]
    pub fn each_of(mut self, operations: usize) -> Self {
        self.operations = operations.max(1);
        self
    }
}

/// Both clocks at one moment.
pub struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    /// This moment.
    pub fn now() -> Clock {
        Clock {
            wall: Instant::now(),
            cpu: thread_cpu_time(),
        }
    }

    /// The time since then, for each of so many operations.
    pub fn elapsed(&self, operations: usize) -> Time {
        let cpu = thread_cpu_time().saturating_sub(self.cpu);
        let each = |time: Duration| time.as_nanos() as f64 / operations.max(1) as f64;
        Time {
            wall: each(self.wall.elapsed()),
            cpu: each(cpu),
        }
    }

    /// What timing nothing at all shows.
    fn cost() -> Time {
        static COST: std::sync::OnceLock<Time> = std::sync::OnceLock::new();
        *COST.get_or_init(|| {
            let times: Vec<Time> = (0..1001).map(|_| Clock::now().elapsed(1)).collect();
            median_time(&times)
        })
    }
}

/// Runs the contenders in turn, each as often as fits `sample_time`, and returns the median time of each.
///
/// Rounds begin with another contender each time. Every sample begins with one run that is not counted: it brings back
/// to the caches, and from the system, what the contenders before it have pushed out.
pub fn side_by_side(
    contenders: &mut [Contender<'_>],
    samples: usize,
    sample_time: Duration,
) -> Vec<Time> {
    let count = contenders.len();
    let counts: Vec<usize> = contenders
        .iter_mut()
        .map(|contender| calibrate(contender, sample_time))
        .collect();
    let mut taken: Vec<Vec<Time>> = vec![Vec::with_capacity(samples); count];
    for round in 0..samples {
        for turn in 0..count {
            let index = (turn + round) % count;
            if let (Some(contender), Some(times), Some(count)) = (
                contenders.get_mut(index),
                taken.get_mut(index),
                counts.get(index),
            ) {
                (contender.run)(1);
                times.push((contender.run)(*count));
            }
        }
    }
    let each = |(contender, times): (&Contender<'_>, &Vec<Time>)| {
        let median = median_time(times);
        Time {
            wall: median.wall / contender.operations as f64,
            cpu: median.cpu / contender.operations as f64,
        }
    };
    contenders.iter().zip(&taken).map(each).collect()
}

/// How often the contender does its work in `sample_time`, preparations included; at least once.
fn calibrate(contender: &mut Contender<'_>, sample_time: Duration) -> usize {
    let mut count = 1;
    loop {
        // By CPU time: a moment in which another program ran must not make the samples short.
        let start = thread_cpu_time();
        (contender.run)(count);
        let took = thread_cpu_time().saturating_sub(start);
        if took >= sample_time / 2 || count >= 1 << 24 {
            let each = took.as_nanos().max(1) / count as u128;
            let fits = sample_time.as_nanos() / each.max(1);
            return usize::try_from(fits).unwrap_or(1).clamp(1, 1 << 24);
        }
        count *= 2;
    }
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
    fn every_order_has_everyone() {
        let sorted = |round| {
            let mut order = shuffled(5, round);
            order.sort();
            order
        };
        assert!((0..20).all(|round| sorted(round) == [0, 1, 2, 3, 4]));
        let firsts: std::collections::BTreeSet<_> =
            (0..50).map(|round| shuffled(5, round)[0]).collect();
        assert_eq!(firsts.len(), 5);
    }

    #[test]
    fn the_warm_do_everything_twice() {
        let mut counts = [0, 0];
        let one = |_| 1;
        let add = |count: &mut i32, one: &i32| {
            *count += one;
            Ok(())
        };
        in_turn_warm(&mut counts, 3, 1, one, add).unwrap();
        assert_eq!(counts, [8, 8]);
    }

    #[test]
    fn side_by_side_leaves_preparations_out() {
        let wait = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(100) {}
        };
        let mut contenders = [
            Contender::new("works", wait),
            Contender::prepared("prepares", wait, |()| ()),
        ];
        let times = side_by_side(&mut contenders, 3, Duration::from_millis(1));
        assert!(times[0].wall >= 100_000.0, "{times:?}");
        assert!(times[1].wall < 50_000.0, "{times:?}");
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
