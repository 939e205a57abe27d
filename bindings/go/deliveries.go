package statewright

import (
	"errors"
	"sync"
)

// deliveries hands in what became of a worker's items, one call to the library at a time: what ends while a call is
// under way goes together into the next one. What ends while none is under way is handed in at once.
type deliveries struct {
	// deliver hands in several; it gives each its err.
	deliver func(batch []*ending)

	mutex    sync.Mutex
	changed  sync.Cond // of told and underWay
	waiting  []*ending
	underWay bool
}

// ending is what became of an item: its result, or, if failure is not nil, why there is none.
type ending struct {
	item    *WorkItem
	result  Value
	failure error

	told bool
	err  error // why it was refused, once it is told
}

// The most that one call takes, so that a few large results do not make one too large for the library.
const (
	deliveryBatch = 1000
	deliveryBytes = 8 << 20
)

func newDeliveries(engine *Engine) *deliveries {
	d := &deliveries{deliver: engine.deliverEach}
	d.changed.L = &d.mutex
	return d
}

// give hands in what became of an item, and returns when the library has said what it thinks of it.
func (d *deliveries) give(one *ending) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.waiting = append(d.waiting, one)
	for !one.told {
		if d.underWay {
			d.changed.Wait()
			continue
		}
		d.underWay = true
		batch := d.take()
		d.mutex.Unlock()
		d.deliver(batch)
		d.mutex.Lock()
		d.underWay = false
		for _, ended := range batch {
			ended.told = true
		}
		d.changed.Broadcast()
	}
	return one.err
}

// take gives what goes into the next call: at least one.
func (d *deliveries) take() []*ending {
	bytes := 0
	for i, one := range d.waiting {
		bytes += len(one.result)
		if i == deliveryBatch || (i > 0 && bytes > deliveryBytes) {
			batch := d.waiting[:i:i]
			d.waiting = d.waiting[i:]
			return batch
		}
	}
	batch := d.waiting
	d.waiting = nil
	return batch
}

// deliverEach hands in what became of several items, and gives each its err.
func (e *Engine) deliverEach(batch []*ending) {
	if len(batch) > 1 {
		outcomes := make([]WorkOutcome, len(batch))
		for i, one := range batch {
			outcomes[i] = WorkOutcome{Item: one.item, Result: one.result, Err: one.failure}
		}
		refused, err := e.Deliver(outcomes)
		if err == nil {
			for i, one := range batch {
				one.err = refused[i]
			}
			return
		}
		if !concernsOne(err) {
			for _, one := range batch {
				one.err = err
			}
			return
		}
		// What one of them says cannot be read: nothing was done, and the others are not to suffer for it.
	}
	for _, one := range batch {
		if one.failure != nil {
			one.err = one.item.Fail(one.failure)
		} else {
			one.err = one.item.Complete(one.result)
		}
	}
}

// concernsOne tells whether an error is about what was given, not about the engine: it has no code of the library, or
// one of the arguments or of values.
func concernsOne(err error) bool {
	var failure *Error
	if !errors.As(err, &failure) {
		return true
	}
	code := failure.Code
	return (code > 100 && code <= 104) || (code >= 200 && code < 300)
}
