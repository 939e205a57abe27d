package statewright

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func documentOf(t testing.TB, value any) *Document {
	t.Helper()
	d, err := NewDocument(value)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func documentOfJSON(t testing.TB, text string) *Document {
	t.Helper()
	d, err := DocumentFromJSON(text, nil)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

func extended(t testing.TB, kind Kind, text string) Extended {
	t.Helper()
	x, err := NewExtended(kind, text)
	must(t, err)
	return x
}

func isJSON(t testing.TB, d *Document, want string) {
	t.Helper()
	if got := d.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// everything is one value of every kind.
func everything(t testing.TB) map[string]any {
	return map[string]any{
		"null": nil, "yes": true, "lowest": int64(math.MinInt64), "highest": uint64(math.MaxUint64), "float": 1.0,
		"text": "naïve", "bytes": []byte{0, 255}, "list": []any{int64(1), "two", []any{}}, "object": map[string]any{},
		"decimal": extended(t, KindDecimal, "12.50"), "date": extended(t, KindDate, "2024-05-01"),
		"time": extended(t, KindTime, "12:30:00"), "datetime": extended(t, KindDateTime, "2024-05-01T12:30:00+02:00"),
		"duration": extended(t, KindDuration, "PT1H30M"),
	}
}

func TestEveryKindGoesInAndOut(t *testing.T) {
	want := everything(t)
	d := documentOf(t, want)
	again := []func() (*Document, error){
		d.Clone,
		func() (*Document, error) { v, _ := d.Value(); return DocumentFromMsgpack(v, nil) },
		func() (*Document, error) { b, _ := d.CBOR(); return DocumentFromCBOR(b, nil) },
		func() (*Document, error) { b, _ := d.Packed(); return DocumentFromPacked(b, nil) },
		func() (*Document, error) {
			text, _ := d.JSON(TypedJSON)
			return DocumentFromJSON(text, &ReadOptions{Typed: true})
		},
	}
	for i, read := range again {
		copied, err := read()
		must(t, err)
		native, err := copied.Native()
		must(t, err)
		if !reflect.DeepEqual(native, any(want)) {
			t.Errorf("%d: %v is not %v", i, native, want)
		}
		must(t, copied.Close())
	}
	for kind, path := range map[Kind]string{
		KindNull: ".null", KindBool: ".yes", KindInteger: ".highest", KindFloat: ".float", KindText: ".text", KindBytes: ".bytes",
		KindArray: ".list", KindObject: "", KindDecimal: "/decimal", KindDate: "$.date", KindTime: ".time",
		KindDateTime: ".datetime", KindDuration: ".duration", KindNone: ".nothing",
	} {
		if got, err := d.Kind(path); err != nil || got != kind {
			t.Errorf("%q is %v (%v), not %v", path, got, err, kind)
		}
	}
	engine := openMemory(t)
	must(t, engine.KV().Put("k", d))
	if stored, _, err := Get[any](engine.KV(), "k"); err != nil || !reflect.DeepEqual(stored, any(want)) {
		t.Errorf("stored: %v, %v", stored, err)
	}
}

func TestExtendedKinds(t *testing.T) {
	d := documentOf(t, everything(t))
	var out struct {
		Decimal  json.Number `json:"decimal"`
		Date     string      `json:"date"`
		DateTime time.Time   `json:"datetime"`
		Duration Extended    `json:"duration"`
	}
	must(t, d.Decode(&out))
	if out.Decimal != "12.50" || out.Date != "2024-05-01" || out.Duration.String() != "PT1H30M" ||
		!out.DateTime.Equal(time.Date(2024, 5, 1, 10, 30, 0, 0, time.UTC)) {
		t.Errorf("%+v", out)
	}
	if extended(t, KindDecimal, "12.5") == extended(t, KindDecimal, "12.50") {
		t.Error("12.5 and 12.50 are two")
	}
	if extended(t, KindDecimal, "12.50") != extended(t, KindDecimal, "12.50") {
		t.Error("12.50 is one")
	}
	text, err := json.Marshal([]any{extended(t, KindDecimal, "12.50"), extended(t, KindDate, "2024-05-01"), Extended{}})
	if must(t, err); string(text) != `[12.50,"2024-05-01",null]` {
		t.Errorf("%s", text)
	}
	for _, wrong := range []any{new(int), new(float64), new([]byte), new(bool)} {
		if _, err := d.Get(".decimal", wrong); err == nil || !strings.Contains(err.Error(), "beyond JSON does not fit") {
			t.Errorf("%T: %v", wrong, err)
		}
	}
	if _, err := Decode[json.Number](must2(t)(Encode(extended(t, KindDate, "2024-05-01")))); err == nil {
		t.Error("a date is no number")
	}
	if _, err := Decode[Extended](must2(t)(Encode(5))); err == nil {
		t.Error("5 is not beyond JSON")
	}
	_, err = NewExtended(KindDate, "tomorrow")
	wants(t, err, ErrInvalidTemporal)
	_, err = NewExtended(KindArray, "[]")
	wants(t, err, ErrInvalidArgument)
	if (Extended{}).Kind() != KindNone || (Extended{}).String() != "" || Kind(99).String() != "kind 99" {
		t.Error("the zero Extended is nothing")
	}
}

func must2(t *testing.T) func(Value, error) Value {
	return func(value Value, err error) Value {
		t.Helper()
		must(t, err)
		return value
	}
}

func TestReadingPlaces(t *testing.T) {
	d := documentOf(t, everything(t))
	at := func(out any, path string, want any) {
		t.Helper()
		if found, err := d.Get(path, out); err != nil || !found || !reflect.DeepEqual(reflect.ValueOf(out).Elem().Interface(), want) {
			t.Errorf("%s into %T: %v, %v, %v", path, out, reflect.ValueOf(out).Elem(), found, err)
		}
	}
	at(new(int64), ".lowest", int64(math.MinInt64))
	at(new(uint64), ".highest", uint64(math.MaxUint64))
	at(new(bool), "/yes", true)
	at(new(float64), "$.float", 1.0)
	at(new(int), ".float", 1) // whole
	at(new(int), ".list[0]", 1)
	at(new(int8), ".list[0]", int8(1))
	at(new(float64), ".list[0]", 1.0)
	at(new(string), ".text", "naïve")
	at(new([]byte), ".bytes", []byte{0, 255})
	at(new(any), ".highest", any(uint64(math.MaxUint64)))
	kept := 7
	if found, err := d.Get(".nothing", &kept); found || err != nil || kept != 7 {
		t.Errorf("%v %v %v", found, err, kept)
	}
	if found, err := d.Get(".null", &kept); !found || err != nil || kept != 7 {
		t.Errorf("%v %v %v", found, err, kept)
	}
	for _, wrong := range []struct {
		path string
		out  any
		says string
	}{
		{".highest", new(int64), "18446744073709551615 does not fit int64"},
		{".lowest", new(uint64), "-9223372036854775808 does not fit uint64"},
		{".list", new(int), "an array does not fit int"},
		{".text", new(bool), "text does not fit bool"},
		{".bytes", new(string), "bytes does not fit string"},
	} {
		if _, err := d.Get(wrong.path, wrong.out); err == nil || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%s into %T: %v", wrong.path, wrong.out, err)
		}
	}
	_, err := d.Get("not a path", &kept)
	if failure := wants(t, err, ErrInvalidPath); failure.Path != "not a path" {
		t.Errorf("%+v", failure)
	}
	if n, err := d.Len(".list"); n != 3 || err != nil {
		t.Error(n, err)
	}
	if has, err := d.Has(".null"); !has || err != nil {
		t.Error(has, err)
	}
}

func TestChangingPlaces(t *testing.T) {
	d := documentOf(t, map[string]any{})
	must(t, d.Set(".deep.list", []int{}))
	must(t, d.Set("/deep/list/-", 1))
	must(t, d.Set(".deep.list[1]", "two"))
	must(t, d.Push(".deep.list", 3.0))
	must(t, d.Insert(".deep.list[0]", nil))
	must(t, d.Set(".u", uint64(math.MaxUint64)))
	must(t, d.Set(".sub", documentOf(t, struct {
		A []byte `json:"a"`
	}{[]byte{1}})))
	must(t, d.SetKind(".d", KindDecimal, "1.0"))
	must(t, d.SetJSON(".j", "[false]"))
	must(t, d.Set(".b", true))
	must(t, d.Set(".none", (*Document)(nil)))
	isJSON(t, d, `{"deep":{"list":[null,1,"two",3.0]},"u":18446744073709551615,"sub":{"a":{"$bytes":"AQ=="}},"d":1.0,`+
		`"j":[false],"b":true,"none":null}`)
	if found, err := d.Remove(".deep.list[0]"); !found || err != nil {
		t.Error(found, err)
	}
	if found, err := d.Remove(".nothing"); found || err != nil {
		t.Error(found, err)
	}
	taken, found, err := d.Take(".deep.list")
	if must(t, err); !found {
		t.Fatal("nothing was taken")
	}
	isJSON(t, taken, `[1,"two",3.0]`)
	must(t, taken.Close())
	if taken, found, err := d.Take(".nothing"); taken != nil || found || err != nil {
		t.Error(taken, found, err)
	}
	before, err := d.Clone()
	must(t, err)
	defer before.Close()
	wants(t, d.Set(".u.x", 1), ErrWrongType)
	wants(t, d.Set(".j[7]", 1), ErrIndexOutOfRange)
	wants(t, d.Set(".f", math.NaN()), ErrNotRepresentable)
	wants(t, d.Set(".t", "\xff"), ErrInvalidUTF8)
	wants(t, d.SetJSON(".t", "{"), ErrInvalidJSON)
	wants(t, d.Push("", 1), ErrWrongType)
	if err := d.Set(".c", make(chan int)); err == nil {
		t.Error("a channel is no value")
	}
	if equal, err := d.Equal(before); !equal || err != nil {
		t.Error("what failed changed something", err)
	}
}

func TestClonesAndPartsDoNotSeeChanges(t *testing.T) {
	d := documentOfJSON(t, `{"a":{"n":1}}`)
	clone, err := d.Clone()
	must(t, err)
	defer clone.Close()
	part, found, err := d.At(".a")
	if must(t, err); !found {
		t.Fatal("it is there")
	}
	defer part.Close()
	must(t, d.Set(".a.n", 2))
	must(t, part.Set(".n", 3))
	isJSON(t, d, `{"a":{"n":2}}`)
	isJSON(t, clone, `{"a":{"n":1}}`)
	isJSON(t, part, `{"n":3}`)
	if order, err := d.Compare(clone); order != 1 || err != nil {
		t.Error(order, err)
	}
	must(t, d.Set(".a.n", 1))
	one, err := d.ContentHash()
	must(t, err)
	if other, err := clone.ContentHash(); other != one || one == [32]byte{} || err != nil {
		t.Error("equal documents have equal hashes", err)
	}
}

func TestEntriesAreOfOneState(t *testing.T) {
	const many = 1000
	d := documentOf(t, map[string]any{"list": []int{}, "map": map[string]int{}})
	for i := range many {
		must(t, d.Push(".list", i))
		must(t, d.Set(fmt.Sprintf(".map.k%d", i), i))
	}
	next := 0
	for entry, err := range d.Entries(".list") {
		must(t, err)
		if n, err := Decode[int](entry.Value); n != next || entry.Key != "" || err != nil {
			t.Fatal(entry, next, err)
		}
		next++
	}
	if next != many {
		t.Error(next)
	}
	next = 0
	for entry, err := range d.Entries(".map") {
		must(t, err)
		if n, err := Decode[int](entry.Value); n != next || entry.Key != fmt.Sprintf("k%d", next) || err != nil {
			t.Fatal(entry, next, err)
		}
		if next++; next == 10 {
			must(t, d.Set(".map", nil))
		}
	}
	if next != many {
		t.Error(next)
	}
	for range d.Entries(".list") {
		break // leaves nothing open
	}
	for _, err := range d.Entries(".map") {
		wants(t, err, ErrWrongType)
	}
}

func TestQueries(t *testing.T) {
	d := documentOfJSON(t, `{"l":[{"p":5},{"p":15},{"p":25}]}`)
	found, err := d.Query("$..p")
	must(t, err)
	isJSON(t, found, "[5,15,25]")
	q, err := ParseQuery("$.l[?@.p > 10].p")
	must(t, err)
	found, err = q.Select(d)
	must(t, err)
	isJSON(t, found, "[15,25]")
	first, there, err := q.First(d)
	if must(t, err); !there {
		t.Fatal("there is one")
	}
	isJSON(t, first, "15")
	if n, err := q.Count(d); n != 2 || err != nil {
		t.Error(n, err)
	}
	for form, path := range map[PathForm]string{OwnPaths: ".l[1].p", NormalizedPaths: "$['l'][1]['p']", Pointers: "/l/1/p"} {
		located, err := q.Locate(d, form)
		must(t, err)
		if len(located) != 2 || located[0].Path != path || located[0].Value.String() != "15" {
			t.Error(located)
		}
	}
	if n, err := q.Set(d, "x"); n != 2 || err != nil {
		t.Error(n, err)
	}
	if _, there, err := q.First(d); there || err != nil {
		t.Error(there, err)
	}
	items, err := ParseQuery("$.l[1:]")
	must(t, err)
	if n, err := items.Remove(d); n != 2 || err != nil {
		t.Error(n, err)
	}
	isJSON(t, d, `{"l":[{"p":5}]}`)
	must(t, q.Close())
	must(t, q.Close())
	_, err = q.Select(d)
	wants(t, err, ErrClosed)
	_, err = ParseQuery("l")
	wants(t, err, ErrInvalidQuery)
	limited, err := ParseQueryLimited("$..*", 1)
	must(t, err)
	_, err = limited.Count(d)
	wants(t, err, ErrLimit)
}

func TestPatches(t *testing.T) {
	before := documentOfJSON(t, `{"a":1,"list":[1,2,3],"gone":true}`)
	after, err := before.Clone()
	must(t, err)
	must(t, after.MergePatch(map[string]any{"a": map[string]int{"b": 2}, "gone": nil}))
	must(t, after.Set(".list[1]", 9))
	patch, err := before.Diff(after)
	must(t, err)
	changed, err := before.Clone()
	must(t, err)
	must(t, changed.Patch(patch))
	if equal, err := changed.Equal(after); !equal || err != nil {
		t.Error(changed, err)
	}
	undo, err := patch.Inverted(before)
	must(t, err)
	must(t, changed.Patch(undo))
	if equal, err := changed.Equal(before); !equal || err != nil {
		t.Error(changed, err)
	}
	merge, there, err := before.MergeDiff(after)
	if must(t, err); !there {
		t.Fatal("there is one")
	}
	must(t, changed.MergePatch(merge))
	if equal, err := changed.Equal(after); !equal || err != nil {
		t.Error(changed, err)
	}
	if _, there, err := before.MergeDiff(documentOf(t, map[string]any{"x": nil})); there || err != nil {
		t.Error(there, err)
	}
	failure := wants(t, changed.Patch([]map[string]any{
		{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/nothing"},
	}), ErrPatchFailed)
	if failure.Path != "/nothing" {
		t.Errorf("%+v", failure)
	}
	if equal, err := changed.Equal(after); !equal || err != nil {
		t.Error("what failed changed something", err)
	}
}

func TestMerging(t *testing.T) {
	config := documentOfJSON(t, `{"tags":["a","b"],"log":{"level":"info","color":true}}`)
	other := map[string]any{"tags": []string{"b", "c"}, "log": map[string]any{"color": nil}}
	must(t, config.Merge(other, &MergeOptions{Arrays: UniteArrays, Nulls: SkipNulls}))
	isJSON(t, config, `{"tags":["a","b","c"],"log":{"level":"info","color":true}}`)
	must(t, config.Merge(other, nil))
	isJSON(t, config, `{"tags":["b","c"],"log":{"level":"info","color":null}}`)
	must(t, config.Merge(other, &MergeOptions{Shallow: true}))
	isJSON(t, config, `{"tags":["b","c"],"log":{"color":null}}`)
	wants(t, config.Merge(other, &MergeOptions{Arrays: 9}), ErrInvalidArgument)
	base := documentOfJSON(t, `{"a":1,"b":1}`)
	ours, theirs := documentOfJSON(t, `{"a":2,"b":1}`), documentOfJSON(t, `{"b":2}`)
	merged, conflicts, err := base.Merge3(ours, theirs, PreferNone)
	must(t, err)
	isJSON(t, merged, `{"a":2,"b":2}`)
	if len(conflicts) != 1 || conflicts[0].Path != ".a" || conflicts[0].Ours.String() != "2" || conflicts[0].Theirs != nil {
		t.Errorf("%+v", conflicts)
	}
	merged, conflicts, err = base.Merge3(ours, theirs, PreferTheirs)
	must(t, err)
	if isJSON(t, merged, `{"b":2}`); len(conflicts) != 0 {
		t.Errorf("%+v", conflicts)
	}
}

func TestSchemas(t *testing.T) {
	schema, err := CompileSchema(
		map[string]any{"required": []string{"id"}, "properties": map[string]any{"price": map[string]string{"$ref": "http://x.test/p"}}},
		&SchemaOptions{Documents: map[string]any{"http://x.test/p": map[string]any{"minimum": 0}}},
	)
	must(t, err)
	must(t, schema.Validate(map[string]any{"id": 1, "price": 0}))
	wrong := documentOfJSON(t, `{"price":-1}`)
	if failure := wants(t, schema.Validate(wrong), ErrSchemaViolation); failure.Path == "" {
		t.Errorf("%+v", failure)
	}
	violations, err := schema.Violations(wrong)
	must(t, err)
	want := Violation{
		Path: ".price", SchemaPath: "/minimum", Keyword: "minimum", Message: "-1 is less than the minimum 0",
	}
	if len(violations) != 2 || !reflect.DeepEqual(violations[1], want) {
		t.Errorf("%+v", violations)
	}
	if violations, err := schema.Violations(map[string]any{"id": 1}); len(violations) != 0 || err != nil {
		t.Error(violations, err)
	}
	must(t, schema.Close())
	must(t, schema.Close())
	wants(t, schema.Validate(wrong), ErrClosed)
	_, err = CompileSchema(map[string]any{"type": "strin"}, nil)
	wants(t, err, ErrInvalidSchema)
	_, err = CompileSchema(true, &SchemaOptions{Draft: 8})
	wants(t, err, ErrInvalidArgument)
	inferred, err := InferSchema([]any{map[string]any{"id": 1}})
	must(t, err)
	if kind, found, err := Read[string](inferred, ".properties.id.type"); kind != "integer" || !found || err != nil {
		t.Error(inferred, err)
	}
}

func TestBadInputIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	forty := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for _, wrong := range []struct {
		code Code
		read func() (*Document, error)
	}{
		{ErrInvalidJSON, func() (*Document, error) { return DocumentFromJSON("{", nil) }},
		{ErrInvalidUTF8, func() (*Document, error) { return DocumentFromJSON("\"\xff\"", nil) }},
		{ErrInvalidMsgpack, func() (*Document, error) { return DocumentFromMsgpack([]byte{0xc1}, nil) }},
		{ErrInvalidCBOR, func() (*Document, error) { return DocumentFromCBOR([]byte{0xff}, nil) }},
		{ErrInvalidPacked, func() (*Document, error) { return DocumentFromPacked([]byte("SWPK"), nil) }},
		{ErrLimit, func() (*Document, error) { return DocumentFromJSON(deep, nil) }},
		{ErrLimit, func() (*Document, error) { return DocumentFromJSON(deep, &ReadOptions{MaxDepth: math.MaxUint32}) }},
		{ErrLimit, func() (*Document, error) { return DocumentFromJSON(forty, &ReadOptions{Strict: true}) }},
		{ErrLimit, func() (*Document, error) { return DocumentFromJSON("[1,2]", &ReadOptions{MaxItems: 2}) }},
		{ErrInvalidArgument, func() (*Document, error) {
			return DocumentFromJSON("1", &ReadOptions{Strict: true, Permissive: true})
		}},
	} {
		d, err := wrong.read()
		wants(t, err, wrong.code)
		if d != nil {
			t.Error("there is a document all the same")
		}
	}
	d, err := DocumentFromJSON(forty, &ReadOptions{Strict: true, MaxDepth: 40})
	must(t, err)
	must(t, d.Close())
}

func TestAClosedDocumentSaysSo(t *testing.T) {
	d := documentOf(t, 1)
	must(t, d.Close())
	must(t, d.Close())
	_, err := d.Value()
	wants(t, err, ErrClosed)
	wants(t, d.Set("", 2), ErrClosed)
	_, err = d.Get("", new(int))
	wants(t, err, ErrClosed)
	_, err = d.Clone()
	wants(t, err, ErrClosed)
	for _, err := range d.Entries("") {
		wants(t, err, ErrClosed)
	}
	if !strings.Contains(d.String(), "closed") {
		t.Error(d.String())
	}
}

func TestADocumentServesManyGoroutines(t *testing.T) {
	d := documentOf(t, map[string]int{})
	var group sync.WaitGroup
	for g := range 8 {
		spawn(&group, func() {
			path := fmt.Sprintf(".g%d", g)
			for i := range 200 {
				if err := d.Set(path, i); err != nil {
					t.Error(err)
				}
				if n, _, err := Read[int](d, path); n != i || err != nil {
					t.Error(n, err)
				}
			}
		})
	}
	group.Wait()
	if n, err := d.Len(""); n != 8 || err != nil {
		t.Error(n, err)
	}
}

func TestDocumentsLeakNothing(t *testing.T) {
	leaks(t, func(int) {
		d, err := DocumentFromJSON(`{"list":[1,2,3,{"text":"a text that is too long to be kept within the value"}]}`, nil)
		must(t, err)
		must(t, d.Set(".list[0]", "another text that is too long to be kept within the value"))
		for _, err := range d.Entries(".list") {
			must(t, err)
		}
		found, err := d.Query("$..text")
		must(t, err)
		must(t, found.Close())
		must(t, d.Close())
	})
}

func TestForgottenDocumentsAreClosed(t *testing.T) {
	leaks(t, func(round int) {
		_, err := NewDocument("a text that is too long to be kept within the value, and so lies somewhere")
		must(t, err)
		if round%1000 == 0 {
			runtime.GC()
		}
	})
}

func TestErrorsOfDocumentsAreErrors(t *testing.T) {
	_, err := DocumentFromJSON("[1,]", nil)
	var failure *Error
	if !errors.As(err, &failure) || !errors.Is(err, ErrInvalidJSON) || !strings.Contains(err.Error(), "line 1, column 4") {
		t.Error(err)
	}
}
