//! Random pieces of jq and of YAML: whatever they add up to, the answer is a result or an error, never a panic.

use proptest::prelude::*;
use statewright_flow::net::Net;
use statewright_flow::{Expr, ExprLimits};
use statewright_value::{Value, value};

const JQ: [&str; 118] = [
    ".",
    "..",
    ".a",
    ".b[0]",
    ".[]",
    ".[1:]",
    ".[-1]",
    "?",
    "|",
    ",",
    ";",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    "and",
    "or",
    "not",
    "//",
    "//=",
    "|=",
    "+=",
    "=",
    "-=",
    "1",
    "0",
    "-1",
    "1.5",
    "1e3",
    "18446744073709551615",
    "\"s\"",
    "\"\\(.)\"",
    "\"",
    "\\",
    "null",
    "true",
    "$x",
    "$y",
    "as",
    "as $y |",
    "as [$y] |",
    "as {a: $y} |",
    "if",
    "then",
    "elif",
    "else",
    "end",
    "try",
    "catch",
    "reduce",
    "foreach",
    "label $l |",
    "break $l",
    "def f:",
    "def g($p):",
    "def h(p):",
    "f",
    "g(.)",
    "h(.)",
    "p",
    "$p",
    "map(",
    "select(",
    "range(",
    "limit(2;",
    "first(",
    "path(",
    "paths",
    "getpath([\"a\"])",
    "setpath([\"a\"];",
    "del(",
    "to_entries",
    "with_entries(",
    "sort",
    "sort_by(",
    "group_by(",
    "unique",
    "min_by(",
    "add",
    "any",
    "all",
    "flatten",
    "length",
    "keys",
    "has(\"a\")",
    "contains(",
    "indices(",
    "tojson",
    "fromjson",
    "tostring",
    "tonumber",
    "split(\",\")",
    "join(\",\")",
    "test(\"a\")",
    "capture(\"(?<n>.)\")",
    "sub(\"a\";",
    "@base64",
    "@csv",
    "error",
    "empty",
    "recurse",
    "walk(",
    "explode",
    "implode",
    "ltrimstr(\"s\")",
    "strftime(\"%Y %Z %q\")",
];

const YAML: [&str; 56] = [
    "name: x",
    "\n",
    "\n  ",
    "\n    ",
    "tasks:",
    "a:",
    "b:",
    "kind: set",
    "kind: host",
    "kind: wait",
    "kind: process",
    "set:",
    "next:",
    " b",
    " [a, b]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "- ",
    "to: b",
    "when: .x",
    "join: and",
    "split: xor",
    ".x: 1",
    "'",
    "\"",
    "|",
    ">",
    "|-\n      .a",
    "&r ",
    "*r",
    "!!str ",
    "<<: *r",
    "#",
    "? ",
    "~",
    "1.5",
    "-1",
    ".inf",
    "true",
    "---\n",
    "...\n",
    "\t",
    "\u{feff}",
    "é",
    "run: [sh]",
    "retry: { attempts: 2 }",
    "timeout: 1s",
    "for: 1s",
    "input: .",
    "output: .a",
    "into: .a[0]",
    "%YAML 1.2\n",
];

fn soup(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let separator = prop::sample::select(vec![" ", "", " "]);
    let piece = (prop::sample::select(pieces), separator);
    prop::collection::vec(piece, 0..most)
        .prop_map(|pieces| pieces.into_iter().map(|(p, s)| format!("{p}{s}")).collect())
}

/// Well-formed expressions; `#1` and `#2` are parts.
fn expression() -> impl Strategy<Value = String> {
    const LEAVES: [&str; 24] = [
        ".", "..", ".a", ".b", ".[]", ".[]?", ".[0]", ".[-1:]", "0", "1", "-1", "2.5", "\"s\"",
        "\"a,b\"", "null", "[]", "{}", "$x", "empty", "error", "length", "keys", "f?", "tojson",
    ];
    const WRAPS: [&str; 58] = [
        "(#1 | #2)",
        "(#1, #2)",
        "(#1 + #2)",
        "(#1 - #2)",
        "(#1 * #2)",
        "(#1 / #2)",
        "(#1 % #2)",
        "(#1 == #2)",
        "(#1 < #2)",
        "(#1 and #2)",
        "(#1 // #2)",
        "(#1 |= #2)",
        "(#1 += #2)",
        "(#1 = #2)",
        "(#1 //= #2)",
        "[#1]",
        "{a: #1, \"b\": #2}",
        "{(#1): #2}",
        "\"<\\(#1)>\"",
        "(-(#1))",
        "(#1)?",
        "(try (#1) catch (#2))",
        "(if #1 then #2 else . end)",
        "(#1 as $y | #2, $y)",
        "(#1 as [$y, {a: $z}] | #2, $z)",
        "(reduce (#1) as $y (.; #2))",
        "(foreach (#1) as $y (#2; .; [., $y]))",
        "(label $l | #1, break $l, #2)",
        "(def f: #1; #2, f)",
        ".[#1]",
        ".[#1:#2]",
        "(.[#1] |= #2)",
        "(.[#1:#2] = [1])",
        "map(#1)",
        "select(#1)",
        "[limit(#1; #2)]",
        "first(#1)",
        "last(#1)",
        "[path(#1)]",
        "[paths(#1)]",
        "getpath(#1)",
        "setpath(#1; #2)",
        "del(#1)",
        "pick(#1)",
        "with_entries(#1)",
        "sort_by(#1)",
        "group_by(#1)",
        "unique_by(#1)",
        "max_by(#1)",
        "walk(#1)",
        "[recurse(#1)]",
        "any(#1)",
        "has(#1)",
        "contains(#1)",
        "indices(#1)",
        "gsub(#1; #2)",
        "(#1 | @csv)",
        "[range(#1; #2)]",
    ];
    let leaf = prop::sample::select(&LEAVES[..]).prop_map(str::to_owned);
    leaf.prop_recursive(5, 24, 2, |inner| {
        (prop::sample::select(&WRAPS[..]), inner.clone(), inner)
            .prop_map(|(wrap, one, two)| wrap.replace("#1", &one).replace("#2", &two))
    })
    .prop_map(|text| format!("def f: .; {text}"))
}

fn inputs() -> [Value; 4] {
    [
        value!({ "a": [1, 2.5, "s"], "b": [{ "c": null }] }),
        value!([3, 1, 2, "x", null, [1], { "a": 1 }]),
        value!("a,b ä"),
        Value::NULL,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_jq(text in soup(&JQ, 14)) {
        let limits = ExprLimits { steps: 20_000, ..ExprLimits::default() };
        if let Ok(expr) = Expr::compile(&text, &["x"]) {
            for input in inputs() {
                // The same again: an expression is a function.
                let first = expr.eval(&input, &[value!(2)], &limits);
                prop_assert_eq!(&first, &expr.eval(&input, &[value!(2)], &limits));
            }
        }
    }

    #[test]
    fn of_well_formed_jq(text in expression()) {
        let limits = ExprLimits { steps: 20_000, ..ExprLimits::default() };
        let expr = Expr::compile(&text, &["x"]);
        prop_assert!(expr.is_ok(), "{:?}: {}", expr, text);
        for (input, expr) in inputs().into_iter().zip(std::iter::repeat(expr.unwrap())) {
            let first = expr.eval(&input, &[value!(2)], &limits);
            prop_assert_eq!(&first, &expr.eval(&input, &[value!(2)], &limits));
        }
    }

    #[test]
    fn of_yaml(text in soup(&YAML, 30)) {
        if let Err(problems) = Net::compile(&text, None) {
            prop_assert!(!problems.is_empty());
            let lines = text.lines().count().max(1) as u32;
            for problem in problems {
                prop_assert!((1..=lines + 1).contains(&problem.line), "{} in {:?}", problem, text);
            }
        }
    }

    #[test]
    fn of_any_text(text in any::<String>()) {
        let _ = Expr::compile(&text, &[]);
        let _ = Net::compile(&text, None);
        let _ = statewright_flow::parse_duration(&text);
    }
}
