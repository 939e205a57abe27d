//! The checker must find every textbook anomaly, and none in histories that have none.

use super::*;
use statewright_log::sim::SimRandom;

fn r(key: &str, value: u64) -> Event {
    Event::Read(key.into(), (value > 0).then_some(value))
}

fn w(key: &str, value: u64) -> Event {
    Event::Write(key.into(), (value > 0).then_some(value))
}

fn range(from: &str, to: &str, seen: &[(&str, u64)]) -> Event {
    let seen = seen.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
    Event::Range {
        from: from.into(),
        to: Some(to.into()),
        seen,
    }
}

/// A transaction that committed as `version`, concurrent with all others.
fn t(version: u64, events: &[Event]) -> Txn {
    Txn {
        client: 0,
        level: Level::Serializable,
        snapshot: 0,
        start: 0,
        end: 1000,
        outcome: Outcome::Committed(version),
        events: events.to_vec(),
    }
}

fn aborted(events: &[Event]) -> Txn {
    Txn {
        outcome: Outcome::Aborted,
        ..t(0, events)
    }
}

fn during(start: u64, end: u64, txn: Txn) -> Txn {
    Txn { start, end, ..txn }
}

/// The name of what is found in a serializable history, and in the same one under snapshot isolation.
fn found(txns: &[Txn]) -> (&'static str, &'static str) {
    let history = History {
        txns: txns.to_vec(),
    };
    let name = |result: Result<(), Anomaly>| result.map_or_else(|anomaly| anomaly.name(), |()| "");
    (name(check(&history)), name(check_snapshot(&history)))
}

#[test]
fn every_textbook_anomaly_is_found_and_named() {
    let start = t(1, &[w("x", 1), w("y", 2)]);
    let cases: &[(&str, &str, &str, Vec<Txn>)] = &[
        (
            "dirty read",
            "dirty read",
            "dirty read",
            vec![aborted(&[w("x", 9)]), t(1, &[r("x", 9), w("y", 3)])],
        ),
        (
            "intermediate read",
            "intermediate read",
            "intermediate read",
            vec![t(1, &[w("x", 8), w("x", 9)]), t(2, &[r("x", 8)])],
        ),
        (
            "a value from nowhere",
            "garbage read",
            "garbage read",
            vec![t(1, &[r("x", 77)])],
        ),
        (
            "own write not seen",
            "non-repeatable read",
            "non-repeatable read",
            vec![start.clone(), t(2, &[w("x", 5), r("x", 1)])],
        ),
        (
            "non-repeatable read",
            "non-repeatable read",
            "non-repeatable read",
            vec![
                start.clone(),
                t(2, &[w("x", 5)]),
                t(3, &[r("x", 1), r("x", 5)]),
            ],
        ),
        (
            "lost update",
            "lost update",
            "lost update",
            vec![
                start.clone(),
                t(2, &[r("x", 1), w("x", 5)]),
                t(3, &[r("x", 1), w("x", 6)]),
            ],
        ),
        (
            "read skew",
            "read skew",
            "read skew",
            vec![
                start.clone(),
                t(2, &[w("x", 5), w("y", 6)]),
                t(3, &[r("x", 1), r("y", 6)]),
            ],
        ),
        (
            "write skew",
            "write skew",
            "",
            vec![
                start.clone(),
                t(2, &[r("x", 1), r("y", 2), w("x", 5)]),
                t(3, &[r("x", 1), r("y", 2), w("y", 6)]),
            ],
        ),
        (
            "phantom",
            "phantom",
            "",
            vec![
                t(1, &[range("a", "b", &[]), w("a1", 5)]),
                t(2, &[range("a", "b", &[]), w("a2", 6)]),
            ],
        ),
        (
            "long fork",
            "long fork",
            "long fork",
            vec![
                t(1, &[w("x", 1)]),
                t(2, &[w("y", 2)]),
                t(0, &[r("x", 1), r("y", 0)]),
                t(0, &[r("x", 0), r("y", 2)]),
            ],
        ),
        (
            "circular information flow",
            "circular information flow",
            "circular information flow",
            vec![t(1, &[r("y", 2), w("x", 1)]), t(2, &[r("x", 1), w("y", 2)])],
        ),
        (
            "stale read",
            "stale read",
            "",
            vec![
                during(0, 5, start.clone()),
                during(6, 9, t(0, &[r("x", 0)])),
            ],
        ),
        (
            "an order against time",
            "stale read",
            "",
            vec![
                during(6, 9, t(1, &[w("x", 1)])),
                during(0, 5, t(2, &[w("x", 2)])),
            ],
        ),
        (
            "two commits with one number",
            "ambiguous history",
            "ambiguous history",
            vec![t(1, &[w("x", 1)]), t(1, &[w("x", 2)])],
        ),
    ];
    for (what, serializable, snapshot, txns) in cases {
        assert_eq!(found(txns), (*serializable, *snapshot), "{what}");
    }
}

#[test]
fn what_is_serial_is_accepted() {
    let cases: &[(&str, Vec<Txn>)] = &[
        ("nothing", vec![]),
        (
            "a reader of the past beside writers",
            vec![
                t(1, &[w("x", 1)]),
                t(2, &[w("x", 2)]),
                t(0, &[r("x", 0)]),
                t(1, &[r("x", 1)]),
            ],
        ),
        (
            "removed and made again",
            vec![
                t(1, &[w("x", 1)]),
                t(2, &[r("x", 1), w("x", 0)]),
                Txn {
                    snapshot: 2,
                    ..t(3, &[r("x", 0), w("x", 3)])
                },
                Txn {
                    snapshot: 0,
                    ..t(0, &[r("x", 0)])
                },
            ],
        ),
        (
            "own writes in a range",
            vec![t(
                1,
                &[
                    w("a1", 1),
                    range("a", "b", &[("a1", 1)]),
                    w("a1", 0),
                    range("a", "b", &[]),
                ],
            )],
        ),
        (
            "an aborted transaction may have read anything",
            vec![t(1, &[w("x", 1)]), aborted(&[r("x", 99), w("x", 3)])],
        ),
    ];
    for (what, txns) in cases {
        assert_eq!(found(txns), ("", ""), "{what}");
    }
}

#[test]
fn write_skew_between_transactions_that_were_promised_snapshots_is_accepted() {
    let skew = |level| {
        let side = |version, key: &str| Txn {
            level,
            ..t(version, &[r("x", 0), r("y", 0), w(key, version)])
        };
        check(&History {
            txns: vec![side(1, "x"), side(2, "y")],
        })
    };
    assert!(skew(Level::Serializable).is_err());
    assert_eq!(skew(Level::Snapshot), Ok(()));
}

#[test]
fn an_anomaly_says_who_and_why() {
    let history = History {
        txns: vec![t(1, &[r("x", 0), w("x", 5)]), t(2, &[r("x", 0), w("x", 6)])],
    };
    let text = check(&history).unwrap_err().to_string();
    assert_eq!(
        text,
        "lost update: T0 wrote x before T1 did not see the x written by T0"
    );
}

/// Serial runs with one change somewhere: the runs are accepted, and a read of an older version that somebody
/// replaced, in a transaction that comes after, is found.
#[test]
fn random_serial_histories_are_accepted_and_one_changed_read_is_found() {
    let mut found = 0;
    for seed in 0..300 {
        let random = SimRandom::new(seed);
        let mut state = std::collections::BTreeMap::<String, u64>::new();
        let mut history = History::default();
        for version in 1..=30 {
            let mut events = Vec::new();
            for _ in 0..3 {
                let key = format!("k{}", random.below(5));
                events.push(Event::Read(key.clone(), state.get(&key).copied()));
            }
            let key = format!("k{}", random.below(5));
            events.push(Event::Write(key.clone(), Some(version)));
            state.insert(key, version);
            let txn = during(version * 2, version * 2 + 1, t(version, &events));
            history.txns.push(Txn {
                snapshot: version - 1,
                ..txn
            });
        }
        assert_eq!(check(&history), Ok(()), "seed {seed}");
        let victim = history.txns.get_mut(25).unwrap();
        if let Some(Event::Read(_, value @ Some(_))) = victim.events.first_mut() {
            *value = None;
            assert!(check(&history).is_err(), "seed {seed}");
            found += 1;
        }
    }
    assert!(found > 200);
}

/// Long histories cost little: 20,000 transactions of four operations each.
#[test]
fn long_histories_are_checked() {
    let random = SimRandom::new(7);
    let mut state = vec![0_u64; 500];
    let mut history = History::default();
    for version in 1..=20_000_u64 {
        let mut events = Vec::new();
        for _ in 0..3 {
            let key = random.below(500) as usize;
            events.push(r(&format!("k{key:03}"), state[key]));
        }
        let key = random.below(500) as usize;
        events.push(w(&format!("k{key:03}"), version));
        state[key] = version;
        history.txns.push(Txn {
            snapshot: version - 1,
            ..during(version, version + 10, t(version, &events))
        });
    }
    assert_eq!(check(&history), Ok(()));
}
