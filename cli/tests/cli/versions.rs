//! `flows` and `migrate --plan`.

use crate::program::Folder;

const FIRST: &str =
    "name: order\nversion: 1\ntasks:\n  pay: { kind: host, next: ship }\n  ship: { kind: host }\n";

fn with_a_case(id: &str, f: &Folder, text: &str) {
    let spec = f.file("flow.yaml", text);
    let run = ["run", spec, "-q", "--case-id", id, "--timeout", "10ms"];
    f.run(&run).ended(6);
}

#[test]
fn versions_are_listed_and_cases_checked_against_another() {
    let f = Folder::new();
    with_a_case("a", &f, FIRST);
    with_a_case("b", &f, &FIRST.replace("version: 1", "version: 2"));
    let versions = f.run(&["flows", "--json"]).ok().lines();
    let shown: Vec<_> = versions
        .iter()
        .map(|v| {
            (
                v["version"].as_u64(),
                v["newest"].as_bool(),
                v["open"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (Some(1), Some(false), Some(1)),
            (Some(2), Some(true), Some(1))
        ]
    );
    let table = f.run(&["flows"]).ok().stdout;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["FLOW", "VERSION", "KEY", "OPEN", "ENDED"]);
    assert_eq!((rows[1].len(), rows[2][5]), (5, "newest"));
    assert_eq!(f.run(&["flows", "other"]).ok().stdout, "");

    let third = FIRST.replace("version: 1", "version: 3");
    let spec = f.file("third.yaml", &third);
    let done = f.run(&["migrate", spec, "--plan"]).ok();
    assert!(
        done.stdout.ends_with("order version 3: all fit (2)\n"),
        "{done:?}"
    );
    // The first task has another name: only what is at work needs it.
    let renamed = FIRST.replace("pay", "charge");
    let spec = f.file("renamed.yaml", &renamed);
    let plans = f.run(&["migrate", spec, "--plan", "--json"]).ok().lines();
    assert_eq!(
        plans[0]["follows"],
        serde_json::json!(["withdrawn pay", "offered charge"])
    );
    let item = f.run(&["work", "--case", "a", "--json"]).ok().json()["item"].to_string();
    f.run(&["work", "take", "a", &item, "--as", "ann"]).ok();
    let done = f.run(&["migrate", spec, "--plan"]).ended(1);
    assert!(
        done.stdout
            .contains("a  running, on version 1: does not fit"),
        "{done:?}"
    );
    assert!(done.stdout.ends_with("1 of 2 fit\n"), "{done:?}");
    // The plan is all there is, and it has to be asked for.
    f.run(&["migrate", spec]).ended(2);
    assert_eq!(f.run(&["case", "a", "--json"]).ok().json()["version"], 1);
    let bad = f.file("bad.yaml", "name: x\n");
    f.run(&["migrate", bad, "--plan"]).ended(3);
}
