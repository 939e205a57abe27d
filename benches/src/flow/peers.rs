//! The same case of ten durable steps on other engines, 64 in flight and one at a time, in turn with ours.
//!
//! Each comes from its registry into a folder beside this program, pinned to a version, when it is asked for by name;
//! without its toolchain or a network it cannot be measured. It is driven in its own language, as its users would, by
//! a script in `benches/peers`, which prints how long each case took. Its syncs are counted with strace, if there is
//! one, in a run of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::cases::{self, Crowd, Flight};
use crate::measure::median;
use crate::report::{Row, Target};

/// Another engine.
struct Peer {
    /// How `--peers` calls it.
    name: &'static str,
    /// What it is, and what it promises for a step that is done.
    what: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// How it is installed in its folder.
    install: &'static [&'static [&'static str]],
    /// What runs beside the cases, the server first.
    servers: &'static [&'static [&'static str]],
    /// What makes it ready.
    ready: &'static [&'static str],
    /// Plays cases; takes their width and number.
    drive: &'static [&'static str],
    /// How often it plays as many cases as are in flight, for one sample: enough for about two seconds.
    rounds: usize,
}

macro_rules! files {
    ($peer:literal: $($file:literal),* $(; $shared:literal)?) => {
        &[
            $(($file, include_str!(concat!("../../peers/", $peer, "/", $file))),)*
            $(($shared, include_str!(concat!("../../peers/", $shared))),)?
        ]
    };
}

const PIP: [&[&str]; 2] = [
    &["python3", "-m", "venv", "env"],
    &[
        "env/bin/pip",
        "install",
        "--quiet",
        "-r",
        "requirements.txt",
    ],
];

const PEERS: [Peer; 3] = [
    Peer {
        name: "restate",
        what: "Restate 1.7.12 on one node, each write of its log synced",
        files: files!("restate": "package.json", "restate.toml", "service.mjs", "drive.mjs"),
        install: &[&[
            "npm",
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ]],
        servers: &[
            &[RESTATE, "--no-logo", "-c", "restate.toml"],
            &["node", "service.mjs"],
        ],
        ready: &["node", "drive.mjs", "begin"],
        drive: &["node", "drive.mjs"],
        rounds: 20,
    },
    Peer {
        name: "dbos",
        what: "DBOS 3.4.0 on SQLite, synced",
        files: files!("dbos": "requirements.txt", "drive.py"; "play.py"),
        install: &PIP,
        servers: &[],
        ready: &[],
        drive: &["env/bin/python", "drive.py"],
        rounds: 2,
    },
    Peer {
        name: "duroxide",
        what: "duroxide 0.2.2 on SQLite, not synced (WAL, NORMAL)",
        files: files!("duroxide": "requirements.txt", "drive.py"; "play.py"),
        install: &PIP,
        servers: &[],
        ready: &[],
        drive: &["env/bin/python", "drive.py"],
        rounds: 2,
    },
];

const RESTATE: &str = if cfg!(target_arch = "aarch64") {
    "node_modules/@restatedev/restate-server-linux-arm64/bin/restate-server"
} else {
    "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server"
};

const IN_FLIGHT: usize = 64;

/// Those of the peers that are named, each beside us.
pub fn run(dir: &Path, samples: usize, named: &[String], emit: &mut dyn FnMut(Row)) -> Result<()> {
    for peer in PEERS {
        if named.iter().any(|name| name == peer.name) {
            beside(dir, &peer, samples, emit).with_context(|| peer.name)?;
        }
    }
    Ok(())
}

fn beside(dir: &Path, peer: &Peer, samples: usize, emit: &mut dyn FnMut(Row)) -> Result<()> {
    let home = install(peer)?;
    let data = dir.join(peer.name);
    fs::create_dir_all(&data)?;
    let servers = Servers::start(peer, &home, &data)?;
    let many = [Crowd::TWO_WORKERS, Crowd::ONE_WORKER];
    for (how, width, crowds) in [
        ("64 in flight", IN_FLIGHT, &many[..]),
        ("one at a time", 1, &[Crowd::ONE]),
    ] {
        let rounds = if width == 1 {
            peer.rounds * 8
        } else {
            peer.rounds
        };
        let mut ours: Vec<Vec<Flight>> = crowds.iter().map(|_| Vec::new()).collect();
        let mut theirs = Vec::new();
        for sample in 0..samples {
            for (crowd, flights) in crowds.iter().zip(&mut ours) {
                let dir = data.join(format!("ours-{width}-{sample}-{}", crowd.name));
                flights.push(cases::play(&dir, crowd, 40)?);
            }
            let output = output(peer, &home, &data, width, rounds)?;
            theirs.push(played(&output, 0.0)?);
        }
        let synced = syncs(peer, &home, &data, &servers, width, rounds)?;
        for (crowd, ours) in crowds.iter().zip(&ours) {
            let of =
                |all: &[Flight], part: fn(&Flight) -> f64| median(all.iter().map(part).collect());
            let how = match width {
                1 => how.to_owned(),
                _ => format!("{how}, {}", crowd.name),
            };
            let row = |what: &str, part: fn(&Flight) -> f64| {
                let name = format!("flow/beside {}/{how}, {what}", peer.name);
                Row::time(name, of(ours, part), of(&theirs, part), peer.what)
            };
            // The promise is of the one that syncs each step and does many at a time.
            let promise =
                |times| (peer.name == "restate" && width > 1).then(|| Target::ratio(times));
            let steps = row("durable steps", Flight::steps_a_second).in_unit("steps/s");
            emit(steps.with_target(promise(10.0)));
            emit(row("a case, p99 (wall)", |flight| flight.at(99)).with_target(promise(5.0)));
            emit(row("a case, median (wall)", |flight| flight.at(50)));
            if let Some(theirs) = &synced {
                let ours = of(ours, |flight| flight.syncs_a_case());
                let name = format!("flow/beside {}/{how}, syncs a case", peer.name);
                emit(Row::time(name, ours, theirs.syncs_a_case(), peer.what).in_unit("syncs"));
            }
        }
    }
    Ok(())
}

/// Its folder, with all it needs.
fn install(peer: &Peer) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let home = program
        .parent()
        .context("a program in no folder")?
        .join("peers");
    let home = home.join(peer.name);
    fs::create_dir_all(&home)?;
    for (name, text) in peer.files {
        fs::write(home.join(name), text)?;
    }
    let done = home.join("installed");
    let wanted: String = peer.files.iter().map(|(_, text)| *text).collect();
    if fs::read_to_string(&done).ok().as_ref() == Some(&wanted) {
        return Ok(home);
    }
    for command in peer.install {
        eprintln!("{}: {}", peer.name, command.join(" "));
        let status = in_folder(command, &home, &home)?.status();
        let status = status.with_context(|| format!("cannot start {}", command.join(" ")))?;
        ensure!(status.success(), "{} failed: {status}", command.join(" "));
    }
    fs::write(done, wanted)?;
    Ok(home)
}

/// A command, run where its data are to be; words that are files in its home stand for those.
fn in_folder(command: &[&str], home: &Path, data: &Path) -> Result<Command> {
    let there = |word: &&str| match home.join(word) {
        path if path.exists() => path.into_os_string(),
        _ => word.into(),
    };
    let mut words = command.iter().map(there);
    let mut command = Command::new(words.next().context("no program")?);
    command
        .args(words)
        .current_dir(data)
        .env("RESTATE_BASE_DIR", data.join("restate"));
    Ok(command)
}

/// What runs beside the cases; ended with this.
struct Servers(Vec<Child>);

impl Servers {
    fn start(peer: &Peer, home: &Path, data: &Path) -> Result<Servers> {
        let mut servers = Servers(Vec::new());
        for server in peer.servers {
            let mut command = in_folder(server, home, data)?;
            command.stdout(Stdio::null()).stderr(Stdio::null());
            servers.0.push(command.spawn()?);
        }
        if !peer.ready.is_empty() {
            let ready = in_folder(peer.ready, home, data)?.output()?;
            ensure!(
                ready.status.success(),
                "{}",
                String::from_utf8_lossy(&ready.stderr)
            );
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn output(peer: &Peer, home: &Path, data: &Path, width: usize, rounds: usize) -> Result<Output> {
    let mut command = in_folder(peer.drive, home, data)?;
    command.args([width.to_string(), (width * rounds).to_string()]);
    Ok(command.output()?)
}

/// What a driver printed, in milliseconds.
fn played(output: &Output, syncs: f64) -> Result<Flight> {
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().context("it printed nothing")?;
    let printed: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let millis = |n: &Value| Duration::try_from_secs_f64(n.as_f64()? / 1e3).ok();
    let times = printed.get("times").and_then(Value::as_array);
    let times = times.and_then(|times| times.iter().map(millis).collect());
    let wall = printed.get("all").and_then(millis);
    let both = times.zip(wall).with_context(|| line.to_owned());
    both.map(|(times, wall)| Flight::new(times, wall, syncs))
}

/// Plays once more and counts the syncs; none without strace.
fn syncs(
    peer: &Peer,
    home: &Path,
    data: &Path,
    servers: &Servers,
    width: usize,
    rounds: usize,
) -> Result<Option<Flight>> {
    let counted = data.join("syncs");
    let counted = counted.to_string_lossy();
    let watch = [
        "strace",
        "-c",
        "-f",
        "-e",
        "trace=fsync,fdatasync",
        "-o",
        &counted,
    ];
    let cases = (width * rounds).to_string();
    let numbers = [width.to_string(), cases];
    let output = match servers.0.first() {
        Some(server) => {
            let id = server.id().to_string();
            let watch = [&watch[..], &["-p", &id]].concat();
            let Ok(mut strace) = in_folder(&watch, home, data)?.stderr(Stdio::null()).spawn()
            else {
                return Ok(None);
            };
            std::thread::sleep(Duration::from_millis(500));
            let output = output(peer, home, data, width, rounds)?;
            let id = libc::pid_t::try_from(strace.id())?;
            // SAFETY: a number; the process is ours and not yet waited for.
            unsafe { libc::kill(id, libc::SIGINT) };
            strace.wait()?;
            output
        }
        None => {
            let command = [&watch[..], peer.drive].concat();
            let Ok(output) = in_folder(&command, home, data)?.args(numbers).output() else {
                return Ok(None);
            };
            output
        }
    };
    let table = fs::read_to_string(&*counted).unwrap_or_default();
    let syncs = table
        .lines()
        .filter(|line| line.ends_with("sync"))
        .map(|line| {
            let calls = line
                .split_whitespace()
                .nth(3)
                .and_then(|n| n.parse::<f64>().ok());
            calls.unwrap_or_default()
        });
    let syncs = syncs.sum();
    Ok(Some(played(&output, syncs)?))
}
