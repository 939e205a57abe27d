//! How a task's values cross the pipes of a program.

use statewright_value::{Kind, Value};

use crate::failure::Failure;
use crate::net::Format;

impl Format {
    /// The bytes that a program gets on its stdin. Fails if the value is not of the form.
    pub fn encode(self, input: &Value) -> Result<Vec<u8>, Failure> {
        match self {
            Format::None => Ok(Vec::new()),
            Format::Json => Ok(input.to_json().into_bytes()),
            Format::Text => {
                let text = input
                    .as_str()
                    .ok_or_else(|| Failure::wrong("input", "a string for `stdin: text`", input))?;
                Ok(text.as_bytes().to_vec())
            }
            Format::Lines => {
                let wrong = || {
                    Failure::wrong(
                        "input",
                        "an array of strings without line breaks for `stdin: lines`",
                        input,
                    )
                };
                if input.kind() != Kind::Array {
                    return Err(wrong());
                }
                let mut bytes = Vec::new();
                for line in input.items() {
                    let line = line
                        .as_str()
                        .filter(|l| !l.contains('\n'))
                        .map(str::to_owned)
                        .ok_or_else(wrong)?;
                    bytes.extend_from_slice(line.as_bytes());
                    bytes.push(b'\n');
                }
                Ok(bytes)
            }
        }
    }

    /// The value that a program's stdout holds. Fails if it is not of the form; trying again may help.
    pub fn decode(self, stdout: &[u8]) -> Result<Value, Failure> {
        let text = || {
            std::str::from_utf8(stdout).map_err(|e| {
                let at = e.valid_up_to();
                Failure::new(
                    "output",
                    format!("the program's stdout is not UTF-8 from byte {at} on"),
                )
            })
        };
        match self {
            Format::None => Ok(Value::NULL),
            Format::Json => Value::from_json(stdout).map_err(|e| {
                Failure::new("output", format!("the program's stdout is not JSON ({e}); say `stdout: text` if it is not meant to be"))
            }),
            Format::Text => Ok(Value::from(text()?)),
            Format::Lines => Ok(text()?.lines().map(Value::from).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use statewright_value::value;

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for (format, value) in [
            (Format::Json, value!({"a": [1, "ü"]})),
            (Format::Text, value!("two\nlines\n")),
            (Format::Lines, value!(["one", "", "three"])),
            (Format::None, Value::NULL),
        ] {
            assert_eq!(
                format.decode(&format.encode(&value).unwrap()).unwrap(),
                value,
                "{format:?}"
            );
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for (format, value) in [
            (Format::Text, value!(1)),
            (Format::Lines, value!("one")),
            (Format::Lines, value!(["one", 2])),
            (Format::Lines, value!(["one\ntwo"])),
        ] {
            assert!(
                !format.encode(&value).unwrap_err().retryable,
                "{format:?} {value}"
            );
        }
        assert!(Format::Json.decode(b"oops").is_err());
        assert!(
            Format::Text
                .decode(b"\xff")
                .unwrap_err()
                .message
                .contains("byte 0")
        );
    }
}
