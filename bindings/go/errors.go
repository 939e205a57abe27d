package statewright

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Code is the kind of a failure. The numbers are stable and the same in every language.
//
// A Code is itself an error, so that it can be looked for: errors.Is(err, statewright.ErrConflict).
type Code int32

// The kinds of failures.
const (
	// ErrMisuse: a handle is of another library or another type. This package does not let it happen.
	ErrMisuse = Code(capi.SW_MISUSE)
	// ErrNullArgument: a required pointer is null. This package does not let it happen.
	ErrNullArgument = Code(capi.SW_NULL_ARGUMENT)
	// ErrInvalidUTF8: text is not valid UTF-8.
	ErrInvalidUTF8 = Code(capi.SW_INVALID_UTF8)
	// ErrTooLarge: a length or a count is above the limit; nothing was read.
	ErrTooLarge = Code(capi.SW_TOO_LARGE)
	// ErrInvalidArgument: an argument has a value that the function does not know.
	ErrInvalidArgument = Code(capi.SW_INVALID_ARGUMENT)
	// ErrUnsupported: it exists in a newer version of the library, or was not built into this one.
	ErrUnsupported = Code(capi.SW_UNSUPPORTED)
	// ErrClosed: the engine is closed.
	ErrClosed = Code(capi.SW_CLOSED)
	// ErrBusy: another goroutine uses the transaction at the moment.
	ErrBusy = Code(capi.SW_BUSY)
	// ErrPanic: a defect in the library was caught; the engine is poisoned.
	ErrPanic = Code(capi.SW_PANIC)
	// ErrForked: the process was forked after the library was first used.
	ErrForked = Code(capi.SW_FORKED)
	// ErrPoisoned: an earlier call hit a defect; close the engine and open it again.
	ErrPoisoned = Code(capi.SW_POISONED)
	// ErrCancelled: the operation was cancelled. A cancelled context gives its own error instead.
	ErrCancelled = Code(capi.SW_CANCELLED)
	// ErrTimeout: the time given ran out. A context's deadline gives its own error instead.
	ErrTimeout = Code(capi.SW_TIMEOUT)
	// ErrOutOfMemory: there is not enough memory; nothing was changed.
	ErrOutOfMemory = Code(capi.SW_OUT_OF_MEMORY)

	// ErrInvalidJSON: text is not valid JSON.
	ErrInvalidJSON = Code(capi.SW_INVALID_JSON)
	// ErrInvalidMsgpack: bytes are not valid MessagePack.
	ErrInvalidMsgpack = Code(capi.SW_INVALID_MSGPACK)
	// ErrInvalidPath: a path into a value is not well formed.
	ErrInvalidPath = Code(capi.SW_INVALID_PATH)
	// ErrWrongType: a value is of another kind than the operation needs.
	ErrWrongType = Code(capi.SW_WRONG_TYPE)
	// ErrLimit: a value exceeds a limit (depth, size, number of items).
	ErrLimit = Code(capi.SW_LIMIT)
	// ErrNotRepresentable: a value has no form in what was asked for, such as NaN.
	ErrNotRepresentable = Code(capi.SW_NOT_REPRESENTABLE)
	// ErrIndexOutOfRange: an array index is outside the array.
	ErrIndexOutOfRange = Code(capi.SW_INDEX_OUT_OF_RANGE)
	// ErrInvalidQuery: the text is not a JSONPath query (RFC 9535).
	ErrInvalidQuery = Code(capi.SW_INVALID_QUERY)
	// ErrPatchFailed: an operation of a JSON Patch is malformed or cannot be applied; the message says which and why.
	ErrPatchFailed = Code(capi.SW_PATCH_FAILED)
	// ErrInvalidSchema: the value is not a JSON Schema that can be used; the message says where and why.
	ErrInvalidSchema = Code(capi.SW_INVALID_SCHEMA)
	// ErrSchemaViolation: a value does not satisfy a schema.
	ErrSchemaViolation = Code(capi.SW_SCHEMA_VIOLATION)
	// ErrInvalidCBOR: bytes are not valid CBOR.
	ErrInvalidCBOR = Code(capi.SW_INVALID_CBOR)
	// ErrArithmetic: a calculation has no exact result, or none at all.
	ErrArithmetic = Code(capi.SW_ARITHMETIC)
	// ErrMergeConflict: two versions of a value have been changed in ways that do not go together.
	ErrMergeConflict = Code(capi.SW_MERGE_CONFLICT)
	// ErrInvalidPacked: bytes are not a packed value.
	ErrInvalidPacked = Code(capi.SW_INVALID_PACKED)
	// ErrInvalidTemporal: text is no decimal, date, time, datetime or duration.
	ErrInvalidTemporal = Code(capi.SW_INVALID_TEMPORAL)
	// ErrStreamFailed: the reader or writer of a stream of values failed.
	ErrStreamFailed = Code(capi.SW_STREAM_FAILED)
	// ErrInvalidText: a text is not of the format it was read as, such as TOML.
	ErrInvalidText = Code(capi.SW_INVALID_TEXT)

	// ErrIO: reading or writing a file failed.
	ErrIO = Code(capi.SW_IO)
	// ErrLocked: another engine has the folder open.
	ErrLocked = Code(capi.SW_LOCKED)
	// ErrCorrupt: the log is damaged; the message names the place.
	ErrCorrupt = Code(capi.SW_CORRUPT)
	// ErrLogPoisoned: a sync failed, so nothing more is acknowledged; close and open again.
	ErrLogPoisoned = Code(capi.SW_LOG_POISONED)
	// ErrUnsupportedFormat: the store was written in a format that this version does not read.
	ErrUnsupportedFormat = Code(capi.SW_UNSUPPORTED_FORMAT)
	// ErrNoSpace: no space is left on the device.
	ErrNoSpace = Code(capi.SW_NO_SPACE)
	// ErrNotWritable: the folder cannot be written to.
	ErrNotWritable = Code(capi.SW_NOT_WRITABLE)
	// ErrFrameTooLarge: one commit is larger than the log takes.
	ErrFrameTooLarge = Code(capi.SW_FRAME_TOO_LARGE)
	// ErrNotAStore: the folder holds something else than a store.
	ErrNotAStore = Code(capi.SW_NOT_A_STORE)

	// ErrConflict: another transaction changed what this one read or wrote; run it again.
	ErrConflict = Code(capi.SW_CONFLICT)
	// ErrNotFound: there is no such document or place in a document.
	ErrNotFound = Code(capi.SW_NOT_FOUND)
	// ErrAlreadyExists: it exists already.
	ErrAlreadyExists = Code(capi.SW_ALREADY_EXISTS)
	// ErrSnapshotTooOld: the transaction began too long ago to be checked; run it again.
	ErrSnapshotTooOld = Code(capi.SW_SNAPSHOT_TOO_OLD)
	// ErrInvalidKey: a key is empty or too long.
	ErrInvalidKey = Code(capi.SW_INVALID_KEY)
	// ErrInvalidSpace: a space's name is not well formed.
	ErrInvalidSpace = Code(capi.SW_INVALID_SPACE)
	// ErrTxnLimit: the transaction has more operations or bytes than the limit.
	ErrTxnLimit = Code(capi.SW_TXN_LIMIT)
	// ErrTxnClosed: the transaction was committed or rolled back already.
	ErrTxnClosed = Code(capi.SW_TXN_CLOSED)
	// ErrStoreCorrupt: a commit in the log cannot be applied.
	ErrStoreCorrupt = Code(capi.SW_STORE_CORRUPT)
	// ErrVersionMismatch: what is there has another version than was expected.
	ErrVersionMismatch = Code(capi.SW_VERSION_MISMATCH)
	// ErrValueMismatch: what is there has another value than was expected.
	ErrValueMismatch = Code(capi.SW_VALUE_MISMATCH)
	// ErrIllegalTransition: a run cannot go from its status to the one asked for.
	ErrIllegalTransition = Code(capi.SW_ILLEGAL_TRANSITION)
	// ErrNoHistory: the past was asked for, and there is no log that reaches back to it.
	ErrNoHistory = Code(capi.SW_NO_HISTORY)
	// ErrChainBroken: the hash chain of an event stream is broken.
	ErrChainBroken = Code(capi.SW_CHAIN_BROKEN)
	// ErrInvalidName: a name of a stream, type, tag, trace or run is not of its form.
	ErrInvalidName = Code(capi.SW_INVALID_NAME)
	// ErrHasChildren: a run with children was to be removed without them.
	ErrHasChildren = Code(capi.SW_HAS_CHILDREN)
	// ErrUnknownSavepoint: the savepoint was released, undone, or is another transaction's.
	ErrUnknownSavepoint = Code(capi.SW_UNKNOWN_SAVEPOINT)
	// ErrCheckpointDamaged: a page of a checkpoint is damaged; the log still has what is in it.
	ErrCheckpointDamaged = Code(capi.SW_CHECKPOINT_DAMAGED)
	// ErrInvalidCall: a call names no operation, or its parameters are not right.
	ErrInvalidCall = Code(capi.SW_INVALID_CALL)
	// ErrCannotRestore: what was to be restored does not fit what is there.
	ErrCannotRestore = Code(capi.SW_CANNOT_RESTORE)

	// ErrInvalidSpec: the flow's text has errors; each is listed with its line.
	ErrInvalidSpec = Code(capi.SW_INVALID_SPEC)
	// ErrUnknownFlow: no flow of that name is deployed.
	ErrUnknownFlow = Code(capi.SW_UNKNOWN_FLOW)
	// ErrUnknownCase: there is no case with that id.
	ErrUnknownCase = Code(capi.SW_UNKNOWN_CASE)
	// ErrCaseClosed: the case has ended.
	ErrCaseClosed = Code(capi.SW_CASE_CLOSED)
	// ErrStaleItem: the work item's lease ran out, or somebody else finished it.
	ErrStaleItem = Code(capi.SW_STALE_ITEM)
	// ErrExpression: an expression failed.
	ErrExpression = Code(capi.SW_EXPRESSION)
	// ErrCaseExists: a case with that id exists already.
	ErrCaseExists = Code(capi.SW_CASE_EXISTS)
	// ErrInput: what was given does not fit, such as a case's input.
	ErrInput = Code(capi.SW_INPUT)
	// ErrUnknownItem: there is no such work item.
	ErrUnknownItem = Code(capi.SW_UNKNOWN_ITEM)
	// ErrUnsupportedSpec: the flow uses something that this version does not run.
	ErrUnsupportedSpec = Code(capi.SW_UNSUPPORTED_SPEC)
	// ErrDamaged: what the store holds about a flow or case cannot be read.
	ErrDamaged = Code(capi.SW_DAMAGED)
	// ErrRandom: the system gave no random bytes.
	ErrRandom = Code(capi.SW_RANDOM)
	// ErrRefused: the case is not in a state for what was asked of it; the message says why.
	ErrRefused = Code(capi.SW_REFUSED)

	// ErrEngineClosed: as Rust numbers a closed engine; this package gives ErrClosed.
	ErrEngineClosed = Code(capi.SW_ENGINE_CLOSED)
	// ErrConfig: the engine's options cannot be used.
	ErrConfig = Code(capi.SW_CONFIG)
	// ErrProcess: a thread or a program could not be started.
	ErrProcess = Code(capi.SW_PROCESS)
)

// Error gives the number and its C name, such as "400 SW_CONFLICT".
func (c Code) Error() string { return fmt.Sprintf("%d %s", int32(c), c.Name()) }

// Name gives the name of the code in C, such as "SW_CONFLICT", under which the reference has it.
func (c Code) Name() string { return capi.StatusName(capi.Status(c)) }

// Error is one failed call. It matches its code: errors.Is(err, ErrNotFound), and can be had as a whole
// with errors.As.
type Error struct {
	// Code tells what kind of failure it is.
	Code Code

	// Message says what happened.
	Message string

	// Path names the key, the place in a document, the line of a spec or the argument; it may be empty.
	Path string

	// Help says what to do about it; it is empty when the message says it all.
	Help string

	// Retryable tells whether the same call may succeed if it is simply made again.
	Retryable bool
}

// Error gives the message, the path if the message does not have it, and the help.
func (e *Error) Error() string {
	text := "statewright: " + e.Message
	if e.Path != "" && !strings.Contains(e.Message, e.Path) {
		text += " (at " + e.Path + ")"
	}
	if e.Help != "" {
		text += "; " + e.Help
	}
	return text
}

// Unwrap gives the code, so that errors.Is finds it.
func (e *Error) Unwrap() error { return e.Code }

// IsRetryable tells whether an error says that the same call may succeed if it is simply made again.
func IsRetryable(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Retryable
}

// converted turns the low layer's error into an *Error. A stale handle cannot come from a user of this
// package but by using what is closed, so it is told as that.
func converted(err error, closed Code, message string) error {
	var low *capi.Error
	if !errors.As(err, &low) {
		return err
	}
	if low.Code == capi.SW_MISUSE {
		return &Error{Code: closed, Message: message}
	}
	return &Error{
		Code:      Code(low.Code),
		Message:   low.Message,
		Path:      low.Path,
		Help:      low.Help,
		Retryable: low.Retryable,
	}
}

// abandoned tells why a wait ended early: it wraps the context's error and, if that is another, its cause.
func abandoned(ctx context.Context, doing string) error {
	if err, cause := ctx.Err(), context.Cause(ctx); cause != err {
		return fmt.Errorf("statewright: %s: %w: %w", doing, err, cause)
	} else {
		return fmt.Errorf("statewright: %s: %w", doing, err)
	}
}

// checkABI fails if the loaded library is not the one that this package was made for.
var checkABI = sync.OnceValue(func() error {
	if err := capi.CheckABI(); err != nil {
		return &Error{Code: ErrUnsupported, Message: err.Error(), Help: "link the library of this version"}
	}
	return nil
})

// LibraryVersion gives the version of the loaded library, such as "0.1.0".
func LibraryVersion() string { return capi.Version() }
