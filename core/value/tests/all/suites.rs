//! Where the public suites are: see `MANIFEST.md` of the shared conformance data.

use std::path::PathBuf;

/// The folder of a suite, or none (a visible skip, a failure in CI) where the data is not laid out.
pub fn suite(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var("CI").is_err(),
        "no conformance data at {}",
        folder.display()
    );
    eprintln!("skipped: no conformance data at {}", folder.display());
    None
}
