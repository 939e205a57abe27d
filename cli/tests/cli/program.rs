//! Running the program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of a test's own, in which the program runs.
pub struct Folder {
    dir: TempDir,
}

/// What the program did.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Folder {
        Folder {
            dir: TempDir::new().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file; gives its name.
    pub fn file<'a>(&self, name: &'a str, text: &str) -> &'a str {
        std::fs::write(self.path(name), text).unwrap();
        name
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statewright"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, "")
    }

    pub fn run_with(&self, args: &[&str], stdin: &str) -> Done {
        let mut child = self.spawn(args);
        // The program may refuse before it has read this.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap().into()
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The ids of the cases in the default store.
    pub fn cases(&self) -> Vec<String> {
        let listed = self.run(&["cases", "--json"]).ok();
        listed
            .lines()
            .iter()
            .map(|case| case["case"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Done {
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// It ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    pub fn ok(self) -> Done {
        self.ended(0)
    }

    /// It said nothing on stdout and exactly one line on stderr, an error of this code with all of these words.
    #[track_caller]
    pub fn refused(self, exit: i32, code: i32, words: &[&str]) {
        let done = self.ended(exit);
        assert_eq!(done.stdout, "", "{done:?}");
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{done:?}");
        assert!(
            lines[0].starts_with(&format!("error[{code}]: ")),
            "{done:?}"
        );
        words
            .iter()
            .for_each(|word| assert!(lines[0].contains(word), "{word}: {done:?}"));
    }

    /// stdout as JSON, one value a line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// stdout as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited a minute until {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal.
pub fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([
            OsStr::new(&format!("-{signal}")),
            OsStr::new(&child.id().to_string()),
        ])
        .status();
    assert!(sent.unwrap().success());
}

/// All files below a folder with their content.
pub fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

/// A flow that greets.
pub const HELLO: &str = r#"
name: hello
version: 1
input: { name: world }
tasks:
  greet: { kind: process, run: [cat], input: '"hello \(.input.name)"', next: say }
  say: { kind: log, message: .greet }
output: '{said: .greet}'
"#;

/// A flow that waits for a host.
pub const HOST: &str = "
name: host
version: 1
tasks:
  ask: { kind: host, topic: questions, input: .input, into: .answer }
output: .answer
";
