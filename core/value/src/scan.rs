//! Visiting every value in a value, each container before what it holds, on a stack of its own.

use crate::{Entries, Items, Kind, Path, Segment, Value, ValueRef};

/// Every value inside a value, itself first, each container before what it holds; see [`ValueRef::walk`].
#[derive(Clone)]
pub struct Scan<'a> {
    next: Option<ValueRef<'a>>,
    open: Vec<Open<'a>>,
    /// The containers that the value given last is in; those behind it in `open` are still to be gone through.
    depth: usize,
}

#[derive(Clone)]
struct Open<'a> {
    children: Children<'a>,
    /// Where the child given last is.
    at: At<'a>,
}

#[derive(Clone)]
enum Children<'a> {
    Items(std::iter::Enumerate<Items<'a>>),
    Entries(Entries<'a>),
}

#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Index(usize),
}

/// A value met by a [`Scan`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Visited<'a> {
    /// The containers it is in: 0 for the value itself.
    pub depth: usize,
    /// Its key, in an object.
    pub key: Option<&'a str>,
    /// Its index, in an array.
    pub index: Option<usize>,
    /// The value.
    pub value: ValueRef<'a>,
}

/// How much is in a value; see [`ValueRef::counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Counts {
    /// All values, containers included, keys not: what [`crate::Limits::max_items`] limits.
    pub values: usize,
    /// Those with nothing inside: scalars and empty containers.
    pub leaves: usize,
    /// Nested containers: 0 for a scalar, 1 for an empty array.
    pub depth: usize,
    /// Bytes of all texts, byte strings and keys.
    pub bytes: usize,
}

impl<'a> Children<'a> {
    /// None for what holds nothing.
    fn of(value: ValueRef<'a>) -> Option<Children<'a>> {
        match value.kind() {
            Kind::Array => Some(Children::Items(value.items().enumerate())),
            Kind::Object => Some(Children::Entries(value.entries())),
            _ => None,
        }
    }

    fn next(&mut self) -> Option<(At<'a>, ValueRef<'a>)> {
        match self {
            Children::Items(items) => items.next().map(|(i, item)| (At::Index(i), item)),
            Children::Entries(entries) => entries.next().map(|(key, value)| (At::Key(key), value)),
        }
    }
}

impl<'a> Scan<'a> {
    pub(crate) fn new(value: ValueRef<'a>) -> Self {
        Scan {
            next: Some(value),
            open: Vec::new(),
            depth: 0,
        }
    }

    /// The place of the value given last, from where the walk began. O(its depth), so ask only where it is
    /// needed.
    pub fn path(&self) -> Path {
        let above = self.open.iter().take(self.depth);
        above
            .map(|open| match open.at {
                At::Key(key) => Segment::from(key),
                At::Index(index) => Segment::from(index),
            })
            .collect()
    }

    /// Goes on without what is inside the value given last. O(1).
    pub fn skip_inside(&mut self) {
        self.open.truncate(self.depth);
    }

    /// The same with each value's path instead. O(depth) for each value.
    pub fn with_paths(mut self) -> impl Iterator<Item = (Path, ValueRef<'a>)> {
        std::iter::from_fn(move || {
            let visited = self.next()?;
            Some((self.path(), visited.value))
        })
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Visited<'a>;

    fn next(&mut self) -> Option<Visited<'a>> {
        let (at, value) = match self.next.take() {
            Some(root) => (None, root),
            None => loop {
                let innermost = self.open.last_mut()?;
                match innermost.children.next() {
                    Some((at, child)) => {
                        innermost.at = at;
                        break (Some(at), child);
                    }
                    None => self.open.pop(),
                };
            },
        };
        self.depth = self.open.len();
        let inside = Children::of(value);
        self.open.extend(inside.map(|children| Open {
            children,
            at: At::Index(0),
        }));
        let (key, index) = match at {
            None => (None, None),
            Some(At::Key(key)) => (Some(key), None),
            Some(At::Index(index)) => (None, Some(index)),
        };
        Some(Visited {
            depth: self.depth,
            key,
            index,
            value,
        })
    }
}

/// Walking.
impl<'a> ValueRef<'a> {
    /// Every value inside this one, itself first, each container before what it holds (pre-order), in the
    /// order of items and entries. Does not recurse; O(1) for each value, and memory O(depth).
    ///
    /// ```
    /// use statewright_value::value;
    /// let doc = value!({ "a": [1, { "b": 2 }], "secret": { "c": 3 } });
    /// let mut walk = doc.by_ref().walk();
    /// let mut places = Vec::new();
    /// while let Some(visited) = walk.next() {
    ///     if visited.key == Some("secret") {
    ///         walk.skip_inside();
    ///     } else if visited.value.kind().is_number() {
    ///         places.push(walk.path().to_string());
    ///     }
    /// }
    /// assert_eq!(places, [".a[0]", ".a[1].b"]);
    /// ```
    pub fn walk(self) -> Scan<'a> {
        Scan::new(self)
    }

    /// The first value, in the order of [`ValueRef::walk`], of which `wanted` says true, and its path. O(size).
    ///
    /// ```
    /// use statewright_value::value;
    /// let doc = value!({ "users": [{ "name": "Ada" }, { "name": null }] });
    /// let found = doc.by_ref().find(|value| value.is_null());
    /// assert_eq!(found.map(|(path, _)| path.to_string()).as_deref(), Some(".users[1].name"));
    /// ```
    pub fn find(
        self,
        mut wanted: impl FnMut(ValueRef<'a>) -> bool,
    ) -> Option<(Path, ValueRef<'a>)> {
        let mut walk = self.walk();
        let found = walk.find(|visited| wanted(visited.value))?;
        Some((walk.path(), found.value))
    }

    /// How much is in this value, and how deep it is. O(size); what it holds twice counts twice.
    ///
    /// ```
    /// use statewright_value::value;
    /// let counts = value!({ "a": [1, []], "b": "xyz" }).counts();
    /// assert_eq!((counts.values, counts.leaves, counts.depth, counts.bytes), (5, 3, 3, 5));
    /// ```
    pub fn counts(self) -> Counts {
        let mut counts = Counts::default();
        for visited in self.walk() {
            let container = visited.value.kind().is_container();
            counts.values += 1;
            counts.leaves += usize::from(!container || visited.value.is_empty());
            counts.depth = counts.depth.max(visited.depth + usize::from(container));
            counts.bytes += visited.key.map_or(0, str::len);
            counts.bytes += if container { 0 } else { visited.value.len() };
        }
        counts
    }

    /// Nested containers: 0 for a scalar, 1 for an empty array. O(size).
    pub fn depth(self) -> usize {
        self.counts().depth
    }
}

/// Walking.
impl Value {
    /// As [`ValueRef::walk`].
    pub fn walk(&self) -> Scan<'_> {
        self.by_ref().walk()
    }

    /// As [`ValueRef::find`].
    pub fn find<'a>(
        &'a self,
        wanted: impl FnMut(ValueRef<'a>) -> bool,
    ) -> Option<(Path, ValueRef<'a>)> {
        self.by_ref().find(wanted)
    }

    /// As [`ValueRef::counts`].
    pub fn counts(&self) -> Counts {
        self.by_ref().counts()
    }

    /// As [`ValueRef::depth`].
    pub fn depth(&self) -> usize {
        self.by_ref().depth()
    }
}
