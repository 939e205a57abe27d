package statewright

import (
	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// FlowInfo is a deployed flow with everything that was deployed under its name.
type FlowInfo struct {
	Name     string        `msgpack:"name"`
	Versions []FlowVersion `msgpack:"versions"`
}

// FlowVersion is one version of a flow. Two that state the same number and differ in content or folder are two.
type FlowVersion struct {
	Version uint64 `msgpack:"version"`

	// Key names the exact content.
	Key string `msgpack:"key"`
	Dir string `msgpack:"dir"`

	// Newest says whether new cases run on it.
	Newest bool `msgpack:"newest"`

	// Open and Ended are how many cases run on it, and ran on it.
	Open  uint64 `msgpack:"open"`
	Ended uint64 `msgpack:"ended"`
}

// CasePlan is what moving one case to another version would do, or did.
type CasePlan struct {
	Case string `msgpack:"case"`

	// Version and Key are those that it runs on, or ran on.
	Version uint64 `msgpack:"version"`
	Key     string `msgpack:"key"`
	Status  Status `msgpack:"status"`

	// Reasons say why it cannot be moved; empty if it can.
	Reasons []string `msgpack:"reasons"`

	// Follows is what happens to it at once.
	Follows []string `msgpack:"follows"`
}

// Plan is what moving the open cases of a flow to another version would do.
type Plan struct {
	Flow    string     `msgpack:"flow"`
	Version uint64     `msgpack:"version"`
	Key     string     `msgpack:"key"`
	Cases   []CasePlan `msgpack:"cases"`
}

// Migration is what moving cases did.
type Migration struct {
	// ID is for [Engine.UndoMigration]; empty if no case was moved.
	ID      string     `msgpack:"id"`
	Flow    string     `msgpack:"flow"`
	Version uint64     `msgpack:"version"`
	Moved   []CasePlan `msgpack:"moved"`
	Left    []CasePlan `msgpack:"left"`
}

// MigrateOptions says how cases are moved. Its zero value is all open cases, 256 in a commit, by the same names.
type MigrateOptions struct {
	// Dir is the folder that the version comes from; empty for none.
	Dir string

	// Cohort is how many cases one commit moves, 1 to 4096; 0 is 256.
	Cohort int

	// Renames says what tasks, places and flows under `flows` of the old versions are called in the new one.
	Renames map[string]string

	// Cases are the cases to move; nil is all that are open.
	Cases []string
}

// Fork is a case that was made of another one.
type Fork struct {
	Case string `msgpack:"case"`

	// At is the last event of the other that is its own too.
	At uint64 `msgpack:"at"`

	// Results is how many recorded results were given to it.
	Results uint64 `msgpack:"results"`
}

// Versions lists the deployed flows with all their versions.
func (e *Engine) Versions() ([]FlowInfo, error) {
	bytes, err := capi.FlowVersions(e.core.handle)
	return decoded[[]FlowInfo](bytes, e.end(err))
}

// Plan checks every open case of a flow against another version of it, and tells what moving them would do. Nothing is
// changed. Of the options, Dir and Renames count.
//
// It fails with [ErrInvalidSpec], or [ErrInput] for names that are not there.
func (e *Engine) Plan(spec string, options MigrateOptions) (plan Plan, err error) {
	err = encoded(options.Renames, func(renames []byte) error {
		told, err := capi.FlowPlan(e.core.handle, spec, options.Dir, renames)
		plan, err = decoded[Plan](told, e.end(err))
		return err
	})
	return plan, err
}

// Migrate moves running cases of a flow to another version, as far as they have a place there. It is deployed, so that
// new cases run on it too. Each cohort of cases is one commit. What is claimed stays claimed, and timers go on.
//
// It fails with [ErrInvalidSpec], [ErrInput] or [ErrUnknownCase], and then nothing was changed.
func (e *Engine) Migrate(spec string, options MigrateOptions) (done Migration, err error) {
	given := map[string]any{}
	if options.Cohort != 0 {
		given["cohort"] = options.Cohort
	}
	if options.Renames != nil {
		given["renames"] = options.Renames
	}
	if options.Cases != nil {
		given["cases"] = options.Cases
	}
	err = encoded(given, func(bytes []byte) error {
		told, err := capi.FlowMigrate(e.core.handle, spec, options.Dir, bytes)
		done, err = decoded[Migration](told, e.end(err))
		return err
	})
	return done, err
}

// UndoMigration moves the cases of a migration back to the versions on which they were, as far as they still have a place
// there. It takes the migration's ID, or a flow's name for the newest one of that flow, and is a migration itself.
//
// It fails with [ErrInput] if there is none.
func (e *Engine) UndoMigration(migration string) (Migration, error) {
	bytes, err := capi.FlowUndoMigration(e.core.handle, migration)
	return decoded[Migration](bytes, e.end(err))
}

// Fork makes a new case of another one as it was after event `at` of its history, with copies of the cases it had called.
// With results, work that the case completed later is given to the new one, when it asks for the same work with the same
// input. An empty newID has one made.
//
// It fails with [ErrUnknownCase], [ErrCaseExists], [ErrInput] if there is no such event, or [ErrRefused]: the case had
// ended by then, or the store is in memory, which keeps no history.
func (e *Engine) Fork(id string, at uint64, results bool, newID string) (Fork, error) {
	var with uint32
	if results {
		with = 1
	}
	bytes, err := capi.CaseFork(e.core.handle, id, at, with, newID)
	return decoded[Fork](bytes, e.end(err))
}

// Compensate has a case undo what its tasks have done, newest first: a running one is cancelled for it; of one that has
// ended, what it did is undone afterwards. It is then [Compensated].
//
// It fails with [ErrUnknownCase], or [ErrRefused]: nothing is left to be undone, that is going on already, or the case is
// suspended.
func (e *Engine) Compensate(id, reason string) error {
	return e.end(capi.CaseCompensate(e.core.handle, id, reason))
}
