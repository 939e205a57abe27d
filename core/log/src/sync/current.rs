//! What readers take without a lock: the newest of something, as long as there is one.
//!
//! The pointer to it and the number of those who look at it are in one word (a split reference count, as in
//! A. Williams, C++ Concurrency in Action, 7.2.4). Whoever looks adds one to the word and takes it off again; so if
//! nobody does, the one who swaps the word knows at once that nobody holds what was there. If somebody does, their
//! number moves to what was there, and the last of them lets go of it. Where nobody looks and nobody else holds it, it
//! can also be changed where it is: for as long as that takes, nobody begins to look.
#![expect(
    unsafe_code,
    reason = "a pointer is kept in a number; each block says why it is sound"
)]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{AtomicU64, AtomicUsize, Mutex, spin_loop, yield_now};

/// The low bits of the word: how many look.
const LOOKING: u64 = 0x3FFF;
/// Somebody has looked since it came there or was changed.
const SEEN: u64 = 0x4000;
/// Somebody has it alone: nobody may begin to look.
const ALONE: u64 = 0x8000;
const BITS: u32 = 16;
const NOTHING: u64 = 0;
/// What no address is: what is there is behind the lock.
const FAR: u64 = 1 << BITS;

/// How often somebody looks whether others are done who will be soon. A pause takes 15 to 60 ns.
const PAUSES: u32 = if cfg!(statewright_loom) { 1 } else { 100 };

/// Something there is now, or nothing. Any number of threads may look while one swaps it. It has lines of its own, as
/// those who look write it all the time.
#[repr(align(128))]
pub struct Current<T> {
    word: AtomicU64,
    /// The address in the word, or an earlier one. As it is, so that who looks for leaks sees that it is held.
    likely: AtomicU64,
    /// What is there, if its address does not fit into the word, as some systems may have it.
    far: Mutex<Option<Arc<T>>>,
    #[cfg(test)]
    all_far: bool,
}

/// Something as it was swapped in, each time another one. Its address is a multiple of 16.
#[repr(align(16))]
struct Shown<T> {
    it: Arc<T>,
    /// Since it was swapped out: how many still look; less than none while those let go who are not counted yet.
    looking: AtomicUsize,
}

/// What is there, for one thread alone. Nobody begins to look before it is [shown](Alone::show) again; if it is dropped
/// instead, nobody looks at it any more.
#[must_use = "dropped, it takes what is there away from readers"]
pub struct Alone<'a, T> {
    current: &'a Current<T>,
    /// What the word is afterwards.
    word: u64,
    it: &'a mut T,
}

/// A look at what is there. While it lasts, that stays.
pub struct Look<'a, T> {
    current: &'a Current<T>,
    at: At<T>,
}

enum At<T> {
    /// The address of a [`Shown`]. This look is counted, in the word or in that.
    Near(u64),
    Far(Arc<T>),
}

// SAFETY: all that is shared is the `Arc<T>`s, from any thread, and the counts, which are atomic.
unsafe impl<T: Send + Sync> Send for Current<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Current<T> {}

impl<T> Default for Current<T> {
    fn default() -> Current<T> {
        Current {
            word: AtomicU64::new(NOTHING),
            likely: AtomicU64::new(NOTHING),
            far: Mutex::new(None),
            #[cfg(test)]
            all_far: false,
        }
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

/// The word of an address at which nobody looks yet, if it fits.
fn word_of(address: u64) -> Option<u64> {
    (address >> (64 - BITS + 4) == 0).then_some((address >> 4) << BITS)
}

/// A call, so that it is a branch, which is guessed, and not a choice between two values, which waits for both.
#[cold]
#[inline(never)]
fn as_it_is(address: u64) -> u64 {
    address
}

/// The address in a word.
fn address_in(word: u64) -> u64 {
    (word >> BITS) << 4
}

fn shown<T>(address: u64) -> *mut Shown<T> {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

impl<T> Current<T> {
    /// Looks at what is there, if something is, and if nobody has it alone for longer than some microseconds. Any
    /// thread may. O(1).
    #[inline]
    pub fn look(&self) -> Option<Look<'_, T>> {
        let mut word = self.word.load(Relaxed);
        let mut pauses = 0..PAUSES;
        loop {
            match word {
                NOTHING => return None,
                FAR => {
                    let at = At::Far(self.far.lock().clone()?);
                    return Some(Look { current: self, at });
                }
                _ if word & ALONE != 0 => {
                    pauses.next()?;
                    spin_loop();
                    word = self.word.load(Relaxed);
                }
                // So many threads at a time there are not; if there were, one would wait for another.
                _ if word & LOOKING == LOOKING => {
                    yield_now();
                    word = self.word.load(Relaxed);
                }
                _ => {
                    let one_more = (word + 1) | SEEN;
                    match self
                        .word
                        .compare_exchange_weak(word, one_more, Acquire, Relaxed)
                    {
                        Ok(_) => {
                            let at = At::Near(self.guess(address_in(word)));
                            return Some(Look { current: self, at });
                        }
                        Err(now) => word = now,
                    }
                }
            }
        }
    }

    /// The same address, by another way. What is read from an address that comes out of the word waits until the word
    /// is written, and that waits for all that was read before; what is read from one that comes from elsewhere, and
    /// only turns out to be the same, does not. So a look after another one does not wait for what the first one read.
    #[inline]
    fn guess(&self, address: u64) -> u64 {
        let likely = self.likely.load(Relaxed);
        // The compiler must not know that it is the same, or it takes the one it has.
        let unknown = std::hint::black_box(likely);
        if likely != address {
            return as_it_is(address);
        }
        unknown
    }

    /// Whether something is there at which somebody has looked since it came there or was changed. O(1).
    pub fn is_seen(&self) -> bool {
        let word = self.word.load(Relaxed);
        word == FAR || word & SEEN != 0
    }

    /// Has what is there alone, to change it, if nobody holds it; waits, no longer than some microseconds, for those
    /// who look at it, and does something `meanwhile`. One thread at a time. O(1).
    pub fn alone(&self, meanwhile: impl FnOnce()) -> Option<Alone<'_, T>> {
        let word = self.word.load(Relaxed);
        if matches!(word, NOTHING | FAR) {
            return None;
        }
        let mut word = self.word.fetch_or(ALONE, Acquire);
        if word & LOOKING != 0 {
            meanwhile();
            word = self.word.load(Acquire);
        }
        let mut pauses = 0..PAUSES;
        while word & LOOKING != 0 && pauses.next().is_some() {
            spin_loop();
            word = self.word.load(Acquire);
        }
        let address = address_in(word);
        if word & LOOKING == 0 {
            // SAFETY: nobody looks, and nobody begins to; only who calls this, one thread at a time, could swap it out.
            let shown = unsafe { &mut *shown::<T>(address) };
            if let Some(it) = Arc::get_mut(&mut shown.it) {
                let (current, word) = (self, word & !(ALONE | SEEN));
                return Some(Alone { current, word, it });
            }
        }
        self.word.fetch_and(!ALONE, Release);
        None
    }

    /// Puts something else there, or nothing, and gives what was there. Who looks at that still does; nobody can begin
    /// to. One thread at a time. O(1).
    pub fn swap(&self, new: Option<Arc<T>>) -> Option<Arc<T>> {
        let (word, far) = match new {
            Some(new) => self.show(new),
            None => (NOTHING, None),
        };
        let mut was_far = None;
        if far.is_some() || self.word.load(Relaxed) == FAR {
            was_far = std::mem::replace(&mut *self.far.lock(), far);
        }
        let was = self.word.swap(word, AcqRel);
        self.likely.store(address_in(word), Relaxed);
        match was {
            NOTHING => None,
            FAR => was_far,
            was => Some(take_out(was)),
        }
    }

    /// The word for something, and that itself if it is not in the word.
    fn show(&self, new: Arc<T>) -> (u64, Option<Arc<T>>) {
        let looking = AtomicUsize::new(0);
        let new = Box::into_raw(Box::new(Shown { it: new, looking }));
        let address = new.expose_provenance() as u64;
        #[cfg(test)]
        let address = if self.all_far { u64::MAX } else { address };
        match word_of(address) {
            Some(word) => (word, None),
            // SAFETY: it was made above, and nobody else has its address.
            None => (FAR, Some(unsafe { Box::from_raw(new) }.it)),
        }
    }
}

/// What was at a word that was swapped out: it is let go of here if nobody looks at it, else by the last who does.
fn take_out<T>(word: u64) -> Arc<T> {
    let shown = shown::<T>(address_in(word));
    let looking = (word & LOOKING) as usize;
    if looking == 0 {
        // SAFETY: nobody looks, and as it is not in the word any more, nobody begins to. It was made by `show`.
        return unsafe { Box::from_raw(shown) }.it;
    }
    // SAFETY: nobody frees it before the looks of its word are counted in it, below.
    let it = unsafe { &*shown }.it.clone();
    // SAFETY: as above.
    let before = unsafe { &*shown }.looking.fetch_add(looking, AcqRel);
    if before.wrapping_add(looking) == 0 {
        // SAFETY: all who looked have let go, and as it is not in the word any more, nobody begins to. It was made by
        // `show`.
        drop(unsafe { Box::from_raw(shown) });
    }
    it
}

impl<T> Deref for Alone<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.it
    }
}

impl<T> DerefMut for Alone<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.it
    }
}

impl<T> Alone<'_, T> {
    /// Lets everybody look again.
    pub fn show(self) {
        // Nobody else has written the word since.
        self.current.word.store(self.word, Release);
    }
}

impl<T> Look<'_, T> {
    /// What is looked at, to be kept.
    #[inline]
    pub fn keep(&self) -> Arc<T> {
        match &self.at {
            // SAFETY: it is not freed before this look has let go.
            At::Near(address) => unsafe { &*shown::<T>(*address) }.it.clone(),
            At::Far(it) => it.clone(),
        }
    }

    /// Ends; tells whether it was still there. If so, whoever swaps it out afterwards sees what this thread did before.
    #[inline]
    pub fn end(self) -> bool {
        let (address, current) = match &self.at {
            At::Near(address) => (*address, self.current),
            At::Far(it) => {
                let far = self.current.far.lock();
                return far.as_ref().is_some_and(|far| Arc::ptr_eq(far, it));
            }
        };
        std::mem::forget(self);
        let_go::<T>(current, address)
    }
}

impl<T> Deref for Look<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.at {
            // SAFETY: it is not freed before this look has let go.
            At::Near(address) => &unsafe { &*shown::<T>(*address) }.it,
            At::Far(it) => it,
        }
    }
}

impl<T> Drop for Look<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let At::Near(address) = self.at {
            let_go(self.current, address);
        }
    }
}

/// Takes a look off the count; tells whether what it looked at was still there.
#[inline]
fn let_go<T>(current: &Current<T>, address: u64) -> bool {
    let mut word = current.word.load(Relaxed);
    // While this look is not taken off, nothing else can be at that address, so it is in the word as it was.
    while address_in(word) == address {
        match current
            .word
            .compare_exchange_weak(word, word - 1, Release, Relaxed)
        {
            Ok(_) => return true,
            Err(now) => word = now,
        }
    }
    let shown = shown::<T>(address);
    // SAFETY: this look is still counted, so it was not freed.
    if unsafe { &*shown }.looking.fetch_sub(1, AcqRel) == 1 {
        // SAFETY: it was the last, and as it is not in the word any more, nobody begins to look. It was made by `show`.
        drop(unsafe { Box::from_raw(shown) });
    }
    false
}

impl<T> Drop for Current<T> {
    fn drop(&mut self) {
        // Looks borrow this, so there are none.
        self.swap(None);
    }
}

#[cfg(all(test, not(statewright_loom)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn near_and_far() -> [Current<u64>; 2] {
        let mut both = [Current::default(), Current::default()];
        both[1].all_far = true;
        both
    }

    #[test]
    fn what_is_swapped_in_is_seen_until_it_is_swapped_out_and_is_freed_when_nobody_looks() {
        for current in near_and_far() {
            assert!(current.look().is_none());
            assert!(current.swap(None).is_none());
            let one = Arc::new(1);
            assert!(current.swap(Some(one.clone())).is_none());
            let look = current.look().unwrap();
            let other = current.look().unwrap();
            assert_eq!((*look, *other), (1, 1));
            assert!(other.end());
            let was = current.swap(Some(Arc::new(2))).unwrap();
            assert!(Arc::ptr_eq(&was, &one));
            assert_eq!((*look, *current.look().unwrap()), (1, 2));
            drop(was);
            // The look still holds it.
            assert!(Arc::strong_count(&one) > 1);
            let kept = look.keep();
            assert!(!look.end());
            drop(kept);
            assert_eq!(Arc::strong_count(&one), 1);
            assert_eq!(current.swap(None).as_deref(), Some(&2));
            assert!(current.look().is_none());
            current.swap(Some(one.clone()));
            drop(current);
            assert_eq!(Arc::strong_count(&one), 1);
        }
    }

    #[test]
    fn what_nobody_holds_is_changed_where_it_is_and_seen_changed() {
        let [near, far] = near_and_far();
        assert!(near.alone(|| ()).is_none());
        near.swap(Some(Arc::new(1)));
        assert!(!near.is_seen());
        let look = near.look().unwrap();
        assert!(near.is_seen());
        let mut meanwhile = false;
        assert!(near.alone(|| meanwhile = true).is_none());
        assert!(meanwhile);
        let kept = look.keep();
        drop(look);
        assert!(near.alone(|| ()).is_none());
        drop(kept);
        meanwhile = false;
        let mut own = near.alone(|| meanwhile = true).unwrap();
        assert!(!meanwhile);
        *own += 1;
        assert!(near.look().is_none());
        own.show();
        assert!(!near.is_seen());
        assert_eq!(near.look().as_deref(), Some(&2));
        // What is not shown again is not looked at any more.
        assert_eq!(near.alone(|| ()).as_deref(), Some(&2));
        assert!(near.look().is_none());
        assert_eq!(near.swap(Some(Arc::new(3))).as_deref(), Some(&2));
        assert_eq!(near.look().as_deref(), Some(&3));
        // What is far is only swapped.
        far.swap(Some(Arc::new(1)));
        assert!(far.is_seen());
        assert!(far.alone(|| ()).is_none());
        assert_eq!(far.look().as_deref(), Some(&1));
    }

    #[test]
    fn addresses_fit_or_are_far() {
        assert_eq!(word_of(0x7FFF_FFFF_FFF0), Some(0x7FF_FFFF_FFFF_0000));
        assert_eq!(word_of(1 << 52), None);
        let address = 0xF_FFFF_FFFF_FFF0;
        let word = word_of(address).unwrap();
        assert_eq!(word & LOOKING, 0);
        assert_eq!(address_in(word | LOOKING | SEEN | ALONE), address);
    }

    /// Whoever swaps it out and sees nobody look may change what nobody else has.
    #[test]
    fn nobody_looks_at_what_its_owner_has_for_himself() {
        for current in near_and_far() {
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while !done.load(Ordering::Relaxed) {
                            let look = current.look();
                            // Never one that its owner is at.
                            assert!(look.as_deref().is_none_or(|n| n % 2 == 0));
                            if let Some(look) = look {
                                let kept = look.keep();
                                look.end();
                                assert_eq!(*kept % 2, 0);
                            }
                        }
                    });
                }
                let mut own = Arc::new(0);
                let mut alone = 0;
                while alone < 20_000 {
                    current.swap(Some(own));
                    if let Some(mut shown) = current.alone(|| ()) {
                        *shown += 1;
                        std::hint::black_box(&mut *shown);
                        *shown += 1;
                        shown.show();
                    }
                    own = current.swap(None).unwrap();
                    match Arc::get_mut(&mut own) {
                        Some(n) => {
                            *n += 1;
                            *n += 1;
                            alone += 1;
                        }
                        None => own = Arc::new(*own),
                    }
                }
                done.store(true, Ordering::Relaxed);
            });
        }
    }
}
