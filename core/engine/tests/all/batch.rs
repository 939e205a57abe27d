//! Several cases or items in one call.

use statewright::flow::{CaseFilter, Failure, Outcome, WorkItem};
use statewright::{Durability, Engine, Error, Options, Poll, Value, value};

const SPEC: &str = "
name: pair
tasks:
  begin: { kind: set, set: { .begun: true }, split: and, next: [left, right] }
  left: { kind: host, topic: work, next: both }
  right: { kind: host, topic: work, next: both }
  both: { kind: set, join: and, set: { .sides: '[.left, .right]' } }
output: .sides
";

fn open(dir: &std::path::Path) -> Engine {
    let options = Options::default().durability(Durability::Strict);
    let engine = Engine::open(dir, options).unwrap();
    engine.deploy(SPEC, None).unwrap();
    engine
}

fn all_work(engine: &Engine) -> Vec<WorkItem> {
    let mut poll = Poll::topic("work");
    poll.max = 1000;
    engine.poll(poll, None).unwrap()
}

fn done(item: &WorkItem) -> Outcome {
    Outcome {
        token: item.token.clone(),
        result: Ok(value!(&*item.task)),
    }
}

#[test]
fn a_batch_waits_for_the_disk_together_and_is_all_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let syncs = || engine.store().stats().log.syncs;
    let before = syncs();
    let started = engine.start_all("pair", &vec![Value::NULL; 64]).unwrap();
    let started: Vec<String> = started.into_iter().map(Result::unwrap).collect();
    assert!(syncs() - before <= 2, "{}", syncs() - before);
    let work = all_work(&engine);
    assert_eq!(work.len(), 128);
    let (left, right): (Vec<_>, Vec<_>) = work.iter().partition(|i| i.task == "left");
    for side in [left, right] {
        let before = syncs();
        let outcomes: Vec<Outcome> = side.into_iter().map(done).collect();
        let given = engine.deliver(&outcomes).unwrap();
        assert!(
            given.len() == 64 && given.iter().all(Result::is_ok),
            "{given:?}"
        );
        // One for the results, and one for what goes on by itself after the second ones.
        assert!(syncs() - before <= 3, "{}", syncs() - before);
    }
    engine.close().unwrap();
    let engine = open(dir.path());
    for case in &started {
        let case = engine.case(case).unwrap();
        assert_eq!(case.result, Some(value!(["left", "right"])), "{case:?}");
    }
    engine.close().unwrap();
}

#[test]
fn items_of_one_case_can_be_in_one_batch() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), Options::default().durability(durability)).unwrap();
        engine.deploy(SPEC, None).unwrap();
        let case = engine.start("pair", Value::NULL, None).unwrap();
        let outcomes: Vec<Outcome> = all_work(&engine).iter().map(done).collect();
        assert_eq!(outcomes.len(), 2);
        assert!(engine.deliver(&outcomes).unwrap().iter().all(Result::is_ok));
        let case = engine.case(&case).unwrap();
        assert_eq!(case.result, Some(value!(["left", "right"])));
        // The same once more: each is refused by itself.
        for again in engine.deliver(&outcomes).unwrap() {
            assert_eq!(again.map_err(|e| e.code()), Err(504));
        }
        engine.close().unwrap();
    }
}

#[test]
fn what_is_refused_leaves_the_others_alone() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    engine.deploy(SPEC, None).unwrap();
    let inputs = [value!({}), value!(7), value!({"a": 1})];
    let started = engine.start_all("pair", &inputs).unwrap();
    let code = |e: &Error| e.code();
    assert!(started[0].is_ok() && started[2].is_ok());
    assert_eq!(started[1].as_ref().map_err(code), Err(507), "{started:?}");
    let unknown = engine.start_all("nobody", &inputs).unwrap();
    assert!(unknown.iter().all(Result::is_err), "{unknown:?}");
    assert_eq!(engine.cases(&CaseFilter::default()).unwrap().len(), 2);
    let work = all_work(&engine);
    let mut outcomes: Vec<Outcome> = work.iter().map(done).collect();
    outcomes[1].result = Err(Failure::new("broken", "it fell").for_good());
    outcomes.push(Outcome {
        token: "no token".to_owned(),
        result: Ok(Value::NULL),
    });
    outcomes.push(outcomes[0].clone());
    let given = engine.deliver(&outcomes).unwrap();
    let refused: Vec<usize> = (0..given.len()).filter(|i| given[*i].is_err()).collect();
    assert_eq!(refused, [4, 5], "{given:?}");
    let too_many = vec![Value::NULL; 10_001];
    assert!(engine.start_all("pair", &too_many).is_err());
    assert!(engine.deliver(&[]).unwrap().is_empty());
    engine.close().unwrap();
    assert!(matches!(engine.deliver(&outcomes), Err(Error::Closed)));
}
