package statewright

import (
	"context"
	"errors"
	"sync"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// How many completions one call into C takes at most.
const eventBatch = 256

// queue is an engine's completion queue. One goroutine takes completions from it, many at a time, and hands each to
// the goroutine that waits for it; nothing ever calls from C into Go.
type queue struct {
	handle capi.Cq
	ended  chan struct{} // closed when the goroutine has ended

	mutex   sync.Mutex
	waiting map[uint64]chan capi.Event // by ticket
	tickets uint64
	failed  error // why nothing more is taken
}

func newQueue() (*queue, error) {
	handle, err := capi.CqOpen(nil)
	if err != nil {
		return nil, convertedValue(err)
	}
	q := &queue{handle: handle, ended: make(chan struct{}), waiting: map[uint64]chan capi.Event{}}
	go q.run()
	return q, nil
}

func (q *queue) run() {
	defer close(q.ended)
	buffer := capi.NewEventBuffer(eventBatch)
	for {
		events, err := capi.CqWait(q.handle, buffer, -1)
		q.mutex.Lock()
		for _, event := range events {
			if waiting, ok := q.waiting[event.UserData]; ok {
				waiting <- event // it has room for the one completion that every accepted operation has
				delete(q.waiting, event.UserData)
			}
		}
		if err != nil {
			q.failed = err
			for ticket, waiting := range q.waiting {
				waiting <- capi.Event{UserData: ticket, Err: err}
			}
			clear(q.waiting)
		}
		q.mutex.Unlock()
		if err != nil {
			return
		}
	}
}

// wait submits an operation and waits for its completion, in every case: if the context ends first, the operation is
// cancelled and its completion waited for. So the operation is over when this returns, and if it brought something
// after all (work items that were just leased, say), that is not lost.
func (q *queue) wait(ctx context.Context, submit func(queue capi.Cq, ticket uint64) (op uint64, err error)) ([]byte, error) {
	done := make(chan capi.Event, 1)
	q.mutex.Lock()
	if q.failed != nil {
		q.mutex.Unlock()
		return nil, q.failed
	}
	q.tickets++
	ticket := q.tickets
	q.waiting[ticket] = done
	q.mutex.Unlock()

	op, err := submit(q.handle, ticket)
	if err != nil { // it was not accepted, so there will be no completion
		q.mutex.Lock()
		delete(q.waiting, ticket)
		q.mutex.Unlock()
		return nil, err
	}
	// Cancelling what is over already, or on a queue that is closed already, does nothing.
	stop := context.AfterFunc(ctx, func() { _ = capi.OpCancel(q.handle, op) })
	defer stop()
	event := <-done
	return event.Result, event.Err
}

// close is called when the engine is closed, so that every operation has its completion, or gets it here.
func (q *queue) close() {
	_ = capi.CqShutdown(q.handle)
	<-q.ended
	_ = capi.CqClose(q.handle)
}

func isLow(err error, code capi.Status) bool {
	var low *capi.Error
	return errors.As(err, &low) && low.Code == code
}
