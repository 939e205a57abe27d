//! `verify` and `repair`.

use crate::program::{Folder, HELLO};

const SEGMENT: &str = ".statewright/0000000001.swlog";

fn with_cases(count: usize) -> Folder {
    let f = Folder::new();
    let hello = f.file("hello.yaml", HELLO);
    for case in 0..count {
        f.run(&["run", hello, "-q", "--case-id", &format!("c{case}")])
            .ok();
    }
    f
}

fn damage(f: &Folder, offset: usize) {
    let mut bytes = std::fs::read(f.path(SEGMENT)).unwrap();
    bytes[offset] ^= 0x20;
    std::fs::write(f.path(SEGMENT), bytes).unwrap();
}

/// The place of the last commit's frame.
fn last_frame(f: &Folder) -> usize {
    let bytes = std::fs::read(f.path(SEGMENT)).unwrap();
    let magic = bytes.windows(4).rposition(|at| at == b"\xF7SWC");
    magic.unwrap()
}

#[test]
fn a_sound_store_is_told_so_and_not_changed() {
    let f = with_cases(2);
    let before = std::fs::read(f.path(SEGMENT)).unwrap();
    let told = f.run(&["verify"]).ok().stdout;
    assert!(
        told.contains("nothing is damaged; it was closed properly"),
        "{told}"
    );
    let found = &f.run(&["verify", ".statewright", "--json"]).ok().lines()[0];
    assert_eq!(found["sound"], true);
    assert_eq!(
        (found["clean"].as_bool(), found["segments"].as_u64()),
        (Some(true), Some(1))
    );
    assert_eq!(found["commits"], found["last_version"]);
    assert_eq!(found["damage"].as_array().unwrap().len(), 0);
    let told = f.run(&["repair"]).ok().stdout;
    assert!(told.contains("nothing to repair"), "{told}");
    f.run(&["repair", "--yes"]).ok();
    assert_eq!(std::fs::read(f.path(SEGMENT)).unwrap(), before);
}

#[test]
fn damage_is_named_and_repaired_only_when_told_to() {
    let f = with_cases(3);
    let last = f.run(&["verify", "--json"]).ok().lines()[0]["last_version"]
        .as_u64()
        .unwrap();
    let at = last_frame(&f);
    damage(&f, at + 70);
    let before = std::fs::read(f.path(SEGMENT)).unwrap();
    f.run(&["cases"])
        .refused(5, 302, &["damaged", "statewright verify"]);

    let told = f.run(&["verify"]).ended(5).stdout;
    for text in [
        "0000000001.swlog",
        &format!("at byte {at}"),
        &format!("last good commit is {}", last - 1),
    ] {
        assert!(told.contains(text), "{text}: {told}");
    }
    let found = f.run(&["verify", "--json"]).ended(5).lines().remove(0);
    assert_eq!(found["sound"], false);
    assert_eq!(found["damage"][0]["offset"].as_u64(), Some(at as u64));

    let told = f.run(&["repair"]).ended(5).stdout;
    assert!(
        told.contains("--yes") && told.contains("1 commit is lost"),
        "{told}"
    );
    assert_eq!(
        std::fs::read(f.path(SEGMENT)).unwrap(),
        before,
        "nothing was changed"
    );

    let done = f.run(&["repair", "--yes", "--json"]).ok().lines().remove(0);
    assert_eq!(
        (done["repaired"].as_bool(), done["last_version"].as_u64()),
        (Some(true), Some(last - 1))
    );
    assert_eq!(done["lost_commits"], 1);
    let kept = f.path(done["kept"][0].as_str().unwrap());
    assert_eq!(std::fs::read(kept).unwrap(), before, "every byte is kept");
    f.run(&["verify"]).ok();
    assert_eq!(f.run(&["cases", "--json"]).ok().lines().len(), 3);
}

#[test]
fn what_is_no_store_or_is_in_use_is_refused() {
    let f = Folder::new();
    for command in ["verify", "repair"] {
        f.run(&[command, "nowhere"]).refused(5, 308, &["nowhere"]);
        assert!(!f.path("nowhere").exists());
        std::fs::create_dir_all(f.path("empty")).unwrap();
        f.run(&[command, "empty"]).refused(5, 308, &["empty"]);
        let other = f.file("letter.txt", "dear");
        f.run(&[command, other]).refused(5, 308, &["letter.txt"]);
        let help = f.run(&[command, "--help"]).ok().stdout;
        assert!(
            help.contains("Exit codes") && help.contains("--json"),
            "{help}"
        );
    }
}
