//! JSONPath: the public suite, a naive model, hostile input, and what is promised beyond the standard.

use std::fs;
use std::ops::ControlFlow;

use serde_json::Value as Json;
use statewright_value::{Error, Path, PathCache, Query, QueryCache, Value, value};

use crate::suites::suite;

#[test]
fn the_compliance_suite_of_rfc_9535() {
    let Some(folder) = suite("jsonpath-rfc9535") else {
        return;
    };
    let text = fs::read(folder.join("cts.json")).unwrap();
    let cases: Json = serde_json::from_slice(&text).unwrap();
    let (mut invalid, mut valid, mut wrong) = (0, 0, Vec::new());
    for case in cases["tests"].as_array().unwrap() {
        let selector = case["selector"].as_str().unwrap();
        let query = Query::parse(selector);
        if case["invalid_selector"] == true {
            invalid += 1;
            match query {
                Err(Error::InvalidQuery { .. }) => {}
                other => wrong.push(format!("{selector:?}: {other:?}")),
            }
            continue;
        }
        valid += 1;
        let query = match query {
            Ok(query) => query,
            Err(error) => {
                wrong.push(format!("{selector:?}: {error}"));
                continue;
            }
        };
        let document = Value::from(&case["document"]);
        let located = query.locate(document.by_ref()).unwrap();
        let values: Vec<Value> = located.iter().map(|(_, node)| node.to_value()).collect();
        let paths: Vec<String> = located
            .iter()
            .map(|(path, _)| path.to_normalized())
            .collect();
        let same = |one: &str, several: &str, found: Json| match case.get(one) {
            Some(expected) => *expected == found,
            None => case[several].as_array().unwrap().contains(&found),
        };
        let found = Json::from(Value::from(values.clone()));
        if !same("result", "results", found.clone())
            || !same("result_paths", "results_paths", Json::from(paths.clone()))
        {
            wrong.push(format!("{selector:?} on {document}: {found} at {paths:?}"));
        }
        assert_eq!(
            query.select(document.by_ref()).unwrap(),
            values.iter().map(Value::by_ref).collect::<Vec<_>>()
        );
        assert_eq!(query.count(document.by_ref()).unwrap(), values.len());
        assert_eq!(
            query.first(document.by_ref()).unwrap(),
            values.first().map(Value::by_ref)
        );
        for (path, node) in located {
            assert_eq!(document.by_ref().at(&path), Some(node));
            assert_eq!(Path::from_normalized(&path.to_normalized()).unwrap(), path);
        }
        if let Some(most) = query.complexity().max_results {
            assert!(values.len() as u64 <= most, "{selector}");
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} of them",
        wrong.join("\n"),
        wrong.len()
    );
    assert_eq!((invalid, valid), (247, 456));
}

#[test]
fn what_is_refused_is_explained_at_its_place() {
    for (query, position, says) in [
        ("", 1, "starts with `$`"),
        ("user", 1, "starts with `$`"),
        ("@.a", 1, "only inside a filter"),
        (" $", 1, "blanks before"),
        ("$.a ", 4, "blanks after"),
        ("$.a b", 5, "brackets and quotes"),
        ("$.", 3, "comes a name"),
        ("$..", 4, "comes a name"),
        ("$.1", 3, "comes a name"),
        ("$[a]", 3, "is quoted"),
        ("$[]", 3, "expected a selector"),
        ("$['a',]", 7, "expected a selector"),
        ("$['a'", 6, "expected `,` or `]`"),
        ("$[", 3, "not closed"),
        ("$[@.a]", 3, "starts with `?`"),
        ("$[1.5]", 4, "whole number"),
        ("$[01]", 3, "leading zeros"),
        ("$[-0]", 3, "no `-0`"),
        ("$[+1]", 3, "no `+`"),
        ("$[9007199254740992]", 3, "2^53 - 1"),
        ("$['é\u{1}']", 5, r"`\u0001`"),
        (r"$['\x']", 4, "after a backslash"),
        (r#"$["\'"]"#, 4, "needs no backslash"),
        (r"$['\uD800']", 4, "surrogate"),
        ("$['abc]", 3, "does not end with '"),
        ("$[?true]", 4, "compare it"),
        ("$[?length(@.a)]", 4, "`length(…) > 2`"),
        ("$[?@.* == 1]", 4, "value(…) or count(…)"),
        ("$[?match(@.a,'b')==true]", 4, "true or false by itself"),
        (
            "$[?match(@.a)]",
            10,
            "takes 2 arguments, text and regular expression, and 1",
        ),
        ("$[?count(1)>0]", 10, "is a query"),
        (
            "$[?len(@.a)>0]",
            4,
            "there are length, count, match, search and value",
        ),
        ("$[?!@.a==1]", 8, "`!(@.a == 1)`"),
        ("$[?(@.a)==1]", 9, "cannot be compared"),
        ("$[?1<@.a<3]", 9, "joined with `&&`"),
        ("$[?@.a==True]", 9, "lower case"),
        ("$[?@.a=1]", 7, "after a condition"),
        ("$[?@.a==1e999]", 9, "beyond the range"),
        ("$[?(@.a]", 8, "expected `)`"),
        ("$[?search(@.a,'(a{1000}){1000}')]", 15, "1 MiB"),
    ] {
        match Query::parse(query).unwrap_err() {
            Error::InvalidQuery {
                position: at,
                reason,
                ..
            } => {
                assert!(reason.contains(says), "{query}: {reason}");
                assert_eq!(at, position, "{query}: {reason}");
            }
            other => panic!("{query}: {other}"),
        }
    }
}

#[test]
fn what_can_hardly_be_meant_is_told() {
    for (query, positions) in [
        ("$.a[?@.b == true && match(@.c, 'x.*')]", &[][..]),
        (r"$.é[?match(@.c, '\\d+')]", &[17]),
        ("$[?search(@.c, 1)]", &[16]),
        ("$[?@.a < true || null >= @.b]", &[10, 26]),
        ("$[::0]", &[5]),
    ] {
        let warnings = Query::parse(query).unwrap();
        let warnings = warnings.warnings().iter().map(|warning| warning.position);
        assert_eq!(warnings.collect::<Vec<_>>(), positions, "{query}");
    }
}

fn found(query: &str, doc: &Value) -> Vec<Value> {
    let found = doc.query(query).unwrap();
    found.into_iter().map(|node| node.to_value()).collect()
}

#[test]
fn numbers_compare_by_value() {
    let doc = value!([
        1,
        1.0,
        9007199254740993i64,
        9007199254740992.0,
        u64::MAX,
        1e300,
        (-0.0),
        0
    ]);
    assert_eq!(found("$[?@ == 1]", &doc), [value!(1), value!(1.0)]);
    assert_eq!(found("$[?@ == 1.0]", &doc), [value!(1), value!(1.0)]);
    assert_eq!(
        found("$[?@ == 9007199254740993]", &doc),
        [value!(9007199254740993i64)]
    );
    assert_eq!(
        found("$[?@ == 9007199254740992.0]", &doc),
        [value!(9007199254740992.0)]
    );
    assert_eq!(
        found("$[?@ >= 18446744073709551615]", &doc),
        [value!(u64::MAX), value!(1e300)]
    );
    assert_eq!(found("$[?@ == -0]", &doc), [value!(-0.0), value!(0)]);
    assert_eq!(found("$[?@ < 0]", &doc), []);
    let doc = value!({ "a": [1, { "x": [2.0] }], "b": [1.0, { "x": [2] }] });
    assert_eq!(doc.query("$[?$.a == $.b]").unwrap().len(), 2);
}

#[test]
fn bytes_have_a_length_and_equality() {
    let doc: Value = [
        ("a", Value::bytes(*b"ab")),
        ("b", Value::bytes(*b"ab")),
        ("c", Value::from("ab")),
    ]
    .into_iter()
    .collect();
    assert_eq!(doc.query("$[?length(@) == 2]").unwrap().len(), 3);
    assert_eq!(doc.query("$[?@ == $.a]").unwrap().len(), 2);
    assert_eq!(doc.query("$[?@ < $.a || @ > $.a]").unwrap().len(), 0);
}

#[test]
fn kinds_beyond_json_are_numbers_and_texts() {
    let doc = Value::from_typed_json(
        r#"[{"$decimal": "12.50"}, {"$decimal": "12.5"}, {"$decimal": "0.1"}, 12.5, 0.1, 12,
            {"$date": "2026-03-01"}, {"$date": "2025-12-31"}, "2026-01-15",
            {"$datetime": "2026-03-01T12:00:00+00:00"}, {"$datetime": "2026-03-01T13:00:00+01:00"},
            {"$duration": "PT1H"}, {"$duration": "PT90M"}]"#,
    );
    let Ok(doc) = doc else {
        return; // a build without the features that read them
    };
    for (condition, places) in [
        ("@ == 12.5", &[0, 1, 3][..]),
        ("@ == $[0]", &[0, 1, 3]),
        ("@ == 0.1", &[4]), // which is no tenth, but the double next to it
        ("@ < 12 && @ > 0", &[2, 4]),
        ("@ > $[5] && @ <= $[1]", &[0, 1, 3]),
        ("@ >= '2026-01-15' && @ < '2026-03-01T'", &[6, 8]),
        ("@ < $[6]", &[7, 8]),
        ("@ == $[9]", &[9, 10]),
        ("@ <= $[10]", &[8, 9, 10]),
        ("@ > $[11]", &[12]),
        ("match(@, '2026-.*')", &[6, 8, 9, 10]),
        ("length(@) == 10", &[6, 7, 8]),
    ] {
        let query = Query::parse(&format!("$[?{condition}]")).unwrap();
        let found: Vec<Path> = places.iter().map(|at| Path::root().index(*at)).collect();
        assert_eq!(query.paths(doc.by_ref()).unwrap(), found, "{condition}");
    }
}

#[test]
fn regular_expressions() {
    let doc = value!(["RT @you", "rt", "a.b", "aXb", "a\nb", "Ä1", "", "ab"]);
    for (condition, expected) in [
        ("search(@, 'RT')", value!(["RT @you"])),
        ("search(@, '')", doc.clone()),
        ("match(@, '')", value!([""])),
        ("match(@, 'a.b')", value!(["a.b", "aXb"])),
        (r"match(@, 'a\\.b')", value!(["a.b"])),
        (r"match(@, 'a\\nb')", value!(["a\nb"])),
        (r"match(@, '\\p{Lu}\\p{Nd}')", value!(["Ä1"])),
        ("match(@, '[^a-z]*')", value!(["Ä1", ""])),
        ("match(@, 'a|ab')", value!(["ab"])),
        ("match(@, '(a|b){2,3}')", value!(["ab"])),
        // What is no I-Regexp matches nothing (RFC 9535 section 2.4.6), and that can be negated.
        (r"search(@, '\\d')", value!([])),
        ("search(@, '(?i)RT')", value!([])),
        ("search(@, 'a**')", value!([])),
        ("search(@, 1)", value!([])),
        ("!search(@, '[')", doc.clone()),
        ("match(@, $[7])", value!(["ab"])),
        ("search(@, $[1])", value!(["rt"])),
        ("search(@, $[9])", value!([])),
    ] {
        let found: Value = found(&format!("$[?{condition}]"), &doc).into();
        assert_eq!(found, expected, "{condition}");
    }
}

#[test]
fn what_is_known_before_running() {
    for (query, singular, path, prefix, most) in [
        ("$", true, Some("."), ".", Some(1)),
        ("$.a['b'][0]", true, Some(".a.b[0]"), ".a.b[0]", Some(1)),
        ("$.a[-1].b", true, None, ".a", Some(1)),
        ("$.a[0,1,'x'].b[2:5]", false, None, ".a", Some(9)),
        ("$[?@.a].b", false, None, ".", None),
        ("$.a..b", false, None, ".a", None),
        ("$[10:0:-3]", false, None, ".", Some(4)),
        ("$[-3:]", false, None, ".", Some(3)),
        ("$[2:]", false, None, ".", None),
        ("$[::0].*", false, None, ".", None),
    ] {
        let query = Query::parse(query).unwrap();
        assert_eq!(query.is_singular(), singular, "{query}");
        assert_eq!(
            query.as_path(),
            path.map(|path| Path::parse(path).unwrap()),
            "{query}"
        );
        assert_eq!(query.prefix(), Path::parse(prefix).unwrap(), "{query}");
        assert_eq!(query.complexity().max_results, most, "{query}");
    }
    let complexity = Query::parse("$..a[?@..b && match(@.x, 'y') || count(@[?@.c]) > 1]")
        .unwrap()
        .complexity();
    assert_eq!(
        (
            complexity.segments,
            complexity.descendants,
            complexity.filters,
            complexity.patterns
        ),
        (2, 2, 2, 1)
    );
}

#[test]
fn a_visit_shares_its_steps_and_can_stop() {
    let doc: Value = (0..100).map(Value::from).collect();
    let query = Query::parse("$[*]").unwrap();
    let (mut steps, mut seen) = (1000, 0);
    let break_at = |limit: i32| {
        move |seen: &mut i32| {
            *seen += 1;
            if *seen == limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    };
    let stop = break_at(3);
    query
        .visit(doc.by_ref(), &mut steps, |_| stop(&mut seen))
        .unwrap();
    assert_eq!((seen, steps), (3, 1000 - 4));
    query
        .visit(doc.by_ref(), &mut steps, |_| stop(&mut seen))
        .unwrap();
    let left = steps;
    assert!(seen == 103 && left < 1000 - 100);
    let mut few = 10;
    let refused = query
        .visit(doc.by_ref(), &mut few, |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert_eq!((refused.code(), few), (204, 0));
    assert!(
        query.first(doc.by_ref()).unwrap() == Some(value!(0).by_ref())
            && query.exists(doc.by_ref()).unwrap()
    );
}

#[test]
fn edits_through_a_query() {
    let mut doc = value!({ "a": [0, 1, 2, 3, 4, 5], "b": { "a": [1, [1, 1]], "c": 1 } });
    let before = doc.clone();
    let query = |text| Query::parse(text).unwrap();
    assert_eq!(doc.remove_all(&query("$..[?@ == 1]")).unwrap(), 5);
    assert_eq!(doc, value!({ "a": [0, 2, 3, 4, 5], "b": { "a": [[]] } }));
    // What is in another result goes with it; what is found twice counts once.
    doc = before.clone();
    assert_eq!(doc.remove_all(&query("$['b','b']..*")).unwrap(), 2);
    assert_eq!(doc.remove_all(&query("$..*")).unwrap(), 2);
    assert_eq!(doc, value!({}));
    doc = before.clone();
    assert_eq!(doc.set_all(&query("$..a"), &value!("x")).unwrap(), 2);
    assert_eq!(doc, value!({ "a": "x", "b": { "a": "x", "c": 1 } }));
    assert_eq!(doc.set_all(&query("$"), &value!(7)).unwrap(), 1);
    assert_eq!(doc, value!(7));
    doc = before.clone();
    assert_eq!(doc.remove_all(&query("$")).unwrap_err().code(), 202);
    assert_eq!(doc.remove_all(&query("$..nothing")).unwrap(), 0);
    let deep = (1..1024).fold(Value::array(), |inner, _| Value::from(vec![inner]));
    assert_eq!(doc.set_all(&query("$..c"), &deep).unwrap_err().code(), 204);
    assert_eq!(
        doc.remove_all(&query("$..*").with_max_steps(5))
            .unwrap_err()
            .code(),
        204
    );
    assert_eq!(doc, before);
}

#[test]
fn many_removals_from_one_array_are_quick() {
    let mut doc: Value = (0..200_000).map(Value::from).collect();
    assert_eq!(
        doc.remove_all(&Query::parse("$[::2]").unwrap()).unwrap(),
        100_000
    );
    assert_eq!(
        (doc.len(), doc.index(99_999)),
        (100_000, Some(value!(199_999)))
    );
}

#[test]
fn caches_keep_what_was_used_last_and_count() {
    let cache = QueryCache::new(3);
    for text in ["$.a", "$.b", "$.c", "$.a", "$.d", "$.a", "$.b"] {
        cache.get(text).unwrap();
    }
    assert!(cache.get("nonsense").is_err());
    let stats = cache.stats();
    assert_eq!(
        (
            stats.hits,
            stats.misses,
            stats.evictions,
            stats.len,
            stats.capacity
        ),
        (2, 6, 2, 3, 3)
    );
    assert_eq!(stats.hit_rate(), 0.25);
    cache.get("$.d").unwrap();
    assert_eq!(cache.stats().hits, 3);
    cache.clear();
    cache.get("$.d").unwrap();
    assert_eq!((cache.stats().len, cache.stats().misses), (1, 7));
    let none = PathCache::new(0);
    assert_eq!(*none.get(".a").unwrap(), Path::root().key("a"));
    assert_eq!(none.stats().len, 0);
    let one = PathCache::new(1);
    for _ in 0..3 {
        one.get(".a").unwrap();
        one.get(".b").unwrap();
    }
    assert_eq!(
        (one.stats().len, one.stats().hits, one.stats().evictions),
        (1, 0, 5)
    );
    // Long texts are not kept.
    one.get(&format!(".{}", "a".repeat(10_000))).unwrap();
    assert!(one.get(".b").is_ok() && one.stats().hits == 1);
}

#[test]
fn a_cache_is_shared_by_threads() {
    let cache = QueryCache::new(8);
    let doc = value!({ "k3": 3 });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, doc) = (&cache, &doc);
            scope.spawn(move || {
                for at in 0..2000 {
                    let key = (at * 7 + thread) % 16;
                    let query = cache.get(&format!("$.k{key}")).unwrap();
                    assert_eq!(query.count(doc.by_ref()).unwrap(), usize::from(key == 3));
                }
            });
        }
    });
    let stats = cache.stats();
    assert_eq!((stats.hits + stats.misses, stats.len), (8000, 8));
}

/// `n` times `a` or `b`, in no order.
fn mixed(n: usize) -> String {
    let mut seed = 1u64;
    let next = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if seed >> 40 & 1 == 1 { 'a' } else { 'b' }
    };
    (0..n).map(next).collect()
}

/// The expressions whose states are too many cost what they are large, for each byte of text.
#[test]
fn the_price_of_a_match_counts_the_size_of_the_expression() {
    let doc = value!([{ "t": mixed(100_000), "p": "[ab]*a[ab]{200}c" }]);
    let steps = |text: &str| {
        let mut left = 1_000_000_000;
        let query = Query::parse(text).unwrap();
        query
            .visit(doc.by_ref(), &mut left, |_| ControlFlow::Continue(()))
            .unwrap();
        1_000_000_000 - left
    };
    assert!(steps("$[?search(@.t, '[ab]*a[ab]{2}c')]") < 2_000);
    assert!(steps("$[?match(@.t, '[ab]{1,2000}')]") < 2_000);
    let large = steps("$[?search(@.t, '[ab]*a[ab]{200}c')]");
    assert!((1_000_000..4_000_000).contains(&large), "{large}");
    let read = steps("$[?search(@.t, @.p)]");
    assert!((large..large + 100_000).contains(&read), "{read}");
    let hostile = Query::parse("$[?search(@.t, '[ab]*a[ab]{2000}c')]").unwrap();
    assert_eq!(hostile.select(doc.by_ref()).unwrap_err().code(), 204);
}

/// A short text has thousands of conditions.
#[test]
fn every_condition_costs_a_step() {
    let doc: Value = (0..100).map(Value::from).collect();
    for condition in ["@ == -1", "-1 == @", "1 == 2", "!@", "@ < $", "!$"] {
        let query = format!("$[?{}]", vec![condition; 1000].join(" || "));
        let query = Query::parse(&query).unwrap().with_max_steps(100_000);
        let refused = query.select(doc.by_ref()).unwrap_err();
        assert_eq!(refused.code(), 204, "{condition}");
    }
}

#[test]
fn the_expressions_of_a_query_have_a_size_together() {
    let of = |count: usize, pattern: &str| {
        let calls = vec![format!("search(@.a, '{pattern}')"); count];
        Query::parse(&format!("$[?{}]", calls.join(" || "))).map(|_| ())
    };
    for pattern in [r"[0-9]{4}-[0-9]{2}", r"\\p{L}+ \\p{Nd}+", ".*a.*b"] {
        of(40, pattern).unwrap();
    }
    assert!(
        of(400, "[ab]{5000}")
            .unwrap_err()
            .to_string()
            .contains("4 MiB")
    );
}
