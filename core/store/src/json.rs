//! Documents: JSON changed by path. The workflow engine's documents are stored the same way.

use statewright_value::{Path, Segment, Value};

use crate::error::{Error, Result};
use crate::op::{Doc, Op};
use crate::reader::sealed::View;
use crate::recent::Region;
use crate::space::{self, Primitive, Space};
use crate::txn::Txn;

/// Document writes.
impl Txn {
    /// Makes a document. Fails with [`Error::AlreadyExists`].
    pub fn doc_create(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        value: Value,
    ) -> Result<()> {
        let (doc, region) = address(primitive, space, key, &Path::root())?;
        self.write(region, Op::DocCreate { doc, value })
    }

    /// Sets one path of a document, making missing parents; the root path replaces or makes the whole.
    /// Fails with [`Error::NotFound`] if the document is not there, or if the path does not fit what is. O(log n +
    /// path).
    pub fn doc_set(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        path: &Path,
        value: Value,
    ) -> Result<()> {
        let (doc, mut region) = address(primitive, space, key, path)?;
        if let Some(Segment::Index(at)) = path.segments().last() {
            // Setting the index after the last one makes the array longer, which every path through it can notice.
            let array = self.peek(&region.key, &parent(path))?;
            if array.is_some_and(|a| a.len() == *at) {
                region.path = parent(path);
            }
        }
        self.write(
            region,
            Op::DocSet {
                doc,
                path: path.clone(),
                value,
            },
        )
    }

    /// Removes one path of a document and gives what was there; later elements of an array move up.
    /// Fails with [`Error::NotFound`] if the document is not there. O(log n + path).
    pub fn doc_remove(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        path: &Path,
    ) -> Result<Option<Value>> {
        let (doc, mut region) = address(primitive, space, key, path)?;
        if let Some(Segment::Index(_)) = path.segments().last() {
            // Every path through the array shifts.
            region.path = parent(path);
        }
        let old = self.peek(&region.key, path)?;
        if old.is_none() {
            let missing = self.peek(&region.key, &Path::root())?.is_none();
            let what = space::display(&region.key);
            self.saw(&region.key, &region.path)?;
            return if missing {
                Err(Error::NotFound { what })
            } else {
                Ok(None)
            };
        }
        self.write(
            region,
            Op::DocRemove {
                doc,
                path: path.clone(),
            },
        )?;
        Ok(old)
    }

    /// Removes a document; tells whether it was there. O(log n).
    pub fn doc_drop(&self, primitive: Primitive, space: &Space, key: &str) -> Result<bool> {
        let (doc, region) = address(primitive, space, key, &Path::root())?;
        let there = self.peek(&region.key, &Path::root())?.is_some();
        if there {
            self.write(region, Op::DocDrop { doc })?;
        } else {
            self.saw(&region.key, &region.path)?;
        }
        Ok(there)
    }

    /// [`doc_create`](Txn::doc_create) of a JSON document.
    pub fn json_create(&self, space: &Space, key: &str, value: Value) -> Result<()> {
        self.doc_create(Primitive::Json, space, key, value)
    }

    /// [`doc_set`](Txn::doc_set) of a JSON document.
    pub fn json_set(&self, space: &Space, key: &str, path: &Path, value: Value) -> Result<()> {
        self.doc_set(Primitive::Json, space, key, path, value)
    }

    /// [`doc_remove`](Txn::doc_remove) of a JSON document.
    pub fn json_remove(&self, space: &Space, key: &str, path: &Path) -> Result<Option<Value>> {
        self.doc_remove(Primitive::Json, space, key, path)
    }

    /// [`doc_drop`](Txn::doc_drop) of a JSON document.
    pub fn json_drop(&self, space: &Space, key: &str) -> Result<bool> {
        self.doc_drop(Primitive::Json, space, key)
    }
}

fn address(primitive: Primitive, space: &Space, key: &str, path: &Path) -> Result<(Doc, Region)> {
    let encoded = space::encode_checked(space, primitive, key.as_bytes())?.into();
    let doc = Doc {
        primitive,
        space: space.clone(),
        key: key.to_owned(),
    };
    Ok((doc, Region::exact(encoded, path.clone())))
}

fn parent(path: &Path) -> Path {
    path.parent().unwrap_or_default()
}
