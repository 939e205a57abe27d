//! `cargo xtask tidy`: what this house asks of its files and no compiler checks.
//!
//! Each check is a function from text (or from cargo's metadata) to [`Problem`]s, so each is tested on small inputs.
//! A line that must break a rule says so, on itself or on the line before: `tidy: allow(<rule>) <reason>`.

mod codes;
mod layers;
mod links;
mod text;
mod toolchains;

use std::fmt;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Print one JSON object: files, problems
    #[arg(long)]
    json: bool,
    /// Also show what is near a limit
    #[arg(long, short)]
    verbose: bool,
}

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    /// Counted from 1; 0 when the whole file is meant.
    pub line: usize,
    pub rule: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// Worth knowing, but no reason to fail.
    pub advice: bool,
}

impl Problem {
    fn new(path: &str, line: usize, rule: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            path: path.into(),
            line,
            rule,
            message: message.into(),
            advice: false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            path,
            line,
            rule,
            message,
            ..
        } = self;
        match line {
            0 => write!(f, "{path}: {message} ({rule})"),
            line => write!(f, "{path}:{line}: {message} ({rule})"),
        }
    }
}

/// A text file of the clone.
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl File {
    fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Generated files say so in their first line.
    fn is_generated(&self) -> bool {
        self.text
            .lines()
            .next()
            .is_some_and(|line| line.to_ascii_lowercase().contains("generated"))
    }
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let files = files(workspace)?;
    let mut problems = check(workspace, &files);
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    let (advice, problems): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.advice);
    if options.json {
        let rows: Vec<_> = problems.iter().map(row).collect();
        println!("{}", json!({"files": files.len(), "problems": rows}));
    } else {
        problems.iter().for_each(|problem| println!("{problem}"));
        if options.verbose {
            advice.iter().for_each(|advice| println!("note: {advice}"));
        }
        println!(
            "{} files, {} problems, {} notes",
            files.len(),
            problems.len(),
            advice.len()
        );
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn row(problem: &Problem) -> serde_json::Value {
    json!({"path": problem.path, "line": problem.line, "rule": problem.rule, "message": problem.message})
}

fn check(workspace: &Workspace, files: &[File]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = files.iter().flat_map(text::check).collect();
    problems.extend(links::check(files));
    problems.extend(codes::check(files));
    problems.extend(toolchains::check(files));
    problems.extend(layers::check(&workspace.packages, files));
    problems
}

/// Inputs for tests: bytes, even where they happen to be text.
const CORPUS: &str = "tests/fuzz/corpus/";

/// Every text file git knows or would add.
fn files(workspace: &Workspace) -> Result<Vec<File>> {
    let list = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&workspace.root)
        .output()
        .context("cannot start git")?;
    ensure!(
        list.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&list.stderr).trim()
    );
    let mut files = Vec::new();
    let list = String::from_utf8(list.stdout)?;
    let hand_made = |path: &&str| !path.starts_with(CORPUS);
    for path in list.split_terminator('\0').filter(hand_made) {
        // Deleted but not yet committed, a link to nowhere, or no text: nothing to read.
        if let Ok(text) = fs::read_to_string(workspace.root.join(path)) {
            files.push(File {
                path: path.to_string(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File {
        path: path.into(),
        text: text.into(),
    }
}

/// `path:line rule` of each problem, for tests.
#[cfg(test)]
fn places(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| format!("{}:{} {}", problem.path, problem.line, problem.rule))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_say_so_first() {
        assert!(
            file(
                "a.go",
                "// Code generated by cargo xtask bindgen. DO NOT EDIT.\n"
            )
            .is_generated()
        );
        assert!(!file("a.go", "package a\n// generated\n").is_generated());
        assert_eq!(file("a/b.test.mjs", "").extension(), "mjs");
        assert_eq!(file("a.b/LICENSE", "").extension(), "");
    }

    #[test]
    fn a_problem_reads_as_compilers_print_it() {
        let problem = Problem::new("a.rs", 3, "tab", "use spaces");
        assert_eq!(problem.to_string(), "a.rs:3: use spaces (tab)");
        assert_eq!(
            Problem { line: 0, ..problem }.to_string(),
            "a.rs: use spaces (tab)"
        );
    }
}
