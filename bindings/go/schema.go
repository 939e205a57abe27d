package statewright

import (
	"runtime"
	"sync/atomic"

	"github.com/statewright/statewright/bindings/go/internal/capi"
)

// Schema is a compiled JSON Schema (2020-12, 2019-09, 7, 6 and 4). It can be used from any goroutine. Close it, or leave
// that to the garbage collector.
type Schema struct {
	handle  capi.Schema
	cleanup runtime.Cleanup
	closed  atomic.Bool
}

// SchemaOptions say how a schema is compiled and used; zero is the default of every limit, and nil the defaults.
type SchemaOptions struct {
	// CheckFormats makes a text that does not have its `format` a violation; otherwise formats are remarks.
	CheckFormats bool

	// Draft is the version of JSON Schema for a schema without $schema: 4, 6, 7, 201909 or 202012, the default.
	Draft uint32

	// MaxViolations is the most that are reported of one value; 1000 by default.
	MaxViolations uint32

	// MaxSteps is the most looks into a container that one validation takes; 10^9 by default.
	MaxSteps uint64

	// Documents are the other schemas that $ref leads to, by their absolute URIs. Nothing is ever fetched.
	Documents map[string]any
}

// Violation is one way in which a value does not satisfy a schema.
type Violation struct {
	// Path is the place in the value.
	Path string `json:"path"`

	// SchemaPath is the violated keyword's place in the schema, a JSON Pointer.
	SchemaPath string `json:"schema_path"`

	// Keyword is the violated keyword, such as minLength.
	Keyword string `json:"keyword"`

	// Message says what was expected and what is there.
	Message string `json:"message"`

	// Alternatives are, for anyOf and oneOf, what is wrong by each.
	Alternatives [][]Violation `json:"alternatives,omitempty"`
}

// CompileSchema compiles a schema, a document or a Go value. Fails with [ErrInvalidSchema], which says where.
func CompileSchema(source any, options *SchemaOptions) (*Schema, error) {
	var low *capi.SchemaOptions
	var documents []byte
	if options != nil {
		low = &capi.SchemaOptions{Draft: options.Draft, MaxViolations: options.MaxViolations, MaxSteps: options.MaxSteps}
		if options.CheckFormats {
			low.Flags = capi.SW_SCHEMA_CHECK_FORMATS
		}
		value, err := Encode(options.Documents)
		if err != nil {
			return nil, err
		}
		documents = value
	}
	var schema *Schema
	err := with(source, func(source capi.Value) error {
		handle, err := capi.SchemaCompile(source, documents, low)
		if err != nil {
			return documentError(err)
		}
		schema = &Schema{handle: handle}
		schema.cleanup = runtime.AddCleanup(schema, func(handle capi.Schema) { _ = capi.SchemaFree(handle) }, handle)
		return nil
	})
	return schema, err
}

// InferSchema gives a schema (2020-12) that all samples, an array, satisfy, as tight as they suggest.
func InferSchema(samples any) (inferred *Document, err error) {
	err = with(samples, func(samples capi.Value) (err error) {
		inferred, err = document(capi.SchemaInfer(samples))
		return err
	})
	return inferred, err
}

// Close ends the schema. Closing it again does nothing.
func (s *Schema) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.cleanup.Stop()
	return s.end(capi.SchemaFree(s.handle))
}

func (s *Schema) end(err error) error {
	runtime.KeepAlive(s)
	return documentError(err)
}

// Validate checks a document or a Go value: [ErrSchemaViolation] if it does not satisfy the schema, with the first of
// what is wrong.
func (s *Schema) Validate(value any) error {
	return with(value, func(value capi.Value) error { return s.end(capi.SchemaValidate(s.handle, value)) })
}

// Violations gives everything that is wrong with a document or a Go value; none if it satisfies the schema.
func (s *Schema) Violations(value any) (violations []Violation, err error) {
	err = with(value, func(value capi.Value) error {
		found, err := capi.SchemaViolations(s.handle, value)
		if err := s.end(err); err != nil {
			return err
		}
		violations, err = Decode[[]Violation](found)
		return err
	})
	return violations, err
}
