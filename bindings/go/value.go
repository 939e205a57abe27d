package statewright

import (
	"encoding/json"
	"fmt"

	"github.com/statewright/statewright/bindings/go/internal/capi"
	"github.com/statewright/statewright/bindings/go/internal/codec"
	"github.com/vmihailenco/msgpack/v5"
)

// Value is one value as the engine holds it, in MessagePack. No bytes are null, as is the byte 0xc0.
//
// A Value can be used wherever a Go value goes in or out, also inside a struct: its bytes are taken as they
// are. Use it for what is passed on or looked at later; [Value.Decode] and [Decode] turn it into Go values.
type Value []byte

// Encode turns a Go value into a Value.
//
// The rules are those of encoding/json: structs become objects, with the field names of the `json` tags (or of
// `msgpack` tags, which go first) and their options `omitempty` and `omitzero`, not `string`; types that write
// themselves as text do so, time.Time too. But []byte becomes bytes, and integers and floats stay what they are, exact to 64 bits. Channels, functions, NaN, infinities
// and text that is not UTF-8 have no form.
func Encode(value any) (Value, error) {
	var out Value
	err := encoded(value, func(bytes []byte) error {
		out = append(Value{}, bytes...)
		return nil
	})
	return out, err
}

// FromJSON reads JSON text. Fails with [ErrInvalidJSON], and with [ErrLimit] if it is nested too deeply.
func FromJSON(text string) (Value, error) {
	bytes, err := capi.MsgpackFromJson(text)
	return bytes, convertedValue(err)
}

// Decode turns the value into what out points to, by the rules of [Encode]. What does not fit is an error that
// names its place: a number too large for its type, a fraction for an integer, text for a number. Object fields
// that out has no place for are ignored. Into an `any`, integers come as int64, or as uint64 if they are above its
// range; other numbers as float64, text as string, bytes as []byte, arrays as []any, objects as map[string]any, and
// decimals, dates and times as [Extended]. These also fit text, and types that read themselves from text, such as
// time.Time.
func (v Value) Decode(out any) error {
	if err := codec.Decode(v.orNull(), out, conversions); err != nil {
		return fmt.Errorf("statewright: the value does not fit: %w", err)
	}
	return nil
}

// Decode turns a value into a T; see [Value.Decode].
func Decode[T any](value Value) (T, error) {
	var out T
	err := value.Decode(&out)
	return out, err
}

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return len(v) == 0 || (len(v) == 1 && v[0] == null) }

// JSON gives the value as compact JSON text. Objects keep the order they were made in; bytes become
// {"$bytes": "<base64>"}.
func (v Value) JSON() (string, error) {
	text, err := capi.MsgpackToJson(v.orNull(), 0)
	return text, convertedValue(err)
}

// String gives the value as JSON text, or says why it has none.
func (v Value) String() string {
	text, err := v.JSON()
	if err != nil {
		return "!(" + err.Error() + ")"
	}
	return text
}

// MarshalJSON implements [json.Marshaler].
func (v Value) MarshalJSON() ([]byte, error) {
	text, err := v.JSON()
	return []byte(text), err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Value) UnmarshalJSON(text []byte) (err error) {
	*v, err = FromJSON(string(text))
	return err
}

// MarshalMsgpack implements [msgpack.Marshaler].
func (v Value) MarshalMsgpack() ([]byte, error) { return v.orNull(), nil }

// UnmarshalMsgpack implements [msgpack.Unmarshaler].
func (v *Value) UnmarshalMsgpack(raw []byte) error {
	*v = append(Value{}, raw...)
	return nil
}

var (
	_ json.Marshaler      = Value{}
	_ json.Unmarshaler    = (*Value)(nil)
	_ msgpack.Marshaler   = Value{}
	_ msgpack.Unmarshaler = (*Value)(nil)
)

const null = 0xc0

func (v Value) orNull() Value {
	if len(v) == 0 {
		return Value{null}
	}
	return v
}

func convertedValue(err error) error { return converted(err, ErrMisuse, "") }

// encoded lends the value's bytes to use, which must not keep them.
func encoded(value any, use func(bytes []byte) error) error {
	switch value := value.(type) {
	case nil:
		return use(Value{null})
	case Value:
		return use(value.orNull())
	}
	var used error
	err := codec.Encode(value, fromJSON, func(bytes []byte) error {
		used = use(bytes)
		return nil
	})
	if err != nil {
		return fmt.Errorf("statewright: the %T is no value: %w", value, err)
	}
	return used
}

func fromJSON(text []byte) ([]byte, error) { return FromJSON(string(text)) }

var conversions = codec.Conversions{
	ToJSON:   func(value []byte) ([]byte, error) { return Value(value).MarshalJSON() },
	Extended: func(value []byte) (any, error) { return extendedOf(value) },
}
