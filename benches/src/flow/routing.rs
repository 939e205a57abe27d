//! What a net alone costs: firing tasks that only join and split, and deciding OR-joins. No store, no data.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use statewright::flow::analysis::{Builder, Decision, Join, Marking, OrJoins, Skeleton, Split};
use statewright::flow::net::{Net, Routes, Routing};

use crate::measure::{Clock, Sequence, median};
use crate::report::{Row, Target};

const BLOCKS: usize = 10;
/// Times that the whole net is run in a sample.
const RUNS: usize = 20_000;

/// Ten blocks in a row: an XOR-join that splits, two tasks, and the AND-join of both; 40 tasks and 61 places.
pub fn blocks() -> String {
    let mut spec = String::from("name: blocks\nstart: h0\ntasks:\n");
    for block in 0..BLOCKS {
        let next = match block + 1 {
            BLOCKS => "again".to_owned(),
            next => format!("h{next}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            spec,
            "  h{block}: {{ join: xor, split: and, next: [b{block}, c{block}] }}\n  b{block}: {{ next: j{block} }}\n  \
             c{block}: {{ next: j{block} }}\n  j{block}: {{ join: and, next: {next} }}"
        );
    }
    let _ = write!(spec, "  again: {{ kind: host, split: or, next: [");
    for block in 0..BLOCKS {
        let _ = write!(spec, "{{ to: h{block}, when: .n == {block} }}, ");
    }
    spec.push_str("end] }\n  end: {}\n");
    spec
}

/// Firing it, and OR-joins.
pub fn run(samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let spec = blocks();
    let net = Net::compile(&spec, None).map_err(|p| anyhow::anyhow!("{p:?}"))?;
    let routes = Routes::of(&net).context("nothing of the net routes")?;
    let mut all = Vec::new();
    for _ in 0..samples.max(1) {
        let mut fired = Vec::new();
        let clock = Clock::now();
        for _ in 0..RUNS {
            fired.clear();
            let mut marking = Routing::from([net.start]);
            routes.run(&mut marking, &mut fired, usize::MAX);
            std::hint::black_box(&marking);
        }
        all.push(clock.elapsed(RUNS * BLOCKS * 4).cpu);
        ensure!(fired.len() == BLOCKS * 4, "{} tasks fired", fired.len());
    }
    let row = Row::time(
        "flow/firing an AND/XOR task (cpu)",
        median(all),
        f64::NAN,
        "",
    );
    emit(row.with_target(Some(Target::ours(8.0))));
    or_joins(samples, emit)
}

/// An OR-split, six chains of eight tasks, an OR-join: 50 tasks.
pub struct Chains {
    net: Skeleton,
    join: usize,
}

const CHAINS: usize = 6;
const LENGTH: usize = 8;

impl Chains {
    /// Builds it.
    pub fn new() -> Result<Chains> {
        let mut net = Builder::default();
        let place = |chain: usize, at: usize| format!("p{chain}_{at}");
        let names = |at: usize| -> Vec<String> { (0..CHAINS).map(|c| place(c, at)).collect() };
        let (first, last) = (names(0), names(LENGTH));
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        let last: Vec<&str> = last.iter().map(String::as_str).collect();
        net.task("split", &["i"], &first).split(Split::Or);
        for chain in 0..CHAINS {
            for at in 0..LENGTH {
                let (from, to) = (place(chain, at), place(chain, at + 1));
                net.task(&format!("t{chain}_{at}"), &[&from], &[&to]);
            }
        }
        net.task("join", &last, &["o"]).join(Join::Or);
        let net = net.build()?;
        let join = net.task("join").context("no join")?;
        Ok(Chains { net, join })
    }

    /// Ready to be asked, knowing nothing yet.
    pub fn joins(&self) -> OrJoins {
        OrJoins::new(&self.net)
    }

    /// One chain done, the others anywhere.
    pub fn marking(&self, sequence: &mut Sequence) -> Result<Marking> {
        let mut names = vec![format!("p0_{LENGTH}")];
        for chain in 1..CHAINS {
            names.push(format!("p{chain}_{}", sequence.below(LENGTH + 1)));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.net.marking(&names).context("no such place")
    }

    /// Asks.
    pub fn ask(&self, joins: &OrJoins, marking: &Marking) -> Decision {
        joins.enabled(self.join, marking, OrJoins::BUDGET)
    }
}

fn or_joins(samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    const MARKINGS: usize = 64;
    let chains = Chains::new()?;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for sample in 0..samples.max(1) {
        let mut sequence = Sequence::new(sample as u64 + 1);
        let markings: Result<Vec<Marking>> = (0..MARKINGS)
            .map(|_| chains.marking(&mut sequence))
            .collect();
        let markings = markings?;
        let joins = chains.joins();
        let clock = Clock::now();
        for marking in &markings {
            ensure!(chains.ask(&joins, marking) != Decision::Undecided);
        }
        first.push(clock.elapsed(MARKINGS).cpu);
        let clock = Clock::now();
        for _ in 0..100 {
            for marking in &markings {
                std::hint::black_box(chains.ask(&joins, marking));
            }
        }
        again.push(clock.elapsed(MARKINGS * 100).cpu);
    }
    let row = |name: &str, all: Vec<f64>, most: f64| {
        let row = Row::time(name, median(all), f64::NAN, "");
        row.with_target(Some(Target::ours(most)))
    };
    emit(row("flow/or-join of 50 tasks, first (cpu)", first, 1e6));
    emit(row("flow/or-join of 50 tasks, known (cpu)", again, 100.0));
    Ok(())
}
