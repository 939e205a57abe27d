//! Regular expressions of `match` and `search`: I-Regexp (RFC 9485), checked, then run in linear time.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;
use std::sync::{Arc, LazyLock};

use memchr::memmem;
use regex::{Regex, RegexBuilder};

use crate::cache::Cache;

use super::program::{Literal, Operand};

/// What a compiled expression may take in memory, in bytes: `[ab]{1000}{1000}` is short to write.
const MAX_COMPILED: usize = 1 << 20;

/// The same for an expression that is read out of a value.
const MAX_COMPILED_DYNAMIC: usize = 256 << 10;

/// The longest expression that is read out of a value, in bytes.
pub(super) const MAX_DYNAMIC: usize = 4 << 10;

/// Expressions that came out of values, for the whole process.
static COMPILED: LazyLock<Cache<Arc<Matcher>>> = LazyLock::new(|| Cache::new(256));

/// The second argument of `match` and `search`.
#[derive(Debug)]
pub(super) struct Pattern {
    /// `match`: the whole text, not some part of it.
    pub(super) whole: bool,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    /// Written in the query.
    Fixed(Matcher),
    /// Read from the value.
    Dynamic(Box<Operand>),
}

impl Pattern {
    pub(super) fn new(operand: Operand, whole: bool) -> Result<Pattern, Cow<'static, str>> {
        let source = match operand {
            Operand::Literal(Literal::Text(text)) => Source::Fixed(Matcher::new(&text, whole)?),
            Operand::Literal(_) => Source::Fixed(Matcher::Never),
            other => Source::Dynamic(Box::new(other)),
        };
        Ok(Pattern { whole, source })
    }

    /// Whether it is known to match no text.
    pub(super) fn never_matches(&self) -> bool {
        matches!(self.source, Source::Fixed(Matcher::Never))
    }
}

/// An expression ready to be asked.
#[derive(Debug)]
pub(super) enum Matcher {
    /// What is no I-Regexp matches nothing (RFC 9535 section 2.4.6).
    Never,
    /// Only ordinary characters, to be found somewhere.
    Contains(Box<memmem::Finder<'static>>),
    /// Only ordinary characters, to be the whole.
    Equals(Box<str>),
    Regex(Regex),
}

impl Matcher {
    /// Fails only for what would need too much memory.
    pub(super) fn new(pattern: &str, whole: bool) -> Result<Matcher, Cow<'static, str>> {
        Matcher::limited(pattern, whole, MAX_COMPILED)
    }

    fn limited(pattern: &str, whole: bool, limit: usize) -> Result<Matcher, Cow<'static, str>> {
        let Some(checked) = Checked::new(pattern) else {
            return Ok(Matcher::Never);
        };
        if let Some(text) = checked.literal {
            return Ok(if whole {
                Matcher::Equals(text.into())
            } else {
                Matcher::Contains(Box::new(memmem::Finder::new(text.as_bytes()).into_owned()))
            });
        }
        let regex = match whole {
            true => format!(r"\A(?:{})\z", checked.regex),
            false => checked.regex,
        };
        let compiled = RegexBuilder::new(&regex)
            .size_limit(limit)
            .dfa_size_limit(limit)
            .nest_limit(64)
            .build();
        match compiled {
            Ok(regex) => Ok(Matcher::Regex(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(Cow::Borrowed(
                "the regular expression needs more than 1 MiB when compiled; its repetitions multiply",
            )),
            Err(_) => Ok(Matcher::Never),
        }
    }

    /// A pattern out of a value: from the cache, or compiled and kept. None for one that is too large.
    pub(super) fn dynamic(pattern: &str, whole: bool) -> Option<Arc<Matcher>> {
        if pattern.len() > MAX_DYNAMIC {
            return None;
        }
        let name = format!("{}{pattern}", if whole { 'm' } else { 's' });
        COMPILED
            .get_or(&name, |_| {
                Matcher::limited(pattern, whole, MAX_COMPILED_DYNAMIC).map(Arc::new)
            })
            .ok()
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Matcher::Never => false,
            Matcher::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Matcher::Equals(whole) => **whole == *text,
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }
}

/// An I-Regexp that has been checked against the grammar, in the syntax of the regex crate.
struct Checked {
    regex: String,
    /// The text it matches, if it is nothing but that.
    literal: Option<String>,
}

type Chars<'p> = Peekable<CharIndices<'p>>;

impl Checked {
    /// None for what the grammar of RFC 9485 section 3 does not allow. `^` and `$` are ordinary characters
    /// there, but are anchors in every expression they are mapped to (section 5), so they are here.
    fn new(pattern: &str) -> Option<Checked> {
        let mut checked = Checked {
            regex: String::with_capacity(pattern.len()),
            literal: Some(String::new()),
        };
        let mut chars = pattern.char_indices().peekable();
        let mut open = 0usize;
        let mut atom = false; // whether a quantifier may come
        while let Some((at, c)) = chars.next() {
            let mut quantifiable = true;
            match c {
                '(' | '|' => {
                    open += usize::from(c == '(');
                    checked.special(if c == '(' { "(?:" } else { "|" });
                    quantifiable = false;
                }
                ')' => {
                    open = open.checked_sub(1)?;
                    checked.special(")");
                }
                '*' | '+' | '?' if atom => {
                    checked.special(c.encode_utf8(&mut [0; 4]));
                    quantifiable = false;
                }
                '{' if atom => {
                    checked.special(range_quantifier(pattern.get(at..)?, &mut chars)?);
                    quantifiable = false;
                }
                '*' | '+' | '?' | '{' | '}' | ']' => return None,
                '.' => checked.special(r"[^\n\r]"),
                '^' | '$' => checked.special(c.encode_utf8(&mut [0; 4])),
                '[' => {
                    let class = class(&mut chars)?;
                    checked.special(&class);
                }
                '\\' => match escape(&mut chars)? {
                    Escape::Char(c) => checked.ordinary(c),
                    Escape::Category(class) => checked.special(&class),
                },
                c => checked.ordinary(c),
            }
            atom = quantifiable;
        }
        (open == 0).then_some(checked)
    }

    fn special(&mut self, regex: &str) {
        self.literal = None;
        self.regex.push_str(regex);
    }

    fn ordinary(&mut self, c: char) {
        push_char(&mut self.regex, c);
        if let Some(literal) = &mut self.literal {
            literal.push(c);
        }
    }
}

/// A character as the regex crate takes it for itself everywhere, in classes too.
fn push_char(regex: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        regex.push_str(&format!(r"\x{{{:x}}}", c as u32));
    } else {
        regex.push(c);
    }
}

/// `{n}`, `{n,}` or `{n,m}`, whose `{` has been read.
fn range_quantifier<'p>(from: &'p str, chars: &mut Chars<'p>) -> Option<&'p str> {
    let end = from.find('}')?;
    let (min, max) = match from.get(1..end)?.split_once(',') {
        Some((min, max)) => (min, max),
        None => (from.get(1..end)?, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if min.is_empty() || !digits(min) || !digits(max) {
        return None;
    }
    chars.nth(end - 1)?;
    from.get(..=end)
}

enum Escape {
    Char(char),
    Category(String),
}

/// What follows a backslash.
fn escape(chars: &mut Chars<'_>) -> Option<Escape> {
    Some(match chars.next()?.1 {
        'n' => Escape::Char('\n'),
        'r' => Escape::Char('\r'),
        't' => Escape::Char('\t'),
        c
        @ ('(' | ')' | '*' | '+' | '-' | '.' | '?' | '[' | '\\' | ']' | '^' | '{' | '|' | '}') => {
            Escape::Char(c)
        }
        c @ ('p' | 'P') => {
            chars.next_if(|(_, c)| *c == '{')?;
            let major = chars.next()?.1;
            let minors = match major {
                'L' => "lmotu",
                'M' => "cen",
                'N' => "dlo",
                'P' => "cdefios",
                'Z' => "lps",
                'S' => "ckmo",
                'C' => "cfno",
                _ => return None,
            };
            let minor = chars.next_if(|(_, c)| minors.contains(*c));
            chars.next_if(|(_, c)| *c == '}')?;
            let minor = minor.map(|(_, c)| c.to_string()).unwrap_or_default();
            Escape::Category(format!(r"\{c}{{{major}{minor}}}"))
        }
        _ => return None,
    })
}

/// A class, whose `[` has been read.
fn class(chars: &mut Chars<'_>) -> Option<String> {
    let mut regex = String::from("[");
    if chars.next_if(|(_, c)| *c == '^').is_some() {
        regex.push('^');
    }
    let mut empty = true;
    if chars.next_if(|(_, c)| *c == '-').is_some() {
        push_char(&mut regex, '-');
        empty = false;
    }
    loop {
        match chars.next()?.1 {
            ']' if !empty => {
                regex.push(']');
                return Some(regex);
            }
            '-' if !empty => {
                // Only as the last.
                push_char(&mut regex, '-');
                chars.next_if(|(_, c)| *c == ']')?;
                regex.push(']');
                return Some(regex);
            }
            '[' | ']' | '-' => return None,
            first => {
                class_member(first, chars, &mut regex)?;
                empty = false;
            }
        }
    }
}

/// A character, a range or a category.
fn class_member(first: char, chars: &mut Chars<'_>, regex: &mut String) -> Option<()> {
    let first = match first {
        '\\' => match escape(chars)? {
            Escape::Char(c) => c,
            Escape::Category(category) => {
                regex.push_str(&category);
                return Some(());
            }
        },
        c => c,
    };
    push_char(regex, first);
    let mut ahead = chars.clone();
    if ahead.next_if(|(_, c)| *c == '-').is_none() || matches!(ahead.peek(), None | Some((_, ']')))
    {
        return Some(());
    }
    chars.next();
    let last = match chars.next()?.1 {
        '[' | '-' => return None,
        '\\' => match escape(chars)? {
            Escape::Char(c) => c,
            Escape::Category(_) => return None,
        },
        c => c,
    };
    if last < first {
        return None;
    }
    regex.push('-');
    push_char(regex, last);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::Checked;

    #[test]
    fn the_grammar_of_i_regexp() {
        for (pattern, regex) in [
            ("a.c", r"a[^\n\r]c"),
            ("(a|b)*c+d?", "(?:a|b)*c+d?"),
            ("a{2}b{2,}c{2,3}", "a{2}b{2,}c{2,3}"),
            (r"[a-z0-9_-]", r"[a-z0-9\x{5f}\x{2d}]"),
            (r"[-a&&b]", r"[\x{2d}a\x{26}\x{26}b]"),
            (r"[^\]\\]", r"[^\x{5d}\x{5c}]"),
            (r"\p{Lu}\P{L}[\p{Nd}x]", r"\p{Lu}\P{L}[\p{Nd}x]"),
            ("", ""),
            ("a||b", "a||b"),
            ("()", "(?:)"),
            ("^a$", "^a$"),
        ] {
            let checked = Checked::new(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!(checked.regex, regex, "{pattern}");
        }
        for pattern in [
            "*",
            "a**",
            "a+?",
            "(",
            ")",
            "a)",
            "[",
            "[]",
            "[a",
            "]",
            "}",
            "a{",
            "a{}",
            "a{,2}",
            "a{x}",
            r"\d",
            r"\w",
            r"\b",
            r"\",
            r"\p{Lx}",
            r"\p{Greek}",
            r"\pL",
            "[a-]b]",
            "[z-a]",
            "[a--b]",
            "[[a]]",
            "(?i)a",
            "(?:a)",
            "[a-\\p{L}]",
            "|*",
        ] {
            assert!(Checked::new(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn plain_text_is_known_as_such() {
        let literal = |pattern| Checked::new(pattern).and_then(|checked| checked.literal);
        assert_eq!(literal("RT @you:"), Some("RT @you:".to_owned()));
        assert_eq!(literal(r"a\.b\n"), Some("a.b\n".to_owned()));
        assert_eq!(literal("a.b"), None);
        assert_eq!(literal("^a"), None);
    }
}
