//! Counting what is added to a value.

use crate::{Error, Limits, Result, Scan, ValueRef, Visited};

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
            let depth = visited.depth + usize::from(visited.value.kind().is_container());
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
            let text = match visited.value.kind().is_container() {
                true => 0,
                false => visited.value.len(),
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
