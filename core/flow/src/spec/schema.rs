//! The JSON Schema of a spec, for editors. Its fields are those of the tables that the reader goes by (`fields`), so
//! that neither has one that the other has not.

use statewright_value::{Value, value};

use super::fields::{
    CATCH, COMMON, DEADLINE, EDGE, JOIN, KINDS, LANE, LEVEL, MANY, PLACE, RATE, RETRY, SCHEDULE,
    SECTION, SPEC,
};
use super::task::MAX_TOKENS;
use super::timetable::{MAX_CATCH_UP, MAX_CRONS};

const CRON: &str =
    "minute, hour, day of month, month, day of week, as in 0 9 * * 1-5; or several of them";
const ZONE: &str =
    "the IANA's name of the time zone of cron, such as Europe/Berlin; UTC unless told otherwise";

/// The JSON Schema (draft 7, which editors know best) of a spec in YAML, JSON or TOML, with a description of each
/// field. It is published as `docs/flow.schema.json`, and `statewright check --schema` prints it.
///
/// What it refuses is refused by [`Net::compile`](crate::net::Net::compile) too. That one refuses more: names that lead
/// nowhere, expressions that do not parse, nets that make no sense.
///
/// ```
/// use statewright_flow::spec_schema;
/// use statewright_value::{Schema, Value};
///
/// let schema = Schema::compile(spec_schema().by_ref()).unwrap();
/// let good = Value::from_json(r#"{"name": "f", "tasks": {"a": {"kind": "host", "topic": "t"}}}"#).unwrap();
/// let bad = Value::from_json(r#"{"name": "f", "tasks": {"a": {"kind": "host", "topik": "t"}}}"#).unwrap();
/// assert!(schema.is_valid(good.by_ref()) && !schema.is_valid(bad.by_ref()));
/// ```
pub fn spec_schema() -> Value {
    let fields: Vec<&str> = SPEC.iter().chain(&LEVEL).copied().collect();
    let mut schema = value!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A flow of Statewright",
    });
    for (key, of) in object("spec", &fields, &["name", "tasks"]).entries() {
        put(&mut schema, key, of);
    }
    let mut definitions = Value::object();
    for (name, fields, required) in [
        ("level", &LEVEL[..], &["tasks"][..]),
        ("edge", &EDGE, &["to"]),
        ("join", &JOIN, &["of"]),
        ("catch", &CATCH, &[]),
        ("lane", &LANE, &[]),
        ("rate", &RATE, &["count", "per"]),
        ("retry", &RETRY, &["attempts"]),
        ("case-deadline", &DEADLINE, &["after"]),
        ("many", &MANY, &["items"]),
        ("section", &SECTION, &["tasks", "mutex"]),
    ] {
        put(&mut definitions, name, object(name, fields, required));
    }
    let mut schedule = object("schedule", &SCHEDULE, &[]);
    put(&mut schedule, "oneOf", one_of(&["cron", "every"]));
    put(&mut definitions, "schedule", schedule);
    // A place without fields may be written as nothing.
    let mut place = object("place", &PLACE, &[]);
    put(&mut place, "type", texts(&["object", "null"]));
    put(&mut definitions, "place", place);
    put(&mut definitions, "task", task());
    for (name, of) in [
        ("jq", jq()),
        ("duration", duration()),
        ("deadline", deadline()),
        ("name", pattern("^[A-Za-z_][A-Za-z0-9_-]{0,63}$")),
        ("flow-name", pattern("^[a-z][a-z0-9_-]{0,63}$")),
        ("label", pattern("^[A-Za-z0-9._-]{1,128}$")),
        ("path", pattern(r"^\.")),
    ] {
        put(&mut definitions, name, of);
    }
    put(&mut schema, "definitions", definitions);
    schema
}

fn put(object: &mut Value, key: &str, value: Value) {
    // An object made here takes another key.
    let _ = object.insert(key, value);
}

fn texts(list: &[&str]) -> Value {
    list.iter().map(|text| Value::from(*text)).collect()
}

fn reference(name: &str) -> Value {
    let name = format!("#/definitions/{name}");
    value!({"$ref": (name.as_str())})
}

fn pattern(pattern: &str) -> Value {
    value!({"type": "string", "pattern": pattern})
}

fn jq() -> Value {
    let mut of = value!({"description": "a jq expression; a number, true, false and null are expressions too"});
    put(
        &mut of,
        "type",
        texts(&["string", "number", "boolean", "null"]),
    );
    of
}

fn duration() -> Value {
    let number = value!({"type": "number", "minimum": 0});
    let text = pattern(r"^\s*[0-9.]+((us|µs|ms|s|m|h|d)([0-9.]+(us|µs|ms|s|m|h|d))*)?\s*$");
    let mut of = value!({"description": "200ms, 1.5s, 2m, 1h30m, 1d, or a number of seconds"});
    put(&mut of, "anyOf", Value::from([number, text]));
    of
}

fn deadline() -> Value {
    let mut of =
        value!({"description": "a duration, an RFC 3339 time, or jq that gives one of them"});
    put(&mut of, "type", texts(&["string", "number"]));
    of
}

/// An object of these fields and no others; `of` says what it is, since the same field means other things elsewhere.
fn object(of: &str, fields: &[&str], required: &[&str]) -> Value {
    let mut properties = Value::object();
    for field in fields {
        put(&mut properties, field, property(of, field));
    }
    let mut object = value!({"type": "object", "additionalProperties": false});
    put(&mut object, "properties", properties);
    if !required.is_empty() {
        put(&mut object, "required", texts(required));
    }
    object
}

/// A task has the fields of its kind; without one, those that every task has.
fn task() -> Value {
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    let kind = value!({"enum": (texts(&kinds)), "description": "what the task does; without it, it only joins and splits"});
    let mut rules = Vec::new();
    for (kind, own) in KINDS {
        let fields: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        let required: &[&str] = match kind {
            "set" => &["set"],
            "log" => &["message"],
            "process" => &["run"],
            "flow" => &["flow"],
            _ => &[],
        };
        let mut then = object(kind, &fields, required);
        if kind == "wait" {
            put(&mut then, "oneOf", one_of(&["for", "until", "cron"]));
        }
        let mut when = value!({"properties": {"kind": {"const": kind}}});
        put(&mut when, "required", texts(&["kind"]));
        rules.push(value!({"if": when, "then": then}));
    }
    let mut none = Value::object();
    put(&mut none, "not", value!({"required": (texts(&["kind"]))}));
    let plain = object("task", &COMMON, &[]);
    rules.push(value!({"if": none, "then": plain}));
    let mut task = value!({"type": "object", "properties": {"kind": kind}});
    put(&mut task, "allOf", rules.into_iter().collect());
    task
}

/// Exactly one of these fields is there.
fn one_of(fields: &[&str]) -> Value {
    let fields = fields.iter();
    fields
        .map(|field| value!({"required": (texts(&[field]))}))
        .collect()
}

fn map(names: &str, of: Value) -> Value {
    let mut map = value!({"type": "object"});
    put(&mut map, "propertyNames", reference(names));
    put(&mut map, "additionalProperties", of);
    map
}

/// One, or a list of them.
fn several(of: Value) -> Value {
    let list = value!({"type": "array", "items": (of.clone())});
    value!({"anyOf": (Value::from([of, list]))})
}

fn cron() -> Value {
    let text = value!({"type": "string"});
    let most = MAX_CRONS as u64;
    let list = value!({"type": "array", "items": (text.clone()), "minItems": 1, "maxItems": most});
    value!({"anyOf": (Value::from([text, list]))})
}

fn words(words: &[&str]) -> Value {
    value!({"enum": (texts(words))})
}

fn integer(least: u64, most: u64) -> Value {
    value!({"type": "integer", "minimum": least, "maximum": most})
}

/// What a field may be, and what it is for.
fn property(of: &str, field: &str) -> Value {
    let (mut schema, description) = of_object(of, field)
        .or_else(|| of_task(field))
        .unwrap_or_else(|| (value!({}), ""));
    if !description.is_empty() {
        // Draft 7 reads nothing beside a reference.
        if schema.get("$ref").is_some() {
            let all = Value::from([schema]);
            schema = value!({"allOf": all});
        }
        put(&mut schema, "description", Value::from(description));
    }
    schema
}

type Property = Option<(Value, &'static str)>;

fn of_object(of: &str, field: &str) -> Property {
    let name = || several(value!({"type": "string"}));
    Some(match (of, field) {
        ("spec", "name") => (reference("flow-name"), "the flow's name"),
        ("spec", "version") => (integer(1, i64::MAX as u64), "counted by the author"),
        ("spec", "schedule") => (
            reference("schedule"),
            "when cases begin by themselves, once the flow is deployed",
        ),
        ("schedule", "cron") => (cron(), CRON),
        ("schedule", "every") => (reference("duration"), "the period, counted from 1970"),
        ("schedule", "zone") => (value!({"type": "string"}), ZONE),
        ("schedule", "overlap") => (
            words(&["skip", "allow", "queue", "cancel"]),
            "what happens if the last case has not ended",
        ),
        ("schedule", "catch_up") => (
            integer(0, MAX_CATCH_UP),
            "how many starts that were missed are made up for",
        ),
        ("schedule", "input") => (
            value!({"type": "object"}),
            "merged over the flow's input for each case",
        ),
        ("spec", "document") => (
            reference("jq"),
            "the key under which the result is stored as a document",
        ),
        ("spec", "flows") => (
            map("flow-name", reference("level")),
            "flows that tasks of kind flow can call",
        ),
        ("spec" | "level", "input") => (
            value!({"type": "object"}),
            "defaults; the given input is merged over them",
        ),
        ("spec" | "level", "start") => (
            value!({"type": "string"}),
            "the task or place that a case begins with",
        ),
        ("spec" | "level", "output") => (
            reference("jq"),
            "the case's result; the whole data unless told otherwise",
        ),
        ("spec" | "level", "tasks") => {
            let mut tasks = map("name", reference("task"));
            put(&mut tasks, "minProperties", Value::from(1));
            (tasks, "the tasks, by name")
        }
        ("spec" | "level", "places") => (map("name", reference("place")), "the places, by name"),
        ("spec" | "level", "sections") => (
            map("name", reference("section")),
            "sections that exclude each other",
        ),
        ("spec" | "level", "deadline") => {
            let of = Value::from([reference("deadline"), reference("case-deadline")]);
            (
                value!({"anyOf": of}),
                "by when a case must have ended; else it fails, or goes on at `to`",
            )
        }
        ("case-deadline", "after") => (reference("deadline"), "by when the case must have ended"),
        ("case-deadline", "to") => (
            value!({"type": "string"}),
            "the task or place where it goes on, when all its work is cancelled",
        ),
        ("edge", "to") => (value!({"type": "string"}), "a task or a place"),
        ("edge", "when") => (reference("jq"), "the condition of an xor or or split"),
        ("edge", "tokens") => (integer(1, MAX_TOKENS), "how many tokens it gets"),
        ("join", "of") => (
            integer(1, u64::from(u32::MAX)),
            "how many edges in must have a token",
        ),
        ("join", "reset") => (
            words(&["all", "blocking", "cancel"]),
            "when the next round begins",
        ),
        ("catch", "when") => (reference("jq"), "on the error: whether this line holds"),
        ("catch", "to") => (
            value!({"type": "string"}),
            "the task or place where the flow goes on",
        ),
        ("catch", "skip") => (
            value!({"type": "boolean"}),
            "go on as if the task had completed without a result",
        ),
        ("catch", "result") => (reference("jq"), "go on as if the task had given this"),
        ("catch", "abort") => (value!({"type": "boolean"}), "the case fails"),
        ("catch", "into") => (reference("path"), "where the error goes in the data"),
        ("lane", "name") => (
            reference("label"),
            "tasks with the same name share keys, limits and rates",
        ),
        ("lane", "key") => (
            reference("jq"),
            "items of equal key belong together; keys take turns",
        ),
        ("lane", "limit") => (
            integer(1, 1_000_000),
            "how many items of a key may be claimed at a time",
        ),
        ("lane", "rate") => (
            reference("rate"),
            "how many items of a key may start in a time",
        ),
        ("lane", "priority") => (reference("jq"), "0 to 255, the greatest first"),
        ("rate", "count") => (integer(1, 1_000_000), "how many in a period"),
        ("rate", "per") => (reference("duration"), "the period"),
        ("rate", "burst") => (integer(1, 1_000_000), "how many at once after a pause"),
        ("retry", "attempts") => (integer(1, 1_000_000), "how many attempts there are in all"),
        ("retry", "delay") => (
            reference("duration"),
            "the pause after the first failed attempt",
        ),
        ("retry", "factor") => (
            value!({"type": "number", "minimum": 1, "maximum": 1000}),
            "how much longer each further pause is",
        ),
        ("retry", "max_delay") => (reference("duration"), "the longest pause"),
        ("retry", "jitter") => (
            value!({"type": "number", "minimum": 0, "maximum": 1}),
            "up to which part of itself a pause is shorter by chance",
        ),
        ("retry", "when") => (reference("jq"), "on the error: whether it is tried again"),
        ("many", "items") => (
            reference("jq"),
            "an array, one instance for each item, or a number of instances",
        ),
        ("many", "min" | "max") => (reference("jq"), "how many instances there may be"),
        ("many", "threshold") => (
            reference("jq"),
            "after how many completed instances the task completes",
        ),
        ("many", "until") => (
            reference("jq"),
            "on the results so far: whether the task completes",
        ),
        ("many", "add") => (
            value!({"type": "boolean"}),
            "whether instances may be added while it runs",
        ),
        ("many", "rest") => (
            words(&["cancel", "continue"]),
            "what becomes of unfinished instances",
        ),
        ("many", "wait") => (
            value!({"type": "boolean"}),
            "whether the task waits for its instances",
        ),
        ("place", "tokens") => (
            integer(0, MAX_TOKENS),
            "how many tokens it has when a case begins",
        ),
        ("place", "next") => (name(), "the tasks that can take its tokens"),
        ("section", "tasks") => (name(), "its tasks"),
        ("section", "mutex") => (
            reference("name"),
            "of all sections with it, one is active at a time",
        ),
        _ => return None,
    })
}

/// The fields of tasks, and `description`.
fn of_task(field: &str) -> Property {
    let name = || several(value!({"type": "string"}));
    // A bare `none` is also written as nothing.
    let formats = || {
        let words = ["json", "text", "lines", "none"].map(Value::from);
        let words: Value = words.into_iter().chain([Value::NULL]).collect();
        value!({"enum": words})
    };
    Some(match field {
        "description" => (value!({"type": "string"}), "for people"),
        "kind" => (value!({}), ""),
        "join" => {
            let join = words(&["and", "xor", "or", "local"]);
            let join = Value::from([join, reference("join")]);
            (value!({"anyOf": join}), "when it is enabled")
        }
        "split" => (words(&["and", "xor", "or"]), "where its tokens go"),
        "next" => {
            let edge = Value::from([value!({"type": "string"}), reference("edge")]);
            (several(value!({"anyOf": edge})), "the edges out")
        }
        "takes" => {
            let mut takes = value!({"type": "object"});
            put(&mut takes, "additionalProperties", integer(1, MAX_TOKENS));
            (
                takes,
                "how many tokens it takes from a place, or from the edge of a task",
            )
        }
        "tests" => (name(), "places that must hold a token when it starts"),
        "cancels" => (
            name(),
            "tasks, places and edges (A>B) that its completion cancels",
        ),
        "mutex" => (
            reference("name"),
            "of all tasks and sections with it, one is at work at a time",
        ),
        "terminate" => (
            value!({"type": "boolean"}),
            "its completion ends the case as completed",
        ),
        "on_error" => {
            let line = Value::from([value!({"type": "string"}), reference("catch")]);
            (
                several(value!({"anyOf": line})),
                "how the flow goes on when it fails for good",
            )
        }
        "compensate" => (reference("name"), "the task that undoes it"),
        "of" => (
            name(),
            "the tasks to be undone; all of the case unless told otherwise",
        ),
        "set" => {
            let mut set = map("path", reference("jq"));
            put(&mut set, "minProperties", Value::from(1));
            (set, "paths and what is put there, in order")
        }
        "message" => (reference("jq"), "what is written"),
        "for" => {
            let mut of = Value::object();
            put(&mut of, "type", texts(&["string", "number"]));
            (of, "how long: a duration, or jq that gives one")
        }
        "cron" => (cron(), CRON),
        "zone" => (value!({"type": "string"}), ZONE),
        "until" => (reference("jq"), "an RFC 3339 time, or jq that gives one"),
        "run" => {
            let mut part = Value::object();
            put(&mut part, "type", texts(&["string", "integer", "boolean"]));
            (
                value!({"type": "array", "minItems": 1, "items": part}),
                "the program and its arguments",
            )
        }
        "args" => (reference("jq"), "more arguments: an array of strings"),
        "cwd" => (reference("jq"), "the folder it runs in"),
        "stdin" => (formats(), "how the input is given"),
        "stdout" => (formats(), "how the output is read"),
        "topic" => (reference("label"), "what host programs poll for"),
        "input" => (reference("jq"), "what the work gets"),
        "output" => (
            reference("jq"),
            "on the raw result: what goes into the data",
        ),
        "into" => (reference("path"), "where the result goes in the data"),
        "retry" => (reference("retry"), "what happens after a failed attempt"),
        "timeout" => (reference("duration"), "how long an attempt may take"),
        "deadline" => (
            reference("deadline"),
            "by when it must be done, from when it is offered, over all attempts",
        ),
        "lane" => (
            reference("lane"),
            "what holds its items back and orders them",
        ),
        "many" => (reference("many"), "several instances of it"),
        "signal" => (reference("label"), "the signal's name"),
        "keep" => (
            value!({"type": "boolean"}),
            "whether a signal that comes while nobody waits is kept",
        ),
        "key" => (reference("jq"), "the key that the signal is sent to"),
        "schema" => (
            value!({"type": "object"}),
            "a JSON Schema of the signal's data; what does not fit is refused",
        ),
        "reply" => (
            reference("jq"),
            "what the sender is answered, from the data after the signal's went in",
        ),
        "flow" => (reference("flow-name"), "which flow"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use statewright_log::Env;
    use statewright_value::Schema;

    use super::super::yaml;
    use super::*;
    use crate::net::Net;
    use crate::problem::Problems;

    fn read(path: &str) -> String {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        let bytes = Env::real().io.read(&Path::new(root).join(path), 1 << 20);
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    /// The examples of the user's page, and two that are programs of their own.
    fn corpus() -> Vec<Value> {
        let page = read("docs/FLOWS.md");
        let mut texts: Vec<String> = page
            .split("```yaml\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap().to_owned())
            .collect();
        texts.extend(["audit", "order"].map(|n| read(&format!("examples/flows/{n}.yaml"))));
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/patterns");
        for name in Env::real().io.list(Path::new(root)).unwrap() {
            if name.ends_with(".yaml") {
                texts.push(read(&format!("examples/patterns/{name}")));
            }
        }
        let parse = |text: &String| yaml::parse(text, &mut Problems::default()).unwrap().value();
        texts.iter().map(parse).collect()
    }

    fn accepted(spec: &Value) -> bool {
        Net::compile(&spec.to_json(), None).is_ok()
    }

    /// Every object in a value, as what leads to it.
    fn objects(
        value: &Value,
        at: &statewright_value::Path,
        all: &mut Vec<statewright_value::Path>,
    ) {
        if value.kind() == statewright_value::Kind::Object {
            all.push(at.clone());
        }
        for (key, inner) in value.entries() {
            objects(&inner, &at.clone().key(key), all);
        }
        for (index, inner) in value.items().enumerate() {
            if value.kind() == statewright_value::Kind::Array {
                objects(&inner, &at.clone().index(index), all);
            }
        }
    }

    #[test]
    fn every_field_of_the_reader_is_described() {
        let tables: [(&str, &[&str]); 14] = [
            ("spec", &SPEC),
            ("spec", &LEVEL),
            ("level", &LEVEL),
            ("edge", &EDGE),
            ("join", &JOIN),
            ("catch", &CATCH),
            ("lane", &LANE),
            ("rate", &RATE),
            ("retry", &RETRY),
            ("case-deadline", &DEADLINE),
            ("schedule", &SCHEDULE),
            ("many", &MANY),
            ("place", &PLACE),
            ("section", &SECTION),
        ];
        for (of, fields) in tables {
            for field in fields {
                let found = of_object(of, field).is_some() || *field == "description";
                assert!(found, "{of}.{field}");
            }
        }
        let own = KINDS.iter().flat_map(|(_, own)| own.iter());
        for field in COMMON.iter().chain(own) {
            assert!(of_task(field).is_some(), "{field}");
        }
    }

    #[test]
    fn the_published_schema_is_this_one() {
        let published = Value::from_json(read("docs/flow.schema.json")).unwrap();
        assert!(
            published == spec_schema(),
            "write it again: statewright check --schema > docs/flow.schema.json"
        );
    }

    #[test]
    fn the_schema_refuses_and_accepts_what_the_reader_does() {
        let schema = Schema::compile(spec_schema().by_ref()).unwrap();
        let (mut wrong, mut changed) = (0, 0);
        for spec in corpus() {
            assert!(accepted(&spec), "{spec}");
            schema
                .validate(spec.by_ref())
                .unwrap_or_else(|e| panic!("{e}\n{spec}"));
            let mut all = Vec::new();
            objects(&spec, &statewright_value::Path::root(), &mut all);
            for at in all {
                // What a case is given, and what is taken from where, is not for a schema to say.
                let free = [".input", ".takes", ".schema"]
                    .iter()
                    .any(|f| at.to_string().contains(f));
                if free {
                    continue;
                }
                let mut extra = spec.clone();
                extra
                    .set(&at.clone().key("zzz"), Value::from("x y"))
                    .unwrap();
                let refused = !schema.is_valid(extra.by_ref());
                assert_eq!(refused, !accepted(&extra), "{at}.zzz: {extra}");
                wrong += usize::from(refused);
                for (key, _) in spec.at(&at).unwrap().entries() {
                    // Nothing in a spec is a list in a list.
                    let mut other = spec.clone();
                    let nested = value!([[[1]]]);
                    other.set(&at.clone().key(key), nested).unwrap();
                    let refused = !schema.is_valid(other.by_ref());
                    assert!(refused && !accepted(&other), "{at}.{key}: {other}");
                    changed += 1;
                }
            }
        }
        assert!(wrong > 300 && changed > 500, "{wrong} {changed}");
    }
}
