//! SIGINT, SIGTERM and SIGHUP: the first is a message, a second one ends the process at once.

use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{Exit, Failure, Result};
use crate::session::Message;

/// Sends [`Message::Signal`] from now on.
pub fn listen(sender: Sender<Message>) -> Result<()> {
    let cannot = |e: std::io::Error| {
        Failure::new(
            Exit::Store,
            602,
            format!("could not listen for signals: {e}"),
        )
    };
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(cannot)?;
    let listen = move || {
        let mut first = true;
        for signal in signals.forever() {
            if !std::mem::replace(&mut first, false) {
                // What is not committed yet will be done again when the case is resumed.
                std::process::exit(i32::from(Exit::Signal(signal).code()));
            }
            // If nobody listens any more, the process is about to end.
            let _ = sender.send(Message::Signal(signal));
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(listen)
        .map(drop)
        .map_err(cannot)
}

/// The name of a signal.
pub fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        _ => "a signal",
    }
}
