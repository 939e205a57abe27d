//! The locks and atomics of the commit queue, and what readers take. Those of every day, except where all schedules
//! of a few threads are tried (`cargo xtask loom`): there they are loom's, which run every schedule.

mod current;
pub use current::{Alone, Current, Look};

#[cfg(not(statewright_loom))]
pub use parking_lot::{Condvar, Mutex, MutexGuard};
#[cfg(not(statewright_loom))]
pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
#[cfg(not(statewright_loom))]
pub use std::{hint::spin_loop, thread::yield_now};

/// Locks what is mostly held for a few microseconds: looks at it as long as that before it lets the thread sleep. To
/// wake one up takes longer than to wait, on a virtual machine ten times as long.
#[cfg(not(statewright_loom))]
pub fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    /// A pause takes 15 to 60 ns.
    const PAUSES: u32 = 200;
    for _ in 0..PAUSES {
        if !mutex.is_locked()
            && let Some(guard) = mutex.try_lock()
        {
            return guard;
        }
        spin_loop();
    }
    mutex.lock()
}

/// As [`Mutex::lock`].
#[cfg(statewright_loom)]
pub fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(statewright_loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};
#[cfg(statewright_loom)]
pub use loom::{hint::spin_loop, thread::yield_now};
#[cfg(statewright_loom)]
pub use modelled::{Condvar, Mutex, MutexGuard};

/// Loom's locks with the signatures of `parking_lot`.
#[cfg(statewright_loom)]
mod modelled {
    #![allow(missing_docs, reason = "each is what it is in parking_lot")]
    #![allow(
        clippy::expect_used,
        reason = "a guard has its lock except while it waits"
    )]

    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;

    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            let guard = self.0.lock();
            MutexGuard(Some(guard.unwrap_or_else(PoisonError::into_inner)))
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            Some(MutexGuard(Some(self.0.try_lock().ok()?)))
        }
    }

    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_deref().expect("locked")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_deref_mut().expect("locked")
        }
    }

    #[derive(Debug, Default)]
    pub struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub fn new() -> Condvar {
            Condvar::default()
        }

        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.0.take().expect("locked");
            let inner = self.0.wait(inner);
            guard.0 = Some(inner.unwrap_or_else(PoisonError::into_inner));
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
