//! Roots that readers hold: taking one waits for nobody.
//!
//! A root is published when somebody wants to read and none is: publishing one per commit would make every commit
//! copy its way through the tree. A commit takes the published root back before it changes the tree; if nobody
//! holds it, the tree is edited in place.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

#[cfg(not(statewright_loom))]
use arc_swap::ArcSwapOption;
use statewright_log::sync::{AtomicUsize, fence};

use crate::tree::Tree;

/// A version of the world that readers may see.
#[derive(Debug)]
pub(crate) struct Root {
    pub version: u64,
    pub tree: Tree,
    /// Open transactions that began here.
    transactions: AtomicUsize,
}

impl Root {
    pub fn new(version: u64, tree: Tree) -> Root {
        Root {
            version,
            tree,
            transactions: AtomicUsize::new(0),
        }
    }
}

/// The root that readers take.
#[derive(Debug, Default)]
pub(crate) struct Published(ArcSwapOption<Root>);

impl Published {
    /// The published root, if there is one. Takes no lock.
    pub fn get(&self) -> Option<Arc<Root>> {
        self.0.load_full()
    }

    /// Calls `f` with the published root, if there is one. Takes no lock and holds nothing.
    pub fn with<T>(&self, f: impl FnOnce(&Root) -> T) -> Option<T> {
        self.0.load().as_deref().map(f)
    }

    /// Publishes another root, or none, and gives the one before. When this returns, everybody who took that one is
    /// counted in its references.
    pub fn swap(&self, root: Option<Arc<Root>>) -> Option<Arc<Root>> {
        self.0.swap(root)
    }

    /// Takes the published root for a transaction, if there is one. Takes no lock.
    pub fn begin(&self) -> Option<Begun> {
        let begun = Begun::new(self.get()?);
        // A writer that takes the root back looks at the count afterwards. So if it is still published now, the
        // writer will see this transaction; if not, it may have missed it, and the transaction begins elsewhere.
        fence(Ordering::SeqCst);
        let still = self.with(|root| std::ptr::eq(root, &*begun.root));
        still.filter(|still| *still).map(|_| begun)
    }
}

/// A root that counts a transaction.
#[derive(Debug)]
pub(crate) struct Begun {
    root: Arc<Root>,
}

impl Begun {
    pub fn new(root: Arc<Root>) -> Begun {
        root.transactions.fetch_add(1, Ordering::SeqCst);
        Begun { root }
    }
}

impl std::ops::Deref for Begun {
    type Target = Root;

    fn deref(&self) -> &Root {
        &self.root
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.root.transactions.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The roots that were taken back and from which transactions may still be open, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Retired(VecDeque<(u64, Weak<Root>)>);

impl Retired {
    /// Takes note of a root that is no longer published.
    pub fn note(&mut self, root: Option<Arc<Root>>) {
        fence(Ordering::SeqCst);
        if let Some(root) = root.filter(|root| root.transactions.load(Ordering::SeqCst) > 0) {
            self.0.push_back((root.version, Arc::downgrade(&root)));
        }
    }

    /// The version of the oldest open transaction among them.
    pub fn oldest(&mut self) -> Option<u64> {
        while let Some((version, root)) = self.0.front() {
            if open(root) > 0 {
                return Some(*version);
            }
            self.0.pop_front();
        }
        None
    }

    /// How many transactions are open.
    pub fn transactions(&self) -> usize {
        self.0.iter().map(|(_, root)| open(root)).sum()
    }
}

fn open(root: &Weak<Root>) -> usize {
    root.upgrade()
        .map_or(0, |root| root.transactions.load(Ordering::SeqCst))
}

impl Root {
    /// How many transactions began here and are open.
    pub fn transactions(&self) -> usize {
        self.transactions.load(Ordering::SeqCst)
    }
}

/// What `arc_swap` does, with a lock that loom knows.
#[cfg(statewright_loom)]
#[derive(Debug)]
struct ArcSwapOption<T>(statewright_log::sync::Mutex<Option<Arc<T>>>);

#[cfg(statewright_loom)]
impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        ArcSwapOption(statewright_log::sync::Mutex::new(None))
    }
}

#[cfg(statewright_loom)]
impl<T> ArcSwapOption<T> {
    fn load_full(&self) -> Option<Arc<T>> {
        self.0.lock().clone()
    }

    fn load(&self) -> Option<Arc<T>> {
        self.load_full()
    }

    fn swap(&self, other: Option<Arc<T>>) -> Option<Arc<T>> {
        std::mem::replace(&mut *self.0.lock(), other)
    }
}
