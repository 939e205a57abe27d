//! What can be asked, and how.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use statewright::Durability;
use statewright::flow::{Status, parse_duration};

use crate::control::args::{CaseAction, SendByKey, Work};
use crate::graph::Graph;
use crate::replay::Replay;
use crate::schedules::Schedules;
use crate::value::args::ValueArguments;
use crate::versions::{FlowsOptions, Fork, Migrate};

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 the case failed · 2 wrong usage or unreadable input · 3 the flow was refused · 4 the case is \
deadlocked · 5 the store cannot be used (locked, damaged, not writable, …) · 6 out of time · 7 no such case or flow · \
8 a worker could not be kept running · 9 the case or work is not in a state for it; nothing was changed · 130, 143 stopped by a signal";

/// Durable workflows that survive kill -9
#[derive(Parser)]
#[command(name = "statewright", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Start a case of a flow and bring it to its end
    Run(Run),
    /// Go on with cases that were interrupted
    Resume(Resume),
    /// Keep a store driven until it is stopped: schedules begin, timers fire, workers serve
    Serve(Serve),
    /// List cases
    Cases(Cases),
    /// Show a case, and why it waits; suspend, resume, cancel it, …
    Case(Case),
    /// Send a signal to whichever case waits for its key
    Signal(SendByKey),
    /// List the work of host tasks; take, complete, delegate it, …
    Work(Work),
    /// Find everything that is wrong with flows
    Check(Check),
    /// Draw a flow, and where a case is in it
    Graph(Graph),
    /// List deployed flows, their versions, and how many cases run on each
    Flows(FlowsOptions),
    /// List flows that begin by themselves, with their next times; pause and resume them
    Schedules(Schedules),
    /// Move running cases to another version of their flow, and back; --plan to look first
    Migrate(Migrate),
    /// Make a new case of one as it was after an event of its history
    Fork(Fork),
    /// Do a recorded case again, or the steps of a finding, and tell what comes out
    Replay(Replay),
    /// Run flows against what is expected of them, in a simulated world
    Test(Test),
    /// Show the commits of a store
    Log(Log),
    /// Look at everything in a store's folder and tell what is damaged
    Verify(Verify),
    /// Make a damaged store one that opens again, by dropping what cannot be read
    Repair(Repair),
    /// Read and write keys and their values
    Kv(Call),
    /// Read and write JSON documents
    Json(Call),
    /// Append and read events
    Events(Call),
    /// Read and write cells
    Cells(Call),
    /// Record and find traces
    Traces(Call),
    /// Make, change and find runs
    Runs(Call),
    /// List, count, copy and delete spaces
    Spaces(Call),
    /// Do several operations, all or none
    Txn(Txn),
    /// Show a store's settings and figures
    Stats(Stats),
    /// Write out what a store holds, one line each
    Export(Export),
    /// Read in what `export` wrote, or any operations, one line each
    Import(Import),
    Value(ValueArguments),
}

impl Command {
    /// Whether the output is for programs.
    pub fn json(&self) -> bool {
        match self {
            Command::Run(options) => options.drive.json,
            Command::Resume(options) => options.drive.json,
            Command::Serve(options) => options.drive.json,
            Command::Cases(options) => options.json,
            Command::Case(options) => match &options.action {
                Some(action) => action.json(),
                None => options.json,
            },
            Command::Signal(options) => options.common.json,
            Command::Work(options) => options.json(),
            Command::Check(options) => options.json,
            Command::Graph(_) => false,
            Command::Flows(options) => options.json,
            Command::Schedules(options) => options.json,
            Command::Migrate(options) => options.json,
            Command::Fork(options) => options.json,
            Command::Replay(options) => options.json,
            Command::Test(options) => options.json,
            Command::Log(options) => options.json,
            Command::Verify(options) => options.json,
            Command::Repair(options) => options.json,
            Command::Kv(options)
            | Command::Json(options)
            | Command::Events(options)
            | Command::Cells(options)
            | Command::Traces(options)
            | Command::Runs(options)
            | Command::Spaces(options) => options.json,
            Command::Txn(options) => options.json,
            Command::Stats(options) => options.json,
            Command::Export(_) => false,
            Command::Import(options) => options.json,
            Command::Value(options) => options.command.json(),
        }
    }
}

#[derive(Args)]
pub struct Run {
    /// The flow: a YAML or JSON file, or - for stdin
    pub spec: PathBuf,
    /// The case's input, an object: a file, JSON text, or - for stdin
    #[arg(long, short, value_name = "FILE|JSON|-")]
    pub input: Option<String>,
    /// The new case's id (1 to 128 of A-Z a-z 0-9 . _ -); made up without it
    #[arg(long, value_name = "ID")]
    pub case_id: Option<String>,
    /// The folder of the store [default: .statewright]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    #[command(flatten)]
    pub drive: Drive,
}

#[derive(Args)]
pub struct Resume {
    /// The cases to go on with; all that are open without it
    #[arg(value_name = "CASE")]
    pub cases: Vec<String>,
    #[command(flatten)]
    pub store: StoreFolder,
    #[command(flatten)]
    pub drive: Drive,
}

#[derive(Args)]
#[command(after_help = "\
Goes on with every open case, starts those of flows with a `schedule`, and shows each one and its end, until it is \
stopped with Ctrl-C, SIGTERM or SIGHUP. What is open then goes on when the store is driven again.

Exit codes: 0 it was stopped, or nothing can ever happen in this store · 2 a flow cannot be read · 3 a flow was \
refused · 5 the store cannot be used · 8 a worker could not be kept running

Example:
  statewright serve reports.yaml --worker 'node worker.mjs'")]
pub struct Serve {
    /// Flows to deploy first: YAML or JSON files, or - for stdin
    #[arg(value_name = "SPEC")]
    pub specs: Vec<PathBuf>,
    /// The folder of the store [default: .statewright]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    #[command(flatten)]
    pub drive: Drive,
}

/// What `run`, `resume` and `serve` share.
#[derive(Args)]
pub struct Drive {
    /// What a commit survives: strict (a power cut, the default), buffered (a killed process) or memory (nothing; only
    /// without --store, and not for resume)
    #[arg(long, value_name = "MODE", default_value = "strict", hide_default_value = true, value_parser = durability)]
    pub durability: Durability,
    /// Serve host tasks with this program (may be given several times); docs/CLI.md tells how they talk
    #[arg(long = "worker", value_name = "CMD")]
    pub workers: Vec<String>,
    /// How long a worker's items stay its own once it is gone
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = lease)]
    pub lease: Duration,
    /// How many programs of process tasks run at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub jobs: usize,
    /// Stop after this long (200ms, 1.5s, 2m, 1h); what is not done goes on later
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print one JSON object a line: every event as it is committed, then the end
    #[arg(long)]
    pub json: bool,
    /// Print the result and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct Cases {
    /// Only cases with this status: running, suspended, completed, failed, deadlocked, cancelled, terminated, …
    #[arg(long, value_parser = status)]
    pub status: Option<Status>,
    /// Only cases of this flow
    #[arg(long)]
    pub flow: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Actions open the store, commit one change, and drive nothing: `statewright resume` goes on with the case. A case whose \
id is the name of an action is shown with `statewright case -- ID`.

Examples:
  statewright case order-17 --history
  statewright case suspend order-17 order-18
  statewright case signal order-17 paid '{\"amount\": 12.5}'"
)]
pub struct Case {
    #[command(subcommand)]
    pub action: Option<CaseAction>,
    /// The case's id
    #[arg(value_name = "CASE", required = true)]
    pub id: Option<String>,
    /// Also show everything that happened
    #[arg(long)]
    pub history: bool,
    /// Print what this jq expression gives on the case's data instead, as JSON
    #[arg(long, value_name = "JQ", conflicts_with = "history")]
    pub query: Option<String>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Check {
    /// The flows: YAML or JSON files, or - for stdin
    #[arg(required_unless_present = "schema")]
    pub specs: Vec<PathBuf>,
    /// Print the JSON Schema of flows, for editors
    #[arg(long, conflicts_with = "specs")]
    pub schema: bool,
    /// Print one JSON object a line for each problem
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Each test is run straight, with a power cut after every event, and in random orders; a run that fails is made as short \
as it can be. No time passes and no program is started. docs/TESTING.md describes the files.

Exit codes: 0 all passed · 1 a test failed · 2 a file cannot be read or is wrong")]
pub struct Test {
    /// The test files: YAML, JSON or TOML, `NAME.test.yaml` for the flow `NAME.yaml`
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only the test of this name
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// How many random orders of each test
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub runs: u64,
    /// The seed of the first random order; the next one has the next number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Do not cut the power
    #[arg(long)]
    pub no_power_cuts: bool,
    /// Print one JSON object a line for each test
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Log {
    /// The first version to show
    #[arg(long, value_name = "V", default_value_t = 1)]
    pub from: u64,
    /// At most this many commits
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Every commit is read, and its bytes are compared with their checksums and with the hash in the commit \
behind it; checkpoints too. Nothing is changed. Nobody may have the store open.

Exit codes: 0 nothing is damaged · 1 only history is, behind a checkpoint, and the store opens · \
5 damaged, or no store")]
pub struct Verify {
    /// The folder of the store
    #[arg(value_name = "DIR", default_value = ".statewright")]
    pub dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
All commits up to the first damage are kept; what is behind it is dropped, since it builds on what is \
lost. Every file that is changed or dropped is kept beside the others with a name that ends in .damaged. \
Make a copy of the folder first all the same. Nothing is done without --yes; if it is interrupted, run it \
again.

Exit codes: 0 nothing to repair, or repaired · 5 damaged and not repaired, or no store")]
pub struct Repair {
    /// The folder of the store
    #[arg(value_name = "DIR", default_value = ".statewright")]
    pub dir: PathBuf,
    /// Do it; without this, only tell what would be done
    #[arg(long)]
    pub yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Without an operation, all are listed with what they take. What an operation needs comes in that order, and a path \
behind it; the rest is given as name=value. Values are JSON, or text if they are no JSON; - is JSON on stdin. Times \
are microseconds since 1970.

Examples:
  statewright kv put greeting '\"hello\"'
  statewright kv put settings - < settings.json
  statewright kv scan prefix=gr limit=10
  statewright json set order .lines[0].price 12.5
  statewright events append orders placed '{\"id\": 17}'
  statewright runs by_status active --json")]
pub struct Call {
    /// What to do: get, put, list, …
    #[arg(value_name = "OPERATION")]
    pub operation: Option<String>,
    /// What it takes
    #[arg(value_name = "ARG|NAME=VALUE", allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// The space
    #[arg(long, value_name = "SPACE", default_value = "default")]
    pub space: String,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object: {"result": …, "version": …}
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
The file has one call a line, or is an array of calls, in typed JSON: {\"op\": \"kv.put\", \"key\": \"k\", \"value\": 1}. \
`statewright kv` and the others list the operations.")]
pub struct Txn {
    /// The calls: a file, or - for stdin
    #[arg(value_name = "FILE|-")]
    pub file: String,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object: {"results": […], "version": …}
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
The folder is opened for it, so that nobody else may have it open: counters since opening are those of this \
command. A program reads its own with Store::stats, sw_stats and their like.")]
pub struct Stats {
    /// Also count what each space holds, which reads all of it
    #[arg(long)]
    pub count: bool,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Every line is an operation that makes a part of the state, in typed JSON (docs/CLI.md); `import` reads it. The state \
is that of one moment. A file appears when it is complete. Workflows and their cases are not exported.

Examples:
  statewright export -o backup.ndjson
  statewright export --space acme/shop --only kv,json --prefix order- | gzip > orders.ndjson.gz")]
pub struct Export {
    /// The file to write; stdout without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only this space
    #[arg(long, value_name = "SPACE")]
    pub space: Option<String>,
    /// Only these, separated by commas
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_enum)]
    pub only: Vec<Exported>,
    /// Only what has a key, name or id that begins with this
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub prefix: String,
    #[command(flatten)]
    pub store: StoreFolder,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Exported {
    Kv,
    Json,
    Cells,
    Events,
    Traces,
    Runs,
}

#[derive(Args)]
#[command(after_help = "\
Lines are applied in batches of 1000, each of which is a commit; with --atomic all of them are one. At the first line \
that cannot be applied it stops: its batch is not applied, those before it are, and the message says how far it got. \
What `export` wrote can simply be imported again. What is there is kept or replaced: keys, documents and cells are \
replaced; events, traces and runs that differ from those there are refused.

Exit codes: 0 all of it is imported · 2 a line is refused, or the input is cut off · 5 the store cannot be used")]
pub struct Import {
    /// The file to read; - for stdin
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// All lines in one commit, or none (up to a million changes)
    #[arg(long)]
    pub atomic: bool,
    /// Do not apply the first lines: those that are imported already
    #[arg(
        long,
        value_name = "LINES",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub skip: u64,
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The store of the commands that need one that is there.
#[derive(Args)]
pub struct StoreFolder {
    /// The folder of the store
    #[arg(long = "store", value_name = "DIR", default_value = ".statewright")]
    pub dir: PathBuf,
}

fn durability(text: &str) -> Result<Durability, String> {
    text.parse()
        .map_err(|_| "write strict, buffered or memory".to_owned())
}

pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok_or_else(|| "write 200ms, 1.5s, 2m, 1h or a number of seconds".to_owned())
}

/// Shorter leases would be mostly heartbeats, each of which is a commit.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < Duration::from_millis(100) {
        return Err("a lease must be 100ms or longer".to_owned());
    }
    Ok(lease)
}

fn status(text: &str) -> Result<Status, String> {
    text.parse().map_err(|()| {
        "write running, suspended, compensating, completed, failed, deadlocked, cancelled, terminated, \
         compensated or compensation_failed"
            .to_owned()
    })
}
