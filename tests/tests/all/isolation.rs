//! Isolation: each level shows exactly the anomalies that it allows, in scripted interleavings and in the recorded
//! histories of real threads; and no increment is ever lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use statewright_log::sim::{self, SimRandom};
use statewright_store::{
    Env, Error, Isolation, Place, Reader, Retryable, Space, Store, StoreOptions, Txn,
};
use statewright_tests::check::{self, Event, History, Level, Outcome, check, check_snapshot};
use statewright_value::value;

fn memory() -> Store {
    let mut options = StoreOptions::default();
    options.limits.max_attempts = u32::MAX;
    Store::open(Env::real(), Place::Memory, options).unwrap()
}

/// A transaction that notes what it reads and writes.
struct Client<'a> {
    txn: Txn,
    level: Level,
    start: u64,
    clock: &'a AtomicU64,
    events: Vec<Event>,
}

impl<'a> Client<'a> {
    fn begin(store: &Store, isolation: Isolation, clock: &'a AtomicU64) -> Client<'a> {
        let start = clock.fetch_add(1, Ordering::SeqCst);
        Client {
            txn: store.begin_with(isolation),
            level: match isolation {
                Isolation::Serializable => Level::Serializable,
                _ => Level::Snapshot,
            },
            start,
            clock,
            events: Vec::new(),
        }
    }

    fn read(&mut self, key: &str) -> u64 {
        let found = self.txn.kv_get(&Space::default(), key.as_bytes()).unwrap();
        let n = found.and_then(|value| value.as_u64());
        self.events.push(Event::Read(key.into(), n));
        n.unwrap_or(0)
    }

    fn write(&mut self, key: &str, n: u64) {
        let space = Space::default();
        self.txn.kv_put(&space, key.as_bytes(), value!(n)).unwrap();
        self.events.push(Event::Write(key.into(), Some(n)));
    }

    fn scan(&mut self, prefix: &str) -> usize {
        let space = Space::default();
        let found = self
            .txn
            .kv_scan(&space, prefix.as_bytes(), None, 1000)
            .unwrap();
        let number = |(key, value): (Vec<u8>, statewright_value::Value)| {
            (String::from_utf8(key).unwrap(), value.as_u64().unwrap())
        };
        let seen: Vec<_> = found.into_iter().map(number).collect();
        let count = seen.len();
        self.events.push(Event::Range {
            from: prefix.into(),
            to: Some(format!("{prefix}~")),
            seen,
        });
        count
    }

    /// Commits; gives the entry for the history, and whether it committed.
    fn commit(self, client: usize) -> (check::Txn, Result<u64, Error>) {
        let snapshot = self.txn.snapshot_version();
        let result = self.txn.commit().map(|commit| commit.version);
        let outcome = match &result {
            Ok(version) => Outcome::Committed(*version),
            Err(e) if e.is_retryable() => Outcome::Aborted,
            Err(e) => panic!("{e}"),
        };
        let txn = check::Txn {
            client,
            level: self.level,
            snapshot,
            start: self.start,
            end: self.clock.fetch_add(1, Ordering::SeqCst),
            outcome,
            events: self.events,
        };
        (txn, result)
    }
}

/// What becomes of an interleaving at one level.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// All transactions committed, and what came of it is no serial run.
    Shown(&'static str),
    /// It was prevented: somebody had to try again, or saw what a serial run would show.
    Prevented,
}

/// Three clients on the start state `x` = 1, `y` = 2, committing in the order of the script.
fn play(isolation: Isolation, script: fn(&mut [Client<'_>; 3]), order: &[usize]) -> Verdict {
    let (store, clock) = (memory(), AtomicU64::new(0));
    let mut history = History::default();
    let mut setup = Client::begin(&store, isolation, &clock);
    setup.write("x", 1);
    setup.write("y", 2);
    let mut done = setup.commit(9).0;
    done.end = done.start;
    history.txns.push(done);
    let mut clients = [0; 3].map(|_| Client::begin(&store, isolation, &clock));
    script(&mut clients);
    let mut clients = clients.map(Some);
    let mut all = true;
    for number in order {
        let (txn, result) = clients[*number].take().unwrap().commit(*number);
        all &= result.is_ok();
        history.txns.push(txn);
    }
    // A snapshot's promises hold in any case.
    assert_eq!(check_snapshot(&history), Ok(()));
    for txn in &mut history.txns {
        txn.level = Level::Serializable;
    }
    match check(&history) {
        Err(anomaly) => {
            assert!(all);
            Verdict::Shown(anomaly.name())
        }
        Ok(()) => Verdict::Prevented,
    }
}

#[test]
fn each_level_shows_exactly_the_anomalies_it_allows() {
    type Script = fn(&mut [Client<'_>; 3]);
    // The anomaly, what snapshot isolation makes of it, who does what, who commits when.
    let table: &[(&str, Verdict, Script, &[usize])] = &[
        (
            "dirty read, intermediate read",
            Verdict::Prevented,
            |[a, b, _]| {
                a.write("x", 11);
                assert_eq!(b.read("x"), 1);
                a.write("x", 12);
                assert_eq!(b.read("x"), 1);
                b.write("z", 13);
            },
            &[0, 1],
        ),
        (
            "dirty write",
            Verdict::Prevented,
            |[a, b, _]| {
                a.write("x", 11);
                b.write("x", 12);
                a.write("y", 13);
                b.write("y", 14);
            },
            &[0, 1],
        ),
        (
            "lost update",
            Verdict::Prevented,
            |[a, b, _]| {
                a.read("x");
                b.read("x");
                a.write("x", 11);
                b.write("x", 12);
            },
            &[0, 1],
        ),
        (
            "read skew",
            Verdict::Prevented,
            |[a, b, _]| {
                assert_eq!(b.read("x"), 1);
                a.write("x", 11);
                a.write("y", 12);
                assert_eq!(b.read("y"), 2);
            },
            &[0, 1],
        ),
        (
            "write skew",
            Verdict::Shown("write skew"),
            |[a, b, _]| {
                for client in [&mut *a, &mut *b] {
                    client.read("x");
                    client.read("y");
                }
                a.write("x", 11);
                b.write("y", 12);
            },
            &[0, 1],
        ),
        (
            "write skew on a key that is missing",
            Verdict::Shown("write skew"),
            |[a, b, _]| {
                assert_eq!(a.read("p") + b.read("q"), 0);
                a.write("q", 11);
                b.write("p", 12);
            },
            &[0, 1],
        ),
        (
            "phantom",
            Verdict::Shown("phantom"),
            |[a, b, _]| {
                assert_eq!((a.scan("on-call/"), b.scan("on-call/")), (0, 0));
                a.write("on-call/a", 11);
                b.write("on-call/b", 12);
            },
            &[0, 1],
        ),
        (
            "long fork",
            Verdict::Prevented,
            |[a, b, c]| {
                a.write("x", 11);
                b.write("y", 12);
                c.read("x");
                c.read("y");
            },
            &[0, 1, 2],
        ),
    ];
    for (what, snapshot, script, order) in table {
        let verdict = |isolation| play(isolation, *script, order);
        assert_eq!(verdict(Isolation::Snapshot), *snapshot, "{what}");
        // Whoever reads before anybody commits is told nothing: weak is as snapshots are.
        assert_eq!(verdict(Isolation::Weak), *snapshot, "{what}");
        assert_eq!(
            verdict(Isolation::Serializable),
            Verdict::Prevented,
            "{what}"
        );
    }
}

#[test]
fn a_weak_read_of_what_changed_fails_at_once_and_others_go_on() {
    let store = memory();
    let space = Space::default();
    store.kv_put(&space, b"x", value!(1)).unwrap();
    for isolation in [
        Isolation::Weak,
        Isolation::Snapshot,
        Isolation::Serializable,
    ] {
        let txn = store.begin_with(isolation);
        store.kv_put(&space, b"x", value!(2)).unwrap();
        let (read, scan) = (txn.kv_get(&space, b"x"), txn.kv_scan(&space, b"", None, 9));
        if isolation == Isolation::Weak {
            assert!(matches!(read, Err(Error::Conflict { .. })), "{read:?}");
            assert!(matches!(scan, Err(Error::Conflict { .. })), "{scan:?}");
            assert_eq!(txn.kv_get(&space, b"y").unwrap(), None);
        } else {
            assert!(read.is_ok() && scan.is_ok());
        }
    }
}

/// Fekete, O'Neil and O'Neil (2004): a transaction that only reads makes a history of snapshots unserializable.
#[test]
fn the_anomaly_of_a_read_only_transaction_is_shown_by_snapshots_alone() {
    let play = |isolation| {
        let (store, clock) = (memory(), AtomicU64::new(0));
        let mut withdraw = Client::begin(&store, isolation, &clock);
        assert_eq!(withdraw.read("savings") + withdraw.read("checking"), 0);
        let mut deposit = Client::begin(&store, isolation, &clock);
        deposit.read("savings");
        deposit.write("savings", 20);
        let mut txns = vec![deposit.commit(0).0];
        let mut report = Client::begin(&store, isolation, &clock);
        assert_eq!((report.read("checking"), report.read("savings")), (0, 20));
        txns.push(report.commit(1).0);
        withdraw.write("checking", 11);
        txns.push(withdraw.commit(2).0);
        let mut history = History { txns };
        for txn in &mut history.txns {
            txn.level = Level::Serializable;
        }
        check(&history).is_ok()
    };
    assert!(!play(Isolation::Snapshot));
    assert!(play(Isolation::Serializable));
}

/// Real threads at random; their history must be one that the level allows.
fn storm(isolation: Isolation, seed: u64) -> History {
    let (store, clock, numbers) = (memory(), AtomicU64::new(0), AtomicU64::new(1));
    let history = Mutex::new(History::default());
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (store, clock, numbers, history) = (&store, &clock, &numbers, &history);
            scope.spawn(move || {
                let random = SimRandom::new(seed * 100 + client as u64);
                for _ in 0..60 {
                    let mut txn = Client::begin(store, isolation, clock);
                    for _ in 0..1 + random.below(5) {
                        let key = format!("{}/{}", random.below(2), random.below(4));
                        match random.below(5) {
                            0 | 1 => txn.write(&key, numbers.fetch_add(1, Ordering::SeqCst)),
                            2 => drop(txn.scan(key.split_inclusive('/').next().unwrap())),
                            _ => drop(txn.read(&key)),
                        }
                        if random.below(3) == 0 {
                            std::thread::yield_now();
                        }
                    }
                    let txn = txn.commit(client).0;
                    history.lock().unwrap().txns.push(txn);
                }
            });
        }
    });
    history.into_inner().unwrap()
}

#[test]
fn what_real_threads_did_is_what_their_level_allows() {
    for seed in 0..10 {
        let history = storm(Isolation::Serializable, seed);
        assert_eq!(check(&history), Ok(()), "seed {seed}");
        let history = storm(Isolation::Snapshot, seed);
        assert_eq!(check_snapshot(&history), Ok(()), "seed {seed}");
    }
}

/// So many threads increment one counter so many times each, by reading and writing it in a transaction.
fn count(threads: u64, times: u64) {
    let store = memory();
    let space = Space::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let work = || {
                for _ in 0..times {
                    let add = |txn: &Txn| {
                        let n = txn.kv_get(&space, b"n")?.and_then(|n| n.as_u64());
                        txn.kv_put(&space, b"n", value!(n.unwrap_or(0) + 1))
                    };
                    store.transact(add).unwrap();
                }
            };
            let small = std::thread::Builder::new().stack_size(128 << 10);
            small.spawn_scoped(scope, work).unwrap();
        }
    });
    let n = store.snapshot().kv_get(&space, b"n").unwrap();
    assert_eq!(n, Some(value!(threads * times)));
    assert_eq!(store.stats().version, threads * times);
}

#[test]
fn a_thousand_threads_lose_no_increment() {
    count(1000, 20);
}

/// Sums commute, so nobody has to try again: a thousand threads add a thousand times each.
#[test]
fn a_thousand_threads_add_up_to_a_million() {
    let store = memory();
    let space = Space::default();
    std::thread::scope(|scope| {
        for _ in 0..1000 {
            let work = || {
                for _ in 0..1000 {
                    store
                        .kv_increment(&space, b"n", value!(1), value!(0))
                        .unwrap();
                }
            };
            let small = std::thread::Builder::new().stack_size(128 << 10);
            small.spawn_scoped(scope, work).unwrap();
        }
    });
    let n = store.snapshot().kv_get(&space, b"n").unwrap();
    assert_eq!(n, Some(value!(1_000_000)));
}

/// By reading and writing, with a thousand increments each:
/// `cargo test --release -p statewright-tests --test all isolation:: -- --ignored`.
#[test]
#[ignore = "a million commits under contention take up to a minute"]
fn a_thousand_threads_count_to_a_million() {
    count(1000, 1000);
}

/// In strict mode on a disk whose power goes: what was counted and acknowledged is there.
#[test]
fn increments_that_were_acknowledged_survive_a_power_cut() {
    let (env, io, _) = sim::world(1);
    let place = Place::Dir("/store".into());
    let store = Store::open(env, place.clone(), StoreOptions::default()).unwrap();
    let space = Space::default();
    let counted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let mut tries = 0;
                    loop {
                        let txn = store.begin();
                        let n = txn.kv_get(&space, b"n").unwrap().and_then(|n| n.as_u64());
                        txn.kv_put(&space, b"n", value!(n.unwrap_or(0) + 1))
                            .unwrap();
                        match txn.commit() {
                            Ok(_) => break,
                            Err(e) => assert!(e.is_retryable(), "{e}"),
                        }
                        tries += 1;
                        assert!(tries < 100_000);
                        std::thread::yield_now();
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let after = io.crash(&sim::Image {
        damage: sim::Damage::Lose,
        seed: 3,
    });
    let again = Store::open(sim::env(&after, 2), place, StoreOptions::default()).unwrap();
    let n = again.snapshot().kv_get(&space, b"n").unwrap();
    assert_eq!(n, Some(value!(counted.into_inner())));
}
