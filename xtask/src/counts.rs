//! How many tests ran: read from what each test runner prints.

use std::ops::AddAssign;

/// Tests that passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// `cargo test`: every test binary and every crate's doc tests end with one `test result:` line.
pub fn cargo_test(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output
        .lines()
        .filter(|line| line.starts_with("test result:"))
    {
        for part in line.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (number, what) = (
                words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
                words.next(),
            );
            match what {
                Some("passed") => counts.passed += number,
                Some("failed") => counts.failed += number,
                Some("ignored") => counts.skipped += number,
                _ => {}
            }
        }
    }
    counts
}

/// `go test -v`: one `--- PASS: TestName` line for a test; those of subtests are indented and belong to their test.
pub fn go_test(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        match line.split_once(':').map(|(verdict, _)| verdict) {
            Some("--- PASS") => counts.passed += 1,
            Some("--- FAIL") => counts.failed += 1,
            Some("--- SKIP") => counts.skipped += 1,
            _ => {}
        }
    }
    counts
}

/// `node --test --test-reporter=tap`: the totals are the last comments.
pub fn node_test(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        let mut words = line.split_whitespace();
        let (Some("#"), Some(what), Some(Ok(number)), None) = (
            words.next(),
            words.next(),
            words.next().map(str::parse),
            words.next(),
        ) else {
            continue;
        };
        match what {
            "pass" => counts.passed = number,
            "fail" | "cancelled" => counts.failed += number,
            "skipped" | "todo" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

/// CTest's JUnit report: the totals are attributes of `<testsuite>`.
pub fn ctest_junit(xml: &str) -> Counts {
    let suite = xml
        .split_once("<testsuite")
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or("", |(head, _)| head);
    let attribute = |name: &str| -> u64 {
        let value = suite
            .split_once(&format!(" {name}=\""))
            .or_else(|| suite.split_once(&format!("\t{name}=\"")));
        value
            .and_then(|(_, rest)| rest.split_once('"'))
            .and_then(|(number, _)| number.parse().ok())
            .unwrap_or(0)
    };
    let (failed, skipped) = (
        attribute("failures"),
        attribute("skipped") + attribute("disabled"),
    );
    Counts {
        passed: attribute("tests").saturating_sub(failed + skipped),
        failed,
        skipped,
    }
}

/// Our own programs: the last line of the form `N passed, N failed`.
pub fn closing_line(output: &str) -> Counts {
    let numbers = |line: &str| {
        let (passed, rest) = line.split_once(" passed, ")?;
        let (failed, _) = rest.split_once(" failed")?;
        Some((passed.parse().ok()?, failed.parse().ok()?))
    };
    let (passed, failed) = output.lines().rev().find_map(numbers).unwrap_or((0, 0));
    Counts {
        passed,
        failed,
        skipped: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_sums_over_test_binaries() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(
            cargo_test(output),
            Counts {
                passed: 5,
                failed: 1,
                skipped: 1
            }
        );
    }

    #[test]
    fn go_counts_tests_not_subtests() {
        let output = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/one (0.00s)\n--- FAIL: TestB (0.1s)\n\
                      --- SKIP: TestC (0.0s)\nFAIL\n";
        assert_eq!(
            go_test(output),
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
    }

    #[test]
    fn node_reads_the_totals() {
        let output = "TAP version 13\nok 1 - opens\n1..3\n# tests 5\n# suites 0\n# pass 2\n# fail 1\n# cancelled 1\n\
                      # skipped 1\n# todo 0\n# duration_ms 51.2\n";
        assert_eq!(
            node_test(output),
            Counts {
                passed: 2,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn ctest_reads_the_suite() {
        let xml = "<?xml version=\"1.0\"?>\n<testsuite name=\"Linux-c++\"\n\ttests=\"7\"\n\tfailures=\"1\"\n\tdisabled=\"0\"\n\
                   \tskipped=\"2\"\n\thostname=\"\"\n>\n\t<testcase name=\"a\"/></testsuite>";
        assert_eq!(
            ctest_junit(xml),
            Counts {
                passed: 4,
                failed: 1,
                skipped: 2
            }
        );
    }

    #[test]
    fn our_own_closing_line_counts() {
        let output = "        misuse: 57 passed, 0 failed\n14 passed, 1 failed\n";
        assert_eq!(
            closing_line(output),
            Counts {
                passed: 14,
                failed: 1,
                skipped: 0
            }
        );
    }

    #[test]
    fn silence_counts_nothing() {
        for count in [cargo_test, go_test, node_test, ctest_junit, closing_line] {
            assert_eq!(count("error: could not compile\n"), Counts::default());
        }
    }
}
