//! `docs/C-API.md`: the reference.

use super::MARK;
use super::header::{param_notes, thread_note};
use super::model::{Direction, Function, Kind, Model, Returns, Section, StructRole};
use super::text::Text;

const MAIN_PAGE: &str = include_str!("header_main_page.txt");

pub fn write(model: &Model) -> String {
    let mut text = Text::new("");
    text.line(format!("<!-- {MARK} -->"));
    text.blank();
    text.line("# The C API");
    text.blank();
    text.line(format!(
        "{} functions in `include/statewright.h`, ABI {}.{}. `ffi/api.json` has the same for programs.",
        model.functions().count(),
        model.abi_version >> 16,
        model.abi_version & 0xFFFF
    ));
    for line in MAIN_PAGE.lines() {
        match line
            .strip_prefix("@section ")
            .and_then(|rest| rest.split_once(' '))
        {
            Some((_, title)) => text.line(format!("## {title}\n")),
            None if line.starts_with('@') => {}
            None => text.line(line),
        }
    }
    for section in &model.sections {
        write_section(model, section, &mut text);
    }
    text.finish()
}

fn write_section(model: &Model, section: &Section, text: &mut Text) {
    let has_items = !section.functions.is_empty()
        || !section.constants.is_empty()
        || !section.structs.is_empty();
    if !has_items {
        return;
    }
    text.blank();
    text.line(format!("## {}", section.title));
    for s in &section.structs {
        text.blank();
        text.line(format!("### `{}`", s.name));
        text.blank();
        s.doc
            .iter()
            .for_each(|paragraph| text.line(format!("{paragraph}\n")));
        if s.role != StructRole::Handle {
            text.line("| field | type | meaning |\n| --- | --- | --- |");
            for field in &s.fields {
                text.line(format!(
                    "| `{}` | `{}` | {} |",
                    field.name,
                    field.c_type,
                    cell(&field.doc.join(" "))
                ));
            }
        }
    }
    for callback in &section.callbacks {
        let params: Vec<String> = callback
            .params
            .iter()
            .map(|p| declare(&p.c_type, &p.name))
            .collect();
        text.blank();
        text.line(format!(
            "### `{}`\n\n```c\ntypedef void (*{0})({});\n```\n",
            callback.name,
            params.join(", ")
        ));
        callback
            .doc
            .iter()
            .for_each(|paragraph| text.line(format!("{paragraph}\n")));
    }
    if !section.constants.is_empty() {
        text.blank();
        text.line("| constant | value | meaning |\n| --- | --- | --- |");
        for constant in &section.constants {
            text.line(format!(
                "| `{}` | {} | {} |",
                constant.name,
                constant.value,
                cell(&constant.doc.join(" "))
            ));
        }
    }
    for function in &section.functions {
        write_function(model, function, text);
    }
}

fn write_function(model: &Model, function: &Function, text: &mut Text) {
    text.blank();
    text.line(format!("### `{}`", function.name));
    text.blank();
    text.line("```c");
    text.line(signature(function));
    text.line("```");
    text.blank();
    text.line(&function.brief);
    for paragraph in &function.doc {
        text.blank();
        text.line(paragraph);
    }
    if !function.params.is_empty() {
        text.blank();
        text.line("| parameter | | meaning |\n| --- | --- | --- |");
        for param in &function.params {
            let direction = match param.direction {
                Direction::In => "in",
                Direction::Out => "out",
                Direction::InOut => "in, out",
            };
            let name = match &param.len {
                Some(len) => format!("`{}`, `{len}`", param.name),
                None => format!("`{}`", param.name),
            };
            let optional = if param.nullable && param.kind != Kind::Msgpack {
                ", optional"
            } else {
                ""
            };
            let meaning = format!("{}{}", param.doc, param_notes(model, param));
            text.line(format!(
                "| {name} | {direction}{optional} | {} |",
                cell(&meaning)
            ));
        }
    }
    text.blank();
    let blocks = if function.blocks { " It may wait." } else { "" };
    text.line(format!(
        "*Threads:* {}{blocks} *Since:* {} ({}).",
        thread_note(function.thread),
        function.since,
        function.stability
    ));
}

/// The declaration, one parameter a line when there are several.
pub fn signature(function: &Function) -> String {
    let returns = match function.returns {
        Returns::Status => "sw_status ",
        Returns::U32 => "uint32_t ",
        Returns::Text => "const char *",
    };
    let params: Vec<String> = function
        .c_params
        .iter()
        .map(|p| declare(&p.c_type, &p.name))
        .collect();
    let joined = if params.is_empty() {
        "void".to_owned()
    } else {
        params.join(", ")
    };
    let line = format!("{returns}{}({joined});", function.name);
    if line.len() <= 100 {
        return line;
    }
    format!(
        "{returns}{}(\n    {});",
        function.name,
        params.join(",\n    ")
    )
}

fn declare(c_type: &str, name: &str) -> String {
    if c_type.ends_with('*') {
        format!("{c_type}{name}")
    } else {
        format!("{c_type} {name}")
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
