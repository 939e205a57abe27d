package statewright

import "time"

// The objects that the library gives, where they are not the public types already: times are microseconds since the
// start of 1970.

type micros int64

func (m *micros) time() time.Time {
	if m == nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(*m)).UTC()
}

type wireCase struct {
	ID      string         `msgpack:"id"`
	Parent  string         `msgpack:"parent"`
	Flow    string         `msgpack:"flow"`
	Version uint64         `msgpack:"version"`
	Status  Status         `msgpack:"status"`
	Created micros         `msgpack:"created"`
	Updated micros         `msgpack:"updated"`
	Data    Value          `msgpack:"data"`
	Marking map[string]int `msgpack:"marking"`
	Items   []ItemInfo     `msgpack:"items"`
	Result  Value          `msgpack:"result"`
	Error   *wireFailure   `msgpack:"error"`
}

func (w *wireCase) public() Case {
	return Case{
		ID: w.ID, Parent: w.Parent, Flow: w.Flow, Version: w.Version, Status: w.Status,
		Created: w.Created.time(), Updated: w.Updated.time(),
		Data: w.Data, Marking: w.Marking, Items: w.Items,
		Result: w.Result, Failure: w.Error.public(),
	}
}

func caseOf(bytes []byte, err error) (Case, error) {
	wire, err := decoded[wireCase](bytes, err)
	if err != nil {
		return Case{}, err
	}
	return wire.public(), nil
}

type wireFailure struct {
	Code      string `msgpack:"code,omitempty"`
	Message   string `msgpack:"message"`
	Retryable bool   `msgpack:"retryable"`
	Task      string `msgpack:"task,omitempty"`
	Detail    Value  `msgpack:"detail,omitempty"`
}

func (w *wireFailure) public() *Failure {
	if w == nil {
		return nil
	}
	return &Failure{Code: w.Code, Message: w.Message, Final: !w.Retryable, Task: w.Task, Detail: w.Detail}
}

type wireWaiting struct {
	Task  string  `msgpack:"task"`
	Item  uint64  `msgpack:"item"`
	What  string  `msgpack:"what"`
	Since *micros `msgpack:"since"`
	Until *struct {
		At   micros `msgpack:"at"`
		Then string `msgpack:"then"`
	} `msgpack:"until"`
	Unblocks string `msgpack:"unblocks"`
}

func (w *wireWaiting) public() Waiting {
	waiting := Waiting{Task: w.Task, Item: w.Item, What: w.What, Since: w.Since.time(), Unblocks: w.Unblocks}
	if w.Until != nil {
		waiting.Next = &Next{At: w.Until.At.time(), Then: w.Until.Then}
	}
	return waiting
}

type wireEvent struct {
	Case    string `msgpack:"case"`
	Seq     uint64 `msgpack:"seq"`
	Version uint64 `msgpack:"version"`
	At      micros `msgpack:"at"`
	Event   string `msgpack:"event"`
	Task    string `msgpack:"task"`
	Item    uint64 `msgpack:"item"`
	Attempt int    `msgpack:"attempt"`
	Detail  Value  `msgpack:"detail"`
}

func (w *wireEvent) public() HistoryEvent {
	return HistoryEvent{
		Case: w.Case, Seq: w.Seq, Version: w.Version, At: w.At.time(), Event: w.Event,
		Task: w.Task, Item: w.Item, Attempt: w.Attempt, Detail: w.Detail,
	}
}

type wireWorkFilter struct {
	Topic  string         `msgpack:"topic,omitempty"`
	Case   string         `msgpack:"case,omitempty"`
	Task   string         `msgpack:"task,omitempty"`
	Worker string         `msgpack:"worker,omitempty"`
	State  string         `msgpack:"state,omitempty"`
	Limit  int            `msgpack:"limit"`
	After  *wireWorkAfter `msgpack:"after,omitempty"`
}

type wireWorkAfter struct {
	Case string `msgpack:"case"`
	Item uint64 `msgpack:"item"`
}

type wireWork struct {
	Case     string    `msgpack:"case"`
	Item     uint64    `msgpack:"item"`
	Task     string    `msgpack:"task"`
	Topic    string    `msgpack:"topic"`
	State    WorkState `msgpack:"state"`
	Since    micros    `msgpack:"since"`
	Attempt  int       `msgpack:"attempt"`
	Input    Value     `msgpack:"input"`
	Worker   string    `msgpack:"worker"`
	Token    string    `msgpack:"token"`
	Deadline *micros   `msgpack:"deadline"`
	Until    *micros   `msgpack:"until"`
}

func (w *wireWork) public() WorkInfo {
	return WorkInfo{
		Case: w.Case, Number: w.Item, Task: w.Task, Topic: w.Topic, State: w.State, Since: w.Since.time(),
		Attempt: w.Attempt, Input: w.Input, Worker: w.Worker, Token: w.Token,
		Deadline: w.Deadline.time(), Until: w.Until.time(),
	}
}

type wireItem struct {
	Token          string  `msgpack:"token"`
	Case           string  `msgpack:"case"`
	Item           uint64  `msgpack:"item"`
	Task           string  `msgpack:"task"`
	Topic          string  `msgpack:"topic"`
	Attempt        int     `msgpack:"attempt"`
	IdempotencyKey string  `msgpack:"idempotency_key"`
	Input          Value   `msgpack:"input"`
	Deadline       *micros `msgpack:"deadline"`
	LeaseUntil     *micros `msgpack:"lease_until"`
}

func (w *wireItem) public(engine *Engine) *WorkItem {
	return &WorkItem{
		engine: engine,
		Token:  w.Token, Case: w.Case, Number: w.Item, Task: w.Task, Topic: w.Topic, Attempt: w.Attempt,
		IdempotencyKey: w.IdempotencyKey, Input: w.Input,
		Deadline: w.Deadline.time(), LeaseUntil: w.LeaseUntil.time(),
	}
}

type wireSchedule struct {
	Flow    string  `msgpack:"flow"`
	When    string  `msgpack:"when"`
	Overlap Overlap `msgpack:"overlap"`
	Next    *micros `msgpack:"next"`
	Last    *micros `msgpack:"last"`
	Paused  bool    `msgpack:"paused"`
	Case    string  `msgpack:"case"`
	Queued  *micros `msgpack:"queued"`
	Started uint64  `msgpack:"started"`
	Skipped uint64  `msgpack:"skipped"`
	Missed  uint64  `msgpack:"missed"`
}

func (w *wireSchedule) public() Schedule {
	return Schedule{
		Flow: w.Flow, When: w.When, Overlap: w.Overlap, Next: w.Next.time(), Last: w.Last.time(), Paused: w.Paused,
		Case: w.Case, Queued: w.Queued.time(), Started: w.Started, Skipped: w.Skipped, Missed: w.Missed,
	}
}

type wireOutcome struct {
	Token   string       `msgpack:"token"`
	Result  Value        `msgpack:"result,omitempty"`
	Failure *wireFailure `msgpack:"failure,omitempty"`
}

// wireStarted is what became of one of several: a case's id, nothing, or an error.
type wireStarted struct {
	Case  string     `msgpack:"case"`
	Error *wireError `msgpack:"error"`
}

type wireError struct {
	Code      Code   `msgpack:"code"`
	Message   string `msgpack:"message"`
	Path      string `msgpack:"path"`
	Help      string `msgpack:"help"`
	Retryable bool   `msgpack:"retryable"`
}

func (w *wireStarted) refused() error {
	if w.Error == nil {
		return nil
	}
	return &Error{Code: w.Error.Code, Message: w.Error.Message, Path: w.Error.Path, Help: w.Error.Help, Retryable: w.Error.Retryable}
}
