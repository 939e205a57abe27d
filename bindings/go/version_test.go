package statewright

import (
	"strings"
	"testing"
)

const firstOrder = `
name: order
version: 1
tasks:
  pay: { kind: host, compensate: refund, next: ship }
  ship: { kind: host }
  refund: { kind: host }
`

func TestCasesAreMovedForkedAndUndone(t *testing.T) {
	engine, err := Open(t.TempDir(), nil)
	must(t, err)
	defer func() { must(t, engine.Close()) }()
	_, err = engine.Deploy(firstOrder, "")
	must(t, err)
	id, err := engine.Start("order", nil)
	must(t, err)
	second := strings.NewReplacer("version: 1", "version: 2", "ship", "send").Replace(firstOrder)
	options := MigrateOptions{Renames: map[string]string{"ship": "send"}}
	plan, err := engine.Plan(second, options)
	must(t, err)
	if len(plan.Cases) != 1 || plan.Cases[0].Case != id || len(plan.Cases[0].Reasons) != 0 {
		t.Errorf("the plan is %+v", plan)
	}
	_, err = engine.Plan(second, MigrateOptions{Renames: map[string]string{"ship": "nothing"}})
	wants(t, err, ErrInput)
	items := listedWork(t, engine, WorkFilter{Topic: "pay"})
	item, err := engine.Take(id, items[0].Number, "ann", 0)
	must(t, err)
	done, err := engine.Migrate(second, options)
	must(t, err)
	if len(done.Moved) != 1 || len(done.Left) != 0 || done.Version != 2 {
		t.Errorf("the migration is %+v", done)
	}
	flows, err := engine.Versions()
	must(t, err)
	if len(flows) != 1 || len(flows[0].Versions) != 2 || flows[0].Versions[1].Open != 1 || !flows[0].Versions[1].Newest {
		t.Errorf("the versions are %+v", flows)
	}
	back, err := engine.UndoMigration(done.ID)
	must(t, err)
	if len(back.Moved) != 1 {
		t.Errorf("the undoing is %+v", back)
	}
	must(t, item.Complete("paid"))
	fork, err := engine.Fork(id, 2, true, "copy")
	must(t, err)
	if fork.Case != "copy" || fork.Results != 1 {
		t.Errorf("the fork is %+v", fork)
	}
	_, err = engine.Fork(id, 99, false, "")
	wants(t, err, ErrInput)
	must(t, engine.Compensate(id, "not wanted"))
	refunds := listedWork(t, engine, WorkFilter{Topic: "refund"})
	refund, err := engine.Take(id, refunds[0].Number, "ann", 0)
	must(t, err)
	must(t, refund.Complete(nil))
	ended, err := engine.Wait(within(t, soon), id)
	must(t, err)
	if ended.Status != Compensated {
		t.Errorf("a case that was undone is %v", ended.Status)
	}
	_, err = engine.UndoMigration("nothing")
	wants(t, err, ErrInput)
}
