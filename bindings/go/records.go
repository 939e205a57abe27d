package statewright

import (
	"iter"
	"time"
)

// Event is one event of a stream.
type Event struct {
	// Sequence is where it stands in its stream, from 0.
	Sequence uint64
	// Time is when it was committed; never before that of an earlier event.
	Time    time.Time
	Type    string
	Payload Value
	// Hash is over the hash of the event before it and this one's content, in hexadecimal.
	Hash string
	// Version is the commit that appended it.
	Version uint64
}

type wireStreamEvent struct {
	Sequence uint64 `msgpack:"sequence"`
	Time     micros `msgpack:"time"`
	Type     string `msgpack:"type"`
	Payload  Value  `msgpack:"payload"`
	Hash     string `msgpack:"hash"`
	Version  uint64 `msgpack:"version"`
}

func (w *wireStreamEvent) public() (Event, error) {
	return Event{w.Sequence, w.Time.time(), w.Type, w.Payload, w.Hash, w.Version}, nil
}

// StreamInfo is what is known of a stream.
type StreamInfo struct {
	Name string `msgpack:"name"`
	// Len is how many events it has.
	Len uint64 `msgpack:"len"`
	// Hash is that of the last event, which vouches for all before it.
	Hash    string `msgpack:"hash"`
	Version uint64 `msgpack:"version"`
}

func (s *StreamInfo) public() (StreamInfo, error) { return *s, nil }

// Events is one stream of events, which only grows, each event chained to the one before it.
type Events struct {
	in     view
	space  string
	stream string
}

// Append puts an event at the end and gives its sequence; in a transaction that is decided when it commits, and 0 is
// given. The payload is an object. Appends do not conflict with each other.
func (e Events) Append(kind string, payload any) (sequence uint64, err error) {
	err = encoded(payload, func(bytes []byte) (err error) {
		sequence, err = e.in.append(e.space, e.stream, kind, bytes)
		return err
	})
	return sequence, err
}

// Get reads the event with this sequence, if the stream is that long.
func (e Events) Get(sequence uint64) (Event, bool, error) {
	return e.one("event.get", args{"sequence": sequence})
}

// Head reads the last event, if there is one.
func (e Events) Head() (Event, bool, error) { return e.one("event.head", nil) }

// Read gives events in their order. The options that count are [From], [To], [Reverse], [Limit] and [Within].
func (e Events) Read(how ...ListOption) iter.Seq2[Event, error] {
	return e.list("event.range", nil, how)
}

// ByType gives events of a type. The options that count are [From], [Limit] and [Within].
func (e Events) ByType(kind string, how ...ListOption) iter.Seq2[Event, error] {
	return e.list("event.by_type", args{"type": kind}, how)
}

// ByTime gives events that were committed in a span of time: [Since], [Until], [Limit] and [Within] count.
func (e Events) ByTime(how ...ListOption) iter.Seq2[Event, error] {
	return e.list("event.by_time", nil, how)
}

// Len tells how many events there are.
func (e Events) Len() (uint64, error) {
	return told[uint64](e.in, e.space, "event.len", args{"stream": e.stream})
}

// Types gives the types of its events.
func (e Events) Types() ([]string, error) {
	return told[[]string](e.in, e.space, "event.types", args{"stream": e.stream})
}

// Verify checks every event against the hash chain; [ErrChainBroken] names the first that is not what was appended. It
// reads the whole stream.
func (e Events) Verify() (info StreamInfo, there bool, err error) {
	return lookup[StreamInfo](e.in, e.space, "event.verify", args{"stream": e.stream})
}

func (e Events) one(op string, which args) (Event, bool, error) {
	operation := args{"stream": e.stream}
	for name, value := range which {
		operation[name] = value
	}
	wire, there, err := lookup[wireStreamEvent](e.in, e.space, op, operation)
	event, _ := wire.public()
	return event, there, err
}

func (e Events) list(op string, which args, how []ListOption) iter.Seq2[Event, error] {
	operation := args{"stream": e.stream}
	for name, value := range which {
		operation[name] = value
	}
	return listed(e.in, e.space, op, operation, how, (*wireStreamEvent).public)
}

// Cells is small named values, changed as a whole, with the version of their last change.
type Cells struct {
	in    view
	space string
}

// Cell is a cell and its name.
type Cell struct {
	Name string
	Stored
}

// Get reads a cell.
func (c Cells) Get(name string) (Stored, bool, error) {
	wire, there, err := lookup[wireStored](c.in, c.space, "cell.get", args{"key": name})
	return wire.public(), there, err
}

// Init makes a cell; [ErrAlreadyExists] if there is one.
func (c Cells) Init(name string, value any) error {
	return done(c.in, c.space, "cell.init", args{"key": name, "value": value})
}

// GetOrInit gives the cell's value, which is this one if it was not there.
func (c Cells) GetOrInit(name string, value any) (Value, error) {
	return perform(c.in, c.space, "cell.get_or_init", args{"key": name, "value": value})
}

// Set sets a cell, whether it is there or not.
func (c Cells) Set(name string, value any) error {
	return done(c.in, c.space, "cell.set", args{"key": name, "value": value})
}

// CompareAndSwap sets a cell if it is still at this version (0: is not there); [ErrVersionMismatch] if not.
func (c Cells) CompareAndSwap(name string, version uint64, value any) error {
	which := args{"key": name, "value": value}
	if version != 0 {
		which["expected"] = version
	}
	return done(c.in, c.space, "cell.cas", which)
}

// Delete removes a cell. Removing one that is not there is no error.
func (c Cells) Delete(name string) (found bool, err error) {
	return told[bool](c.in, c.space, "cell.delete", args{"key": name})
}

// List gives the cells whose names begin with prefix, in order. [Limit], [After] and [Within] count.
func (c Cells) List(prefix string, how ...ListOption) iter.Seq2[Cell, error] {
	show := func(w *wireStored) (Cell, error) { return Cell{w.Key, w.public()}, nil }
	return listed(c.in, c.space, "cell.list", args{"prefix": prefix}, how, show)
}

// History gives up to limit of the values that a cell had, the newest first; see [KV.History].
func (c Cells) History(name string, limit int) ([]Past, error) {
	return pasts(told[[]wirePast](c.in, c.space, "cell.history", args{"key": name, "limit": limit}))
}

// GetAtVersion reads a cell as it was when the store had this version; see [KV.History].
func (c Cells) GetAtVersion(name string, version uint64) (Stored, bool, error) {
	which := args{"key": name, "version": version}
	wire, there, err := lookup[wireStored](c.in, c.space, "cell.get_at", which)
	return wire.public(), there, err
}

// Trace is a trace as it was recorded.
type Trace struct {
	ID string
	// Parent is what it is a part of; empty for a root.
	Parent  string
	Type    string
	Tags    []string
	Time    time.Time
	Payload Value
	Version uint64
}

type wireTrace struct {
	ID      string   `msgpack:"id"`
	Parent  *string  `msgpack:"parent"`
	Type    string   `msgpack:"type"`
	Tags    []string `msgpack:"tags"`
	Time    micros   `msgpack:"time"`
	Payload Value    `msgpack:"payload"`
	Version uint64   `msgpack:"version"`
}

func (w *wireTrace) public() (Trace, error) {
	return Trace{w.ID, orEmpty(w.Parent), w.Type, w.Tags, w.Time.time(), w.Payload, w.Version}, nil
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// NewTrace is a trace to be recorded.
type NewTrace struct {
	// ID is its name; one is made if it is empty, and those sort by time.
	ID string
	// Parent is what it is a part of, which must be there; empty for a root.
	Parent  string
	Type    string
	Tags    []string
	Payload any
}

// TraceNode is a trace at its place in a tree.
type TraceNode struct {
	// Depth is how far it is below the trace that was asked for.
	Depth int
	Trace Trace
}

// Traces is what was done and why, written down once, as trees. Lists are in the order of time; [Since], [Until],
// [After], [Limit] and [Within] count.
type Traces struct {
	in    view
	space string
}

// Record writes a trace down and gives its id.
func (t Traces) Record(trace NewTrace) (id string, err error) {
	which := args{"type": trace.Type, "payload": trace.Payload}
	given(which, "id", trace.ID)
	given(which, "parent", trace.Parent)
	if trace.Tags != nil {
		which["tags"] = trace.Tags
	}
	return told[string](t.in, t.space, "trace.record", which)
}

// Get reads a trace.
func (t Traces) Get(id string) (Trace, bool, error) {
	wire, there, err := lookup[wireTrace](t.in, t.space, "trace.get", args{"id": id})
	trace, _ := wire.public()
	return trace, there, err
}

// Tree gives a trace and those below it, up to limit in all, each before its children.
func (t Traces) Tree(id string, limit int) ([]TraceNode, error) {
	type node struct {
		Depth int       `msgpack:"depth"`
		Trace wireTrace `msgpack:"trace"`
	}
	wire, err := told[[]node](t.in, t.space, "trace.tree", args{"id": id, "limit": limit})
	nodes := make([]TraceNode, len(wire))
	for i := range wire {
		trace, _ := wire[i].Trace.public()
		nodes[i] = TraceNode{wire[i].Depth, trace}
	}
	return nodes, err
}

// List gives all traces.
func (t Traces) List(how ...ListOption) iter.Seq2[Trace, error] {
	return t.by("trace.by_time", nil, how)
}

// Roots gives the traces without a parent.
func (t Traces) Roots(how ...ListOption) iter.Seq2[Trace, error] {
	return t.by("trace.roots", nil, how)
}

// ByType gives the traces of a type.
func (t Traces) ByType(kind string, how ...ListOption) iter.Seq2[Trace, error] {
	return t.by("trace.by_type", args{"type": kind}, how)
}

// ByTag gives the traces with a tag.
func (t Traces) ByTag(tag string, how ...ListOption) iter.Seq2[Trace, error] {
	return t.by("trace.by_tag", args{"tag": tag}, how)
}

// Children gives the children of a trace; [Since] and [Until] do not count.
func (t Traces) Children(id string, how ...ListOption) iter.Seq2[Trace, error] {
	return t.by("trace.children", args{"id": id}, how)
}

// Count tells how many traces there are. It reads them all.
func (t Traces) Count() (uint64, error) { return told[uint64](t.in, t.space, "trace.count", nil) }

func (t Traces) by(op string, which args, how []ListOption) iter.Seq2[Trace, error] {
	return listed(t.in, t.space, op, which, how, (*wireTrace).public)
}

// RunStatus is where a run stands.
type RunStatus string

// The statuses of runs. From Active and Paused a run can go anywhere, but that a paused one must be resumed before it
// completes; what ended can be archived.
const (
	RunActive    RunStatus = "active"
	RunPaused    RunStatus = "paused"
	RunCompleted RunStatus = "completed"
	RunFailed    RunStatus = "failed"
	RunCancelled RunStatus = "cancelled"
	RunArchived  RunStatus = "archived"
)

// Run is what a program did from start to end.
type Run struct {
	ID string
	// Space is where its state is.
	Space  string
	Status RunStatus
	// Parent is what it belongs to or was forked from; empty for a root.
	Parent           string
	Created, Updated time.Time
	Tags             []string
	Metadata         Value
	Version          uint64
}

type wireRun struct {
	ID       string    `msgpack:"id"`
	Space    string    `msgpack:"space"`
	Status   RunStatus `msgpack:"status"`
	Parent   *string   `msgpack:"parent"`
	Created  micros    `msgpack:"created"`
	Updated  micros    `msgpack:"updated"`
	Tags     []string  `msgpack:"tags"`
	Metadata Value     `msgpack:"metadata"`
	Version  uint64    `msgpack:"version"`
}

func (w *wireRun) public() (Run, error) {
	return Run{
		w.ID, w.Space, w.Status, orEmpty(w.Parent), w.Created.time(), w.Updated.time(), w.Tags, w.Metadata, w.Version,
	}, nil
}

// NewRun is a run to be made.
type NewRun struct {
	// ID is a part of a space's name; one is made if it is empty, and those sort by time.
	ID string
	// Parent is what it belongs to, which must be there; empty for a root.
	Parent string
	Tags   []string
	// Metadata is an object; nil is an empty one.
	Metadata any
}

func (n NewRun) args(id string) args {
	which := args{}
	given(which, id, n.ID)
	given(which, "parent", n.Parent)
	if n.Tags != nil {
		which["tags"] = n.Tags
	}
	if n.Metadata != nil {
		which["metadata"] = n.Metadata
	}
	return which
}

// Difference is a place at which the states of two runs differ.
type Difference struct {
	Primitive string `msgpack:"primitive"`
	Place     string `msgpack:"place"`
	// Before is what the first has, and After what the second has; null if nothing.
	Before Value `msgpack:"before"`
	After  Value `msgpack:"after"`
}

// RunCommit is a commit that changed the state of a run.
type RunCommit struct {
	Version uint64
	Time    time.Time
	Ops     []RunOp
}

// RunOp is what a commit changed: the operation, and where.
type RunOp struct {
	Op string `msgpack:"op"`
	At string `msgpack:"at"`
}

type wireRunCommit struct {
	Version uint64  `msgpack:"version"`
	Time    *micros `msgpack:"time"`
	Ops     []RunOp `msgpack:"ops"`
}

// Runs is the runs of a space. A run's state is what is in the space [Run.Space]. Lists are in the order in which runs
// were created; [Since], [Until], [After], [Limit] and [Within] count.
type Runs struct {
	in    view
	space string
}

// Create makes an active run and gives its id.
func (r Runs) Create(run NewRun) (id string, err error) {
	return told[string](r.in, r.space, "run.create", run.args("id"))
}

// Get reads a run.
func (r Runs) Get(id string) (Run, bool, error) {
	wire, there, err := lookup[wireRun](r.in, r.space, "run.get", args{"id": id})
	run, _ := wire.public()
	return run, there, err
}

// SetStatus gives a run another status; [ErrIllegalTransition] if it cannot have that one.
func (r Runs) SetStatus(id string, status RunStatus) error {
	return done(r.in, r.space, "run.set_status", args{"id": id, "status": string(status)})
}

// SetMetadata sets a place of a run's metadata.
func (r Runs) SetMetadata(id, path string, value any) error {
	return done(r.in, r.space, "run.set_metadata", args{"id": id, "path": path, "value": value})
}

// RemoveMetadata removes a place of a run's metadata.
func (r Runs) RemoveMetadata(id, path string) error {
	return done(r.in, r.space, "run.remove_metadata", args{"id": id, "path": path})
}

// AddTag gives a run a tag; tells whether it did not have it.
func (r Runs) AddTag(id, tag string) (bool, error) {
	return told[bool](r.in, r.space, "run.add_tag", args{"id": id, "tag": tag})
}

// RemoveTag takes a tag away; tells whether it was there.
func (r Runs) RemoveTag(id, tag string) (bool, error) {
	return told[bool](r.in, r.space, "run.remove_tag", args{"id": id, "tag": tag})
}

// Fork makes a child with a copy of a run's state and gives its id. The parent of the new one is not looked at.
func (r Runs) Fork(id string, run NewRun) (string, error) {
	run.Parent = ""
	which := run.args("new_id")
	which["id"] = id
	return told[string](r.in, r.space, "run.fork", which)
}

// Delete removes a run and its state, and with cascade all below it, too; else [ErrHasChildren]. It gives how many.
func (r Runs) Delete(id string, cascade bool) (uint64, error) {
	return told[uint64](r.in, r.space, "run.delete", args{"id": id, "cascade": cascade})
}

// List gives all runs.
func (r Runs) List(how ...ListOption) iter.Seq2[Run, error] { return r.by("run.list", nil, how) }

// Roots gives the runs without a parent.
func (r Runs) Roots(how ...ListOption) iter.Seq2[Run, error] { return r.by("run.roots", nil, how) }

// ByStatus gives the runs of a status.
func (r Runs) ByStatus(status RunStatus, how ...ListOption) iter.Seq2[Run, error] {
	return r.by("run.by_status", args{"status": string(status)}, how)
}

// ByTag gives the runs with a tag.
func (r Runs) ByTag(tag string, how ...ListOption) iter.Seq2[Run, error] {
	return r.by("run.by_tag", args{"tag": tag}, how)
}

// Children gives the children of a run; [Since] and [Until] do not count.
func (r Runs) Children(id string, how ...ListOption) iter.Seq2[Run, error] {
	return r.by("run.children", args{"id": id}, how)
}

// Count tells how many runs there are. It reads them all.
func (r Runs) Count() (uint64, error) { return told[uint64](r.in, r.space, "run.count", nil) }

// Diff gives up to limit places at which the states of two runs differ.
func (r Runs) Diff(first, second string, limit int) ([]Difference, error) {
	return told[[]Difference](r.in, r.space, "run.diff", args{"id": first, "other": second, "limit": limit})
}

// Replay gives up to limit of the commits that changed a run's state, the oldest first; it reads the log, as
// [KV.History] does.
func (r Runs) Replay(id string, limit int) ([]RunCommit, error) {
	wire, err := told[[]wireRunCommit](r.in, r.space, "run.replay", args{"id": id, "limit": limit})
	all := make([]RunCommit, len(wire))
	for i, w := range wire {
		all[i] = RunCommit{w.Version, w.Time.time(), w.Ops}
	}
	return all, err
}

func (r Runs) by(op string, which args, how []ListOption) iter.Seq2[Run, error] {
	return listed(r.in, r.space, op, which, how, (*wireRun).public)
}

// given adds text that is not empty.
func given(which args, name, text string) {
	if text != "" {
		which[name] = text
	}
}

// SpaceInfo is what a space holds.
type SpaceInfo struct {
	Keys      uint64 `msgpack:"keys"`
	Documents uint64 `msgpack:"documents"`
	Cells     uint64 `msgpack:"cells"`
	Streams   uint64 `msgpack:"streams"`
	Traces    uint64 `msgpack:"traces"`
	Runs      uint64 `msgpack:"runs"`
}

// Spaces is all spaces. A space is made by the first write to it. An empty name is "default".
type Spaces struct{ in view }

// List gives the names of the spaces that hold something and begin with prefix. [Limit], [After] and [Within] count.
func (s Spaces) List(prefix string, how ...ListOption) iter.Seq2[string, error] {
	show := func(name *string) (string, error) { return *name, nil }
	return listed(s.in, "", "space.list", args{"prefix": prefix}, how, show)
}

// Info tells what a space holds. It reads all of it.
func (s Spaces) Info(name string) (SpaceInfo, error) {
	return told[SpaceInfo](s.in, name, "space.info", nil)
}

// Has tells whether a space holds anything.
func (s Spaces) Has(name string) (bool, error) { return told[bool](s.in, name, "space.exists", nil) }

// Delete removes everything that a space holds and the states of its runs; tells whether there was anything.
func (s Spaces) Delete(name string) (bool, error) {
	return told[bool](s.in, name, "space.delete", nil)
}

// Copy copies everything in a space and the states of its runs to one that holds nothing; else [ErrAlreadyExists].
func (s Spaces) Copy(from, to string) error {
	return done(s.in, from, "space.copy", args{"to": orDefault(to)})
}
