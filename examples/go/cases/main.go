// Cases shows what people do to cases: find work, take it, hand it on, skip it; suspend, signal, ask and cancel cases; and
// pause what begins by itself. Start it in the root of the clone; its argument is the folder for its store.
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

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: cases STORE")
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
	if _, err := engine.DeployFile("examples/flows/claim.yaml"); err != nil {
		return err
	}
	return errors.Join(peopleWork(ctx, engine), aCaseIsCancelled(engine), workIsSkipped(ctx, engine), whatBeginsByItself(engine))
}

func peopleWork(ctx context.Context, engine *statewright.Engine) error {
	const id = "claim-1"
	if err := engine.StartAs(id, "claim", nil); err != nil {
		return err
	}
	found, err := offered(engine, id)
	if err != nil {
		return err
	}
	assess := found[0]
	fmt.Println(id, "offers", assess.Task, "to", assess.Topic)
	mine, err := engine.Take(id, assess.Number, "ann", 0)
	if err != nil {
		return err
	}
	holder, err := statewright.Decode[string](mine.Input)
	if err != nil {
		return err
	}
	theirs, err := mine.Delegate("bob", 0)
	if err != nil {
		return err
	}
	fmt.Printf("ann took it for %s and handed it to bob\n", holder)
	if err := mine.Complete("not covered"); errors.Is(err, statewright.ErrStaleItem) {
		fmt.Println("ann's result is refused:", int(statewright.ErrStaleItem))
	}
	if err := theirs.Complete("covered"); err != nil {
		return err
	}
	fmt.Println("bob's result is accepted")

	if err := engine.AddInstances(id, "inspect", []string{"garage"}); err != nil {
		return err
	}
	parts, err := offered(engine, id)
	if err != nil {
		return err
	}
	fmt.Println(id, "offers inspect", len(parts), "times")
	part, err := engine.Take(id, parts[len(parts)-1].Number, "bob", 0)
	if err != nil {
		return err
	}
	name, err := statewright.Decode[string](part.Input)
	if err != nil {
		return err
	}
	if err := part.Complete("damaged"); err != nil {
		return err
	}
	fmt.Println("bob inspected", name)
	// The rest need not be looked at.
	if err := engine.CompleteTask(id, "inspect"); err != nil {
		return err
	}
	if err := pay(engine, id); err != nil {
		return err
	}
	if err := printEnd(ctx, engine, id); err != nil {
		return err
	}
	count, err := engine.Query(id, ".inspections | length")
	if err != nil {
		return err
	}
	fmt.Printf("%s, asked for its inspections: %s\n", id, count)
	return nil
}

func pay(engine *statewright.Engine, id string) error {
	payment := map[string]int{"cents": 120_000}
	if err := engine.Suspend(id); err != nil {
		return err
	}
	delivery, err := engine.Signal(id, "paid", payment)
	if err != nil {
		return err
	}
	fmt.Printf("%s is suspended; a payment is %s: %s\n", id, delivery.Outcome, delivery.Code)
	if err := engine.Resume(id); err != nil {
		return err
	}
	if _, err := engine.Signal(id, "paid", map[string]string{"cents": "much"}); errors.Is(err, statewright.ErrRefused) {
		fmt.Println("resumed, a payment that does not fit is refused:", int(statewright.ErrRefused))
	}
	delivery, err = engine.Signal(id, "paid", payment)
	if err != nil {
		return err
	}
	fmt.Printf("a payment is %s by %s, which answers %s\n", delivery.Outcome, delivery.Task, delivery.Reply)
	return nil
}

func aCaseIsCancelled(engine *statewright.Engine) error {
	const id = "claim-2"
	if err := engine.StartAs(id, "claim", nil); err != nil {
		return err
	}
	if err := engine.Cancel(id, "withdrawn by the holder"); err != nil {
		return err
	}
	ended, err := engine.Case(id)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s: %s\n", id, ended.Status, ended.Failure.Message)
	if err := engine.Cancel(id, ""); errors.Is(err, statewright.ErrCaseClosed) {
		fmt.Println("cancelling it again is refused:", int(statewright.ErrCaseClosed))
	}
	return nil
}

func workIsSkipped(ctx context.Context, engine *statewright.Engine) error {
	const id = "claim-3"
	if err := engine.StartAs(id, "claim", nil); err != nil {
		return err
	}
	found, err := offered(engine, id)
	if err != nil {
		return err
	}
	if err := engine.Skip(id, found[0].Number, "a known case"); err != nil {
		return err
	}
	if err := engine.CompleteTask(id, "inspect"); err != nil {
		return err
	}
	if _, err := engine.Signal(id, "paid", nil); err != nil {
		return err
	}
	return printEnd(ctx, engine, id)
}

func whatBeginsByItself(engine *statewright.Engine) error {
	if _, err := engine.DeployFile("examples/flows/digest.yaml"); err != nil {
		return err
	}
	schedules, err := engine.Schedules()
	if err != nil {
		return err
	}
	for _, schedule := range schedules {
		fmt.Printf("%s begins by itself: %s, %s\n", schedule.Flow, schedule.When, schedule.Overlap)
	}
	if err := engine.PauseSchedule("digest"); err != nil {
		return err
	}
	times, err := engine.Upcoming("digest", 3)
	if err != nil {
		return err
	}
	fmt.Printf("paused, it has %d next times\n", len(times))
	if err := engine.ResumeSchedule("digest"); err != nil {
		return err
	}
	if times, err = engine.Upcoming("digest", 3); err != nil {
		return err
	}
	fmt.Printf("resumed, it has %d next times\n", len(times))
	return nil
}

func offered(engine *statewright.Engine, id string) (items []statewright.WorkInfo, err error) {
	for item, err := range engine.Work(statewright.WorkFilter{Case: id}) {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil, errors.New("nothing is offered")
	}
	return items, nil
}

func printEnd(ctx context.Context, engine *statewright.Engine, id string) error {
	ended, err := engine.Wait(ctx, id)
	if err != nil {
		return err
	}
	result, err := statewright.Decode[any](ended.Result)
	if err != nil {
		return err
	}
	// encoding/json writes maps with sorted keys.
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	fmt.Printf("%s %s: %s\n", id, ended.Status, text)
	return nil
}
