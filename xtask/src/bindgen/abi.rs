//! `cargo xtask abi`: proves that header, model and built library say the same, and that no misuse does harm.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, Workspace, cargo};

const C_STANDARDS: &[&str] = &["c99", "c11", "c17", "c2x"];
const CPP_STANDARDS: &[&str] = &["c++11", "c++14", "c++17", "c++20"];
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-pedantic", "-Werror"];
/// What a C program links beside the static library.
const SYSTEM: &[&str] = &["-lgcc_s", "-lm", "-lpthread", "-ldl"];

/// Runs every proof; the last line of the output counts them.
pub fn abi_tests(workspace: &Workspace) -> Result<ExitCode> {
    let mut proofs = Proofs {
        workspace,
        passed: 0,
        failed: 0,
        out: workspace.out.join("abi"),
    };
    fs::create_dir_all(&proofs.out)?;
    let built = proofs.build_library()?;
    proofs.run("the exported symbols are those of the model", |p| {
        p.symbols(&built)
    });
    proofs.run("soname, nodelete, no static TLS", |p| {
        p.dynamic_section(&built)
    });
    for standard in C_STANDARDS {
        proofs.run(&format!("the header as {standard}"), |p| {
            p.conform("gcc", "c", standard, &built)
        });
    }
    for standard in CPP_STANDARDS {
        proofs.run(&format!("the header as {standard}"), |p| {
            p.conform("g++", "c++", standard, &built)
        });
    }
    proofs.run("the C++ layer compiles", |p| p.cpp_layer());
    proofs.run("the shared library runs the programs", |p| {
        p.shared_programs(&built)
    });
    match proofs.build_sanitized() {
        Ok(archive) => {
            proofs.run("every misuse, with AddressSanitizer", |p| {
                p.sanitized("misuse", &archive)
            });
            proofs.run("life cycles, with AddressSanitizer", |p| {
                p.sanitized("lifecycle", &archive)
            });
            proofs.run("values, with AddressSanitizer", |p| {
                p.sanitized("values", &archive)
            });
        }
        Err(error) => proofs.run("the library with AddressSanitizer", |_| Err(error)),
    }
    println!("{} passed, {} failed", proofs.passed, proofs.failed);
    Ok(if proofs.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The functions that a header declares.
pub fn declared(header: &str) -> Vec<&str> {
    header
        .split("SW_API")
        .filter_map(|declaration| {
            declaration
                .split_once('(')?
                .0
                .split([' ', '*', '\n'])
                .next_back()
        })
        .filter(|name| name.starts_with("sw_"))
        .collect()
}

struct Proofs<'a> {
    workspace: &'a Workspace,
    out: PathBuf,
    passed: u32,
    failed: u32,
}

impl Proofs<'_> {
    fn run(&mut self, what: &str, proof: impl FnOnce(&Self) -> Result<()>) {
        match proof(self) {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {what}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {what}: {error:#}");
            }
        }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.workspace.root.join(path)
    }

    /// The folder with the shared and the static library.
    fn build_library(&self) -> Result<PathBuf> {
        let mut build = Command::new(cargo());
        build
            .args(["build", "--locked", "--quiet", "-p", "statewright-capi"])
            .current_dir(&self.workspace.root);
        output(&mut build)?;
        Ok(self.workspace.target.join("debug"))
    }

    /// The static library with AddressSanitizer and injected panics. The switch is not stable, hence the
    /// variable.
    fn build_sanitized(&self) -> Result<PathBuf> {
        let host = self.host()?;
        let target = self.out.join("asan");
        let mut build = Command::new(cargo());
        build
            .args([
                "build",
                "--locked",
                "--quiet",
                "-p",
                "statewright-capi",
                "--features",
                "panic-injection",
                "--target",
                &host,
            ])
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .current_dir(&self.workspace.root);
        output(&mut build)?;
        Ok(target.join(host).join("debug/libstatewright.a"))
    }

    fn host(&self) -> Result<String> {
        let version = output(Command::new("rustc").arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.context("rustc does not say its host")?.to_owned())
    }

    fn symbols(&self, built: &Path) -> Result<()> {
        let listed = output(
            Command::new("nm")
                .args(["--dynamic", "--defined-only", "--format=posix"])
                .arg(built.join("libstatewright.so")),
        )?;
        let mut exported: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        exported.sort_unstable();
        let model = fs::read_to_string(self.file("ffi/abi/statewright.symbols"))?;
        let model: Vec<&str> = model
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let header = fs::read_to_string(self.file("include/statewright.h"))?;
        let mut declared = declared(&header);
        declared.sort_unstable();
        ensure!(
            exported == model,
            "{}",
            difference("the library exports", &exported, "the model has", &model)
        );
        ensure!(
            declared == model,
            "{}",
            difference("the header declares", &declared, "the model has", &model)
        );
        Ok(())
    }

    fn dynamic_section(&self, built: &Path) -> Result<()> {
        let section = output(
            Command::new("readelf")
                .args(["--wide", "--dynamic"])
                .arg(built.join("libstatewright.so")),
        )?;
        let mut version = self.workspace.version.split('.');
        let soname = match (version.next(), version.next()) {
            (Some("0"), Some(minor)) => format!("libstatewright.so.0.{minor}"),
            (major, _) => format!("libstatewright.so.{}", major.unwrap_or_default()),
        };
        ensure!(
            section.contains(&format!("[{soname}]")),
            "the soname is not {soname}"
        );
        ensure!(section.contains("NODELETE"), "it is not marked NODELETE");
        ensure!(
            !section.contains("STATIC_TLS"),
            "it needs static TLS, so few such libraries fit into a process"
        );
        Ok(())
    }

    /// Compiles the conformance program for one standard against the shared library, and runs it.
    fn conform(&self, compiler: &str, language: &str, standard: &str, built: &Path) -> Result<()> {
        let program = self.out.join(format!("conform-{standard}"));
        let mut compile = Command::new(compiler);
        compile
            .arg(format!("-std={standard}"))
            .args(WARNINGS)
            .args(["-x", language]);
        compile
            .arg(self.file("tests/abi/conform.c"))
            .args(["-x", "none"]);
        self.link_shared(&mut compile, &program, built);
        output(&mut compile)?;
        output(&mut run_shared(&program, built)).map(drop)
    }

    fn cpp_layer(&self) -> Result<()> {
        for standard in ["c++17", "c++20"] {
            let source = self.out.join("layer.cc");
            fs::write(
                &source,
                "#include <statewright/detail/generated.hpp>\n#include <statewright/detail/generated.hpp>\n",
            )?;
            let mut compile = Command::new("g++");
            compile
                .arg(format!("-std={standard}"))
                .args(WARNINGS)
                .arg("-fsyntax-only");
            compile
                .arg("-I")
                .arg(self.file("include"))
                .arg("-I")
                .arg(self.file("bindings/cpp/include"))
                .arg(&source);
            output(&mut compile)?;
        }
        Ok(())
    }

    /// The test programs also pass against the library as it is shipped, without instruments.
    fn shared_programs(&self, built: &Path) -> Result<()> {
        for name in ["misuse", "lifecycle", "values"] {
            let program = self.out.join(format!("{name}-shared"));
            let mut compile = Command::new("gcc");
            compile
                .args(["-std=c11", "-D_GNU_SOURCE", "-g"])
                .args(WARNINGS)
                .arg(self.file(&format!("tests/abi/{name}.c")));
            self.link_shared(&mut compile, &program, built);
            output(&mut compile)?;
            println!(
                "        {name}: {}",
                last_line(&output(&mut run_shared(&program, built))?)
            );
        }
        Ok(())
    }

    fn sanitized(&self, name: &str, archive: &Path) -> Result<()> {
        let program = self.out.join(format!("{name}-asan"));
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let host = self.host()?;
        let runtime = Path::new(sysroot.trim())
            .join("lib/rustlib")
            .join(host)
            .join("lib/librustc-stable_rt.asan.a");
        let mut compile = Command::new("gcc");
        compile
            .args(["-std=c11", "-D_GNU_SOURCE", "-DSW_STATIC", "-g"])
            .arg("-DSW_PANIC_INJECTION")
            .args(WARNINGS);
        compile
            .arg("-I")
            .arg(self.file("include"))
            .arg(self.file(&format!("tests/abi/{name}.c")));
        compile
            .arg(archive)
            .arg(runtime)
            .args(SYSTEM)
            .arg("-o")
            .arg(&program);
        output(&mut compile)?;
        println!(
            "        {name}: {}",
            last_line(&output(&mut workspace::sanitized(&program))?)
        );
        Ok(())
    }

    fn link_shared(&self, compile: &mut Command, program: &Path, built: &Path) {
        compile
            .arg("-I")
            .arg(self.file("include"))
            .arg("-L")
            .arg(built);
        compile
            .args(["-lstatewright", "-lpthread"])
            .arg("-o")
            .arg(program);
    }
}

/// The loader looks for the soname, under which cargo does not file the library.
fn run_shared(program: &Path, built: &Path) -> Command {
    let mut preload = OsString::from(built);
    preload.push("/libstatewright.so");
    let mut run = Command::new(program);
    run.env("LD_PRELOAD", preload);
    run
}

fn difference(a_has: &str, a: &[&str], b_has: &str, b: &[&str]) -> String {
    let only = |x: &[&str], y: &[&str]| {
        x.iter()
            .filter(|name| !y.contains(name))
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    };
    format!(
        "only {a_has}: [{}]; only {b_has}: [{}]",
        only(a, b),
        only(b, a)
    )
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

/// Runs a program and gives what it wrote, or fails with it.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{name}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_found_in_a_header() {
        let header = "SW_API sw_status sw_sync(sw_engine e);\n\nSW_API\nconst char *sw_version(\n    void);\n\
                      int other(void);\n";
        assert_eq!(declared(header), ["sw_sync", "sw_version"]);
    }
}
