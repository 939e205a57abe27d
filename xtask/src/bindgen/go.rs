//! `bindings/go/internal/capi/zz_generated.go`: the C functions with Go types, and nothing more.

use super::MARK;
use super::model::{
    Direction, Function, Kind, Model, Param, Returns, Struct, StructRole, camel, pascal,
};
use super::text::Text;

const PACKAGE: &str = "\
// Package capi is the C ABI of Statewright in Go types: one function for each C function,
// values as MessagePack.
//
// It adds nothing of its own. Where the library is found (compiler and linker flags) is for
// another file of the package.
package capi";

const RUNTIME: &str = include_str!("go_runtime.go.txt");

/// Go's keywords, its predeclared names, and what the functions written here use.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go",
    "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type",
    "var", "any", "append", "bool", "byte", "cap", "clear", "close", "comparable", "complex", "complex64",
    "complex128", "copy", "delete", "error", "false", "float32", "float64", "imag", "int", "int8", "int16", "int32",
    "int64", "iota", "len", "make", "max", "min", "new", "nil", "panic", "print", "println", "real", "recover", "rune",
    "string", "true", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
    "buffer", "bytesPointer", "err", "fail", "fmt", "takeBytes", "takeText", "textPointer", "unsafe",
];

pub fn write(model: &Model) -> String {
    let mut text = Text::new("\t");
    text.line(format!("// {MARK}"));
    text.blank();
    text.lines(PACKAGE);
    text.blank();
    text.line("/*");
    text.line("#include <statewright.h>");
    text.blank();
    for function in model
        .functions()
        .filter(|f| !f.is_manual("go") && !f.name.ends_with("_options_init"))
    {
        // The only function of the host that the library calls is the wake-up, which Go never sets.
        text.line(format!("#cgo noescape {}", function.name));
        text.line(format!("#cgo nocallback {}", function.name));
    }
    text.line("*/");
    text.lines("import \"C\"\n\nimport (\n\t\"fmt\"\n\t\"unsafe\"\n)");
    text.blank();
    constants(model, &mut text);
    text.lines(RUNTIME);
    text.blank();
    check(model, &mut text);
    for handle in model.handles().filter(|handle| handle.name != "sw_error") {
        handle_type(handle, &mut text);
    }
    for options in model.structs().filter(|s| s.role == StructRole::Options) {
        options_type(options, &mut text);
    }
    for function in model
        .functions()
        .filter(|f| !f.is_plumbing() && !f.is_manual("go"))
    {
        text.blank();
        wrapper(function, &mut text);
    }
    text.finish()
}

fn constants(model: &Model, text: &mut Text) {
    text.line("// The constants keep their C names, so that they can be found in the reference.");
    for constant in model.constants() {
        let go_type = if constant.c_type == "sw_status" {
            " Status"
        } else {
            ""
        };
        text.blank();
        for paragraph in &constant.doc {
            text.comment("//", &format!("{}: {paragraph}", constant.name));
        }
        text.line(format!(
            "const {}{go_type} = {}",
            constant.name, constant.value
        ));
    }
    text.blank();
}

fn check(model: &Model, text: &mut Text) {
    text.line(
        "// CheckABI fails if the loaded library is not the one this package was generated for.",
    );
    text.block("func CheckABI() error {", "}", |text| {
        text.line("const wanted = SW_ABI_VERSION");
        text.line("found := AbiVersion()");
        text.block("if found>>16 != wanted>>16 || (wanted>>16 == 0 && found != wanted) {", "}", |text| {
            text.line("const message = \"libstatewright %s speaks ABI %d.%d, not %d.%d\"");
            text.line("return fmt.Errorf(message, Version(), found>>16, found&0xffff, wanted>>16, wanted&0xffff)");
        });
        text.block("for _, s := range []struct {", "}{", |text| {
            text.line("name  string");
            text.line("which uint32");
            text.line("size  uintptr");
        });
        text.indent();
        for s in model.structs().filter(|s| s.role != StructRole::Handle) {
            let which = format!("SW_STRUCT_{}", s.stem().to_uppercase());
            text.line(format!("{{\"{0}\", {which}, C.sizeof_{0}}},", s.name));
        }
        text.outdent();
        text.block("} {", "}", |text| {
            text.block("if size := StructSize(s.which); uintptr(size) != s.size {", "}", |text| {
                text.line("const message = \"libstatewright %s has a %s of %d bytes, not %d\"");
                    text.line("return fmt.Errorf(message, Version(), s.name, size, s.size)");
            });
        });
        text.line("return nil");
    });
}

fn handle_type(handle: &Struct, text: &mut Text) {
    let name = pascal(handle.stem());
    text.blank();
    text.comment("//", &format!("{name}: {}", handle.doc.join(" ")));
    text.line(format!("type {name} struct{{ id C.uint64_t }}"));
    text.blank();
    text.line("// IsZero tells whether this is no handle at all.");
    text.line(format!(
        "func (h {name}) IsZero() bool {{ return h.id == 0 }}"
    ));
    text.blank();
    text.line(format!(
        "func (h {name}) c() C.{0} {{ return C.{0}{{id: h.id}} }}",
        handle.name
    ));
}

fn options_type(options: &Struct, text: &mut Text) {
    let name = pascal(options.stem());
    let fields = || {
        options
            .fields
            .iter()
            .filter(|field| field.name != "struct_size")
    };
    text.blank();
    text.comment(
        "//",
        &format!(
            "{name}: {} Zero is the default of every field.",
            options.doc.join(" ")
        ),
    );
    text.block(format!("type {name} struct {{"), "}", |text| {
        for (index, field) in fields().enumerate() {
            if index > 0 {
                text.blank();
            }
            text.comment("//", &field.doc.join(" "));
            text.line(format!(
                "{} {}",
                pascal(&field.name),
                go_number(&field.c_type)
            ));
        }
    });
    text.blank();
    text.block(
        format!("func (o *{name}) c(out *C.{0}) *C.{0} {{", options.name),
        "}",
        |text| {
            text.block("if o == nil {", "}", |text| text.line("return nil"));
            text.line(format!("out.struct_size = C.sizeof_{}", options.name));
            for field in fields() {
                text.line(format!(
                    "out.{0} = C.{1}(o.{2})",
                    field.name,
                    field.c_type,
                    pascal(&field.name)
                ));
            }
            text.line("return out");
        },
    );
}

fn wrapper(function: &Function, text: &mut Text) {
    let name = pascal(function.stem());
    text.comment(
        "//",
        &format!("{name} calls {}. {}", function.name, function.brief),
    );
    for paragraph in &function.doc {
        text.line("//");
        text.comment("//", paragraph);
    }
    let is_told = |p: &&Param| p.kind != Kind::Events && !is_part(function, p);
    for (index, param) in function.params.iter().filter(is_told).enumerate() {
        if index == 0 {
            text.line("//");
        }
        text.comment("//", &format!("{}: {}", go_name(&param.name), param.doc));
    }
    let mut inputs: Vec<String> = function
        .params
        .iter()
        .filter(|p| {
            p.kind == Kind::Events || (p.direction == Direction::In && !is_part(function, p))
        })
        .map(|p| {
            if p.kind == Kind::Events {
                "buffer *EventBuffer".to_owned()
            } else {
                format!("{} {}", go_name(&p.name), go_type(p))
            }
        })
        .collect();
    let inputs = {
        inputs.dedup();
        inputs.join(", ")
    };
    match function.returns {
        Returns::U32 => {
            text.block(format!("func {name}({inputs}) uint32 {{"), "}", |text| {
                text.line(format!("return uint32({})", call(function)))
            });
        }
        Returns::Text => {
            text.block(format!("func {name}({inputs}) string {{"), "}", |text| {
                text.line(format!("return C.GoString({})", call(function)))
            });
        }
        Returns::Status => {
            let outputs: Vec<&Param> = function
                .outputs()
                .filter(|p| !is_part(function, p))
                .collect();
            let mut results: Vec<String> = outputs
                .iter()
                .map(|p| {
                    if p.kind == Kind::Events {
                        "events []Event".to_owned()
                    } else {
                        format!("{} {}", go_name(&p.name), go_type(p))
                    }
                })
                .collect();
            results.push("err error".to_owned());
            text.block(
                format!("func {name}({inputs}) ({}) {{", results.join(", ")),
                "}",
                |text| body(function, &outputs, text),
            );
        }
    }
}

/// The capacity and the count of an array of events are part of the buffer.
fn is_part(function: &Function, param: &Param) -> bool {
    function
        .params
        .iter()
        .any(|p| p.cap.as_ref() == Some(&param.name) || p.count.as_ref() == Some(&param.name))
}

fn body(function: &Function, outputs: &[&Param], text: &mut Text) {
    for param in &function.params {
        match (param.direction, param.kind) {
            (Direction::In, Kind::Options) => {
                text.line(format!("var c{} C.{}", pascal(&param.name), param.c_type))
            }
            (Direction::Out, Kind::Events) => {}
            (Direction::Out, _) => {
                text.line(format!("var c{} C.{}", pascal(&param.name), param.c_type))
            }
            _ => {}
        }
    }
    if function.error {
        text.line("var cErr C.sw_error");
    }
    // A parameter may be called `status`; none begins with `c` and a capital.
    text.line(format!("cStatus := {}", call(function)));
    text.block("if cStatus != C.SW_OK {", "}", |text| {
        text.line(if function.error {
            "err = fail(cStatus, cErr)"
        } else {
            "err = fail(cStatus, C.sw_error{})"
        });
        text.line("return");
    });
    for param in outputs {
        let (name, c) = (go_name(&param.name), format!("c{}", pascal(&param.name)));
        let value = match param.kind {
            Kind::Text => format!("takeText(&{c})"),
            Kind::Bytes | Kind::Msgpack => format!("takeBytes(&{c})"),
            Kind::Flag => format!("{c} != 0"),
            Kind::Handle => format!(
                "{}{{id: {c}.id}}",
                pascal(param.c_type.trim_start_matches("sw_"))
            ),
            Kind::Events => format!(
                "buffer.take(int(c{}))",
                pascal(param.count.as_deref().unwrap_or_default())
            ),
            _ => format!("{}({c})", go_type(param)),
        };
        let name = if param.kind == Kind::Events {
            "events".to_owned()
        } else {
            name
        };
        text.line(format!("{name} = {value}"));
    }
    text.line("return");
}

fn call(function: &Function) -> String {
    let mut arguments = Vec::new();
    for param in &function.params {
        let (name, c) = (go_name(&param.name), format!("c{}", pascal(&param.name)));
        match (param.direction, param.kind) {
            (_, Kind::Events) => arguments.push("buffer.pointer()".to_owned()),
            (Direction::In, _) if is_part(function, param) => {
                arguments.push("buffer.cap()".to_owned())
            }
            (Direction::In, Kind::Handle) => arguments.push(format!("{name}.c()")),
            (Direction::In, Kind::Text) => {
                arguments.push(format!("textPointer({name}), C.size_t(len({name}))"))
            }
            (Direction::In, Kind::Bytes | Kind::Msgpack) => {
                arguments.push(format!("bytesPointer({name}), C.size_t(len({name}))"))
            }
            (Direction::In, Kind::Options) => arguments.push(format!("{name}.c(&{c})")),
            (Direction::In, _) => arguments.push(format!("C.{}({name})", param.c_type)),
            _ => arguments.push(format!("&{c}")),
        }
    }
    if function.error {
        arguments.push("&cErr".to_owned());
    }
    format!("C.{}({})", function.name, arguments.join(", "))
}

/// A parameter's name in Go. One that Go, or the code written here, needs for itself gets an underscore: a parameter
/// called `len` would hide the function that measures the others.
fn go_name(name: &str) -> String {
    let name = camel(name);
    if RESERVED.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}

fn go_type(param: &Param) -> String {
    match param.kind {
        Kind::Handle => pascal(param.c_type.trim_start_matches("sw_")),
        Kind::Text => "string".to_owned(),
        Kind::Bytes | Kind::Msgpack => "[]byte".to_owned(),
        Kind::Flag => "bool".to_owned(),
        Kind::Options => format!("*{}", pascal(param.c_type.trim_start_matches("sw_"))),
        _ => go_number(&param.c_type).to_owned(),
    }
}

fn go_number(c_type: &str) -> &'static str {
    match c_type {
        "uint32_t" => "uint32",
        "int32_t" => "int32",
        "int64_t" => "int64",
        "double" => "float64",
        "sw_status" => "Status",
        "size_t" => "int",
        _ => "uint64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_hides_nothing_of_go() {
        assert_eq!(go_name("value"), "value");
        assert_eq!(go_name("max_items"), "maxItems");
        for (name, safe) in [("len", "len_"), ("type", "type_"), ("err", "err_")] {
            assert_eq!(go_name(name), safe);
        }
    }
}
