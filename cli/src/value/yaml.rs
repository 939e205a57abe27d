//! YAML 1.2, one document.

use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use statewright::value::Error;
use statewright::{Limits, Value};

/// The deepest nesting that goes through serde, which recurses.
const MAX_DEPTH: usize = 128;
/// What aliases may add: a bomb of ten lines could fill any memory.
const MAX_REPLAYED: usize = 1_000_000;

/// Reads YAML.
pub fn read(text: &str, limits: &Limits) -> Result<Value, Error> {
    let depth = limits.max_depth.min(MAX_DEPTH);
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: depth,
            flow_nesting_limit: depth,
            max_documents: 1,
            max_nodes: limits.max_items.saturating_mul(2),
            max_events: limits.max_items.saturating_mul(4),
            max_total_scalar_bytes: limits.max_bytes,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED.min(limits.max_items),
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(invalid)?;
    value.check(limits)?;
    Ok(value)
}

fn invalid(error: serde_saphyr::Error) -> Error {
    let (line, column) = error
        .location()
        .map_or((1, 1), |at| (at.line(), at.column()));
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let message = error.without_snippet().to_string();
    // The place is told beside the reason.
    let reason = message.split(" at line ").next().unwrap_or_default();
    Error::InvalidText {
        format: "YAML",
        line: number(line),
        column: number(column),
        reason: reason.to_owned().into(),
    }
}

/// Prints YAML, which reads back to the same, apart from kinds that YAML lacks.
pub fn write(value: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|error| Error::NotRepresentable {
        at: ".".to_owned(),
        path: None,
        reason: format!("in YAML: {error}").into(),
    })
}
