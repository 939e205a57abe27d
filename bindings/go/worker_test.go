package statewright

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serve runs a worker until the test ends, or until the function that it gives is called.
func serve(t *testing.T, worker *Worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- worker.Run(ctx) }()
	once := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-served:
			return err
		case <-time.After(soon):
			return errors.New("the worker does not stop")
		}
	})
	t.Cleanup(func() { _ = once() })
	return once
}

// errorsOf collects what a worker tells.
type errorsOf struct {
	mutex sync.Mutex
	told  []error
}

func (e *errorsOf) tell(_ *WorkItem, err error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.told = append(e.told, err)
}

func (e *errorsOf) all() []error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return append([]error(nil), e.told...)
}

func asking(engine *Engine, handler Handler) *Worker {
	return &Worker{Engine: engine, Handlers: map[string]Handler{"ask": handler}}
}

func TestALeaseThatRunsOutGivesTheItemToOthers(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", nil)
	// This worker takes the item and is never heard of again.
	lost := polled(t, engine, Poll{Topics: []string{"ask"}, Worker: "crashed", Lease: 50 * time.Millisecond})
	at := time.Now()
	again := polled(t, engine, Poll{Topics: []string{"ask"}, Worker: "other"})
	if waited := time.Since(at); waited > 10*time.Second {
		t.Errorf("it was offered again after %v", waited)
	}
	if again.Case != id || again.IdempotencyKey != lost.IdempotencyKey || again.Token == lost.Token {
		t.Errorf("%+v\n%+v", lost, again)
	}
	// It comes back, too late.
	wants(t, lost.Heartbeat(0), ErrStaleItem)
	wants(t, lost.Complete("lost"), ErrStaleItem)
	wants(t, lost.Fail(errors.New("lost")), ErrStaleItem)
	must(t, again.Heartbeat(time.Minute))
	must(t, again.Complete("again"))
	wants(t, again.Complete("twice"), ErrStaleItem)
	if c := ended(t, engine, id); c.Result.String() != `"again"` {
		t.Errorf("%+v", c)
	}
}

func TestAWorkerThatCrashedInItsHandlerIsReplaced(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	id := started(t, engine, "ask", nil)
	// As a killed process would be: the worker's heartbeats end, and its handler never answers in time.
	var told errorsOf
	hung := make(chan struct{})
	crashed := asking(engine, func(ctx context.Context, _ *WorkItem) (any, error) {
		close(hung)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	crashed.Lease, crashed.Grace, crashed.OnError = time.Second, -1, told.tell
	stop := serve(t, crashed)
	<-hung
	must(t, stop())
	if all := told.all(); len(all) != 1 || !errors.Is(all[0], errStopped) {
		t.Errorf("%v", all)
	}
	serve(t, asking(engine, func(context.Context, *WorkItem) (any, error) { return "done", nil }))
	if c := ended(t, engine, id); c.Result.String() != `"done"` {
		t.Errorf("%+v", c)
	}
}

func TestHeartbeatsKeepTheLease(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	var calls atomic.Int64
	slow := asking(engine, func(ctx context.Context, _ *WorkItem) (any, error) {
		calls.Add(1)
		select {
		case <-time.After(2200 * time.Millisecond):
			return "slow", nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
	slow.Lease, slow.Concurrency = time.Second, 2
	serve(t, slow)
	if c := ended(t, engine, started(t, engine, "ask", nil)); c.Result.String() != `"slow"` || calls.Load() != 1 {
		t.Errorf("%d calls, %+v", calls.Load(), c)
	}
}

func TestAHandlerLearnsThatItsItemIsLost(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	var told errorsOf
	lost := make(chan error, 1)
	worker := asking(engine, func(ctx context.Context, item *WorkItem) (any, error) {
		must(t, engine.Item(item.Token).Complete("by somebody else"))
		<-ctx.Done()
		lost <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	worker.Lease, worker.OnError = 60*time.Millisecond, told.tell
	stop := serve(t, worker)
	if c := ended(t, engine, started(t, engine, "ask", nil)); c.Result.String() != `"by somebody else"` {
		t.Errorf("%+v", c)
	}
	wants(t, <-lost, ErrStaleItem)
	must(t, stop())
	if all := told.all(); len(all) != 1 || !errors.Is(all[0], ErrStaleItem) {
		t.Errorf("%v", all)
	}
}

func TestAnAttemptsTimeoutEndsTheHandlersContext(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, "{name: timed, version: 1, tasks: {ask: {kind: host, timeout: 500ms, retry: {attempts: 2, delay: 1ms}}}, output: .ask}")
	worker := asking(engine, func(ctx context.Context, item *WorkItem) (any, error) {
		if item.Attempt == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return item.Attempt, nil
	})
	var told errorsOf
	worker.OnError = told.tell
	serve(t, worker)
	if c := ended(t, engine, started(t, engine, "timed", nil)); c.Result.String() != "2" {
		t.Errorf("%+v", c)
	}
	if all := told.all(); len(all) != 1 || !errors.Is(all[0], context.DeadlineExceeded) {
		t.Errorf("%v", all)
	}
}

func TestAWorkerStopsGracefully(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	before := runtime.NumGoroutine()
	working := make(chan string)
	goOn := make(chan struct{})
	worker := asking(engine, func(ctx context.Context, item *WorkItem) (any, error) {
		working <- item.Case
		<-goOn
		return "finished", ctx.Err()
	})
	worker.Concurrency = 1
	first, second := started(t, engine, "ask", nil), started(t, engine, "ask", nil)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- worker.Run(ctx) }()
	// Which one is first is not said of what was offered within the same millisecond.
	if taken := <-working; taken == second {
		first, second = second, first
	}
	cancel()
	select {
	case err := <-served:
		t.Fatalf("it did not wait for its handler: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	must(t, <-served)
	if c := ended(t, engine, first); c.Result.String() != `"finished"` {
		t.Errorf("%+v", c)
	}
	if c, err := engine.Case(second); err != nil || c.Items[0].State != "offered" {
		t.Errorf("it took more than it could do: %+v, %v", c, err)
	}
	_, _ = engine.core.waits()
	settled(t, before+1) // the engine's queue
}

func TestGraceIsLimited(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	working := make(chan struct{})
	var told errorsOf
	worker := asking(engine, func(ctx context.Context, _ *WorkItem) (any, error) {
		close(working)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	worker.Grace, worker.OnError = 50*time.Millisecond, told.tell
	started(t, engine, "ask", nil)
	stop := serve(t, worker)
	<-working
	at := time.Now()
	must(t, stop())
	if took := time.Since(at); took < 50*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if all := told.all(); len(all) != 1 || !errors.Is(all[0], errStopped) {
		t.Errorf("%v", all)
	}
}

func TestNoMoreRunAtOnceThanSaid(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	var now, most, calls atomic.Int64
	worker := asking(engine, func(context.Context, *WorkItem) (any, error) {
		n := now.Add(1)
		for {
			seen := most.Load()
			if n <= seen || most.CompareAndSwap(seen, n) {
				break
			}
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return calls.Add(1), nil
	})
	worker.Concurrency = 5
	var ids []string
	for range 200 {
		ids = append(ids, started(t, engine, "ask", nil))
	}
	serve(t, worker)
	for _, id := range ids {
		ended(t, engine, id)
	}
	if most.Load() > 5 || most.Load() < 2 || calls.Load() != 200 {
		t.Errorf("%d at once, %d calls", most.Load(), calls.Load())
	}
}

func TestWhatAHandlerGivesDecidesTheCase(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	detail, err := Encode(map[string]int{"left": 2})
	must(t, err)
	busy := errors.New("busy")
	serve(t, &Worker{Engine: engine, Concurrency: 3, Handlers: map[string]Handler{
		"ask": Typed(func(_ context.Context, item *WorkItem, question string) (any, error) {
			switch question {
			case "retry":
				if item.Attempt < 3 {
					return nil, fmt.Errorf("attempt %d: %w", item.Attempt, busy)
				}
				return item.Attempt, nil
			case "never":
				return nil, busy
			case "final":
				return nil, fmt.Errorf("so: %w", Final(busy))
			case "failure":
				return nil, fmt.Errorf("so: %w", &Failure{Code: "stock", Message: "not enough", Final: true, Detail: detail})
			case "panic":
				panic("at the disco")
			case "panic of bytes":
				panic("a\xffb")
			case "failure of bytes":
				return nil, &Failure{Code: "c\xfe", Message: "a\xffb", Final: true}
			case "too large":
				return make([]byte, 65<<20), nil
			case "no value":
				return make(chan int), nil
			case "bad text":
				return nil, errors.New("a\xffb")
			}
			return nil, nil
		}),
	}})
	for question, want := range map[any]struct {
		attempts int
		code     string
		message  string
	}{
		"retry":            {3, "", ""},
		"nothing":          {1, "", ""},
		"never":            {3, "failed", "busy"},
		"final":            {1, "failed", "busy"},
		"failure":          {1, "stock", "not enough"},
		"panic":            {3, "panic", "at the disco"},
		"panic of bytes":   {3, "panic", "a\uFFFDb"},
		"failure of bytes": {1, "c\uFFFD", "a\uFFFDb"},
		"too large":        {1, "result", "statewright: `result` has 68157445 bytes; the limit is 67108864"},
		"no value":         {1, "result", "statewright: the chan int is no value: a chan int has no form as a value"},
		"bad text":         {3, "failed", "a\uFFFDb"},
		5:                  {1, "input", "statewright: the value does not fit: an integer does not fit string"},
	} {
		t.Run(fmt.Sprint(question), func(t *testing.T) {
			c := ended(t, engine, started(t, engine, "ask", map[string]any{"question": question}))
			attempts := 0
			for event, err := range engine.History(c.ID, 0) {
				must(t, err)
				attempts = max(attempts, event.Attempt)
			}
			if attempts != want.attempts {
				t.Errorf("%d attempts", attempts)
			}
			if want.code == "" {
				if c.Status != Completed || c.Err() != nil {
					t.Errorf("%+v", c)
				}
				return
			}
			var failure *Failure
			if c.Status != Failed || !errors.As(c.Err(), &failure) {
				t.Fatalf("%+v", c)
			}
			if failure.Code != want.code || failure.Message != want.message || failure.Task != "ask" {
				t.Errorf("%+v", failure)
			}
			if question == "failure" && (failure.Detail.String() != `{"left":2}` || !failure.Final) {
				t.Errorf("%+v", failure)
			}
		})
	}
}

func TestFinalKeepsTheError(t *testing.T) {
	cause := errors.New("cause")
	err := Final(fmt.Errorf("outside: %w", cause))
	var failure *Failure
	if !errors.Is(err, cause) || !errors.As(err, &failure) || !failure.Final || err.Error() != "outside: cause" {
		t.Errorf("%v, %+v", err, failure)
	}
	coded := &Failure{Code: "c", Message: "m"}
	if Final(coded); coded.Final {
		t.Error("the error that was given was changed")
	}
	if coded.Error() != "c: m" || failureOf(nil).Message == "" {
		t.Error(coded)
	}
}

func TestAWorkerOfAClosedEngineEnds(t *testing.T) {
	engine, err := OpenMemory(nil)
	must(t, err)
	deployed(t, engine, hostFlow)
	started(t, engine, "ask", nil)
	working := make(chan struct{})
	worker := asking(engine, func(ctx context.Context, _ *WorkItem) (any, error) {
		close(working)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	worker.OnError = func(*WorkItem, error) {}
	worker.Concurrency = 2
	served := make(chan error, 1)
	go func() { served <- worker.Run(context.Background()) }()
	<-working
	must(t, engine.Close())
	wants(t, <-served, ErrClosed)
}

func TestAWorkerOrAPollWithoutSenseIsRefused(t *testing.T) {
	engine := openMemory(t)
	handlers := map[string]Handler{"ask": nil}
	for _, worker := range []*Worker{{}, {Engine: engine}, {Handlers: handlers}, {Engine: engine, Handlers: handlers, Lease: -1}} {
		wants(t, worker.Run(within(t, soon)), ErrInvalidArgument)
	}
	for _, poll := range []Poll{
		{}, {Topics: []string{}}, {Topics: []string{"a"}, Max: -1}, {Topics: []string{"a"}, Max: 1001}, {Topics: []string{"a"}, Lease: -1},
	} {
		_, err := engine.Poll(within(t, soon), poll)
		wants(t, err, ErrInvalidArgument)
	}
	wants(t, engine.Item("a/1/b").Heartbeat(-1), ErrInvalidArgument)
	wants(t, engine.Item("no token").Complete(1), ErrUnknownItem)
	wants(t, engine.Item("none/1/abc").Complete(1), ErrStaleItem)
}

func TestWorkIsGivenBackManyAtATime(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, "name: many\ntasks:\n  go: { kind: host, topic: many, into: .got }\noutput: .got\n")
	started, err := engine.StartAll("many", []any{nil, map[string]any{"n": 1}, "no object", nil})
	if err != nil || len(started) != 4 {
		t.Fatal(started, err)
	}
	if !errors.Is(started[2].Err, ErrInput) || started[2].ID != "" {
		t.Fatalf("%+v", started[2])
	}
	items, err := engine.Poll(within(t, soon), Poll{Topics: []string{"many"}, Max: 10})
	if err != nil || len(items) != 3 {
		t.Fatal(items, err)
	}
	outcomes := []WorkOutcome{
		{Item: items[0], Result: "first"},
		{Item: items[1], Err: &Failure{Code: "broken", Message: "it fell", Final: true}},
		{Item: items[2], Result: nil},
		{Item: items[0], Result: "again"},
	}
	refused, err := engine.Deliver(outcomes)
	if err != nil || len(refused) != 4 {
		t.Fatal(refused, err)
	}
	if refused[0] != nil || refused[1] != nil || refused[2] != nil || !errors.Is(refused[3], ErrStaleItem) {
		t.Fatal(refused)
	}
	first, err := engine.Case(items[0].Case)
	if err != nil || first.Status != Completed {
		t.Fatal(first, err)
	}
	failed, err := engine.Case(items[1].Case)
	if err != nil || failed.Status != Failed || failed.Failure.Code != "broken" {
		t.Fatal(failed, err)
	}
	if _, err := engine.Deliver([]WorkOutcome{{Item: items[0], Result: make(chan int)}}); err == nil {
		t.Fatal("a channel has no form")
	}
}
