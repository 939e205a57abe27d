//! JSONPath (RFC 9535): one text that finds many places in a value.
//!
//! `lex`, `parse` and `words` read the text into a [`program`], whose types and numbers are then known to be right;
//! `machine` runs it without recursion and counts its steps; `filter` decides conditions; `regexp` reads the regular
//! expressions of `match` and `search`, which `matcher` compiles and runs; `edit` changes what a query finds.

mod complexity;
mod edit;
mod filter;
mod lex;
mod machine;
mod matcher;
mod normalized;
mod parse;
mod program;
mod regexp;
mod stack;
mod words;

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

pub use complexity::Complexity;
pub use parse::Warning;

use crate::cache::QueryCache;
use crate::{Error, Path, Result, Segment, Value, ValueRef};
use filter::{Count, First};
use machine::{Halt, Machine, Place, Sink};
use program::Step;

/// A JSONPath query (RFC 9535), checked and compiled: cheap to clone, and shared between threads.
///
/// The whole standard is there: names, wildcards, indexes, slices, descendants, filters and the functions
/// `length`, `count`, `match`, `search` and `value`. Results come in the order of the standard; the members
/// of an object come in their own order. A node can be found twice (`$['a','a']`).
///
/// Numbers, decimals too, compare by value, so `1 == 1.0`. Dates, times, datetimes and durations compare among
/// their own kind (datetimes by the instant they name), and with text they are their text in JSON:
/// `@.due < '2026-07-01'` works on a date as on the JSON made of it, and so do `match` and `length`.
///
/// # Limits
/// Every node looked at and every comparison costs a step, long texts some more. So do regular expressions: a step
/// for 64 bytes of text, but up to `n / 8` steps a byte for the few, such as `a.{n}b` to be searched, that would
/// need too many states. A query that uses up its steps ([`Query::MAX_STEPS`], or what [`Query::with_max_steps`]
/// says) ends with [`Error::Limit`], so a hostile query costs about a second. The count is the same on every
/// machine.
///
/// ```
/// use statewright_value::{Query, value};
/// # fn main() -> statewright_value::Result<()> {
/// let store = value!({ "book": [
///     { "title": "Moby Dick", "price": 8.99 },
///     { "title": "The Lord of the Rings", "price": 22.99 },
/// ] });
/// let cheap = Query::parse("$.book[?@.price < 10].title")?;
/// let titles = cheap.select(store.by_ref())?;
/// assert_eq!(titles, [value!("Moby Dick").by_ref()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Query {
    compiled: Arc<Compiled>,
    max_steps: u64,
}

struct Compiled {
    text: Box<str>,
    program: Box<[Step]>,
    /// The same, if it is one place in every value.
    path: Option<Path>,
    complexity: Complexity,
    warnings: Box<[Warning]>,
}

/// Making queries and looking at them.
impl Query {
    /// The steps a query may take unless [`Query::with_max_steps`] says otherwise.
    pub const MAX_STEPS: u64 = 10_000_000;

    /// Reads and checks a query. O(length), apart from compiling the regular expressions in it.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] with the position of what is not allowed there: the grammar of RFC 9535
    /// appendix A and its types (section 2.4.3) are checked in full. Filters, parentheses and functions may
    /// nest 32 deep, and its regular expressions may need 1 MiB each when compiled, and 4 MiB together.
    /// [`Error::Limit`] for a text of more than 64 KiB.
    pub fn parse(text: &str) -> Result<Query> {
        let (program, warnings) = parse::parse(text)?;
        let path = program
            .iter()
            .map(|step| match step {
                Step::Name(name) => Some(name.clone()),
                Step::Index(index) => usize::try_from(*index).ok().map(Segment::Index),
                Step::Children(_) | Step::Descendants(_) => None,
            })
            .collect();
        Ok(Query {
            compiled: Arc::new(Compiled {
                text: text.into(),
                path,
                complexity: Complexity::of(&program),
                program,
                warnings,
            }),
            max_steps: Query::MAX_STEPS,
        })
    }

    /// This query with another limit of steps.
    #[must_use]
    pub fn with_max_steps(mut self, max_steps: u64) -> Query {
        self.max_steps = max_steps;
        self
    }

    /// The text it was made of.
    pub fn as_str(&self) -> &str {
        &self.compiled.text
    }

    /// Whether it finds at most one node in any value: only names and single indexes (RFC 9535 section
    /// 2.3.5.1).
    pub fn is_singular(&self) -> bool {
        self.compiled.complexity.singular
    }

    /// The place it finds, if that is the same in every value: singular, and no index from the end.
    pub fn as_path(&self) -> Option<Path> {
        self.compiled.path.clone()
    }

    /// The place that all results are at or below: the names and indexes the query begins with. What a query
    /// without filters on `$` finds depends on nothing outside it.
    pub fn prefix(&self) -> Path {
        let segments = self.compiled.program.iter().map_while(|step| match step {
            Step::Name(name) => Some(name.clone()),
            Step::Index(index) => usize::try_from(*index).ok().map(Segment::Index),
            Step::Children(_) | Step::Descendants(_) => None,
        });
        segments.collect()
    }

    /// What is allowed in it by the standard but can hardly be meant, the first 16: a regular expression that is
    /// none (RFC 9485), an order of what has none, a step of 0.
    ///
    /// ```
    /// use statewright_value::Query;
    /// # fn main() -> statewright_value::Result<()> {
    /// let query = Query::parse(r"$[?match(@.zip, '\\d+')]")?;
    /// assert!(query.warnings()[0].reason.contains("[0-9]"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn warnings(&self) -> &[Warning] {
        &self.compiled.warnings
    }

    /// What is known of it before it runs; free.
    pub fn complexity(&self) -> Complexity {
        self.compiled.complexity
    }
}

/// Running.
impl Query {
    /// All nodes it finds, in order. O(steps): a step for every node looked at, so O(size) for `$..*` and one per
    /// segment for `$.a.b`; never more than the limit.
    ///
    /// # Errors
    /// [`Error::Limit`] when the steps are used up, and for a regular expression out of the value that is
    /// longer than 4 KiB or needs more than 256 KiB.
    pub fn select<'a>(&self, root: ValueRef<'a>) -> Result<Vec<ValueRef<'a>>> {
        let mut found = Vec::new();
        self.visit(root, &mut self.max_steps.clone(), |node| {
            found.push(node);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// All nodes it finds with their places, in order. O(steps); a result costs as many more steps as it is deep.
    ///
    /// ```
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "a": [5, 6], "b": 7 });
    /// let found = Query::parse("$.a[*]")?.locate(doc.by_ref())?;
    /// let places: Vec<String> = found.iter().map(|(path, _)| path.to_string()).collect();
    /// assert_eq!(places, [".a[0]", ".a[1]"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`].
    pub fn locate<'a>(&self, root: ValueRef<'a>) -> Result<Vec<(Path, ValueRef<'a>)>> {
        let mut located = Located {
            places: Vec::new(),
            found: Vec::new(),
        };
        self.run(root, &mut self.max_steps.clone(), &mut located)?;
        Ok(located.found)
    }

    /// The places of all nodes it finds, in order. Costs as much as [`Query::locate`].
    ///
    /// ```
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "a": [5, 6], "b": 7 });
    /// let paths = Query::parse("$[?@ == 7]")?.paths(doc.by_ref())?;
    /// assert_eq!(paths.first().map(|path| path.to_pointer()).as_deref(), Some("/b"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`].
    pub fn paths(&self, root: ValueRef<'_>) -> Result<Vec<Path>> {
        let located = self.locate(root)?;
        Ok(located.into_iter().map(|(path, _)| path).collect())
    }

    /// The first node it finds; looks no further. O(steps until then).
    ///
    /// ```
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "a": [5, 6], "b": 7 });
    /// assert_eq!(Query::parse("$..[?@ > 5]")?.first(doc.by_ref())?, Some(value!(7).by_ref()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`].
    pub fn first<'a>(&self, root: ValueRef<'a>) -> Result<Option<ValueRef<'a>>> {
        if let Some(path) = &self.compiled.path {
            return Ok(root.at(path));
        }
        let mut first = First(None);
        self.run(root, &mut self.max_steps.clone(), &mut first)?;
        Ok(first.0)
    }

    /// Whether it finds anything; looks no further than the first. O(steps until then).
    ///
    /// # Errors
    /// As [`Query::select`].
    pub fn exists(&self, root: ValueRef<'_>) -> Result<bool> {
        Ok(self.first(root)?.is_some())
    }

    /// How many nodes it finds. O(steps).
    ///
    /// ```
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "a": [5, 6], "b": 7 });
    /// assert_eq!(Query::parse("$..*")?.count(doc.by_ref())?, 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`].
    pub fn count(&self, root: ValueRef<'_>) -> Result<usize> {
        let mut count = Count(0);
        self.run(root, &mut self.max_steps.clone(), &mut count)?;
        Ok(count.0)
    }

    /// Gives the nodes to `f` one by one, until it breaks. `steps` is how many steps it may take, and after
    /// it how many are left: several runs can share one allowance. O(steps).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "a": [5, 6], "b": 7 });
    /// let (mut steps, mut sum) = (1_000, 0);
    /// Query::parse("$.a[*]")?.visit(doc.by_ref(), &mut steps, |node| {
    ///     sum += node.as_i64().unwrap_or(0);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert!(sum == 11 && steps < 1_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`]; `f` has then seen the nodes before.
    pub fn visit<'a>(
        &self,
        root: ValueRef<'a>,
        steps: &mut u64,
        f: impl FnMut(ValueRef<'a>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.run(root, steps, &mut Visit(f))
    }

    fn run<'a, 'q, S: Sink<'a, 'q>>(
        &'q self,
        root: ValueRef<'a>,
        steps: &mut u64,
        sink: &mut S,
    ) -> Result<()> {
        let allowed = *steps;
        let mut machine = Machine::new(root, allowed);
        let result = machine.run(&self.compiled.program, root, sink);
        *steps = machine.fuel.0;
        let (what, limit) = match result {
            Ok(()) | Err(Halt::Enough) => return Ok(()),
            Err(Halt::Exhausted) => ("number of steps", allowed),
            Err(Halt::Pattern) => ("size of a regular expression", matcher::MAX_DYNAMIC as u64),
        };
        Err(Error::Limit {
            what,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            at: format!("query `{}`", crate::path::shorten(self.as_str())),
        })
    }
}

/// Queries as text, through [`QueryCache::shared`].
impl<'a> ValueRef<'a> {
    /// All nodes that a JSONPath query finds; the compiled query is cached.
    ///
    /// # Errors
    /// As [`Query::parse`] and [`Query::select`].
    pub fn query(self, query: &str) -> Result<Vec<ValueRef<'a>>> {
        QueryCache::shared().get(query)?.select(self)
    }
}

/// Queries as text, through [`QueryCache::shared`].
impl Value {
    /// All nodes that a JSONPath query finds; the compiled query is cached.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "book": [{ "price": 8 }, { "price": 12 }] });
    /// assert_eq!(doc.query("$..book[?@.price < 10]")?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::parse`] and [`Query::select`].
    pub fn query(&self, query: &str) -> Result<Vec<ValueRef<'_>>> {
        self.by_ref().query(query)
    }
}

/// Every result to a closure.
struct Visit<F>(F);

impl<'a, F: FnMut(ValueRef<'a>) -> ControlFlow<()>> Sink<'a, '_> for Visit<F> {
    #[inline]
    fn take(&mut self, _depth: usize, node: ValueRef<'a>) -> ControlFlow<()> {
        (self.0)(node)
    }
}

/// Every result with its path.
struct Located<'a, 'q> {
    places: Vec<Place<'a, 'q>>,
    found: Vec<(Path, ValueRef<'a>)>,
}

impl<'a, 'q> Sink<'a, 'q> for Located<'a, 'q> {
    const PLACES: bool = true;

    fn place(&mut self, depth: usize, place: Place<'a, 'q>) {
        self.places.truncate(depth);
        self.places.push(place);
    }

    fn take(&mut self, depth: usize, node: ValueRef<'a>) -> ControlFlow<()> {
        let segments = self.places.iter().take(depth).map(|place| match place {
            Place::Known(segment) => (*segment).clone(),
            Place::Key(key) => Segment::Key((*key).into()),
            Place::Index(index) => Segment::Index(*index),
        });
        self.found.push((segments.collect(), node));
        ControlFlow::Continue(())
    }
}

impl FromStr for Query {
    type Err = Error;

    fn from_str(text: &str) -> Result<Query> {
        Query::parse(text)
    }
}

/// The text it was made of.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({self})")
    }
}

/// Equal text.
impl PartialEq for Query {
    fn eq(&self, other: &Query) -> bool {
        self.compiled.text == other.compiled.text
    }
}

impl Eq for Query {}
