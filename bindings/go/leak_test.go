package statewright

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

const rounds = 10_000

// Less than this for each round is no leak: an object of the library or of Go is larger.
const slack = 16 // bytes

// leaks runs something often, and checks that the process holds no more of anything afterwards.
func leaks(t *testing.T, run func(round int)) {
	t.Helper()
	for round := range rounds / 10 { // what is made once and kept is made here
		run(round)
	}
	before := held(t, holdings{})
	for round := range rounds {
		run(round)
	}
	var after holdings
	defer func() { t.Logf("before %+v, after %+v", before, after) }()
	// What Go has forgotten is freed in a goroutine of Go's own, in its time.
	eventually(t, "what was forgotten is freed", func() bool {
		after = held(t, before)
		return after.noMoreThan(before)
	})
}

// holdings is what a process can have too much of; heap and library are bytes of Go and of C.
type holdings struct {
	goroutines, threads, files int
	heap, library              uint64
}

func (h holdings) noMoreThan(before holdings) bool {
	return h.goroutines <= before.goroutines && h.files <= before.files+2 &&
		// The Go runtime may start threads, and keeps those that it has.
		h.threads <= before.threads+16 &&
		h.library <= before.library+slack*rounds && h.heap <= before.heap+slack*rounds
}

// held waits for as few goroutines as there were, then counts.
func held(t *testing.T, before holdings) holdings {
	t.Helper()
	if before.goroutines > 0 {
		settled(t, before.goroutines)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not tell open files in a folder")
	}
	var memory runtime.MemStats
	for range 3 {
		runtime.GC() // what is forgotten, and then what its cleanups forget
	}
	runtime.ReadMemStats(&memory)
	return holdings{runtime.NumGoroutine(), threads(t), len(files), memory.HeapAlloc, libraryMemory()}
}

func TestEnginesLeakNothing(t *testing.T) {
	leaks(t, func(round int) {
		engine, err := OpenMemory(&Options{Paused: round%4 != 0, Workers: 1})
		must(t, err)
		must(t, engine.KV().Put("k", round))
		if round%4 == 0 { // with the queue and its goroutine
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(100*time.Microsecond, cancel)
			if _, err := engine.Poll(ctx, Poll{Topics: []string{"t"}}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		must(t, engine.Close())
	})
}

func TestTransactionsAndValuesLeakNothing(t *testing.T) {
	engine := openMemory(t)
	large := make([]byte, 4096)
	leaks(t, func(round int) {
		txn, err := engine.Begin(Serializable)
		must(t, err)
		must(t, txn.KV().Put("k", large))
		if _, _, err := Get[Value](txn.KV(), "k"); err != nil {
			t.Error(err)
		}
		for entry, err := range txn.KV().Scan("") {
			if err != nil || len(entry.Value) < len(large) {
				t.Error(err)
			}
		}
		if round%2 == 0 {
			must(t, txn.Commit())
		} else {
			must(t, txn.Rollback())
		}
		// Failures have details, which are the library's memory too.
		if err := engine.JSON().Set("none", ".a", 1); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if err := txn.Commit(); !errors.Is(err, ErrTxnClosed) {
			t.Error(err)
		}
	})
	if stats, err := engine.Stats(); err != nil || stats.Transactions != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestCancelledWaitsLeakNothing(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", nil)
	leaks(t, func(round int) {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		var err error
		if round%2 == 0 {
			_, err = engine.Wait(ctx, id)
		} else {
			_, err = engine.Poll(ctx, Poll{Topics: []string{"nobody's"}})
		}
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if !idle(engine) {
		t.Error("waits are left in the queue")
	}
}

// What is forgotten without being closed is ended after it was collected.
func TestWhatIsForgottenIsEnded(t *testing.T) {
	dir := t.TempDir()
	engine, err := Open(dir, nil)
	must(t, err)
	for range 100 {
		txn, err := engine.Begin(Serializable)
		must(t, err)
		must(t, txn.KV().Put("k", 1))
	}
	eventually(t, "the transactions were rolled back", func() bool {
		runtime.GC()
		stats, err := engine.Stats()
		must(t, err)
		return stats.Transactions == 0
	})
	_, err = engine.core.waits() // its goroutine must not keep the engine
	must(t, err)
	runtime.KeepAlive(engine)
	engine = nil
	eventually(t, "the engine was closed", func() bool {
		runtime.GC()
		again, err := Open(dir, nil)
		if err == nil {
			must(t, again.Close())
		} else if !errors.Is(err, ErrLocked) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// An engine is not collected while a call, an iteration, an item or a transaction still needs it, though nothing else
// refers to it.
func TestWhatIsInUseIsNotCollected(t *testing.T) {
	stop := make(chan struct{})
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	open := func() *Engine {
		engine, err := OpenMemory(&Options{Workers: 1})
		must(t, err)
		return engine
	}
	for range 50 {
		must(t, open().KV().Put("k", 1))
		_, err := open().Stats()
		must(t, err)
		txn, err := open().Begin(Serializable)
		must(t, err)
		for i := range 2 * pageItems {
			must(t, txn.KV().Put(string(rune('a'+i)), i))
		}
		must(t, txn.Commit())
		count := 0
		for _, err := range txnOf(t, open()).KV().Scan("") {
			must(t, err)
			count++
		}
		if count != 2*pageItems {
			t.Errorf("%d", count)
		}
		item := func() *WorkItem {
			engine := open()
			deployed(t, engine, hostFlow)
			started(t, engine, "ask", nil)
			return polled(t, engine, Poll{Topics: []string{"ask"}})
		}()
		must(t, item.Heartbeat(time.Minute))
		must(t, item.Complete(1))
	}
	close(stop)
	<-collected
}

func txnOf(t *testing.T, engine *Engine) *Txn {
	t.Helper()
	txn, err := engine.Begin(SnapshotIsolation)
	must(t, err)
	for i := range 2 * pageItems {
		must(t, txn.KV().Put(string(rune('a'+i)), i))
	}
	return txn
}
