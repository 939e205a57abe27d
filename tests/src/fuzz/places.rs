//! Texts that name places: paths, pointers, queries. What is read prints and reads back, and all ways to a place
//! lead to the same.

use std::ops::ControlFlow;

use statewright_value::{Path, Pointer, Query, Value};

use super::{assert_same, limits, nodes, two_lines};

/// The steps a query may take here.
const STEPS: u64 = 50_000;

/// A text, and a document to look at with it.
fn text_and_document(data: &[u8]) -> Option<(&str, Value)> {
    let (text, document) = two_lines(data);
    let document = Value::from_json_with(document, &limits()).ok()?;
    Some((std::str::from_utf8(text).ok()?, document))
}

pub(super) fn path(data: &[u8]) {
    let Some((text, document)) = text_and_document(data) else {
        return;
    };
    if let Ok(path) = read(text, Path::parse) {
        assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
        // An index beyond 2^53 is in no value, and JSONPath cannot name it.
        match Path::from_normalized(&path.to_normalized()) {
            Ok(read) => assert_eq!(read, path),
            Err(error) => assert!(error.to_string().contains("2^53"), "{error}"),
        }
        assert_path(&path, &document);
    }
    if let Ok(path) = read(text, Path::from_normalized) {
        assert_eq!(path.to_normalized(), text);
        assert_path(&path, &document);
    }
    let pointer = read(text, Pointer::parse);
    let found = document.by_ref().pointer(text);
    match pointer {
        Ok(pointer) => assert_pointer(&pointer, found.map(|found| found.to_value()), &document),
        Err(error) => assert!(found.is_none() || error.code() == 204, "{error}"),
    }
}

/// Errors are of one code or of limits, and no longer than a message may be.
fn read<T>(
    text: &str,
    parse: impl Fn(&str) -> statewright_value::Result<T>,
) -> statewright_value::Result<T> {
    parse(text).inspect_err(|error| {
        assert!([202, 204, 207].contains(&error.code()), "{error}");
        assert!(error.to_string().len() < 1000, "{error}");
    })
}

fn assert_path(path: &Path, document: &Value) {
    let found = document.at(path);
    assert_eq!(found.is_some(), document.has(path));
    assert_eq!(found, nodes(document.by_ref()).at(path));
    let query = Query::parse(&path.to_normalized());
    if let Ok(query) = &query {
        assert_eq!(query.as_path().as_ref(), Some(path));
        let first = query.first(document.by_ref()).unwrap();
        assert_eq!(first.map(|first| first.to_value()), found);
    }
    if found.is_some() {
        let pointer = path.to_pointer();
        assert_eq!(document.pointer(&pointer), found);
        let back = Path::from_pointer(&pointer, document.by_ref()).unwrap();
        assert_eq!(&back, path);
    }
    let mut edited = document.clone();
    match edited.set(path, Value::from("new")) {
        Ok(()) => assert_eq!(edited.at(path), Some(Value::from("new"))),
        Err(_) => assert_same(&edited, document),
    }
    let mut edited = document.clone();
    match edited.remove(path) {
        Ok(removed) => assert_eq!(removed, found),
        Err(_) => assert_same(&edited, document),
    }
}

fn assert_pointer(pointer: &Pointer, found: Option<Value>, document: &Value) {
    assert_eq!(&Pointer::parse(&pointer.to_string()).unwrap(), pointer);
    assert_eq!(&Pointer::parse(&pointer.to_fragment()).unwrap(), pointer);
    let got = pointer.get(document.by_ref()).map(|got| got.to_value());
    assert_eq!(got, found);
    match pointer.resolve(document.by_ref()) {
        Ok(path) => assert_eq!(document.at(&path), found),
        Err(_) => assert_eq!(found, None),
    }
    if let Ok(path) = pointer.resolve_to_put(document.by_ref()) {
        let mut edited = document.clone();
        edited.set(&path, Value::NULL).unwrap();
        assert_eq!(edited.at(&path), Some(Value::NULL));
    }
}

pub(super) fn jsonpath(data: &[u8]) {
    let Some((text, document)) = text_and_document(data) else {
        return;
    };
    let Ok(query) = read(text, Query::parse) else {
        return;
    };
    let query = query.with_max_steps(STEPS);
    assert_eq!(Query::parse(query.as_str()).unwrap(), query);
    let selected = match query.select(document.by_ref()) {
        Ok(selected) => selected,
        Err(error) => return assert_eq!(error.code(), 204, "{error}"),
    };
    // Not more than there were steps, so memory is bounded by them.
    assert!(selected.len() as u64 <= STEPS);
    assert_eq!(query.count(document.by_ref()), Ok(selected.len()));
    assert_eq!(
        query.first(document.by_ref()),
        Ok(selected.first().copied())
    );
    assert!(!query.is_singular() || selected.len() <= 1);
    let mut visited = Vec::new();
    let mut steps = STEPS;
    let visit = query.visit(document.by_ref(), &mut steps, |node| {
        visited.push(node);
        ControlFlow::Continue(())
    });
    assert_eq!(visit, Ok(()));
    assert_eq!(visited, selected);
    let other = nodes(document.by_ref());
    assert_eq!(query.select(other.by_ref()), Ok(selected.clone()));
    // Places cost steps of their own.
    if let Ok(located) = query.locate(document.by_ref()) {
        assert_eq!(located.len(), selected.len());
        for ((path, node), selected) in located.iter().zip(&selected) {
            assert!(node.same(*selected) || node == selected);
            assert_eq!(document.by_ref().at(path), Some(*node));
            assert!(path.starts_with(&query.prefix()));
        }
        assert_edits(&query, &document, !located.is_empty());
    }
}

fn assert_edits(query: &Query, document: &Value, finds: bool) {
    let mut edited = document.clone();
    let set = query_steps(edited.set_all(query, &Value::from("new")));
    assert!(set.is_none_or(|set| (set > 0) == finds));
    let mut edited = document.clone();
    match edited.remove_all(query) {
        Ok(removed) => assert_eq!(removed > 0, finds),
        Err(error) => {
            assert!([202, 204].contains(&error.code()), "{error}");
            assert_same(&edited, document);
        }
    }
}

/// Nothing where the steps or the depth did not suffice.
fn query_steps(result: statewright_value::Result<usize>) -> Option<usize> {
    match result {
        Ok(number) => Some(number),
        Err(error) => {
            assert_eq!(error.code(), 204, "{error}");
            None
        }
    }
}
