//! What the reader refuses: one small export for each convention, broken.

use super::model::{Direction, Kind, Ownership, Role};
use super::parse::{Source, model};

const GOOD: &str = r#"
//! Title.

/// The version.
pub const SW_ABI_VERSION: u32 = 1;
/// The bound.
pub const SW_MAX: usize = 8;
/// A handle.
#[repr(C)]
pub struct sw_thing { /** Opaque. */ pub id: u64 }
/// An error.
#[repr(C)]
pub struct sw_error { /** Opaque. */ pub id: u64 }

/// Does it.
///
/// @role method
/// @on thing
/// @thread safe
/// @param thing in handle: The thing.
/// @param name in text max=SW_MAX: Its name.
/// @param count out number: Receives how many.
/// @since 0.1 unstable
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_do(
    thing: sw_thing, name: *const c_char, name_len: usize, count: *mut u64, err: *mut sw_error,
) -> sw_status {
    guard!(sw_do, err, |call| { Ok(()) })
}
"#;

/// The problems of the good source with one thing changed.
fn refusal(from: &str, to: &str) -> String {
    assert!(
        from.is_empty() || GOOD.contains(from),
        "`{from}` is not in the source"
    );
    let text = GOOD.replacen(from, to, 1);
    let file = syn::parse_file(&text).unwrap();
    let source = Source {
        name: "sample".into(),
        file,
    };
    model(&[source])
        .map(|_| String::new())
        .unwrap_or_else(|error| error.to_string())
}

#[test]
fn a_good_export_is_read() {
    let source = Source {
        name: "sample".into(),
        file: syn::parse_file(GOOD).unwrap(),
    };
    let model = model(&[source]).unwrap();
    let function = model.functions().next().unwrap();
    assert_eq!(
        (function.name.as_str(), function.role, function.error),
        ("sw_do", Role::Method, true)
    );
    let [thing, name, count] = function.params.as_slice() else {
        panic!("three parameters")
    };
    assert_eq!(
        (thing.kind, thing.c_type.as_str()),
        (Kind::Handle, "sw_thing")
    );
    assert_eq!(
        (name.kind, name.len.as_deref()),
        (Kind::Text, Some("name_len"))
    );
    assert_eq!(
        (count.direction, count.ownership),
        (Direction::Out, Ownership::Copied)
    );
    assert_eq!(model.structs().next().unwrap().size, [8, 8]);
}

#[test]
fn what_breaks_a_convention_is_refused_with_its_place() {
    for (from, to, expected) in [
        (
            "guard!(sw_do, err, |call| { Ok(()) })",
            "SW_OK",
            "is not guarded",
        ),
        (
            "guard!(sw_do, err",
            "guard!(sw_other, err",
            "guarded under another name",
        ),
        (
            "guard!(sw_do, err",
            "guard!(sw_do, null",
            "does not report errors",
        ),
        (
            "guard!(sw_do, err, |call| { Ok(()) })",
            "let x = 1; guard!(sw_do, err, |call| { Ok(()) })",
            "is not guarded",
        ),
        ("count: *mut u64", "new: *mut u64", "is a word of C or C++"),
        ("/// Does it.\n///\n", "", "has no documentation"),
        ("/// @role method\n", "", "has no @role"),
        ("/// @on thing\n", "", "has no @on"),
        ("/// @thread safe\n", "", "has no @thread"),
        ("/// @since 0.1 unstable\n", "", "has no @since"),
        (
            "/// @param count out number: Receives how many.\n",
            "",
            "`count` has no @param",
        ),
        (
            "/// @param thing in",
            "/// @param think in",
            "is not the next parameter",
        ),
        ("in text max=SW_MAX", "in text", "has a length but no max="),
        (
            "max=SW_MAX",
            "max=SW_MOST",
            "refers to something that is not there",
        ),
        ("out number", "in number", "its type is `uint64_t *`"),
        ("count: *mut u64", "count: bool", "`bool` cannot cross"),
        (
            "count: *mut u64",
            "count: Color",
            "the type `Color` cannot cross",
        ),
        ("count out number", "count out handle", "but its type is"),
        (
            ", err: *mut sw_error,",
            ",",
            "the last parameter must be `err",
        ),
        ("-> sw_status", "-> u64", "an export returns sw_status"),
        (
            "pub unsafe extern \"C\" fn sw_do",
            "pub unsafe extern \"C\" fn do_it",
            "an export is",
        ),
        ("#[unsafe(no_mangle)]\n", "", "is public but not exported"),
        ("/// A handle.\n", "", "has no documentation"),
        (
            "#[repr(C)]\npub struct sw_thing",
            "pub struct sw_thing",
            "must be #[repr(C)]",
        ),
        (
            "pub id: u64 }\n/// An error",
            "pub id: u64, /** B. */ pub b: u32 }\n/// An error",
            "padding",
        ),
        (
            "/// The bound.",
            "/// Colours.\npub enum Color { Red }\n/// The bound.",
            "an enum cannot cross",
        ),
        ("usize = 8", "usize = 4 + 4", "must be a plain integer"),
    ] {
        let found = refusal(from, to);
        assert!(found.contains(expected), "`{from}` -> `{to}`: {found:?}");
        assert!(
            found.contains("sample.rs") || found.contains("sw_do"),
            "no place: {found}"
        );
    }
}

#[test]
fn a_pointer_without_an_owner_is_refused() {
    let bytes =
        "/// Bytes.\n#[repr(C)]\npub struct sw_bytes { /** D. */ pub owner: u64 }\n/// The bound.";
    let text = GOOD
        .replacen("/// The bound.", bytes, 1)
        .replacen("count out number", "count out msgpack", 1)
        .replacen("count: *mut u64", "count: *mut sw_bytes", 1);
    let source = Source {
        name: "sample".into(),
        file: syn::parse_file(&text).unwrap(),
    };
    let error = model(&[source]).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("`count` is a pointer without an ownership"),
        "{error}"
    );
}
