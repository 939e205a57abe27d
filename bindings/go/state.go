package statewright

import (
	"iter"
	"unsafe"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// State is what can be read and written: an [Engine], where each write is a commit of its own, or a [Txn], where
// they are one commit together. Functions that take a State serve both.
type State interface {
	// Space names a part of the state, such as "tenant/app/agent/run"; empty is "default".
	Space(name string) Space

	// KV is the keys and values of the default space.
	KV() KV

	// JSON is the documents of the default space.
	JSON() JSON

	// Events is a stream of events of the default space.
	Events(stream string) Events

	// Cells is the cells of the default space.
	Cells() Cells

	// Traces is the traces of the default space.
	Traces() Traces

	// Runs is the runs of the default space.
	Runs() Runs
}

var (
	_ State = (*Engine)(nil)
	_ State = (*Txn)(nil)
)

// Space is a named part of the state. What has the same key in two spaces is two things.
type Space struct {
	in   view
	name string
}

// KV is the keys and values of the space.
func (s Space) KV() KV { return KV{s.in, s.name} }

// JSON is the documents of the space.
func (s Space) JSON() JSON { return JSON{s.in, s.name} }

// Events is a stream of events of the space. It is made by the first event.
func (s Space) Events(stream string) Events { return Events{s.in, s.name, stream} }

// Streams lists the streams of events that begin with prefix, in order.
func (s Space) Streams(prefix string, how ...ListOption) iter.Seq2[StreamInfo, error] {
	return listed(s.in, s.name, "event.streams", args{"prefix": prefix}, how, (*StreamInfo).public)
}

// Cells is the cells of the space.
func (s Space) Cells() Cells { return Cells{s.in, s.name} }

// Traces is the traces of the space.
func (s Space) Traces() Traces { return Traces{s.in, s.name} }

// Runs is the runs of the space.
func (s Space) Runs() Runs { return Runs{s.in, s.name} }

// Space names a part of the state, such as "tenant/app/agent/run"; empty is "default".
func (e *Engine) Space(name string) Space { return Space{e, name} }

// KV is the keys and values of the default space.
func (e *Engine) KV() KV { return KV{e, ""} }

// JSON is the documents of the default space.
func (e *Engine) JSON() JSON { return JSON{e, ""} }

// Events is a stream of events of the default space.
func (e *Engine) Events(stream string) Events { return Events{e, "", stream} }

// Cells is the cells of the default space.
func (e *Engine) Cells() Cells { return Cells{e, ""} }

// Traces is the traces of the default space.
func (e *Engine) Traces() Traces { return Traces{e, ""} }

// Runs is the runs of the default space.
func (e *Engine) Runs() Runs { return Runs{e, ""} }

// Spaces is all spaces.
func (e *Engine) Spaces() Spaces { return Spaces{e} }

// Space names a part of the state as the transaction sees it; empty is "default".
func (t *Txn) Space(name string) Space { return Space{t, name} }

// KV is the keys and values of the default space as the transaction sees them.
func (t *Txn) KV() KV { return KV{t, ""} }

// JSON is the documents of the default space as the transaction sees them.
func (t *Txn) JSON() JSON { return JSON{t, ""} }

// Events is a stream of events of the default space as the transaction sees them.
func (t *Txn) Events(stream string) Events { return Events{t, "", stream} }

// Cells is the cells of the default space as the transaction sees them.
func (t *Txn) Cells() Cells { return Cells{t, ""} }

// Traces is the traces of the default space as the transaction sees them.
func (t *Txn) Traces() Traces { return Traces{t, ""} }

// Runs is the runs of the default space as the transaction sees them.
func (t *Txn) Runs() Runs { return Runs{t, ""} }

// Spaces is all spaces as the transaction sees them.
func (t *Txn) Spaces() Spaces { return Spaces{t} }

// KV is the keys and values of a space. A key is any bytes but none; text is the usual case.
type KV struct {
	in    view
	space string
}

// Entry is a key and what it holds, or a document and its key.
type Entry struct {
	Key   string
	Value Value
}

// Get reads a key's value into what out points to, by the rules of [Value.Decode]; with a nil out it only looks
// whether the key is there. A key that is not there is no error, and leaves out as it was.
func (kv KV) Get(key string, out any) (found bool, err error) {
	value, found, err := kv.in.kvGet(kv.space, key)
	return read(value, found, err, out)
}

// Put sets a key, by the rules of [Encode].
func (kv KV) Put(key string, value any) error {
	return encoded(value, func(bytes []byte) error { return kv.in.kvPut(kv.space, key, bytes) })
}

// Delete removes a key. Removing one that is not there is no error.
func (kv KV) Delete(key string) (found bool, err error) { return kv.in.kvDelete(kv.space, key) }

// Scan gives the keys that begin with prefix, in the order of their bytes, with their values:
//
//	for entry, err := range engine.KV().Scan("color/") { … }
//
// They are read in pages, so that the number of keys does not matter, and as they are when the walk begins. The options
// that count are [Limit], [After], [Reverse] and [Within]. If reading fails, the error is the last thing given.
func (kv KV) Scan(prefix string, how ...ListOption) iter.Seq2[Entry, error] {
	return listed(kv.in, kv.space, "kv.scan", args{"prefix": []byte(prefix)}, how, (*wireEntry).public)
}

// JSON is the documents of a space. A place in a document is a path such as `.lines[0].price` or `."odd key"`; the
// empty path is the whole document.
type JSON struct {
	in    view
	space string
}

// Create makes a document. It fails with [ErrAlreadyExists] if there is one.
func (j JSON) Create(key string, value any) error {
	return encoded(value, func(bytes []byte) error { return j.in.jsonCreate(j.space, key, bytes) })
}

// Get reads a place in a document into what out points to, by the rules of [Value.Decode]; with a nil out it only
// looks whether it is there. A document or place that is not there is no error, and leaves out as it was.
func (j JSON) Get(key, path string, out any) (found bool, err error) {
	value, found, err := j.in.jsonGet(j.space, key, path)
	return read(value, found, err, out)
}

// Set sets a place in a document, making missing objects on the way; an index equal to an array's length appends.
// The empty path makes or replaces the whole document; with another path it fails with [ErrNotFound] if there is no
// document.
func (j JSON) Set(key, path string, value any) error {
	return encoded(value, func(bytes []byte) error { return j.in.jsonSet(j.space, key, path, bytes) })
}

// Remove removes a place from a document; later elements of an array move up. It fails with [ErrNotFound] if there
// is no document.
func (j JSON) Remove(key, path string) (found bool, err error) {
	return j.in.jsonRemove(j.space, key, path)
}

// Drop removes a document. Removing one that is not there is no error.
func (j JSON) Drop(key string) (found bool, err error) { return j.in.jsonDrop(j.space, key) }

// Version gives the version of the commit that last changed a document.
func (j JSON) Version(key string) (version uint64, found bool, err error) {
	return j.in.jsonVersion(j.space, key)
}

// List gives the documents whose keys begin with prefix, in the order of the keys. It reads in pages, as [KV.Scan]; the
// options that count are [Limit], [After] and [Within].
func (j JSON) List(prefix string, how ...ListOption) iter.Seq2[Entry, error] {
	return listed(j.in, j.space, "json.list", args{"prefix": prefix}, how, (*wireEntry).public)
}

// Get reads a key's value as a T.
func Get[T any](kv KV, key string) (value T, found bool, err error) {
	found, err = kv.Get(key, &value)
	return value, found, err
}

// GetAt reads a place in a document as a T; the empty path is the whole document.
func GetAt[T any](json JSON, key, path string) (value T, found bool, err error) {
	found, err = json.Get(key, path, &value)
	return value, found, err
}

func read(value Value, found bool, err error, out any) (bool, error) {
	if err == nil && found && out != nil {
		err = value.Decode(out)
	}
	return found, err
}

// view is the operations of an engine and of a transaction.
type view interface {
	kvGet(space, key string) (Value, bool, error)
	kvPut(space, key string, value []byte) error
	kvDelete(space, key string) (bool, error)
	jsonCreate(space, key string, value []byte) error
	jsonGet(space, key, path string) (Value, bool, error)
	jsonSet(space, key, path string, value []byte) error
	jsonRemove(space, key, path string) (bool, error)
	jsonDrop(space, key string) (bool, error)
	jsonVersion(space, key string) (uint64, bool, error)
	// do runs one operation.
	do(operation args) (Value, error)
	// append gives the sequence, if it is known.
	append(space, stream, kind string, payload []byte) (uint64, error)
	scan(operation []byte) (capi.Scan, error)
	// end is called with the error of every call.
	end(err error) error
}

// bytesOf lends the bytes of a string, which are not to be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (e *Engine) kvGet(space, key string) (Value, bool, error) {
	value, found, err := capi.KvGet(e.core.handle, space, bytesOf(key))
	return value, found, e.end(err)
}

func (e *Engine) kvPut(space, key string, value []byte) error {
	return e.end(capi.KvPut(e.core.handle, space, bytesOf(key), value))
}

func (e *Engine) kvDelete(space, key string) (bool, error) {
	found, err := capi.KvDelete(e.core.handle, space, bytesOf(key))
	return found, e.end(err)
}

func (e *Engine) jsonCreate(space, key string, value []byte) error {
	return e.end(capi.JsonCreate(e.core.handle, space, key, value))
}

func (e *Engine) jsonGet(space, key, path string) (Value, bool, error) {
	value, found, err := capi.JsonGet(e.core.handle, space, key, path)
	return value, found, e.end(err)
}

func (e *Engine) jsonSet(space, key, path string, value []byte) error {
	return e.end(capi.JsonSet(e.core.handle, space, key, path, value))
}

func (e *Engine) jsonRemove(space, key, path string) (bool, error) {
	found, err := capi.JsonRemove(e.core.handle, space, key, path)
	return found, e.end(err)
}

func (e *Engine) jsonDrop(space, key string) (bool, error) {
	found, err := capi.JsonDrop(e.core.handle, space, key)
	return found, e.end(err)
}

func (e *Engine) jsonVersion(space, key string) (uint64, bool, error) {
	version, found, err := capi.JsonVersion(e.core.handle, space, key)
	return version, found, e.end(err)
}

func (t *Txn) kvGet(space, key string) (Value, bool, error) {
	value, found, err := capi.TxnKvGet(t.handle, space, bytesOf(key))
	return value, found, t.end(err)
}

func (t *Txn) kvPut(space, key string, value []byte) error {
	return t.end(capi.TxnKvPut(t.handle, space, bytesOf(key), value))
}

func (t *Txn) kvDelete(space, key string) (bool, error) {
	found, err := capi.TxnKvDelete(t.handle, space, bytesOf(key))
	return found, t.end(err)
}

func (t *Txn) jsonCreate(space, key string, value []byte) error {
	return t.end(capi.TxnJsonCreate(t.handle, space, key, value))
}

func (t *Txn) jsonGet(space, key, path string) (Value, bool, error) {
	value, found, err := capi.TxnJsonGet(t.handle, space, key, path)
	return value, found, t.end(err)
}

func (t *Txn) jsonSet(space, key, path string, value []byte) error {
	return t.end(capi.TxnJsonSet(t.handle, space, key, path, value))
}

func (t *Txn) jsonRemove(space, key, path string) (bool, error) {
	found, err := capi.TxnJsonRemove(t.handle, space, key, path)
	return found, t.end(err)
}

func (t *Txn) jsonDrop(space, key string) (bool, error) {
	found, err := capi.TxnJsonDrop(t.handle, space, key)
	return found, t.end(err)
}

func (t *Txn) jsonVersion(space, key string) (uint64, bool, error) {
	version, found, err := capi.TxnJsonVersion(t.handle, space, key)
	return version, found, t.end(err)
}

func (e *Engine) do(operation args) (Value, error) {
	results, _, err := e.Call(operation)
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

func (e *Engine) append(space, stream, kind string, payload []byte) (uint64, error) {
	sequence, err := capi.EventAppend(e.core.handle, space, stream, kind, payload)
	return sequence, e.end(err)
}

func (e *Engine) scan(operation []byte) (capi.Scan, error) {
	scan, err := capi.ScanOpen(e.core.handle, operation)
	return scan, e.end(err)
}

func (t *Txn) do(operation args) (Value, error) { return t.Call(operation) }

func (t *Txn) append(space, stream, kind string, payload []byte) (uint64, error) {
	_, err := t.Call(args{"op": "event.append", "space": orDefault(space), "stream": stream, "type": kind,
		"payload": Value(payload)})
	return 0, err
}

func (t *Txn) scan(operation []byte) (capi.Scan, error) {
	scan, err := capi.ScanOpenIn(t.handle, operation)
	return scan, t.end(err)
}
