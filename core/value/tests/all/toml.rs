//! TOML: what it becomes, what it cannot be, and people who mean harm. The public suite is run in `tests/`.

use std::thread;

use statewright_value::{Error, Kind, Limits, Path, Value, path, value};

#[test]
fn every_type_has_its_kind() {
    let text = r#"
        title = "TOML"
        answer = 42
        ratio = 0.5
        yes = true
        moment = 1979-05-27T07:32:00.25-08:00
        local = 1979-05-27T07:32:00
        day = 1979-05-27
        noon = 12:00:00
        dotted.key = []
        [[table.array]]
        inline = { a = 1, b = [2, 3] }
        [[table.array]]
    "#;
    let value = Value::from_toml(text).unwrap();
    for (path, kind) in [
        (".title", Kind::Text),
        (".answer", Kind::Integer),
        (".ratio", Kind::Float),
        (".yes", Kind::Bool),
        (".moment", Kind::DateTime),
        (".local", Kind::Text),
        (".day", Kind::Date),
        (".noon", Kind::Time),
        (".dotted.key", Kind::Array),
        (".table.array[0].inline", Kind::Object),
        (".table.array[1]", Kind::Object),
    ] {
        let found = value.at(&Path::parse(path).unwrap()).unwrap();
        assert_eq!(found.kind(), kind, "{path}");
    }
    assert_eq!(value.get("local"), Some("1979-05-27T07:32:00".into()));
    let keys: Vec<_> = value.by_ref().entries().map(|(key, _)| key).collect();
    assert_eq!(keys[..3], ["title", "answer", "ratio"]);
    assert_eq!(Value::from_toml(value.to_toml().unwrap()).unwrap(), value);
}

#[test]
fn what_toml_lacks_takes_its_plain_form_or_is_refused() {
    let value = value!({
        "price": (Value::decimal("12.50").unwrap()),
        "wait": (Value::duration("PT1H").unwrap()),
        "bytes": (Value::bytes([1, 2])),
    });
    let text = value.to_toml().unwrap();
    let plain = Value::from_json(value.to_json()).unwrap();
    assert_eq!(Value::from_toml(&text).unwrap(), plain, "{text}");

    let early = Value::date("-000044-03-15").unwrap();
    for (value, at) in [
        (value!({"a": [1, {"b": null}]}), path!["a", 1, "b"]),
        (value!({"a": (u64::MAX)}), path!["a"]),
        (value!({"a": early}), path!["a"]),
    ] {
        match value.to_toml().unwrap_err() {
            Error::NotRepresentable { at: place, .. } => assert_eq!(place, at.to_string()),
            other => assert_eq!(other.to_string(), "", "{value}"),
        }
    }
    for value in [value!([1]), Value::NULL, value!("text")] {
        assert_eq!(value.to_toml().unwrap_err().code(), 203, "{value}");
    }
}

#[test]
fn errors_say_where() {
    for (text, error) in [
        ("a = 1\nb = = 2", "invalid TOML at line 2, column 5:"),
        ("a = 1\nä = 2", "invalid TOML at line 2, column 1:"),
        (
            "a = 1\na = 2",
            "invalid TOML at line 2, column 1: duplicate key",
        ),
        (
            "a = [1, { b = nan }]",
            "not representable at .a[1].b: a float is finite",
        ),
    ] {
        let refused = Value::from_toml(text).unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
    }
    let refused = Value::from_toml(b"a = 1\nb = \"\xff\"").unwrap_err();
    let at = "invalid TOML at line 2, column 6: the text is not UTF-8";
    assert_eq!(refused.to_string(), at);
    assert_eq!(refused.code(), 217);
}

/// Documents that nest, as text and with their true depth.
fn nesting() -> Vec<(String, usize)> {
    let key = |levels: usize| vec!["a"; levels].join(".");
    let inline = |times: usize, levels: usize| {
        let open = format!("{{ {} = ", key(levels)).repeat(times);
        format!("x = {open}1{}", " }".repeat(times))
    };
    vec![
        (format!("x = {}{}", "[".repeat(60), "]".repeat(60)), 61),
        (format!("{} = 1", key(70)), 70),
        (inline(10, 5), 51),
        (format!("[{}]\n{} = 1", key(30), key(40)), 70),
        (inline(78, 79), 6_163),
        (format!("[{}]\n{}", key(79), inline(78, 79)), 6_242),
        (format!("[{}]", key(1_000_000)), 1_000_000),
        (format!("{} = 1", key(1_000_000)), 1_000_000),
        (format!("x = {}", "[".repeat(1_000_000)), 1_000_000),
        (inline(100_000, 1), 100_001),
    ]
}

#[test]
fn depth_is_limited_before_anything_recurses() {
    // The crate recurses once for each level: 128 of them need less than this in a debug build.
    let test = || {
        for (text, depth) in nesting() {
            let shown: String = text.chars().take(40).collect();
            match Value::from_toml(&text) {
                Ok(_) => assert!(depth <= 128, "{shown}"),
                Err(Error::Limit { what, .. }) => {
                    assert!(what == "nesting depth" && depth > 128, "{shown}");
                }
                Err(other) => assert_eq!(other.to_string(), "", "{shown}"),
            }
        }
    };
    let small = thread::Builder::new().stack_size(1 << 20);
    small.spawn(test).unwrap().join().unwrap();
}

#[test]
fn limits_hold() {
    let limits = Limits::default().with_max_depth(3).with_max_items(4);
    assert!(Value::from_toml_with("a.b = [1]", &limits).is_ok());
    assert!(Value::from_toml_with("a.b = [[1]]", &limits).is_err());
    assert!(Value::from_toml_with("a = [1, 2, 3]", &limits).is_err());
    let limits = Limits::default().with_max_bytes(5);
    assert_eq!(
        Value::from_toml_with("a = 12", &limits).unwrap_err().code(),
        204
    );

    let mut deep = value!({});
    for _ in 0..128 {
        deep = value!({ "a": deep });
    }
    assert_eq!(deep.to_toml().unwrap_err().code(), 204);
    assert!(deep.get("a").unwrap().to_toml().is_ok());
}
