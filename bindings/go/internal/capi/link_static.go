//go:build statewright_static

package capi

// The folder of libstatewright.a comes from CGO_LDFLAGS, that of the header from CGO_CFLAGS.

// #cgo CFLAGS: -DSW_STATIC
// #cgo LDFLAGS: -l:libstatewright.a -lgcc_s -lm -lpthread -ldl
import "C"
