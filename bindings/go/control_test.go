package statewright

import (
	"errors"
	"testing"
	"time"
)

const deskFlow = `
name: desk
input: { sum: 120 }
tasks:
  begin: { split: and, next: [approve, paid] }
  approve: { kind: host, topic: office, input: .input.sum, into: .approved, next: done }
  paid: { kind: signal, into: .payment, next: done }
  done: { join: and }
`

const surveyFlow = `
name: survey
tasks:
  ask: { kind: host, topic: survey, many: { items: '["north", "south"]', add: true }, into: .answers }
`

func startedCase(t *testing.T, flow, name string) (*Engine, string) {
	t.Helper()
	engine := openMemory(t)
	_, err := engine.Deploy(flow, "")
	must(t, err)
	id, err := engine.Start(name, nil)
	must(t, err)
	return engine, id
}

func listedWork(t *testing.T, engine *Engine, filter WorkFilter) []WorkInfo {
	t.Helper()
	var items []WorkInfo
	for item, err := range engine.Work(filter) {
		must(t, err)
		items = append(items, item)
	}
	return items
}

func TestACaseIsSuspendedResumedSignalledCancelledAndTerminated(t *testing.T) {
	engine, id := startedCase(t, deskFlow, "desk")
	must(t, engine.Suspend(id))
	wants(t, engine.Suspend(id), ErrRefused)
	state, err := engine.Case(id)
	must(t, err)
	if state.Status != Suspended || state.Err() != nil {
		t.Errorf("the case is %v: %v", state.Status, state.Err())
	}
	delivery, err := engine.Signal(id, "paid", 12)
	must(t, err)
	if delivery.Outcome != Dropped || delivery.Code != "suspended" || delivery.Case != "" {
		t.Errorf("a suspended case gave %+v", delivery)
	}
	must(t, engine.Resume(id))
	wants(t, engine.Resume(id), ErrRefused)
	delivery, err = engine.Signal(id, "paid", map[string]int{"cents": 12})
	must(t, err)
	if delivery.Outcome != Taken || delivery.Case != id || delivery.Task != "paid" || !delivery.Reply.IsNull() {
		t.Errorf("the signal was %+v", delivery)
	}
	delivery, err = engine.SignalKey("paid", "order-17", nil)
	must(t, err)
	if delivery.Outcome != Dropped || delivery.Code != "nobody-waits" {
		t.Errorf("a signal for nobody was %+v", delivery)
	}
	must(t, engine.Cancel(id, "changed their mind"))
	ended, err := engine.Wait(within(t, soon), id)
	must(t, err)
	var failure *Failure
	if ended.Status != Cancelled || !errors.As(ended.Err(), &failure) || failure.Message != "changed their mind" {
		t.Errorf("a cancelled case is %v: %v", ended.Status, ended.Err())
	}
	wants(t, engine.Cancel(id, ""), ErrCaseClosed)
	wants(t, engine.Suspend("nobody"), ErrUnknownCase)
	_, err = engine.Signal(id, "paid", nil)
	wants(t, err, ErrCaseClosed)
	_, err = engine.SignalKey("paid", "", nil)
	wants(t, err, ErrInput)

	other, err := engine.Start("desk", nil)
	must(t, err)
	must(t, engine.Terminate(other, ""))
	ended, err = engine.Case(other)
	must(t, err)
	if ended.Status != Terminated {
		t.Errorf("a terminated case is %v", ended.Status)
	}
}

func TestTasksAreCancelledCompletedAndGivenInstances(t *testing.T) {
	engine, id := startedCase(t, surveyFlow, "survey")
	must(t, engine.AddInstances(id, "ask", []string{"west"}))
	items := listedWork(t, engine, WorkFilter{Topic: "survey", State: Offered})
	if len(items) != 3 {
		t.Fatalf("there are %d instances", len(items))
	}
	wants(t, engine.AddInstances(id, "ask", []int{}), ErrInput)
	wants(t, engine.AddInstances(id, "ask", "west"), ErrWrongType)
	wants(t, engine.AddInstances(id, "nothing", []int{1}), ErrRefused)
	item, err := engine.Take(id, items[2].Number, "ann", time.Hour)
	must(t, err)
	must(t, item.Complete("yes"))
	must(t, engine.CompleteTask(id, "ask"))
	ended, err := engine.Wait(within(t, soon), id)
	must(t, err)
	answers, err := Decode[map[string]any](ended.Data)
	must(t, err)
	if given := answers["answers"].([]any); len(given) != 1 || given[0] != "yes" {
		t.Errorf("the answers are %v", given)
	}
	other, err := engine.Start("survey", nil)
	must(t, err)
	must(t, engine.CancelTask(other, "ask"))
	wants(t, engine.CancelTask(other, "ask"), ErrCaseClosed)
}

func TestPeopleListTakeDelegateGiveBackAndSkipWork(t *testing.T) {
	engine, id := startedCase(t, deskFlow, "desk")
	offered := listedWork(t, engine, WorkFilter{Topic: "office"})
	if len(offered) != 1 || offered[0].State != Offered || offered[0].Task != "approve" || offered[0].Token != "" {
		t.Fatalf("what is offered is %+v", offered)
	}
	number := offered[0].Number
	mine, err := engine.Take(id, number, "ann", 0)
	must(t, err)
	if sum, err := Decode[int](mine.Input); err != nil || sum != 120 || !mine.LeaseUntil.IsZero() {
		t.Errorf("the item is %+v", mine)
	}
	_, err = engine.Take(id, number, "bob", 0)
	wants(t, err, ErrRefused)
	_, err = engine.Take(id, 99, "bob", 0)
	wants(t, err, ErrUnknownItem)
	_, err = engine.Take(id, number, "bob", -time.Second)
	wants(t, err, ErrInvalidArgument)
	theirs, err := mine.Delegate("bob", time.Hour)
	must(t, err)
	wants(t, mine.Complete(true), ErrStaleItem)
	held := listedWork(t, engine, WorkFilter{Worker: "bob"})
	if len(held) != 1 || held[0].Token != theirs.Token || held[0].Until.IsZero() {
		t.Errorf("what bob has is %+v", held)
	}
	must(t, theirs.GiveBack())
	wants(t, theirs.GiveBack(), ErrStaleItem)
	if again := listedWork(t, engine, WorkFilter{Case: id, State: Offered}); len(again) != 1 {
		t.Errorf("given back, what is offered is %+v", again)
	}
	must(t, engine.Skip(id, number, "signed on paper"))
	wants(t, engine.Skip(id, number, ""), ErrUnknownItem)
	if left := listedWork(t, engine, WorkFilter{}); len(left) != 0 {
		t.Errorf("left is %+v", left)
	}
	for _, err := range engine.Work(WorkFilter{State: "lost"}) {
		wants(t, err, ErrInvalidArgument)
	}
}
