//! JSON Schema (2020-12, 2019-09, 7, 6 and 4): checking values.

use statewright_value::schema::{Draft, Schema, SchemaOptions, infer};
use statewright_value::{Value, Violation};

use crate::call::{Call, Options, Plain, Sized32, init_options};
use crate::checks;
use crate::error::sw_error;
use crate::failure::{Failure, Result};
use crate::guard::guard;
use crate::handle::{Table, Tag};
use crate::status::*;
use crate::value::sw_value;

/// A compiled JSON Schema. Made by `sw_schema_compile`, ended by `sw_schema_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct sw_schema {
    /// Opaque; zero is no schema.
    pub id: u64,
}

/// How a schema is compiled and used. Fill it with `sw_schema_options_init`; 0 is the default of every limit.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sw_schema_options {
    /// The size of this struct as the caller knows it.
    pub struct_size: u32,
    /// 0, or any of `SW_SCHEMA_…`, added up.
    pub flags: u32,
    /// The version of JSON Schema for a schema without `$schema`: 4, 6, 7, 201909 or 202012; 0 is 202012.
    pub draft: u32,
    /// The most violations that are reported of one value; the default is 1000.
    pub max_violations: u32,
    /// The most looks into a container that one validation takes; the default is 10^9.
    pub max_steps: u64,
}

/// For compiling a schema: a text that does not have its `format` is a violation; otherwise formats are remarks.
pub const SW_SCHEMA_CHECK_FORMATS: u32 = 1;

// SAFETY: integers.
unsafe impl Plain for sw_schema {}
// SAFETY: integers.
unsafe impl Plain for sw_schema_options {}
// SAFETY: `struct_size` is first; four `u32` then a `u64` leave no padding.
unsafe impl Sized32 for sw_schema_options {
    const FIRST_SIZE: usize = 24;
}

impl Options for sw_schema_options {
    const DEFAULT: Self = sw_schema_options {
        struct_size: size_of::<Self>() as u32,
        flags: 0,
        draft: 0,
        max_violations: 0,
        max_steps: 0,
    };
}

static SCHEMAS: Table<Schema> = Table::new(Tag::Schema);

impl Call {
    fn schema(&self, schema: sw_schema) -> Result<Schema> {
        SCHEMAS
            .get(schema.id)
            .ok_or_else(|| Failure::misuse("schema"))
    }
}

impl sw_schema_options {
    fn read(&self) -> Result<SchemaOptions> {
        let wrong = |what: &str, value: u32| {
            checks::invalid(
                &format!("options.{what}"),
                format_args!("{value} is not known"),
            )
        };
        if self.flags & !SW_SCHEMA_CHECK_FORMATS != 0 {
            return Err(wrong("flags", self.flags));
        }
        let draft = match self.draft {
            4 => Draft::Draft4,
            6 => Draft::Draft6,
            7 => Draft::Draft7,
            201_909 => Draft::Draft201909,
            0 | 202_012 => Draft::Draft202012,
            other => return Err(wrong("draft", other)),
        };
        let mut options = SchemaOptions::new()
            .default_draft(draft)
            .check_formats(self.flags & SW_SCHEMA_CHECK_FORMATS != 0);
        if self.max_violations != 0 {
            options = options.max_violations(self.max_violations);
        }
        if self.max_steps != 0 {
            options = options.max_steps(self.max_steps);
        }
        Ok(options)
    }
}

/// Fills `options` with the defaults.
///
/// @role function
/// @on schema
/// @thread safe
/// @param options inout struct: The options to fill.
/// @param size in number: `sizeof(sw_schema_options)`.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_options_init(
    options: *mut sw_schema_options,
    size: usize,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schema_options_init, err, |call| {
        init_options(call, options, size)
    })
}

/// Compiles a schema, to check any number of values with. Nothing is ever fetched.
///
/// Fails with `SW_INVALID_SCHEMA`, and where in the schema.
///
/// @role constructor
/// @on schema
/// @thread safe
/// @param source in handle: The schema; `$schema` says which version of JSON Schema it is written in.
/// @param documents in msgpack max=SW_MAX_INPUT_BYTES: An object of the other schemas that `$ref`s lead to, by their
///   absolute URIs; empty if there are none.
/// @param options in options nullable: NULL is the defaults.
/// @param schema out handle owned: Receives the schema.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_compile(
    source: sw_value,
    documents: *const u8,
    documents_len: usize,
    options: *const sw_schema_options,
    schema: *mut sw_schema,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schema_compile, err, |call| {
        let out = call.out("schema", schema)?;
        let source = call.snapshot(source)?;
        let documents = call.value_or_null("documents", documents, documents_len)?;
        checks::object("documents", &documents)?;
        let mut options = call.options("options", options)?.read()?;
        for (uri, document) in documents.entries() {
            options = options.with_document(uri, document);
        }
        let schema = options.compile(source.by_ref())?;
        let full = |_| Failure::new(SW_TOO_LARGE, "too many schemas are held");
        out.set(sw_schema {
            id: SCHEMAS.insert(schema).map_err(full)?,
        });
        Ok(())
    })
}

/// Ends a schema: its handle is stale from now on.
///
/// @role destructor
/// @on schema
/// @thread safe
/// @param schema in handle consumed: The schema.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_free(schema: sw_schema, err: *mut sw_error) -> sw_status {
    guard!(sw_schema_free, err, |_call| {
        SCHEMAS
            .remove(schema.id)
            .map(drop)
            .ok_or_else(|| Failure::misuse("schema"))
    })
}

/// Checks a value: `SW_OK` if it satisfies the schema, and `SW_SCHEMA_VIOLATION` if not, with the first of what is
/// wrong in the error's message.
///
/// @role method
/// @on schema
/// @thread safe
/// @param schema in handle: The schema.
/// @param value in handle: The value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_validate(
    schema: sw_schema,
    value: sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schema_validate, err, |call| {
        let (schema, value) = (call.schema(schema)?, call.snapshot(value)?);
        Ok(schema.validate(value.by_ref())?)
    })
}

/// Everything that is wrong with a value.
///
/// @role method
/// @on schema
/// @thread safe
/// @param schema in handle: The schema.
/// @param value in handle: The value.
/// @param violations out msgpack owned: Receives an array of objects: `path` (in the value), `schema_path` (a JSON
///   Pointer into the schema), `keyword`, `message`, and for `anyOf` and `oneOf` `alternatives`. Empty if the value
///   satisfies the schema.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_violations(
    schema: sw_schema,
    value: sw_value,
    violations: *mut crate::bytes::sw_bytes,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schema_violations, err, |call| {
        let violations = call.out("violations", violations)?;
        let (schema, value) = (call.schema(schema)?, call.snapshot(value)?);
        let found = schema.violations(value.by_ref())?;
        let found: Value = found
            .map(|violation: Violation| violation.to_value())
            .collect();
        violations.give_value(&found)
    })
}

/// A schema (2020-12) that all samples satisfy, as tight as they suggest: types, keys and which of them are
/// required, and texts that take few values. Sizes, ranges and formats are not guessed.
///
/// @role function
/// @on schema
/// @thread safe
/// @param samples in handle: An array of samples.
/// @param schema out handle owned: Receives the schema, as a value.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema_infer(
    samples: sw_value,
    schema: *mut sw_value,
    err: *mut sw_error,
) -> sw_status {
    guard!(sw_schema_infer, err, |call| {
        let schema = call.out("schema", schema)?;
        let samples = call.snapshot(samples)?;
        checks::array("samples", &samples)?;
        schema.hold(infer(samples.by_ref().items()))
    })
}
