//! The page that says what conforms, written from the reports.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Report, Suite};

/// Where the page is, from the root of the clone.
pub const PAGE: &str = "docs/CONFORMANCE.md";

const HEAD: &str = "\
# Conformance

Written by `cargo xtask conformance --write` and checked by `cargo test`: edit `tests/src/conformance` instead.

The suites are public ones, laid beside the repository in `../shared/conformance`, whose `MANIFEST.md` names their
sources and licences. `cargo xtask conformance` runs them all, or those it is told to; it ends with 1 when a case fails.
";

/// The whole page.
pub fn page(results: &[(&Suite, Report)]) -> String {
    let mut page = HEAD.to_owned();
    // Writing to a String cannot fail.
    let _ = page.write_str("\n| suite | what it is | cases | passed | failed | skipped |\n");
    let _ = page.write_str("| --- | --- | --- | --- | --- | --- |\n");
    for (suite, report) in results {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            suite.name,
            suite.about,
            report.cases(),
            report.passed,
            report.failures.len(),
            report.skips.len()
        );
    }
    let _ = page.write_str("\n## How a case is judged\n\n");
    for (suite, _) in results {
        let _ = writeln!(page, "- `{}`: {}.", suite.name, suite.judged);
    }
    let _ = page.write_str("\n## Every skip, and why\n");
    for (suite, report) in results
        .iter()
        .filter(|(_, report)| !report.skips.is_empty())
    {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (case, reason) in &report.skips {
            reasons.entry(reason).or_default().push(case);
        }
        let _ = writeln!(page, "\n### `{}`", suite.name);
        for (reason, cases) in reasons {
            let _ = writeln!(page, "\n{} of them: {reason}.\n", cases.len());
            for case in cases {
                let _ = writeln!(page, "- `{}`", case.replace('`', "'"));
            }
        }
    }
    page
}
