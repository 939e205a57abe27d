package statewright

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// DefaultLease is how long work items are leased for unless said otherwise.
const DefaultLease = 30 * time.Second

// Poll says which work to take.
type Poll struct {
	// Topics are the topics to take items of; at least one.
	Topics []string

	// Worker is a name for people who ask who has an item; empty is the host's name and the process's number.
	Worker string

	// Max is how many items to take at most, up to 1000; 0 is one.
	Max int

	// Lease is how long the items stay this worker's without a heartbeat; 0 is [DefaultLease].
	Lease time.Duration
}

// WorkItem is a work item, leased to whoever polled it: complete it, fail it, or send a heartbeat before the lease runs
// out; else it is offered again. So an item may be delivered twice, but only one result counts. A [Worker] does all of this.
type WorkItem struct {
	engine *Engine

	// Token is what the engine knows this lease by. See [Engine.Item].
	Token string

	// Case, Number and Task are what the item is: the Number-th item of the case, of that task.
	Case   string
	Number uint64
	Task   string
	Topic  string

	// Attempt counts from 1.
	Attempt int

	// IdempotencyKey is the same for every attempt of the item.
	IdempotencyKey string

	// Input is what the task gives to work on.
	Input Value

	// Deadline is when the attempt times out; zero for never.
	Deadline time.Time

	// LeaseUntil is when the lease runs out if there is no heartbeat; zero for never.
	LeaseUntil time.Time
}

// Poll waits for work items and takes them: at least one. If the context ends first, the error wraps the context's;
// items that were taken at that very moment are still returned, without an error.
func (e *Engine) Poll(ctx context.Context, poll Poll) ([]*WorkItem, error) {
	if poll.Worker == "" {
		poll.Worker = defaultWorker()
	}
	if poll.Max == 0 {
		poll.Max = 1
	}
	if poll.Lease == 0 {
		poll.Lease = DefaultLease
	}
	if poll.Max < 0 || poll.Max > capi.SW_MAX_WORK_ITEMS {
		return nil, &Error{Code: ErrInvalidArgument, Message: fmt.Sprintf("Max is %d; it must be 1 to %d", poll.Max, capi.SW_MAX_WORK_ITEMS), Path: "Max"}
	}
	if poll.Lease < 0 {
		return nil, negativeLease(poll.Lease)
	}
	if len(poll.Topics) == 0 {
		return nil, &Error{Code: ErrInvalidArgument, Message: "a poll needs at least one topic", Path: "Topics"}
	}
	topics, err := Encode(poll.Topics)
	if err != nil {
		return nil, err
	}
	doing := "waiting for work on " + strings.Join(poll.Topics, ", ")
	bytes, err := e.wait(ctx, doing, func(queue capi.Cq, ticket uint64) (uint64, error) {
		return capi.WorkPoll(e.core.handle, topics, poll.Worker, uint32(poll.Max), uint64(poll.Lease), queue, ticket)
	})
	wire, err := decoded[[]wireItem](bytes, err)
	if err != nil {
		return nil, err
	}
	items := make([]*WorkItem, len(wire))
	for i := range wire {
		items[i] = wire[i].public(e)
	}
	return items, nil
}

func negativeLease(lease time.Duration) error {
	return &Error{Code: ErrInvalidArgument, Message: fmt.Sprintf("a lease of %v does not last", lease), Path: "Lease"}
}

var defaultWorker = sync.OnceValue(func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "go"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
})

// Item gives an item by its token, to heartbeat, complete or fail it elsewhere than where it was polled. Only its Token
// is set; whether the engine knows it shows when it is used.
func (e *Engine) Item(token string) *WorkItem { return &WorkItem{engine: e, Token: token} }

// Heartbeat keeps the item for lease from now on; 0 is [DefaultLease]. It fails with [ErrStaleItem] if the item is not
// this lease's any more: stop working on it.
func (i *WorkItem) Heartbeat(lease time.Duration) error {
	if lease == 0 {
		lease = DefaultLease
	}
	if lease < 0 {
		return negativeLease(lease)
	}
	return i.engine.end(capi.WorkHeartbeat(i.engine.core.handle, i.Token, uint64(lease)))
}

// Complete hands in the item's result, by the rules of [Encode]. The result and the case's next step are one commit. It
// fails with [ErrStaleItem] if somebody else has the item or has finished it; nothing changes then.
func (i *WorkItem) Complete(result any) error {
	return encoded(result, func(bytes []byte) error {
		return i.engine.end(capi.WorkComplete(i.engine.core.handle, i.Token, bytes))
	})
}

// Fail says that the item could not be done. The task's retry rules decide what happens next, unless the error is (or
// wraps) a *[Failure] that is Final: then the case fails.
func (i *WorkItem) Fail(reason error) error {
	return encoded(wireFailureOf(reason), func(bytes []byte) error {
		return i.engine.end(capi.WorkFail(i.engine.core.handle, i.Token, bytes))
	})
}

func wireFailureOf(reason error) wireFailure {
	failure := failureOf(reason)
	return wireFailure{
		Code: valid(failure.Code), Message: valid(failure.Message), Retryable: !failure.Final, Detail: failure.Detail,
	}
}

// valid is the text without what is no UTF-8: a failure must be told, whatever it says.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// WorkOutcome is what became of an item: a result, by the rules of [Encode], or, if Err is not nil, why it could not be
// done.
type WorkOutcome struct {
	Item   *WorkItem
	Result any
	Err    error
}

// Deliver hands in what became of several items, of one case or many: each as [WorkItem.Complete] or [WorkItem.Fail]
// does, in a commit of its own, but they wait for the disk together. So a worker that polls many items at a time and gives them back
// so is many times faster than one by one. It gives for each outcome nil, or why it was refused, such as [ErrStaleItem].
// At most 10,000.
//
// The error concerns all of them: none is said to be durable then.
func (e *Engine) Deliver(outcomes []WorkOutcome) ([]error, error) {
	wire := make([]wireOutcome, len(outcomes))
	for i, outcome := range outcomes {
		wire[i].Token = outcome.Item.Token
		if outcome.Err == nil {
			bytes, err := Encode(outcome.Result)
			if err != nil {
				return nil, fmt.Errorf("outcome %d: %w", i, err)
			}
			wire[i].Result = bytes
			continue
		}
		failure := wireFailureOf(outcome.Err)
		wire[i].Failure = &failure
	}
	var verdicts []byte
	err := encoded(wire, func(bytes []byte) (err error) {
		verdicts, err = capi.WorkDeliver(e.core.handle, bytes)
		return e.end(err)
	})
	given, err := decoded[[]*wireStarted](verdicts, err)
	if err != nil {
		return nil, err
	}
	refused := make([]error, len(given))
	for i, one := range given {
		if one != nil {
			refused[i] = one.refused()
		}
	}
	return refused, nil
}

// Failure is why work could not be done: what a handler returns, and what a case that failed has. It is an error.
type Failure struct {
	// Code is a short, stable word for programs, such as "out-of-stock"; empty is "failed".
	Code string

	// Message says what happened, for people.
	Message string

	// Final says that trying again cannot help, whatever the task's retry rules say.
	Final bool

	// Task is the task that failed; set in a case's failure only.
	Task string

	// Detail is anything else that helps to understand it; null for nothing.
	Detail Value
}

// Error gives the message, with the code if there is one.
func (f *Failure) Error() string {
	if f.Code == "" {
		return f.Message
	}
	return f.Code + ": " + f.Message
}

// Final marks an error of a handler as one that trying again cannot help.
func Final(err error) error {
	failure := *failureOf(err)
	failure.Final = true
	return &final{&failure, err}
}

// final keeps the error that it was made of.
type final struct {
	*Failure
	cause error
}

func (f *final) Error() string { return f.cause.Error() }

func (f *final) Unwrap() []error { return []error{f.Failure, f.cause} }

// failureOf gives the failure that an error is or wraps, or one with its message.
func failureOf(err error) *Failure {
	var failure *Failure
	switch {
	case err == nil:
		return &Failure{Message: "no reason was given"}
	case errors.As(err, &failure):
		return failure
	}
	return &Failure{Message: err.Error()}
}
