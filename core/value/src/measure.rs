//! Visiting every value in a value, and counting what is there, on a stack of its own.

use crate::{Entries, Error, Items, Limits, Result, ValueRef};

/// Every value inside a value, itself first, each container before what it holds.
pub(crate) struct Scan<'a> {
    next: Option<ValueRef<'a>>,
    open: Vec<Children<'a>>,
}

pub(crate) enum Children<'a> {
    Items(Items<'a>),
    Entries(Entries<'a>),
}

impl<'a> Children<'a> {
    /// None for what holds nothing.
    pub(crate) fn of(value: ValueRef<'a>) -> Option<Children<'a>> {
        match value.kind() {
            crate::Kind::Array => Some(Children::Items(value.items())),
            crate::Kind::Object => Some(Children::Entries(value.entries())),
            _ => None,
        }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = (Option<&'a str>, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Children::Items(items) => items.next().map(|item| (None, item)),
            Children::Entries(entries) => entries.next().map(|(key, value)| (Some(key), value)),
        }
    }
}

/// A value met by a [`Scan`].
pub(crate) struct Visited<'a> {
    /// The containers it is in.
    pub depth: usize,
    /// Its key, in an object.
    pub key: Option<&'a str>,
    pub value: ValueRef<'a>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(value: ValueRef<'a>) -> Self {
        Scan {
            next: Some(value),
            open: Vec::new(),
        }
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Visited<'a>;

    fn next(&mut self) -> Option<Visited<'a>> {
        let (key, value) = match self.next.take() {
            Some(root) => (None, root),
            None => loop {
                match self.open.last_mut()?.next() {
                    Some(child) => break child,
                    None => self.open.pop(),
                };
            },
        };
        let depth = self.open.len();
        self.open.extend(Children::of(value));
        Some(Visited { depth, key, value })
    }
}

/// Counts what is added to a document. A clone costs nothing, but what it stands for must be printed, walked
/// and stored one day, and a document can hold itself often enough to be larger than any memory.
pub(crate) struct Meter {
    values_left: usize,
    bytes_left: usize,
    limits: Limits,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Meter {
            values_left: limits.max_items,
            bytes_left: limits.max_bytes,
            limits: *limits,
        }
    }

    /// Counts `value`, which is about to be put in once more. Stops counting at the limit, so all calls
    /// together cost at most O(limit).
    pub(crate) fn add(&mut self, value: ValueRef<'_>, at: impl ToString) -> Result<()> {
        self.scan(value, at, |_| {})
    }

    /// Nested containers. Counts like [`Meter::add`], so that asking often is no way to waste time.
    pub(crate) fn depth(&mut self, value: ValueRef<'_>, at: impl ToString) -> Result<usize> {
        let mut deepest = 0;
        self.scan(value, at, |visited| {
            let depth = visited.depth + usize::from(Children::of(visited.value).is_some());
            deepest = deepest.max(depth);
        })?;
        Ok(deepest)
    }

    fn scan(
        &mut self,
        value: ValueRef<'_>,
        at: impl ToString,
        mut visit: impl FnMut(&Visited<'_>),
    ) -> Result<()> {
        for visited in Scan::new(value) {
            let text = match Children::of(visited.value) {
                Some(_) => 0,
                None => visited.value.len(),
            };
            let bytes = text.saturating_add(visited.key.map_or(0, str::len));
            let exceeded = |what, limit| Error::Limit {
                what,
                limit,
                at: at.to_string(),
            };
            self.values_left = self.values_left.checked_sub(1).ok_or_else(|| {
                exceeded("number of values added by copying", self.limits.max_items)
            })?;
            self.bytes_left = self
                .bytes_left
                .checked_sub(bytes)
                .ok_or_else(|| exceeded("bytes of text added by copying", self.limits.max_bytes))?;
            visit(&visited);
        }
        Ok(())
    }
}
