//! A work-stealing executor.
//!
//! Every worker has a queue of its own, which it fills and empties at one end while others steal from the other
//! (Chase and Lev 2005, by `crossbeam`). A worker that finds nothing anywhere registers as a sleeper, looks once more,
//! and sleeps. Whoever adds a task takes one sleeper off the register and wakes that one: so no wake-up is lost, and no
//! task wakes more workers than it needs. A spawn that finds nobody asleep costs no system call.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::thread::JoinHandle;

use crossbeam::deque::{Injector, Steal, Stealer, Worker};
use parking_lot::{Condvar, Mutex};

use crate::thread::spawn_thread;

type Task = Box<dyn FnOnce() + Send>;

/// How an [`Executor`] is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExecutorOptions {
    /// Threads that run tasks; by default as many as the machine runs at once. With none, tasks run when somebody
    /// calls [`Executor::run_one`], in the order in which they came: for tests and simulations.
    pub threads: usize,
    /// Tasks that may wait at most, so that who adds faster than they run is told; 1,000,000 by default.
    pub max_waiting: usize,
    /// What the threads' names begin with; `sw-exec` by default.
    pub name: String,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        ExecutorOptions {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            max_waiting: 1_000_000,
            name: "sw-exec".to_owned(),
        }
    }
}

impl ExecutorOptions {
    /// With this many threads.
    #[must_use]
    pub fn threads(threads: usize) -> ExecutorOptions {
        ExecutorOptions {
            threads,
            ..ExecutorOptions::default()
        }
    }
}

/// Why a task was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// [`ExecutorOptions::max_waiting`] tasks wait already.
    Full,
    /// The executor was shut down.
    Closed,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejected::Full => "too many tasks wait; try again when some have run",
            Rejected::Closed => "the executor was shut down",
        })
    }
}

impl std::error::Error for Rejected {}

/// What an executor did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutorStats {
    /// Tasks that wait.
    pub waiting: usize,
    /// Tasks that have ended, those that panicked too.
    pub ended: u64,
    /// Tasks that panicked.
    pub panicked: u64,
}

/// Runs tasks on threads. Clones are the same executor. When the last one is dropped, or
/// [`shut_down`](Executor::shut_down) is called, it takes no more tasks; those that it has are run.
///
/// ```
/// use std::sync::mpsc;
/// use statewright_exec::{Executor, ExecutorOptions};
/// let executor = Executor::new(ExecutorOptions::threads(2))?;
/// let (send, receive) = mpsc::channel();
/// for n in 1..=10_u64 {
///     let send = send.clone();
///     executor.spawn(move || send.send(n * n).unwrap_or_default()).unwrap();
/// }
/// drop(send);
/// assert_eq!(receive.iter().sum::<u64>(), 385);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Executor(Arc<Owner>);

/// Shuts down when the last handle goes.
struct Owner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    injector: Injector<Task>,
    stealers: Vec<Stealer<Task>>,
    max_waiting: usize,
    waiting: AtomicUsize,
    /// Workers that sleep or are about to, and that nobody has woken yet.
    sleepers: AtomicUsize,
    /// Wake-ups that sleepers have not taken yet.
    wakeups: Mutex<usize>,
    wake: Condvar,
    closed: AtomicBool,
    ended: AtomicU64,
    panicked: AtomicU64,
}

struct Local {
    /// Whose worker it is.
    shared: Arc<Shared>,
    queue: Worker<Task>,
    index: usize,
    /// How often it has looked for a task.
    looks: Cell<u32>,
}

/// So often at least a worker looks into the common queue first: tasks that fill its own again and again do not starve
/// those from outside.
const COMMON_FIRST: u32 = 61;

thread_local! {
    /// The worker that this thread is.
    static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

impl Executor {
    /// Starts the threads.
    ///
    /// # Errors
    /// If a thread cannot be started; those that were are stopped.
    pub fn new(options: ExecutorOptions) -> io::Result<Executor> {
        // Own tasks first in, first out: a task that adds to its own queue for ever does not starve the others.
        let queues: Vec<Worker<Task>> = (0..options.threads).map(|_| Worker::new_fifo()).collect();
        let shared = Arc::new(Shared {
            injector: Injector::new(),
            stealers: queues.iter().map(Worker::stealer).collect(),
            max_waiting: options.max_waiting,
            waiting: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            wakeups: Mutex::new(0),
            wake: Condvar::new(),
            closed: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            panicked: AtomicU64::new(0),
        });
        let executor = Executor(Arc::new(Owner {
            shared: shared.clone(),
            threads: Mutex::default(),
        }));
        for (index, queue) in queues.into_iter().enumerate() {
            let shared = shared.clone();
            let name = format!("{}-{index}", options.name);
            let thread = spawn_thread(&name, move || {
                let local = Rc::new(Local {
                    shared,
                    queue,
                    index,
                    looks: Cell::new(0),
                });
                LOCAL.set(Some(local.clone()));
                local.work();
                LOCAL.set(None);
            })?;
            executor.0.threads.lock().push(thread);
        }
        Ok(executor)
    }

    /// Adds a task. From one of its own workers it goes into that worker's queue. A panic in a task ends the task
    /// alone and is counted. O(1), about 50 ns.
    ///
    /// # Errors
    /// [`Rejected`]; then the task was dropped and did not run.
    pub fn spawn(&self, task: impl FnOnce() + Send + 'static) -> Result<(), Rejected> {
        let shared = &self.0.shared;
        shared.spawn(Box::new(task), shared.max_waiting)
    }

    /// Adds a task however many wait: for who keeps count of its own.
    pub(crate) fn spawn_in_any_case(
        &self,
        task: impl FnOnce() + Send + 'static,
    ) -> Result<(), Rejected> {
        self.0.shared.spawn(Box::new(task), usize::MAX)
    }

    /// Runs one waiting task on this thread; tells whether there was one. What a thread does that waits for tasks, so
    /// that it does not keep them from running. A task that calls this takes as much more of the stack for each level
    /// of tasks that wait so; a [`Nursery`](crate::Nursery) runs none but its own.
    pub fn run_one(&self) -> bool {
        let shared = &self.0.shared;
        let task = with_local(shared, |local| match local {
            Some(local) => local.find(),
            None => shared.steal(None),
        });
        task.map(|task| shared.run(task)).is_some()
    }

    /// How many threads it has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.shared.stealers.len()
    }

    /// What it did so far. O(1).
    #[must_use]
    pub fn stats(&self) -> ExecutorStats {
        let shared = &self.0.shared;
        ExecutorStats {
            waiting: shared.waiting.load(Ordering::Relaxed),
            ended: shared.ended.load(Ordering::Relaxed),
            panicked: shared.panicked.load(Ordering::Relaxed),
        }
    }

    /// Takes no more tasks, and waits until those that it has have run. Called from one of its own tasks, it does not
    /// wait for that one's thread.
    pub fn shut_down(&self) {
        self.0.shut_down();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("threads", &self.threads())
            .field("stats", &self.stats())
            .finish()
    }
}

impl Owner {
    fn shut_down(&self) {
        self.shared.close();
        let threads = std::mem::take(&mut *self.threads.lock());
        let me = std::thread::current().id();
        for thread in threads {
            if thread.thread().id() != me {
                // A worker catches every panic.
                let _ = thread.join();
            }
        }
        // Without threads, nobody else would.
        while self.shared.stealers.is_empty()
            && let Some(task) = self.shared.steal(None)
        {
            self.shared.run(task);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Calls `f` with the worker that this thread is, if it is one of these.
fn with_local<T>(shared: &Arc<Shared>, f: impl FnOnce(Option<&Local>) -> T) -> T {
    // Cloned, because `f` may run a task, which may come here again.
    let local = LOCAL.with_borrow(|local| {
        let mine = local.as_ref();
        mine.filter(|local| Arc::ptr_eq(&local.shared, shared))
            .cloned()
    });
    f(local.as_deref())
}

impl Shared {
    fn spawn(self: &Arc<Self>, task: Task, max_waiting: usize) -> Result<(), Rejected> {
        // Counted before looking whether it is closed: no worker ends while a task is counted.
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst);
        let closed = self.closed.load(Ordering::SeqCst);
        if closed || waiting >= max_waiting {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(if closed {
                Rejected::Closed
            } else {
                Rejected::Full
            });
        }
        LOCAL.with_borrow(|local| match local {
            Some(local) if Arc::ptr_eq(&local.shared, self) => local.queue.push(task),
            _ => self.injector.push(task),
        });
        self.wake_one();
        Ok(())
    }

    /// Wakes a worker, if one sleeps.
    fn wake_one(&self) {
        // The task is seen by who registers as a sleeper after this, or that one is seen here.
        fence(Ordering::SeqCst);
        if self.take_sleeper() {
            *self.wakeups.lock() += 1;
            self.wake.notify_one();
        }
    }

    /// Takes one sleeper off the register, if there is one.
    fn take_sleeper(&self) -> bool {
        let fewer = |sleepers: usize| sleepers.checked_sub(1);
        let taken = self
            .sleepers
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, fewer);
        taken.is_ok()
    }

    /// No more tasks; every worker looks whether it can end.
    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut wakeups = self.wakeups.lock();
        while self.take_sleeper() {
            *wakeups += 1;
        }
        self.wake.notify_all();
    }

    /// A task from the common queue, or from one that is not `but`.
    fn steal(&self, but: Option<&Local>) -> Option<Task> {
        loop {
            let mut again = false;
            let common = match but {
                Some(local) => self.injector.steal_batch_and_pop(&local.queue),
                None => self.injector.steal(),
            };
            let mine = but.map(|local| local.index);
            let others = self.stealers.iter().enumerate();
            let others = others.filter(|(i, _)| Some(*i) != mine);
            let stolen = others.map(|(_, stealer)| match but {
                Some(local) => stealer.steal_batch_and_pop(&local.queue),
                None => stealer.steal(),
            });
            for steal in std::iter::once(common).chain(stolen) {
                match steal {
                    Steal::Success(task) => return Some(task),
                    Steal::Retry => again = true,
                    Steal::Empty => {}
                }
            }
            if !again {
                return None;
            }
        }
    }

    fn run(&self, task: Task) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        if catch_unwind(AssertUnwindSafe(task)).is_err() {
            self.panicked.fetch_add(1, Ordering::Relaxed);
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Sleeps until somebody took this worker off the register.
    fn sleep(&self) {
        let mut wakeups = self.wakeups.lock();
        while *wakeups == 0 {
            self.wake.wait(&mut wakeups);
        }
        *wakeups -= 1;
    }
}

impl Local {
    fn find(&self) -> Option<Task> {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        let common = match looks % COMMON_FIRST {
            0 => self.shared.injector.steal_batch_and_pop(&self.queue),
            _ => Steal::Empty,
        };
        let task = common.success().or_else(|| self.queue.pop());
        let task = task.or_else(|| self.shared.steal(Some(self)));
        // Where one was found there may be more.
        if task.is_some() && !self.queue.is_empty() {
            self.shared.wake_one();
        }
        task
    }

    /// Runs tasks until the executor is closed and none is left.
    fn work(&self) {
        let shared = &self.shared;
        loop {
            while let Some(task) = self.find() {
                shared.run(task);
            }
            shared.sleepers.fetch_add(1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let closed = shared.closed.load(Ordering::SeqCst);
            let task = self.find();
            // If it does not sleep it leaves the register; unless somebody took it off and is waking it.
            if (task.is_none() && !closed) || !shared.take_sleeper() {
                shared.sleep();
            }
            match task {
                Some(task) => shared.run(task),
                None if closed && shared.waiting.load(Ordering::SeqCst) == 0 => return,
                // A task is counted and not yet in a queue.
                None if closed => std::thread::yield_now(),
                None => {}
            }
        }
    }
}
