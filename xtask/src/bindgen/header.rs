//! `include/statewright.h`, written by cbindgen.
//!
//! cbindgen gets the sources with two changes: bodies are left out, and the documentation is rendered for
//! Doxygen from the model. The signatures are those of the sources, so that the header does not depend on the
//! model being right.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::MARK;
use super::model::{Direction, Function, Kind, Model, Ownership, Param, Returns, Thread};
use super::parse::Source;
use super::text::wrap;

const MAIN_PAGE: &str = include_str!("header_main_page.txt");

pub fn write(model: &Model, sources: &[Source], config: &Path) -> Result<String> {
    let mut config = cbindgen::Config::from_file(config)
        .map_err(|error| anyhow::anyhow!("ffi/cbindgen.toml: {error}"))?;
    let main_page: String = MAIN_PAGE
        .lines()
        .map(|line| format!(" * {line}").trim_end().to_owned() + "\n")
        .collect();
    config.header = Some(format!("/* {MARK} */\n\n/**\n{main_page} */"));
    config.after_includes = Some(prologue(model));
    // cbindgen reads files, not text.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("statewright.rs");
    fs::write(&path, rendered(model, sources))?;
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(&path)
        .generate()
        .context("cbindgen cannot read the sources")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

fn prologue(model: &Model) -> String {
    let (major, minor) = (model.abi_version >> 16, model.abi_version & 0xFFFF);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "\n/** The version this header belongs to, as text. `sw_version` gives that of the loaded library. */\n\
         #define SW_VERSION \"{version}\"\n\
         /** Major number of the ABI: another one is another ABI. */\n\
         #define SW_ABI_VERSION_MAJOR {major}\n\
         /** Minor number of the ABI: while the major number is 0, another one is another ABI too. */\n\
         #define SW_ABI_VERSION_MINOR {minor}\n\n\
         #if defined(SW_STATIC)\n\
         #define SW_API\n\
         #elif defined(_WIN32)\n\
         #define SW_API __declspec(dllimport)\n\
         #elif defined(__GNUC__)\n\
         #define SW_API __attribute__((visibility(\"default\")))\n\
         #else\n\
         #define SW_API\n\
         #endif\n"
    )
}

/// The public items of all sources, in order, without bodies and with their documentation rendered.
fn rendered(model: &Model, sources: &[Source]) -> String {
    let mut text = String::new();
    for item in sources.iter().flat_map(|source| &source.file.items) {
        let mut item = item.clone();
        let is_public = match &mut item {
            syn::Item::Const(item) => matches!(item.vis, syn::Visibility::Public(_)),
            syn::Item::Struct(item) => matches!(item.vis, syn::Visibility::Public(_)),
            syn::Item::Type(item) => matches!(item.vis, syn::Visibility::Public(_)),
            syn::Item::Fn(item) => {
                let name = item.sig.ident.to_string();
                let function = model.functions().find(|function| function.name == name);
                if let Some(function) = function {
                    item.attrs.retain(|attr| !attr.path().is_ident("doc"));
                    for line in doxygen(model, function).into_iter().rev() {
                        let line = format!(" {line}").trim_end().to_owned();
                        item.attrs.insert(0, syn::parse_quote!(#[doc = #line]));
                    }
                    item.block = syn::parse_quote!({ loop {} });
                }
                function.is_some()
            }
            _ => false,
        };
        if is_public {
            text.push_str(&quote::quote!(#item).to_string());
            text.push('\n');
        }
    }
    text
}

fn doxygen(model: &Model, function: &Function) -> Vec<String> {
    let mut lines = wrap(&function.brief, 100);
    for paragraph in &function.doc {
        lines.push(String::new());
        lines.extend(wrap(paragraph, 100));
    }
    lines.push(String::new());
    for param in &function.params {
        let direction = match param.direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "in,out",
        };
        let text = format!(
            "@param[{direction}] {} {}{}",
            param.name,
            param.doc,
            param_notes(model, param)
        );
        lines.extend(wrap(&text, 100));
        if let Some(len) = &param.len {
            lines.push(format!("@param[in] {len} Its length in bytes."));
        }
    }
    if function.error {
        lines
            .push("@param[out] err Receives the error's details, or zero; may be NULL.".to_owned());
    }
    match function.returns {
        Returns::Status => lines.push("@return `SW_OK`, or why not.".to_owned()),
        Returns::U32 => lines.push("@return See above.".to_owned()),
        Returns::Text => {
            lines.push("@return Static text that ends with a zero byte; never NULL.".to_owned())
        }
    }
    lines.push(format!("@par Threads\n{}", thread_note(function.thread)));
    lines.push(format!(
        "@since {} ({})",
        function.since, function.stability
    ));
    lines
        .iter()
        .flat_map(|line| line.split('\n'))
        .map(str::to_owned)
        .collect()
}

/// What the attributes of a parameter mean, in words.
pub fn param_notes(model: &Model, param: &Param) -> String {
    let mut notes = String::new();
    match (param.direction, param.kind) {
        (Direction::In, Kind::Text) => notes.push_str(" UTF-8."),
        (_, Kind::Msgpack) => notes.push_str(" MessagePack."),
        _ => {}
    }
    if let Some(max) = &param.max {
        notes.push_str(&format!(" At most `{max}`."));
    }
    match param.ownership {
        Ownership::Owned if param.kind == Kind::Handle => {
            if let Some(close) = model.destructor(&param.c_type) {
                notes.push_str(&format!(
                    " Owned by the caller, who ends it with `{}`.",
                    close.name
                ));
            }
        }
        Ownership::Owned if param.kind == Kind::Events => {
            notes.push_str(" What they hold is the caller's to free.")
        }
        Ownership::Owned => {
            notes.push_str(" Owned by the caller, who frees it with `sw_bytes_free`.")
        }
        Ownership::Consumed if param.kind == Kind::Handle => {
            notes.push_str(" Stale after the call.")
        }
        _ => {}
    }
    notes
}

pub fn thread_note(thread: Thread) -> &'static str {
    match thread {
        Thread::Safe => "From any thread, at the same time as others.",
        Thread::Handle => "From one thread at a time for each handle; another gets `SW_BUSY`.",
    }
}
