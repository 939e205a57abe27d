//! Words in a condition: literals and the functions of RFC 9535 section 2.4.

use super::lex::Result;
use super::matcher::Pattern;
use super::parse::{Bare, Parser, Part};
use super::program::{Condition, Literal, Operand, SubQuery};

/// Words: literals and functions.
impl Parser<'_> {
    pub(super) fn word(&mut self) -> Result<Bare> {
        let at = self.lexer.pos();
        let word = self
            .lexer
            .take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        match word {
            "true" => return Ok(Bare::Literal(Literal::Bool(true))),
            "false" => return Ok(Bare::Literal(Literal::Bool(false))),
            "null" => return Ok(Bare::Literal(Literal::Null)),
            _ => {}
        }
        if !self.lexer.eat("(") {
            return self.no_word(word, at);
        }
        match word {
            "length" => self.length(),
            "count" => self.count(),
            "value" => self.value_of(),
            "match" => self.pattern("match", true),
            "search" => self.pattern("search", false),
            _ => self.no_function(word, at),
        }
    }

    fn no_word<T>(&self, word: &str, at: usize) -> Result<T> {
        let word = crate::path::shorten(word);
        self.lexer.fail_at(
            at,
            format!(
                "`{word}` is nothing known here; write `@.name` for a member, 'text' for text, and true, false and \
                 null in lower case; a function's `(` follows its name at once"
            ),
        )
    }

    fn no_function<T>(&self, word: &str, at: usize) -> Result<T> {
        let word = crate::path::shorten(word);
        self.lexer.fail_at(
            at,
            format!(
                "there is no function {word}(); there are length, count, match, search and value"
            ),
        )
    }

    fn length(&mut self) -> Result<Bare> {
        let [of] = self.arguments("length", ["text, array or object"])?;
        let of = self.value_argument(of, "the argument of length()")?;
        Ok(Bare::Value(Operand::Length(Box::new(of)), "length"))
    }

    fn count(&mut self) -> Result<Bare> {
        let [nodes] = self.arguments("count", ["query"])?;
        let nodes = self.nodes_argument(nodes, "count")?;
        Ok(Bare::Value(Operand::Count(nodes), "count"))
    }

    fn value_of(&mut self) -> Result<Bare> {
        let [nodes] = self.arguments("value", ["query"])?;
        let nodes = self.nodes_argument(nodes, "value")?;
        Ok(Bare::Value(Operand::Value(nodes), "value"))
    }

    fn pattern(&mut self, name: &'static str, whole: bool) -> Result<Bare> {
        let arguments = self.arguments(name, ["text", "regular expression"])?;
        let condition = self.matches(arguments, whole)?;
        Ok(Bare::Logical(condition, name))
    }

    fn matches(&mut self, [text, pattern]: [Part; 2], whole: bool) -> Result<Condition> {
        let text = self.value_argument(text, "the text to look at")?;
        let Part::Bare(_, at) = pattern else {
            return self.lexer.fail("expected a regular expression as text");
        };
        let pattern = self.value_argument(pattern, "the regular expression")?;
        match Pattern::new(pattern, whole, &mut self.memory) {
            Ok(pattern) => {
                if pattern.never_matches() {
                    self.warn(
                        at,
                        "no regular expression of I-Regexp (RFC 9485), so this is false for every text; there is \
                         no \\d but [0-9] or \\p{Nd}, no \\w, no \\b, no lazy quantifier and no group with (?",
                    );
                }
                Ok(Condition::Matches(Box::new((text, pattern))))
            }
            Err(reason) => self.lexer.fail_at(at, reason),
        }
    }

    /// The arguments to the `)`; as many as there are `names` for them.
    fn arguments<const N: usize>(&mut self, name: &str, names: [&str; N]) -> Result<[Part; N]> {
        let start = self.lexer.pos();
        let mut arguments = Vec::new();
        while self.another(arguments.is_empty())? {
            arguments.push(self.nested(Parser::argument)?);
        }
        match <[Part; N]>::try_from(arguments) {
            Ok(arguments) => Ok(arguments),
            Err(arguments) => self.wrong_number(start, name, &names, arguments.len()),
        }
    }

    /// Whether another argument comes, and not the `)`.
    fn another(&mut self, first: bool) -> Result<bool> {
        self.lexer.blanks();
        if self.lexer.eat(")") {
            return Ok(false);
        }
        if !first && !self.lexer.eat(",") {
            return self.lexer.fail("expected `,` or `)`");
        }
        self.lexer.blanks();
        Ok(true)
    }

    fn wrong_number<T>(&self, at: usize, name: &str, names: &[&str], found: usize) -> Result<T> {
        let plural = if names.len() == 1 { "" } else { "s" };
        self.lexer.fail_at(
            at,
            format!(
                "{name}() takes {} argument{plural}, {}, and {found} are given",
                names.len(),
                names.join(" and ")
            ),
        )
    }

    fn argument(&mut self) -> Result<Part> {
        let part = self.basic()?;
        let before = self.lexer.pos();
        self.lexer.blanks();
        let logical = self.lexer.rest().starts_with("&&") || self.lexer.rest().starts_with("||");
        self.lexer.back_to(before);
        match part {
            part if !logical => Ok(part),
            Part::Whole(first) => self.any(first).map(Part::Whole),
            Part::Bare(bare, at) => {
                let first = self.test(bare, at)?;
                self.any(first).map(Part::Whole)
            }
        }
    }

    fn value_argument(&mut self, part: Part, place: &str) -> Result<Operand> {
        match part {
            Part::Bare(bare, at) => self.value(bare, at, place),
            Part::Whole(_) => self
                .lexer
                .fail(format!("{place} is a value, not a condition")),
        }
    }

    fn nodes_argument(&mut self, part: Part, name: &str) -> Result<SubQuery> {
        match part {
            Part::Bare(Bare::Query(query), _) => Ok(query),
            Part::Bare(_, at) => self.lexer.fail_at(
                at,
                format!("the argument of {name}() is a query, as in `{name}(@.items[*])`"),
            ),
            Part::Whole(_) => self.lexer.fail(format!(
                "the argument of {name}() is a query, as in `{name}(@.items[*])`"
            )),
        }
    }
}
