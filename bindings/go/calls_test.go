package statewright

import (
	"testing"
	"time"
)

func TestWhatACallHoldsNestsAsDeepAsAnyValue(t *testing.T) {
	kv := openMemory(t).KV()
	nested := func(depth int) (value any) {
		for range depth {
			value = []any{value}
		}
		return value
	}
	must(t, kv.Put("k", nested(128)))
	_, err := kv.Swap("k", nested(128))
	must(t, err)
	must(t, kv.Put("k", nil))
	wants(t, kv.Put("k", nested(129)), ErrLimit)
	_, err = kv.Swap("k", nested(129))
	wants(t, err, ErrLimit)
}

func TestWhatWasThereOnceIsRestoredWithItsTimesAndIDs(t *testing.T) {
	engine := openMemory(t)
	at := time.UnixMicro(1_767_225_600_000_001)
	event := map[string]any{
		"op": "event.restore", "stream": "s", "sequence": 0, "time": at.UnixMicro(), "type": "placed",
		"payload": map[string]any{"id": 17},
	}
	trace := map[string]any{"op": "trace.restore", "id": "t1", "time": at.UnixMicro(), "type": "tool_call", "payload": 1}
	run := map[string]any{
		"op": "run.restore", "id": "r", "status": "completed", "created": at.UnixMicro(), "updated": at.UnixMicro(),
	}
	_, _, err := engine.Call(event, trace, run)
	must(t, err)
	placed, _, err := engine.Events("s").Get(0)
	must(t, err)
	recorded, _, err := engine.Traces().Get("t1")
	must(t, err)
	ended, _, err := engine.Runs().Get("r")
	must(t, err)
	if !placed.Time.Equal(at) || !recorded.Time.Equal(at) || !ended.Created.Equal(at) || ended.Status != RunCompleted {
		t.Errorf("%v, %v, %v", placed, recorded, ended)
	}
	// What is there already must be the same.
	event["payload"] = map[string]any{"id": 18}
	_, _, err = engine.Call(event)
	wants(t, err, ErrCannotRestore)
}

func TestCalls(t *testing.T) {
	engine := openMemory(t)
	object := func(pairs ...any) map[string]any {
		made := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			made[pairs[i].(string)] = pairs[i+1]
		}
		return made
	}
	results, version, err := engine.Call(
		object("op", "kv.put", "key", "n", "value", 41),
		object("op", "event.append", "stream", "s", "type", "t", "payload", object("a", 1)),
		object("op", "run.create", "id", "r", "tags", []string{"x"}),
	)
	must(t, err)
	if len(results) != 3 || version != 1 {
		t.Fatalf("%v at %d", results, version)
	}
	results, _, err = engine.Call(object("op", "kv.increment", "key", "n"))
	must(t, err)
	if sum, err := Decode[int](results[0]); err != nil || sum != 42 {
		t.Errorf("%v, %v", sum, err)
	}
	// All or nothing, and what is wrong is named.
	_, _, err = engine.Call(
		object("op", "kv.put", "key", "n", "value", 0),
		object("op", "run.set_status", "id", "r", "status", "tired"),
	)
	if err == nil {
		t.Fatal("an unknown status was accepted")
	}
	txn, err := engine.Begin(Serializable)
	must(t, err)
	defer txn.Rollback()
	if _, err := txn.Call(object("op", "kv.put", "key", "n", "valeu", 1)); err == nil {
		t.Error("a misspelled parameter was accepted")
	}
	got, err := txn.Call(object("op", "kv.get", "key", "n"))
	must(t, err)
	if read, err := Decode[map[string]any](got); err != nil || read["value"] != int64(42) {
		t.Errorf("%v, %v", read, err)
	}
	must(t, txn.Commit())
	operations, err := Operations()
	must(t, err)
	if len(operations) < 80 || operations[0].Name != "kv.get" || operations[0].Required[0] != "key" {
		t.Errorf("%v", operations)
	}
	if none, _, err := engine.Call(); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}
