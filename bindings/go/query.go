package statewright

import (
	"runtime"
	"sync/atomic"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Query is a compiled JSONPath query (RFC 9535), such as `$.lines[?@.price > 10].sku`. It can be used from any
// goroutine. Close it, or leave that to the garbage collector.
type Query struct {
	handle  capi.Query
	cleanup runtime.Cleanup
	closed  atomic.Bool
}

// PathForm is how places are written.
type PathForm uint32

const (
	// OwnPaths are as everywhere in this package: .lines[0]."odd key".
	OwnPaths PathForm = capi.SW_PATHS_OWN
	// NormalizedPaths are those of RFC 9535: $['lines'][0]['odd key'].
	NormalizedPaths PathForm = capi.SW_PATHS_NORMALIZED
	// Pointers are those of RFC 6901: /lines/0/odd key.
	Pointers PathForm = capi.SW_PATHS_POINTER
)

// Located is what a query found, and where.
type Located struct {
	Path  string
	Value Value
}

// ParseQuery compiles a query. Fails with [ErrInvalidQuery].
func ParseQuery(text string) (*Query, error) { return ParseQueryLimited(text, 0) }

// ParseQueryLimited compiles a query that may take so many steps on one document, 10 million if that is 0. A step is one
// node looked at, or one comparison.
func ParseQueryLimited(text string, maxSteps uint64) (*Query, error) {
	handle, err := capi.QueryParse(text, maxSteps)
	if err != nil {
		return nil, documentError(err)
	}
	q := &Query{handle: handle}
	q.cleanup = runtime.AddCleanup(q, func(handle capi.Query) { _ = capi.QueryFree(handle) }, handle)
	return q, nil
}

// Close ends the query. Closing it again does nothing.
func (q *Query) Close() error {
	if q.closed.Swap(true) {
		return nil
	}
	q.cleanup.Stop()
	return q.end(nil, capi.QueryFree(q.handle))
}

func (q *Query) end(d *Document, err error) error {
	runtime.KeepAlive(q)
	runtime.KeepAlive(d)
	return documentError(err)
}

// Select gives everything that the query finds, in order: an array.
func (q *Query) Select(in *Document) (*Document, error) {
	found, err := document(capi.QuerySelect(q.handle, in.handle))
	return found, q.end(in, err)
}

// First gives what the query finds first; it looks no further.
func (q *Query) First(in *Document) (first *Document, there bool, err error) {
	first, there, err = found(capi.QueryFirst(q.handle, in.handle))
	return first, there, q.end(in, err)
}

// Count tells how much the query finds.
func (q *Query) Count(in *Document) (int, error) {
	n, err := capi.QueryCount(q.handle, in.handle)
	return n, q.end(in, err)
}

// Locate gives everything that the query finds, in order, and where.
func (q *Query) Locate(in *Document, form PathForm) ([]Located, error) {
	rows, err := document(capi.QueryLocate(q.handle, in.handle, uint32(form)))
	if err := q.end(in, err); err != nil {
		return nil, err
	}
	defer rows.Close()
	pairs, _, err := Read[[][2]Value](rows, "")
	if err != nil {
		return nil, err
	}
	located := make([]Located, len(pairs))
	for i, pair := range pairs {
		located[i].Value = pair[1]
		if err := pair[0].Decode(&located[i].Path); err != nil {
			return nil, err
		}
	}
	return located, nil
}

// Set puts a Go value or a document at every place that the query finds, and says how many those were.
func (q *Query) Set(in *Document, to any) (n int, err error) {
	err = with(to, func(to capi.Value) (err error) {
		n, err = capi.QuerySet(q.handle, in.handle, to)
		return q.end(in, err)
	})
	return n, err
}

// Remove removes everything that the query finds, and says how much that was.
func (q *Query) Remove(in *Document) (int, error) {
	n, err := capi.QueryRemove(q.handle, in.handle)
	return n, q.end(in, err)
}

// Query gives everything that a JSONPath query (RFC 9535) finds, in order: an array. Texts that were used lately are not
// compiled again.
func (d *Document) Query(text string) (*Document, error) {
	found, err := document(capi.ValueQuery(d.handle, text))
	runtime.KeepAlive(d)
	return found, err
}
