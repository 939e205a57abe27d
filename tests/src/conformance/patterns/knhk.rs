//! The patterns by the numbers of the KNHK engine: the flows of the pattern that a number stands for, and flows of
//! their own, in `examples/patterns-knhk`, for what the official list does not count.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use statewright_flow::patterns::{Numbering, pattern};

use super::super::{Report, Suite, files, read};
use super::{judge, name, test_file};

/// The patterns in the other numbering.
pub const SUITE: Suite = Suite {
    name: "patterns-knhk",
    about: "the 43 patterns of the KNHK engine by its own numbers and names (`statewright_flow::patterns`), those of the \
            official list by their flows, the others by flows of their own in `examples/patterns-knhk`",
    judged: "those of the official list must have a flow there, which `patterns` judges; the others are run straight, and \
             with a power cut and recovery after every event",
    cases: 43,
    run,
};

fn run(_: &Path, report: &mut Report) -> Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for number in 1..=43 {
        let of = pattern(Numbering::Knhk, number).context("43 have a number")?;
        let (folder, in_file) = match of.wcp {
            Some(wcp) => (folder.join("patterns"), wcp),
            None => (folder.join("patterns-knhk"), number),
        };
        let prefix = format!("{in_file:02}-");
        let mut specs = files(&folder, "yaml")?;
        specs.retain(|spec| name(spec).starts_with(&prefix));
        let mut outcome = match specs.as_slice() {
            [] => Err("it has no flow".to_owned()),
            _ => Ok(()),
        };
        // What is in the official list is run there.
        let own = specs.iter().filter(|_| of.wcp.is_none());
        for spec in own {
            let source = String::from_utf8(read(spec)?)?;
            for test in test_file(spec)?.tests(&source, None, &[]) {
                if let (Err(why), Ok(())) = (judge(&test, 0), &outcome) {
                    outcome = Err(format!("{}: {why}", name(spec)));
                }
            }
        }
        report.case(format!("{number} {}", of.name), outcome);
    }
    Ok(())
}
