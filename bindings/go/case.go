package statewright

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Status is where a case is in its life.
type Status string

// The statuses of a case. All but Running, Suspended and Compensating are final.
const (
	Running   Status = "running"
	Suspended Status = "suspended"
	// Compensating: it undoes what it did before it ends.
	Compensating Status = "compensating"
	Completed    Status = "completed"
	Failed       Status = "failed"
	Deadlocked   Status = "deadlocked"
	Cancelled    Status = "cancelled"
	Terminated   Status = "terminated"
	// Compensated: what it did was undone, as somebody wanted.
	Compensated Status = "compensated"
	// CompensationFailed: it has ended, and not all could be undone.
	CompensationFailed Status = "compensation_failed"
)

// Case is a running instance of a flow, as it was when it was read.
type Case struct {
	ID string

	// Parent is the case that called it; empty if none did.
	Parent  string
	Flow    string
	Version uint64 // of the flow
	Status  Status
	Created time.Time
	Updated time.Time

	// Data is the case's data, an object.
	Data Value

	// Marking is the tokens by place.
	Marking map[string]int

	// Items is the work in flight.
	Items []ItemInfo

	// Result is what the case gave; null unless it completed.
	Result Value

	// Failure is why the case failed, was cancelled or terminated; nil unless it was.
	Failure *Failure
}

// ItemInfo is work of a case that is not finished.
type ItemInfo struct {
	Item uint64 `msgpack:"item"`
	Task string `msgpack:"task"`

	// Kind is "process", "host", "wait", "signal" or "flow".
	Kind string `msgpack:"kind"`

	// State is "offered", "leased", "backing_off", "waiting" (for time), "listening" (for a signal) or "running" (a
	// called case).
	State   string `msgpack:"state"`
	Attempt int    `msgpack:"attempt"`
}

// Err tells why a case that has ended gave no result: a *[Failure] if it failed, was cancelled or terminated. It is nil if it completed, and while
// it runs.
func (c *Case) Err() error {
	switch {
	case c.Failure != nil:
		return c.Failure
	case c.Status != Running && c.Status != Suspended && c.Status != Compensating && c.Status != Completed:
		return fmt.Errorf("statewright: the case %s is %s", c.ID, c.Status)
	}
	return nil
}

// Start starts a case of the newest version of a flow and gives its id. The input, an object or nil, is merged over
// the flow's own. When it returns, the case is as durable as the store.
//
// It fails with [ErrUnknownFlow], and with [ErrInput] if the input is no object.
func (e *Engine) Start(flow string, input any) (id string, err error) {
	return e.start(flow, input, "")
}

// StartAs is [Engine.Start] with an id of the caller's, 1 to 128 of `A-Z a-z 0-9 . _ -`. It fails with
// [ErrCaseExists] if it is taken, so that starting twice for one cause starts one case.
func (e *Engine) StartAs(id, flow string, input any) error {
	if id == "" {
		return &Error{Code: ErrInvalidArgument, Message: "the case's id is empty", Path: "id", Help: "use Start to have one made"}
	}
	_, err := e.start(flow, input, id)
	return err
}

func (e *Engine) start(flow string, input any, id string) (given string, err error) {
	err = encoded(input, func(bytes []byte) error {
		given, err = capi.CaseStart(e.core.handle, flow, bytes, id)
		return e.end(err)
	})
	return given, err
}

// Started is what became of one of several cases that were to be started: its ID, or why it was refused.
type Started struct {
	ID  string
	Err error
}

// StartAll starts several cases of a flow, one for each input, each as [Engine.Start] does, in a commit of its own, but
// they wait for the disk together: many times faster than one by one. At most 10,000.
//
// The error concerns all of them: none is said to be durable then.
func (e *Engine) StartAll(flow string, inputs []any) ([]Started, error) {
	var started []byte
	err := encoded(inputs, func(bytes []byte) (err error) {
		started, err = capi.CaseStartAll(e.core.handle, flow, bytes)
		return e.end(err)
	})
	wire, err := decoded[[]wireStarted](started, err)
	if err != nil {
		return nil, err
	}
	all := make([]Started, len(wire))
	for i, one := range wire {
		all[i] = Started{ID: one.Case, Err: one.refused()}
	}
	return all, nil
}

// Case gives a case as it is now. It fails with [ErrUnknownCase].
func (e *Engine) Case(id string) (Case, error) {
	bytes, err := capi.CaseGet(e.core.handle, id)
	return caseOf(bytes, e.end(err))
}

// Wait waits until a case has ended, however it does: its Status tells. It fails with [ErrUnknownCase], with
// [ErrClosed] when the engine is closed, and with an error that wraps the context's when that ends first; the case
// goes on then.
func (e *Engine) Wait(ctx context.Context, id string) (Case, error) {
	doing := fmt.Sprintf("waiting for the case %q", id)
	bytes, err := e.wait(ctx, doing, func(queue capi.Cq, ticket uint64) (uint64, error) {
		return capi.CaseWait(e.core.handle, id, queue, ticket)
	})
	return caseOf(bytes, err)
}

// CaseFilter says which cases to list. The zero value is all.
type CaseFilter struct {
	// Flow is the name of a flow; empty is all.
	Flow string
	// Status is a status; empty is all.
	Status Status
}

// Cases gives cases in the order of their ids. They are read in pages, and a later page shows what happened meanwhile.
// If reading fails, the error is the last thing given.
func (e *Engine) Cases(filter CaseFilter) iter.Seq2[Case, error] {
	return func(yield func(Case, error) bool) {
		after := ""
		for {
			bytes, err := capi.CaseList(e.core.handle, filter.Flow, string(filter.Status), after, pageItems)
			cases, err := decoded[[]wireCase](bytes, e.end(err))
			if err != nil {
				yield(Case{}, err)
				return
			}
			for i := range cases {
				if !yield(cases[i].public(), nil) {
					return
				}
			}
			if len(cases) < pageItems {
				return
			}
			after = cases[len(cases)-1].ID
		}
	}
}

// Waiting is one thing that a case waits for.
type Waiting struct {
	Task string

	// Item is the work item's number; 0 if it is none.
	Item uint64

	// What it waits for, for people.
	What  string
	Since time.Time

	// Next is what happens next by itself; nil for nothing.
	Next *Next

	// Unblocks is what would move it on now, for people.
	Unblocks string
}

// Next is something that happens by itself.
type Next struct {
	At time.Time

	// Then is what happens, for people.
	Then string
}

// Query asks a case: it evaluates a jq expression on its data, with `$case`, `$flow` and `$data`, running or ended, and
// changes nothing. The result is a [Value], for [Decode].
//
// It fails with [ErrUnknownCase], [ErrExpression] if the expression cannot be read, or [ErrRefused] if it fails on this
// data or does not give exactly one value.
func (e *Engine) Query(id, query string) (Value, error) {
	bytes, err := capi.CaseQuery(e.core.handle, id, query)
	if err = e.end(err); err != nil {
		return nil, err
	}
	return bytes, nil
}

// Explain tells what a case waits for, since when, and what would move it on.
func (e *Engine) Explain(id string) ([]Waiting, error) {
	bytes, err := capi.CaseExplain(e.core.handle, id)
	wire, err := decoded[[]wireWaiting](bytes, e.end(err))
	if err != nil {
		return nil, err
	}
	waiting := make([]Waiting, len(wire))
	for i := range wire {
		waiting[i] = wire[i].public()
	}
	return waiting, nil
}

// HistoryEvent is something that happened to a case.
type HistoryEvent struct {
	Case string

	// Seq counts a case's events from 1.
	Seq uint64

	// Version is that of the commit that the event is in.
	Version uint64
	At      time.Time

	// Event is what happened, in snake case, such as "started".
	Event string

	// Task, Item and Attempt are what it is about; empty or 0 if it is about none.
	Task    string
	Item    uint64
	Attempt int

	// Detail is what else there is to say: an object, or null.
	Detail Value
}

// History gives what happened to a case after the event of that number, oldest first; 0 is all. If reading fails, the
// error is the last thing given.
func (e *Engine) History(id string, after uint64) iter.Seq2[HistoryEvent, error] {
	return func(yield func(HistoryEvent, error) bool) {
		bytes, err := capi.CaseHistory(e.core.handle, id, after)
		events, err := decoded[[]wireEvent](bytes, e.end(err))
		if err != nil {
			yield(HistoryEvent{}, err)
			return
		}
		for i := range events {
			if !yield(events[i].public(), nil) {
				return
			}
		}
	}
}
