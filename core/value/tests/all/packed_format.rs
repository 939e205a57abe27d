//! The packed form's bytes are those that `docs/FORMAT.md` describes, section 9: here they are made by hand.

use statewright_value::{Limits, Value, value};

fn text(six: &str) -> u64 {
    let mut bytes = [0xFF; 8];
    bytes[..six.len()].copy_from_slice(six.as_bytes());
    0xFFF5 << 48 | u64::from_le_bytes(bytes) & 0xFFFF_FFFF_FFFF
}

fn word(eight: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*eight)
}

#[test]
fn the_words_of_a_value_are_those_of_the_description() {
    let value = value!({"id": 17, "name": "longer than six", "tags": ["a", true, null], "f": 1.5});
    let words: [u64; 16] = [
        word(b"longer t"), // 0: a text
        word(b"han six\0"),
        text("a"), // 2: items
        0xFFF1 << 48 | 2,
        0xFFF1 << 48,
        0xFFF2 << 48 | 17, // 5: the record's values
        0xFFF6 << 48 | 15 << 32,
        0xFFF8 << 48 | 3 << 32 | 2,
        1.5_f64.to_bits(),
        text("id"), // 9: the shape's keys
        text("name"),
        text("tags"),
        text("f"),
        0xC24A_77D5_8653_BA83, // 13: XXH3 of name and id, of f and tags
        0x9FF3_BA9A_313B_4B94,
        0xFFF8 << 48 | 4 << 32 | 9, // 15: the table of shapes
    ];
    let head = [
        word(b"SWPK\x01\0\0\0"),
        16,
        0xFFF9 << 48 | 5,
        1 << 32 | 15,
        0,
    ];
    let all = head.iter().chain(&words);
    let bytes: Vec<u8> = all.flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(value.to_packed_bytes().unwrap(), bytes);
    let read = Value::from_packed_bytes(&bytes, &Limits::default());
    assert_eq!(read.unwrap(), value);
}
