package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// For these tests, JSON and MessagePack are turned into each other in Go.
func fromJSON(text []byte) ([]byte, error) {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return encode(value)
}

var conversions Conversions

func init() {
	conversions = Conversions{
		ToJSON:   toJSON,
		Extended: func(encoded []byte) (any, error) { return extension(encoded), nil },
	}
}

// extension stands for the package's own type of what is beyond JSON.
type extension string

func toJSON(encoded []byte) ([]byte, error) {
	var value any
	if err := Decode(encoded, &value, conversions); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func encode(value any) ([]byte, error) {
	var out []byte
	err := Encode(value, fromJSON, func(encoded []byte) error {
		out = append(out, encoded...)
		return nil
	})
	return out, err
}

func mustEncode(t *testing.T, value any) []byte {
	t.Helper()
	encoded, err := encode(value)
	if err != nil {
		t.Fatalf("%#v: %v", value, err)
	}
	return encoded
}

type inner struct {
	A int    `json:"a"`
	B string `json:"b,omitempty"`
}

type Named struct {
	Deep int `json:"deep"`
}

type outer struct {
	inner
	*Named  `json:"named"`
	Plain   []inner        `json:"plain"`
	Map     map[string]int `json:"map"`
	Any     any            `json:"any"`
	Pointer *int64         `json:"pointer"`
	Skipped string         `json:"-"`
	Dash    bool           `json:"-,"`
	Mine    string         `msgpack:"mine" json:"theirs"`
	Time    time.Time      `json:"time"`
	Zero    time.Time      `json:"zero,omitzero"`
	Bytes   []byte         `json:"bytes"`
	Fixed   [3]byte        `json:"fixed"`
	Array   [2]float32     `json:"array"`
	private int
}

func TestStructsKeepEveryField(t *testing.T) {
	number := int64(math.MinInt64)
	before := outer{
		inner:   inner{A: 7},
		Named:   &Named{Deep: -1},
		Plain:   []inner{{1, "x"}, {2, ""}},
		Map:     map[string]int{"b": 2, "a": 1},
		Any:     map[string]any{"n": uint64(math.MaxUint64), "l": []any{nil, true, int64(200), 1.5, "s", []byte{0}}},
		Pointer: &number,
		Skipped: "never",
		Dash:    true,
		Mine:    "yes",
		Time:    time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC),
		Bytes:   []byte{0xff, 0x00},
		Fixed:   [3]byte{1, 2, 3},
		Array:   [2]float32{0.5, -3},
		private: 9,
	}
	encoded := mustEncode(t, before)
	var after outer
	if err := Decode(encoded, &after, conversions); err != nil {
		t.Fatal(err)
	}
	before.Skipped, before.private = "", 0
	if !reflect.DeepEqual(before, after) {
		t.Errorf("got  %+v\nwant %+v", after, before)
	}
	var names map[string]any
	if err := Decode(encoded, &names, conversions); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "named", "-", "mine", "time"} {
		if _, ok := names[name]; !ok {
			t.Errorf("there is no field %q in %v", name, names)
		}
	}
	for _, name := range []string{"b", "theirs", "zero", "deep", "private", "Skipped", "inner"} {
		if _, ok := names[name]; ok {
			t.Errorf("there is a field %q in %v", name, names)
		}
	}
}

func TestOneMapIsAlwaysTheSameBytes(t *testing.T) {
	value := map[string]int{}
	for i := range 50 {
		value[fmt.Sprint(i)] = i
	}
	first := mustEncode(t, value)
	for range 20 {
		if string(mustEncode(t, value)) != string(first) {
			t.Fatal("the bytes differ")
		}
	}
}

func TestTypesThatWriteThemselves(t *testing.T) {
	address := netip.MustParseAddr("2001:db8::1")
	link, _ := url.Parse("https://example.org/a?b=c")
	type all struct {
		Address netip.Addr            `json:"address"` // text and bytes: text is taken
		Raw     json.RawMessage       `json:"raw"`     // JSON only
		Link    *url.URL              `json:"link"`    // bytes only: the fields
		Number  json.Number           `json:"number"`
		Counts  map[int]string        `json:"counts"`
		Places  map[netip.Addr]uint16 `json:"places"`
	}
	before := all{
		Address: address,
		Raw:     json.RawMessage(`{"k":[1,2]}`),
		Link:    link,
		Number:  "18446744073709551615",
		Counts:  map[int]string{-1: "a", 10: "b"},
		Places:  map[netip.Addr]uint16{address: 9},
	}
	var after all
	if err := Decode(mustEncode(t, before), &after, conversions); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("got  %+v\nwant %+v", after, before)
	}
}

func TestAnyIsSettled(t *testing.T) {
	for _, pair := range []struct{ in, out any }{
		{nil, nil}, {true, true}, {"x", "x"}, {[]byte{1}, []byte{1}},
		{int8(5), int64(5)}, {uint8(200), int64(200)}, {uint16(60000), int64(60000)}, {uint32(1 << 31), int64(1 << 31)},
		{int64(math.MinInt64), int64(math.MinInt64)}, {int64(math.MaxInt64), int64(math.MaxInt64)},
		{uint64(1 << 63), uint64(1 << 63)}, {uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{float32(0.5), 0.5}, {1.0, 1.0}, {time.Second, int64(1e9)},
		{[]int{1, 200}, []any{int64(1), int64(200)}},
		{map[string]uint8{"a": 255}, map[string]any{"a": int64(255)}},
		{[]int(nil), nil}, {map[string]int(nil), nil}, {(*int)(nil), nil}, {[]int{}, []any{}},
	} {
		var out any = "before"
		if err := Decode(mustEncode(t, pair.in), &out, conversions); err != nil {
			t.Errorf("%#v: %v", pair.in, err)
		} else if !reflect.DeepEqual(out, pair.out) {
			t.Errorf("%#v comes back as %#v, not %#v", pair.in, out, pair.out)
		}
	}
}

// Every number that fits comes back as it was; what does not fit is an error, and never another number.
func TestNumbersAreExactOrRefused(t *testing.T) {
	numbers := []any{
		0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, 65535, 65536, math.MaxInt32, math.MinInt32, math.MaxUint32,
		int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64), uint64(1 << 63), uint64(math.MaxUint64),
		0.5, -0.5, 3.0, 1e300, math.SmallestNonzeroFloat64, float64(1 << 63), -float64(1 << 63), float64(1 << 24), 16777217.0,
	}
	types := []any{
		new(int), new(int8), new(int16), new(int32), new(int64),
		new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(float32), new(float64),
	}
	for _, number := range numbers {
		for _, target := range types {
			out := reflect.New(reflect.TypeOf(target).Elem())
			err := Decode(mustEncode(t, number), out.Interface(), conversions)
			if err != nil {
				if same(reflect.ValueOf(number), out.Type().Elem()) {
					t.Errorf("%T %v into %T: %v", number, number, target, err)
				}
				continue
			}
			got := out.Elem()
			lossy := got.Kind() == reflect.Float32 && reflect.TypeOf(number).Kind() == reflect.Float64
			if !lossy && exact(got) != exact(reflect.ValueOf(number)) {
				t.Errorf("%T %v became %T %v", number, number, target, got)
			}
		}
	}
}

// exact shows a number exactly, so that numbers of different types can be compared.
func exact(v reflect.Value) string {
	switch {
	case v.CanInt():
		return fmt.Sprint(v.Int())
	case v.CanUint():
		return fmt.Sprint(v.Uint())
	}
	if f := v.Float(); f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprint(v.Float())
}

// same tells whether a type can hold a number exactly.
func same(v reflect.Value, t reflect.Type) bool {
	converted := v.Convert(t)
	back := converted.Convert(v.Type())
	return exact(converted) == exact(v) && back.Equal(v)
}

func TestWhatDoesNotFitNamesItsPlace(t *testing.T) {
	type item struct {
		Price int8 `json:"price"`
	}
	type order struct {
		Items map[string][]item `json:"items"`
	}
	value := map[string]any{"items": map[string]any{"odd key": []any{map[string]any{"price": 1}, map[string]any{"price": 300}}}}
	var out order
	err := Decode(mustEncode(t, value), &out, conversions)
	var failure *Error
	if !errors.As(err, &failure) || failure.Path != `.items."odd key"[1].price` {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(err.Error(), "300 does not fit int8") {
		t.Error(err)
	}
	for _, refused := range []struct {
		value, out any
		says       string
	}{
		{"x", new(int), "text does not fit int"},
		{1, new(string), "an integer does not fit string"},
		{1.5, new(int), "1.5 does not fit int"},
		{true, new(float64), "a boolean does not fit float64"},
		{[]int{1}, new(map[string]int), "an array does not fit map"},
		{map[string]int{}, new([]int), "an object does not fit []int"},
		{"text", new([]byte), "text does not fit []uint8"},
		{[]byte("bytes"), new(string), "bytes does not fit string"},
		{[]byte("four"), new([3]byte), "4 bytes do not fit"},
		{[]int{1, 2}, new([3]int), "an array of 2 elements does not fit"},
		{map[string]int{"x": 1}, new(map[int8]int), "at .x: the key does not fit int8"},
		{map[string]int{"300": 1}, new(map[int8]int), "300 does not fit int8"},
		{1, new(fmt.Stringer), "an integer does not fit fmt.Stringer"},
		{"yesterday", new(time.Time), "parsing time"},
		{1, 5, "pointer that is not nil"},
		{1, (*int)(nil), "pointer that is not nil"},
		{1, nil, "pointer that is not nil"},
	} {
		err := Decode(mustEncode(t, refused.value), refused.out, conversions)
		if err == nil || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%#v into %T: %v; it should say %q", refused.value, refused.out, err, refused.says)
		}
	}
}

type ring struct{ Next *ring }

func TestWhatHasNoFormIsRefused(t *testing.T) {
	circle := &ring{}
	circle.Next = circle
	for _, refused := range []struct {
		value any
		says  string
	}{
		{make(chan int), "a chan int has no form"},
		{map[string]any{"f": func() {}}, "at .f: a func() has no form"},
		{[]float64{0, math.NaN()}, "at [1]: NaN has no form"},
		{math.Inf(-1), "-Inf has no form"},
		{"\xff", "not valid UTF-8"},
		{map[string]int{"\xff": 1}, "not valid UTF-8"},
		{map[[2]int]int{{}: 1}, "keys of type [2]int"},
		{complex(1, 1), "complex128 has no form"},
		{circle, "in a circle"},
		{json.Number("many"), `"many" is not a number`},
		{json.RawMessage("{"), "unexpected end"},
	} {
		_, err := encode(refused.value)
		if err == nil || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%T: %v; it should say %q", refused.value, err, refused.says)
		}
	}
	// A failure in the middle leaves nothing behind for the next value.
	if got := mustEncode(t, 1); len(got) != 1 || got[0] != 1 {
		t.Errorf("1 is %x", got)
	}
}

func TestNullLeavesWhatCannotBeNil(t *testing.T) {
	out := struct {
		Number  int
		Pointer *int
		Slice   []int
		Inner   inner
	}{1, new(int), []int{1}, inner{A: 2}}
	value := map[string]any{"Number": nil, "Pointer": nil, "Slice": nil, "Inner": nil, "unknown": []any{map[string]any{}}}
	if err := Decode(mustEncode(t, value), &out, conversions); err != nil {
		t.Fatal(err)
	}
	if out.Number != 1 || out.Pointer != nil || out.Slice != nil || out.Inner.A != 2 {
		t.Errorf("%+v", out)
	}
}

func TestHostileBytes(t *testing.T) {
	deep := append([]byte(strings.Repeat("\x91", 1<<20)), 0xc0)
	for name, encoded := range map[string][]byte{
		"nothing":             {},
		"half a string":       {0xa5, 'a'},
		"a length that lies":  {0xdd, 0xff, 0xff, 0xff, 0xff},
		"a map that lies":     {0xdf, 0x7f, 0xff, 0xff, 0xff},
		"bytes that lie":      {0xc6, 0x7f, 0xff, 0xff, 0xff, 1},
		"text that lies":      {0xdb, 0x7f, 0xff, 0xff, 0xff, 1},
		"half a number":       {0xcf, 1, 2, 3},
		"half an extension":   {0xc7, 2, 1, 1},
		"the unused code":     {0xc1},
		"two values":          {1, 2},
		"nested a million":    deep,
		"a key that is none":  {0x81, 0x01, 0x01},
		"a map without value": {0x81, 0xa1, 'a'},
	} {
		for _, out := range []any{new(any), new([]any), new(map[string]any), new(outer), new(ring), new([]ring), new(msgpack.RawMessage)} {
			at := time.Now()
			err := Decode(encoded, out, conversions)
			if took := time.Since(at); took > 5*time.Second {
				t.Errorf("%s into %T: it took %v", name, out, took)
			}
			if err == nil && !lawful(name, out) {
				t.Errorf("%s into %T: no error, but %v", name, out, reflect.ValueOf(out).Elem())
			}
		}
	}
}

// lawful: values that are passed on as they are may have any keys.
func lawful(name string, out any) bool {
	_, raw := out.(*msgpack.RawMessage)
	return raw && name == "a key that is none"
}

func FuzzDecodeNeverPanics(f *testing.F) {
	for _, seed := range []any{1, "a", []any{nil, 1.5}, outer{Any: []any{1}}, map[string]any{"plain": []any{map[string]any{"a": 1}}}} {
		encoded, err := encode(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var typed outer
		_ = Decode(encoded, &typed, conversions)
		var value any
		if Decode(encoded, &value, conversions) != nil {
			return
		}
		again, err := encode(value)
		if err != nil { // such as text that is not UTF-8
			return
		}
		var back any
		if err := Decode(again, &back, conversions); err != nil || !reflect.DeepEqual(back, value) {
			t.Fatalf("%#v comes back as %#v (%v)", value, back, err)
		}
	})
}
