//! The lines between us and a worker, read and written.

use statewright::flow::{Failure, WorkItem, WorkKind};
use statewright::{Value, value};

use crate::event::put;

/// What a worker says.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Topics { topics: Vec<String>, max: usize },
    Complete { token: String, result: Value },
    Fail { token: String, failure: Failure },
    Heartbeat { token: String },
}

/// A worker may hold this many items at most.
const MAX_ITEMS: u64 = 10_000;

/// Reads a line. The error ends a sentence that begins with the worker's name.
pub(crate) fn read(line: &[u8]) -> Result<Answer, String> {
    let shown = || {
        String::from_utf8_lossy(line)
            .trim()
            .chars()
            .take(200)
            .collect::<String>()
    };
    let value = Value::from_json(line.trim_ascii()).map_err(|e| {
        format!(
            "wrote a line to its stdout that is not JSON ({e}): '{}'; write logs to stderr",
            shown()
        )
    })?;
    answer(&value).map_err(|why| format!("wrote a line that {why}: '{}'", shown()))
}

fn answer(value: &Value) -> Result<Answer, String> {
    let text = |key: &str| {
        let found = value.get(key).and_then(|v| v.as_str().map(str::to_owned));
        found.ok_or_else(|| format!("has no text \"{key}\""))
    };
    match text("type")?.as_str() {
        "topics" => {
            let topics: Vec<String> = value
                .get("topics")
                .map(|t| {
                    t.items()
                        .filter_map(|t| t.as_str().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default();
            if topics.is_empty() {
                return Err("declares no topic".to_owned());
            }
            let max = value.get("max").map_or(Some(1), |max| max.as_u64());
            let max = max
                .filter(|max| (1..=MAX_ITEMS).contains(max))
                .and_then(|max| usize::try_from(max).ok());
            Ok(Answer::Topics {
                topics,
                max: max.ok_or_else(|| format!("has a \"max\" that is not 1 to {MAX_ITEMS}"))?,
            })
        }
        "complete" => {
            let result = value.get("result").ok_or("has no \"result\"")?;
            Ok(Answer::Complete {
                token: text("token")?,
                result,
            })
        }
        "fail" => {
            let failure = Failure::from_value(value).map_err(|e| format!("is no failure: {e}"))?;
            Ok(Answer::Fail {
                token: text("token")?,
                failure,
            })
        }
        "heartbeat" => Ok(Answer::Heartbeat {
            token: text("token")?,
        }),
        other => Err(format!(
            "has the type \"{other}\"; write topics, complete, fail or heartbeat"
        )),
    }
}

/// An item, for the worker.
pub(crate) fn item(item: &WorkItem) -> String {
    let topic = match &item.work {
        WorkKind::Host { topic } => topic.as_str(),
        _ => "",
    };
    let mut object = value!({
        "type": "item",
        "token": (item.token.as_str()),
        "case": (item.case.as_str()),
        "task": (item.task.as_str()),
        "topic": topic,
        "attempt": (item.attempt),
        "idempotency_key": (item.idempotency_key.as_str()),
        "input": (item.input.clone()),
    });
    put(
        &mut object,
        "deadline",
        item.deadline.map(|at| Value::from(at.to_string())),
    );
    object.to_json()
}

/// An item is not the worker's any more: its result would be refused.
pub(crate) fn cancel(token: &str, why: &str) -> String {
    value!({ "type": "cancel", "token": token, "message": why }).to_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let topics = Answer::Topics {
            topics: vec!["a".into(), "b".into()],
            max: 3,
        };
        assert_eq!(
            read(br#"{"type":"topics","topics":["a","b"],"max":3}"#),
            Ok(topics)
        );
        let complete = Answer::Complete {
            token: "t".into(),
            result: Value::NULL,
        };
        assert_eq!(
            read(b"{\"type\":\"complete\",\"token\":\"t\",\"result\":null}\n"),
            Ok(complete)
        );
        let failure = Failure::new("busy", "later");
        assert_eq!(
            read(br#"{"type":"fail","token":"t","message":"later","code":"busy"}"#),
            Ok(Answer::Fail {
                token: "t".into(),
                failure
            })
        );
        assert_eq!(
            read(br#"{"type":"heartbeat","token":"t"}"#),
            Ok(Answer::Heartbeat { token: "t".into() })
        );
    }

    #[test]
    fn wrong_answers_say_what_is_wrong() {
        for (line, why) in [
            ("hello", "not JSON"),
            ("[]", "has no text \"type\""),
            (r#"{"type":"topics"}"#, "declares no topic"),
            (r#"{"type":"topics","topics":["a"],"max":0}"#, "\"max\""),
            (r#"{"type":"complete","token":"t"}"#, "has no \"result\""),
            (r#"{"type":"complete","result":1}"#, "has no text \"token\""),
            (r#"{"type":"fail","token":"t"}"#, "message"),
            (r#"{"type":"done"}"#, "has the type \"done\""),
        ] {
            let error = read(line.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
