//! A process to be killed, with everything it started or alone.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Leads a process group of its own. What it prints goes to files, so that nothing is lost with it.
pub struct Victim {
    child: Child,
}

impl Victim {
    /// stdout goes to `out`, stderr to `out` with `.err` added.
    pub fn start(mut command: Command, out: &Path) -> Result<Victim, String> {
        let file = |path: &Path| {
            File::create(path).map_err(|e| format!("cannot make {}: {e}", path.display()))
        };
        command
            .stdin(Stdio::null())
            .stdout(file(out)?)
            .stderr(file(&out.with_extension("err"))?)
            .process_group(0);
        let child = command
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?;
        Ok(Victim { child })
    }

    /// Waits for its end and gives its exit code.
    pub fn wait(mut self, limit: Duration) -> Result<Option<i32>, String> {
        match self.ended_within(limit)? {
            Some(code) => Ok(code),
            None => {
                self.kill(true)?;
                Err(format!("it had not ended after {limit:?}"))
            }
        }
    }

    /// Kills it after `delay`: alone, or with its group. Says whether it was still running.
    pub fn kill_after(mut self, delay: Duration, group: bool) -> Result<bool, String> {
        if self.ended_within(delay)?.is_some() {
            return Ok(false);
        }
        self.kill(group)
    }

    fn ended_within(&mut self, limit: Duration) -> Result<Option<Option<i32>>, String> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return Ok(Some(status.code()));
            }
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            sleep(left.min(Duration::from_millis(2)));
        }
    }

    fn kill(&mut self, group: bool) -> Result<bool, String> {
        let killed = if group {
            self.kill_group()
        } else {
            self.child.kill().map_err(|e| e.to_string())
        };
        killed?;
        let status = self.child.wait().map_err(|e| e.to_string())?;
        // It may have ended by itself just before.
        Ok(status.code().is_none())
    }

    #[expect(
        unsafe_code,
        reason = "killing a process group has no safe interface in std"
    )]
    fn kill_group(&self) -> Result<(), String> {
        let group = i32::try_from(self.child.id()).map_err(|e| e.to_string())?;
        // SAFETY: a plain system call. The group's leader is our child and not waited for yet, so the number is its.
        match unsafe { libc::kill(group.saturating_neg(), libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(format!("cannot kill: {}", std::io::Error::last_os_error())),
        }
    }
}
