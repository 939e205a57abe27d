// Package statewright gives a Go program durable state and durable workflows, in the process: open a folder, and you
// have keys, JSON documents, events and more with transactions, and flows whose cases survive a power cut.
//
//	engine, err := statewright.Open("data", nil)
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//
//	err = engine.KV().Put("greeting", "hello")
//	greeting, found, err := statewright.Get[string](engine.KV(), "greeting")
//
// # State
//
// An [Engine] holds keys ([KV]), documents ([JSON]), streams of [Events], [Cells], [Traces] and [Runs], each in a [Space].
// A [Txn] has the same methods: what is written in it becomes visible at once, or not at all. [Engine.Transact] runs a
// function in a transaction, again if it conflicts with another one. Lists are iterators of any length, in one state.
//
// Values are Go values, by the rules of encoding/json: see [Encode]. Integers are exact to 64 bits, and []byte is bytes.
// A [Value] is any value, not looked at yet. A [Document] is a value that the library holds, to be read and changed
// place by place, queried ([Query]), patched, compared, and checked ([Schema]).
//
// # Flows
//
// A flow is text (YAML or JSON) that [Engine.Deploy] checks and keeps. [Engine.Start] starts a case of it, which runs by
// itself, in the background; [Engine.Wait] waits for its end. Tasks of kind `host` are done by Go functions: a [Worker]
// takes their items, keeps their leases and hands in the results.
//
// # Contexts
//
// What waits for something to happen takes a context: [Engine.Wait], [Engine.Poll], [Worker.Run], [Engine.Transact].
// When it ends, the wait is over in the library too, nothing is left behind, and the error wraps the context's. What
// only waits for the disk takes none, because it cannot be taken back: a commit has happened or not.
//
// # Errors
//
// A failure of the library is an *[Error] with a stable [Code]. Look for a code with errors.Is:
//
//	if errors.Is(err, statewright.ErrConflict) { … }
//
// # Goroutines and memory
//
// An Engine, and what it gives but a Txn, can be used from any goroutine. Close engines and end transactions; what is
// forgotten is ended after it was collected. Using what is closed is an error, [ErrClosed] or [ErrTxnClosed], and harms
// nothing. Nothing that this package gives refers to memory of the library.
package statewright
