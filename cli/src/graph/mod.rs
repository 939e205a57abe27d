//! `statewright graph`: a flow's net as a picture, and a case's marking on it.

mod layout;
mod picture;
mod svg;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use statewright::flow::net::Net;

use crate::args::StoreFolder;
use crate::console::Out;
use crate::exit::{Exit, Failure, Result};
use crate::{check, input, store};

use picture::Picture;

#[derive(Args)]
#[command(after_help = "\
A box is a task, a circle a place; the start is a small circle. Joins and splits are written at a task's upper and \
lower left corner, two boxes are several instances, a thick border ends the case, a dashed arrow is a place that is \
only tested. With --case, tokens are dots, and tasks are completed, at work, waiting or failed. The same flow always \
gives the same picture.

Examples:
  statewright graph order.yaml -o order.svg
  statewright graph --case order-17 > order-17.svg
  statewright graph order.yaml --dot | dot -Tpdf > order.pdf")]
pub struct Graph {
    /// The flow: a YAML or JSON file, or - for stdin; with --case, the flow that the case runs on unless it is given
    #[arg(required_unless_present = "case")]
    pub spec: Option<PathBuf>,
    /// Show where this case is
    #[arg(long, value_name = "ID")]
    pub case: Option<String>,
    /// The flow of this name under `flows` of the spec, not the main one
    #[arg(long, value_name = "NAME")]
    pub flow: Option<String>,
    /// The file to write; stdout without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write DOT, the language of Graphviz, instead of SVG
    #[arg(long, conflicts_with = "mermaid")]
    pub dot: bool,
    /// Write a Mermaid flowchart instead of SVG
    #[arg(long)]
    pub mermaid: bool,
    #[command(flatten)]
    pub store: StoreFolder,
}

pub fn run(options: &Graph) -> Result<Exit> {
    let net = match &options.spec {
        None => None,
        Some(spec) => {
            let text = input::spec(spec)?;
            check::refuse(spec, &text.source, false)?;
            let net = Net::compile(&text.source, text.dir.as_deref());
            // What is wrong with it has been told.
            let net =
                net.map_err(|_| Failure::new(Exit::SpecRefused, 500, "the flow was refused"))?;
            Some(Arc::new(net))
        }
    };
    let drawn = match (&options.case, net) {
        (None, Some(net)) => {
            let net = inner(net, options.flow.as_deref())?;
            Picture::of(&net)
        }
        (Some(id), net) => with_case(id, net, options)?,
        (None, None) => return Err(Failure::new(Exit::Usage, 601, "give a flow or a case")),
    };
    let text = if options.dot {
        text::dot(&drawn)
    } else if options.mermaid {
        text::mermaid(&drawn)
    } else {
        svg::svg(&drawn).ok_or_else(|| {
            let message = "the net is too large for a picture; --dot writes it for other tools";
            Failure::new(Exit::Usage, 601, message)
        })?
    };
    match options.output.as_deref().filter(|f| f.as_os_str() != "-") {
        Some(file) => std::fs::write(file, text).map_err(|e| Failure::file(file, &e))?,
        None => {
            let mut out = Out::new();
            out.line(text.trim_end())?;
            out.flush()?;
        }
    }
    Ok(Exit::Done)
}

fn inner(net: Arc<Net>, flow: Option<&str>) -> Result<Arc<Net>> {
    let Some(name) = flow else {
        return Ok(net);
    };
    net.flows.get(name).cloned().ok_or_else(|| {
        let message = format!("flow '{}' has no flow '{name}' under `flows`", net.name);
        Failure::new(Exit::Unknown, 501, message)
    })
}

fn with_case(id: &str, net: Option<Arc<Net>>, options: &Graph) -> Result<Picture> {
    let engine = store::open_quietly(&options.store)?;
    let info = engine.case(id)?;
    let history = engine.history(id, 0)?;
    let net = match net {
        Some(net) => inner(net, options.flow.as_deref())?,
        None => engine.net_of_case(id)?,
    };
    engine.close()?;
    let mut picture = Picture::of(&net);
    picture.show(&info, &history);
    if !picture.strays.is_empty() {
        let names = picture.strays.join(", ");
        let text = format!("not in this flow, though the case has something there: {names}");
        crate::control::note(&text);
    }
    Ok(picture)
}
