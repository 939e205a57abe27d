//! The workflow control-flow patterns by number, in two numberings.

/// Who counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// The Workflow Patterns initiative: Russell, ter Hofstede, van der Aalst, Mulyar (2006).
    Wcp,
    /// The KNHK workflow engine, which has other numbers from 20 on, lacks some of the patterns and has some names of
    /// its own.
    Knhk,
}

/// A pattern of a numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its number there.
    pub number: u8,
    /// Its name there.
    pub name: &'static str,
    /// Its number in [`Numbering::Wcp`]; none for what that does not count.
    pub wcp: Option<u8>,
    /// How to have what has no number there.
    pub how: &'static str,
}

/// The pattern of a number from 1 to 43.
///
/// ```
/// use statewright_flow::patterns::{Numbering, pattern};
///
/// assert_eq!(pattern(Numbering::Wcp, 21).unwrap().name, "Structured Loop");
/// assert_eq!(pattern(Numbering::Knhk, 28).unwrap().wcp, Some(21));
/// assert_eq!(pattern(Numbering::Knhk, 35).unwrap().how, "`Flows::terminate`");
/// assert_eq!(pattern(Numbering::Wcp, 44), None);
/// ```
pub fn pattern(numbering: Numbering, number: u8) -> Option<Pattern> {
    let index = usize::from(number.checked_sub(1)?);
    let of = |number: u8| usize::from(number).checked_sub(1).and_then(|i| WCP.get(i));
    match numbering {
        Numbering::Wcp => WCP.get(index).map(|name| Pattern {
            number,
            name,
            wcp: Some(number),
            how: "",
        }),
        Numbering::Knhk if number < 20 => of(number).map(|name| Pattern {
            number,
            name,
            wcp: Some(number),
            how: "",
        }),
        Numbering::Knhk => KNHK
            .get(index.checked_sub(19)?)
            .map(|(name, wcp, how)| Pattern {
                number,
                name,
                wcp: *wcp,
                how,
            }),
    }
}

const WCP: [&str; 43] = [
    "Sequence",
    "Parallel Split",
    "Synchronization",
    "Exclusive Choice",
    "Simple Merge",
    "Multi-Choice",
    "Structured Synchronizing Merge",
    "Multi-Merge",
    "Structured Discriminator",
    "Arbitrary Cycles",
    "Implicit Termination",
    "Instances without Synchronization",
    "Instances known in the model",
    "Instances known at the start",
    "Instances not known before",
    "Deferred Choice",
    "Interleaved Parallel Routing",
    "Milestone",
    "Cancel Task",
    "Cancel Case",
    "Structured Loop",
    "Recursion",
    "Transient Trigger",
    "Persistent Trigger",
    "Cancel Region",
    "Cancel Multiple Instance Task",
    "Complete Multiple Instance Task",
    "Blocking Discriminator",
    "Cancelling Discriminator",
    "Structured Partial Join",
    "Blocking Partial Join",
    "Cancelling Partial Join",
    "Generalized AND-Join",
    "Static Partial Join for Instances",
    "Cancelling Partial Join for Instances",
    "Dynamic Partial Join for Instances",
    "Local Synchronizing Merge",
    "General Synchronizing Merge",
    "Critical Section",
    "Interleaved Routing",
    "Thread Merge",
    "Thread Split",
    "Explicit Termination",
];

/// From 20 on: the names there, the official numbers, and what stands for those that have none.
const KNHK: [(&str, Option<u8>, &str); 24] = [
    ("Cancel Case (by a timeout)", Some(20), ""),
    ("Cancel Case (cancellation)", Some(20), ""),
    ("Cancel Case", Some(20), ""),
    ("Cancel Region", Some(25), ""),
    ("Cancel MI Activity", Some(26), ""),
    ("Complete MI Activity", Some(27), ""),
    ("Blocking Discriminator", Some(28), ""),
    ("Cancelling Discriminator", Some(29), ""),
    ("Structured Loop", Some(21), ""),
    ("Recursion", Some(22), ""),
    ("Transient Trigger", Some(23), ""),
    ("Persistent Trigger", Some(24), ""),
    ("Cancel Activity Instance", None, "`Flows::skip`"),
    ("Cancel Process Instance", Some(20), ""),
    ("Stop Process Instance", None, "`Flows::suspend`"),
    ("Abort Process Instance", None, "`Flows::terminate`"),
    ("Disable Activity", None, "`Flows::cancel_task`"),
    ("Skip Activity", None, "`Flows::skip`"),
    ("Activity Instance in Multiple Threads", Some(42), ""),
    ("Thread Merge", Some(41), ""),
    ("External Trigger", Some(24), ""),
    ("Event-Based Trigger", Some(16), ""),
    (
        "Multiple Trigger",
        None,
        "several `kind: signal` before a `join: and`",
    ),
    (
        "Cancel Trigger",
        None,
        "`cancels` of a task of `kind: signal`",
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use statewright_log::Env;

    use super::*;

    #[test]
    fn the_page_says_of_every_pattern_what_the_table_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/FLOWS.md");
        let page = Env::real().io.read(Path::new(path), 1 << 20).unwrap();
        let page = String::from_utf8(page).unwrap();
        for number in 1..=43 {
            let of = pattern(Numbering::Wcp, number).unwrap();
            let row = format!("\n| {number} {} | ", of.name);
            assert!(page.contains(&row), "{row}");
            let of = pattern(Numbering::Knhk, number).unwrap();
            let row = match of.wcp {
                Some(same) if same == number => continue,
                Some(wcp) => format!("\n| {number} {} | {wcp} |", of.name),
                None => format!("\n| {number} {} | {} |", of.name, of.how),
            };
            assert!(page.contains(&row), "{row}");
        }
    }
}
