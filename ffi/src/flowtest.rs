//! Tests of flows in a simulated world, for the test helpers of each language.

use std::ffi::c_char;

use statewright::flow::testing::{FlowTest, Plan, TestFile};
use statewright_value::{Value, value};

use crate::bytes::sw_bytes;
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::status::*;

/// Runs tests of a flow in a simulated world: straight, with a power cut after every event, and in random orders.
///
/// Nothing is opened, read or written, and no time passes. What tests can say is in `docs/TESTING.md`; it is what
/// `statewright test` reads from files, but `flow` and `with` are given here as texts. A test that fails is no failure
/// of this call. Fails with `SW_INVALID_SPEC` if the tests cannot be read. Takes as long as the tests take.
///
/// @role function
/// @on flow
/// @thread safe
/// @param text in text max=SW_MAX_INPUT_BYTES: The flow.
/// @param tests in text max=SW_MAX_INPUT_BYTES: A test document: YAML, JSON or TOML with a list `tests`.
/// @param options in msgpack max=SW_MAX_INPUT_BYTES nullable: An object, each field may be left out: `runs` (random
///   orders, 100), `seed` (of the first, 0), `power_cuts` (true), `only` (the name of one test), `dir` (for
///   `$flow.dir`), `with` (an array of texts of flows that are deployed first).
/// @param report out msgpack owned: Receives an array with an object for each test: `test` (its name), `passed`, `runs`
///   and `orders` (how many different orders of completions came up) if it passed; else `failure`, an object of `way`,
///   `seed`, `what`, `expected`, `found`, `steps` (what happened, the shortest run found), `first` (how many steps the
///   run had at first), and `text`, all of it for people.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_test(
    text: *const c_char,
    text_len: usize,
    tests: *const c_char,
    tests_len: usize,
    options: *const u8,
    options_len: usize,
    report: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_test, err, |call| {
        let report = call.out("report", report)?;
        let text = call.document("text", text, text_len)?;
        let tests = call.document("tests", tests, tests_len)?;
        let options = call.value_or_null("options", options, options_len)?;
        report.give_value(&run(text, tests, &options)?)
    })
}

struct Asked {
    plan: Plan,
    only: Option<String>,
    dir: Option<String>,
    with: Vec<String>,
}

fn asked(options: &Value) -> Result<Asked> {
    let mut asked = Asked {
        plan: Plan::default(),
        only: None,
        dir: None,
        with: Vec::new(),
    };
    checks::object("options", options)?;
    for (name, value) in options.entries() {
        let at = format!("options.{name}");
        let given = || checks::text(&at, &value).map(|text| Some(text).filter(|t| !t.is_empty()));
        match name {
            _ if value.is_null() => {}
            "runs" => asked.plan.runs = checks::count(&at, &value)?,
            "seed" => asked.plan.seed = checks::count(&at, &value)?,
            "power_cuts" => asked.plan.power_cuts = checks::flag(&at, &value)?,
            "only" => asked.only = given()?,
            "dir" => asked.dir = given()?,
            "with" => asked.with = checks::texts(&at, &value)?,
            other => {
                let known = "runs, seed, power_cuts, only, dir and with";
                return Err(checks::unknown("options", other, known));
            }
        }
    }
    Ok(asked)
}

fn run(text: &str, tests: &str, options: &Value) -> Result<Value> {
    let asked = asked(options)?;
    let file = TestFile::read(tests).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(SW_INVALID_SPEC, lines.join("\n")).at("tests")
    })?;
    let all = file.tests(text, asked.dir.as_deref(), &asked.with);
    let only = |test: &&FlowTest| asked.only.as_deref().is_none_or(|o| o == test.name());
    let report: Vec<Value> = all
        .iter()
        .filter(only)
        .map(|test| one(test, &asked.plan))
        .collect();
    match (report.is_empty(), asked.only) {
        (true, Some(only)) => {
            let why = format!("names no test: '{only}'");
            Err(checks::invalid("options.only", why))
        }
        _ => Ok(Value::from(report)),
    }
}

fn one(test: &FlowTest, plan: &Plan) -> Value {
    match test.run(plan) {
        Ok(summary) => value!({
            "test": (test.name()),
            "passed": true,
            "runs": (summary.runs),
            "orders": (u64::try_from(summary.orders.len()).unwrap_or(u64::MAX)),
        }),
        Err(failed) => {
            let mut failure = failed.to_value();
            // An object that was just made takes another key.
            let _ = failure.insert("text", Value::from(failed.to_string()));
            value!({ "test": (test.name()), "passed": false, "failure": failure })
        }
    }
}
