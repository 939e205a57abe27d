//! `value get`, `set`, `remove` and `patch`.

use super::{ADA, bad, check, good};
use crate::program::Folder;

#[test]
fn a_place_is_named_in_any_notation() {
    let f = Folder::new();
    f.file("ada.json", ADA);
    check(
        &f,
        &[
            good(&["get", ".nested.x[1]", "ada.json"], "2.5\n"),
            good(&["get", "/nested/x/1", "ada.json"], "2.5\n"),
            good(&["get", "#/nested/x/1", "ada.json"], "2.5\n"),
            good(&["get", "$.nested.x[1]", "ada.json"], "2.5\n"),
            good(&["get", "$.nested.x[-1]", "ada.json"], "true\n"),
            good(&["get", "$['name']", "ada.json"], "\"Ada\"\n"),
            good(&["get", "-r", ".name", "ada.json"], "Ada\n"),
            good(
                &["get", ".tags", "ada.json"],
                "[\n  \"a\",\n  \"b\",\n  \"c\"\n]\n",
            ),
            good(&["get", "-c", ".tags"], "[1]\n").stdin("{\"tags\": [1]}"),
            good(&["get", ".port", "--default", "-1", "ada.json"], "-1\n"),
            good(
                &["get", "-r", ".port", "--default", "\"none\"", "ada.json"],
                "none\n",
            ),
            good(&["get", "--to", "yaml", ".nested"], "a: 1\n").stdin("{\"nested\":{\"a\":1}}"),
        ],
    );
}

#[test]
fn a_place_where_nothing_is_ends_with_1_and_says_how_far_the_path_leads() {
    let f = Folder::new();
    f.file("ada.json", ADA);
    check(
        &f,
        &[
            bad(
                &["get", ".nam", "ada.json"],
                1,
                &["error[202]: ada.json: ", "`.nam`", "no key \"nam\""],
            ),
            bad(
                &["get", "/tags/9", "ada.json"],
                1,
                &["error[206]: ", "`/tags/9`", "3 items"],
            ),
            bad(
                &["get", "$.tags[-9]", "ada.json"],
                1,
                &["error[202]: ", "`$.tags[-9]`"],
            ),
            bad(
                &["get", ".age.x", "ada.json"],
                1,
                &["error[203]: ", "`.age`", "integer"],
            ),
            bad(
                &["remove", ".nam", "ada.json"],
                1,
                &["error[202]: ", "`.nam`"],
            ),
            bad(
                &["get", "$..x", "ada.json"],
                2,
                &["error[202]: ", "several", "query"],
            ),
            bad(
                &["get", "name", "ada.json"],
                2,
                &["error[202]: ", "character 1", "/a/b/0"],
            ),
            bad(
                &["get", ".a", "--default", "x", "ada.json"],
                2,
                &["error[200]: --default: "],
            ),
        ],
    );
}

#[test]
fn set_and_remove_print_the_result() {
    let f = Folder::new();
    let doc = r#"{"a":[1,2],"b":{}}"#;
    check(
        &f,
        &[
            good(&["set", "-c", ".a[0]", "9"], "{\"a\":[9,2],\"b\":{}}\n").stdin(doc),
            good(&["set", "-c", "/a/-", "-3"], "{\"a\":[1,2,-3],\"b\":{}}\n").stdin(doc),
            good(&["set", "-c", ".a[2]", "3"], "{\"a\":[1,2,3],\"b\":{}}\n").stdin(doc),
            good(&["set", "-c", "$.a[-1]", "{}"], "{\"a\":[1,{}],\"b\":{}}\n").stdin(doc),
            good(
                &["set", "-c", ".b.c.d", "null"],
                "{\"a\":[1,2],\"b\":{\"c\":{\"d\":null}}}\n",
            )
            .stdin(doc),
            good(
                &["set", "-c", "--text", ".b", "1"],
                "{\"a\":[1,2],\"b\":\"1\"}\n",
            )
            .stdin(doc),
            good(&["set", ".", "1"], "1\n").stdin(doc),
            good(&["remove", "-c", ".a[0]"], "{\"a\":[2],\"b\":{}}\n").stdin(doc),
            good(&["remove", "-c", "/b"], "{\"a\":[1,2]}\n").stdin(doc),
            good(
                &["remove", "-c", "--missing-ok", "/x"],
                "{\"a\":[1,2],\"b\":{}}\n",
            )
            .stdin(doc),
            bad(
                &["set", ".a[7]", "1"],
                2,
                &["error[206]: stdin: ", "`.a[7]`", "2 items"],
            )
            .stdin(doc),
            bad(&["set", ".a.x", "1"], 2, &["error[203]: ", "array"]).stdin(doc),
            bad(&["set", "/x/y", "1"], 2, &["error[202]: ", "creates"]).stdin(doc),
            bad(&["set", ".b", "one"], 2, &["error[200]: VALUE: ", "--text"]).stdin(doc),
            bad(&["remove", "."], 2, &["error[202]: ", "root"]).stdin(doc),
        ],
    );
}

#[test]
fn patches_are_applied_as_a_whole_or_not_at_all() {
    let f = Folder::new();
    f.file("doc.json", r#"{"a":1,"b":[1,2]}"#);
    f.file(
        "good.json",
        r#"[{"op":"test","path":"/a","value":1},{"op":"add","path":"/b/-","value":3}]"#,
    );
    f.file(
        "late.json",
        r#"[{"op":"remove","path":"/a"},{"op":"test","path":"/b/0","value":7}]"#,
    );
    f.file("wrong.json", r#"[{"op":"delete","path":"/a"}]"#);
    f.file("patch.yaml", "a: null\nb: {c: 1}\n");
    check(
        &f,
        &[
            good(
                &["patch", "-c", "good.json", "doc.json"],
                "{\"a\":1,\"b\":[1,2,3]}\n",
            ),
            good(&["patch", "-c", "-", "doc.json"], "{\"a\":1}\n")
                .stdin(r#"[{"op":"remove","path":"/b"}]"#),
            good(
                &["patch", "-c", "--merge", "patch.yaml", "doc.json"],
                "{\"b\":{\"c\":1}}\n",
            ),
            bad(
                &["patch", "late.json", "doc.json"],
                1,
                &["error[208]: doc.json: ", "operation 1", "/b/0"],
            ),
            bad(
                &["patch", "-i", "late.json", "doc.json"],
                1,
                &["error[208]: "],
            ),
            bad(
                &["patch", "wrong.json", "doc.json"],
                2,
                &["error[208]: wrong.json: ", "delete"],
            ),
            bad(&["patch", "-", "-"], 2, &["error[104]: ", "stdin"]),
            bad(&["patch", "-"], 2, &["error[104]: ", "stdin"]),
        ],
    );
    assert_eq!(
        std::fs::read_to_string(f.path("doc.json")).unwrap(),
        r#"{"a":1,"b":[1,2]}"#
    );
}
