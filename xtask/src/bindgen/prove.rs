//! Files that prove the ABI: what the compiler of the library, of C and of C++ must all agree on.

use super::MARK;
use super::model::{Function, Model, Returns, StructRole};
use super::text::Text;

const CONFORM: &str = include_str!("conform_runtime.c.txt");

/// The exported names, sorted.
pub fn symbols(model: &Model) -> String {
    let mut names: Vec<&str> = model
        .functions()
        .map(|function| function.name.as_str())
        .collect();
    names.sort_unstable();
    format!("# {MARK}\n{}\n", names.join("\n"))
}

/// The part of `ffi` that is derived from the rest of it: the names of statuses, and the layouts it must have.
pub fn rust(model: &Model) -> String {
    let mut text = Text::new("    ");
    text.line(format!("// {MARK}"));
    text.blank();
    text.line(
        "//! Derived from the other files: the names of statuses, and the layouts that C was told.",
    );
    text.blank();
    text.line("use std::ffi::CStr;");
    text.blank();
    text.block(
        "pub(crate) fn status_name(status: i32) -> &'static CStr {",
        "}",
        |text| {
            text.block("match status {", "}", |text| {
                for status in model.statuses() {
                    text.line(format!("{} => c\"{}\",", status.value, status.name));
                }
                text.line("_ => c\"SW_UNKNOWN\",");
            });
        },
    );
    text.blank();
    text.line("#[cfg(target_pointer_width = \"64\")]");
    text.block("const _: () = {", "};", |text| {
        for s in model.structs() {
            let [wide, _] = s.size;
            text.line(format!(
                "assert!(size_of::<crate::{}>() == {wide});",
                s.name
            ));
            for field in &s.fields {
                let [wide, _] = field.offset;
                text.line(format!(
                    "assert!(std::mem::offset_of!(crate::{}, {}) == {wide});",
                    s.name, field.name
                ));
            }
        }
    });
    text.finish()
}

/// A C program that only compiles if the header says what the model says, and only runs if the library does.
pub fn conform(model: &Model) -> String {
    let mut text = Text::new("  ");
    text.line(format!("/* {MARK} */"));
    text.lines(CONFORM);
    text.blank();
    for constant in model.constants() {
        text.line(format!(
            "ASSERT({} == {}, value_of_{});",
            constant.name, constant.value, constant.name
        ));
    }
    text.blank();
    text.line("#if UINTPTR_MAX > 0xffffffffu");
    layouts(model, &mut text, 0);
    text.line("#else");
    layouts(model, &mut text, 1);
    text.line("#endif");
    text.blank();
    for function in model.functions() {
        text.line(pointer(function));
    }
    text.blank();
    text.block("int main(void) {", "}", |text| conform_main(model, text));
    text.finish()
}

fn layouts(model: &Model, text: &mut Text, width: usize) {
    for s in model.structs() {
        let size = s.size.get(width).copied().unwrap_or_default();
        text.line(format!(
            "ASSERT(sizeof({0}) == {size}, size_of_{0});",
            s.name
        ));
        for field in &s.fields {
            let offset = field.offset.get(width).copied().unwrap_or_default();
            text.line(format!(
                "ASSERT(offsetof({0}, {1}) == {offset}, offset_of_{0}_{1});",
                s.name, field.name
            ));
        }
    }
}

/// `static sw_status (*const check_sw_sync)(sw_engine, sw_error *) = sw_sync;`
fn pointer(function: &Function) -> String {
    let returns = match function.returns {
        Returns::Status => "sw_status ",
        Returns::U32 => "uint32_t ",
        Returns::Text => "const char *",
    };
    let types: Vec<&str> = function
        .c_params
        .iter()
        .map(|param| param.c_type.as_str())
        .collect();
    let types = if types.is_empty() {
        "void".to_owned()
    } else {
        types.join(", ")
    };
    format!(
        "static {returns}(*const check_{0})({types}) = {0};",
        function.name
    )
}

fn conform_main(model: &Model, text: &mut Text) {
    text.line("int passed = 0, failed = 0;");
    text.line("CHECK(sw_abi_version() == SW_ABI_VERSION);");
    text.line("CHECK(SW_ABI_VERSION == (SW_ABI_VERSION_MAJOR << 16 | SW_ABI_VERSION_MINOR));");
    text.line("CHECK(strcmp(sw_version(), SW_VERSION) == 0);");
    for s in model.structs().filter(|s| s.role != StructRole::Handle) {
        let which = format!("SW_STRUCT_{}", s.stem().to_uppercase());
        text.line(format!(
            "CHECK(sw_struct_size({which}) == sizeof({}));",
            s.name
        ));
    }
    for status in model.statuses() {
        text.line(format!(
            "CHECK(strcmp(sw_status_name({0}), \"{0}\") == 0);",
            status.name
        ));
    }
    text.line("CHECK(strcmp(sw_status_name(-1), \"SW_UNKNOWN\") == 0);");
    for function in model.functions() {
        text.line(format!("CHECK(check_{0} != 0);", function.name));
    }
    text.line("printf(\"%d passed, %d failed\\n\", passed, failed);");
    text.line("return failed != 0;");
}
