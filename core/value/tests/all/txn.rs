//! Value transactions against plain edits of a copy.

use proptest::prelude::*;
use statewright_value::{Path, Result, Savepoint, Value, ValueTxn, value};

#[derive(Clone, Debug)]
enum Step {
    Set(Path, Value),
    Insert(Path, Value),
    Push(Path, Value),
    Pop(Path),
    Remove(Path),
    Replace(Path, Value),
    Rename(Path, String),
    Clear(Path),
    Savepoint,
    RollbackTo(prop::sample::Index),
}

fn path() -> impl Strategy<Value = Path> {
    let segment = prop_oneof![
        3 => "[a-c]".prop_map(|key| Path::root().key(&key)),
        2 => (0usize..4).prop_map(|at| Path::root().index(at)),
    ];
    prop::collection::vec(segment, 0..4).prop_map(|parts| {
        parts
            .iter()
            .fold(Path::root(), |path, part| path.join(part))
    })
}

fn content() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(Value::from), Just(Value::NULL)];
    leaf.prop_recursive(3, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (path(), content()).prop_map(|(path, value)| Step::Set(path, value)),
        3 => (path(), content()).prop_map(|(path, value)| Step::Insert(path, value)),
        3 => (path(), content()).prop_map(|(path, value)| Step::Push(path, value)),
        2 => path().prop_map(Step::Pop),
        3 => path().prop_map(Step::Remove),
        2 => (path(), content()).prop_map(|(path, value)| Step::Replace(path, value)),
        2 => (path(), "[a-c]").prop_map(|(path, to)| Step::Rename(path, to)),
        1 => path().prop_map(Step::Clear),
        2 => Just(Step::Savepoint),
        2 => any::<prop::sample::Index>().prop_map(Step::RollbackTo),
    ]
}

fn in_txn(txn: &mut ValueTxn<'_>, step: &Step) -> Result<Option<Value>> {
    let none = |()| None;
    match step.clone() {
        Step::Set(path, value) => txn.set(&path, value).map(none),
        Step::Insert(path, value) => txn.insert(&path, value),
        Step::Push(path, value) => txn.push(&path, value).map(none),
        Step::Pop(path) => txn.pop(&path),
        Step::Remove(path) => txn.remove(&path),
        Step::Replace(path, value) => txn.replace(&path, value).map(Some),
        Step::Rename(path, to) => txn.rename(&path, to).map(none),
        Step::Clear(path) => txn.edit(&path, Value::clear).map(none),
        Step::Savepoint | Step::RollbackTo(_) => Ok(None),
    }
}

fn on_value(doc: &mut Value, step: &Step) -> Result<Option<Value>> {
    let none = |()| None;
    match step.clone() {
        Step::Set(path, value) => doc.set(&path, value).map(none),
        Step::Insert(path, value) => doc.insert_at(&path, value),
        Step::Push(path, value) => doc.push_at(&path, value).map(none),
        Step::Pop(path) => doc.pop_at(&path),
        Step::Remove(path) => doc.remove(&path),
        Step::Replace(path, value) => doc.replace(&path, value).map(Some),
        Step::Rename(path, to) => doc.rename_at(&path, to).map(none),
        Step::Clear(path) => doc.edit(&path, Value::clear).map(none),
        Step::Savepoint | Step::RollbackTo(_) => Ok(None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_transaction_does_what_its_edits_do(
        start in content(),
        steps in prop::collection::vec(step(), 0..25),
        commit in any::<bool>(),
    ) {
        let mut doc = start.clone();
        let mut model = start.clone();
        let mut txn = doc.begin();
        let mut points: Vec<(Savepoint, Value, usize)> = Vec::new();
        for step in &steps {
            match step {
                Step::Savepoint => {
                    points.push((txn.savepoint(), model.clone(), txn.changes().len()));
                }
                Step::RollbackTo(at) if !points.is_empty() => {
                    let at = at.index(points.len());
                    let (point, value, changes) = points.get(at).cloned().unwrap();
                    prop_assert!(txn.rollback_to(point));
                    for (gone, ..) in points.drain(at + 1..) {
                        prop_assert!(!txn.rollback_to(gone));
                    }
                    prop_assert_eq!(txn.changes().len(), changes);
                    model = value;
                }
                _ => prop_assert_eq!(in_txn(&mut txn, step), on_value(&mut model, step)),
            }
            prop_assert_eq!(txn.value().to_string(), model.to_json());
        }
        let mut patched = start.clone();
        txn.patch().apply(&mut patched).unwrap();
        prop_assert_eq!(&patched, &model);
        if commit {
            let changes = txn.changes().to_vec();
            prop_assert_eq!(txn.commit(), changes.clone());
            prop_assert_eq!(doc.to_json(), model.to_json());
            // Backwards, the changes lead back.
            for change in changes.into_iter().rev() {
                let undone = match (change.before, change.after) {
                    (Some(before), Some(_)) => doc.replace(&change.path, before).map(drop),
                    (Some(before), None) => doc.insert_at(&change.path, before).map(drop),
                    (None, _) => doc.remove(&change.path).map(drop),
                };
                prop_assert!(undone.is_ok());
            }
        } else {
            txn.rollback();
        }
        prop_assert_eq!(doc, start);
    }
}

#[test]
fn each_change_is_recorded() {
    let mut doc = value!({ "a": 1, "l": [1] });
    let path = |text: &str| Path::parse(text).unwrap();
    let mut txn = doc.begin();
    txn.set(&path(".n.m"), value!(1)).unwrap();
    txn.set(&path(".n.m"), value!(2)).unwrap();
    txn.push(&path(".l"), value!("x")).unwrap();
    txn.insert(&path(".l[0]"), value!("y")).unwrap();
    txn.pop(&path(".l")).unwrap();
    txn.remove(&path(".a")).unwrap();
    txn.remove(&path(".nothing")).unwrap();
    txn.rename(&path(".n.m"), "o").unwrap();
    txn.update(&path(".c"), |old| Ok(value!(old.is_none())))
        .unwrap();
    txn.edit(&path(".l"), |list| list.move_item(0, 1)).unwrap();
    assert!(txn.set(&path(".c.d"), value!(1)).is_err());
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_json);
    let changes: Vec<String> = txn
        .changes()
        .iter()
        .map(|change| {
            format!(
                "{} {} {}",
                change.path,
                text(&change.before),
                text(&change.after)
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            r#".n - {"m":1}"#,
            ".n.m 1 2",
            r#".l[1] - "x""#,
            r#".l[0] - "y""#,
            r#".l[2] "x" -"#,
            ".a 1 -",
            r#".n {"m":2} {"o":2}"#,
            ".c - true",
            r#".l ["y",1] [1,"y"]"#,
        ]
    );
    assert_eq!(txn.commit().len(), 9);
    assert_eq!(doc.to_json(), r#"{"l":[1,"y"],"n":{"o":2},"c":true}"#);
}

#[test]
fn a_savepoint_of_another_transaction_is_refused() {
    let n = Path::root().key("n");
    let (mut a, mut b) = (value!({ "n": 1 }), value!({ "n": 1 }));
    let foreign = a.begin().savepoint();
    let mut txn = b.begin();
    let own = txn.savepoint();
    txn.set(&n, value!(2)).unwrap();
    assert!(!txn.rollback_to(foreign));
    assert_eq!(txn.value().at(&n), Some(value!(2).by_ref()));
    assert!(txn.rollback_to(own));
    drop(txn);
    // One that has ended is another one too.
    assert!(!b.begin().rollback_to(own));
}
