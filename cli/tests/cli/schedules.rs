//! `schedules`, `case --query`, and what a signal is answered.

use crate::program::Folder;

#[test]
fn schedules_are_listed_paused_and_resumed() {
    let f = Folder::new();
    let spec = "name: report\nschedule: { cron: ['0 9 1 1 *', '0 9 1 JAN *'], zone: Europe/Berlin }\ntasks:\n  a: { kind: set, set: { .x: 1 } }\n";
    let spec = f.file("flow.yaml", spec);
    f.run(&["run", spec, "-q"]).ok();
    let rows = f.run(&["schedules", "--json", "--next", "3"]).ok().lines();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(row["when"], "0 9 1 1 *, 0 9 1 JAN * Europe/Berlin");
    let upcoming = row["upcoming"].as_array().unwrap();
    assert_eq!(upcoming.len(), 3);
    assert!(
        upcoming
            .iter()
            .all(|at| at.as_str().unwrap().ends_with("-01-01T08:00:00Z"))
    );
    assert_eq!(row["next"], upcoming[0]);

    let paused = f.run(&["schedules", "report", "--pause"]).ok().stdout;
    assert!(paused.contains("paused"), "{paused}");
    f.run(&["schedules", "report", "--pause"]).ended(9);
    let resumed = f.run(&["schedules", "report", "--resume"]).ok().stdout;
    assert!(resumed.contains("-01-01T08:00:00Z") && !resumed.contains("paused"));
    f.run(&["schedules", "other"]).ended(7);
    f.run(&["schedules", "--pause"]).ended(2);
}

#[test]
fn a_signal_is_checked_and_answered_and_a_case_is_asked() {
    let f = Folder::new();
    let spec = "name: bid\ntasks:\n  bid: { kind: signal, schema: { type: integer }, reply: '.bid * 2', next: end }\n  end: { kind: host }\n";
    let spec = f.file("flow.yaml", spec);
    f.run(&["run", spec, "-q", "--case-id", "c", "--timeout", "10ms"])
        .ended(6);
    f.run(&["case", "signal", "c", "bid", "\"x\""]).ended(9);
    let told = f
        .run(&["case", "signal", "c", "bid", "21", "--json"])
        .ok()
        .lines();
    assert_eq!(
        (&told[0]["outcome"], &told[0]["reply"]),
        (&"taken".into(), &42.into())
    );
    let asked = f
        .run(&["case", "c", "--query", "{bid, of: $flow.name}", "--json"])
        .ok()
        .stdout;
    assert_eq!(asked, "{\"bid\":21,\"of\":\"bid\"}\n");
    f.run(&["case", "c", "--query", ".bid |"])
        .refused(2, 505, &["expression"]);
    f.run(&["case", "c", "--query", ".bid | error"]).ended(9);
}
