//! What is true of a node: comparisons, existence and functions (RFC 9535 sections 2.3.5 and 2.4).

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::equal::Number;
use crate::value_ref::Data;
use crate::{Kind, ValueRef};

use super::machine::{Halt, Machine, Sink, node as node_of};
use super::matcher::{BYTES_PER_STEP, Dynamic, Pattern, Source};
use super::program::{Comparison, Condition, Literal, Operand, SubQuery};

/// Something to compare: a literal, a result, a node's value, or Nothing.
#[derive(Clone, Copy)]
enum Datum<'x> {
    Nothing,
    Null,
    Bool(bool),
    Int(i64),
    /// Only beyond `i64`.
    Uint(u64),
    Float(f64),
    Text(&'x str),
    /// A container, or a kind that JSON does not have.
    Other(ValueRef<'x>),
}

impl<'x> Datum<'x> {
    #[inline]
    fn of(value: ValueRef<'x>) -> Datum<'x> {
        match value.data() {
            Data::Null => Datum::Null,
            Data::Bool(bool) => Datum::Bool(bool),
            Data::Int(int) => Datum::Int(int),
            Data::Uint(uint) => Datum::Uint(uint),
            Data::Float(float) => Datum::Float(float),
            Data::Text(text) => Datum::Text(text),
            Data::Bytes(_) | Data::Extended(_) | Data::Array | Data::Object => Datum::Other(value),
        }
    }

    #[inline]
    fn literal(literal: &'x Literal) -> Datum<'x> {
        match literal {
            Literal::Null => Datum::Null,
            Literal::Bool(bool) => Datum::Bool(*bool),
            Literal::Int(int) => Datum::Int(*int),
            Literal::Uint(uint) => Datum::Uint(*uint),
            Literal::Float(float) => Datum::Float(*float),
            Literal::Text(text) => Datum::Text(text),
        }
    }

    fn count(count: usize) -> Datum<'static> {
        Datum::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// The text that plain JSON has for a date, time, datetime or duration.
    fn printed(self) -> Option<String> {
        match self {
            Datum::Other(value)
                if matches!(
                    value.kind(),
                    Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration
                ) =>
            {
                value.extended().map(ToString::to_string)
            }
            _ => None,
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Datum::Int(int) => Some(Number::Integer(int.into())),
            Datum::Uint(uint) => Some(Number::Integer(uint.into())),
            Datum::Float(float) => Some(Number::Float(float)),
            Datum::Other(value) => Number::of(value),
            Datum::Nothing | Datum::Null | Datum::Bool(_) | Datum::Text(_) => None,
        }
    }

    /// By value where both are numbers: 1 and 1.0 are equal.
    #[inline]
    fn compare_number(self, other: Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Datum::Int(a), Datum::Int(b)) => Some(a.cmp(&b)),
            (Datum::Float(a), Datum::Float(b)) => a.partial_cmp(&b),
            _ => Some(self.number()?.compare(other.number()?)),
        }
    }
}

impl<'a, 'q> Machine<'a, 'q> {
    /// Whether `condition` holds of `node`.
    pub(super) fn test(
        &mut self,
        condition: &'q Condition,
        node: ValueRef<'a>,
    ) -> Result<bool, Halt> {
        match condition {
            Condition::Compare(comparison) => {
                self.fuel.pay(1)?;
                let (left, comparison, right) = &**comparison;
                let left = self.datum(left, node)?;
                let right = self.datum(right, node)?;
                self.compare(left, *comparison, right)
            }
            Condition::Check(check) => self.check(&check.0, check.1, &check.2, node),
            Condition::Exists(query) => self.exists(query, node),
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.test(condition, node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.test(condition, node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(condition) => Ok(!self.test(condition, node)?),
            Condition::Matches(matches) => self.matches(&matches.0, &matches.1, node),
        }
    }

    /// As [`Machine::compare`]; the common cases come first.
    #[inline]
    fn check(
        &mut self,
        query: &'q SubQuery,
        comparison: Comparison,
        literal: &'q Literal,
        node: ValueRef<'a>,
    ) -> Result<bool, Halt> {
        self.fuel.pay(price(query))?;
        let start = self.start(query, node);
        let Some(found) = node_of(&query.steps, start) else {
            return Ok(comparison == Comparison::NotEqual);
        };
        let found = Datum::of(found);
        match (found, literal) {
            (Datum::Int(a), Literal::Int(b)) => Ok(comparison.holds(a.cmp(b))),
            _ => self.compare(found, comparison, Datum::literal(literal)),
        }
    }

    fn exists(&mut self, query: &'q SubQuery, node: ValueRef<'a>) -> Result<bool, Halt> {
        let start = self.start(query, node);
        if query.is_singular() {
            self.fuel.pay(price(query))?;
            return Ok(node_of(&query.steps, start).is_some());
        }
        let mut first = First(None);
        match self.run(&query.steps, start, &mut first) {
            Ok(()) => Ok(false),
            Err(Halt::Enough) => Ok(true),
            Err(halt) => Err(halt),
        }
    }

    fn start(&self, query: &SubQuery, node: ValueRef<'a>) -> ValueRef<'a> {
        if query.absolute { self.root } else { node }
    }

    fn datum<'x>(&mut self, operand: &'q Operand, node: ValueRef<'a>) -> Result<Datum<'x>, Halt>
    where
        'a: 'x,
        'q: 'x,
    {
        Ok(match operand {
            Operand::Literal(literal) => Datum::literal(literal),
            Operand::Node(query) => {
                self.fuel.pay(query.steps.len() as u64)?;
                let start = self.start(query, node);
                node_of(&query.steps, start).map_or(Datum::Nothing, Datum::of)
            }
            Operand::Length(operand) => match self.datum(operand, node)? {
                Datum::Text(text) => {
                    self.fuel.pay(text.len() as u64 / BYTES_PER_STEP)?;
                    Datum::count(text.chars().count())
                }
                Datum::Other(value)
                    if matches!(value.kind(), Kind::Array | Kind::Object | Kind::Bytes) =>
                {
                    Datum::count(value.len())
                }
                other => match other.printed() {
                    Some(printed) => Datum::count(printed.chars().count()),
                    None => Datum::Nothing,
                },
            },
            Operand::Count(query) => {
                let mut count = Count(0);
                let start = self.start(query, node);
                self.run(&query.steps, start, &mut count)?;
                Datum::count(count.0)
            }
            Operand::Value(query) => {
                let mut only = Only::None;
                let start = self.start(query, node);
                match (self.run(&query.steps, start, &mut only), only) {
                    (Err(Halt::Enough), _) | (Ok(()), Only::None) => Datum::Nothing,
                    (Ok(()), Only::One(value)) => Datum::of(value),
                    (Err(halt), _) => return Err(halt),
                }
            }
        })
    }

    /// RFC 9535 section 2.3.5.2.2.
    fn compare(
        &mut self,
        left: Datum<'_>,
        comparison: Comparison,
        right: Datum<'_>,
    ) -> Result<bool, Halt> {
        Ok(match comparison {
            Comparison::Equal => self.equal(left, right)?,
            Comparison::NotEqual => !self.equal(left, right)?,
            Comparison::Less => self.less(left, right)?,
            Comparison::Greater => self.less(right, left)?,
            Comparison::LessOrEqual => self.less(left, right)? || self.equal(left, right)?,
            Comparison::GreaterOrEqual => self.less(right, left)? || self.equal(left, right)?,
        })
    }

    fn equal(&mut self, left: Datum<'_>, right: Datum<'_>) -> Result<bool, Halt> {
        Ok(match (left, right) {
            (Datum::Text(a), Datum::Text(b)) => {
                a.len() == b.len() && {
                    self.fuel.pay(a.len() as u64 / BYTES_PER_STEP)?;
                    a == b
                }
            }
            (Datum::Nothing, Datum::Nothing) | (Datum::Null, Datum::Null) => true,
            (Datum::Bool(a), Datum::Bool(b)) => a == b,
            (Datum::Other(a), Datum::Other(b)) if a.kind() == b.kind() => {
                self.equal_containers(a, b)?
            }
            (Datum::Text(text), other) | (other, Datum::Text(text)) => {
                other.printed().is_some_and(|printed| printed == text)
            }
            (a, b) => a.compare_number(b).is_some_and(Ordering::is_eq),
        })
    }

    /// Numbers and texts have an order, and so have dates, times, datetimes and durations among themselves.
    fn less(&mut self, left: Datum<'_>, right: Datum<'_>) -> Result<bool, Halt> {
        Ok(match (left, right) {
            (Datum::Text(a), Datum::Text(b)) => {
                self.fuel
                    .pay(a.len().min(b.len()) as u64 / BYTES_PER_STEP)?;
                a < b
            }
            (Datum::Other(a), Datum::Other(b)) if a.kind() == b.kind() => match a.kind() {
                Kind::Decimal => a.compare_number(b).is_some_and(Ordering::is_lt),
                Kind::DateTime => a.instant() < b.instant(),
                Kind::Date | Kind::Time | Kind::Duration => a < b,
                _ => false,
            },
            (Datum::Text(text), other) => other.printed().is_some_and(|printed| text < &*printed),
            (other, Datum::Text(text)) => other.printed().is_some_and(|printed| &*printed < text),
            (a, b) => a.compare_number(b).is_some_and(Ordering::is_lt),
        })
    }

    /// Item by item and member by member, whatever their order, with a list instead of recursion.
    fn equal_containers<'x>(&mut self, a: ValueRef<'x>, b: ValueRef<'x>) -> Result<bool, Halt> {
        let mut pending = vec![(a, b)];
        while let Some((a, b)) = pending.pop() {
            let same = match (a.kind(), b.kind()) {
                _ if a.same(b) => true,
                (Kind::Array, Kind::Array) => {
                    a.len() == b.len()
                        && self.equal_pairs(a.items().zip(b.items().map(Some)), &mut pending)?
                }
                (Kind::Object, Kind::Object) => {
                    let pairs = a.entries().map(|(key, a)| (a, b.get(key)));
                    a.len() == b.len() && self.equal_pairs(pairs, &mut pending)?
                }
                (Kind::DateTime, Kind::DateTime) => a.instant() == b.instant(),
                (Kind::Decimal, _) | (_, Kind::Decimal) => {
                    a.compare_number(b).is_some_and(Ordering::is_eq)
                }
                _ => {
                    self.fuel.pay(a.len() as u64 / BYTES_PER_STEP)?;
                    a == b
                }
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// False if some pair differs at once; pairs of containers are left in `pending`.
    fn equal_pairs<'x>(
        &mut self,
        pairs: impl Iterator<Item = (ValueRef<'x>, Option<ValueRef<'x>>)>,
        pending: &mut Vec<(ValueRef<'x>, ValueRef<'x>)>,
    ) -> Result<bool, Halt> {
        for (a, b) in pairs {
            self.fuel.pay(1)?;
            let Some(b) = b else {
                return Ok(false);
            };
            match (Datum::of(a), Datum::of(b)) {
                (Datum::Other(a), Datum::Other(b)) => pending.push((a, b)),
                (a, b) if !self.equal(a, b)? => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    fn matches(
        &mut self,
        text: &'q Operand,
        pattern: &'q Pattern,
        node: ValueRef<'a>,
    ) -> Result<bool, Halt> {
        self.fuel.pay(1)?;
        let text = self.datum(text, node)?;
        let printed = text.printed();
        let text = match (text, &printed) {
            (Datum::Text(text), _) => text,
            (_, Some(printed)) => printed,
            (_, None) => return Ok(false),
        };
        match &pattern.source {
            Source::Fixed(matcher) => {
                self.fuel.pay(matcher.price(text.len()))?;
                Ok(matcher.matches(text))
            }
            Source::Dynamic(operand) => match self.datum(operand, node)? {
                Datum::Text(source) => self.matches_dynamic(text, source, pattern.whole),
                _ => Ok(false),
            },
        }
    }

    /// The price of compiling is paid whenever the expression is another one than just before, whether the
    /// cache has it or not: what a query costs does not depend on what ran earlier.
    fn matches_dynamic(&mut self, text: &str, source: &str, whole: bool) -> Result<bool, Halt> {
        let known = self
            .expression
            .take()
            .filter(|known| known.whole == whole && *known.source == *source);
        let known = match known {
            Some(known) => known,
            None => {
                let compiled = Dynamic::get(source, whole).ok_or(Halt::Pattern)?;
                self.fuel.pay(compiled.price)?;
                Expression {
                    source: source.into(),
                    whole,
                    compiled,
                }
            }
        };
        let matcher = &known.compiled.matcher;
        self.fuel.pay(matcher.price(text.len()))?;
        let found = matcher.matches(text);
        self.expression = Some(known);
        Ok(found)
    }
}

/// What a condition on the one node of a singular query costs: no less for `@` itself, since a short text has
/// thousands of conditions.
fn price(query: &SubQuery) -> u64 {
    query.steps.len().max(1) as u64
}

/// A regular expression out of the value.
pub(super) struct Expression {
    source: Box<str>,
    whole: bool,
    compiled: Arc<Dynamic>,
}

/// The first result.
pub(super) struct First<'a>(pub(super) Option<ValueRef<'a>>);

impl<'a> Sink<'a, '_> for First<'a> {
    fn take(&mut self, _depth: usize, node: ValueRef<'a>) -> ControlFlow<()> {
        self.0 = Some(node);
        ControlFlow::Break(())
    }
}

/// The number of results.
pub(super) struct Count(pub(super) usize);

impl<'a> Sink<'a, '_> for Count {
    fn take(&mut self, _depth: usize, _node: ValueRef<'a>) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }
}

/// The result if it is the only one; a second one ends the run.
enum Only<'a> {
    None,
    One(ValueRef<'a>),
}

impl<'a> Sink<'a, '_> for Only<'a> {
    fn take(&mut self, _depth: usize, node: ValueRef<'a>) -> ControlFlow<()> {
        if let Only::One(_) = self {
            return ControlFlow::Break(());
        }
        *self = Only::One(node);
        ControlFlow::Continue(())
    }
}
