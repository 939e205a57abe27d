//! Tasks that belong together (structured concurrency; Smith 2018, "Notes on structured concurrency").

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::executor::{Executor, Rejected};
use crate::token::Token;

/// Why a nursery's tasks did not all succeed: what the first one that failed said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// A task gave this error.
    Failed(E),
    /// A task panicked with this message.
    Panicked(String),
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(error) => error.fmt(f),
            Failure::Panicked(message) => write!(f, "a task panicked: {message}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Failure<E> {}

/// Tasks that end before what started them goes on. The first failure cancels the others; so does the caller's token,
/// and dropping the nursery. Whoever waits runs its tasks meanwhile, and no others: so nurseries nest on any number of
/// threads, and the stack of one that waits grows with the levels of nurseries alone.
///
/// ```
/// use statewright_exec::{Executor, ExecutorOptions, Failure, Nursery, Token};
/// let executor = Executor::new(ExecutorOptions::threads(2))?;
/// let nursery = Nursery::new(&executor, &Token::new());
/// nursery.spawn(|_| Err("no paper")).unwrap();
/// nursery.spawn(|token| loop {
///     if token.is_cancelled() { return Ok(()); }
///     std::thread::yield_now();
/// }).unwrap();
/// assert_eq!(nursery.join(), Err(Failure::Failed("no paper")));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Nursery<E: Send + 'static> {
    executor: Executor,
    token: Token,
    shared: Arc<Shared<E>>,
}

struct Shared<E> {
    state: Mutex<State<E>>,
    all_ended: Condvar,
}

struct State<E> {
    /// What has not begun, by number. The executor has a ticket for each: who comes first, it or who waits, runs the
    /// oldest one.
    waiting: VecDeque<(u64, Task<E>)>,
    /// Tasks so far.
    added: u64,
    /// Tasks that have not ended.
    open: usize,
    failure: Option<Failure<E>>,
}

type Task<E> = Box<dyn FnOnce(&Token) -> Result<(), E> + Send>;

impl<E: Send + 'static> Nursery<E> {
    /// An empty nursery, cancelled with `parent`.
    #[must_use]
    pub fn new(executor: &Executor, parent: &Token) -> Nursery<E> {
        let state = State {
            waiting: VecDeque::new(),
            added: 0,
            open: 0,
            failure: None,
        };
        Nursery {
            executor: executor.clone(),
            token: parent.child(),
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                all_ended: Condvar::new(),
            }),
        }
    }

    /// What its tasks are cancelled by.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Adds a task; it should end soon when its token is cancelled.
    ///
    /// # Errors
    /// [`Rejected`] by the executor; then the task did not run.
    pub fn spawn(
        &self,
        task: impl FnOnce(&Token) -> Result<(), E> + Send + 'static,
    ) -> Result<(), Rejected> {
        let number = {
            let mut state = self.shared.state.lock();
            let number = state.added;
            state.added += 1;
            state.open += 1;
            state.waiting.push_back((number, Box::new(task)));
            number
        };
        let (shared, token) = (self.shared.clone(), self.token.clone());
        let spawned = self.executor.spawn(move || {
            shared.run_one(&token);
        });
        let Err(rejected) = spawned else {
            return Ok(());
        };
        let mut state = self.shared.state.lock();
        let Ok(at) = state.waiting.binary_search_by_key(&number, |(n, _)| *n) else {
            return Ok(()); // another one's ticket ran it already
        };
        state.open -= 1;
        let task = state.waiting.remove(at);
        drop(state);
        drop(task);
        Err(rejected)
    }

    /// Waits until all tasks have ended.
    ///
    /// # Errors
    /// The first failure.
    pub fn join(self) -> Result<(), Failure<E>> {
        self.wait();
        self.shared.state.lock().failure.take().map_or(Ok(()), Err)
    }

    fn wait(&self) {
        // Whoever waits then waits for what runs below it, on some thread: never for one another.
        while self.shared.run_one(&self.token) {}
        let mut state = self.shared.state.lock();
        while state.open > 0 {
            self.shared.all_ended.wait(&mut state);
        }
    }
}

impl<E> Shared<E> {
    /// Runs the oldest task that has not begun; tells whether there was one.
    fn run_one(&self, token: &Token) -> bool {
        let Some((_, task)) = self.state.lock().waiting.pop_front() else {
            return false;
        };
        let ended = catch_unwind(AssertUnwindSafe(|| task(token)));
        let failure = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Failed(error)),
            Err(panic) => Some(Failure::Panicked(message(&*panic))),
        };
        self.end(failure, token);
        true
    }

    fn end(&self, failure: Option<Failure<E>>, token: &Token) {
        let mut state = self.state.lock();
        let first = failure.is_some() && state.failure.is_none();
        if first {
            state.failure = failure;
        }
        state.open -= 1;
        let last = state.open == 0;
        drop(state);
        if first {
            token.cancel("another task of the nursery failed");
        }
        if last {
            self.all_ended.notify_all();
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}

/// Nothing outlives it.
impl<E: Send + 'static> Drop for Nursery<E> {
    fn drop(&mut self) {
        if self.shared.state.lock().open > 0 {
            self.token.cancel("the nursery was dropped");
            self.wait();
        }
    }
}
