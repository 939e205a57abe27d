//! Running cases and the versions of their flows: planned, moved and moved back; cases made of others.

use statewright_flow::{
    ForkOptions, Forked, MigrateOptions, Migrated, Migration, Moved, Plan, Replayed,
};

use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Checks every open case of a flow against another version of it, and tells what moving them would do. `renames`
    /// are pairs of an old and a new name of tasks, places and flows under `flows`. Nothing is changed.
    ///
    /// # Errors
    /// As [`Flows::plan_with`](statewright_flow::Flows::plan_with).
    pub fn plan(
        &self,
        spec: &str,
        dir: Option<&str>,
        renames: &[(String, String)],
    ) -> Result<Plan> {
        Ok(self.core.flows.plan_with(spec, dir, renames)?)
    }

    /// Moves running cases of a flow to the version that a spec states, as far as they have a place there, and goes
    /// on with them. Its `events` were followed.
    ///
    /// # Errors
    /// As [`Flows::migrate`](statewright_flow::Flows::migrate).
    pub fn migrate(
        &self,
        spec: &str,
        dir: Option<&str>,
        options: &MigrateOptions,
    ) -> Result<Migrated> {
        self.core.check()?;
        self.following(|each| self.core.flows.migrate_each(spec, dir, options, each))
    }

    /// Moves the cases of a migration (its id, or a flow's name for the newest of that) back, as far as they still
    /// have a place there.
    ///
    /// # Errors
    /// As [`Flows::undo_migration`](statewright_flow::Flows::undo_migration).
    pub fn undo_migration(&self, migration: &str) -> Result<Migrated> {
        self.core.check()?;
        self.following(|each| self.core.flows.undo_migration_each(migration, each))
    }

    /// The migrations that were made, oldest first.
    ///
    /// # Errors
    /// As [`Flows::migrations`](statewright_flow::Flows::migrations).
    pub fn migrations(&self) -> Result<Vec<Migration>> {
        Ok(self.core.flows.migrations()?)
    }

    /// Makes a new case of another one as it was after an event of its history, and goes on with it. Its `moved` was
    /// followed.
    ///
    /// # Errors
    /// As [`Flows::fork`](statewright_flow::Flows::fork).
    pub fn fork_case(&self, case: &str, at: u64, options: &ForkOptions) -> Result<Forked> {
        self.core.check()?;
        let forked = self.core.flows.fork(case, at, options)?;
        self.core.follow(forked.moved.clone())?;
        Ok(forked)
    }

    /// Does a recorded case again and tells where it comes out otherwise; with a spec (its text and folder), on that.
    /// Nothing is changed.
    ///
    /// # Errors
    /// As [`Flows::replay`](statewright_flow::Flows::replay).
    pub fn replay_case(&self, case: &str, with: Option<(&str, Option<&str>)>) -> Result<Replayed> {
        Ok(self.core.flows.replay(case, with)?)
    }

    /// Goes on with what a migration does as it comes, so also with what was done before it failed.
    fn following(
        &self,
        migrate: impl FnOnce(&mut dyn FnMut(Vec<Moved>)) -> statewright_flow::Result<Migrated>,
    ) -> Result<Migrated> {
        let mut followed = Ok(());
        let done = migrate(&mut |moved| {
            let now = self.core.follow_all(moved);
            followed = std::mem::replace(&mut followed, Ok(())).and(now);
        });
        let done = done?;
        followed.map(|()| done)
    }
}
