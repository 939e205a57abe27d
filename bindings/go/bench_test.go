package statewright

import (
	"context"
	"testing"
)

func BenchmarkGet(b *testing.B) {
	engine := openMemory(b)
	must(b, engine.KV().Put("k", 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Get[int](engine.KV(), "k"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutStruct(b *testing.B) {
	engine := openMemory(b)
	value := struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}{"ada", 36}
	b.ReportAllocs()
	for b.Loop() {
		must(b, engine.KV().Put("k", value))
	}
}

func BenchmarkTransact(b *testing.B) {
	engine := openMemory(b)
	must(b, engine.JSON().Create("n", map[string]int{"n": 0}))
	b.ReportAllocs()
	for b.Loop() {
		must(b, engine.Transact(context.Background(), func(txn *Txn) error {
			n, _, err := GetAt[int](txn.JSON(), "n", ".n")
			if err != nil {
				return err
			}
			return txn.JSON().Set("n", ".n", n+1)
		}))
	}
}

// From the start of a case to its result, with one item done by a worker.
func BenchmarkCase(b *testing.B) {
	engine := openMemory(b)
	deployed(b, engine, hostFlow)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	worker := asking(engine, func(context.Context, *WorkItem) (any, error) { return 1, nil })
	go func() { served <- worker.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		ended(b, engine, started(b, engine, "ask", nil))
	}
	cancel()
	must(b, <-served)
}
