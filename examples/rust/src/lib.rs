//! Example programs live in `src/bin`. Each takes the folder for its store; without one it works in memory.

use statewright::{Engine, Options};

/// Opens the store in the folder that is the program's only argument, or one in memory.
pub fn open() -> statewright::Result<Engine> {
    match std::env::args_os().nth(1) {
        Some(folder) => Engine::open(folder, Options::default()),
        None => Engine::in_memory(Options::default()),
    }
}
