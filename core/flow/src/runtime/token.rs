//! The token of a claim: it names the item and the attempt, and proves that this store gave the claim.

use statewright_log::Timestamp;

use super::{Flows, keys, save};
use crate::case::{Item, Lease};
use crate::error::{Error, Result};
use crate::ids;
use crate::machine::Machine;
use crate::net::Net;
use crate::sabotage::{self, Bug};

impl Flows {
    /// What claims are signed with.
    pub(super) fn secret(&self) -> Result<[u8; 32]> {
        if let Some(secret) = self.secret.get() {
            return Ok(*secret);
        }
        // A flow was deployed before anything could be claimed, so it is there.
        let stored = save::read(&self.store.snapshot(), keys::SECRET)?.unwrap_or_default();
        let secret = stored.as_bytes().and_then(|bytes| bytes.try_into().ok());
        let secret = secret.ok_or_else(|| Error::damaged(keys::SECRET, "document"))?;
        Ok(*self.secret.get_or_init(|| secret))
    }
}

/// When an attempt that begins at `since` has taken too long: its timeout, or the item's deadline if that is sooner.
pub(super) fn attempt_ends(net: &Net, item: &Item, since: Timestamp) -> Option<Timestamp> {
    let work = net.tasks.get(item.task).and_then(|t| t.kind.work());
    let timeout = work.and_then(|w| w.timeout);
    let timeout = timeout.map(|t| since.saturating_add(t));
    timeout.into_iter().chain(item.deadline).min()
}

/// The last part of a claim's token: which attempt it is of, when it was made, and that this store made it.
pub(super) fn sign(
    secret: &[u8; 32],
    (case, number): (&str, u64),
    attempt: u32,
    since: Timestamp,
) -> String {
    let head = [&attempt.to_string(), ".", &keys::time(since)].concat();
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(case.as_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(head.as_bytes());
    let hash = hasher.finalize();
    let first = hash
        .as_bytes()
        .first_chunk()
        .map_or(0, |b| u64::from_le_bytes(*b));
    [&head, ".", &ids::digits(first, 12)].concat()
}

/// Makes a claim again that was not written when the process that made it ended; false if it is not the next attempt
/// of this item, or has taken too long.
pub(super) fn adopt(
    machine: &mut Machine<'_>,
    secret: &[u8; 32],
    (case, number): (&str, u64),
    nonce: &str,
) -> bool {
    let mut parts = nonce.split('.');
    let attempt = parts.next().and_then(|a| a.parse().ok());
    let since = parts.next().and_then(keys::parse_time);
    let (Some(attempt), Some(since)) = (attempt, since) else {
        return false;
    };
    let Some(item) = machine.case.items.get(&number) else {
        return false;
    };
    let deadline = attempt_ends(machine.net, item, since);
    let next = item.attempt.checked_add(1) == Some(attempt) || sabotage::on(Bug::AdoptTwice); // planted
    if !next || deadline.is_some_and(|d| d <= machine.now) {
        return false;
    }
    // Compared in a time that depends on the guess: a guess costs a transaction, and there are 60 bits.
    sign(secret, (case, number), attempt, since) == nonce
        && machine.claim_again(
            number,
            Lease {
                worker: String::new(),
                nonce: nonce.to_owned(),
                since,
                // Only one with an end was not written. A heartbeat makes it longer.
                until: Some(machine.now),
                deadline,
            },
        )
}

pub(super) fn token(case: &str, number: u64, nonce: &str) -> String {
    [case, "/", &number.to_string(), "/", nonce].concat()
}

/// A token's case, item and proof.
pub(super) fn parse_token(token: &str) -> Result<(&str, u64, &str)> {
    let mut parts = token.splitn(3, '/');
    let (case, number, nonce) = (parts.next(), parts.next(), parts.next());
    match (case, number.and_then(|n| n.parse().ok()), nonce) {
        (Some(case), Some(number), Some(nonce)) if ids::is_any_case_id(case) => {
            Ok((case, number, nonce))
        }
        _ => Err(Error::UnknownItem {
            item: token.chars().take(200).collect(),
        }),
    }
}
