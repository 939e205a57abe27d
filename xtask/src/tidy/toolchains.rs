//! The oldest toolchains that work are told in several files; they must tell the same, or a newcomer is misled.

use super::{File, Problem};
use crate::toolchain::{CMAKE, GO, NODE, RUSTC, Tool};

/// Where a version is told: the file, what stands before it, the tool it is of.
const PLACES: &[(&str, &str, &Tool)] = &[
    ("Cargo.toml", "rust-version = \"", &RUSTC),
    ("CMakeLists.txt", "cmake_minimum_required(VERSION ", &CMAKE),
    ("bindings/go/go.mod", "\ngo ", &GO),
    ("examples/go/go.mod", "\ngo ", &GO),
    ("bindings/node/package.json", "\"node\": \">=", &NODE),
    ("README.md", "Rust ", &RUSTC),
    ("README.md", "CMake ", &CMAKE),
    ("README.md", "Go ", &GO),
    ("README.md", "Node ", &NODE),
];

pub fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, before, tool) in PLACES {
        let Some(file) = files.iter().find(|file| file.path == *path) else {
            continue;
        };
        let told = told(&file.text, before);
        if told != Some(tool.minimum) {
            let (major, minor) = tool.minimum;
            let message = format!(
                "`{}` does not tell {} {major}.{minor}, as xtask/src/toolchain.rs does",
                before.trim(),
                tool.name
            );
            problems.push(Problem::new(path, 0, "toolchain", message));
        }
    }
    problems
}

/// The first version after the text: `1.24`, or `20` for 20.0.
fn told(text: &str, before: &str) -> Option<(u32, u32)> {
    text.split(before).skip(1).find_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let mut numbers = rest.get(..end.unwrap_or(rest.len()))?.split('.');
        let major = numbers.next()?.parse().ok()?;
        Some((
            major,
            numbers
                .next()
                .and_then(|minor| minor.parse().ok())
                .unwrap_or(0),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{file, places};
    use super::*;

    #[test]
    fn versions_must_agree() {
        let (major, minor) = GO.minimum;
        let module = |minor: u32| {
            file(
                "bindings/go/go.mod",
                &format!("module x\n\ngo {major}.{minor}\n"),
            )
        };
        assert!(check(&[module(minor)]).is_empty());
        assert_eq!(
            places(&check(&[module(minor + 1)])),
            ["bindings/go/go.mod:0 toolchain"]
        );
        assert_eq!(check(&[file("README.md", "")]).len(), 4);
    }

    #[test]
    fn versions_are_found() {
        assert_eq!(
            told("{\"node\": \">=20\"}", "\"node\": \">="),
            Some((20, 0))
        );
        assert_eq!(told("Go is nice. You need Go 1.24+.", "Go "), Some((1, 24)));
        assert_eq!(
            told("rust-version = \"1.90\"", "rust-version = \""),
            Some((1, 90))
        );
        assert_eq!(told("", "go "), None);
    }
}
