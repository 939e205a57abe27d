//! Between a nested value and a flat object of paths, as spreadsheets and settings have it.

use crate::{Error, Key, Kind, Limits, Path, Result, Segment, Value, ValueRef};

/// Flattening.
impl Value {
    /// An object with an entry for each leaf (each scalar and each empty container), in the order of
    /// [`ValueRef::walk`]: the key is the text of its [`Path`], the value the leaf. [`Value::unflatten`] undoes
    /// it. O(length of all paths).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "user": { "name": "Ada", "tags": ["x", {}] } });
    /// let flat = doc.flatten()?;
    /// assert_eq!(flat.to_json(), r#"{".user.name":"Ada",".user.tags[0]":"x",".user.tags[1]":{}}"#);
    /// assert_eq!(flat.unflatten()?, doc);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] for more bytes of paths than [`Limits::max_bytes`] of the default limits: paths of deep
    /// values are far longer than the values.
    pub fn flatten(&self) -> Result<Value> {
        let limit = Limits::default().max_bytes;
        let (mut left, mut entries) = (limit, Vec::new());
        let mut walk = self.walk();
        while let Some(visited) = walk.next() {
            if visited.value.kind().is_container() && !visited.value.is_empty() {
                continue;
            }
            let path = walk.path();
            let key = path.to_string();
            left = left.checked_sub(key.len()).ok_or_else(|| Error::Limit {
                what: "bytes of flattened paths",
                limit,
                at: crate::path::shorten(&key),
            })?;
            entries.push((Key::from(key), visited.value.to_value()));
        }
        Ok(Value::from_entries(entries))
    }

    /// The nested value of which this is the flat form: every key is the text of a [`Path`], and every value is
    /// put there, in order. What a path leads through is created: an array before an index, an object before a
    /// key. O(length of all paths × log n).
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no object, and for paths that contradict each other (`.a` is a text, and
    /// there is an `.a.b`); [`Error::InvalidPath`]; [`Error::IndexOutOfRange`] for items that do not come in
    /// order, from 0, without a gap; [`Error::Limit`] if the result would nest too deep.
    pub fn unflatten(&self) -> Result<Value> {
        if self.kind() != Kind::Object {
            return Err(Error::WrongType {
                path: Path::root(),
                expected: "object",
                found: self.kind().name(),
            });
        }
        let mut entries = self.by_ref().entries();
        let Some((key, value)) = entries.next() else {
            return Ok(Value::object());
        };
        let path = Path::parse(key)?;
        let mut nested = wrapped(&path, 0, value.to_value())?;
        for (key, value) in entries {
            let path = Path::parse(key)?;
            let there = reached(nested.by_ref(), &path);
            let value = wrapped(&path, there + 1, value.to_value())?;
            nested.set(&path.prefix(there + 1), value)?;
        }
        Ok(nested)
    }
}

/// The segments of the path that lead to something.
fn reached(root: ValueRef<'_>, path: &Path) -> usize {
    let mut place = root;
    for (at, segment) in path.segments().iter().enumerate() {
        match place.step(segment) {
            Some(next) => place = next,
            None => return at,
        }
    }
    path.segments().len()
}

/// The value inside containers for the segments from `from` on.
fn wrapped(path: &Path, from: usize, value: Value) -> Result<Value> {
    let inner = path.segments().iter().enumerate().skip(from).rev();
    inner.into_iter().try_fold(value, |value, (at, segment)| {
        value.checked_depth(at + 1, path)?;
        match segment {
            Segment::Key(key) => Ok(Value::from_entries(vec![(key.clone(), value)])),
            Segment::Index(0) => Ok(Value::from_items(vec![value])),
            Segment::Index(index) => Err(Error::IndexOutOfRange {
                path: path.prefix(at),
                index: *index,
                len: 0,
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::{Path, Value, value};

    fn code(flat: Value) -> i32 {
        flat.unflatten().map_or_else(|error| error.code(), |_| 0)
    }

    #[test]
    fn every_kind_of_root_comes_back() {
        for doc in [
            value!(null),
            value!(1),
            value!([]),
            value!({}),
            value!([[], [{}], "x"]),
            value!({ "": { "odd key": 1, "a.b": [2, { "": [] }] } }),
        ] {
            let flat = doc.flatten().unwrap();
            assert_eq!(flat.unflatten().unwrap(), doc, "{flat}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert_eq!(code(value!([])), 203);
        assert_eq!(code(value!({ ".a": 1, ".a.b": 2 })), 203);
        assert_eq!(code(value!({ ".a[0]": 1, ".a.b": 2 })), 203);
        assert_eq!(code(value!({ ".a[1]": 1 })), 206);
        assert_eq!(code(value!({ ".a[0]": 1, ".a[2]": 2 })), 206);
        assert_eq!(code(value!({ "a b": 1 })), 202);
        assert_eq!(code(value!({ ".a": {}, ".a.b": 2 })), 0);
    }

    #[test]
    fn the_paths_of_a_deep_and_wide_value_are_limited() {
        let mut doc: Value = (0..2_000).map(Value::from).collect();
        for _ in 0..100 {
            doc = [("k".repeat(1_000), doc)].into_iter().collect();
        }
        assert_eq!(doc.flatten().unwrap_err().code(), 204);
        let mut deep = value!(1);
        deep = [(Path::root().index(0).to_string(), deep)]
            .into_iter()
            .collect();
        assert_eq!(deep.unflatten().unwrap(), value!([1]));
        let path = format!(".{}", "[0]".repeat(crate::MAX_DEPTH));
        let inner = value!([]);
        let flat: Value = [(path, inner)].into_iter().collect();
        assert_eq!(code(flat), 204);
    }
}
