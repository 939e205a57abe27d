package statewright

import (
	"iter"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// WorkState is where a work item is between being offered and having ended.
type WorkState string

// The states of a work item.
const (
	// Offered: anybody may take it.
	Offered WorkState = "offered"
	// Leased: somebody has it.
	Leased WorkState = "leased"
	// BackingOff: its last attempt failed; it is offered again later.
	BackingOff WorkState = "backing_off"
)

// WorkFilter says which work items to list. The zero value is all.
type WorkFilter struct {
	Topic string
	Case  string
	Task  string

	// Worker is who has the item.
	Worker string
	State  WorkState
}

// WorkInfo is work of an open case that waits for a host or is at work, as it was when it was read.
type WorkInfo struct {
	// Case, Number and Task are what the item is: the Number-th item of the case, of that task.
	Case   string
	Number uint64
	Task   string
	Topic  string
	State  WorkState

	// Since is when it came into its state.
	Since time.Time

	// Attempt is how often it was taken.
	Attempt int

	// Input is what the task gives to work on; null before the item is taken for the first time.
	Input Value

	// Worker has it, and Token is what that lease is known by; empty if nobody has it. See [Engine.Item].
	Worker string
	Token  string

	// Deadline is when the attempt times out; zero for never.
	Deadline time.Time

	// Until is when it is offered again by itself; zero for never.
	Until time.Time
}

// Work lists the work of open cases that waits for a host or is at work, by case and number; for people who choose,
// where [Engine.Poll] gives what comes first. What a suspended case has not handed out is not among it. It is read in
// pages, and a later page shows what happened meanwhile. If reading fails, the error is the last thing given.
func (e *Engine) Work(filter WorkFilter) iter.Seq2[WorkInfo, error] {
	return func(yield func(WorkInfo, error) bool) {
		wire := wireWorkFilter{
			Topic: filter.Topic, Case: filter.Case, Task: filter.Task, Worker: filter.Worker,
			State: string(filter.State), Limit: pageItems,
		}
		for {
			page, err := e.work(&wire)
			if err != nil {
				yield(WorkInfo{}, err)
				return
			}
			for i := range page {
				if !yield(page[i].public(), nil) {
					return
				}
			}
			if len(page) < pageItems {
				return
			}
			last := page[len(page)-1]
			wire.After = &wireWorkAfter{last.Case, last.Item}
		}
	}
}

func (e *Engine) work(filter *wireWorkFilter) (page []wireWork, err error) {
	err = encoded(filter, func(bytes []byte) error {
		told, err := capi.WorkList(e.core.handle, bytes)
		page, err = decoded[[]wireWork](told, e.end(err))
		return err
	})
	return page, err
}

// Take takes one offered item by its case and number, whoever else polls for its topic. It stays the worker's for lease
// without a heartbeat; 0 is without end, over restarts too, until it is completed, failed, given back or delegated.
//
// It fails with [ErrUnknownCase], [ErrUnknownItem], or [ErrRefused] if somebody has it, it is no work of a host, or it
// cannot be had at the moment; the message says why.
func (e *Engine) Take(id string, item uint64, worker string, lease time.Duration) (*WorkItem, error) {
	if lease < 0 {
		return nil, negativeLease(lease)
	}
	bytes, err := capi.WorkTake(e.core.handle, id, item, worker, uint64(lease))
	return e.held(bytes, err)
}

// Delegate hands the item to another worker and gives it as they have it: this Item gets [ErrStaleItem] from now on. It
// stays theirs for lease without a heartbeat; 0 is without end. The attempt and its deadline go on.
func (i *WorkItem) Delegate(worker string, lease time.Duration) (*WorkItem, error) {
	if lease < 0 {
		return nil, negativeLease(lease)
	}
	bytes, err := capi.WorkDelegate(i.engine.core.handle, i.Token, worker, uint64(lease))
	return i.engine.held(bytes, err)
}

func (e *Engine) held(bytes []byte, err error) (*WorkItem, error) {
	wire, err := decoded[wireItem](bytes, e.end(err))
	if err != nil {
		return nil, err
	}
	return wire.public(e), nil
}

// GiveBack gives the item back: it is offered again at once, and no attempt has failed. It fails with [ErrStaleItem] if
// the item is not this lease's any more.
func (i *WorkItem) GiveBack() error {
	return i.engine.end(capi.WorkGiveBack(i.engine.core.handle, i.Token))
}

// Skip decides that an item is not to be done, whoever has it: its task completes without a result, nothing goes into
// the case's data, and the case goes on. The reason is for the history and may be empty.
//
// It fails with [ErrUnknownCase], [ErrCaseClosed], [ErrUnknownItem], or [ErrRefused] if it is no work of a host or the
// case is suspended.
func (e *Engine) Skip(id string, item uint64, reason string) error {
	return e.end(capi.WorkSkip(e.core.handle, id, item, reason))
}
