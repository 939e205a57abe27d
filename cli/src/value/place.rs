//! A place in a value, in any of the notations people know.

use statewright::Path;
use statewright::value::{Error, Pointer, Query, ValueRef};

use super::source::Source;
use crate::exit::{Exit, Failure, Result};

const NOTHING: &str = "nothing is at";

/// One place, as it was written.
pub struct Place {
    text: String,
    form: Form,
}

enum Form {
    /// `.a.b[0]`, or `$.a.b[0]` without an index from the end.
    Path(Path),
    /// `/a/b/0`.
    Pointer(Pointer),
    /// `$.a[-1]`.
    Query(Query),
}

impl Place {
    pub fn parse(text: &str) -> Result<Place> {
        let parsed = match text.chars().next() {
            Some('/' | '#') => Pointer::parse(text).map(Form::Pointer),
            Some('$') => Query::parse(text).map(|query| match query.as_path() {
                Some(path) => Form::Path(path),
                None => Form::Query(query),
            }),
            _ => Path::parse(text).map(Form::Path),
        };
        match parsed {
            Ok(Form::Query(query)) if !query.is_singular() => {
                let message = format!(
                    "`{text}` can find several places and here one is needed; `statewright value query` finds all"
                );
                Err(Failure::new(Exit::Usage, 202, message))
            }
            Ok(form) => Ok(Place {
                text: text.to_owned(),
                form,
            }),
            Err(error) => {
                let hint = match text.chars().next() {
                    Some('.' | '/' | '#' | '$') => "",
                    _ => "; a place is written .a.b[0], /a/b/0 or $.a.b[0]",
                };
                let message = format!("{error}{hint}");
                Err(Failure::new(Exit::Usage, error.code(), message))
            }
        }
    }

    /// The path of what is there; else why nothing is.
    pub fn find(&self, root: ValueRef<'_>) -> Result<Path, Missing> {
        let found = match &self.form {
            Form::Path(path) if root.has(path) => Ok(path.clone()),
            // The pointer says how far the path leads.
            Form::Path(path) => Pointer::from(path).resolve(root),
            Form::Pointer(pointer) => pointer.resolve(root),
            Form::Query(query) => match query.paths(root) {
                Ok(paths) => {
                    return paths
                        .into_iter()
                        .next()
                        .ok_or_else(|| self.missing(NOTHING, None));
                }
                Err(error) => Err(error),
            },
        };
        found.map_err(|error| self.missing(NOTHING, Some(error)))
    }

    /// The path at which something can be put; else why that is not possible.
    pub fn to_put(&self, root: ValueRef<'_>) -> Result<Path, Missing> {
        match &self.form {
            Form::Path(path) => Ok(path.clone()),
            Form::Pointer(pointer) => pointer.resolve_to_put(root).map_err(|error| {
                let mut missing = self.cannot_put(error);
                if missing.code == 202 {
                    missing
                        .message
                        .push_str("; a path (.a.b) creates the objects on its way");
                }
                missing
            }),
            Form::Query(_) => self.find(root),
        }
    }

    /// What keeps something from being put there.
    pub fn cannot_put(&self, error: Error) -> Missing {
        self.missing("nothing can be put at", Some(error))
    }

    /// Says why, as far as it is known.
    fn missing(&self, what: &str, error: Option<Error>) -> Missing {
        let code = error.as_ref().map_or(202, Error::code);
        let why = match error {
            None => String::new(),
            Some(Error::InvalidPath { reason, .. }) => format!(": {reason}"),
            Some(Error::WrongType { path, found, .. }) => {
                format!(": what is at `{path}` is of type {found}")
            }
            Some(Error::IndexOutOfRange { path, len, .. }) => {
                format!(": the array at `{path}` has {len} items, counted from 0")
            }
            Some(other) => format!(": {other}"),
        };
        let message = format!("{what} `{}`{why}", self.text);
        Missing { code, message }
    }
}

/// Why a place is not there.
pub struct Missing {
    code: i32,
    message: String,
}

impl Missing {
    /// In the value of `source`.
    pub fn of(self, source: &Source, exit: Exit) -> Failure {
        Failure::new(exit, self.code, format!("{source}: {}", self.message))
    }
}
