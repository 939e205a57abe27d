package statewright

import (
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Document is a value that the library holds: for what is large, is looked into at a few places, or is to be changed
// place by place, queried, patched, compared or checked. Plain data is better off as Go values.
//
// A path names a place: `.lines[0].price`, `/lines/0/price` (RFC 6901) or `$.lines[0].price` (RFC 9535); empty is the
// whole document. Every change does all that it says, or fails and changes nothing.
//
// A document can be used from any goroutine. Close it when it is no longer needed; one that is forgotten is closed some
// time after it has become unreachable. Using a closed one gives [ErrClosed].
type Document struct {
	handle  capi.Value
	cleanup runtime.Cleanup
	closed  atomic.Bool
}

// ReadOptions say how much is read of what comes from outside; zero stands for the limits of the preset. Nil is the
// defaults.
type ReadOptions struct {
	// Strict is for input from strangers: depth 32, 1 KiB per key, 256 KiB per string, 1 MiB, 100,000 values.
	Strict bool

	// Permissive is for large data of one's own: depth 512, 1 MiB per key, 100 million values.
	Permissive bool

	// Typed reads typed JSON, in which {"$decimal": "12.50"} is a decimal.
	Typed bool

	// MaxDepth is the deepest nesting, at most 1024.
	MaxDepth uint32

	// MaxKey is the longest key, in bytes.
	MaxKey uint32

	// MaxString is the longest text or byte string, in bytes.
	MaxString uint64

	// MaxBytes is the longest input, in bytes.
	MaxBytes uint64

	// MaxItems is the most values in all.
	MaxItems uint64
}

func (o *ReadOptions) low() *capi.ReadOptions {
	if o == nil {
		return nil
	}
	low := &capi.ReadOptions{
		MaxDepth: o.MaxDepth, MaxKey: o.MaxKey, MaxString: o.MaxString, MaxBytes: o.MaxBytes, MaxItems: o.MaxItems,
	}
	for _, flag := range []struct {
		set bool
		bit uint32
	}{{o.Strict, capi.SW_READ_STRICT}, {o.Permissive, capi.SW_READ_PERMISSIVE}, {o.Typed, capi.SW_READ_TYPED}} {
		if flag.set {
			low.Flags |= flag.bit
		}
	}
	return low
}

// NewDocument makes a document of a Go value, by the rules of [Encode].
func NewDocument(value any) (*Document, error) {
	if document, ok := value.(*Document); ok && document != nil {
		return document.Clone()
	}
	var document *Document
	err := encoded(value, func(bytes []byte) (err error) {
		document, err = DocumentFromMsgpack(bytes, nil)
		return err
	})
	return document, err
}

// DocumentFromJSON reads JSON text (RFC 8259).
func DocumentFromJSON(text string, options *ReadOptions) (*Document, error) {
	return document(capi.ValueFromJson(text, options.low()))
}

// DocumentFromMsgpack reads MessagePack, such as a [Value].
func DocumentFromMsgpack(value []byte, options *ReadOptions) (*Document, error) {
	return document(capi.ValueFromMsgpack(Value(value).orNull(), options.low()))
}

// DocumentFromCBOR reads CBOR (RFC 8949).
func DocumentFromCBOR(bytes []byte, options *ReadOptions) (*Document, error) {
	return document(capi.ValueFromCbor(bytes, options.low()))
}

// DocumentFromPacked reads what [Document.Packed] has written, and checks it whole. Fails with [ErrInvalidPacked], also
// for what another version of the form has written.
func DocumentFromPacked(bytes []byte, options *ReadOptions) (*Document, error) {
	return document(capi.ValueFromPacked(bytes, options.low()))
}

func document(handle capi.Value, err error) (*Document, error) {
	if err != nil {
		return nil, documentError(err)
	}
	d := &Document{handle: handle}
	d.cleanup = runtime.AddCleanup(d, func(handle capi.Value) { _ = capi.ValueFree(handle) }, handle)
	return d, nil
}

// found is document, for what may not be there.
func found(handle capi.Value, there bool, err error) (*Document, bool, error) {
	if err != nil || !there {
		return nil, false, documentError(err)
	}
	d, err := document(handle, nil)
	return d, true, err
}

func documentError(err error) error { return converted(err, ErrClosed, "it is closed") }

// end is called with the error of every call.
func (d *Document) end(err error) error {
	runtime.KeepAlive(d)
	return documentError(err)
}

// Close ends the document. Closing it again does nothing.
func (d *Document) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.cleanup.Stop()
	return d.end(capi.ValueFree(d.handle))
}

// Clone gives another document with what this one holds now. It costs the same for any size, since both share what
// neither has changed.
func (d *Document) Clone() (*Document, error) {
	clone, err := document(capi.ValueClone(d.handle))
	runtime.KeepAlive(d)
	return clone, err
}

// Value gives what the document holds as plain data.
func (d *Document) Value() (Value, error) {
	bytes, err := capi.ValueToMsgpack(d.handle)
	return bytes, d.end(err)
}

// Native gives what the document holds as Go values, by the rules of [Value.Decode] for an `any`.
func (d *Document) Native() (native any, err error) {
	_, err = d.Get("", &native)
	return native, err
}

// Decode turns what the document holds into what out points to, by the rules of [Value.Decode].
func (d *Document) Decode(out any) error {
	_, err := d.Get("", out)
	return err
}

// JSONStyle is how [Document.JSON] lays text out. Styles but CanonicalJSON can be combined: PrettyJSON | SortedJSON.
type JSONStyle uint32

const (
	// CompactJSON is one line, with the keys in their order.
	CompactJSON JSONStyle = 0
	// PrettyJSON has line breaks and two spaces of indentation.
	PrettyJSON JSONStyle = capi.SW_JSON_PRETTY
	// SortedJSON has the keys of every object in byte order: equal documents give equal text.
	SortedJSON JSONStyle = capi.SW_JSON_SORTED
	// TypedJSON has objects such as {"$decimal": "12.50"} for what JSON lacks, so that every kind reads back.
	TypedJSON JSONStyle = capi.SW_JSON_TYPED
	// CanonicalJSON is canonical JSON (RFC 8785), the same bytes in every language.
	CanonicalJSON JSONStyle = capi.SW_JSON_CANONICAL
)

// JSON gives the document as JSON text. But for TypedJSON, bytes become {"$bytes": "<base64>"}, decimals numbers,
// and dates and times text.
func (d *Document) JSON(style JSONStyle) (string, error) {
	text, err := capi.ValueToJson(d.handle, uint32(style))
	return text, d.end(err)
}

// String gives the document as compact JSON text, or says why it has none.
func (d *Document) String() string {
	text, err := d.JSON(CompactJSON)
	if err != nil {
		return "!(" + err.Error() + ")"
	}
	return text
}

// MarshalJSON implements [json.Marshaler].
func (d *Document) MarshalJSON() ([]byte, error) {
	text, err := d.JSON(CompactJSON)
	return []byte(text), err
}

// MarshalMsgpack implements [msgpack.Marshaler]: a document can be used wherever a Go value goes in.
func (d *Document) MarshalMsgpack() ([]byte, error) { return d.Value() }

// CBOR gives the document as CBOR (RFC 8949), deterministically: equal documents give equal bytes.
func (d *Document) CBOR() ([]byte, error) {
	bytes, err := capi.ValueToCbor(d.handle, capi.SW_CBOR_DETERMINISTIC)
	return bytes, d.end(err)
}

// Packed gives the document as it lies in memory: the quickest to read back, for caches and processes with the same version
// of the library. For files that outlive versions use MessagePack or CBOR.
func (d *Document) Packed() ([]byte, error) {
	bytes, err := capi.ValueToPacked(d.handle)
	return bytes, d.end(err)
}

// ContentHash gives the BLAKE3 hash of what the document holds: equal documents have equal hashes, everywhere and for
// good.
func (d *Document) ContentHash() (hash [32]byte, err error) {
	bytes, err := capi.ValueContentHash(d.handle)
	copy(hash[:], bytes)
	return hash, d.end(err)
}

// Kind tells what is at a place; [KindNone] if nothing is.
func (d *Document) Kind(path string) (Kind, error) {
	kind, err := capi.ValueKind(d.handle, path)
	return Kind(kind), d.end(err)
}

// Has tells whether something, be it null, is at a place.
func (d *Document) Has(path string) (bool, error) {
	kind, err := d.Kind(path)
	return kind != KindNone, err
}

// Len gives the items of an array, the entries of an object, or the bytes of text or bytes at a place; 0 for other
// kinds, and for nothing.
func (d *Document) Len(path string) (int, error) {
	n, _, err := capi.ValueLen(d.handle, path)
	return n, d.end(err)
}

// Get reads what is at a place into what out points to, by the rules of [Value.Decode]. What is not there is no error,
// and leaves out as it was.
func (d *Document) Get(path string, out any) (found bool, err error) {
	// The usual scalars without a detour; what does not fit right away may still fit by the rules.
	switch out := out.(type) {
	case *bool:
		if read, found, err := capi.ValueGetBool(d.handle, path); err == nil {
			if found {
				*out = read
			}
			return found, d.end(nil)
		}
	case *int64:
		if read, found, err := capi.ValueGetI64(d.handle, path); err == nil {
			if found {
				*out = read
			}
			return found, d.end(nil)
		}
	case *uint64:
		if read, found, err := capi.ValueGetU64(d.handle, path); err == nil {
			if found {
				*out = read
			}
			return found, d.end(nil)
		}
	case *float64:
		if read, found, err := capi.ValueGetF64(d.handle, path); err == nil {
			if found {
				*out = read
			}
			return found, d.end(nil)
		}
	case *string:
		if read, found, err := capi.ValueGetText(d.handle, path); err == nil {
			if found {
				*out = read
			}
			return found, d.end(nil)
		}
	case *int:
		if read, found, err := capi.ValueGetI64(d.handle, path); err == nil && int64(int(read)) == read {
			if found {
				*out = int(read)
			}
			return found, d.end(nil)
		}
	}
	return d.decode(path, out)
}

func (d *Document) decode(path string, out any) (bool, error) {
	value, found, err := capi.ValueGetMsgpack(d.handle, path)
	return read(value, found, d.end(err), out)
}

// Read reads what is at a place of a document as a T; see [Document.Get].
func Read[T any](d *Document, path string) (value T, found bool, err error) {
	found, err = d.Get(path, &value)
	return value, found, err
}

// At gives what is at a place as a document of its own, at the same cost for any size.
func (d *Document) At(path string) (at *Document, there bool, err error) {
	at, there, err = found(capi.ValueGet(d.handle, path))
	runtime.KeepAlive(d)
	return at, there, err
}

// Set puts a Go value, or another document, at a place, by the rules of [Encode]. It replaces what is there and makes
// missing objects on the way; an index equal to an array's length appends, as `-` does at the end of a pointer.
func (d *Document) Set(path string, value any) error {
	switch value := value.(type) {
	case bool:
		var bit uint32
		if value {
			bit = 1
		}
		return d.end(capi.ValueSetBool(d.handle, path, bit))
	case int:
		return d.end(capi.ValueSetI64(d.handle, path, int64(value)))
	case int64:
		return d.end(capi.ValueSetI64(d.handle, path, value))
	case uint64:
		return d.end(capi.ValueSetU64(d.handle, path, value))
	case float64:
		return d.end(capi.ValueSetF64(d.handle, path, value))
	case string:
		return d.end(capi.ValueSetText(d.handle, path, value))
	case *Document:
		if value == nil {
			return d.end(capi.ValueSetNull(d.handle, path))
		}
		err := capi.ValueSet(d.handle, path, value.handle)
		runtime.KeepAlive(value)
		return d.end(err)
	}
	return encoded(value, func(bytes []byte) error {
		return d.end(capi.ValueSetMsgpack(d.handle, path, bytes))
	})
}

// SetKind reads text as a value of some kind and puts it at a place: SetKind(".price", KindDecimal, "12.50"). The kinds are
// KindDecimal, KindDate, KindTime, KindDateTime, KindDuration and KindText.
func (d *Document) SetKind(path string, kind Kind, text string) error {
	return d.end(capi.ValueSetKind(d.handle, path, uint32(kind), text))
}

// SetJSON reads JSON text and puts it at a place.
func (d *Document) SetJSON(path, text string) error {
	return d.end(capi.ValueSetJson(d.handle, path, text))
}

// Insert puts a Go value or a document before the item of an array at a place; later items move on.
func (d *Document) Insert(path string, item any) error {
	return with(item, func(item capi.Value) error { return d.end(capi.ValueInsert(d.handle, path, item)) })
}

// Push appends a Go value or a document to the array at a place.
func (d *Document) Push(path string, item any) error {
	return with(item, func(item capi.Value) error { return d.end(capi.ValuePush(d.handle, path, item)) })
}

// with lends the handle of a document, or of one made of a Go value for the time being.
func with(value any, use func(capi.Value) error) error {
	given, ok := value.(*Document)
	if !ok || given == nil {
		made, err := NewDocument(value)
		if err != nil {
			return err
		}
		defer made.Close()
		given = made
	}
	defer runtime.KeepAlive(given)
	return use(given.handle)
}

// Remove removes what is at a place; later items of an array move up. Removing what is not there is no error.
func (d *Document) Remove(path string) (found bool, err error) {
	found, err = capi.ValueRemove(d.handle, path)
	return found, d.end(err)
}

// Take removes what is at a place and gives it.
func (d *Document) Take(path string) (taken *Document, there bool, err error) {
	taken, there, err = found(capi.ValueTake(d.handle, path))
	runtime.KeepAlive(d)
	return taken, there, err
}

// Entries gives the entries of the object at a place, in their order, or the items of the array, whose keys are empty.
// It sees the document as it was when the walk began. If reading fails, the error is the last thing given;
// [ErrWrongType] if there is no object or array.
func (d *Document) Entries(path string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := d.walk(path, yield); err != nil {
			yield(Entry{}, err)
		}
	}
}

// How many entries the first page of a walk has; each has twice as many as the one before.
const firstPage, largestPage = 64, 1 << 16

func (d *Document) walk(path string, yield func(Entry, error) bool) error {
	kind, err := d.Kind(path)
	if err != nil {
		return err
	}
	cursor, err := capi.CursorOpen(d.handle, path)
	if err := d.end(err); err != nil {
		return err
	}
	defer func() { _ = capi.CursorFree(cursor) }()
	for limit := uint32(firstPage); ; limit = min(limit*2, largestPage) {
		page, err := capi.CursorPage(cursor, limit)
		rows, err := decoded[[]Value](page, documentError(err))
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			next := Entry{Value: row}
			if kind == KindObject {
				pair, err := Decode[[2]Value](row)
				if err == nil {
					next.Value = pair[1]
					err = pair[0].Decode(&next.Key)
				}
				if err != nil {
					return err
				}
			}
			if !yield(next, nil) {
				return nil
			}
		}
	}
}

// Patch applies a JSON Patch (RFC 6902), a document or a Go value: all of it, or nothing. [ErrPatchFailed] says which
// operation failed, and why.
func (d *Document) Patch(operations any) error {
	return with(operations, func(patch capi.Value) error { return d.end(capi.ValuePatch(d.handle, patch)) })
}

// MergePatch applies a JSON Merge Patch (RFC 7396), a document or a Go value.
func (d *Document) MergePatch(changes any) error {
	return with(changes, func(patch capi.Value) error { return d.end(capi.ValueMergePatch(d.handle, patch)) })
}

// Diff gives the JSON Patch that turns this document into another.
func (d *Document) Diff(after *Document) (*Document, error) {
	patch, err := document(capi.ValueDiff(d.handle, after.handle))
	runtime.KeepAlive(d)
	runtime.KeepAlive(after)
	return patch, err
}

// MergeDiff gives the JSON Merge Patch that turns this document into another, if there is one: such a patch cannot set
// a member to null.
func (d *Document) MergeDiff(after *Document) (patch *Document, there bool, err error) {
	patch, there, err = found(capi.ValueMergeDiff(d.handle, after.handle))
	runtime.KeepAlive(d)
	runtime.KeepAlive(after)
	return patch, there, err
}

// Inverted gives the JSON Patch that undoes this one, which was applied to before.
func (d *Document) Inverted(before *Document) (*Document, error) {
	undo, err := document(capi.ValueInvert(d.handle, before.handle))
	runtime.KeepAlive(d)
	runtime.KeepAlive(before)
	return undo, err
}

// Equal tells whether both hold the same; 1 and 1.0 differ, the order of keys does not matter.
func (d *Document) Equal(other *Document) (bool, error) {
	equal, err := capi.ValueEqual(d.handle, other.handle)
	runtime.KeepAlive(other)
	return equal, d.end(err)
}

// Compare tells which comes first in the order of all values: -1 for this document, 1 for the other, 0 if they are
// equal.
func (d *Document) Compare(other *Document) (int, error) {
	order, err := capi.ValueCompare(d.handle, other.handle)
	runtime.KeepAlive(other)
	return int(order), d.end(err)
}

// GoString is for %#v.
func (d *Document) GoString() string { return fmt.Sprintf("statewright.Document(%s)", d) }
