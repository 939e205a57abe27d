//! What a run of steps prints at its end: one table and one closing line, or one JSON object.

use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use crate::counts::Counts;

pub struct Outcome {
    pub step: &'static str,
    pub counts: Counts,
    pub error: Option<String>,
    pub time: Duration,
}

impl Outcome {
    fn result(&self) -> &'static str {
        if self.error.is_some() { "FAILED" } else { "ok" }
    }

    /// What it adds to the sum: a step that failed without a failed test counts as one.
    fn counted(&self) -> Counts {
        let failed = if self.error.is_some() {
            self.counts.failed.max(1)
        } else {
            self.counts.failed
        };
        Counts {
            failed,
            ..self.counts
        }
    }
}

pub fn total(outcomes: &[Outcome]) -> Counts {
    let mut total = Counts::default();
    outcomes
        .iter()
        .for_each(|outcome| total += outcome.counted());
    total
}

/// `N passed, N failed`, and the skipped ones when there are any.
pub fn closing_line(total: Counts) -> String {
    let Counts {
        passed,
        failed,
        skipped,
    } = total;
    let skipped = if skipped > 0 {
        format!(", {skipped} skipped")
    } else {
        String::new()
    };
    format!("{passed} passed, {failed} failed{skipped}")
}

pub fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes
        .iter()
        .map(|outcome| outcome.step.len())
        .max()
        .unwrap_or(0)
        .max("step".len());
    let mut text = format!(
        "{:width$}  result  passed  failed  skipped  seconds\n",
        "step"
    );
    for outcome in outcomes {
        let Counts {
            passed,
            failed,
            skipped,
        } = outcome.counted();
        let (step, result, seconds) = (outcome.step, outcome.result(), outcome.time.as_secs_f64());
        let cell = |number: u64| {
            if number == 0 {
                "-".to_string()
            } else {
                number.to_string()
            }
        };
        let (passed, failed, skipped) = (cell(passed), cell(failed), cell(skipped));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{step:width$}  {result:6}  {passed:>6}  {failed:>6}  {skipped:>7}  {seconds:>7.1}"
        );
    }
    text
}

pub fn json(outcomes: &[Outcome]) -> String {
    let steps: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let Counts { passed, failed, skipped } = outcome.counted();
            let seconds = (outcome.time.as_secs_f64() * 10.0).round() / 10.0;
            let mut step = json!({"step": outcome.step, "ok": outcome.error.is_none(), "passed": passed,
                "failed": failed, "skipped": skipped, "seconds": seconds});
            if let (Some(error), Some(step)) = (&outcome.error, step.as_object_mut()) {
                step.insert("error".into(), json!(error));
            }
            step
        })
        .collect();
    let Counts {
        passed,
        failed,
        skipped,
    } = total(outcomes);
    json!({"steps": steps, "passed": passed, "failed": failed, "skipped": skipped}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<Outcome> {
        let counts = |passed, failed, skipped| Counts {
            passed,
            failed,
            skipped,
        };
        let time = Duration::from_millis(1240);
        vec![
            Outcome {
                step: "fmt",
                counts: counts(0, 0, 0),
                error: None,
                time,
            },
            Outcome {
                step: "rust",
                counts: counts(12, 2, 1),
                error: Some("a test failed".into()),
                time,
            },
            Outcome {
                step: "examples-go",
                counts: counts(0, 0, 0),
                error: Some("no folder".into()),
                time,
            },
        ]
    }

    #[test]
    fn table_has_a_row_for_every_step() {
        let expected = "step         result  passed  failed  skipped  seconds\n\
                        fmt          ok           -       -        -      1.2\n\
                        rust         FAILED      12       2        1      1.2\n\
                        examples-go  FAILED       -       1        -      1.2\n";
        assert_eq!(table(&outcomes()), expected);
    }

    #[test]
    fn a_step_that_breaks_counts_as_failed() {
        assert_eq!(
            closing_line(total(&outcomes())),
            "12 passed, 3 failed, 1 skipped"
        );
        assert_eq!(
            closing_line(Counts {
                passed: 3,
                failed: 0,
                skipped: 0
            }),
            "3 passed, 0 failed"
        );
    }

    #[test]
    fn json_is_one_object() {
        let value: serde_json::Value = serde_json::from_str(&json(&outcomes())).unwrap();
        assert_eq!(value["failed"], 3);
        assert_eq!(value["steps"][2]["error"], "no folder");
        assert_eq!(value["steps"][0]["seconds"], 1.2);
    }
}
