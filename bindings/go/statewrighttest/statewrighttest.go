// Package statewrighttest tests flows in Go tests, in a simulated world: work is answered as the test says, time is
// set and never waited for, the power is cut after every event, and events come in every order that the flow allows. A
// test that waits for a month takes a millisecond, and one that fails does so again from the same seed, with the
// shortest run that was found to fail.
//
//	func TestOrder(t *testing.T) {
//		statewrighttest.Run(t, statewrighttest.Flow{
//			File: "order.yaml",
//			Tests: []statewrighttest.Test{{
//				Name:    "the second try is good",
//				Results: map[string][]any{"charge": {statewrighttest.Fail("declined"), map[string]any{"paid": true}}},
//				Counts:  map[string]any{"charge": 1, "ship": 1},
//				Always:  []string{".done.ship == 0 or .data.charge.paid"},
//			}},
//		})
//	}
//
// What the fields mean is in docs/TESTING.md; `statewright test` runs the same tests from files.
package statewrighttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	statewright "github.com/statewright/statewright/bindings/go"
)

// Flow is a flow with its tests.
type Flow struct {
	// Spec is the flow's text, or File the file it is in, whose folder is `$flow.dir`.
	Spec string
	File string

	// With are the texts of flows that are deployed first, for it to call.
	With []string

	// Tests are the tests, or TestsFile the file they are in.
	Tests     []Test
	TestsFile string

	// Runs is the number of random orders; 0 is 100, and a negative number none. Seed is that of the first.
	Runs int
	Seed uint64

	// NoPowerCuts leaves out the runs in which the power is cut.
	NoPowerCuts bool
}

// Test is what is done to a case and what is expected of it. Only the name is required: the case is then to complete
// with no tokens left, in whatever order its work is done.
type Test struct {
	Name  string `json:"name"`
	Input any    `json:"input,omitempty"`

	// Results are what workers answer by task, one for each attempt, the last again and again: a value, or what
	// [Fail], [Never] or [After] give. Without it they answer null.
	Results map[string][]any `json:"results,omitempty"`

	// Outside are steps that come from outside at any time; Script are steps in this order, instead of all orders.
	Outside []string `json:"outside,omitempty"`
	Script  []string `json:"script,omitempty"`

	// Status is how the case may end, Result what it gives, Error the code of its error.
	Status []string `json:"status,omitempty"`
	Result any      `json:"result,omitempty"`
	Error  string   `json:"error,omitempty"`

	// Marking are the tokens that are left, by place.
	Marking map[string]int `json:"marking,omitempty"`

	// Counts says how often tasks complete: a number, or [2]int{least, most}.
	Counts map[string]any `json:"counts,omitempty"`

	// Before: "A B", B does not complete before A has. Exclusive: "A B C", at most one of them is at work at a time.
	// Traces: orders in which tasks may complete. History: events that happen in this order.
	Before    []string `json:"before,omitempty"`
	Exclusive []string `json:"exclusive,omitempty"`
	Traces    []string `json:"traces,omitempty"`
	History   []string `json:"history,omitempty"`

	// Cases is how many cases there are in the end, called ones too; 0 is not looked at.
	Cases int `json:"cases,omitempty"`

	// Always and Never are jq that is true, or false, after every event.
	Always []string `json:"always,omitempty"`
	Never  []string `json:"never,omitempty"`
}

// Fail is the answer of a worker that says that its attempt failed, with this code.
func Fail(code string) any { return map[string]any{"$fail": code} }

// FailForGood is the same, and trying again cannot help.
func FailForGood(code string) any {
	return map[string]any{"$fail": map[string]any{"code": code, "message": code, "retryable": false}}
}

// Never is the answer of a worker that dies with its work.
func Never() any { return map[string]any{"$never": true} }

// After is an answer that takes its time: a value, or a failure.
func After(time time.Duration, answer any) any {
	late := map[string]any{"$after": strconv.FormatFloat(time.Seconds(), 'f', -1, 64) + "s"}
	if fails, ok := answer.(map[string]any); ok && fails["$fail"] != nil {
		late["$fail"] = fails["$fail"]
	} else {
		late["$result"] = answer
	}
	return late
}

// Run runs the tests of a flow, each as a subtest. One that fails tells what was expected, what was found, and what
// happened.
func Run(t *testing.T, flow Flow) {
	t.Helper()
	spec, options := flow.Spec, statewright.FlowTestOptions{
		Runs: flow.Runs, Seed: flow.Seed, NoPowerCuts: flow.NoPowerCuts, With: flow.With,
	}
	if flow.File != "" {
		spec = read(t, flow.File)
		dir, err := filepath.Abs(filepath.Dir(flow.File))
		if err != nil {
			t.Fatal(err)
		}
		options.Dir = dir
	}
	var tests string
	if flow.TestsFile != "" {
		tests = read(t, flow.TestsFile)
	} else {
		text, err := json.Marshal(map[string]any{"tests": flow.Tests})
		if err != nil {
			t.Fatal(err)
		}
		tests = string(text)
	}
	reports, err := statewright.TestFlow(spec, tests, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range reports {
		t.Run(report.Test, func(t *testing.T) {
			t.Helper()
			if report.Failure != nil {
				t.Error(report.Failure.Text)
			}
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
