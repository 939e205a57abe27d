//! `value diff`.

use super::{bad, check, good, value, value_with};
use crate::program::Folder;

fn folder() -> Folder {
    let f = Folder::new();
    f.file("a.json", r#"{"name":"Ada","tags":["a","b","c"],"age":36}"#);
    f.file(
        "b.json",
        r#"{"age":37,"name":"Ada","tags":["a","c"],"ok":true}"#,
    );
    f.file("same.yaml", "tags: [a, b, c]\nage: 36\nname: Ada\n");
    f
}

#[test]
fn equal_values_end_with_0_and_others_with_1() {
    let f = folder();
    check(
        &f,
        &[
            good(&["diff", "a.json", "same.yaml"], "[]\n"),
            good(&["diff", "--text", "a.json", "same.yaml"], ""),
            good(&["diff", "--merge", "a.json", "same.yaml"], "{}\n"),
            good(&["diff", "-q", "a.json", "same.yaml"], ""),
            good(&["diff", "-q", "a.json", "b.json"], "").exit(1),
            good(
                &["diff", "--text", "a.json", "b.json"],
                "- .age: 36\n+ .age: 37\n+ .ok: true\n- .tags[1]: \"b\"\n",
            )
            .exit(1),
            good(
                &["diff", "-c", "--merge", "a.json", "b.json"],
                "{\"tags\":[\"a\",\"c\"],\"age\":37,\"ok\":true}\n",
            )
            .exit(1),
            good(&["diff", "-c", "-", "a.json"], "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"name\":\"Ada\",\"tags\":[\"a\",\"b\",\"c\"],\"age\":36}}]\n")
                .stdin("1")
                .exit(1),
            bad(&["diff", "--merge", "a.json", "-"], 2, &["error[205]: ", "null"])
                .stdin(r#"{"x":null}"#),
            bad(&["diff", "-", "-"], 2, &["error[104]: ", "stdin"]),
            bad(&["diff", "a.json", "ghost.json"], 2, &["error[300]: ", "ghost.json"]),
        ],
    );
}

#[test]
fn a_diff_is_a_patch_with_an_operation_a_line() {
    let f = folder();
    let diff = value(&f, &["diff", "a.json", "b.json"]).ended(1);
    assert_eq!(
        diff.stdout.lines().count(),
        diff.json().as_array().unwrap().len() + 2
    );
    let patched = value_with(
        &f,
        &["patch", "-", "a.json", "-o", "patched.json"],
        &diff.stdout,
    )
    .ok();
    assert_eq!(patched.stdout, "");
    assert_eq!(
        value(&f, &["diff", "patched.json", "b.json"]).ok().stdout,
        "[]\n"
    );
}

#[test]
fn colours_are_for_terminals_and_for_those_who_insist() {
    let f = folder();
    let mut command = f.command(&["value", "diff", "--text", "a.json", "b.json"]);
    let plain = command.output().unwrap().stdout;
    assert!(!plain.contains(&0x1b));
    let painted = command.env("CLICOLOR_FORCE", "1").output().unwrap().stdout;
    assert!(painted.contains(&0x1b));
    assert_eq!(anstream::adapter::strip_bytes(&painted).into_vec(), plain);
}
