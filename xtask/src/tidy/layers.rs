//! Layers: a crate imports only what lies below it, peers stay in the benches, every dependency has a reason on paper.

use super::{File, Problem};
use crate::workspace::{Dependency, Package};

/// The layers from the bottom up. Crates of one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["statewright-value", "statewright-log"],
    &["statewright-store", "statewright-exec"],
    &[
        "statewright-flow",
        "statewright-query",
        "statewright-connect",
    ],
    &["statewright"],
    &["statewright-ffi", "statewright-cli"],
    &["statewright-capi"],
];

/// Crates outside the layers: they may import any layer, and no layer imports them.
const OUTSIDE: &[&str] = &[
    "statewright-benches",
    "statewright-examples",
    "statewright-tests",
    "xtask",
];

/// What we compare ourselves with, and the tool that does: for the benches only.
const PEERS: &[&str] = &[
    "automerge",
    "criterion",
    "fjall",
    "heed",
    "json-patch",
    "loro",
    "redb",
    "rusqlite",
    "serde_json_path",
    "simd-json",
    "sonic-rs",
];

/// No `unsafe` in these, by the compiler's word: `forbid`, or `deny` where single functions may be excepted.
const NO_UNSAFE: &[(&str, &[&str])] = &[
    ("statewright-value", &["forbid", "deny"]),
    ("statewright-log", &["forbid", "deny"]),
    ("statewright-store", &["forbid"]),
    ("statewright-exec", &["deny"]),
    ("statewright-flow", &["forbid"]),
    ("statewright", &["forbid", "deny"]),
    ("statewright-cli", &["forbid"]),
];

const REASONS: &str = "docs/DEPENDENCIES.md";

pub fn check(packages: &[Package], files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let reasons = files
        .iter()
        .find(|file| file.path == REASONS)
        .map(|file| file.text.as_str());
    if reasons.is_none() {
        problems.push(Problem::new(
            REASONS,
            0,
            "dependency",
            "does not exist; it lists every direct dependency",
        ));
    }
    for package in packages {
        let manifest = format!(
            "{}/Cargo.toml",
            package.folder.to_string_lossy().replace('\\', "/")
        );
        problems.extend(imports(package, &manifest));
        problems.extend(dependencies(
            package,
            &manifest,
            reasons.unwrap_or_default(),
        ));
        if let Some(file) = files.iter().find(|file| file.path == manifest)
            && !file.text.contains("[lints]\nworkspace = true")
        {
            problems.push(Problem::new(
                &manifest,
                0,
                "lints",
                "add `[lints]` with `workspace = true`",
            ));
        }
        if let Some((_, levels)) = NO_UNSAFE.iter().find(|(name, _)| *name == package.name) {
            problems.extend(no_unsafe(package, levels, files));
        }
    }
    problems
}

/// How high a crate lies; `None` when it is no layer.
fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn imports(package: &Package, manifest: &str) -> Vec<Problem> {
    let problem = |message: String| Problem::new(manifest, 0, "layer", message);
    let own = layer(&package.name);
    if own.is_none() && !OUTSIDE.contains(&package.name.as_str()) {
        return vec![problem(format!(
            "`{}` is in no layer; add it in xtask/src/tidy/layers.rs",
            package.name
        ))];
    }
    let mut problems = Vec::new();
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| dependency.local)
    {
        let below = match (own, layer(&dependency.name)) {
            (Some(own), Some(other)) => other < own,
            (Some(_), None) => false,
            (None, _) => true,
        };
        if !below {
            problems.push(problem(format!(
                "`{}` must not import `{}`: imports only point down",
                package.name, dependency.name
            )));
        }
    }
    problems
}

fn dependencies(package: &Package, manifest: &str, reasons: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Dependency { name, .. } in package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.local)
    {
        if PEERS.contains(&name.as_str()) && package.name != "statewright-benches" {
            problems.push(Problem::new(
                manifest,
                0,
                "peer",
                format!("`{name}` belongs in benches/ only"),
            ));
        }
        if !reasons.is_empty() && !reasons.contains(&format!("`{name}`")) {
            let message = format!("`{name}` is not listed in {REASONS}; say there why it is kept");
            problems.push(Problem::new(manifest, 0, "dependency", message));
        }
    }
    problems
}

fn no_unsafe(package: &Package, levels: &[&str], files: &[File]) -> Option<Problem> {
    let folder = package.folder.to_string_lossy().replace('\\', "/");
    let roots = [
        format!("{folder}/src/lib.rs"),
        format!("{folder}/src/main.rs"),
    ];
    let root = files.iter().find(|file| roots.contains(&file.path))?;
    let attribute = |level: &&str| format!("#![{level}(unsafe_code)]");
    let has = levels
        .iter()
        .any(|level| root.text.contains(&attribute(level)));
    let wanted = levels.first().map(attribute).unwrap_or_default();
    (!has).then(|| Problem::new(&root.path, 0, "unsafe", format!("add `{wanted}`")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{file, places};
    use super::*;

    fn package(name: &str, folder: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| {
            let local = name.starts_with("statewright");
            Dependency {
                name: name.to_string(),
                kind: "normal".into(),
                local,
            }
        };
        let dependencies = dependencies.iter().map(dependency).collect();
        Package {
            name: name.into(),
            folder: PathBuf::from(folder),
            dependencies,
            targets: vec![],
        }
    }

    fn problems(package: Package) -> Vec<String> {
        let files = [
            file(REASONS, "`serde`, `redb`"),
            file("core/store/Cargo.toml", "[lints]\nworkspace = true\n"),
            file("core/store/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            file("core/value/src/lib.rs", "//! Values.\n"),
            file("core/value/Cargo.toml", "[package]\n"),
        ];
        check(&[package], &files)
            .into_iter()
            .map(|problem| format!("{} {}", problem.path, problem.rule))
            .collect()
    }

    #[test]
    fn imports_point_down() {
        let store =
            |dependencies| problems(package("statewright-store", "core/store", dependencies));
        assert!(store(&["statewright-value", "statewright-log", "serde"]).is_empty());
        assert_eq!(
            store(&["statewright-flow"]),
            ["core/store/Cargo.toml layer"]
        );
        assert_eq!(
            store(&["statewright-tests"]),
            ["core/store/Cargo.toml layer"]
        );
        assert!(problems(package("xtask", "xtask", &["statewright"])).is_empty());
        assert_eq!(
            problems(package("statewright-new", "core/new", &[])),
            ["core/new/Cargo.toml layer"]
        );
    }

    #[test]
    fn dependencies_have_reasons_and_peers_a_place() {
        let store =
            |dependencies| problems(package("statewright-store", "core/store", dependencies));
        assert_eq!(
            store(&["serde", "rand"]),
            ["core/store/Cargo.toml dependency"]
        );
        assert_eq!(store(&["redb"]), ["core/store/Cargo.toml peer"]);
        assert!(problems(package("statewright-benches", "benches", &["redb"])).is_empty());
        assert_eq!(
            places(&check(&[], &[])),
            [format!("{REASONS}:0 dependency")]
        );
    }

    #[test]
    fn crates_take_the_lints_and_forbid_unsafe() {
        let value = problems(package("statewright-value", "core/value", &[]));
        assert_eq!(
            value,
            [
                "core/value/Cargo.toml lints",
                "core/value/src/lib.rs unsafe"
            ]
        );
    }
}
