// Values shows a value: read, changed, walked, queried, checked, compared, patched, merged, encoded, stored. Its argument is
// the folder for its store.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/statewright/statewright/bindings/go"
)

const text = `{
  "id": 9007199254740993,
  "customer": { "name": "Ada" },
  "lines": [{ "sku": "pen", "quantity": 3, "price": 1.2 }, { "sku": "book", "quantity": 1, "price": 15.5 }]
}`

// Line is one line of an order. Go values go in and out by the rules of encoding/json.
type Line struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

type object = map[string]any

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: values STORE")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(store string) error {
	order, err := statewright.DocumentFromJSON(text, nil)
	if err != nil {
		return err
	}
	defer order.Close()          // the garbage collector would do it too, later
	before, err := order.Clone() // costs the same for any size
	if err != nil {
		return err
	}
	defer before.Close()

	for _, part := range []func() error{
		func() error { return change(order) },
		func() error { return check(order) },
		func() error { return undo(before, order) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	merged, err := merge(order)
	if err != nil {
		return err
	}
	defer merged.Close()
	if err := encode(merged); err != nil {
		return err
	}

	// A document goes into the store as any other value does.
	engine, err := statewright.Open(store, nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.JSON().Create("order", merged); err != nil {
		return err
	}
	name, _, err := statewright.GetAt[string](engine.JSON(), "order", ".customer.name")
	fmt.Println("stored:", name)
	return err
}

// change reads and changes places. A place: .lines[0], /lines/0 (RFC 6901) and $.lines[0] are one.
func change(order *statewright.Document) error {
	id, _, err := statewright.Read[uint64](order, ".id")
	if err != nil {
		return err
	}
	fmt.Println("id:", id)
	err = errors.Join(
		order.Set(".lines[0].quantity", 5),
		order.Push(".lines", Line{"lamp", 1, 24.5}),
		order.SetKind(".total", statewright.KindDecimal, "46.00"),
	)
	if err != nil {
		return err
	}
	index := 0
	for entry, err := range order.Entries(".lines") {
		if err != nil {
			return err
		}
		line, err := statewright.Decode[Line](entry.Value)
		if err != nil {
			return err
		}
		fmt.Printf("line %d: %d %s\n", index, line.Quantity, line.SKU)
		index++
	}

	// JSONPath (RFC 9535). ParseQuery keeps a compiled one.
	found, err := order.Query("$.lines[?@.price > 10].sku")
	if err != nil {
		return err
	}
	defer found.Close()
	skus, _, err := statewright.Read[[]string](found, "")
	fmt.Println("above 10:", strings.Join(skus, " "))
	return err
}

// check tells everything that is wrong by a JSON Schema, not only the first.
func check(order *statewright.Document) error {
	line := object{"properties": object{"quantity": object{"maximum": 4}, "sku": object{"maxLength": 3}}}
	rules, err := statewright.CompileSchema(object{
		"properties": object{"paid": object{"const": true}, "lines": object{"items": line}},
	}, nil)
	if err != nil {
		return err
	}
	defer rules.Close()
	violations, err := rules.Violations(order)
	for _, violation := range violations {
		fmt.Println("against the rules:", violation.Path, violation.Keyword)
	}
	return err
}

// undo makes a JSON Patch (RFC 6902) of what has changed, and goes back.
func undo(before, order *statewright.Document) error {
	patch, err := before.Diff(order)
	if err != nil {
		return err
	}
	defer patch.Close()
	fmt.Println("patch:", patch)
	back, err := patch.Inverted(before)
	if err != nil {
		return err
	}
	defer back.Close()
	undone, err := order.Clone()
	if err != nil {
		return err
	}
	defer undone.Close()
	if err := undone.Patch(back); err != nil {
		return err
	}
	equal, err := undone.Equal(before)
	fmt.Println("undone:", equal)
	return err
}

// merge puts together what two have made of one version: what does not go together is reported.
func merge(order *statewright.Document) (*statewright.Document, error) {
	ours, err := order.Clone()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	theirs, err := order.Clone()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	err = errors.Join(
		ours.Set(".paid", true),
		ours.Set(".lines[0].quantity", 6),
		theirs.Set(".customer.name", "Ada Lovelace"),
		theirs.Set(".lines[0].quantity", 7),
	)
	if err != nil {
		return nil, err
	}
	merged, conflicts, err := order.Merge3(ours, theirs, statewright.PreferNone)
	if err != nil {
		return nil, err
	}
	for _, at := range conflicts {
		fmt.Printf("conflict: %s was %s, is %s and %s\n", at.Path, at.Base, at.Ours, at.Theirs)
	}

	// JSON Merge Patch (RFC 7396): nil removes.
	err = merged.MergePatch(object{"lines": nil, "customer": object{"vip": true}})
	fmt.Println("merged:", merged)
	return merged, err
}

// encode shows typed JSON, which keeps decimals and dates, a content hash, which compares, and CBOR, which is small.
func encode(merged *statewright.Document) error {
	typed, err := merged.JSON(statewright.TypedJSON)
	if err != nil {
		return err
	}
	hash, err := merged.ContentHash()
	if err != nil {
		return err
	}
	bytes, err := merged.CBOR()
	if err != nil {
		return err
	}
	again, err := statewright.DocumentFromCBOR(bytes, nil)
	if err != nil {
		return err
	}
	defer again.Close()
	equal, err := again.Equal(merged)
	if err != nil {
		return err
	}
	fmt.Printf("typed: %s\nhash: %x\nas CBOR: %t\n", typed, hash, equal)

	// What is wrong is told, and changes nothing.
	var failure *statewright.Error
	if err := merged.Set(".id.x", 1); !errors.As(err, &failure) {
		return fmt.Errorf("a number became an object: %v", err)
	}
	fmt.Printf("refused: %d at %s\n", int32(failure.Code), failure.Path)
	return nil
}
