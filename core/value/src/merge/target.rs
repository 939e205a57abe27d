//! A container that is being put together, and where it belongs.

use crate::{Key, Path, Result, Segment, Value};

/// One step down from a container.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl Step<'_> {
    pub(super) fn segment(self) -> Option<Segment> {
        match self {
            Step::Root => None,
            Step::Key(key) => Some(Segment::Key(Key::new(key))),
            Step::Index(index) => Some(Segment::Index(index)),
        }
    }
}

/// A copy of a container, which costs nothing until it is edited.
pub(super) struct Target<'a> {
    pub value: Value,
    /// Where in the container around it.
    pub step: Step<'a>,
    pub changed: bool,
    /// The items to take out at the end, in ascending order: until then each index is that of the document.
    removed: Vec<usize>,
}

impl<'a> Target<'a> {
    pub(super) fn new(value: Value, step: Step<'a>) -> Self {
        Target {
            value,
            step,
            changed: false,
            removed: Vec::new(),
        }
    }

    /// Puts a value in, or takes what is there out. What comes beyond the end of an array is appended. The
    /// indexes of an array must ascend.
    pub(super) fn put(&mut self, step: Step<'_>, value: Option<Value>) -> Result<()> {
        self.changed = true;
        match (step, value) {
            (Step::Root, value) => self.value = value.unwrap_or_default(),
            (Step::Key(key), Some(value)) => drop(self.value.insert(key, value)?),
            (Step::Key(key), None) => drop(self.value.remove_key(key)?),
            (Step::Index(index), Some(value)) => {
                let index = index.min(self.value.by_ref().len());
                self.value.set(&Path::root().index(index), value)?;
            }
            (Step::Index(index), None) => self.removed.push(index),
        }
        Ok(())
    }

    /// The container, which is complete.
    pub(super) fn finish(mut self) -> Result<Value> {
        for index in self.removed.into_iter().rev() {
            self.value.remove_item(index)?;
        }
        Ok(self.value)
    }
}

/// The path of a child of the innermost of the open containers.
pub(super) fn path_of<'a>(open: impl Iterator<Item = &'a Target<'a>>, child: Step<'_>) -> Path {
    open.map(|target| target.step)
        .chain([child])
        .filter_map(Step::segment)
        .collect()
}
