//! Migrations of the simulated cases: in cohorts, each one commit, and back again.
//!
//! That a moved case has the same tokens, and that just what can start on the other version is offered, is the token
//! game's to say ([`super::net`]); that it keeps its deadline, that of the laws ([`super::laws`]).

use std::collections::BTreeMap;

use statewright_flow::{
    CaseInfo, EventKind, Flows, HistoryEvent, MigrateOptions, Migrated, Migration,
};

use super::Checked;
use super::cases::Seen;
use super::past::own;
use super::world::World;

impl World {
    /// Somebody moves cases of a flow to one of its versions, or back.
    pub(super) fn move_cases(&mut self) -> Checked {
        if self.random.below(3) == 0 {
            return self.move_back();
        }
        let open = self.last().filter(|info| !info.status.is_final());
        let of = |info: &CaseInfo| {
            let game = self.cases.games.iter().find(|g| g.name == info.flow)?;
            let others = (1..).zip(&game.specs).filter(|(v, _)| *v != info.version);
            others.map(|(_, spec)| spec.clone()).next()
        };
        let specs: Vec<String> = open.filter_map(of).collect();
        let Some(spec) = self.pick(&specs) else {
            return self.advance_cases();
        };
        let options = MigrateOptions {
            cohort: 1 + self.random.below(3) as usize,
            cases: match self.random.below(3) {
                0 => self.pick(&self.ids(true)).map(|one| vec![one]),
                _ => None,
            },
            ..MigrateOptions::default()
        };
        self.call("deploy", |flows| flows.deploy(&spec, None))?;
        let before = self.see()?.unwrap_or_default();
        let done = self.call("migrate", |flows| flows.migrate(&spec, None, &options))?;
        match done {
            Some(done) => self.moved(&before, &done, None),
            None => Ok(()),
        }
    }

    /// Somebody undoes a migration.
    fn move_back(&mut self) -> Checked {
        let flows = self.flows()?;
        let all = flows.migrations();
        self.cases.flows = Some(flows);
        let ids: Vec<String> = all.into_iter().flatten().map(|m| m.id).collect();
        let Some(id) = self.pick(&ids) else {
            return Ok(());
        };
        let before = self.see()?.unwrap_or_default();
        let done = self.call("undo a migration", |flows| flows.undo_migration(&id))?;
        match done {
            Some(done) => self.moved(&before, &done, Some(&id)),
            None => Ok(()),
        }
    }

    /// What a migration says that it did is what it did.
    fn moved(&mut self, before: &Seen, done: &Migrated, undone: Option<&str>) -> Checked {
        let of = |id: &str| before.infos.iter().find(|info| info.id == id);
        for plan in &done.left {
            let now = self.live(&plan.case)?;
            let version = now.as_ref().map(|now| now.version);
            if plan.reasons.is_empty() || version != of(&plan.case).map(|info| info.version) {
                return Err(format!("a case that was left is {now:?}, for {plan:?}"));
            }
        }
        for plan in &done.moved {
            let Some((was, now)) = of(&plan.case).zip(self.live(&plan.case)?) else {
                continue;
            };
            let flows = self.flows()?;
            let history = flows.history(&plan.case, 0);
            self.cases.flows = Some(flows);
            let history = history.unwrap_or_default();
            let expected = match undone {
                None => Some(done.version),
                Some(undone) => came_from(&history, undone),
            };
            if Some(now.version) != expected || was.version != plan.version || was.data != now.data
            {
                return Err(format!(
                    "a case was moved to {expected:?} by {plan:?}: {was:?}, then {now:?}"
                ));
            }
        }
        Ok(())
    }
}

/// The version from which a migration had moved a case.
fn came_from(history: &[HistoryEvent], migration: &str) -> Option<u64> {
    let of = |e: &&HistoryEvent| {
        let id = e.detail.get("migration");
        e.kind == EventKind::CaseMigrated && id.is_some_and(|id| id.as_str() == Some(migration))
    };
    let moved = history.iter().rfind(of)?;
    moved.detail.get("from")?.get("version")?.as_u64()
}

/// Every migration has moved as many cases as it says: what a commit did to a cohort is there, all of it.
pub(super) fn whole(flows: &Flows, infos: &[CaseInfo]) -> Result<Checked, statewright_flow::Error> {
    let migrations = flows.migrations()?;
    if migrations.is_empty() {
        return Ok(Ok(()));
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for info in infos.iter().filter(|info| !info.id.contains('~')) {
        let history = flows.history(&info.id, 0)?;
        let moves = own(&history).iter();
        let ids = moves.filter(|e| e.kind == EventKind::CaseMigrated);
        for id in ids.filter_map(|e| e.detail.get("migration")) {
            let id = id.as_str().unwrap_or_default().to_owned();
            *counts.entry(id).or_default() += 1;
        }
    }
    let wrong = |m: &&Migration| counts.get(&m.id).copied().unwrap_or(0) != m.cases;
    Ok(match migrations.iter().find(wrong) {
        Some(wrong) => Err(format!("{wrong:?} did not move so many cases: {counts:?}")),
        None => Ok(()),
    })
}
