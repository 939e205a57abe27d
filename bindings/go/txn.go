package statewright

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Isolation is what a transaction is kept apart from.
type Isolation uint32

const (
	// Serializable: what was read and what is written must be unchanged at commit, so the result is that of some
	// serial order.
	Serializable Isolation = capi.SW_ISOLATION_SERIALIZABLE
	// SnapshotIsolation: only what is written must be unchanged at commit.
	SnapshotIsolation Isolation = capi.SW_ISOLATION_SNAPSHOT
	// WeakIsolation: as SnapshotIsolation, and a read of what was changed since the transaction began fails at once
	// with [ErrConflict].
	WeakIsolation Isolation = capi.SW_ISOLATION_WEAK
)

// Txn is a transaction: it reads the state as it was when it began, plus its own writes, and nobody else sees those
// before it commits. It is for one goroutine at a time; a second one gets [ErrBusy].
//
// End it with [Txn.Commit] or [Txn.Rollback]. One that is forgotten is rolled back some time after it has become
// unreachable.
type Txn struct {
	engine  *Engine // stays open while the transaction is in use
	handle  capi.Txn
	cleanup runtime.Cleanup
	ended   atomic.Bool
	version uint64
}

// Begin begins a transaction. [Engine.Transact] does so too, and runs it again when it conflicts.
func (e *Engine) Begin(isolation Isolation) (*Txn, error) {
	handle, err := capi.TxnBegin(e.core.handle, uint32(isolation))
	if err := e.end(err); err != nil {
		return nil, err
	}
	txn := &Txn{engine: e, handle: handle}
	txn.cleanup = runtime.AddCleanup(txn, func(handle capi.Txn) { _ = capi.TxnRollback(handle) }, handle)
	return txn, nil
}

// end is called with the error of every call, as [Engine.end] is.
func (t *Txn) end(err error) error {
	runtime.KeepAlive(t)
	return converted(err, ErrTxnClosed, txnClosed)
}

const txnClosed = "the transaction was committed or rolled back already"

// Commit makes all of the transaction's writes happen, or none. Whatever the outcome, the transaction is over, but
// after [ErrBusy].
//
// [ErrConflict] says that another transaction changed what this one read or wrote; the error's Path says where.
// Then nothing was written, and the whole transaction may be run again.
func (t *Txn) Commit() error {
	if t.ended.Load() {
		return &Error{Code: ErrTxnClosed, Message: txnClosed}
	}
	version, err := capi.TxnCommit(t.handle)
	if err == nil {
		t.version = version
	}
	return t.over(err)
}

// Version is that of the commit that the transaction made, or, if it wrote nothing, the version that it read. It is
// 0 before [Txn.Commit] succeeds.
func (t *Txn) Version() uint64 { return t.version }

// Savepoint is a point in a transaction to which it can go back. They nest: going back to one, or releasing it, ends all
// that were made after it.
type Savepoint struct {
	txn    *Txn
	number uint64
}

// Savepoint marks this point of the transaction.
func (t *Txn) Savepoint() (Savepoint, error) {
	number, err := capi.TxnSavepoint(t.handle)
	return Savepoint{t, number}, t.end(err)
}

// Rollback undoes what was written since the savepoint, which stays. What was read since then still counts when the
// commit is validated. It fails with [ErrUnknownSavepoint] if the savepoint was released or undone.
func (s Savepoint) Rollback() error { return s.txn.end(capi.TxnRollbackTo(s.txn.handle, s.number)) }

// Release forgets the savepoint and all after it; what was written stays.
func (s Savepoint) Release() error { return s.txn.end(capi.TxnRelease(s.txn.handle, s.number)) }

// Rollback ends the transaction without writing anything. It does nothing after Commit or Rollback, so that it can be
// deferred, and it works even if the engine is closed.
func (t *Txn) Rollback() error {
	if t.ended.Load() {
		return nil
	}
	return t.over(capi.TxnRollback(t.handle))
}

func (t *Txn) over(err error) error {
	if !isLow(err, capi.SW_BUSY) {
		t.ended.Store(true)
		t.cleanup.Stop()
	}
	return t.end(err)
}

// Transact runs a function in a serializable transaction and commits it. If the function fails, the transaction is
// rolled back, and the error returned as it is. If the transaction conflicts with another one, it is run again,
// until it succeeds or the context ends: so the function must have no effects but on the transaction.
func (e *Engine) Transact(ctx context.Context, run func(txn *Txn) error) error {
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return abandoned(ctx, "running a transaction")
		}
		err := e.transactOnce(run)
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrSnapshotTooOld) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (e *Engine) transactOnce(run func(txn *Txn) error) error {
	txn, err := e.Begin(Serializable)
	if err != nil {
		return err
	}
	defer txn.Rollback() // also when run panics
	if err := run(txn); err != nil {
		return err
	}
	return txn.Commit()
}

// pause waits a little longer after each conflict, and not equally long in two goroutines, so that they do not meet
// again. The first time it does not wait at all: most conflicts are over when they are noticed.
func pause(ctx context.Context, attempt int) error {
	if attempt == 1 {
		return nil
	}
	longest := 100 * time.Microsecond << min(attempt, 10)
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return abandoned(ctx, "running a transaction")
	}
}
