//! The examples: each program of each language is run, and must print exactly `examples/expected/<name>.txt`.
//!
//! One expected file serves all languages: an example of one name does the same thing in each, byte for byte.
//! A program runs in the root of the clone, gets the folder for its store (which does not exist yet) as its only
//! argument, and has two minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::prefix;
use crate::session::Session;

const EXAMPLE_LIMIT: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
pub enum Language {
    /// `examples/rust/src/bin/<name>.rs`
    Rust,
    /// `examples/c/<name>.c`, built by CMake as `<build>/examples/c/<name>`
    C,
    /// `examples/cpp/<name>.cpp`, built by CMake as `<build>/examples/cpp/<name>`
    Cpp,
    /// `examples/go/<name>/main.go`
    Go,
    /// `examples/node/<name>.mjs`
    Node,
}

/// One program, ready to start.
struct Example {
    name: String,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

/// Builds and runs every example of a language.
pub fn run(session: &mut Session<'_>, language: Language) -> Result<()> {
    let (folder, examples) = match language {
        Language::Rust => ("rust", rust(session)?),
        Language::C => ("c", cmake(session, "c", "c")?),
        Language::Cpp => ("cpp", cmake(session, "cpp", "cpp")?),
        Language::Go => ("go", go(session)?),
        Language::Node => ("node", node(session)?),
    };
    ensure!(!examples.is_empty(), "examples/{folder}/ holds no example");
    let mut failures = Vec::new();
    for example in examples {
        match check(session, folder, &example) {
            Ok(()) => session.counts.passed += 1,
            Err(error) => {
                session.counts.failed += 1;
                session.note(&format!("FAILED {}: {error:#}", example.name))?;
                failures.push(example.name);
            }
        }
    }
    ensure!(failures.is_empty(), "failed: {}", failures.join(", "));
    Ok(())
}

/// Runs one program and compares.
fn check(session: &mut Session<'_>, language: &str, example: &Example) -> Result<()> {
    let name = &example.name;
    let expected = session
        .workspace
        .root
        .join(format!("examples/expected/{name}.txt"));
    let expected =
        fs::read(&expected).with_context(|| format!("cannot read examples/expected/{name}.txt"))?;
    let work = fresh_folder(
        &session
            .workspace
            .out
            .join(format!("examples/{language}/{name}")),
    )?;
    let mut command = session.command(&example.program);
    command.args(&example.arguments).arg(work.join("store"));
    let printed = session.run_captured(&mut command, &work.join("stdout.txt"), EXAMPLE_LIMIT)?;
    match first_difference(&expected, &printed) {
        None => session.note(&format!("ok {name}")),
        Some(difference) => bail!("it does not print examples/expected/{name}.txt: {difference}"),
    }
}

/// The first line that differs, told as a reader wants it.
fn first_difference(expected: &[u8], printed: &[u8]) -> Option<String> {
    if expected == printed {
        return None;
    }
    let (expected, printed) = (
        String::from_utf8_lossy(expected),
        String::from_utf8_lossy(printed),
    );
    let (mut left, mut right) = (expected.split('\n'), printed.split('\n'));
    for line in 1.. {
        match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => {}
            (None, None) => break,
            (a, b) => {
                let show = |text: Option<&str>| {
                    text.map_or("the end".to_string(), |text| format!("{text:?}"))
                };
                return Some(format!(
                    "line {line}: expected {}, got {}",
                    show(a),
                    show(b)
                ));
            }
        }
    }
    Some("the bytes differ, though they read the same as text".into())
}

/// Checks every flow and runs it; one with host tasks only if `examples/workers` has a worker of its name for them.
pub fn flows(session: &mut Session<'_>) -> Result<()> {
    let mut build = session.cargo(["build", "--locked", "-p", "statewright-cli"]);
    session.run(&mut build)?;
    let folder = session.folder("examples/flows")?;
    let statewright = session
        .workspace
        .target
        .join("debug/statewright")
        .with_extension(std::env::consts::EXE_EXTENSION);
    let specs = names(&folder, ".yaml")?;
    ensure!(!specs.is_empty(), "examples/flows/ holds no flow");
    let mut failures = Vec::new();
    for name in specs {
        match flow(session, &statewright, &folder, &name) {
            Ok(()) => session.counts.passed += 1,
            Err(error) => {
                session.counts.failed += 1;
                session.note(&format!("FAILED {name}: {error:#}"))?;
                failures.push(name);
            }
        }
    }
    ensure!(failures.is_empty(), "failed: {}", failures.join(", "));
    Ok(())
}

fn flow(session: &mut Session<'_>, statewright: &Path, folder: &Path, name: &str) -> Result<()> {
    let spec = folder.join(format!("{name}.yaml"));
    let mut check = session.command(statewright);
    session.run(check.arg("check").arg(&spec))?;
    let worker = format!("examples/workers/{name}.mjs");
    let served = session.workspace.root.join(&worker).is_file();
    if fs::read_to_string(&spec)?.contains("kind: host") && !served {
        return Ok(());
    }
    let work = fresh_folder(&session.workspace.out.join(format!("examples/flows/{name}")))?;
    let mut run = session.command(statewright);
    run.arg("run")
        .arg(&spec)
        .arg("--store")
        .arg(work.join("store"));
    if served {
        run.args(["--worker", &format!("node {worker}")]);
    }
    let input = folder.join(format!("{name}.input.json"));
    if input.is_file() {
        run.arg("--input").arg(input);
    }
    let printed = session.run_captured(&mut run, &work.join("stdout.txt"), EXAMPLE_LIMIT)?;
    let root = &session.workspace.root;
    match fs::read(root.join(format!("examples/expected/{name}.txt"))) {
        Ok(expected) => same_json(&expected, &printed),
        Err(_) => Ok(()),
    }
}

/// The command line lays a result out for people, the programs print it in one line: as JSON they are the same.
fn same_json(expected: &[u8], printed: &[u8]) -> Result<()> {
    let parse = |text| serde_json::from_slice::<serde_json::Value>(text);
    let expected = parse(expected).context("the expected result is not JSON")?;
    let printed = parse(printed).context("it did not print JSON")?;
    ensure!(
        expected == printed,
        "its result is {printed}, expected {expected}"
    );
    Ok(())
}

fn rust(session: &mut Session<'_>) -> Result<Vec<Example>> {
    let mut build = session.cargo(["build", "--locked", "-p", "statewright-examples", "--bins"]);
    session.run(&mut build)?;
    let workspace = session.workspace;
    let package = workspace
        .package("statewright-examples")
        .context("there is no package statewright-examples")?;
    let bins = package
        .targets
        .iter()
        .filter(|target| target.kinds.iter().any(|kind| kind == "bin"));
    let program = |name: &str| {
        workspace
            .target
            .join("debug")
            .join(name)
            .with_extension(std::env::consts::EXE_EXTENSION)
    };
    Ok(bins
        .map(|bin| Example {
            name: bin.name.clone(),
            program: program(&bin.name),
            arguments: vec![],
        })
        .collect())
}

/// C or C++: whatever source lies directly in the folder is an example.
fn cmake(session: &mut Session<'_>, folder: &str, extension: &str) -> Result<Vec<Example>> {
    let sources = names(
        &session.folder(&format!("examples/{folder}"))?,
        &format!(".{extension}"),
    )?;
    let build = cmake_build(session)?.join("examples").join(folder);
    let program = |name: &str| {
        build
            .join(name)
            .with_extension(std::env::consts::EXE_EXTENSION)
    };
    Ok(sources
        .into_iter()
        .map(|name| Example {
            program: program(&name),
            name,
            arguments: vec![],
        })
        .collect())
}

/// Configures and builds the root CMake project with its tests and examples; returns the build folder.
pub fn cmake_build(session: &mut Session<'_>) -> Result<PathBuf> {
    prefix::build(session)?;
    let build = session.workspace.out.join("cmake");
    let mut configure = session.command("cmake");
    configure.args([
        "-S",
        ".",
        // Compiled in half the time; the library that it links is optimised.
        "-DCMAKE_BUILD_TYPE=Debug",
        "-DSTATEWRIGHT_BUILD_TESTS=ON",
    ]);
    configure.arg(format!(
        "-DSTATEWRIGHT_PREFIX={}",
        prefix::folder(session.workspace).display()
    ));
    session.run(configure.arg("-B").arg(&build))?;
    let mut compile = session.command("cmake");
    session.run(compile.arg("--build").arg(&build).args(["--parallel", "2"]))?;
    Ok(build)
}

/// Every folder of the module `examples/go` with a `main.go`.
fn go(session: &mut Session<'_>) -> Result<Vec<Example>> {
    prefix::build(session)?;
    let module = session.folder("examples/go")?;
    let out = session.workspace.out.join("examples/go-bin");
    fs::create_dir_all(&out)?;
    let mut vet = session.command("go");
    session.run(vet.args(["vet", "./..."]).current_dir(&module))?;
    let mut examples = Vec::new();
    for name in names(&module, "")? {
        if module.join(&name).join("main.go").is_file() {
            let program = out
                .join(&name)
                .with_extension(std::env::consts::EXE_EXTENSION);
            let mut build = session.command("go");
            session.run(
                build
                    .args(["build", "-o"])
                    .arg(&program)
                    .arg(format!("./{name}"))
                    .current_dir(&module),
            )?;
            examples.push(Example {
                name,
                program,
                arguments: vec![],
            });
        }
    }
    Ok(examples)
}

fn node(session: &mut Session<'_>) -> Result<Vec<Example>> {
    node_binding(session)?;
    let folder = session.folder("examples/node")?;
    npm_ci(session, &folder)?;
    let names = names(&folder, ".mjs")?;
    let script = |name: &str| folder.join(format!("{name}.mjs"));
    Ok(names
        .into_iter()
        .map(|name| Example {
            program: "node".into(),
            arguments: vec![script(&name)],
            name,
        })
        .collect())
}

/// The locked packages and the add-on of `bindings/node`; returns its folder.
pub fn node_binding(session: &mut Session<'_>) -> Result<PathBuf> {
    prefix::build(session)?;
    let package = session.folder("bindings/node")?;
    npm_ci(session, &package)?;
    let mut build = session.command("npm");
    session.run(build.args(["run", "build"]).current_dir(&package))?;
    Ok(package)
}

/// Installs what the lock file says; without scripts, so that the add-on is built by us and only once.
fn npm_ci(session: &mut Session<'_>, folder: &Path) -> Result<()> {
    let mut install: Command = session.command("npm");
    install
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder);
    session.run(&mut install).map(drop)
}

/// What lies directly in the folder and ends so, without the ending, in order.
fn names(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let name = entry?.file_name();
        if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(ending)) {
            names.push(name.to_string());
        }
    }
    names.sort();
    Ok(names)
}

fn fresh_folder(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_compared_as_json() {
        assert!(same_json(b"{\"a\":1,\"b\":2}", b"{ \"b\": 2,\n \"a\": 1 }").is_ok());
        assert!(same_json(b"{\"a\":1}", b"{\"a\":2}").is_err());
        assert!(same_json(b"{}", b"done").is_err());
    }

    #[test]
    fn a_difference_names_the_line() {
        assert_eq!(first_difference(b"a\nb\n", b"a\nb\n"), None);
        assert_eq!(
            first_difference(b"a\nb\n", b"a\nc\n").as_deref(),
            Some("line 2: expected \"b\", got \"c\"")
        );
        assert_eq!(
            first_difference(b"a\n", b"a").as_deref(),
            Some("line 2: expected \"\", got the end")
        );
        assert!(first_difference(b"\xff", b"\xfe").is_some());
    }
}
