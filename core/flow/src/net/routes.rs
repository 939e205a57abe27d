//! Routing compiled to bit words: tasks that only join and split, on places that hold one token at most.
//!
//! A marking is a bit a place, and a task three masks: what it takes, what it gives, and which tasks are to be looked
//! at when it has fired. So firing it is a few instructions. What does not fit is left to the counters of
//! [`Marking`](crate::analysis::Marking): a place with more tokens than one or about to get a second (an unsafe
//! place), and every task that does more than route.

use super::{Join, Net, Split, Task, TaskId, TaskKind};

/// Places, and tasks, of a net whose routing is compiled at most.
const MOST: usize = 256;

/// So many bits: a set of places or of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits<const N: usize>([u64; N]);

impl<const N: usize> Default for Bits<N> {
    fn default() -> Self {
        Bits([0; N])
    }
}

impl<const N: usize> Bits<N> {
    fn insert(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    fn has(&self, bit: usize) -> bool {
        self.0
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 != 0)
    }

    fn zip(&self, other: &Bits<N>, f: impl Fn(u64, u64) -> u64) -> Bits<N> {
        let mut result = *self;
        for (a, b) in result.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        result
    }

    fn meets(&self, other: &Bits<N>) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs.fold(0, |any, (a, b)| any | (a & b)) != 0
    }

    fn covers(&self, other: &Bits<N>) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs.fold(0, |any, (a, b)| any | (!a & b)) == 0
    }

    /// The lowest bit alone; nothing of nothing.
    fn lowest(&self) -> Bits<N> {
        let mut result = Bits::default();
        for (into, word) in result.0.iter_mut().zip(self.0) {
            if word != 0 {
                *into = word & word.wrapping_neg();
                break;
            }
        }
        result
    }

    /// Takes the lowest bit out.
    fn pop(&mut self) -> Option<usize> {
        for (index, word) in self.0.iter_mut().enumerate() {
            if *word != 0 {
                let bit = word.trailing_zeros() as usize;
                *word &= word.wrapping_sub(1);
                return Some(index * 64 + bit);
            }
        }
        None
    }

    fn iter(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || self.pop())
    }
}

/// One task. A task that does not only route takes nothing, and never fires here.
#[derive(Clone, Copy, Debug, Default)]
struct Route<const N: usize> {
    takes: Bits<N>,
    gives: Bits<N>,
    /// The tasks behind what it gives; itself too, if it takes one of several.
    wakes: Bits<N>,
    /// Whether it takes one of what it takes, the first that is marked; else all.
    one: bool,
}

#[derive(Clone, Debug)]
struct Table<const N: usize> {
    routes: Box<[Route<N>]>,
    tasks: Bits<N>,
}

/// How many words a set takes.
#[derive(Clone, Debug)]
enum Sized {
    One(Table<1>),
    Two(Table<2>),
    Four(Table<4>),
}

/// The routing of a net, compiled.
///
/// ```
/// use statewright_flow::net::{Net, Routes};
///
/// let spec = "name: r\ntasks:
///   a: { split: and, next: [b, c] }
///   b: { next: d }
///   c: { next: d }
///   d: { join: and }
/// ";
/// let net = Net::compile(spec, None).unwrap();
/// let routes = Routes::of(&net).unwrap();
/// let mut marking = [net.start].into();
/// let mut fired = Vec::new();
/// routes.run(&mut marking, &mut fired, 100);
/// let names: Vec<&str> = fired.iter().map(|t| &*net.tasks[*t as usize].name).collect();
/// assert_eq!(names, ["a", "b", "c", "d"]);
/// assert!(marking.places().next().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Routes(Sized);

/// Which places hold one token, which more, and which tasks are to be looked at; as bits, in memory alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    marked: Bits<4>,
    /// Places with more tokens than one.
    unsafe_places: Bits<4>,
    /// Tasks to be looked at; none = those that anything is marked for.
    due: Option<Bits<4>>,
    /// Tasks that were looked at and need counters.
    left: Bits<4>,
}

impl Routing {
    /// A marking of these places and their tokens, with these tasks to be looked at.
    pub(crate) fn new(
        marked: impl Iterator<Item = (usize, u32)>,
        due: impl Iterator<Item = TaskId>,
    ) -> Routing {
        let mut routing = Routing::default();
        for (place, tokens) in marked {
            if tokens == 1 {
                routing.marked.insert(place);
            } else {
                routing.unsafe_places.insert(place);
            }
        }
        let mut tasks = Bits::default();
        due.for_each(|task| tasks.insert(task));
        routing.due = Some(tasks);
        routing
    }

    /// The places that hold one token, in order.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        self.marked.iter()
    }

    /// The places that hold one token in just one of two markings, and whether it is this one.
    pub(crate) fn changed(&self, before: &Routing) -> impl Iterator<Item = (usize, bool)> {
        let now = self.marked;
        let changed = now.zip(&before.marked, |a, b| a ^ b);
        changed.iter().map(move |place| (place, now.has(place)))
    }

    /// The tasks that were looked at and left to counters.
    pub(crate) fn left(&self) -> impl Iterator<Item = TaskId> {
        self.left.iter()
    }
}

impl<const M: usize> From<[usize; M]> for Routing {
    /// One token on each of these places.
    fn from(places: [usize; M]) -> Routing {
        let mut routing = Routing::default();
        places.into_iter().for_each(|p| routing.marked.insert(p));
        routing
    }
}

/// Whether a task only routes, one token at a time, and nothing but it looks at what it takes.
fn routes(net: &Net, task: TaskId, spec: &Task) -> bool {
    let alone = |place: usize| {
        net.places
            .get(place)
            .is_some_and(|p| p.targets == [task] && p.testers.is_empty() && p.sections.is_empty())
    };
    let counts = |task: &TaskId| {
        let task = net.tasks.get(*task);
        task.is_none_or(|t| matches!(t.join, Join::Of { .. }))
    };
    let plain = |place: usize| {
        net.places.get(place).is_some_and(|p| {
            !p.dead_paths
                && p.testers.is_empty()
                && p.sections.is_empty()
                && !p.targets.iter().any(counts)
        })
    };
    let ascend = spec.inputs.is_sorted_by(|a, b| a.place < b.place);
    let splits = match spec.outputs.as_slice() {
        [edge] => edge.when.is_none(),
        _ => spec.split == Split::And,
    };
    let mut out: Vec<usize> = spec.outputs.iter().map(|e| e.place).collect();
    out.sort_unstable();
    let distinct = out.is_sorted_by(|a, b| a < b);
    let apart = !spec.inputs.iter().any(|i| out.contains(&i.place));
    matches!(spec.kind, TaskKind::Route)
        && spec.many.is_none()
        && !spec.terminate
        && !spec.undoes
        && spec.cancels.is_empty()
        && spec.tests.is_empty()
        && spec.sections.is_empty()
        && !spec.inputs.is_empty()
        && (spec.join == Join::And || spec.join == Join::Xor && ascend)
        && spec.inputs.iter().all(|i| i.tokens == 1 && alone(i.place))
        && splits
        && distinct
        && apart
        && spec.outputs.iter().all(|e| e.tokens == 1 && plain(e.place))
}

impl<const N: usize> Table<N> {
    fn of(net: &Net) -> Table<N> {
        let mut tasks = Bits::default();
        let route = |(task, spec): (TaskId, &Task)| {
            let mut route = Route::default();
            if !routes(net, task, spec) {
                return route;
            }
            tasks.insert(task);
            route.one = spec.join == Join::Xor;
            spec.inputs.iter().for_each(|i| route.takes.insert(i.place));
            for edge in &spec.outputs {
                route.gives.insert(edge.place);
                let targets = net.places.get(edge.place).map_or(&[][..], |p| &p.targets);
                targets.iter().for_each(|t| route.wakes.insert(*t));
            }
            if route.one {
                route.wakes.insert(task);
            }
            route
        };
        let all = net.tasks.iter().enumerate().map(route).collect();
        Table { routes: all, tasks }
    }

    fn run(&self, routing: &mut Routing, fired: &mut Vec<u32>, most: usize) {
        let narrow = |bits: &Bits<4>| {
            let mut narrow = Bits::default();
            for (into, word) in narrow.0.iter_mut().zip(bits.0) {
                *into = word;
            }
            narrow
        };
        let mut marked: Bits<N> = narrow(&routing.marked);
        let many: Bits<N> = narrow(&routing.unsafe_places);
        let due = routing.due.map_or(self.tasks, |due| narrow(&due));
        let mut due = due.zip(&self.tasks, |a, b| a & b);
        let mut left: Bits<N> = Bits::default();
        let most = fired.len().saturating_add(most);
        while let Some(task) = due.pop() {
            let Some(route) = self.routes.get(task) else {
                continue;
            };
            let found = marked.zip(&route.takes, |a, b| a & b);
            let takes = match route.one {
                true if found == Bits::default() => continue,
                true => found.lowest(),
                false if !marked.covers(&route.takes) => {
                    // It may be enabled with more tokens than one somewhere.
                    if many.meets(&route.takes) {
                        left.insert(task);
                    }
                    continue;
                }
                false => route.takes,
            };
            let full = marked.zip(&many, |a, b| a | b);
            if full.meets(&route.gives) || many.meets(&route.takes) || fired.len() >= most {
                left.insert(task);
                continue;
            }
            marked = marked
                .zip(&takes, |a, b| a & !b)
                .zip(&route.gives, |a, b| a | b);
            due = due
                .zip(&route.wakes, |a, b| a | b)
                .zip(&self.tasks, |a, b| a & b);
            // A net has fewer tasks than `MOST`.
            fired.push(task as u32);
        }
        for (into, word) in routing.marked.0.iter_mut().zip(marked.0) {
            *into = word;
        }
        for (into, word) in routing.left.0.iter_mut().zip(left.0) {
            *into |= word;
        }
        routing.due = None;
    }
}

impl Routes {
    /// Compiles what of a net only routes; none if nothing does, or if the net has more than 256 places or tasks.
    pub fn of(net: &Net) -> Option<Routes> {
        let size = net.places.len().max(net.tasks.len());
        let sized = match size {
            0..=64 => Sized::One(Table::of(net)),
            65..=128 => Sized::Two(Table::of(net)),
            129..=MOST => Sized::Four(Table::of(net)),
            _ => return None,
        };
        let none = match &sized {
            Sized::One(table) => table.tasks == Bits::default(),
            Sized::Two(table) => table.tasks == Bits::default(),
            Sized::Four(table) => table.tasks == Bits::default(),
        };
        (!none).then_some(Routes(sized))
    }

    /// Whether a task is fired here.
    pub fn has(&self, task: TaskId) -> bool {
        match &self.0 {
            Sized::One(table) => table.tasks.has(task),
            Sized::Two(table) => table.tasks.has(task),
            Sized::Four(table) => table.tasks.has(task),
        }
    }

    /// Fires what is enabled, in the order of the spec, until nothing is or `most` tasks have; adds them to `fired`.
    /// O(tasks fired and looked at).
    pub fn run(&self, marking: &mut Routing, fired: &mut Vec<u32>, most: usize) {
        match &self.0 {
            Sized::One(table) => table.run(marking, fired, most),
            Sized::Two(table) => table.run(marking, fired, most),
            Sized::Four(table) => table.run(marking, fired, most),
        }
    }
}
