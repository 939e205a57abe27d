//! Cases in the store: every event is loaded, given to the machine and written back in one transaction, one commit.
//!
//! There are no threads here. Whoever calls is told what moved ([`Moved`]) and goes on: advances the case, hands
//! offered work out, sets an alarm for [`Flows::next_due`].

mod aside;
mod batch;
mod control;
mod desk;
mod explain;
mod family;
mod fork;
mod inbox;
mod journal;
pub(crate) mod keys;
mod lanes;
mod locks;
mod mapping;
mod migrate;
mod past;
mod query;
mod record;
mod recovery;
mod relocate;
mod replay;
mod save;
mod schedules;
mod timers;
mod token;
mod versions;
mod waiting;
mod work;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use statewright_log::{Durability, Timestamp};
use statewright_store::{Primitive, Reader, Space, Store, Txn};
use statewright_value::{Kind, Path, Value, value};

pub use aside::PutOff;
pub use explain::Waiting;
pub use fork::{ForkOptions, Forked};
pub use inbox::{WorkFilter, WorkInfo, WorkState};
pub use migrate::{MigrateOptions, Migrated, Migration};
pub use query::{CaseFilter, CaseInfo, ItemInfo};
pub use replay::{Difference, Replayed};
pub use save::Moved;
pub use schedules::ScheduleInfo;
pub use versions::{CasePlan, FlowInfo, Plan, VersionInfo};
pub use work::{Claim, Outcome, Queue, SOME_WORKER, WorkItem, WorkKind, check_worker};

use aside::{Asides, Part};
use batch::Batch;
use desk::Desk;
use family::Family;
use save::Wanted;

use crate::case::Case;
use crate::error::{Error, Result};
use crate::ids;
use crate::machine::Machine;
use crate::net::{Net, TaskKind};
use crate::problem::Problem;

/// A deployed flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deployed {
    /// The flow's name.
    pub name: String,
    /// The version that its spec states.
    pub version: u64,
    /// Names the exact content: the same spec from the same folder has the same key. Cases keep the net they began
    /// on.
    pub key: String,
    /// What somebody should look at, though the flow can run.
    pub warnings: Vec<Problem>,
}

/// The flows and cases of a store. Thread-safe; cheap to share by reference.
pub struct Flows {
    store: Store,
    nets: Nets,
    desk: Desk,
    asides: Asides,
    /// What claims are signed with, once that was needed.
    secret: OnceLock<[u8; 32]>,
    /// Whether anything may stand in a lane: most stores have none, and need not look.
    lanes: AtomicBool,
    /// How many automatic tasks one commit fires at most.
    burst: u32,
    /// Whether schedules of deployed flows are kept.
    schedules: bool,
}

/// The nets that were compiled so far, by key: a key names the exact content, so stores can share them.
pub(crate) type Nets = Arc<Mutex<BTreeMap<String, Arc<Net>>>>;

/// In memory there is no journal whose commits could be lost one by one, so tasks that need nobody share a commit.
const BURST_IN_MEMORY: u32 = 64;

impl Flows {
    /// Works on this store. There should be one of it for an open store: claims that are not written yet are known to
    /// the one alone that made them.
    pub fn new(store: Store) -> Flows {
        let in_memory = store.stats().durability == Durability::Memory;
        Flows {
            lanes: lanes::are_there(&store.snapshot()).into(),
            store,
            nets: Nets::default(),
            desk: Desk::default(),
            asides: Asides::default(),
            secret: OnceLock::new(),
            burst: if in_memory { BURST_IN_MEMORY } else { 1 },
            schedules: true,
        }
    }

    /// The same for tests, with nets that are compiled already: every event is a commit of its own, in memory too, and
    /// no case begins by itself.
    pub(crate) fn for_tests(store: Store, nets: Nets) -> Flows {
        Flows {
            nets,
            burst: 1,
            schedules: false,
            ..Flows::new(store)
        }
    }

    pub(crate) fn nets(&self) -> &Nets {
        &self.nets
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.env().clock.now()
    }

    /// Checks a spec and makes it the newest of its name; `dir` is what `$flow.dir` gives. Deploying the same again
    /// changes nothing. Fails with [`Error::InvalidSpec`], which has every problem with its line and column.
    pub fn deploy(&self, source: &str, dir: Option<&str>) -> Result<Deployed> {
        let key = net_key(source, dir);
        let known = self.nets.lock().get(&key).cloned();
        let net = match known {
            Some(net) => net,
            None => Arc::new(
                Net::compile(source, dir).map_err(|problems| Error::InvalidSpec { problems })?,
            ),
        };
        let deployed = Deployed {
            name: net.name.to_string(),
            version: net.version,
            key: key.clone(),
            warnings: net.warnings.clone(),
        };
        let (name, version) = (deployed.name.as_str(), deployed.version);
        let newest = value!({"version": version, "net": (key.as_str())});
        let (space, now) = (Space::default(), self.now());
        self.store.transact(|txn| -> Result<()> {
            if save::read(txn, keys::SECRET)?.is_none() {
                let secret = Value::bytes(ids::new_secret(self.store.env())?);
                txn.doc_create(Primitive::Flow, &space, keys::SECRET, secret)?;
            }
            let net_at = keys::net(&key);
            if save::read(txn, &net_at)?.is_none() {
                let content =
                    value!({"name": name, "version": version, "source": source, "dir": dir});
                txn.doc_create(Primitive::Flow, &space, &net_at, content)?;
            }
            let flow_at = keys::flow(name);
            if save::read(txn, &flow_at)?.as_ref() != Some(&newest) {
                txn.doc_set(
                    Primitive::Flow,
                    &space,
                    &flow_at,
                    &Path::root(),
                    newest.clone(),
                )?;
            }
            if self.schedules {
                schedules::deploy(txn, &net, now)?;
            }
            for signal in kept_signals(&net) {
                let keeps = keys::keeps(&signal);
                if save::read(txn, &keeps)?.is_none() {
                    txn.doc_create(Primitive::Flow, &space, &keeps, Value::NULL)?;
                }
            }
            Ok(())
        })?;
        self.nets.lock().insert(key, net);
        self.asides.clear(&deployed.name, Part::Schedule);
        Ok(deployed)
    }

    /// Starts a case of the newest version of a flow. `input` is an object, or null for none; it is merged over the
    /// flow's defaults. `id` is 1 to 128 of `A-Z a-z 0-9 . _ -`; without one, a new one that sorts by time is made.
    ///
    /// Fails with [`Error::UnknownFlow`], [`Error::Input`] or [`Error::CaseExists`].
    pub fn start(&self, flow: &str, input: &Value, id: Option<&str>) -> Result<Moved> {
        match id {
            Some(id) if ids::is_case_id(id) => self.start_as(flow, input, id),
            Some(id) => {
                let why = format!("'{id}' is not a case id: write 1 to 128 of A-Z a-z 0-9 . _ -");
                Err(Error::Input { why })
            }
            // There are so many ids that two of a millisecond are hardly ever the same.
            None => loop {
                let id = ids::new_case_id(self.store.env())?;
                match self.start_as(flow, input, &id) {
                    Err(Error::CaseExists { .. }) => {}
                    started => return started,
                }
            },
        }
    }

    /// Starts several cases of the newest version of a flow, one for each input; as [`start`](Flows::start), each in a
    /// commit of its own, but they wait for the disk together. Gives for each what moved, or why it was refused.
    ///
    /// # Errors
    /// What concerns the store and so all of them: none is said to be durable then.
    pub fn start_all(&self, flow: &str, inputs: &[Value]) -> Result<Vec<Result<Moved>>> {
        let ids: Result<Vec<String>> = inputs
            .iter()
            .map(|_| ids::new_case_id(self.store.env()))
            .collect();
        let ids = ids?;
        let mut batch = self.batch(ids.iter().map(String::as_str));
        let cases: Vec<&str> = ids.iter().map(String::as_str).collect();
        let moved = batch.transact_each(&cases, |at, family, txn| {
            match (cases.get(at), inputs.get(at)) {
                (Some(id), Some(input)) => self.begin(family, txn, flow, input, id),
                _ => Ok(()),
            }
        });
        batch.settle()?;
        let started = moved.into_iter().zip(ids.iter().zip(inputs));
        let started = started.map(|(moved, (id, input))| match moved {
            Err(Error::CaseExists { .. }) => self.start(flow, input, None),
            moved => Ok(moved?.unwrap_or_else(|| Moved::nothing(id))),
        });
        Ok(started.collect())
    }

    fn start_as(&self, flow: &str, input: &Value, id: &str) -> Result<Moved> {
        let mut batch = self.batch([id]);
        let moved = batch.transact(id, |family, txn| self.begin(family, txn, flow, input, id));
        batch.settled(moved.map(|moved| moved.unwrap_or_else(|| Moved::nothing(id))))
    }

    fn begin(
        &self,
        family: &mut Family<'_>,
        txn: &Txn,
        flow: &str,
        input: &Value,
        id: &str,
    ) -> Result<()> {
        let key = newest(txn, flow)?.ok_or_else(|| Error::UnknownFlow {
            flow: flow.to_owned(),
        })?;
        let net = self.net(txn, &key)?;
        let data = initial_data(&net, input)?;
        let marking = net.skeleton().empty();
        let case = Case::new(id.into(), key.into(), marking, data, family.now());
        family.create(&net, case)
    }

    /// Fires one enabled automatic task of a case (`set`, `log`), in one commit; in a store in memory, also those that
    /// follow, up to 64. None if there is nothing to fire.
    pub fn advance(&self, case: &str) -> Result<Option<Moved>> {
        let mut batch = self.batch([case]);
        let fired = batch.transact(case, |family, _| self.fire_next(family, case));
        let fired = self.fired(&mut batch, case, fired);
        batch.settled(fired)
    }

    /// [`advance`](Flows::advance) of several cases, each in a commit of its own; they wait for the disk together.
    /// Gives what moved.
    ///
    /// # Errors
    /// What concerns the store, or the first of the cases that fails; the others have moved all the same. See
    /// [`advance_each`](Flows::advance_each).
    pub fn advance_all(&self, cases: &[impl AsRef<str>]) -> Result<Vec<Moved>> {
        let fired = self.advance_each(cases)?;
        fired.into_iter().filter_map(Result::transpose).collect()
    }

    /// As [`advance_all`](Flows::advance_all), and gives for each case what moved, or why nothing did. One that fails
    /// is [put off](Flows::put_off), and advanced again with what is [due](Flows::fire_due) then.
    ///
    /// # Errors
    /// What concerns the store and so all of them: none is said to be durable then.
    pub fn advance_each(&self, cases: &[impl AsRef<str>]) -> Result<Vec<Result<Option<Moved>>>> {
        let cases: Vec<&str> = cases.iter().map(AsRef::as_ref).collect();
        let mut batch = self.batch(cases.iter().copied());
        let fired = batch.transact_each(&cases, |at, family, _| match cases.get(at) {
            Some(case) => self.fire_next(family, case),
            None => Ok(()),
        });
        let fired = cases.iter().zip(fired);
        let fired = fired.map(|(case, fired)| self.fired(&mut batch, case, fired));
        let fired: Vec<Result<_>> = fired.collect();
        batch.settle()?;
        for (case, fired) in cases.iter().zip(&fired) {
            match fired {
                Ok(_) => self.asides.clear(case, Part::GoOn),
                Err(e) => self.asides.failed(case, Part::GoOn, e, self.now()),
            }
        }
        Ok(fired)
    }

    fn fire_next(&self, family: &mut Family<'_>, case: &str) -> Result<()> {
        let fire = &mut |machine: &mut Machine<'_>| {
            let fired = machine.fire();
            if fired {
                self.go_on(machine);
            }
            Ok(fired)
        };
        family.event(case, Wanted::none(), fire).map(drop)
    }

    /// What came of [`fire_next`](Flows::fire_next), or of what is done if that cannot be stored.
    fn fired(
        &self,
        batch: &mut Batch<'_>,
        case: &str,
        fired: Result<Option<Moved>>,
    ) -> Result<Option<Moved>> {
        let fired = match fired {
            // Which of them it was is found out one by one.
            Err(Error::Store(e)) if self.burst > 1 && e.is_about_input() => {
                batch.step(case, Wanted::none(), |machine| Ok(machine.fire()))
            }
            fired => fired,
        };
        batch.or_fail(case, Wanted::none(), fired, |machine, failure| {
            machine.refuse(failure);
        })
    }

    /// After one automatic task, or the start: fires those that follow and share its commit.
    pub(crate) fn go_on(&self, machine: &mut Machine<'_>) {
        for _ in 1..self.burst {
            if !machine.needs.is_empty() || !machine.effects.is_empty() || !machine.fire() {
                return;
            }
        }
    }

    /// The open cases, oldest id first, after `after`.
    pub fn open_cases(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.indexed(keys::OPEN, after, limit)
    }

    /// The cases that somebody must look at who begins to drive them, oldest id first, after `after`: those that go on
    /// by themselves, to be [advanced](Flows::advance), and those of which process workers had work, which are to
    /// [give it back](Flows::release). Cases that wait for time, hosts or signals are not among them.
    pub fn ready_cases(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.indexed(keys::READY, after, limit)
    }

    fn indexed(&self, index: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let after = after.map(|id| [index, id].concat());
        let (view, space) = (self.store.snapshot(), Space::default());
        let found = view.doc_scan(Primitive::Flow, &space, index, after.as_deref(), limit)?;
        let ids = found.iter().filter_map(|(key, _)| key.strip_prefix(index));
        Ok(ids.map(str::to_owned).collect())
    }

    /// Runs an event on a case, with what follows from it in other cases, as one commit. `event` says whether it did
    /// anything. A closed case has no events.
    pub(crate) fn step(
        &self,
        id: &str,
        wanted: Wanted,
        event: impl FnMut(&mut Machine<'_>) -> Result<bool>,
    ) -> Result<Option<Moved>> {
        let mut batch = self.batch([id]);
        let done = batch.step(id, wanted, event);
        batch.settled(done)
    }

    /// The net of a key: from memory, or compiled from its stored source.
    pub(crate) fn net(&self, view: &impl Reader, key: &str) -> Result<Arc<Net>> {
        if let Some(net) = self.nets.lock().get(key) {
            return Ok(net.clone());
        }
        // A flow under `flows` of a spec has the spec's key and its own name.
        if let Some((root, name)) = key.split_once('#') {
            let root = self.net(view, root)?;
            let net = root.flows.get(name).cloned();
            return net.ok_or_else(|| Error::damaged(&keys::net(key), "flows"));
        }
        let at = keys::net(key);
        let stored = save::read(view, &at)?.ok_or_else(|| Error::damaged(&at, "document"))?;
        let source = stored
            .get("source")
            .ok_or_else(|| Error::damaged(&at, "source"))?;
        let dir = stored.get("dir").unwrap_or(Value::NULL);
        // It was checked when it was deployed; only a later version of the language can refuse it now.
        let compiled = Net::compile(source.as_str().unwrap_or_default(), dir.as_str());
        let net = Arc::new(compiled.map_err(|problems| Error::InvalidSpec { problems })?);
        self.nets.lock().insert(key.to_owned(), net.clone());
        Ok(net)
    }
}

/// The key of the newest deployed net of a flow.
pub(crate) fn newest(view: &impl Reader, flow: &str) -> Result<Option<String>> {
    let newest = save::read(view, &keys::flow(flow))?;
    let key = newest.and_then(|n| n.get("net"));
    Ok(key.and_then(|k| k.as_str().map(str::to_owned)))
}

/// Content and folder, in a hash of 120 bits: it is in every case.
fn net_key(source: &str, dir: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(source.as_bytes());
    hasher.update(&[0, u8::from(dir.is_some())]);
    hasher.update(dir.unwrap_or_default().as_bytes());
    let hash = hasher.finalize();
    let (first, rest) = hash
        .as_bytes()
        .split_first_chunk()
        .unwrap_or((&[0; 8], &[]));
    let second = rest.first_chunk().unwrap_or(&[0; 8]);
    let digits = |part: &[u8; 8]| ids::digits(u64::from_le_bytes(*part), 12);
    [&*digits(first), &*digits(second)].concat()
}

/// The signals that come by key and are to be kept when nobody waits for them.
fn kept_signals(net: &Net) -> Vec<String> {
    let nets = std::iter::once(net).chain(net.flows.values().map(|net| &**net));
    let mut signals = Vec::new();
    for task in nets.flat_map(|net| &net.tasks) {
        if let TaskKind::Signal(signal) = &task.kind
            && signal.keep
            && signal.key.is_some()
        {
            signals.push(signal.signal.clone());
        }
    }
    signals
}

fn initial_data(net: &Net, input: &Value) -> Result<Value> {
    let input = match input.kind() {
        Kind::Null => net.input.clone(),
        Kind::Object => merged(&net.input, input)?,
        other => {
            return Err(Error::Input {
                why: format!("the input must be an object, not {}", other.name()),
            });
        }
    };
    let mut data = Value::object();
    data.insert("input", input)?;
    Ok(data)
}

/// `over` merged over `base`: objects key by key, anything else replaced.
fn merged(base: &Value, over: &Value) -> Result<Value> {
    if base.kind() != Kind::Object || over.kind() != Kind::Object {
        return Ok(over.clone());
    }
    let mut result = base.clone();
    for (key, value) in over.entries() {
        let value = match base.get(key) {
            Some(below) => merged(&below, &value)?,
            None => value,
        };
        result.insert(key, value)?;
    }
    Ok(result)
}
