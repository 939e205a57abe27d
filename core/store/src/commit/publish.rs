//! What readers see of commits: roots that are published, taken back for a commit, and shown again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use statewright_log::sync::{Alone, lock_soon};

use super::{Shared, Writer};
use crate::op::Op;
use crate::recent::Region;
use crate::root::{Begun, Root};

/// So many of the places that a commit writes to are read while it waits for readers.
const SOME: usize = 4;

/// What was taken back for a commit.
#[derive(Default)]
pub(super) struct Taken<'a> {
    /// The version at which transactions may begin all the same: in strict mode, that of the last sync.
    coming: Option<u64>,
    /// Whether somebody read the published root.
    seen: bool,
    /// The published root without its tree, to be shown again with the new one.
    root: Option<Alone<'a, Root>>,
}

impl Shared {
    /// How many transactions are open.
    pub fn transactions(&self, writer: &Writer) -> usize {
        let newest = self.published.get().map_or(0, |root| root.transactions());
        newest + writer.retired.transactions()
    }

    /// The root that readers see, for a transaction. Waits for a commit only while that is put into the tree or, where
    /// nobody has read since the one before, while it is made; looks out for its end before it sleeps, as a writer that
    /// has to wake somebody up may hand the lock over, and wait until that thread runs.
    pub fn begin(&self) -> Begun {
        self.published.begin().unwrap_or_else(|| {
            // While this is held, nobody takes the root back.
            let mut writer = lock_soon(&self.writer);
            Begun::new(self.publish(&mut writer))
        })
    }

    /// Passes the root that readers see to `f`. Waits as [`begin`](Shared::begin) does.
    #[inline]
    pub fn look<T>(&self, f: impl FnOnce(&Root) -> T) -> T {
        let (looked_at, kept);
        let root: &Root = match self.published.look() {
            Some(look) => {
                looked_at = look;
                &looked_at
            }
            None => {
                kept = self.root();
                &kept
            }
        };
        f(root)
    }

    /// The root that readers see.
    pub fn root(&self) -> Arc<Root> {
        let published = self.published.get();
        published.unwrap_or_else(|| self.publish(&mut lock_soon(&self.writer)))
    }

    /// Publishes the state of the tree, unless somebody just did, or only durable states are published.
    pub fn publish(&self, writer: &mut Writer) -> Arc<Root> {
        self.published.get().unwrap_or_else(|| {
            writer.published = true;
            let root = Arc::new(Root::new(writer.applied(), writer.tree.clone()));
            self.published.swap(Some(root.clone()));
            root
        })
    }

    /// Takes the published root back before the tree is changed at the places of `writes`, so that it need not be
    /// copied if nobody holds it.
    pub(super) fn take_back(
        &self,
        writer: &mut Writer,
        own: Option<Begun>,
        writes: &[Region],
    ) -> Taken<'_> {
        let mut taken = Taken::default();
        if writer.strict {
            taken.coming = Some(self.publish(writer).version);
        } else if writer.published {
            drop(own);
            taken.seen = self.published.is_seen();
            if taken.seen {
                let near = || {
                    for region in writes.iter().take(SOME) {
                        writer.tree.touch(&region.key);
                    }
                };
                taken.root = self.published.alone(near);
            }
            match &mut taken.root {
                Some(root) => root.tree.let_go(),
                None => {
                    writer.published = false;
                    let was = self.published.swap(None);
                    writer.retired.note(was);
                }
            }
        }
        taken
    }

    /// The tree was changed: notes what was written, and shows it to readers, if they read what there was before.
    pub(super) fn give_back(&self, writer: &mut Writer, taken: Taken<'_>, writes: &[Region]) {
        writer.remember(taken.coming.unwrap_or(writer.version), writes);
        match taken.root {
            Some(mut root) => {
                root.version = writer.version;
                root.tree.follow(&writer.tree);
                root.show();
            }
            None if taken.seen => drop(self.publish(writer)),
            None => {}
        }
    }

    /// These ops are the newest commit: tells who purges, if a key may expire by them. Not before readers see it: a
    /// purge in between would see nothing, and wait.
    pub(super) fn note_expiry(&self, writer: &mut Writer, ops: &[Op]) {
        if !ops.iter().any(Op::may_set_expiry) {
            return;
        }
        match writer.strict {
            true => writer.expires = Some(writer.version),
            false => self.tell_expiry(),
        }
    }

    /// Tells who purges that a key may expire.
    pub(super) fn tell_expiry(&self) {
        self.may_expire.store(true, Ordering::Release);
        if !self.expiring.swap(true, Ordering::AcqRel) {
            self.expiry_gate.notify();
        }
    }
}
