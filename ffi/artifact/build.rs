//! Gives the shared library its soname, and keeps it in memory once loaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let elf = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux" || os == "freebsd" || os == "android");
    if elf {
        // Before 1.0 the ABI may change with the minor version, so that is in the name the loader looks for.
        let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
        let mut parts = version.split('.');
        let major = parts.next().unwrap_or("0");
        let suffix = match (major, parts.next()) {
            ("0", Some(minor)) => format!("0.{minor}"),
            _ => major.to_owned(),
        };
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libstatewright.so.{suffix}");
        // A thread that used the library may run its thread-local destructors after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
