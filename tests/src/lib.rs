//! Tests that cross layers and languages.

pub mod crash;
pub mod kill;
