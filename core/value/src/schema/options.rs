//! How a schema is compiled: its draft, where references lead, and the limits of validations.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{
    PatternOptions, ReferencingError, Retrieve, Uri, ValidationError, ValidationOptions, Validator,
};
use serde_json::Value as Json;

use super::instance::Native;
use super::{Bounds, Compiled, Schema, chains, pattern, report};
use crate::{Error, Kind, Limits, Path, Result, Value, ValueRef};

/// The deepest nesting of a schema: reading one recurses.
const SCHEMA_DEPTH: usize = 128;

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Draft {
    /// Draft 4.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// Draft 2019-09.
    Draft201909,
    /// Draft 2020-12, the current one.
    #[default]
    Draft202012,
}

/// How a schema is compiled.
///
/// ```
/// use statewright_value::schema::SchemaOptions;
/// use statewright_value::value;
/// # fn main() -> statewright_value::Result<()> {
/// let schema = SchemaOptions::new()
///     .with_document("https://example.com/price", value!({ "type": "number", "minimum": 0 }))
///     .compile(value!({ "items": { "$ref": "https://example.com/price" } }).by_ref())?;
/// assert!(schema.is_valid(value!([1, 2.5]).by_ref()));
/// assert!(!schema.is_valid(value!([-1]).by_ref()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SchemaOptions {
    draft: Draft,
    documents: Arc<BTreeMap<String, Value>>,
    resolver: Option<Resolver>,
    formats: bool,
    backtracking: usize,
    bounds: Bounds,
}

type Resolver = Arc<dyn Fn(&str) -> Result<Option<Value>> + Send + Sync>;

impl Default for SchemaOptions {
    fn default() -> Self {
        SchemaOptions {
            draft: Draft::default(),
            documents: Arc::default(),
            resolver: None,
            formats: false,
            backtracking: 100_000,
            bounds: Bounds {
                violations: 1_000,
                steps: 1_000_000_000,
                stack: 512 << 10,
            },
        }
    }
}

impl SchemaOptions {
    /// The defaults: 2020-12 where `$schema` is missing, no other documents, formats not checked.
    pub fn new() -> Self {
        SchemaOptions::default()
    }

    /// The draft of a schema without `$schema`.
    #[must_use]
    pub fn default_draft(mut self, draft: Draft) -> Self {
        self.draft = draft;
        self
    }

    /// A document that references may lead to, by its absolute URI (without fragment). Asked before the resolver.
    #[must_use]
    pub fn with_document(mut self, uri: &str, document: Value) -> Self {
        let uri = uri.trim_end_matches('#').to_owned();
        Arc::make_mut(&mut self.documents).insert(uri, document);
        self
    }

    /// A function that finds the document a reference leads to, by its absolute URI (without fragment), or
    /// says `None`. Called while compiling only, once per document.
    #[must_use]
    pub fn resolver(
        mut self,
        find: impl Fn(&str) -> Result<Option<Value>> + Send + Sync + 'static,
    ) -> Self {
        self.resolver = Some(Arc::new(find));
        self
    }

    /// Whether a text that does not have its `format` is a violation; otherwise a format is only a remark,
    /// as 2020-12 has it. Formats that the standard does not name are remarks always.
    #[must_use]
    pub fn check_formats(mut self, check: bool) -> Self {
        self.formats = check;
        self
    }

    /// The most violations a validation reports; 1,000 without this, at least 1. Those inside alternatives of
    /// `anyOf` and `oneOf` count.
    #[must_use]
    pub fn max_violations(mut self, max: u32) -> Self {
        self.bounds.violations = max.max(1);
        self
    }

    /// The most looks into a container that a validation may take, a measure of its time; 10⁹ without this.
    #[must_use]
    pub fn max_steps(mut self, max: u64) -> Self {
        self.bounds.steps = max;
        self
    }

    /// The stack a validation may use, in bytes; 512 KiB without this. It may use twice as much for a moment,
    /// so a thread with less than 2 MiB of stack should have less here. How deep instances may nest depends on
    /// it: about 1 KiB for each level of a plain recursive schema, several for each of a complicated one.
    #[must_use]
    pub fn max_stack(mut self, bytes: usize) -> Self {
        self.bounds.stack = bytes;
        self
    }

    /// The steps that matching one text with one `pattern` may take if that has lookaround or
    /// backreferences; 100,000 without this. 0 refuses such patterns when the schema is compiled.
    #[must_use]
    pub fn max_backtracking(mut self, steps: usize) -> Self {
        self.backtracking = steps;
        self
    }

    /// Compiles a schema.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn compile(&self, schema: ValueRef<'_>) -> Result<Schema> {
        let source = schema.to_value();
        let json = document(&source)?;
        let validator = match self.build(&json, None) {
            Err(error) if self.backtracking > 0 && pattern::is_refused(&error) => {
                self.build(&json, Some(self.backtracking))
            }
            outcome => outcome,
        };
        Ok(Schema(Arc::new(Compiled {
            validator: validator.map_err(|error| invalid(source.by_ref(), &error))?,
            source,
            bounds: self.bounds,
        })))
    }

    fn build(
        &self,
        schema: &Json,
        backtracking: Option<usize>,
    ) -> Result<Validator<Native>, ValidationError<'static>> {
        let mut options: ValidationOptions<'_, _, Native> = jsonschema::options_for();
        if schema.get("$schema").is_none() {
            options = options.with_draft(self.draft.into());
        }
        options = options
            .with_retriever(Documents {
                documents: Arc::clone(&self.documents),
                resolver: self.resolver.clone(),
            })
            .should_validate_formats(self.formats)
            .with_pattern_options(PatternOptions::regex());
        if !self.formats {
            options = options.without_content_media_type_support("application/json");
            for encoding in ["base64", "base64url", "base32", "base32hex", "base16"] {
                options = options.without_content_encoding_support(encoding);
            }
        }
        if let Some(steps) = backtracking {
            options = pattern::with_lookaround(options, steps);
        }
        options.build(schema)
    }
}

impl fmt::Debug for SchemaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaOptions")
            .field("draft", &self.draft)
            .field("documents", &self.documents.keys())
            .field("resolver", &self.resolver.is_some())
            .field("formats", &self.formats)
            .field("backtracking", &self.backtracking)
            .field("bounds", &self.bounds)
            .finish()
    }
}

impl From<Draft> for jsonschema::Draft {
    fn from(draft: Draft) -> Self {
        match draft {
            Draft::Draft4 => jsonschema::Draft::Draft4,
            Draft::Draft6 => jsonschema::Draft::Draft6,
            Draft::Draft7 => jsonschema::Draft::Draft7,
            Draft::Draft201909 => jsonschema::Draft::Draft201909,
            Draft::Draft202012 => jsonschema::Draft::Draft202012,
        }
    }
}

/// A schema document in the form the compiler takes, once it is known to be safe to recurse into.
fn document(source: &Value) -> Result<Json> {
    if !matches!(source.kind(), Kind::Object | Kind::Bool) {
        return Err(Error::InvalidSchema {
            path: Path::root(),
            reason: format!(
                "a schema is an object or a boolean, this is {}",
                source.kind()
            ),
        });
    }
    source.check(&Limits::unlimited().with_max_depth(SCHEMA_DEPTH))?;
    let json = Json::from(source.clone());
    pattern::check(&json)?;
    chains::check(&json)?;
    Ok(json)
}

fn invalid(source: ValueRef<'_>, error: &ValidationError<'_>) -> Error {
    let (path, value) = report::locate(source, error.instance_path().as_str());
    let reason = match error.kind() {
        ValidationErrorKind::Referencing(error) => unresolved(error),
        ValidationErrorKind::Custom { message, .. } => message.clone(),
        _ if pattern::is_refused(error) => pattern::REFUSED.to_owned(),
        kind => report::message(kind, value, error.schema_path().as_str()),
    };
    Error::InvalidSchema { path, reason }
}

fn unresolved(error: &ReferencingError) -> String {
    match error {
        ReferencingError::Unretrievable { uri, source } => {
            format!("the reference to `{uri}` leads nowhere: {source}")
        }
        ReferencingError::PointerToNowhere { pointer } => {
            format!("a reference leads to `{pointer}`, where nothing is")
        }
        ReferencingError::NoSuchAnchor { anchor } => {
            format!("a reference leads to the anchor `{anchor}`, which is not declared")
        }
        ReferencingError::UnknownSpecification { specification } => format!(
            "`$schema` is `{specification}`, which is no known draft; give its metaschema with \
             `SchemaOptions::with_document`"
        ),
        other => other.to_string(),
    }
}

/// The documents that references may lead to.
struct Documents {
    documents: Arc<BTreeMap<String, Value>>,
    resolver: Option<Resolver>,
}

impl Retrieve for Documents {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn StdError + Send + Sync>> {
        let uri = uri.as_str().trim_end_matches('#');
        if let Some(found) = self.documents.get(uri) {
            return Ok(document(found)?);
        }
        match self.resolver.as_ref().map(|find| find(uri)).transpose()? {
            Some(Some(found)) => Ok(document(&found)?),
            Some(None) => Err("the resolver does not know it".into()),
            None => Err(
                "nothing is fetched; give it with `SchemaOptions::with_document` or \
                         `SchemaOptions::resolver`"
                    .into(),
            ),
        }
    }
}
