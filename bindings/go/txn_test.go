package statewright

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestATransactionSeesItselfAndNobodySeesIt(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.KV().Put("k", 1))
	txn, err := engine.Begin(Serializable)
	must(t, err)
	defer txn.Rollback()
	must(t, txn.KV().Put("k", 2))
	if n, _, err := Get[int](txn.KV(), "k"); err != nil || n != 2 {
		t.Errorf("inside: %d, %v", n, err)
	}
	if n, _, err := Get[int](engine.KV(), "k"); err != nil || n != 1 {
		t.Errorf("outside: %d, %v", n, err)
	}
	if txn.Version() != 0 {
		t.Error("it has a version before it is committed")
	}
	must(t, txn.Commit())
	if n, _, err := Get[int](engine.KV(), "k"); err != nil || n != 2 {
		t.Errorf("after the commit: %d, %v", n, err)
	}
	stats, err := engine.Stats()
	if must(t, err); txn.Version() != stats.Version {
		t.Errorf("the version is %d, the engine's %d", txn.Version(), stats.Version)
	}
}

func TestARollbackLeavesNothing(t *testing.T) {
	engine := openMemory(t)
	txn, err := engine.Begin(Serializable)
	must(t, err)
	must(t, txn.KV().Put("k", 1))
	must(t, txn.Rollback())
	must(t, txn.Rollback())
	if found, err := engine.KV().Get("k", nil); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
}

func TestAnEndedTransactionIsClosed(t *testing.T) {
	for name, end := range map[string]func(*Txn) error{"commit": (*Txn).Commit, "rollback": (*Txn).Rollback} {
		t.Run(name, func(t *testing.T) {
			engine := openMemory(t)
			txn, err := engine.Begin(Serializable)
			must(t, err)
			must(t, end(txn))
			wants(t, txn.Commit(), ErrTxnClosed)
			wants(t, txn.KV().Put("k", 1), ErrTxnClosed)
			_, err = txn.JSON().Get("k", "", nil)
			wants(t, err, ErrTxnClosed)
			must(t, txn.Rollback())
		})
	}
}

func TestAConflictNamesItsPlace(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.JSON().Create("accounts", map[string]int{"alice": 70, "bob": 80}))
	begin := func(isolation Isolation) *Txn {
		txn, err := engine.Begin(isolation)
		must(t, err)
		t.Cleanup(func() { must(t, txn.Rollback()) })
		return txn
	}
	first, second, third := begin(Serializable), begin(Serializable), begin(SnapshotIsolation)
	for _, txn := range []*Txn{first, second, third} {
		_, _, err := GetAt[int](txn.JSON(), "accounts", ".alice")
		must(t, err)
	}
	must(t, first.JSON().Set("accounts", ".alice", 70))
	must(t, second.JSON().Set("accounts", ".bob", 1))
	must(t, third.JSON().Set("accounts", ".bob", 2))
	must(t, first.Commit())
	failure := wants(t, second.Commit(), ErrConflict)
	if failure.Path != "default/json/accounts .alice" || !failure.Retryable || !IsRetryable(failure) {
		t.Errorf("%+v", failure)
	}
	must(t, third.Commit()) // it only read what was changed
	if n, _, err := GetAt[int](engine.JSON(), "accounts", ".bob"); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestTwoThatChangeTheSameConflictWhateverTheirIsolation(t *testing.T) {
	engine := openMemory(t)
	for _, isolation := range []Isolation{Serializable, SnapshotIsolation, WeakIsolation} {
		must(t, engine.KV().Put("a", 1))
		txn, err := engine.Begin(isolation)
		must(t, err)
		must(t, engine.KV().Put("a", 2))
		n, _, err := Get[int](txn.KV(), "a")
		if isolation == WeakIsolation { // it is told at once
			wants(t, err, ErrConflict)
		} else if must(t, err); n != 1 {
			t.Errorf("%v reads %d", isolation, n)
		}
		must(t, txn.KV().Put("a", 3))
		wants(t, txn.Commit(), ErrConflict)
		if n, _, err := Get[int](engine.KV(), "a"); err != nil || n != 2 {
			t.Errorf("%v wrote %d, %v", isolation, n, err)
		}
	}
}

func TestTransactRunsAgainUntilItFits(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.JSON().Create("counter", map[string]int{"n": 0}))
	const goroutines, each = 8, 50
	var runs atomic.Int64
	var group sync.WaitGroup
	for range goroutines {
		spawn(&group, func() {
			for range each {
				err := engine.Transact(within(t, soon), func(txn *Txn) error {
					runs.Add(1)
					n, _, err := GetAt[int](txn.JSON(), "counter", ".n")
					if err != nil {
						return fmt.Errorf("reading: %w", err)
					}
					return txn.JSON().Set("counter", ".n", n+1)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, _, err := GetAt[int](engine.JSON(), "counter", ".n"); err != nil || n != goroutines*each {
		t.Errorf("%d, %v", n, err)
	}
	t.Logf("%d runs for %d transactions", runs.Load(), goroutines*each)
}

func TestTransactGivesTheFunctionsErrorAndUndoes(t *testing.T) {
	engine := openMemory(t)
	ours := errors.New("ours")
	runs := 0
	err := engine.Transact(context.Background(), func(txn *Txn) error {
		runs++
		must(t, txn.KV().Put("k", 1))
		return ours
	})
	if err != ours || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
	func() {
		defer func() {
			if recover() != "help" {
				t.Error("the panic was lost")
			}
		}()
		_ = engine.Transact(context.Background(), func(txn *Txn) error {
			must(t, txn.KV().Put("k", 1))
			panic("help")
		})
	}()
	if found, err := engine.KV().Get("k", nil); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
	if stats, err := engine.Stats(); err != nil || stats.Transactions != 0 {
		t.Errorf("%d transactions are left, %v", stats.Transactions, err)
	}
}

func TestTransactEndsWithItsContext(t *testing.T) {
	engine := openMemory(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	runs := 0
	err := engine.Transact(ctx, func(txn *Txn) error {
		runs++
		_, err := txn.KV().Get("k", nil)
		must(t, err)
		must(t, engine.KV().Put("k", runs)) // so that it conflicts each time
		return txn.KV().Put("k", 0)
	})
	if !errors.Is(err, context.DeadlineExceeded) || runs < 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
	cancelled, stop := context.WithCancel(context.Background())
	stop()
	err = engine.Transact(cancelled, func(*Txn) error { t.Error("it ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A transaction takes one goroutine at a time: another one is told, and nothing breaks.
func TestATransactionInTwoGoroutinesIsBusy(t *testing.T) {
	engine := openMemory(t)
	txn, err := engine.Begin(Serializable)
	must(t, err)
	defer txn.Rollback()
	large := strings.Repeat("x", 1<<20)
	var group sync.WaitGroup
	var written, busy atomic.Int64
	for g := range 4 {
		spawn(&group, func() {
			for i := range 50 {
				switch err := txn.KV().Put(fmt.Sprintf("%d/%d", g, i%3), large); {
				case err == nil:
					written.Add(1)
				case errors.Is(err, ErrBusy) && IsRetryable(err):
					busy.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if written.Load() == 0 {
		t.Error("nobody got through")
	}
	t.Logf("%d writes, %d times busy", written.Load(), busy.Load())
	must(t, txn.Rollback())
}

func TestATransactionOutlivesItsEngineHarmlessly(t *testing.T) {
	engine, err := OpenMemory(nil)
	must(t, err)
	txn, err := engine.Begin(Serializable)
	must(t, err)
	must(t, txn.KV().Put("k", 1))
	must(t, engine.Close())
	wants(t, txn.KV().Put("k", 2), ErrClosed)
	wants(t, txn.Commit(), ErrClosed)
	must(t, txn.Rollback())
}
