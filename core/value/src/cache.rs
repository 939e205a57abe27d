//! Bounded caches of what has been compiled from text: paths and queries.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::query::Query;
use crate::{Path, Result, Value, ValueRef};

/// Compiled [`Path`]s by their text.
pub type PathCache = Cache<Arc<Path>>;

/// Compiled [`Query`]s by their text.
pub type QueryCache = Cache<Query>;

/// Longer texts are compiled each time, so that a cache holds little memory whatever is put in.
const MAX_TEXT: usize = 4 << 10;

/// A bounded cache from text to what was compiled from it, which threads may share. What was used longest
/// ago goes first.
///
/// A hit costs a lock, a lookup and a clone of the content, which is a reference-count increment for
/// [`PathCache`] and [`QueryCache`]. Text that does not compile, and text of more than 4 KiB, is not kept.
///
/// ```
/// use statewright_value::{PathCache, value};
/// # fn main() -> statewright_value::Result<()> {
/// let paths = PathCache::new(100);
/// let doc = value!({ "user": { "name": "Ada" } });
/// for _ in 0..3 {
///     assert_eq!(doc.at(&*paths.get(".user.name")?), Some("Ada".into()));
/// }
/// let stats = paths.stats();
/// assert_eq!((stats.hits, stats.misses, stats.len), (2, 1, 1));
/// # Ok(())
/// # }
/// ```
pub struct Cache<T> {
    inner: Mutex<Inner<T>>,
}

/// How a [`Cache`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Times the text was there.
    pub hits: u64,
    /// Times it was not, so that it had to be compiled.
    pub misses: u64,
    /// What went to make room.
    pub evictions: u64,
    /// Texts that are there now.
    pub len: usize,
    /// The most that are kept.
    pub capacity: usize,
}

impl CacheStats {
    /// Hits among all questions, from 0 to 1; 0 before the first question.
    pub fn hit_rate(&self) -> f64 {
        let asked = self.hits + self.misses;
        if asked == 0 {
            0.0
        } else {
            self.hits as f64 / asked as f64
        }
    }
}

/// No slot.
const NONE: usize = usize::MAX;

struct Inner<T> {
    /// Which slot a text is in.
    slots_by_text: HashMap<Arc<str>, usize, BuildHasherDefault<TextHasher>>,
    /// A ring of slots in order of use, linked both ways.
    slots: Vec<Slot<T>>,
    newest: usize,
    oldest: usize,
    stats: CacheStats,
}

/// The same on every run. Texts made to collide slow a cache down by no more than its capacity.
#[derive(Default)]
struct TextHasher(u64);

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    /// The mark at the end of a `str`.
    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(byte);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Slot<T> {
    text: Arc<str>,
    content: T,
    newer: usize,
    older: usize,
}

impl<T: Clone> Cache<T> {
    /// An empty cache that keeps at most `capacity` texts; with 0 it keeps nothing.
    pub fn new(capacity: usize) -> Cache<T> {
        Cache {
            inner: Mutex::new(Inner {
                slots_by_text: HashMap::default(),
                slots: Vec::new(),
                newest: NONE,
                oldest: NONE,
                stats: CacheStats {
                    capacity,
                    ..CacheStats::default()
                },
            }),
        }
    }

    /// What `text` compiles to: from the cache, or from `compile` and then kept. `compile` runs outside the
    /// lock.
    pub(crate) fn get_or<E>(
        &self,
        text: &str,
        compile: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(content) = self.lock().find(text) {
            return Ok(content);
        }
        let content = compile(text)?;
        if text.len() <= MAX_TEXT {
            self.lock().keep(text, content.clone());
        }
        Ok(content)
    }

    /// How it has done so far.
    pub fn stats(&self) -> CacheStats {
        let inner = self.lock();
        CacheStats {
            len: inner.slots.len(),
            ..inner.stats
        }
    }

    /// Forgets every text; the counts stay.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.slots_by_text.clear();
        inner.slots.clear();
        (inner.newest, inner.oldest) = (NONE, NONE);
    }

    /// Nothing leaves the cache half changed, so one that another thread panicked over is as good as any.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PathCache {
    /// The cache that everything shares which takes a path as text; it keeps 1024.
    pub fn shared() -> &'static PathCache {
        static SHARED: LazyLock<PathCache> = LazyLock::new(|| PathCache::new(1024));
        &SHARED
    }

    /// The path that [`Path::parse`] makes of `text`.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn get(&self, text: &str) -> Result<Arc<Path>> {
        self.get_or(text, |text| Path::parse(text).map(Arc::new))
    }
}

impl QueryCache {
    /// The cache that everything shares which takes a query as text; it keeps 1024.
    pub fn shared() -> &'static QueryCache {
        static SHARED: LazyLock<QueryCache> = LazyLock::new(|| QueryCache::new(1024));
        &SHARED
    }

    /// The query that [`Query::parse`] makes of `text`.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn get(&self, text: &str) -> Result<Query> {
        self.get_or(text, Query::parse)
    }
}

/// Paths as text, through [`PathCache::shared`].
impl<'a> ValueRef<'a> {
    /// What is at a path given as text, such as `.user.tags[0]`; the parsed path is cached.
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn lookup(self, path: &str) -> Result<Option<ValueRef<'a>>> {
        Ok(self.at(&*PathCache::shared().get(path)?))
    }
}

/// Paths as text, through [`PathCache::shared`].
impl Value {
    /// What is at a path given as text, such as `.user.tags[0]`; the parsed path is cached.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let doc = value!({ "user": { "tags": ["x"] } });
    /// assert_eq!(doc.lookup(".user.tags[0]")?, Some("x".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Path::parse`].
    pub fn lookup(&self, path: &str) -> Result<Option<Value>> {
        Ok(self.by_ref().lookup(path)?.map(ValueRef::to_value))
    }
}

impl<T: Clone> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stats().fmt(f)
    }
}

impl<T: Clone> Inner<T> {
    fn find(&mut self, text: &str) -> Option<T> {
        let Some(&at) = self.slots_by_text.get(text) else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        if at != self.newest {
            self.unlink(at);
            self.link(at);
        }
        self.slots.get(at).map(|slot| slot.content.clone())
    }

    fn keep(&mut self, text: &str, content: T) {
        if self.stats.capacity == 0 || self.slots_by_text.contains_key(text) {
            return; // another thread was faster
        }
        let slot = Slot {
            text: text.into(),
            content,
            newer: NONE,
            older: NONE,
        };
        let text = slot.text.clone();
        let at = if self.slots.len() < self.stats.capacity {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.oldest;
            self.unlink(at);
            self.stats.evictions += 1;
            if let Some(old) = self.slots.get_mut(at) {
                self.slots_by_text.remove(&old.text);
                *old = slot;
            }
            at
        };
        self.slots_by_text.insert(text, at);
        self.link(at);
    }

    /// Takes a slot out of the order of use.
    fn unlink(&mut self, at: usize) {
        let Some(&Slot { newer, older, .. }) = self.slots.get(at) else {
            return;
        };
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Makes a slot the one used last.
    fn link(&mut self, at: usize) {
        let newest = std::mem::replace(&mut self.newest, at);
        match self.slots.get_mut(newest) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.newer, slot.older) = (NONE, newest);
        }
    }
}
