package statewright

// Operation of a JSON Patch (RFC 6902).
type PatchOperation struct {
	Op    string `msgpack:"op"`
	Path  string `msgpack:"path"`
	From  string `msgpack:"from"`
	Value any    `msgpack:"value"`
}

// Has tells whether there is such a document.
func (j JSON) Has(key string) (bool, error) { return j.run("json.exists", key, nil).flag() }

// SetIfVersion sets a place in a document if the document is still at this version; [ErrVersionMismatch] if not.
func (j JSON) SetIfVersion(key, path string, version uint64, value any) error {
	return j.run("json.set", key, args{"path": path, "value": value, "if_version": version}).err
}

// Kind tells what is at a place, such as "object", "text" or "null".
func (j JSON) Kind(key, path string) (kind string, there bool, err error) {
	return lookup[string](j.in, j.space, "json.type", args{"key": key, "path": path})
}

// Len tells how many items or entries, or bytes of text, are at a place.
func (j JSON) Len(key, path string) (n int, there bool, err error) {
	return lookup[int](j.in, j.space, "json.len", args{"key": key, "path": path})
}

// Keys gives the keys of the object at a place.
func (j JSON) Keys(key, path string) (keys []string, there bool, err error) {
	return lookup[[]string](j.in, j.space, "json.keys", args{"key": key, "path": path})
}

// Patch applies a JSON Patch (RFC 6902): all of it, or nothing and [ErrPatchFailed]. The patch may be a []PatchOperation
// or anything that encodes as one.
func (j JSON) Patch(key string, patch any) error {
	return j.run("json.patch", key, args{"patch": patch}).err
}

// Merge merges a value into what is at a place, as a JSON Merge Patch (RFC 7396).
func (j JSON) Merge(key, path string, value any) error {
	return j.run("json.merge", key, args{"path": path, "value": value}).err
}

// MergeBy merges a value into what is at a place by a strategy.
func (j JSON) MergeBy(key, path string, value any, by Strategy) error {
	return j.run("json.merge", key, args{"path": path, "value": value, "strategy": string(by)}).err
}

// Push puts items at the end of the array at a place. It never conflicts with others that do.
func (j JSON) Push(key, path string, items ...any) error {
	return j.run("json.push", key, args{"path": path, "items": items}).err
}

// Pop takes the last item of the array at a place away and gives it; null if there is none, or if it is one.
func (j JSON) Pop(key, path string) (Value, error) {
	out := j.run("json.pop", key, args{"path": path})
	return out.value, out.err
}

// Insert puts an item into an array, at the index with which the path ends.
func (j JSON) Insert(key, path string, value any) error {
	return j.run("json.insert", key, args{"path": path, "value": value}).err
}

// Move takes what is at one place to another.
func (j JSON) Move(key, from, to string) error {
	return j.run("json.move", key, args{"from": from, "to": to}).err
}

// MoveItem takes an item of the array at a place to another index.
func (j JSON) MoveItem(key, path string, from, to int) error {
	return j.run("json.move_item", key, args{"path": path, "from": from, "to": to}).err
}

// Increment adds to the number at a place, or to 0 if nothing is there; see [KV.Increment].
func (j JSON) Increment(key, path string, by any) (Value, error) {
	out := j.run("json.increment", key, args{"path": path, "by": by})
	return out.value, out.err
}

// Append puts text behind the text at a place, or bytes behind bytes, with the separator between them unless it is nil.
func (j JSON) Append(key, path string, tail, separator any) error {
	return j.run("json.append", key, args{"path": path, "value": tail, "separator": separator}).err
}

// Count tells how many documents have keys that begin with prefix. It reads them all.
func (j JSON) Count(prefix string) (uint64, error) {
	return told[uint64](j.in, j.space, "json.count", args{"prefix": prefix})
}

// History gives up to limit of the contents that a document had, the newest first; see [KV.History].
func (j JSON) History(key string, limit int) ([]Past, error) {
	return pasts(told[[]wirePast](j.in, j.space, "json.history", args{"key": key, "limit": limit}))
}

// GetAtVersion reads a document as it was when the store had this version; see [KV.History].
func (j JSON) GetAtVersion(key string, version uint64) (Stored, bool, error) {
	which := args{"key": key, "version": version}
	wire, there, err := lookup[wireStored](j.in, j.space, "json.get_at", which)
	return wire.public(), there, err
}

func (j JSON) run(op, key string, which args) outcome {
	operation := args{"key": key}
	for name, value := range which {
		operation[name] = value
	}
	value, err := perform(j.in, j.space, op, operation)
	return outcome{value, err}
}
