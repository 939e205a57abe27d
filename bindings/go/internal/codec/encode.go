package codec

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// FromJSON turns JSON text into MessagePack, for types that only write themselves as JSON.
type FromJSON func(text []byte) ([]byte, error)

type encoder struct {
	buffer   bytes.Buffer
	out      *msgpack.Encoder
	fromJSON FromJSON
}

// Larger buffers are not kept for the next value.
const keptBuffer = 64 << 10

var pool = sync.Pool{New: func() any {
	e := &encoder{}
	e.out = msgpack.NewEncoder(&e.buffer)
	e.out.UseCompactInts(true)
	e.out.SetCustomStructTag("json")
	e.out.SetSortMapKeys(true)
	return e
}}

// Encode writes a Go value and lends the bytes to use, which must not keep them.
func Encode(value any, fromJSON FromJSON, use func(encoded []byte) error) error {
	e := pool.Get().(*encoder)
	defer func() {
		e.fromJSON = nil
		if e.buffer.Cap() <= keptBuffer {
			e.buffer.Reset()
			pool.Put(e)
		}
	}()
	e.fromJSON = fromJSON
	if err := e.value(reflect.ValueOf(value), 0); err != nil {
		return err
	}
	return use(e.buffer.Bytes())
}

func (e *encoder) value(v reflect.Value, depth int) error {
	if !v.IsValid() {
		return e.out.EncodeNil()
	}
	if depth > maxDepth {
		return wrong("nested deeper than %d, perhaps in a circle", maxDepth)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return e.out.EncodeNil()
		}
	}
	shape := shapeOf(v.Type())
	if shape.encode != none {
		return e.custom(shape.encode, v)
	}
	if shape.encodePtr != none && v.CanAddr() {
		return e.custom(shape.encodePtr, v.Addr())
	}
	switch v.Kind() {
	case reflect.Bool:
		return e.out.EncodeBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return e.out.EncodeInt(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return e.out.EncodeUint(v.Uint())
	case reflect.Float32, reflect.Float64:
		return e.float(v.Float())
	case reflect.String:
		return e.text(v)
	case reflect.Pointer, reflect.Interface:
		return e.value(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return e.array(v, depth)
	case reflect.Map:
		return e.object(v, depth)
	case reflect.Struct:
		return e.structure(v, shape, depth)
	default:
		return wrong("a %s has no form as a value", v.Type())
	}
}

func (e *encoder) custom(how custom, v reflect.Value) error {
	var encoded []byte
	var err error
	switch how {
	case byMsgpackCustom:
		err = v.Interface().(msgpack.CustomEncoder).EncodeMsgpack(e.out)
	case byMsgpack:
		encoded, err = v.Interface().(msgpack.Marshaler).MarshalMsgpack()
	case byText:
		var text []byte
		if text, err = v.Interface().(encoding.TextMarshaler).MarshalText(); err == nil {
			return e.string(string(text))
		}
	case byJSON:
		if encoded, err = v.Interface().(json.Marshaler).MarshalJSON(); err == nil {
			encoded, err = e.fromJSON(encoded)
		}
	}
	if err == nil {
		_, err = e.buffer.Write(encoded)
	}
	return at("", err)
}

func (e *encoder) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return wrong("%v has no form as a value", f)
	}
	return e.out.EncodeFloat64(f)
}

func (e *encoder) text(v reflect.Value) error {
	number, ok := v.Interface().(json.Number)
	if !ok {
		return e.string(v.String())
	}
	if n, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return e.out.EncodeInt(n)
	}
	if n, err := strconv.ParseUint(string(number), 10, 64); err == nil {
		return e.out.EncodeUint(n)
	}
	f, err := number.Float64()
	if err != nil {
		return wrong("%q is not a number", string(number))
	}
	return e.float(f)
}

func (e *encoder) string(s string) error {
	if !utf8.ValidString(s) {
		return wrong("text that is not valid UTF-8; bytes go as []byte")
	}
	return e.out.EncodeString(s)
}

func (e *encoder) array(v reflect.Value, depth int) error {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return e.out.EncodeNil()
	}
	if isBytes(v.Type()) {
		if v.Kind() == reflect.Slice || v.CanAddr() {
			return e.out.EncodeBytes(v.Bytes())
		}
		copied := reflect.MakeSlice(reflect.TypeFor[[]byte](), v.Len(), v.Len())
		reflect.Copy(copied, v)
		return e.out.EncodeBytes(copied.Bytes())
	}
	if err := e.out.EncodeArrayLen(v.Len()); err != nil {
		return err
	}
	for i := range v.Len() {
		if err := e.value(v.Index(i), depth+1); err != nil {
			return atIndex(i, err)
		}
	}
	return nil
}

// isBytes: bytes themselves, and not a type of bytes that writes itself otherwise.
func isBytes(t reflect.Type) bool {
	return t.Elem().Kind() == reflect.Uint8 && shapeOf(t.Elem()).encode == none && shapeOf(t.Elem()).encodePtr == none
}

// object writes the keys in order, so that one Go value is always the same bytes.
func (e *encoder) object(v reflect.Value, depth int) error {
	if v.IsNil() {
		return e.out.EncodeNil()
	}
	type entry struct {
		key   string
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for iterator := v.MapRange(); iterator.Next(); {
		key, err := keyText(iterator.Key())
		if err != nil {
			return err
		}
		entries = append(entries, entry{key, iterator.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	if err := e.out.EncodeMapLen(len(entries)); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := e.string(entry.key); err != nil {
			return atKey(entry.key, err)
		}
		if err := e.value(entry.value, depth+1); err != nil {
			return atKey(entry.key, err)
		}
	}
	return nil
}

func keyText(key reflect.Value) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if marshaler, ok := key.Interface().(encoding.TextMarshaler); ok {
		text, err := marshaler.MarshalText()
		return string(text), at("", err)
	}
	switch {
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10), nil
	case key.CanUint():
		return strconv.FormatUint(key.Uint(), 10), nil
	}
	return "", wrong("a map with keys of type %s has no form as a value", key.Type())
}

func (e *encoder) structure(v reflect.Value, shape *shape, depth int) error {
	present := 0
	for i := range shape.fields {
		if _, ok := shape.fields[i].of(v); ok {
			present++
		}
	}
	if err := e.out.EncodeMapLen(present); err != nil {
		return err
	}
	for i := range shape.fields {
		field := &shape.fields[i]
		if inner, ok := field.of(v); ok {
			if err := e.out.EncodeString(field.name); err != nil {
				return err
			}
			if err := e.value(inner, depth+1); err != nil {
				return atKey(field.name, err)
			}
		}
	}
	return nil
}

// of gives the field of this struct, and whether it is to be written.
func (f *field) of(v reflect.Value) (reflect.Value, bool) {
	for i, index := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(index)
	}
	return v, !(f.omitEmpty && isEmpty(v)) && !(f.omitZero && isZero(v))
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

func isZero(v reflect.Value) bool {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		return z.IsZero()
	}
	return v.IsZero()
}
