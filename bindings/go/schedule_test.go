package statewright

import (
	"testing"
	"time"
)

func TestSchedulesAreListedPausedAndResumed(t *testing.T) {
	engine := openMemory(t)
	if none, err := engine.Schedules(); err != nil || len(none) != 0 {
		t.Fatal(none, err)
	}
	deployed(t, engine, "name: report\nschedule: { cron: '0 9 1 1 *', zone: Europe/Berlin, overlap: queue }\n"+
		"tasks:\n  a: { kind: set, set: { .x: 1 } }\n")
	one := func() Schedule {
		t.Helper()
		all, err := engine.Schedules()
		must(t, err)
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		return all[0]
	}
	next, err := engine.Upcoming("report", 3)
	must(t, err)
	if len(next) != 3 || !next[0].After(time.Now()) || !next[2].After(next[1]) || next[0].Hour() != 8 {
		t.Fatal(next)
	}
	want := Schedule{Flow: "report", When: "0 9 1 1 * Europe/Berlin", Overlap: OverlapQueue, Next: next[0]}
	if got := one(); got != want {
		t.Errorf("%+v", got)
	}
	must(t, engine.PauseSchedule("report"))
	wants(t, engine.PauseSchedule("report"), ErrRefused)
	if got := one(); !got.Paused || !got.Next.IsZero() {
		t.Errorf("%+v", got)
	}
	if none, err := engine.Upcoming("report", 3); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
	must(t, engine.ResumeSchedule("report"))
	wants(t, engine.ResumeSchedule("report"), ErrRefused)
	if got := one(); got != want {
		t.Errorf("%+v", got)
	}
	wants(t, engine.PauseSchedule("other"), ErrUnknownFlow)
	_, err = engine.Upcoming("other", 1)
	wants(t, err, ErrUnknownFlow)
	for _, count := range []int{-1, 1001} {
		_, err = engine.Upcoming("report", count)
		wants(t, err, ErrInvalidArgument)
	}
}

func TestAScheduledCaseBeginsByItself(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, "name: tick\nschedule: { every: 1s, overlap: allow }\ntasks:\n  a: { kind: set, set: { .x: 1 } }\n")
	var tick Schedule
	eventually(t, "a case began", func() bool {
		all, err := engine.Schedules()
		must(t, err)
		tick = all[0]
		return tick.Started > 0
	})
	if c := ended(t, engine, tick.Case); c.Status != Completed || tick.Last.IsZero() {
		t.Errorf("%+v, %+v", tick, c)
	}
}

func TestASignalIsCheckedAndAnsweredAndACaseIsAsked(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, "name: bid\ntasks:\n"+
		"  bid: { kind: signal, schema: { type: integer }, reply: '{double: (.bid * 2)}', next: wait }\n"+
		"  wait: { kind: signal }\n")
	id := started(t, engine, "bid", nil)
	_, err := engine.Signal(id, "bid", "much")
	wants(t, err, ErrRefused)
	delivery, err := engine.Signal(id, "bid", 21)
	must(t, err)
	reply, err := Decode[struct {
		Double int `json:"double"`
	}](delivery.Reply)
	if must(t, err); delivery.Outcome != Taken || reply.Double != 42 {
		t.Errorf("%+v, %+v", delivery, reply)
	}
	answer, err := engine.Query(id, "{bid, of: $flow.name}")
	if must(t, err); answer.String() != `{"bid":21,"of":"bid"}` {
		t.Errorf("%v", answer)
	}
	_, err = engine.Query(id, ".bid |")
	wants(t, err, ErrExpression)
	_, err = engine.Query(id, ".bid | error")
	wants(t, err, ErrRefused)
	_, err = engine.Query("nobody", ".")
	wants(t, err, ErrUnknownCase)
	delivery, err = engine.Signal(id, "wait", nil)
	if must(t, err); !delivery.Reply.IsNull() {
		t.Errorf("%+v", delivery)
	}
	if ended, err := engine.Query(id, ".bid"); err != nil || ended.String() != "21" {
		t.Error(ended, err)
	}
}
