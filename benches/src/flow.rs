//! A flow of ten steps, from start to result, beside the least that a program without an engine would do for the same
//! promise: a journal written by hand, one transaction a step, on SQLite.
//!
//! Beside that, what the engine promises: of its log, its syncs, its speed in memory, and of cases that wait.
//!
//! The two are not equals. Ours reads the net, evaluates jq, keeps marking, timers and history, and could be resumed by
//! another program; the journal is ten inserts and updates. It is the floor; the ratio says how far above it we are.

pub mod cases;
pub mod peers;
pub mod routing;
pub mod sleeping;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use statewright::{Durability, Engine, Options, value};

use crate::measure::in_turn;
use crate::report::Row;
use crate::store::Size;

/// Ten `set` tasks in a row; the result is 55.
pub const TEN_STEPS: &str = include_str!("ten_steps.yaml");

/// Everything about flows, or those parts that `size` names: `routing`, `cases`, `sleeping`, `journal`, `peers`.
pub fn run_all(dir: &Path, size: &Size, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let wanted = |part: &str| size.only.is_empty() || size.only.iter().any(|only| only == part);
    let (samples, quick) = (size.samples, size.quick);
    if wanted("routing") {
        routing::run(samples, emit)?;
    }
    if wanted("cases") {
        cases::run(dir, samples, quick, emit)?;
    }
    if wanted("sleeping") {
        sleeping::run(dir, quick, size.program.as_deref(), emit)?;
    }
    if wanted("journal") {
        run(dir, samples, emit)?;
    }
    if wanted("peers") {
        peers::run(dir, samples.div_ceil(3), &size.peers, emit)?;
    }
    Ok(())
}

/// Every promise, ours beside the journal. CPU time of one thread would flatter an engine with threads, so only the
/// wall clock counts here.
pub fn run(dir: &Path, samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    for durability in [Durability::Memory, Durability::Buffered, Durability::Strict] {
        let dir = dir.join(format!("flow-{durability}"));
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create {}", dir.display()))?;
        let journal = Journal::open(&dir.join("sqlite"), durability)?;
        let peer_name = journal.name.clone();
        let ours = Ours::open(&dir.join("store"), durability)?;
        let mut contenders: [Box<dyn TenSteps>; 2] = [Box::new(ours), Box::new(journal)];
        let cases = if durability == Durability::Strict {
            3
        } else {
            50
        };
        let run = |contender: &mut Box<dyn TenSteps>, _: &()| {
            (0..cases).try_for_each(|_| contender.run())
        };
        let times = in_turn(&mut contenders, samples, cases, |_| (), run)?;
        if let [ours, peer] = times.as_slice() {
            emit(Row::time(
                format!("flow/{durability}/10 steps (wall)"),
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

/// The engine, in memory or in a folder.
pub struct Ours {
    engine: Engine,
}

impl Ours {
    /// Opens an engine with the flow deployed.
    pub fn open(dir: &Path, durability: Durability) -> Result<Ours> {
        let options = Options::default().durability(durability);
        let engine = match durability {
            Durability::Memory => Engine::in_memory(options)?,
            _ => Engine::open(dir, options)?,
        };
        engine.deploy(TEN_STEPS, None)?;
        Ok(Ours { engine })
    }

    /// Starts a case and waits for its result.
    pub fn run_case(&self) -> Result<()> {
        let case = self.engine.start("ten-steps", value!({}), None)?;
        let done = self.engine.wait(&case, None)?;
        ensure!(
            done.result == Some(value!(55)),
            "the case ended with {:?}",
            done.result
        );
        Ok(())
    }
}

impl TenSteps for Ours {
    fn run(&mut self) -> Result<()> {
        self.run_case()
    }
}

/// Two tables: what each step gave, and where each case is.
struct Journal {
    connection: Connection,
    name: String,
    cases: i64,
}

impl Journal {
    fn open(file: &Path, durability: Durability) -> Result<Journal> {
        let (connection, mode) = match durability {
            Durability::Memory => (Connection::open_in_memory()?, ":memory:"),
            Durability::Buffered => (Connection::open(file)?, "NORMAL"),
            Durability::Strict => (Connection::open(file)?, "FULL"),
        };
        if durability != Durability::Memory {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", mode)?;
        }
        connection.execute_batch(
            "CREATE TABLE cases (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, data TEXT NOT NULL);
             CREATE TABLE journal (id INTEGER, step INTEGER, result TEXT, PRIMARY KEY (id, step)) WITHOUT ROWID;",
        )?;
        let name = format!("journal by hand on SQLite {mode}, 11 commits");
        Ok(Journal {
            connection,
            name,
            cases: 0,
        })
    }
}

impl TenSteps for Journal {
    fn run(&mut self) -> Result<()> {
        self.cases += 1;
        let insert = "INSERT INTO cases (id, step, data) VALUES (?1, 0, '{}')";
        self.connection
            .prepare_cached(insert)?
            .execute((self.cases,))?;
        let mut sum = 0;
        for step in 1..=10 {
            sum += step;
            let data = format!("{{\"sum\":{sum}}}");
            let transaction = self.connection.transaction()?;
            let journal = "INSERT INTO journal (id, step, result) VALUES (?1, ?2, ?3)";
            transaction
                .prepare_cached(journal)?
                .execute((self.cases, step, &data))?;
            let update = "UPDATE cases SET step = ?2, data = ?3 WHERE id = ?1";
            transaction
                .prepare_cached(update)?
                .execute((self.cases, step, &data))?;
            transaction.commit()?;
        }
        ensure!(sum == 55, "the steps add up to {sum}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_has_its_row() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Vec::new();
        let size = Size {
            keys: 10,
            samples: 1,
            quick: true,
            only: Vec::new(),
            peers: Vec::new(),
            program: None,
        };
        run_all(dir.path(), &size, &mut |row| rows.push(row)).unwrap();
        assert!(rows.len() > 20, "{rows:#?}");
        assert!(rows.iter().all(|row| row.ours >= 0.0), "{rows:#?}");
    }

    #[test]
    fn both_reach_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Vec::new();
        run(dir.path(), 1, &mut |row| rows.push(row)).unwrap();
        assert_eq!(rows.len(), 3);
        assert!(
            rows.iter().all(|row| row.ours > 0.0 && row.peer > 0.0),
            "{rows:#?}"
        );
    }
}
