//! Cases that are moved to another version go on.

use std::time::Duration;

use statewright::flow::{MigrateOptions, Status};
use statewright::{Engine, Options, value};
use statewright_store::{Primitive, Space, Txn};
use statewright_value::Path;

#[test]
fn cases_that_were_moved_go_on_though_moving_others_failed() {
    let engine = Engine::in_memory(Options::default()).unwrap();
    let spec = "name: f\nversion: 1\ntasks:\n  t: { kind: host }\n";
    engine.deploy(spec, None).unwrap();
    for case in ["a", "b"] {
        engine.start("f", value!({}), Some(case)).unwrap();
    }
    let damage = |txn: &Txn| -> Result<(), statewright_store::Error> {
        let created = Path::root().key("t");
        txn.doc_set(
            Primitive::Flow,
            &Space::default(),
            "c/b",
            &created,
            value!("x"),
        )
    };
    engine.store().transact(damage).unwrap();
    let spec = "name: f\nversion: 2\ntasks:\n  t: { kind: set, set: { .n: '1' } }\n";
    let options = MigrateOptions {
        cohort: 1,
        ..MigrateOptions::default()
    };
    engine.migrate(spec, None, &options).unwrap_err();
    let ended = engine.wait("a", Some(Duration::from_secs(20))).unwrap();
    assert_eq!((ended.status, ended.version), (Status::Completed, 2));
}
