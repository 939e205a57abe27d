//! Workflow nets: specs, compilation, durable execution.
