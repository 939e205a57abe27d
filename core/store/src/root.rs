//! Roots that readers hold. Looking at one takes no lock ([`Current`]), so a reader waits for a commit only if none is
//! published.
//!
//! A root is published when somebody wants to read and none is: publishing one per commit would make every commit
//! copy its way through the tree. A commit takes the published root back before it changes the tree; if nobody
//! holds it, the tree is edited in place. Where it was read since the commit before, the same root is shown again
//! afterwards, so that readers need not publish one. In strict mode a commit is put into the tree when it is durable,
//! and takes the root back then.
//!
//! A wait-free pointer (`arc-swap`) was tried instead. Taking a root back then costs a commit a visit to every
//! thread that ever read: 33 µs with 100 threads, 280 µs with 1,000.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use statewright_log::sync::{Alone, AtomicUsize, Current, Look};

use crate::error::Result;
use crate::room;
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
pub(crate) struct Published(Current<Root>);

impl Published {
    /// The published root, if there is one, for as long as it is looked at.
    #[inline]
    pub fn look(&self) -> Option<Look<'_, Root>> {
        self.0.look()
    }

    /// The published root, if there is one.
    pub fn get(&self) -> Option<Arc<Root>> {
        self.0.look().map(|look| look.keep())
    }

    /// Whether somebody looked at the published root since it was published or changed.
    pub fn is_seen(&self) -> bool {
        self.0.is_seen()
    }

    /// The published root, to be changed, if nobody holds it. Whoever calls this has the writer.
    pub fn alone(&self, meanwhile: impl FnOnce()) -> Option<Alone<'_, Root>> {
        self.0.alone(meanwhile)
    }

    /// Publishes another root, or none, and gives the one before. When this returns, its tree's references count
    /// everybody who took that one. Whoever calls this has the writer.
    pub fn swap(&self, root: Option<Arc<Root>>) -> Option<Arc<Root>> {
        self.0.swap(root)
    }

    /// Takes the published root for a transaction, if there is one. Whoever takes it back afterwards sees the
    /// transaction.
    pub fn begin(&self) -> Option<Begun> {
        loop {
            let look = self.0.look()?;
            let begun = Begun::new(look.keep());
            if look.end() {
                return Some(begun);
            }
            // It was taken back in between, by somebody who may not have seen the transaction.
        }
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

    /// For another transaction on the same root.
    pub fn another(&self) -> Begun {
        Begun::new(self.root.clone())
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
    /// Makes sure that one more can be noted without a large allocation. Where there is no room, those behind the
    /// oldest whose transactions have ended are forgotten, so there are never many more than open ones.
    pub fn make_room(&mut self) -> Result<()> {
        if self.0.len() < self.0.capacity() {
            return Ok(());
        }
        self.0.retain(|(_, root)| open(root) > 0);
        // As much as there is, so that the next time is far.
        let more = self.0.len().max(1);
        self.0.try_reserve(more).map_err(room::refused)
    }

    /// Takes note of a root that is no longer published.
    pub fn note(&mut self, root: Option<Arc<Root>>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_that_stays_open_does_not_keep_all_that_ended_since() {
        let mut retired = Retired::default();
        let mut retire = |version| {
            let begun = Begun::new(Arc::new(Root::new(version, Tree::default())));
            retired.make_room().unwrap();
            retired.note(Some(begun.root.clone()));
            (begun, retired.0.len(), retired.oldest())
        };
        let (old, ..) = retire(1);
        for version in 2..10_000 {
            let (_, noted, oldest) = retire(version);
            assert!(noted < 16, "{noted}");
            assert_eq!(oldest, Some(1));
        }
        assert_eq!(retired.transactions(), 1);
        drop(old);
        assert_eq!(retired.oldest(), None);
    }
}
