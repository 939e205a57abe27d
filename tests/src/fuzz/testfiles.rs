//! A file of tests of a flow (`*.test.yaml`), from a stranger.

use statewright_flow::Problem;
use statewright_flow::testing::TestFile;

/// A flow that the tests are of.
const FLOW: &str = "name: f\ntasks:\n  a: { kind: host, next: b }\n  b: { kind: host }\n";

/// A file of tests, or text that is none: all of it is read, or every problem has its place.
pub(super) fn testfile(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else {
        return;
    };
    let read = TestFile::read(source);
    match &read {
        Ok(file) => {
            let tests = file.tests(FLOW, None, &[]);
            assert!(!tests.is_empty(), "a file without tests is a file");
            for test in &tests {
                assert!(!test.name().is_empty());
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "it is wrong, and nobody says why");
            for problem in problems {
                assert_placed(problem, source);
            }
        }
    }
    let again = TestFile::read(source);
    assert_eq!(read.err(), again.err());
}

/// A problem is within the text, or right behind it, and short.
pub(super) fn assert_placed(problem: &Problem, source: &str) {
    let lines = source
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count();
    assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
    assert!(problem.line as usize <= lines + 1, "{problem}");
    assert!(
        problem.column as usize <= source.chars().count() + 1,
        "{problem}"
    );
    assert!(!problem.message.is_empty() && !problem.code.is_empty());
    let longest = 4 * source.len() + 1000;
    assert!(problem.to_string().len() <= longest, "{problem}");
}
