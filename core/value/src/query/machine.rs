//! Running a query: a loop with its own stack of places still to go on from, so neither the depth of the
//! value nor the length of the query uses the thread's stack. Every node looked at costs one step.

use std::ops::ControlFlow;

use crate::value_ref::{Children, Entries};
use crate::{Kind, Segment, ValueRef};

use super::filter::Expression;
use super::program::{Condition, Selector, Slice, Step};
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

/// Steps that may still be taken.
pub(super) struct Fuel(pub(super) u64);

impl Fuel {
    #[inline]
    pub(super) fn pay(&mut self, steps: u64) -> Result<(), Halt> {
        match self.0.checked_sub(steps) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(Halt::Exhausted),
        }
    }
}

pub(super) struct Machine<'a, 'q> {
    pub(super) root: ValueRef<'a>,
    pub(super) fuel: Fuel,
    open: Stack<Frame<'a, 'q>>,
    /// The last regular expression that came out of the value.
    pub(super) expression: Option<Expression>,
}

/// A program, and from which of its segments on it is singular. What comes after a selector of several
/// nodes most often is; then the results go out at once, without a frame.
#[derive(Clone, Copy)]
struct Program<'q> {
    steps: &'q [Step],
    tail: usize,
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
    Nodes(Nodes<'a>, Option<&'q Condition>),
    Range(Range<'a>),
    Walk(Nodes<'a>),
}

/// The children of a node, with their places where the sink wants to know.
enum Nodes<'a> {
    Values(Children<'a>, usize),
    Entries(Entries<'a>),
}

impl<'a> Nodes<'a> {
    #[inline]
    fn of<'q, S: Sink<'a, 'q>>(node: ValueRef<'a>) -> Option<Nodes<'a>> {
        if S::PLACES && node.kind() == Kind::Object {
            return Some(Nodes::Entries(node.entries()));
        }
        node.children().map(|children| Nodes::Values(children, 0))
    }

    #[inline]
    fn next<'q, S: Sink<'a, 'q>>(&mut self) -> Option<(Place<'a, 'q>, ValueRef<'a>)> {
        match self {
            Nodes::Values(children, at) => {
                let child = children.next()?;
                if S::PLACES {
                    *at += 1;
                }
                Some((Place::Index(at.wrapping_sub(1)), child))
            }
            Nodes::Entries(entries) => {
                let (key, child) = entries.next()?;
                Some((Place::Key(key), child))
            }
        }
    }
}

/// The rest of a slice.
struct Range<'a> {
    array: ValueRef<'a>,
    next: i64,
    end: i64,
    step: i64,
}

impl<'a> Range<'a> {
    fn new(array: ValueRef<'a>, slice: &Slice) -> Option<Range<'a>> {
        if array.kind() != Kind::Array || slice.step == 0 {
            return None;
        }
        let (next, end) = slice.bounds(array.len());
        Some(Range {
            array,
            next,
            end,
            step: slice.step,
        })
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (usize, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next;
        let inside = match self.step > 0 {
            true => at < self.end,
            false => at > self.end,
        };
        if !inside {
            return None;
        }
        self.next = at.saturating_add(self.step);
        let at = usize::try_from(at).ok()?;
        Some((at, self.array.index(at)?))
    }
}

/// A node, the segment to go on with, and its depth.
type Next<'a> = Option<(ValueRef<'a>, usize, usize)>;

impl<'a, 'q> Machine<'a, 'q> {
    pub(super) fn new(root: ValueRef<'a>, steps: u64) -> Self {
        Machine {
            root,
            fuel: Fuel(steps),
            open: Stack::new(),
            expression: None,
        }
    }

    /// Gives all results of `steps` on `start` to `sink`, in order.
    pub(super) fn run<S: Sink<'a, 'q>>(
        &mut self,
        steps: &'q [Step],
        start: ValueRef<'a>,
        sink: &mut S,
    ) -> Result<(), Halt> {
        let singular = steps.iter().rev().take_while(|step| step.is_singular());
        let tail = steps.len() - singular.count();
        let base = self.open.len();
        let result = self.drive(Program { steps, tail }, start, base, sink);
        self.open.truncate(base);
        result
    }

    fn drive<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        start: ValueRef<'a>,
        base: usize,
        sink: &mut S,
    ) -> Result<(), Halt> {
        let mut next = Some((start, 0, 0));
        loop {
            if let Some((node, segment, depth)) = next {
                if segment >= program.tail {
                    self.finish(program, segment, node, depth, sink)?;
                    next = None;
                    continue;
                }
                next = match program.steps.get(segment) {
                    Some(Step::Name(name)) => self
                        .name(name, node, depth, sink)?
                        .map(|child| (child, segment + 1, depth + 1)),
                    Some(Step::Index(index)) => self
                        .index(*index, node, depth, sink)?
                        .map(|child| (child, segment + 1, depth + 1)),
                    Some(Step::Children(selectors)) => {
                        self.select(program, selectors, node, segment + 1, depth, sink)?
                    }
                    Some(Step::Descendants(selectors)) => {
                        if let Some(nodes) = Nodes::of::<S>(node) {
                            self.open(Cursor::Walk(nodes), segment, depth);
                        }
                        self.select(program, selectors, node, segment + 1, depth, sink)?
                    }
                    None => None,
                };
            } else if self.open.len() > base {
                next = self.advance(program, sink)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Follows the singular rest of the program from `segment` on, and gives its result to the sink.
    #[inline]
    fn finish<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        segment: usize,
        mut node: ValueRef<'a>,
        mut depth: usize,
        sink: &mut S,
    ) -> Result<(), Halt> {
        for step in program.steps.get(segment..).unwrap_or_default() {
            let child = match step {
                Step::Name(name) => self.name(name, node, depth, sink)?,
                Step::Index(index) => self.index(*index, node, depth, sink)?,
                Step::Children(_) | Step::Descendants(_) => None,
            };
            let Some(child) = child else {
                return Ok(());
            };
            node = child;
            depth += 1;
        }
        if S::PLACES {
            self.fuel.pay(depth as u64)?;
        }
        match sink.take(depth, node) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Halt::Enough),
        }
    }

    #[inline]
    fn name<S: Sink<'a, 'q>>(
        &mut self,
        name: &'q Segment,
        node: ValueRef<'a>,
        depth: usize,
        sink: &mut S,
    ) -> Result<Option<ValueRef<'a>>, Halt> {
        self.fuel.pay(1)?;
        let child = node.step(name);
        if S::PLACES && child.is_some() {
            sink.place(depth, Place::Known(name));
        }
        Ok(child)
    }

    #[inline]
    fn index<S: Sink<'a, 'q>>(
        &mut self,
        index: i64,
        node: ValueRef<'a>,
        depth: usize,
        sink: &mut S,
    ) -> Result<Option<ValueRef<'a>>, Halt> {
        self.fuel.pay(1)?;
        Ok(item(node, index).map(|(at, child)| {
            sink.place(depth, Place::Index(at));
            child
        }))
    }

    /// The selectors of one segment, of which `segment` is the one after it.
    fn select<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        selectors: &'q [Selector],
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        if let [only] = selectors {
            return self.select_one(program, only, node, segment, depth, sink);
        }
        if segment < program.tail {
            self.open(Cursor::Selectors(node, selectors.iter()), segment, depth);
            return Ok(None);
        }
        for selector in selectors {
            self.select_one(program, selector, node, segment, depth, sink)?;
        }
        Ok(None)
    }

    /// What one selector selects: all of it goes out where the rest is singular; otherwise the first node, or
    /// a frame to get the nodes from.
    fn select_one<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        selector: &'q Selector,
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        let child = match selector {
            Selector::Name(name) => self.name(name, node, depth, sink)?,
            Selector::Index(index) => self.index(*index, node, depth, sink)?,
            Selector::Wildcard => {
                self.children(program, None, node, segment, depth, sink)?;
                None
            }
            Selector::Filter(condition) => {
                self.children(program, Some(condition), node, segment, depth, sink)?;
                None
            }
            Selector::Slice(slice) => {
                self.slice(program, slice, node, segment, depth, sink)?;
                None
            }
        };
        let Some(child) = child else {
            return Ok(None);
        };
        if segment < program.tail {
            return Ok(Some((child, segment, depth + 1)));
        }
        self.finish(program, segment, child, depth + 1, sink)?;
        Ok(None)
    }

    fn children<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        condition: Option<&'q Condition>,
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<(), Halt> {
        self.fuel.pay(1)?;
        if segment < program.tail {
            if let Some(nodes) = Nodes::of::<S>(node) {
                self.open(Cursor::Nodes(nodes, condition), segment, depth);
            }
            return Ok(());
        }
        let mut each = |place: Option<Place<'a, 'q>>, child: ValueRef<'a>| {
            self.fuel.pay(1)?;
            if let Some(condition) = condition
                && !self.test(condition, child)?
            {
                return Ok(());
            }
            if let Some(place) = place {
                sink.place(depth, place);
            }
            self.finish(program, segment, child, depth + 1, sink)
        };
        if !S::PLACES {
            return match node.children() {
                Some(children) => children.try_each(|child| each(None, child)),
                None => Ok(()),
            };
        }
        let mut nodes = Nodes::of::<S>(node);
        while let Some((place, child)) = nodes.as_mut().and_then(Nodes::next::<S>) {
            each(Some(place), child)?;
        }
        Ok(())
    }

    fn slice<S: Sink<'a, 'q>>(
        &mut self,
        program: Program<'q>,
        slice: &Slice,
        node: ValueRef<'a>,
        segment: usize,
        depth: usize,
        sink: &mut S,
    ) -> Result<(), Halt> {
        self.fuel.pay(1)?;
        let Some(range) = Range::new(node, slice) else {
            return Ok(());
        };
        if segment < program.tail {
            self.open(Cursor::Range(range), segment, depth);
            return Ok(());
        }
        for (at, child) in range {
            self.fuel.pay(1)?;
            sink.place(depth, Place::Index(at));
            self.finish(program, segment, child, depth + 1, sink)?;
        }
        Ok(())
    }

    #[inline]
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
        program: Program<'q>,
        sink: &mut S,
    ) -> Result<Next<'a>, Halt> {
        let Some(frame) = self.open.last_mut() else {
            return Ok(None);
        };
        let (segment, depth) = (frame.segment, frame.depth);
        let found = match &mut frame.cursor {
            Cursor::Nodes(nodes, condition) => {
                let condition = *condition;
                match nodes.next::<S>() {
                    Some((place, child)) => {
                        self.fuel.pay(1)?;
                        if let Some(condition) = condition
                            && !self.test(condition, child)?
                        {
                            return Ok(None);
                        }
                        Some((place, child))
                    }
                    None => None,
                }
            }
            Cursor::Range(range) => {
                self.fuel.pay(1)?;
                range.next().map(|(at, child)| (Place::Index(at), child))
            }
            Cursor::Selectors(node, selectors) => {
                let node = *node;
                if let Some(selector) = selectors.next() {
                    return self.select_one(program, selector, node, segment, depth, sink);
                }
                None
            }
            Cursor::Walk(nodes) => {
                // Nothing is selected from a scalar.
                let container = loop {
                    match nodes.next::<S>() {
                        Some((place, child)) => {
                            self.fuel.pay(1)?;
                            if let Some(below) = Nodes::of::<S>(child) {
                                break Some((place, child, below));
                            }
                        }
                        None => break None,
                    }
                };
                if let Some((place, child, below)) = container
                    && let Some(Step::Descendants(selectors)) = program.steps.get(segment)
                {
                    sink.place(depth, place);
                    self.open(Cursor::Walk(below), segment, depth + 1);
                    return self.select(program, selectors, child, segment + 1, depth + 1, sink);
                }
                None
            }
        };
        Ok(match found {
            Some((place, child)) => {
                sink.place(depth, place);
                Some((child, segment, depth + 1))
            }
            None => {
                self.open.pop();
                None
            }
        })
    }
}

/// The one node that a singular query finds.
#[inline]
pub(super) fn node<'a>(program: &[Step], start: ValueRef<'a>) -> Option<ValueRef<'a>> {
    program.iter().try_fold(start, |node, step| match step {
        Step::Name(name) => node.step(name),
        Step::Index(index) => item(node, *index).map(|(_, node)| node),
        Step::Children(_) | Step::Descendants(_) => None,
    })
}

/// The item at `index`, counted from the end when negative, and its index from the start.
#[inline]
pub(super) fn item(node: ValueRef<'_>, index: i64) -> Option<(usize, ValueRef<'_>)> {
    let at = match usize::try_from(index) {
        Ok(at) => at,
        Err(_) if node.kind() == Kind::Array => {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            node.len().checked_sub(back)?
        }
        Err(_) => return None,
    };
    Some((at, node.index(at)?))
}
