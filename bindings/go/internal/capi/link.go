//go:build !statewright_static

package capi

// #cgo pkg-config: statewright
import "C"
