//! Reading the characters of a query: blanks, names, strings, numbers.

use std::borrow::Cow;

use crate::Key;

use super::program::Literal;

/// The largest whole number of a query, as I-JSON has it (RFC 9535 section 2.1): 2⁵³ − 1.
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Where in the text (in bytes) and why a query is refused. Small, since what reads a query recurses.
pub(super) struct Refusal(pub(super) Box<(usize, Cow<'static, str>)>);

pub(super) type Result<T, E = Refusal> = std::result::Result<T, E>;

/// A place in the text of a query. Nothing that fails moves on past what was refused.
pub(super) struct Lexer<'t> {
    text: &'t str,
    pos: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Lexer { text, pos: 0 }
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn back_to(&mut self, pos: usize) {
        self.pos = pos;
    }

    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.pos += if found { token.len() } else { 0 };
        found
    }

    /// Space, tab, line feed and carriage return, and nothing else.
    pub(super) fn blanks(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    pub(super) fn fail<T>(&self, reason: impl Into<Cow<'static, str>>) -> Result<T> {
        self.fail_at(self.pos, reason)
    }

    pub(super) fn fail_at<T>(&self, pos: usize, reason: impl Into<Cow<'static, str>>) -> Result<T> {
        Err(Refusal(Box::new((pos, reason.into()))))
    }

    pub(super) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.pos += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A name without quotes after `.` or `..`; none, and no move, if there is none.
    pub(super) fn shorthand(&mut self) -> Option<Key> {
        let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if !self.peek().is_some_and(starts) {
            return None;
        }
        let name = self.take_while(|c| starts(c) || c.is_ascii_digit());
        Some(Key::new(name))
    }

    /// A whole number: an index or a part of a slice. None, and no move, if none begins here.
    pub(super) fn integer(&mut self) -> Result<Option<i64>> {
        let start = self.pos;
        let negative = self.eat("-");
        let digits = self.take_while(|c| c.is_ascii_digit());
        let reason = match (negative, digits) {
            (false, "") if self.rest().starts_with('+') => "a number has no `+`; write `1`",
            (false, "") => return Ok(None),
            (true, "") => "expected digits right after `-`, as in `-1`",
            (true, "0") => "there is no `-0`; the first item is 0, the last -1",
            (false, "0") => return Ok(Some(0)),
            (_, digits) if digits.starts_with('0') => "a number has no leading zeros",
            (_, digits) => match digits.parse::<i64>() {
                Ok(int) if int <= MAX_INTEGER => {
                    return Ok(Some(if negative { -int } else { int }));
                }
                _ => "the number is beyond ±9007199254740991 (2^53 - 1)",
            },
        };
        self.fail_at(start, reason)
    }

    /// A number as JSON writes it, as a literal to compare with.
    pub(super) fn number(&mut self) -> Result<Literal> {
        let start = self.pos;
        self.eat("-");
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return self.fail("expected a digit, as in `-1` or `0.5`");
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return self.fail_at(start, "a number has no leading zeros");
        }
        let mut whole = true;
        if self.eat(".") {
            whole = false;
            self.digits("after the decimal point")?;
        }
        if self.eat("e") || self.eat("E") {
            whole = false;
            if !self.eat("-") {
                self.eat("+");
            }
            self.digits("in the exponent")?;
        }
        let text = self.text.get(start..self.pos).unwrap_or_default();
        if whole && let Ok(int) = text.parse::<i64>() {
            return Ok(Literal::Int(int));
        }
        if whole && let Ok(uint) = text.parse::<u64>() {
            return Ok(Literal::Uint(uint));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Literal::Float(float)),
            _ => self.fail_at(
                start,
                "the number is beyond the range of floats (about ±1.8e308)",
            ),
        }
    }

    fn digits(&mut self, place: &str) -> Result<()> {
        if self.take_while(|c| c.is_ascii_digit()).is_empty() {
            return self.fail(format!("expected a digit {place}, as in `1.5` or `1e3`"));
        }
        Ok(())
    }

    /// A string in single or double quotes, at whose opening quote we are (RFC 9535 section 2.3.1.1).
    pub(super) fn string(&mut self) -> Result<String> {
        let start = self.pos;
        let quote = if self.eat("'") { '\'' } else { '"' };
        self.pos = start + 1;
        let mut string = String::new();
        loop {
            let plain = self.take_while(|c| c != quote && c != '\\' && c >= ' ');
            string.push_str(plain);
            match self.peek() {
                Some('\\') => {
                    let at = self.pos;
                    self.pos += 1;
                    string.push(self.escaped(quote, at)?);
                }
                Some(c) if c == quote => {
                    self.pos += 1;
                    return Ok(string);
                }
                Some(c) => {
                    return self.fail(format!(
                        "a control character is written as an escape: `\\u{:04x}`",
                        c as u32
                    ));
                }
                None => {
                    return self.fail_at(start, format!("the string does not end with {quote}"));
                }
            }
        }
    }

    /// What follows a backslash that stood at `at`.
    fn escaped(&mut self, quote: char, at: usize) -> Result<char> {
        let c = self.peek();
        self.pos += c.map_or(0, char::len_utf8);
        Ok(match c {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('/') => '/',
            Some('\\') => '\\',
            Some('u') => return self.unicode(at),
            Some(c) if c == quote => c,
            Some(c @ ('"' | '\'')) => {
                return self.fail_at(
                    at,
                    format!("{c} needs no backslash between {quote} and {quote}"),
                );
            }
            _ => {
                return self.fail_at(
                    at,
                    format!(
                        "after a backslash comes one of b f n r t / \\ {quote} or u and four hexadecimal digits"
                    ),
                );
            }
        })
    }

    fn unicode(&mut self, at: usize) -> Result<char> {
        let lone = "half of a surrogate pair; a character beyond U+FFFF is written as two escapes, \
                    `\\uD83D\\uDE00`, or as itself";
        let high = self.hex(at)?;
        let code = match high {
            0xD800..=0xDBFF => {
                if !self.eat("\\u") {
                    return self.fail_at(at, lone);
                }
                match self.hex(at)? {
                    low @ 0xDC00..=0xDFFF => 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00),
                    _ => return self.fail_at(at, lone),
                }
            }
            code => code,
        };
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.fail_at(at, lone),
        }
    }

    fn hex(&mut self, at: usize) -> Result<u32> {
        let digits = self.rest().get(..4).unwrap_or_default();
        if digits.len() == 4
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            && let Ok(code) = u32::from_str_radix(digits, 16)
        {
            self.pos += 4;
            return Ok(code);
        }
        self.fail_at(at, "after `\\u` come four hexadecimal digits")
    }
}
