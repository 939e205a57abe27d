//! The C ABI of Statewright.
