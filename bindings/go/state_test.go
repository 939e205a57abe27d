package statewright

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// inBoth runs a test on an engine and in a transaction: one set of methods, one behaviour.
func inBoth(t *testing.T, run func(t *testing.T, state State)) {
	t.Run("engine", func(t *testing.T) { run(t, openMemory(t)) })
	t.Run("txn", func(t *testing.T) {
		engine := openMemory(t)
		txn, err := engine.Begin(Serializable)
		must(t, err)
		defer txn.Rollback()
		run(t, txn)
		must(t, txn.Commit())
	})
}

func TestKeys(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		kv := state.KV()
		for _, key := range []string{"a", "a/b", "\x00", "\xff\xfe", "ключ", strings.Repeat("k", 1000)} {
			must(t, kv.Put(key, map[string]any{"key": []byte(key), "n": 1}))
			got, found, err := Get[map[string]any](kv, key)
			must(t, err)
			if want := map[string]any{"key": []byte(key), "n": int64(1)}; !found || !reflect.DeepEqual(got, want) {
				t.Errorf("%q: %v, %v", key, got, found)
			}
		}
		var out any = "before"
		found, err := kv.Get("none", &out)
		must(t, err)
		if found || out != "before" {
			t.Errorf("a key that is not there gives %v, %v", found, out)
		}
		if found, err := kv.Get("a", nil); err != nil || !found {
			t.Errorf("it is there: %v, %v", found, err)
		}
		for _, there := range []bool{true, false} {
			if found, err := kv.Delete("a"); err != nil || found != there {
				t.Errorf("deleting: %v, %v", found, err)
			}
		}
		wants(t, kv.Put("", 1), ErrInvalidKey)
	})
}

func TestValuesComeBackExactly(t *testing.T) {
	type record struct {
		Signed   int64     `json:"signed"`
		Unsigned uint64    `json:"unsigned"`
		Float    float64   `json:"float"`
		Text     string    `json:"text"`
		Bytes    []byte    `json:"bytes"`
		Time     time.Time `json:"time"`
		Any      any       `json:"any"`
		Value    Value     `json:"value"`
		Nothing  *int      `json:"nothing"`
	}
	nested, err := FromJSON(`{"z":1,"a":[null,true,"ü"]}`)
	must(t, err)
	inBoth(t, func(t *testing.T, state State) {
		for _, number := range []struct {
			signed   int64
			unsigned uint64
		}{{math.MinInt64, math.MaxUint64}, {math.MaxInt64, 1 << 63}, {1<<53 + 1, 1<<53 + 1}, {-1, 0}} {
			before := record{
				number.signed, number.unsigned, 1.0, "a\x00b\U0001F600", []byte{0, 255},
				time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC), []any{int64(200), 0.5}, nested, nil,
			}
			must(t, state.JSON().Set("record", "", before))
			after, _, err := GetAt[record](state.JSON(), "record", "")
			must(t, err)
			if !reflect.DeepEqual(before, after) {
				t.Errorf("got  %+v\nwant %+v", after, before)
			}
		}
		if text := fmt.Sprint(nested); text != `{"z":1,"a":[null,true,"ü"]}` {
			t.Error(text)
		}
		must(t, state.KV().Put("float", 1.0))
		if one, _, err := Get[any](state.KV(), "float"); err != nil || one != 1.0 {
			t.Errorf("1.0 is %T %v, %v", one, one, err)
		}
		must(t, state.KV().Put("large", 300))
		if _, _, err := Get[int8](state.KV(), "large"); err == nil {
			t.Error("300 became an int8")
		}
	})
}

func TestDocuments(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		docs := state.JSON()
		must(t, docs.Create("order", map[string]any{"lines": []any{map[string]any{"sku": "pen"}}}))
		wants(t, docs.Create("order", nil), ErrAlreadyExists)
		must(t, docs.Set("order", ".lines[1].sku", "book"))
		must(t, docs.Set("order", `."odd key".deep`, true))
		lines, found, err := GetAt[[]struct {
			SKU string `json:"sku"`
		}](docs, "order", ".lines")
		must(t, err)
		if !found || len(lines) != 2 || lines[1].SKU != "book" {
			t.Errorf("%+v", lines)
		}
		if found, err := docs.Remove("order", ".lines[0]"); err != nil || !found {
			t.Errorf("%v, %v", found, err)
		}
		if found, err := docs.Remove("order", ".nothing"); err != nil || found {
			t.Errorf("%v, %v", found, err)
		}
		sku, _, err := GetAt[string](docs, "order", ".lines[0].sku")
		if must(t, err); sku != "book" {
			t.Errorf("after the removal, %q is first", sku)
		}
		_, found, err = docs.Version("order")
		if must(t, err); !found {
			t.Error("it has no version")
		}
		for path, code := range map[string]Code{".lines[": ErrInvalidPath, ".lines[9]": ErrIndexOutOfRange, ".lines.x": ErrWrongType} {
			wants(t, docs.Set("order", path, 1), code)
		}
		wants(t, docs.Set("none", ".a", 1), ErrNotFound)
		for _, there := range []bool{true, false} {
			if found, err := docs.Drop("order"); err != nil || found != there {
				t.Errorf("dropping: %v, %v", found, err)
			}
			if found, err := docs.Get("order", "", nil); err != nil || found {
				t.Errorf("after dropping: %v, %v", found, err)
			}
		}
	})
}

func TestListsArePagedInOrder(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		for _, total := range []int{0, 1, pageItems - 1, pageItems, pageItems + 1, 3*pageItems + 7} {
			space := state.Space(fmt.Sprintf("space%d", total))
			for i := range total {
				must(t, space.KV().Put(fmt.Sprintf("k/%05d", i), i))
				must(t, space.JSON().Create(fmt.Sprintf("k/%05d", i), i))
			}
			must(t, space.KV().Put("other", nil))
			for name, list := range map[string]func(func(Entry, error) bool){"kv": space.KV().Scan("k/"), "json": space.JSON().List("k/")} {
				next := 0
				for entry, err := range list {
					must(t, err)
					if n, err := Decode[int](entry.Value); err != nil || n != next || entry.Key != fmt.Sprintf("k/%05d", next) {
						t.Fatalf("%s: %d is %v (%v)", name, next, entry, err)
					}
					next++
				}
				if next != total {
					t.Errorf("%s: %d of %d", name, next, total)
				}
			}
		}
		for range state.Space("space263").KV().Scan("") {
			break // leaving early is fine
		}
	})
}

func TestAListThatFailsSaysSoOnce(t *testing.T) {
	engine := openMemory(t)
	txn, err := engine.Begin(Serializable)
	must(t, err)
	must(t, txn.Rollback())
	seen := 0
	for _, err := range txn.KV().Scan("") {
		wants(t, err, ErrTxnClosed)
		seen++
	}
	if seen != 1 {
		t.Errorf("%d times", seen)
	}
}

func TestSpacesAreApart(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		must(t, state.Space("tenant/app").KV().Put("k", 1))
		must(t, state.Space("default").KV().Put("k", 2))
		if n, _, err := Get[int](state.KV(), "k"); err != nil || n != 2 {
			t.Errorf("%v, %v", n, err)
		}
		wants(t, state.Space("a//b").KV().Put("k", 1), ErrInvalidSpace)
	})
}

func TestBadTextIsRefused(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		bad := "a\xff"
		wants(t, state.JSON().Create(bad, 1), ErrInvalidUTF8)
		wants(t, state.JSON().Set("d", bad, 1), ErrInvalidUTF8)
		wants(t, state.Space(bad).KV().Put("k", 1), ErrInvalidUTF8)
		if err := state.KV().Put("k", bad); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Error(err)
		}
		wants(t, state.KV().Put("k", Value{0xa2, 'a', 0xff}), ErrInvalidMsgpack)
		wants(t, state.KV().Put("k", Value{0xc1}), ErrInvalidMsgpack)
		wants(t, state.KV().Put("k", Value{1, 2}), ErrInvalidMsgpack)
		if found, err := state.KV().Get("k", nil); err != nil || found {
			t.Errorf("something was written: %v, %v", found, err)
		}
	})
}

func TestLargeValues(t *testing.T) {
	inBoth(t, func(t *testing.T, state State) {
		large := strings.Repeat("x", 4<<20)
		must(t, state.KV().Put("large", large))
		if back, _, err := Get[string](state.KV(), "large"); err != nil || back != large {
			t.Errorf("%d bytes, %v", len(back), err)
		}
		wants(t, state.KV().Put("k", make([]byte, 65<<20)), ErrTooLarge)
		wants(t, state.KV().Put(strings.Repeat("k", 65537), 1), ErrTooLarge)
		deep := Value(strings.Repeat("\x91", 100_000) + "\xc0")
		wants(t, state.KV().Put("k", deep), ErrLimit)
	})
}

func TestValueText(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1,"a":[18446744073709551615,-9223372036854775808,1.0]}`: `{"b":1,"a":[18446744073709551615,-9223372036854775808,1.0]}`,
		` null `: `null`,
	} {
		value, err := FromJSON(text)
		must(t, err)
		if value.String() != want {
			t.Errorf("%s is %s", text, value)
		}
	}
	if !(Value(nil)).IsNull() || !(Value{0xc0}).IsNull() || (Value{0}).IsNull() || Value(nil).String() != "null" {
		t.Error("null is no bytes, or 0xc0")
	}
	_, err := FromJSON(`{"a":}`)
	wants(t, err, ErrInvalidJSON)
	if text := (Value{0xc1}).String(); !strings.HasPrefix(text, "!(statewright: ") {
		t.Error(text)
	}
	var inStruct struct{ V Value }
	value, err := Encode(struct{ V Value }{Value{0x93, 1, 2, 3}})
	must(t, err)
	must(t, value.Decode(&inStruct))
	if inStruct.V.String() != "[1,2,3]" {
		t.Error(inStruct.V)
	}
}

func TestManyGoroutinesOnOneEngine(t *testing.T) {
	engine := openMemory(t)
	var group sync.WaitGroup
	for g := range 16 {
		spawn(&group, func() {
			for i := range 200 {
				key := fmt.Sprintf("%d/%d", g, i)
				if err := engine.KV().Put(key, i); err != nil {
					t.Error(err)
				}
				if n, found, err := Get[int](engine.KV(), key); err != nil || !found || n != i {
					t.Errorf("%s: %d, %v, %v", key, n, found, err)
				}
			}
		})
	}
	group.Wait()
	count := 0
	for _, err := range engine.KV().Scan("") {
		must(t, err)
		count++
	}
	if count != 16*200 {
		t.Errorf("%d keys", count)
	}
}
