package statewright

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// idle tells whether no wait is under way in the engine's queue.
func idle(engine *Engine) bool {
	queue, err := engine.core.waits()
	if err != nil {
		return true
	}
	queue.mutex.Lock()
	defer queue.mutex.Unlock()
	return len(queue.waiting) == 0
}

func TestACancelledContextEndsAWaitAtOnce(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", nil)
	_, _ = engine.core.waits() // its goroutine belongs to the engine, not to a wait
	before := runtime.NumGoroutine()
	waits := map[string]func(ctx context.Context) error{
		"wait": func(ctx context.Context) error { _, err := engine.Wait(ctx, id); return err },
		"poll": func(ctx context.Context) error {
			_, err := engine.Poll(ctx, Poll{Topics: []string{"nobody's", "none"}})
			return err
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			reason := errors.New("the user went away")
			for range 100 {
				ctx, cancel := context.WithCancelCause(context.Background())
				result := make(chan error, 1)
				go func() { result <- wait(ctx) }()
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
				at := time.Now()
				cancel(reason)
				err := <-result
				if took := time.Since(at); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			at := time.Now()
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if took := time.Since(at); took < 20*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with a context that is over: %v", err)
			}
		})
	}
	if !idle(engine) {
		t.Error("waits are left in the queue")
	}
	settled(t, before)
}

// A poll that is cancelled just when an item comes returns the item, or leaves it to others: none is lost.
func TestCancellingAPollLosesNoItem(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	const cases = 300
	var done, cancelled atomic.Int64
	var group sync.WaitGroup
	all, finish := context.WithCancel(context.Background())
	defer finish()
	for range 4 {
		spawn(&group, func() {
			for all.Err() == nil {
				ctx, cancel := context.WithTimeout(all, time.Duration(rand.IntN(2000))*time.Microsecond)
				items, err := engine.Poll(ctx, Poll{Topics: []string{"ask"}, Max: 3, Lease: time.Hour})
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if err != nil {
					cancelled.Add(1)
				}
				for _, item := range items {
					if err := item.Complete(item.Case); err != nil {
						t.Error(err)
					}
					done.Add(1)
				}
			}
		})
	}
	ids := make([]string, cases)
	for i := range ids {
		ids[i] = started(t, engine, "ask", map[string]any{"question": i})
	}
	for _, id := range ids {
		if c := ended(t, engine, id); c.Status != Completed {
			t.Errorf("%+v", c)
		}
	}
	finish()
	group.Wait()
	if done.Load() != cases {
		t.Errorf("%d items for %d cases", done.Load(), cases)
	}
	t.Logf("%d polls were cancelled", cancelled.Load())
	if !idle(engine) {
		t.Error("waits are left in the queue")
	}
}

func TestClosingEndsEveryWait(t *testing.T) {
	engine, err := OpenMemory(nil)
	must(t, err)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", nil)
	before := runtime.NumGoroutine()
	results := make(chan error)
	const waits = 200
	for i := range waits {
		go func() {
			var err error
			if i%2 == 0 {
				_, err = engine.Wait(context.Background(), id)
			} else {
				_, err = engine.Poll(context.Background(), Poll{Topics: []string{"none"}})
			}
			results <- err
		}()
	}
	queue, err := engine.core.waits()
	must(t, err)
	eventually(t, "all wait", func() bool {
		queue.mutex.Lock()
		defer queue.mutex.Unlock()
		return len(queue.waiting) == waits
	})
	must(t, engine.Close())
	for range waits {
		wants(t, <-results, ErrClosed)
	}
	settled(t, before)
}

func TestManyWaitForManyCases(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	worker := Worker{Engine: engine, Concurrency: 8, Handlers: map[string]Handler{
		"ask": Typed(func(_ context.Context, _ *WorkItem, n int) (int, error) { return 2 * n, nil }),
	}}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- worker.Run(ctx) }()
	var group sync.WaitGroup
	for i := range 400 {
		spawn(&group, func() {
			id, err := engine.Start("ask", map[string]int{"question": i})
			if err != nil {
				t.Error(err)
				return
			}
			c, err := engine.Wait(within(t, soon), id)
			if answer, failed := Decode[int](c.Result); err != nil || failed != nil || answer != 2*i {
				t.Errorf("%d: %v, %v, %v", i, answer, err, failed)
			}
		})
	}
	group.Wait()
	stop()
	must(t, <-served)
}

func TestCases(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	must(t, engine.StartAs("my-case", "ask", map[string]any{"question": uint64(1 << 63)}))
	wants(t, engine.StartAs("my-case", "ask", nil), ErrCaseExists)
	wants(t, engine.StartAs("", "ask", nil), ErrInvalidArgument)
	wants(t, engine.StartAs("x", "ask", []int{1}), ErrInput)
	_, err := engine.Start("none", nil)
	wants(t, err, ErrUnknownFlow)
	_, err = engine.Case("none")
	wants(t, err, ErrUnknownCase)
	_, err = engine.Wait(within(t, soon), "none")
	wants(t, err, ErrUnknownCase)

	c, err := engine.Case("my-case")
	must(t, err)
	recent := func(at time.Time) bool { return time.Since(at).Abs() < time.Minute }
	if c.ID != "my-case" || c.Flow != "ask" || c.Version != 1 || c.Status != Running || !recent(c.Created) || !recent(c.Updated) ||
		len(c.Items) != 1 || c.Items[0] != (ItemInfo{1, "ask", "host", "offered", c.Items[0].Attempt}) ||
		!c.Result.IsNull() || c.Failure != nil || c.Err() != nil {
		t.Errorf("%+v", c)
	}
	waiting, err := engine.Explain("my-case")
	if must(t, err); len(waiting) != 1 || waiting[0].Task != "ask" || waiting[0].Item != 1 || waiting[0].What == "" || waiting[0].Unblocks == "" {
		t.Errorf("%+v", waiting)
	}

	item := polled(t, engine, Poll{Topics: []string{"ask"}, Worker: "me", Lease: time.Minute})
	question, err := Decode[uint64](item.Input)
	if must(t, err); question != 1<<63 || item.Case != "my-case" || item.Task != "ask" || item.Topic != "ask" || item.Attempt != 1 ||
		item.Number != 1 || item.IdempotencyKey == "" || !recent(item.LeaseUntil.Add(-time.Minute)) || !item.Deadline.IsZero() {
		t.Errorf("%+v", item)
	}
	if waiting, err := engine.Explain("my-case"); err != nil || waiting[0].Next == nil || !recent(waiting[0].Next.At) {
		t.Errorf("%+v, %v", waiting, err)
	}
	must(t, engine.Item(item.Token).Complete(map[string]any{"n": question}))
	done := ended(t, engine, "my-case")
	if done.Status != Completed || done.Result.String() != `{"n":9223372036854775808}` || done.Err() != nil || len(done.Items) != 0 {
		t.Errorf("%+v", done)
	}

	var events []string
	var last uint64
	for event, err := range engine.History("my-case", 0) {
		must(t, err)
		if event.Case != "my-case" || event.Seq != last+1 || event.Version == 0 || !recent(event.At) {
			t.Errorf("%+v", event)
		}
		last = event.Seq
		events = append(events, event.Event)
	}
	if len(events) < 4 {
		t.Errorf("%v", events)
	}
	for event, err := range engine.History("my-case", last-1) {
		must(t, err)
		if event.Seq != last {
			t.Errorf("%+v", event)
		}
	}
	for _, err := range engine.History("none", 0) {
		wants(t, err, ErrUnknownCase)
	}
}

func TestCasesAreListedByFlowAndStatus(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	deployed(t, engine, "{name: quick, version: 1, tasks: {t: {kind: set, set: {.x: '1'}}}}")
	const each = pageItems + 3
	for i := range each {
		must(t, engine.StartAs(fmt.Sprintf("a%04d", i), "ask", nil))
		must(t, engine.StartAs(fmt.Sprintf("q%04d", i), "quick", nil))
	}
	for filter, want := range map[CaseFilter]int{
		{}: 2 * each, {Flow: "ask"}: each, {Status: Completed}: each, {Flow: "ask", Status: Completed}: 0, {Flow: "none"}: 0,
	} {
		got, before := 0, ""
		for c, err := range engine.Cases(filter) {
			must(t, err)
			if c.ID <= before {
				t.Errorf("%s after %s", c.ID, before)
			}
			before = c.ID
			got++
		}
		if got != want {
			t.Errorf("%+v: %d, not %d", filter, got, want)
		}
	}
	for _, err := range engine.Cases(CaseFilter{Status: "lost"}) {
		wants(t, err, ErrInvalidArgument)
	}
}

func TestFlowsAreChecked(t *testing.T) {
	problems, err := Check("name: x\nversion: 1\ntasks:\n  a: { kind: nothing }\n  b: { kind: set, next: c }\n")
	must(t, err)
	if len(problems) < 2 || problems[0].Line != 4 || problems[0].Severity != "error" || problems[0].Message == "" {
		t.Errorf("%+v", problems)
	}
	if problems, err := Check(hostFlow); err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
	engine := openMemory(t)
	_, err = engine.Deploy("name: [", "")
	if failure := wants(t, err, ErrInvalidSpec); failure.Path == "" {
		t.Errorf("%+v", failure)
	}
	flow, err := engine.DeployFile("../../examples/flows/order.yaml")
	if must(t, err); flow.Name != "order" || flow.Version != 1 || flow.Key == "" {
		t.Errorf("%+v", flow)
	}
	if again, err := engine.DeployFile("../../examples/flows/order.yaml"); err != nil || again != flow {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := engine.DeployFile("none.yaml"); err == nil {
		t.Error("there is no such file")
	}
}
