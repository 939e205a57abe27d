//! What the states of two runs differ in.

use statewright_value::{Patch, Value, diff};

use crate::error::Result;
use crate::reader::{self, sealed::View};
use crate::space::{self, Primitive, Space};
use crate::target::Entry;

/// How many entries are read at once.
const PAGE: usize = 256;

/// A place at which the states of two runs differ.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunDifference {
    /// What kind of state it is.
    pub primitive: Primitive,
    /// Where, as people read it: `json/order-17`.
    pub place: String,
    /// What the first run has; none if nothing.
    pub before: Option<Value>,
    /// What the second run has; none if nothing.
    pub after: Option<Value>,
}

impl RunDifference {
    /// The difference as a JSON patch (RFC 6902) from the first to the second; none if one of them has nothing there.
    pub fn patch(&self) -> Option<Patch> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        Some(diff(before.by_ref(), after.by_ref()))
    }
}

/// The entries of a space in order, read in pages, but for those of the workflow engine.
struct Walk<'a, V: ?Sized> {
    view: &'a V,
    cut: usize,
    /// What is left, the first last.
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    page: std::vec::IntoIter<(Vec<u8>, Entry)>,
}

impl<'a, V: View + ?Sized> Walk<'a, V> {
    fn new(view: &'a V, space: &Space) -> Result<Self> {
        let [(start, end), (flow, behind_flow)] = space::own_range(space);
        let ranges = vec![(behind_flow, end), (start, flow)];
        for (from, to) in &ranges {
            view.saw_range(from.as_slice().into(), Some(to.as_slice().into()))?;
        }
        Ok(Walk {
            view,
            cut: space.as_str().len(),
            ranges,
            page: Vec::new().into_iter(),
        })
    }

    /// The next entry that a program put there, with its key behind the space.
    fn next(&mut self) -> Result<Option<(Vec<u8>, Entry)>> {
        loop {
            let Some((key, entry)) = self.page.next() else {
                let Some((from, to)) = self.ranges.last_mut() else {
                    return Ok(None);
                };
                let page = self.view.range(from, Some(to), PAGE, false)?;
                match page.last() {
                    Some((last, _)) => *from = reader::behind(last).to_vec(),
                    None => drop(self.ranges.pop()),
                }
                self.page = page.into_iter();
                continue;
            };
            let rest = key.get(self.cut..).unwrap_or_default().to_vec();
            if primitive_of(&rest).is_some() {
                return Ok(Some((rest, entry)));
            }
        }
    }
}

/// The primitive of an entry that is not there for the sake of others.
fn primitive_of(rest: &[u8]) -> Option<Primitive> {
    let tag = rest.get(1)?;
    let part = rest.get(2).copied().unwrap_or_default();
    let primitive = Primitive::ALL.into_iter().find(|p| *p as u8 == *tag)?;
    let counts = match primitive {
        Primitive::Event => part == 1,
        Primitive::Trace | Primitive::Run => part == 0,
        Primitive::Flow => false,
        _ => true,
    };
    counts.then_some(primitive)
}

pub(super) fn between<V: View + ?Sized>(
    view: &V,
    first: &Space,
    second: &Space,
    limit: usize,
) -> Result<Vec<RunDifference>> {
    let (mut ours, mut theirs) = (Walk::new(view, first)?, Walk::new(view, second)?);
    let (mut a, mut b) = (ours.next()?, theirs.next()?);
    let mut found = Vec::new();
    while found.len() < limit {
        let order = match (&a, &b) {
            (Some((x, _)), Some((y, _))) => x.cmp(y),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => break,
        };
        let before = if order.is_le() { a.take() } else { None };
        let after = if order.is_ge() { b.take() } else { None };
        if before.is_some() {
            a = ours.next()?;
        }
        if after.is_some() {
            b = theirs.next()?;
        }
        let Some(rest) = before
            .as_ref()
            .or(after.as_ref())
            .map(|(key, _)| key.clone())
        else {
            break;
        };
        let (before, after) = (before.map(|e| e.1.value), after.map(|e| e.1.value));
        if before != after
            && let Some(primitive) = primitive_of(&rest)
        {
            found.push(RunDifference {
                primitive,
                place: place(&rest),
                before,
                after,
            });
        }
    }
    Ok(found)
}

fn place(rest: &[u8]) -> String {
    let shown = space::display(rest);
    let place = shown.trim_start_matches('/').to_owned();
    match (rest.get(1), rest.last_chunk()) {
        (Some(tag), Some(sequence)) if *tag == Primitive::Event as u8 => {
            format!("{place}#{}", u64::from_be_bytes(*sequence))
        }
        _ => place,
    }
}
