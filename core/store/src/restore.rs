//! Putting events and traces of another store here, as they were: with their times and, of events, their hashes.
//!
//! Restoring what is there already changes nothing, so what was interrupted can be done again. Runs are restored in
//! `run/write.rs`; keys, documents and cells need nothing of their own.

use statewright_log::Timestamp;
use statewright_value::{Path, Value};

use crate::error::{Error, Result};
use crate::event::{self, EventReader};
use crate::op::Op;
use crate::recent::{Mode, Region};
use crate::space::{self, MAX_NAME_BYTES, Primitive, Space};
use crate::trace::{NewTrace, TraceReader};
use crate::txn::Txn;

/// Restoring.
impl Txn {
    /// Puts an event at the end of a stream with the sequence and the time that it had; its hash follows, and must be
    /// `hash` if that is given. False, and nothing is changed, if it is there already.
    ///
    /// Fails with [`Error::CannotRestore`] if the events before it are not there, another one has its sequence, or its
    /// time is before that of the last event or later than now; with [`Error::ChainBroken`] if it has another hash; or
    /// as [`event_append`](Txn::event_append). O(log n + payload).
    ///
    /// ```
    /// use statewright_store::{Env, EventReader, Place, Space, Store, StoreOptions, Timestamp};
    /// use statewright_value::value;
    /// let space = Space::default();
    /// let open = || Store::open(Env::real(), Place::Memory, StoreOptions::default());
    /// let (from, to) = (open()?, open()?);
    /// from.event_append(&space, "orders", "placed", value!({"id": 17}))?;
    /// let event = from.event_get(&space, "orders", 0)?.unwrap();
    /// let txn = to.begin();
    /// txn.event_restore(&space, "orders", 0, event.time, "placed", event.payload.clone(), Some(event.hash))?;
    /// txn.commit()?;
    /// assert_eq!(to.event_get(&space, "orders", 0)?, Some(event));
    /// # Ok::<(), statewright_store::Error>(())
    /// ```
    #[expect(
        clippy::too_many_arguments,
        reason = "an event has these parts, and a struct of them would be used here alone"
    )]
    pub fn event_restore(
        &self,
        space: &Space,
        stream: &str,
        sequence: u64,
        time: Timestamp,
        kind: &str,
        payload: Value,
        hash: Option<[u8; 32]>,
    ) -> Result<bool> {
        let mut op = event::checked(space, stream, kind, payload)?;
        let what = || space::display(&op.head_key());
        let refused = |why| Error::CannotRestore { what: what(), why };
        let len = self.event_len(space, stream)?;
        if sequence > len {
            return Err(refused("events before it are not there"));
        }
        let before = match sequence.checked_sub(1) {
            Some(before) => self.event_get(space, stream, before)?.map(|e| e.hash),
            None => None,
        };
        let before = before.unwrap_or([0; 32]);
        let chained = event::chain(&before, sequence, time, kind, &op.payload);
        if hash.is_some_and(|hash| hash != chained) {
            return Err(Error::ChainBroken {
                what: what(),
                sequence,
                why: "what is to be restored does not have its hash",
            });
        }
        if sequence < len {
            let there = self.event_get(space, stream, sequence)?;
            if there.is_some_and(|there| there.hash == chained) {
                return Ok(false);
            }
            return Err(refused("another event has its sequence"));
        }
        op.time = Some(time);
        let region = Region {
            key: op.head_key(),
            path: Path::root(),
            mode: Mode::Exact,
        };
        self.write(region, Op::Event(op))?;
        Ok(true)
    }

    /// Writes a trace down with the id, which it must have, and the time that it had. Its parent need not be there.
    /// False, and nothing is changed, if it is there exactly so.
    ///
    /// Fails with [`Error::CannotRestore`] if another trace has its id, or as [`trace_record`](Txn::trace_record).
    /// O(log n × tags).
    pub fn trace_restore(&self, space: &Space, trace: NewTrace, time: Timestamp) -> Result<bool> {
        let id = trace.given_id().unwrap_or_default().to_owned();
        space::check_name("trace", &id, MAX_NAME_BYTES)?;
        if let Some(there) = self.trace_get(space, &id)? {
            if trace.is_as(&there) && there.time == time {
                return Ok(false);
            }
            let what = space::encode_parts(space, Primitive::Trace, 0, &[id.as_bytes()]);
            return Err(Error::CannotRestore {
                what: space::display(&what),
                why: "another trace has its id",
            });
        }
        self.trace_write(space, trace, time)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;
    use crate::{Env, NewRun, Place, RunReader, RunStatus, Store, StoreOptions};

    fn memory() -> Store {
        Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap()
    }

    fn event(sequence: u64, time: i64, payload: Value) -> Value {
        value!({
            "op": "event.restore", "stream": "s", "sequence": sequence, "time": time, "type": "t",
            "payload": payload
        })
    }

    fn code(store: &Store, call: Value) -> i32 {
        store.call(&[call]).map_or_else(|e| e.code(), |_| 0)
    }

    #[test]
    fn events_are_restored_in_their_order_or_refused() {
        let store = memory();
        assert_eq!(code(&store, event(1, 5, value!({}))), 419, "a gap");
        assert_eq!(code(&store, event(0, 5, value!({}))), 0);
        assert_eq!(code(&store, event(0, 5, value!({}))), 0, "again");
        assert_eq!(
            store.snapshot().event_len(&Space::default(), "s").unwrap(),
            1
        );
        assert_eq!(
            code(&store, event(0, 5, value!({"x": 1}))),
            419,
            "another one"
        );
        assert_eq!(code(&store, event(1, 4, value!({}))), 419, "time goes back");
        assert_eq!(
            code(&store, event(1, i64::MAX, value!({}))),
            419,
            "later than now"
        );
        assert_eq!(code(&store, event(1, 5, value!(7))), 203, "no object");
        let mut wrong = event(1, 6, value!({}));
        wrong.insert("hash", value!("0".repeat(64))).unwrap();
        assert_eq!(code(&store, wrong), 413, "another hash");
        assert_eq!(code(&store, event(1, 6, value!({}))), 0);
        let append = value!({"op": "event.append", "stream": "s", "type": "t", "payload": {}});
        assert_eq!(code(&store, append), 0);
        let whole = store
            .snapshot()
            .event_verify(&Space::default(), "s")
            .unwrap();
        assert_eq!(whole.map(|info| info.len), Some(3));
    }

    #[test]
    fn traces_and_runs_are_restored_once_and_exactly() {
        let store = memory();
        let trace = value!({
            "op": "trace.restore", "id": "t1", "time": -7, "type": "call", "payload": [1],
            "parent": "gone", "tags": ["b", "a"]
        });
        let run = value!({
            "op": "run.restore", "id": "r1", "status": "archived", "created": 3, "updated": 9,
            "tags": ["x"], "metadata": {"a": 1}
        });
        for call in [&trace, &run] {
            let given = || store.call(std::slice::from_ref(call)).unwrap().0[0].clone();
            assert_eq!((given(), given()), (value!(true), value!(false)));
        }
        let get =
            |op: &str, id: &str| store.call(&[value!({"op": op, "id": id})]).unwrap().0[0].clone();
        let there = get("trace.get", "t1");
        assert_eq!(there.get("time"), Some(value!(-7)));
        assert_eq!(there.get("tags"), Some(value!(["b", "a"])));
        let there = get("run.get", "r1");
        assert_eq!(there.get("status"), Some(value!("archived")));
        assert_eq!(there.get("created"), Some(value!(3)));
        assert_eq!(there.get("updated"), Some(value!(9)));
        for (call, member) in [(trace, "payload"), (run, "metadata")] {
            let mut other = call;
            other.insert(member, value!({"other": 1})).unwrap();
            assert_eq!(code(&store, other), 419);
        }
        let paused = value!({"op": "run.by_status", "status": "active"});
        assert_eq!(store.call(&[paused]).unwrap().0[0].len(), 0);
    }

    #[test]
    fn what_was_restored_is_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let place = Place::Dir(dir.path().to_owned());
            Store::open(Env::real(), place, StoreOptions::default()).unwrap()
        };
        let store = open();
        store
            .call(&[event(0, 5, value!({"n": 1})), event(1, 5, value!({"n": 2}))])
            .unwrap();
        let before = store
            .snapshot()
            .event_range(&Space::default(), "s", 0, None, 9)
            .unwrap();
        store.close().unwrap();
        let after = open()
            .snapshot()
            .event_range(&Space::default(), "s", 0, None, 9)
            .unwrap();
        assert_eq!((after.len(), &after), (2, &before));
        assert_eq!(after[0].time.as_micros(), 5);
    }

    #[test]
    fn a_run_that_cannot_be_restored_as_it_was_is_not_there() {
        let mut options = StoreOptions::default();
        options.limits.max_ops = 1;
        let store = Store::open(Env::real(), Place::Memory, options).unwrap();
        let (space, time) = (Space::default(), Timestamp::EPOCH);
        let txn = store.begin();
        let run = NewRun::new().id("run");
        let refused = txn.run_restore(&space, run, RunStatus::Failed, time, time);
        assert_eq!(refused.unwrap_err().code(), 406);
        assert!(!txn.run_exists(&space, "run").unwrap());
        txn.commit().unwrap();
        assert!(!store.run_exists(&space, "run").unwrap());
    }

    #[test]
    fn the_error_of_an_event_tells_what_is_wrong_with_its_time() {
        let store = memory();
        store.call(&[event(0, 5, value!({}))]).unwrap();
        for (time, why) in [(i64::MAX, "clock"), (4, "before that of the last event")] {
            let error = store.call(&[event(1, time, value!({}))]).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    /// A parent is a part of keys: one that is none would put them where other keys are.
    #[test]
    fn a_parent_that_is_no_id_or_its_own_child_is_refused() {
        let (store, space, time) = (memory(), Space::default(), Timestamp::EPOCH);
        let long = "p".repeat(70_000);
        for (parent, code) in [("", 414), ("p\0AAAAAAAAx", 414), (&*long, 414), ("id", 419)] {
            let trace = NewTrace::new("kind", value!(1)).id("id").parent(parent);
            let txn = store.begin();
            let refused = txn.trace_restore(&space, trace, time).unwrap_err();
            let run = NewRun::new().id("id").parent(parent);
            let run = txn.run_restore(&space, run, RunStatus::Active, time, time);
            let codes = (refused.code(), run.unwrap_err().code());
            assert_eq!(codes, (code, code), "{}", parent.len());
        }
        let trace = NewTrace::new("kind", value!(1))
            .id("id")
            .parent("elsewhere");
        assert!(
            store
                .transact(|txn| txn.trace_restore(&space, trace.clone(), time))
                .unwrap()
        );
    }
}
