//! Versions of flows: listed, running cases moved to another and back, and cases made of others.

use std::ffi::c_char;

use statewright::flow::{CasePlan, FlowInfo, ForkOptions, MigrateOptions, Migrated};
use statewright::{Value, value};

use crate::bytes::sw_bytes;
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::Result;
use crate::guard::guard;
use crate::session::{Session, given};
use crate::status::*;

/// Lists the deployed flows with all their versions.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param flows out msgpack owned: Receives an array of objects: `name`, `versions` (an array of objects:
///   `version`, `key`, `dir` or null, `newest`, and how many cases are `open` and `ended` on it).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_versions(
    engine: sw_engine,
    flows: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_versions, err, |call| {
        let flows = call.out("flows", flows)?;
        let session = call.engine(engine)?;
        flows.give_value(&session.versions()?)
    })
}

/// Checks every open case of a flow against another version of it, and tells what moving them would do. Nothing is
/// changed.
///
/// Fails with `SW_INVALID_SPEC`, or `SW_INPUT` for names that are not there.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param text in text max=SW_MAX_INPUT_BYTES: The other version.
/// @param dir in text max=SW_MAX_NAME_BYTES: The folder it comes from; empty for none.
/// @param renames in msgpack max=SW_MAX_INPUT_BYTES nullable: An object: what tasks, places and flows under `flows`
///   of the old versions (the keys) are called in the new one (the values); no bytes is none.
/// @param plan out msgpack owned: Receives an object: `flow`, `version`, `key`, `cases` (an array of objects: `case`,
///   `version`, `key`, `status`, `reasons` why it cannot be moved, and what `follows` at once).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_plan(
    engine: sw_engine,
    text: *const c_char,
    text_len: usize,
    dir: *const c_char,
    dir_len: usize,
    renames: *const u8,
    renames_len: usize,
    plan: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_plan, err, |call| {
        let plan = call.out("plan", plan)?;
        let session = call.engine(engine)?;
        let text = call.document("text", text, text_len)?;
        let dir = call.text("dir", dir, dir_len)?;
        let renames = call.value_or_null("renames", renames, renames_len)?;
        plan.give_value(&session.plan(text, dir, &renames)?)
    })
}

/// Moves running cases of a flow to another version, as far as they have a place there. It is deployed, so that new
/// cases run on it too. Each cohort of cases is one commit. What is claimed stays claimed, and timers go on.
///
/// Fails with `SW_INVALID_SPEC`, `SW_INPUT`, or `SW_UNKNOWN_CASE`, and then nothing was changed.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param text in text max=SW_MAX_INPUT_BYTES: The other version.
/// @param dir in text max=SW_MAX_NAME_BYTES: The folder it comes from; empty for none.
/// @param options in msgpack max=SW_MAX_INPUT_BYTES nullable: An object: `cohort` (cases in a commit, 1 to 4096; 256
///   without it), `renames` (as for `sw_flow_plan`), `cases` (an array of ids, to move only these); no bytes is none of
///   them.
/// @param report out msgpack owned: Receives an object: `id` (to undo it with; null if no case was moved), `flow`,
///   `version`, `moved` and `left` (arrays of objects, as the `cases` of `sw_flow_plan`).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_migrate(
    engine: sw_engine,
    text: *const c_char,
    text_len: usize,
    dir: *const c_char,
    dir_len: usize,
    options: *const u8,
    options_len: usize,
    report: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_migrate, err, |call| {
        let report = call.out_reserved("report", report)?;
        let session = call.engine(engine)?;
        let text = call.document("text", text, text_len)?;
        let dir = call.text("dir", dir, dir_len)?;
        let options = call.value_or_null("options", options, options_len)?;
        report.give_value(&session.migrate(text, dir, &options)?);
        Ok(())
    })
}

/// Moves the cases of a migration back to the versions on which they were, as far as they still have a place there. It
/// is a migration itself.
///
/// Fails with `SW_INPUT` if there is no such migration.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param migration in text max=SW_MAX_NAME_BYTES: Its id, or a flow's name for the newest one of that flow.
/// @param report out msgpack owned: Receives an object, as `sw_flow_migrate` gives it.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_flow_undo_migration(
    engine: sw_engine,
    migration: *const c_char,
    migration_len: usize,
    report: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_flow_undo_migration, err, |call| {
        let report = call.out_reserved("report", report)?;
        let session = call.engine(engine)?;
        let migration = call.text("migration", migration, migration_len)?;
        report.give_value(&session.undo_migration(migration)?);
        Ok(())
    })
}

/// Makes a new case of another one as it was after an event of its history, with copies of the cases it had called.
///
/// Fails with `SW_UNKNOWN_CASE`, `SW_CASE_EXISTS`, `SW_INPUT` if there is no such event, or `SW_REFUSED`: the case had
/// ended by then, or the store is in memory, which keeps no history.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param at in number: The number of the event (`seq` of `sw_case_history`); of several of one commit, the last
///   counts.
/// @param results in number: 1 if work that the case completed later is to be given to the new one, when it asks
///   for the same work with the same input, and not done again; else 0.
/// @param new_id in text max=SW_MAX_NAME_BYTES: The new case's id; empty to have one made.
/// @param forked out msgpack owned: Receives an object: `case` (the new one's id), `at` (the event that counted),
///   `results` (how many were given).
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_fork(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    at: u64,
    results: u32,
    new_id: *const c_char,
    new_id_len: usize,
    forked: *mut sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_fork, err, |call| {
        let forked = call.out_reserved("forked", forked)?;
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        let new_id = call.text("new_id", new_id, new_id_len)?;
        let results = match results {
            0 | 1 => results == 1,
            other => {
                let why = format!("is {other}, not 0 or 1");
                return Err(checks::invalid("results", why));
            }
        };
        forked.give_value(&session.fork_case(id, at, results, new_id)?);
        Ok(())
    })
}

/// Has a case undo what its tasks have done, newest first: a running one is cancelled for it; of one that has
/// ended, what it did is undone afterwards. It is then "compensated".
///
/// Fails with `SW_UNKNOWN_CASE`, or `SW_REFUSED`: nothing is left to be undone, that is going on already, or the
/// case is suspended.
///
/// @role method
/// @on engine
/// @thread safe
/// @param engine in handle: The engine.
/// @param id in text max=SW_MAX_NAME_BYTES: The case's id.
/// @param reason in text max=SW_MAX_NAME_BYTES: Why, for people. May be empty.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_case_compensate(
    engine: sw_engine,
    id: *const c_char,
    id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_case_compensate, err, |call| {
        let session = call.engine(engine)?;
        let id = call.text("id", id, id_len)?;
        session.compensate_case(id, call.text("reason", reason, reason_len)?)
    })
}

impl Session {
    fn versions(&self) -> Result<Value> {
        Ok(self.engine().flows()?.iter().map(flow).collect())
    }

    fn plan(&self, text: &str, dir: &str, names: &Value) -> Result<Value> {
        let plan = self
            .engine()
            .plan(text, given(dir), &renames("renames", names)?)?;
        let cases: Value = plan.cases.iter().map(case_plan).collect();
        Ok(value!({
            "flow": (plan.flow.as_str()), "version": (plan.version), "key": (plan.key.as_str()), "cases": cases,
        }))
    }

    fn migrate(&self, text: &str, dir: &str, options: &Value) -> Result<Value> {
        let mut how = MigrateOptions::default();
        checks::object("options", options)?;
        for (key, value) in options.entries() {
            match key {
                "cohort" => {
                    let cohort = checks::count("options.cohort", &value)?;
                    how.cohort = usize::try_from(cohort).unwrap_or(usize::MAX);
                }
                "renames" => how.renames = renames("options.renames", &value)?,
                "cases" => how.cases = Some(checks::texts("options.cases", &value)?),
                other => {
                    return Err(checks::unknown(
                        "options",
                        other,
                        "cohort, renames and cases",
                    ));
                }
            }
        }
        Ok(migrated(&self.engine().migrate(text, given(dir), &how)?))
    }

    fn undo_migration(&self, migration: &str) -> Result<Value> {
        Ok(migrated(&self.engine().undo_migration(migration)?))
    }

    fn fork_case(&self, id: &str, at: u64, results: bool, new_id: &str) -> Result<Value> {
        let how = ForkOptions {
            id: given(new_id).map(str::to_owned),
            results,
        };
        let forked = self.engine().fork_case(id, at, &how)?;
        Ok(value!({"case": (forked.case.as_str()), "at": (forked.at), "results": (forked.results)}))
    }

    fn compensate_case(&self, id: &str, reason: &str) -> Result<()> {
        Ok(self.engine().compensate_case(id, reason)?)
    }
}

/// Pairs of old and new names.
fn renames(at: &str, value: &Value) -> Result<Vec<(String, String)>> {
    checks::object(at, value)?;
    let pair = |(old, new): (&str, Value)| {
        let new = checks::text(&format!("{at}.{old}"), &new)?;
        Ok((old.to_owned(), new))
    };
    value.entries().map(pair).collect()
}

fn flow(of: &FlowInfo) -> Value {
    let version = |v: &statewright::flow::VersionInfo| {
        value!({
            "version": (v.version), "key": (v.key.as_str()), "dir": (v.dir.as_deref()), "newest": (v.newest),
            "open": (v.open), "ended": (v.ended),
        })
    };
    let versions: Value = of.versions.iter().map(version).collect();
    value!({"name": (of.name.as_str()), "versions": versions})
}

fn case_plan(plan: &CasePlan) -> Value {
    let list =
        |texts: &[String]| -> Value { texts.iter().map(|t| Value::from(t.as_str())).collect() };
    value!({
        "case": (plan.case.as_str()), "version": (plan.version), "key": (plan.key.as_str()),
        "status": (plan.status.name()), "reasons": (list(&plan.reasons)), "follows": (list(&plan.follows)),
    })
}

fn migrated(done: &Migrated) -> Value {
    let all = |plans: &[CasePlan]| -> Value { plans.iter().map(case_plan).collect() };
    value!({
        "id": (done.id.as_deref()), "flow": (done.flow.as_str()), "version": (done.version),
        "moved": (all(&done.moved)), "left": (all(&done.left)),
    })
}
