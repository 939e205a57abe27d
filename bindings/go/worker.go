package statewright

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Handler does the work of one item and gives its result, or why there is none.
//
// The context ends when the item is lost (its lease or its deadline ran out), and when the worker stops and its grace
// is over. Then the result is not wanted any more; return soon.
//
// An error fails the attempt: it is tried again as the task says, unless it is [Final]. A panic does too, with the
// code "panic".
type Handler func(ctx context.Context, item *WorkItem) (result any, err error)

// Typed makes a handler of a function whose input and result are Go types. Input that does not fit fails the item for
// good, with the code "input".
func Typed[In, Out any](run func(ctx context.Context, item *WorkItem, input In) (Out, error)) Handler {
	return func(ctx context.Context, item *WorkItem) (any, error) {
		input, err := Decode[In](item.Input)
		if err != nil {
			return nil, &Failure{Code: "input", Message: err.Error(), Final: true}
		}
		return run(ctx, item, input)
	}
}

// Worker serves work items with handlers: it polls, keeps the items' leases while the handlers work, and hands in what
// they give. What handlers give while results of others are on their way to the disk is handed in together, as by
// [Engine.Deliver], so that a worker of a large Concurrency needs few syncs.
type Worker struct {
	// Engine is where the work comes from.
	Engine *Engine

	// Handlers are the handlers by topic. They are called from several goroutines.
	Handlers map[string]Handler

	// Concurrency is how many items are worked on at the same time; 0 is GOMAXPROCS. No more are taken than that.
	Concurrency int

	// Lease is how long an item stays this worker's without a heartbeat, and so how long it takes until others get the
	// items of a worker that was killed; 0 is [DefaultLease]. Heartbeats are sent every third of it.
	Lease time.Duration

	// Grace is how long handlers may go on when the worker is stopped, before their contexts end; 0 is as long as they
	// need, negative is not at all.
	Grace time.Duration

	// Name is for people who ask who has an item; empty is the host's name and the process's number.
	Name string

	// OnError is told what no case shows: a result that came too late, a heartbeat that failed. It is called from
	// several goroutines. If it is nil, slog's default logger is told.
	OnError func(item *WorkItem, err error)
}

// errStopped is the cause with which handlers' contexts end when the worker's grace is over.
var errStopped = errors.New("statewright: the worker was stopped and its grace is over")

// Run serves items until the context ends; then it takes no more, lets the handlers finish within Grace, and returns
// nil. It returns an error if it cannot go on, [ErrClosed] when the engine is closed. When it returns, no handler runs.
//
// Items whose handlers did not finish in time are offered again when their leases run out.
func (w *Worker) Run(ctx context.Context) error {
	if w.Engine == nil || len(w.Handlers) == 0 {
		return &Error{Code: ErrInvalidArgument, Message: "a worker needs an engine and at least one handler", Path: "Worker"}
	}
	if w.Lease < 0 {
		return negativeLease(w.Lease)
	}
	r := &run{
		worker: w,
		lease:  w.Lease,
		slots:  make(chan struct{}, w.concurrency()),
		done:   newDeliveries(w.Engine),
	}
	if r.lease == 0 {
		r.lease = DefaultLease
	}
	r.work, r.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	defer r.stop(nil)
	err := r.take(ctx)
	switch {
	case err != nil:
		r.stop(err) // nothing can be handed in
	case w.Grace < 0:
		r.stop(errStopped)
	case w.Grace > 0:
		timer := time.AfterFunc(w.Grace, func() { r.stop(errStopped) })
		defer timer.Stop()
	}
	r.handlers.Wait()
	return err
}

func (w *Worker) concurrency() int {
	if w.Concurrency > 0 {
		return w.Concurrency
	}
	return runtime.GOMAXPROCS(0)
}

func (w *Worker) report(item *WorkItem, err error) {
	if w.OnError != nil {
		w.OnError(item, err)
		return
	}
	slog.Warn("statewright worker", "error", err, "topic", item.Topic, "case", item.Case, "item", item.Number)
}

// run is one call of Run.
type run struct {
	worker   *Worker
	lease    time.Duration
	slots    chan struct{}   // holds one for each item that is worked on or asked for
	work     context.Context // of the handlers; ends when the grace is over
	stop     context.CancelCauseFunc
	handlers sync.WaitGroup
	done     *deliveries
}

// take polls and starts handlers until the context ends (nil) or polling fails.
func (r *run) take(ctx context.Context) error {
	poll := Poll{
		Topics: slices.Sorted(maps.Keys(r.worker.Handlers)),
		Worker: r.worker.Name,
		Lease:  r.lease,
	}
	for {
		poll.Max = r.free(ctx)
		if poll.Max == 0 {
			return nil
		}
		items, err := r.worker.Engine.Poll(ctx, poll)
		for _, item := range items {
			r.handlers.Add(1)
			go func() {
				defer r.handlers.Done()
				defer func() { <-r.slots }()
				r.serve(item)
			}()
		}
		for range poll.Max - len(items) {
			<-r.slots
		}
		if err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		}
	}
}

// The most items that one poll of a worker takes, so that one worker does not empty the queue for many cores.
const workerBatch = 64

// free waits until an item can be worked on, takes the slots for as many as can, and tells how many; 0 when the context
// has ended.
func (r *run) free(ctx context.Context) int {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for taken := 1; ; taken++ {
		if taken == workerBatch {
			return taken
		}
		select {
		case r.slots <- struct{}{}:
		default:
			return taken
		}
	}
}

// serve works on one item from lease to result.
func (r *run) serve(item *WorkItem) {
	ctx, lost := context.WithCancelCause(r.work)
	defer lost(nil)
	if !item.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, item.Deadline)
		defer cancel()
	}
	stop := r.beat(ctx, item, lost)
	result, err := call(ctx, r.worker.Handlers[item.Topic], item)
	// No heartbeat runs into the result: it would find the item finished.
	stop()
	if err == nil {
		var value Value
		if value, err = Encode(result); err == nil {
			if err = r.done.give(&ending{item: item, result: value}); err == nil {
				return
			}
			if !concernsOne(err) && !errors.Is(err, ErrFrameTooLarge) {
				r.worker.report(item, fmt.Errorf("the result was not accepted: %w", err))
				return
			}
		}
		// A result that cannot be taken has to be told to the case: it would be tried for ever.
		err = &Failure{Code: "result", Message: err.Error(), Final: true}
	}
	if ctx.Err() != nil {
		// The item is not ours any more, or will not be when its lease ends: what the handler says of it counts no more.
		r.worker.report(item, fmt.Errorf("the item was given up: %w (the handler: %w)", context.Cause(ctx), err))
		return
	}
	if failed := r.done.give(&ending{item: item, failure: err}); failed != nil {
		r.worker.report(item, fmt.Errorf("the failure was not accepted: %w (the handler: %w)", failed, err))
	}
}

// beat sends heartbeats until the function that it gives is called, which returns when none is under way.
func (r *run) beat(ctx context.Context, item *WorkItem, lost context.CancelCauseFunc) (stop func()) {
	finished, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(max(r.lease/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-finished:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			err := item.Heartbeat(r.lease)
			switch {
			case err == nil:
			case errors.Is(err, ErrStaleItem), errors.Is(err, ErrClosed), errors.Is(err, ErrPoisoned):
				lost(err)
				return
			default:
				r.worker.report(item, fmt.Errorf("a heartbeat failed: %w", err))
			}
		}
	}()
	return func() {
		close(finished)
		<-ended
	}
}

// call turns a panic of the handler into a failure: one bad item must not end the program that serves others.
func call(ctx context.Context, handler Handler, item *WorkItem) (result any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			result, err = nil, &Failure{
				Code:    "panic",
				Message: fmt.Sprint(reason),
				Detail:  stack(),
			}
		}
	}()
	return handler(ctx, item)
}

func stack() Value {
	detail, err := Encode(map[string]string{"stack": string(debug.Stack())})
	if err != nil {
		return nil
	}
	return detail
}
