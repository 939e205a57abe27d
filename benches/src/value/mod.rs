//! Values: parse, print, read, query, edit, merge and encode, against the JSON libraries that Rust users would take.
//!
//! * [`inputs`] reads the public documents and makes the synthetic ones;
//! * [`codecs`], [`reading`], [`editing`] and [`versions`] hold the comparisons, [`PARTS`] names them;
//! * [`Run`] measures what was asked for and makes rows of it.
//!
//! Everything here is the work of one thread that waits for nothing, so CPU time counts: what else the machine does
//! does not show in it.

pub mod codecs;
pub mod editing;
pub mod inputs;
pub mod reading;
pub mod versions;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::measure::{Contender, Time, side_by_side};
use crate::report::{Row, Target};
use inputs::Inputs;

/// A comparison, or a few that belong together.
type Part = fn(&mut Run<'_>, &Inputs) -> Result<()>;

/// Every part by its name, which is also how its rows begin.
pub const PARTS: &[(&str, Part)] = &[
    ("size", codecs::size),
    ("parse", codecs::parse),
    ("memory", codecs::memory),
    ("print", codecs::print),
    ("msgpack", codecs::msgpack),
    ("path", reading::path),
    ("query", reading::query),
    ("clone", editing::clone),
    ("set", editing::set),
    ("push", editing::push),
    ("insert", editing::insert),
    ("merge", versions::merge),
    ("diff", versions::changes),
    ("allocations", reading::allocations),
];

/// How long one contender works for one sample, at least once.
const SAMPLE_TIME: Duration = Duration::from_millis(1);

/// Measures the parts whose name, or the name of one of whose rows, contains one of `wanted`; all if none is given.
pub fn run(samples: usize, wanted: &[String], emit: &mut dyn FnMut(Row)) -> Result<()> {
    let inputs = Inputs::load()?;
    let mut run = Run {
        samples,
        wanted,
        emit,
        rows: 0,
    };
    for (name, part) in PARTS {
        // A part builds what its rows need: skip it when no row of it can be wanted.
        let row = |wanted: &String| wanted.starts_with(name) || name.contains(wanted.as_str());
        if wanted.is_empty() || wanted.iter().any(row) {
            part(&mut run, &inputs)?;
        }
    }
    ensure!(
        run.rows > 0,
        "nothing of the value suite is called {}",
        wanted.join(" or ")
    );
    Ok(())
}

/// One run of the suite.
pub struct Run<'a> {
    samples: usize,
    wanted: &'a [String],
    emit: &'a mut dyn FnMut(Row),
    rows: usize,
}

impl Run<'_> {
    /// Whether this comparison was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|part| name.contains(part.as_str()))
    }

    /// Measures the contenders, ours first, and emits a row for each peer. `targets` go with the peers, in order.
    ///
    /// Gives the times, or none when the comparison was not asked for.
    pub fn compare(
        &mut self,
        name: &str,
        mut contenders: Vec<Contender<'_>>,
        targets: &[Option<Target>],
    ) -> Option<Compared> {
        if !self.wants(name) {
            return None;
        }
        let times = side_by_side(&mut contenders, self.samples, SAMPLE_TIME);
        let (ours, peers) = times.split_first()?;
        let mut compared = Compared(Vec::new());
        for (at, (peer, contender)) in peers.iter().zip(contenders.iter().skip(1)).enumerate() {
            let target = targets.get(at).copied().flatten();
            self.row(name, ours.cpu, peer.cpu, &contender.name, target);
            compared.0.push((contender.name.clone(), *ours, *peer));
        }
        Some(compared)
    }

    /// Emits one row of times.
    pub fn row(&mut self, name: &str, ours: f64, peer: f64, who: &str, target: Option<Target>) {
        self.emit(Row::time(format!("value/{name}"), ours, peer, who).with_target(target));
    }

    /// Emits any row.
    pub fn emit(&mut self, row: Row) {
        self.rows += 1;
        (self.emit)(row);
    }
}

/// What one comparison gave: each peer's name, our time and the peer's.
pub struct Compared(Vec<(String, Time, Time)>);

/// Geometric means over several inputs, one for each peer.
#[derive(Default)]
pub struct Means(Vec<Mean>);

#[derive(Default)]
struct Mean {
    peer: String,
    ours: f64,
    theirs: f64,
    count: usize,
}

impl Means {
    /// Takes in what was measured on one more input.
    pub fn add(&mut self, compared: Option<Compared>) {
        for (peer, ours, theirs) in compared.into_iter().flat_map(|compared| compared.0) {
            self.add_one(&peer, ours.cpu, theirs.cpu);
        }
    }

    /// Takes in one pair of numbers.
    pub fn add_one(&mut self, peer: &str, ours: f64, theirs: f64) {
        if !self.0.iter().any(|mean| mean.peer == peer) {
            self.0.push(Mean {
                peer: peer.to_owned(),
                ..Mean::default()
            });
        }
        for mean in self.0.iter_mut().filter(|mean| mean.peer == peer) {
            mean.ours += ours.max(f64::MIN_POSITIVE).ln();
            mean.theirs += theirs.max(f64::MIN_POSITIVE).ln();
            mean.count += 1;
        }
    }

    /// Emits a row for each peer that was measured on more than one input; `target` by the peer's name.
    pub fn rows(
        &self,
        run: &mut Run<'_>,
        name: &str,
        target: impl Fn(&str) -> Option<Target>,
    ) -> Result<()> {
        for mean in self.0.iter().filter(|mean| mean.count > 1) {
            let of = |sum: f64| (sum / mean.count as f64).exp();
            let (ours, theirs) = (of(mean.ours), of(mean.theirs));
            run.row(name, ours, theirs, &mean.peer, target(&mean.peer));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole comparison in small, which also checks that contenders agree on what they found.
    #[test]
    fn every_part_gives_rows() {
        if !Inputs::folder().is_dir() {
            assert!(std::env::var("CI").is_err(), "no inputs");
            eprintln!("skipped: no inputs in {}", Inputs::folder().display());
            return;
        }
        for (name, _) in PARTS {
            let mut rows = Vec::new();
            run(1, &[(*name).to_owned()], &mut |row| rows.push(row)).unwrap();
            let begins = |row: &Row| row.name.starts_with(&format!("value/{name}"));
            assert!(rows.iter().any(begins), "{name}: {rows:#?}");
        }
        assert!(run(1, &["nonsense".to_owned()], &mut |_| ()).is_err());
    }

    #[test]
    fn geometric_means() {
        let mut means = Means::default();
        means.add_one("peer", 1.0, 4.0);
        means.add_one("peer", 4.0, 4.0);
        let mut rows = Vec::new();
        let mut run = Run {
            samples: 1,
            wanted: &[],
            emit: &mut |row| rows.push(row),
            rows: 0,
        };
        means
            .rows(&mut run, "parse/mean", |_| Some(Target::ratio(2.0)))
            .unwrap();
        let row = rows.first().unwrap();
        assert!((row.ours - 2.0).abs() < 1e-9 && (row.peer - 4.0).abs() < 1e-9);
        assert_eq!(row.name, "value/parse/mean");
    }
}
