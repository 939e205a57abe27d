//! The fields of everything a spec consists of: the reader refuses all others, and the published schema is made of the
//! same tables.

/// A whole spec has these and those of a [`LEVEL`].
pub(super) const SPEC: [&str; 5] = ["name", "version", "schedule", "document", "flows"];

/// Every net of a spec.
pub(super) const LEVEL: [&str; 8] = [
    "description",
    "input",
    "start",
    "deadline",
    "tasks",
    "places",
    "sections",
    "output",
];

/// Every task.
pub(super) const COMMON: [&str; 11] = [
    "kind",
    "description",
    "join",
    "split",
    "next",
    "takes",
    "tests",
    "cancels",
    "mutex",
    "terminate",
    "on_error",
];

/// The kinds of tasks, and what each has beside [`COMMON`].
pub(super) const KINDS: [(&str, &[&str]); 8] = [
    ("set", &["set"]),
    ("log", &["message"]),
    ("wait", &["for", "until", "cron", "zone"]),
    (
        "process",
        &[
            "run",
            "args",
            "cwd",
            "stdin",
            "stdout",
            "input",
            "output",
            "into",
            "retry",
            "timeout",
            "deadline",
            "many",
            "compensate",
            "lane",
        ],
    ),
    (
        "host",
        &[
            "topic",
            "input",
            "output",
            "into",
            "retry",
            "timeout",
            "deadline",
            "many",
            "compensate",
            "lane",
        ],
    ),
    (
        "signal",
        &[
            "signal", "keep", "key", "schema", "reply", "output", "into", "deadline",
        ],
    ),
    (
        "flow",
        &[
            "flow",
            "input",
            "output",
            "into",
            "deadline",
            "many",
            "compensate",
        ],
    ),
    ("compensate", &["of"]),
];

/// An edge.
pub(super) const EDGE: [&str; 3] = ["to", "when", "tokens"];
/// A join that counts.
pub(super) const JOIN: [&str; 2] = ["of", "reset"];
/// A line of `on_error`.
pub(super) const CATCH: [&str; 6] = ["when", "to", "skip", "result", "abort", "into"];
/// A lane.
pub(super) const LANE: [&str; 5] = ["name", "key", "limit", "rate", "priority"];
/// The rate of a lane.
pub(super) const RATE: [&str; 3] = ["count", "per", "burst"];
/// `retry`.
pub(super) const RETRY: [&str; 6] = ["attempts", "delay", "factor", "max_delay", "jitter", "when"];
/// When cases begin by themselves.
pub(super) const SCHEDULE: [&str; 6] = ["cron", "every", "zone", "overlap", "catch_up", "input"];
/// The deadline of a case that goes on after it.
pub(super) const DEADLINE: [&str; 2] = ["after", "to"];
/// `many`.
pub(super) const MANY: [&str; 8] = [
    "items",
    "min",
    "max",
    "threshold",
    "until",
    "add",
    "rest",
    "wait",
];
/// A place.
pub(super) const PLACE: [&str; 3] = ["description", "tokens", "next"];
/// A section.
pub(super) const SECTION: [&str; 3] = ["description", "tasks", "mutex"];
