//! Gives the shared library its soname, and keeps it in memory once loaded.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its target in the environment"
)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if ["linux", "android", "freebsd"].contains(&target.as_str()) {
        println!(
            "cargo:rustc-cdylib-link-arg=-Wl,-soname,{}",
            soname(env!("CARGO_PKG_VERSION"))
        );
        // A thread that used the library may run its thread-local destructors after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Before 1.0 the ABI may change with the minor version, so that is in the name the loader looks for.
fn soname(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("libstatewright.so.0.{minor}"),
        (major, _) => format!("libstatewright.so.{}", major.unwrap_or_default()),
    }
}
