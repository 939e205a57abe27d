package statewright

import (
	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// FlowTestOptions says how [TestFlow] runs tests. The zero value is what `statewright test` does.
type FlowTestOptions struct {
	// Runs is the number of random orders, beside the straight run and the one with power cuts; 0 is 100, and a
	// negative number none.
	Runs int

	// Seed is that of the first random order; each later one is the next number.
	Seed uint64

	// NoPowerCuts leaves out the runs in which the power is cut.
	NoPowerCuts bool

	// Only is the name of the one test to run; empty for all.
	Only string

	// Dir is what `$flow.dir` gives in the flow; empty for none.
	Dir string

	// With are the texts of flows that are deployed first, for the flow to call.
	With []string
}

// FlowTestReport is what came of a test.
type FlowTestReport struct {
	Test   string `msgpack:"test"`
	Passed bool   `msgpack:"passed"`

	// Runs is how often it was run, and Orders in how many different orders tasks completed, if it passed.
	Runs   uint64 `msgpack:"runs"`
	Orders uint64 `msgpack:"orders"`

	// Failure says how it failed; nil if it passed.
	Failure *FlowTestFailure `msgpack:"failure"`
}

// FlowTestFailure is a run in which a test failed, made as short as it could be.
type FlowTestFailure struct {
	// Way is "straight", "power-cuts" or "random"; Seed is the seed of a random order, else nil.
	Way  string  `msgpack:"way"`
	Seed *uint64 `msgpack:"seed"`

	// What was looked at, what was expected, and what was found.
	What     string `msgpack:"what"`
	Expected string `msgpack:"expected"`
	Found    string `msgpack:"found"`

	// Steps are what happened; First is how many there were before the run was made shorter.
	Steps []string `msgpack:"steps"`
	First int      `msgpack:"first"`

	// Text is all of it for people.
	Text string `msgpack:"text"`
}

// TestFlow runs tests of a flow in a simulated world: work is answered as the tests say, time is set and never waited
// for, the power is cut after every event, and events come in every order that the flow allows. tests is a test
// document (YAML, JSON or TOML; docs/TESTING.md). It needs no engine and touches no files. In a Go test, use the
// package statewrighttest, which calls this.
//
// A test that fails is told in its report. TestFlow itself fails with [ErrInvalidSpec] if the tests cannot be read.
func TestFlow(spec, tests string, options FlowTestOptions) ([]FlowTestReport, error) {
	if err := checkABI(); err != nil {
		return nil, err
	}
	given := map[string]any{"seed": options.Seed, "power_cuts": !options.NoPowerCuts}
	switch {
	case options.Runs < 0:
		given["runs"] = 0
	case options.Runs > 0:
		given["runs"] = options.Runs
	}
	if options.Only != "" {
		given["only"] = options.Only
	}
	if options.Dir != "" {
		given["dir"] = options.Dir
	}
	if len(options.With) > 0 {
		given["with"] = options.With
	}
	var report []FlowTestReport
	err := encoded(given, func(bytes []byte) error {
		var err error
		found, failed := capi.FlowTest(spec, tests, bytes)
		report, err = decoded[[]FlowTestReport](found, convertedValue(failed))
		return err
	})
	return report, err
}
