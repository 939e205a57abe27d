//! Where results go: files that are replaced as a whole, pipes that close.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Stdio;

use super::{bad, check, good, value, value_with};
use crate::program::{Folder, files};

#[test]
fn an_input_is_not_overwritten_by_accident() {
    let f = Folder::new();
    f.file("doc.json", "{\"a\":1}");
    symlink("doc.json", f.path("link.json")).unwrap();
    fs::hard_link(f.path("doc.json"), f.path("hard.json")).unwrap();
    for output in ["doc.json", "./doc.json", "link.json", "hard.json"] {
        value(&f, &["set", ".a", "2", "doc.json", "-o", output]).refused(2, 104, &["--in-place"]);
        assert_eq!(fs::read(f.path("doc.json")).unwrap(), b"{\"a\":1}");
    }
    value_with(&f, &["patch", "doc.json", "-", "-o", "doc.json"], "{}").ended(2);
    value(&f, &["set", "-i", ".a", "2", "doc.json", "-o", "x"]).ended(2);
    assert_eq!(fs::read(f.path("doc.json")).unwrap(), b"{\"a\":1}");
}

#[test]
fn in_place_replaces_the_file_and_keeps_what_it_is() {
    let f = Folder::new();
    f.file("doc.json", "{\"a\":1}");
    fs::set_permissions(f.path("doc.json"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("doc.json", f.path("link.json")).unwrap();
    value(&f, &["set", "-i", "-c", ".a", "2", "link.json"]).ok();
    assert_eq!(fs::read(f.path("doc.json")).unwrap(), b"{\"a\":2}\n");
    assert!(
        fs::symlink_metadata(f.path("link.json"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(f.path("doc.json")).unwrap().mode() & 0o777,
        0o640
    );
    // Nothing changes, so the file stays the one it is.
    let inode = fs::metadata(f.path("doc.json")).unwrap().ino();
    value(&f, &["set", "-i", "-c", ".a", "2", "doc.json"]).ok();
    assert_eq!(fs::metadata(f.path("doc.json")).unwrap().ino(), inode);
    assert_eq!(
        fs::read_dir(f.path(".")).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn a_refused_edit_leaves_the_file_and_nothing_else() {
    let f = Folder::new();
    f.file("doc.json", "{\"a\":1}");
    f.file("config.yaml", "# mine\na: 1\n");
    let before = files(&f.path("."));
    check(
        &f,
        &[
            bad(
                &["set", "-i", ".a.b", "2", "doc.json"],
                2,
                &["error[203]: "],
            ),
            bad(&["remove", "-i", ".b", "doc.json"], 1, &["error[202]: "]),
            bad(
                &["set", "-i", ".a", "2", "--to", "yaml", "doc.json"],
                2,
                &["error[104]: ", "convert"],
            ),
            bad(
                &["set", "-i", ".a", "2", "config.yaml"],
                2,
                &["error[104]: config.yaml", "comments", "--force"],
            ),
            bad(
                &["set", ".a", "2", "doc.json", "-o", "no/such/folder"],
                5,
                &["error[300]: ", "no/such/folder"],
            ),
            bad(
                &["set", ".a", "2", "doc.json", "-o", "."],
                5,
                &["error[300]: "],
            ),
            bad(&["set", "-i", ".a", "2"], 2, &["error[104]: ", "stdin"]).stdin("{}"),
        ],
    );
    assert_eq!(files(&f.path(".")), before);
    value(&f, &["set", "-i", "-f", ".a", "2", "config.yaml"]).ok();
    assert_eq!(fs::read_to_string(f.path("config.yaml")).unwrap(), "a: 2\n");
}

#[test]
fn output_goes_to_a_file_by_its_format_or_to_a_device() {
    let f = Folder::new();
    f.file("doc.json", "{\"a\":1}");
    check(
        &f,
        &[
            good(&["set", ".a", "2", "doc.json", "-o", "out.yaml"], ""),
            good(&["get", ".a", "out.yaml"], "2\n"),
            good(&["query", "$.a", "doc.json", "-o", "found.txt"], ""),
            good(
                &["set", ".a", "3", "doc.json", "-c", "-o", "-"],
                "{\"a\":3}\n",
            ),
            good(
                &["set", ".a", "3", "doc.json", "-c", "-o", "/dev/stdout"],
                "{\"a\":3}\n",
            ),
            good(&["set", ".a", "3", "doc.json", "-o", "/dev/null"], ""),
        ],
    );
    assert_eq!(fs::read_to_string(f.path("found.txt")).unwrap(), "1\n");
    let full = value(&f, &["set", ".a", "3", "doc.json", "-o", "/dev/full"]).ended(5);
    assert!(
        full.stderr.starts_with("error[300]: ") && full.stderr.contains("/dev/full"),
        "{full:?}"
    );
}

#[test]
fn an_old_output_stays_until_the_new_one_is_complete() {
    let f = Folder::new();
    f.file("out.txt", "old");
    f.file("log.ndjson", "{\"a\":1}\n{\n");
    value(&f, &["query", "$.a", "log.ndjson", "-o", "out.txt"]).ended(2);
    assert_eq!(fs::read_to_string(f.path("out.txt")).unwrap(), "old");
    assert_eq!(
        fs::read_dir(f.path(".")).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn whoever_reads_may_go() {
    let f = Folder::new();
    let lines: String = (0..100_000)
        .map(|n| format!("{{\"n\":{n},\"text\":\"some text of some length\"}}\n"))
        .collect();
    f.file("log.ndjson", &lines);
    let mut child = f.spawn(&["value", "query", "$", "log.ndjson"]);
    let mut few = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut few).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(141));
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
}

#[test]
fn commands_form_pipelines() {
    let f = Folder::new();
    f.file(
        "a.json",
        r#"{"users":[{"name":"Ada","age":36},{"name":"Bob","age":20}]}"#,
    );
    let found = value(&f, &["query", "$.users[?@.age > 30]", "a.json"]).ok();
    let named = value_with(&f, &["query", "--ndjson", "-r", "$.name"], &found.stdout).ok();
    assert_eq!(named.stdout, "Ada\n");
}

#[test]
fn binary_output_does_not_garble_a_terminal() {
    let f = Folder::new();
    f.file("doc.json", "{\"a\":1}");
    let run = |more: &str| {
        let program = env!("CARGO_BIN_EXE_statewright");
        let line = format!("{program} value convert doc.json --to msgpack {more}");
        std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(f.path("."))
            .stdin(Stdio::null())
            .output()
    };
    // Only where there is a program that makes terminals.
    let Ok(refused) = run("") else { return };
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("MessagePack is binary") && said.contains("--force"),
        "{said}"
    );
    assert_eq!(run("--force").unwrap().stdout, b"\x81\xa1a\x01");
}
