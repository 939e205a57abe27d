//! A field that is set in a transaction which nobody reads before it commits is set in place then: with the same
//! outcome, to the last error and version, as if somebody had read it.

use proptest::prelude::*;
use statewright_log::sim;
use statewright_store::{
    Durability, Isolation, Place, Reader, Savepoint, Snapshot, Space, Store, StoreOptions, Txn,
};
use statewright_value::{Path, Value, value};

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Set(usize, u8, u8, i64),
    Remove(usize, u8, u8),
    /// By a half of what fits, or by one.
    Increment(usize, u8, u8, bool),
    Drop(usize, u8),
    PutKey(usize, u8),
    Read(usize, u8),
    List(usize),
    Savepoint(usize),
    Rollback(usize),
    Release(usize),
    Commit(usize),
    /// A commit that nobody waits for.
    Deferred(u8, u8, i64),
    /// An increment as a commit of its own.
    Rival(u8, bool),
    Hold,
    Checkpoint,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    let (doc, path) = (|| 0_u8..3, || 0_u8..10);
    let number = prop_oneof![2 => Just(3_u8), 1 => path()];
    prop_oneof![
        3 => slot().prop_map(Step::Begin),
        8 => (slot(), doc(), path(), 0_i64..9).prop_map(|(s, d, p, n)| Step::Set(s, d, p, n)),
        1 => (slot(), doc(), path()).prop_map(|(s, d, p)| Step::Remove(s, d, p)),
        3 => (slot(), doc(), number, any::<bool>()).prop_map(|(s, d, p, much)| Step::Increment(s, d, p, much)),
        1 => (slot(), doc()).prop_map(|(s, d)| Step::Drop(s, d)),
        1 => (slot(), doc()).prop_map(|(s, d)| Step::PutKey(s, d)),
        1 => (slot(), doc()).prop_map(|(s, d)| Step::Read(s, d)),
        1 => slot().prop_map(Step::List),
        3 => slot().prop_map(Step::Savepoint),
        3 => slot().prop_map(Step::Rollback),
        1 => slot().prop_map(Step::Release),
        3 => slot().prop_map(Step::Commit),
        3 => (doc(), path(), 0_i64..9).prop_map(|(d, p, n)| Step::Deferred(d, p, n)),
        2 => (doc(), any::<bool>()).prop_map(|(d, much)| Step::Rival(d, much)),
        1 => Just(Step::Hold),
        1 => Just(Step::Checkpoint),
    ]
}

/// Of objects, arrays and numbers, and through what is none of them.
fn path(at: u8) -> Path {
    const PATHS: [&str; 10] = [
        ".a", ".a.b", ".a.b.c", ".n", ".n.x", ".list[0]", ".list[2]", ".list[9]", ".new.x.y", "",
    ];
    Path::parse(PATHS[usize::from(at)]).unwrap()
}

/// Twice as much does not fit.
fn number(much: bool) -> Value {
    value!(if much { u64::MAX / 2 } else { 1 })
}

fn name(doc: u8) -> String {
    format!("doc-{doc}")
}

struct World {
    store: Store,
    /// Whether somebody reads after each write.
    read: bool,
    open: [Option<(Txn, Vec<Savepoint>)>; 2],
    held: Vec<(Snapshot, Vec<(String, Value)>)>,
    deferred: Option<u64>,
}

impl World {
    fn new(durability: Durability, read: bool) -> World {
        let (env, _, _) = sim::world(7);
        let place = match durability {
            Durability::Memory => Place::Memory,
            _ => Place::Dir("/store".into()),
        };
        let options = StoreOptions::with_durability(durability);
        let store = Store::open(env, place, options).unwrap();
        for doc in 0..2 {
            let made = value!({ "a": { "b": 1, "z": [] }, "n": 3, "list": [1, 2] });
            // Packed, as most documents are, and as nodes.
            let made = if doc == 0 { made } else { made.pack().unwrap() };
            let space = Space::default();
            store.json_create(&space, &name(doc), made).unwrap();
        }
        World {
            store,
            read,
            open: [None, None],
            held: Vec::new(),
            deferred: None,
        }
    }

    /// What came out, in words.
    fn run(&mut self, step: &Step) -> String {
        let space = Space::default();
        match step {
            Step::Begin(slot) => {
                let txn = self.store.begin_with(Isolation::Snapshot);
                let at = txn.snapshot_version();
                self.open[*slot] = Some((txn, Vec::new()));
                format!("{at}")
            }
            Step::Commit(slot) => match self.open[*slot].take() {
                Some((txn, _)) => said(txn.commit()),
                None => String::new(),
            },
            Step::Deferred(doc, at, n) => {
                let set = |txn: &Txn| {
                    txn.json_set(&space, &name(*doc), &path(*at), value!(*n))?;
                    self.look(txn)
                };
                let done = self.store.transact_deferred(set);
                let version = done.as_ref().ok().and_then(|done| done.1);
                self.deferred = version.or(self.deferred);
                said(done)
            }
            Step::Rival(doc, much) => {
                let by = number(*much);
                let sum = self
                    .store
                    .json_increment(&space, &name(*doc), &path(3), by, value!(0));
                said(sum)
            }
            Step::Hold => {
                let snapshot = self.store.snapshot();
                let seen = all(&snapshot);
                let text = format!("{seen:?}");
                self.held.push((snapshot, seen));
                text
            }
            Step::Checkpoint => said(self.store.checkpoint().map(drop)),
            Step::Set(slot, ..)
            | Step::Remove(slot, ..)
            | Step::Increment(slot, ..)
            | Step::Drop(slot, ..)
            | Step::PutKey(slot, ..)
            | Step::Read(slot, ..)
            | Step::List(slot)
            | Step::Savepoint(slot)
            | Step::Rollback(slot)
            | Step::Release(slot) => {
                let Some((txn, mut points)) = self.open[*slot].take() else {
                    return String::new();
                };
                let out = within(&txn, &mut points, step);
                self.look(&txn).unwrap();
                self.open[*slot] = Some((txn, points));
                out
            }
        }
    }

    /// Reads what is nowhere, which conflicts with nothing.
    fn look(&self, txn: &Txn) -> Result<(), statewright_store::Error> {
        match self.read {
            true => txn.kv_get(&Space::default(), b"nothing").map(drop),
            false => Ok(()),
        }
    }
}

fn within(txn: &Txn, points: &mut Vec<Savepoint>, step: &Step) -> String {
    let space = &Space::default();
    match step {
        Step::Set(_, doc, at, n) => said(txn.json_set(space, &name(*doc), &path(*at), value!(*n))),
        Step::Remove(_, doc, at) => said(txn.json_remove(space, &name(*doc), &path(*at))),
        Step::Increment(_, doc, at, much) => {
            let by = number(*much);
            said(txn.json_increment(space, &name(*doc), &path(*at), by, value!(0)))
        }
        Step::Drop(_, doc) => said(txn.json_drop(space, &name(*doc))),
        Step::PutKey(_, key) => said(txn.kv_put(space, &[*key], value!("kv"))),
        Step::Read(_, doc) => said(txn.json_get(space, &name(*doc), &Path::root())),
        Step::List(_) => format!("{:?}", all(txn)),
        Step::Savepoint(_) => {
            points.push(txn.savepoint());
            String::new()
        }
        Step::Rollback(_) => said(points.last().map(|last| txn.rollback_to(*last)).transpose()),
        Step::Release(_) => said(points.pop().map(|last| txn.release(last)).transpose()),
        _ => String::new(),
    }
}

fn said<T: std::fmt::Debug>(done: Result<T, statewright_store::Error>) -> String {
    match done {
        Ok(value) => format!("{value:?}"),
        Err(e) => e.to_string(),
    }
}

fn all(reader: &impl Reader) -> Vec<(String, Value)> {
    reader.json_list(&Space::default(), "", None, 100).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn gives_what_it_gives_when_somebody_reads(
        mode in 0_usize..3,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mode = [Durability::Memory, Durability::Buffered, Durability::Strict][mode];
        let (mut unread, mut read) = (World::new(mode, false), World::new(mode, true));
        for step in &steps {
            prop_assert_eq!(unread.run(step), read.run(step), "{:?}", step);
        }
        for world in [&mut unread, &mut read] {
            if let Some(version) = world.deferred {
                world.store.settle(version).unwrap();
            }
            for (snapshot, then) in &world.held {
                prop_assert_eq!(&all(snapshot), then);
            }
        }
        prop_assert_eq!(all(&unread.store), all(&read.store));
        let version = |world: &World, doc| world.store.json_version(&Space::default(), &name(doc));
        for doc in 0..3 {
            prop_assert_eq!(version(&unread, doc).unwrap(), version(&read, doc).unwrap());
        }
    }
}

/// What waits to be applied is tried again where others added to the same place in between.
#[test]
fn an_increment_that_waits_and_no_longer_fits_is_refused() {
    let (space, at) = (Space::default(), Path::root().key("n"));
    for left in [1_u64, 5] {
        let store = Store::open(
            statewright_store::Env::real(),
            Place::Memory,
            StoreOptions::with_durability(Durability::Memory),
        )
        .unwrap();
        store
            .json_create(&space, "d", value!({"n": (u64::MAX - left)}))
            .unwrap();
        let txn = store.begin();
        txn.json_increment(&space, "d", &at, value!(1), value!(0))
            .unwrap();
        store
            .transact(|rival| rival.json_increment(&space, "d", &at, value!(1), value!(0)))
            .unwrap();
        assert_eq!(txn.commit().is_ok(), left == 5);
        let n = store.json_get(&space, "d", &at).unwrap().unwrap();
        assert_eq!(
            n,
            Value::from(u64::MAX - left + if left == 5 { 2 } else { 1 })
        );
        store.json_set(&space, "d", &at, value!(0)).unwrap();
    }
}
