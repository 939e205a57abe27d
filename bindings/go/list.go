package statewright

import (
	"context"
	"iter"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// args is an operation, or a part of one.
type args = map[string]any

// ListOption says which part of a list is wanted, and how. Which ones count is said where a list is.
type ListOption func(*listing)

type listing struct {
	args
	after   string
	reverse bool
	ctx     context.Context
}

// Limit gives so many at most.
func Limit(n int) ListOption { return func(l *listing) { l.args["limit"] = n } }

// After gives what comes behind this key, name or id; with [Reverse], before this key.
func After(last string) ListOption { return func(l *listing) { l.after = last } }

// Reverse gives the last one first.
func Reverse() ListOption {
	return func(l *listing) { l.reverse, l.args["reverse"] = true, true }
}

// From gives events from a sequence on.
func From(sequence uint64) ListOption { return func(l *listing) { l.args["from"] = sequence } }

// To gives events before a sequence.
func To(sequence uint64) ListOption { return func(l *listing) { l.args["to"] = sequence } }

// Since gives what happened then or later.
func Since(at time.Time) ListOption { return func(l *listing) { l.args["since"] = at.UnixMicro() } }

// Until gives what happened before.
func Until(at time.Time) ListOption { return func(l *listing) { l.args["until"] = at.UnixMicro() } }

// Within ends a list between two pages when the context ends; then the error is [context.Cause].
func Within(ctx context.Context) ListOption { return func(l *listing) { l.ctx = ctx } }

// How much one page of a list has at most.
const (
	pageItems = 256
	pageBytes = 1 << 20
)

// listed goes through a list of any length; show makes a T of what comes.
func listed[W, T any](
	in view, space, op string, which args, how []ListOption, show func(*W) (T, error),
) iter.Seq2[T, error] {
	operation := args{"op": op, "space": orDefault(space)}
	for name, value := range which {
		operation[name] = value
	}
	list := listing{args: operation, ctx: context.Background()}
	for _, option := range how {
		option(&list)
	}
	if list.after != "" {
		name := "after"
		if list.reverse {
			name = "before"
		}
		operation[name] = list.after
		if op == "kv.scan" {
			operation[name] = []byte(list.after)
		}
	}
	return func(yield func(T, error) bool) {
		if err := walk(in, list, show, yield); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// walk yields items until there are no more or nobody wants them.
func walk[W, T any](in view, list listing, show func(*W) (T, error), yield func(T, error) bool) error {
	var scan capi.Scan
	err := encoded(list.args, func(bytes []byte) (err error) {
		scan, err = in.scan(bytes)
		return err
	})
	if err != nil {
		return err
	}
	defer capi.ScanFree(scan)
	for {
		if list.ctx.Err() != nil {
			return context.Cause(list.ctx)
		}
		bytes, done, err := capi.ScanNext(scan, pageItems, pageBytes)
		items, err := decoded[[]W](bytes, in.end(err))
		for i := 0; i < len(items) && err == nil; i++ {
			var item T
			if item, err = show(&items[i]); err == nil && !yield(item, nil) {
				return nil
			}
		}
		if err != nil || done {
			return err
		}
	}
}

func orDefault(space string) string {
	if space == "" {
		return "default"
	}
	return space
}

// told runs an operation and reads what it gives into a T.
func told[T any](in view, space, op string, which args) (T, error) {
	given, err := perform(in, space, op, which)
	return decoded[T](given, err)
}

// perform runs an operation.
func perform(in view, space, op string, which args) (Value, error) {
	operation := args{"op": op, "space": orDefault(space)}
	for name, value := range which {
		operation[name] = value
	}
	return in.do(operation)
}

// done runs an operation that gives nothing.
func done(in view, space, op string, which args) error {
	_, err := perform(in, space, op, which)
	return err
}

// lookup runs an operation that gives null if nothing is there.
func lookup[T any](in view, space, op string, which args) (value T, there bool, err error) {
	given, err := perform(in, space, op, which)
	if err != nil || given.IsNull() {
		return value, false, err
	}
	value, err = Decode[T](given)
	return value, err == nil, err
}

// wireKey is a key: text if it is text, else bytes.
type wireKey string

// UnmarshalMsgpack implements [msgpack.Unmarshaler].
func (k *wireKey) UnmarshalMsgpack(raw []byte) error {
	key, err := Decode[any](raw)
	switch key := key.(type) {
	case string:
		*k = wireKey(key)
	case []byte:
		*k = wireKey(key)
	}
	return err
}

type wireEntry struct {
	Key   wireKey `msgpack:"key"`
	Value Value   `msgpack:"value"`
}

func (w *wireEntry) public() (Entry, error) { return Entry{string(w.Key), w.Value}, nil }

// Stored is a value with what the store knows of it.
type Stored struct {
	Value Value
	// Version is that of the commit that last changed it.
	Version uint64
	// Expires is from when on it is no longer there; zero if it stays.
	Expires time.Time
}

type wireStored struct {
	Key     string  `msgpack:"key"`
	Value   Value   `msgpack:"value"`
	Version uint64  `msgpack:"version"`
	Expires *micros `msgpack:"expires"`
}

func (w *wireStored) public() Stored { return Stored{w.Value, w.Version, w.Expires.time()} }

// Past is a value that was there once.
type Past struct {
	Version uint64
	Time    time.Time
	// Value is null if it was removed then.
	Value   Value
	Removed bool
	// Expires is from when on it was not to be there; zero if it was to stay.
	Expires time.Time
}

type wirePast struct {
	Version uint64  `msgpack:"version"`
	Time    micros  `msgpack:"time"`
	Value   Value   `msgpack:"value"`
	Removed bool    `msgpack:"removed"`
	Expires *micros `msgpack:"expires"`
}

func pasts(wire []wirePast, err error) ([]Past, error) {
	all := make([]Past, len(wire))
	for i, w := range wire {
		all[i] = Past{w.Version, w.Time.time(), w.Value, w.Removed, w.Expires.time()}
	}
	return all, err
}
