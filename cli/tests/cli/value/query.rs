//! `value query`.

use super::{ADA, bad, check, good, value, value_with};
use crate::program::Folder;

#[test]
fn finds_are_printed_one_a_line() {
    let f = Folder::new();
    f.file("ada.json", ADA);
    check(
        &f,
        &[
            good(&["query", "$.tags[*]", "ada.json"], "\"a\"\n\"b\"\n\"c\"\n"),
            good(&["query", "-r", "$.tags[*]", "ada.json"], "a\nb\nc\n"),
            good(
                &["query", "$.nested", "ada.json"],
                "{\"x\":[1,2.5,null,true]}\n",
            ),
            good(
                &["query", "--pretty", "$.nested.x[1:3]", "ada.json"],
                "2.5\nnull\n",
            ),
            good(&["query", "--first", "$.tags[*]", "ada.json"], "\"a\"\n"),
            good(
                &["query", "--paths", "$.tags[1:]", "ada.json"],
                "$['tags'][1]\n$['tags'][2]\n",
            ),
            good(
                &["query", "--paths", "--first", "$..x", "ada.json"],
                "$['nested']['x']\n",
            ),
            good(
                &["query", "--pointers", "$..x[0]", "ada.json"],
                "/nested/x/0\n",
            ),
            good(
                &["query", "--count", "$..*", "ada.json", "ada.json"],
                "24\n",
            ),
            good(&["query", "$.a[?@.b>1]", "-"], "{\"b\":2}\n").stdin(r#"{"a":[{"b":1},{"b":2}]}"#),
            good(&["query", "$[0]"], "1\n").stdin("[1]"),
            good(&["query", "$.name", "ada.json", "-"], "\"Ada\"\n\"Bob\"\n")
                .stdin("{\"name\":\"Bob\"}"),
            good(&["query", "$.nothing", "ada.json"], ""),
        ],
    );
}

#[test]
fn the_exit_status_tells_what_was_found_if_asked() {
    let f = Folder::new();
    f.file("ada.json", ADA);
    check(
        &f,
        &[
            good(&["query", "-e", "$.name", "ada.json"], "\"Ada\"\n"),
            good(&["query", "-e", "$.nothing", "ada.json"], "").exit(1),
            good(&["query", "-e", "$.nested.x[2]", "ada.json"], "null\n").exit(1),
            good(&["query", "-e", "--count", "$.nothing", "ada.json"], "0\n").exit(1),
            good(&["query", "$"], "false\n").stdin("false"),
            good(&["query", "-e", "$"], "false\n")
                .stdin("false")
                .exit(1),
        ],
    );
}

#[test]
fn records_are_searched_one_by_one() {
    let f = Folder::new();
    f.file("log.ndjson", "{\"n\":1}\n\n{\"n\":2}\r\n{\"m\":3}");
    f.file("list.json", "[{\"n\":1},{\"n\":2}]");
    check(
        &f,
        &[
            good(&["query", "$.n", "log.ndjson"], "1\n2\n"),
            good(&["query", "--ndjson", "$.n"], "1\n2\n").stdin("{\"n\":1}\n{\"n\":2}\n"),
            good(&["query", "--from", "ndjson", "$.n"], "1\n").stdin("{\"n\":1}"),
            good(&["query", "--first", "$.n", "log.ndjson"], "1\n"),
            good(
                &["query", "--paths", "$.n", "log.ndjson"],
                "$['n']\n$['n']\n",
            ),
            good(&["query", "--items", "$.n", "list.json"], "1\n2\n"),
            good(&["query", "--items", "$.n"], "").stdin("[]"),
            good(&["query", "--ndjson", "$.n"], ""),
            bad(&["query", "--items", "$.n"], 2, &["stdin", "array"]).stdin("{}"),
        ],
    );
}

#[test]
fn a_bad_record_ends_the_search_unless_it_is_to_go_on() {
    let f = Folder::new();
    f.file("log.ndjson", "{\"n\":1}\n{\"n\":\n{\"n\":3}\n");
    let done = value(&f, &["query", "$.n", "log.ndjson"]).ended(2);
    assert!(
        done.stderr.starts_with("error[200]: log.ndjson") && done.stderr.contains("line 2"),
        "{done:?}"
    );
    let done = value(
        &f,
        &["query", "--keep-going", "$.n", "log.ndjson", "ghost.json"],
    )
    .ended(2);
    assert!(done.stdout.ends_with("3\n"), "{done:?}");
    assert!(
        done.stderr.contains("line 2") && done.stderr.contains("ghost.json"),
        "{done:?}"
    );
}

#[test]
fn wrong_queries_and_inputs_are_refused() {
    let f = Folder::new();
    f.file("ada.json", ADA);
    check(
        &f,
        &[
            bad(
                &["query", ".a", "ada.json"],
                2,
                &["error[207]: ", "character 1", "`$`"],
            ),
            bad(
                &["query", "$.a[", "ada.json"],
                2,
                &["error[207]: ", "character 5"],
            ),
            bad(
                &["query", "$", "ghost.json"],
                2,
                &["error[300]: ", "ghost.json", "check the path"],
            ),
            bad(&["query", "$", "."], 2, &["error[300]: ", "directory"]),
            bad(&["query", "$", "-", "-"], 2, &["error[104]: ", "stdin"]),
            bad(
                &["query", "$"],
                2,
                &["error[200]: stdin: ", "line 2, column 1"],
            )
            .stdin("[1,\n"),
            bad(
                &["query", "$"],
                2,
                &["error[200]: stdin: ", "--from ndjson"],
            )
            .stdin("{}\n{}\n"),
            bad(
                &["query", "$", "--limits", "strict"],
                2,
                &["error[204]: stdin: ", "depth", "32", "--limits"],
            )
            .stdin("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
        ],
    );
    let done = value_with(&f, &["query", "--json", "$"], "{").ended(2);
    assert_eq!(done.json()["error"]["code"], 200);
    assert_eq!(done.json()["error"]["exit"], 2);
    assert_eq!(value(&f, &["query"]).ended(2).stdout, "");
}
