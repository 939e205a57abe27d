package statewright

import "github.com/statewright/statewright/bindings/go/internal/malloc"

func libraryMemory() uint64 { return malloc.InUse() }
