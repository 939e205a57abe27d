//! Moving running cases to another version, and back.
//!
//! A cohort is one commit: each of its cases is moved as a whole or stays as it is, and after a crash all that its
//! commit says has happened or none of it. What is needed to move them back is written with it.

use std::sync::Arc;

use statewright_log::Timestamp;
use statewright_store::{Primitive, Reader, Space, Txn};
use statewright_value::{Value, value};

use super::batch::Batch;
use super::mapping::Renames;
use super::relocate::{self, Target};
use super::versions::{CasePlan, PAGE, scan};
use super::{Flows, Moved, keys, record, save};
use crate::error::{Error, Result};
use crate::ids;
use crate::net::Net;

/// Cases moved in one commit at most.
const MAX_COHORT: usize = 4096;

/// How cases are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrateOptions {
    /// How many cases one commit moves, 1 to 4096; those that a case called move with it and are not counted.
    pub cohort: usize,
    /// What tasks, places and flows under `flows` of the old versions are called in the new one, as pairs of an old
    /// and a new name. The place between two tasks (`A>B`) follows them.
    pub renames: Vec<(String, String)>,
    /// Only these cases; all that are open if none.
    pub cases: Option<Vec<String>>,
}

impl Default for MigrateOptions {
    /// All open cases, 256 in a commit, by the same names.
    fn default() -> Self {
        MigrateOptions {
            cohort: 256,
            renames: Vec::new(),
            cases: None,
        }
    }
}

/// What moving cases did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Migrated {
    /// Names this migration, to undo it; none if no case was moved.
    pub id: Option<String>,
    /// The flow's name.
    pub flow: String,
    /// The version that they were moved to; of an undoing, the version that was left.
    pub version: u64,
    /// The cases that were moved, and what followed at once. `version` and `key` are those that they ran on.
    pub moved: Vec<CasePlan>,
    /// The cases that were not, and why.
    pub left: Vec<CasePlan>,
    /// What happened, for whoever drives the cases.
    pub events: Vec<Moved>,
}

/// A migration that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Its id; ids sort by time.
    pub id: String,
    /// The flow's name.
    pub flow: String,
    /// The version that the cases were moved to; of one that undoes another, the version that was left.
    pub version: u64,
    /// The key of that.
    pub key: String,
    /// When it began.
    pub at: Timestamp,
    /// How many cases it moved, without those that they called.
    pub cases: u64,
    /// The migration that it undid, if it did.
    pub undoes: Option<String>,
}

/// Where the cases of a migration go.
struct Plan<'a> {
    flow: String,
    /// None if each goes back to where it came from.
    target: Option<Target>,
    names: Renames,
    /// What the migration's document says of the version.
    version: u64,
    key: String,
    undoes: Option<&'a str>,
    /// Cases in a commit.
    cohort: usize,
}

/// What became of a cohort: what was done or why not, case by case.
type Cohort = (Vec<Moved>, Vec<CasePlan>);

impl Flows {
    /// Moves running cases of a flow to the version that a spec states, which is deployed if it is not: new cases run
    /// on it too. A case is moved if all of it has a place there ([`plan`](Flows::plan)), which is looked at again in
    /// the commit that moves it; with it move the cases that it called and that run on flows of the same spec. What
    /// was claimed stays claimed, timers go on, and what is offered and not the same any more is offered anew.
    /// A cohort of cases is one commit: all of it is done or nothing.
    ///
    /// O(open cases). Each moved case has a [`CaseMigrated`](crate::EventKind::CaseMigrated) in its history.
    ///
    /// Fails with [`Error::InvalidSpec`] or [`Error::Input`], and then nothing was changed. Any other failure leaves
    /// the cohorts that were committed; calling it again moves the rest.
    ///
    /// ```
    /// use statewright_flow::{Flows, MigrateOptions};
    /// use statewright_store::{Env, Place, Store, StoreOptions};
    /// use statewright_value::Value;
    ///
    /// let store = Store::open(Env::real(), Place::Memory, StoreOptions::default())?;
    /// let flows = Flows::new(store);
    /// let first = "name: order\nversion: 1\ntasks: { pay: { kind: host } }";
    /// flows.deploy(first, None)?;
    /// flows.start("order", &Value::NULL, Some("17"))?;
    ///
    /// let second = "name: order\nversion: 2\ntasks: { pay: { kind: host, next: ship }, ship: { kind: host } }";
    /// let done = flows.migrate(second, None, &MigrateOptions::default())?;
    /// assert_eq!((done.moved.len(), flows.case("17")?.version), (1, 2));
    ///
    /// flows.undo_migration(&done.id.unwrap_or_default())?;
    /// assert_eq!(flows.case("17")?.version, 1);
    /// # Ok::<(), statewright_flow::Error>(())
    /// ```
    pub fn migrate(
        &self,
        source: &str,
        dir: Option<&str>,
        options: &MigrateOptions,
    ) -> Result<Migrated> {
        let mut events = Vec::new();
        let mut done =
            self.migrate_each(source, dir, options, &mut |moved| events.extend(moved))?;
        done.events = events;
        Ok(done)
    }

    /// As [`migrate`](Flows::migrate). What happened in a cohort is given to `each` as soon as it is durable, so that
    /// its cases are driven even if a later one fails; [`events`](Migrated::events) has none of it.
    ///
    /// # Errors
    /// As [`migrate`](Flows::migrate).
    pub fn migrate_each(
        &self,
        source: &str,
        dir: Option<&str>,
        options: &MigrateOptions,
        each: &mut dyn FnMut(Vec<Moved>),
    ) -> Result<Migrated> {
        let names = Renames::new(&options.renames)?;
        if options.cohort == 0 || options.cohort > MAX_COHORT {
            let why = format!("a cohort has 1 to {MAX_COHORT} cases");
            return Err(Error::Input { why });
        }
        let net = Net::compile(source, dir).map_err(|problems| Error::InvalidSpec { problems })?;
        names.check(&net)?;
        for id in options.cases.iter().flatten() {
            if save::read(&self.store.snapshot(), &keys::case(id))?.is_none() {
                return Err(Error::UnknownCase { case: id.clone() });
            }
        }
        let deployed = self.deploy(source, dir)?;
        let target = Target {
            net: Arc::new(net),
            key: deployed.key.clone(),
        };
        let plan = Plan {
            flow: deployed.name.clone(),
            target: Some(target),
            names,
            version: deployed.version,
            key: deployed.key,
            undoes: None,
            cohort: options.cohort,
        };
        let cases = match &options.cases {
            Some(cases) => cases.clone(),
            None => self.heads_of(&plan.flow, &plan.key)?,
        };
        self.run_migration(&plan, &cases, each)
    }

    /// Moves the cases of a migration back to the versions on which they were before, as far as they still have a
    /// place there: those that have gone on into what the old version has not stay, as do those that have ended or
    /// were moved again since. It is a migration itself, and can be undone. O(cases of it).
    ///
    /// `migration` is its id, or a flow's name for the newest one of that flow that is not undone and undoes nothing.
    /// What new cases run on is not changed.
    ///
    /// Fails with [`Error::Input`] if there is none.
    pub fn undo_migration(&self, migration: &str) -> Result<Migrated> {
        let mut events = Vec::new();
        let mut done = self.undo_migration_each(migration, &mut |moved| events.extend(moved))?;
        done.events = events;
        Ok(done)
    }

    /// As [`undo_migration`](Flows::undo_migration), and gives `each` what happened as
    /// [`migrate_each`](Flows::migrate_each) does.
    ///
    /// # Errors
    /// As [`undo_migration`](Flows::undo_migration).
    pub fn undo_migration_each(
        &self,
        migration: &str,
        each: &mut dyn FnMut(Vec<Moved>),
    ) -> Result<Migrated> {
        let all = self.migrations()?;
        let undone = |m: &Migration| all.iter().any(|o| o.undoes.as_ref() == Some(&m.id));
        let of_flow = |m: &&Migration| m.flow == migration && m.undoes.is_none() && !undone(m);
        let found = all.iter().find(|m| m.id == migration);
        let found = found.or_else(|| all.iter().rev().find(of_flow));
        let of = found.ok_or_else(|| {
            let why = format!(
                "there is no migration '{migration}', and none of such a flow to be undone"
            );
            Error::Input { why }
        })?;
        let (view, prefix) = (self.store.snapshot(), keys::cohorts(&of.id));
        let mut cases = Vec::new();
        scan(&view, &prefix, |_, list| {
            cases.extend(list.items().filter_map(|id| id.as_str().map(str::to_owned)));
            Ok(())
        })?;
        let document = save::read(&view, &keys::migration(&of.id))?.unwrap_or_default();
        let text = |row: &Value, at| {
            row.index(at)
                .and_then(|t: Value| t.as_str().map(str::to_owned))
        };
        let names = document.get("names").unwrap_or_default();
        let pairs: Vec<(String, String)> = names
            .items()
            .filter_map(|pair| text(&pair, 0).zip(text(&pair, 1)))
            .collect();
        let plan = Plan {
            flow: of.flow.clone(),
            target: None,
            names: Renames::new(&pairs)?.back(),
            version: of.version,
            key: of.key.clone(),
            undoes: Some(&of.id),
            cohort: MigrateOptions::default().cohort,
        };
        self.run_migration(&plan, &cases, each)
    }

    /// The migrations that were made, oldest first, whatever the clock did. O(m log m + their cohorts).
    pub fn migrations(&self) -> Result<Vec<Migration>> {
        let view = self.store.snapshot();
        let mut found: Vec<(Option<u64>, Migration)> = Vec::new();
        scan(&view, keys::MIGRATION, |id, value| {
            let text = |field: &str| value.get(field).and_then(|t| t.as_str().map(str::to_owned));
            let number = |field: &str| value.get(field).and_then(|n| n.as_u64());
            let at = value.get("at").and_then(|at| at.as_i64());
            let bad = || Error::damaged(&keys::migration(id), "flow");
            let migration = Migration {
                id: id.to_owned(),
                flow: text("flow").ok_or_else(bad)?,
                version: number("version").ok_or_else(bad)?,
                key: text("key").ok_or_else(bad)?,
                at: Timestamp::from_micros(at.ok_or_else(bad)?),
                cases: 0,
                undoes: text("undoes"),
            };
            found.push((number("since"), migration));
            Ok(())
        })?;
        // Ids sort by the clock's milliseconds, which two can share and which can go back. The sort is stable.
        found.sort_by_key(|(since, _)| *since);
        let mut found: Vec<Migration> = found.into_iter().map(|(_, m)| m).collect();
        for migration in &mut found {
            scan(&view, &keys::cohorts(&migration.id), |_, list| {
                migration.cases = migration.cases.saturating_add(list.len() as u64);
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// The open cases of a flow that run on other versions and nobody of the same spec called, oldest id first.
    pub(super) fn heads_of(&self, flow: &str, key: &str) -> Result<Vec<String>> {
        let mut heads = Vec::new();
        let mut after = None;
        loop {
            let page = self.open_cases(after.as_deref(), PAGE)?;
            if page.is_empty() {
                return Ok(heads);
            }
            let view = self.store.snapshot();
            for id in &page {
                // It may have gone since the page was read.
                let Some(value) = save::read(&view, &keys::case(id))? else {
                    continue;
                };
                let of = record::net_of_case(id, &value)?;
                if of != key
                    && *self.net(&view, &of)?.name == *flow
                    && !record::status_of(id, &value)?.is_final()
                    && relocate::is_head(&view, id, &value)?
                {
                    heads.push(id.clone());
                }
            }
            after = page.into_iter().next_back();
        }
    }

    fn run_migration(
        &self,
        plan: &Plan<'_>,
        cases: &[String],
        each: &mut dyn FnMut(Vec<Moved>),
    ) -> Result<Migrated> {
        let id = ids::new_case_id(self.store.env())?;
        let mut report = Migrated {
            id: None,
            flow: plan.flow.clone(),
            version: plan.version,
            moved: Vec::new(),
            left: Vec::new(),
            events: Vec::new(),
        };
        let mut cohorts = 0;
        let mut done = |report: &mut Migrated, (events, plans): Cohort, cohorts| {
            each(events);
            report.add(plans, &id, cohorts)
        };
        for cohort in cases.chunks(plan.cohort.max(1)) {
            let parts: Vec<&[String]> = match self.run_cohort(plan, &id, cohorts, cohort) {
                Ok(moved) => {
                    cohorts = done(&mut report, moved, cohorts);
                    continue;
                }
                // What one of them would become cannot be stored: which, is found out one by one.
                Err(Error::Store(e)) if e.is_about_input() => cohort.chunks(1).collect(),
                Err(other) => return Err(other),
            };
            for one in parts {
                match self.run_cohort(plan, &id, cohorts, one) {
                    Ok(moved) => cohorts = done(&mut report, moved, cohorts),
                    Err(Error::Store(e)) if e.is_about_input() => {
                        for case in one {
                            let why = format!("it cannot be stored on the other version: {e}");
                            report
                                .left
                                .extend(self.stays(&self.store.snapshot(), case, why)?);
                        }
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(report)
    }

    /// A case that is left as it is.
    fn stays(&self, view: &impl Reader, id: &str, why: String) -> Result<Option<CasePlan>> {
        let Some(value) = save::read(view, &keys::case(id))? else {
            return Ok(None);
        };
        let key = record::net_of_case(id, &value)?;
        Ok(Some(CasePlan {
            case: id.to_owned(),
            version: self.net(view, &key)?.version,
            key,
            status: record::status_of(id, &value)?,
            reasons: vec![why],
            follows: Vec::new(),
        }))
    }

    /// Moves those of a cohort that fit, in one commit.
    fn run_cohort(
        &self,
        plan: &Plan<'_>,
        id: &str,
        number: u64,
        cases: &[String],
    ) -> Result<Cohort> {
        let mut batch = self.batch(cases.iter().map(String::as_str));
        let done =
            batch.transact_all(|batch, txn| self.cohort(plan, (id, number), cases, batch, txn));
        batch.settled(done)
    }

    fn cohort(
        &self,
        plan: &Plan<'_>,
        (id, number): (&str, u64),
        cases: &[String],
        batch: &Batch<'_>,
        txn: &Txn,
    ) -> Result<Cohort> {
        let (mut events, mut plans, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        for case in cases {
            let to = match self.target_of(plan, txn, case)? {
                Ok(to) => to,
                Err(why) => {
                    plans.extend(self.stays(txn, case, why)?);
                    continue;
                }
            };
            let mut family = batch.family(case, txn)?;
            let done = family.relocate(case, (&to, &plan.names), (id, plan.undoes))?;
            if done.as_ref().is_some_and(|plan| plan.reasons.is_empty()) {
                moved.push(Value::from(case.as_str()));
            }
            plans.extend(done);
            events.extend(family.finish()?);
        }
        if !moved.is_empty() {
            let space = Space::default();
            if number == 0 {
                let document = plan.document(self.now(), txn.snapshot_version());
                txn.doc_create(Primitive::Flow, &space, &keys::migration(id), document)?;
            }
            let list = moved.into_iter().collect();
            txn.doc_create(Primitive::Flow, &space, &keys::cohort(id, number), list)?;
        }
        Ok((events, plans))
    }

    /// Where a case is to go, or why it stays.
    fn target_of(
        &self,
        plan: &Plan<'_>,
        view: &impl Reader,
        id: &str,
    ) -> Result<Result<Target, String>> {
        let Some(value) = save::read(view, &keys::case(id))? else {
            return Ok(Err("it is not there any more".to_owned()));
        };
        let status = record::status_of(id, &value)?;
        if status.is_final() {
            return Ok(Err(format!("it has ended: {status}")));
        }
        let key = record::net_of_case(id, &value)?;
        if let Some(target) = &plan.target {
            let why = if key == target.key {
                "it runs on that version already"
            } else if *self.net(view, &key)?.name != *plan.flow {
                "it is a case of another flow"
            } else if !relocate::is_head(view, id, &value)? {
                "it moves with the case that called it"
            } else {
                return Ok(Ok(target.clone()));
            };
            return Ok(Err(why.to_owned()));
        }
        let last = relocate::moves_of(&value).pop();
        match last.filter(|(_, _, by)| Some(by.as_str()) == plan.undoes) {
            None => Ok(Err("it was moved again since".to_owned())),
            Some((_, from, _)) => Ok(Ok(Target {
                net: self.net(view, relocate::spec_of(&from))?,
                key: relocate::spec_of(&from).to_owned(),
            })),
        }
    }
}

impl Plan<'_> {
    /// What is stored of a migration that began at a time and a version of the store.
    fn document(&self, now: Timestamp, since: u64) -> Value {
        let pair = |(old, new)| Value::from([Value::from(old), Value::from(new)]);
        let names = self.names.pairs().map(pair);
        let mut document = value!({
            "flow": (self.flow.as_str()), "version": (self.version), "key": (self.key.as_str()),
            "at": (now.as_micros()), "since": (since), "names": (names.collect::<Value>()),
        });
        if let Some(undoes) = self.undoes {
            // An object that was just made takes another key.
            let _ = document.insert("undoes", Value::from(undoes));
        }
        document
    }
}

impl Migrated {
    /// Adds a cohort; gives how many there are.
    fn add(&mut self, plans: Vec<CasePlan>, id: &str, cohorts: u64) -> u64 {
        let before = self.moved.len();
        for plan in plans {
            match plan.reasons.is_empty() {
                true => self.moved.push(plan),
                false => self.left.push(plan),
            }
        }
        if self.moved.len() == before {
            return cohorts;
        }
        self.id = Some(id.to_owned());
        cohorts.saturating_add(1)
    }
}
