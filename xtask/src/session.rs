//! One step's programs: started with the right environment, their output kept in one log file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::counts::Counts;
use crate::prefix;
use crate::workspace::{Workspace, cargo};

/// A hung program must not hang the whole run.
const COMMAND_LIMIT: Duration = Duration::from_secs(30 * 60);
const POLL: Duration = Duration::from_millis(20);

pub struct Session<'a> {
    pub workspace: &'a Workspace,
    /// What the step's test runners reported so far.
    pub counts: Counts,
    log: File,
    log_path: PathBuf,
    verbose: bool,
}

impl<'a> Session<'a> {
    pub fn new(workspace: &'a Workspace, step: &str, verbose: bool) -> Result<Session<'a>> {
        fs::create_dir_all(&workspace.out)
            .with_context(|| format!("cannot create {}", workspace.out.display()))?;
        let log_path = workspace.out.join(format!("{step}.log"));
        let log = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&log_path);
        let log = log.with_context(|| format!("cannot write {}", log_path.display()))?;
        Ok(Session {
            workspace,
            counts: Counts::default(),
            log,
            log_path,
            verbose,
        })
    }

    /// Shows what the log tells of the failure (unless it was shown already), what went wrong, and where the rest is.
    pub fn show_failure(&self, error: &str) {
        if !self.verbose {
            let log = fs::read(&self.log_path).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            excerpt(&log)
                .iter()
                .for_each(|line| eprintln!("    {line}"));
        }
        eprintln!(
            "    {error}\n    the whole log: {}",
            self.log_path.display()
        );
    }

    /// A program to run in the root of the clone, able to find the library that `prefix` lays out.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.workspace.root)
            .stdin(Stdio::null());
        for (name, value) in prefix::environment(self.workspace) {
            command.env(name, value);
        }
        command
    }

    /// A cargo command. It does not see the bindings' environment, which would make cargo rebuild what links.
    pub fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(cargo());
        command
            .env("CARGO_TERM_COLOR", "never")
            .current_dir(&self.workspace.root)
            .stdin(Stdio::null())
            .args(arguments);
        command
    }

    /// This very command again, with another subcommand.
    pub fn xtask(&self, arguments: &[&str]) -> Result<Command> {
        let mut command =
            Command::new(std::env::current_exe().context("cannot find this program's own file")?);
        command
            .current_dir(&self.workspace.root)
            .stdin(Stdio::null())
            .args(arguments);
        Ok(command)
    }

    /// A folder of the clone that must be there for the step to mean anything.
    pub fn folder(&self, relative: &str) -> Result<PathBuf> {
        let folder = self.workspace.root.join(relative);
        match folder.is_dir() {
            true => Ok(folder),
            false => bail!("the folder {relative}/ does not exist"),
        }
    }

    /// Runs to the end; both outputs go to the log and come back as text. Another exit code than 0 is an error.
    pub fn run(&mut self, command: &mut Command) -> Result<String> {
        let (status, output) = self.execute(command, COMMAND_LIMIT, None)?;
        match status.success() {
            true => Ok(output),
            false => bail!("`{}` ended with {status}", display(command)),
        }
    }

    /// Runs a test runner and adds what it reports to the counts, whether it succeeds or not.
    pub fn run_tests(&mut self, command: &mut Command, count: fn(&str) -> Counts) -> Result<()> {
        let (status, output) = self.execute(command, COMMAND_LIMIT, None)?;
        self.counts += count(&output);
        match status.success() {
            true => Ok(()),
            false => bail!("`{}` ended with {status}", display(command)),
        }
    }

    /// Runs with the standard output in a file of its own, returned as bytes; the standard error goes to the log.
    pub fn run_captured(
        &mut self,
        command: &mut Command,
        stdout: &Path,
        limit: Duration,
    ) -> Result<Vec<u8>> {
        let file =
            File::create(stdout).with_context(|| format!("cannot write {}", stdout.display()))?;
        let (status, _) = self.execute(command, limit, Some(file))?;
        let output =
            fs::read(stdout).with_context(|| format!("cannot read {}", stdout.display()))?;
        match status.success() {
            true => Ok(output),
            false => bail!("`{}` ended with {status}", display(command)),
        }
    }

    /// A line of our own in the log.
    pub fn note(&mut self, line: &str) -> Result<()> {
        self.log.seek(SeekFrom::End(0))?;
        writeln!(self.log, "{line}")?;
        if self.verbose {
            eprintln!("{line}");
        }
        Ok(())
    }

    fn execute(
        &mut self,
        command: &mut Command,
        limit: Duration,
        stdout: Option<File>,
    ) -> Result<(ExitStatus, String)> {
        self.note(&format!("$ {}", display(command)))?;
        let start = self.log.seek(SeekFrom::End(0))?;
        let stdout = match stdout {
            Some(file) => Stdio::from(file),
            None => Stdio::from(self.log.try_clone()?),
        };
        command
            .stdout(stdout)
            .stderr(Stdio::from(self.log.try_clone()?));
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start `{}`", display(command)))?;
        let mut shown = start;
        let status = loop_until_end(&mut child, limit, || self.show_new(&mut shown));
        self.show_new(&mut shown)?;
        let status = status?.with_context(|| {
            format!(
                "`{}` was stopped: it ran longer than {} s",
                display(command),
                limit.as_secs()
            )
        })?;
        let mut output = Vec::new();
        File::open(&self.log_path)?.take_from(start, &mut output)?;
        Ok((status, String::from_utf8_lossy(&output).into_owned()))
    }

    /// Copies what the log has gained since `shown` to the terminal, when asked to.
    fn show_new(&self, shown: &mut u64) -> Result<()> {
        if self.verbose {
            let mut new = Vec::new();
            File::open(&self.log_path)?.take_from(*shown, &mut new)?;
            std::io::stderr().write_all(&new)?;
            *shown += new.len() as u64;
        }
        Ok(())
    }
}

/// Waits for the program; `None` when it had to be killed at the limit.
fn loop_until_end(
    child: &mut Child,
    limit: Duration,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        meanwhile()?;
        sleep(POLL);
    }
}

trait TakeFrom {
    fn take_from(self, offset: u64, into: &mut Vec<u8>) -> Result<()>;
}

impl TakeFrom for File {
    fn take_from(mut self, offset: u64, into: &mut Vec<u8>) -> Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.read_to_end(into)?;
        Ok(())
    }
}

/// What a reader wants of a long log: the places that tell of a failure with what follows them, and the end.
fn excerpt(log: &str) -> Vec<&str> {
    const MARKS: [&str; 8] = [
        "panicked at",
        "... FAILED",
        "--- FAIL",
        "not ok ",
        "***Failed",
        "error: ",
        "error[",
        "FAILED ",
    ];
    const FOLLOWING: usize = 8;
    const TELLING: usize = 80;
    const END: usize = 15;
    let lines: Vec<&str> = log.lines().collect();
    let end = lines.len().saturating_sub(END);
    let mut shown = Vec::new();
    let mut wanted_until = 0;
    let mut next = 0;
    for (number, line) in lines.iter().enumerate() {
        if MARKS.iter().any(|mark| line.contains(mark)) {
            wanted_until = number + FOLLOWING;
        }
        let telling = number < wanted_until && shown.len() < TELLING;
        if telling || number >= end {
            if number > next {
                shown.push("…");
            }
            shown.push(*line);
            next = number + 1;
        }
    }
    shown
}

/// The command as one would type it: the program by its name alone.
fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_failure_and_the_end() {
        let quiet = "test x ... ok\n".repeat(100);
        let log =
            format!("{quiet}thread 'a' panicked at src/a.rs:1:\nleft: 1\nright: 2\n{quiet}the end");
        let shown = excerpt(&log);
        assert_eq!(
            shown[..4],
            [
                "…",
                "thread 'a' panicked at src/a.rs:1:",
                "left: 1",
                "right: 2"
            ]
        );
        assert_eq!(shown.last(), Some(&"the end"));
        assert!(shown.len() < 30, "{shown:#?}");
        assert_eq!(excerpt("one\ntwo"), ["one", "two"]);
    }
}
