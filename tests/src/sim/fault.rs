//! The kinds of faults, and which of them a seed has.

use std::io::ErrorKind;

use statewright_log::sim::{Damage, Fault, Op, SimRandom};

/// Everything that can go wrong in a simulation. `docs/FAULTS.md` is this list as a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Power cut; all un-synced changes had reached the disk.
    PowerCut,
    /// Power cut; un-synced changes are lost.
    LostUnsynced,
    /// Power cut; a write is torn at any byte, those after it are lost.
    TornByte,
    /// Power cut; later changes are kept, earlier ones lost.
    Reordered,
    /// Power cut; each sector of a write is kept or lost for itself.
    TornSector,
    /// Power cut; what was lost reads as zeros.
    ZeroedSector,
    /// Power cut; what was lost reads as garbage.
    GarbageSector,
    /// Power cut; names and sizes are kept, contents are lost.
    NamesOnly,
    /// Power cut; contents are kept, names (renames, creations, removals) are lost.
    ContentsOnly,
    /// Power cut; any of these fates for each sector.
    MixedDamage,
    /// The process is killed; the page cache survives.
    Kill,
    /// The power goes again while the store is being opened, up to three times in a row.
    CrashInRecovery,
    /// A write fails with EIO.
    WriteFails,
    /// A write fails after a part of it was done.
    ShortWrite,
    /// A write or a read is interrupted (EINTR).
    Interrupted,
    /// The disk is full: creations and writes fail until there is space again.
    DiskFull,
    /// A sync fails once; the page cache then calls the data clean, and the next sync succeeds.
    SyncFails,
    /// All syncs fail from some point on.
    SyncFailsForever,
    /// Syncing a folder fails.
    DirSyncFails,
    /// A rename fails.
    RenameFails,
    /// Creating a file fails.
    CreateFails,
    /// Removing a file fails.
    RemoveFails,
    /// Cutting a file fails.
    SetLenFails,
    /// Opening a file or listing a folder fails.
    OpenFails,
    /// A read fails with EIO.
    ReadFails,
    /// The disk is full while the store is being opened.
    DiskFullInRecovery,
    /// A sync of a file or folder reports success and did nothing.
    SyncLies,
    /// A write reports success and never reaches the disk.
    LostWrite,
    /// A bit of a closed store's file is flipped.
    BitFlip,
    /// A sector of a closed store's file is written over another one.
    MisdirectedWrite,
    /// A sector of one file of a closed store is written into another file.
    WrongFileWrite,
    /// A sector of a closed store's file is what it was when the file was made: zeros.
    StaleSector,
    /// A file of a closed store is cut short.
    CutFile,
    /// A file of a closed store is missing.
    MissingFile,
    /// The wall clock jumps back.
    ClockBack,
    /// The wall clock jumps forward.
    ClockForward,
    /// The clock stands still for a while.
    ClockFreeze,
    /// There are no random bytes.
    NoRandom,
    /// A client goes away in the middle of a transaction.
    ClientGone,
    /// A second process opens the folder.
    SecondOpen,
}

use FaultKind::*;

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 40] = [
        PowerCut,
        LostUnsynced,
        TornByte,
        Reordered,
        TornSector,
        ZeroedSector,
        GarbageSector,
        NamesOnly,
        ContentsOnly,
        MixedDamage,
        Kill,
        CrashInRecovery,
        WriteFails,
        ShortWrite,
        Interrupted,
        DiskFull,
        SyncFails,
        SyncFailsForever,
        DirSyncFails,
        RenameFails,
        CreateFails,
        RemoveFails,
        SetLenFails,
        OpenFails,
        ReadFails,
        DiskFullInRecovery,
        SyncLies,
        LostWrite,
        BitFlip,
        MisdirectedWrite,
        WrongFileWrite,
        StaleSector,
        CutFile,
        MissingFile,
        ClockBack,
        ClockForward,
        ClockFreeze,
        NoRandom,
        ClientGone,
        SecondOpen,
    ];

    /// The name, as in the table of `docs/FAULTS.md`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// What the disk looks like after this kind of power cut.
    #[must_use]
    pub fn damage(self) -> Option<Damage> {
        Some(match self {
            PowerCut => Damage::Keep,
            LostUnsynced => Damage::Lose,
            TornByte => Damage::Prefix,
            Reordered => Damage::Suffix,
            TornSector => Damage::Sectors,
            ZeroedSector => Damage::Zeros,
            GarbageSector => Damage::Garbage,
            NamesOnly => Damage::Names,
            ContentsOnly => Damage::Contents,
            MixedDamage => Damage::Mixed,
            _ => return None,
        })
    }

    /// The failing call, for those kinds that are one.
    #[must_use]
    pub fn failing_call(self, random: &SimRandom) -> Option<Fault> {
        let nth = 1 + random.below(5);
        let io = ErrorKind::Other;
        let either = |a, b| if random.below(2) == 0 { a } else { b };
        Some(match self {
            WriteFails => Fault::once(Op::Write, nth, io),
            ShortWrite => {
                let part = random.below(600) as usize;
                Fault::once(Op::Write, nth, io).partial(part)
            }
            Interrupted => Fault::once(either(Op::Write, Op::Read), nth, ErrorKind::Interrupted),
            DiskFull => Fault::forever(either(Op::Create, Op::Write), nth, ErrorKind::StorageFull),
            SyncFails => Fault::once(Op::Sync, nth, io),
            SyncFailsForever => Fault::forever(Op::Sync, nth, io),
            DirSyncFails => Fault::once(Op::SyncDir, 1, io),
            RenameFails => Fault::once(Op::Rename, 1, io),
            CreateFails => Fault::once(Op::Create, 1, io),
            RemoveFails => Fault::once(Op::Remove, 1, io),
            SetLenFails => Fault::once(Op::SetLen, 1, io),
            OpenFails => Fault::once(either(Op::Open, Op::List), nth, io),
            ReadFails => Fault::once(Op::Read, nth, io),
            SyncLies => Fault::silently(either(Op::Sync, Op::SyncDir), nth),
            LostWrite => Fault::silently(Op::Write, nth),
            _ => return None,
        })
    }

    /// Whether it can strike while the store is being opened.
    #[must_use]
    pub fn is_of_opening(self) -> bool {
        let fails = |fault: Fault| !fault.silent;
        matches!(self, CrashInRecovery | DiskFullInRecovery)
            || self.failing_call(&SimRandom::new(0)).is_some_and(fails)
    }

    /// Whether it damages the files of a store that is closed.
    #[must_use]
    pub fn is_rot(self) -> bool {
        matches!(
            self,
            BitFlip | MisdirectedWrite | WrongFileWrite | StaleSector | CutFile | MissingFile
        )
    }
}

/// The kinds of faults that a seed has: each with a probability of a quarter, as FoundationDB's `BUGGIFY` does it. So
/// rare combinations meet often enough, and no fault hides another in all seeds.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// In the order of [`FaultKind::ALL`].
    pub active: Vec<FaultKind>,
}

impl Swarm {
    /// The choice of a seed.
    #[must_use]
    pub fn choose(random: &SimRandom) -> Swarm {
        let chosen = |_: &FaultKind| random.below(4) == 0;
        Swarm {
            active: FaultKind::ALL.into_iter().filter(chosen).collect(),
        }
    }

    /// Whether the seed has this kind.
    #[must_use]
    pub fn has(&self, kind: FaultKind) -> bool {
        self.active.contains(&kind)
    }

    /// One of the seed's kinds that passes the test; then it fires with a probability of a quarter.
    pub fn fire(&self, random: &SimRandom, test: impl Fn(&FaultKind) -> bool) -> Option<FaultKind> {
        let fitting: Vec<FaultKind> = self.active.iter().copied().filter(|k| test(k)).collect();
        let at = random.below(fitting.len() as u64) as usize;
        let fires = random.below(4) == 0;
        fitting.get(at).copied().filter(|_| fires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/FAULTS.md` names every kind, once, in a table, and no other.
    #[test]
    fn the_page_lists_every_kind() {
        let page = include_str!("../../../docs/FAULTS.md");
        let rows = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let mut listed: Vec<String> = rows.map(str::to_owned).collect();
        let mut all: Vec<String> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
        listed.sort();
        all.sort();
        assert_eq!(listed, all);
        all.dedup();
        assert_eq!(all.len(), FaultKind::ALL.len());
    }
}
