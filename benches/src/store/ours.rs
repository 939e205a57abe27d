//! Statewright's own store.

use std::path::Path;

use anyhow::Result;
use statewright_store::{Durability, Env, Place, Reader, Space, Store, StoreOptions};
use statewright_value::Value as Json;

use super::{Contender, Key, Promise, Value};

/// A store and the space it is measured in.
pub struct Ours {
    store: Store,
    space: Space,
}

impl Ours {
    pub fn open(promise: Promise, dir: &Path) -> Result<Ours> {
        let (place, durability) = match promise {
            Promise::Memory => (Place::Memory, Durability::Memory),
            Promise::Buffered => (Place::Dir(dir.into()), Durability::Buffered),
            Promise::Strict => (Place::Dir(dir.into()), Durability::Strict),
        };
        let store = Store::open(
            Env::real(),
            place,
            StoreOptions::with_durability(durability),
        )?;
        Ok(Ours {
            store,
            space: Space::default(),
        })
    }
}

impl Contender for Ours {
    fn name(&self) -> String {
        "Statewright".into()
    }

    fn put(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
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

    fn get(&mut self, key: &Key) -> Result<Option<usize>> {
        Ok(self
            .store
            .snapshot()
            .kv_get(&self.space, key)?
            .map(|value| value.len()))
    }

    fn get_all(&mut self, keys: &[Key]) -> Result<usize> {
        let snapshot = self.store.snapshot();
        let mut sum = 0;
        for key in keys {
            sum += snapshot
                .kv_get(&self.space, key)?
                .map_or(0, |value| value.len());
        }
        Ok(sum)
    }
}
