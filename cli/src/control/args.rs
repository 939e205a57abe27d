//! What can be asked of running cases and their work.

use std::time::Duration;

use clap::{Args, Subcommand};
use statewright::flow::WorkState;

use crate::args::{StoreFolder, duration};

/// A store, and how to tell.
#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    pub store: StoreFolder,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum CaseAction {
    /// Tell only what a case waits for, and what would move it on
    Explain(Named),
    /// Stop cases for a while: nothing is offered or started and no timer fires
    Suspend(Several),
    /// Let suspended cases go on
    Resume(Several),
    /// Cancel cases with all their work, timers and called cases
    Cancel(Ended),
    /// End cases by force
    Terminate(Ended),
    /// Send a signal to a case
    Signal(SendToCase),
    /// Cancel one task of a case: it produces nothing
    CancelTask(OfTask),
    /// Have a task of several instances complete with what there is
    CompleteTask(OfTask),
    /// Add instances to a running task, one for each item
    Add(Add),
}

#[derive(Args)]
pub struct Named {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Several {
    /// The cases' ids
    #[arg(value_name = "CASE", required = true)]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Ended {
    /// The cases' ids
    #[arg(value_name = "CASE", required = true)]
    pub ids: Vec<String>,
    /// Why, for people
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub reason: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct SendToCase {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The signal's name
    pub signal: String,
    /// What it says: JSON, or text if it is no JSON; - for JSON on stdin
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub data: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct OfTask {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The task's name
    pub task: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Add {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The task's name
    pub task: String,
    /// What the instances are made of: JSON, or text if it is no JSON; - for JSON on stdin
    #[arg(value_name = "ITEM", required = true, allow_negative_numbers = true)]
    pub items: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
#[command(after_help = "\
The signal goes to the case that has waited longest for this name and key; `statewright case signal` sends one to a \
case.

Exit codes: 0 taken or kept · 1 nobody waits for it, and it is lost")]
pub struct SendByKey {
    /// The signal's name
    pub signal: String,
    /// The key, such as an order's number
    pub key: String,
    /// What it says: JSON, or text if it is no JSON; - for JSON on stdin
    #[arg(value_name = "DATA", allow_negative_numbers = true)]
    pub data: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Without an action, the work of host tasks that waits for somebody or is at work is listed. What is taken stays the \
worker's until it is completed, failed, given back or delegated, or its lease ends.

Examples:
  statewright work --topic office --state offered
  statewright work take order-17 3 --as ann
  statewright work complete TOKEN '{\"approved\": true}'"
)]
pub struct Work {
    #[command(subcommand)]
    pub action: Option<WorkAction>,
    /// Only of this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only of this case
    #[arg(long, value_name = "CASE")]
    pub case: Option<String>,
    /// Only of tasks of this name
    #[arg(long)]
    pub task: Option<String>,
    /// Only what this worker has
    #[arg(long)]
    pub worker: Option<String>,
    /// Only what is offered, leased or backing_off
    #[arg(long, value_parser = state)]
    pub state: Option<WorkState>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Subcommand)]
pub enum WorkAction {
    /// Take an offered item; prints its token, which the other actions need
    Take(Take),
    /// Hand in the result of an item
    Complete(Complete),
    /// Say that an item could not be done; the task's retry rules decide what happens next
    Fail(Fail),
    /// Hand an item to another worker; prints their token
    Delegate(Delegate),
    /// Give an item back: it is offered again
    GiveBack(GiveBack),
    /// Decide that an item is not to be done: its task completes without a result
    Skip(Skip),
}

#[derive(Args)]
pub struct Take {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The item's number in the case
    pub item: u64,
    /// Who takes it
    #[arg(long = "as", value_name = "WORKER")]
    pub worker: String,
    /// How long it stays theirs; without end unless given
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub lease: Option<Duration>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Complete {
    /// The item's token
    pub token: String,
    /// JSON, or text if it is no JSON; - for JSON on stdin; null without it
    #[arg(value_name = "RESULT", allow_negative_numbers = true)]
    pub result: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Fail {
    /// The item's token
    pub token: String,
    /// What happened, for people
    pub message: String,
    /// A short, stable word for programs
    #[arg(long, value_name = "WORD", default_value = "failed")]
    pub code: String,
    /// Trying again cannot help, whatever the task's retry rules say
    #[arg(long)]
    pub for_good: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Delegate {
    /// The item's token
    pub token: String,
    /// Who gets it
    #[arg(value_name = "WORKER")]
    pub worker: String,
    /// How long it stays theirs; without end unless given
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub lease: Option<Duration>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct GiveBack {
    /// The item's token
    pub token: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Skip {
    /// The case's id
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The item's number in the case
    pub item: u64,
    /// Why, for the history
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub reason: String,
    #[command(flatten)]
    pub common: Common,
}

impl CaseAction {
    /// Whether the output is for programs.
    pub fn json(&self) -> bool {
        match self {
            CaseAction::Explain(a) => a.common.json,
            CaseAction::Suspend(a) | CaseAction::Resume(a) => a.common.json,
            CaseAction::Cancel(a) | CaseAction::Terminate(a) => a.common.json,
            CaseAction::Signal(a) => a.common.json,
            CaseAction::CancelTask(a) | CaseAction::CompleteTask(a) => a.common.json,
            CaseAction::Add(a) => a.common.json,
        }
    }
}

impl Work {
    /// Whether the output is for programs.
    pub fn json(&self) -> bool {
        match &self.action {
            None => self.common.json,
            Some(WorkAction::Take(a)) => a.common.json,
            Some(WorkAction::Complete(a)) => a.common.json,
            Some(WorkAction::Fail(a)) => a.common.json,
            Some(WorkAction::Delegate(a)) => a.common.json,
            Some(WorkAction::GiveBack(a)) => a.common.json,
            Some(WorkAction::Skip(a)) => a.common.json,
        }
    }
}

fn state(text: &str) -> Result<WorkState, String> {
    text.parse()
        .map_err(|()| "write offered, leased or backing_off".to_owned())
}
