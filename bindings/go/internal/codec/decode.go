package codec

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Conversions are what decoding needs of the library. Neither may keep the bytes.
type Conversions struct {
	// ToJSON turns MessagePack into JSON text, for types that only read themselves from JSON.
	ToJSON func(encoded []byte) ([]byte, error)

	// Extended makes what stands for a value of a kind beyond JSON where anything may stand.
	Extended func(encoded []byte) (any, error)
}

// Room is made for at most so many elements before they are there: a length may be a lie.
const trustedLength = 1024

type decoder struct {
	encoded []byte
	reader  *bytes.Reader // of encoded; the library reads no further than it must
	in      *msgpack.Decoder
	by      Conversions
}

// Decode reads one value into what out points to.
func Decode(encoded []byte, out any, by Conversions) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return wrong("a value is decoded into a pointer that is not nil, not into %T", out)
	}
	reader := bytes.NewReader(encoded)
	in := msgpack.GetDecoder()
	defer msgpack.PutDecoder(in)
	in.Reset(reader)
	in.SetCustomStructTag("json")
	d := decoder{encoded: encoded, reader: reader, in: in, by: by}
	if err := d.value(v.Elem(), 0); err != nil {
		return at("", err)
	}
	if _, err := reader.ReadByte(); err != io.EOF {
		return wrong("bytes are left after the value")
	}
	return nil
}

func (d *decoder) value(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return wrong("nested deeper than %d", maxDepth)
	}
	code, err := d.peek()
	if err != nil {
		return err
	}
	shape := shapeOf(v.Type())
	if done, err := d.custom(shape, v, code, depth); done {
		return at("", err)
	}
	if code == msgpcode.Nil {
		return d.null(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.value(v.Elem(), depth+1)
	case reflect.Interface:
		if v.NumMethod() != 0 {
			return mismatch(code, v)
		}
		value, err := d.any(depth)
		if err == nil && value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return err
	case reflect.Bool:
		if code != msgpcode.True && code != msgpcode.False {
			return mismatch(code, v)
		}
		b, err := d.in.DecodeBool()
		v.SetBool(b)
		return err
	case reflect.String:
		return d.text(v, code)
	case reflect.Slice, reflect.Array:
		return d.array(v, code, depth)
	case reflect.Map:
		return d.object(v, code, depth)
	case reflect.Struct:
		return d.structure(v, shape, code, depth)
	default:
		return d.number(v, code)
	}
}

// peek tells how the next value begins, and makes sure that it can be as long as it says: the library makes room for
// it before it looks whether it is there.
func (d *decoder) peek() (byte, error) {
	code, err := d.in.PeekCode()
	if err != nil {
		return 0, err
	}
	rest := d.encoded[len(d.encoded)-d.reader.Len():]
	switch {
	case kindOf(code) == unknown:
		return 0, wrong("the code 0x%x begins no value", code)
	case !isWhole(rest):
		return 0, wrong("the bytes end in the middle of %s", kindOf(code))
	}
	return code, nil
}

func (d *decoder) key() (string, error) {
	code, err := d.peek()
	if err != nil {
		return "", err
	}
	if kindOf(code) != text {
		return "", wrong("%s is the key of an object", kindOf(code))
	}
	return d.in.DecodeString()
}

// null leaves what cannot be nil as it is, as encoding/json does.
func (d *decoder) null(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		v.SetZero()
	}
	return d.in.DecodeNil()
}

// custom lets a type read itself; it tells whether it did.
func (d *decoder) custom(shape *shape, v reflect.Value, code byte, depth int) (bool, error) {
	if !v.CanAddr() || !v.Addr().CanInterface() {
		return false, nil
	}
	switch shape.decodePtr {
	case byMsgpackCustom:
		// Looked at before: what the type does with it may not be limited in depth.
		raw, err := d.raw(depth)
		if err == nil {
			_, err = d.reader.Seek(int64(-len(raw)), io.SeekCurrent)
		}
		if err == nil {
			err = v.Addr().Interface().(msgpack.CustomDecoder).DecodeMsgpack(d.in)
		}
		return true, err
	case byMsgpack:
		raw, err := d.raw(depth)
		if err == nil {
			err = v.Addr().Interface().(msgpack.Unmarshaler).UnmarshalMsgpack(raw)
		}
		return true, err
	case byText:
		if kindOf(code) == text {
			s, err := d.in.DecodeString()
			if err == nil {
				err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
			}
			return true, err
		}
		if kindOf(code) == beyond {
			s, err := d.extendedText()
			if err == nil {
				err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
			}
			return true, err
		}
	case byJSON:
		raw, err := d.raw(depth)
		if err == nil {
			raw, err = d.by.ToJSON(raw)
		}
		if err == nil {
			err = v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw)
		}
		return true, err
	}
	if shape.binary && kindOf(code) == binary {
		b, err := d.in.DecodeBytes()
		if err == nil {
			err = v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
		}
		return true, err
	}
	return false, nil
}

// raw gives the bytes of the next value, which are part of what is decoded.
func (d *decoder) raw(depth int) ([]byte, error) {
	start := len(d.encoded) - d.reader.Len()
	err := d.skip(depth)
	return d.encoded[start : len(d.encoded)-d.reader.Len()], err
}

// skip is the library's, but limited in depth.
func (d *decoder) skip(depth int) error {
	if depth > maxDepth {
		return wrong("nested deeper than %d", maxDepth)
	}
	code, err := d.peek()
	if err != nil {
		return err
	}
	elements := 0
	switch kindOf(code) {
	case array:
		elements, err = d.in.DecodeArrayLen()
	case object:
		elements, err = d.in.DecodeMapLen()
		elements *= 2
	default:
		return d.in.Skip()
	}
	for i := 0; i < elements && err == nil; i++ {
		err = d.skip(depth + 1)
	}
	return err
}

// integer reads an integer: as an int64, or as a uint64 if it is above that range.
func (d *decoder) integer(code byte) (signed int64, unsigned uint64, large bool, err error) {
	if code == msgpcode.Uint64 {
		unsigned, err = d.in.DecodeUint64()
		return int64(unsigned), unsigned, unsigned > math.MaxInt64, err
	}
	signed, err = d.in.DecodeInt64()
	return signed, uint64(signed), false, err
}

// number accepts what the type can hold exactly.
func (d *decoder) number(v reflect.Value, code byte) error {
	switch kindOf(code) {
	case integer:
		signed, unsigned, large, err := d.integer(code)
		if err != nil {
			return err
		}
		if large {
			return setUint(v, unsigned)
		}
		return setInt(v, signed)
	case float:
		f, err := d.in.DecodeFloat64()
		if err != nil {
			return err
		}
		return setFloat(v, f)
	}
	return mismatch(code, v)
}

func setInt(v reflect.Value, n int64) error {
	switch {
	case v.CanInt() && !v.OverflowInt(n):
		v.SetInt(n)
	case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	// The float is compared as an integer, unless it is the one just above every int64.
	case v.CanFloat() && float64(n) < 1<<63 && int64(float64(n)) == n && fits(v, float64(n)):
		v.SetFloat(float64(n))
	default:
		return wrong("%d does not fit %s", n, v.Type())
	}
	return nil
}

func setUint(v reflect.Value, n uint64) error {
	switch {
	case v.CanUint() && !v.OverflowUint(n):
		v.SetUint(n)
	case v.CanFloat() && float64(n) < 1<<64 && uint64(float64(n)) == n && fits(v, float64(n)):
		v.SetFloat(float64(n))
	default:
		return wrong("%d does not fit %s", n, v.Type())
	}
	return nil
}

func setFloat(v reflect.Value, f float64) error {
	whole := f == math.Trunc(f)
	switch {
	case v.CanFloat() && (v.Kind() == reflect.Float64 || !v.OverflowFloat(f)):
		v.SetFloat(f)
	case whole && f >= -(1<<63) && f < 1<<63 && (v.CanInt() || v.CanUint()):
		return setInt(v, int64(f))
	case whole && f >= 0 && f < 1<<64 && v.CanUint():
		return setUint(v, uint64(f))
	default:
		return wrong("%v does not fit %s", f, v.Type())
	}
	return nil
}

// fits tells whether a whole number stays what it is in a float type.
func fits(v reflect.Value, f float64) bool {
	return v.Kind() == reflect.Float64 || float64(float32(f)) == f
}

// extendedText gives a value of a kind beyond JSON as it prints.
func (d *decoder) extendedText() (string, error) {
	raw, err := d.raw(0)
	if err != nil {
		return "", err
	}
	text, err := d.by.ToJSON(raw)
	return strings.Trim(string(text), `"`), err
}

func (d *decoder) text(v reflect.Value, code byte) error {
	if kindOf(code) == beyond {
		s, err := d.extendedText()
		if _, number := v.Interface().(json.Number); err == nil && number && json.Unmarshal([]byte(s), new(float64)) != nil {
			return wrong("%s does not fit %s", s, v.Type())
		}
		v.SetString(s)
		return err
	}
	if _, ok := v.Interface().(json.Number); ok && (kindOf(code) == integer || kindOf(code) == float) {
		value, err := d.scalar(code)
		switch n := value.(type) {
		case int64:
			v.SetString(strconv.FormatInt(n, 10))
		case uint64:
			v.SetString(strconv.FormatUint(n, 10))
		case float64:
			v.SetString(strconv.FormatFloat(n, 'g', -1, 64))
		}
		return err
	}
	if kindOf(code) != text {
		return mismatch(code, v)
	}
	s, err := d.in.DecodeString()
	v.SetString(s)
	return err
}

func (d *decoder) array(v reflect.Value, code byte, depth int) error {
	if isBytes(v.Type()) && kindOf(code) == binary {
		b, err := d.in.DecodeBytes()
		switch {
		case err != nil:
			return err
		case v.Kind() == reflect.Slice:
			v.SetBytes(b)
		case len(b) != v.Len():
			return wrong("%d bytes do not fit %s", len(b), v.Type())
		default:
			reflect.Copy(v, reflect.ValueOf(b))
		}
		return nil
	}
	if kindOf(code) != array {
		return mismatch(code, v)
	}
	n, err := d.in.DecodeArrayLen()
	if err != nil {
		return err
	}
	if v.Kind() == reflect.Array && n != v.Len() {
		return wrong("an array of %d elements does not fit %s", n, v.Type())
	}
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), 0, min(n, trustedLength)))
	}
	for i := range n {
		if v.Kind() == reflect.Slice {
			v.Grow(1)
			v.SetLen(i + 1)
			v.Index(i).SetZero()
		}
		if err := d.value(v.Index(i), depth+1); err != nil {
			return atIndex(i, err)
		}
	}
	return nil
}

func (d *decoder) object(v reflect.Value, code byte, depth int) error {
	if kindOf(code) != object {
		return mismatch(code, v)
	}
	n, err := d.in.DecodeMapLen()
	if err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), min(n, trustedLength)))
	}
	for range n {
		name, err := d.key()
		if err != nil {
			return err
		}
		key := reflect.New(v.Type().Key()).Elem()
		if err := setKey(key, name); err != nil {
			return atKey(name, err)
		}
		element := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(element, depth+1); err != nil {
			return atKey(name, err)
		}
		v.SetMapIndex(key, element)
	}
	return nil
}

func setKey(key reflect.Value, name string) error {
	if key.Kind() == reflect.String {
		key.SetString(name)
		return nil
	}
	if unmarshaler, ok := key.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return at("", unmarshaler.UnmarshalText([]byte(name)))
	}
	if key.CanInt() {
		if n, err := strconv.ParseInt(name, 10, 64); err == nil {
			return setInt(key, n)
		}
	}
	if key.CanUint() {
		if n, err := strconv.ParseUint(name, 10, 64); err == nil {
			return setUint(key, n)
		}
	}
	return wrong("the key does not fit %s", key.Type())
}

func (d *decoder) structure(v reflect.Value, shape *shape, code byte, depth int) error {
	if kindOf(code) != object {
		return mismatch(code, v)
	}
	n, err := d.in.DecodeMapLen()
	if err != nil {
		return err
	}
	for range n {
		name, err := d.key()
		if err != nil {
			return err
		}
		i, known := shape.byName[name]
		if !known {
			if err := d.skip(depth + 1); err != nil {
				return atKey(name, err)
			}
			continue
		}
		inner, err := shape.fields[i].in(v)
		if err == nil {
			err = d.value(inner, depth+1)
		}
		if err != nil {
			return atKey(name, err)
		}
	}
	return nil
}

// in gives the field to be set, making embedded structs on the way.
func (f *field) in(v reflect.Value) (reflect.Value, error) {
	for i, index := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, wrong("the embedded *%s is nil and not exported", v.Type().Elem())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(index)
	}
	return v, nil
}
