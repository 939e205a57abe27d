//! Rust types as C types.

use std::collections::BTreeMap;

/// The C name of a Rust type, or why it cannot cross.
pub fn c_type(
    ty: &syn::Type,
    structs: &BTreeMap<String, Vec<(String, String)>>,
    callbacks: &[String],
) -> Result<String, String> {
    match ty {
        syn::Type::Ptr(pointer) => {
            let inner = c_type(&pointer.elem, structs, callbacks)?;
            let constness = if pointer.const_token.is_some() {
                "const "
            } else {
                ""
            };
            Ok(format!("{constness}{inner} *"))
        }
        syn::Type::Path(path) => {
            let name = path
                .path
                .segments
                .last()
                .map(|segment| segment.ident.to_string())
                .unwrap_or_default();
            let known = match name.as_str() {
                "u8" => "uint8_t",
                "u32" => "uint32_t",
                "i32" => "int32_t",
                "u64" => "uint64_t",
                "i64" => "int64_t",
                "f64" => "double",
                "usize" => "size_t",
                "c_char" => "char",
                "c_void" => "void",
                "sw_status" => "sw_status",
                own if structs.contains_key(own)
                    || callbacks.iter().any(|callback| callback == own) =>
                {
                    own
                }
                "bool" => return Err("`bool` cannot cross: use a uint32_t that is 0 or 1".into()),
                other => return Err(format!("the type `{other}` cannot cross")),
            };
            Ok(known.to_owned())
        }
        other => Err(format!("the type `{}` cannot cross", quote::quote!(#other))),
    }
}

/// Whether C, C++ or the macros of their usual headers keep the name for themselves: the header must compile as both.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "class", "compl", "concept", "const", "const_cast", "constexpr", "continue", "co_await", "co_return", "co_yield",
    "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "errno", "explicit", "export",
    "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
    "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register",
    "reinterpret_cast", "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert",
    "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef",
    "typeid", "typename", "typeof", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while",
    "xor", "xor_eq",
];

/// Whether a C type is a number.
pub fn is_number(c_type: &str) -> bool {
    matches!(
        c_type,
        "uint32_t" | "int32_t" | "uint64_t" | "int64_t" | "double" | "size_t" | "sw_status"
    )
}

/// `T` of `of<T>`.
pub fn generic_argument<'a>(ty: &'a syn::Type, of: &str) -> Option<&'a syn::Type> {
    let syn::Type::Path(path) = ty else {
        return None;
    };
    let segment = path
        .path
        .segments
        .last()
        .filter(|segment| segment.ident == of)?;
    let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(syn::GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    }
}
