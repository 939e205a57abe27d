//! What needs a process of its own: opening, resident memory, reads of what this process has never touched.
//!
//! The program that measures starts itself again with a [`Task`] as JSON, and reads the numbers that it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value as Json, json};
use statewright_store::{Durability, Env, Place, Store, StoreOptions};

use super::contender::{self, Promise, key};
use super::ours::Ours;
use super::{opening, sizes};
use crate::flow::sleeping;
use crate::measure::{Clock, Time};

/// What the other process does.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Opens a store that is there, gets one key, then reads cold ones.
    Open {
        /// The peer's key.
        who: String,
        /// Its folder.
        dir: PathBuf,
        /// Keys in it.
        keys: usize,
        /// Chooses the keys that are read.
        seed: usize,
    },
    /// Opens our log and says how long that took.
    Recover {
        /// The store's folder.
        dir: PathBuf,
    },
    /// Commits to a thousand documents and watches the resident memory.
    Flat {
        /// The store's folder; in memory if there is none.
        dir: Option<PathBuf>,
        /// How many commits.
        commits: usize,
    },
    /// Something of [`sleeping`](crate::flow::sleeping).
    Cases {
        /// What.
        name: String,
        /// The store's folder; in memory if there is none.
        dir: Option<PathBuf>,
        /// How many cases.
        cases: usize,
    },
}

impl Task {
    /// As one argument of a program.
    pub fn to_json(&self) -> Json {
        match self {
            Task::Open {
                who,
                dir,
                keys,
                seed,
            } => json!({"task": "open", "who": who, "dir": dir, "keys": keys, "seed": seed}),
            Task::Recover { dir } => json!({"task": "recover", "dir": dir}),
            Task::Flat { dir, commits } => {
                json!({"task": "flat", "dir": dir, "commits": commits})
            }
            Task::Cases { name, dir, cases } => {
                json!({"task": "cases", "name": name, "dir": dir, "cases": cases})
            }
        }
    }

    /// Reads what [`to_json`](Task::to_json) wrote.
    pub fn from_json(text: &str) -> Result<Task> {
        let json: Json = serde_json::from_str(text)?;
        let field = |name: &str| json.get(name).cloned().unwrap_or(Json::Null);
        let number = |name: &str| {
            let number = field(name).as_u64().context("a task lacks a number")?;
            Ok::<_, anyhow::Error>(usize::try_from(number)?)
        };
        let text = |name: &str| field(name).as_str().map(str::to_owned);
        let dir = text("dir").map(PathBuf::from);
        match text("task").as_deref() {
            Some("open") => Ok(Task::Open {
                who: text("who").context("a task lacks its peer")?,
                dir: dir.context("a task lacks its folder")?,
                keys: number("keys")?,
                seed: number("seed")?,
            }),
            Some("recover") => Ok(Task::Recover {
                dir: dir.context("a task lacks its folder")?,
            }),
            Some("flat") => Ok(Task::Flat {
                dir,
                commits: number("commits")?,
            }),
            Some("cases") => Ok(Task::Cases {
                name: text("name").context("a task lacks its name")?,
                dir,
                cases: number("cases")?,
            }),
            _ => bail!("no such task"),
        }
    }

    /// Does it, here; numbers by their names.
    pub fn run(&self) -> Result<Vec<(String, f64)>> {
        match self {
            Task::Open {
                who,
                dir,
                keys,
                seed,
            } => open(who, dir, *keys, *seed),
            Task::Recover { dir } => recover(dir),
            Task::Flat { dir, commits } => sizes::watch(dir.as_deref(), *commits),
            Task::Cases { name, dir, cases } => sleeping::task(name, dir.as_deref(), *cases),
        }
    }

    /// Does it in a process of its own, or here if there is no program to start.
    pub fn apart(&self, program: Option<&Path>) -> Result<Numbers> {
        let Some(program) = program else {
            return Ok(Numbers(self.run()?));
        };
        let output = Command::new(program)
            .args(["--task", &self.to_json().to_string()])
            .output()
            .context("cannot start this program again")?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{complaint}");
        let json: Json = serde_json::from_slice(&output.stdout)?;
        let numbers = json.as_object().into_iter().flatten();
        Ok(Numbers(
            numbers
                .filter_map(|(name, number)| Some((name.clone(), number.as_f64()?)))
                .collect(),
        ))
    }
}

/// What a task gave.
pub struct Numbers(Vec<(String, f64)>);

impl Numbers {
    /// The number of that name.
    pub fn get(&self, name: &str) -> Result<f64> {
        let found = self.0.iter().find(|(known, _)| known == name);
        Ok(found.with_context(|| format!("no number {name}"))?.1)
    }
}

/// As JSON, on one line.
pub fn print(numbers: Vec<(String, f64)>) -> Json {
    let numbers = numbers
        .into_iter()
        .map(|(name, number)| (name, json!(number)));
    Json::Object(numbers.collect())
}

fn named(name: &str, time: Time) -> [(String, f64); 2] {
    [
        (format!("{name} wall"), time.wall),
        (format!("{name} cpu"), time.cpu),
    ]
}

/// Bytes of this process that are in memory, files that it has mapped included; 0 where there is no `/proc`.
pub fn resident() -> f64 {
    status("VmRSS:")
}

/// [`resident`] without files: what the process keeps for itself.
pub fn anonymous() -> f64 {
    status("RssAnon:")
}

fn status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|number| number.trim().parse::<f64>().ok())
        .map_or(0.0, |number| number * 1024.0)
}

fn open(who: &str, dir: &Path, keys: usize, seed: usize) -> Result<Vec<(String, f64)>> {
    let peers = contender::peers(Promise::Buffered, &[who.to_owned()]);
    let peer = match who {
        "ours" => contender::ours(Promise::Buffered),
        _ => peers.first().copied().context("no such peer")?,
    };
    let first = key(seed.wrapping_mul(7919) % keys.max(1));
    let before = resident();
    let clock = Clock::now();
    let store = (peer.open)(dir, keys)?;
    ensure!(store.get(&first)?.is_some(), "the first key is lost");
    let mut numbers = Vec::from(named("first get", clock.elapsed(1)));
    numbers.push(("resident".into(), resident() - before));
    let cold: Vec<_> = contender::keys(seed, keys, opening::COLD_READS);
    let clock = Clock::now();
    for key in &cold {
        ensure!(store.get(key)?.is_some(), "a key is lost");
    }
    numbers.extend(named("cold get", clock.elapsed(cold.len())));
    numbers.push(("resident after".into(), resident() - before));
    Ok(numbers)
}

fn recover(dir: &Path) -> Result<Vec<(String, f64)>> {
    let clock = Clock::now();
    let options = StoreOptions::with_durability(Durability::Buffered);
    let store = Store::open(Env::real(), Place::Dir(dir.join("store")), options)?;
    let time = clock.elapsed(1);
    let mut numbers = Vec::from(named("open", time));
    let commits = store.stats().recovery.frames;
    numbers.push(("commits".into(), commits as f64));
    store.close()?;
    Ok(numbers)
}

/// A store of ours, loaded one commit a key, closed.
pub fn record(dir: &Path, keys: usize, commits: usize) -> Result<()> {
    let ours = Ours::buffered(dir)?;
    for at in 0..commits {
        let pair = (key(at % keys.max(1)), contender::value(at));
        contender::Contender::put(&ours, &[pair])?;
    }
    Ok(ours.store.close()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_cross_as_json() {
        let dir = PathBuf::from("a/store");
        let tasks = [
            Task::Open {
                who: "lmdb-nosync".into(),
                dir: dir.clone(),
                keys: 10,
                seed: 3,
            },
            Task::Recover { dir: dir.clone() },
            Task::Flat {
                dir: Some(dir),
                commits: 5,
            },
            Task::Flat {
                dir: None,
                commits: 5,
            },
        ];
        for task in tasks {
            let text = task.to_json().to_string();
            assert_eq!(Task::from_json(&text).unwrap(), task);
        }
        assert!(Task::from_json(r#"{"task":"fly"}"#).is_err());
        assert!(resident() > 0.0 && anonymous() > 0.0 && anonymous() <= resident());
    }
}
