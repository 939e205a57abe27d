//! How much a reader accepts from outside.

/// The deepest nesting any checked entrance accepts, whatever [`Limits`] say: an empty array has depth 1.
pub const MAX_DEPTH: usize = 1024;

/// The deepest nesting that goes through serde, which recurses on the thread's stack.
pub(crate) const SERDE_DEPTH: usize = 128;

/// What is accepted from outside: by every parser, decoder and stream, by patches, and by
/// [`Value::check`](crate::Value::check) for values assembled in the program. Everything is counted, nothing is
/// timed, so the verdict on an input is the same on every machine.
///
/// What has no `_with` form that takes limits keeps the default ones. Beyond a limit is
/// [`Error::Limit`](crate::Error::Limit), which names it.
///
/// | | [`strict`] | [`default`] | [`permissive`] | [`unlimited`] |
/// | --- | --- | --- | --- | --- |
/// | for | strangers | one's users | one's own large data | what the library wrote |
/// | `max_depth` | 32 | 128 | 512 | 1,024 |
/// | `max_bytes` | 1 MiB | 64 MiB | 1 GiB | none |
/// | `max_string` | 256 KiB | 16 MiB | 256 MiB | 4 GiB |
/// | `max_key` | 1 KiB | 64 KiB | 1 MiB | 4 GiB |
/// | `max_items` | 100,000 | 10 million | 100 million | none |
///
/// [`strict`]: Limits::strict
/// [`default`]: Limits::default
/// [`permissive`]: Limits::permissive
/// [`unlimited`]: Limits::unlimited
///
/// Two limits no preset lifts: nothing nests deeper than [`MAX_DEPTH`], and nothing deeper than 128 goes
/// through serde, which recurses.
///
/// ```
/// use statewright_value::{Error, Limits, Value};
/// let limits = Limits::strict().with_max_depth(2);
/// assert!(Value::from_json_with("[[1]]", &limits).is_ok());
/// assert!(matches!(Value::from_json_with("[[[1]]]", &limits), Err(Error::Limit { limit: 2, .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Nested arrays and objects; an empty array has depth 1. More than [`MAX_DEPTH`] counts as [`MAX_DEPTH`].
    pub max_depth: usize,
    /// Bytes of encoded input, per value read.
    pub max_bytes: usize,
    /// Bytes of one text or byte string, decoded.
    pub max_string: usize,
    /// Bytes of one object key, decoded.
    pub max_key: usize,
    /// Values in all, containers included, keys not.
    pub max_items: usize,
}

impl Default for Limits {
    /// Generous: depth 128, 64 MiB of input, 16 MiB per string, 64 KiB per key, 10 million values.
    fn default() -> Self {
        Limits {
            max_depth: 128,
            max_bytes: 64 << 20,
            max_string: 16 << 20,
            max_key: 64 << 10,
            max_items: 10_000_000,
        }
    }
}

/// Presets.
impl Limits {
    /// For input from strangers: depth 32, 1 MiB of input, 256 KiB per string, 1 KiB per key, 100,000 values.
    ///
    /// ```
    /// use statewright_value::{Limits, Value};
    /// let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    /// assert!(Value::from_json_with(nested(32), &Limits::strict()).is_ok());
    /// assert!(Value::from_json_with(nested(33), &Limits::strict()).is_err());
    /// ```
    pub const fn strict() -> Self {
        Limits {
            max_depth: 32,
            max_bytes: 1 << 20,
            max_string: 256 << 10,
            max_key: 1 << 10,
            max_items: 100_000,
        }
    }

    /// For large data of one's own: depth 512, 1 GiB of input, 256 MiB per string, 1 MiB per key, 100 million
    /// values.
    ///
    /// ```
    /// use statewright_value::{Limits, Value};
    /// let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    /// assert!(Value::from_json_with(nested(512), &Limits::permissive()).is_ok());
    /// assert!(Value::from_json_with(nested(513), &Limits::permissive()).is_err());
    /// ```
    pub const fn permissive() -> Self {
        Limits {
            max_depth: 512,
            max_bytes: 1 << 30,
            max_string: 256 << 20,
            max_key: 1 << 20,
            max_items: 100_000_000,
        }
    }

    /// For what the library wrote itself: only [`MAX_DEPTH`] and the 32-bit lengths of MessagePack remain.
    ///
    /// ```
    /// use statewright_value::{Limits, Value};
    /// let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    /// assert!(Value::from_json_with(nested(1024), &Limits::unlimited()).is_ok());
    /// assert!(Value::from_json_with(nested(1025), &Limits::unlimited()).is_err());
    /// ```
    pub const fn unlimited() -> Self {
        let u32_max = u32::MAX as usize;
        Limits {
            max_depth: MAX_DEPTH,
            max_bytes: usize::MAX,
            max_string: u32_max,
            max_key: u32_max,
            max_items: usize::MAX,
        }
    }
}

/// The same with one limit changed.
impl Limits {
    /// With this [`Limits::max_depth`].
    #[must_use]
    pub const fn with_max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    /// With this [`Limits::max_bytes`].
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// With this [`Limits::max_string`].
    #[must_use]
    pub const fn with_max_string(mut self, bytes: usize) -> Self {
        self.max_string = bytes;
        self
    }

    /// With this [`Limits::max_key`].
    #[must_use]
    pub const fn with_max_key(mut self, bytes: usize) -> Self {
        self.max_key = bytes;
        self
    }

    /// With this [`Limits::max_items`].
    #[must_use]
    pub const fn with_max_items(mut self, values: usize) -> Self {
        self.max_items = values;
        self
    }

    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(MAX_DEPTH)
    }
}
