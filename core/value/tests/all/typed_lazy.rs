//! Typed values, views by category, lazy values.

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};

use serde::{Deserialize, Serialize};
use statewright_value::{CachePolicy, Error, Lazy, LazyOptions, Result, Typed, Value, value};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    #[serde(default)]
    age: u8,
}

#[test]
fn a_typed_value_is_read_once_and_keeps_what_it_is() {
    let value = value!({ "age": 1, "name": "Ada", "more": [1] });
    let mut user = Typed::<User>::new(value.clone()).unwrap();
    let before = user.clone();
    assert_eq!((user.name.as_str(), user.age), ("Ada", 1));
    assert_eq!(user.value(), &value);
    assert_eq!(
        user.update(|user| std::mem::replace(&mut user.age, 7)),
        Ok(1)
    );
    assert_eq!(user.value(), &value!({ "name": "Ada", "age": 7 }));
    assert_eq!((before.age, before.value()), (1, &value));
    assert_ne!(user, before);
    assert_eq!(before.into_inner().name, "Ada");
    assert_eq!(Typed::of(user.as_ref().clone()).unwrap(), user);

    let error = Typed::<Vec<User>>::new(value!([{ "name": "x" }, { "name": 5 }])).unwrap_err();
    assert!(
        matches!(&error, Error::Mismatch { path, .. } if path.to_string() == ".[1].name"),
        "{error}"
    );
}

#[test]
fn a_typed_value_goes_through_serde_as_its_value() {
    #[derive(Serialize, Deserialize)]
    struct Envelope {
        user: Typed<User>,
    }
    let json = r#"{"user":{"name":"Ada","extra":true}}"#;
    let envelope: Envelope = serde_json::from_str(json).unwrap();
    assert_eq!(envelope.user.age, 0);
    assert_eq!(serde_json::to_string(&envelope).unwrap(), json);
    assert!(serde_json::from_str::<Envelope>(r#"{"user":{}}"#).is_err());
}

#[cfg(feature = "schema")]
#[test]
fn a_validated_value_is_read_when_asked() {
    use statewright_value::{Schema, Validated};
    let schema = Schema::compile(value!({ "required": ["name"] }).by_ref()).unwrap();
    let user = Validated::<User>::new(value!({ "name": "Ada" }), &schema).unwrap();
    assert!(!user.is_read());
    assert_eq!(user.clone().get().unwrap().name, "Ada");
    assert!(user.is_read());
    // The schema allows what the type does not.
    let lax = Validated::<User>::new(value!({ "name": 5 }), &schema).unwrap();
    assert_eq!(lax.get().unwrap_err().code(), 203);
    assert_eq!(lax.into_value(), value!({ "name": 5 }));
    assert_eq!(
        Validated::<User>::new(value!({}), &schema)
            .unwrap_err()
            .code(),
        210
    );
}

#[cfg(all(feature = "decimal", feature = "time"))]
#[test]
fn every_kind_has_a_view_of_its_category() {
    use statewright_value::{Category, File, View};
    let decimal = Value::from("2.50".parse::<statewright_value::Decimal>().unwrap());
    let date = Value::from(statewright_value::jiff::civil::date(2024, 2, 29));
    let file = Value::from(File::new("a", 1));
    let values = [
        (value!(null), Category::Null),
        (value!(true), Category::Bool),
        (value!(-1), Category::Number),
        (value!(u64::MAX), Category::Number),
        (value!(1.5), Category::Number),
        (decimal, Category::Number),
        (value!("x"), Category::Text),
        (Value::bytes([1]), Category::Bytes),
        (date, Category::Temporal),
        (file, Category::File),
        (value!([1]), Category::Container),
        (value!({ "a": 1 }), Category::Container),
    ];
    let mut numbers = Vec::new();
    for (value, category) in &values {
        assert_eq!(value.kind().category(), *category);
        let found = match value.view() {
            View::Null => Category::Null,
            View::Bool(bool) => {
                assert!(bool);
                Category::Bool
            }
            View::Number(number) => {
                numbers.push((number.to_f64(), number.to_integer()));
                Category::Number
            }
            View::Text(text) => {
                assert_eq!(text, "x");
                Category::Text
            }
            View::Bytes(bytes) => {
                assert_eq!(bytes, [1]);
                Category::Bytes
            }
            View::Temporal(temporal) => {
                assert_eq!(temporal.to_string(), "\"2024-02-29\"");
                Category::Temporal
            }
            View::File(file) => {
                assert_eq!(file.name(), "a");
                Category::File
            }
            View::Array(array) => {
                assert_eq!(
                    (array.len(), array.get(0), array.get(1)),
                    (1, Some(value!(1).by_ref()), None)
                );
                assert_eq!(array.into_iter().count(), 1);
                Category::Container
            }
            View::Object(object) => {
                assert_eq!(object.keys().collect::<Vec<_>>(), ["a"]);
                assert_eq!(object.values().len(), 1);
                assert_eq!(object.get("a"), Some(value!(1).by_ref()));
                Category::Container
            }
        };
        assert_eq!(found, *category);
    }
    assert_eq!(
        numbers,
        [
            (-1.0, Some(-1)),
            (u64::MAX as f64, Some(u64::MAX.into())),
            (1.5, None),
            (2.5, None)
        ]
    );
    assert_eq!(value!(3.0).as_number().unwrap().to_integer(), Some(3));
    assert_eq!(value!(1e300).as_number().unwrap().to_integer(), None);
    assert!(value!("x").as_number().is_none() && value!({}).as_array().is_none());
}

/// A lazy value that counts, and how often it was computed.
fn counting(options: LazyOptions) -> (Lazy, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let computed = Arc::clone(&count);
    let lazy = options.build(move || Ok(Value::from(computed.fetch_add(1, Ordering::SeqCst))));
    (lazy, count)
}

#[test]
fn policies_count_uses() {
    let uses = |count| CachePolicy::Uses(NonZeroU64::new(count).unwrap());
    for (policy, expected) in [
        (CachePolicy::Once, [0, 0, 0, 0, 0, 0, 0]),
        (CachePolicy::Never, [0, 1, 2, 3, 4, 5, 6]),
        (uses(1), [0, 1, 2, 3, 4, 5, 6]),
        (uses(3), [0, 0, 0, 1, 1, 1, 2]),
    ] {
        let (lazy, count) = counting(LazyOptions::default().policy(policy));
        assert_eq!(lazy.stats().computed, 0);
        for (at, expected) in expected.into_iter().enumerate() {
            let handle = lazy.clone();
            assert_eq!(handle.get(), Ok(Value::from(expected)), "{policy:?} {at}");
        }
        let stats = lazy.stats();
        assert_eq!(
            (stats.computed, stats.failed),
            (count.load(Ordering::SeqCst), 0)
        );
        assert_eq!(stats.computed + stats.reused, 7);
        assert_eq!(lazy.policy(), policy);
    }
}

#[test]
fn what_is_kept_can_be_seen_and_forgotten() {
    let (lazy, _) = counting(LazyOptions::default());
    assert_eq!((lazy.peek(), lazy.is_computed()), (None, false));
    lazy.get().unwrap();
    assert_eq!((lazy.peek(), lazy.is_computed()), (Some(value!(0)), true));
    lazy.forget();
    assert_eq!(lazy.get(), Ok(value!(1)));
}

#[test]
fn errors_are_tried_again_unless_asked_to_be_kept() {
    let failing = |cache| {
        let tries = AtomicU64::new(0);
        LazyOptions::default().cache_errors(cache).build(move || {
            match tries.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Err(Error::Mismatch {
                    path: Default::default(),
                    reason: "not yet".into(),
                }),
                tries => Ok(Value::from(tries)),
            }
        })
    };
    let again = failing(false);
    let found: Vec<Result<Value>> = (0..4).map(|_| again.get()).collect();
    assert_eq!(found.iter().filter(|found| found.is_err()).count(), 2);
    assert_eq!(found.last(), Some(&Ok(value!(2))));
    assert_eq!((again.stats().computed, again.stats().failed), (3, 2));
    let kept = failing(true);
    assert!((0..4).all(|_| kept.get().is_err()));
    assert_eq!((kept.stats().computed, kept.peek()), (1, None));
}

#[test]
fn threads_that_ask_at_once_compute_once() {
    let barrier = Barrier::new(8);
    let (lazy, count) = counting(LazyOptions::default());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    assert_eq!(lazy.get(), Ok(value!(0)));
                }
            });
        }
    });
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(lazy.stats().reused, 799);
}

#[test]
fn a_value_that_needs_itself_is_an_error() {
    static LAZY: OnceLock<Lazy> = OnceLock::new();
    let lazy = LAZY.get_or_init(|| {
        Lazy::new(|| match LAZY.get() {
            Some(lazy) => lazy.get(),
            None => Ok(Value::NULL),
        })
    });
    assert_eq!(lazy.get().unwrap_err().code(), 205);
    assert_eq!(lazy.get().unwrap_err().code(), 205);
}

#[test]
fn a_panic_leaves_it_usable() {
    let first = AtomicU64::new(0);
    let lazy = Lazy::new(move || match first.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("on purpose"),
        tries => Ok(Value::from(tries)),
    });
    assert!(catch_unwind(AssertUnwindSafe(|| lazy.get())).is_err());
    assert_eq!(lazy.get(), Ok(value!(1)));
}

#[test]
fn a_budget_is_spent_on_computing_alone() {
    let (lazy, count) = counting(LazyOptions::default().cost(10).policy(CachePolicy::Never));
    let mut budget = 25;
    assert!(lazy.get_within(&mut budget).is_ok() && lazy.get_within(&mut budget).is_ok());
    assert_eq!(lazy.get_within(&mut budget).unwrap_err().code(), 204);
    assert_eq!(
        (budget, count.load(Ordering::SeqCst), lazy.cost()),
        (5, 2, 10)
    );
    let free = LazyOptions::default()
        .cost(u64::MAX)
        .build(|| Ok(value!(1)));
    assert_eq!(free.get(), Ok(value!(1)));
}
