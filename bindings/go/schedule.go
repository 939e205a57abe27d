package statewright

import (
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Overlap is what a schedule does when a case is due and the last one has not ended.
type Overlap string

// What a schedule does when its last case has not ended.
const (
	// OverlapSkip leaves the new one out.
	OverlapSkip Overlap = "skip"
	// OverlapAllow starts it all the same.
	OverlapAllow Overlap = "allow"
	// OverlapQueue starts it when the other has ended; one at most waits so.
	OverlapQueue Overlap = "queue"
	// OverlapCancel cancels the other.
	OverlapCancel Overlap = "cancel"
)

// Schedule is a flow that begins by itself while an engine drives the store.
type Schedule struct {
	Flow string

	// When is the cron expressions and their time zone, or the period.
	When    string
	Overlap Overlap

	// Next is when the next case is to begin; zero while the schedule is paused.
	Next time.Time

	// Last is the last due time that was dealt with; zero if there was none.
	Last   time.Time
	Paused bool

	// Case is the one that began last; empty if none did.
	Case string

	// Queued is the due time of the start that waits for that case to end; zero if none does.
	Queued time.Time

	// Started is how many cases it has started; Skipped, how many it left out because a case had not ended, or what a
	// new one comes to cannot be stored; Missed, how many because nobody drove the store when they were due.
	Started uint64
	Skipped uint64
	Missed  uint64
}

// Schedules lists the schedules of deployed flows, by the flow's name.
func (e *Engine) Schedules() ([]Schedule, error) {
	bytes, err := capi.ScheduleList(e.core.handle)
	wire, err := decoded[[]wireSchedule](bytes, e.end(err))
	if err != nil {
		return nil, err
	}
	schedules := make([]Schedule, len(wire))
	for i := range wire {
		schedules[i] = wire[i].public()
	}
	return schedules, nil
}

// Upcoming gives the next times at which cases of a flow begin by themselves, at most 1,000; none while its schedule is
// paused.
//
// It fails with [ErrUnknownFlow] if the flow has no schedule.
func (e *Engine) Upcoming(flow string, count int) ([]time.Time, error) {
	if count < 0 || count > capi.SW_MAX_UPCOMING {
		return nil, &Error{Code: ErrInvalidArgument, Message: "count must be 0 to 1000", Path: "count"}
	}
	bytes, err := capi.ScheduleUpcoming(e.core.handle, flow, uint32(count))
	wire, err := decoded[[]micros](bytes, e.end(err))
	if err != nil {
		return nil, err
	}
	times := make([]time.Time, len(wire))
	for i := range wire {
		times[i] = wire[i].time()
	}
	return times, nil
}

// PauseSchedule has a flow begin no more cases by itself, over restarts and deployments, until [Engine.ResumeSchedule].
// What is due meanwhile is left out; cases that have begun go on.
//
// It fails with [ErrUnknownFlow] if the flow has no schedule, or [ErrRefused] if it is paused already.
func (e *Engine) PauseSchedule(flow string) error {
	return e.end(capi.SchedulePause(e.core.handle, flow))
}

// ResumeSchedule lets a paused schedule go on, with its next time from now on. It fails as [Engine.PauseSchedule] does,
// with [ErrRefused] if the schedule is not paused.
func (e *Engine) ResumeSchedule(flow string) error {
	return e.end(capi.ScheduleResume(e.core.handle, flow))
}
