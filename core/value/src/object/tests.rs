//! Against a vector of entries, with clones that must not change and keys whose hashes collide.

use proptest::prelude::*;

use super::{Body, Object};
use crate::{Key, Value};

type Model = Vec<(Key, i64)>;

/// A few keys, so that they meet; of each four hashes the last three are the same.
fn key(number: u16) -> Key {
    Key::hashed(&format!("k{number}"), u32::from(number).max(1000) % 1600)
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u16, i64),
    Put(prop::sample::Index, u16),
    Remove(u16),
    Rename(u16, u16),
    Set(u16, i64),
    Share,
    Rebuild,
}

fn edit() -> impl Strategy<Value = Edit> {
    let number = 0u16..2000;
    prop_oneof![
        6 => (number.clone(), any::<i64>()).prop_map(|(key, value)| Edit::Insert(key, value)),
        2 => (any::<prop::sample::Index>(), number.clone()).prop_map(|(at, key)| Edit::Put(at, key)),
        6 => number.clone().prop_map(Edit::Remove),
        2 => (number.clone(), number.clone()).prop_map(|(from, to)| Edit::Rename(from, to)),
        2 => (number, any::<i64>()).prop_map(|(key, value)| Edit::Set(key, value)),
        1 => Just(Edit::Share),
        1 => Just(Edit::Rebuild),
    ]
}

fn build(model: &Model) -> Object {
    let entry = |(key, value): &(Key, i64)| (key.clone(), Value::from(*value));
    Object::new(model.iter().map(entry).collect())
}

fn find(model: &Model, key: &Key) -> Option<usize> {
    model.iter().position(|(other, _)| other == key)
}

fn assert_is(object: &Object, model: &Model) {
    assert_eq!(object.len(), model.len());
    let same = |((a, x), (b, y)): ((&Key, &Value), &(Key, i64))| a == b && x.as_i64() == Some(*y);
    assert_eq!(object.iter().len(), model.len());
    assert!(object.iter().zip(model).all(same));
    assert!(object.iter().rev().zip(model.iter().rev()).all(same));
    for (at, (key, value)) in model.iter().enumerate() {
        assert_eq!(object.get(key).and_then(Value::as_i64), Some(*value));
        assert_eq!(object.entry(at).map(|(key, _)| key), Some(key));
    }
    if let Body::Large(large) = &object.body {
        assert_eq!(large.index.len(), model.len());
        let ordinals: Vec<u32> = large.slots.iter().map(|slot| slot.ordinal).collect();
        assert!(ordinals.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ordinals.last().is_none_or(|last| *last <= large.last));
    }
}

/// Skips no entry that differs.
fn assert_equality(a: &Object, x: &Model, b: &Object, y: &Model) {
    let sorted = |model: &Model| {
        let mut model = model.clone();
        model.sort();
        model
    };
    let equal = a.pairs_all(b, |a, b| a == b);
    assert_eq!(equal, sorted(x) == sorted(y));
}

fn apply(object: &mut Object, model: &mut Model, edit: Edit) {
    match edit {
        Edit::Insert(number, value) => {
            let old = object.insert(key(number), Value::from(value));
            match find(model, &key(number)) {
                Some(at) => {
                    let old_value = std::mem::replace(&mut model[at].1, value);
                    assert_eq!(old.and_then(|old| old.as_i64()), Some(old_value));
                }
                None => {
                    assert!(old.is_none());
                    model.push((key(number), value));
                }
            }
        }
        Edit::Put(at, number) => {
            if find(model, &key(number)).is_none() {
                let at = at.index(model.len() + 1);
                object.put(at, key(number), Value::from(5));
                model.insert(at, (key(number), 5));
            }
        }
        Edit::Remove(number) => {
            let removed = object.remove(&key(number)).and_then(|value| value.as_i64());
            let expected = find(model, &key(number)).map(|at| model.remove(at).1);
            assert_eq!(removed, expected);
        }
        Edit::Rename(from, to) => {
            if find(model, &key(to)).is_none() {
                let at = find(model, &key(from));
                assert_eq!(object.rename(&key(from), key(to)).is_some(), at.is_some());
                if let Some(at) = at {
                    model[at].0 = key(to);
                }
            }
        }
        Edit::Set(number, value) => {
            let at = find(model, &key(number));
            match (object.slot_mut(&key(number)), at) {
                (Some(slot), Some(at)) => {
                    *slot = Value::from(value);
                    model[at].1 = value;
                }
                (slot, at) => assert!(slot.is_none() && at.is_none()),
            }
        }
        Edit::Rebuild => *object = build(model),
        Edit::Share => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn an_object_is_a_vector_of_entries(
        start in prop::collection::vec((0u16..2000, any::<i64>()), 0..300),
        edits in prop::collection::vec(edit(), 0..150),
    ) {
        let mut model = Model::new();
        for (number, value) in &start {
            match find(&model, &key(*number)) {
                Some(at) => model[at].1 = *value,
                None => model.push((key(*number), *value)),
            }
        }
        let start: Model = start.into_iter().map(|(number, value)| (key(number), value)).collect();
        let mut object = build(&start);
        let mut kept = vec![(object.clone(), model.clone())];
        for edit in edits {
            let share = matches!(edit, Edit::Share);
            apply(&mut object, &mut model, edit);
            if share {
                kept.push((object.clone(), model.clone()));
            }
        }
        kept.push((object, model));
        for (object, model) in &kept {
            assert_is(object, model);
            let mut reversed = model.clone();
            reversed.reverse();
            assert_equality(object, model, &build(&reversed), model);
        }
        for pair in kept.windows(2) {
            assert_equality(&pair[0].0, &pair[0].1, &pair[1].0, &pair[1].1);
        }
    }
}

/// Puts new entries always in one place, which leaves no room between two ordinals again and again.
#[test]
fn ordinals_are_given_anew_when_they_run_out() {
    let mut model: Model = (0..40).map(|number| (key(number), 1)).collect();
    let mut object = build(&model);
    for number in 40..1000 {
        object.put(20, key(number), Value::from(2));
        model.insert(20, (key(number), 2));
    }
    assert_is(&object, &model);
    let Body::Large(large) = &mut object.body else {
        panic!("a large object expected");
    };
    large.last = u32::MAX - 20;
    for number in 1000..1010 {
        object.insert(key(number), Value::from(3));
        model.push((key(number), 3));
    }
    assert_is(&object, &model);
}

/// Where entries are put, of how many there are.
type Spot = fn(usize, usize) -> usize;

const SPOTS: [Spot; 6] = [
    |_, _| 0,
    |_, len| len - 1,
    |_, _| 17,
    |_, len| len / 2,
    |put, len| (put * 7919) % len,
    |put, len| if put % 3 == 0 { len } else { len - 2 },
];

/// With keys whose hashes collide, and clones that must stay as they are.
#[test]
fn entries_can_be_put_anywhere_again_and_again() {
    for spot in SPOTS {
        let mut model: Model = (0..40).map(|number| (key(number), 1)).collect();
        let mut object = build(&model);
        let mut kept = Vec::new();
        for number in 40..1900 {
            if number % 400 == 0 {
                kept.push((object.clone(), model.clone()));
            }
            let at = spot(usize::from(number), model.len());
            object.put(at, key(number), Value::from(2));
            model.insert(at, (key(number), 2));
        }
        kept.push((object, model));
        for (object, model) in &kept {
            assert_is(object, model);
        }
    }
}

/// An insertion gives few other entries new ordinals, wherever it is.
#[test]
fn an_insertion_moves_few_others() {
    const ENTRIES: usize = 20_000;
    let keys: Vec<Key> = (0..ENTRIES)
        .map(|n| Key::new(&format!("key {n}")))
        .collect();
    for (case, spot) in SPOTS.into_iter().enumerate() {
        let mut object = Object::default();
        for (number, key) in keys.iter().enumerate() {
            let at = spot(number, number.max(2)).min(number);
            object.put(at, key.clone(), Value::NULL);
        }
        let Body::Large(large) = &object.body else {
            panic!("a large object expected");
        };
        let moved = large.moved / ENTRIES;
        assert!(moved <= 16, "{moved} a put in case {case}");
    }
}

#[test]
fn colliding_hashes_cost_no_more_than_a_search() {
    let keys: Vec<Key> = (0..20_000)
        .map(|number| Key::hashed(&format!("key {number}"), 7))
        .collect();
    let mut object = Object::default();
    for key in &keys {
        object.insert(key.clone(), Value::NULL);
    }
    assert!(keys.iter().all(|key| object.get(key).is_some()));
    for key in &keys {
        assert!(object.remove(key).is_some());
    }
    assert_eq!(object.len(), 0);
}
