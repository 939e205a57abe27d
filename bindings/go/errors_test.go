package statewright

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Every status of the library has its code here, of the same name and number.
func TestEveryStatusHasACode(t *testing.T) {
	statuses := constants(t, "internal/capi/zz_generated.go", "Status")
	codes := constants(t, "errors.go", "")
	known := map[string]bool{}
	for name, value := range codes {
		if !strings.HasPrefix(name, "Err") {
			continue
		}
		status := strings.TrimSuffix(strings.TrimPrefix(value, "Code(capi."), ")")
		known[status] = true
		if plain := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(status, "SW_"), "_", "")); plain != strings.ToLower(name[3:]) {
			t.Errorf("%s is %s", name, value)
		}
	}
	for status := range statuses {
		if status != "SW_OK" && !known[status] {
			t.Errorf("%s has no code", status)
		}
	}
	if len(known) < 50 {
		t.Errorf("only %d codes were found", len(known))
	}
}

// constants gives the constants of a file by name, those with this type.
func constants(t *testing.T, file, ofType string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(t, err)
	found := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ofType != "" && (!ok || name.Name != ofType) {
			return true
		}
		text := ""
		switch value := spec.Values[0].(type) {
		case *ast.BasicLit:
			text = value.Value
		case *ast.CallExpr:
			if selector, ok := value.Args[0].(*ast.SelectorExpr); ok {
				text = fmt.Sprintf("%s(%s.%s)", value.Fun, selector.X, selector.Sel)
			}
		}
		found[spec.Names[0].Name] = text
		return true
	})
	return found
}

func TestErrorsAreFoundByCode(t *testing.T) {
	engine := openMemory(t)
	must(t, engine.JSON().Create("doc", nil))
	err := fmt.Errorf("making it: %w", engine.JSON().Create("doc", nil))
	failure := wants(t, errors.Unwrap(err), ErrAlreadyExists)
	if !errors.Is(err, ErrAlreadyExists) || errors.Is(err, ErrConflict) || IsRetryable(err) {
		t.Errorf("%v is not what it should be", err)
	}
	if failure.Code.Error() != "402 SW_ALREADY_EXISTS" || failure.Code.Name() != "SW_ALREADY_EXISTS" {
		t.Error(failure.Code)
	}
	if !strings.Contains(failure.Path, "doc") {
		t.Errorf("the path is %q", failure.Path)
	}
	if IsRetryable(nil) || IsRetryable(ErrConflict) || !IsRetryable(&Error{Code: ErrConflict, Retryable: true}) {
		t.Error("retryable is what an *Error says")
	}
	if Code(12345).Name() != "SW_UNKNOWN" {
		t.Error("an unknown code has no name of its own")
	}
}

func TestAnErrorTellsPathAndHelpOnce(t *testing.T) {
	for want, failure := range map[string]*Error{
		"statewright: no":                    {Message: "no"},
		"statewright: no (at a.b); wait":     {Message: "no", Path: "a.b", Help: "wait"},
		"statewright: no a.b there":          {Message: "no a.b there", Path: "a.b"},
		"statewright: no; make another call": {Message: "no", Help: "make another call"},
	} {
		if failure.Error() != want {
			t.Errorf("%q is not %q", failure, want)
		}
	}
}

func TestAnAbandonedWaitTellsWhy(t *testing.T) {
	reason := errors.New("the shop closes")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	err := abandoned(ctx, "waiting")
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Error(err)
	}
}

func TestTheLibraryIsTheOneThisWasMadeFor(t *testing.T) {
	must(t, checkABI())
	if LibraryVersion() == "" {
		t.Error("it has no version")
	}
}
