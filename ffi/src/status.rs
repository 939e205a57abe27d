//! Status codes: what every function returns. 0 is success; each layer has its own hundred.

/// What a function returns: `SW_OK`, or why it did not do what was asked.
///
/// Codes are stable. The hundreds tell the layer: 1 the C ABI, 2 values, 3 the log, 4 the store, 5 flows, 6
/// the engine.
pub type sw_status = i32;

/// It worked.
pub const SW_OK: sw_status = 0;

/// The handle is zero, stale, already closed, of another type or of another library.
pub const SW_MISUSE: sw_status = 100;
/// A required pointer is NULL, or NULL was given with a length above zero.
pub const SW_NULL_ARGUMENT: sw_status = 101;
/// Text is not valid UTF-8.
pub const SW_INVALID_UTF8: sw_status = 102;
/// A length or a count is above the limit, or so many handles are held that none is free; nothing was changed.
pub const SW_TOO_LARGE: sw_status = 103;
/// An argument has a value that this function does not know.
pub const SW_INVALID_ARGUMENT: sw_status = 104;
/// What was asked for exists in a newer version of the library, or was not built into this one.
pub const SW_UNSUPPORTED: sw_status = 105;
/// What this handle belongs to has been closed.
pub const SW_CLOSED: sw_status = 106;
/// The handle is in use by another thread, and takes one thread at a time.
pub const SW_BUSY: sw_status = 107;
/// A defect in the library was caught; the engine concerned is now poisoned.
pub const SW_PANIC: sw_status = 108;
/// The process was forked after the library was first used; the child cannot use it.
pub const SW_FORKED: sw_status = 109;
/// An earlier call hit a defect; close the engine and open it again, which recovers from the log.
pub const SW_POISONED: sw_status = 110;
/// The operation was cancelled.
pub const SW_CANCELLED: sw_status = 111;
/// The time given ran out.
pub const SW_TIMEOUT: sw_status = 112;
/// There is not enough memory; nothing was changed. Free some and try again.
pub const SW_OUT_OF_MEMORY: sw_status = 113;

/// Text is not valid JSON.
pub const SW_INVALID_JSON: sw_status = 200;
/// Bytes are not valid MessagePack.
pub const SW_INVALID_MSGPACK: sw_status = 201;
/// A path into a value is not well formed.
pub const SW_INVALID_PATH: sw_status = 202;
/// A value is of another kind than the operation needs.
pub const SW_WRONG_TYPE: sw_status = 203;
/// A value exceeds a limit (depth, size, number of items).
pub const SW_LIMIT: sw_status = 204;
/// A value cannot be represented in the form asked for.
pub const SW_NOT_REPRESENTABLE: sw_status = 205;
/// An array index is outside the array.
pub const SW_INDEX_OUT_OF_RANGE: sw_status = 206;
/// The text is not a JSONPath query (RFC 9535).
pub const SW_INVALID_QUERY: sw_status = 207;
/// An operation of a JSON Patch is malformed or cannot be applied; the message says which one and why.
pub const SW_PATCH_FAILED: sw_status = 208;
/// A document is not a JSON Schema that can be used; the message says where and why.
pub const SW_INVALID_SCHEMA: sw_status = 209;
/// A value does not satisfy a schema; the message says where and why.
pub const SW_SCHEMA_VIOLATION: sw_status = 210;
/// Bytes are not valid CBOR.
pub const SW_INVALID_CBOR: sw_status = 211;
/// A calculation overflows, divides by zero or would lose digits.
pub const SW_ARITHMETIC: sw_status = 212;
/// Bytes are not a packed value.
pub const SW_INVALID_PACKED: sw_status = 214;
/// Text is no decimal, date, time, datetime or duration.
pub const SW_INVALID_TEMPORAL: sw_status = 215;
/// The reader or writer of a stream of values failed.
pub const SW_STREAM_FAILED: sw_status = 216;
/// A text is not of the format it was read as, e.g. not TOML; the message says where.
pub const SW_INVALID_TEXT: sw_status = 217;
/// Two versions of a value have been changed in ways that do not go together; the message names the place.
pub const SW_MERGE_CONFLICT: sw_status = 213;

/// Reading or writing a file failed.
pub const SW_IO: sw_status = 300;
/// Another process has the store open.
pub const SW_LOCKED: sw_status = 301;
/// The log is damaged; the message names the place.
pub const SW_CORRUPT: sw_status = 302;
/// A sync failed earlier, so nothing more is acknowledged; close and open again.
pub const SW_LOG_POISONED: sw_status = 303;
/// The store was written by a version whose format this one does not read.
pub const SW_UNSUPPORTED_FORMAT: sw_status = 304;
/// No space is left on the device.
pub const SW_NO_SPACE: sw_status = 305;
/// The folder cannot be written to.
pub const SW_NOT_WRITABLE: sw_status = 306;
/// One commit is larger than the log takes.
pub const SW_FRAME_TOO_LARGE: sw_status = 307;
/// The folder holds something else than a store.
pub const SW_NOT_A_STORE: sw_status = 308;

/// Another transaction changed what this one read or wrote; run it again.
pub const SW_CONFLICT: sw_status = 400;
/// There is no such key, document or place in a document.
pub const SW_NOT_FOUND: sw_status = 401;
/// It exists already.
pub const SW_ALREADY_EXISTS: sw_status = 402;
/// The transaction began too long ago to be checked; run it again.
pub const SW_SNAPSHOT_TOO_OLD: sw_status = 403;
/// A key is empty or too long.
pub const SW_INVALID_KEY: sw_status = 404;
/// A space's name is not well formed.
pub const SW_INVALID_SPACE: sw_status = 405;
/// The transaction has more operations or bytes than the limit.
pub const SW_TXN_LIMIT: sw_status = 406;
/// The transaction was committed or rolled back already.
pub const SW_TXN_CLOSED: sw_status = 407;
/// A commit in the log cannot be applied: it is damaged, or a newer version wrote it.
pub const SW_STORE_CORRUPT: sw_status = 408;
/// What is there has another version than was expected; read it again and decide anew.
pub const SW_VERSION_MISMATCH: sw_status = 409;
/// What is there has another value than was expected; read it again and decide anew.
pub const SW_VALUE_MISMATCH: sw_status = 410;
/// A run cannot go from its status to the one asked for; the message says where it can go.
pub const SW_ILLEGAL_TRANSITION: sw_status = 411;
/// The past was asked for, and there is no log that reaches back to it.
pub const SW_NO_HISTORY: sw_status = 412;
/// The hash chain of an event stream is broken; the message names the event.
pub const SW_CHAIN_BROKEN: sw_status = 413;
/// A name of a stream, type, tag, trace or run is not of its form.
pub const SW_INVALID_NAME: sw_status = 414;
/// A run with children was to be removed without them.
pub const SW_HAS_CHILDREN: sw_status = 415;
/// The savepoint was released, undone, or is another transaction's.
pub const SW_UNKNOWN_SAVEPOINT: sw_status = 416;
/// A call names no operation, or has parameters missing, unknown or of the wrong type; the message says which.
pub const SW_INVALID_CALL: sw_status = 418;
/// What was to be restored does not fit what is there; the message says why.
pub const SW_CANNOT_RESTORE: sw_status = 419;
/// A page of a checkpoint is damaged; the log still has what is in it. The message names the file.
pub const SW_CHECKPOINT_DAMAGED: sw_status = 417;

/// The flow's text has errors; each is listed with its line.
pub const SW_INVALID_SPEC: sw_status = 500;
/// No flow of that name is deployed.
pub const SW_UNKNOWN_FLOW: sw_status = 501;
/// There is no case with that id.
pub const SW_UNKNOWN_CASE: sw_status = 502;
/// The case has ended.
pub const SW_CASE_CLOSED: sw_status = 503;
/// The work item's lease ran out or somebody else finished it.
pub const SW_STALE_ITEM: sw_status = 504;
/// An expression failed.
pub const SW_EXPRESSION: sw_status = 505;
/// A case with that id exists already.
pub const SW_CASE_EXISTS: sw_status = 506;
/// The input does not fit the flow.
pub const SW_INPUT: sw_status = 507;
/// There is no such work item.
pub const SW_UNKNOWN_ITEM: sw_status = 508;
/// The flow uses something that this version does not run.
pub const SW_UNSUPPORTED_SPEC: sw_status = 509;
/// What the store holds about a flow or case cannot be read: another version wrote it, or it is damaged.
pub const SW_DAMAGED: sw_status = 510;
/// The system gave no random bytes.
pub const SW_RANDOM: sw_status = 511;
/// The case is not in a state for what was asked of it; the message says why.
pub const SW_REFUSED: sw_status = 512;

/// The engine is closed, as Rust numbers it; the functions of this header return `SW_CLOSED` for it.
pub const SW_ENGINE_CLOSED: sw_status = 600;
/// The engine's configuration cannot be used.
pub const SW_CONFIG: sw_status = 601;
/// A thread or a program could not be started.
pub const SW_PROCESS: sw_status = 602;
