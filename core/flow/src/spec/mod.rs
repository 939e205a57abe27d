//! Specs: from text to a [`Net`].
//!
//! [`yaml`] or [`toml`] reads the text into a tree that knows its positions; [`read`], [`task`], [`places`] and
//! [`kinds`] turn the tree into tasks, places and edges and compile the expressions; [`graph`] joins them to a net,
//! [`check`] checks it, and [`explore`] looks at what a plain net can do. Each goes on after an error as far as it
//! makes sense, so that all that is wrong with a spec is reported at once.

mod check;
mod explore;
mod failing;
mod fields;
mod graph;
mod kinds;
mod lane;
mod locate;
mod places;
mod read;
mod regions;
mod schema;
mod task;
mod timetable;
#[cfg(feature = "toml")]
mod toml;
mod yaml;

use statewright_value::Value;

use crate::net::Net;
use crate::problem::{Problem, Problems};

pub use schema::spec_schema;
pub(crate) use yaml::{Data, Node};

/// Compiles a spec.
pub(crate) fn compile(source: &str, dir: Option<&str>) -> Result<Net, Vec<Problem>> {
    let mut problems = Problems::default();
    let net = parse(source, &mut problems).and_then(|root| {
        let flow = read::flow(source, &root, &mut problems)?;
        let hash = hash(root.ordered(), dir);
        graph::build(flow, source, dir, hash, &mut problems)
    });
    match net {
        Some(mut net) if !problems.has_errors() => {
            net.warnings = problems.into_sorted();
            Ok(net)
        }
        _ => Err(problems.into_sorted()),
    }
}

/// Reads YAML, JSON or TOML; what is wrong with it is a problem, and then there is no tree.
#[cfg(feature = "toml")]
pub(crate) fn parse(source: &str, problems: &mut Problems) -> Option<yaml::Node> {
    if toml::is_toml(source) {
        toml::parse(source, problems)
    } else {
        yaml::parse(source, problems)
    }
}

#[cfg(not(feature = "toml"))]
pub(crate) use yaml::parse;

/// The hash of what a spec says, whatever its layout. The folder belongs to it, since expressions see it.
fn hash(spec: Value, dir: Option<&str>) -> String {
    let form = Value::from([
        Value::from("statewright-net-1"),
        spec,
        dir.map(Value::text).unwrap_or_default(),
    ]);
    blake3::hash(&form.canonical()).to_hex().to_string()
}
