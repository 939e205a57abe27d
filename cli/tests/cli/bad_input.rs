//! Each kind of bad input: one clear line with the stable code and a remedy, the documented exit code, nothing changed.

use std::process::Stdio;

use crate::program::{Folder, HELLO, HOST, files, until};

#[test]
fn wrong_usage_ends_with_2() {
    let f = Folder::new();
    for args in [
        &["run"][..],
        &["frobnicate"],
        &["run", "x.yaml", "--durability", "sometimes"],
        &["run", "x.yaml", "--timeout", "soon"],
        &["run", "x.yaml", "--lease", "1ms"],
        &["cases", "--status", "fine"],
    ] {
        let done = f.run(args).ended(2);
        assert!(
            done.stdout.is_empty() && done.stderr.contains("--help"),
            "{done:?}"
        );
    }
}

#[test]
fn missing_files_are_named() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", "no.yaml"])
        .refused(2, 300, &["no.yaml", "No such file", "check the path"]);
    f.run(&["run", spec, "--input", "no.json"])
        .refused(2, 300, &["no.json", "No such file"]);
    f.run(&["run", "."]).refused(2, 300, &["directory"]);
    assert!(!f.path(".statewright").exists());
}

#[test]
fn wrong_inputs_are_refused_with_their_place() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let bad = f.file("bad.json", "{\n  \"name\": \n}");
    f.run(&["run", spec, "--input", bad])
        .refused(2, 200, &["bad.json", "line 3"]);
    f.run(&["run", spec, "--input", "[1]"])
        .refused(2, 507, &["--input: ", "object, not array"]);
    let list = f.file("list.json", "[1]");
    f.run(&["run", spec, "--input", list])
        .refused(2, 507, &["list.json", "object"]);
    std::fs::write(f.path("latin.json"), b"{\"name\": \"\xe9\"}").unwrap();
    f.run(&["run", spec, "--input", "latin.json"]).refused(
        2,
        102,
        &["latin.json", "byte 10", "UTF-8"],
    );
    assert!(!f.path(".statewright").exists());
}

#[test]
fn data_of_the_wrong_type_fails_the_task_that_needs_it() {
    let f = Folder::new();
    let spec = f.file(
        "t.yaml",
        "name: t\nversion: 1\ntasks:\n  sum: { kind: set, set: { .n: '.input.a + 1' } }\n",
    );
    let done = f
        .run(&["run", spec, "-q", "--input", r#"{"a": "one"}"#])
        .ended(1);
    assert_eq!(done.stdout, "");
    assert!(
        done.stderr.starts_with("error[expression]: case "),
        "{done:?}"
    );
    assert!(
        done.stderr.contains("task 'sum'") && done.stderr.contains(".input.a + 1"),
        "{done:?}"
    );
}

#[test]
fn case_ids_are_checked() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "--case-id", "a b"])
        .refused(2, 507, &["'a b' is not a case id"]);
    f.run(&["run", spec, "-q", "--case-id", "once"]).ok();
    f.run(&["run", spec, "--case-id", "once"])
        .refused(2, 506, &["'once' exists already"]);
}

#[test]
fn what_does_not_exist_ends_with_7() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "-q"]).ok();
    f.run(&["case", "nobody"]).refused(7, 502, &["'nobody'"]);
    f.run(&["resume", "nobody"]).refused(7, 502, &["'nobody'"]);
}

#[test]
fn looking_makes_no_store() {
    let f = Folder::new();
    std::fs::create_dir(f.path("empty")).unwrap();
    for args in [
        &["cases"][..],
        &["log"],
        &["case", "x"],
        &["resume"],
        &["log", "--store", "empty"],
    ] {
        f.run(args)
            .refused(5, 308, &["there is no store in", "--store"]);
    }
    assert!(!f.path(".statewright").exists() && files(&f.path("empty")).is_empty());
}

#[test]
fn a_folder_of_other_things_is_no_store() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "--store", "hello.yaml"])
        .refused(5, 308, &["hello.yaml"]);
    std::fs::create_dir(f.path("other")).unwrap();
    std::fs::write(f.path("other/notes.txt"), "mine").unwrap();
    let before = files(&f.path("other"));
    f.run(&["run", spec, "--store", "other"])
        .refused(5, 308, &["other"]);
    assert_eq!(files(&f.path("other")), before);
}

/// Root may write anywhere, so the folder lies below a file, and in a file system that takes no files.
#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    let done = f
        .run(&["run", spec, "--store", "hello.yaml/store"])
        .ended(5);
    assert!(
        done.stderr.starts_with("error[3") && done.stderr.contains("hello.yaml/store"),
        "{done:?}"
    );
    #[cfg(target_os = "linux")]
    {
        let done = f
            .run(&["run", spec, "--store", "/proc/statewright"])
            .ended(5);
        assert!(
            done.stderr.starts_with("error[3") && done.stderr.contains("/proc/statewright"),
            "{done:?}"
        );
    }
}

#[test]
fn a_folder_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    std::fs::create_dir(f.path("closed")).unwrap();
    std::fs::set_permissions(f.path("closed"), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(f.path("closed/probe"), "").is_ok() {
        // Permissions do not bind whoever runs this.
        return;
    }
    f.run(&["run", spec, "--store", "closed"])
        .refused(5, 306, &["closed", "permissions"]);
}

#[test]
fn a_store_in_use_is_locked() {
    let f = Folder::new();
    let spec = f.file("host.yaml", HOST);
    let mut holder = f
        .command(&["run", spec, "-q"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("the store is there", || {
        f.path(".statewright/statewright.lock").exists()
    });
    until("it is locked", || f.run(&["cases"]).code == Some(5));
    for args in [
        &["run", spec][..],
        &["resume"],
        &["cases"],
        &["case", "x"],
        &["log"],
    ] {
        f.run(args).refused(
            5,
            301,
            &[".statewright is already open", "close it there first"],
        );
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(f.cases().len(), 1, "killed, it holds the lock no more");
}

#[test]
fn a_damaged_log_is_refused_with_its_place_and_left_alone() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "-q"]).ok();
    let log = std::fs::read_dir(f.path(".statewright"))
        .unwrap()
        .map(|e| e.unwrap().path());
    let log = log
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "swlog"))
        .unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    // In the first commit, which others follow: it cannot be the end of an unfinished write.
    bytes[4096 + 100] ^= 0x40;
    std::fs::write(&log, &bytes).unwrap();
    for args in [&["run", spec][..], &["resume"], &["cases"], &["log"]] {
        f.run(args).refused(
            5,
            302,
            &["is damaged at byte 4096", "Nothing was changed", "backup"],
        );
    }
    assert!(
        std::fs::read(&log).unwrap() == bytes,
        "the log was left alone"
    );
}

#[test]
fn memory_and_a_folder_do_not_go_together() {
    let f = Folder::new();
    let spec = f.file("hello.yaml", HELLO);
    f.run(&["run", spec, "--durability", "memory", "--store", "s"])
        .refused(2, 601, &["durability", "memory"]);
    f.run(&["run", spec, "-q"]).ok();
    f.run(&["resume", "--durability", "memory"])
        .refused(2, 601, &["memory"]);
}

#[test]
fn json_errors_are_objects_too() {
    let f = Folder::new();
    let done = f.run(&["cases", "--json"]).ended(5);
    let error = &done.json()["error"];
    assert_eq!((&error["code"], &error["exit"]), (&308.into(), &5.into()));
    assert!(done.stderr.starts_with("error[308]: "));
}
