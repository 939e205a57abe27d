package statewright

import (
	"fmt"
	"strings"

	"github.com/statewright/statewright/bindings/go/internal/capi"
	"github.com/vmihailenco/msgpack/v5"
)

// Kind is what a value is.
type Kind uint32

// The kinds of values. Those from KindDecimal to KindFile are beyond JSON: see [Extended].
const (
	// KindNone: nothing is there.
	KindNone Kind = capi.SW_KIND_NONE
	// KindNull is JSON's null.
	KindNull Kind = capi.SW_KIND_NULL
	// KindBool is true or false.
	KindBool Kind = capi.SW_KIND_BOOL
	// KindInteger is a whole number from -2^63 to 2^64 - 1.
	KindInteger Kind = capi.SW_KIND_INTEGER
	// KindFloat is a finite float64.
	KindFloat Kind = capi.SW_KIND_FLOAT
	// KindText is Unicode text.
	KindText Kind = capi.SW_KIND_TEXT
	// KindBytes is a byte string.
	KindBytes Kind = capi.SW_KIND_BYTES
	// KindArray is values in order.
	KindArray Kind = capi.SW_KIND_ARRAY
	// KindObject is values by key, in order.
	KindObject Kind = capi.SW_KIND_OBJECT
	// KindDecimal is an exact decimal number, such as 12.50.
	KindDecimal Kind = capi.SW_KIND_DECIMAL
	// KindDate is a day without a time zone, such as 2024-05-01.
	KindDate Kind = capi.SW_KIND_DATE
	// KindTime is a time without a day and a time zone, such as 12:30:00.
	KindTime Kind = capi.SW_KIND_TIME
	// KindDateTime is a moment with its offset from UTC, such as 2024-05-01T12:30:00+02:00.
	KindDateTime Kind = capi.SW_KIND_DATETIME
	// KindDuration is a length of time, such as PT1H30M.
	KindDuration Kind = capi.SW_KIND_DURATION
	// KindFile is a described blob.
	KindFile Kind = capi.SW_KIND_FILE
)

var kindNames = [...]string{
	KindNone: "nothing", KindNull: "null", KindBool: "boolean", KindInteger: "integer", KindFloat: "float",
	KindText: "text", KindBytes: "bytes", KindArray: "array", KindObject: "object", KindDecimal: "decimal",
	KindDate: "date", KindTime: "time", KindDateTime: "datetime", KindDuration: "duration", KindFile: "file",
}

// String gives the kind's name, such as "integer".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// Extended is a decimal, date, time, datetime, duration or file, kept as the library writes it. Two are equal exactly
// when they are ==: 12.5 and 12.50 are two.
//
// It is what such a value is decoded into where the Go type says nothing else (`any`), and goes in as what it is.
// Make one with [NewExtended].
type Extended struct {
	raw string // MessagePack
}

// NewExtended reads text as a value of a kind beyond JSON: NewExtended(KindDecimal, "12.50"). Fails with
// [ErrInvalidTemporal] or the like if it is none.
func NewExtended(kind Kind, text string) (Extended, error) {
	document, err := NewDocument(nil)
	if err != nil {
		return Extended{}, err
	}
	defer document.Close()
	if err := document.SetKind("", kind, text); err != nil {
		return Extended{}, err
	}
	raw, err := document.Value()
	return Extended{string(raw)}, err
}

func extendedOf(raw []byte) (Extended, error) {
	x := Extended{string(raw)}
	if x.Kind() == KindNone {
		return Extended{}, fmt.Errorf("it is of a kind that is not known")
	}
	return x, nil
}

// Where the type of an extension is, by how it begins.
var typeAt = map[byte]int{0xd4: 1, 0xd5: 1, 0xd6: 1, 0xd7: 1, 0xd8: 1, 0xc7: 2, 0xc8: 3, 0xc9: 5}

// Kind tells which kind it is; [KindNone] for the zero Extended.
func (x Extended) Kind() Kind {
	if x.raw == "" {
		return KindNone
	}
	at, known := typeAt[x.raw[0]]
	if !known || at >= len(x.raw) {
		return KindNone
	}
	switch x.raw[at] {
	case 'D':
		return KindDecimal
	case 'd':
		return KindDate
	case 't':
		return KindTime
	case 'z', 0xff:
		return KindDateTime
	case 'p':
		return KindDuration
	case 'f':
		return KindFile
	}
	return KindNone
}

// String gives the text that the value prints as, such as 12.50 or 2024-05-01, and the JSON of a file; nothing for the
// zero Extended.
func (x Extended) String() string {
	if x.raw == "" {
		return ""
	}
	return strings.Trim(Value(x.raw).String(), `"`)
}

// MarshalJSON implements [json.Marshaler]: decimals are numbers, files objects, the others text.
func (x Extended) MarshalJSON() ([]byte, error) { return Value(x.raw).MarshalJSON() }

// MarshalMsgpack implements [msgpack.Marshaler]. The zero Extended is null.
func (x Extended) MarshalMsgpack() ([]byte, error) { return Value(x.raw).orNull(), nil }

// UnmarshalMsgpack implements [msgpack.Unmarshaler]. Values of other kinds do not fit.
func (x *Extended) UnmarshalMsgpack(raw []byte) (err error) {
	if Value(raw).IsNull() {
		*x = Extended{}
		return nil
	}
	*x, err = extendedOf(raw)
	return err
}

var (
	_ msgpack.Marshaler   = Extended{}
	_ msgpack.Unmarshaler = (*Extended)(nil)
)
