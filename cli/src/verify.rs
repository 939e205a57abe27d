//! `statewright verify` and `repair`: the folder of a store that nobody has open.

use std::path::Path;

use statewright::store::{Damage, Verification};
use statewright::{Env, Store, Value, value};

use crate::args::{Repair, Verify};
use crate::console::{BAD, BOLD, GOOD, Out, WARN, one_line};
use crate::exit::{Exit, Result};

pub fn verify(options: &Verify) -> Result<Exit> {
    let found = Store::verify(&Env::real(), &options.dir)?;
    let mut out = Out::new();
    if options.json {
        out.line(found_to_value(&options.dir, &found))?;
    } else {
        summary(&options.dir, &found, &mut out)?;
    }
    out.flush()?;
    Ok(match found.damage.iter().all(|damage| damage.covered) {
        true if found.damage.is_empty() => Exit::Done,
        true => Exit::No,
        false => Exit::Store,
    })
}

pub fn repair(options: &Repair) -> Result<Exit> {
    let env = Env::real();
    let done = if options.yes {
        Store::repair(&env, &options.dir)?
    } else {
        Store::plan_repair(&env, &options.dir)?
    };
    let undone = done.changed && !options.yes;
    let mut out = Out::new();
    if options.json {
        let kept: Value = done.kept.iter().map(|path| text(path)).collect();
        out.line(value!({
            "store": (text(&options.dir)),
            "damaged": (done.changed),
            "repaired": (done.changed && options.yes),
            "last_version": (done.last_version),
            "lost_commits": (done.lost_commits),
            "kept": (kept),
            "before": (found_to_value(&options.dir, &done.before)),
        }))?;
    } else {
        summary(&options.dir, &done.before, &mut out)?;
        let (last, lost) = (done.last_version, done.lost_commits);
        let lost = match lost {
            0 => "no commit that is known of is lost".to_owned(),
            1 => "1 commit is lost".to_owned(),
            _ => format!("{lost} commits are lost"),
        };
        match (done.changed, undone) {
            (false, _) => out.line("there is nothing to repair")?,
            (true, true) => out.line(format!(
                "{WARN}a repair{WARN:#} would keep commits up to {last}; {lost}. Nothing was changed; add --yes to do it"
            ))?,
            (true, false) => {
                out.line(format!("{GOOD}repaired{GOOD:#}: commits up to {last} are there; {lost}"))?;
                for path in &done.kept {
                    out.line(format!("  as it was: {}", one_line(&path.display().to_string())))?;
                }
            }
        }
    }
    out.flush()?;
    Ok(if undone { Exit::Store } else { Exit::Done })
}

fn summary(dir: &Path, found: &Verification, out: &mut Out) -> Result<()> {
    let plural = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    out.line(format!(
        "{BOLD}{}{BOLD:#}: {} in {} and {}, {} of content, last version {}",
        one_line(&dir.display().to_string()),
        plural(found.commits, "sound commit"),
        plural(found.segments, "segment"),
        plural(found.checkpoints, "checkpoint"),
        plural(found.bytes, "byte"),
        found.last_version
    ))?;
    for damage in &found.damage {
        describe(damage, out)?;
    }
    let end = match (found.damage.is_empty(), found.clean, found.torn_bytes) {
        (false, ..) => return Ok(()),
        (true, true, _) => "it was closed properly".to_owned(),
        (true, false, 0) => "it was not closed; the next opening sees to it".to_owned(),
        (true, false, torn) => {
            format!("it was not closed; the next opening cuts {torn} bytes of unfinished writes")
        }
    };
    out.line(format!("{GOOD}nothing is damaged{GOOD:#}; {end}"))
}

fn describe(damage: &Damage, out: &mut Out) -> Result<()> {
    let path = damage.path.display().to_string();
    out.line(format!(
        "{BAD}damaged{BAD:#}: {} at byte {}: {}",
        one_line(&path),
        damage.offset,
        one_line(&damage.problem)
    ))?;
    let behind = match damage.behind {
        0 => String::new(),
        1 => "; 1 commit behind it in this file".to_owned(),
        n => format!("; {n} commits behind it in this file"),
    };
    if damage.covered {
        out.line(
            "  a checkpoint has the state behind it: only history is damaged, and the store opens",
        )
    } else {
        out.line(format!(
            "  the last good commit is {}{behind}",
            damage.last_good
        ))
    }
}

fn text(path: &Path) -> Value {
    Value::from(&*path.to_string_lossy())
}

fn found_to_value(dir: &Path, found: &Verification) -> Value {
    let damage: Value = found.damage.iter().map(damage_to_value).collect();
    value!({
        "store": (text(dir)),
        "sound": (found.damage.is_empty()),
        "clean": (found.clean),
        "segments": (found.segments),
        "checkpoints": (found.checkpoints),
        "buffered_segments": (found.buffered_segments),
        "commits": (found.commits),
        "bytes": (found.bytes),
        "last_version": (found.last_version),
        "torn_bytes": (found.torn_bytes),
        "damage": (damage),
    })
}

fn damage_to_value(damage: &Damage) -> Value {
    value!({
        "file": (text(&damage.path)),
        "offset": (damage.offset),
        "problem": (damage.problem.as_str()),
        "last_good": (damage.last_good),
        "behind": (damage.behind),
        "covered": (damage.covered),
    })
}
