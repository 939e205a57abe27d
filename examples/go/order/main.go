// Order runs examples/flows/order.yaml, whose work is done here: it prices an order, reserves stock and charges the
// customer. Start it in the root of the clone; its argument is the folder for its store.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/statewright/statewright/bindings/go"
)

type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type pricedLine struct {
	line
	Cents int64 `json:"cents"`
}

type reservation struct {
	ID string `json:"id"`
}

type charge struct {
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

type payment struct {
	Cents   int64  `json:"cents"`
	Receipt string `json:"receipt"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: order STORE")
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store string) error {
	engine, err := statewright.Open(store, nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	if _, err := engine.DeployFile("examples/flows/order.yaml"); err != nil {
		return err
	}
	id, err := engine.Start("order", nil)
	if err != nil {
		return err
	}

	worker := statewright.Worker{
		Engine: engine,
		Handlers: map[string]statewright.Handler{
			"pricing": statewright.Typed(price),
			"stock":   statewright.Typed(reserve),
			"payment": statewright.Typed(pay),
		},
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- worker.Run(serving) }()

	ended, err := engine.Wait(ctx, id)
	stop()
	if err := errors.Join(err, <-served, ended.Err()); err != nil {
		return err
	}
	return print(ended.Result)
}

func price(_ context.Context, _ *statewright.WorkItem, lines []line) ([]pricedLine, error) {
	cents := map[string]int64{"pen": 120, "book": 1550}
	priced := make([]pricedLine, 0, len(lines))
	for _, line := range lines {
		unit, known := cents[line.SKU]
		if !known {
			return nil, statewright.Final(fmt.Errorf("there is no price for %q", line.SKU))
		}
		priced = append(priced, pricedLine{line, unit})
	}
	return priced, nil
}

func reserve(_ context.Context, item *statewright.WorkItem, lines []line) (reservation, error) {
	// The worker keeps the lease by itself; work that knows that it takes long can ask for more at once.
	if err := item.Heartbeat(statewright.DefaultLease); err != nil {
		return reservation{}, err
	}
	return reservation{ID: fmt.Sprintf("R-%d", len(lines))}, nil
}

func pay(_ context.Context, item *statewright.WorkItem, charge charge) (payment, error) {
	if item.Attempt == 1 {
		// The flow says how often and when this is tried again.
		return payment{}, errors.New("the payment service is busy")
	}
	return payment{Cents: charge.Cents, Receipt: fmt.Sprintf("P-%d", charge.Cents)}, nil
}

// print writes a value as JSON with sorted keys, as encoding/json writes maps.
func print(value statewright.Value) error {
	decoded, err := statewright.Decode[any](value)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(decoded)
}
