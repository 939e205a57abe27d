//! Whatever two transactions and single commits do at once, and however the clock goes: a commit that the log has can
//! be applied, now and when the store is opened again.

use std::path::Path as Folder;
use std::time::Duration;

use proptest::prelude::*;
use statewright_log::Clock;
use statewright_log::sim::{self, SimClock};
use statewright_store::prelude::*;
use statewright_store::{
    Durability, Env, Error, Isolation, NewRun, NewTrace, Place, RunStatus, Space, Store,
    StoreOptions, Timestamp, Txn,
};
use statewright_value::{Path, Value, value};

/// What is done, to which key, where in it, with which value.
type Act = (u8, u8, u8, u8);

#[derive(Clone, Debug)]
enum Step {
    Begin(usize, u8),
    Write(usize, Act),
    Commit(usize),
    Rollback(usize),
    Alone(Act),
    Deferred(Act),
    Purge,
    Clock(i64),
    Checkpoint,
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0_usize..2;
    let act = |acts: u8| (0..acts, 0_u8..2, 0_u8..6, 0_u8..10);
    prop_oneof![
        4 => (slot(), 0_u8..3).prop_map(|(s, i)| Step::Begin(s, i)),
        20 => (slot(), act(BOTH + 2)).prop_map(|(s, a)| Step::Write(s, a)),
        6 => slot().prop_map(Step::Commit),
        1 => slot().prop_map(Step::Rollback),
        10 => act(BOTH).prop_map(Step::Alone),
        2 => act(BOTH).prop_map(Step::Deferred),
        1 => Just(Step::Purge),
        4 => (-3_i64..9).prop_map(Step::Clock),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Open),
    ]
}

/// So many a store can do, too.
const BOTH: u8 = 30;

fn path(at: u8) -> Path {
    let paths = ["", ".n", ".o", ".list", ".list[0]", ".o.x"];
    Path::parse(paths[usize::from(at)]).unwrap()
}

fn a_value(n: u8) -> Value {
    match n {
        0 => value!({}),
        1 => value!([]),
        2 => value!(u64::MAX / 2),
        3 => value!(-1),
        4 => value!("text"),
        5 => value!({"o": {}}),
        6 => value!({"o": {"x": 1}, "n": null}),
        7 => value!([1]),
        8 => value!(null),
        _ => value!({"n": 1, "o": {"x": {}}, "list": [1, 2]}),
    }
}

/// The same, by a transaction or by the store.
macro_rules! act {
    ($to:expr, $act:expr) => {{
        let (what, key, at, n) = $act;
        let (spaces, keys) = ([Space::default(), Space::parse("b").unwrap()], ["k", "l"]);
        let (space, other) = (&spaces[usize::from(n % 2)], &spaces[usize::from(1 - n % 2)]);
        let (key, at, value, to) = (keys[usize::from(key)], path(at), a_value(n), $to);
        let (bytes, ttl) = (key.as_bytes(), Duration::from_secs(n.into()));
        let kind = format!("kind-{n}");
        match what {
            0 => to.kv_put(space, bytes, value).map(drop),
            1 | 2 => to.kv_put_for(space, bytes, value, ttl).map(drop),
            3 => to.kv_delete(space, bytes).map(drop),
            4 | 5 => to
                .kv_increment(space, bytes, value, a_value(n / 2))
                .map(drop),
            6 => to.kv_append(space, bytes, value, None).map(drop),
            7 => to.kv_extend(space, bytes, vec![value]).map(drop),
            8 => to.kv_purge(space, 2).map(drop),
            9 => to.event_append(space, key, &kind, value).map(drop),
            10 => to.cell_set(space, key, value).map(drop),
            11 => to.cell_init(space, key, value).map(drop),
            12 => to.cell_delete(space, key).map(drop),
            13 => to
                .trace_record(space, NewTrace::new(&kind, value).id(&kind))
                .map(drop),
            14 => to
                .trace_record(space, NewTrace::new(&kind, value).parent("kind-1"))
                .map(drop),
            15 => to.run_create(space, NewRun::new().id(key)).map(drop),
            16 => to
                .run_set_status(
                    space,
                    key,
                    [RunStatus::Paused, RunStatus::Completed][usize::from(n % 2)],
                )
                .map(drop),
            17 => to.run_set_metadata(space, key, &at, value).map(drop),
            18 => to.json_create(space, key, a_value(9)).map(drop),
            19 => to.json_set(space, key, &at, value).map(drop),
            20 => to.json_remove(space, key, &at).map(drop),
            21 => to.json_drop(space, key).map(drop),
            22 => to
                .json_increment(space, key, &at, value, value!(1))
                .map(drop),
            23 => to.json_append(space, key, &at, value, None).map(drop),
            24 => to.json_push(space, key, &at, vec![value]).map(drop),
            25 => to.json_merge(space, key, &at, value).map(drop),
            26 => to.json_deep_merge(space, key, &at, value).map(drop),
            27 => to.json_move(space, key, &at, &path(n % 6)).map(drop),
            28 => to.space_delete(space).map(drop),
            _ => to.space_copy(space, other).map(drop),
        }
    }};
}

struct World {
    env: Env,
    clock: SimClock,
    store: Store,
    open: [Option<Txn>; 2],
    /// The last commit that nobody waited for.
    deferred: Option<u64>,
}

impl World {
    fn new(durability: Durability) -> World {
        let (env, _, clock) = sim::world(5);
        let place = Place::Dir(Folder::new("/store").into());
        let store = Store::open(
            env.clone(),
            place,
            StoreOptions::with_durability(durability),
        )
        .unwrap();
        let open = [None, None];
        World {
            env,
            clock,
            store,
            open,
            deferred: None,
        }
    }

    fn run(&mut self, step: &Step, durability: Durability) -> Result<(), Error> {
        match step {
            Step::Begin(slot, isolation) => {
                let all = [
                    Isolation::Serializable,
                    Isolation::Snapshot,
                    Isolation::Weak,
                ];
                self.open[*slot] = Some(self.store.begin_with(all[usize::from(*isolation)]));
                Ok(())
            }
            Step::Write(slot, what) => match &self.open[*slot] {
                Some(txn) if what.0 < BOTH => act!(txn, *what),
                Some(txn) => self.restore(txn, *what),
                None => Ok(()),
            },
            Step::Commit(slot) => match self.open[*slot].take() {
                Some(txn) => txn.commit().map(drop),
                None => Ok(()),
            },
            Step::Rollback(slot) => {
                self.open[*slot] = None;
                Ok(())
            }
            Step::Alone(what) => act!(&self.store, *what),
            Step::Deferred(what) => {
                let done = self.store.transact_deferred(|txn| act!(txn, *what));
                let version = done?.1;
                self.deferred = version.or(self.deferred);
                Ok(())
            }
            Step::Purge => self.store.purge_expired(3).map(drop),
            Step::Clock(seconds) => {
                self.clock.jump(seconds * 1_000_000);
                Ok(())
            }
            Step::Checkpoint => self.store.checkpoint().map(drop),
            Step::Open => {
                self.open = [None, None];
                if let Some(version) = self.deferred.take() {
                    self.store.settle(version)?;
                }
                let before = content(&self.store);
                self.store.close().unwrap();
                let place = Place::Dir(Folder::new("/store").into());
                let options = StoreOptions::with_durability(durability);
                self.store = Store::open(self.env.clone(), place, options).unwrap();
                assert_eq!(content(&self.store), before);
                Ok(())
            }
        }
    }
}

impl World {
    /// What only a transaction does.
    fn restore(&self, txn: &Txn, (what, key, at, n): Act) -> Result<(), Error> {
        let (space, key) = (Space::default(), ["k", "l"][usize::from(key)]);
        let now = self.clock.now();
        let time = Timestamp::from_micros(now.as_micros() - i64::from(n) * 1_000_000);
        match what {
            BOTH => txn
                .event_restore(
                    &space,
                    key,
                    u64::from(at) / 2,
                    time,
                    "kind",
                    a_value(n),
                    None,
                )
                .map(drop),
            _ => txn
                .run_restore(&space, NewRun::new().id(key), RunStatus::Active, time, now)
                .map(drop),
        }
    }
}

/// Everything, as text.
fn content(store: &Store) -> String {
    let snapshot = store.snapshot();
    let spaces = snapshot.space_list("", None, 9).unwrap();
    let each = spaces.iter().map(|space| {
        let keys = snapshot.kv_scan(space, b"", None, 99).unwrap();
        let docs = snapshot.json_list(space, "", None, 99).unwrap();
        let cells = ["k", "l"].map(|cell| snapshot.cell_get(space, cell).unwrap());
        let events = ["k", "l"].map(|stream| snapshot.event_verify(space, stream).unwrap());
        format!("{space}: {keys:?} {docs:?} {cells:?} {events:?}")
    });
    each.collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn a_commit_that_the_log_has_can_be_applied(
        strict in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let durability = if strict { Durability::Strict } else { Durability::Buffered };
        let mut world = World::new(durability);
        for step in steps.iter().chain([&Step::Open]) {
            if let Err(e) = world.run(step, durability) {
                prop_assert!(!matches!(e, Error::Corrupt { .. } | Error::Damaged { .. }), "{:?}: {}", step, e);
            }
        }
    }
}
