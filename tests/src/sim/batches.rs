//! Many items in one call: cases started, results given back and automatic tasks fired in batches, each a commit of its
//! own, that wait for the disk together.

use std::collections::BTreeSet;

use statewright_flow::{Error, Failure, Outcome, Queue};
use statewright_value::value;

use super::Checked;
use super::cases::{Claim, MOST, REFUSED};
use super::world::World;

/// Results that are given back in one call at most.
const RESULTS: u64 = 5;

impl World {
    /// Several cases of a flow.
    pub(super) fn start_many(&mut self) -> Checked {
        let count = 1 + self.random.below(3);
        if self.cases.started + count > MOST {
            return self.advance_many();
        }
        let Some(name) = self.deploy_some()? else {
            return Ok(());
        };
        self.cases.started += count;
        let input = |_| value!({"x": (self.random.below(4))});
        let mut inputs: Vec<_> = (0..count).map(input).collect();
        // One of them is refused, and the others are not.
        let bad = self.random.below(4 * count) as usize;
        if let Some(input) = inputs.get_mut(bad) {
            *input = value!("no object");
        }
        let what = format!("start {count} of {name}");
        let started = self.call_many(&what, count, |flows| {
            let started = flows.start_all(&name, &inputs)?;
            settled(started)
        })?;
        for (at, started) in started.iter().flatten().enumerate() {
            if started.is_err() != (at == bad) && !self.has_failed() {
                return Err(format!("{what}: input {at}: {started:?}"));
            }
        }
        Ok(())
    }

    /// Deploys a version of one of the flows; gives its name.
    pub(super) fn deploy_some(&mut self) -> Checked<Option<String>> {
        let at = self.random.below(self.cases.games.len() as u64) as usize;
        let Some(game) = self.cases.games.get(at) else {
            return Ok(None);
        };
        let version = self.random.below(game.specs.len() as u64) as usize;
        let spec = game.specs.get(version).cloned().unwrap_or_default();
        let name = game.name.clone();
        let deployed = self.call(&format!("deploy {name}"), |flows| flows.deploy(&spec, None))?;
        Ok(deployed.map(|_| name))
    }

    /// All cases that go on by themselves, a step each.
    pub(super) fn advance_many(&mut self) -> Checked {
        let mut ids = self.ids(true);
        ids.truncate(4);
        let most = ids.len() as u64;
        self.call_many("advance all", most, |flows| flows.advance_all(&ids))?;
        Ok(())
    }

    /// A worker that has several items gives back what became of them, some of them perhaps twice.
    pub(super) fn deliver(&mut self) -> Checked {
        let count = self.cases.claims.len() as u64;
        let mut claims: Vec<Claim> = Vec::new();
        for _ in 0..=self.random.below(RESULTS) {
            let back = 1 + self.random.below(count.min(RESULTS + 1));
            let at = count.saturating_sub(back) as usize;
            claims.extend(self.cases.claims.get(at).cloned());
        }
        let (mut outcomes, mut judged, mut given) = (Vec::new(), Vec::new(), Vec::new());
        for claim in claims {
            let fails = self.random.below(6) == 0;
            let is_good = self.is_good(&claim)?;
            if is_good == Some(false) && self.random.below(4) > 0 {
                continue;
            }
            let absent = self.live(&claim.case)?.is_none();
            judged.push((is_good, absent));
            outcomes.push(Outcome {
                token: claim.token.clone(),
                result: match fails {
                    true => Err(Failure::new("oops", "it was to be")),
                    false => Ok(self.result_of(&claim.task)),
                },
            });
            given.push(claim);
        }
        if outcomes.is_empty() {
            return self.claim_work();
        }
        let poisoned = self.judge.poisoned;
        let what = format!("deliver {}", outcomes.len());
        let before = self.judge.newest();
        let delivered = self.call_many(&what, outcomes.len() as u64, |flows| {
            let delivered = flows.deliver(&outcomes)?;
            settled(delivered)
        })?;
        let Some(delivered) = delivered.filter(|_| !poisoned && !self.judge.poisoned) else {
            return Ok(());
        };
        let mut moved: BTreeSet<&str> = BTreeSet::new();
        let mut version = before;
        let results = given.iter().zip(&outcomes).zip(judged).zip(delivered);
        for (((claim, outcome), (good, absent)), done) in results {
            let of = claim.case.split('~').next().unwrap_or_default();
            match done {
                Ok(done) => {
                    version = version.max(done);
                    // What is offered again in the same call may be whose it was before a crash.
                    let again =
                        moved.contains(of) || absent && moved.iter().any(|m| is_next(m, of));
                    if good == Some(false) && !again {
                        return Err(format!("{what}: a stale token was accepted: {claim:?}"));
                    }
                    moved.insert(of);
                    let key = format!("{}/{}", claim.case, claim.item);
                    if outcome.result.is_ok() && self.cases.done.insert(key, done).is_some() {
                        return Err(format!("{what}: {claim:?} was accepted twice"));
                    }
                }
                // What another result of the same call did to the case may have made it stale.
                Err(_) if good == Some(true) && !moved.contains(of) && !self.has_failed() => {
                    return Err(format!("{what}: a good token was refused: {claim:?}"));
                }
                Err(_) => {}
            }
        }
        if version != self.judge.newest() {
            let newest = self.judge.newest();
            return Err(format!(
                "{what}: {version} was the last commit, not {newest}"
            ));
        }
        Ok(())
    }

    /// A worker takes several items with one poll.
    pub(super) fn claim_many(&mut self) -> Checked {
        let topics = self.topics();
        let queue = Queue::Topics(topics);
        self.claim_from(&queue, 1 + self.random.below(4))
    }
}

/// Whether one case of a schedule may begin in the call that ends another one.
fn is_next(ended: &str, begun: &str) -> bool {
    let schedule = |case: &str| case.split_once('@').map(|(name, _)| name.to_owned());
    schedule(ended).is_some() && schedule(ended) == schedule(begun)
}

/// What became of each of a batch: the version of its commit, or that it was refused; what concerns the store concerns
/// all of them.
fn settled(
    all: Vec<Result<statewright_flow::Moved, Error>>,
) -> Result<Vec<Result<u64, Error>>, Error> {
    let mut done = Vec::new();
    for one in all {
        match one {
            Ok(moved) => done.push(Ok(moved.version)),
            Err(e) if REFUSED.contains(&e.code()) => done.push(Err(e)),
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
