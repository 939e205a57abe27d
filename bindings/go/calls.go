package statewright

import "github.com/statewright/statewright/bindings/go/internal/capi"

// Operation is one that [Engine.Call] and [Txn.Call] know.
type Operation struct {
	// Name is what a call says with "op", such as "kv.put".
	Name string `msgpack:"name"`
	// Required are the parameters it needs.
	Required []string `msgpack:"required"`
	// Optional are the parameters it takes besides; "space" always.
	Optional []string `msgpack:"optional"`
}

// Operations lists the operations of keys, documents, events, cells, traces, runs and spaces.
func Operations() ([]Operation, error) {
	bytes, err := capi.Operations()
	return decoded[[]Operation](bytes, convertedValue(err))
}

// Call runs operations on the state, all of them in one transaction or, if one fails, none; a conflict is tried
// again. A call is an object, by the rules of [Encode]:
//
//	engine.Call(map[string]any{"op": "event.append", "stream": "orders", "type": "placed", "payload": order})
//
// [Operations] lists what there is. It gives what each call gives, and the version of the commit. One call alone may
// also be on the past ("kv.history", …), and then "kv.increment", "json.increment" and "event.append" give the sum
// and the sequence, and never conflict.
func (e *Engine) Call(calls ...any) (results []Value, version uint64, err error) {
	if calls == nil {
		calls = []any{}
	}
	err = encoded(calls, func(bytes []byte) error {
		given, at, err := capi.Call(e.core.handle, bytes)
		if err = e.end(err); err != nil {
			return err
		}
		version = at
		results, err = decoded[[]Value](given, nil)
		return err
	})
	return results, version, err
}

// Call runs one operation in the transaction; see [Engine.Call]. If it fails, the transaction is as it was before.
func (t *Txn) Call(call any) (result Value, err error) {
	err = encoded(call, func(bytes []byte) error {
		given, err := capi.TxnCall(t.handle, bytes)
		result = given
		return t.end(err)
	})
	return result, err
}
