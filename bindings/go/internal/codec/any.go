package codec

import (
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
	beyond  kind = "a value beyond JSON"
	unknown kind = "no value"
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
	case msgpcode.IsExt(code):
		return beyond
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

// head is how a value that is not fixed begins: size bytes, the last of which, length of them, say how many there are
// of what follows, each of at least so many bytes.
type head struct{ size, length, each int }

var heads = map[byte]head{
	msgpcode.Nil: {1, 0, 0}, msgpcode.False: {1, 0, 0}, msgpcode.True: {1, 0, 0},
	msgpcode.Uint8: {2, 0, 0}, msgpcode.Uint16: {3, 0, 0}, msgpcode.Uint32: {5, 0, 0}, msgpcode.Uint64: {9, 0, 0},
	msgpcode.Int8: {2, 0, 0}, msgpcode.Int16: {3, 0, 0}, msgpcode.Int32: {5, 0, 0}, msgpcode.Int64: {9, 0, 0},
	msgpcode.Float: {5, 0, 0}, msgpcode.Double: {9, 0, 0},
	msgpcode.Str8: {2, 1, 1}, msgpcode.Str16: {3, 2, 1}, msgpcode.Str32: {5, 4, 1},
	msgpcode.Bin8: {2, 1, 1}, msgpcode.Bin16: {3, 2, 1}, msgpcode.Bin32: {5, 4, 1},
	msgpcode.Array16: {3, 2, 1}, msgpcode.Array32: {5, 4, 1},
	msgpcode.Map16: {3, 2, 2}, msgpcode.Map32: {5, 4, 2},
	msgpcode.FixExt1: {3, 0, 0}, msgpcode.FixExt2: {4, 0, 0}, msgpcode.FixExt4: {6, 0, 0}, msgpcode.FixExt8: {10, 0, 0},
	msgpcode.FixExt16: {18, 0, 0}, msgpcode.Ext8: {2, 1, 1}, msgpcode.Ext16: {3, 2, 1}, msgpcode.Ext32: {5, 4, 1},
}

// isWhole tells whether the bytes can hold the value that they begin with.
func isWhole(encoded []byte) bool {
	code := encoded[0]
	switch {
	case msgpcode.IsFixedNum(code):
		return true
	case msgpcode.IsFixedMap(code):
		return len(encoded) > 2*int(code&msgpcode.FixedMapMask)
	case msgpcode.IsFixedArray(code):
		return len(encoded) > int(code&msgpcode.FixedArrayMask)
	case msgpcode.IsFixedString(code):
		return len(encoded) > int(code&msgpcode.FixedStrMask)
	}
	head, known := heads[code]
	if !known || len(encoded) < head.size {
		return false
	}
	count := 0
	for _, b := range encoded[head.size-head.length : head.size] {
		count = count<<8 | int(b)
	}
	if head.length > 0 && msgpcode.IsExt(code) {
		count++ // the type
	}
	return (len(encoded)-head.size)/max(head.each, 1) >= count
}

func mismatch(code byte, v reflect.Value) error {
	return wrong("%s does not fit %s", kindOf(code), v.Type())
}

// any reads whatever comes: nil, bool, int64 (uint64 above its range), float64, string, []byte, []any, map[string]any,
// or what is made of kinds beyond JSON.
func (d *decoder) any(depth int) (any, error) {
	if depth > maxDepth {
		return nil, wrong("nested deeper than %d", maxDepth)
	}
	code, err := d.peek()
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
			if key, err = d.key(); err == nil {
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
	case beyond:
		raw, err := d.raw(0)
		if err != nil {
			return nil, err
		}
		return d.by.Extended(raw)
	}
	return nil, wrong("the code 0x%x begins no value", code)
}
