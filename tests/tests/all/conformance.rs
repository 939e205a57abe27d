//! Every public suite passes, and the page that says so is right.

use statewright_tests::conformance::{PAGE, Report, SUITES, Suite, page};

/// Random orders in which a flow is run; `cargo xtask conformance` tries more.
const ORDERS: usize = 5;

#[test]
fn every_suite_passes_and_the_page_says_so() {
    if !Suite::data().is_dir() {
        let at = Suite::data();
        assert!(std::env::var("CI").is_err(), "no data at {}", at.display());
        eprintln!("skipped: no conformance data at {}", at.display());
        return;
    }
    let results: Vec<(&Suite, Report)> = SUITES
        .iter()
        .map(|suite| (suite, suite.run(ORDERS).unwrap()))
        .collect();
    for (suite, report) in &results {
        assert!(
            report.failures.is_empty(),
            "{}: {:#?}",
            suite.name,
            report.failures
        );
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    let text = std::fs::read_to_string(format!("{path}{PAGE}")).unwrap();
    assert_eq!(
        text,
        page(&results),
        "run `cargo xtask conformance --write`"
    );
}
