//! `value hash`: the content hash.

use statewright::value;

use super::args::Hash;
use super::source::Source;
use crate::console::Out;
use crate::exit::{Exit, Result};

pub fn hash(options: &Hash) -> Result<Exit> {
    let mut out = Out::new();
    for source in Source::all(&options.files)? {
        let hash = source.value(&options.reading)?.content_hash();
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        match options.reading.json {
            true => out.line(value!({ "file": (source.to_string()), "hash": (digits) }))?,
            false => out.line(format!("{digits}  {source}"))?,
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}
