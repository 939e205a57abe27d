//! Verification of a compiled spec: its findings as problems with their places in the text.

use std::sync::Arc;

use super::verify::{Budget, Finding, FindingKind, Verification, verify};
use crate::net::{Net, TaskId};
use crate::problem::{Pos, Problem, Severity};

/// What is known of one net of a spec.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The flow: the spec's main one, or one under its `flows`.
    pub flow: Arc<str>,
    /// The verdict and what was found.
    pub verification: Verification,
    /// The findings as warnings. Data may keep a case from ever doing what they tell of, so none is an error.
    pub problems: Vec<Problem>,
}

impl Net {
    /// Verifies this net and those under its `flows`, each by itself: a task that runs another flow counts as one
    /// that completes. Costs as [`verify`] for each.
    ///
    /// ```
    /// use statewright_flow::analysis::{Budget, Verdict};
    /// use statewright_flow::net::Net;
    ///
    /// let spec = "
    /// name: stuck
    /// version: 1
    /// tasks:
    ///   a: { split: or, next: [{ to: b, when: .b }, c] }
    ///   b: { kind: host, next: d }
    ///   c: { kind: host, next: d }
    ///   d: { join: and }
    /// ";
    /// let net = Net::compile(spec, None).unwrap();
    /// let main = &net.verify(Budget::default())[0];
    /// assert_eq!(main.verification.verdict, Verdict::NotSound);
    /// let first = &main.problems[0];
    /// assert_eq!((first.line, first.column, first.code), (8, 3, "may-deadlock"));
    /// assert_eq!(first.message, "a case gets stuck with tokens in b>d");
    /// assert_eq!(first.help, "for example: a -> a>b; b -> b>d");
    /// ```
    pub fn verify(&self, budget: Budget) -> Vec<Verified> {
        let below = self.flows.values().map(|net| &**net);
        let nets = std::iter::once(self).chain(below);
        nets.map(|net| {
            let verification = verify(net.skeleton(), budget);
            let findings = verification.findings.iter();
            let findings = findings.filter(|f| f.kind != FindingKind::LeftOver);
            Verified {
                flow: net.name.clone(),
                problems: findings.map(|finding| problem(net, finding)).collect(),
                verification,
            }
        })
        .collect()
    }
}

fn problem(net: &Net, finding: &Finding) -> Problem {
    let at = finding.about.iter().find_map(|name| position(net, name));
    let at = at.unwrap_or_default();
    let trace: Vec<String> = finding.trace.iter().map(ToString::to_string).collect();
    let help = match trace.as_slice() {
        [] => String::new(),
        trace => format!("for example: {}", trace.join("; ")),
    };
    Problem {
        line: at.line.max(1),
        column: at.column.max(1),
        severity: Severity::Warning,
        code: finding.kind.code(),
        message: finding.message.clone(),
        help,
    }
}

/// Where a task is, or the task that a place leads to, or the first one of a section.
fn position(net: &Net, name: &str) -> Option<Pos> {
    let of_place = |name: &str| -> Option<TaskId> {
        let place = net.places.get(net.place(name)?)?;
        place.targets.first().copied()
    };
    let of_section = |name: &str| -> Option<TaskId> {
        let section = net.sections.iter().find(|s| s.name == name)?;
        section.tasks.first().copied()
    };
    let task = net.task(name).or_else(|| of_place(name));
    let task = task.or_else(|| of_section(name))?;
    net.positions.get(task).copied()
}
