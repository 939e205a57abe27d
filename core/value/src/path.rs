//! Positional paths: where in a value.

use std::fmt;
use std::str::FromStr;

use crate::json::string_to_json;
use crate::{Error, MAX_DEPTH, Result};

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value of this key of an object.
    Key(crate::Key),
    /// The item at this index of an array, counted from 0.
    Index(usize),
}

/// The place of a value inside a value: keys and indexes, outermost first.
///
/// Paths order segment by segment: a place before what is inside it, keys before indexes, keys by their
/// bytes and indexes as numbers.
///
/// # Text form
///
/// `.user.tags[0]."odd key"`; the root is `.` (or the empty text). After a dot comes a bare key of letters,
/// digits, `_`, `-` and `$`, or a JSON string; brackets hold a decimal index or a JSON string
/// (`.user["odd key"]`). The canonical form, which `Display` prints, quotes every key that is not an
/// identifier and is therefore also a jq path with the same meaning.
///
/// ```
/// use statewright_value::Path;
/// # fn main() -> statewright_value::Result<()> {
/// let path = Path::parse(".user.tags[0]")?;
/// assert_eq!(path, Path::root().key("user").key("tags").index(0));
/// assert_eq!(Path::root().key("odd key").to_string(), r#"."odd key""#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    segments: Vec<Segment>,
}

impl Path {
    /// The whole value.
    pub fn root() -> Path {
        Path::default()
    }

    /// Reads the text form. O(length).
    ///
    /// # Errors
    /// [`Error::InvalidPath`] with the position of the character that cannot be read; [`Error::Limit`] for
    /// more than [`MAX_DEPTH`] segments, which no value can have.
    pub fn parse(text: &str) -> Result<Path> {
        let mut parser = Parser { text, pos: 0 };
        let mut path = Path::root();
        if matches!(text, "" | ".") {
            return Ok(path);
        }
        while parser.pos < text.len() {
            let segment = parser.segment()?;
            if path.segments.len() >= MAX_DEPTH {
                return Err(Error::too_deep(format_args!("path `{}`", shorten(text))));
            }
            path.segments.push(segment);
        }
        Ok(path)
    }

    /// This path with one more key. O(1) on average, as for the next two.
    #[must_use]
    pub fn key(mut self, key: &str) -> Path {
        self.segments.push(Segment::Key(key.into()));
        self
    }

    /// This path with one more index.
    #[must_use]
    pub fn index(mut self, index: usize) -> Path {
        self.segments.push(Segment::Index(index));
        self
    }

    /// This path with one more segment.
    #[must_use]
    pub fn with(mut self, segment: impl Into<Segment>) -> Path {
        self.segments.push(segment.into());
        self
    }

    /// This path and then `inner`, from here on. O(steps of both).
    #[must_use]
    pub fn join(&self, inner: &Path) -> Path {
        self.segments
            .iter()
            .chain(&inner.segments)
            .cloned()
            .collect()
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// The innermost step; none for the root.
    pub fn last(&self) -> Option<&Segment> {
        self.segments.last()
    }

    /// The number of steps: 0 for the root.
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// The path of the container this place is in; none for the root. O(steps).
    pub fn parent(&self) -> Option<Path> {
        let (_, parent) = self.segments.split_last()?;
        Some(parent.iter().cloned().collect())
    }

    /// Whether this place is `ancestor` or inside it. O(steps of `ancestor`).
    pub fn starts_with(&self, ancestor: &Path) -> bool {
        self.segments.starts_with(&ancestor.segments)
    }

    /// Whether `other` is inside this place, and not this place itself. O(steps).
    pub fn is_ancestor_of(&self, other: &Path) -> bool {
        self.depth() < other.depth() && other.starts_with(self)
    }

    /// Whether a change at one of the places can be seen at the other: they are the same, or one is inside
    /// the other. O(steps of the shorter).
    pub fn overlaps(&self, other: &Path) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }

    /// The innermost place that both are at or inside. O(steps of the shorter).
    pub fn common_prefix(&self, other: &Path) -> Path {
        let both = self.segments.iter().zip(&other.segments);
        both.take_while(|(a, b)| a == b)
            .map(|(segment, _)| segment.clone())
            .collect()
    }

    /// The way from `ancestor` to here; none if this place is not `ancestor` or inside it. O(steps).
    pub fn relative_to(&self, ancestor: &Path) -> Option<Path> {
        let inner = self.segments.strip_prefix(ancestor.segments())?;
        Some(inner.iter().cloned().collect())
    }

    pub(crate) fn prefix(&self, len: usize) -> Path {
        self.segments.iter().take(len).cloned().collect()
    }

    pub(crate) fn within(mut self, outer: Segment) -> Path {
        self.segments.insert(0, outer);
        self
    }

    pub(crate) fn error(&self, reason: &'static str) -> Error {
        Error::InvalidPath {
            path: shorten(&self.to_string()),
            position: 1,
            reason: reason.into(),
        }
    }
}

impl From<crate::Key> for Segment {
    fn from(key: crate::Key) -> Segment {
        Segment::Key(key)
    }
}

impl From<&str> for Segment {
    fn from(key: &str) -> Segment {
        Segment::Key(key.into())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Segment {
        Segment::Key(key.into())
    }
}

impl From<&String> for Segment {
    fn from(key: &String) -> Segment {
        Segment::Key(key.into())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Segment {
        Segment::Index(index)
    }
}

impl From<Segment> for Path {
    fn from(segment: Segment) -> Path {
        Path {
            segments: vec![segment],
        }
    }
}

impl Extend<Segment> for Path {
    fn extend<I: IntoIterator<Item = Segment>>(&mut self, segments: I) {
        self.segments.extend(segments);
    }
}

impl FromIterator<Segment> for Path {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Path {
            segments: segments.into_iter().collect(),
        }
    }
}

impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Path> {
        Path::parse(text)
    }
}

/// The canonical text, which parses back to the same path.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.segments.first(), Some(Segment::Key(_))) {
            f.write_str(".")?;
        }
        for segment in &self.segments {
            match segment {
                Segment::Key(key) if is_identifier(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, ".{}", string_to_json(key))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

fn is_identifier(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

/// At most 120 characters of it.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A [`Path`](crate::Path) as it is written in text, or as a list of keys and indexes.
///
/// In the first form keys are identifiers or string literals, and brackets hold any expression that is a key
/// or an index (`&str`, `String`, `Key` or `usize`). In the second form a segment is a literal, a variable or
/// an expression in parentheses.
///
/// ```
/// use statewright_value::{Path, path};
/// # fn main() -> statewright_value::Result<()> {
/// let line = 3;
/// assert_eq!(path!(order.lines[line].price), Path::parse(".order.lines[3].price")?);
/// assert_eq!(path!(order."unit price"), Path::parse(r#".order."unit price""#)?);
/// assert_eq!(path!["order", "lines", line, (String::from("price"))], path!(order.lines[3].price));
/// assert_eq!(path!(), Path::root());
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! path {
    (@then [$($done:expr,)*]) => {
        <$crate::Path as ::core::iter::FromIterator<$crate::Segment>>::from_iter([$($done),*])
    };
    (@then [$($done:expr,)*] . $key:ident $($rest:tt)*) => {
        $crate::path!(@then [$($done,)* $crate::Segment::from(::core::stringify!($key)),] $($rest)*)
    };
    (@then [$($done:expr,)*] . $key:literal $($rest:tt)*) => {
        $crate::path!(@then [$($done,)* $crate::Segment::from($key),] $($rest)*)
    };
    (@then [$($done:expr,)*] [$segment:expr] $($rest:tt)*) => {
        $crate::path!(@then [$($done,)* $crate::Segment::from($segment),] $($rest)*)
    };
    (@list [$($done:expr,)*]) => { $crate::path!(@then [$($done,)*]) };
    (@list [$($done:expr,)*] $segment:expr $(, $($rest:tt)*)?) => {
        $crate::path!(@list [$($done,)* $crate::Segment::from($segment),] $($($rest)*)?)
    };

    () => { $crate::Path::root() };
    (. $($path:tt)*) => { $crate::path!(@then [] . $($path)*) };
    ([$segment:expr] $($path:tt)*) => { $crate::path!(@then [] [$segment] $($path)*) };
    ($segment:ident, $($list:tt)*) => { $crate::path!(@list [] $segment, $($list)*) };
    ($key:ident $($path:tt)*) => { $crate::path!(@then [] . $key $($path)*) };
    ($($list:tt)+) => { $crate::path!(@list [] $($list)+) };
}

struct Parser<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.pos += if found { c.len_utf8() } else { 0 };
        found
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T> {
        let position = self
            .text
            .get(..self.pos)
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Err(Error::InvalidPath {
            path: shorten(self.text),
            position,
            reason: reason.into(),
        })
    }

    fn segment(&mut self) -> Result<Segment> {
        let dot = self.eat('.');
        if self.eat('[') {
            let segment = self.bracketed()?;
            return if self.eat(']') {
                Ok(segment)
            } else {
                self.fail("expected `]`")
            };
        }
        if !dot {
            return self.fail("a segment starts with `.` or `[`, as in `.user.tags[0]`");
        }
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let key = self.take_while(is_bare);
        if key.is_empty() {
            return self.fail("expected a key; one with other characters than letters, digits, `_`, `-`, `$` is quoted: `.\"odd key\"`");
        }
        Ok(Segment::Key(key.into()))
    }

    fn bracketed(&mut self) -> Result<Segment> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let start = self.pos;
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            self.pos = start;
            return self.fail("expected an index without sign or leading zeros, or a quoted key");
        }
        match digits.parse() {
            Ok(index) => Ok(Segment::Index(index)),
            Err(_) => {
                self.pos = start;
                self.fail("the index is too large")
            }
        }
    }

    /// A key as a JSON string; ends at the first quote that is not escaped.
    fn quoted(&mut self) -> Result<Segment> {
        let rest = self.rest();
        let mut escaped = true; // skips the opening quote
        let end = rest.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = !escaped && byte == b'\\';
            closes
        });
        let Some(end) = end else {
            return self.fail("the quoted key does not end");
        };
        let Ok(key) = serde_json::from_str::<String>(rest.get(..=end).unwrap_or_default()) else {
            return self.fail("the quoted key is not a JSON string");
        };
        self.pos += end + 1;
        Ok(Segment::Key(key.into()))
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.pos += end;
        rest.get(..end).unwrap_or_default()
    }
}
