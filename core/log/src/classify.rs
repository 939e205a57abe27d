//! Torn tail or damage? The one table that decides (rule W6).
//!
//! The reader follows a segment's frames from its first to the first place that holds no valid next frame: the *end*.
//! What it found there, and what it found behind it, is the evidence.
//!
//! | segment | evidence | verdict |
//! | --- | --- | --- |
//! | not the last | the frames lead up to the first commit of the next segment | sealed: the rest does not matter |
//! | not the last | they do not | damage: a segment is synced before the next one exists |
//! | last | the file is not as long as its header says | damage: its size was durable before its name |
//! | last | the end holds a seal | damage: the next segment was durable before, and is missing |
//! | last | an intact header behind the end proves that more than the end was durable | damage |
//! | last | behind the end (or a closing mark) only zeros; all before it proven | clean: go on here |
//! | last | anything else | torn: keep what is valid, drop the rest, go on in a new segment |
//!
//! A valid frame behind the end is no damage by itself: un-synced writes may reach the disk in any order, so only what
//! such a frame proves counts.

/// What was found in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What follows in the log.
    pub(crate) next: Next,
    /// The file has the size its header says.
    pub(crate) whole: bool,
    /// What is at the end.
    pub(crate) end: End,
    /// Everything before the end is proven durable.
    pub(crate) proven_to_end: bool,
    /// A frame header behind the end proves that bytes behind the end were durable.
    pub(crate) proven_behind_end: bool,
    /// Behind the end (and a closing mark at it) are only zeros.
    pub(crate) zeros_behind: bool,
}

/// Whether another segment follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This is the last segment.
    None,
    /// Another follows and begins with the commit after the last one here.
    Joins,
    /// Another follows, and commits between the two are missing.
    Gap,
}

/// What ended the run of valid commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A closing mark.
    Close,
    /// A seal.
    Seal,
    /// No valid frame.
    Nothing,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The segment is complete; go on with the next.
    Sealed,
    /// Append here.
    Clean,
    /// Keep the valid frames, drop what follows, append to a new segment.
    Torn,
    /// Refuse to open, and say why.
    Damaged(&'static str),
}

pub(crate) fn classify(evidence: &Evidence) -> Verdict {
    match evidence {
        Evidence {
            next: Next::Joins, ..
        } => Verdict::Sealed,
        Evidence {
            next: Next::Gap, ..
        } => Verdict::Damaged("commits between here and the next segment are missing or damaged"),
        Evidence { whole: false, .. } => {
            Verdict::Damaged("the file does not have the size its header says")
        }
        Evidence { end: End::Seal, .. } => {
            Verdict::Damaged("the log goes on in a next segment, which is missing")
        }
        Evidence {
            proven_behind_end: true,
            ..
        } => Verdict::Damaged(
            "a commit that a later record proves to have been durable is missing or damaged",
        ),
        Evidence {
            proven_to_end: true,
            zeros_behind: true,
            ..
        } => Verdict::Clean,
        Evidence { .. } => Verdict::Torn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the module's documentation, row by row, first match decides.
    type Row = (fn(&Evidence) -> bool, fn(&Verdict) -> bool);
    const TABLE: [Row; 7] = [
        (|e| e.next == Next::Joins, |v| *v == Verdict::Sealed),
        (
            |e| e.next == Next::Gap,
            |v| matches!(v, Verdict::Damaged(_)),
        ),
        (|e| !e.whole, |v| matches!(v, Verdict::Damaged(_))),
        (|e| e.end == End::Seal, |v| matches!(v, Verdict::Damaged(_))),
        (
            |e| e.proven_behind_end,
            |v| matches!(v, Verdict::Damaged(_)),
        ),
        (
            |e| e.proven_to_end && e.zeros_behind,
            |v| *v == Verdict::Clean,
        ),
        (|_| true, |v| *v == Verdict::Torn),
    ];

    fn all() -> Vec<Evidence> {
        let flags = [false, true];
        let mut all = Vec::new();
        for next in [Next::None, Next::Joins, Next::Gap] {
            for end in [End::Close, End::Seal, End::Nothing] {
                for bits in 0..16_u8 {
                    let flag = |i: u8| flags[usize::from(bits >> i & 1)];
                    all.push(Evidence {
                        next,
                        end,
                        whole: flag(0),
                        proven_to_end: flag(1),
                        proven_behind_end: flag(2),
                        zeros_behind: flag(3),
                    });
                }
            }
        }
        all
    }

    #[test]
    fn every_combination_follows_the_table() {
        let mut rows_used = [false; TABLE.len()];
        for evidence in all() {
            let row = TABLE
                .iter()
                .position(|(applies, _)| applies(&evidence))
                .expect("the last row always applies");
            rows_used[row] = true;
            let verdict = classify(&evidence);
            assert!(
                (TABLE[row].1)(&verdict),
                "{evidence:?} gave {verdict:?}, against row {row}"
            );
        }
        assert_eq!(rows_used, [true; TABLE.len()]);
    }

    #[test]
    fn proven_bytes_are_never_dropped_and_torn_ones_never_refused() {
        for e in all().into_iter().filter(|e| e.next == Next::None) {
            let verdict = classify(&e);
            if e.proven_behind_end {
                assert!(matches!(verdict, Verdict::Damaged(_)), "{e:?}");
            } else if e.whole && e.end != End::Seal {
                assert!(matches!(verdict, Verdict::Clean | Verdict::Torn), "{e:?}");
            }
        }
    }
}
