//! What is known of a query before it runs.

use super::matcher::Source;
use super::program::{Condition, Operand, Selector, Slice, Step, SubQuery};

/// What a query may cost and find, known from its text alone; see [`crate::Query::complexity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Complexity {
    /// At most one result in any value, at the cost of one lookup per segment.
    pub singular: bool,
    /// Segments, those of queries inside filters not counted.
    pub segments: usize,
    /// Descendant segments (`..`), those inside filters counted too. One visits everything below a node; each
    /// further one in a row multiplies by the depth.
    pub descendants: usize,
    /// Filters, those inside filters counted too.
    pub filters: usize,
    /// Calls of `match` and `search`.
    pub patterns: usize,
    /// The most results in any value, where the text tells; none where it depends on the value.
    pub max_results: Option<u64>,
}

impl Complexity {
    pub(super) fn of(program: &[Step]) -> Complexity {
        let mut complexity = Complexity {
            singular: program.iter().all(Step::is_singular),
            segments: program.len(),
            descendants: 0,
            filters: 0,
            patterns: 0,
            max_results: program.iter().try_fold(1u64, |results, step| {
                let selectors: &[Selector] = match step {
                    Step::Name(_) | Step::Index(_) => return Some(results),
                    Step::Children(selectors) => selectors,
                    Step::Descendants(_) => return None,
                };
                let each = selectors
                    .iter()
                    .map(most)
                    .try_fold(0u64, |sum, most| sum.checked_add(most?))?;
                results.checked_mul(each)
            }),
        };
        complexity.steps(program);
        complexity
    }

    fn steps(&mut self, program: &[Step]) {
        for step in program {
            let selectors: &[Selector] = match step {
                Step::Name(_) | Step::Index(_) => &[],
                Step::Children(selectors) => selectors,
                Step::Descendants(selectors) => {
                    self.descendants += 1;
                    selectors
                }
            };
            for selector in selectors {
                if let Selector::Filter(condition) = selector {
                    self.filters += 1;
                    self.condition(condition);
                }
            }
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Any(conditions) | Condition::All(conditions) => {
                for condition in conditions {
                    self.condition(condition);
                }
            }
            Condition::Not(condition) => self.condition(condition),
            Condition::Exists(query) => self.sub_query(query),
            Condition::Check(check) => self.sub_query(&check.0),
            Condition::Compare(comparison) => {
                let (left, _, right) = &**comparison;
                self.operand(left);
                self.operand(right);
            }
            Condition::Matches(matches) => {
                let (text, pattern) = &**matches;
                self.patterns += 1;
                self.operand(text);
                if let Source::Dynamic(operand) = &pattern.source {
                    self.operand(operand);
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Literal(_) => {}
            Operand::Length(operand) => self.operand(operand),
            Operand::Node(query) | Operand::Count(query) | Operand::Value(query) => {
                self.sub_query(query);
            }
        }
    }

    fn sub_query(&mut self, query: &SubQuery) {
        self.steps(&query.steps);
    }
}

/// The most children that a selector selects of one node.
fn most(selector: &Selector) -> Option<u64> {
    match selector {
        Selector::Name(_) | Selector::Index(_) => Some(1),
        Selector::Wildcard | Selector::Filter(_) => None,
        Selector::Slice(slice) => most_of_slice(*slice),
    }
}

fn most_of_slice(Slice { start, end, step }: Slice) -> Option<u64> {
    // Places counted from the same end are as far apart as they say. Of a start before the end of what is
    // counted from the other side, each alone is a bound.
    let (first, beyond) = match step {
        0 => return Some(0),
        1.. => (start.unwrap_or(0), end),
        ..0 => (start.unwrap_or(-1), end),
    };
    let span = match (first >= 0, beyond) {
        (true, Some(beyond @ 0..)) if step > 0 => beyond.saturating_sub(first),
        (false, Some(beyond @ ..0)) if step > 0 => beyond.saturating_sub(first),
        (false, Some(beyond @ 0..)) if step > 0 => beyond.min(-first),
        (false, None) if step > 0 => -first,
        (true, Some(beyond @ 0..)) if step < 0 => first.saturating_sub(beyond),
        (false, Some(beyond @ ..0)) if step < 0 => first.saturating_sub(beyond),
        (true, Some(beyond @ ..0)) if step < 0 => first.saturating_add(1).min(-1 - beyond),
        (true, None) if step < 0 => first.saturating_add(1),
        _ => return None,
    };
    Some(span.max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
}
