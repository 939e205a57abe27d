//! Tests that cross layers and languages.
