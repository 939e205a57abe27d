//! Lists of any length, page by page.

use statewright_value::Value;

use super::{Args, invalid};
use crate::error::Result;
use crate::txn::Txn;

/// How many items are read for a page, whatever is asked for.
const AT_ONCE: u64 = 1024;

/// How many items are read first: if they are large, a page has room for few, and the others are read again.
const AT_FIRST: u64 = 4;

/// A list that is gone through page by page: what a call such as `{"op": "kv.scan", "prefix": "a"}` gives, but all of
/// it, or as much as its `limit` says.
///
/// It holds no page, so any number of entries takes constant memory. Each page is read in the transaction that is
/// passed to it; pages of one transaction belong together.
///
/// ```
/// use statewright_store::{Env, Isolation, Place, Scan, Space, Store, StoreOptions};
/// use statewright_value::value;
/// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
/// for n in 0..10 {
///     store.kv_put(&Space::default(), format!("k{n}").as_bytes(), value!(n))?;
/// }
/// let mut scan = Scan::new(value!({"op": "kv.scan", "prefix": "k", "limit": 7}))?;
/// let txn = store.begin_with(Isolation::Snapshot);
/// let (mut pages, mut keys) = (0, Vec::new());
/// while !scan.is_done() {
///     scan.page(&txn, 3, &mut |entry| {
///         keys.extend(entry.get("key"));
///         true
///     })?;
///     pages += 1;
/// }
/// assert_eq!((pages, keys.len()), (3, 7));
/// # Ok::<(), statewright_store::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scan {
    call: Value,
    next: Next,
    left: u64,
    /// How many items to read next: about as many as were kept before.
    step: u64,
    done: bool,
}

/// How the next page is asked for: from which member of the last item which parameter is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The last one's name is a parameter.
    Name {
        member: &'static str,
        parameter: &'static str,
    },
    /// Its time, of this name, and its id are: the last one need not be there any more.
    Record(&'static str),
    /// The last item itself is a parameter.
    Whole(&'static str),
    /// From the key behind the last one.
    BehindKey,
    /// From the sequence behind the last one.
    BehindSequence,
}

impl Next {
    /// None for what gives no list that can be gone on with.
    fn of(op: &str, reverse: bool) -> Option<Next> {
        let name = |member, parameter| Some(Next::Name { member, parameter });
        match op {
            "kv.scan" if reverse => name("key", "before"),
            "kv.scan" | "json.list" | "cell.list" => name("key", "after"),
            "kv.range" if reverse => name("key", "to"),
            "kv.range" => Some(Next::BehindKey),
            "event.range" if reverse => name("sequence", "to"),
            "event.range" | "event.by_type" | "event.by_time" => Some(Next::BehindSequence),
            "event.streams" => name("name", "after"),
            "space.list" => Some(Next::Whole("after")),
            "trace.children" | "trace.roots" | "trace.by_type" | "trace.by_tag"
            | "trace.by_time" => Some(Next::Record("time")),
            "run.list" | "run.by_status" | "run.by_tag" | "run.roots" | "run.children" => {
                Some(Next::Record("created"))
            }
            _ => None,
        }
    }
}

impl Scan {
    /// Makes ready to go through what a call gives. Fails with [`Error::InvalidCall`](crate::Error::InvalidCall) if it
    /// is not well formed or gives no list that has pages.
    pub fn new(call: Value) -> Result<Scan> {
        let args = Args::read(&call)?;
        args.space()?;
        let reverse = args.op.takes("reverse") && args.flag("reverse")?;
        let Some(next) = Next::of(args.op.name, reverse) else {
            let problem = "it gives no list that has pages; make it as a call".to_owned();
            return Err(invalid(args.op.name, problem));
        };
        let left = args.number("limit", u64::MAX)?;
        Ok(Scan {
            call,
            next,
            left,
            step: AT_FIRST,
            done: left == 0,
        })
    }

    /// Whether all was given.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Passes up to `max` of the items that come next, and 1,024 at most, to `keep`, until that says false: an item
    /// that it does not keep is the first of the next page. Gives how many were kept. Reads at most about twice as
    /// many items as it keeps. O(log n + items).
    pub fn page(
        &mut self,
        txn: &Txn,
        max: usize,
        keep: &mut dyn FnMut(&Value) -> bool,
    ) -> Result<usize> {
        let wanted = self.left.min(max as u64).min(AT_ONCE);
        let mut kept = 0_u64;
        while !self.done && kept < wanted {
            let step = self.step.min(wanted.saturating_sub(kept));
            match self.some(txn, step, keep) {
                Ok(some) if some == step => {
                    kept = kept.saturating_add(some);
                    self.step = self.step.saturating_mul(2).min(AT_ONCE);
                }
                Ok(some) => {
                    kept = kept.saturating_add(some);
                    self.step = kept.max(1);
                    break;
                }
                Err(e) if kept == 0 => return Err(e),
                // What was kept is given; then the next page begins where this failed.
                Err(_) => break,
            }
        }
        Ok(usize::try_from(kept).unwrap_or(usize::MAX))
    }

    /// Passes up to `wanted` of the items that come next to `keep`; gives how many were kept.
    fn some(
        &mut self,
        txn: &Txn,
        wanted: u64,
        keep: &mut dyn FnMut(&Value) -> bool,
    ) -> Result<u64> {
        let mut call = self.call.clone();
        call.insert("limit", Value::from(wanted))?;
        let found = txn.call(&call)?;
        let mut kept = 0_u64;
        let mut last = None;
        for item in found.items() {
            if !keep(&item) {
                break;
            }
            kept = kept.saturating_add(1);
            last = Some(item);
        }
        self.left = self.left.saturating_sub(kept);
        let all = found.len() as u64 == kept;
        self.done = self.left == 0 || (all && (found.len() as u64) < wanted);
        if let Some(last) = last.filter(|_| !self.done) {
            self.advance(&last)?;
        }
        Ok(kept)
    }

    fn advance(&mut self, last: &Value) -> Result<()> {
        let member = |name: &str| last.get(name).unwrap_or_default();
        match self.next {
            Next::Name {
                member: name,
                parameter,
            } => {
                self.call.insert(parameter, member(name))?;
            }
            Next::Record(time) => {
                let place = Value::from(vec![member(time), member("id")]);
                self.call.insert("after", place)?;
            }
            Next::Whole(parameter) => {
                self.call.insert(parameter, last.clone())?;
            }
            Next::BehindKey => {
                let key = member("key");
                let key = key.as_str().map(str::as_bytes).or_else(|| key.as_bytes());
                let behind = [key.unwrap_or_default(), &[0]].concat();
                self.call.insert("from", Value::bytes(behind))?;
            }
            Next::BehindSequence => {
                let sequence = member("sequence").as_u64().unwrap_or(u64::MAX);
                self.call
                    .insert("from", Value::from(sequence.saturating_add(1)))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;
    use crate::{Env, Isolation, Place, RunReader, Space, Store, StoreOptions};

    /// Every item, `max` a page, of which `keep` are kept.
    fn paged(store: &Store, call: &Value, max: usize, keep: usize) -> Vec<Value> {
        let mut scan = Scan::new(call.clone()).unwrap();
        let txn = store.begin_with(Isolation::Snapshot);
        let mut all = Vec::new();
        while !scan.is_done() {
            let mut kept = 0;
            let given = scan.page(&txn, max, &mut |item| {
                kept += 1;
                if kept <= keep {
                    all.push(item.clone());
                }
                kept <= keep
            });
            assert!(given.unwrap() <= keep);
        }
        all
    }

    fn filled() -> Store {
        let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
        let txn = store.begin();
        for n in 0..25 {
            let name = format!("k{n:02}");
            for call in [
                value!({"op": "kv.put", "key": (name.as_str()), "value": n}),
                value!({"op": "kv.put", "key": (Value::bytes(vec![0xff, n])), "value": n}),
                value!({"op": "json.create", "key": (name.as_str()), "value": n}),
                value!({"op": "cell.set", "key": (name.as_str()), "value": n}),
                value!({"op": "event.append", "stream": "s", "type": "t", "payload": {}}),
                value!({"op": "event.append", "stream": (name.as_str()), "type": "t", "payload": {}}),
                value!({"op": "trace.record", "id": (name.as_str()), "type": "t", "payload": n, "tags": ["x"]}),
                value!({"op": "run.create", "id": (name.as_str()), "tags": ["x"]}),
                value!({"op": "kv.put", "space": (format!("a/{n}")), "key": "k", "value": n}),
            ] {
                txn.call(&call).unwrap();
            }
        }
        txn.commit().unwrap();
        store
    }

    #[test]
    fn pages_of_any_size_give_what_one_list_gives() {
        let store = filled();
        for call in [
            value!({"op": "kv.scan"}),
            value!({"op": "kv.scan", "prefix": "k1", "after": "k11"}),
            value!({"op": "kv.scan", "reverse": true}),
            value!({"op": "kv.range", "from": "k03"}),
            value!({"op": "kv.range", "from": "k03", "to": "k20", "reverse": true}),
            value!({"op": "json.list"}),
            value!({"op": "cell.list", "prefix": "k"}),
            value!({"op": "event.range", "stream": "s", "from": 3}),
            value!({"op": "event.range", "stream": "s", "reverse": true}),
            value!({"op": "event.by_type", "stream": "s", "type": "t"}),
            value!({"op": "event.by_time", "stream": "s", "until": (i64::MAX)}),
            value!({"op": "event.streams"}),
            value!({"op": "trace.by_time"}),
            value!({"op": "trace.by_tag", "tag": "x"}),
            value!({"op": "trace.roots", "after": "k07"}),
            value!({"op": "run.list"}),
            value!({"op": "run.by_status", "status": "active"}),
            value!({"op": "run.by_tag", "tag": "x"}),
            value!({"op": "space.list"}),
        ] {
            let mut one = call.clone();
            one.insert("limit", value!(1000)).unwrap();
            let all: Vec<Value> = store.call(&[one]).unwrap().0[0].items().collect();
            assert!(all.len() > 7, "{call}");
            for (max, keep) in [(1, 1), (3, 3), (4, 2), (7, 7), (1000, 5), (1000, 1000)] {
                assert_eq!(paged(&store, &call, max, keep), all, "{call} {max} {keep}");
            }
            let mut first = call.clone();
            first.insert("limit", value!(7)).unwrap();
            assert_eq!(paged(&store, &first, 3, 3), all[..7], "{call}");
        }
    }

    #[test]
    fn a_page_is_bounded_whatever_is_asked_for() {
        let store = Store::open(Env::real(), Place::Memory, StoreOptions::default()).unwrap();
        let txn = store.begin();
        for n in 0..2500_u64 {
            let put = value!({"op": "kv.put", "key": (format!("k{n}")), "value": n});
            txn.call(&put).unwrap();
        }
        let mut scan = Scan::new(value!({"op": "kv.scan"})).unwrap();
        let mut pages = Vec::new();
        while !scan.is_done() {
            pages.push(scan.page(&txn, usize::MAX, &mut |_| true).unwrap());
        }
        assert_eq!(pages, [1024, 1024, 452]);
    }

    #[test]
    fn a_page_that_is_full_has_read_little_more() {
        let store = filled();
        let txn = store.begin();
        let mut scan = Scan::new(value!({"op": "kv.scan", "prefix": "k"})).unwrap();
        for _ in 0..3 {
            let mut kept = 0;
            let mut one = |_: &Value| std::mem::replace(&mut kept, 1) == 0;
            assert_eq!(scan.page(&txn, 1000, &mut one).unwrap(), 1);
        }
        // Nothing that is behind it was read.
        store.kv_put(&Space::default(), b"k07", value!(1)).unwrap();
        txn.kv_put(&Space::default(), b"mine", value!(1)).unwrap();
        txn.commit().unwrap();
    }

    #[test]
    fn what_is_deleted_on_the_way_is_no_obstacle() {
        let store = filled();
        let txn = store.begin();
        let mut scan = Scan::new(value!({"op": "run.list"})).unwrap();
        let mut deleted = 0;
        while !scan.is_done() {
            let mut page = Vec::new();
            let keep = &mut |run: &Value| {
                page.push(run.get("id").unwrap_or_default());
                true
            };
            scan.page(&txn, 3, keep).unwrap();
            for id in page {
                deleted += 1;
                txn.call(&value!({"op": "run.delete", "id": id})).unwrap();
            }
        }
        assert_eq!(
            (deleted, txn.run_count(&Space::default()).unwrap()),
            (25, 0)
        );
    }

    #[test]
    fn what_has_no_pages_is_refused() {
        for call in [
            value!({"op": "kv.get", "key": "k"}),
            value!({"op": "kv.put", "key": "k", "value": 1}),
            value!({"op": "trace.tree", "id": "t"}),
            value!({"op": "kv.scan", "limit": -1}),
            value!({"op": "kv.scan", "space": "//"}),
            value!({"op": "no.such"}),
            value!(7),
        ] {
            assert!(Scan::new(call.clone()).is_err(), "{call}");
        }
    }

    #[test]
    fn what_is_written_later_is_not_in_a_scan_that_began_before() {
        let store = filled();
        let mut scan = Scan::new(value!({"op": "json.list"})).unwrap();
        let txn = store.begin_with(Isolation::Snapshot);
        let mut count = 0;
        while !scan.is_done() {
            count += scan.page(&txn, 10, &mut |_| true).unwrap();
            store
                .call(&[value!({"op": "json.create", "key": (format!("z{count}")), "value": 0})])
                .unwrap();
        }
        assert_eq!(count, 25);
    }
}
