//! Error codes are part of the ABI: each number means one thing, is in its layer's hundred and has a name in C.
//! The first hundred (closed, cancelled, unsupported, …) is shared: any layer may use it.

use std::collections::BTreeMap;

use super::{File, Problem};

/// Where a layer's errors are, and the hundred its codes are in.
const LAYERS: &[(&str, u32)] = &[
    ("ffi/src/", 1),
    ("core/value/src/", 2),
    ("core/log/src/", 3),
    ("core/store/src/", 4),
    ("core/flow/src/", 5),
    ("core/engine/src/", 6),
];

const SHARED: u32 = 1;

/// The C names: `pub const SW_X: sw_status = 123;`
const STATUS: &str = "ffi/src/status.rs";

pub fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<u32, String> = BTreeMap::new();
    let status = files.iter().find(|file| file.path == STATUS);
    let named: Vec<u32> = status
        .map(|file| {
            constants(&file.text)
                .into_iter()
                .map(|(_, code)| code)
                .collect()
        })
        .unwrap_or_default();
    for file in files {
        let Some((_, hundred)) = LAYERS
            .iter()
            .find(|(folder, _)| file.path.starts_with(folder))
        else {
            continue;
        };
        for (line, code) in arms(&file.text) {
            let place = format!("{}:{line}", file.path);
            let shared = code / 100 == SHARED;
            if code / 100 != *hundred && !shared {
                let message =
                    format!("{code} is outside this layer's range {hundred}00 to {hundred}99");
                problems.push(Problem::new(&file.path, line, "error-code", message));
            }
            if let Some(other) = seen.insert(code, place)
                && !shared
            {
                problems.push(Problem::new(
                    &file.path,
                    line,
                    "error-code",
                    format!("{code} is taken by {other}"),
                ));
            }
            if status.is_some() && !named.contains(&code) {
                let message = format!("{code} has no name in {STATUS}; add a constant");
                problems.push(Problem::new(&file.path, line, "error-code", message));
            }
        }
    }
    if let Some(file) = status {
        let mut names: BTreeMap<u32, usize> = BTreeMap::new();
        for (line, code) in constants(&file.text) {
            if let Some(other) = names.insert(code, line) {
                problems.push(Problem::new(
                    STATUS,
                    line,
                    "error-code",
                    format!("{code} has a name in line {other}"),
                ));
            }
        }
    }
    problems
}

/// `… => 123,` inside functions named `code`.
fn arms(text: &str) -> Vec<(usize, u32)> {
    let mut codes = Vec::new();
    // The indentation of the function we are in.
    let mut inside: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        let indentation = line.len() - line.trim_start().len();
        match inside {
            None if line.contains("fn code(") && line.trim_end().ends_with('{') => {
                inside = Some(indentation)
            }
            Some(start) if indentation == start && line.trim() == "}" => inside = None,
            Some(_) => {
                let value = line
                    .split_once("=> ")
                    .map(|(_, value)| value.trim_end().trim_end_matches(','));
                codes.extend(
                    value
                        .and_then(|value| value.parse().ok())
                        .map(|code| (number + 1, code)),
                );
            }
            None => {}
        }
    }
    codes
}

/// Every `sw_status` constant that is no success.
fn constants(text: &str) -> Vec<(usize, u32)> {
    let mut constants = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some((_, value)) = line.split_once(": sw_status = ")
            && let Ok(code) = value.trim_end().trim_end_matches(';').parse()
            && code != 0
        {
            constants.push((number + 1, code));
        }
    }
    constants
}

#[cfg(test)]
mod tests {
    use super::super::{file, places};
    use super::*;

    #[test]
    fn codes_are_unique_in_range_and_named() {
        let value = "impl Error {\n    pub fn code(&self) -> i32 {\n        match self {\n            Error::A { .. } => 200,\n\
                     \u{20}           Error::B => 201,\n            Error::C(e) => e.code(),\n        }\n    }\n    fn x() { 1 => 299, }\n}\n";
        let store = "fn code(&self) -> i32 {\n    match self {\n        A => 201,\n        B => 400,\n    }\n}\n";
        let status = "pub const SW_A: sw_status = 200;\npub const SW_B: sw_status = 201;\npub const SW_C: sw_status = 200;\n\
                      pub const SW_OK: sw_status = 0;\n";
        let files = [
            file("core/value/src/error.rs", value),
            file("core/store/src/error.rs", store),
            file(STATUS, status),
        ];
        assert_eq!(arms(value), [(4, 200), (5, 201)]);
        assert_eq!(
            places(&check(&files)),
            [
                "core/store/src/error.rs:3 error-code",
                "core/store/src/error.rs:3 error-code",
                "core/store/src/error.rs:4 error-code",
                "ffi/src/status.rs:3 error-code",
            ]
        );
        assert!(check(&files[..1]).is_empty());
    }
}
