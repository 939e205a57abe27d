//! Files: a blob that lies elsewhere, described.

use std::sync::Arc;

use crate::extended::Extended;
use crate::json::string_to_json;
use crate::value::Repr;
use crate::{Error, Kind, Result, Value, ValueRef};

/// A described blob: a name, a media type, a size in bytes, a hash of the content and where it lies.
///
/// The value carries the description only; the content stays at its location, which means what the
/// program that stores it there decides (a path, a URL, the key of an object store).
///
/// ```
/// use statewright_value::{File, Value};
/// let file = File::of("hello.txt", b"hello").with_media_type("text/plain").with_location("s3://box/1");
/// let value = Value::from(file.clone());
/// assert_eq!(value.as_file(), Some(&file));
/// assert_eq!(file.size(), 5);
/// assert!(file.describes(b"hello") && !file.describes(b"Hello"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    name: Box<str>,
    media_type: Option<Box<str>>,
    size: u64,
    hash: Option<[u8; 32]>,
    location: Option<Box<str>>,
}

impl File {
    /// A file of `size` bytes, of which only the name is known otherwise.
    pub fn new(name: &str, size: u64) -> File {
        File {
            name: name.into(),
            media_type: None,
            size,
            hash: None,
            location: None,
        }
    }

    /// A file with this content: its size and its BLAKE3 hash. O(length).
    pub fn of(name: &str, content: &[u8]) -> File {
        File::new(name, content.len() as u64).with_hash(*blake3::hash(content).as_bytes())
    }

    /// The same with a media type, e.g. `image/png` (RFC 6838; not checked).
    #[must_use]
    pub fn with_media_type(mut self, media_type: &str) -> File {
        self.media_type = Some(media_type.into());
        self
    }

    /// The same with the BLAKE3 hash of its content.
    #[must_use]
    pub fn with_hash(mut self, hash: [u8; 32]) -> File {
        self.hash = Some(hash);
        self
    }

    /// The same with the place where the content lies.
    #[must_use]
    pub fn with_location(mut self, location: &str) -> File {
        self.location = Some(location.into());
        self
    }

    /// The name, without a folder by convention.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The media type, if it is known.
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// The size of the content in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The BLAKE3 hash of the content, if it is known.
    pub fn hash(&self) -> Option<[u8; 32]> {
        self.hash
    }

    /// The hash as 64 hexadecimal digits.
    pub(crate) fn hash_text(&self) -> Option<String> {
        let hash = blake3::Hash::from_bytes(self.hash?);
        Some(hash.to_hex().to_string())
    }

    /// Where the content lies, if that is known.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Whether this may be the content: the size is right, and the hash if there is one. O(length).
    pub fn describes(&self, content: &[u8]) -> bool {
        self.size == content.len() as u64
            && (self.hash).is_none_or(|hash| hash == *blake3::hash(content).as_bytes())
    }

    /// The form in plain JSON, MessagePack and CBOR: `{"name":…,"media_type":…,"size":…,"hash":"<64
    /// hexadecimal digits>","location":…}`, without the fields that are not known.
    pub(crate) fn to_json(&self) -> String {
        let mut json = format!("{{\"name\":{}", string_to_json(&self.name));
        if let Some(media_type) = &self.media_type {
            json += &format!(",\"media_type\":{}", string_to_json(media_type));
        }
        json += &format!(",\"size\":{}", self.size);
        if let Some(hash) = self.hash_text() {
            json += &format!(",\"hash\":\"{hash}\"");
        }
        if let Some(location) = &self.location {
            json += &format!(",\"location\":{}", string_to_json(location));
        }
        json + "}"
    }

    pub(crate) fn to_serde_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.to_json()).unwrap_or_default() // always JSON
    }

    /// Reads what [`File::to_json`] writes; the reason if it is something else.
    pub(crate) fn from_object(object: ValueRef<'_>) -> Result<File, String> {
        if object.kind() != Kind::Object {
            return Err(format!("a file is an object, found {}", object.kind()));
        }
        let mut file = File::new("", 0);
        let (mut named, mut sized) = (false, false);
        for (key, value) in object.entries() {
            let known = match (key, value.as_str()) {
                ("name", Some(text)) => {
                    file.name = text.into();
                    named = true;
                    true
                }
                ("media_type", Some(text)) => {
                    file.media_type = Some(text.into());
                    true
                }
                ("location", Some(text)) => {
                    file.location = Some(text.into());
                    true
                }
                ("hash", Some(text)) => {
                    file.hash = blake3::Hash::from_hex(text).ok().map(Into::into);
                    file.hash.is_some()
                }
                ("size", None) => {
                    file.size = value.as_u64().unwrap_or_default();
                    sized = value.as_u64().is_some();
                    sized
                }
                _ => false,
            };
            if !known {
                return Err(format!(
                    "`{key}` is not a field of a file, or not of this kind"
                ));
            }
        }
        match named && sized {
            true => Ok(file),
            false => Err("a file needs `name` and `size`".to_owned()),
        }
    }
}

impl From<File> for Value {
    fn from(file: File) -> Value {
        Value(Repr::Extended(Extended::File(Arc::new(file))))
    }
}

impl TryFrom<ValueRef<'_>> for File {
    type Error = Error;

    /// A file, or an object with the fields of one: `name` and `size`, and optionally `media_type`, `hash`
    /// (BLAKE3, 64 hexadecimal digits) and `location`. Refuses anything else with
    /// [`Error::NotRepresentable`].
    fn try_from(value: ValueRef<'_>) -> Result<File> {
        match value.as_file() {
            Some(file) => Ok(file.clone()),
            None => File::from_object(value)
                .map_err(|reason| Error::not_representable("the file", reason)),
        }
    }
}
