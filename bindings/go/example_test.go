package statewright_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/statewright/statewright/bindings/go"
)

// An engine in a folder would be opened with statewright.Open("data", nil).
func Example() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	if err := engine.KV().Put("greeting", "hello"); err != nil {
		log.Fatal(err)
	}
	greeting, found, err := statewright.Get[string](engine.KV(), "greeting")
	fmt.Println(greeting, found, err)
	// Output: hello true <nil>
}

func ExampleEngine_Transact() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	if err := engine.JSON().Create("accounts", map[string]int{"alice": 100, "bob": 50}); err != nil {
		log.Fatal(err)
	}

	err = engine.Transact(context.Background(), func(txn *statewright.Txn) error {
		accounts, _, err := statewright.GetAt[map[string]int](txn.JSON(), "accounts", "")
		if err != nil {
			return err
		}
		if accounts["alice"] < 30 {
			return errors.New("alice has too little")
		}
		return errors.Join(
			txn.JSON().Set("accounts", ".alice", accounts["alice"]-30),
			txn.JSON().Set("accounts", ".bob", accounts["bob"]+30),
		)
	})
	var accounts statewright.Value
	_, _ = engine.JSON().Get("accounts", "", &accounts)
	fmt.Println(accounts, err)
	// Output: {"alice":70,"bob":80} <nil>
}

func ExampleKV_Scan() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	colors := engine.Space("paint").KV()
	_ = errors.Join(colors.Put("color/red", 1), colors.Put("color/blue", 2), colors.Put("size", 3))

	for entry, err := range colors.Scan("color/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Key, entry.Value)
	}
	// Output:
	// color/blue 2
	// color/red 1
}

func ExampleError() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	err = engine.JSON().Set("order-17", ".status", "paid")
	if errors.Is(err, statewright.ErrNotFound) {
		var failure *statewright.Error
		errors.As(err, &failure)
		fmt.Println(int(failure.Code), failure.Path)
	}
	// Output: 401 default/json/order-17
}

// A flow asks for work, a worker does it, and the case has the result.
func ExampleWorker() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	_, err = engine.Deploy(`
name: greet
version: 1
tasks:
  greet: { kind: host, topic: greeting, input: .input.name, into: .greeting }
output: .greeting
`, "")
	if err != nil {
		log.Fatal(err)
	}

	worker := statewright.Worker{
		Engine: engine,
		Handlers: map[string]statewright.Handler{
			"greeting": statewright.Typed(func(_ context.Context, _ *statewright.WorkItem, name string) (string, error) {
				return "hello, " + name, nil
			}),
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(ctx) }()

	id, err := engine.Start("greet", map[string]string{"name": "ada"})
	if err != nil {
		log.Fatal(err)
	}
	ended, err := engine.Wait(context.Background(), id)
	stop()
	fmt.Println(ended.Status, ended.Result, err, <-stopped)
	// Output: completed "hello, ada" <nil> <nil>
}

func ExampleEngine_Wait() {
	engine, err := statewright.OpenMemory(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	_, err = engine.Deploy("{name: slow, version: 1, tasks: {pause: {kind: wait, for: 1h}}}", "")
	if err != nil {
		log.Fatal(err)
	}
	id, err := engine.Start("slow", nil)
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = engine.Wait(ctx, id)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	waiting, err := engine.Explain(id)
	fmt.Println(waiting[0].Task, err)
	// Output:
	// true
	// pause <nil>
}

func ExampleCheck() {
	problems, err := statewright.Check("name: broken\nversion: 1\ntasks:\n  first: { kind: set, next: second }\n")
	if err != nil {
		log.Fatal(err)
	}
	for _, problem := range problems {
		fmt.Printf("line %d: %s\n", problem.Line, problem.Code)
	}
	// Output:
	// line 4: missing-field
	// line 4: unknown-task
}
