//! Statewright's own store, used as its users use it.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Result;
use statewright_store::{Durability, Env, Item, Place, Space, Store, StoreOptions};
use statewright_value::Value as Json;

use super::contender::{Contender, Key, Value};

/// A store and the space it is measured in.
pub struct Ours {
    /// The store itself, for what only it does.
    pub store: Store,
    /// Where everything is.
    pub space: Space,
}

impl Ours {
    /// In memory alone.
    pub fn memory() -> Result<Ours> {
        Ours::open(Place::Memory, Durability::Memory)
    }

    /// Survives a killed process.
    pub fn buffered(dir: &Path) -> Result<Ours> {
        Ours::open(Place::Dir(dir.join("store")), Durability::Buffered)
    }

    /// Survives a power cut.
    pub fn strict(dir: &Path) -> Result<Ours> {
        Ours::open(Place::Dir(dir.join("store")), Durability::Strict)
    }

    fn open(place: Place, durability: Durability) -> Result<Ours> {
        let options = StoreOptions::with_durability(durability);
        Ok(Ours {
            store: Store::open(Env::real(), place, options)?,
            space: Space::default(),
        })
    }
}

fn length(item: Item<'_>) -> usize {
    item.inline_bytes().map_or(0, <[u8]>::len)
}

impl Contender for Ours {
    fn put(&self, pairs: &[(Key, Value)]) -> Result<()> {
        // As with the peers, one put alone takes the shorter way that a user would take.
        if let [(key, value)] = pairs {
            self.store
                .kv_put(&self.space, key, Json::bytes(&value[..]))?;
            return Ok(());
        }
        let transaction = self.store.begin();
        for (key, value) in pairs {
            transaction.kv_put(&self.space, key, Json::bytes(&value[..]))?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn increment(&self, key: &Key) -> Result<()> {
        let (one, zero) = (Json::from(1), Json::from(0));
        self.store.kv_increment(&self.space, key, one, zero)?;
        Ok(())
    }

    // As with the peers that can, values are looked at where they are.
    fn get(&self, key: &Key) -> Result<Option<usize>> {
        Ok(self.store.kv_with(&self.space, key, length)?)
    }

    fn get_all(&self, keys: &[Key]) -> Result<usize> {
        let snapshot = self.store.snapshot();
        let mut sum = 0;
        for key in keys {
            let found = snapshot.kv_with(&self.space, key, length)?;
            sum += found.unwrap_or(0);
        }
        Ok(sum)
    }

    fn scan(&self, from: &Key, count: usize) -> Result<usize> {
        // `after` leaves its key out, so a scan from a key on starts after the one that comes before all with it.
        let mut before = *from;
        if let Some(last) = before.iter_mut().rev().find(|byte| **byte > 0) {
            *last -= 1;
        }
        let (mut sum, mut left) = (0, count);
        let snapshot = self.store.snapshot();
        snapshot.kv_each(&self.space, b"", Some(&before), |item| {
            sum += item.key().len() + length(item);
            left -= 1;
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })?;
        Ok(sum)
    }

    fn close(self: Box<Self>) -> Result<()> {
        // What the engine does in the background.
        self.store.checkpoint()?;
        Ok(self.store.close()?)
    }

    fn log_bytes(&self) -> Option<u64> {
        Some(self.store.stats().log.bytes)
    }
}
