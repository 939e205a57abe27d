//! Several versions of a flow, and what of a case would fit another.

use crate::common::{World, started};
use statewright_flow::CasePlan;
use statewright_value::Value;

const FIRST: &str = "
name: order
version: 1
tasks:
  begin: { split: and, next: [pay, pack] }
  pay: { kind: host, next: ship }
  pack: { kind: host, next: ship }
  ship: { kind: host, join: and }
";

fn planned(world: &World, spec: &str) -> CasePlan {
    let mut plan = world.flows.plan(spec, None).unwrap();
    assert_eq!(plan.cases.len(), 1);
    plan.cases.remove(0)
}

fn take(world: &World, task: &str) -> String {
    let items = world.flows.work(&Default::default()).unwrap();
    let item = items.iter().find(|i| i.task == task).unwrap();
    let claim = world.flows.take("c", item.item, "ann", None).unwrap();
    claim.item.unwrap().token
}

#[test]
fn versions_live_side_by_side_and_are_listed_with_their_cases() {
    let world = started(FIRST);
    let second = FIRST.replace("version: 1", "version: 2");
    world.flows.deploy(&second, None).unwrap();
    world.flows.start("order", &Value::NULL, Some("d")).unwrap();
    world.flows.start("order", &Value::NULL, Some("e")).unwrap();
    world.flows.cancel("e", "").unwrap();
    world
        .flows
        .deploy("name: a\ntasks: { t: { kind: host } }", None)
        .unwrap();
    let flows = world.flows.flows().unwrap();
    let shown: Vec<_> = flows
        .iter()
        .flat_map(|f| {
            f.versions
                .iter()
                .map(|v| (&*f.name, v.version, v.newest, v.open, v.ended))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a", 1, true, 0, 0),
            ("order", 1, false, 1, 0),
            ("order", 2, true, 1, 1)
        ]
    );
    assert_eq!(world.flows.net_of_case("c").unwrap().version, 1);
    assert_eq!(world.flows.net_of_case("d").unwrap().version, 2);
}

/// Whatever state a case is in, it fits a version that differs in words alone, and nothing follows.
#[test]
fn a_version_that_differs_in_words_alone_fits_every_state() {
    let loops = "
name: order
tasks:
  begin: { split: and, next: [a, b, c] }
  a: { kind: host, next: two }
  b: { kind: wait, for: 1h, next: two }
  c: { kind: host, many: { items: 3, threshold: 2 }, next: two }
  two: { join: { of: 2, reset: blocking }, next: paid }
  paid: { kind: signal, keep: true }
";
    for spec in [FIRST, loops] {
        let world = started(spec);
        let other = spec.replace("tasks:", "description: the same in other words\ntasks:");
        for _ in 0..8 {
            let plan = planned(&world, &other);
            assert_eq!((plan.reasons.len(), plan.follows.len()), (0, 0), "{plan:?}");
            let items = world.flows.work(&Default::default()).unwrap();
            let Some(item) = items.first() else { break };
            let token = item
                .token
                .clone()
                .unwrap_or_else(|| take(&world, &item.task));
            assert_eq!(planned(&world, &other).reasons, [""; 0]);
            world.flows.complete(&token, &Value::NULL).unwrap();
            if world.status("c").is_final() {
                break;
            }
        }
    }
}

#[test]
fn what_would_happen_is_told() {
    let world = started(FIRST);
    // One more task beside, and one that is only offered is not there any more.
    let other = "
name: order
version: 2
tasks:
  begin: { split: and, next: [pay, pack] }
  pay: { kind: host, next: ship }
  pack: { kind: wait, for: 1h, next: ship }
  ship: { kind: host, join: and }
";
    let plan = planned(&world, other);
    assert_eq!(plan.reasons, [""; 0]);
    assert_eq!(plan.follows, ["withdrawn pack", "timer_set pack"]);
    assert_eq!((plan.version, &*plan.case), (1, "c"));
    // Nothing was changed by looking.
    assert_eq!(world.flows.net_of_case("c").unwrap().version, 1);
    assert_eq!(world.flows.work(&Default::default()).unwrap().len(), 2);
}

#[test]
fn what_does_not_fit_is_refused_with_its_reasons() {
    let world = started(FIRST);
    let without_pack = "
name: order
version: 2
tasks:
  begin: { split: and, next: [pay, wrap] }
  pay: { kind: host, next: ship }
  wrap: { kind: host, next: ship }
  ship: { kind: host, join: and }
";
    let plan = planned(&world, without_pack);
    let missing = "it has a token on begin>pack, which the other version has not";
    assert_eq!(plan.reasons, [missing]);
    assert_eq!(plan.follows, [""; 0]);
    let token = take(&world, "pack");
    let plan = planned(&world, without_pack);
    assert_eq!(plan.reasons.len(), 1);
    assert!(plan.reasons[0].contains("task pack is leased"), "{plan:?}");
    // Another kind of the same name is another task.
    let waits = FIRST.replace("pack: { kind: host", "pack: { kind: wait, for: 1h");
    assert!(planned(&world, &waits).reasons[0].contains("no task like it"));
    world.flows.complete(&token, &Value::NULL).unwrap();
    let plan = planned(&world, without_pack);
    assert_eq!(
        plan.reasons,
        ["it has a token on pack>ship, which the other version has not"]
    );
}

#[test]
fn cases_on_the_version_itself_of_other_flows_and_closed_ones_are_not_in_the_plan() {
    let world = started(FIRST);
    assert!(world.flows.plan(FIRST, None).unwrap().cases.is_empty());
    let other = FIRST.replace("name: order", "name: other");
    assert!(world.flows.plan(&other, None).unwrap().cases.is_empty());
    world.flows.cancel("c", "").unwrap();
    let second = FIRST.replace("version: 1", "version: 2");
    assert!(world.flows.plan(&second, None).unwrap().cases.is_empty());
    assert!(world.flows.plan("name: x", None).is_err());
}
