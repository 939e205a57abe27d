//! Documents: values changed by path. JSON documents, cells and the workflow engine's documents are such.

use statewright_value::{Kind, Path, Segment, Value};

use crate::error::{Error, Result};
use crate::op::{Doc, Edit, Op};
use crate::reader::sealed::View;
use crate::recent::{Mode, Region};
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
        // What is given away was read, even if the removal is undone by going back to a savepoint.
        self.saw(&region.key, path)?;
        if old.is_none() {
            let missing = self.peek(&region.key, &Path::root())?.is_none();
            let what = space::display(&region.key);
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
        self.saw(&region.key, &region.path)?;
        if there {
            self.write(region, Op::DocDrop { doc })?;
        }
        Ok(there)
    }

    /// Makes something of what is at a path of a document. Fails with [`Error::NotFound`] if the document is not
    /// there, or with [`Error::At`] if the edit does not fit.
    pub(crate) fn doc_edit(
        &self,
        primitive: Primitive,
        space: &Space,
        key: &str,
        path: &Path,
        edit: Edit,
    ) -> Result<()> {
        let (doc, regions) = edited(self, primitive, space, key, path, &edit)?;
        let path = path.clone();
        self.write_all(regions, Op::DocEdit { doc, path, edit })
    }
}

/// What an edit touches: of an array whose items move, the whole; of a merge, only what the merge changes.
pub(crate) fn edited(
    txn: &Txn,
    primitive: Primitive,
    space: &Space,
    key: &str,
    path: &Path,
    edit: &Edit,
) -> Result<(Doc, Vec<Region>)> {
    let (doc, region) = address(primitive, space, key, path)?;
    let exact = |path: Path| Region::exact(region.key.clone(), path);
    let around = |path: &Path| match path.last() {
        Some(Segment::Index(_)) => parent(path),
        _ => path.clone(),
    };
    let with = |mode| Region {
        mode,
        ..region.clone()
    };
    let regions = match edit {
        Edit::Add { .. } => vec![with(Mode::Add)],
        Edit::Append { .. } | Edit::Extend { .. } => vec![with(Mode::Append)],
        Edit::Insert { .. } | Edit::MoveItem { .. } => vec![exact(around(path))],
        Edit::Relocate { to } => vec![exact(around(path)), exact(around(to))],
        Edit::MergePatch { patch: other } | Edit::DeepMerge { other } => {
            let there = txn.peek(&region.key, path)?;
            merged(path, there, other).into_iter().map(exact).collect()
        }
    };
    Ok((doc, regions))
}

/// The paths that merging `other` into what is there changes. An empty object changes nothing where there is an object,
/// but would where there is none any more.
fn merged(path: &Path, there: Option<Value>, other: &Value) -> Vec<Path> {
    let mut open = vec![(path.clone(), there, other.clone())];
    let mut changed = Vec::new();
    while let Some((path, there, other)) = open.pop() {
        match there {
            Some(there)
                if there.kind() == Kind::Object
                    && other.kind() == Kind::Object
                    && !other.is_empty() =>
            {
                for (key, value) in other.entries() {
                    open.push((path.clone().key(key), there.get(key), value));
                }
            }
            _ => changed.push(path),
        }
    }
    changed
}

pub(crate) fn address(
    primitive: Primitive,
    space: &Space,
    key: &str,
    path: &Path,
) -> Result<(Doc, Region)> {
    if !matches!(
        primitive,
        Primitive::Json | Primitive::Cell | Primitive::Flow
    ) {
        return Err(Error::InvalidName {
            what: "primitive whose entries are documents",
            name: primitive.name().to_owned(),
            form: "json, cell or flow",
        });
    }
    let encoded = space::encode_checked(space, primitive, key.as_bytes())?;
    let doc = Doc {
        primitive,
        space: space.clone(),
        key: key.to_owned(),
    };
    Ok((doc, Region::exact(encoded, path.clone())))
}

pub(crate) fn parent(path: &Path) -> Path {
    path.parent().unwrap_or_default()
}
