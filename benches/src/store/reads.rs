//! Gets and scans of keys that are there, where nothing waits for a disk.

use anyhow::{Result, ensure};

use super::Run;
use super::contender::{Key, Promise, Value, keys};
use crate::measure::in_turn_warm;
use crate::report::Target;

/// Gets, each from a snapshot of its own.
pub fn get(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let mut stage = run.stage(promise)?;
    let (known, operations) = (run.size.keys, 20_000);
    let times = in_turn_warm(
        &mut stage.all,
        run.size.samples,
        operations,
        |round| keys(round, known, operations),
        |contender, keys| {
            keys.iter().try_for_each(|key| {
                let found = contender.get(key)?;
                ensure!(found == Some(size_of::<Value>()), "a key is lost");
                Ok(())
            })
        },
    )?;
    let target = Some(Target::ratio(2.0));
    run.rows(promise, "get", &stage.who, &times, target);
    run.keep(stage);
    Ok(())
}

/// Gets from one snapshot.
pub fn gets(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    let mut stage = run.stage(promise)?;
    let (known, operations) = (run.size.keys, 20_000);
    let times = in_turn_warm(
        &mut stage.all,
        run.size.samples,
        operations,
        |round| keys(round, known, operations),
        |contender, keys| {
            let found = contender.get_all(keys)?;
            ensure!(found == operations * size_of::<Value>(), "a key is lost");
            Ok(())
        },
    )?;
    run.rows(promise, "gets, one snapshot", &stage.who, &times, None);
    run.keep(stage);
    Ok(())
}

/// Scans of a hundred entries from a random one on; the time is of the whole scan.
pub fn scan(run: &mut Run<'_>, promise: Promise) -> Result<()> {
    const LENGTH: usize = 100;
    let mut stage = run.stage(promise)?;
    let (known, operations) = (run.size.keys, 100);
    let times = in_turn_warm(
        &mut stage.all,
        run.size.samples,
        operations,
        |round| keys(round, known, operations),
        |contender, keys| {
            keys.iter().try_for_each(|key| {
                // The last keys have fewer after them, and counters may be among them.
                let found = contender.scan(key, LENGTH)?;
                ensure!(found >= size_of::<(Key, Value)>(), "a key is lost");
                Ok(())
            })
        },
    )?;
    let target = Some(Target::ratio(1.0));
    run.rows(promise, "scan of 100", &stage.who, &times, target);
    run.keep(stage);
    Ok(())
}
