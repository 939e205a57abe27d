package statewright

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"
)

// all collects a list.
func all[T any](t testing.TB, list iter.Seq2[T, error]) []T {
	t.Helper()
	var items []T
	for item, err := range list {
		must(t, err)
		items = append(items, item)
	}
	return items
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

// got is a result whose error must be none.
func got[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		must(t, err)
		return value
	}
}

func TestKVBeyondGetAndPut(t *testing.T) {
	kv := openMemory(t).KV()
	must(t, kv.Put("k", 1))
	flag, value := got[bool](t), got[Value](t)
	same(t, "has", flag(kv.Has("k")), true)
	stored, found, err := kv.Lookup("k")
	must(t, err)
	same(t, "found", found, true)
	must(t, kv.PutIfVersion("k", stored.Version, 2))
	wants(t, kv.PutIfVersion("k", stored.Version, 3), ErrVersionMismatch)
	must(t, kv.PutIfVersion("made", 0, 1))
	same(t, "put if absent", flag(kv.PutIfAbsent("k", 9)), false)
	must(t, kv.CompareAndSwap("k", 2, "two"))
	must(t, kv.CompareAndSwap("new", Absent, nil))
	must(t, kv.CompareAndSwap("new", nil, 5))
	wants(t, kv.CompareAndSwap("none", nil, 5), ErrValueMismatch)
	same(t, "swapped", value(kv.Swap("new", 6)).String(), "5")
	same(t, "sum", value(kv.Increment("new", 36)).String(), "42")
	same(t, "sum", value(kv.Increment("f", 0.5)).String(), "0.5")
	must(t, kv.Append("k", "more", " "))
	must(t, kv.Extend("list", 1, "a"))
	must(t, kv.Merge("list", []int{2}, Concatenate))
	_, err = kv.Increment("k", 1)
	wants(t, err, ErrWrongType)
	must(t, kv.Put("full", uint64(1<<64-1)))
	_, err = kv.Increment("full", 1)
	wants(t, err, ErrArithmetic)
	list, _, err := Get[[]any](kv, "list")
	must(t, err)
	same(t, "list", fmt.Sprint(list), "[1 a 2]")
	must(t, kv.PutFor("late", 1, time.Hour))
	stored, _, err = kv.Lookup("late")
	must(t, err)
	same(t, "expires", stored.Expires.After(time.Now()), true)
	must(t, kv.PutUntil("gone", 1, time.Unix(1, 0)))
	same(t, "gone", flag(kv.Has("gone")), false)
	must(t, kv.Purge(10))
	same(t, "count", got[uint64](t)(kv.Count("l")), 2)
}

func TestScansOfAnyLength(t *testing.T) {
	engine := openMemory(t)
	kv := engine.KV()
	for n := range 700 {
		must(t, kv.Put(fmt.Sprintf("k%03d", n), n))
	}
	must(t, kv.Put("\xff\x00", "bytes"))
	seen := 0
	for entry, err := range kv.Scan("k") {
		must(t, err)
		must(t, kv.Put("k9"+entry.Key, seen))
		seen++
	}
	same(t, "in one state", seen, 700)
	last := all(t, kv.Scan("", Reverse(), Limit(2)))
	same(t, "the last", last[0].Key, "\xff\x00")
	before := all(t, kv.Scan("k0", Reverse(), After("k002")))
	same(t, "before", before[0].Key+before[1].Key, "k001k000")
	same(t, "after", len(all(t, kv.Scan("k0", After("k097")))), 2)
	for range kv.Scan("k") {
		break
	}
	large := make([]byte, 400_000)
	for n := range 6 {
		must(t, kv.Put(fmt.Sprintf("large%d", n), large))
	}
	same(t, "large", len(all(t, kv.Scan("large"))), 6)

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	enough := errors.New("enough")
	seen = 0
	var failure error
	for _, err := range kv.Scan("k", Within(ctx)) {
		if err != nil {
			failure = err
			break
		}
		if seen++; seen == 3 {
			cancel(enough)
		}
	}
	same(t, "the context's cause", failure, enough)
	for _, err := range engine.Space("a//b").KV().Scan("") {
		wants(t, err, ErrInvalidSpace)
	}
}

func TestJSONDocuments(t *testing.T) {
	json := openMemory(t).JSON()
	must(t, json.Create("d", map[string]any{"n": 1, "list": []int{1, 2, 3}, "t": "a"}))
	version, _, err := json.Version("d")
	must(t, err)
	must(t, json.SetIfVersion("d", ".o.x", version, 1))
	wants(t, json.SetIfVersion("d", ".o.x", version, 2), ErrVersionMismatch)
	must(t, json.Patch("d", []PatchOperation{{Op: "replace", Path: "/n", Value: 2}}))
	wants(t, json.Patch("d", []PatchOperation{{Op: "test", Path: "/n", Value: 3}}), ErrPatchFailed)
	must(t, json.Merge("d", "", map[string]any{"o": map[string]any{"x": nil, "y": 2}}))
	must(t, json.MergeBy("d", ".o", map[string]any{"z": 1}, Deep))
	must(t, json.Push("d", ".list", 4, 5))
	value := got[Value](t)
	same(t, "popped", value(json.Pop("d", ".list")).String(), "5")
	must(t, json.Insert("d", ".list[0]", 0))
	must(t, json.MoveItem("d", ".list", 0, 4))
	must(t, json.Move("d", ".t", ".o.t"))
	same(t, "sum", value(json.Increment("d", ".n", 1.5)).String(), "3.5")
	must(t, json.Append("d", ".o.t", "b", "+"))
	n, _, err := json.Len("d", ".list")
	must(t, err)
	keys, _, err := json.Keys("d", ".o")
	must(t, err)
	same(t, "len and keys", fmt.Sprint(n, keys), "5 [y z t]")
	same(t, "has", got[bool](t)(json.Has("e")), false)
	same(t, "count", got[uint64](t)(json.Count("")), 1)
	same(t, "listed", len(all(t, json.List("d"))), 1)
	wants(t, json.Push("none", "", 1), ErrNotFound)
	wants(t, json.Push("d", ".n", 1), ErrWrongType)
}

func TestEvents(t *testing.T) {
	engine := openMemory(t)
	orders := engine.Events("orders")
	_, found, err := orders.Head()
	same(t, "no head", found || err != nil, false)
	for n := range 600 {
		sequence, err := orders.Append([]string{"placed", "paid"}[n%2], map[string]int{"id": n})
		must(t, err)
		same(t, "sequence", sequence, uint64(n))
	}
	next := uint64(0)
	for event, err := range orders.Read() {
		must(t, err)
		same(t, "order", event.Sequence, next)
		next++
	}
	same(t, "all", next, 600)
	event, _, err := orders.Get(7)
	must(t, err)
	same(t, "event", event.Type+event.Payload.String(), `paid{"id":7}`)
	same(t, "range", len(all(t, orders.Read(From(3), To(5)))), 2)
	same(t, "reverse", all(t, orders.Read(Reverse(), Limit(1)))[0].Sequence, 599)
	same(t, "by type", len(all(t, orders.ByType("paid"))), 300)
	same(t, "by time", len(all(t, orders.ByTime(Since(time.Unix(0, 0)), Until(time.Now().Add(time.Hour))))), 600)
	same(t, "by time", len(all(t, orders.ByTime(Until(time.Unix(1, 0))))), 0)
	same(t, "len", got[uint64](t)(orders.Len()), 600)
	same(t, "types", fmt.Sprint(got[[]string](t)(orders.Types())), "[paid placed]")
	info, _, err := orders.Verify()
	must(t, err)
	same(t, "verified", info.Len, 600)
	same(t, "streams", all(t, engine.Space("").Streams("o"))[0].Name, "orders")
	_, err = orders.Append("t", []int{1})
	wants(t, err, ErrWrongType)
	_, err = engine.Events("").Append("t", map[string]int{})
	wants(t, err, ErrInvalidName)
}

func TestCells(t *testing.T) {
	cells := openMemory(t).Cells()
	must(t, cells.Init("phase", "draft"))
	wants(t, cells.Init("phase", "again"), ErrAlreadyExists)
	seen, _, err := cells.Get("phase")
	must(t, err)
	must(t, cells.CompareAndSwap("phase", seen.Version, "review"))
	wants(t, cells.CompareAndSwap("phase", seen.Version, "lost"), ErrVersionMismatch)
	must(t, cells.CompareAndSwap("new", 0, 1))
	same(t, "init", got[Value](t)(cells.GetOrInit("other", 7)).String(), "7")
	must(t, cells.Set("other", 8))
	listed := all(t, cells.List(""))
	same(t, "listed", listed[0].Name+listed[2].Value.String(), `new"review"`)
	same(t, "deleted", got[bool](t)(cells.Delete("new")), true)
	_, found, err := cells.Get("new")
	same(t, "gone", found || err != nil, false)
}

func TestTraces(t *testing.T) {
	traces := openMemory(t).Traces()
	plan, err := traces.Record(NewTrace{Type: "decision", Payload: map[string]string{"use": "search"}})
	must(t, err)
	for n := range 300 {
		call := NewTrace{Type: "tool_call", Payload: n, Parent: plan, Tags: []string{"slow"}, ID: fmt.Sprint("c", 1000+n)}
		_, err := traces.Record(call)
		must(t, err)
	}
	tree := got[[]TraceNode](t)(traces.Tree(plan, 1000))
	same(t, "tree", fmt.Sprint(len(tree), tree[300].Depth, tree[300].Trace.Parent == plan), "301 1 true")
	same(t, "all", len(all(t, traces.List())), 301)
	same(t, "roots", all(t, traces.Roots())[0].ID, plan)
	same(t, "by type", len(all(t, traces.ByType("tool_call"))), 300)
	same(t, "by tag", all(t, traces.ByTag("slow", After("c1298")))[0].ID, "c1299")
	same(t, "children", len(all(t, traces.Children(plan, Limit(260)))), 260)
	same(t, "count", got[uint64](t)(traces.Count()), 301)
	trace, _, err := traces.Get("c1007")
	must(t, err)
	same(t, "trace", fmt.Sprint(trace.Type, trace.Payload, trace.Tags), "tool_call7 [slow]")
	_, err = traces.Record(NewTrace{Type: "t", Parent: "none"})
	wants(t, err, ErrNotFound)
	_, err = traces.Record(NewTrace{Type: "t", ID: plan})
	wants(t, err, ErrAlreadyExists)
}

func TestRuns(t *testing.T) {
	engine := openMemory(t)
	runs := engine.Runs()
	id, err := runs.Create(NewRun{ID: "r1", Tags: []string{"nightly"}, Metadata: map[string]int{"rows": 1}})
	must(t, err)
	run, _, err := runs.Get(id)
	must(t, err)
	must(t, engine.Space(run.Space).KV().Put("rows", 17))
	fork, err := runs.Fork(id, NewRun{ID: "r2"})
	must(t, err)
	must(t, engine.Space("default/"+fork).KV().Put("rows", 18))
	differences := got[[]Difference](t)(runs.Diff(id, fork, 10))
	same(t, "diff", fmt.Sprint(differences), "[{kv kv/rows 17 18}]")
	must(t, runs.SetMetadata(id, ".rows", 2))
	must(t, runs.RemoveMetadata(id, ".none"))
	flag := got[bool](t)
	same(t, "tags", fmt.Sprint(flag(runs.AddTag(id, "x")), flag(runs.RemoveTag(id, "x"))), "true true")
	must(t, runs.SetStatus(id, RunCompleted))
	wants(t, runs.SetStatus(id, RunActive), ErrIllegalTransition)
	run, _, err = runs.Get(id)
	must(t, err)
	same(t, "run", fmt.Sprint(run.Status, run.Tags, run.Metadata), `completed[nightly] {"rows":2}`)
	same(t, "all", len(all(t, runs.List())), 2)
	same(t, "by status", all(t, runs.ByStatus(RunCompleted))[0].ID, id)
	same(t, "by tag", all(t, runs.ByTag("nightly"))[0].ID, id)
	same(t, "roots and children", all(t, runs.Roots())[0].ID+all(t, runs.Children(id))[0].ID, id+fork)
	_, err = runs.Delete(id, false)
	wants(t, err, ErrHasChildren)
	same(t, "deleted", got[uint64](t)(runs.Delete(id, true)), 2)
	same(t, "count", got[uint64](t)(runs.Count()), 0)
}

func TestSpaces(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.Space("a/b").KV().Put("k", 1))
	spaces := engine.Spaces()
	must(t, spaces.Copy("a/b", "c"))
	wants(t, spaces.Copy("a/b", "c"), ErrAlreadyExists)
	same(t, "listed", fmt.Sprint(all(t, spaces.List(""))), "[a/b c]")
	same(t, "keys", got[SpaceInfo](t)(spaces.Info("c")).Keys, 1)
	flag := got[bool](t)
	same(t, "deleted", fmt.Sprint(flag(spaces.Delete("c")), flag(spaces.Has("c"))), "true false")
}

func TestATransactionHasAllPrimitivesAndSavepoints(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.Transact(context.Background(), func(txn *Txn) error {
		must(t, txn.KV().Put("k", 1))
		sum, err := txn.KV().Increment("k", 1)
		same(t, "not known yet", sum.IsNull() && err == nil, true)
		must(t, txn.JSON().Create("d", 1))
		_, err = txn.Events("s").Append("t", map[string]int{"a": 1})
		must(t, err)
		must(t, txn.Cells().Set("c", "x"))
		_, err = txn.Traces().Record(NewTrace{Type: "t"})
		must(t, err)
		_, err = txn.Runs().Create(NewRun{ID: "r"})
		must(t, err)
		mark, err := txn.Savepoint()
		must(t, err)
		must(t, txn.KV().Put("k", "undone"))
		must(t, mark.Rollback())
		inner, err := txn.Savepoint()
		must(t, err)
		must(t, mark.Release())
		wants(t, inner.Rollback(), ErrUnknownSavepoint)
		same(t, "scanned", len(all(t, txn.KV().Scan(""))), 1)
		return nil
	}))
	value, _, err := Get[int](engine.KV(), "k")
	must(t, err)
	same(t, "k", value, 2)
	info := got[SpaceInfo](t)(engine.Spaces().Info(""))
	same(t, "info", info, SpaceInfo{Keys: 1, Documents: 1, Cells: 1, Streams: 1, Traces: 1, Runs: 1})

	weak, err := engine.Begin(WeakIsolation)
	must(t, err)
	defer weak.Rollback()
	must(t, engine.KV().Put("k", 3))
	_, err = weak.KV().Get("k", nil)
	wants(t, err, ErrConflict)
	must(t, weak.Rollback())
	for _, err := range weak.KV().Scan("") {
		wants(t, err, ErrTxnClosed)
	}
	_, err = weak.Savepoint()
	wants(t, err, ErrTxnClosed)
}

func TestTimesAreNeverTooShort(t *testing.T) {
	kv := openMemory(t).KV()
	for _, ttl := range []time.Duration{time.Hour, time.Hour + time.Nanosecond, time.Hour + 999*time.Microsecond} {
		before := time.Now().Truncate(time.Microsecond)
		must(t, kv.PutFor("k", 1, ttl))
		stored, found, err := kv.Lookup("k")
		must(t, err)
		if late := stored.Expires.Sub(before.Add(ttl)); !found || late < 0 {
			t.Errorf("%v: it expires %v too early", ttl, -late)
		}
	}
	wants(t, kv.PutFor("k", 1, -time.Hour), ErrInvalidCall)
}

func TestAnEmptySpaceIsTheDefaultOne(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.Space("a").KV().Put("k", 1))
	must(t, engine.Spaces().Copy("a", ""))
	found, err := engine.KV().Has("k")
	must(t, err)
	same(t, "copied", found, true)
}

func TestAPatchCopiesAWholeDocument(t *testing.T) {
	json := openMemory(t).JSON()
	must(t, json.Create("d", map[string]any{"a": 1}))
	must(t, json.Patch("d", []PatchOperation{{Op: "copy", From: "", Path: "/b"}}))
	got, _, err := GetAt[map[string]any](json, "d", ".b")
	must(t, err)
	same(t, "copied", fmt.Sprint(got), "map[a:1]")
}

func TestHistory(t *testing.T) {
	engine, err := Open(t.TempDir(), nil)
	must(t, err)
	defer engine.Close()
	kv := engine.KV()
	must(t, kv.Put("k", 1))
	_, err = kv.Delete("k")
	must(t, err)
	pasts := got[[]Past](t)(kv.History("k", 10))
	same(t, "pasts", fmt.Sprint(len(pasts), pasts[0].Removed, pasts[1].Value), "2 true 1")
	was, _, err := kv.GetAtVersion("k", pasts[1].Version)
	must(t, err)
	same(t, "was", was.Value.String(), "1")
	must(t, kv.PutUntil("k", 3, time.UnixMicro(4102444800000001)))
	pasts = got[[]Past](t)(kv.History("k", 10))
	same(t, "expires", pasts[0].Expires.UnixMicro(), 4102444800000001)
	same(t, "stays", pasts[2].Expires.IsZero(), true)
	many := got[[]*Stored](t)(kv.GetMany("none", "k"))
	same(t, "many", fmt.Sprint(len(many), many[0] == nil, many[1].Value), "2 true 3")
	must(t, engine.Cells().Set("c", 1))
	cell, _, err := engine.Cells().Get("c")
	must(t, err)
	must(t, engine.Cells().Set("c", 2))
	was, _, err = engine.Cells().GetAtVersion("c", cell.Version)
	must(t, err)
	same(t, "cell", was.Value.String(), "1")
	must(t, engine.JSON().Create("d", map[string]any{"a": nil}))
	kind, there, err := engine.JSON().Kind("d", ".a")
	must(t, err)
	same(t, "kind", fmt.Sprint(kind, " ", there), "null true")
	_, there, err = engine.JSON().Kind("d", ".b")
	must(t, err)
	same(t, "no kind", there, false)
	run, err := engine.Runs().Create(NewRun{ID: "r"})
	must(t, err)
	must(t, engine.Space("default/r").KV().Put("rows", 1))
	replay := got[[]RunCommit](t)(engine.Runs().Replay(run, 10))
	same(t, "replay", fmt.Sprint(len(replay), replay[1].Time.IsZero(), replay[1].Ops), "2 false [{kv.put default/r/kv/rows}]")
	_, err = openMemory(t).KV().History("k", 10)
	wants(t, err, ErrNoHistory)
	stats, err := engine.Stats()
	must(t, err)
	same(t, "stats", stats.Log.Commits == 8 && stats.Log.BytesPerCommit > 0, true)
}
