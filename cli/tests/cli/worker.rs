//! `--worker`: host tasks served by other processes.

use std::fs;

use crate::program::{Folder, HOST};

/// Reads items; `$1` says what is done with each token.
fn worker(f: &Folder, body: &str) -> String {
    let script = format!(
        r#"echo '{{"type":"topics","topics":["questions"]}}'
while read -r line; do
  token=$(printf '%s' "$line" | sed 's/.*"token":"\([^"]*\)".*/\1/')
  case $line in *'"type":"item"'*)
    {body} ;;
  esac
done
echo ended >> ended
"#
    );
    f.file("worker.sh", &script);
    "sh worker.sh".to_owned()
}

const ANSWER: &str = r#"echo '{"type":"complete","token":"'$token'","result":42}'"#;

#[test]
fn a_worker_serves_host_tasks_and_is_told_when_to_end() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let worker = worker(
        &f,
        &format!("echo \"$line\" >> items; echo working >&2; {ANSWER}"),
    );
    let done = f
        .run(&[
            "run",
            spec,
            "--case-id",
            "h",
            "--worker",
            &worker,
            "--input",
            r#"{"q":1}"#,
        ])
        .ok();
    assert_eq!(done.stdout, "42\n");
    assert!(done.stderr.contains("worker-1 | working"), "{done:?}");
    assert_eq!(
        fs::read_to_string(f.path("ended")).unwrap(),
        "ended\n",
        "its stdin was closed, and it could finish"
    );
    let item: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(f.path("items")).unwrap()).unwrap();
    assert_eq!(
        (&item["task"], &item["topic"], &item["attempt"]),
        (&"ask".into(), &"questions".into(), &1.into())
    );
    assert_eq!(
        (&item["idempotency_key"], item["input"].to_string()),
        (&"h/1".into(), r#"{"q":1}"#.into())
    );
}

#[test]
fn a_worker_that_fails_an_item_fails_the_attempt() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let worker = worker(
        &f,
        r#"echo '{"type":"fail","token":"'$token'","message":"no idea","code":"dunno"}'"#,
    );
    let done = f.run(&["run", spec, "-q", "--worker", &worker]).ended(1);
    assert!(
        done.stderr.contains("error[dunno]: ") && done.stderr.contains("no idea"),
        "{done:?}"
    );
}

#[test]
fn a_worker_that_dies_is_started_again_and_its_item_is_no_failed_attempt() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    // The first time it dies with the item in its hands.
    let worker = worker(
        &f,
        &format!("if test ! -e died; then touch died; exit 9; fi; {ANSWER}"),
    );
    let done = f
        .run(&[
            "run", spec, "--json", "--lease", "300ms", "--worker", &worker,
        ])
        .ok();
    let events: Vec<String> = done
        .lines()
        .iter()
        .filter_map(|e| Some(e["event"].as_str()?.to_owned()))
        .collect();
    assert!(
        events.contains(&"lease_expired".to_owned())
            && !events.contains(&"attempt_failed".to_owned()),
        "{events:?}"
    );
    assert!(
        done.stderr
            .contains("note: worker-1 (sh worker.sh) ended with exit status: 9; started again"),
        "{done:?}"
    );
}

#[test]
fn a_slow_worker_keeps_its_item() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let worker = worker(&f, &format!("echo x >> items; sleep 2; {ANSWER}"));
    let done = f
        .run(&["run", spec, "-q", "--lease", "900ms", "--worker", &worker])
        .ok();
    assert_eq!(
        (
            done.stdout.as_str(),
            fs::read_to_string(f.path("items")).unwrap().as_str()
        ),
        ("42\n", "x\n")
    );
}

#[test]
fn a_worker_out_of_time_is_told_that_its_item_is_gone() {
    let f = Folder::new();
    let spec = f.file(
        "t.yaml",
        "name: t\nversion: 1\ntasks:\n  ask: { kind: host, topic: questions, timeout: 300ms, retry: { attempts: 2 } }\n",
    );
    let script = r#"echo '{"type":"topics","topics":["questions"],"max":2}'
while read -r line; do
  echo "$line" >> lines
  case $line in *'"attempt":2'*)
    token=$(printf '%s' "$line" | sed 's/.*"token":"\([^"]*\)".*/\1/')
    echo '{"type":"complete","token":"'$token'","result":1}' ;;
  esac
done
"#;
    f.file("worker.sh", script);
    f.run(&[
        "run",
        spec,
        "-q",
        "--lease",
        "200ms",
        "--worker",
        "sh worker.sh",
    ])
    .ok();
    assert!(
        fs::read_to_string(f.path("lines"))
            .unwrap()
            .contains(r#"{"type":"cancel","token":""#)
    );
}

#[test]
fn a_worker_that_cannot_be_kept_running_ends_it_with_8() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let done = f
        .run(&["run", spec, "--case-id", "h", "--worker", "exit 7"])
        .ended(8);
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.contains("worker-1 (exit 7) ended with exit status: 7, 5 times in a row"),
        "{done:?}"
    );
    assert!(last.contains("statewright resume h"), "{done:?}");
}

#[test]
fn what_is_not_of_the_protocol_is_told() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    for (line, why) in [
        ("hello", "a line to its stdout that is not JSON"),
        (
            r#"{"type":"complete","token":"x","result":1}"#,
            "did not declare its topics",
        ),
        (r#"{"type":"topics","topics":[]}"#, "declares no topic"),
    ] {
        let command = format!("echo '{line}'; cat > /dev/null");
        let done = f.run(&["run", spec, "-q", "--worker", &command]).ended(8);
        assert!(done.stderr.contains(why), "{why}: {done:?}");
    }
}

#[test]
fn two_workers_share_the_work() {
    let f = Folder::new();
    let spec = f.file(
        "two.yaml",
        "
name: two
version: 1
tasks:
  begin: { kind: set, set: { .x: '1' }, split: and, next: [a, b] }
  a: { kind: host, topic: questions, next: end }
  b: { kind: host, topic: questions, next: end }
  end: { kind: set, join: and, set: { .y: '1' } }
",
    );
    // Each waits until the other has an item too.
    let both = format!(
        "touch $$.has; while test $(ls *.has | wc -l) -lt 2; do sleep 0.01; done; {ANSWER}"
    );
    let worker = worker(&f, &both);
    f.run(&["run", spec, "-q", "--worker", &worker, "--worker", &worker])
        .ok();
}

/// Skipped where there is no Node.
#[test]
fn the_example_worker_serves_the_example_flow() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    if !std::process::Command::new("node")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return;
    }
    let f = Folder::new();
    let (spec, worker) = (
        format!("{examples}/flows/order.yaml"),
        format!("node {examples}/workers/order.mjs"),
    );
    let done = f.run(&["run", &spec, "-q", "--worker", &worker]).ok();
    let expected = fs::read_to_string(format!("{examples}/expected/order.txt")).unwrap();
    assert_eq!(
        done.json(),
        serde_json::from_str::<serde_json::Value>(&expected).unwrap()
    );
}

#[test]
fn answers_that_come_together_are_each_taken_or_refused() {
    let f = Folder::new();
    let spec = r"
name: two
tasks:
  begin: { split: and, next: [a, b] }
  a: { kind: host, topic: q, on_error: { skip: true }, next: end }
  b: { kind: host, topic: q, on_error: { skip: true }, next: end }
  end: { join: and, next: last }
  last: { kind: host, topic: q }
output: '{a, b, last}'
";
    let spec = f.file("two.yaml", spec);
    // All that it says of the first two is written at once: the first is done, and done again, the second fell.
    let script = r#"
token() { printf '%s' "$1" | sed 's/.*"token":"\([^"]*\)".*/\1/'; }
echo '{"type":"topics","topics":["q"],"max":2}'
read -r first; read -r second
printf '{"type":"complete","token":"%s","result":1}\n{"type":"complete","token":"%s","result":2}\n%s\n' \
  "$(token "$first")" "$(token "$first")" \
  '{"type":"fail","token":"'"$(token "$second")"'","message":"it fell","retryable":false}'
while read -r line; do
  case $line in
    *'"type":"item"'*) echo '{"type":"complete","token":"'"$(token "$line")"'","result":3}' ;;
    *) printf '%s\n' "$line" >> told ;;
  esac
done
"#;
    f.file("together.sh", script);
    let done = f
        .run(&["run", spec, "-q", "--worker", "sh together.sh"])
        .ok();
    let result = done.json();
    let fell = [&result["a"], &result["b"]].map(|r| r.is_null());
    assert_eq!(
        (fell[0] != fell[1], &result["last"]),
        (true, &3.into()),
        "{done:?}"
    );
    let done = if fell[0] { &result["b"] } else { &result["a"] };
    assert_eq!(done, &1);
    let told = fs::read_to_string(f.path("told")).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("\"cancel\"") && told[0].contains("finished"),
        "{told:?}"
    );
}
