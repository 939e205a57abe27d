//! The completion queue: where everything asynchronous ends.
//!
//! An operation is *accepted* by the function that starts it, which returns its number. From then on it
//! completes exactly once, whatever happens: with a result, with a failure, cancelled, or closed. Completions
//! wait in the queue until `sw_cq_wait` takes them, many at a time. One wake-up is given when the queue stops
//! being empty, not one per completion.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use statewright::WaitId;

use crate::bytes::{Room, sw_bytes};
use crate::call::{Options, Plain, Sized32, init_options};
use crate::error::{self, sw_error};
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::session::Session;
use crate::status::*;

/// A completion queue. Open with `sw_cq_open`, close with `sw_cq_close`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_cq {
    /// Opaque; zero is no queue.
    pub id: u64,
}

/// How to open a completion queue. Fill it with `sw_cq_options_init`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_cq_options {
    /// The size of this struct as the caller knows it.
    pub struct_size: u32,
    /// How many operations may be accepted and not yet taken by `sw_cq_wait`; 0 is the default, 65536.
    pub capacity: u32,
}

/// One completion.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_event {
    /// The number that the operation was accepted with.
    pub op: u64,
    /// What was passed as `user_data` when it was started.
    pub user_data: u64,
    /// How it ended: `SW_OK` or why not.
    pub status: sw_status,
    /// What it was: one of `SW_OP_…`.
    pub kind: u32,
    /// Its result, as MessagePack; empty when it failed. Free it with `sw_bytes_free`.
    pub result: sw_bytes,
    /// Why it failed, or zero. Free it with `sw_error_free`.
    pub error: sw_error,
    /// Zero.
    pub reserved: u64,
}

/// Called when a queue stops being empty. It must not block and must not call any `sw_` function.
pub type sw_wakeup_fn = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// `sw_event.kind`: `sw_case_wait`.
pub const SW_OP_CASE_WAIT: u32 = 1;
/// `sw_event.kind`: `sw_work_poll`.
pub const SW_OP_WORK_POLL: u32 = 2;

const DEFAULT_CAPACITY: usize = 65_536;

// SAFETY: integers.
unsafe impl Plain for sw_cq {}
// SAFETY: integers.
unsafe impl Plain for sw_cq_options {}
// SAFETY: integers and a raw pointer.
unsafe impl Plain for sw_event {}
// SAFETY: `struct_size` is first, and two `u32` leave no padding.
unsafe impl Sized32 for sw_cq_options {
    const FIRST_SIZE: usize = 8;
}

impl Options for sw_cq_options {
    const DEFAULT: Self = sw_cq_options {
        struct_size: size_of::<Self>() as u32,
        capacity: 0,
    };
}

pub(crate) static QUEUES: Table<Arc<Queue>> = Table::new(Tag::Queue);

/// How an operation ended: its result as MessagePack, or why it has none.
pub(crate) type Outcome = Result<Vec<u8>>;

/// What is called once with the outcome of an operation, from any thread.
pub(crate) type Done = Box<dyn FnOnce(Outcome) + Send>;

pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    /// Held while the wake-up runs, so that after changing it the old one is running nowhere.
    wakeup: Mutex<Option<Wakeup>>,
    capacity: usize,
}

struct State {
    next_op: u64,
    pending: BTreeMap<u64, Pending>,
    done: VecDeque<Completion>,
    /// No more operations; waiters get what is left and then `SW_CLOSED`.
    shut: bool,
    /// The handle is closed; nothing is delivered any more.
    closed: bool,
}

/// An operation that was accepted and has not ended.
struct Pending {
    user_data: u64,
    kind: u32,
    session: Arc<Session>,
    /// Where its result will go: what it brings may be work that was leased, which must not be lost.
    room: Room,
    /// What it is in the engine; not known yet for the moment between accepting it and starting it.
    wait: Option<WaitId>,
    /// Cancelled before it was started.
    unwanted: bool,
}

struct Completion {
    op: u64,
    user_data: u64,
    kind: u32,
    room: Room,
    outcome: Outcome,
}

#[derive(Clone, Copy)]
struct Wakeup {
    call: unsafe extern "C" fn(context: *mut c_void),
    context: *mut c_void,
}

// SAFETY: the pointer is only handed back to the host, which is told that the call comes from any thread.
unsafe impl Send for Wakeup {}

impl Queue {
    fn new(options: &sw_cq_options) -> Self {
        let state = State {
            next_op: 1,
            pending: BTreeMap::new(),
            done: VecDeque::new(),
            shut: false,
            closed: false,
        };
        Queue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            wakeup: Mutex::new(None),
            capacity: if options.capacity == 0 {
                DEFAULT_CAPACITY
            } else {
                options.capacity as usize
            },
        }
    }

    /// Promises one completion, starts the operation, and returns its number.
    ///
    /// `start` gets what must be called once with the outcome, from any thread, even before it returns.
    pub(crate) fn submit(
        self: &Arc<Self>,
        session: &Arc<Session>,
        kind: u32,
        user_data: u64,
        start: impl FnOnce(Done) -> Result<WaitId>,
    ) -> Result<u64> {
        let op = self.accept(session, kind, user_data)?;
        session.remember(self);
        let queue = Arc::clone(self);
        let wait = match start(Box::new(move |outcome| queue.complete(op, outcome))) {
            Ok(wait) => wait,
            Err(failure) => {
                // Not accepted after all: nobody knows the number yet.
                self.state.lock().pending.remove(&op);
                return Err(failure);
            }
        };
        let unwanted = match self.state.lock().pending.get_mut(&op) {
            Some(pending) => {
                pending.wait = Some(wait);
                pending.unwanted
            }
            None => false,
        };
        if unwanted {
            session.cancel(wait);
        }
        Ok(op)
    }

    fn accept(&self, session: &Arc<Session>, kind: u32, user_data: u64) -> Result<u64> {
        let room = sw_bytes::reserve()?;
        let mut state = self.state.lock();
        if state.shut {
            return Err(Failure::closed("completion queue"));
        }
        if state.pending.len() + state.done.len() >= self.capacity {
            let message = format!(
                "the completion queue holds {} operations, its capacity",
                self.capacity
            );
            let help = "take completions with sw_cq_wait, or open the queue with a higher capacity";
            return Err(Failure::new(SW_TOO_LARGE, message).help(help));
        }
        let op = state.next_op;
        state.next_op += 1;
        let session = Arc::clone(session);
        state.pending.insert(
            op,
            Pending {
                user_data,
                kind,
                session,
                room,
                wait: None,
                unwanted: false,
            },
        );
        Ok(op)
    }

    /// Ends an operation. Only the first call for one operation counts.
    fn complete(&self, op: u64, outcome: Outcome) {
        // What is dropped is dropped outside the lock: it may be the last hold on an engine.
        let (first, session) = {
            let mut state = self.state.lock();
            let Some(ended) = state.pending.remove(&op) else {
                return;
            };
            let outcome = if state.shut {
                outcome.map_err(closed_if_cancelled)
            } else {
                outcome
            };
            let Pending {
                user_data,
                kind,
                session,
                room,
                ..
            } = ended;
            if !state.closed {
                state.done.push_back(Completion {
                    op,
                    user_data,
                    kind,
                    room,
                    outcome,
                });
            }
            if state.shut && state.pending.is_empty() {
                self.filled.notify_all();
            }
            (!state.closed && state.done.len() == 1, session)
        };
        drop(session);
        self.filled.notify_one();
        if first {
            self.wake();
        }
    }

    fn wake(&self) {
        let wakeup = self.wakeup.lock();
        if let Some(Wakeup { call, context }) = *wakeup {
            // SAFETY: the host promised that the function may be called from any thread with this context
            // until it is replaced.
            unsafe { call(context) };
        }
    }

    /// Ends an operation early: the engine gives it its end, unless it has just had one.
    fn cancel(&self, op: u64) -> Result<()> {
        let known = {
            let mut state = self.state.lock();
            let known = (1..state.next_op).contains(&op);
            if known {
                Some(state.pending.get_mut(&op).map(Pending::give_up))
            } else {
                None
            }
        };
        match known {
            None => Err(Failure::new(
                SW_INVALID_ARGUMENT,
                format!("no operation {op} was accepted here"),
            )
            .at("op")),
            Some(pending) => {
                // Outside the lock: the engine calls back into the queue.
                if let Some((session, Some(wait))) = pending {
                    session.cancel(wait);
                }
                Ok(())
            }
        }
    }

    fn shutdown(&self) {
        let pending: Vec<_> = {
            let mut state = self.state.lock();
            state.shut = true;
            state.pending.values_mut().map(Pending::give_up).collect()
        };
        for (session, wait) in pending {
            if let Some(wait) = wait {
                session.cancel(wait);
            }
        }
        self.filled.notify_all();
    }

    /// Ends every operation of one engine with this failure.
    pub(crate) fn fail_all(&self, session: &Session, failure: &Failure) {
        let of_it = |pending: &Pending| std::ptr::eq(Arc::as_ptr(&pending.session), session);
        let ops: Vec<u64> = self
            .state
            .lock()
            .pending
            .iter()
            .filter(|(_, p)| of_it(p))
            .map(|(op, _)| *op)
            .collect();
        for op in ops {
            self.complete(op, Err(failure.clone()));
        }
    }

    fn close(&self) {
        self.shutdown();
        *self.wakeup.lock() = None;
        let undelivered = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.done)
        };
        drop(undelivered);
        self.filled.notify_all();
    }

    /// Takes up to `max` completions; none when the time ran out.
    fn take(&self, max: usize, timeout: Timeout) -> Result<Vec<Completion>> {
        let mut state = self.state.lock();
        let idle = |state: &mut State| {
            state.done.is_empty() && !state.closed && !(state.shut && state.pending.is_empty())
        };
        match timeout {
            Timeout::Never => self.filled.wait_while(&mut state, idle),
            Timeout::After(time) => {
                self.filled.wait_while_for(&mut state, idle, time);
            }
        }
        if state.done.is_empty() {
            let over = state.closed || (state.shut && state.pending.is_empty());
            return if over {
                Err(Failure::closed("completion queue"))
            } else {
                Ok(Vec::new())
            };
        }
        let count = max.min(state.done.len());
        let taken = state.done.drain(..count).collect();
        if !state.done.is_empty() {
            self.filled.notify_one();
        }
        Ok(taken)
    }

    fn set_wakeup(&self, wakeup: Option<Wakeup>) {
        *self.wakeup.lock() = wakeup;
        if !self.state.lock().done.is_empty() {
            self.wake();
        }
    }
}

impl Pending {
    /// Marks it as not wanted any more, and tells what to cancel.
    fn give_up(&mut self) -> (Arc<Session>, Option<WaitId>) {
        self.unwanted = true;
        (Arc::clone(&self.session), self.wait)
    }
}

/// An operation that its queue's end cancelled has ended because of that.
fn closed_if_cancelled(failure: Failure) -> Failure {
    if failure.code == SW_CANCELLED {
        Failure::closed("completion queue")
    } else {
        failure
    }
}

/// How long a call may wait.
#[derive(Clone, Copy)]
pub(crate) enum Timeout {
    Never,
    After(Duration),
}

impl Timeout {
    /// Nanoseconds as C gives them: negative is without limit.
    pub(crate) fn from_ns(timeout_ns: i64) -> Timeout {
        u64::try_from(timeout_ns).map_or(Timeout::Never, |ns| {
            Timeout::After(Duration::from_nanos(ns))
        })
    }

    pub(crate) fn duration(self) -> Option<Duration> {
        match self {
            Timeout::Never => None,
            Timeout::After(time) => Some(time),
        }
    }
}

impl Completion {
    fn into_event(self) -> sw_event {
        let Completion {
            op,
            user_data,
            kind,
            room,
            outcome,
        } = self;
        let event = sw_event {
            op,
            user_data,
            status: SW_OK,
            kind,
            result: sw_bytes::EMPTY,
            error: sw_error::default(),
            reserved: 0,
        };
        match outcome {
            Ok(bytes) => sw_event {
                result: room.lend(bytes),
                ..event
            },
            Err(failure) => sw_event {
                status: failure.code,
                error: error::store(failure),
                ..event
            },
        }
    }
}

/// Fills `options` with the defaults.
///
/// @role function
/// @on cq
/// @thread safe
/// @param options inout struct: The options to fill.
/// @param size in number: `sizeof(sw_cq_options)`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_options_init(
    options: *mut sw_cq_options,
    size: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cq_options_init, err, |call| {
        init_options(call, options, size)
    })
}

/// Opens a completion queue. One queue serves any number of engines.
///
/// @role constructor
/// @on cq
/// @thread safe
/// @param options in options nullable: How to open it; NULL is the defaults.
/// @param cq out handle owned: Receives the queue. Close it with `sw_cq_close`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_open(
    options: *const sw_cq_options,
    cq: *mut sw_cq,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cq_open, err, |call| {
        let cq = call.out("cq", cq)?;
        let options = call.options("options", options)?;
        let full = |_| Failure::new(SW_TOO_LARGE, "too many completion queues are open");
        cq.set(sw_cq {
            id: QUEUES
                .insert(Arc::new(Queue::new(&options)))
                .map_err(full)?,
        });
        Ok(())
    })
}

/// Waits for completions and takes up to `cap` of them.
///
/// Several threads may wait on one queue; each completion goes to one of them. The caller owns each event's
/// `result` and `error`, and frees them. Returns `SW_TIMEOUT` when nothing completed in time, and `SW_CLOSED`
/// when the queue was shut down and is empty, or was closed.
///
/// @role method
/// @on cq
/// @thread safe
/// @blocks
/// @node manual
/// @param cq in handle: The queue.
/// @param events out events owned cap=cap count=count: Receives the completions.
/// @param cap in number: How many events fit; from 1 to 65536.
/// @param timeout_ns in number: How long to wait, in nanoseconds; 0 does not wait, negative waits without limit.
/// @param count out number: Receives how many events were written.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_wait(
    cq: sw_cq,
    events: *mut sw_event,
    cap: usize,
    timeout_ns: i64,
    count: *mut usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cq_wait, err, |call| {
        let count = call.out("count", count)?;
        let queue = call.queue(cq)?;
        let events = call.out_slice("events", events, cap, 65_536)?;
        let taken = queue.take(cap, Timeout::from_ns(timeout_ns))?;
        if taken.is_empty() {
            return Err(Failure::new(
                SW_TIMEOUT,
                "nothing completed in the time given",
            ));
        }
        let taken_count = taken.len();
        for (index, completion) in taken.into_iter().enumerate() {
            events.set(index, completion.into_event());
        }
        count.set(taken_count);
        Ok(())
    })
}

/// Has `wakeup` called when the queue stops being empty.
///
/// It is called once for each time the queue goes from empty to not empty, from whichever thread brings that
/// about, and at once if the queue is not empty now. It must not block, must not throw, and must not call any
/// `sw_` function: let it signal an event loop that then calls `sw_cq_wait` until that returns `SW_TIMEOUT`.
/// When this function has returned, the former wake-up is running nowhere and will not be called again.
///
/// @role callback
/// @on cq
/// @thread safe
/// @node manual
/// @go manual
/// @param cq in handle: The queue.
/// @param wakeup in callback nullable: What to call, or NULL for nothing.
/// @param context in context: Passed to `wakeup` as it is; must stay valid until the wake-up is replaced or the
///   queue closed.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_set_wakeup(
    cq: sw_cq,
    wakeup: sw_wakeup_fn,
    context: *mut c_void,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_cq_set_wakeup, err, |call| {
        let queue = call.queue(cq)?;
        queue.set_wakeup(wakeup.map(|call| Wakeup { call, context }));
        Ok(())
    })
}

/// Ends the queue's operations: pending ones complete with `SW_CLOSED`, and new ones are refused.
///
/// Completions stay until `sw_cq_wait` has taken them; after the last one it returns `SW_CLOSED`. Doing this
/// twice is harmless.
///
/// @role method
/// @on cq
/// @thread safe
/// @param cq in handle: The queue.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_shutdown(cq: sw_cq, err: *mut sw_error) -> sw_status {
    guard!(sw_cq_shutdown, err, |call| {
        call.queue(cq)?.shutdown();
        Ok(())
    })
}

/// Closes the queue. Operations still pending are cancelled, and completions not yet taken are dropped.
///
/// To see every completion, call `sw_cq_shutdown`, then `sw_cq_wait` until it returns `SW_CLOSED`, then this.
/// Threads waiting on the queue get `SW_CLOSED`. No wake-up is called once this has returned.
///
/// @role destructor
/// @on cq
/// @thread safe
/// @param cq in handle consumed: The queue.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cq_close(cq: sw_cq, err: *mut sw_error) -> sw_status {
    guard!(sw_cq_close, err, |_call| {
        let queue = QUEUES
            .remove(cq.id)
            .ok_or_else(|| Failure::misuse("completion queue"))?;
        queue.close();
        Ok(())
    })
}

/// Cancels an operation. It still completes exactly once: with `SW_CANCELLED`, or as it would have if it was
/// already done.
///
/// Cancelling an operation that has completed does nothing.
///
/// @role method
/// @on cq
/// @thread safe
/// @param cq in handle: The queue that the operation completes on.
/// @param op in number: The operation's number.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_op_cancel(cq: sw_cq, op: u64, err: *mut sw_error) -> sw_status {
    guard!(sw_op_cancel, err, |call| { call.queue(cq)?.cancel(op) })
}
