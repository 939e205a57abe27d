//! Key-value: byte keys to values.

use statewright_value::{Path, Value};

use crate::error::Result;
use crate::op::Op;
use crate::reader::Reader;
use crate::recent::Region;
use crate::space::{self, Primitive, Space};
use crate::txn::Txn;

/// Key-value writes.
impl Txn {
    /// Sets a key. O(log n).
    pub fn kv_put(&self, space: &Space, key: &[u8], value: Value) -> Result<()> {
        let region = Region::exact(
            space::encode_checked(space, Primitive::Kv, key)?.into(),
            Path::root(),
        );
        self.write(
            region,
            Op::KvPut {
                space: space.clone(),
                key: key.to_vec(),
                value,
            },
        )
    }

    /// Removes a key; tells whether it was there. O(log n).
    pub fn kv_delete(&self, space: &Space, key: &[u8]) -> Result<bool> {
        let there = self.kv_get(space, key)?.is_some();
        if there {
            let region = Region::exact(
                space::encode_checked(space, Primitive::Kv, key)?.into(),
                Path::root(),
            );
            self.write(
                region,
                Op::KvDelete {
                    space: space.clone(),
                    key: key.to_vec(),
                },
            )?;
        }
        Ok(there)
    }
}
