//! JSON Pointer (RFC 6901): the standard's text for one place in a value.

use std::fmt;
use std::str::FromStr;

use crate::path::shorten;
use crate::{Error, Key, Kind, MAX_DEPTH, Path, Result, Segment, Value, ValueRef};

/// A JSON Pointer (RFC 6901), read and checked: `/user/tags/0`.
///
/// A token is a key or an index by the value it meets: `/0` is the key `"0"` of an object and the first item
/// of an array. So a pointer becomes a [`Path`] only together with a value ([`Pointer::resolve`]), while a
/// path becomes a pointer by itself ([`Path::to_pointer`]).
///
/// ```
/// use statewright_value::{Path, Pointer, value};
/// # fn main() -> statewright_value::Result<()> {
/// let doc = value!({ "a/b": [1, 2] });
/// let second = Pointer::parse("/a~1b/1")?;
/// assert_eq!(second.get(doc.by_ref()).and_then(|two| two.as_i64()), Some(2));
/// assert_eq!(second.resolve(doc.by_ref())?, Path::root().key("a/b").index(1));
/// assert_eq!(second.to_fragment(), "#/a~1b/1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    tokens: Vec<Token>,
}

/// A token both ways it can be meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Token {
    /// Always a [`Segment::Key`].
    key: Segment,
    /// If it is written as one: decimal digits without leading zeros.
    index: Option<usize>,
}

impl Token {
    fn new(key: Key) -> Token {
        Token {
            index: array_index(&key),
            key: Segment::Key(key),
        }
    }

    fn text(&self) -> &str {
        match &self.key {
            Segment::Key(key) => key,
            Segment::Index(_) => "",
        }
    }

    fn step<'a>(&self, value: ValueRef<'a>) -> Option<ValueRef<'a>> {
        match self.index {
            Some(index) if value.kind() == Kind::Array => value.index(index),
            _ => value.step(&self.key),
        }
    }
}

/// RFC 6901 section 4: digits without leading zeros.
fn array_index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let zeros = token.len() > 1 && token.starts_with('0');
    token.parse().ok().filter(|_| digits && !zeros)
}

impl Pointer {
    /// The whole value: the empty text.
    pub fn root() -> Pointer {
        Pointer::default()
    }

    /// Reads the text form of RFC 6901 section 3; a text that begins with `#` is read as the URI fragment form
    /// of section 6, in which other characters than those of a URI are written as `%20`.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] with the position: a pointer is empty or begins with `/`, and after `~` comes
    /// `0` or `1`. [`Error::Limit`] for more than [`MAX_DEPTH`] tokens, which no value can have.
    pub fn parse(text: &str) -> Result<Pointer> {
        match text.strip_prefix('#') {
            Some(fragment) => {
                let plain = decode_fragment(text, fragment)?;
                Pointer::parse_plain(&plain, text)
            }
            None => Pointer::parse_plain(text, text),
        }
    }

    /// `given` is for the messages.
    fn parse_plain(plain: &str, given: &str) -> Result<Pointer> {
        let invalid = |at: usize, reason: &'static str| Error::InvalidPath {
            path: shorten(given),
            position: plain.get(..at).unwrap_or(plain).chars().count() + 1,
            reason: reason.into(),
        };
        if plain.is_empty() {
            return Ok(Pointer::root());
        }
        let Some(tokens) = plain.strip_prefix('/') else {
            return Err(invalid(
                0,
                "a pointer is empty (the whole value) or starts with `/`, as in `/user/tags/0`",
            ));
        };
        let mut pointer = Pointer::root();
        let mut at = 1;
        for token in tokens.split('/') {
            if pointer.tokens.len() >= MAX_DEPTH {
                return Err(Error::too_deep(format_args!(
                    "pointer `{}`",
                    shorten(given)
                )));
            }
            let key = match unescape(token) {
                Ok(Some(key)) => key.into(),
                Ok(None) => Key::new(token),
                Err(offset) => {
                    return Err(invalid(
                        at + offset,
                        "after `~` comes 0 or 1: `~0` stands for `~`, `~1` for `/`",
                    ));
                }
            };
            pointer.tokens.push(Token::new(key));
            at += token.len() + 1;
        }
        Ok(pointer)
    }

    /// This pointer with one more token, given as it is (not escaped).
    #[must_use]
    pub fn token(mut self, token: &str) -> Pointer {
        self.tokens.push(Token::new(token.into()));
        self
    }

    /// The tokens, outermost first, not escaped.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.tokens.iter().map(Token::text)
    }

    /// Whether this is the whole value.
    pub fn is_root(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The pointer to the container, and the last token; none for the root.
    pub fn split_last(&self) -> Option<(Pointer, &str)> {
        let (last, parents) = self.tokens.split_last()?;
        let tokens = parents.to_vec();
        Some((Pointer { tokens }, last.text()))
    }

    /// Whether this is `ancestor` or inside it, whatever the value.
    pub fn starts_with(&self, ancestor: &Pointer) -> bool {
        self.tokens.starts_with(&ancestor.tokens)
    }

    /// What is there in `root`, if anything is. One lookup per token; allocates nothing.
    pub fn get<'a>(&self, root: ValueRef<'a>) -> Option<ValueRef<'a>> {
        self.tokens
            .iter()
            .try_fold(root, |value, token| token.step(value))
    }

    /// The path of what is there in `root`.
    ///
    /// # Errors
    /// If nothing is there, why: [`Error::IndexOutOfRange`], [`Error::WrongType`] inside a scalar,
    /// [`Error::InvalidPath`] for a key that is missing or an index that is none (`01`, `-`).
    pub fn resolve(&self, root: ValueRef<'_>) -> Result<Path> {
        let mut path = Path::root();
        let mut value = root;
        for at in 0..self.tokens.len() {
            (path, value) = self.resolve_token(at, path, value)?;
        }
        Ok(path)
    }

    /// The path at which something can be put: all but the last token must be there, and the last may be
    /// a new key, or the length of an array or `-` for the place after its last item.
    ///
    /// # Errors
    /// As [`Pointer::resolve`].
    pub fn resolve_to_put(&self, root: ValueRef<'_>) -> Result<Path> {
        let Some((last, parents)) = self.tokens.split_last() else {
            return Ok(Path::root());
        };
        let mut path = Path::root();
        let mut value = root;
        for at in 0..parents.len() {
            (path, value) = self.resolve_token(at, path, value)?;
        }
        match (value.kind(), last.index) {
            (Kind::Object, _) => Ok(path.with(last.key.clone())),
            (Kind::Array, Some(index)) if index <= value.len() => Ok(path.index(index)),
            (Kind::Array, None) if last.text() == "-" => Ok(path.index(value.len())),
            _ => {
                let (path, _) = self.resolve_token(parents.len(), path, value)?;
                Ok(path)
            }
        }
    }

    /// The path at which [`Value::set`] is to put something: where an object lacks a key or an array ends, what
    /// comes behind are keys of objects to be made.
    ///
    /// ```
    /// use statewright_value::{Path, Pointer, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "users": [] });
    /// let name = Pointer::parse("/users/-/name/first")?;
    /// assert_eq!(name.resolve_to_set(doc.by_ref())?, Path::parse(".users[0].name.first")?);
    /// assert!(Pointer::parse("/tags/-")?.resolve_to_set(doc.by_ref()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Pointer::resolve`]; also where an index or `-` comes behind: an array is not made.
    pub fn resolve_to_set(&self, root: ValueRef<'_>) -> Result<Path> {
        let mut path = Path::root();
        let mut value = root;
        let mut tokens = self.tokens.iter();
        while let Some(token) = tokens.next() {
            let ends = token.index == Some(value.len()) || token.text() == "-";
            let new = match value.kind() {
                Kind::Object if value.step(&token.key).is_none() => Some(token.key.clone()),
                Kind::Array if ends => Some(Segment::Index(value.len())),
                _ => None,
            };
            let rest = tokens.as_slice();
            let is_key = |token: &Token| token.index.is_none() && token.text() != "-";
            match new {
                Some(new) if rest.iter().all(is_key) => {
                    path.extend([new]);
                    path.extend(rest.iter().map(|token| token.key.clone()));
                    return Ok(path);
                }
                _ => {
                    let at = self.tokens.len() - rest.len() - 1;
                    (path, value) = self.resolve_token(at, path, value)?;
                }
            }
        }
        Ok(path)
    }

    /// One token further, or why not.
    fn resolve_token<'a>(
        &self,
        at: usize,
        path: Path,
        value: ValueRef<'a>,
    ) -> Result<(Path, ValueRef<'a>)> {
        let Some(token) = self.tokens.get(at) else {
            return Ok((path, value));
        };
        let invalid = |reason: String| Error::InvalidPath {
            path: shorten(&self.to_string()),
            position: self.position(at),
            reason: reason.into(),
        };
        match (value.kind(), token.index) {
            (Kind::Object, _) => match value.step(&token.key) {
                Some(child) => Ok((path.with(token.key.clone()), child)),
                None => Err(invalid(format!(
                    "the object at `{path}` has no key {:?}",
                    shorten(token.text())
                ))),
            },
            (Kind::Array, Some(index)) => match value.index(index) {
                Some(child) => Ok((path.index(index), child)),
                None => Err(Error::IndexOutOfRange {
                    path,
                    index,
                    len: value.len(),
                }),
            },
            (Kind::Array, None) if token.text() == "-" => Err(invalid(format!(
                "`-` is the place after the last item of the array at `{path}`, where something can be added but \
                 nothing is"
            ))),
            (Kind::Array, None) => Err(invalid(format!(
                "an index of the array at `{path}` is written in digits without leading zeros, not {:?}",
                shorten(token.text())
            ))),
            (kind, _) => Err(Error::WrongType {
                path,
                expected: "object or array",
                found: kind.name(),
            }),
        }
    }

    /// Where in the text a token begins, in characters counted from 1.
    fn position(&self, token: usize) -> usize {
        let before: usize = self
            .tokens
            .iter()
            .take(token)
            .map(|token| escape(token.text()).chars().count() + 1)
            .sum();
        before + 2
    }

    /// As a URI fragment (RFC 6901 section 6), with the `#`.
    pub fn to_fragment(&self) -> String {
        let mut fragment = String::from("#");
        for byte in self.to_string().bytes() {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte);
            if allowed {
                fragment.push(char::from(byte));
            } else {
                fragment.push_str(&format!("%{byte:02X}"));
            }
        }
        fragment
    }
}

impl Path {
    /// This path as a JSON Pointer (RFC 6901): `/user/tags/0`. A pointer does not tell a key from an index,
    /// so coming back takes a value: [`Path::from_pointer`].
    pub fn to_pointer(&self) -> String {
        Pointer::from(self).to_string()
    }

    /// The path of what a JSON Pointer finds in `root`.
    ///
    /// ```
    /// use statewright_value::{Path, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "tags": ["x"] });
    /// let path = Path::from_pointer("/tags/0", doc.by_ref())?;
    /// assert_eq!(path, Path::parse(".tags[0]")?);
    /// assert_eq!(path.to_pointer(), "/tags/0");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Pointer::parse`] and [`Pointer::resolve`].
    pub fn from_pointer(pointer: &str, root: ValueRef<'_>) -> Result<Path> {
        Pointer::parse(pointer)?.resolve(root)
    }
}

impl<'a> ValueRef<'a> {
    /// What a JSON Pointer (RFC 6901) finds. None also for what is no pointer: [`Pointer::parse`] says why.
    /// Allocates only for a token with `~`.
    pub fn pointer(self, pointer: &str) -> Option<ValueRef<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        if pointer.starts_with('#') {
            return Pointer::parse(pointer).ok()?.get(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |value, token| match value.kind() {
                Kind::Array => value.index(array_index(token)?),
                _ => match unescape(token).ok()? {
                    Some(key) => value.get(&key),
                    None => value.get(token),
                },
            })
    }
}

impl Value {
    /// As [`ValueRef::pointer`].
    ///
    /// ```
    /// use statewright_value::value;
    /// let doc = value!({ "tags": ["x", "y"] });
    /// assert_eq!(doc.pointer("/tags/1"), Some("y".into()));
    /// ```
    pub fn pointer(&self, pointer: &str) -> Option<Value> {
        self.by_ref().pointer(pointer).map(ValueRef::to_value)
    }
}

impl From<&Path> for Pointer {
    fn from(path: &Path) -> Pointer {
        let token = |segment: &Segment| match segment {
            Segment::Key(key) => Token::new(key.clone()),
            Segment::Index(index) => Token::new(index.to_string().into()),
        };
        Pointer {
            tokens: path.segments().iter().map(token).collect(),
        }
    }
}

impl FromStr for Pointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pointer> {
        Pointer::parse(text)
    }
}

/// The text form, which parses back to the same pointer.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens
            .iter()
            .try_for_each(|token| write!(f, "/{}", escape(token.text())))
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer({:?})", self.to_string())
    }
}

fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// None if nothing is escaped; the offset of a `~` that means nothing as the error.
fn unescape(token: &str) -> Result<Option<String>, usize> {
    if !token.contains('~') {
        return Ok(None);
    }
    let mut text = String::with_capacity(token.len());
    let mut chars = token.char_indices();
    while let Some((at, c)) = chars.next() {
        text.push(match c {
            '~' => match chars.next() {
                Some((_, '0')) => '~',
                Some((_, '1')) => '/',
                _ => return Err(at),
            },
            c => c,
        });
    }
    Ok(Some(text))
}

/// What a fragment stands for; `given` is for the messages. Characters beyond ASCII may stand for themselves,
/// as in an IRI (RFC 3987).
fn decode_fragment(given: &str, fragment: &str) -> Result<String> {
    let invalid = |at: usize, reason: &'static str| Error::InvalidPath {
        path: shorten(given),
        position: fragment.get(..at).unwrap_or_default().chars().count() + 2,
        reason: reason.into(),
    };
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?.1).to_digit(16);
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(invalid(at, "after `%` come two hexadecimal digits")),
                }
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' => byte,
            byte if byte.is_ascii_alphanumeric() || !byte.is_ascii() => byte,
            _ => {
                return Err(invalid(
                    at,
                    "this character is not part of a URI; write it as `%` and two hexadecimal digits",
                ));
            }
        });
    }
    String::from_utf8(bytes).map_err(|_| invalid(0, "the bytes after `%` are not UTF-8"))
}
