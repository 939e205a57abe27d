//! Immutable JSON-native values: the data model of Statewright, knowing nothing of storage.
//!
//! A [`Value`] is a small, cheaply cloned handle on null, a boolean, a number, text, bytes, a date, time,
//! datetime or duration, a described file, an array or an object ([`Kind`]); a [`Path`] says where in a value;
//! [`Limits`] say what is accepted from outside; [`Error`] says what was refused, where and why.
//!
//! How data flows: bytes come in through a decoder (`json`, `msgpack`, `cbor`, `toml`, typed JSON in `wire`) or
//! a Rust type through serde (`ser`). Decoders write the packed form (`packed`): one buffer of 64-bit words and
//! text, counted against the limits. A value is read by key, index, path or `query` (JSONPath) through
//! [`ValueRef`], which hides the form; an edit along a path (`edit`) turns the containers on its way into nodes
//! (`object`, `tree`), which share what is unchanged. It leaves through an encoder (`encode`) or serde (`de`).
//! `patch`, `diff` and `merge` compare and combine values, skipping what they share; `schema` checks them.
//! Everything that visits a whole value goes through one `Walk`; neither building nor walking recurses, so
//! no input can exhaust the stack.
//!
//! ```
//! use statewright_value::{Path, Value};
//! # fn main() -> statewright_value::Result<()> {
//! let mut doc = Value::from_json(r#"{"user": {"name": "Ada"}}"#)?;
//! let name = Path::parse(".user.name")?;
//! assert_eq!(doc.at(&name), Some(Value::from("Ada")));
//! doc.set(&name, Value::from("Grace"))?;
//! assert_eq!(Value::from_msgpack(&doc.to_msgpack())?, doc);
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]

mod align;
mod arith;
mod build;
mod builder;
mod cache;
mod canonical;
#[cfg(feature = "cbor")]
mod cbor;
mod convert;
mod de;
mod diff;
mod edit;
mod encode;
mod equal;
mod error;
mod explain;
mod extended;
mod extract;
mod flatten;
mod intern;
mod json;
mod key;
mod kinds;
mod lazy;
mod limits;
mod macros;
mod measure;
mod merge;
mod msgpack;
mod node;
mod object;
mod order;
mod packed;
mod patch;
mod path;
mod pointer;
mod query;
mod scan;
#[cfg(feature = "schema")]
pub mod schema;
mod ser;
pub mod stream;
mod text;
#[cfg(feature = "toml")]
mod toml;
mod transform;
mod tree;
mod typed;
mod value;
mod value_ref;
mod view;
mod violation;
mod walk;
mod wire;

pub use builder::{ArrayBuilder, IntoValue, ObjectBuilder};
pub use cache::{Cache, CacheStats, PathCache, QueryCache};
pub use diff::{Change, changes, diff};
pub use edit::{Create, Savepoint, ValueTxn};
pub use error::{Error, Result};
pub use intern::InternStats;
pub use json::JsonText;
pub use key::Key;
#[cfg(feature = "time")]
pub use kinds::datetime::DateTime;
#[cfg(feature = "decimal")]
pub use kinds::decimal::Rounding;
pub use kinds::file::File;
pub use kinds::kind::Kind;
#[cfg(feature = "time")]
pub use kinds::temporal::{Calendar, TimeUnit};
pub use lazy::{CachePolicy, Lazy, LazyOptions, LazyStats};
pub use limits::{Limits, MAX_DEPTH};
pub use merge::{
    ArrayMerge, Conflict, Merge, Merged, NullMerge, Resolution, merge_diff, merge3, merge3_with,
};
pub use packed::Packer;
pub use patch::{Patch, PatchOp};
pub use path::{Path, Segment};
pub use pointer::Pointer;
pub use query::{Complexity, Query, Warning};
pub use scan::{Counts, Scan, Visited};
#[cfg(feature = "schema")]
pub use schema::Schema;
pub use transform::Transform;
pub use typed::Typed;
#[cfg(feature = "schema")]
pub use typed::Validated;
pub use value::Value;
pub use value_ref::{Entries, Items, ValueRef};
pub use view::{ArrayRef, Category, Number, ObjectRef, View};
pub use violation::Violation;

/// The library of dates and times whose types are used here; feature `time`.
#[cfg(feature = "time")]
pub use jiff;
/// The type of decimals; feature `decimal`.
#[cfg(feature = "decimal")]
pub use rust_decimal::Decimal;

/// For the macros only.
#[doc(hidden)]
pub mod __private {
    pub use crate::builder::difference;
    pub use crate::macros::Expression;
}
