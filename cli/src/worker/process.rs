//! The program of a worker, with a thread for each of its pipes, so that neither side can block the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::Inbox;
use crate::session::Message;

/// A line is not longer than this, in bytes; the result of a work item is in it.
pub(crate) const MAX_LINE: u64 = 64 << 20;
/// How long a program may take to end when its stdin is closed.
const GRACE: Duration = Duration::from_secs(2);
/// How long the end of its stderr is waited for after that.
const LAST_WORDS: Duration = Duration::from_millis(500);

pub(crate) struct Process {
    child: Child,
    /// Lines for its stdin, which is closed when this is dropped.
    lines: Option<Sender<String>>,
    /// Ends when its stderr has.
    stderr: Receiver<()>,
}

impl Process {
    pub fn start(
        command: &str,
        run: u32,
        name: &str,
        inbox: &Sender<Inbox>,
        session: &Sender<Message>,
    ) -> io::Result<Process> {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (lines, queue) = channel();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (stderr_ended, stderr_end) = channel();
        let process = Process {
            child,
            lines: Some(lines),
            stderr: stderr_end,
        };
        if let (Some(stdin), Some(stdout), Some(stderr)) = pipes {
            let spawn = |what: &str, body: Box<dyn FnOnce() + Send>| {
                Builder::new()
                    .name(format!("{name}-{what}"))
                    .spawn(body)
                    .map(drop)
            };
            let (to, says, who) = (inbox.clone(), session.clone(), name.to_owned());
            spawn("in", Box::new(move || write_lines(stdin, &queue)))?;
            spawn("out", Box::new(move || read_answers(stdout, run, &to)))?;
            spawn(
                "err",
                Box::new(move || {
                    pass_on(stderr, &who, &says);
                    drop(stderr_ended);
                }),
            )?;
        }
        Ok(process)
    }

    /// Queues a line for its stdin. If it does not read any more, its end is seen at its stdout.
    pub fn send(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line);
        }
    }

    /// Closes its stdin, waits a little and then ends it. Says how it ended.
    pub fn end(&mut self) -> String {
        drop(self.lines.take());
        let ended = self.wait();
        // Its last words; something that it left behind may hold the pipe open, and is not waited for.
        let _ = self.stderr.recv_timeout(LAST_WORDS);
        ended
    }

    fn wait(&mut self) -> String {
        let patience = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("ended with {status}"),
                Ok(None) if patience.elapsed() < GRACE => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Ok(None) => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return "did not end when its stdin was closed, and was killed".to_owned();
                }
                Err(error) => return format!("was lost: {error}"),
            }
        }
    }
}

fn write_lines(mut stdin: ChildStdin, queue: &Receiver<String>) {
    for line in queue {
        // A program that has gone is seen at its stdout.
        if stdin
            .write_all(line.as_bytes())
            .and_then(|()| stdin.write_all(b"\n"))
            .is_err()
        {
            return;
        }
    }
}

fn read_answers(stdout: ChildStdout, run: u32, inbox: &Sender<Inbox>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut stdout)
            .take(MAX_LINE.saturating_add(1))
            .read_until(b'\n', &mut line);
        let ended = !matches!(read, Ok(1..));
        let sent = inbox.send(if ended {
            Inbox::End(run)
        } else {
            Inbox::Line(run, line)
        });
        if ended || sent.is_err() {
            return;
        }
    }
}

fn pass_on(stderr: ChildStderr, name: &str, session: &Sender<Message>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    // A line without an end is passed on in pieces.
    while matches!(
        (&mut stderr).take(4096).read_until(b'\n', &mut line),
        Ok(1..)
    ) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if session.send(Message::Said(name.to_owned(), text)).is_err() {
            return;
        }
    }
}
