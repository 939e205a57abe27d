package codec

import (
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// kind is what a MessagePack value begins as.
type kind string

const (
	nothing kind = "null"
	boolean kind = "a boolean"
	integer kind = "an integer"
	float   kind = "a float"
	text    kind = "text"
	binary  kind = "bytes"
	array   kind = "an array"
	object  kind = "an object"
	unknown kind = "an extension"
)

func kindOf(code byte) kind {
	switch {
	case msgpcode.IsFixedNum(code):
		return integer
	case msgpcode.IsFixedMap(code):
		return object
	case msgpcode.IsFixedArray(code):
		return array
	case msgpcode.IsString(code):
		return text
	case msgpcode.IsBin(code):
		return binary
	}
	switch code {
	case msgpcode.Nil:
		return nothing
	case msgpcode.False, msgpcode.True:
		return boolean
	case msgpcode.Float, msgpcode.Double:
		return float
	case msgpcode.Uint8, msgpcode.Uint16, msgpcode.Uint32, msgpcode.Uint64,
		msgpcode.Int8, msgpcode.Int16, msgpcode.Int32, msgpcode.Int64:
		return integer
	case msgpcode.Array16, msgpcode.Array32:
		return array
	case msgpcode.Map16, msgpcode.Map32:
		return object
	}
	return unknown
}

func mismatch(code byte, v reflect.Value) error {
	return wrong("%s does not fit %s", kindOf(code), v.Type())
}

// any reads whatever comes: nil, bool, int64 (uint64 above its range), float64, string, []byte, []any or
// map[string]any.
func (d *decoder) any(depth int) (any, error) {
	if depth > maxDepth {
		return nil, wrong("nested deeper than %d", maxDepth)
	}
	code, err := d.in.PeekCode()
	if err != nil {
		return nil, err
	}
	switch kindOf(code) {
	case array:
		n, err := d.in.DecodeArrayLen()
		elements := make([]any, 0, min(max(n, 0), trustedLength))
		for i := 0; i < n && err == nil; i++ {
			var element any
			element, err = d.any(depth + 1)
			elements = append(elements, element)
			err = atIndex(i, err)
		}
		return elements, err
	case object:
		n, err := d.in.DecodeMapLen()
		entries := make(map[string]any, min(max(n, 0), trustedLength))
		for i := 0; i < n && err == nil; i++ {
			var key string
			if key, err = d.in.DecodeString(); err == nil {
				entries[key], err = d.any(depth + 1)
				err = atKey(key, err)
			}
		}
		return entries, err
	}
	return d.scalar(code)
}

func (d *decoder) scalar(code byte) (any, error) {
	switch kindOf(code) {
	case nothing:
		return nil, d.in.DecodeNil()
	case boolean:
		return d.in.DecodeBool()
	case integer:
		signed, unsigned, large, err := d.integer(code)
		if large {
			return unsigned, err
		}
		return signed, err
	case float:
		return d.in.DecodeFloat64()
	case text:
		return d.in.DecodeString()
	case binary:
		return d.in.DecodeBytes()
	}
	return nil, fmt.Errorf("an extension (code 0x%x) has no form here", code)
}
