//! One transaction over several primitives, beside the same operations in commits of their own.

use anyhow::Result;
use statewright_store::{Store, Txn};
use statewright_value::{Path, Value as Json, value};

use super::contender::{Promise, key, value as bytes};
use super::ours::Ours;
use super::{Run, contender};
use crate::measure::{Sequence, Time, in_turn_warm};
use crate::report::{Row, Target};

/// Documents and keys that the operations spread over.
const PLACES: usize = 1000;
/// Transactions of one sample.
const ROUNDS: usize = 500;

/// What one contender does, of the operations in [`Parts::apply`].
#[derive(Clone, Copy)]
enum Work {
    /// Everything in one transaction.
    Together,
    /// Each operation alone, in a transaction of its own.
    Apart,
}

/// Our store, and the path that is set.
struct Parts {
    ours: Ours,
    path: Path,
}

impl Parts {
    /// Operation number `part` on place number `place`.
    fn apply(&self, part: usize, txn: &Txn, place: usize) -> Result<()> {
        let space = &self.ours.space;
        match part {
            0 => txn.kv_put(space, &key(place), Json::bytes(&bytes(place)[..]))?,
            1 => {
                let number = Json::from(place as i64);
                txn.json_set(space, &document(place), &self.path, number)?;
            }
            _ => {
                let what = value!({"order": (place as i64), "by": "bench"});
                txn.event_append(space, "orders", "changed", what)?;
            }
        }
        Ok(())
    }

    fn run(&self, work: Work, place: usize) -> Result<()> {
        let store: &Store = &self.ours.store;
        match work {
            Work::Together => {
                let txn = store.begin();
                (0..PARTS.len()).try_for_each(|part| self.apply(part, &txn, place))?;
                txn.commit()?;
            }
            Work::Apart => {
                for part in 0..PARTS.len() {
                    let txn = store.begin();
                    self.apply(part, &txn, place)?;
                    txn.commit()?;
                }
            }
        }
        Ok(())
    }
}

/// The operations of the transaction.
const PARTS: &[&str] = &["kv", "json", "event"];

fn document(place: usize) -> String {
    format!("order-{place}")
}

/// The comparison; the peer is we ourselves, with each operation in a commit of its own.
pub fn run(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let folder = run.folder()?;
    let ours = match promise {
        Promise::Memory => Ours::memory()?,
        _ => Ours::buffered(&folder.0)?,
    };
    for place in 0..PLACES {
        let txn = ours.store.begin();
        let order =
            value!({"id": (place as i64), "status": "new", "lines": [{"price": 1, "count": 2}]});
        txn.json_create(&ours.space, &document(place), order)?;
        txn.commit()?;
    }
    contender::load(&ours, PLACES)?;
    let parts = Parts {
        ours,
        path: Path::root().key("lines").index(0).key("price"),
    };
    let times = in_turn_warm(
        &mut [Work::Together, Work::Apart],
        run.size.samples,
        ROUNDS,
        |round| {
            let mut sequence = Sequence::new(round as u64);
            let places = (0..ROUNDS).map(|_| sequence.below(PLACES));
            places.collect::<Vec<_>>()
        },
        |work, places| places.iter().try_for_each(|place| parts.run(*work, *place)),
    )?;
    if let [together, apart] = times.as_slice() {
        let name = |clock| {
            let promise = promise.name();
            format!(
                "store/{promise}/transaction: {} ({clock})",
                PARTS.join(" + ")
            )
        };
        let row = |clock, of: fn(&Time) -> f64| {
            Row::time(name(clock), of(together), of(apart), "the sum of its parts")
        };
        // At most twice the sum.
        let cpu = row("cpu", |time| time.cpu);
        run.emit(cpu.with_target(Some(Target::ratio(0.5))));
        run.emit(row("wall", |time| time.wall));
    }
    Ok(())
}
