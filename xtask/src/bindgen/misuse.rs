//! `tests/abi/misuse.c`: every export, called wrongly in every way the model knows of.

use super::MARK;
use super::model::{Direction, Function, Kind, Model, Param, Returns};
use super::text::Text;

const RUNTIME: &str = include_str!("misuse_runtime.c.txt");

/// One way to call a function wrongly: which arguments to replace, and what must come of it.
struct Misuse {
    what: String,
    param: String,
    arguments: String,
    expected: &'static str,
    /// Whether the outputs have been zeroed by the time this is found.
    zeroed: bool,
}

pub fn write(model: &Model) -> String {
    let mut text = Text::new("  ");
    text.line(format!("/* {MARK} */"));
    text.lines(RUNTIME);
    for function in model.functions() {
        text.blank();
        text.block(
            format!("static void test_{}(void) {{", function.name),
            "}",
            |text| test(function, text),
        );
    }
    text.blank();
    text.block("int main(void) {", "}", |text| {
        text.line("open_all();");
        for function in model.functions() {
            text.line(format!("test_{}();", function.name));
        }
        text.line("close_all();");
        text.line("printf(\"%d passed, %d failed\\n\", passed, failed);");
        text.line("return failed != 0;");
    });
    text.finish()
}

fn test(function: &Function, text: &mut Text) {
    if function.returns == Returns::Status {
        for param in &function.params {
            for misuse in misuses(function, param) {
                one(function, &misuse, text);
            }
        }
    }
    text.line("#ifdef SW_PANIC_INJECTION");
    injected(function, text);
    text.line("#endif");
}

fn one(function: &Function, misuse: &Misuse, text: &mut Text) {
    let what = format!("{}: {}", function.name, misuse.what);
    let way = if function.error {
        "WRONG"
    } else {
        "WRONG_PLAIN"
    };
    text.line(format!(
        "{way}(\"{what}\", {}, {});",
        call(function, Some(misuse)),
        misuse.expected
    ));
    if misuse.zeroed {
        for param in function.outputs().filter(|p| p.name != misuse.param) {
            if let Some(place) = place(param) {
                text.line(format!("ZEROED({place});"));
            }
        }
    }
}

/// A panic inside the export is caught at its entry, and again once its engine is known, which poisons the
/// engine.
fn injected(function: &Function, text: &mut Text) {
    let name = &function.name;
    let call = call(function, None);
    match (function.returns, function.error) {
        (Returns::U32, _) => text.line(format!("PANIC_PLAIN(\"{name}\", (sw_status){call}, 0);")),
        (Returns::Text, _) => text.line(format!(
            "PANIC_PLAIN(\"{name}\", (sw_status)strlen({call}), 0);"
        )),
        (Returns::Status, false) => {
            text.line(format!("PANIC_PLAIN(\"{name}\", {call}, SW_PANIC);"))
        }
        (Returns::Status, true) => text.line(format!("PANIC(\"{name}\", {call}, 0);")),
    }
    let concerned = function
        .inputs()
        .any(|p| matches!(p.c_type.as_str(), "sw_engine" | "sw_txn"));
    if concerned {
        text.line(format!("PANIC(\"{name}\", {call}, 1);"));
        text.line(format!("check_poisoned(\"{name}\");"));
    }
}

fn misuses(function: &Function, param: &Param) -> Vec<Misuse> {
    let mut found = Vec::new();
    let name = &param.name;
    let mut add = |what: &str, arguments: String, expected: &'static str, zeroed: bool| {
        found.push(Misuse {
            what: format!("{name} {what}"),
            param: name.clone(),
            arguments,
            expected,
            zeroed,
        });
    };
    match (param.direction, param.kind) {
        (Direction::In, Kind::Handle) => {
            let stem = param.c_type.trim_start_matches("sw_");
            for (what, id) in [
                ("zero", "0".to_owned()),
                ("stale", format!("stale_{stem}.id")),
                ("of another type", format!("other_than_{stem}()")),
                (
                    "of a slot never used",
                    format!("live_{stem}.id ^ 0x0000000000f00000u"),
                ),
                (
                    "of a generation to come",
                    format!("live_{stem}.id ^ 0x0000100000000000u"),
                ),
                (
                    "of another copy of the library",
                    format!("live_{stem}.id ^ 0x0000400000000000u"),
                ),
                ("all ones", "UINT64_MAX".to_owned()),
            ] {
                add(what, format!("as_{stem}({id})"), "SW_MISUSE", true);
            }
        }
        (Direction::In, Kind::Text | Kind::Bytes | Kind::Msgpack) => {
            let (pointer, max) = (
                if param.kind == Kind::Text {
                    "const char *"
                } else {
                    "const uint8_t *"
                },
                param.max.as_deref().unwrap_or("0"),
            );
            add(
                "NULL with a length",
                "NULL, 1".to_owned(),
                "SW_NULL_ARGUMENT",
                true,
            );
            add(
                "above its limit",
                format!("({pointer})\"a\", (size_t){max} + 1"),
                "SW_TOO_LARGE",
                true,
            );
            add(
                "of the largest length",
                format!("({pointer})\"a\", SIZE_MAX"),
                "SW_TOO_LARGE",
                true,
            );
            if param.kind == Kind::Text {
                add(
                    "not UTF-8",
                    "\"\\xff\", 1".to_owned(),
                    "SW_INVALID_UTF8",
                    true,
                );
                add(
                    "cut UTF-8",
                    "\"a\\xe2\\x82\", 3".to_owned(),
                    "SW_INVALID_UTF8",
                    true,
                );
            }
            if param.kind == Kind::Msgpack {
                add(
                    "not MessagePack",
                    format!("({pointer})\"\\xc1\", 1"),
                    "SW_INVALID_MSGPACK",
                    true,
                );
                add(
                    "cut MessagePack",
                    format!("({pointer})\"\\xda\\xff\", 2"),
                    "SW_INVALID_MSGPACK",
                    true,
                );
            }
        }
        (Direction::In, Kind::Options) => {
            let stem = param.c_type.trim_start_matches("sw_");
            add(
                "without struct_size",
                format!("bad_{stem}(0, 0)"),
                "SW_INVALID_ARGUMENT",
                true,
            );
            add(
                "with a huge struct_size",
                format!("bad_{stem}(SW_MAX_STRUCT_BYTES + 1, 0)"),
                "SW_TOO_LARGE",
                true,
            );
            add(
                "with unknown options",
                format!("bad_{stem}(sizeof({}) + 8, 1)", param.c_type),
                "SW_UNSUPPORTED",
                true,
            );
        }
        (Direction::Out | Direction::InOut, _) => {
            add("NULL", "NULL".to_owned(), "SW_NULL_ARGUMENT", false);
            if place(param).is_some() {
                add(
                    "misaligned",
                    format!("({} *)misaligned()", param.c_type),
                    "SW_INVALID_ARGUMENT",
                    false,
                );
            }
            if param.kind == Kind::Struct && param.c_type == "sw_error_info" {
                add(
                    "without struct_size",
                    "info_of_size(0)".to_owned(),
                    "SW_INVALID_ARGUMENT",
                    false,
                );
                add(
                    "with a huge struct_size",
                    "info_of_size(SW_MAX_STRUCT_BYTES + 1)".to_owned(),
                    "SW_TOO_LARGE",
                    false,
                );
            }
        }
        (Direction::In, Kind::Number) if name == "size" => {
            add("zero", "0".to_owned(), "SW_INVALID_ARGUMENT", false);
            add("huge", "SIZE_MAX".to_owned(), "SW_TOO_LARGE", false);
        }
        (Direction::In, Kind::Number)
            if function.params.iter().any(|p| p.cap.as_ref() == Some(name)) =>
        {
            add("zero", "0".to_owned(), "SW_INVALID_ARGUMENT", true);
            add("huge", "SIZE_MAX".to_owned(), "SW_TOO_LARGE", true);
        }
        _ => {}
    }
    found
}

/// The variable that receives an output.
fn place(param: &Param) -> Option<&'static str> {
    if param.direction != Direction::Out {
        return None;
    }
    match (param.kind, param.c_type.as_str()) {
        (Kind::Text | Kind::Bytes | Kind::Msgpack, _) => Some("out_bytes"),
        (Kind::Flag, _) | (Kind::Number, "uint32_t") => Some("out_u32"),
        (Kind::Number, "uint64_t") => Some("out_u64"),
        (Kind::Number, "int32_t") => Some("out_i32"),
        (Kind::Number, "int64_t") => Some("out_i64"),
        (Kind::Number, "double") => Some("out_f64"),
        (Kind::Number, "size_t") => Some("out_size"),
        (Kind::Handle, "sw_engine") => Some("out_engine"),
        (Kind::Handle, "sw_txn") => Some("out_txn"),
        (Kind::Handle, "sw_cq") => Some("out_cq"),
        (Kind::Handle, "sw_value") => Some("out_value"),
        (Kind::Handle, "sw_query") => Some("out_query"),
        (Kind::Handle, "sw_cursor") => Some("out_cursor"),
        (Kind::Handle, "sw_schema") => Some("out_schema"),
        (Kind::Handle, "sw_scan") => Some("out_scan"),
        _ => None,
    }
}

fn call(function: &Function, misuse: Option<&Misuse>) -> String {
    let mut arguments: Vec<String> = Vec::new();
    for param in &function.params {
        match misuse {
            Some(misuse) if misuse.param == param.name => arguments.push(misuse.arguments.clone()),
            _ => arguments.push(good(function, param)),
        }
    }
    if function.error {
        arguments.push("err_place".to_owned());
    }
    format!("{}({})", function.name, arguments.join(", "))
}

/// An argument with which nothing is wrong.
fn good(function: &Function, param: &Param) -> String {
    let stem = param.c_type.trim_start_matches("sw_");
    match (param.direction, param.kind) {
        (Direction::In, Kind::Handle) => format!("live_{stem}"),
        (Direction::In, Kind::Text) if param.name == "path" => "\".a\", 2".to_owned(),
        (Direction::In, Kind::Text) => "\"a\", 1".to_owned(),
        (Direction::In, Kind::Bytes) => "(const uint8_t *)\"a\", 1".to_owned(),
        (Direction::In, Kind::Msgpack) => "(const uint8_t *)\"\\xc0\", 1".to_owned(),
        (Direction::In, Kind::Options | Kind::Callback | Kind::Context) => "NULL".to_owned(),
        (Direction::In, Kind::Number) if param.name == "size" => {
            let filled = function
                .params
                .iter()
                .find(|p| p.direction == Direction::InOut);
            format!("sizeof({})", filled.map_or("int", |p| p.c_type.as_str()))
        }
        (Direction::In, _) => "1".to_owned(),
        (Direction::InOut, _) => format!("&inout_{stem}"),
        (Direction::Out, Kind::Events) => "out_events".to_owned(),
        (Direction::Out, Kind::Struct) => "info_of_size(sizeof(sw_error_info))".to_owned(),
        (Direction::Out, _) => place(param).map_or("NULL".to_owned(), |place| format!("&{place}")),
    }
}
