// State shows keys, documents, transactions and a conflict. Its argument is the folder for its store.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/statewright/statewright/bindings/go"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: state STORE")
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
	kv, documents := engine.KV(), engine.JSON()

	err = errors.Join(
		kv.Put("greeting", "hello"),
		kv.Put("color/red", 1),
		kv.Put("color/blue", 2),
		documents.Create("accounts", map[string]int{"alice": 100, "bob": 50}),
	)
	if err != nil {
		return err
	}
	greeting, _, err := statewright.Get[string](kv, "greeting")
	if err != nil {
		return err
	}
	fmt.Printf("greeting: %q\n", greeting)

	// Both writes happen, or none; if somebody else changes the accounts meanwhile, the function runs again.
	err = engine.Transact(ctx, func(txn *statewright.Txn) error {
		return errors.Join(add(txn.JSON(), ".alice", -30), add(txn.JSON(), ".bob", 30))
	})
	if err != nil {
		return err
	}
	accounts, _, err := statewright.GetAt[map[string]int64](documents, "accounts", "")
	if err != nil {
		return err
	}
	fmt.Printf("alice: %d\nbob: %d\n", accounts["alice"], accounts["bob"])

	if err := conflict(engine); err != nil {
		return err
	}

	fmt.Print("keys:")
	for entry, err := range kv.Scan("color/") {
		if err != nil {
			return err
		}
		fmt.Print(" ", entry.Key)
	}
	fmt.Println()
	return nil
}

// add changes one account.
func add(documents statewright.JSON, account string, amount int64) error {
	balance, _, err := statewright.GetAt[int64](documents, "accounts", account)
	if err != nil {
		return err
	}
	return documents.Set("accounts", account, balance+amount)
}

// conflict has two transactions change one account at the same time: the second to commit is told so.
func conflict(engine *statewright.Engine) error {
	first, err := engine.Begin(statewright.Serializable)
	if err != nil {
		return err
	}
	defer first.Rollback()
	second, err := engine.Begin(statewright.Serializable)
	if err != nil {
		return err
	}
	defer second.Rollback()

	if err := errors.Join(add(first.JSON(), ".alice", 0), add(second.JSON(), ".alice", 1)); err != nil {
		return err
	}
	if err := first.Commit(); err != nil {
		return err
	}
	var failure *statewright.Error
	if err := second.Commit(); !errors.As(err, &failure) {
		return fmt.Errorf("the second transaction gave %v, not a conflict", err)
	}
	fmt.Printf("conflict: %d on %s\n", int32(failure.Code), failure.Path)
	return nil
}
