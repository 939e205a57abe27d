module github.com/statewright/statewright/examples/go

go 1.24

require github.com/statewright/statewright/bindings/go v0.0.0

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace github.com/statewright/statewright/bindings/go => ../../bindings/go
