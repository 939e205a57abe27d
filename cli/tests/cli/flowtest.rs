//! `test`: flows against what is expected of them.

use crate::program::Folder;

const FLOW: &str = "name: race
tasks:
  begin: { split: and, next: [left, right] }
  left: { kind: host, output: '\"left\"', into: .winner, next: end }
  right: { kind: host, output: '\"right\"', into: .winner, next: end }
  end: { join: and }
output: .winner
";

fn folder(tests: &str) -> Folder {
    let f = Folder::new();
    f.file("race.yaml", FLOW);
    f.file("race.test.yaml", tests);
    f
}

#[test]
fn tests_that_pass_are_counted() {
    let f = folder(
        "tests:\n- { name: it ends, counts: { left: 1, right: 1 } }\n- { name: by steps, script: [do left, do right, 'result \"right\"'] }\n",
    );
    assert_eq!(
        f.run(&["test", "race.test.yaml"]).ok().stdout,
        "race.test.yaml: 2 tests passed, 104 runs\n"
    );
    let lines = f
        .run(&["test", "race.test.yaml", "--json", "--runs", "3"])
        .ok()
        .lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["passed"], &lines[0]["runs"]),
        (&true.into(), &5.into())
    );
}

#[test]
fn a_failure_says_what_was_expected_what_happened_and_how_to_see_it_again() {
    let f = folder("tests:\n- name: right wins\n  result: right\n");
    let done = f.run(&["test", "race.test.yaml"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let text = &done.stdout;
    assert!(
        text.starts_with("race.test.yaml: right wins: failed, in the random order of seed "),
        "{text}"
    );
    for part in [
        "  expected:  \"right\"\n  found:     \"left\"\n",
        "what happened (5 events",
        "\n     1. the case starts\n",
        "race.test.yaml: 1 of 1 test failed",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The command that it names fails in the same way.
    let again = text
        .lines()
        .find_map(|l| l.trim().strip_prefix("again: statewright "));
    let again = again.unwrap().replace("'right wins'", "right_wins");
    let words: Vec<String> = again.split(' ').map(|w| w.replace('_', " ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let second = f.run(&words);
    assert_eq!((second.code, &second.stdout), (Some(1), text));
    let json = f.run(&["test", "race.test.yaml", "--json"]);
    let line = &json.lines()[0];
    assert_eq!(
        (json.code, &line["failed"]["found"]),
        (Some(1), &"\"left\"".into())
    );
    assert_eq!(line["failed"]["steps"].as_array().unwrap().len(), 5);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let f = folder("tests:\n- name: x\n  stauts: failed\n");
    let done = f.run(&["test", "race.test.yaml"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr
            .contains("race.test.yaml:3:11: error[test]: a test has no field `stauts`"),
        "{}",
        done.stderr
    );
    f.file("alone.test.yaml", "tests: [{ name: x }]");
    let done = f.run(&["test", "alone.test.yaml", "nowhere.test.yaml"]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.stderr
            .contains("there is no flow of the same name beside it"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("nowhere.test.yaml"), "{}", done.stderr);
    f.file("race.test.yaml", "tests: [{ name: x }]");
    let done = f.run(&["test", "race.test.yaml", "--only", "y"]);
    assert!(
        done.code == Some(2) && done.stderr.contains("has no test 'y'"),
        "{}",
        done.stderr
    );
}
