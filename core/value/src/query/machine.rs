//! Running a query: a loop with its own stack of places still to go on from, so neither the depth of the
//! value nor the length of the query uses the thread's stack. Every node looked at costs one step.

use std::ops::ControlFlow;

use crate::value_ref::{Entries, Items};
use crate::{Kind, Segment, ValueRef};

use super::filter::Expression;
use super::program::{Condition, Selector, Step};
use super::stack::Stack;

/// How a node was reached from its parent.
#[derive(Clone, Copy)]
pub(super) enum Place<'a, 'q> {
    /// By a name of the query.
    Known(&'q Segment),
    Key(&'a str),
    Index(usize),
}

/// Where results go. `depth` is the number of steps from the start.
pub(super) trait Sink<'a, 'q> {
    /// Whether [`Sink::place`] is to be called, and a result costs as many more steps as it is deep.
    const PLACES: bool = false;

    /// The node at `depth + 1` is now the one at `place` of the node at `depth`.
    fn place(&mut self, _depth: usize, _place: Place<'a, 'q>) {}

    fn take(&mut self, depth: usize, node: ValueRef<'a>) -> ControlFlow<()>;
}

/// Why a run ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The sink has what it wants.
    Enough,
    /// No steps are left.
    Exhausted,
    /// A regular expression found in the value is too large.
    Pattern,
}

pub(super) struct Machine<'a, 'q> {
    pub(super) root: ValueRef<'a>,
    /// Steps left.
    pub(super) steps: u64,
    open: Stack<Frame<'a, 'q>>,
    /// The last regular expression that came out of the value.
    pub(super) expression: Option<Expression>,
}

/// A place to come back to for the next node.
struct Frame<'a, 'q> {
    cursor: Cursor<'a, 'q>,
    /// The segment that the next node goes on with; for a walk, the descendant segment itself.
    segment: usize,
    depth: usize,
}

enum Cursor<'a, 'q> {
    Selectors(ValueRef<'a>, std::slice::Iter<'q, Selector>),
    Entries(Entries<'a>, Option<&'q Condition>),
    Items(Items<'a>, usize, Option<&'q Condition>),
    Slice {
        array: ValueRef<'a>,
        next: i64,
        end: i64,
        step: i64,
    },
    WalkEntries(Entries<'a>),
    WalkItems(Items<'a>, usize),
}

/// A node, the segment to go on with, and its depth.
type Next<'a> = Option<(ValueRef<'a>, usize, usize)>;

impl<'a, 'q> Machine<'a, 'q> {
    pub(super) fn new(root: ValueRef<'a>, steps: u64) -> Self {
        Machine {
            root,
            steps,
            open: Stack::new(),
            expression: None,
        }
    }

    /// Gives all results of `program` on `start` to `sink`, in order.
    pub(super) fn run<S: Sink<'a, 'q>>(
        &mut self,
        program: &'q [Step],
        start: ValueRef<'a>,
        sink: &mut S,
    ) -> Result<(), Halt> {
        let base = self.open.len();
        let result = self.drive(program, start, base, sink);
        self.open.truncate(base);
        result
    }

    /// The one node that a singular query finds.
    pub(super) fn node(
        &mut self,
        program: &'q [Step],
        start: ValueRef<'a>,
    ) -> Option<ValueRef<'a>> {
        program.iter().try_fold(start, |node, step| match step {
            Step::Name(name) => node.step(name),
            Step::Index(index) => item(node, *index).map(|(_, node)| node),
            Step::Children(_) | Step::Descendants(_) => None,
        })
    }

    #[inline]
    pub(super) fn pay(&mut self, steps: u64) -> Result<(), Halt> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Halt::Exhausted),
        }
    }

    fn drive<S: Sink<'a, 'q>>(
        &mut self,
        program: &'q [Step],
        start: ValueRef<'a>,
        base: usize,
        sink: &mut S,
    ) -> Result<(), Halt> {
        let mut next = Some((start, 0, 0));
        loop {
            if let Some((node, segment, depth)) = next {
                next = match program.get(segment) {
                    None => {
                        if S::PLACES {
                            self.pay(depth as u64)?;
                        }
                        if sink.take(depth, node).is_break() {
                            return Err(Halt::Enough);
                        }
                        None
                    }
                    Some(Step::Name(name)) => {
                        self.pay(1)?;
                        node.step(name).map(|child| {
                            sink.place(depth, Place::Known(name));
                            (child, segment + 1, depth + 1)
                        })
                    }
                    Some(Step::Index(index)) => {
                        self.pay(1)?;
                        item(node, *index).map(|(at, child)| {
                            sink.place(depth, Place::Index(at));
                            (child, segment + 1, depth + 1)
                        })
                    }
                    Some(Step::Children(selectors)) => {
                        self.select(selectors, node, segment + 1, depth, sink)?
                    }
                    Some(Step::Descendants(selectors)) => {
                        self.walk(node, segment, depth);
                        self.select(selectors, node, segment + 1, depth, sink)?
                    }
                };
            } else if self.open.len() > base {
                next = self.advance(program, sink)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Begins with the selectors of one segment.
    #[inline]
    fn select<S: Sink<'a, 'q>>(
        &mut self,
        selectors: &'q [Selector],
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        if let [only] = selectors {
            return self.select_one(only, node, segment, depth, sink);
        }
        self.open(Cursor::Selectors(node, selectors.iter()), segment, depth);
        Ok(None)
    }

    fn select_one<S: Sink<'a, 'q>>(
        &mut self,
        selector: &'q Selector,
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        self.pay(1)?;
        match selector {
            Selector::Name(name) => {
                return Ok(node.step(name).map(|child| {
                    sink.place(depth, Place::Known(name));
                    (child, segment, depth + 1)
                }));
            }
            Selector::Index(index) => {
                return Ok(item(node, *index).map(|(at, child)| {
                    sink.place(depth, Place::Index(at));
                    (child, segment, depth + 1)
                }));
            }
            Selector::Wildcard => self.children(node, None, segment, depth),
            Selector::Filter(condition) => self.children(node, Some(condition), segment, depth),
            Selector::Slice(slice) if node.kind() == Kind::Array && slice.step != 0 => {
                let (next, end) = slice.bounds(node.len());
                let cursor = Cursor::Slice {
                    array: node,
                    next,
                    end,
                    step: slice.step,
                };
                self.open(cursor, segment, depth);
            }
            Selector::Slice(_) => {}
        }
        Ok(None)
    }

    fn children(
        &mut self,
        node: ValueRef<'a>,
        condition: Option<&'q Condition>,
        segment: usize,
        depth: usize,
    ) {
        let cursor = match node.kind() {
            Kind::Object => Cursor::Entries(node.entries(), condition),
            Kind::Array => Cursor::Items(node.items(), 0, condition),
            _ => return,
        };
        self.open(cursor, segment, depth);
    }

    fn walk(&mut self, node: ValueRef<'a>, segment: usize, depth: usize) {
        let cursor = match node.kind() {
            Kind::Object => Cursor::WalkEntries(node.entries()),
            Kind::Array => Cursor::WalkItems(node.items(), 0),
            _ => return,
        };
        self.open(cursor, segment, depth);
    }

    fn open(&mut self, cursor: Cursor<'a, 'q>, segment: usize, depth: usize) {
        self.open.push(Frame {
            cursor,
            segment,
            depth,
        });
    }

    /// The next node of the innermost open place; the place is closed when it has no more.
    fn advance<S: Sink<'a, 'q>>(
        &mut self,
        program: &'q [Step],
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        self.pay(1)?;
        let Some(frame) = self.open.last_mut() else {
            return Ok(None);
        };
        let (segment, depth) = (frame.segment, frame.depth);
        let (place, child, condition) = match &mut frame.cursor {
            Cursor::Entries(entries, condition) => match entries.next() {
                Some((key, child)) => (Place::Key(key), child, *condition),
                None => return Ok(self.close()),
            },
            Cursor::Items(items, at, condition) => match items.next() {
                Some(child) => (Place::Index(count(at)), child, *condition),
                None => return Ok(self.close()),
            },
            Cursor::Slice {
                array,
                next,
                end,
                step,
            } => {
                let at = *next;
                let inside = if *step > 0 { at < *end } else { at > *end };
                let child = match usize::try_from(at) {
                    Ok(at) if inside => array.index(at).map(|child| (Place::Index(at), child)),
                    _ => None,
                };
                *next = at.saturating_add(*step);
                match child {
                    Some((place, child)) => (place, child, None),
                    None => return Ok(self.close()),
                }
            }
            Cursor::Selectors(node, selectors) => {
                let node = *node;
                return match selectors.next() {
                    Some(selector) => self.select_one(selector, node, segment, depth, sink),
                    None => Ok(self.close()),
                };
            }
            Cursor::WalkEntries(entries) => match entries.next() {
                Some((key, child)) => {
                    return self.descend(program, Place::Key(key), child, sink);
                }
                None => return Ok(self.close()),
            },
            Cursor::WalkItems(items, at) => match items.next() {
                Some(child) => {
                    let place = Place::Index(count(at));
                    return self.descend(program, place, child, sink);
                }
                None => return Ok(self.close()),
            },
        };
        if let Some(condition) = condition
            && !self.test(condition, child)?
        {
            return Ok(None);
        }
        sink.place(depth, place);
        Ok(Some((child, segment, depth + 1)))
    }

    /// One node further in the walk of the innermost open place.
    fn descend<S: Sink<'a, 'q>>(
        &mut self,
        program: &'q [Step],
        place: Place<'a, 'q>,
        child: ValueRef<'a>,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        if !matches!(child.kind(), Kind::Array | Kind::Object) {
            return Ok(None); // nothing can be selected from it
        }
        let Some(&Frame { segment, depth, .. }) = self.open.last() else {
            return Ok(None);
        };
        sink.place(depth, place);
        self.walk(child, segment, depth + 1);
        match program.get(segment) {
            Some(Step::Descendants(selectors)) => {
                self.select(selectors, child, segment + 1, depth + 1, sink)
            }
            _ => Ok(None),
        }
    }

    fn close(&mut self) -> Next<'a> {
        self.open.pop();
        None
    }
}

/// The item at `index`, counted from the end when negative, and its index from the start.
pub(super) fn item(node: ValueRef<'_>, index: i64) -> Option<(usize, ValueRef<'_>)> {
    let at = match usize::try_from(index) {
        Ok(at) => at,
        Err(_) if node.kind() == Kind::Array => node
            .len()
            .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        Err(_) => return None,
    };
    Some((at, node.index(at)?))
}

fn count(at: &mut usize) -> usize {
    let now = *at;
    *at += 1;
    now
}
