//! One call from C: reads arguments, and writes results.
//!
//! A [`Call`] can only be made by promising that the call's pointers are valid, so its methods need no
//! further promise: it checks for NULL, for limits *before* memory is touched, for UTF-8, and finds the
//! objects behind handles.

use std::cell::RefCell;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use statewright_value::{Limits, Value};

use crate::bytes::{Room, sw_bytes};
use crate::checks;
use crate::engine::sw_engine;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::queue::{Queue, sw_cq};
use crate::session::Session;
use crate::status::*;
use crate::txn::{TxnState, sw_txn};

/// The largest value, document or flow text that a call takes, in bytes.
pub const SW_MAX_INPUT_BYTES: usize = 67_108_864;
/// The largest key, name, space or path that a call takes, in bytes.
pub const SW_MAX_NAME_BYTES: usize = 65_536;
/// The largest `struct_size` that a call takes, in bytes.
pub const SW_MAX_STRUCT_BYTES: usize = 4096;

pub(crate) struct Call {
    name: &'static str,
    /// The engine this call works on: it is poisoned if the call panics.
    concerned: RefCell<Option<Arc<Session>>>,
}

/// Where a test makes an export panic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Entry = 0,
    /// Once the engine concerned is known.
    Engine = 1,
}

impl Call {
    /// # Safety
    /// Every pointer later given to this object is NULL or valid for what the method says, for the whole call.
    pub(crate) unsafe fn new(name: &'static str) -> Self {
        Call {
            name,
            concerned: RefCell::new(None),
        }
    }

    // ---- inputs
    // -----------------------------------------------------------------------------------------------------

    /// Bytes of at most `limit`; (NULL, 0) is empty.
    fn slice<'a>(
        &'a self,
        name: &'static str,
        data: *const u8,
        len: usize,
        limit: usize,
    ) -> Result<&'a [u8]> {
        if len > limit {
            let message = format!("`{name}` has {len} bytes; the limit is {limit}");
            return Err(Failure::new(SW_TOO_LARGE, message).at(name));
        }
        if len == 0 {
            return Ok(&[]);
        }
        if data.is_null() {
            return Err(null(name).help(format!(
                "pass a pointer to the {len} bytes, or NULL with length 0 for none"
            )));
        }
        // SAFETY: not NULL, and the caller of the export promises `len` readable bytes for the length of the
        // call.
        Ok(unsafe { std::slice::from_raw_parts(data, len) })
    }

    /// A key or another short run of bytes.
    pub(crate) fn key(&self, name: &'static str, data: *const u8, len: usize) -> Result<&[u8]> {
        self.slice(name, data, len, SW_MAX_NAME_BYTES)
    }

    /// A short text: a name, a space, a path, an id.
    pub(crate) fn text(&self, name: &'static str, data: *const c_char, len: usize) -> Result<&str> {
        utf8(name, self.slice(name, data.cast(), len, SW_MAX_NAME_BYTES)?)
    }

    /// A long text: JSON, or a flow.
    pub(crate) fn document(
        &self,
        name: &'static str,
        data: *const c_char,
        len: usize,
    ) -> Result<&str> {
        utf8(
            name,
            self.slice(name, data.cast(), len, SW_MAX_INPUT_BYTES)?,
        )
    }

    /// Bytes of any use.
    pub(crate) fn blob(&self, name: &'static str, data: *const u8, len: usize) -> Result<&[u8]> {
        self.slice(name, data, len, SW_MAX_INPUT_BYTES)
    }

    /// A value as MessagePack.
    pub(crate) fn value(&self, name: &'static str, data: *const u8, len: usize) -> Result<Value> {
        self.value_around(0, name, data, len)
    }

    /// A value as MessagePack. What is so many containers deep in it may nest as deep as any value.
    pub(crate) fn value_around(
        &self,
        containers: usize,
        name: &'static str,
        data: *const u8,
        len: usize,
    ) -> Result<Value> {
        let limits = Limits::default();
        let limits = limits.with_max_depth(limits.max_depth + containers);
        let bytes = self.blob(name, data, len)?;
        Value::from_msgpack_with(bytes, &limits).map_err(|error| Failure::from(error).at(name))
    }

    /// An array as MessagePack. What is so many containers deep in it, itself included, may nest as deep as any value.
    pub(crate) fn array_around(
        &self,
        containers: usize,
        name: &'static str,
        data: *const u8,
        len: usize,
    ) -> Result<Value> {
        let value = self.value_around(containers, name, data, len)?;
        checks::array(name, &value)?;
        Ok(value)
    }

    /// A value as MessagePack, null when there are no bytes.
    pub(crate) fn value_or_null(
        &self,
        name: &'static str,
        data: *const u8,
        len: usize,
    ) -> Result<Value> {
        if len == 0 {
            Ok(Value::NULL)
        } else {
            self.value(name, data, len)
        }
    }

    /// An option struct of whatever version the caller was built with; NULL means the defaults.
    pub(crate) fn options<T: Options>(&self, name: &'static str, options: *const T) -> Result<T> {
        if options.is_null() {
            return Ok(T::DEFAULT);
        }
        // SAFETY: not NULL, and the caller of the export promises a struct that starts with its `struct_size`.
        let size = unsafe { options.cast::<u32>().read_unaligned() } as usize;
        let known = size_of::<T>();
        check_size(name, size, T::FIRST_SIZE)?;
        // SAFETY: the caller promises `struct_size` readable bytes.
        let given = unsafe { std::slice::from_raw_parts(options.cast::<u8>(), size) };
        if given.iter().skip(known).any(|byte| *byte != 0) {
            let message = format!(
                "`{name}` sets options that this version ({}) does not have",
                env!("CARGO_PKG_VERSION")
            );
            return Err(Failure::new(SW_UNSUPPORTED, message)
                .at(name)
                .help("update the library, or leave them zero"));
        }
        let mut read = T::DEFAULT;
        // SAFETY: `Options` is only implemented for structs of integers, so any bytes are a valid value; the
        // copy stays within both.
        unsafe {
            std::ptr::copy_nonoverlapping(
                given.as_ptr(),
                (&raw mut read).cast::<u8>(),
                size.min(known),
            )
        };
        Ok(read)
    }

    // ---- outputs
    // ----------------------------------------------------------------------------------------------------

    /// A place for a result. It is zeroed at once and written on success only.
    pub(crate) fn out<T: Plain>(&self, name: &'static str, place: *mut T) -> Result<Out<T>> {
        let Some(place) = NonNull::new(place) else {
            return Err(null(name));
        };
        if !place.is_aligned() {
            return Err(checks::invalid(name, "is not aligned for its type"));
        }
        // SAFETY: not NULL, aligned, writable by the promise made in `new`, and all zeros is a value of a
        // `Plain` type.
        unsafe { place.write_bytes(0, 1) };
        Ok(Out { place })
    }

    /// A struct that the caller filled and the call may change.
    pub(crate) fn read<T: Plain>(&self, name: &'static str, place: *mut T) -> Result<T> {
        let Some(place) = NonNull::new(place) else {
            return Err(null(name));
        };
        // SAFETY: not NULL, readable by the promise made in `new`, and any bytes are a value of a `Plain` type.
        Ok(unsafe { place.as_ptr().read_unaligned() })
    }

    /// A place for a result of the size the caller knows, as its first field says. Zeroed, but for that field.
    pub(crate) fn out_sized<T: Sized32>(
        &self,
        name: &'static str,
        place: *mut T,
    ) -> Result<OutSized<T>> {
        let Some(place) = NonNull::new(place) else {
            return Err(null(name));
        };
        let place = place.cast::<u8>();
        // SAFETY: not NULL, and the caller of the export promises a struct that starts with its `struct_size`.
        let size = unsafe { place.cast::<u32>().read_unaligned() };
        check_size(name, size as usize, T::FIRST_SIZE)?;
        let out = OutSized {
            place,
            size,
            of: PhantomData,
        };
        out.clear();
        Ok(out)
    }

    /// A place for up to `cap` results. Not zeroed: what counts is the count.
    pub(crate) fn out_slice<T: Plain>(
        &self,
        name: &'static str,
        place: *mut T,
        cap: usize,
        limit: usize,
    ) -> Result<OutSlice<T>> {
        if cap > limit {
            return Err(Failure::new(
                SW_TOO_LARGE,
                format!("there is room for {cap} `{name}`; the limit is {limit}"),
            )
            .at(name));
        }
        let Some(place) = NonNull::new(place) else {
            return Err(null(name));
        };
        if cap == 0 || !place.is_aligned() {
            let why = "has no room, or is not aligned for its type";
            return Err(checks::invalid(name, why));
        }
        Ok(OutSlice { place, cap })
    }

    /// A place for the bytes of a call that changes something. If they could not be handed over, the call fails here,
    /// where nothing has happened yet.
    pub(crate) fn out_reserved(
        &self,
        name: &'static str,
        place: *mut sw_bytes,
    ) -> Result<OutReserved> {
        let out = self.out(name, place)?;
        let room = sw_bytes::reserve()?;
        Ok(OutReserved { out, room })
    }

    /// The optional place for an error.
    pub(crate) fn error_out(&self, err: *mut sw_error) -> Result<Option<Out<sw_error>>> {
        if err.is_null() {
            Ok(None)
        } else {
            self.out("err", err).map(Some)
        }
    }

    // ---- handles
    // ----------------------------------------------------------------------------------------------------

    /// The engine behind a handle, usable or not.
    pub(crate) fn session(&self, engine: sw_engine) -> Result<Arc<Session>> {
        let session = crate::engine::ENGINES
            .get(engine.id)
            .ok_or_else(|| Failure::misuse("engine"))?;
        self.concern(&session);
        Ok(session)
    }

    /// The engine behind a handle, if it can be used.
    pub(crate) fn engine(&self, engine: sw_engine) -> Result<Arc<Session>> {
        let session = self.session(engine)?;
        session.usable()?;
        Ok(session)
    }

    /// The transaction behind a handle, whatever state its engine is in.
    pub(crate) fn txn_to_end(&self, txn: sw_txn) -> Result<Arc<TxnState>> {
        let txn = crate::txn::TXNS
            .get(txn.id)
            .ok_or_else(|| Failure::misuse("transaction"))?;
        self.concern(txn.session());
        Ok(txn)
    }

    /// The transaction behind a handle, if its engine can be used.
    pub(crate) fn txn(&self, txn: sw_txn) -> Result<Arc<TxnState>> {
        let txn = self.txn_to_end(txn)?;
        txn.session().usable()?;
        Ok(txn)
    }

    pub(crate) fn queue(&self, cq: sw_cq) -> Result<Arc<Queue>> {
        crate::queue::QUEUES
            .get(cq.id)
            .ok_or_else(|| Failure::misuse("completion queue"))
    }

    pub(crate) fn concern(&self, session: &Arc<Session>) {
        *self.concerned.borrow_mut() = Some(Arc::clone(session));
        self.inject_panic(Moment::Engine);
    }

    /// Poisons the engine concerned after a panic; false when the call has none.
    pub(crate) fn poison(&self) -> bool {
        match self.concerned.borrow().as_ref() {
            Some(session) => {
                session.poison();
                true
            }
            None => false,
        }
    }

    /// Panics if a test asked for it.
    pub(crate) fn inject_panic(&self, moment: Moment) {
        #[cfg(feature = "panic-injection")]
        crate::injection::fire(self.name, moment);
        #[cfg(not(feature = "panic-injection"))]
        let _ = (self.name, moment);
    }
}

fn null(name: &'static str) -> Failure {
    Failure::new(SW_NULL_ARGUMENT, format!("`{name}` is NULL")).at(name)
}

fn utf8<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!(
            "`{name}` is not UTF-8: the byte at {} does not continue it",
            error.valid_up_to()
        );
        Failure::new(SW_INVALID_UTF8, message).at(name)
    })
}

/// A type that C may leave in any state: all bit patterns, and all zeros in particular, are values of it.
///
/// # Safety
/// True of integers and floats, and of `#[repr(C)]` structs of integers and raw pointers.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for i32 {}
// SAFETY: integers.
unsafe impl Plain for i64 {}
// SAFETY: any bits are a float.
unsafe impl Plain for f64 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}
// SAFETY: integers.
unsafe impl Plain for usize {}

/// A struct that starts with its `struct_size`, and may grow at its end from one version to the next.
///
/// # Safety
/// As [`Plain`], with a `u32` first, and without padding.
pub(crate) unsafe trait Sized32: Plain {
    /// Its size when it was first published: smaller is an error.
    const FIRST_SIZE: usize;
}

/// A struct of options.
pub(crate) trait Options: Sized32 {
    const DEFAULT: Self;
}

/// Where a result goes. Raw, since C may pass the same place twice.
pub(crate) struct Out<T> {
    place: NonNull<T>,
}

impl<T: Plain> Out<T> {
    pub(crate) fn set(&self, value: T) {
        // SAFETY: `Call::out` checked the place, and the caller promises it is writable during the call.
        unsafe { self.place.write(value) }
    }
}

/// Where an array of results goes.
pub(crate) struct OutSlice<T> {
    place: NonNull<T>,
    cap: usize,
}

impl<T: Plain> OutSlice<T> {
    /// Writes one result; one that does not fit is ignored.
    pub(crate) fn set(&self, index: usize, value: T) {
        if index < self.cap {
            // SAFETY: within the `cap` places that the caller promises are writable; `Call::out_slice`
            // checked the first.
            unsafe { self.place.add(index).write(value) };
        }
    }
}

impl Out<u32> {
    pub(crate) fn flag(&self, value: bool) {
        self.set(u32::from(value));
    }
}

impl Out<sw_bytes> {
    /// Hands bytes over to the caller.
    pub(crate) fn give(&self, bytes: Vec<u8>) -> Result<()> {
        self.set(sw_bytes::lend(bytes)?);
        Ok(())
    }

    pub(crate) fn give_value(&self, value: &Value) -> Result<()> {
        self.give(value.to_msgpack())
    }
}

/// Where bytes go that can always be handed over.
pub(crate) struct OutReserved {
    out: Out<sw_bytes>,
    room: Room,
}

impl OutReserved {
    /// Hands bytes over to the caller.
    pub(crate) fn give(self, bytes: Vec<u8>) {
        self.out.set(self.room.lend(bytes));
    }

    pub(crate) fn give_value(self, value: &Value) {
        self.give(value.to_msgpack());
    }
}

/// Where a result of the caller's version goes.
pub(crate) struct OutSized<T> {
    place: NonNull<u8>,
    size: u32,
    of: PhantomData<T>,
}

impl<T: Sized32> OutSized<T> {
    fn clear(&self) {
        // SAFETY: the caller promises `struct_size` writable bytes.
        unsafe {
            self.place.write_bytes(0, self.size as usize);
            self.place.cast::<u32>().write_unaligned(self.size);
        }
    }

    /// Writes as much of `value` as the caller knows; its `struct_size` stays the caller's.
    pub(crate) fn set(&self, value: &T) {
        let len = (self.size as usize).min(size_of::<T>());
        // SAFETY: both have `len` bytes, and the library's own value cannot overlap the caller's.
        unsafe {
            self.place
                .copy_from_nonoverlapping(NonNull::from(value).cast::<u8>(), len);
            self.place.cast::<u32>().write_unaligned(self.size);
        }
    }
}

/// Fills a struct of options with defaults: what every `sw_…_options_init` does.
pub(crate) fn init_options<T: Options>(call: &Call, options: *mut T, size: usize) -> Result<()> {
    let _ = call;
    let Some(place) = NonNull::new(options) else {
        return Err(null("options"));
    };
    check_size("size", size, T::FIRST_SIZE)?;
    let out = OutSized::<T> {
        place: place.cast(),
        size: size as u32,
        of: PhantomData,
    };
    out.clear();
    out.set(&T::DEFAULT);
    Ok(())
}

fn check_size(name: &'static str, size: usize, first: usize) -> Result<()> {
    if size > SW_MAX_STRUCT_BYTES {
        let message =
            format!("the struct size in `{name}` is {size}; the limit is {SW_MAX_STRUCT_BYTES}");
        return Err(Failure::new(SW_TOO_LARGE, message)
            .at(name)
            .help("pass sizeof of the struct"));
    }
    if size < first {
        let message =
            format!("the struct size in `{name}` is {size}; the smallest known is {first}");
        let help =
            "set struct_size to sizeof of the struct; for options, call their _init function first";
        return Err(Failure::new(SW_INVALID_ARGUMENT, message)
            .at(name)
            .help(help));
    }
    Ok(())
}
