//! Planted bugs. They exist so that the simulation and the crash test can prove that they would find them
//! (`cargo xtask sabotage`). Without the feature `sabotage` there are none: [`on`] is a constant.
//!
//! A planted line is marked `// planted` and does nothing but what its name says.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Bug {
    /// A sync of a segment does nothing.
    SkipSync = 1,
    /// Commits are acknowledged before they are synced.
    EarlyAck,
    /// A new segment gets its name before its content is durable.
    SkipSegmentSync,
    /// A folder is not synced after a rename.
    SkipDirSync,
    /// A commit is taken as it is, whatever its checksum.
    AcceptBadChecksum,
    /// After a failure the log goes on.
    ForgetPoison,
    /// A frame claims to prove what was only written.
    ProveTooMuch,
    /// A torn end is appended to in place.
    TrustTornTail,
    /// Frames that were not written yet are lost when a new segment is started.
    LoseOnRotation,
    /// A buffered commit is acknowledged before the kernel has it.
    AckUnwritten,
    /// A commit's time may be before that of the one before.
    TimeGoesBack,
    /// What a transaction read is not validated.
    IgnoreReads,
    /// What a transaction scanned is not validated.
    IgnoreRanges,
    /// A write below a path that was read or written is no conflict.
    IgnoreDescendants,
    /// Recent writes are forgotten while a transaction needs them.
    PruneTooEarly,
    /// What a transaction made of a key replaces what others made of it since it began.
    MergeBlind,
    /// Readers see commits that are not durable.
    ShowUnsynced,
    /// The ops of a commit are replayed in reverse.
    ReorderOps,
    /// A commit is replayed twice.
    ReplayTwice,
    /// A removal is not replayed.
    ForgetRemovals,
    /// A checkpoint may hold what the log could still lose.
    CheckpointAboveDurable,
    /// A claim that somebody has overtaken still completes its work.
    AcceptStaleToken,
    /// A claim of before a crash is made again, whichever attempt it was.
    AdoptTwice,
    /// A wait that is over produces its tokens twice.
    TimerTwice,
    /// A retry does not wait.
    RetryAtOnce,
    /// A section that is at work does not hold its mutex.
    ForgetMutex,
    /// A cancelled task keeps running, and with it its mutex.
    KeepCancelled,
    /// An or-join does not wait for what may come.
    HastyOrJoin,
    /// A task with several instances completes one too late.
    ThresholdOffByOne,
    /// What was undone is undone again.
    UndoTwice,
    /// Every second thing that was done is not undone.
    SkipUndo,
    /// A lane takes one more than its limit.
    LaneOverLimit,
    /// A key keeps its place in the line after its turn.
    KeepTurn,
    /// A lane starts as many at once as wait.
    IgnoreRate,
    /// A signal that was kept for a key is given again.
    SignalTwice,
    /// A called case goes on when its caller does not want it any more.
    ForgetCalled,
    /// A batch of commits does not wait for the disk.
    HastyBatch,
    /// The deadline of a case that has passed passes again.
    DeadlineTwice,
    /// A case that is moved back does not get back the deadline that it lost.
    LoseDeadline,
    /// A schedule that is late goes on from now, as if nothing had been due.
    SkipMoment,
    /// A schedule takes it that clocks are never set.
    IgnoreClockChange,
    /// A case that is moved to another version leaves a token behind.
    LoseToken,
    /// A fork is of a commit later than it was to be.
    ForkLater,
    /// What is withdrawn is told as cancelled.
    WrongEvent,
    /// A join that counts fires again in the same round.
    FireAgain,
}

#[cfg(feature = "sabotage")]
static PLANTED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Plants a bug in the whole process; none takes it back.
#[cfg(feature = "sabotage")]
pub fn plant(bug: Option<Bug>) {
    let number = bug.map_or(0, |bug| bug as u32);
    PLANTED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Whether the bug is planted.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn on(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u32
}

/// Whether the bug is planted: never.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn on(_: Bug) -> bool {
    false
}
