//! Expressions: what they compute, and that none of them can run away.

use std::time::Duration;

use statewright_flow::{Expr, ExprError, ExprErrorKind, ExprLimits};
use statewright_log::Env;
use statewright_value::{Value, value};

fn eval(text: &str, input: &Value) -> Result<Value, ExprError> {
    Expr::compile(text, &["x"])?.eval(input, &[value!({ "id": 7 })], &ExprLimits::default())
}

/// A table of expression, input as JSON, expected output as JSON.
fn table(rows: &[(&str, &str, &str)]) {
    for (text, input, expected) in rows {
        let input = Value::from_json(input).unwrap();
        match eval(text, &input) {
            Ok(found) => assert_eq!(found.to_json(), *expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn kinds_beyond_json_are_numbers_texts_and_objects() {
    let decimal = |text: &str| Value::decimal(text).unwrap();
    // 2024-02-29, in MessagePack's form.
    let date = Value::from_msgpack(&[0xd6, b'd', 0x07, 0xe8, 2, 29]).unwrap();
    let file = Value::from(statewright_value::File::new("a.txt", 3));
    let input = value!({
        "price": (decimal("12.50")), "whole": (decimal("3")), "prices": [(decimal("2.5")), 2, (decimal("1"))],
        "day": (date.clone()), "days": [(date.clone()), "2023-01-01"], "file": (file),
    });
    for (text, expected) in [
        (".price", "12.50"),
        ("{p: .price}", r#"{"p":12.50}"#),
        (".price + 1", "13.5"),
        (".whole + 1", "4"),
        (".price == 12.5 and .price < 13 and .whole == 3", "true"),
        (".prices | sort", "[1,2,2.5]"),
        (".prices | max", "2.5"),
        (".prices[.whole - 2]", "2"),
        (
            "[.price, .day, .file] | map(type)",
            r#"["number","string","object"]"#,
        ),
        (".price | tostring", r#""12.50""#),
        (".price | floor", "12"),
        (".price | length", "12.50"),
        (".day", r#""2024-02-29""#),
        (".day | startswith(\"2024\")", "true"),
        (".day > \"2024-02-28\"", "true"),
        (".day + \"T00:00:00Z\" | fromdate", "1709164800"),
        ("\"on \\(.day)\"", r#""on 2024-02-29""#),
        (".days | sort | first", r#""2023-01-01""#),
        (".days | index(\"2024-02-29\")", "0"),
        (".days | contains([\"2024\"])", "true"),
        ("[.days[] | length]", "[10,10]"),
        (".file.name", r#""a.txt""#),
        (".file | keys", r#"["name","size"]"#),
        (
            ".day |= .[:4]",
            r#"{"price":12.50,"whole":3,"prices":[2.5,2,1],"day":"2024","days":["2024-02-29","2023-01-01"],"file":{"name":"a.txt","size":3}}"#,
        ),
    ] {
        match eval(text, &input) {
            Ok(found) => assert_eq!(found.to_json(), expected, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
    // What is only passed on keeps its kind.
    assert_eq!(eval(".", &input).unwrap(), input);
    assert_eq!(
        eval("{price}", &input).unwrap().get("price"),
        input.get("price")
    );
    assert_eq!(eval(".", &date).unwrap(), value!("2024-02-29"));
}

#[test]
fn computes() {
    table(&[
        (".", "1", "1"),
        (".a.b[1]", r#"{"a":{"b":[1,2]}}"#, "2"),
        (".a.b", "null", "null"),
        (".[-1]", "[1,2,3]", "3"),
        (".[1:]", "[1,2,3]", "[2,3]"),
        (".[1:2]", r#""äöü""#, r#""ö""#),
        ("[.[] | . + 1]", "[1,2]", "[2,3]"),
        ("map(. * 2) | add", "[1,2,3]", "12"),
        ("6 / 2", "null", "3"),
        ("7 / 2", "null", "3.5"),
        (
            "7 % 3, -7 % 3 | tojson | . + \"\" | [.] | .[0] | . as $s | select($s == \"1\")",
            "null",
            "\"1\"",
        ),
        ("9223372036854775807 + 1", "null", "9223372036854775808"),
        ("18446744073709551615", "null", "18446744073709551615"),
        (". - 1", "18446744073709551615", "18446744073709551614"),
        ("1 == 1.0", "null", "true"),
        ("$x.id", "null", "7"),
        ("\"a\\(1 + 1)b\"", "null", "\"a2b\""),
        (
            "{a: 1, \"b\": .x, $x, (\"c\" + \"d\"): 3}",
            r#"{"x":2}"#,
            r#"{"a":1,"b":2,"x":{"id":7},"cd":3}"#,
        ),
        ("to_entries", r#"{"a":1}"#, r#"[{"key":"a","value":1}]"#),
        (
            "with_entries(.value += 1)",
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":3}"#,
        ),
        ("keys", r#"{"b":1,"a":2}"#, r#"["a","b"]"#),
        (
            "sort",
            r#"[{"b":1},[1],"a",2,1.5,true,false,null,{"a":9}]"#,
            r#"[null,false,true,1.5,2,"a",[1],{"a":9},{"b":1}]"#,
        ),
        (
            "sort_by(-.n, .s)",
            r#"[{"n":1,"s":"b"},{"n":2,"s":"z"},{"n":1,"s":"a"}]"#,
            r#"[{"n":2,"s":"z"},{"n":1,"s":"a"},{"n":1,"s":"b"}]"#,
        ),
        (
            "group_by(.k) | map(length)",
            r#"[{"k":1},{"k":2},{"k":1}]"#,
            "[2,1]",
        ),
        ("unique", "[3,1,3,2,1]", "[1,2,3]"),
        (
            "[min, max, min_by(-.), max_by(-.)]",
            "[]",
            "[null,null,null,null]",
        ),
        (
            "min, max | . as $m | [$m] | .[0] | select(. == 1)",
            "[3,1]",
            "1",
        ),
        (
            "max_by(.v).n",
            r#"[{"v":1,"n":"a"},{"v":2,"n":"b"},{"v":2,"n":"c"}]"#,
            "\"c\"",
        ),
        ("bsearch(3), bsearch(4) | select(. < 0)", "[1,3,5]", "-3"),
        (
            "first(range(10; 0; -3)), last(range(3)) | select(. == 2)",
            "null",
            "2",
        ),
        ("[range(0; 10; 3)]", "null", "[0,3,6,9]"),
        ("[limit(3; repeat(1))]", "null", "[1,1,1]"),
        (
            "[recurse(if . < 3 then . + 1 else empty end)]",
            "0",
            "[0,1,2,3]",
        ),
        ("[.. | numbers]", "[1,[2,{\"a\":3}]]", "[1,2,3]"),
        ("until(. > 1000; . * 2)", "1", "1024"),
        ("[while(. < 100; . * 3)]", "1", "[1,3,9,27,81]"),
        ("reduce .[] as $n (0; . + $n)", "[1,2,3]", "6"),
        (
            "[foreach .[] as $n (0; . + $n; [$n, .])]",
            "[1,2]",
            "[[1,1],[2,3]]",
        ),
        (
            "def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; fac",
            "20",
            "2432902008176640000",
        ),
        ("def f($a; g): $a + g; f(1; .)", "2", "3"),
        (". as [$a, {b: $c}] | $a + $c", r#"[1,{"b":2}]"#, "3"),
        ("try error(\"x\") catch .", "null", "\"x\""),
        ("[.[] | tonumber?]", r#"["1","x","2.5"]"#, "[1,2.5]"),
        (".a // \"none\"", "{}", "\"none\""),
        ("if .a then 1 elif .b then 2 else 3 end", r#"{"b":1}"#, "2"),
        (".a.b |= . + 1", r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#),
        (".a[1] = 9", "{}", r#"{"a":[null,9]}"#),
        (".[1:] = [\"x\"]", "[1,2,3]", r#"[1,"x"]"#),
        (".x += 1 | .y //= 5", r#"{"x":1}"#, r#"{"x":2,"y":5}"#),
        ("del(.a, .b[0])", r#"{"a":1,"b":[1,2]}"#, r#"{"b":[2]}"#),
        ("del(.[] | select(. > 1))", "[1,2,3]", "[1]"),
        (
            "delpaths([[\"a\"],[\"b\"]])",
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"c":3}"#,
        ),
        ("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#),
        (
            "getpath([\"a\",0]), ([path(.a[0])] | select(false))",
            r#"{"a":[5]}"#,
            "5",
        ),
        ("pick(.a.b)", r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":1}}"#),
        (
            "walk(if type == \"number\" then . + 1 else . end)",
            "[1,{\"a\":2}]",
            r#"[2,{"a":3}]"#,
        ),
        ("flatten", "[1,[2,[3]]]", "[1,2,3]"),
        ("transpose", "[[1,2],[3]]", "[[1,3],[2,null]]"),
        ("any, all | select(.)", "[true,false]", "true"),
        ("contains({a: [\"x\"]})", r#"{"a":["xy"],"b":1}"#, "true"),
        ("inside(\"foobar\")", "\"bar\"", "true"),
        (
            "has(\"a\"), has(\"b\") | select(.)",
            r#"{"a":null}"#,
            "true",
        ),
        (
            "indices(\"b\"), index(\"b\"), rindex(\"b\") | select(. == 3)",
            "\"äbab\"",
            "3",
        ),
        ("indices([1,2])", "[0,1,2,1,2]", "[1,3]"),
        ("[1,2] - [2]", "null", "[1]"),
        ("{a:{b:1}} * {a:{c:2}}", "null", r#"{"a":{"b":1,"c":2}}"#),
        ("\"ab\" * 2", "null", "\"abab\""),
        ("\"a,b\" / \",\"", "null", r#"["a","b"]"#),
        (
            "split(\", *\"; null // \"\") | join(\"-\")",
            "\"a, b,c\"",
            "\"a-b-c\"",
        ),
        (
            "ascii_downcase, ltrimstr(\"A\") | select(. == \"b\")",
            "\"Ab\"",
            "\"b\"",
        ),
        ("explode | implode", "\"aé\"", "\"aé\""),
        ("length", "\"äö\"", "2"),
        ("length", "-5", "5"),
        ("utf8bytelength", "\"äö\"", "4"),
        (
            "tojson | fromjson",
            r#"{"a":[1,2.5,"x"]}"#,
            r#"{"a":[1,2.5,"x"]}"#,
        ),
        ("test(\"^a.c$\")", "\"abc\"", "true"),
        (
            "capture(\"(?<y>[0-9]+)-(?<m>[0-9]+)\")",
            "\"2026-01\"",
            r#"{"y":"2026","m":"01"}"#,
        ),
        ("[scan(\"[0-9]+\")]", "\"a1b22\"", r#"["1","22"]"#),
        ("gsub(\"a\"; \"b\")", "\"banana\"", "\"bbnbnb\""),
        (
            "sub(\"(?<x>n)\"; \"<\\(.x)>\")",
            "\"banana\"",
            "\"ba<n>ana\"",
        ),
        ("[match(\"ö\"; \"g\").offset]", "\"aöbö\"", "[1,3]"),
        (
            "@base64, @json, @uri, @html, @sh, @csv?, @text | select(. == \"YSdi\")",
            "\"a'b\"",
            "\"YSdi\"",
        ),
        ("@base64d", "\"aGk=\"", "\"hi\""),
        ("@uri \"?q=\\(.)\"", "\"a b/ü\"", "\"?q=a%20b%2F%C3%BC\""),
        ("@csv", r#"[1,"a\"b",null,true]"#, r#""1,\"a\"\"b\",,true""#),
        ("@tsv", r#"["a\tb",2]"#, r#""a\\tb\t2""#),
        ("@html", "\"<a>\"", "\"&lt;a&gt;\""),
        ("todate", "0", "\"1970-01-01T00:00:00Z\""),
        ("fromdate", "\"2015-03-05T23:51:47Z\"", "1425599507"),
        ("strftime(\"%Y/%m\")", "86400", "\"1970/01\""),
        ("floor, sqrt, pow(2; 3) | select(. == 8)", "4.5", "8.0"),
        ("[.[] | round]", "[1.5,-1.5,2.4]", "[2,-2,2]"),
        ("splits(\"b\") | select(. == \"c\")", "\"abc\"", "\"c\""),
    ]);
}

#[test]
fn reports_where_and_what() {
    use ExprErrorKind::*;
    let cases: &[(&str, ExprErrorKind, Option<usize>, &str)] = &[
        ("", Syntax, Some(0), "term"),
        (".a | ", Syntax, Some(5), "ends here"),
        (".a + ]", Syntax, Some(5), "`]`"),
        (".a § .b", Syntax, Some(3), "`§`"),
        ("\"abc", Syntax, Some(4), "closing quote"),
        ("(1 + 2", Syntax, Some(6), "closing parenthesis"),
        ("if .a then 1", Syntax, Some(12), "else or end"),
        (". | lenght", Unknown, Some(4), "lenght"),
        ("map(1; 2)", Unknown, Some(0), "2 arguments"),
        (".a + $y", Unknown, Some(5), "$y"),
        ("break $out", Unknown, Some(6), "label"),
        ("now", Refused, Some(0), "now"),
        (".a | debug", Refused, Some(5), "debug"),
        ("$ENV.HOME", Refused, Some(0), "$ENV"),
        ("env", Refused, Some(0), "env"),
        ("input", Refused, Some(0), "input"),
        ("halt", Refused, Some(0), "halt"),
        ("include \"x\"; .", Refused, Some(0), "include"),
        ("infinite", Refused, Some(0), "infinite"),
        ("def f(g): f(g | g); f(.)", Refused, Some(10), "filter"),
        ("error(\"no luck\")", Failed, None, "no luck"),
        ("error({a: 1})", Failed, None, "{\"a\":1}"),
        (". + 1 | .[0]", Failed, None, "cannot index"),
        ("1 / 0", Failed, None, "by zero"),
        ("1 % 0", Failed, None, "zero"),
        ("1e308 * 10", Failed, None, "finite"),
        ("{} + 1", Failed, None, "cannot calculate"),
        ("test(\"(\")", Failed, None, "cannot use"),
        ("\"a\" | test(\"(\")", Failed, None, "regular expression"),
        (
            "\"a\" | test(\"(a{1000}){1000}\")",
            Failed,
            None,
            "regular expression",
        ),
        ("empty", Outputs, None, "no output"),
        ("1, 2", Outputs, None, "more than one"),
        (".[]", Failed, None, "cannot use"),
    ];
    for (text, kind, offset, part) in cases {
        let error = eval(text, &value!(1)).expect_err(text);
        assert_eq!(error.kind, *kind, "{text}: {error:?}");
        assert_eq!(error.offset, *offset, "{text}: {error:?}");
        assert!(error.message.contains(part), "{text}: {error:?}");
    }
    let error = eval(". | lenght", &Value::NULL).unwrap_err();
    assert!(error.help.contains("`length`"), "{error:?}");
}

/// None of these may hang, crash or use up the memory; all must fail, with one of the kinds.
#[test]
fn hostile_expressions_end_in_an_error() {
    let nested_brackets = "[".repeat(100_000);
    let nested_parens = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let pipes = vec!["."; 100_000].join("|");
    let minus = "-".repeat(60_000) + "1";
    let commas = format!("[{}]", vec!["(.,.)"; 60].join("|"));
    let defs = "def f: ".repeat(5000);
    let deep_string = "\"\\(".repeat(5000);
    let texts: Vec<&str> = vec![
        "def f: f; f",
        "def f: 1 + f; f",
        "def f: f | f; f",
        "def f: f, f; f",
        "def f: f, f; first(f)",
        "def f: [f]; f",
        "def f: {a: f}; f",
        "def f: try f catch f; f",
        "def f: (f?), f; [f?]",
        "def f: .a |= f; f",
        "def f($x): f($x + 1); f(0)",
        "def f: def g: f; g; f",
        "def f: label $l | f; f",
        "def f: . as $x | f; f",
        "def f: reduce 1 as $x (.; f); f",
        "def f: f // f; f",
        "def f: if f then f else f end; f",
        "def f: f and f; f",
        "[repeat(.)]",
        "last(repeat(.))",
        "repeat(empty)",
        "first(repeat(empty))",
        "[repeat(empty?)?]",
        "range(1e18) | select(false)",
        "[range(1e18)]",
        "[range(0; 1; 0)]",
        "[range(0; 1; 0)?] | length",
        "last(range(0; 1; 0))",
        "[limit(1e18; range(1e18))]",
        "skip(1e18; range(1e18))",
        "[recurse(. + 1)]",
        "[recurse([., .])]",
        "until(false; .)",
        "while(true; .)",
        "[while(true; .)]",
        "null | last(path(recurse(.a)))",
        "null | def f: .a | f; first(path(f))",
        "null | path(reduce range(1000000) as $i (.; .a))",
        "null | setpath([range(100000) | \"a\"]; 1)",
        "null | getpath([range(1000000) | \"a\"]) |= 1",
        "reduce range(1000000) as $i (0; [.])",
        "reduce range(1000) as $i (0; [.])",
        "reduce range(1000000) as $i (0; {a: .})",
        "reduce range(100) as $i (1; [., .])",
        "reduce range(100) as $i (1; [., .]) | tojson",
        "reduce range(100) as $i (1; [., .]) | tostring | length",
        "reduce range(100) as $i (1; [., .]) | . == (. | map(.))",
        "reduce range(100) as $i (1; [., .]) | sort",
        "reduce range(100) as $i (1; [., .]) | [., .] | sort",
        "reduce range(100) as $i (1; [., .]) | [.[0], .[1]] | group_by(.)",
        "reduce range(100) as $i (1; [., .]) | .. | select(false)",
        "reduce range(100) as $i (1; [., .]) | [..] | length",
        "reduce range(100) as $i (1; [., .]) | flatten",
        "reduce range(100) as $i (1; [., .]) | walk(.)",
        "reduce range(100) as $i (1; [., .]) | indices([[3]]) | error",
        "reduce range(100) as $i ({}; {a: ., b: .}) | . * .",
        "reduce range(100) as $i (1; [., .]) | .. |= .",
        "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(60) as $i ([1]; . + .)",
        "reduce range(60) as $i ({}; . + {\"\\($i)\": ., \"x\\($i)\": .}) | tojson",
        "\"x\" * 1e18",
        "\"x\" * 1e9",
        "[range(1000000) | \"x\" * 10000000]",
        "[range(1e6)] | [.[] as $a | .[] as $b | $a + $b]",
        "[range(100000)] | map([range(100000)])",
        "[range(3000)] | [combinations(5)]",
        "[range(3000) | [range(1000)]] | [combinations]",
        "\"a\" * 20000 | test(\"(a?){3000}b\")",
        "[.[range(1e9)]]",
        "[][1e12] = 1",
        "null | .[1e9] = 1",
        "[range(100000) | \"a\"] | join(\",\") | [match(\"(a|b|c|,)*\"; \"g\")] | [range(1000)] | map([range(100000)])",
        "foreach range(1e12) as $i (0; . + 1; empty)",
        "[foreach repeat(1) as $i (0; . + 1)]",
        "label $out | foreach repeat(1) as $i (0; . + 1; if false then break $out else empty end)",
        "def f: def g: def h: f; h; g; f",
        "def f(g): def r: g | r; r; f(.)",
        "def a(g): g; def b: a(b); b",
        "def a(g): g, g; def b: a(b); b",
        "[splits(\"\"; \"\")] | repeat(.)",
        "any(repeat(false); .)",
        "all(repeat(true); .)",
        "isempty(repeat(empty))",
        "input_line_number",
        "add(repeat(1))",
        "[.] | until(length > 1e9; . + .)",
        "{} | until(false; . + {a: .})",
        "\"\\(repeat(1))\" | empty",
        "tojson | until(false; tojson)",
        "until(false; @json)",
        "until(length > 1e12; @uri)",
        &nested_brackets,
        &nested_parens,
        &pipes,
        &minus,
        &commas,
        &defs,
        &deep_string,
    ];
    let clock = Env::real().clock;
    let run = move |text: &str| {
        let started = clock.monotonic();
        // A fiftieth of the default, so that the whole list takes seconds without optimisation.
        let limits = ExprLimits {
            steps: 200_000,
            ..ExprLimits::default()
        };
        let result = Expr::compile(text, &[]).and_then(|expr| expr.eval(&value!(1), &[], &limits));
        let kind = match result {
            Ok(value) => format!("GAVE {} bytes", value.to_json().len()),
            Err(error) => format!("{:?}", error.kind),
        };
        let took = clock.monotonic() - started;
        assert!(took < Duration::from_secs(60), "{text:.100} took {took:?}");
        (kind, took)
    };
    // A small stack, as a host program's thread may have.
    let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in &texts {
                let (kind, took) = run(text);
                println!("{kind:8} {took:9.1?} {text:.80}");
                assert!(!kind.starts_with("GAVE"), "{text:.100} {kind}");
            }
        });
    thread.unwrap().join().unwrap();
}

#[test]
fn the_most_complex_expression_allowed_fits_a_small_stack() {
    const N: usize = 140;
    let expressions: Vec<String> = vec![
        vec!["."; N].join("|"),
        "(".repeat(N) + "1" + &")".repeat(N),
        "[".repeat(N) + "1" + &"]".repeat(N),
        "-".repeat(N) + "1",
        "1 as $x|".repeat(N / 2 - 2) + "$x",
        "def f: 1;".repeat(N / 2 - 2) + "f",
        "if . then ".repeat(N - 2) + "1" + &" end".repeat(N - 2),
        "try ".repeat(N) + "1",
        "\"\\(".repeat(N) + "1" + &")\"".repeat(N),
        vec!["1"; N].join("+"),
        vec!["1"; N / 2].join("//"),
        vec!["."; N / 2].join(".a|="),
        "label $x|".repeat(N / 2 - 2) + "1",
        "reduce 1 as $x(0;".repeat(N / 4) + "1" + &")".repeat(N / 4),
        "{a:".repeat(N) + "1" + &"}".repeat(N),
        ".[".repeat(N - 2) + "1" + &"]".repeat(N - 2),
    ];
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in &expressions {
                let too_complex =
                    eval(text, &value!([1])).is_err_and(|e| e.kind == ExprErrorKind::Limit);
                assert!(!too_complex, "{text}");
            }
            // The same below the deepest recursion that the evaluation allows.
            let deep = format!(
                "def f: if . < 1000000 then 1 + (. + 1 | f) else {} end; f",
                vec!["."; N - 2].join("|")
            );
            assert!(eval(&deep, &value!(0)).is_err());
        });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_tail_call_is_not_a_recursion() {
    assert_eq!(
        eval(
            "def f: if . < 200000 then . + 1 | f else . end; f",
            &value!(0)
        ),
        Ok(value!(200_000))
    );
    assert_eq!(
        eval("last(limit(100000; repeat(1)))", &value!(0)),
        Ok(value!(1))
    );
    assert_eq!(
        eval("[range(100000)] | map(. + 1) | add", &value!(0)),
        Ok(value!(5_000_050_000_i64))
    );
    assert_eq!(
        eval(
            "reduce range(20000) as $i ([]; . + [$i]) | length",
            &value!(0)
        ),
        Ok(value!(20_000))
    );
}

#[test]
fn one_program_serves_many_threads() {
    let expr = Expr::compile("[range($n)] | map(. * 2) | add", &["n"]).unwrap();
    std::thread::scope(|scope| {
        for n in 1..8_i64 {
            let expr = expr.clone();
            scope.spawn(move || {
                for _ in 0..100 {
                    let sum = expr
                        .eval(&Value::NULL, &[Value::from(n)], &ExprLimits::default())
                        .unwrap();
                    assert_eq!(sum, Value::from(n * (n - 1)));
                }
            });
        }
    });
}

#[test]
fn limits_are_what_they_say() {
    let expr = Expr::compile("[range(.)] | length", &[]).unwrap();
    let limits = ExprLimits {
        steps: 1000,
        ..ExprLimits::default()
    };
    assert_eq!(expr.eval(&value!(100), &[], &limits), Ok(value!(100)));
    assert_eq!(
        expr.eval(&value!(1000), &[], &limits).unwrap_err().kind,
        ExprErrorKind::Steps
    );
    let limits = ExprLimits {
        items: 50,
        ..ExprLimits::default()
    };
    assert_eq!(
        expr.eval(&value!(100), &[], &limits).unwrap_err().kind,
        ExprErrorKind::Size
    );
    // A limit cannot be caught.
    let expr = Expr::compile("try [range(.)] catch 1", &[]).unwrap();
    assert_eq!(
        expr.eval(&value!(100), &[], &limits).unwrap_err().kind,
        ExprErrorKind::Size
    );
}

#[test]
fn long_patterns_and_parts_are_looked_for_in_long_texts() {
    // What is looked through is no text that was made, however long the part that is looked for.
    let input = value!({"text": ("ab".repeat(700_000)), "part": ("b".repeat(200))});
    let limits = ExprLimits::default();
    for (text, expected) in [
        (". as $d | .text | test($d.part)", value!(false)),
        (". as $d | .text | indices($d.part) | length", value!(0)),
    ] {
        let found = Expr::compile(text, &[]).unwrap().eval(&input, &[], &limits);
        assert_eq!(found, Ok(expected), "{text}");
    }
}
