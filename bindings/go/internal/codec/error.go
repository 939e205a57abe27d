package codec

import (
	"fmt"
	"strconv"
)

// Error tells which part of a Go value and a MessagePack value do not go together, and why.
type Error struct {
	// Path is the place in the value, such as .lines[0].price; it is empty for the value itself.
	Path string

	// Why is the reason.
	Why string

	// Cause is the error of a method of the type, if it was one.
	Cause error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Why
	}
	return fmt.Sprintf("at %s: %s", e.Path, e.Why)
}

func (e *Error) Unwrap() error { return e.Cause }

func wrong(format string, arguments ...any) error {
	return &Error{Why: fmt.Sprintf(format, arguments...)}
}

// at says, on the way out, one step further out where an error is.
func at(step string, err error) error {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		e = &Error{Why: err.Error(), Cause: err}
	}
	e.Path = step + e.Path
	return e
}

func atKey(key string, err error) error {
	if err == nil {
		return nil
	}
	for i := 0; i < len(key); i++ {
		if c := key[i]; c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return at("."+strconv.Quote(key), err)
		}
	}
	return at("."+key, err)
}

func atIndex(index int, err error) error {
	if err == nil {
		return nil
	}
	return at("["+strconv.Itoa(index)+"]", err)
}
