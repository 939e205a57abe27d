//! The longest common subsequence of two sequences, by the greedy algorithm of E. W. Myers, "An O(ND)
//! difference algorithm and its variations" (1986).

use super::Effort;

/// The most entries of all rounds together: what is remembered to find the way back.
const ENTRIES: usize = 1 << 20;

/// The pairs of positions that belong to a longest common subsequence, ascending. None if that would take
/// more effort than there is. O((n + m) d) for d items that are on one side only; O(d²) memory.
pub(super) fn common(a: &[u32], b: &[u32], effort: &mut Effort) -> Option<Vec<(usize, usize)>> {
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut entries = ENTRIES;
    for differences in 0..=a.len() + b.len() {
        entries = entries.checked_sub(differences + 1)?;
        let round = advance(a, b, rounds.last(), effort)?;
        let done = round.iter().zip(0..).position(|(&at, removed)| {
            at == a.len() && (at + differences).checked_sub(2 * removed) == Some(b.len())
        });
        rounds.push(round);
        if let Some(removed) = done {
            return Some(trace_back(&rounds, removed, a.len()));
        }
    }
    None
}

/// How far one gets in `a` with one more difference. A round with d differences has d + 1 entries: entry r is
/// the furthest position in `a` reached with r items of `a` removed and d − r of `b` inserted, which is
/// position `a + d − 2 r` in `b`.
fn advance(
    a: &[u32],
    b: &[u32],
    last: Option<&Vec<usize>>,
    effort: &mut Effort,
) -> Option<Vec<usize>> {
    let differences = last.map_or(0, Vec::len);
    let mut round = Vec::with_capacity(differences + 1);
    for removed in 0..=differences {
        let at = last.map_or(0, |last| start(last, removed).0);
        let other = (at + differences).saturating_sub(2 * removed);
        let rest = (a.get(at..), b.get(other..));
        let pairs = rest
            .0
            .into_iter()
            .flatten()
            .zip(rest.1.into_iter().flatten());
        let equal = pairs.take_while(|(x, y)| x == y).count();
        round.push(at + equal);
        effort.spend(equal + 1).then_some(())?;
    }
    Some(round)
}

/// Where entry `removed` of the next round starts in `a`, and the entry of `last` it comes from.
fn start(last: &[usize], removed: usize) -> (usize, usize) {
    let inserting = last.get(removed).copied(); // one more of `b`
    let removing = removed.checked_sub(1).and_then(|from| last.get(from)); // one more of `a`
    match (inserting, removing) {
        (Some(inserting), Some(&removing)) if inserting > removing => (inserting, removed),
        (_, Some(&removing)) => (removing + 1, removed - 1),
        (inserting, None) => (inserting.unwrap_or(0), removed),
    }
}

fn trace_back(rounds: &[Vec<usize>], mut removed: usize, mut at: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (differences, round) in rounds.iter().enumerate().rev() {
        let last = differences.checked_sub(1).and_then(|last| rounds.get(last));
        let (from, entry) = last.map_or((0, 0), |last| start(last, removed));
        debug_assert_eq!(round.get(removed), Some(&at));
        while at > from {
            at -= 1;
            pairs.push((at, (at + differences).saturating_sub(2 * removed)));
        }
        if let Some(last) = last {
            at = last.get(entry).copied().unwrap_or(0);
            removed = entry;
        }
    }
    pairs.reverse();
    pairs
}
