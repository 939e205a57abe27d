//! JSON Schema: whether a value has the shape a schema describes, and everything that is wrong if not.
//!
//! A schema is itself a value. [`Schema::compile`] reads it once; the compiled schema validates any number
//! of values, from any number of threads, reading them in place. Drafts [2020-12] and [7] are tested
//! with the official suite; 2019-09, 6 and 4 are understood too. `$schema` says which; without it 2020-12
//! holds.
//!
//! ```
//! use statewright_value::{Error, Schema, value};
//! # fn main() -> statewright_value::Result<()> {
//! let schema = Schema::compile(value!({
//!     "type": "object",
//!     "properties": {
//!         "name": { "type": "string", "minLength": 1 },
//!         "age": { "type": "integer", "minimum": 0 },
//!     },
//!     "required": ["name"],
//! }).by_ref())?;
//!
//! assert!(schema.is_valid(value!({ "name": "Ada", "age": 36 }).by_ref()));
//! let Err(Error::SchemaViolation { violations, .. }) = schema.validate(value!({ "age": -1 }).by_ref()) else {
//!     panic!("a name is required");
//! };
//! let said: Vec<_> = violations.iter().map(|violation| violation.to_string()).collect();
//! assert_eq!(said, [
//!     "`.`: the key \"name\" is missing (schema: /required)",
//!     "`.age`: -1 is less than the minimum 0 (schema: /properties/age/minimum)",
//! ]);
//! # Ok(())
//! # }
//! ```
//!
//! # What counts as what
//!
//! Integers and floats are `number`; a float without fraction is an `integer` too, and `1` equals `1.0` in
//! `const`, `enum` and `uniqueItems`, as the standard wants. The kinds that JSON does not have are what they print
//! as: decimals are a `number` (bounds and `const` see the nearest float), dates, times and durations a
//! `string`, files an `object`; but bytes are the `string` of their base64, which is what `contentEncoding`
//! describes.
//!
//! `format`, `contentEncoding` and `contentMediaType` are annotations: they refuse nothing, unless
//! [`SchemaOptions::check_formats`] is on.
//!
//! # References
//!
//! Nothing is ever fetched, neither from the network nor from a file: a `$ref` to another document is
//! refused unless the document was given ([`SchemaOptions::with_document`]) or a function finds it
//! ([`SchemaOptions::resolver`]). The standard's own metaschemas are there.
//!
//! # Limits
//!
//! A schema nests at most 128 deep. Patterns are ECMA-262 regular expressions matched in linear time, each
//! of at most 64 KiB, and 10 MiB compiled. Lookaround and backreferences, which have no linear algorithm and which
//! JSON Schema advises against, work in `pattern` (not in `patternProperties`) within a number of steps per
//! text; see [`SchemaOptions::max_backtracking`]. A validation is bounded in its steps, in the number
//! of violations it reports and in the stack it uses, since the validator recurses with the instance: an
//! instance too deep for it is refused with [`Error::Limit`], never by a stack overflow.
//!
//! [2020-12]: https://json-schema.org/draft/2020-12
//! [7]: https://json-schema.org/draft-07

mod chains;
mod compare;
mod guard;
mod infer;
mod instance;
mod options;
mod pattern;
mod report;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

pub use infer::{Inference, infer};
pub use options::{Draft, SchemaOptions};

use self::guard::{Guard, Stop};
use self::instance::{Native, Node};
use crate::{Error, Result, Value, ValueRef, Violation};

/// A compiled JSON Schema. Cheap to clone; `Send` and `Sync`. See [the module](self).
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    validator: Validator<Native>,
    source: Value,
    bounds: Bounds,
}

/// What one validation may use.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    violations: u32,
    steps: u64,
    stack: usize,
}

impl Schema {
    /// Compiles a schema, which stands on its own; see [`SchemaOptions`] for references to others. Costs about
    /// 100 times what parsing the schema costs, so compile once.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] with the place in the schema and the reason; [`Error::Limit`].
    pub fn compile(schema: ValueRef<'_>) -> Result<Schema> {
        SchemaOptions::new().compile(schema)
    }

    /// The schema (2020-12) of a Rust type, as the `schemars` crate derives it: the shape that
    /// [`Value::from_serialize`] gives and [`Value::deserialize`] expects.
    ///
    /// # Errors
    /// As [`Schema::compile`], which a derived schema gives no occasion for.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use statewright_value::{Schema, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// #[derive(JsonSchema, Deserialize)]
    /// struct User { name: String, age: Option<u8> }
    ///
    /// let schema = Schema::of::<User>()?;
    /// let user: User = schema.extract(value!({ "name": "Ada" }).by_ref())?;
    /// assert_eq!(user.name, "Ada");
    /// assert!(!schema.is_valid(value!({ "name": "Ada", "age": 300 }).by_ref()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn of<T: JsonSchema>() -> Result<Schema> {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let schema = Value::from(generator.into_root_schema_for::<T>().as_value());
        Schema::compile(schema.by_ref())
    }

    /// The schema as it was given.
    pub fn source(&self) -> &Value {
        &self.0.source
    }

    /// Whether a value satisfies the schema; false also where a limit ended the search. Costs less than
    /// [`Schema::validate`] for a value that does not.
    pub fn is_valid(&self, value: ValueRef<'_>) -> bool {
        self.decide(value).unwrap_or(false)
    }

    /// Checks a value. O(size of the value × size of the schema), mostly far less.
    ///
    /// # Errors
    /// [`Error::SchemaViolation`] with everything that is wrong; [`Error::Limit`] when a limit ended the
    /// search before it was known whether something is.
    pub fn validate(&self, value: ValueRef<'_>) -> Result<()> {
        if self.decide(value)? {
            return Ok(());
        }
        let (violations, more) = self.search(value)?;
        Err(Error::SchemaViolation { violations, more })
    }

    /// Everything that is wrong with a value, up to [`SchemaOptions::max_violations`]; empty if it
    /// satisfies the schema.
    ///
    /// # Errors
    /// [`Error::Limit`], as [`Schema::validate`].
    pub fn violations(&self, value: ValueRef<'_>) -> Result<std::vec::IntoIter<Violation>> {
        let violations = match self.decide(value)? {
            true => Vec::new(),
            false => self.search(value)?.0,
        };
        Ok(violations.into_iter())
    }

    /// Checks a value and reads it into a Rust type.
    ///
    /// # Errors
    /// As [`Schema::validate`] and [`Value::deserialize`].
    pub fn extract<T: DeserializeOwned>(&self, value: ValueRef<'_>) -> Result<T> {
        self.validate(value)?;
        value.to_value().deserialize()
    }

    fn decide(&self, value: ValueRef<'_>) -> Result<bool> {
        let (valid, stop) = self.run(value, |node| self.0.validator.is_valid(node))?;
        self.undecided(stop)?;
        Ok(valid)
    }

    /// The violations of a value known to have some, and whether there may be more.
    fn search(&self, value: ValueRef<'_>) -> Result<(Vec<Violation>, bool)> {
        let max = self.0.bounds.violations;
        let (violations, stop) = self.run(value, |node| {
            report::violations(value, self.0.validator.iter_errors(node), max)
        })?;
        self.undecided(stop)?;
        Ok((violations, stop == Some(Stop::Violations)))
    }

    /// Runs the validator, which recurses, under a guard of what it uses.
    fn run<T>(
        &self,
        value: ValueRef<'_>,
        run: impl FnOnce(Node<'_>) -> T,
    ) -> Result<(T, Option<Stop>)> {
        let bounds = self.0.bounds;
        let guard = Guard::new(bounds.stack, bounds.steps, bounds.violations);
        let node = Node::new(value, Some(&guard));
        let outcome = catch_unwind(AssertUnwindSafe(|| run(node)));
        match (outcome, guard.stopped()) {
            (Ok(outcome), stop) => Ok((outcome, stop)),
            (Err(_), stop) => {
                self.undecided(stop)?;
                Err(Error::InvalidSchema {
                    path: crate::Path::root(),
                    reason: "the validator failed on this value; simplify the schema's patterns"
                        .to_owned(),
                })
            }
        }
    }

    /// An error if the search was ended before there was an answer.
    fn undecided(&self, stop: Option<Stop>) -> Result<()> {
        let bounds = self.0.bounds;
        let (what, limit) = match stop {
            None | Some(Stop::Violations) => return Ok(()),
            Some(Stop::Stack) => ("stack of the schema validation, in bytes,", bounds.stack),
            Some(Stop::Steps) => (
                "number of steps of the schema validation",
                usize::try_from(bounds.steps).unwrap_or(usize::MAX),
            ),
            Some(Stop::Pattern(limit)) => ("number of steps of a pattern with lookaround", limit),
        };
        Err(Error::Limit {
            what,
            limit,
            at: "the value is nested too deep or too large for this schema".to_owned(),
        })
    }
}

impl Value {
    /// Checks this value with a schema and reads it into a Rust type: [`Schema::extract`].
    ///
    /// # Errors
    /// As [`Schema::extract`].
    pub fn extract<T: DeserializeOwned>(&self, schema: &Schema) -> Result<T> {
        schema.extract(self.by_ref())
    }
}

/// The schema's source.
impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0.source)
    }
}
