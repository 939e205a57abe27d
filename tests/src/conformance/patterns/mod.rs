//! The workflow control-flow patterns: a flow for each in `examples/patterns`, and what it is to do in the TOML file
//! of the same name beside it.
//!
//! A case of such a file is either a script, of which every step must be possible and every check hold, or says what
//! may come of any run. Each is run (a) straight, (b) with a power cut and recovery after every event, which must
//! come to the same end, and, if it is no script, (c) in many random orders, with a power cut now and then; the
//! orders of completion that it lists must all come up.

mod data;
mod knhk;
mod run;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use statewright_flow::net::Net;

use super::{Report, Suite, files, read};
use data::Expected;
pub use knhk::SUITE as KNHK;
pub use world::World;

/// The workflow control-flow patterns of the Workflow Patterns initiative.
pub const SUITE: Suite = Suite {
    name: "patterns",
    about: "the 43 workflow control-flow patterns (Russell, ter Hofstede, van der Aalst, Mulyar 2006), a flow or more \
            for each in `examples/patterns`; the expectations are of this project",
    judged: "a flow is run straight, with a power cut and recovery after every event, and in random orders \
             (1,000 with `cargo xtask conformance`, fewer in `cargo test`); what completes in which order, what is \
             offered at a moment, the tokens and the status at the end must be as its file says, and nothing may complete twice",
    cases: 43,
    run,
};

fn run(_: &Path, report: &mut Report) -> Result<()> {
    let mut of_pattern: BTreeMap<u64, Vec<PathBuf>> = (1..=43).map(|p| (p, Vec::new())).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/patterns");
    for spec in files(&folder, "yaml")? {
        let name = name(&spec);
        let number = name.split('-').next().and_then(|n| n.parse().ok());
        let number: u64 = number.with_context(|| format!("{name} has no number"))?;
        of_pattern.entry(number).or_default().push(spec);
    }
    for (pattern, specs) in of_pattern {
        let first = specs.first().map_or_else(String::new, |spec| name(spec));
        let mut missing = specs.is_empty().then(|| "it has no flow yet".to_owned());
        let mut wrong = None;
        for spec in &specs {
            let source = String::from_utf8(read(spec)?)?;
            let dir = spec.parent().and_then(Path::to_str);
            if let Err(problems) = Net::compile(&source, dir) {
                let why = problems.iter().map(ToString::to_string);
                missing = Some(format!(
                    "its flow is refused: {}",
                    why.collect::<Vec<_>>().join("; ")
                ));
                continue;
            }
            let (of, cases) =
                data::read(&read(&spec.with_extension("toml"))?).with_context(|| name(spec))?;
            ensure!(of == pattern, "{} is about pattern {of}", name(spec));
            for case in &cases {
                if let Err(why) = judge(&source, case, report.effort) {
                    wrong.get_or_insert(format!("{}, {}: {why:#}", name(spec), case.name));
                }
            }
        }
        match (wrong, missing) {
            (Some(why), _) => report.case(first, Err(why)),
            (None, Some(why)) => report.skip(format!("{pattern} {first}"), why),
            (None, None) => report.case(first, Ok(())),
        }
    }
    Ok(())
}

fn name(spec: &Path) -> String {
    let name = spec.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Runs one case in all ways.
fn judge(spec: &str, case: &Expected, effort: usize) -> Result<()> {
    if !case.script.is_empty() {
        let straight = run::script(spec, case, false)?;
        let cut = run::script(spec, case, true).context("with power cuts")?;
        ensure!(
            cut == straight,
            "with power cuts {cut:?}, without {straight:?}"
        );
        return Ok(());
    }
    // Always the first thing that is possible.
    let straight = run::run(spec, case, false, |_| 0)?;
    let cut = run::run(spec, case, true, |_| 0).context("with power cuts")?;
    ensure!(
        cut == straight,
        "with power cuts {cut:?}, without {straight:?}"
    );
    let mut seen = BTreeSet::new();
    for seed in 0..effort as u64 {
        let mut random = Random(seed);
        let power_cuts = seed % 16 == 7;
        let outcome = run::run(spec, case, power_cuts, |n| random.below(n))
            .with_context(|| format!("in random order {seed}"))?;
        seen.insert(outcome.trace);
    }
    // What may come up does, in enough orders.
    if effort >= 500 {
        for trace in &case.traces {
            ensure!(seen.contains(trace), "never: {}", trace.join(" "));
        }
    }
    Ok(())
}

/// SplitMix64: the same order from the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as usize % n
    }
}
