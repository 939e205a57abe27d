//! The release library, laid out as an installation in `target/xtask/prefix`: what C, C++, Go and Node link against.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::session::Session;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// Show the compiler's output
    #[arg(long, short)]
    verbose: bool,
}

/// `cargo xtask lib`: prints the prefix on standard output.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut session = Session::new(workspace, "lib", options.verbose)?;
    match build(&mut session) {
        Ok(()) => {
            println!("{}", folder(workspace).display());
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            session.show_failure(&format!("{error:#}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.out.join("prefix")
}

/// What a language's build and tests find the library by.
pub fn environment(workspace: &Workspace) -> Vec<(&'static str, OsString)> {
    let prefix = folder(workspace);
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    let cflags = format!("-O2 -g -I{}", include.display());
    let ldflags = format!("-L{lib} -Wl,-rpath,{lib}", lib = lib.display());
    vec![
        ("STATEWRIGHT_PREFIX", prefix.into()),
        ("CGO_ENABLED", "1".into()),
        ("CGO_CFLAGS", cflags.into()),
        ("CGO_LDFLAGS", ldflags.into()),
        (
            "PKG_CONFIG_PATH",
            first(lib.join("pkgconfig"), "PKG_CONFIG_PATH"),
        ),
        (LOADER_PATH, first(lib, LOADER_PATH)),
    ]
}

const LOADER_PATH: &str = if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else if cfg!(windows) {
    "PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// The folder before whatever the variable holds already.
fn first(folder: PathBuf, variable: &str) -> OsString {
    let rest = std::env::var_os(variable).unwrap_or_default();
    let folders = std::iter::once(folder.clone()).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).unwrap_or_else(|_| folder.into())
}

/// Builds the shared and the static library and lays them out. Quick when nothing changed.
pub fn build(session: &mut Session<'_>) -> Result<()> {
    let mut build = session.cargo(["build", "--locked", "--release", "-p", "statewright-capi"]);
    session.run(&mut build)?;
    let workspace = session.workspace;
    let name = library_name(workspace)?;
    let built = workspace.target.join("release");
    let prefix = folder(workspace);
    let (lib, include) = (prefix.join("lib"), prefix.join("include"));
    fs::create_dir_all(lib.join("pkgconfig"))?;
    copy_tree(&session.folder("include")?, &include)?;

    let shared = format!(
        "{}{name}{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let link = format!(
        "{}statewright{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let real = soname(&built.join(&shared)).unwrap_or_else(|| link.clone());
    copy(&built.join(&shared), &lib.join(&real))?;
    if real != link {
        symlink(&real, &lib.join(&link))?;
    }
    let archive = if cfg!(windows) {
        format!("{name}.lib")
    } else {
        format!("lib{name}.a")
    };
    let installed = if cfg!(windows) {
        "statewright.lib"
    } else {
        "libstatewright.a"
    };
    copy(&built.join(archive), &lib.join(installed))?;
    fs::write(
        lib.join("pkgconfig/statewright.pc"),
        pkg_config(&prefix, &workspace.version),
    )?;
    session.note(&format!("laid out in {}", prefix.display()))
}

/// The file name cargo gives the library: that of the one package that builds a shared library.
fn library_name(workspace: &Workspace) -> Result<&str> {
    let mut targets = workspace
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    let library = targets.find(|target| target.kinds.iter().any(|kind| kind == "cdylib"));
    Ok(&library
        .context("no package builds a shared library (crate-type cdylib)")?
        .name)
}

/// The name programs will look for at run time, from the ELF dynamic section.
fn soname(library: &Path) -> Option<String> {
    let output = Command::new("readelf")
        .args(["--wide", "--dynamic"])
        .arg(library)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = text.split_once("(SONAME)")?;
    let (name, _) = rest.split_once('[')?.1.split_once(']')?;
    Some(name.to_string())
}

fn pkg_config(prefix: &Path, version: &str) -> String {
    format!(
        "prefix={}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\nName: statewright\n\
         Description: Durable state and durable workflows in one embeddable library\nVersion: {version}\n\
         Libs: -L${{libdir}} -Wl,-rpath,${{libdir}} -lstatewright\nLibs.private: -lpthread -ldl -lm\n\
         Cflags: -I${{includedir}}\n",
        prefix.display()
    )
}

/// Copies a file unless an equal one is there, so that what links it is not rebuilt for nothing.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    // A program may have the old file mapped: replace the name, not the content.
    let _ = fs::remove_file(to);
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_tree(&entry.path(), &target)?,
            false => copy(&entry.path(), &target)?,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn symlink(to: &str, name: &Path) -> Result<()> {
    let _ = fs::remove_file(name);
    std::os::unix::fs::symlink(to, name).with_context(|| format!("cannot link {}", name.display()))
}

#[cfg(not(unix))]
fn symlink(to: &str, name: &Path) -> Result<()> {
    copy(&name.with_file_name(to), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkg_config_file_reads_as_one() {
        let text = pkg_config(Path::new("/opt/statewright"), "0.1.0");
        assert!(
            text.starts_with("prefix=/opt/statewright\nlibdir=${prefix}/lib\n"),
            "{text}"
        );
        assert!(
            text.contains("\nLibs: -L${libdir} -Wl,-rpath,${libdir} -lstatewright\n"),
            "{text}"
        );
    }

    #[test]
    fn the_new_folder_comes_first() {
        let path = first(PathBuf::from("lib"), "NO_SUCH_VARIABLE_HERE");
        assert_eq!(
            std::env::split_paths(&path).next(),
            Some(PathBuf::from("lib"))
        );
    }
}
