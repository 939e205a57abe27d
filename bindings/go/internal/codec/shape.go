// Package codec turns Go values into MessagePack and back, by the rules that Go programs know from encoding/json.
//
// The MessagePack itself is the kept library's. What it does with Go values is not used, because it loses what a
// store must keep: there, 300 decoded into an int8 is 44, 1<<63 decoded into an int64 is negative, bytes may
// become text, and an `any` gets the integer type that the encoding happened to have. Here what does not fit is
// an error that names its place.
package codec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Nesting beyond this is refused, in both directions. The engine's own limit for values is 128; an interface or a pointer
// around each container counts too, and a value can be in a call.
const maxDepth = 280

// How a type writes or reads itself, in the order in which it is asked.
type custom uint8

const (
	none custom = iota
	byMsgpackCustom
	byMsgpack
	byText
	byJSON
)

// shape is what there is to know of a type; made once for each.
type shape struct {
	encode    custom // of the type itself
	encodePtr custom // of a pointer to it
	decodePtr custom
	binary    bool // a pointer to it reads bytes
	fields    []field
	byName    map[string]int
}

// field is a field of a struct, or a promoted one of an embedded struct.
type field struct {
	name      string
	index     []int
	omitEmpty bool
	omitZero  bool
}

var shapes sync.Map // reflect.Type → *shape

func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*shape)
	}
	pointer := reflect.PointerTo(t)
	s := &shape{
		encode:    firstOf(t, encoders),
		encodePtr: firstOf(pointer, encoders),
		decodePtr: firstOf(pointer, decoders),
		binary:    pointer.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()),
	}
	if t.Kind() == reflect.Struct {
		s.fields = fieldsOf(t)
		s.byName = make(map[string]int, len(s.fields))
		for i, field := range s.fields {
			s.byName[field.name] = i
		}
	}
	known, _ := shapes.LoadOrStore(t, s)
	return known.(*shape)
}

type interfaceOf struct {
	custom custom
	needed reflect.Type
}

var encoders = []interfaceOf{
	{byMsgpackCustom, reflect.TypeFor[msgpack.CustomEncoder]()},
	{byMsgpack, reflect.TypeFor[msgpack.Marshaler]()},
	{byText, reflect.TypeFor[encoding.TextMarshaler]()},
	{byJSON, reflect.TypeFor[json.Marshaler]()},
}

var decoders = []interfaceOf{
	{byMsgpackCustom, reflect.TypeFor[msgpack.CustomDecoder]()},
	{byMsgpack, reflect.TypeFor[msgpack.Unmarshaler]()},
	{byText, reflect.TypeFor[encoding.TextUnmarshaler]()},
	{byJSON, reflect.TypeFor[json.Unmarshaler]()},
}

func firstOf(t reflect.Type, candidates []interfaceOf) custom {
	for _, candidate := range candidates {
		if t.Implements(candidate.needed) {
			return candidate.custom
		}
	}
	return none
}

// fieldsOf lists what a struct has on the outside: its exported fields and those of embedded structs without a
// name of their own. Of two of one name, the less deep one counts, then the first.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	depths := map[string]int{} // by name: where it is in fields
	var closed [][]int         // embedded structs that are fields themselves, or are left out
	for _, f := range reflect.VisibleFields(t) {
		if within(f.Index, closed) {
			continue
		}
		name, options := tagOf(f)
		embedded := f.Anonymous && indirect(f.Type).Kind() == reflect.Struct
		if name == "-" && options == "" {
			closed = append(closed, f.Index)
			continue
		}
		if embedded && name == "" {
			continue // its own fields follow
		}
		if !f.IsExported() {
			continue
		}
		if embedded {
			closed = append(closed, f.Index)
		}
		if name == "" {
			name = f.Name
		}
		made := field{name: name, index: f.Index, omitEmpty: has(options, "omitempty"), omitZero: has(options, "omitzero")}
		if at, taken := depths[name]; !taken {
			depths[name] = len(fields)
			fields = append(fields, made)
		} else if len(f.Index) < len(fields[at].index) {
			fields[at] = made
		}
	}
	return fields
}

// tagOf gives the name and the options of the `msgpack` tag, or else of the `json` tag.
func tagOf(f reflect.StructField) (name, options string) {
	tag, ok := f.Tag.Lookup("msgpack")
	if !ok {
		tag = f.Tag.Get("json")
	}
	name, options, comma := strings.Cut(tag, ",")
	if name == "-" && comma && options == "" {
		return "-", "," // `json:"-,"` names a field "-"
	}
	return name, options
}

func has(options, wanted string) bool {
	for option := range strings.SplitSeq(options, ",") {
		if option == wanted {
			return true
		}
	}
	return false
}

func within(index []int, closed [][]int) bool {
	for _, outer := range closed {
		if len(index) > len(outer) && startsWith(index, outer) {
			return true
		}
	}
	return false
}

func startsWith(index, outer []int) bool {
	for i := range outer {
		if index[i] != outer[i] {
			return false
		}
	}
	return true
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
