//! The low-level layer for Node: an addon with one JavaScript function for each C function, and its types.

use super::MARK;
use super::model::{
    Direction, Function, Kind, Model, Ownership, Param, Returns, Role, Struct, StructRole, Thread,
    camel, pascal,
};
use super::text::Text;

const RUNTIME: &str = include_str!("node_runtime.hpp.txt");

/// What the addon's other files need: reading arguments, giving results, throwing failures.
pub fn header() -> String {
    format!("// {MARK}\n{RUNTIME}")
}

fn generated(model: &Model) -> impl Iterator<Item = &Function> {
    model
        .functions()
        .filter(|f| !f.is_plumbing() && !f.is_manual("node"))
}

/// Whether the function also comes as a promise: one that may be called from any thread, or that ends its handle
/// (committing a transaction). What only starts an operation needs none.
fn has_promise(function: &Function) -> bool {
    let ends = function
        .params
        .iter()
        .any(|p| p.ownership == Ownership::Consumed);
    let any_thread = function.thread == Thread::Safe || ends;
    function.returns == Returns::Status
        && function.role != Role::Submit
        && function.on != "cq"
        && any_thread
}

pub fn addon(model: &Model) -> String {
    let mut text = Text::new("  ");
    text.line(format!("// {MARK}"));
    text.line("//");
    text.line("// One JavaScript function for each C function, which runs at once and throws failures; and for most, one that");
    text.line("// runs on libuv's pool and returns a promise (its name ends with Async).");
    text.line("#include \"zz_generated.hpp\"");
    text.blank();
    text.line("namespace statewright_node {");
    text.line("namespace {");
    for options in model.structs().filter(|s| s.role == StructRole::Options) {
        text.blank();
        options_reader(options, &mut text);
    }
    for handle in model.handles() {
        if let Some(end) = model
            .destructor(&handle.name)
            .filter(|end| !end.is_plumbing())
        {
            text.blank();
            let (name, stem) = (&handle.name, handle.stem());
            text.line(format!(
                "void end_{stem}(uint64_t id) {{ static_cast<void>({}({name}{{id}}, nullptr)); }}",
                end.name
            ));
        }
    }
    text.blank();
    text.line("// A namespace of their own: the C library has functions of some of these names.");
    text.line("namespace call {");
    for function in generated(model).filter(|f| f.returns == Returns::Status) {
        text.blank();
        call(function, &mut text);
    }
    text.blank();
    text.line("} // namespace call");
    for function in generated(model).filter(|f| f.returns != Returns::Status) {
        text.blank();
        pure(function, &mut text);
    }
    text.blank();
    text.line("} // namespace");
    text.blank();
    register(model, &mut text);
    text.blank();
    abi_matches(model, &mut text);
    text.blank();
    text.line("} // namespace statewright_node");
    text.finish()
}

fn register(model: &Model, text: &mut Text) {
    text.block("void register_generated(Napi::Env env, Napi::Object exports) {", "}", |text| {
        text.block("if (!abi_matches()) {", "}", |text| {
            text.line("const char *message = \"the loaded libstatewright is not the version this addon needs\";");
            text.line("Napi::Error::New(env, message).ThrowAsJavaScriptException();");
            text.line("return;");
        });
        for function in generated(model) {
            let (stem, name) = (function.stem(), camel(function.stem()));
            let mut export = |callback: String, name: &str| {
                text.line(format!("exports.Set(\"{name}\", Napi::Function::New<{callback}>(env, \"{name}\"));"));
            };
            match function.returns {
                Returns::Status => export(format!("now<call::{stem}>"), &name),
                _ => export(stem.to_owned(), &name),
            }
            if has_promise(function) {
                export(format!("later<call::{stem}>"), &format!("{name}Async"));
            }
        }
        text.line("Napi::Object constants = Napi::Object::New(env);");
        for constant in model.constants() {
            let value = format!("Napi::Number::New(env, static_cast<double>({}))", constant.name);
            text.line(format!("constants.Set(\"{}\", {value});", constant.name));
        }
        text.line("exports.Set(\"constants\", constants);");
    });
}

fn abi_matches(model: &Model, text: &mut Text) {
    text.block("bool abi_matches() noexcept {", "}", |text| {
        text.line("const uint32_t found = sw_abi_version();");
        text.line("bool matches = found >> 16 == SW_ABI_VERSION_MAJOR;");
        text.line("matches = matches && (SW_ABI_VERSION_MAJOR > 0 || (found & 0xffffU) == SW_ABI_VERSION_MINOR);");
        for s in model.structs().filter(|s| s.role != StructRole::Handle) {
            let which = s.stem().to_uppercase();
            text.line(format!("matches = matches && sw_struct_size(SW_STRUCT_{which}) == sizeof({});", s.name));
        }
        text.line("return matches;");
    });
}

fn options_reader(options: &Struct, text: &mut Text) {
    text.block(
        format!(
            "bool read_{0}(arguments &args, size_t index, {1} *options, bool *given) {{",
            options.stem(),
            options.name
        ),
        "}",
        |text| {
            text.line("*given = false;");
            text.line("Napi::Object object;");
            text.line("if (!args.object(index, \"options\", &object, given) || !*given) return !args.failed();");
            text.line(format!("if ({}_init(options, sizeof *options, nullptr) != SW_OK) return false;", options.name));
            for field in options.fields.iter().filter(|field| field.name != "struct_size") {
                let (reader, name) = (field_reader(&field.c_type), camel(&field.name));
                let place = format!("&options->{}", field.name);
                text.line(format!("if (!args.{reader}(object, \"{name}\", {place})) return false;"));
            }
            text.line("return true;");
        },
    );
}

fn field_reader(c_type: &str) -> &'static str {
    if c_type == "uint64_t" {
        "field_u64"
    } else {
        "field_u32"
    }
}

/// One struct: the arguments, how they are read, the call, and what it gives.
fn call(function: &Function, text: &mut Text) {
    text.line(format!("// {}: {}", function.name, function.brief));
    let open = format!("struct {} : call_base {{", function.stem());
    text.block(open, "};", |text| {
        for param in function.inputs() {
            text.line(format!("{};", local(param)));
            if param.kind == Kind::Options {
                text.line(format!("bool {}_given = false;", param.name));
            }
        }
        for param in function.outputs() {
            text.line(format!("{} {}{{}};", param.c_type, out(param)));
        }
        let reads: Vec<String> = function
            .inputs()
            .enumerate()
            .map(|(index, param)| read(index, param))
            .collect();
        if !reads.is_empty() {
            text.blank();
            text.block("bool read(arguments &args) {", "}", |text| {
                text.line(format!("return {};", reads.join(" && ")));
            });
        }
        text.blank();
        text.block("sw_status run(sw_error *error) {", "}", |text| {
            text.line(format!(
                "return {}({});",
                function.name,
                arguments(function)
            ));
        });
        if !results(function).is_empty() {
            text.blank();
            text.block("Napi::Value give(Napi::Env env) {", "}", |text| {
                give(function, text);
            });
        }
        let consumed = function
            .params
            .iter()
            .find(|p| p.ownership == Ownership::Consumed);
        if let Some(param) = consumed {
            text.blank();
            text.line(format!(
                "uint64_t ends() const {{ return {}.id; }}",
                param.name
            ));
        }
    });
}

fn read(index: usize, param: &Param) -> String {
    let name = &param.name;
    match param.kind {
        Kind::Handle => format!("args.u64({index}, \"{name}\", &{name}.id)"),
        Kind::Text => format!("args.text({index}, \"{name}\", &{name})"),
        Kind::Bytes | Kind::Msgpack => format!(
            "args.bytes({index}, \"{name}\", {}, &{name})",
            param.nullable
        ),
        Kind::Options => format!(
            "read_{}(args, {index}, &{name}, &{name}_given)",
            param.c_type.trim_start_matches("sw_")
        ),
        _ => format!(
            "args.{}({index}, \"{name}\", &{name})",
            number_reader(&param.c_type)
        ),
    }
}

fn pure(function: &Function, text: &mut Text) {
    text.line(format!("// {}: {}", function.name, function.brief));
    let open = format!(
        "Napi::Value {}(const Napi::CallbackInfo &info) {{",
        function.stem()
    );
    text.block(open, "}", |text| {
        let mut arguments = Vec::new();
        for (index, param) in function.inputs().enumerate() {
            if index == 0 {
                text.line("arguments args(info, false);");
            }
            text.line(format!("{};", local(param)));
            text.line(format!(
                "if (!{}) return info.Env().Undefined();",
                read(index, param)
            ));
            arguments.push(param.name.clone());
        }
        let call = format!("{}({})", function.name, arguments.join(", "));
        match function.returns {
            Returns::Text => text.line(format!("return Napi::String::New(info.Env(), {call});")),
            _ => text.line(format!("return Napi::Number::New(info.Env(), {call});")),
        }
    });
}

fn local(param: &Param) -> String {
    match param.kind {
        Kind::Text => format!("std::string {}", param.name),
        Kind::Bytes | Kind::Msgpack => format!("bytes_argument {}", param.name),
        _ => format!("{} {}{{}}", param.c_type, param.name),
    }
}

fn number_reader(c_type: &str) -> &'static str {
    match c_type {
        "uint64_t" => "u64",
        "int64_t" => "i64",
        "int32_t" | "sw_status" => "i32",
        "double" => "f64",
        _ => "u32",
    }
}

fn out(param: &Param) -> String {
    format!("out_{}", param.name)
}

fn arguments(function: &Function) -> String {
    let mut arguments: Vec<String> = Vec::new();
    for param in &function.params {
        let name = &param.name;
        arguments.push(match (param.direction, param.kind) {
            (Direction::In, Kind::Text) => format!("{name}.data(), {name}.size()"),
            (Direction::In, Kind::Bytes | Kind::Msgpack) => format!("{name}.data, {name}.size"),
            (Direction::In, Kind::Options) => format!("{name}_given ? &{name} : nullptr"),
            (Direction::In, _) => name.clone(),
            _ => format!("&{}", out(param)),
        });
    }
    if function.error {
        arguments.push("error".to_owned());
    }
    arguments.join(", ")
}

/// The outputs that a caller sees: a flag that only says whether another was written is not one of them.
fn results(function: &Function) -> Vec<&Param> {
    let is_presence = |p: &Param| {
        function
            .params
            .iter()
            .any(|other| other.present.as_ref() == Some(&p.name))
    };
    function.outputs().filter(|p| !is_presence(p)).collect()
}

/// The flag that tells whether several results were written at all.
fn presence<'a>(results: &[&'a Param]) -> Option<&'a str> {
    let first = results.first()?.present.as_deref()?;
    let same = |result: &&Param| result.present.as_deref() == Some(first);
    results.iter().all(same).then_some(first)
}

fn give(function: &Function, text: &mut Text) {
    let results = results(function);
    let value = |param: &Param| match param.kind {
        Kind::Handle => {
            let end = param.c_type.trim_start_matches("sw_");
            format!("give_handle(env, {}.id, end_{end})", out(param))
        }
        Kind::Text => format!("take_text(env, &{})", out(param)),
        Kind::Bytes | Kind::Msgpack => format!("take_bytes(env, &{})", out(param)),
        Kind::Flag => format!("Napi::Boolean::New(env, {} != 0)", out(param)),
        _ if matches!(param.c_type.as_str(), "uint64_t" | "int64_t") => {
            format!("Napi::BigInt::New(env, {})", out(param))
        }
        _ => format!("Napi::Number::New(env, {})", out(param)),
    };
    match results.as_slice() {
        [] => text.line("return env.Undefined();"),
        [only] => {
            if let Some(present) = &only.present {
                text.line(format!("if (out_{present} == 0) return env.Undefined();"));
            }
            text.line(format!("return {};", value(only)));
        }
        several => {
            if let Some(present) = presence(several) {
                text.line(format!("if (out_{present} == 0) return env.Undefined();"));
            }
            text.line("Napi::Object result = Napi::Object::New(env);");
            for param in several {
                text.line(format!(
                    "result.Set(\"{}\", {});",
                    camel(&param.name),
                    value(param)
                ));
            }
            text.line("return result;");
        }
    }
}

/// `native.d.ts`.
pub fn types(model: &Model) -> String {
    let mut text = Text::new("  ");
    text.line(format!("// {MARK}"));
    text.line("//");
    text.line("// The low-level layer: one function for each C function, and for most one that returns a promise. Values are");
    text.line("// MessagePack.");
    text.blank();
    text.line("declare const brand: unique symbol;");
    for handle in model.handles().filter(|handle| handle.name != "sw_error") {
        text.blank();
        doc(&mut text, &handle.doc, &[]);
        text.line(format!(
            "export type {} = bigint & {{ readonly [brand]: '{}' }};",
            pascal(handle.stem()),
            handle.stem()
        ));
    }
    text.blank();
    doc(
        &mut text,
        &["The names of the statuses that a call may fail with.".to_owned()],
        &[],
    );
    text.line("export type StatusName =");
    for status in model.statuses().filter(|status| status.value != 0) {
        text.line(format!("  | '{}'", status.name));
    }
    text.line("  | 'SW_UNKNOWN';");
    text.blank();
    doc(
        &mut text,
        &["What every function throws when the library refuses.".to_owned()],
        &[],
    );
    text.block(
        "export interface NativeError extends Error {",
        "}",
        |text| {
            for (field, meaning) in [
                (
                    "code: StatusName",
                    "The name of the status, such as \"SW_CONFLICT\".",
                ),
                ("status: number", "The status."),
                (
                    "retryable: boolean",
                    "Whether the same call may succeed if it is simply made again.",
                ),
                (
                    "path: string",
                    "Which argument, key or place in a document; may be empty.",
                ),
                ("help: string", "What to do about it; may be empty."),
            ] {
                doc(text, &[meaning.to_owned()], &[]);
                text.line(format!("{field};"));
            }
        },
    );
    for options in model.structs().filter(|s| s.role == StructRole::Options) {
        text.blank();
        doc(&mut text, &options.doc, &[]);
        text.block(
            format!("export interface {} {{", pascal(options.stem())),
            "}",
            |text| {
                for field in options
                    .fields
                    .iter()
                    .filter(|field| field.name != "struct_size")
                {
                    doc(text, &field.doc, &[]);
                    text.line(format!(
                        "{}?: {};",
                        camel(&field.name),
                        ts_number(&field.c_type)
                    ));
                }
            },
        );
    }
    text.blank();
    doc(
        &mut text,
        &["The constants of the C header.".to_owned()],
        &[],
    );
    text.block("export const constants: {", "};", |text| {
        for constant in model.constants() {
            doc(text, &constant.doc, &[]);
            text.line(format!("readonly {}: {};", constant.name, constant.value));
        }
    });
    for function in generated(model) {
        text.blank();
        declaration(function, &mut text);
    }
    text.finish()
}

fn doc(text: &mut Text, paragraphs: &[String], tags: &[String]) {
    text.line("/**");
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if index > 0 {
            text.line(" *");
        }
        text.comment(" *", &paragraph.replace("*/", "* /"));
    }
    for tag in tags {
        text.comment(" *", tag);
    }
    text.line(" */");
}

fn declaration(function: &Function, text: &mut Text) {
    let mut paragraphs = vec![function.brief.clone()];
    paragraphs.extend(function.doc.iter().cloned());
    let mut tags: Vec<String> = function
        .inputs()
        .map(|p| format!("@param {} {}", js_name(&p.name), p.doc))
        .collect();
    tags.extend(
        function
            .outputs()
            .map(|p| format!("@returns {}", p.doc))
            .take(1),
    );
    doc(text, &paragraphs, &tags);
    let params: Vec<String> = function
        .inputs()
        .map(|p| format!("{}: {}", js_name(&p.name), ts_type(p)))
        .collect();
    let (name, params) = (camel(function.stem()), params.join(", "));
    let result = result_type(function);
    text.line(format!("export function {name}({params}): {result};"));
    if has_promise(function) {
        text.blank();
        let says = format!("`{name}` on a thread of libuv's pool.");
        doc(text, &[says], &[]);
        text.line(format!(
            "export function {name}Async({params}): Promise<{result}>;"
        ));
    }
}

/// Words that no parameter of a module may be called; those that C or C++ keep too never come this far.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "arguments", "await", "debugger", "eval", "extends", "finally", "function", "implements", "import", "in",
    "instanceof", "interface", "let", "null", "package", "super", "undefined", "var", "with", "yield",
];

/// A parameter's name in JavaScript: with an underscore if the language keeps the name for itself.
fn js_name(name: &str) -> String {
    let name = camel(name);
    if RESERVED.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}

fn result_type(function: &Function) -> String {
    match (function.returns, results(function).as_slice()) {
        (Returns::U32, _) => "number".to_owned(),
        (Returns::Text, _) => "string".to_owned(),
        (_, []) => "void".to_owned(),
        (_, [only]) if only.present.is_some() => format!("{} | undefined", ts_type(only)),
        (_, [only]) => ts_type(only),
        (_, several) => {
            let fields: Vec<String> = several
                .iter()
                .map(|p| format!("{}: {}", camel(&p.name), ts_type(p)))
                .collect();
            let or_none = presence(several).map_or("", |_| " | undefined");
            format!("{{ {} }}{or_none}", fields.join("; "))
        }
    }
}

fn ts_type(param: &Param) -> String {
    let undefined = if param.nullable { " | undefined" } else { "" };
    match param.kind {
        Kind::Handle => pascal(param.c_type.trim_start_matches("sw_")),
        Kind::Text => "string".to_owned(),
        Kind::Bytes | Kind::Msgpack => format!("Uint8Array{undefined}"),
        Kind::Flag => "boolean".to_owned(),
        Kind::Options => format!(
            "{}{undefined}",
            pascal(param.c_type.trim_start_matches("sw_"))
        ),
        _ => ts_number(&param.c_type).to_owned(),
    }
}

fn ts_number(c_type: &str) -> &'static str {
    if matches!(c_type, "uint64_t" | "int64_t") {
        "bigint"
    } else {
        "number"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_no_word_of_the_language() {
        assert_eq!(js_name("max_items"), "maxItems");
        assert_eq!(js_name("in"), "in_");
    }
}
