//! A flow of ten steps, from start to result, beside the least that a program without an engine would do for the same
//! promise: a journal written by hand, one transaction a step, on SQLite.
//!
//! The two are not equals. Ours reads the net, evaluates jq, keeps the marking, timers and history, and could be resumed
//! by another program; the journal is ten inserts and updates. It is the floor, and the ratio says how far above it we are.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use statewright::{Durability, Engine, Options};
use statewright_value::value;

use crate::measure::in_turn;
use crate::report::Row;

/// Ten `set` tasks in a row.
pub const TEN_STEPS: &str = include_str!("ten_steps.yaml");

/// Every promise, ours beside the journal.
pub fn run(dir: &Path, samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    for (name, durability) in [
        ("memory", Durability::Memory),
        ("buffered", Durability::Buffered),
        ("strict", Durability::Strict),
    ] {
        let dir = dir.join(format!("flow-{name}"));
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let journal = Journal::open(&dir.join("sqlite"), durability)?;
        let peer_name = journal.name.clone();
        let mut contenders: [Box<dyn TenSteps>; 2] = [
            Box::new(Ours::open(&dir.join("store"), durability)?),
            Box::new(journal),
        ];
        let cases = if durability == Durability::Strict {
            3
        } else {
            50
        };
        let times = in_turn(&mut contenders, samples, cases, |contender, _| {
            (0..cases).try_for_each(|_| contender.run())
        })?;
        if let [ours, peer] = times.as_slice() {
            // The engine has a thread of its own, so CPU time of this one would flatter us.
            emit(Row::time(
                format!("flow/{name}/10 steps (wall)"),
                ours.wall,
                peer.wall,
                peer_name,
            ));
        }
    }
    Ok(())
}

/// Runs one case of ten steps to its end.
trait TenSteps {
    fn run(&mut self) -> Result<()>;
}
