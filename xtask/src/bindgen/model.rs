//! The model: what the C ABI is, read from the sources of `ffi` and written to `ffi/api.json`.

use serde::Serialize;

#[derive(Serialize)]
pub struct Model {
    /// What the model is of, for people who open the file.
    pub about: String,
    pub abi_version: u64,
    pub sections: Vec<Section>,
}

/// One source file of `ffi`: what belongs together.
#[derive(Serialize)]
pub struct Section {
    pub name: String,
    /// The first sentence of the file.
    pub title: String,
    pub constants: Vec<Constant>,
    pub structs: Vec<Struct>,
    pub callbacks: Vec<Callback>,
    pub functions: Vec<Function>,
}

#[derive(Serialize)]
pub struct Constant {
    pub name: String,
    pub c_type: String,
    pub value: u64,
    pub doc: Vec<String>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum StructRole {
    /// One `id`: passed by value, closed by its destructor.
    Handle,
    /// Starts with `struct_size`; the caller fills it in.
    Options,
    /// Starts with `struct_size`; the library fills it in.
    Info,
    /// Fixed for good.
    Fixed,
}

#[derive(Serialize)]
pub struct Struct {
    pub name: String,
    pub role: StructRole,
    pub doc: Vec<String>,
    pub fields: Vec<Field>,
    /// For pointers of 8 bytes and of 4.
    pub size: [u64; 2],
}

#[derive(Serialize)]
pub struct Field {
    pub name: String,
    pub c_type: String,
    pub doc: Vec<String>,
    pub offset: [u64; 2],
}

#[derive(Serialize)]
pub struct Callback {
    pub name: String,
    pub doc: Vec<String>,
    pub params: Vec<CParam>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Function,
    Constructor,
    Destructor,
    Getter,
    Method,
    /// Starts an operation that completes on a queue.
    Submit,
    /// Takes a function that the library calls.
    Callback,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Thread {
    /// From any thread, at the same time.
    Safe,
    /// From one thread at a time for each handle.
    Handle,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Returns {
    Status,
    U32,
    /// Static text that ends with a zero byte.
    Text,
}

#[derive(Serialize)]
pub struct Function {
    pub name: String,
    pub brief: String,
    /// The paragraphs after the first.
    pub doc: Vec<String>,
    pub role: Role,
    /// The noun it belongs to.
    pub on: String,
    pub thread: Thread,
    /// May wait for something that is not this call's own work.
    pub blocks: bool,
    pub since: String,
    pub stability: String,
    pub returns: Returns,
    /// Whether the last C parameter is `sw_error *err`.
    pub error: bool,
    /// Languages whose layer for this function is written by hand.
    pub manual: Vec<String>,
    pub params: Vec<Param>,
    /// The parameters as C has them, `err` included.
    pub c_params: Vec<CParam>,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct CParam {
    pub name: String,
    pub c_type: String,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    In,
    Out,
    InOut,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Handle,
    /// UTF-8 in (pointer, length); out: owned bytes that are UTF-8.
    Text,
    Bytes,
    /// One value as MessagePack.
    Msgpack,
    Number,
    /// 0 or 1.
    Flag,
    Options,
    Struct,
    /// An array of `sw_event`.
    Events,
    Callback,
    Context,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// The library does not keep it.
    Copied,
    /// The caller gets it, and frees it.
    Owned,
    /// The caller may read it until `until`.
    Borrowed,
    /// The call ends it.
    Consumed,
    /// The library keeps it until told otherwise.
    Kept,
}

#[derive(Serialize)]
pub struct Param {
    pub name: String,
    pub direction: Direction,
    pub kind: Kind,
    /// The C type of the value itself: `uint32_t` for `uint32_t *`.
    pub c_type: String,
    pub ownership: Ownership,
    pub nullable: bool,
    /// The C parameter with the length.
    pub len: Option<String>,
    /// The constant that bounds the length.
    pub max: Option<String>,
    /// What ends a borrow.
    pub until: Option<String>,
    /// The flag that tells whether this was written.
    pub present: Option<String>,
    /// For events: the parameters that say how many fit and how many were written.
    pub cap: Option<String>,
    pub count: Option<String>,
    pub doc: String,
}

impl Model {
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.sections.iter().flat_map(|section| &section.functions)
    }

    pub fn structs(&self) -> impl Iterator<Item = &Struct> {
        self.sections.iter().flat_map(|section| &section.structs)
    }

    pub fn constants(&self) -> impl Iterator<Item = &Constant> {
        self.sections.iter().flat_map(|section| &section.constants)
    }

    pub fn handles(&self) -> impl Iterator<Item = &Struct> {
        self.structs().filter(|s| s.role == StructRole::Handle)
    }

    pub fn statuses(&self) -> impl Iterator<Item = &Constant> {
        self.constants()
            .filter(|constant| constant.c_type == "sw_status")
    }

    /// The function that closes a handle.
    pub fn destructor(&self, handle: &str) -> Option<&Function> {
        self.functions().find(|f| {
            f.role == Role::Destructor && f.params.first().is_some_and(|p| p.c_type == handle)
        })
    }
}

impl Function {
    /// The name without `sw_`.
    pub fn stem(&self) -> &str {
        self.name.strip_prefix("sw_").unwrap_or(&self.name)
    }

    pub fn is_manual(&self, language: &str) -> bool {
        self.manual.iter().any(|manual| manual == language)
    }

    pub fn inputs(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| p.direction == Direction::In)
    }

    pub fn outputs(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| p.direction == Direction::Out)
    }

    /// Whether this is one of the functions that each language wraps once, in its runtime part: freeing
    /// errors and bytes, and filling options.
    pub fn is_plumbing(&self) -> bool {
        self.params.iter().any(|p| p.direction == Direction::InOut) || self.on == "error"
    }
}

impl Struct {
    /// The name without `sw_`.
    pub fn stem(&self) -> &str {
        self.name.strip_prefix("sw_").unwrap_or(&self.name)
    }
}

/// `kv_get` to `KvGet`.
pub fn pascal(snake: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or(String::new(), |first| {
            first.to_uppercase().chain(chars).collect()
        })
    };
    snake.split('_').map(capital).collect()
}

/// `kv_get` to `kvGet`.
pub fn camel(snake: &str) -> String {
    let pascal = pascal(snake);
    let mut chars = pascal.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_lowercase().chain(chars).collect()
    })
}
