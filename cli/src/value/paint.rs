//! Colours for JSON on terminals.

use anstyle::{AnsiColor, Style};

const KEY: Style = AnsiColor::Blue.on_default().bold();
const TEXT: Style = AnsiColor::Green.on_default();
const NUMBER: Style = AnsiColor::Cyan.on_default();
const WORD: Style = AnsiColor::Magenta.on_default();

/// JSON as it was printed, with colours around keys and scalars.
pub fn json(text: &str) -> String {
    let mut painted = String::with_capacity(text.len().saturating_mul(2));
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (len, style) = match first {
            '"' => {
                let len = string_len(rest);
                let is_key = rest.get(len..).is_some_and(|after| after.starts_with(':'));
                (len, Some(if is_key { KEY } else { TEXT }))
            }
            '-' | '0'..='9' => (
                run(rest, |c| !matches!(c, ',' | ']' | '}' | '\n' | ' ')),
                Some(NUMBER),
            ),
            'a'..='z' => (run(rest, |c| c.is_ascii_lowercase()), Some(WORD)),
            _ => (
                run(rest, |c| !matches!(c, '"' | '-' | '0'..='9' | 'a'..='z')),
                None,
            ),
        };
        let (token, after) = rest.split_at_checked(len.max(1)).unwrap_or((rest, ""));
        match style {
            Some(style) => painted.push_str(&format!("{style}{token}{style:#}")),
            None => painted.push_str(token),
        }
        rest = after;
    }
    painted
}

/// How long a prefix of such characters is, in bytes.
fn run(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// How long the string is that `text` begins with, quotes included, in bytes.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_texts_numbers_and_words_are_told_apart() {
        let marked = json(r#"{"a\"b": ["x", -1.5e3, true, {}]}"#);
        let blue = format!("{KEY}\"a\\\"b\"{KEY:#}");
        assert_eq!(
            marked,
            format!(
                "{{{blue}: [{TEXT}\"x\"{TEXT:#}, {NUMBER}-1.5e3{NUMBER:#}, {WORD}true{WORD:#}, {{}}]}}"
            )
        );
    }

    #[test]
    fn nothing_is_lost() {
        for text in ["\"ü\\\\\"", "[]", "{\n  \"a\": null\n}", "-0", "\"open"] {
            assert_eq!(anstream::adapter::strip_str(&json(text)).to_string(), text);
        }
    }
}
