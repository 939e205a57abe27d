//! The public suites of cases: each a function from the folder of its data to a [`Report`].
//!
//! The data lies beside the repository (`../shared/conformance`, whose `MANIFEST.md` says where each suite is from and
//! how a case is read) and is never shipped. `cargo test` and `cargo xtask conformance` both come here; the page
//! [`PAGE`] is written from the same reports.
#![expect(clippy::disallowed_methods, reason = "a test reads its data from disk")]

mod cbor;
mod json;
mod jsonpath;
mod msgpack;
mod page;
mod patch;
mod patterns;
mod pointer;
mod schema;
mod toml;
mod traces;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use statewright_value::{Value, ValueRef};

pub use page::{PAGE, page};

/// A suite of cases.
pub struct Suite {
    /// What it is called, on the command line and in reports.
    pub name: &'static str,
    /// What it is about, where the rules are, and who made the cases.
    pub about: &'static str,
    /// How a case is judged.
    pub judged: &'static str,
    /// How many cases there are: fewer would mean that the data is not all there.
    pub cases: usize,
    run: fn(&Path, &mut Report) -> Result<()>,
}

/// Every suite that this library is held to.
pub const SUITES: &[Suite] = &[
    json::SUITE,
    jsonpath::SUITE,
    patch::PATCH,
    patch::MERGE_PATCH,
    pointer::SUITE,
    schema::DRAFT_2020_12,
    schema::DRAFT_7,
    msgpack::SUITE,
    cbor::SUITE,
    toml::SUITE,
    patterns::SUITE,
    patterns::KNHK,
    traces::SUITE,
];

/// What a run of a suite gave.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases with the right outcome.
    pub passed: usize,
    /// The others: which, and what came instead.
    pub failures: Vec<(String, String)>,
    /// Cases that do not apply: which, and why.
    pub skips: Vec<(String, String)>,
    /// How many random orders a suite tries where it tries any.
    effort: usize,
}

impl Report {
    /// Takes in one case: what went wrong, if anything did.
    fn case(&mut self, name: impl Into<String>, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(problem) => self.failures.push((name.into(), problem)),
        }
    }

    /// Takes in one case that does not apply.
    fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.skips.push((name.into(), reason.into()));
    }

    /// All cases.
    pub fn cases(&self) -> usize {
        self.passed + self.failures.len() + self.skips.len()
    }
}

impl Suite {
    /// Where the data of all suites lies.
    pub fn data() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance")
    }

    /// Judges every case; `effort` is how many random orders are tried where there are any.
    ///
    /// # Errors
    /// When the data is not there or is not what it should be.
    pub fn run(&self, effort: usize) -> Result<Report> {
        let mut report = Report {
            effort,
            ..Report::default()
        };
        (self.run)(&Suite::data(), &mut report)
            .with_context(|| format!("the data of the suite {}", self.name))?;
        let found = report.cases();
        anyhow::ensure!(
            found == self.cases,
            "the suite {} has {found} cases, not {}",
            self.name,
            self.cases
        );
        Ok(report)
    }
}

/// The content of a file.
fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A JSON file.
fn read_json(path: &Path) -> Result<Value> {
    Value::from_json(read(path)?).with_context(|| path.display().to_string())
}

/// The files of a folder and of the folders in it that end in `.extension`, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A member that a case must have.
fn member<'a>(case: ValueRef<'a>, key: &str) -> Result<ValueRef<'a>> {
    case.get(key)
        .with_context(|| format!("a case without {key}: {case}"))
}

/// A member that is text.
fn text<'a>(case: ValueRef<'a>, key: &str) -> Result<&'a str> {
    let text = member(case, key)?.as_str();
    text.with_context(|| format!("{key} is no text: {case}"))
}

/// Bytes from hexadecimal digits; hyphens between them are left out.
fn from_hex(digits: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|byte| *byte != b'-')
        .map(|byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()
        .with_context(|| format!("not hexadecimal: {digits}"))?;
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

/// Whether `found` is `expected`, as the outcome of a case.
fn same<T: PartialEq + std::fmt::Display>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found} instead of {expected}"))
    }
}
