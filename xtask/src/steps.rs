//! Every step of `cargo xtask test` and `cargo xtask ci`, in the order they run. To add one, add a row.

use anyhow::Result;

use crate::counts::{cargo_test, closing_line, ctest_junit, go_test, node_test};
use crate::examples::{self, Language};
use crate::prefix;
use crate::session::Session;
use crate::toolchain::{CC, CMAKE, CTEST, CXX, GO, MAKE, NODE, NPM, RUSTC, Tool};

#[derive(Clone, Copy)]
pub struct Step {
    /// What `--only` takes, and the name of the log.
    pub name: &'static str,
    pub about: &'static str,
    /// Checked before anything runs.
    pub tools: &'static [Tool],
    pub run: fn(&mut Session<'_>) -> Result<()>,
}

/// The checks of `cargo xtask ci`, cheap ones first.
pub const CHECKS: &[Step] = &[
    Step {
        name: "fmt",
        about: "every Rust file is formatted",
        tools: &[RUSTC],
        run: fmt,
    },
    Step {
        name: "tidy",
        about: "this house's own checks",
        tools: &[RUSTC],
        run: tidy,
    },
    Step {
        name: "clippy",
        about: "no warning in any crate or target",
        tools: &[RUSTC, CC],
        run: clippy,
    },
    Step {
        name: "docs",
        about: "the documentation builds, no link is broken",
        tools: &[RUSTC, CC],
        run: docs,
    },
    Step {
        name: "bindgen",
        about: "generated files are what the ffi crate says",
        tools: &[RUSTC],
        run: bindgen,
    },
    Step {
        name: "abi",
        about: "the library exports the model's symbols only",
        tools: &[RUSTC, CC, CXX],
        run: abi,
    },
    Step {
        name: "crash",
        about: "no violation at any crash point",
        tools: &[RUSTC, CC],
        run: crash,
    },
    Step {
        name: "sim",
        about: "240 simulated histories with faults, all serializable",
        tools: &[RUSTC, CC],
        run: sim,
    },
    Step {
        name: "sabotage",
        about: "every planted bug is found by the simulation or the crash test",
        tools: &[RUSTC, CC],
        run: sabotage,
    },
    Step {
        name: "loom",
        about: "every schedule of a few threads in the commit queue",
        tools: &[RUSTC, CC],
        run: loom,
    },
    Step {
        name: "kill-test",
        about: "killed processes resume and lose nothing",
        tools: &[RUSTC, CC],
        run: kill_test,
    },
];

/// The steps of `cargo xtask test`.
pub const TESTS: &[Step] = &[
    Step {
        name: "rust",
        about: "unit, integration and doc tests",
        tools: &[RUSTC, CC],
        run: rust,
    },
    Step {
        name: "library",
        about: "shared and static library, release build",
        tools: &[RUSTC, CC],
        run: prefix::build,
    },
    Step {
        name: "cpp",
        about: "C and C++ through CTest",
        tools: &[RUSTC, CC, CXX, MAKE, CMAKE, CTEST],
        run: cpp,
    },
    Step {
        name: "go",
        about: "go vet and go test -race",
        tools: &[RUSTC, CC, GO],
        run: go,
    },
    Step {
        name: "node",
        about: "npm ci, the add-on, node --test",
        tools: &[RUSTC, CC, CXX, NODE, NPM],
        run: node,
    },
    Step {
        name: "examples-flows",
        about: "every flow checks and runs",
        tools: &[RUSTC, CC, NODE],
        run: examples::flows,
    },
    Step {
        name: "examples-rust",
        about: "examples/rust",
        tools: &[RUSTC, CC],
        run: |s| examples::run(s, Language::Rust),
    },
    Step {
        name: "examples-c",
        about: "examples/c",
        tools: &[RUSTC, CC, CXX, MAKE, CMAKE],
        run: |s| examples::run(s, Language::C),
    },
    Step {
        name: "examples-cpp",
        about: "examples/cpp",
        tools: &[RUSTC, CC, CXX, MAKE, CMAKE],
        run: |s| examples::run(s, Language::Cpp),
    },
    Step {
        name: "examples-go",
        about: "examples/go",
        tools: &[RUSTC, CC, GO],
        run: |s| examples::run(s, Language::Go),
    },
    Step {
        name: "examples-node",
        about: "examples/node",
        tools: &[RUSTC, CC, CXX, NODE, NPM],
        run: |s| examples::run(s, Language::Node),
    },
];

fn fmt(session: &mut Session<'_>) -> Result<()> {
    let mut fmt = session.cargo(["fmt", "--all", "--check", "--", "--color=never"]);
    session.run(&mut fmt).map(drop)
}

fn tidy(session: &mut Session<'_>) -> Result<()> {
    let mut tidy = session.xtask(&["tidy"])?;
    session.run(&mut tidy).map(drop)
}

/// The benches too: their peers are compiled once for checking, without being optimised.
fn clippy(session: &mut Session<'_>) -> Result<()> {
    let mut clippy = session.cargo([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    session.run(&mut clippy).map(drop)
}

/// Of every crate with a face for Rust: the shared library and the programs have the same name as the facade. A crate's
/// opening may point at its private modules; whoever reads the source wants that, and the pages show plain text.
fn docs(session: &mut Session<'_>) -> Result<()> {
    let mut docs = session.cargo(["doc", "--locked", "--no-deps", "--lib", "--workspace"]);
    for package in ["statewright-capi", "statewright-cli", "statewright-benches"] {
        docs.args(["--exclude", package]);
    }
    session
        .run(docs.env(
            "RUSTDOCFLAGS",
            "-D warnings -A rustdoc::private_intra_doc_links",
        ))
        .map(drop)
}

fn bindgen(session: &mut Session<'_>) -> Result<()> {
    let mut bindgen = session.xtask(&["bindgen", "--check"])?;
    session.run(&mut bindgen).map(drop)
}

fn abi(session: &mut Session<'_>) -> Result<()> {
    let mut abi = session.xtask(&["abi"])?;
    session.run_tests(&mut abi, closing_line)
}

/// In small; `cargo xtask crash` alone tries three times as many moments and images.
fn crash(session: &mut Session<'_>) -> Result<()> {
    let size = "--random 2 --images 2 --nested 1 --depth 2";
    let arguments = ["crash", "--json", "--"].into_iter().chain(size.split(' '));
    let mut crash = session.xtask(&arguments.collect::<Vec<_>>())?;
    session.run(&mut crash).map(drop)
}

/// In small; `cargo xtask sim --release --seeds 0..20000` is a long run.
fn sim(session: &mut Session<'_>) -> Result<()> {
    let mut sim = session.xtask(&["sim", "--seeds", "0..240", "--json"])?;
    session.run(&mut sim).map(drop)
}

fn sabotage(session: &mut Session<'_>) -> Result<()> {
    let mut sabotage = session.xtask(&["sabotage", "--json"])?;
    session.run(&mut sabotage).map(drop)
}

fn loom(session: &mut Session<'_>) -> Result<()> {
    let mut loom = session.xtask(&["loom", "--log"])?;
    session.run(&mut loom).map(drop)
}

fn kill_test(session: &mut Session<'_>) -> Result<()> {
    let mut kill_test = session.xtask(&["kill-test", "--runs", "4", "--json"])?;
    session.run(&mut kill_test).map(drop)
}

fn rust(session: &mut Session<'_>) -> Result<()> {
    let mut test = session.cargo(["test", "--locked", "--no-fail-fast"]);
    session.run_tests(&mut test, cargo_test)
}

fn cpp(session: &mut Session<'_>) -> Result<()> {
    let build = examples::cmake_build(session)?;
    let report = session.workspace.out.join("ctest.xml");
    let _ = std::fs::remove_file(&report);
    let mut ctest = session.command("ctest");
    ctest
        .args([
            "--output-on-failure",
            "--no-tests=error",
            "--timeout",
            "300",
            "--test-dir",
        ])
        .arg(&build);
    ctest.arg("--output-junit").arg(&report);
    let result = session.run(&mut ctest);
    session.counts += ctest_junit(&std::fs::read_to_string(&report).unwrap_or_default());
    result.map(drop)
}

fn go(session: &mut Session<'_>) -> Result<()> {
    prefix::build(session)?;
    let module = session.folder("bindings/go")?;
    let mut vet = session.command("go");
    session.run(vet.args(["vet", "./..."]).current_dir(&module))?;
    let mut test = session.command("go");
    session.run_tests(
        test.args(["test", "-race", "-count=1", "-v", "./..."])
            .current_dir(&module),
        go_test,
    )
}

fn node(session: &mut Session<'_>) -> Result<()> {
    let package = examples::node_binding(session)?;
    let mut test = session.command("node");
    session.run_tests(
        test.args(["--test", "--test-reporter=tap"])
            .current_dir(&package),
        node_test,
    )
}
