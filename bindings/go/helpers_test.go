package statewright

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// soon is longer than anything here should take, also on a busy machine with the race detector.
const soon = 20 * time.Second

func openMemory(t testing.TB) *Engine {
	t.Helper()
	engine, err := OpenMemory(nil)
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	return engine
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless the error is of this kind, and gives it.
func wants(t testing.TB, err error, code Code) *Error {
	t.Helper()
	var failure *Error
	if !errors.Is(err, code) || !errors.As(err, &failure) {
		t.Fatalf("the error is %v, not %v", err, code)
	}
	if failure.Message == "" || !strings.HasPrefix(err.Error(), "statewright: ") {
		t.Errorf("the error says too little: %q", err)
	}
	return failure
}

func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// threads counts the threads of this process.
func threads(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("this system does not tell threads in a folder")
	}
	return len(tasks)
}

// settled checks that as many goroutines are left as there were before.
func settled(t testing.TB, before int) {
	t.Helper()
	eventually(t, "the goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
}

// spawn is sync.WaitGroup.Go, which Go 1.24 does not have yet.
func spawn(group *sync.WaitGroup, work func()) {
	group.Add(1)
	go func() {
		defer group.Done()
		work()
	}()
}

// hostFlow is a flow of one host task.
const hostFlow = `
name: ask
version: 1
tasks:
  ask: { kind: host, topic: ask, input: .input.question, into: .answer, retry: { attempts: 3, delay: 1ms } }
output: .answer
`

func deployed(t testing.TB, engine *Engine, spec string) {
	t.Helper()
	_, err := engine.Deploy(spec, "")
	must(t, err)
}

func started(t testing.TB, engine *Engine, flow string, input any) string {
	t.Helper()
	id, err := engine.Start(flow, input)
	must(t, err)
	return id
}

func polled(t testing.TB, engine *Engine, poll Poll) *WorkItem {
	t.Helper()
	items, err := engine.Poll(within(t, soon), poll)
	must(t, err)
	if len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	return items[0]
}

func ended(t testing.TB, engine *Engine, id string) Case {
	t.Helper()
	c, err := engine.Wait(within(t, soon), id)
	must(t, err)
	return c
}
