//! The programs a step needs: checked before anything is built, each missing one reported in one line.

use std::fmt;
use std::process::Command;

/// A program that must be there, and how a newcomer gets it.
#[derive(Debug, PartialEq)]
pub struct Tool {
    pub name: &'static str,
    /// The environment variable that names another program, as build tools know it.
    variable: &'static str,
    program: &'static str,
    version_argument: &'static str,
    /// Oldest version that works: major, minor. Any when (0, 0).
    pub minimum: (u32, u32),
    /// How to get it, with Debian's package name.
    package: &'static str,
}

const fn tool(
    name: &'static str,
    variable: &'static str,
    minimum: (u32, u32),
    package: &'static str,
) -> Tool {
    Tool {
        name,
        variable,
        program: name,
        version_argument: "--version",
        minimum,
        package,
    }
}

pub const RUSTC: Tool = tool("rustc", "RUSTC", (1, 90), "rustup (https://rustup.rs)");
pub const CC: Tool = Tool {
    program: "cc",
    ..tool(
        "C compiler",
        "CC",
        (0, 0),
        "Debian package `build-essential`",
    )
};
pub const CXX: Tool = Tool {
    program: "c++",
    ..tool(
        "C++ compiler",
        "CXX",
        (0, 0),
        "Debian package `build-essential`",
    )
};
pub const MAKE: Tool = tool("make", "MAKE", (0, 0), "Debian package `make`");
pub const CMAKE: Tool = tool("cmake", "", (3, 22), "Debian package `cmake`");
pub const CTEST: Tool = tool("ctest", "", (3, 22), "Debian package `cmake`");
pub const GO: Tool = Tool {
    version_argument: "version",
    ..tool(
        "go",
        "",
        (1, 24),
        "Debian package `golang-go` (on an older Debian: https://go.dev/dl)",
    )
};
pub const NODE: Tool = tool(
    "node",
    "",
    (20, 0),
    "Debian package `nodejs` (on an older Debian: https://nodejs.org)",
);
pub const NPM: Tool = tool("npm", "", (0, 0), "Debian package `npm`");

/// A tool that is not there or too old; displays as one line.
#[derive(Debug, PartialEq)]
pub struct Missing<'a> {
    tool: &'a Tool,
    found: Option<(u32, u32)>,
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tool {
            name,
            minimum: (major, minor),
            package,
            ..
        } = self.tool;
        let wanted = match (major, minor) {
            (0, 0) => String::new(),
            (major, 0) => format!(" {major} or newer"),
            (major, minor) => format!(" {major}.{minor} or newer"),
        };
        match self.found {
            None => write!(f, "missing: {name}{wanted}; install {package}"),
            Some((major, minor)) => write!(
                f,
                "too old: {name} {major}.{minor}, needs{wanted}; install {package}"
            ),
        }
    }
}

impl Tool {
    /// Runs the tool to learn its version; `None` when it is fine.
    pub fn missing(&self) -> Option<Missing<'_>> {
        let output = Command::new(self.program())
            .arg(self.version_argument)
            .output();
        match output {
            Ok(output) if output.status.success() => {
                let version = version(&String::from_utf8_lossy(&output.stdout));
                self.judge(version)
            }
            _ => Some(Missing {
                tool: self,
                found: None,
            }),
        }
    }

    /// The program itself, without the flags a variable like `CC="gcc -m64"` may carry.
    fn program(&self) -> String {
        let named = if self.variable.is_empty() {
            None
        } else {
            std::env::var(self.variable).ok()
        };
        named
            .and_then(|named| named.split_whitespace().next().map(String::from))
            .unwrap_or_else(|| self.program.into())
    }

    fn judge(&self, found: Option<(u32, u32)>) -> Option<Missing<'_>> {
        // A version that cannot be read is not a reason to stop: a development build may print anything.
        match found {
            Some(version) if version < self.minimum => Some(Missing { tool: self, found }),
            _ => None,
        }
    }
}

/// The first `number.number` in the text: `cmake version 3.25.1`, `go version go1.26.8 linux/amd64`, `v20.20.2`.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .find_map(|word| {
            let mut numbers = word.split('.');
            Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_the_tools_print_them() {
        assert_eq!(
            version("rustc 1.95.0 (59807616e 2026-04-14)"),
            Some((1, 95))
        );
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(
            version("cmake version 3.25.1\n\nCMake suite"),
            Some((3, 25))
        );
        assert_eq!(version("devel"), None);
    }

    #[test]
    fn one_line_names_the_package() {
        let missing = Missing {
            tool: &GO,
            found: None,
        };
        assert_eq!(
            missing.to_string(),
            "missing: go 1.24 or newer; install Debian package `golang-go` (on an older Debian: https://go.dev/dl)"
        );
        assert_eq!(
            CMAKE
                .judge(Some((3, 18)))
                .map(|missing| missing.to_string())
                .as_deref(),
            Some("too old: cmake 3.18, needs 3.22 or newer; install Debian package `cmake`")
        );
        assert_eq!(CMAKE.judge(Some((4, 0))), None);
        let absent = Tool {
            program: "no-such-program",
            ..MAKE
        };
        assert_eq!(
            absent
                .missing()
                .map(|missing| missing.to_string())
                .as_deref(),
            Some("missing: make; install Debian package `make`")
        );
    }
}
