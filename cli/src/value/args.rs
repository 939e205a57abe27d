//! What `statewright value` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use statewright::Limits;
use statewright::value::Query as Compiled;
use statewright::value::schema::Draft;

use super::format::{Format, Layout};

const EXIT_CODES: &str = "\
Exit codes: 0 done, found, equal, valid · 1 nothing there, different, not valid, in conflict · 2 wrong usage or \
unreadable input · 5 the output cannot be written · 141 whoever read the output has gone";

/// Query, edit, compare, check and convert values: JSON, NDJSON, MessagePack, CBOR, YAML and TOML
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub struct ValueArguments {
    #[command(subcommand)]
    pub command: ValueCommand,
}

#[derive(Subcommand)]
pub enum ValueCommand {
    Query(Query),
    Get(Get),
    Set(Set),
    Remove(Remove),
    Patch(Patch),
    Diff(Diff),
    Validate(Validate),
    Infer(Infer),
    Convert(Convert),
    Format(Reformat),
    Hash(Hash),
}

impl ValueCommand {
    /// Whether errors are for programs too.
    pub fn json(&self) -> bool {
        match self {
            ValueCommand::Query(options) => options.reading.json,
            ValueCommand::Get(options) => options.reading.json,
            ValueCommand::Set(options) => options.reading.json,
            ValueCommand::Remove(options) => options.reading.json,
            ValueCommand::Patch(options) => options.reading.json,
            ValueCommand::Diff(options) => options.reading.json,
            ValueCommand::Validate(options) => options.reading.json,
            ValueCommand::Infer(options) => options.reading.json,
            ValueCommand::Convert(options) => options.reading.json,
            ValueCommand::Format(options) => options.reading.json,
            ValueCommand::Hash(options) => options.reading.json,
        }
    }
}

/// How input is read.
#[derive(Args)]
pub struct Reading {
    /// The format of the input [default: by the file's extension, else json]
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<Format>,
    /// Read and write JSON in which every kind has a form: {"$date": "2024-05-01"}, {"$bytes": "…"}, …
    #[arg(long)]
    pub typed: bool,
    /// How large and how deep input may be
    #[arg(long, value_name = "PROFILE", value_enum, default_value_t)]
    pub limits: Profile,
    /// Print errors as JSON objects too
    #[arg(long)]
    pub json: bool,
}

/// Whether a file holds many documents.
#[derive(Args)]
pub struct Records {
    /// Each line of the input is a document, of which one is in memory at a time; --from ndjson says the same
    #[arg(long, group = "many")]
    pub ndjson: bool,
    /// Each item of the input, an array, is a document; of JSON, one is in memory at a time
    #[arg(long, group = "many")]
    pub items: bool,
}

/// Where output goes, and how it looks.
#[derive(Args)]
pub struct Writing {
    /// Write to this file, all at once at the end, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The format of the output [default: by the extension of -o, else that of the input; for get and infer, json]
    #[arg(long, value_name = "FORMAT")]
    pub to: Option<Format>,
    #[command(flatten)]
    pub look: Look,
    /// Write binary output to a terminal, or a file anew whose comments are lost
    #[arg(long, short)]
    pub force: bool,
}

/// How JSON looks.
#[derive(Args)]
pub struct Look {
    /// Indent JSON (the default)
    #[arg(long, group = "layout")]
    pub pretty: bool,
    /// JSON on one line
    #[arg(long, short, group = "layout")]
    pub compact: bool,
    /// JSON of which there is one for each value (RFC 8785), or CBOR likewise (RFC 8949 section 4.2)
    #[arg(long, group = "layout")]
    pub canonical: bool,
}

impl Look {
    pub fn layout(&self) -> Layout {
        match (self.compact, self.canonical) {
            (true, _) => Layout::Compact,
            (_, true) => Layout::Canonical,
            _ => Layout::Pretty,
        }
    }
}

/// How much is accepted.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Profile {
    /// Input from strangers: 1 MiB, depth 32, 100 thousand values
    Strict,
    /// 64 MiB, depth 128, 10 million values
    #[default]
    Default,
    /// 1 GiB, depth 512, 100 million values
    Permissive,
    /// What memory holds, depth 1024
    Unlimited,
}

impl Profile {
    pub fn limits(self) -> Limits {
        match self {
            Profile::Strict => Limits::strict(),
            Profile::Default => Limits::default(),
            Profile::Permissive => Limits::permissive(),
            Profile::Unlimited => Limits::unlimited(),
        }
    }

    /// How many steps a query may take for each document. A person can stop it, so there are more than in a
    /// library.
    pub fn steps(self) -> u64 {
        match self {
            Profile::Strict => Compiled::MAX_STEPS,
            Profile::Default => 1_000_000_000,
            Profile::Permissive | Profile::Unlimited => u64::MAX,
        }
    }
}

/// Print what a JSONPath (RFC 9535) finds, one value a line
#[derive(Args)]
#[command(after_help = "\
Examples:
  statewright value query '$.users[?@.age > 30].name' users.json
  curl -s https://example.com/feed.json | statewright value query '$..price'
  statewright value query --ndjson -r '$.message' log.ndjson
  statewright value query -e '$.errors[0]' result.json >/dev/null || echo no errors")]
pub struct Query {
    /// A JSONPath, in quotes: $.a[0], $..name, $[?@.price < 10]
    pub query: String,
    /// Files, or - for stdin, which is read without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Print the places of the nodes instead: normalized paths such as $['a'][0]
    #[arg(long, group = "what")]
    pub paths: bool,
    /// Print the places of the nodes instead: JSON Pointers such as /a/0
    #[arg(long, group = "what")]
    pub pointers: bool,
    /// Print how many there are instead, of all the input
    #[arg(long, group = "what")]
    pub count: bool,
    /// Stop at the first
    #[arg(long)]
    pub first: bool,
    /// Print text as it is, without quotes
    #[arg(long, short)]
    pub raw: bool,
    /// End with code 1 if nothing was found, or if the last that was found is null or false
    #[arg(long, short)]
    pub exit_status: bool,
    #[command(flatten)]
    pub records: Records,
    /// Go on after a document that cannot be read; code 2 at the end
    #[arg(long)]
    pub keep_going: bool,
    /// Write out what each document gave before the next is read
    #[arg(long)]
    pub unbuffered: bool,
    /// Indent what is printed
    #[arg(long)]
    pub pretty: bool,
    /// Write to this file, all at once at the end, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
}

/// Print what is at a place; code 1 if nothing is there
#[derive(Args)]
#[command(after_help = "\
Examples:
  statewright value get .users[0].name users.json
  statewright value get /users/0/name users.json
  statewright value get -r .package.version Cargo.toml
  statewright value get .port --default 8080 config.yaml")]
pub struct Get {
    /// A path (.a.b[0], .\"odd key\"), a JSON Pointer (/a/b/0) or a JSONPath for one place ($.a.b[0])
    pub path: String,
    /// A file, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print text as it is, without quotes
    #[arg(long, short)]
    pub raw: bool,
    /// Print this JSON if nothing is there
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub default: Option<String>,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Put a value at a place and print the result
#[derive(Args)]
#[command(after_help = "\
A path creates the objects on its way, a JSON Pointer does not. The index after the last item appends, as does `-` in
a JSON Pointer.

Examples:
  statewright value set .server.port 8080 config.json
  statewright value set .name --text 'Ada Lovelace' -i person.yaml
  statewright value set /tags/- '\"new\"' doc.json -o changed.json")]
pub struct Set {
    /// A path, a JSON Pointer or a JSONPath for one place
    pub path: String,
    /// The value, as JSON
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
    /// A file, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// VALUE is text, not JSON
    #[arg(long)]
    pub text: bool,
    #[command(flatten)]
    pub in_place: InPlace,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Remove what is at a place and print the result; code 1 if nothing is there
#[derive(Args)]
#[command(after_help = "\
Examples:
  statewright value remove .users[0].password users.json
  statewright value remove --missing-ok .debug -i config.toml")]
pub struct Remove {
    /// A path, a JSON Pointer or a JSONPath for one place
    pub path: String,
    /// A file, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// It is all right if nothing is there
    #[arg(long)]
    pub missing_ok: bool,
    #[command(flatten)]
    pub in_place: InPlace,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Apply a JSON Patch (RFC 6902) or a merge patch (RFC 7396) and print the result; code 1 if it cannot be applied
#[derive(Args)]
#[command(after_help = "\
All operations of a patch are applied, or none.

Examples:
  statewright value patch changes.json doc.json
  statewright value diff old.json new.json | statewright value patch - -i copy-of-old.json
  echo '{\"debug\": null}' | statewright value patch --merge - config.yaml")]
pub struct Patch {
    /// The patch: a file, or - for stdin
    #[arg(value_name = "PATCH")]
    pub patch: PathBuf,
    /// What is patched: a file, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// PATCH is a JSON Merge Patch
    #[arg(long)]
    pub merge: bool,
    #[command(flatten)]
    pub in_place: InPlace,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Print the JSON Patch that turns one value into another; code 1 if they differ
#[derive(Args)]
#[command(after_help = "\
Values are compared, not text: order of keys, layout and format make no difference.

Examples:
  statewright value diff old.json new.json > changes.json
  statewright value diff --text config.yaml config.toml
  statewright value diff -q a.json b.msgpack && echo same")]
pub struct Diff {
    /// The first: a file, or - for stdin
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The second: a file, or - for stdin
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Print a JSON Merge Patch (RFC 7396)
    #[arg(long, group = "what")]
    pub merge: bool,
    /// Print the differences for people, place by place
    #[arg(long, group = "what")]
    pub text: bool,
    /// Print nothing
    #[arg(long, short, group = "what")]
    pub quiet: bool,
    /// JSON on one line
    #[arg(long, short)]
    pub compact: bool,
    /// Write to this file, all at once at the end, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
}

/// Check values with a JSON Schema and tell everything that is wrong; code 1 if something is
#[derive(Args)]
#[command(after_help = "\
Each violation is a line `file: .place: what was expected (schema: /place/in/schema)`; with --json it is an object.

Examples:
  statewright value validate --schema user.schema.json ada.json bob.yaml
  statewright value validate --schema event.json --ndjson events.ndjson
  statewright value infer good.json > schema.json; statewright value validate --schema schema.json other.json")]
pub struct Validate {
    /// The schema: a file (JSON, YAML, …), or - for stdin
    #[arg(long, short, value_name = "FILE")]
    pub schema: PathBuf,
    /// Files, or - for stdin, which is read without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A further schema that references lead to, by its $id; may be given several times
    #[arg(long = "ref", value_name = "FILE")]
    pub references: Vec<PathBuf>,
    /// The draft of a schema without $schema
    #[arg(long, value_name = "DRAFT", value_enum, default_value_t)]
    pub draft: DraftName,
    /// A text without its `format` (date, email, …) is a violation, too
    #[arg(long)]
    pub formats: bool,
    /// Tell at most this many violations of a document
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max: u32,
    /// Print violations only, not what is valid
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    pub records: Records,
    #[command(flatten)]
    pub reading: Reading,
}

/// A version of JSON Schema.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum DraftName {
    #[value(name = "4")]
    Four,
    #[value(name = "6")]
    Six,
    #[value(name = "7")]
    Seven,
    #[value(name = "2019-09")]
    Y201909,
    #[default]
    #[value(name = "2020-12")]
    Y202012,
}

impl DraftName {
    pub fn draft(self) -> Draft {
        match self {
            DraftName::Four => Draft::Draft4,
            DraftName::Six => Draft::Draft6,
            DraftName::Seven => Draft::Draft7,
            DraftName::Y201909 => Draft::Draft201909,
            DraftName::Y202012 => Draft::Draft202012,
        }
    }
}

/// Print a JSON Schema (2020-12) that all the samples satisfy
#[derive(Args)]
#[command(after_help = "\
Each file is a sample; with --ndjson each line is one, with --items each item of an array.

Examples:
  statewright value infer user1.json user2.json > user.schema.json
  statewright value infer --ndjson events.ndjson
  curl -s https://example.com/users.json | statewright value infer --items")]
pub struct Infer {
    /// Files, or - for stdin, which is read without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub records: Records,
    /// Go on after a document that cannot be read; code 2 at the end
    #[arg(long)]
    pub keep_going: bool,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Convert between formats
#[derive(Args)]
#[command(after_help = "\
NDJSON stands for the array of its lines, in both directions, and is converted line by line.

Examples:
  statewright value convert --to yaml config.json
  statewright value convert data.cbor -o data.json
  statewright value convert --from ndjson --to json < log.ndjson
  statewright value convert --canonical --to json doc.yaml | sha256sum")]
pub struct Convert {
    /// A file, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Print files in a uniform layout, or check that they have it
#[derive(Args)]
#[command(after_help = "\
Examples:
  statewright value format doc.json
  statewright value format -i --sort-keys *.json
  statewright value format --check *.json
  curl -s https://example.com/feed.json | statewright value format")]
pub struct Reformat {
    /// Files, or - for stdin, which is read without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Sort the keys of all objects
    #[arg(long)]
    pub sort_keys: bool,
    /// Only tell which files are not in this layout; code 1 if any is not
    #[arg(long, conflicts_with_all = ["in_place", "output"])]
    pub check: bool,
    #[command(flatten)]
    pub in_place: InPlace,
    #[command(flatten)]
    pub writing: Writing,
    #[command(flatten)]
    pub reading: Reading,
}

/// Print the content hash of values: equal values have the same, whatever their format and layout
#[derive(Args)]
#[command(after_help = "\
The hash is BLAKE3 of the canonical encoding, 64 hexadecimal digits.

Examples:
  statewright value hash config.yaml config.json
  curl -s https://example.com/feed.json | statewright value hash")]
pub struct Hash {
    /// Files, or - for stdin, which is read without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
}

/// Whether the input is replaced.
#[derive(Args)]
pub struct InPlace {
    /// Write the result back to FILE, all at once, instead of stdout
    #[arg(long, short, conflicts_with = "output")]
    pub in_place: bool,
}
