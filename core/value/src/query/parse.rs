//! The grammar of RFC 9535 (appendix A) by recursive descent, with the checks of types (section 2.4.3).

use crate::{Error, Segment};

use super::lex::{Lexer, Refusal, Result};
use super::matcher::Memory;
use super::program::{Comparison, Condition, Literal, Operand, Selector, Slice, Step, SubQuery};

/// Filters, parentheses and function calls may nest this deep, counted together.
pub(super) const MAX_NESTING: usize = 32;

/// The longest text of a query, in bytes.
pub(super) const MAX_LENGTH: usize = 64 << 10;

/// A program, and what is likely not meant in it.
pub(super) type Parsed = (Box<[Step]>, Box<[Warning]>);

pub(super) fn parse(text: &str) -> Result<Parsed, Error> {
    if text.len() > MAX_LENGTH {
        return Err(Error::Limit {
            what: "length of a query",
            limit: MAX_LENGTH,
            at: format!("found {} bytes", text.len()),
        });
    }
    let mut parser = Parser {
        lexer: Lexer::new(text),
        nesting: 0,
        warnings: Vec::new(),
        memory: Memory::of_query(),
    };
    let position = |pos: usize| text.get(..pos).unwrap_or(text).chars().count() + 1;
    let steps = parser.query(text).map_err(|Refusal(refusal)| {
        let (pos, reason) = *refusal;
        Error::InvalidQuery {
            query: crate::path::shorten(text),
            position: position(pos),
            reason,
        }
    })?;
    let warning = |(pos, reason)| Warning {
        position: position(pos),
        reason,
    };
    Ok((steps, parser.warnings.into_iter().map(warning).collect()))
}

/// What a query says that is allowed but can never be meant; see [`crate::Query::warnings`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Position of the character, counted from 1.
    pub position: usize,
    /// What it means as it stands, and what may be meant.
    pub reason: &'static str,
}

/// More are not collected.
const MAX_WARNINGS: usize = 16;

/// What stands alone or on one side of a comparison.
pub(super) enum Bare {
    Literal(Literal),
    Query(SubQuery),
    /// A function with a value, and its name.
    Value(Operand, &'static str),
    /// A function that is true or false, and its name.
    Logical(Condition, &'static str),
}

pub(super) enum Part {
    Bare(Bare, usize),
    Whole(Condition),
}

pub(super) struct Parser<'t> {
    pub(super) lexer: Lexer<'t>,
    nesting: usize,
    /// Where in the text (in bytes), and what.
    warnings: Vec<(usize, &'static str)>,
    /// For its regular expressions.
    pub(super) memory: Memory,
}

/// Segments and selectors.
impl Parser<'_> {
    fn query(&mut self, text: &str) -> Result<Box<[Step]>> {
        if !self.lexer.eat("$") {
            return self.lexer.fail(match text.chars().next() {
                Some(' ' | '\t' | '\n' | '\r') => "blanks before `$` are not part of a query",
                Some('@') => "`@` means something only inside a filter; a query starts with `$`",
                _ => "a query starts with `$`, the root, as in `$.user.name`",
            });
        }
        let steps = self.segments()?;
        match self.lexer.rest() {
            "" => Ok(steps),
            rest if rest.trim_matches([' ', '\t', '\n', '\r']).is_empty() => self
                .lexer
                .fail("blanks after the last segment are not part of a query"),
            _ => {
                self.lexer.blanks();
                self.lexer.fail(
                    "expected a segment: `.name`, `[…]` or `..`; other characters go in brackets and quotes: \
                     `['a b']`",
                )
            }
        }
    }

    /// All segments from here; stops before what is none, blanks included.
    fn segments(&mut self) -> Result<Box<[Step]>> {
        let mut steps = Vec::new();
        loop {
            let end = self.lexer.pos();
            self.lexer.blanks();
            steps.push(if self.lexer.eat("[") {
                Step::child(self.selectors()?)
            } else if self.lexer.eat("..") {
                Step::Descendants(match self.lexer.eat("[") {
                    true => self.selectors()?.into(),
                    false => Box::new([self.dotted("..")?]),
                })
            } else if self.lexer.eat(".") {
                Step::child(vec![self.dotted(".")?])
            } else {
                self.lexer.back_to(end);
                return Ok(steps.into());
            });
        }
    }

    /// What follows one dot or two.
    fn dotted(&mut self, dots: &str) -> Result<Selector> {
        if self.lexer.eat("*") {
            return Ok(Selector::Wildcard);
        }
        if let Some(name) = self.lexer.shorthand() {
            return Ok(Selector::Name(Segment::Key(name)));
        }
        self.lexer.fail(format!(
            "right after `{dots}` comes a name of letters, digits (not first) and `_`, or `*`; other names go in \
             brackets and quotes: `['odd name']`"
        ))
    }

    /// What follows `[`, to the `]`.
    fn selectors(&mut self) -> Result<Vec<Selector>> {
        let mut selectors = Vec::new();
        loop {
            self.lexer.blanks();
            selectors.push(self.selector()?);
            self.lexer.blanks();
            if self.lexer.eat("]") {
                return Ok(selectors);
            }
            if !self.lexer.eat(",") {
                return self.lexer.fail(match selectors.last() {
                    Some(Selector::Index(_)) => {
                        "expected `,` or `]` (an index is a whole number) or, in a slice, `:`"
                    }
                    Some(Selector::Filter(_)) => {
                        "expected `]`, `,`, `&&` or `||` after a condition"
                    }
                    _ => "expected `,` or `]`",
                });
            }
        }
    }

    fn selector(&mut self) -> Result<Selector> {
        match self.lexer.peek() {
            Some('\'' | '"') => Ok(Selector::Name(Segment::Key(self.lexer.string()?.into()))),
            Some('*') => {
                self.lexer.eat("*");
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.lexer.eat("?");
                self.lexer.blanks();
                self.nested(Parser::condition).map(Selector::Filter)
            }
            Some('-' | '+' | ':' | '0'..='9') => self.index_or_slice(),
            Some('@' | '$' | '!' | '(') => self
                .lexer
                .fail("a condition starts with `?`, as in `[?@.price < 10]`"),
            Some(']' | ',') => self
                .lexer
                .fail("expected a selector: a quoted name, an index, a slice, `*` or `?condition`"),
            Some(c) if c.is_alphabetic() || c == '_' => self
                .lexer
                .fail("a name in brackets is quoted, as in `['name']`"),
            Some(_) => self.lexer.fail(
                "expected a quoted name, an index, a slice `start:end:step`, `*` or `?condition`",
            ),
            None => self.lexer.fail("the bracket is not closed with `]`"),
        }
    }

    pub(super) fn warn(&mut self, at: usize, reason: &'static str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push((at, reason));
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector> {
        let start = self.lexer.integer()?;
        let after = self.lexer.pos();
        self.lexer.blanks();
        if !self.lexer.eat(":") {
            self.lexer.back_to(after);
            return match start {
                Some(index) => Ok(Selector::Index(index)),
                None => self.lexer.fail("expected an index, as in `[0]`"),
            };
        }
        self.lexer.blanks();
        let end = self.lexer.integer()?;
        self.lexer.blanks();
        let step = if self.lexer.eat(":") {
            self.lexer.blanks();
            let at = self.lexer.pos();
            let step = self.lexer.integer()?;
            if step == Some(0) {
                self.warn(at, "a step of 0 selects nothing");
            }
            step
        } else {
            None
        };
        Ok(Selector::Slice(Slice {
            start,
            end,
            step: step.unwrap_or(1),
        }))
    }

    /// Counts one level of nesting around `inner`.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= MAX_NESTING {
            return self.lexer.fail(format!(
                "filters, parentheses and functions nest deeper than {MAX_NESTING} levels"
            ));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }
}

/// Conditions.
impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Condition> {
        let first = self.whole()?;
        self.any(first)
    }

    /// `a || b || …`, of which the first basic part of the first operand is there.
    pub(super) fn any(&mut self, first: Condition) -> Result<Condition> {
        let mut any = vec![self.all(first)?];
        while self.operator("||") {
            let part = self.whole()?;
            any.push(self.all(part)?);
        }
        Ok(flat(any, Condition::Any))
    }

    /// `a && b && …`, of which `a` is there.
    fn all(&mut self, first: Condition) -> Result<Condition> {
        let mut all = vec![first];
        while self.operator("&&") {
            all.push(self.whole()?);
        }
        Ok(flat(all, Condition::All))
    }

    /// A basic part, which must be a condition.
    fn whole(&mut self) -> Result<Condition> {
        match self.basic()? {
            Part::Whole(condition) => Ok(condition),
            Part::Bare(bare, at) => self.test(bare, at),
        }
    }

    /// Eats `operator` with the blanks around it, or nothing.
    fn operator(&mut self, operator: &str) -> bool {
        let before = self.lexer.pos();
        self.lexer.blanks();
        let found = self.lexer.eat(operator);
        if found {
            self.lexer.blanks();
        } else {
            self.lexer.back_to(before);
        }
        found
    }

    /// A comparison, a condition in parentheses or negated; or an operand alone, for the caller to judge.
    pub(super) fn basic(&mut self) -> Result<Part> {
        match self.lexer.peek() {
            Some('!') => self.negated().map(Part::Whole),
            Some('(') => self.group().map(Part::Whole),
            _ => self.comparable(),
        }
    }

    fn negated(&mut self) -> Result<Condition> {
        self.lexer.eat("!");
        self.lexer.blanks();
        let inner = match self.lexer.peek() {
            Some('(') => self.parenthesised()?,
            _ => {
                let at = self.lexer.pos();
                let bare = self.operand()?;
                self.test(bare, at)?
            }
        };
        self.no_comparison("`!` negates a whole condition: `!(@.a == 1)`")?;
        Ok(Condition::Not(Box::new(inner)))
    }

    fn group(&mut self) -> Result<Condition> {
        let inner = self.parenthesised()?;
        self.no_comparison("what is in parentheses is true or false and cannot be compared")?;
        Ok(inner)
    }

    fn comparable(&mut self) -> Result<Part> {
        let at = self.lexer.pos();
        let left = self.operand()?;
        match self.comparison() {
            Some(comparison) => self.compared(left, at, comparison).map(Part::Whole),
            None => Ok(Part::Bare(left, at)),
        }
    }

    fn compared(&mut self, left: Bare, at: usize, comparison: Comparison) -> Result<Condition> {
        let left = self.value(left, at, "one side of a comparison")?;
        let at = self.lexer.pos();
        let right = self.operand()?;
        let right = self.value(right, at, "one side of a comparison")?;
        self.no_comparison("comparisons are joined with `&&`: `1 < @.a && @.a < 3`")?;
        if left.has_no_order() || right.has_no_order() {
            match comparison {
                Comparison::Less | Comparison::Greater => self.warn(
                    at,
                    "only numbers and texts have an order; this is false for every value",
                ),
                Comparison::LessOrEqual | Comparison::GreaterOrEqual => self.warn(
                    at,
                    "only numbers and texts have an order; this means the same as `==`",
                ),
                Comparison::Equal | Comparison::NotEqual => {}
            }
        }
        Ok(match (left, right) {
            (Operand::Node(query), Operand::Literal(literal)) => {
                Condition::Check(Box::new((query, comparison, literal)))
            }
            (Operand::Literal(literal), Operand::Node(query)) => {
                Condition::Check(Box::new((query, comparison.mirrored(), literal)))
            }
            (left, right) => Condition::Compare(Box::new((left, comparison, right))),
        })
    }

    /// A condition at whose `(` we are.
    fn parenthesised(&mut self) -> Result<Condition> {
        self.lexer.eat("(");
        self.lexer.blanks();
        let inner = self.nested(Parser::condition)?;
        self.lexer.blanks();
        if self.lexer.eat(")") {
            Ok(inner)
        } else {
            self.lexer.fail("expected `)`, `&&` or `||`")
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find(|(text, _)| self.operator(text))
        .map(|(_, comparison)| comparison)
    }

    fn no_comparison(&mut self, reason: &'static str) -> Result<()> {
        let before = self.lexer.pos();
        match self.comparison() {
            Some(_) => self.lexer.fail_at(before, reason),
            None => Ok(()),
        }
    }

    /// An operand alone as a condition.
    pub(super) fn test(&mut self, bare: Bare, at: usize) -> Result<Condition> {
        match bare {
            Bare::Query(query) => Ok(Condition::Exists(query)),
            Bare::Logical(condition, _) => Ok(condition),
            Bare::Literal(_) => self.lexer.fail_at(
                at,
                "a literal alone is no condition; compare it with something: `@.a == true`",
            ),
            Bare::Value(_, name) => self.lexer.fail_at(
                at,
                format!("{name}() gives a value; compare it with something: `{name}(…) > 2`"),
            ),
        }
    }

    /// An operand as a value.
    pub(super) fn value(&mut self, bare: Bare, at: usize, place: &str) -> Result<Operand> {
        match bare {
            Bare::Literal(literal) => Ok(Operand::Literal(literal)),
            Bare::Value(operand, _) => Ok(operand),
            Bare::Query(query) if query.is_singular() => Ok(Operand::Node(query)),
            Bare::Query(_) => self.lexer.fail_at(
                at,
                format!(
                    "this query may find several values, and {place} is one; use names and single indexes only, \
                     or value(…) or count(…)"
                ),
            ),
            Bare::Logical(_, name) => self.lexer.fail_at(
                at,
                format!("{name}() is true or false by itself and cannot be {place}"),
            ),
        }
    }

    fn operand(&mut self) -> Result<Bare> {
        match self.lexer.peek() {
            Some('\'' | '"') => {
                let text = self.lexer.string()?;
                Ok(Bare::Literal(Literal::Text(text.into())))
            }
            Some('-' | '0'..='9') => self.lexer.number().map(Bare::Literal),
            Some(start @ ('@' | '$')) => {
                self.lexer.eat(if start == '@' { "@" } else { "$" });
                Ok(Bare::Query(SubQuery {
                    absolute: start == '$',
                    steps: self.segments()?,
                }))
            }
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            _ => self.lexer.fail(
                "expected `@` (this node), `$` (the root), a literal, a function, `!` or `(`",
            ),
        }
    }
}

/// One condition as itself, several together.
fn flat(mut parts: Vec<Condition>, together: fn(Box<[Condition]>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            together(parts.into())
        }
        None => together(parts.into()),
    }
}
