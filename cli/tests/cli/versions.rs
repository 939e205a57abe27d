//! `flows` and `migrate`.

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
    assert_eq!(f.run(&["case", "a", "--json"]).ok().json()["version"], 1);
    let bad = f.file("bad.yaml", "name: x\n");
    f.run(&["migrate", bad, "--plan"]).ended(3);
    f.run(&["migrate", bad]).ended(3);
    f.run(&["migrate"]).ended(2);
}

#[test]
fn cases_are_moved_and_moved_back() {
    let f = Folder::new();
    with_a_case("a", &f, FIRST);
    with_a_case("b", &f, FIRST);
    let item = f.run(&["work", "--case", "a", "--json"]).ok().json()["item"].to_string();
    let taken = f.run(&["work", "take", "a", &item, "--as", "ann", "--json"]);
    let token = taken.ok().json()["token"].as_str().unwrap().to_owned();
    let second = FIRST
        .replace("version: 1", "version: 2")
        .replace("pay", "charge");
    let spec = f.file("second.yaml", &second);
    let moved = f.run(&["migrate", spec, "--json"]).ended(1).lines();
    assert_eq!(
        (&moved[0]["case"], &moved[0]["moved"]),
        (&"b".into(), &true.into())
    );
    assert_eq!(
        (&moved[1]["case"], &moved[1]["moved"]),
        (&"a".into(), &false.into())
    );
    let done = f.run(&["migrate", spec, "--map", "pay=charge"]).ok();
    assert!(
        done.stdout.starts_with("a  running, on version 1: moved\n"),
        "{done:?}"
    );
    let table = f.run(&["cases"]).ok().stdout;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!((rows[0][2], rows[1][2], rows[2][2]), ("VERSION", "2", "2"));
    let history = f.run(&["case", "a", "--history"]).ok().stdout;
    assert!(history.contains("case_migrated"), "{history}");
    let back = f.run(&["migrate", "--undo", "order"]).ok();
    assert!(back.stdout.contains("1 of order moved back"), "{back:?}");
    assert_eq!(f.run(&["migrate", "--list"]).ok().stdout.lines().count(), 3);
    f.run(&["work", "complete", &token, "1"]).ok();
    f.run(&["migrate", "--undo", "nothing"]).ended(2);
}

#[test]
fn a_case_is_forked_at_an_event() {
    let f = Folder::new();
    with_a_case("a", &f, FIRST);
    let item = f.run(&["work", "--case", "a", "--json"]).ok().json()["item"].to_string();
    let taken = f.run(&["work", "take", "a", &item, "--as", "ann", "--json"]);
    let token = taken.ok().json()["token"].as_str().unwrap().to_owned();
    f.run(&["work", "complete", &token, "1"]).ok();
    let forked = f
        .run(&["fork", "a", "--at", "2", "--results", "--id", "b", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&forked["case"], &forked["results"]),
        (&"b".into(), &1.into())
    );
    let case = f.run(&["case", "b", "--json"]).ok().json();
    assert_eq!(case["data"]["pay"], 1);
    let said = f.run(&["fork", "a", "--at", "2", "--id", "c"]).ok().stdout;
    assert!(said.contains("forked from a after event"), "{said}");
    f.run(&["fork", "a", "--at", "99"]).ended(2);
    f.run(&["fork", "x", "--at", "1"]).ended(7);
}

#[test]
fn a_case_and_a_finding_are_done_again() {
    let f = Folder::new();
    with_a_case("a", &f, FIRST);
    let same = f.run(&["replay", "a"]).ok().stdout;
    assert!(same.ends_with("on version 1: the same\n"), "{same}");
    let other = FIRST.replace("host, next", "wait, for: 1h, next");
    let spec = f.file("other.yaml", &other);
    let differs = f
        .run(&["replay", "a", "--with", spec, "--json"])
        .ended(1)
        .json();
    assert_eq!(differs["difference"]["seq"], 1);
    f.run(&["replay", "x"]).ended(7);
    f.run(&["replay"]).ended(2);
    let stuck = "name: s\ntasks:\n  a: { split: or, next: [{ to: b, when: .b }, c] }\n  b: { kind: host, next: d }\n  \
                 c: { kind: host, next: d }\n  d: { join: and }\n";
    let spec = f.file("stuck.yaml", stuck);
    let found = f.run(&["check", spec]).ok().stdout;
    let (_, steps) = found.split_once("for example: ").unwrap();
    let steps = steps.lines().next().unwrap();
    let walked = f
        .run(&["replay", "--with", spec, "--steps", steps])
        .ok()
        .stdout;
    assert!(
        walked.ends_with("tokens: b>d\nnothing can happen next\n"),
        "{walked}"
    );
    let wrong = f
        .run(&["replay", "--with", spec, "--steps", "d"])
        .ended(1)
        .stdout;
    assert!(
        wrong.starts_with("d cannot happen here\nnext could be: a -> a>b; "),
        "{wrong}"
    );
}
