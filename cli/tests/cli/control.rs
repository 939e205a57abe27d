//! `case ACTION`, `signal` and `work`.

use crate::program::Folder;

const DESK: &str = "
name: desk
input: { sum: 120 }
tasks:
  begin: { split: and, next: [approve, paid] }
  approve: { kind: host, topic: office, input: .input.sum, into: .approved, next: done }
  paid: { kind: signal, into: .payment, next: done }
  done: { join: and }
output: '{approved, payment}'
";

const SURVEY: &str = "
name: survey
tasks:
  ask: { kind: host, topic: survey, many: { items: '[1, 2]', add: true }, into: .answers }
output: .answers
";

/// A store with a case that waits.
fn waiting(flow: &str, id: &str) -> Folder {
    let f = Folder::new();
    let spec = f.file("flow.yaml", flow);
    let run = ["run", spec, "-q", "--case-id", id, "--timeout", "10ms"];
    f.run(&run).ended(6);
    f
}

#[test]
fn a_case_is_suspended_resumed_signalled_and_cancelled() {
    let f = waiting(DESK, "a");
    let done = f.run(&["case", "suspend", "a"]).ok();
    assert_eq!(done.stdout, "a  suspended\n");
    f.run(&["case", "suspend", "a"])
        .refused(9, 512, &["suspended already"]);
    let lost = f.run(&["case", "signal", "a", "paid"]).ended(1);
    assert!(lost.stdout.starts_with("lost (suspended): "), "{lost:?}");
    let explained = f.run(&["case", "explain", "a", "--json"]).ok().lines();
    assert_eq!(explained[0]["unblocks"], "resume the case");
    let resumed = f.run(&["case", "resume", "a"]).ok();
    assert_eq!(resumed.stdout, "a  running\n");
    assert_eq!(resumed.stderr, "go on with: statewright resume a\n");
    let taken = f.run(&["case", "signal", "a", "paid", "{\"cents\": 12}", "--json"]);
    let taken = taken.ok().json();
    assert_eq!(taken["task"], "paid");
    let kept = f
        .run(&["signal", "paid", "order-17", "--json"])
        .ended(1)
        .json();
    assert_eq!(
        (&kept["outcome"], &kept["code"]),
        (&"dropped".into(), &"nobody-waits".into())
    );
    let cancelled = f
        .run(&["case", "cancel", "a", "--reason", "gone", "--json"])
        .ok()
        .json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["error"]["message"], "gone");
    f.run(&["case", "terminate", "a"])
        .refused(9, 503, &["cancelled"]);
    f.run(&["case", "resume", "nobody"])
        .refused(7, 502, &["nobody"]);
}

#[test]
fn several_cases_are_changed_in_order_up_to_the_first_that_refuses() {
    let f = waiting(DESK, "a");
    let again = [
        "run",
        "flow.yaml",
        "-q",
        "--case-id",
        "b",
        "--timeout",
        "10ms",
    ];
    f.run(&again).ended(6);
    f.run(&["case", "suspend", "b"]).ok();
    let done = f.run(&["case", "suspend", "a", "b", "c"]).ended(9);
    assert!(done.stderr.starts_with("error[512]: "), "{done:?}");
    let shown = f
        .run(&["cases", "--status", "suspended", "--json"])
        .ok()
        .lines();
    assert_eq!(shown.len(), 2);
}

#[test]
fn a_case_named_like_an_action_is_shown_behind_dashes() {
    let f = waiting(DESK, "suspend");
    let shown = f.run(&["case", "--json", "--", "suspend"]).ok().json();
    assert_eq!(shown["case"], "suspend");
    f.run(&["case"]).ended(2);
    f.run(&["case", "suspend"]).ended(2);
}

#[test]
fn instances_are_added_and_tasks_completed_and_cancelled() {
    let f = waiting(SURVEY, "a");
    f.run(&["case", "add", "a", "ask", "west", "7"]).ok();
    assert_eq!(f.run(&["work", "--json"]).ok().lines().len(), 4);
    f.run(&["case", "add", "a", "nothing", "1"])
        .refused(9, 512, &["no task"]);
    let done = f
        .run(&["case", "complete-task", "a", "ask", "--json"])
        .ok()
        .json();
    assert_eq!(done["status"], "completed");
    let f = waiting(SURVEY, "b");
    f.run(&["case", "cancel-task", "b", "ask"]).ok();
    assert_eq!(
        f.run(&["case", "b", "--json"]).ok().json()["status"],
        "completed"
    );
}

#[test]
fn work_is_listed_taken_delegated_given_back_skipped_and_completed() {
    let f = waiting(DESK, "a");
    let table = f.run(&["work", "--topic", "office"]).ok().stdout;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["CASE", "ITEM", "TASK", "TOPIC", "STATE", "SINCE", "WORKER"]
    );
    assert_eq!(
        (rows[1][0], rows[1][2], rows[1][4]),
        ("a", "approve", "offered")
    );
    let item = rows[1][1];
    assert_eq!(f.run(&["work", "--state", "leased"]).ok().stdout, "");
    f.run(&["work", "--state", "lost"]).ended(2);

    let mine = f
        .run(&["work", "take", "a", item, "--as", "ann"])
        .ok()
        .stdout;
    f.run(&["work", "take", "a", item, "--as", "bob"])
        .refused(9, 512, &["'ann' has it"]);
    let theirs = f
        .run(&["work", "delegate", mine.trim(), "bob", "--json"])
        .ok()
        .json();
    assert_eq!(theirs["input"], 120);
    f.run(&["work", "complete", mine.trim()])
        .refused(9, 504, &["not yours any more"]);
    let listed = f.run(&["work", "--worker", "bob", "--json"]).ok().lines();
    assert_eq!(listed[0]["token"], theirs["token"]);
    let token = theirs["token"].as_str().unwrap();
    f.run(&["work", "give-back", token]).ok();
    let mine = f
        .run(&["work", "take", "a", item, "--as", "ann"])
        .ok()
        .stdout;
    let failed = f.run(&[
        "work",
        "fail",
        mine.trim(),
        "no pen",
        "--code",
        "pen",
        "--json",
    ]);
    let failed = failed.ok().json();
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&"failed".into(), &"pen".into())
    );

    let f = waiting(DESK, "b");
    f.run(&["work", "skip", "b", item, "--reason", "on paper"])
        .ok();
    f.run(&["case", "signal", "b", "paid", "cash"]).ok();
    let result = f.run(&["resume", "b", "-q"]).ok().json();
    assert_eq!(
        result,
        serde_json::json!({"approved": null, "payment": "cash"})
    );
    let history = f.run(&["case", "b", "--history", "--json"]).ok().json();
    let skipped = history["history"].as_array().unwrap().iter();
    let skipped: Vec<_> = skipped.filter(|e| e["event"] == "work_skipped").collect();
    assert_eq!(skipped[0]["detail"]["reason"], "on paper");
}
