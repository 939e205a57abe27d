package statewrighttest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	statewright "github.com/statewright/statewright/bindings/go"
	"github.com/statewright/statewright/bindings/go/statewrighttest"
)

const order = `
name: order
tasks:
  charge: { kind: host, timeout: 30m, retry: { attempts: 2, delay: 2h }, next: ship }
  ship: { kind: host }
`

func TestOrder(t *testing.T) {
	paid := map[string]any{"paid": true}
	statewrighttest.Run(t, statewrighttest.Flow{
		Spec: order,
		Runs: 30,
		Tests: []statewrighttest.Test{
			{
				Name:    "the second try is good",
				Results: map[string][]any{"charge": {statewrighttest.Fail("declined"), paid}},
				Counts:  map[string]any{"charge": 1, "ship": [2]int{1, 1}},
				Before:  []string{"charge ship"},
				History: []string{"attempt_failed charge", "retry_scheduled charge", "completed ship"},
				Always:  []string{".done.ship == 0 or .data.charge.paid"},
			},
			{
				Name:    "nobody answers",
				Results: map[string][]any{"charge": {statewrighttest.Never()}},
				Status:  []string{"failed"},
				Error:   "timeout",
			},
			{
				Name:    "it is declined for good",
				Results: map[string][]any{"charge": {statewrighttest.FailForGood("expired")}},
				Status:  []string{"failed"},
				Error:   "expired",
				Never:   []string{".done.charge > 0"},
			},
			{
				Name: "slow, and two hours between the tries",
				Results: map[string][]any{"charge": {
					statewrighttest.After(10*time.Minute, statewrighttest.Fail("declined")),
					statewrighttest.After(90*time.Second, paid),
				}},
			},
			{
				Name:    "step by step",
				Results: map[string][]any{"charge": {statewrighttest.Fail("declined"), paid}},
				Script: []string{
					"start charge", "complete charge", "offered", "tick 2h", "do charge", "do ship", "status completed",
				},
			},
		},
	})
}

func TestFiles(t *testing.T) {
	statewrighttest.Run(t, statewrighttest.Flow{
		File:      "../../../examples/patterns/16-deferred-choice.yaml",
		TestsFile: "../../../examples/patterns/16-deferred-choice.test.toml",
		Runs:      20,
	})
}

func TestAFailureIsTold(t *testing.T) {
	reports, err := statewright.TestFlow(order, `{tests: [{name: n, never: ".done.ship > 0"}]}`, statewright.FlowTestOptions{Runs: -1})
	if err != nil || len(reports) != 1 || reports[0].Passed {
		t.Fatal(reports, err)
	}
	failure := reports[0].Failure
	if failure.Way != "straight" || failure.What != "never .done.ship > 0" || len(failure.Steps) != failure.First {
		t.Error(failure)
	}
	if !strings.Contains(failure.Text, "ship completes") {
		t.Error(failure.Text)
	}

	_, err = statewright.TestFlow(order, "{tests: [{nam: n}]}", statewright.FlowTestOptions{})
	if !errors.Is(err, statewright.ErrInvalidSpec) || !strings.Contains(err.Error(), "did you mean `name`?") {
		t.Error(err)
	}
	if _, err = statewright.TestFlow(order, "{tests: [{name: n}]}", statewright.FlowTestOptions{Only: "m"}); err == nil {
		t.Error("there is no test m")
	}
}
