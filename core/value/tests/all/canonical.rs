//! Canonical JSON (RFC 8785), with the examples of the RFC, and the content hash.

use proptest::prelude::*;
use statewright_value::{Value, value};

fn canonical(json: &str) -> String {
    Value::from_json(json).unwrap().to_canonical_json().unwrap()
}

#[test]
fn the_example_of_section_3_2_2() {
    let json = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical(json), expected);
}

#[test]
fn the_example_of_section_3_2_3() {
    let json = r#"{
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let printed = Value::from_json(canonical(json)).unwrap();
    let values: Vec<String> = (printed.entries())
        .map(|(_, value)| value.as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ];
    assert_eq!(values, expected);
}

#[test]
fn the_numbers_of_appendix_b() {
    let cases: [(u64, &str); 24] = [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ];
    for (bits, expected) in cases {
        let float = Value::from_f64(f64::from_bits(bits)).unwrap();
        assert_eq!(float.to_canonical_json().unwrap(), expected);
    }
}

#[test]
fn other_kinds_print_as_in_plain_json() {
    let value = value!({
        "decimal": (Value::decimal("12.50").unwrap()),
        "bytes": (Value::bytes(*b"hi")),
        "file": (statewright_value::File::new("b", 1).with_location("a")),
        "float": 12.0,
    });
    assert_eq!(
        value.to_canonical_json().unwrap(),
        r#"{"bytes":{"$bytes":"aGk="},"decimal":12.5,"file":{"location":"a","name":"b","size":1},"float":12}"#
    );
}

#[test]
fn what_would_be_rounded_is_refused_with_its_path() {
    let cases = [
        (value!({ "a": [0, 9007199254740993i64] }), ".a[1]"),
        (value!([(u64::MAX)]), ".[0]"),
        (
            value!({ "b": (Value::decimal("0.12345678901234567890").unwrap()) }),
            ".b",
        ),
    ];
    for (value, path) in cases {
        let error = value.to_canonical_json().unwrap_err();
        assert_eq!(error.code(), 205);
        assert!(
            error
                .to_string()
                .starts_with(&format!("not representable at {path}: ")),
            "{error}"
        );
    }
    for (fits, printed) in [
        (value!(1i64 << 60), "1152921504606847000"),
        (value!(-(1i64 << 53)), "-9007199254740992"),
    ] {
        assert_eq!(fits.to_canonical_json().unwrap(), printed);
    }
}

#[test]
fn the_content_hash_is_stable() {
    let value = value!({ "a": 1, "b": [true, null, 1.5, "text"] });
    let hash = value.content_hash();
    assert_eq!(
        hash,
        value!({ "b": [true, null, 1.5, "text"], "a": 1 }).content_hash()
    );
    assert_ne!(
        hash,
        value!({ "a": 1.0, "b": [true, null, 1.5, "text"] }).content_hash()
    );
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "c8d43388e6b9cad7614cb97a4f4ff9f6e91b0090e37b7f6b37c863dc1ead51bd"
    );
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", Value::from_f64),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// 124872503428130272 is a double, whose shortest digits end in …270: what was printed must be readable.
#[test]
fn integers_that_doubles_print_are_accepted() {
    let printed = value!(124872503428130270.0).to_canonical_json().unwrap();
    assert_eq!(printed, "124872503428130270");
    for same in [124872503428130270_i64, 124872503428130272] {
        assert_eq!(Value::from(same).to_canonical_json().unwrap(), printed);
    }
    let between = Value::from(124872503428130271_i64);
    assert_eq!(between.to_canonical_json().unwrap_err().code(), 205);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn it_reads_back_and_is_stable(value in json()) {
        let printed = value.to_canonical_json().unwrap();
        let read = Value::from_json(&printed).unwrap();
        prop_assert_eq!(read.to_canonical_json().unwrap(), printed.clone());
        // Another reader sees the same doubles.
        let doubles = |json: serde_json::Value| Value::from(&json).to_canonical_json().unwrap();
        prop_assert_eq!(doubles(serde_json::from_str(&value.to_json()).unwrap()), printed);
    }
}
