//! Runs a program for a `process` task: input on its stdin, result from its stdout, bounded in time and output.
//!
//! The program leads a process group of its own. When it ends, is timed out or is cancelled, the whole group ends;
//! when the engine's process is killed, the kernel ends the program too, so that a resumed case does not run beside
//! it. What has left the group may run on, and holds up nobody.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use statewright_log::{Clock, Gate, Timestamp};

use statewright_exec::spawn_thread;

/// A program may write this many bytes to its stdout at most.
pub(crate) const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// This much of the end of its stderr is kept for the error.
const STDERR_TAIL_BYTES: usize = 4096;
/// When a program has ended, what it wrote is there. Only a process that has left its group can hold its pipes open for
/// longer.
const PIPES_CLOSE: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Debug)]
pub(crate) struct Program {
    pub argv: Vec<String>,
    pub cwd: Option<PathBuf>,
    pub env: Vec<(String, String)>,
    pub stdin: Vec<u8>,
    pub deadline: Option<Timestamp>,
    /// Names it among those that run: no other program ever has the same.
    pub key: String,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Exited {
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: String,
    },
    TooMuchOutput,
    TimedOut,
    Cancelled,
}

/// Ends running programs: one when its case has no use for it any more, all when the engine closes.
#[derive(Default)]
pub(crate) struct Running {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    closed: bool,
    programs: BTreeMap<String, Entry>,
}

#[derive(Default)]
struct Entry {
    gate: Gate,
    cancelled: bool,
}

impl Running {
    /// Ends the program of this key, if it runs.
    pub fn cancel(&self, key: &str) {
        if let Some(entry) = self.inner.lock().programs.get_mut(key) {
            entry.cancelled = true;
            entry.gate.notify();
        }
    }

    /// Ends every program that runs and every one that is started later.
    pub fn cancel_all(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner
            .programs
            .values()
            .for_each(|entry| entry.gate.notify());
    }

    fn enter(&self, key: &str) -> Gate {
        self.inner
            .lock()
            .programs
            .entry(key.to_owned())
            .or_default()
            .gate
            .clone()
    }

    fn leave(&self, key: &str) {
        self.inner.lock().programs.remove(key);
    }

    fn is_cancelled(&self, key: &str) -> bool {
        let inner = self.inner.lock();
        inner.closed || inner.programs.get(key).is_some_and(|entry| entry.cancelled)
    }
}

/// Runs a program to its end, if it is still `wanted`, which is asked when it can be cancelled. Fails if it cannot be
/// started.
pub(crate) fn run(
    program: Program,
    clock: &dyn Clock,
    running: &Running,
    wanted: impl FnOnce() -> bool,
) -> io::Result<Ended> {
    let key = program.key.clone();
    let gate = running.enter(&key);
    let ended = match wanted() {
        true => start(program, clock, &gate, || running.is_cancelled(&key)),
        false => Ok(Ended::Cancelled),
    };
    running.leave(&key);
    ended
}

fn start(
    program: Program,
    clock: &dyn Clock,
    gate: &Gate,
    cancelled: impl Fn() -> bool,
) -> io::Result<Ended> {
    let (name, args) = program
        .argv
        .split_first()
        .ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(name);
    command
        .args(args)
        .envs(program.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.process_group(0);
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    set_up(&mut command);
    let mut child = command.spawn()?;
    let group = child.id();
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let shared = Arc::new(Mutex::new(Progress {
        open: 2,
        ..Progress::default()
    }));
    let end = pump(pipes, program.stdin, gate, &shared, child);
    let end = end.inspect_err(|_| shared.lock().end(group))?;
    let why = wait(gate, &shared, clock, program.deadline, cancelled);
    if why.is_some() || shared.lock().overflow {
        shared.lock().end(group);
    }
    // A panic there would be told by the status that is missing.
    let _ = end.join();
    if let Some(why) = why {
        return Ok(why);
    }
    drain(gate, &shared, clock);
    let mut progress = shared.lock();
    if progress.overflow {
        return Ok(Ended::TooMuchOutput);
    }
    let status = progress
        .status
        .take()
        .ok_or_else(|| io::Error::other("the program's end was not seen"))??;
    let stdout = std::mem::take(&mut progress.stdout);
    let stderr = String::from_utf8_lossy(&progress.stderr).trim().to_owned();
    Ok(Ended::Exited {
        status,
        stdout,
        stderr,
    })
}

#[derive(Default)]
struct Progress {
    status: Option<io::Result<ExitStatus>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    overflow: bool,
    /// How many of stdout and stderr are still read.
    open: u8,
}

impl Progress {
    /// Ends the program's group, unless the program has been waited for: from then on its number may be another's.
    fn end(&self, group: u32) {
        if self.status.is_none() {
            end_group(group);
        }
    }
}

type Pipes = (
    Option<std::process::ChildStdin>,
    Option<std::process::ChildStdout>,
    Option<std::process::ChildStderr>,
);

/// One thread a pipe and one for the end, which is given: nothing polls, and no full pipe can block another. Those of
/// pipes end when these are closed.
fn pump(
    (stdin, stdout, stderr): Pipes,
    input: Vec<u8>,
    gate: &Gate,
    shared: &Arc<Mutex<Progress>>,
    mut child: std::process::Child,
) -> io::Result<std::thread::JoinHandle<()>> {
    let (end, ended) = (shared.clone(), gate.clone());
    let waits = spawn_thread("sw-proc-end", move || {
        wait_unreaped(child.id());
        let mut progress = end.lock();
        // What the program left running would hold its pipes open.
        progress.end(child.id());
        progress.status = Some(child.wait());
        drop(progress);
        ended.notify();
    })?;
    // A program that does not read its input is not an error.
    spawn_thread("sw-proc-in", move || {
        let _ = stdin.map(|mut pipe| pipe.write_all(&input));
    })?;
    let (out, err) = (shared.clone(), shared.clone());
    let (out_gate, err_gate) = (gate.clone(), gate.clone());
    spawn_thread("sw-proc-out", move || {
        read(stdout, &out, &out_gate, |progress, bytes| {
            progress.stdout.extend_from_slice(bytes);
            progress.overflow = progress.stdout.len() > MAX_OUTPUT_BYTES;
            !progress.overflow
        });
    })?;
    spawn_thread("sw-proc-err", move || {
        read(stderr, &err, &err_gate, |progress, bytes| {
            let tail = &mut progress.stderr;
            tail.extend_from_slice(bytes);
            let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES);
            tail.drain(..excess);
            true
        });
    })?;
    Ok(waits)
}

/// Reads a pipe to its end, or until `take` wants no more.
fn read(
    pipe: Option<impl Read>,
    shared: &Mutex<Progress>,
    gate: &Gate,
    take: impl Fn(&mut Progress, &[u8]) -> bool,
) {
    let mut chunk = vec![0; 64 << 10];
    if let Some(mut pipe) = pipe {
        loop {
            match pipe.read(&mut chunk) {
                Ok(n @ 1..) => {
                    if !take(&mut shared.lock(), chunk.get(..n).unwrap_or_default()) {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    }
    let mut progress = shared.lock();
    progress.open = progress.open.saturating_sub(1);
    drop(progress);
    gate.notify();
}

/// Waits until all that a program wrote, which has ended, is there.
fn drain(gate: &Gate, shared: &Mutex<Progress>, clock: &dyn Clock) {
    let until = clock.monotonic().saturating_add(PIPES_CLOSE);
    loop {
        let seen = gate.epoch();
        let left = until.saturating_sub(clock.monotonic());
        if shared.lock().open == 0 || left.is_zero() {
            return;
        }
        clock.wait(gate, seen, Some(clock.now().saturating_add(left)));
    }
}

/// Waits for the end; gives why it was not the program's own.
fn wait(
    gate: &Gate,
    shared: &Mutex<Progress>,
    clock: &dyn Clock,
    deadline: Option<Timestamp>,
    cancelled: impl Fn() -> bool,
) -> Option<Ended> {
    loop {
        let seen = gate.epoch();
        if shared.lock().status.is_some() || shared.lock().overflow {
            return None;
        }
        if cancelled() {
            return Some(Ended::Cancelled);
        }
        if deadline.is_some_and(|d| clock.now() >= d) {
            return Some(Ended::TimedOut);
        }
        clock.wait(gate, seen, deadline);
    }
}

#[expect(
    unsafe_code,
    reason = "process groups and parent-death signals have no safe interface in std"
)]
fn end_group(group: u32) {
    if let Ok(group) = libc::pid_t::try_from(group) {
        // SAFETY: plain system call. The group's leader is our child and not yet waited for, so the number is still
        // its own.
        unsafe {
            libc::kill(group.saturating_neg(), libc::SIGKILL);
        }
    }
}

/// Returns when the program has ended, leaving it to be waited for.
#[expect(
    unsafe_code,
    reason = "waiting without reaping has no safe interface in std"
)]
fn wait_unreaped(pid: u32) {
    loop {
        // SAFETY: `info` is plain data that the call fills in; the call only looks at our own child.
        let failed = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, pid, &mut info, libc::WEXITED | libc::WNOWAIT) != 0
        };
        if !failed || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// The program takes every signal, though the thread that starts it takes none; and it ends with this process.
#[expect(
    unsafe_code,
    reason = "signal masks and parent-death signals have no safe interface in std"
)]
fn set_up(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes async-signal-safe calls and touches no memory but its own stack.
    unsafe {
        command.pre_exec(|| {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            match libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()) {
                0 => die_with_us(),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        });
    }
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "parent-death signals have no safe interface in std"
)]
fn die_with_us() -> io::Result<()> {
    // SAFETY: plain system call, async-signal-safe.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_us() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use statewright_log::Env;
    use std::time::Duration;

    use super::*;

    fn sh(script: &str, stdin: &str, timeout: Option<Duration>) -> Ended {
        let clock = Env::real().clock;
        let program = Program {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            cwd: None,
            env: vec![("GREETING".into(), "hi".into())],
            stdin: stdin.into(),
            deadline: timeout.map(|t| clock.now().saturating_add(t)),
            key: "test".into(),
        };
        run(program, &*clock, &Running::default(), || true).unwrap()
    }

    #[test]
    fn input_goes_in_and_output_comes_out() {
        let Ended::Exited { status, stdout, .. } = sh("echo $GREETING; cat", "there", None) else {
            panic!()
        };
        assert!(status.success());
        assert_eq!(stdout, b"hi\nthere");
    }

    #[test]
    fn large_input_that_is_not_read_and_large_output_do_not_hang() {
        let big = "x".repeat(1 << 20);
        let Ended::Exited { stdout, .. } = sh("head -c 3000000 /dev/zero", &big, None) else {
            panic!()
        };
        assert_eq!(stdout.len(), 3_000_000);
    }

    #[test]
    fn the_end_of_stderr_is_kept() {
        let Ended::Exited { status, stderr, .. } =
            sh("seq 1 100000 >&2; echo why >&2; exit 7", "", None)
        else {
            panic!()
        };
        assert_eq!(status.code(), Some(7));
        assert!(stderr.ends_with("99999\n100000\nwhy") && stderr.len() <= STDERR_TAIL_BYTES);
    }

    #[test]
    fn a_program_out_of_time_ends_with_what_it_started() {
        let ended = sh("sleep 100 & sleep 100", "", Some(Duration::from_millis(50)));
        assert!(matches!(ended, Ended::TimedOut));
    }

    #[test]
    fn what_a_program_leaves_behind_does_not_hold_it_open() {
        assert!(matches!(
            sh("sleep 100 & echo done", "", None),
            Ended::Exited { .. }
        ));
    }

    fn program(argv: &[&str]) -> Program {
        let argv = argv.iter().map(|a| (*a).to_owned()).collect();
        Program {
            argv,
            cwd: None,
            env: vec![],
            stdin: vec![],
            deadline: None,
            key: "test".into(),
        }
    }

    #[test]
    fn closing_and_cancelling_end_what_runs() {
        for cancel in [Running::cancel_all, |r: &Running| r.cancel("test")] {
            let clock = Env::real().clock;
            let running = Arc::new(Running::default());
            let other = running.clone();
            let killer = std::thread::spawn(move || {
                while other.inner.lock().programs.is_empty() {
                    std::thread::yield_now();
                }
                cancel(&other);
            });
            assert!(matches!(
                run(program(&["sleep", "100"]), &*clock, &running, || true).unwrap(),
                Ended::Cancelled
            ));
            killer.join().unwrap();
        }
    }

    #[test]
    fn a_program_takes_signals_though_the_thread_that_starts_it_takes_none() {
        use std::os::unix::process::ExitStatusExt;
        let (ended, end) = std::sync::mpsc::channel();
        let script = "kill -TERM $$; echo still here";
        let body = move || ended.send(sh(script, "", None)).unwrap();
        let thread = spawn_thread("like-a-worker", body).unwrap();
        let Ended::Exited { status, stdout, .. } = end.recv().unwrap() else {
            panic!()
        };
        thread.join().unwrap();
        assert_eq!((status.signal(), stdout), (Some(libc::SIGTERM), vec![]));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let clock = Env::real().clock;
        let missing = run(
            program(&["/no/such/program"]),
            &*clock,
            &Running::default(),
            || true,
        );
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_nobody_wants_any_more_is_not_started() {
        let (clock, running) = (Env::real().clock, Running::default());
        // Whoever cancels it from here on finds it.
        let wanted = || running.inner.lock().programs.is_empty();
        let missing = program(&["/no/such/program"]);
        let ended = run(missing, &*clock, &running, wanted).unwrap();
        assert!(matches!(ended, Ended::Cancelled));
        assert!(running.inner.lock().programs.is_empty());
    }
}
