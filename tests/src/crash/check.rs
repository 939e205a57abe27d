//! What must hold after a crash, whatever the disk looks like.

use std::sync::Arc;

use parking_lot::Mutex;
use statewright_log::Durability;
use statewright_log::sim::{self, Damage, Disk, Image, SimIo};

use super::run::{Expect, Expected, Moment, Payload, open, open_from, time};

/// That `commits` are the first of `written`, and at least `at_least`.
pub fn compare(commits: &[Payload], at_least: u64, written: &[Payload]) -> Result<(), String> {
    let (found, most) = (commits.len() as u64, written.len() as u64);
    if found < at_least {
        return Err(format!(
            "{at_least} commits were acknowledged, but only {found} are there"
        ));
    }
    if found > most {
        return Err(format!(
            "{found} commits are there, but only {most} were ever written"
        ));
    }
    match commits
        .iter()
        .zip(written)
        .position(|(commit, written)| commit != written)
    {
        Some(i) => Err(format!(
            "commit {} has not the content that was written",
            i + 1
        )),
        None => Ok(()),
    }
}

impl Expect for Expected {
    fn check(&self, disk: &Disk, seed: u64) -> Result<Vec<Moment>, String> {
        let io = SimIo::from_disk(disk.clone());
        let moments = Arc::new(Mutex::new(Vec::new()));
        let (kept, model) = (moments.clone(), Arc::new(self.clone()));
        io.on_change(move |change, disk| {
            kept.lock().push(Moment {
                change: change.clone(),
                disk: disk.clone(),
                expected: model.clone(),
            });
        });
        let durability = if seed.is_multiple_of(2) {
            Durability::Strict
        } else {
            Durability::Buffered
        };
        let (log, commits) = open(sim::env(&io, seed), durability)?;
        compare(&commits, self.acknowledged, &self.written)?;
        let moments = std::mem::take(&mut *moments.lock());

        // Whoever has the state up to a durable place gets the rest, and the same log.
        for start in &self.positions {
            let io = SimIo::from_disk(disk.clone());
            let (from, behind) = open_from(sim::env(&io, seed), durability, Some(*start))
                .map_err(|e| format!("from commit {}: {e}", start.version))?;
            let rest = commits.get(start.version as usize..);
            if rest != Some(&behind[..]) || from.last_hash() != log.last_hash() {
                return Err(format!(
                    "from commit {}, {} commits were replayed of {}",
                    start.version,
                    behind.len(),
                    commits.len()
                ));
            }
        }

        // A power cut right after: the second recovery finds the same, whatever of the first was not synced.
        for damage in [Damage::Lose, Damage::Mixed] {
            let again = io.crash(&Image { damage, seed });
            let (_, second) = open(sim::env(&again, seed ^ 1), durability)
                .map_err(|e| format!("second recovery: {e}"))?;
            if second != commits {
                let (first, second) = (commits.len(), second.len());
                return Err(format!(
                    "the first recovery found {first} commits, the second {second}"
                ));
            }
        }

        // The log can be written to, and keeps what is.
        let version = commits.len() as u64 + 1;
        let payload = vec![0xA5; 300];
        let appended = log.append(time(version), &payload).and_then(|version| {
            log.sync_to(version, &())?;
            Ok(version)
        });
        if !appended.as_ref().is_ok_and(|appended| *appended == version) {
            return Err(format!(
                "the recovered log cannot be written to: {appended:?}"
            ));
        }
        let after = io.crash(&Image {
            damage: Damage::Lose,
            seed,
        });
        let (_, after) = open(sim::env(&after, seed ^ 2), durability)
            .map_err(|e| format!("after a new commit: {e}"))?;
        if after.len() != commits.len() + 1 || after.last().is_none_or(|last| **last != payload) {
            return Err(format!(
                "of {version} commits after the recovery, {} survived",
                after.len()
            ));
        }
        Ok(moments)
    }
}
