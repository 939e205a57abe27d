package statewright

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Durability is what a commit survives.
type Durability uint32

const (
	// DefaultDurability is Strict with a folder, and memory without one.
	DefaultDurability Durability = capi.SW_DURABILITY_DEFAULT
	// Buffered commits survive a killed process, and a power cut once they are synced in the background.
	Buffered Durability = capi.SW_DURABILITY_BUFFERED
	// Strict commits survive a power cut.
	Strict Durability = capi.SW_DURABILITY_STRICT
)

// Options say how to open an engine. The zero value, and nil, are the defaults.
type Options struct {
	// Durability is what a commit survives. An engine in memory takes none but the default.
	Durability Durability

	// Paused opens the engine without moving cases: the store can be used and cases looked at, but nothing runs
	// and no work is handed out.
	Paused bool

	// Workers is how many programs of `process` tasks run at the same time, 1 to 256; 0 is the default, 4.
	Workers int

	// SyncInterval is how long a Buffered commit waits at most before it is synced; 0 is the default, 50 ms.
	SyncInterval time.Duration

	// MaxCommitBytes is how many bytes one commit has at most, up to 1 GiB; 0 is the default, 64 MiB. A larger one
	// is refused with [ErrFrameTooLarge]. In memory there is no such limit.
	MaxCommitBytes uint64
}

// Engine is an open store and the flows that run on it. It can be used from any goroutine.
//
// Close it when it is no longer needed. An engine that is forgotten is closed some time after it has become
// unreachable, which keeps its folder locked until then.
type Engine struct {
	core    *core
	cleanup runtime.Cleanup
}

// core is what outlives the Engine until it is closed; it must not lead back to it.
type core struct {
	handle capi.Engine
	mutex  sync.Mutex
	queue  *queue // made for the first wait
	closed bool
	gone   chan struct{} // closed when closing is done
	err    error         // of closing
}

// Open opens the store in a folder, making the folder if it is not there, and goes on with every case in it that
// has not ended.
//
// One engine at a time has a folder: another one gets [ErrLocked]. It takes time in proportion to the store's log.
func Open(dir string, options *Options) (*Engine, error) {
	if dir == "" {
		return nil, &Error{
			Code: ErrInvalidArgument, Message: "the folder's name is empty", Path: "dir",
			Help: "name a folder, or use OpenMemory",
		}
	}
	return open(dir, options)
}

// OpenMemory opens an empty store in memory, which is gone when the engine is closed.
func OpenMemory(options *Options) (*Engine, error) { return open("", options) }

func open(dir string, options *Options) (*Engine, error) {
	if err := checkABI(); err != nil {
		return nil, err
	}
	low, err := options.low()
	if err != nil {
		return nil, err
	}
	handle, err := capi.Open(dir, low)
	if err != nil {
		return nil, convertedValue(err)
	}
	engine := &Engine{core: &core{handle: handle, gone: make(chan struct{})}}
	// Closing can take long, and all cleanups of the process share one goroutine.
	engine.cleanup = runtime.AddCleanup(engine, func(c *core) { go c.close() }, engine.core)
	return engine, nil
}

func (o *Options) low() (*capi.OpenOptions, error) {
	if o == nil {
		return nil, nil
	}
	low := &capi.OpenOptions{
		Durability:     uint32(o.Durability),
		WorkerThreads:  uint32(o.Workers),
		SyncIntervalNs: uint64(o.SyncInterval),
		MaxCommitBytes: o.MaxCommitBytes,
	}
	if o.Paused {
		low.Drive = capi.SW_DRIVE_NONE
	}
	for _, check := range []struct {
		name string
		fits bool
	}{
		{"Workers", o.Workers >= 0 && o.Workers <= 256},
		{"SyncInterval", o.SyncInterval >= 0},
	} {
		if !check.fits {
			return nil, &Error{Code: ErrInvalidArgument, Message: "Options." + check.name + " is out of range", Path: check.name}
		}
	}
	return low, nil
}

// Close stops the engine's work, ends every wait with [ErrClosed], syncs, and releases the folder. Cases that have not
// ended go on when the store is opened again. Closing twice is fine: the second call waits for the first.
func (e *Engine) Close() error {
	e.cleanup.Stop()
	return e.core.close()
}

func (c *core) close() error {
	c.mutex.Lock()
	first, queue := !c.closed, c.queue
	c.closed = true
	c.mutex.Unlock()
	if !first {
		<-c.gone
		return nil
	}
	c.err = convertedValue(capi.Close(c.handle))
	if queue != nil {
		queue.close()
	}
	close(c.gone)
	return c.err
}

// waits gives the queue on which the engine's waits end.
func (c *core) waits() (*queue, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return nil, &Error{Code: ErrClosed, Message: engineClosed}
	}
	if c.queue == nil {
		queue, err := newQueue()
		if err != nil {
			return nil, err
		}
		c.queue = queue
	}
	return c.queue, nil
}

// wait submits an operation and waits for its end; doing says what for, in the error if the context ends first.
func (e *Engine) wait(ctx context.Context, doing string, submit func(queue capi.Cq, ticket uint64) (op uint64, err error)) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, abandoned(ctx, doing)
	}
	queue, err := e.core.waits()
	if err != nil {
		return nil, err
	}
	result, err := queue.wait(ctx, submit)
	if isLow(err, capi.SW_CANCELLED) && ctx.Err() != nil {
		err = abandoned(ctx, doing)
	}
	return result, e.end(err)
}

const engineClosed = "the engine is closed"

// end is called with the error of every call to the library. It keeps the engine open until here: were the engine
// collected during the call, the handle that the call was made with would be closed.
func (e *Engine) end(err error) error {
	runtime.KeepAlive(e)
	return converted(err, ErrClosed, engineClosed)
}

// Sync makes everything committed so far survive a power cut. It does nothing in memory.
func (e *Engine) Sync() error { return e.end(capi.Sync(e.core.handle)) }

// Stats are figures about an engine.
type Stats struct {
	// Version is that of the last commit, and DurableVersion that of the last one which survives a power cut.
	Version        uint64 `msgpack:"version"`
	DurableVersion uint64 `msgpack:"durable_version"`

	// Durability is what is in force: "memory", "buffered" or "strict".
	Durability string `msgpack:"durability"`

	// Entries is how many keys, documents and records the store holds.
	Entries uint64 `msgpack:"entries"`

	// Transactions is how many transactions and snapshots are open.
	Transactions uint64 `msgpack:"transactions"`

	// Limits are the bounds in force: operations in a transaction, writes remembered for conflicts, attempts of a
	// transaction that is run again.
	Limits struct {
		MaxOps      uint64 `msgpack:"max_ops"`
		MaxRecent   uint64 `msgpack:"max_recent"`
		MaxAttempts uint64 `msgpack:"max_attempts"`
	} `msgpack:"limits"`

	// Settings are the options of the log and of checkpoints in force.
	Settings struct {
		FirstSegmentBytes uint64 `msgpack:"first_segment_bytes"`
		SegmentBytes      uint64 `msgpack:"segment_bytes"`
		MaxCommitBytes    uint64 `msgpack:"max_commit_bytes"`
		// Map tells whether buffered commits are copied into a mapping where the file system allows it.
		Map bool `msgpack:"map"`
		// Pad tells whether each synced batch is followed by padding up to the next page.
		Pad                  bool   `msgpack:"pad"`
		ReserveBytes         uint64 `msgpack:"reserve_bytes"`
		Network              bool   `msgpack:"network"`
		CheckpointEveryBytes uint64 `msgpack:"checkpoint_every_bytes"`
		CacheBytes           uint64 `msgpack:"cache_bytes"`
	} `msgpack:"settings"`

	// Log counts since the engine was opened.
	Log struct {
		Commits        uint64  `msgpack:"commits"`
		Bytes          uint64  `msgpack:"bytes"`
		BytesPerCommit float64 `msgpack:"bytes_per_commit"`
		Syncs          uint64  `msgpack:"syncs"`
		// Mapped tells whether commits are written through a mapping.
		Mapped bool `msgpack:"mapped"`
		// Batches are groups of commits that shared a sync.
		Batches   uint64  `msgpack:"batches"`
		BatchMin  uint64  `msgpack:"batch_min"`
		BatchMean float64 `msgpack:"batch_mean"`
		BatchMax  uint64  `msgpack:"batch_max"`
		// BatchSizes counts batches of 1 commit, of 2 to 3, of 4 to 7, and so on.
		BatchSizes      []uint64 `msgpack:"batch_sizes"`
		SegmentsStarted uint64   `msgpack:"segments_started"`
		// Failed is what failed when the log was written or synced; then it takes no more commits until the engine is opened
		// again. Empty if nothing did.
		Failed string `msgpack:"failed"`
	} `msgpack:"log"`

	// Recovery is what opening found.
	Recovery struct {
		Commits  uint64 `msgpack:"commits"`
		Bytes    uint64 `msgpack:"bytes"`
		CutBytes uint64 `msgpack:"cut_bytes"`
		// Rewritten is how many commits were not yet proven durable and were written again.
		Rewritten uint64 `msgpack:"rewritten"`
		Segments  uint64 `msgpack:"segments"`
		Clean     bool   `msgpack:"clean"`
	} `msgpack:"recovery"`

	// Checkpoint is the newest one; its version is 0 if there is none.
	Checkpoint struct {
		Version uint64 `msgpack:"version"`
		Files   uint64 `msgpack:"files"`
		Bytes   uint64 `msgpack:"bytes"`
		Used    uint64 `msgpack:"used"`
		// Skipped says which ones opening passed over because they are damaged, and why.
		Skipped []string `msgpack:"skipped"`
		// Failed is why the last try to make one failed; empty if that made one, or none was tried.
		Failed string `msgpack:"failed"`
	} `msgpack:"checkpoint"`
}

// Stats gives figures about the engine.
func (e *Engine) Stats() (Stats, error) {
	bytes, err := capi.Stats(e.core.handle)
	return decoded[Stats](bytes, e.end(err))
}

// decoded turns what a call gave into a T.
func decoded[T any](bytes []byte, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return Decode[T](bytes)
}
