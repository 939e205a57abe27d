//! `value convert` and `format`: every pair of formats, layouts.

use super::{bad, check, good, value, value_with};
use crate::program::Folder;

/// What every format can hold.
const DOC: &str = r#"{"text":"a\n\"b\" ü","empty":"","numbers":[0,-1,1.5,9007199254740993,1e+300],"yes":true,"deep":{"list":[[1],[{"a":"b"}]],"none":[],"nothing":{}}}"#;

const FORMATS: [&str; 6] = ["json", "ndjson", "msgpack", "cbor", "yaml", "toml"];

#[test]
fn every_format_leads_to_every_other_and_back() {
    let f = Folder::new();
    f.file("doc.json", DOC);
    for from in FORMATS {
        let first = format!("doc1.{from}");
        value(&f, &["convert", "doc.json", "-o", &first]).ok();
        for to in FORMATS {
            // A TOML file is a table, so it cannot be many lines.
            if from == "ndjson" && to == "toml" {
                continue;
            }
            let second = format!("doc2.{to}");
            value(&f, &["convert", &first, "-o", &second]).ok();
            // NDJSON is the array of its lines.
            let is_array = from == "ndjson" || to == "ndjson";
            let path = if is_array { ".[0]" } else { "." };
            let back = value(&f, &["get", "-c", "--to", "json", path, &second]).ok();
            assert_eq!(back.stdout.trim_end(), DOC, "{from} {to}");
        }
    }
}

#[test]
fn layouts() {
    let f = Folder::new();
    check(
        &f,
        &[
            good(
                &["convert", "--to", "json"],
                "{\n  \"b\": 1,\n  \"a\": []\n}\n",
            )
            .stdin("{\"b\":1,\"a\":[]}"),
            good(&["convert", "--to", "json", "-c"], "{\"b\":1,\"a\":[]}\n")
                .stdin("{\"b\": 1, \"a\": [ ]}"),
            good(&["convert", "--to", "ndjson"], "1\n[2]\n").stdin("[1,[2]]"),
            good(
                &["convert", "--from", "ndjson", "--to", "json", "-c"],
                "[1,[2]]\n",
            )
            .stdin("1\n\n[2]"),
            good(
                &["convert", "--from", "yaml", "--to", "json", "-c"],
                "{\"a\":[1,\"x\",null,true,\"yes\"]}\n",
            )
            .stdin("# hi\na: [1, x, ~, true, yes]\n"),
            good(&["format"], "[\n  1\n]\n").stdin("[1]"),
            good(
                &["format", "-c", "--sort-keys"],
                "{\"a\":[{\"x\":1,\"y\":2}],\"b\":1}\n",
            )
            .stdin("{\"b\":1,\"a\":[{\"y\":2,\"x\":1}]}"),
            good(&["format", "-c"], "{\"$date\":\"2024-05-01\"}\n")
                .stdin("{\"$date\":\"2024-05-01\"}"),
            good(&["format", "-c", "--typed"], "{\"$date\":\"2024-05-01\"}\n")
                .stdin("{\"$date\":\"2024-05-01\"}"),
            good(
                &["convert", "--to", "json", "--canonical"],
                "{\"a\":1e+30,\"b\":[1]}",
            )
            .stdin("{\"b\":[1.0],\"a\":1e30}"),
            bad(
                &["convert", "--to", "json", "--canonical"],
                2,
                &["error[205]: "],
            )
            .stdin("9007199254740993"),
            bad(
                &["convert", "--to", "yaml", "--canonical"],
                2,
                &["error[104]: YAML", "cbor"],
            )
            .stdin("1"),
        ],
    );
}

/// What is converted value by value looks as what is converted as a whole.
#[test]
fn streams_of_values_look_as_whole_documents() {
    let f = Folder::new();
    let docs = [
        "[]",
        "[1]",
        "[{\"b\":[1,{}],\"a\":\"x\\ny\"},[],2]",
        " [1, 2]",
    ];
    for doc in docs {
        let lines = value_with(&f, &["convert", "--to", "ndjson"], doc)
            .ok()
            .stdout;
        for layout in ["--pretty", "--compact", "--canonical"] {
            let whole = value_with(&f, &["convert", "--to", "json", layout], doc)
                .ok()
                .stdout;
            let args = ["convert", "--from", "ndjson", "--to", "json", layout];
            assert_eq!(
                value_with(&f, &args, &lines).ok().stdout,
                whole,
                "{doc} {layout}"
            );
        }
        let args = ["convert", "--from", "ndjson", "--to", "ndjson"];
        assert_eq!(value_with(&f, &args, &lines).ok().stdout, lines);
    }
    check(
        &f,
        &[
            good(&["convert", "--to", "ndjson"], "{\"a\":[1]}\n").stdin("\n {\"a\": [1]}"),
            good(&["convert", "--to", "ndjson"], "\"x\"\n").stdin("\u{feff}\"x\""),
            good(&["convert", "--to", "ndjson"], "1\n").stdin("\u{feff}[1]"),
            good(
                &["convert", "--to", "ndjson", "--typed"],
                "{\"$date\":\"2024-05-01\"}\n",
            )
            .stdin("[{\"$date\":\"2024-05-01\"}]"),
            bad(
                &["convert", "--to", "ndjson", "--typed"],
                2,
                &["error[205]: stdin, item 1: "],
            )
            .stdin("[{\"$date\":\"tomorrow\"}]"),
        ],
    );
    let cut = value_with(&f, &["convert", "--to", "ndjson"], "[1,\n2").ended(2);
    assert!(
        cut.stderr.starts_with("error[200]: stdin: ") && cut.stderr.contains("line 2"),
        "{cut:?}"
    );
}

#[test]
fn the_hash_is_that_of_the_content() {
    let f = Folder::new();
    f.file("a.json", "{\"x\": 1, \"y\": [2.5]}");
    f.file("b.yaml", "y: [2.5]\nx: 1\n");
    f.file("c.json", "{\"x\": 1, \"y\": [2]}");
    let done = value(&f, &["hash", "a.json", "b.yaml", "c.json"]).ok();
    let hashes: Vec<&str> = done
        .stdout
        .lines()
        .map(|line| line.split_once("  ").unwrap().0)
        .collect();
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
    assert!(
        hashes[0].len() == 64 && done.stdout.lines().last().unwrap().ends_with("  c.json"),
        "{done:?}"
    );
    let done = value(&f, &["hash", "--json", "a.json"]).ok();
    assert_eq!(
        (&done.json()["file"], &done.json()["hash"]),
        (&"a.json".into(), &hashes[0].into())
    );
}

#[test]
fn kinds_that_json_lacks_pass_through_typed_json() {
    let f = Folder::new();
    let typed = r#"{"day":{"$date":"2024-05-01"},"price":{"$decimal":"12.50"},"raw":{"$bytes":"AAH/"},"took":{"$duration":"PT1H30M"},"at":{"$datetime":"2024-05-01T12:30:00+02:00"}}"#;
    value_with(
        &f,
        &["convert", "--typed", "--to", "msgpack", "-o", "doc.msgpack"],
        typed,
    )
    .ok();
    // A binary format holds the kinds, or with --typed their wire forms; both read back.
    let back = value(
        &f,
        &["convert", "--typed", "--to", "json", "-c", "doc.msgpack"],
    )
    .ok();
    assert_eq!(back.stdout.trim_end(), typed);
    let refused = value_with(&f, &["format", "--typed"], r#"{"$date":"tomorrow"}"#).ended(2);
    assert!(
        refused.stderr.starts_with("error[205]: stdin: "),
        "{refused:?}"
    );
}

#[test]
fn dates_of_toml_are_dates() {
    let f = Folder::new();
    let toml = "day = 2024-05-01\nat = 2024-05-01T12:30:00+02:00\ntime = 12:30:00\n";
    f.file("times.toml", toml);
    check(
        &f,
        &[
            good(
                &["convert", "times.toml", "--to", "json", "-c", "--typed"],
                "{\"day\":{\"$date\":\"2024-05-01\"},\"at\":{\"$datetime\":\"2024-05-01T12:30:00+02:00\"},\
                 \"time\":{\"$time\":\"12:30:00\"}}\n",
            ),
            good(&["get", ".day", "times.toml"], "\"2024-05-01\"\n"),
            good(
                &["get", "--typed", "-c", ".day", "times.toml"],
                "{\"$date\":\"2024-05-01\"}\n",
            ),
            good(&["convert", "times.toml", "-o", "times.cbor"], ""),
            good(
                &["convert", "times.cbor", "--to", "toml"],
                "day = 2024-05-01\nat = 2024-05-01T12:30:00+02:00\ntime = 12:30:00\n",
            ),
            bad(
                &["convert", "--to", "toml"],
                2,
                &["error[205]: ", "null", " at .a"],
            )
            .stdin("{\"a\":null}"),
            bad(&["convert", "--to", "toml"], 2, &["error[203]: ", "object"]).stdin("[1]"),
            bad(
                &["convert", "--from", "toml", "--to", "json"],
                2,
                &["error[217]: stdin: ", "TOML", "line 2, column "],
            )
            .stdin("a = 1\na = 2\n"),
        ],
    );
}

#[test]
fn unreadable_input_is_told_with_its_place() {
    let f = Folder::new();
    std::fs::write(f.path("cut.msgpack"), [0x93, 0x01]).unwrap();
    std::fs::write(f.path("more.msgpack"), [0x01, 0x02]).unwrap();
    std::fs::write(f.path("latin.yaml"), b"a: \xe9\n").unwrap();
    f.file("twice.yaml", "a: 1\na: 2\n");
    f.file("two.yaml", "a: 1\n---\nb: 2\n");
    f.file("nan.yaml", "a: .nan\n");
    f.file("open.yaml", "a: [1\n");
    f.file("bom.json", "\u{feff}[1]");
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let before = level - 1;
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            format!("*a{before},").repeat(10)
        ));
    }
    f.file("bomb.yaml", &bomb);
    check(
        &f,
        &[
            good(&["convert", "bom.json", "--to", "json", "-c"], "[1]\n"),
            bad(&["convert", "doc", "--to", "json"], 2, &["error[300]: "]),
            bad(&["convert", "bom.json"], 2, &["error[104]: ", "--to"]),
            bad(
                &["convert", "cut.msgpack", "--to", "json"],
                2,
                &["error[201]: cut.msgpack: ", "byte 2"],
            ),
            bad(
                &["convert", "more.msgpack", "--to", "json"],
                2,
                &["error[201]: more.msgpack: ", "byte 1"],
            ),
            bad(
                &["convert", "latin.yaml", "--to", "json"],
                2,
                &["error[102]: latin.yaml", "byte 3"],
            ),
            bad(
                &["convert", "twice.yaml", "--to", "json"],
                2,
                &["error[217]: twice.yaml: ", "line 2"],
            ),
            bad(
                &["convert", "two.yaml", "--to", "json"],
                2,
                &["error[217]: two.yaml: "],
            ),
            bad(
                &["convert", "nan.yaml", "--to", "json"],
                2,
                &["error[217]: nan.yaml: ", "line 1"],
            ),
            bad(
                &["convert", "open.yaml", "--to", "json"],
                2,
                &["error[217]: open.yaml: ", "line "],
            ),
            bad(
                &["convert", "bomb.yaml", "--to", "json"],
                2,
                &["error[217]: bomb.yaml: "],
            ),
        ],
    );
}

#[test]
fn text_that_looks_like_something_else_stays_text_in_yaml() {
    let f = Folder::new();
    let texts = [
        "yes",
        "no",
        "on",
        "null",
        "~",
        "true",
        "1",
        "-1",
        "0x1f",
        "0o7",
        "1e3",
        ".5",
        ".inf",
        ".nan",
        "1_000",
        "12:30",
        "2024-05-01",
        "",
        " ",
        " a",
        "a ",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "-",
        "---",
        "...",
        "? a",
        "a\nb",
        "a\n",
        "\na",
        "a\n\n",
        "  a\n b",
        "\t",
        "a\tb",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "\u{1b}[2J",
        "'",
        "\"",
        "\\",
        "{",
        "[",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
        ",",
        "=",
        "<<",
        "ü",
        "😀",
        "\u{7f}",
        "\u{fffd}",
        "a\rb",
    ];
    let long = "word ".repeat(60);
    let mut list: Vec<serde_json::Value> = texts.iter().map(|text| (*text).into()).collect();
    list.push(long.as_str().into());
    list.push(format!("{long}\n {long}").into());
    let mut keys = serde_json::Map::new();
    for (at, text) in texts.iter().enumerate() {
        keys.insert((*text).to_owned(), at.into());
    }
    let doc =
        serde_json::json!({"list": list, "keys": keys, "nested": [list, [[list]], {"a": list}]})
            .to_string();
    f.file("doc.json", &doc);
    value(&f, &["convert", "doc.json", "-o", "doc.yaml"]).ok();
    let differences = value(&f, &["diff", "--text", "doc.json", "doc.yaml"]);
    assert_eq!(differences.stdout, "", "{}", differences.stderr);
    differences.ok();
}

#[test]
fn format_checks_and_rewrites() {
    let f = Folder::new();
    f.file("ugly.json", "{\"b\":1}");
    f.file("fine.json", "{\n  \"b\": 1\n}\n");
    check(
        &f,
        &[
            good(&["format", "--check", "fine.json"], ""),
            good(
                &["format", "--check", "ugly.json", "fine.json"],
                "ugly.json\n",
            )
            .exit(1),
            good(&["format", "-i", "ugly.json", "fine.json"], ""),
            good(&["format", "--check", "ugly.json", "fine.json"], ""),
            bad(&["format", "-i"], 2, &["error[104]: ", "stdin"]).stdin("1"),
        ],
    );
}
