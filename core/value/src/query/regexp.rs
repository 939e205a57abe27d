//! The grammar of I-Regexp (RFC 9485), checked and put into the syntax of the regex crates.

use std::iter::Peekable;
use std::str::CharIndices;

/// An I-Regexp that has been checked against the grammar, in the syntax of the regex crate.
pub(super) struct Checked {
    pub(super) regex: String,
    /// The text it matches, if it is nothing but that.
    pub(super) literal: Option<String>,
    /// How many places there are in it at which a text can have arrived: its characters, classes and operators,
    /// those that are repeated as often as they are written out.
    pub(super) positions: u64,
}

/// The positions of an expression, counted while it is read.
#[derive(Default)]
struct Positions {
    /// Those before the last atom, in each of the open groups.
    before: Vec<u64>,
    /// Those of the last atom, in the group that is open now.
    atom: u64,
    /// Those before it.
    sum: u64,
}

impl Positions {
    /// An atom or an operator.
    fn one(&mut self) {
        self.sum = self.sum.saturating_add(self.atom);
        self.atom = 1;
    }

    fn open(&mut self) {
        self.one();
        self.before.push(self.sum);
        (self.sum, self.atom) = (0, 1);
    }

    fn close(&mut self) {
        self.atom = self.total();
        self.sum = self.before.pop().unwrap_or(0);
    }

    /// The last atom is repeated.
    fn repeat(&mut self, times: u64) {
        self.atom = self.atom.saturating_add(1).saturating_mul(times.max(1));
    }

    fn total(&self) -> u64 {
        self.sum.saturating_add(self.atom)
    }
}

type Chars<'p> = Peekable<CharIndices<'p>>;

impl Checked {
    /// None for what the grammar of RFC 9485 section 3 does not allow. `^` and `$` are ordinary characters
    /// there, but are anchors in every expression they are mapped to (section 5), so they are here.
    pub(super) fn new(pattern: &str) -> Option<Checked> {
        let mut checked = Checked {
            regex: String::with_capacity(pattern.len()),
            literal: Some(String::new()),
            positions: 0,
        };
        let mut positions = Positions::default();
        let mut chars = pattern.char_indices().peekable();
        let mut open = 0usize;
        let mut atom = false; // whether a quantifier may come
        while let Some((at, c)) = chars.next() {
            let mut quantifiable = true;
            match c {
                '(' => {
                    open += 1;
                    positions.open();
                    checked.special("(?:");
                    quantifiable = false;
                }
                '|' => {
                    positions.one();
                    checked.special("|");
                    quantifiable = false;
                }
                ')' => {
                    open = open.checked_sub(1)?;
                    positions.close();
                    checked.special(")");
                }
                '*' | '+' | '?' if atom => {
                    positions.repeat(1);
                    checked.special(c.encode_utf8(&mut [0; 4]));
                    quantifiable = false;
                }
                '{' if atom => {
                    let (range, times) = range_quantifier(pattern.get(at..)?, &mut chars)?;
                    positions.repeat(times);
                    checked.special(range);
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
            if quantifiable && c != ')' {
                positions.one();
            }
            atom = quantifiable;
        }
        checked.positions = positions.total();
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

/// `{n}`, `{n,}` or `{n,m}`, whose `{` has been read, and the larger of its numbers.
fn range_quantifier<'p>(from: &'p str, chars: &mut Chars<'p>) -> Option<(&'p str, u64)> {
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
    let times = if max.is_empty() { min } else { max };
    Some((from.get(..=end)?, times.parse().unwrap_or(u64::MAX)))
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
    fn positions_are_counted_as_often_as_they_are_repeated() {
        for (pattern, positions) in [
            ("abc", 3..=6),
            ("a*b", 3..=6),
            ("a|b", 3..=6),
            ("[abc]{5}", 10..=20),
            ("(ab){2,3}c{4,}", 20..=40),
            ("((a{10}){10}){10}", 1_000..=3_000),
            ("(((a{99999}){99999}){99999}){99999}", u64::MAX..=u64::MAX),
        ] {
            let counted = Checked::new(pattern).map(|checked| checked.positions);
            assert!(
                counted.is_some_and(|counted| positions.contains(&counted)),
                "{pattern} {counted:?}"
            );
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
