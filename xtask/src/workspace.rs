//! Where things are: the root of the clone, cargo's target folder, the packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder (`CARGO_TARGET_DIR` and cargo's configuration respected).
    pub target: PathBuf,
    /// Logs, the installation prefix and whatever else this command makes: `<target>/xtask`.
    pub out: PathBuf,
    /// The version of every package.
    pub version: String,
    /// The packages of the workspace, as `cargo metadata` describes them.
    pub packages: Vec<Package>,
}

pub struct Package {
    pub name: String,
    /// The package's folder, relative to the root.
    pub folder: PathBuf,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

#[derive(Clone, PartialEq)]
pub struct Dependency {
    pub name: String,
    /// `normal`, `dev` or `build`.
    pub kind: String,
    /// Whether it is a package of this workspace.
    pub local: bool,
}

pub struct Target {
    pub name: String,
    /// `bin`, `example`, `lib`, …
    pub kinds: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace this command was built from.
    pub fn find() -> Result<Workspace> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new(cargo())
            .args([
                "metadata",
                "--format-version=1",
                "--no-deps",
                "--locked",
                "--offline",
            ])
            .current_dir(here)
            .output()
            .context("cannot start cargo")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        Workspace::from_metadata(&metadata)
    }

    fn from_metadata(metadata: &Value) -> Result<Workspace> {
        let root = PathBuf::from(text(metadata, "workspace_root")?);
        let target = PathBuf::from(text(metadata, "target_directory")?);
        let mut packages = Vec::new();
        for package in list(metadata, "packages") {
            packages.push(Package::from_metadata(&root, package)?);
        }
        let version = match list(metadata, "packages").first() {
            Some(package) => text(package, "version")?,
            None => bail!("cargo metadata lists no package"),
        };
        Ok(Workspace {
            out: target.join("xtask"),
            root,
            target,
            version,
            packages,
        })
    }

    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn from_metadata(root: &Path, package: &Value) -> Result<Package> {
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        let folder = manifest.parent().unwrap_or(root);
        let mut dependencies = Vec::new();
        for dependency in list(package, "dependencies") {
            dependencies.push(Dependency {
                name: text(dependency, "name")?,
                kind: text(dependency, "kind").unwrap_or_else(|_| "normal".into()),
                local: dependency.get("path").is_some(),
            });
        }
        let mut targets = Vec::new();
        for target in list(package, "targets") {
            let kinds = list(target, "kind")
                .iter()
                .filter_map(|kind| kind.as_str().map(String::from))
                .collect();
            targets.push(Target {
                name: text(target, "name")?,
                kinds,
            });
        }
        Ok(Package {
            name: text(package, "name")?,
            folder: folder.strip_prefix(root).unwrap_or(folder).to_path_buf(),
            dependencies,
            targets,
        })
    }
}

/// A program built with AddressSanitizer. Locals stay on the stack: expressions and the validation of schemas measure
/// how much of it is used.
pub fn sanitized(program: &Path) -> Command {
    let mut run = Command::new(program);
    run.env("ASAN_OPTIONS", "detect_stack_use_after_return=0");
    run
}

/// The cargo that runs this command.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn text(value: &Value, key: &str) -> Result<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(String::from)
        .with_context(|| format!("cargo metadata has no `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
