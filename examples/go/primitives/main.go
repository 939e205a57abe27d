// Primitives shows all six primitives, and one transaction over them. Its argument is the folder for its store.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/statewright/statewright/bindings/go"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: primitives STORE")
	}
	engine, err := statewright.Open(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	err = errors.Join(
		keys(engine), documents(engine), events(engine), cells(engine), traces(engine), runs(engine), together(engine),
		engine.Close(),
	)
	if err != nil {
		log.Fatal(err)
	}
}

// refused prints what a call was refused with.
func refused(err error) error {
	var failure *statewright.Error
	if !errors.As(err, &failure) {
		return fmt.Errorf("it was not refused: %w", err)
	}
	fmt.Printf("refused: %d\n", int32(failure.Code))
	return nil
}

// keys: counters that never conflict, compare-and-swap, scans of any length.
func keys(engine *statewright.Engine) error {
	kv := engine.KV()
	_, err := kv.Increment("visits", 1)
	if err != nil {
		return err
	}
	sum, err := kv.Increment("visits", 2)
	if err != nil {
		return err
	}
	fmt.Printf("counter: %v\n", sum)
	if err := refused(kv.CompareAndSwap("visits", 7, 8)); err != nil {
		return err
	}
	if err := errors.Join(kv.Put("job/1", 1), kv.Put("job/2", 2), kv.Put("job/3", 3)); err != nil {
		return err
	}
	fmt.Print("jobs:")
	for entry, err := range kv.Scan("job/") {
		if err != nil {
			return err
		}
		fmt.Print(" ", entry.Key)
	}
	for entry, err := range kv.Scan("job/", statewright.Reverse(), statewright.Limit(1)) {
		if err != nil {
			return err
		}
		fmt.Printf("\nlast: %s\n", entry.Key)
	}
	return nil
}

// documents: only what changes is written down.
func documents(engine *statewright.Engine) error {
	json := engine.JSON()
	err := errors.Join(
		json.Create("order", map[string][]string{"lines": {"pen"}}),
		json.Push("order", ".lines", "book"),
	)
	if err != nil {
		return err
	}
	if _, err := json.Increment("order", ".total", 30); err != nil {
		return err
	}
	var order statewright.Value
	_, err = json.Get("order", "", &order)
	fmt.Printf("order: %v\n", order)
	return err
}

// events: streams that only grow, each event chained to the one before it.
func events(engine *statewright.Engine) error {
	orders := engine.Events("orders")
	for _, event := range []struct {
		kind string
		id   int
	}{{"placed", 1}, {"paid", 1}, {"placed", 2}} {
		if _, err := orders.Append(event.kind, map[string]int{"id": event.id}); err != nil {
			return err
		}
	}
	fmt.Print("events:")
	for event, err := range orders.Read() {
		if err != nil {
			return err
		}
		fmt.Print(" ", event.Type)
	}
	placed := 0
	for _, err := range orders.ByType("placed") {
		if err != nil {
			return err
		}
		placed++
	}
	info, _, err := orders.Verify()
	fmt.Printf("\nplaced: %d of %d, the chain holds\n", placed, info.Len)
	return err
}

// cells: small values that are changed by version.
func cells(engine *statewright.Engine) error {
	cells := engine.Cells()
	if err := cells.Init("phase", "draft"); err != nil {
		return err
	}
	seen, _, err := cells.Get("phase")
	if err != nil {
		return err
	}
	if err := cells.CompareAndSwap("phase", seen.Version, "review"); err != nil {
		return err
	}
	now, _, err := cells.Get("phase")
	if err != nil {
		return err
	}
	fmt.Printf("phase: %v\n", now.Value)
	return refused(cells.CompareAndSwap("phase", seen.Version, "done"))
}

// traces: what was done and why, as trees.
func traces(engine *statewright.Engine) error {
	traces := engine.Traces()
	for _, trace := range []statewright.NewTrace{
		{ID: "plan", Type: "decision", Payload: map[string]string{"use": "search"}},
		{ID: "call", Type: "tool_call", Payload: map[string]string{"tool": "search"}, Parent: "plan", Tags: []string{"slow"}},
	} {
		if _, err := traces.Record(trace); err != nil {
			return err
		}
	}
	tree, err := traces.Tree("plan", 100)
	if err != nil || len(tree) != 2 {
		return fmt.Errorf("%d traces: %w", len(tree), err)
	}
	fmt.Printf("tree: %d %s, %d %s\n", tree[0].Depth, tree[0].Trace.ID, tree[1].Depth, tree[1].Trace.ID)
	return nil
}

// runs: each with a space for its state, which can be forked and compared.
func runs(engine *statewright.Engine) error {
	runs := engine.Runs()
	if _, err := runs.Create(statewright.NewRun{ID: "r1", Tags: []string{"nightly"}}); err != nil {
		return err
	}
	if err := rows(engine, "r1", 17); err != nil {
		return err
	}
	if _, err := runs.Fork("r1", statewright.NewRun{ID: "r2"}); err != nil {
		return err
	}
	if err := rows(engine, "r2", 18); err != nil {
		return err
	}
	differences, err := runs.Diff("r1", "r2", 10)
	if err != nil {
		return err
	}
	for _, d := range differences {
		fmt.Printf("diff: %s %v -> %v\n", d.Place, d.Before, d.After)
	}
	if err := runs.SetStatus("r1", statewright.RunCompleted); err != nil {
		return err
	}
	return refused(runs.SetStatus("r1", statewright.RunActive))
}

// rows sets a key of a run's state.
func rows(engine *statewright.Engine, id string, n int) error {
	run, _, err := engine.Runs().Get(id)
	if err != nil {
		return err
	}
	return engine.Space(run.Space).KV().Put("rows", n)
}

// together: all of it in one commit, and a part of it undone. It is run again if somebody else got in between.
func together(engine *statewright.Engine) error {
	err := engine.Transact(context.Background(), func(txn *statewright.Txn) error {
		if err := txn.KV().Put("kept", 1); err != nil {
			return err
		}
		before, err := txn.Savepoint()
		if err != nil {
			return err
		}
		if err := errors.Join(txn.KV().Put("tried", 2), before.Rollback()); err != nil {
			return err
		}
		_, err = txn.Events("orders").Append("sent", map[string]int{"id": 1})
		return errors.Join(err, txn.Cells().Set("phase", "done"))
	})
	if err != nil {
		return err
	}
	kept, err1 := engine.KV().Has("kept")
	tried, err2 := engine.KV().Has("tried")
	count, err3 := engine.Events("orders").Len()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	fmt.Printf("kept: %t, tried: %t, events: %d\nspaces:", kept, tried, count)
	for name, err := range engine.Spaces().List("") {
		if err != nil {
			return err
		}
		fmt.Print(" ", name)
	}
	fmt.Println()
	return nil
}
