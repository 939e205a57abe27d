//! Several versions of a flow side by side: which there are, what runs on them, and what of that would fit another.

use std::collections::BTreeMap;
use std::sync::Arc;

use statewright_store::{Primitive, Reader, Space};

use super::mapping::Renames;
use super::relocate::Target;
use super::{Flows, keys, net_key, newest, record};
use crate::case::Status;
use crate::error::{Error, Result};
use crate::net::Net;

/// Cases and versions read at a time.
pub(super) const PAGE: usize = 256;

/// A deployed flow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowInfo {
    /// Its name.
    pub name: String,
    /// Everything that was deployed under the name, by version, then by key.
    pub versions: Vec<VersionInfo>,
}

/// One version of a flow. Two that state the same number and differ in content or folder are two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// What its spec states.
    pub version: u64,
    /// Names the exact content.
    pub key: String,
    /// The folder it was deployed from.
    pub dir: Option<String>,
    /// Whether new cases of the flow run on it.
    pub newest: bool,
    /// How many cases run on it that have not ended; those that are called by others are not counted.
    pub open: u64,
    /// How many have ended.
    pub ended: u64,
}

/// What moving the open cases of a flow to another version would do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The flow's name.
    pub flow: String,
    /// The version they would run on.
    pub version: u64,
    /// Its key.
    pub key: String,
    /// Every open case of the flow that runs on another version, oldest id first.
    pub cases: Vec<CasePlan>,
}

/// What moving one case would do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CasePlan {
    /// The case.
    pub case: String,
    /// The version that it runs on.
    pub version: u64,
    /// The key of that.
    pub key: String,
    /// Where it is in its life.
    pub status: Status,
    /// Why it cannot be moved; empty if its marking and its work have a place in the other version.
    pub reasons: Vec<String>,
    /// What would happen to it at once, in order: tasks offered, withdrawn, fired, or its end.
    pub follows: Vec<String>,
}

impl Flows {
    /// The deployed flows, by name, with all their versions. O(versions + cases).
    pub fn flows(&self) -> Result<Vec<FlowInfo>> {
        let view = self.store.snapshot();
        let mut flows: BTreeMap<String, Vec<VersionInfo>> = BTreeMap::new();
        let prefix = keys::net("");
        scan(&view, &prefix, |key, stored| {
            let text = |field: &str| {
                let value = stored.get(field);
                value.and_then(|v| v.as_str().map(str::to_owned))
            };
            let version = stored.get("version").and_then(|v| v.as_u64());
            let bad = || Error::damaged(&format!("{prefix}{key}"), "name");
            let (name, version) = text("name").zip(version).ok_or_else(bad)?;
            flows.entry(name).or_default().push(VersionInfo {
                version,
                key: key.to_owned(),
                dir: text("dir"),
                newest: false,
                open: 0,
                ended: 0,
            });
            Ok(())
        })?;
        let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        scan(&view, keys::CASE, |id, value| {
            let (open, ended) = counts.entry(record::net_of_case(id, value)?).or_default();
            let count = match record::status_of(id, value)?.is_final() {
                true => ended,
                false => open,
            };
            *count = count.saturating_add(1);
            Ok(())
        })?;
        let mut found = Vec::with_capacity(flows.len());
        for (name, mut versions) in flows {
            let newest = newest(&view, &name)?;
            for version in &mut versions {
                version.newest = newest.as_ref() == Some(&version.key);
                (version.open, version.ended) =
                    counts.get(&version.key).copied().unwrap_or_default();
            }
            versions.sort_by(|a, b| (a.version, &a.key).cmp(&(b.version, &b.key)));
            found.push(FlowInfo { name, versions });
        }
        Ok(found)
    }

    /// The net that a case runs on: that of the version of its flow with which it began. O(1) if it is in memory, else
    /// what compiling it takes.
    ///
    /// Fails with [`Error::UnknownCase`].
    pub fn net_of_case(&self, id: &str) -> Result<Arc<Net>> {
        Ok(self.load(id)?.0)
    }

    /// Checks every open case of a flow against another version of it, which need not be deployed, and tells what
    /// moving them would do ([`migrate`](Flows::migrate)). Places and tasks are the same if they have the same name.
    /// Nothing is changed. Cases that others called are looked at with those if they run on flows of the same spec.
    /// O(open cases).
    ///
    /// Fails with [`Error::InvalidSpec`].
    pub fn plan(&self, source: &str, dir: Option<&str>) -> Result<Plan> {
        self.plan_with(source, dir, &[])
    }

    /// As [`plan`](Flows::plan), with the names that tasks, places and flows under `flows` of the old versions have in
    /// the new one: pairs of an old and a new name.
    ///
    /// Fails with [`Error::InvalidSpec`] or [`Error::Input`].
    pub fn plan_with(
        &self,
        source: &str,
        dir: Option<&str>,
        renames: &[(String, String)],
    ) -> Result<Plan> {
        let names = Renames::new(renames)?;
        let net = Net::compile(source, dir).map_err(|problems| Error::InvalidSpec { problems })?;
        names.check(&net)?;
        let mut plan = Plan {
            flow: net.name.to_string(),
            version: net.version,
            key: net_key(source, dir),
            cases: Vec::new(),
        };
        let target = Target {
            net: Arc::new(net),
            key: plan.key.clone(),
        };
        for id in self.heads_of(&plan.flow, &plan.key)? {
            plan.cases.extend(self.plan_unit(&id, (&target, &names))?);
        }
        Ok(plan)
    }
}

/// Every document whose key begins with a prefix, by the rest of its key.
pub(super) fn scan(
    view: &impl Reader,
    prefix: &str,
    mut each: impl FnMut(&str, &statewright_value::Value) -> Result<()>,
) -> Result<()> {
    let space = Space::default();
    let mut after: Option<String> = None;
    loop {
        let page = view.doc_scan(Primitive::Flow, &space, prefix, after.as_deref(), PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for (key, value) in &page {
            if let Some(rest) = key.strip_prefix(prefix) {
                each(rest, value)?;
            }
        }
    }
}
