package statewright

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestWhatEndsDuringADeliveryIsDeliveredTogether(t *testing.T) {
	calls := make(chan []*ending)
	goOn := make(chan struct{})
	d := newDeliveries(nil)
	refused := errors.New("refused")
	d.deliver = func(batch []*ending) {
		calls <- batch
		<-goOn
		for _, one := range batch {
			if one.item.Number%2 == 1 {
				one.err = refused
			}
		}
	}
	var group sync.WaitGroup
	give := func(number uint64) {
		err := d.give(&ending{item: &WorkItem{Number: number}})
		if (number%2 == 1) != (err == refused) {
			t.Errorf("%d was told %v", number, err)
		}
	}
	spawn(&group, func() { give(0) })
	if first := <-calls; len(first) != 1 {
		t.Fatalf("%d waited for others", len(first))
	}
	for number := uint64(1); number <= 9; number++ {
		spawn(&group, func() { give(number) })
	}
	eventually(t, "all of them wait", func() bool {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		return len(d.waiting) == 9
	})
	goOn <- struct{}{}
	if second := <-calls; len(second) != 9 {
		t.Errorf("%d together", len(second))
	}
	goOn <- struct{}{}
	group.Wait()
}

func TestOneDeliveryTakesSoMuch(t *testing.T) {
	d := newDeliveries(nil)
	large := make(Value, deliveryBytes/2+1)
	d.waiting = []*ending{{result: large}, {result: large}, {}}
	for i := 0; i < 2*deliveryBatch; i++ {
		d.waiting = append(d.waiting, &ending{})
	}
	for _, want := range []int{1, deliveryBatch, deliveryBatch, 2} {
		if got := len(d.take()); got != want {
			t.Errorf("%d, not %d", got, want)
		}
	}
}

func TestEachOfABatchIsToldForItself(t *testing.T) {
	engine := openMemory(t)
	deployed(t, engine, hostFlow)
	_, err := engine.StartAll("ask", []any{nil, nil, nil})
	must(t, err)
	items, err := engine.Poll(within(t, soon), Poll{Topics: []string{"ask"}, Max: 3})
	must(t, err)
	batch := []*ending{
		{item: items[0], result: Value{1}},
		{item: items[0], result: Value{2}},
		{item: items[1], failure: Final(errors.New("broken"))},
	}
	engine.deliverEach(batch)
	must(t, batch[0].err)
	wants(t, batch[1].err, ErrStaleItem)
	must(t, batch[2].err)
	if c := ended(t, engine, items[1].Case); c.Status != Failed {
		t.Errorf("%+v", c)
	}
	// One that cannot be read does not take the others with it.
	batch = []*ending{{item: items[2], result: Value{0xc1}}, {item: items[2], result: Value{3}}}
	engine.deliverEach(batch)
	wants(t, batch[0].err, ErrInvalidMsgpack)
	must(t, batch[1].err)
}

func TestAWorkerHandsInWhatEndsTogether(t *testing.T) {
	engine, err := Open(t.TempDir(), nil)
	must(t, err)
	defer engine.Close()
	deployed(t, engine, hostFlow)
	const many = 64
	// Nobody ends before all have begun.
	var begun sync.WaitGroup
	begun.Add(many)
	var told errorsOf
	worker := asking(engine, func(_ context.Context, item *WorkItem) (any, error) {
		begun.Done()
		begun.Wait()
		if item.Input.String() == "1" {
			must(t, item.Complete("by hand"))
		}
		return item.Input, nil
	})
	worker.Concurrency, worker.OnError = many, told.tell
	inputs := make([]any, many)
	for i := range inputs {
		inputs[i] = map[string]int{"question": i}
	}
	started, err := engine.StartAll("ask", inputs)
	must(t, err)
	before, err := engine.Stats()
	must(t, err)
	stop := serve(t, worker)
	for i, one := range started {
		want := fmt.Sprint(i)
		if i == 1 {
			want = `"by hand"`
		}
		if c := ended(t, engine, one.ID); c.Result.String() != want {
			t.Errorf("%d: %+v", i, c)
		}
	}
	must(t, stop())
	after, err := engine.Stats()
	must(t, err)
	commits, syncs := after.Log.Commits-before.Log.Commits, after.Log.Syncs-before.Log.Syncs
	// How many of them come together is up to the disk.
	if commits != many || syncs > many {
		t.Errorf("%d syncs for %d commits", syncs, commits)
	}
	if all := told.all(); len(all) != 1 || !errors.Is(all[0], ErrStaleItem) || !strings.Contains(all[0].Error(), "not accepted") {
		t.Errorf("%v", all)
	}
}
