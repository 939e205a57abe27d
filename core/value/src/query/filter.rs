//! What is true of a node: comparisons, existence and functions (RFC 9535 sections 2.3.5 and 2.4).

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{Kind, ValueRef};

use super::machine::{Halt, Machine, Sink};
use super::program::{Comparison, Condition, Literal, Operand, SubQuery};
use super::regexp::{Matcher, Pattern, Source};

/// This many bytes of text are looked at for one step.
const BYTES_PER_STEP: u64 = 256;

/// What compiling a regular expression out of the value costs.
const STEPS_TO_COMPILE: u64 = 2000;

/// Something to compare: a literal, a result, a node's value, or Nothing.
#[derive(Clone, Copy)]
enum Datum<'x> {
    Nothing,
    Null,
    Bool(bool),
    Number(Number<'x>),
    Text(&'x str),
    /// A container, or a kind that JSON does not have.
    Other(ValueRef<'x>),
}

#[derive(Clone, Copy)]
enum Number<'x> {
    Int(i64),
    /// Only beyond `i64`.
    Uint(u64),
    Float(f64),
    Decimal(ValueRef<'x>),
}

impl<'x> Datum<'x> {
    fn of(value: ValueRef<'x>) -> Datum<'x> {
        match value.kind() {
            Kind::Null => Datum::Null,
            Kind::Bool => Datum::Bool(value.as_bool().unwrap_or_default()),
            Kind::Integer => Datum::Number(match value.as_i64() {
                Some(int) => Number::Int(int),
                None => Number::Uint(value.as_u64().unwrap_or_default()),
            }),
            Kind::Float => Datum::Number(Number::Float(value.as_f64().unwrap_or_default())),
            Kind::Decimal => Datum::Number(Number::Decimal(value)),
            Kind::Text => Datum::Text(value.as_str().unwrap_or_default()),
            _ => Datum::Other(value),
        }
    }

    fn literal(literal: &'x Literal) -> Datum<'x> {
        match literal {
            Literal::Null => Datum::Null,
            Literal::Bool(bool) => Datum::Bool(*bool),
            Literal::Int(int) => Datum::Number(Number::Int(*int)),
            Literal::Uint(uint) => Datum::Number(Number::Uint(*uint)),
            Literal::Float(float) => Datum::Number(Number::Float(*float)),
            Literal::Text(text) => Datum::Text(text),
        }
    }

    fn count(count: usize) -> Datum<'static> {
        Datum::Number(Number::Int(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

/// By value, exactly: 1 and 1.0 are equal. No number is NaN.
fn compare_numbers(a: Number<'_>, b: Number<'_>) -> Ordering {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Number::Decimal(decimal), other) => compare_decimal(decimal, other),
        (other, Number::Decimal(decimal)) => compare_decimal(decimal, other).reverse(),
        (Number::Float(float), int) => compare_mixed(integer(int), float).reverse(),
        (int, Number::Float(float)) => compare_mixed(integer(int), float),
        (a, b) => integer(a).cmp(&integer(b)),
    }
}

fn compare_decimal(decimal: ValueRef<'_>, other: Number<'_>) -> Ordering {
    let Some(parts) = decimal.decimal_parts() else {
        return Ordering::Equal; // it is a decimal
    };
    match other {
        Number::Decimal(other) => other
            .decimal_parts()
            .map_or(Ordering::Equal, |other| parts.compare(other)),
        Number::Float(float) => parts.compare_float(float),
        int => parts.compare_integer(integer(int)),
    }
}

/// The value of a whole number.
fn integer(number: Number<'_>) -> i128 {
    match number {
        Number::Int(int) => int.into(),
        Number::Uint(uint) => uint.into(),
        Number::Float(_) | Number::Decimal(_) => 0,
    }
}

/// A cast of a float beyond `i128` saturates, which orders it beyond every 64-bit integer, as it should.
fn compare_mixed(int: i128, float: f64) -> Ordering {
    let whole = float.trunc();
    int.cmp(&(whole as i128))
        .then(whole.partial_cmp(&float).unwrap_or(Ordering::Equal))
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
                let (left, comparison, right) = &**comparison;
                self.pay(1)?;
                let left = self.datum(left, node)?;
                let right = self.datum(right, node)?;
                self.compare(left, *comparison, right)
            }
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

    fn exists(&mut self, query: &'q SubQuery, node: ValueRef<'a>) -> Result<bool, Halt> {
        let start = self.start(query, node);
        if query.is_singular() {
            self.pay(query.steps.len() as u64)?;
            return Ok(self.node(&query.steps, start).is_some());
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
                self.pay(query.steps.len() as u64)?;
                let start = self.start(query, node);
                self.node(&query.steps, start)
                    .map_or(Datum::Nothing, Datum::of)
            }
            Operand::Length(operand) => match self.datum(operand, node)? {
                Datum::Text(text) => {
                    self.pay(text.len() as u64 / BYTES_PER_STEP)?;
                    Datum::count(text.chars().count())
                }
                Datum::Other(value)
                    if matches!(value.kind(), Kind::Array | Kind::Object | Kind::Bytes) =>
                {
                    Datum::count(value.len())
                }
                _ => Datum::Nothing,
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
            (Datum::Nothing, Datum::Nothing) | (Datum::Null, Datum::Null) => true,
            (Datum::Bool(a), Datum::Bool(b)) => a == b,
            (Datum::Number(a), Datum::Number(b)) => compare_numbers(a, b).is_eq(),
            (Datum::Text(a), Datum::Text(b)) => {
                a.len() == b.len() && {
                    self.pay(a.len() as u64 / BYTES_PER_STEP)?;
                    a == b
                }
            }
            (Datum::Other(a), Datum::Other(b)) => self.equal_containers(a, b)?,
            _ => false,
        })
    }

    /// Numbers and texts have an order, and so have dates, times, datetimes and durations among themselves.
    fn less(&mut self, left: Datum<'_>, right: Datum<'_>) -> Result<bool, Halt> {
        Ok(match (left, right) {
            (Datum::Number(a), Datum::Number(b)) => compare_numbers(a, b).is_lt(),
            (Datum::Text(a), Datum::Text(b)) => {
                self.pay(a.len().min(b.len()) as u64 / BYTES_PER_STEP)?;
                a < b
            }
            (Datum::Other(a), Datum::Other(b)) => match (a.instant(), b.instant()) {
                (Some(a), Some(b)) => a < b,
                _ => {
                    let ordered = matches!(a.kind(), Kind::Date | Kind::Time | Kind::Duration);
                    ordered && a.kind() == b.kind() && a < b
                }
            },
            _ => false,
        })
    }

    /// Item by item and member by member, whatever their order, with a list instead of recursion.
    fn equal_containers<'x>(&mut self, a: ValueRef<'x>, b: ValueRef<'x>) -> Result<bool, Halt> {
        let mut pending = vec![(a, b)];
        while let Some((a, b)) = pending.pop() {
            if a.kind() != b.kind() || a.len() != b.len() {
                return Ok(false);
            }
            if a.same(b) {
                continue;
            }
            let mut children = |machine: &mut Self, a, b| {
                machine.pay(1)?;
                match (Datum::of(a), Datum::of(b)) {
                    (Datum::Other(a), Datum::Other(b)) => pending.push((a, b)),
                    (a, b) => return machine.equal(a, b),
                }
                Ok(true)
            };
            match a.kind() {
                Kind::Array => {
                    for (a, b) in a.items().zip(b.items()) {
                        if !children(self, a, b)? {
                            return Ok(false);
                        }
                    }
                }
                Kind::Object => {
                    for (key, a) in a.entries() {
                        match b.get(key) {
                            Some(b) if children(self, a, b)? => {}
                            _ => return Ok(false),
                        }
                    }
                }
                _ => {
                    self.pay(a.len() as u64 / BYTES_PER_STEP)?;
                    if a.instant() != b.instant() || a.instant().is_none() && a != b {
                        return Ok(false);
                    }
                }
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
        self.pay(1)?;
        let Datum::Text(text) = self.datum(text, node)? else {
            return Ok(false);
        };
        self.pay(text.len() as u64 / BYTES_PER_STEP)?;
        match &pattern.source {
            Source::Fixed(matcher) => Ok(matcher.matches(text)),
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
                self.pay(STEPS_TO_COMPILE)?;
                Expression {
                    source: source.into(),
                    whole,
                    matcher: Matcher::dynamic(source, whole).ok_or(Halt::Pattern)?,
                }
            }
        };
        let found = known.matcher.matches(text);
        self.expression = Some(known);
        Ok(found)
    }
}

/// A regular expression out of the value.
pub(super) struct Expression {
    source: Box<str>,
    whole: bool,
    matcher: Arc<Matcher>,
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
