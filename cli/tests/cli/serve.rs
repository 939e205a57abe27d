//! `serve`: a store that is driven until somebody stops it.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::Value;

use crate::program::{Done, Folder, HOST, signal};

const TICK: &str = "name: tick\nschedule: { every: 1s, overlap: allow }\ntasks:\n  a: { kind: set, set: { .x: 1 } }\noutput: .x\n";

/// Reads lines of JSON until one is as wanted.
fn read_until(out: &mut impl BufRead, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut read = Vec::new();
    loop {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended: {read:?}");
        read.push(serde_json::from_str(&line).unwrap());
        if read.last().is_some_and(&wanted) {
            return read;
        }
    }
}

fn stop(child: Child, with: &str) -> Done {
    signal(&child, with);
    child.wait_with_output().unwrap().into()
}

#[test]
fn schedules_begin_until_it_is_stopped() {
    let f = Folder::new();
    let spec = f.file("tick.yaml", TICK);
    let mut child = f.spawn(&["serve", spec, "--json"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let is_end = |line: &Value| line["status"] == "completed";
    let mut lines = read_until(&mut out, is_end);
    lines.extend(read_until(&mut out, is_end));
    let done = stop(child, "TERM").ok();
    assert!(
        done.stderr
            .contains("tick begins by itself: every 1s; next at"),
        "{done:?}"
    );
    assert!(
        done.stderr
            .lines()
            .last()
            .unwrap()
            .starts_with("note: stopped; "),
        "{done:?}"
    );
    // Two cases, each told from its first event to its end.
    let ids: Vec<&str> = lines
        .iter()
        .filter(|l| is_end(l))
        .map(|l| l["case"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        assert!(id.starts_with("tick@"), "{id}");
        let of = lines.iter().filter(|l| l["case"] == id);
        let told: Vec<&Value> = of.collect();
        assert_eq!(told[0]["event"], "case_started", "{told:?}");
        assert_eq!(told.last().unwrap()["result"], 1);
    }
    // It is deployed: it goes on without the file.
    let rows = f.run(&["schedules", "--json"]).ok().lines();
    assert!(rows[0]["started"].as_u64() >= Some(2), "{rows:?}");
    let child = f.spawn(&["serve", "-q", "--timeout", "10ms"]);
    Done::from(child.wait_with_output().unwrap()).ok();
}

#[test]
fn cases_that_are_open_go_on_and_are_kept() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let wait = "name: wait\ntasks:\n  w: { kind: wait, for: 100ms }\noutput: '$case.id'\n";
    let wait = f.file("wait.yaml", wait);
    for (spec, id) in [(spec, "h"), (wait, "w")] {
        f.run(&["run", spec, "-q", "--timeout", "1ms", "--case-id", id])
            .ended(6);
    }
    let mut child = f.spawn(&["serve"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "\"w\"\n");
    let done = stop(child, "INT").ok();
    assert!(done.stderr.contains("case h of host resumed"), "{done:?}");
    assert!(done.stderr.contains("case completed after"), "{done:?}");
    assert!(
        done.stderr.ends_with("stopped; 1 case is open\n"),
        "{done:?}"
    );
    let open = f
        .run(&["cases", "--status", "running", "--json"])
        .ok()
        .lines();
    assert_eq!((open.len(), &open[0]["case"]), (1, &"h".into()));
}

#[test]
fn what_fails_is_told_and_does_not_end_it() {
    let f = Folder::new();
    let spec = "name: bad\nschedule: { every: 1s, overlap: allow }\ntasks:\n  a: { kind: set, set: { .x: '1 / 0' } }\n";
    let spec = f.file("bad.yaml", spec);
    let mut child = f.spawn(&["serve", spec, "-q", "--durability", "memory"]);
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    assert!(line.starts_with("error[expression]: case bad@"), "{line}");
    assert_eq!(stop(child, "INT").code, Some(0));
}

#[test]
fn without_anything_to_do_it_ends() {
    let f = Folder::new();
    f.run(&["serve"]).refused(5, 308, &["statewright run"]);
    let spec = f.file(
        "hello.yaml",
        "name: hello\ntasks:\n  a: { kind: set, set: { .x: 1 } }\n",
    );
    let done = f.run(&["serve", spec]).ok();
    assert!(
        done.stderr.contains("there is nothing to serve"),
        "{done:?}"
    );
    let bad = f.file("bad.yaml", "name: bad\ntasks: { a: { kind: nonsense } }\n");
    f.run(&["serve", bad]).ended(3);
}
