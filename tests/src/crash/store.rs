//! The crash test of the store: transactions over the log, and everything that the store writes beside it.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use statewright_log::sim::{self, Damage, Disk, Fault, Image, Op, SimIo};
use statewright_log::{Durability, Env};
use statewright_store::{Error, EventReader, Place, Space, Store, StoreOptions, Txn};
use statewright_value::{Path, value};

use super::run::{Expect, Moment};
use crate::sim::model::{
    Change, State, counter_key, doc_value, field_path, numbers, time_of, value_of,
};

/// One thing that happens to a store.
#[derive(Clone, Debug)]
pub enum Act {
    /// A transaction that makes these changes, at least this durable.
    Commit(Vec<Change>, Durability),
    /// Everything so far is made durable.
    Sync,
    /// A checkpoint is made.
    Checkpoint,
    /// The store is closed and opened again.
    Reopen(Durability),
    /// The process is killed, and the store opened again by the next.
    Kill(Durability),
    /// A call will fail. The store is opened again when it stops working because of it.
    Fail(Fault),
    /// No call fails any more.
    Heal,
}

/// A named history of a store.
#[derive(Clone, Debug)]
pub struct StoreScenario {
    /// What it is about.
    pub name: String,
    /// How the store is opened first.
    pub durability: Durability,
    /// What happens then. The store is closed at the end.
    pub acts: Vec<Act>,
}

/// What may be found after a crash: one of these versions, and none before `durable`.
#[derive(Clone)]
pub struct Versions {
    states: Vec<Arc<State>>,
    durable: u64,
}

impl Versions {
    fn newest(&self) -> u64 {
        self.states.len() as u64 - 1
    }
}

fn options(durability: Durability) -> StoreOptions {
    let mut options = StoreOptions::with_durability(durability);
    options.log.first_segment_bytes = 8192;
    options.log.segment_bytes = 12_288;
    // What is in a checkpoint is read from there.
    options.checkpoints.cache_bytes = 0;
    options
}

fn open(env: Env, durability: Durability) -> Result<Store, Error> {
    let place = Place::Dir(PathBuf::from("/data/store"));
    Store::open(env, place, options(durability))
}

fn spaces() -> [Space; 2] {
    [Space::default(), Space::parse("t/two").unwrap_or_default()]
}

/// Makes a change in a transaction.
///
/// # Errors
/// Those of the store.
pub fn make(txn: &Txn, change: &Change) -> Result<(), Error> {
    let spaces = spaces();
    let [first, second] = &spaces;
    let space = |number: &usize| if *number == 0 { first } else { second };
    match change {
        Change::Put(s, key, n) => txn.kv_put(space(s), key.as_bytes(), value_of(*n)),
        Change::Delete(s, key) => txn.kv_delete(space(s), key.as_bytes()).map(drop),
        Change::Whole(doc, fields) => txn.json_set(first, doc, &Path::root(), doc_value(fields)),
        Change::Set(doc, field, n) => txn.json_set(first, doc, &field_path(*field), value_of(*n)),
        Change::Unset(doc, field) => txn.json_remove(first, doc, &field_path(*field)).map(drop),
        Change::Drop(doc) => txn.json_drop(first, doc).map(drop),
        Change::Add(counter, by) => {
            let key = counter_key(*counter);
            txn.kv_increment(&numbers(), key.as_bytes(), value!(*by), value!(0))
        }
        Change::Append(stream, n) => txn.event_append(first, stream, "made", value!({"n": *n})),
        Change::Restore(stream, n) => {
            let (at, payload) = (txn.event_len(first, stream)?, value!({"n": *n}));
            let restored = txn.event_restore(first, stream, at, time_of(*n), "made", payload, None);
            restored.map(drop)
        }
        Change::Cell(cell, n) => txn.cell_set(first, cell, value_of(*n)),
        Change::CellDrop(cell) => txn.cell_delete(first, cell).map(drop),
        // The simulation alone has these.
        Change::More(_) => Ok(()),
    }
}

/// Whether there is what the change is about.
fn fits(state: &State, change: &Change) -> bool {
    match change {
        Change::Put(..) | Change::Whole(..) | Change::Add(..) | Change::Append(..) => true,
        Change::Cell(..) => true,
        // Times do not go back.
        Change::Restore(stream, n) => {
            let last = state.streams.get(stream).and_then(|all| all.last());
            last.is_none_or(|last| last <= n)
        }
        Change::More(_) => false,
        Change::CellDrop(cell) => state.cells.contains_key(cell),
        Change::Delete(space, key) => state.kv.contains_key(&(*space, key.clone())),
        Change::Set(doc, ..) | Change::Drop(doc) => state.docs.contains_key(doc),
        Change::Unset(doc, field) => {
            let fields = state.docs.get(doc);
            fields.is_some_and(|fields| fields.get(*field).copied().flatten().is_some())
        }
    }
}

/// Opens a damaged disk and says which version is there; an error if it is none that may be.
fn found(store: &Store, versions: &Versions, at_least: u64) -> Result<u64, String> {
    let version = store.snapshot().version();
    let newest = versions.newest();
    if !(at_least..=newest).contains(&version) {
        return Err(format!(
            "version {version} is there, not one of {at_least} to {newest}"
        ));
    }
    let all = crate::sim::read_all(store, &spaces()).map_err(|(_, text)| text)?;
    match versions.states.get(version as usize) {
        Some(state) if **state == all => Ok(version),
        _ => Err(format!("the state is not that of version {version}")),
    }
}

impl Expect for Versions {
    fn check(&self, disk: &Disk, seed: u64) -> Result<Vec<Moment>, String> {
        let io = SimIo::from_disk(disk.clone());
        let moments = Arc::new(Mutex::new(Vec::new()));
        let (kept, expected) = (moments.clone(), Arc::new(self.clone()));
        io.on_change(move |change, disk| {
            kept.lock().push(Moment {
                change: change.clone(),
                disk: disk.clone(),
                expected: expected.clone(),
            });
        });
        let durability = if seed.is_multiple_of(2) {
            Durability::Strict
        } else {
            Durability::Buffered
        };
        let failed = |what: &str, e: Error| format!("{what}: {e}");
        let store = open(sim::env(&io, seed), durability).map_err(|e| failed("opening", e))?;
        let version = found(&store, self, self.durable)?;
        let moments = std::mem::take(&mut *moments.lock());

        // A power cut right after: the second recovery finds the same.
        for damage in [Damage::Lose, Damage::Mixed] {
            let again = io.crash(&Image { damage, seed });
            let second = open(sim::env(&again, seed ^ 1), durability);
            let second = second.map_err(|e| failed("second recovery", e))?;
            let found = found(&second, self, self.durable)?;
            if found != version {
                return Err(format!(
                    "the first recovery found {version}, the second {found}"
                ));
            }
        }

        // The store can be written to, and keeps what is.
        let key = b"after";
        let put = store.kv_put(&Space::default(), key, value_of(15));
        let put = put.and_then(|put| store.sync().map(|()| put));
        if !put.as_ref().is_ok_and(|put| *put == version + 1) {
            return Err(format!("the recovered store cannot be written to: {put:?}"));
        }
        let damage = Damage::Lose;
        let after = io.crash(&Image { damage, seed });
        let after = open(sim::env(&after, seed ^ 2), durability);
        let after = after.map_err(|e| failed("after a new commit", e))?;
        let newest = after.snapshot().version();
        if newest != version + 1 {
            return Err(format!(
                "of {} commits after the recovery, {newest} survived",
                version + 1
            ));
        }
        Ok(moments)
    }
}

/// Runs a scenario in which one call fails, and opens it again after a power cut: every error must be a typed one, and
/// nothing that was acknowledged may be lost. Gives the world that it was run in.
///
/// # Errors
/// What is wrong, in words.
pub fn with_fault(
    scenario: &StoreScenario,
    fault: Option<Fault>,
    seed: u64,
) -> Result<SimIo, String> {
    let io = SimIo::new();
    if let Some(fault) = fault {
        io.fail(fault);
    }
    let versions = Arc::new(Mutex::new(Versions {
        states: vec![Arc::default()],
        durable: 0,
    }));
    let store = match open(sim::env(&io, seed), scenario.durability) {
        Err(e) if io.failed() > 0 && (300..400).contains(&e.code()) => {
            io.heal();
            open(sim::env(&io, seed), scenario.durability)
        }
        other => other,
    };
    let store = store.map_err(|e| format!("opening: {e}"))?;
    let mut runner = Runner {
        io: io.clone(),
        versions: versions.clone(),
        store: Some(store),
        durability: scenario.durability,
        acknowledged: 0,
        seed,
    };
    for act in &scenario.acts {
        let done = runner.act(act);
        done.map_err(|e| format!("at {act:?}: {e}"))?;
    }
    let damage = Damage::Lose;
    let after = io.crash(&Image { damage, seed });
    let store = open(sim::env(&after, seed), Durability::Strict);
    let store = store.map_err(|e| format!("after the end and a power cut: {e}"))?;
    let expected = versions.lock().clone();
    found(&store, &expected, expected.durable)?;
    drop(store);
    runner.io.heal();
    runner.reopen(false, runner.durability)?;
    Ok(io)
}

/// Runs a scenario and returns its moments, in order. Fails if the store breaks a promise even without a crash.
pub fn run(scenario: &StoreScenario, seed: u64) -> Result<Vec<Moment>, String> {
    let io = SimIo::new();
    let moments = Arc::new(Mutex::new(Vec::new()));
    let versions = Arc::new(Mutex::new(Versions {
        states: vec![Arc::default()],
        durable: 0,
    }));
    let (kept, model) = (moments.clone(), versions.clone());
    io.on_change(move |change, disk| {
        kept.lock().push(Moment {
            change: change.clone(),
            disk: disk.clone(),
            expected: Arc::new(model.lock().clone()),
        });
    });
    let store = open(sim::env(&io, seed), scenario.durability).map_err(|e| e.to_string())?;
    let mut runner = Runner {
        io,
        versions,
        store: Some(store),
        durability: scenario.durability,
        acknowledged: 0,
        seed,
    };
    for act in &scenario.acts {
        runner
            .act(act)
            .map_err(|e| format!("without any crash, at {act:?}: {e}"))?;
    }
    runner.io.heal();
    runner.reopen(false, runner.durability)?;
    drop(runner);
    Ok(std::mem::take(&mut *moments.lock()))
}

struct Runner {
    io: SimIo,
    versions: Arc<Mutex<Versions>>,
    store: Option<Store>,
    durability: Durability,
    /// The newest version that survives a killed process.
    acknowledged: u64,
    seed: u64,
}

impl Runner {
    fn act(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Commit(changes, at_least) => self.commit(changes, *at_least),
            Act::Sync => {
                let synced = self.store()?.sync();
                if synced.is_ok() {
                    let mut versions = self.versions.lock();
                    versions.durable = versions.newest();
                }
                self.go_on(synced)
            }
            Act::Checkpoint => {
                let made = self.store()?.checkpoint().map(drop);
                match made {
                    Ok(()) => {
                        let mut versions = self.versions.lock();
                        versions.durable = versions.newest();
                        Ok(())
                    }
                    // Nothing has changed, and the store goes on.
                    Err(e) if self.io.failed() > 0 && e.code() != 303 => Ok(()),
                    failed => self.go_on(failed),
                }
            }
            Act::Reopen(durability) => self.reopen(false, *durability),
            Act::Kill(durability) => self.reopen(true, *durability),
            Act::Fail(fault) => {
                self.io.fail(fault.clone());
                Ok(())
            }
            Act::Heal => {
                self.io.heal();
                Ok(())
            }
        }
    }

    fn store(&self) -> Result<&Store, String> {
        self.store.as_ref().ok_or_else(|| "no store is open".into())
    }

    fn commit(&mut self, changes: &[Change], at_least: Durability) -> Result<(), String> {
        let txn = self.store()?.begin();
        let mut next = {
            let versions = self.versions.lock();
            let newest = versions.states.last().cloned();
            newest.unwrap_or_default().after(&[])
        };
        let mut made = false;
        for change in changes {
            // What a commit that failed should have made is not there.
            if !fits(&next, change) {
                continue;
            }
            make(&txn, change).map_err(|e| format!("{change:?}: {e}"))?;
            next.apply(change);
            made = true;
        }
        if !made {
            return Ok(());
        }
        self.versions.lock().states.push(Arc::new(next));
        let result = txn.commit_with(at_least);
        match result {
            Ok(commit) => {
                self.acknowledged = commit.version;
                if self.durability.max(at_least) == Durability::Strict {
                    self.versions.lock().durable = commit.version;
                }
                Ok(())
            }
            Err(e) if self.io.failed() > 0 && [300, 305, 306].contains(&e.code()) => {
                // Nothing was appended, and the store goes on.
                self.versions.lock().states.pop();
                Ok(())
            }
            Err(e) => self.go_on(Err(e)),
        }
    }

    /// After a failure that was injected, opens the store again; any other failure is a violation.
    fn go_on(&mut self, result: Result<(), Error>) -> Result<(), String> {
        match result {
            Ok(()) => Ok(()),
            Err(e) if e.code() == 303 && self.io.failed() > 0 => {
                self.reopen(false, self.durability)
            }
            Err(e) => Err(e.to_string()),
        }
    }

    fn reopen(&mut self, kill: bool, durability: Durability) -> Result<(), String> {
        let store = self.store.take();
        if kill {
            self.io.halt_at(self.io.boundaries());
        } else if store.as_ref().is_some_and(|store| store.close().is_ok()) {
            let mut versions = self.versions.lock();
            versions.durable = versions.newest();
        }
        drop(store);
        self.io.resume();
        let env = |io: &SimIo| sim::env(io, self.seed ^ io.boundaries());
        let mut opened = open(env(&self.io), durability);
        if opened.is_err() && self.io.failed() > 0 {
            self.io.heal();
            opened = open(env(&self.io), durability);
        }
        let store = opened.map_err(|e| e.to_string())?;
        let versions = self.versions.lock().clone();
        let found = found(&store, &versions, self.acknowledged)?;
        let mut versions = self.versions.lock();
        // What is shown is durable, and what is not shown must never come back.
        versions.states.truncate(found as usize + 1);
        versions.durable = found;
        (self.store, self.durability, self.acknowledged) = (Some(store), durability, found);
        Ok(())
    }
}

/// The scripted scenarios.
#[must_use]
pub fn all() -> Vec<StoreScenario> {
    use Durability::{Buffered, Strict};
    let scenario = |name: &str, durability, acts| StoreScenario {
        name: format!("store: {name}"),
        durability,
        acts,
    };
    let reopen = |i: usize| {
        Act::Reopen(if i.is_multiple_of(2) {
            Strict
        } else {
            Buffered
        })
    };
    let mut all = vec![
        scenario("one key at a time", Strict, puts(12, 1)),
        scenario(
            "transactions over keys and documents",
            Strict,
            mixed(10, None),
        ),
        scenario(
            "buffered, synced now and then",
            Buffered,
            mixed(14, Some(4)),
        ),
        scenario("buffered, some commits strict", Buffered, upgraded()),
        scenario("documents, field by field", Strict, fields(16)),
        scenario("removals", Strict, removals()),
        scenario("closed and opened again", Strict, sessions(reopen)),
        scenario("killed, strict", Strict, sessions(|_| Act::Kill(Strict))),
        scenario(
            "killed, buffered",
            Buffered,
            sessions(|_| Act::Kill(Buffered)),
        ),
        scenario("large transactions", Strict, puts(6, 12)),
        scenario("large transactions, buffered", Buffered, puts(8, 10)),
    ];
    all.push(scenario("checkpoints", Strict, checkpointed(Strict)));
    all.push(scenario(
        "checkpoints, buffered",
        Buffered,
        checkpointed(Buffered),
    ));
    let error = std::io::ErrorKind::Other;
    for (what, op) in [
        ("write", Op::Write),
        ("sync", Op::Sync),
        ("rename", Op::Rename),
    ] {
        let mut acts = mixed(3, None);
        for nth in 1..4 {
            acts.push(Act::Fail(Fault::once(op, nth, error).partial(100)));
            acts.extend(puts(5, 3));
            acts.push(Act::Heal);
        }
        all.push(scenario(&format!("a {what} fails"), Strict, acts));
    }
    all
}

fn commit(changes: Vec<Change>) -> Act {
    Act::Commit(changes, Durability::Memory)
}

/// Numbers are unique within a scenario only by chance; a crash test does not need more.
fn puts(count: u64, each: u64) -> Vec<Act> {
    let key = |n: u64| Change::Put((n % 2) as usize, format!("k{:02}", n % 17), n + 7);
    (0..count)
        .map(|i| commit((0..each).map(|j| key(i * each + j)).collect()))
        .collect()
}

fn doc(n: u64) -> Change {
    let field = |i| Some(n + i);
    Change::Whole(
        format!("d{}", n % 3),
        [field(1), field(2), field(3), field(4)],
    )
}

/// Transactions over keys and documents, with a sync after every so many.
fn mixed(count: u64, sync: Option<u64>) -> Vec<Act> {
    let mut acts = vec![commit(vec![doc(0), doc(1), doc(2)])];
    for n in 1..=count {
        let name = format!("d{}", n % 3);
        acts.push(commit(vec![
            Change::Put(0, format!("k{}", n % 5), n * 5),
            Change::Set(name, (n % 4) as usize, n * 7),
            Change::Put(1, "count".into(), n),
            Change::Add(n % 2, n),
            Change::Append("s".into(), n * 3),
            Change::Restore("r".into(), n * 3),
            Change::Cell(format!("c{}", n % 2), n * 9),
        ]));
        if sync.is_some_and(|every| n.is_multiple_of(every)) {
            acts.push(Act::Sync);
        }
    }
    acts
}

fn checkpointed(durability: Durability) -> Vec<Act> {
    let mut acts = Vec::new();
    for round in 0..4 {
        acts.extend(mixed(3, None));
        acts.push(Act::Checkpoint);
        if round == 1 {
            acts.push(Act::Reopen(durability));
        }
        acts.extend(puts(2, 2));
        if round == 2 {
            acts.push(Act::Kill(durability));
        }
    }
    acts
}

fn upgraded() -> Vec<Act> {
    let upgrade = |(i, act): (usize, Act)| match act {
        Act::Commit(changes, _) if i.is_multiple_of(3) => Act::Commit(changes, Durability::Strict),
        other => other,
    };
    mixed(12, None)
        .into_iter()
        .enumerate()
        .map(upgrade)
        .collect()
}

fn fields(count: u64) -> Vec<Act> {
    let mut acts = vec![commit(vec![doc(0)])];
    let set = |n: u64| {
        commit(vec![Change::Set(
            "d0".into(),
            (n % 4) as usize,
            n * 16 + 15,
        )])
    };
    acts.extend((0..count).map(set));
    acts
}

fn removals() -> Vec<Act> {
    let mut acts = puts(8, 2);
    for n in 0..6_u64 {
        let key = |n: u64| Change::Delete((n % 2) as usize, format!("k{:02}", n % 17));
        acts.push(commit(vec![key(2 * n), key(2 * n + 1)]));
        acts.push(commit(vec![doc(n)]));
        acts.push(commit(vec![Change::Unset(format!("d{}", n % 3), 1)]));
        acts.push(commit(vec![Change::Cell("c".into(), n)]));
        acts.push(commit(vec![
            Change::Drop(format!("d{}", n % 3)),
            Change::CellDrop("c".into()),
        ]));
    }
    acts
}

/// A few transactions, then `end`; several times.
fn sessions(end: impl Fn(usize) -> Act) -> Vec<Act> {
    let session = |i: usize| {
        let mut acts = mixed(4, Some(3));
        acts.push(end(i));
        acts
    };
    (0..4).flat_map(session).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_runs_without_a_crash() {
        for scenario in all() {
            let moments = run(&scenario, 1).unwrap();
            assert!(moments.len() > 20, "{}: {}", scenario.name, moments.len());
        }
    }
}
