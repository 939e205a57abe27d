//! `statewright/detail/generated.hpp`: the C functions with C++ types; owners that close themselves.

use super::MARK;
use super::model::{
    Direction, Function, Kind, Model, Ownership, Param, Returns, Struct, StructRole,
};
use super::text::Text;

const RUNTIME: &str = include_str!("cpp_runtime.hpp.txt");

pub fn write(model: &Model) -> String {
    let mut text = Text::new("  ");
    text.line(format!("// {MARK}"));
    text.line("//");
    text.line("// The low-level layer that statewright.hpp is built on: one function for each C function.");
    text.line("// C++17. Nothing here throws.");
    text.lines(
        "#ifndef STATEWRIGHT_DETAIL_GENERATED_HPP\n#define STATEWRIGHT_DETAIL_GENERATED_HPP",
    );
    text.blank();
    codes(model, &mut text);
    text.lines(RUNTIME);
    for handle in model.handles().filter(|handle| handle.name != "sw_error") {
        owner(model, handle, &mut text);
    }
    text.blank();
    for options in model.structs().filter(|s| s.role == StructRole::Options) {
        text.comment(
            "///",
            &format!("Default options: {}", options.doc.join(" ")),
        );
        text.block(
            format!(
                "inline {0} make_{1}() noexcept {{",
                options.name,
                options.stem()
            ),
            "}",
            |text| {
                text.line(format!("{} options{{}};", options.name));
                text.line(format!(
                    "static_cast<void>({}_init(&options, sizeof options, nullptr));",
                    options.name
                ));
                text.line("return options;");
            },
        );
        text.blank();
    }
    check(model, &mut text);
    for function in model
        .functions()
        .filter(|f| f.returns == Returns::Status && !f.is_plumbing() && !f.is_manual("cpp"))
    {
        text.blank();
        wrapper(function, &mut text);
    }
    text.blank();
    text.lines("} // namespace detail\n} // namespace v1\n} // namespace statewright");
    text.blank();
    text.line("#endif");
    text.finish()
}

/// `errc`, for people: the only thing here that programs name themselves.
fn codes(model: &Model, text: &mut Text) {
    text.lines("#include <cstddef>\n#include <cstdint>\n#include <string_view>\n#include <type_traits>\n#include <utility>");
    text.blank();
    text.lines("#include <statewright.h>");
    text.blank();
    text.lines("namespace statewright {\ninline namespace v1 {");
    text.blank();
    text.line(
        "/// Why a call did not do what was asked: the codes of `sw_status`. They are stable.",
    );
    text.block("enum class errc : sw_status {", "};", |text| {
        for status in model.statuses() {
            text.comment("///", &status.doc.join(" "));
            let name = status.name.trim_start_matches("SW_").to_lowercase();
            text.line(format!("{name} = {},", status.name));
        }
    });
    text.blank();
}

fn owner(model: &Model, handle: &Struct, text: &mut Text) {
    let Some(close) = model.destructor(&handle.name) else {
        return;
    };
    text.blank();
    text.comment(
        "///",
        &format!(
            "{} Ended by `{}` when it goes.",
            handle.doc.join(" "),
            close.name
        ),
    );
    text.line(format!(
        "using unique_{0} = unique_handle<{1}, &{2}>;",
        handle.stem(),
        handle.name,
        close.name
    ));
}

fn check(model: &Model, text: &mut Text) {
    text.line("/// True if the loaded library is the one this header was generated for.");
    text.block("inline bool abi_matches() noexcept {", "}", |text| {
        text.line("const uint32_t found = sw_abi_version();");
        text.line("const bool same_major = found >> 16 == SW_ABI_VERSION_MAJOR;");
        text.line("const bool same_minor = (found & 0xffffU) == SW_ABI_VERSION_MINOR;");
        let sizes: Vec<String> = model
            .structs()
            .filter(|s| s.role != StructRole::Handle)
            .map(|s| {
                format!(
                    "sw_struct_size(SW_STRUCT_{}) == sizeof({})",
                    s.stem().to_uppercase(),
                    s.name
                )
            })
            .collect();
        text.line("return same_major && (SW_ABI_VERSION_MAJOR > 0 || same_minor)");
        text.indent();
        for (index, size) in sizes.iter().enumerate() {
            let end = if index + 1 == sizes.len() { ";" } else { "" };
            text.line(format!("&& {size}{end}"));
        }
        text.outdent();
    });
}

fn wrapper(function: &Function, text: &mut Text) {
    text.comment(
        "///",
        &format!("Calls `{}`. {}", function.name, function.brief),
    );
    for paragraph in &function.doc {
        text.line("///");
        text.comment("///", paragraph);
    }
    text.line("///");
    for param in &function.params {
        text.comment("///", &format!("@param {} {}", param.name, param.doc));
    }
    if function.error {
        text.line("/// @param error Receives the details of a failure; may be null.");
    }
    let mut params: Vec<String> = function.params.iter().map(parameter).collect();
    if function.error {
        params.push("owned_error *error".to_owned());
    }
    text.line(format!(
        "[[nodiscard]] inline sw_status {}(",
        function.stem()
    ));
    text.indent();
    text.indent();
    for (index, param) in params.iter().enumerate() {
        let end = if index + 1 == params.len() {
            ") noexcept {"
        } else {
            ","
        };
        text.line(format!("{param}{end}"));
    }
    text.outdent();
    body(function, text);
    text.outdent();
    text.line("}");
}

fn parameter(param: &Param) -> String {
    let name = &param.name;
    let stem = param.c_type.trim_start_matches("sw_");
    match (param.direction, param.kind) {
        (Direction::In, Kind::Handle) if param.ownership == Ownership::Consumed => {
            format!("unique_{stem} &{name}")
        }
        (Direction::In, Kind::Text) => format!("std::string_view {name}"),
        (Direction::In, Kind::Bytes | Kind::Msgpack) => format!("bytes_view {name}"),
        (Direction::In, Kind::Options) => format!("const {} *{name}", param.c_type),
        (Direction::In, Kind::Context) => format!("void *{name}"),
        (Direction::In, _) => format!("{} {name}", param.c_type),
        (_, Kind::Handle) => format!("unique_{stem} &{name}"),
        (_, Kind::Text | Kind::Bytes | Kind::Msgpack) => format!("owned_bytes &{name}"),
        (_, Kind::Flag) => format!("bool &{name}"),
        (_, Kind::Events) => format!("{} *{name}", param.c_type),
        _ => format!("{} &{name}", param.c_type),
    }
}

fn body(function: &Function, text: &mut Text) {
    for param in function.outputs().filter(|p| needs_local(p)) {
        text.line(format!("{} c_{}{{}};", param.c_type, param.name));
    }
    if function.error {
        text.line("sw_error c_error{};");
    }
    let mut arguments: Vec<String> = function.params.iter().map(argument).collect();
    if function.error {
        arguments.push("&c_error".to_owned());
    }
    text.line(format!(
        "const sw_status c_status = {}({});",
        function.name,
        arguments.join(", ")
    ));
    for param in function
        .inputs()
        .filter(|p| p.ownership == Ownership::Consumed)
    {
        text.line("// A busy handle was not ended: its owner still has to.");
        text.line(format!(
            "if (c_status != SW_BUSY) static_cast<void>({}.release());",
            param.name
        ));
    }
    for param in function.outputs().filter(|p| needs_local(p)) {
        match param.kind {
            Kind::Flag => text.line(format!("{0} = c_{0} != 0;", param.name)),
            _ => text.line(format!("{0}.reset(c_{0});", param.name)),
        }
    }
    if function.error {
        text.line("take_error(c_error, error);");
    }
    text.line("return c_status;");
}

fn needs_local(param: &Param) -> bool {
    matches!(
        param.kind,
        Kind::Handle | Kind::Text | Kind::Bytes | Kind::Msgpack | Kind::Flag
    )
}

fn argument(param: &Param) -> String {
    let name = &param.name;
    match (param.direction, param.kind) {
        (Direction::In, Kind::Handle) if param.ownership == Ownership::Consumed => {
            format!("{name}.get()")
        }
        (Direction::In, Kind::Text | Kind::Bytes | Kind::Msgpack) => {
            format!("{name}.data(), {name}.size()")
        }
        (Direction::In, _) | (_, Kind::Events) => name.clone(),
        _ if needs_local(param) => format!("&c_{name}"),
        _ => format!("&{name}"),
    }
}
