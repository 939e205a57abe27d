package statewright

import (
	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Cancel cancels a case with all its work, timers and called cases; it is then [Cancelled], and its Failure has the
// reason, which may be empty. What comes later for any of its work gets [ErrStaleItem].
//
// It fails with [ErrUnknownCase] or [ErrCaseClosed].
func (e *Engine) Cancel(id, reason string) error {
	return e.end(capi.CaseCancel(e.core.handle, id, reason))
}

// Terminate ends a case by force: as [Engine.Cancel], but it is then [Terminated], and nothing that a flow does on being
// cancelled is done.
func (e *Engine) Terminate(id, reason string) error {
	return e.end(capi.CaseTerminate(e.core.handle, id, reason))
}

// Suspend stops a case and those it called for a while: nothing is offered or started and no timer fires until
// [Engine.Resume]. Work that somebody has already may still be completed.
//
// It fails with [ErrUnknownCase], [ErrCaseClosed], or [ErrRefused] if it is suspended already.
func (e *Engine) Suspend(id string) error {
	return e.end(capi.CaseSuspend(e.core.handle, id))
}

// Resume lets a suspended case go on. Timers that fell due meanwhile fire at once. It fails as [Engine.Suspend] does,
// with [ErrRefused] if the case is not suspended.
func (e *Engine) Resume(id string) error {
	return e.end(capi.CaseResume(e.core.handle, id))
}

// CancelTask cancels one task of a case: if it is only offered, it is withdrawn with the tokens that enabled it; if it
// runs, it stops with all its instances. It produces nothing.
//
// It fails with [ErrUnknownCase], [ErrCaseClosed], or [ErrRefused] if the flow has no such task or nothing of it is
// enabled or runs.
func (e *Engine) CancelTask(id, task string) error {
	return e.end(capi.CaseCancelTask(e.core.handle, id, task))
}

// CompleteTask has a running task of several instances complete now: what is unfinished is cancelled, and the results of
// the finished ones go on. It fails as [Engine.CancelTask] does.
func (e *Engine) CompleteTask(id, task string) error {
	return e.end(capi.CaseCompleteTask(e.core.handle, id, task))
}

// AddInstances adds instances to a running task whose `many` says `add: true`, one for each item of a slice.
//
// It fails with [ErrUnknownCase], [ErrCaseClosed], [ErrInput] for no items or more than 100,000, or [ErrRefused]: the
// task does not run, has completed, takes none, or would have more than its `max`.
func (e *Engine) AddInstances(id, task string, items any) error {
	return encoded(items, func(bytes []byte) error {
		return e.end(capi.CaseAddInstances(e.core.handle, id, task, bytes))
	})
}

// SignalOutcome is what became of a signal.
type SignalOutcome string

// The outcomes of a signal.
const (
	// Taken: a task took it.
	Taken SignalOutcome = "taken"
	// Kept: nobody waits for it yet; it is kept until somebody does.
	Kept SignalOutcome = "kept"
	// Dropped: nobody waited for it, and it is lost.
	Dropped SignalOutcome = "dropped"
)

// Delivery tells what became of a signal.
type Delivery struct {
	Outcome SignalOutcome `msgpack:"outcome"`

	// Case and Task are who took it; empty unless it was [Taken].
	Case string `msgpack:"case"`
	Task string `msgpack:"task"`

	// Reply is what the task answers, if its `reply` says something; else null.
	Reply Value `msgpack:"reply"`

	// Code is why it was [Dropped]: "nobody-waits", "unknown-signal", "suspended" or "full".
	Code string `msgpack:"code"`
}

// Signal sends a signal to a case: the task that has waited longest for this name takes it; else it is kept, if a task of
// the flow asks for that; else it is lost. The data may be nil.
//
// It fails with [ErrUnknownCase] or [ErrCaseClosed]; or with [ErrRefused] if the data does not fit the `schema` of any
// task of the flow that waits for the signal, or the `reply` of the one that takes it cannot be computed: nothing is
// changed then.
func (e *Engine) Signal(id, signal string, data any) (delivery Delivery, err error) {
	err = encoded(data, func(bytes []byte) error {
		told, err := capi.CaseSignal(e.core.handle, id, signal, bytes)
		delivery, err = decoded[Delivery](told, e.end(err))
		return err
	})
	return delivery, err
}

// SignalKey sends a signal to whichever case waits for its name and key: the one that has waited longest takes it. If
// none does, it is kept if a deployed flow wants that of this name, else lost. The data may be nil.
//
// It fails with [ErrInput] for a key that is empty or longer than 512 bytes, or with [ErrRefused] as [Engine.Signal]
// does.
func (e *Engine) SignalKey(signal, key string, data any) (delivery Delivery, err error) {
	err = encoded(data, func(bytes []byte) error {
		told, err := capi.SignalSend(e.core.handle, signal, key, bytes)
		delivery, err = decoded[Delivery](told, e.end(err))
		return err
	})
	return delivery, err
}
