package statewright

import "time"

// Strategy is what becomes of a value that is there and one that comes.
type Strategy string

// The strategies of [KV.Merge] and [JSON.MergeBy].
const (
	// Last: the one that comes.
	Last Strategy = "last"
	// First: the one that is there, if there is one.
	First Strategy = "first"
	// Accumulate: the sum; nothing counts as 0.
	Accumulate Strategy = "accumulate"
	// Concatenate: text comes behind text, bytes behind bytes, items behind items.
	Concatenate Strategy = "concatenate"
	// Deep: objects are merged at every level.
	Deep Strategy = "deep"
)

// Absent stands for no value in [KV.CompareAndSwap].
var Absent any = absent{}

type absent struct{}

// Has tells whether a key is there.
func (kv KV) Has(key string) (bool, error) { return kv.run("kv.exists", key, nil).flag() }

// Lookup reads a key's value with its version and when it expires.
func (kv KV) Lookup(key string) (Stored, bool, error) {
	wire, there, err := lookup[wireStored](kv.in, kv.space, "kv.get", args{"key": []byte(key)})
	return wire.public(), there, err
}

// GetMany reads several keys at once, in their order; nil is where no value is.
func (kv KV) GetMany(keys ...string) ([]*Stored, error) {
	names := make([][]byte, len(keys))
	for i, key := range keys {
		names[i] = []byte(key)
	}
	found, err := told[[]*wireStored](kv.in, kv.space, "kv.get_many", args{"keys": names})
	all := make([]*Stored, len(found))
	for i, wire := range found {
		if wire != nil {
			stored := wire.public()
			all[i] = &stored
		}
	}
	return all, err
}

// PutFor sets a key for a time; from then on it is not there. A part of a millisecond counts as a whole one.
func (kv KV) PutFor(key string, value any, ttl time.Duration) error {
	whole := ttl.Milliseconds()
	if ttl%time.Millisecond > 0 {
		whole++
	}
	return kv.run("kv.put", key, args{"value": value, "ttl_ms": whole}).err
}

// PutUntil sets a key until a time; from then on it is not there.
func (kv KV) PutUntil(key string, value any, at time.Time) error {
	return kv.run("kv.put", key, args{"value": value, "expires": at.UnixMicro()}).err
}

// PutIfAbsent sets a key if it is not there; tells whether it was set.
func (kv KV) PutIfAbsent(key string, value any) (bool, error) {
	return kv.run("kv.put", key, args{"value": value, "if_absent": true}).flag()
}

// PutIfVersion sets a key if it is still at this version (0: not there); [ErrVersionMismatch] if not.
func (kv KV) PutIfVersion(key string, version uint64, value any) error {
	return kv.run("kv.put", key, args{"value": value, "if_version": version}).err
}

// CompareAndSwap sets a key if it still has the expected value ([Absent]: is not there); [ErrValueMismatch] if not.
func (kv KV) CompareAndSwap(key string, expected, value any) error {
	which := args{"value": value}
	if expected != Absent {
		which["expected"] = expected
	}
	return kv.run("kv.cas", key, which).err
}

// Swap sets a key and gives what was there; null if nothing was, or a null.
func (kv KV) Swap(key string, value any) (Value, error) {
	out := kv.run("kv.swap", key, args{"value": value})
	return out.value, out.err
}

// Increment adds to a key's number, or to 0 if the key is not there, and gives the sum. Increments never conflict with
// each other; in a transaction the sum is not known before it commits, and null is given.
//
// It fails with [ErrWrongType] if something else than a number is there, and with [ErrArithmetic] if the sum overflows.
func (kv KV) Increment(key string, by any) (Value, error) {
	out := kv.run("kv.increment", key, args{"by": by})
	return out.value, out.err
}

// Append puts text behind a key's text, or bytes behind its bytes, with the separator between them unless it is nil.
func (kv KV) Append(key string, tail, separator any) error {
	return kv.run("kv.append", key, args{"value": tail, "separator": separator}).err
}

// Extend puts items at the end of a key's array, or makes one of them.
func (kv KV) Extend(key string, items ...any) error {
	return kv.run("kv.extend", key, args{"items": items}).err
}

// Merge makes one of the value that is there and this one.
func (kv KV) Merge(key string, value any, by Strategy) error {
	return kv.run("kv.merge", key, args{"value": value, "strategy": string(by)}).err
}

// Count tells how many keys begin with prefix. It reads them all.
func (kv KV) Count(prefix string) (uint64, error) {
	return told[uint64](kv.in, kv.space, "kv.count", args{"prefix": []byte(prefix)})
}

// Purge removes up to limit keys that have expired. Nobody can see that.
func (kv KV) Purge(limit int) error { return done(kv.in, kv.space, "kv.purge", args{"limit": limit}) }

// History gives up to limit of the values that a key had, the newest first. It reads the log; not in a transaction, and
// not in memory ([ErrNoHistory]).
func (kv KV) History(key string, limit int) ([]Past, error) {
	return pasts(told[[]wirePast](kv.in, kv.space, "kv.history", args{"key": []byte(key), "limit": limit}))
}

// GetAtVersion reads a key as it was when the store had this version. It reads the log, as [KV.History] does.
func (kv KV) GetAtVersion(key string, version uint64) (Stored, bool, error) {
	which := args{"key": []byte(key), "version": version}
	wire, there, err := lookup[wireStored](kv.in, kv.space, "kv.get_at", which)
	return wire.public(), there, err
}

// outcome is what an operation gave.
type outcome struct {
	value Value
	err   error
}

func (o outcome) flag() (bool, error) { return decoded[bool](o.value, o.err) }

func (kv KV) run(op, key string, which args) outcome {
	operation := args{"key": []byte(key)}
	for name, value := range which {
		operation[name] = value
	}
	value, err := perform(kv.in, kv.space, op, operation)
	return outcome{value, err}
}
