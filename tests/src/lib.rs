//! Tests that cross layers and languages.

pub mod check;
pub mod conformance;
pub mod crash;
pub mod fuzz;
pub mod kill;
pub mod ledger;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod sim;
