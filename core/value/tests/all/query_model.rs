//! JSONPath against a model: the words of RFC 9535 as recursive functions over lists of nodes, on random
//! queries and values. And input from people who mean harm.

use std::ops::ControlFlow;
use std::thread;

use proptest::prelude::*;
use statewright_value::{Error, Kind, Path, Query, Value, ValueRef, value};

type Nodes = Vec<(Path, Value)>;

#[derive(Clone, Debug)]
enum Selector {
    Name(String),
    Wildcard,
    Index(i64),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Filter(Box<Condition>),
}

#[derive(Clone, Debug)]
struct Segment {
    descendant: bool,
    selectors: Vec<Selector>,
}

#[derive(Clone, Debug)]
struct Model {
    root: char,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Condition {
    Or(Box<Condition>, Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Exists(Model),
    Compare(Operand, &'static str, Operand),
    /// Function, text, the start that it looks for: the patterns are `start.*` and `start`.
    Match(Operand, String),
    Search(Operand, String),
}

#[derive(Clone, Debug)]
enum Operand {
    Literal(Value),
    Singular(Model),
    Length(Box<Operand>),
    Count(Model),
    Value(Model),
}

fn print_selector(selector: &Selector) -> String {
    let part = |part: &Option<i64>| part.map_or(String::new(), |part| part.to_string());
    match selector {
        Selector::Name(name) => format!("'{name}'"),
        Selector::Wildcard => "*".into(),
        Selector::Index(index) => index.to_string(),
        Selector::Slice(start, end, None) => format!("{}:{}", part(start), part(end)),
        Selector::Slice(start, end, step) => {
            format!("{} : {}:{}", part(start), part(end), part(step))
        }
        Selector::Filter(condition) => format!("?{}", print_condition(condition)),
    }
}

fn print(model: &Model) -> String {
    let mut text = String::from(model.root);
    for segment in &model.segments {
        text.push_str(if segment.descendant { ".." } else { "" });
        match segment.selectors.as_slice() {
            [Selector::Name(name)] if name.starts_with('a') => {
                text.push_str(if segment.descendant { "" } else { "." });
                text.push_str(name);
            }
            selectors => {
                let selectors: Vec<_> = selectors.iter().map(print_selector).collect();
                text.push_str(&format!("[{}]", selectors.join(", ")));
            }
        }
    }
    text
}

fn print_condition(condition: &Condition) -> String {
    match condition {
        Condition::Or(a, b) => format!("({} || {})", print_condition(a), print_condition(b)),
        Condition::And(a, b) => {
            // `&&` binds tighter, so only `||` needs its parentheses, which it always has.
            format!("{} && {}", print_condition(a), print_condition(b))
        }
        Condition::Not(a) => format!("!({})", print_condition(a)),
        Condition::Exists(model) => print(model),
        Condition::Compare(a, comparison, b) => {
            format!("{}{comparison} {}", print_operand(a), print_operand(b))
        }
        Condition::Match(a, start) => format!("match({}, '{start}.*')", print_operand(a)),
        Condition::Search(a, start) => format!("search({},'{start}' )", print_operand(a)),
    }
}

fn print_operand(operand: &Operand) -> String {
    match operand {
        Operand::Literal(value) => value.to_json(),
        Operand::Singular(model) => print(model),
        Operand::Length(operand) => format!("length({})", print_operand(operand)),
        Operand::Count(model) => format!("count( {} )", print(model)),
        Operand::Value(model) => format!("value({})", print(model)),
    }
}

fn children(node: &(Path, Value)) -> Nodes {
    let (path, value) = node;
    match value.kind() {
        Kind::Array => (value.items().enumerate())
            .map(|(at, item)| (path.clone().index(at), item))
            .collect(),
        Kind::Object => (value.entries())
            .map(|(key, value)| (path.clone().key(key), value))
            .collect(),
        _ => Vec::new(),
    }
}

fn select(root: &Value, selector: &Selector, node: &(Path, Value)) -> Nodes {
    let (path, value) = node;
    let len = if value.kind() == Kind::Array {
        value.len() as i64
    } else {
        0
    };
    let absolute = |index: i64| if index < 0 { index + len } else { index };
    let item = |index: i64| {
        let index = usize::try_from(index).ok()?;
        Some((path.clone().index(index), value.index(index)?))
    };
    match selector {
        Selector::Name(name) => {
            let found = value.get(name);
            found
                .map(|value| (path.clone().key(name), value))
                .into_iter()
                .collect()
        }
        Selector::Index(index) => item(absolute(*index)).into_iter().collect(),
        Selector::Wildcard => children(node),
        Selector::Filter(condition) => (children(node).into_iter())
            .filter(|child| holds(root, condition, child))
            .collect(),
        Selector::Slice(start, end, step) => {
            // The pseudocode of section 2.3.4.2.2.
            let step = step.unwrap_or(1);
            let mut indexes = Vec::new();
            if step > 0 {
                let (start, end) = (start.unwrap_or(0), end.unwrap_or(len));
                let mut at = absolute(start).clamp(0, len);
                while at < absolute(end).clamp(0, len) {
                    indexes.push(at);
                    at += step;
                }
            } else if step < 0 {
                let (start, end) = (start.unwrap_or(len - 1), end.unwrap_or(-len - 1));
                let mut at = absolute(start).clamp(-1, len - 1);
                while at > absolute(end).clamp(-1, len - 1) {
                    indexes.push(at);
                    at += step;
                }
            }
            indexes.into_iter().filter_map(item).collect()
        }
    }
}

fn with_descendants(node: &(Path, Value)) -> Nodes {
    let mut all = vec![node.clone()];
    for child in children(node) {
        all.extend(with_descendants(&child));
    }
    all
}

fn evaluate(root: &Value, model: &Model, current: &(Path, Value)) -> Nodes {
    let start = match model.root {
        '$' => (Path::root(), root.clone()),
        _ => current.clone(),
    };
    model.segments.iter().fold(vec![start], |nodes, segment| {
        let from = |node: (Path, Value)| match segment.descendant {
            true => with_descendants(&node),
            false => vec![node],
        };
        let selected = |node: (Path, Value)| {
            let each = segment.selectors.iter();
            each.flat_map(|selector| select(root, selector, &node))
                .collect::<Nodes>()
        };
        nodes
            .into_iter()
            .flat_map(from)
            .flat_map(selected)
            .collect()
    })
}

fn holds(root: &Value, condition: &Condition, node: &(Path, Value)) -> bool {
    let text = |operand: &Operand| match operand_value(root, operand, node) {
        Some(value) => value.as_str().map(str::to_owned),
        None => None,
    };
    match condition {
        Condition::Or(a, b) => holds(root, a, node) || holds(root, b, node),
        Condition::And(a, b) => holds(root, a, node) && holds(root, b, node),
        Condition::Not(a) => !holds(root, a, node),
        Condition::Exists(model) => !evaluate(root, model, node).is_empty(),
        Condition::Compare(a, comparison, b) => {
            let a = operand_value(root, a, node);
            let b = operand_value(root, b, node);
            match *comparison {
                "==" => equal(&a, &b),
                "!=" => !equal(&a, &b),
                "<" => less(&a, &b),
                ">" => less(&b, &a),
                "<=" => less(&a, &b) || equal(&a, &b),
                _ => less(&b, &a) || equal(&a, &b),
            }
        }
        Condition::Match(a, start) => text(a).is_some_and(|text| text.starts_with(start)),
        Condition::Search(a, part) => text(a).is_some_and(|text| text.contains(part)),
    }
}

fn operand_value(root: &Value, operand: &Operand, node: &(Path, Value)) -> Option<Value> {
    match operand {
        Operand::Literal(value) => Some(value.clone()),
        Operand::Singular(model) => evaluate(root, model, node).pop().map(|(_, value)| value),
        Operand::Count(model) => Some(evaluate(root, model, node).len().into()),
        Operand::Value(model) => match evaluate(root, model, node).as_slice() {
            [(_, value)] => Some(value.clone()),
            _ => None,
        },
        Operand::Length(operand) => {
            let value = operand_value(root, operand, node)?;
            match value.kind() {
                Kind::Text => Some(value.as_str()?.chars().count().into()),
                Kind::Array | Kind::Object => Some(value.len().into()),
                _ => None,
            }
        }
    }
}

fn equal(a: &Option<Value>, b: &Option<Value>) -> bool {
    let (a, b) = match (a, b) {
        (None, None) => return true,
        (Some(a), Some(b)) => (a, b),
        _ => return false,
    };
    match (a.kind(), b.kind()) {
        (Kind::Integer | Kind::Float, Kind::Integer | Kind::Float) => a.as_f64() == b.as_f64(),
        (Kind::Array, Kind::Array) => {
            a.len() == b.len()
                && a.items()
                    .zip(b.items())
                    .all(|(a, b)| equal(&Some(a), &Some(b)))
        }
        (Kind::Object, Kind::Object) => {
            a.len() == b.len() && a.entries().all(|(key, a)| equal(&Some(a), &b.get(key)))
        }
        _ => a == b,
    }
}

fn less(a: &Option<Value>, b: &Option<Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => match (a.kind(), b.kind()) {
            (Kind::Integer | Kind::Float, Kind::Integer | Kind::Float) => a.as_f64() < b.as_f64(),
            (Kind::Text, Kind::Text) => a.as_str() < b.as_str(),
            _ => false,
        },
        _ => false,
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-c]", 1 => Just("odd name".to_owned()), 1 => "[0-1]"]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        (-2i64..3).prop_map(|int| Value::from_f64(int as f64 / 2.0).unwrap()),
        "[a-cä]{0,3}".prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name(), inner.clone()), 0..5).prop_map(Value::from_iter),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..20).prop_map(Value::from_iter),
        ]
    })
}

fn singular(root: char) -> impl Strategy<Value = Model> {
    let selector = prop_oneof![
        name().prop_map(Selector::Name),
        (-3i64..3).prop_map(Selector::Index)
    ];
    let segment = selector.prop_map(|selector| Segment {
        descendant: false,
        selectors: vec![selector],
    });
    prop::collection::vec(segment, 0..3).prop_map(move |segments| Model { root, segments })
}

fn plain_selector() -> impl Strategy<Value = Selector> {
    let part = || prop::option::of(-4i64..5);
    prop_oneof![
        3 => name().prop_map(Selector::Name),
        2 => Just(Selector::Wildcard),
        2 => (-3i64..3).prop_map(Selector::Index),
        1 => (part(), part(), part()).prop_map(|(start, end, step)| Selector::Slice(start, end, step)),
    ]
}

fn model(
    root: char,
    selector: impl Strategy<Value = Selector> + 'static,
) -> impl Strategy<Value = Model> {
    let selectors = prop::collection::vec(selector, 1..3);
    let segment =
        (prop::bool::weighted(0.2), selectors).prop_map(|(descendant, selectors)| Segment {
            descendant,
            selectors,
        });
    prop::collection::vec(segment, 0..4).prop_map(move |segments| Model { root, segments })
}

fn operand(
    query: impl Strategy<Value = Model> + Clone + 'static,
) -> impl Strategy<Value = Operand> {
    let simple = prop_oneof![
        2 => scalar().prop_map(Operand::Literal),
        4 => singular('@').prop_map(Operand::Singular),
        1 => singular('$').prop_map(Operand::Singular),
        1 => query.clone().prop_map(Operand::Count),
        1 => query.prop_map(Operand::Value),
    ];
    (simple, prop::bool::weighted(0.2)).prop_map(|(operand, length)| match length {
        true => Operand::Length(Box::new(operand)),
        false => operand,
    })
}

fn condition(query: BoxedStrategy<Model>) -> impl Strategy<Value = Condition> {
    let comparison = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let basic = prop_oneof![
        2 => query.clone().prop_map(Condition::Exists),
        4 => (operand(query.clone()), comparison, operand(query.clone()))
            .prop_map(|(a, comparison, b)| Condition::Compare(a, comparison, b)),
        1 => (operand(query.clone()), "[a-c]{1,2}").prop_map(|(a, start)| Condition::Match(a, start)),
        1 => (operand(query), "[a-c]{1,2}").prop_map(|(a, start)| Condition::Search(a, start)),
    ];
    basic.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            inner.prop_map(|a| Condition::Not(Box::new(a))),
        ]
    })
}

fn filtered(query: BoxedStrategy<Model>) -> impl Strategy<Value = Selector> {
    prop_oneof![
        2 => plain_selector(),
        1 => condition(query).prop_map(|condition| Selector::Filter(Box::new(condition))),
    ]
}

/// Filters in filters, two levels deep.
fn query() -> impl Strategy<Value = Model> {
    let plain = prop_oneof![model('@', plain_selector()), model('$', plain_selector())].boxed();
    let inner = prop_oneof![
        3 => plain.clone(),
        1 => model('@', filtered(plain)),
    ]
    .boxed();
    model('$', filtered(inner))
}

proptest! {
    #[test]
    fn queries_find_what_the_standard_says(doc in document(), model in query()) {
        let text = print(&model);
        let query = Query::parse(&text).unwrap();
        let expected = evaluate(&doc, &model, &(Path::root(), doc.clone()));
        let found: Nodes = query
            .locate(doc.by_ref())
            .unwrap()
            .into_iter()
            .map(|(path, node)| (path, node.to_value()))
            .collect();
        prop_assert_eq!(&found, &expected, "{} on {}", text, doc);
        // The same packed, and half packed and half not.
        let packed = Value::from_json(doc.to_json()).unwrap();
        let mixed = value!({ "doc": packed.clone() }).get("doc").unwrap();
        let mixed: Value = match mixed.kind() {
            Kind::Array => mixed.items().collect(),
            _ => mixed,
        };
        for form in [packed, mixed] {
            let located = query.locate(form.by_ref()).unwrap();
            let same = located.iter().zip(&expected).all(|((a, x), (b, y))| a == b && x.to_value() == *y);
            prop_assert!(same && located.len() == expected.len(), "{} on {}", text, form);
        }
        prop_assert_eq!(query.count(doc.by_ref()).unwrap(), expected.len());
        prop_assert_eq!(
            query.first(doc.by_ref()).unwrap(),
            expected.first().map(|(_, value)| value.by_ref())
        );
        if let Some(most) = query.complexity().max_results {
            prop_assert!(expected.len() as u64 <= most, "{} on {}", text, doc);
        }
        prop_assert!(expected.iter().all(|(path, _)| path.starts_with(&query.prefix())));
    }

    #[test]
    fn a_singular_query_is_a_path(doc in document(), model in singular('$')) {
        let query = Query::parse(&print(&model)).unwrap();
        prop_assert!(query.is_singular());
        if let Some(path) = query.as_path() {
            prop_assert_eq!(query.first(doc.by_ref()).unwrap(), doc.by_ref().at(&path));
            prop_assert_eq!(query.exists(doc.by_ref()).unwrap(), doc.has(&path));
        }
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_stays(doc in document(), model in query()) {
        let query = Query::parse(&print(&model)).unwrap();
        let mut changed = doc.clone();
        let places = query.paths(doc.by_ref()).unwrap();
        match changed.remove_all(&query) {
            Err(_) => prop_assert!(places.contains(&Path::root()) && changed == doc),
            Ok(removed) => {
                let outermost = |place: &Path| !places.iter().any(|other| other.is_ancestor_of(place));
                let mut kept: Vec<&Path> = places.iter().filter(|place| outermost(place)).collect();
                kept.sort();
                kept.dedup();
                prop_assert_eq!(removed, kept.len());
                prop_assert_eq!(changed, without(&doc, Path::root(), &places));
            }
        }
    }

    #[test]
    fn what_is_set_is_there(doc in document(), model in query()) {
        let query = Query::parse(&print(&model)).unwrap();
        let places = query.paths(doc.by_ref()).unwrap();
        let mut changed = doc.clone();
        changed.set_all(&query, &value!("new")).unwrap();
        for place in &places {
            let outermost = places.iter().filter(|other| place.starts_with(other)).min().unwrap();
            prop_assert_eq!(changed.at(outermost), Some(value!("new")));
        }
        prop_assert_eq!(changed == doc, places.is_empty() || doc == value!("new"));
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        text in r#"\$?(\.\.?|\[|\]|\?|@|\$|'|"|\(|\)|,|:|-|[0-9a]|\*|&&|\|\||!|==|<|length|match|\\| |é){0,20}"#,
    ) {
        if let Ok(query) = Query::parse(&text) {
            let _ = query.select(value!({ "a": [1, { "a": "a" }], "é": null }).by_ref()).unwrap();
        }
    }
}

fn without(value: &Value, path: Path, places: &[Path]) -> Value {
    let node = (path, value.clone());
    let kept = children(&node)
        .into_iter()
        .filter(|(path, _)| !places.contains(path));
    match value.kind() {
        Kind::Array => kept
            .map(|(path, item)| without(&item, path, places))
            .collect(),
        Kind::Object => kept
            .map(|(path, value)| {
                let key = path.last().unwrap().to_string_key();
                (key, without(&value, path, places))
            })
            .collect(),
        _ => value.clone(),
    }
}

trait KeyOf {
    fn to_string_key(&self) -> String;
}

impl KeyOf for statewright_value::Segment {
    fn to_string_key(&self) -> String {
        match self {
            statewright_value::Segment::Key(key) => key.to_string(),
            statewright_value::Segment::Index(_) => panic!("no key"),
        }
    }
}

/// Twice as much as the smallest stack a host may give us: frames of a debug build are more than twice as large
/// as those of a release build.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

fn refused(text: &str) -> Error {
    Query::parse(text).unwrap_err()
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(Value::array(), |inner, at| match at % 2 {
        0 => Value::from(vec![inner]),
        _ => [("key", inner)].into_iter().collect(),
    })
}

#[test]
fn deep_queries_are_refused_before_they_hurt() {
    on_small_stack(|| {
        for (open, close) in [
            ("(", ")"),
            ("!(", ")"),
            ("@[?", "]"),
            ("length(", ")"),
            ("count(@[?", "])>0"),
            ("match(@[?", "],'a')"),
        ] {
            for depth in [100, 5000] {
                let text = format!("$[?{}@.a{}]", open.repeat(depth), close.repeat(depth));
                assert!(Query::parse(&text).is_err(), "{open}");
                let unclosed = format!("$[?{}", open.repeat(depth));
                assert_eq!(refused(&unclosed).code(), 207, "{open}");
            }
        }
        // As deep as is allowed, and run.
        let filters = format!(
            "${}@.a{}",
            "[?".to_owned() + &"@[?".repeat(31),
            "]".repeat(32)
        );
        let query = Query::parse(&filters).unwrap();
        assert_eq!(query.count(nested(1024).by_ref()).unwrap(), 0);
        let parentheses = format!("$[?{}@.a{}]", "!(".repeat(31), ")".repeat(31));
        assert_eq!(
            Query::parse(&parentheses)
                .unwrap()
                .count(nested(9).by_ref())
                .unwrap(),
            1
        );
    });
}

#[test]
fn long_queries_are_refused_or_read_in_linear_time() {
    on_small_stack(|| {
        let mega = format!("${}", ".a".repeat(500_000));
        assert_eq!(refused(&mega).code(), 204);
        for part in [
            ".a",
            "[0]",
            "..*",
            "[*]",
            "[?@.a]",
            "['x',0]",
            "[?@.a==1||@.b==2]",
        ] {
            let text = format!("${}", part.repeat(60_000 / part.len()));
            let query = Query::parse(&text).unwrap().with_max_steps(300_000);
            match query.count(nested(1024).by_ref()) {
                Ok(count) => assert_eq!(count, 0, "{part}"),
                Err(refused) => assert_eq!((refused.code(), part), (204, "..*")),
            }
        }
        let many = format!("$[{}0]", "0,".repeat(30_000));
        assert_eq!(
            Query::parse(&many)
                .unwrap()
                .count(value!([1]).by_ref())
                .unwrap(),
            30_001
        );
        let any = format!("$[?{}@.b]", "@.a||".repeat(10_000));
        assert_eq!(
            Query::parse(&any)
                .unwrap()
                .count(value!([{ "b": 1 }]).by_ref())
                .unwrap(),
            1
        );
        let number = format!("$[{}]", "9".repeat(60_000));
        assert_eq!(refused(&number).code(), 207);
        let number = format!("$[?@=={}]", "9".repeat(60_000));
        assert_eq!(refused(&number).code(), 207);
        let string = format!("$['{}", r"\u0061".repeat(10_000));
        assert_eq!(refused(&string).code(), 207);
    });
}

#[test]
fn the_deepest_value_is_walked_on_a_small_stack() {
    on_small_stack(|| {
        let deep = nested(1024);
        let all = Query::parse("$..*").unwrap();
        let located = all.locate(deep.by_ref()).unwrap();
        assert_eq!(located.len(), 1023);
        assert_eq!(located.last().unwrap().0.depth(), 1023);
        let equal = Query::parse("$[?@ == $..nothing || $ == $]").unwrap_err();
        assert_eq!(equal.code(), 207);
        let other = nested(1024);
        let pair = value!([(deep.clone()), (other)]);
        let query = Query::parse("$[?$[0] == $[1]]").unwrap();
        assert_eq!(query.count(pair.by_ref()).unwrap(), 2);
    });
}

#[test]
fn a_query_that_would_not_end_ends_with_a_limit() {
    let row: Value = (0..30).map(Value::from).collect();
    let wide: Value = std::iter::repeat_n(row, 3000).collect();
    let wide = value!({ "a": wide.clone(), "b": wide });
    for text in [
        "$..*..*..*",
        "$[?count($..*) > 0 && count($..*) > 1]..[?count($..*) > 0]",
        "$..[?@ == 1 || count($..*) == 0]",
        "$..[?$.a == $.b]",
        "$..[?$..[?@ == -1]]",
        "$.a[*,*,*,*][*,*,*,*,*,*,*,*][?$.b[*,*,*,*][?@ == 31]]",
    ] {
        let query = Query::parse(text).unwrap().with_max_steps(200_000);
        let result = query.count(wide.by_ref());
        assert!(
            matches!(
                result,
                Err(Error::Limit {
                    what: "number of steps",
                    limit: 200_000,
                    ..
                })
            ),
            "{text}: {result:?}"
        );
    }
    let mut budget = Query::MAX_STEPS;
    let query = Query::parse("$..*..*..*").unwrap();
    let deep = nested(1024);
    let result = query.visit(deep.by_ref(), &mut budget, |_: ValueRef<'_>| {
        ControlFlow::Continue(())
    });
    assert_eq!((result.unwrap_err().code(), budget), (204, 0));
}

#[test]
fn expressions_in_the_value_are_limited() {
    let query = Query::parse("$.texts[?search(@, $.expression)]").unwrap();
    let with = |expression: &str| {
        let doc = value!({ "texts": ["aaa", "b"], "expression": expression });
        query.count(doc.by_ref())
    };
    assert_eq!(with("a{3}").unwrap(), 1);
    assert_eq!(with("(a{1000}){1000}").unwrap_err().code(), 204);
    assert_eq!(with(&"a".repeat(5000)).unwrap_err().code(), 204);
    assert_eq!(with(&"(".repeat(4000)).unwrap(), 0);
    // Linear time: what makes a backtracking engine run for ages.
    let query = Query::parse("$[?match(@, '(a*)*(a|aa)*b')]").unwrap();
    let doc = value!([("a".repeat(100_000))]);
    assert_eq!(query.count(doc.by_ref()).unwrap(), 0);
    // Each text another expression: compiling costs steps.
    let doc: Value = (0..1000)
        .map(|at| value!({ "t": "x", "e": (format!("x{at}.")) }))
        .collect();
    let query = Query::parse("$[?search(@.t, @.e)]")
        .unwrap()
        .with_max_steps(500_000);
    assert_eq!(query.count(doc.by_ref()).unwrap_err().code(), 204);
}
