//! JSON Pointer.

use std::path::Path;

use anyhow::{Result, bail};
use statewright_value::{Pointer, ValueRef};

use super::{Report, Suite, member, read_json, text};

pub const SUITE: Suite = Suite {
    name: "json-pointer",
    about: "JSON Pointer (RFC 6901): the examples of the RFC, and cases of its rules",
    judged: "a pointer, also as a URI fragment, leads to the expected value and prints as it was; a wrong one is \
             refused, one that leads nowhere finds nothing; escapes are read in the right order",
    cases: 39,
    run,
};

fn run(data: &Path, report: &mut Report) -> Result<()> {
    let suite = read_json(&data.join("json-pointer/rfc6901.json"))?;
    let suite = suite.by_ref();
    let document = member(suite, "document")?;
    for (group, key) in [
        ("string_form", "pointer"),
        ("uri_fragment_form", "fragment"),
    ] {
        for case in member(suite, group)?.items() {
            let pointer = text(case, key)?;
            let outcome = resolve(document, pointer, member(case, "expected")?);
            report.case(format!("{group} {pointer:?}"), outcome);
        }
    }
    for case in member(suite, "errors")?.items() {
        let pointer = text(case, "pointer")?;
        let outcome = match (text(case, "kind")?, Pointer::parse(pointer)) {
            ("syntax-error", Err(_)) => Ok(()),
            ("syntax-error", Ok(pointer)) => Err(format!("read as {pointer}")),
            ("resolve-error", Ok(pointer)) => match pointer.get(document) {
                None if pointer.resolve(document).is_err() => Ok(()),
                found => Err(format!("found {found:?}")),
            },
            ("resolve-error", Err(error)) => Err(error.to_string()),
            (other, _) => bail!("unknown kind of error: {other}"),
        };
        report.case(format!("errors {pointer:?}"), outcome);
    }
    for case in member(suite, "escape_order")?.items() {
        let (token, unescaped) = (text(case, "token")?, text(case, "unescaped")?);
        let outcome = match Pointer::parse(&format!("/{token}")) {
            Ok(pointer) if pointer.tokens().eq([unescaped]) => Ok(()),
            other => Err(format!("read as {other:?}")),
        };
        report.case(format!("escape_order {token:?}"), outcome);
    }
    Ok(())
}

fn resolve(document: ValueRef<'_>, text: &str, expected: ValueRef<'_>) -> Result<(), String> {
    let pointer = Pointer::parse(text).map_err(|error| error.to_string())?;
    let path = pointer
        .resolve(document)
        .map_err(|error| error.to_string())?;
    if pointer.get(document) != Some(expected) || document.at(&path) != Some(expected) {
        return Err(format!("found {:?}", pointer.get(document)));
    }
    if ![pointer.to_string(), pointer.to_fragment()].contains(&text.to_owned()) {
        return Err(format!("prints as {pointer} and {}", pointer.to_fragment()));
    }
    Ok(())
}
