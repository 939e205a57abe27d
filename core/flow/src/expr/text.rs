//! Filters that turn texts into other texts: escaping, base64, dates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jaq_core::native::{bome, unary, v};

use super::meter;
use super::natives::Filter;
use super::number::Number;
use super::value::{Json, Result, fail};

pub(super) fn funs() -> Vec<Filter> {
    vec![
        ("escape_html", v(0), |cv| {
            bome(
                cv.1.try_str()
                    .and_then(|text| Json::text(escape_html(text))),
            )
        }),
        ("encode_uri", v(0), |cv| {
            bome(cv.1.try_str().and_then(|text| Json::text(encode_uri(text))))
        }),
        ("decode_uri", v(0), |cv| {
            bome(cv.1.try_str().and_then(decode_uri))
        }),
        ("encode_base64", v(0), |cv| {
            bome(
                cv.1.try_str()
                    .and_then(|text| Json::text(STANDARD.encode(text))),
            )
        }),
        ("decode_base64", v(0), |cv| bome(decode_base64(&cv.1))),
        ("todateiso8601", v(0), |cv| bome(to_date(&cv.1))),
        ("fromdateiso8601", v(0), |cv| bome(from_date(&cv.1))),
        ("strftime", v(1), |cv| {
            unary(cv, |time, format| strftime(&time, &format))
        }),
    ]
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// RFC 3986: everything but the unreserved characters is percent-encoded.
fn encode_uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode_uri(text: &str) -> Result {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |digit: &u8| {
            char::from(*digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let (Some(high), Some(low)) = (hex(high), hex(low)) else {
                    return fail(format_args!(
                        "{text:?} has a % that two hexadecimal digits do not follow"
                    ));
                };
                bytes.push(high << 4 | low);
                after
            }
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    Json::text(String::from_utf8_lossy(&bytes))
}

fn decode_base64(json: &Json) -> Result {
    let text = json.try_str()?;
    meter::charge_text(text.len())?;
    match STANDARD.decode(text) {
        Ok(bytes) => Json::text(String::from_utf8_lossy(&bytes)),
        Err(error) => fail(format_args!("cannot decode {json} as base64: {error}")),
    }
}

fn timestamp(json: &Json) -> Result<jiff::Timestamp> {
    let made = match json.number() {
        Some(Number::Integer(seconds)) => i64::try_from(seconds)
            .ok()
            .map(jiff::Timestamp::from_second),
        Some(Number::Float(seconds)) => {
            Some(jiff::Timestamp::from_microsecond((seconds * 1e6) as i64))
        }
        None => None,
    };
    match made {
        Some(Ok(timestamp)) => Ok(timestamp),
        _ => fail(format_args!("{json} is not a time in seconds since 1970")),
    }
}

fn to_date(json: &Json) -> Result {
    Json::text(timestamp(json)?.to_string())
}

fn from_date(json: &Json) -> Result {
    let text = json.try_str()?;
    let Ok(timestamp) = text.parse::<jiff::Timestamp>() else {
        return fail(format_args!(
            "{json} is not an RFC 3339 time such as \"2026-01-31T12:00:00Z\""
        ));
    };
    match timestamp.subsec_nanosecond() {
        0 => Ok(Json::from(timestamp.as_second() as isize)),
        _ => Ok(Json::from(timestamp.as_microsecond() as f64 / 1e6)),
    }
}

fn strftime(json: &Json, format: &Json) -> Result {
    let zoned = timestamp(json)?.to_zoned(jiff::tz::TimeZone::UTC);
    match jiff::fmt::strtime::format(format.try_str()?, &zoned) {
        Ok(text) => Json::text(text),
        Err(error) => fail(format_args!("cannot format a time as {format}: {error}")),
    }
}
