//! Immutable JSON-native values: paths, codecs, serde.
