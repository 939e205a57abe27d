//go:build !linux

package statewright

func libraryMemory() uint64 { return 0 }
