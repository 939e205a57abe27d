//! The tree, transactions and state primitives.
