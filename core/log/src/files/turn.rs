//! Whose turn it is to sync: group commit with a leader and followers.
//!
//! One thread leads: it takes what was appended so far, syncs it and tells. Who comes while a leader still gathers,
//! or whose commit the running sync covers, waits for this turn; everybody else for the next one. When a turn is
//! over, all who waited for it are woken, and one of those who wait for the next, who leads it. So nobody wakes for
//! nothing, and a commit that nobody else makes is synced by its own thread without waiting.

use crate::sync::{Condvar, Mutex};

#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
    /// Of turns with even and with odd numbers; nobody waits for later ones than the next.
    over: [Condvar; 2],
}

#[derive(Debug)]
struct State {
    /// Of the turn that runs, or that comes.
    number: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Idle,
    /// Somebody leads and has not taken the batch yet.
    Gathering,
    /// Commits up to this version are being synced.
    Syncing(u64),
}

impl Turns {
    pub fn new() -> Turns {
        Turns {
            state: Mutex::new(State {
                number: 0,
                phase: Phase::Idle,
            }),
            over: [Condvar::new(), Condvar::new()],
        }
    }

    /// The right to lead, if nobody else leads. Otherwise waits for the turn that syncs a version, unless `done` says
    /// that there is nothing left to wait for; then gives the right to lead if that turn is this thread's, else
    /// false.
    pub fn lead_or_wait(&self, version: u64, done: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        let mine = match state.phase {
            Phase::Idle => {
                state.phase = Phase::Gathering;
                return true;
            }
            Phase::Syncing(covered) if version > covered => state.number.wrapping_add(1),
            Phase::Gathering | Phase::Syncing(_) => state.number,
        };
        // A leader is done before it takes this lock to say so, so no wake-up is lost.
        if done() {
            return false;
        }
        if let Some(over) = self.over.get(mine % 2) {
            over.wait(&mut state);
        }
        // Whoever is woken for its turn must lead it: nobody else was woken.
        let lead = state.number == mine && matches!(state.phase, Phase::Idle);
        if lead {
            state.phase = Phase::Gathering;
        }
        lead
    }

    /// The leader took what was appended up to this version.
    pub fn taken(&self, version: u64) {
        self.state.lock().phase = Phase::Syncing(version);
    }

    /// The leader is done. If nothing can be synced any more, everybody is to hear of it.
    pub fn finish(&self, all: bool) {
        let mut state = self.state.lock();
        let over = state.number;
        state.number = over.wrapping_add(1);
        state.phase = Phase::Idle;
        let next = state.number;
        drop(state);
        if let (Some(over), Some(next)) = (self.over.get(over % 2), self.over.get(next % 2)) {
            over.notify_all();
            if all {
                next.notify_all();
            } else {
                next.notify_one();
            }
        }
    }

    /// Wakes everybody who waits.
    pub fn wake_all(&self) {
        // Whoever looked before it was time to wake up is asleep once the lock is free.
        drop(self.state.lock());
        for over in &self.over {
            over.notify_all();
        }
    }
}
