package statewright

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Deployed is a flow that was deployed.
type Deployed struct {
	Name    string `msgpack:"name"`
	Version uint64 `msgpack:"version"`

	// Key names the exact content.
	Key string `msgpack:"key"`
}

// Problem is one thing that is wrong with a flow's text.
type Problem struct {
	Line   int `msgpack:"line"`
	Column int `msgpack:"column"`

	// Severity is "error" or "warning". A flow with a warning can be deployed.
	Severity string `msgpack:"severity"`

	// Code is a stable word for programs.
	Code    string `msgpack:"code"`
	Message string `msgpack:"message"`

	// Help says what to do about it; it may be empty.
	Help string `msgpack:"help"`
}

// String gives the problem as compilers do: line:column: severity: message.
func (p Problem) String() string {
	return fmt.Sprintf("%d:%d: %s: %s", p.Line, p.Column, p.Severity, p.Message)
}

// Check lists everything that is wrong with a flow's text (YAML or JSON); nothing if it is sound.
func Check(spec string) ([]Problem, error) {
	if err := checkABI(); err != nil {
		return nil, err
	}
	bytes, err := capi.FlowCheck(spec)
	return decoded[[]Problem](bytes, convertedValue(err))
}

// Deploy checks a flow's text (YAML or JSON) and makes it the newest version of its name. Deploying the same again
// changes nothing. dir is the folder that `$flow.dir` gives in it; empty for none.
//
// It fails with [ErrInvalidSpec] if the text has errors; the message lists them with their lines.
func (e *Engine) Deploy(spec, dir string) (Deployed, error) {
	bytes, err := capi.FlowDeploy(e.core.handle, spec, dir)
	return decoded[Deployed](bytes, e.end(err))
}

// DeployFile deploys the flow in a file; `$flow.dir` is the file's folder.
func (e *Engine) DeployFile(name string) (Deployed, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Deployed{}, fmt.Errorf("statewright: deploying a flow: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return Deployed{}, fmt.Errorf("statewright: deploying a flow: %w", err)
	}
	return e.Deploy(string(text), dir)
}
