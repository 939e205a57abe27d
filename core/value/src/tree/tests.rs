//! Against a plain vector, with clones that must not change.

use proptest::prelude::*;

use super::{BRANCH, Child, Item, Node, Tree};

impl Item for u64 {
    type Key = u64;
    const LEAF: usize = 8;

    fn key(&self) -> u64 {
        *self
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(prop::sample::Index, u64),
    Push(u64),
    Remove(prop::sample::Index),
    Pop,
    Set(prop::sample::Index, u64),
    RemoveRange(prop::sample::Index, prop::sample::Index),
    Share,
    Rebuild,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(at, item)| Edit::Insert(at, item)),
        6 => any::<u64>().prop_map(Edit::Push),
        6 => any::<prop::sample::Index>().prop_map(Edit::Remove),
        1 => Just(Edit::Pop),
        2 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(at, item)| Edit::Set(at, item)),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Edit::RemoveRange(a, b)),
        1 => Just(Edit::Share),
        1 => Just(Edit::Rebuild),
    ]
}

/// The keys of these tests are not sorted and may be changed: counts, leaves and sizes only.
fn assert_is(tree: &Tree<u64>, model: &[u64]) {
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().eq(model));
    assert!(tree.iter().rev().eq(model.iter().rev()));
    assert_eq!(tree.iter().len(), model.len());
    for (at, item) in model.iter().enumerate() {
        assert_eq!(tree.get(at), Some(item));
    }
    assert_eq!(tree.get(model.len()), None);
    // Going on from anywhere, also when the back has been opened.
    for at in 0..=model.len() + 1 {
        assert!(tree.iter().skip(at).eq(model.iter().skip(at)));
        let (mut some, mut expected) = (tree.iter(), model.iter());
        for step in [0, at / 2, at % 7] {
            assert_eq!(some.next_back(), expected.next_back());
            assert_eq!(some.nth(step), expected.nth(step));
            assert_eq!(some.len(), expected.len());
        }
        assert!(some.eq(expected));
    }
    let mut both = tree.iter();
    let mut ends = Vec::new();
    while let Some(front) = both.next() {
        ends.push(*front);
        ends.extend(both.next_back());
    }
    assert_eq!(ends.len(), model.len());
    assert!(tree.tail.len() <= u64::LEAF);
    if let Some(head) = &tree.head {
        assert!(match &*head.node {
            Node::Leaf(_) => true,
            Node::Branch(children) => children.len() > 1,
        });
        assert_sound(head);
    }
}

/// The height, after checking the counts, the fill and that all leaves are at one depth.
fn assert_sound(child: &Child<u64>) -> usize {
    match &*child.node {
        Node::Leaf(items) => {
            assert!((1..=u64::LEAF).contains(&items.len()));
            assert_eq!(child.len, items.len());
            1
        }
        Node::Branch(children) => {
            assert!((1..=BRANCH).contains(&children.len()));
            assert_eq!(
                child.len,
                children.iter().map(|child| child.len).sum::<usize>()
            );
            let heights: Vec<usize> = children.iter().map(assert_sound).collect();
            assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
            heights[0] + 1
        }
    }
}

/// What lies outside the stretches is the same.
fn assert_differing(a: &Tree<u64>, b: &Tree<u64>) {
    let (before, after): (Vec<u64>, Vec<u64>) =
        (a.iter().copied().collect(), b.iter().copied().collect());
    let mut at = 0;
    let same = |from: usize, to: usize| {
        if from < to {
            assert_eq!(before[from..to], after[from..to]);
        }
    };
    for stretch in a.differing(b) {
        same(at, stretch.at);
        at = stretch.at;
        assert_eq!(
            stretch.before,
            &before[at.min(before.len())..][..stretch.before.len()]
        );
        assert_eq!(
            stretch.after,
            &after[at.min(after.len())..][..stretch.after.len()]
        );
        let lens = (stretch.before.len(), stretch.after.len());
        assert!(lens.0 == lens.1 || lens.0 == 0 || lens.1 == 0);
        at += lens.0.max(lens.1);
    }
    assert!(at <= before.len().max(after.len()));
    if at < before.len().max(after.len()) {
        assert_eq!(before[at..], after[at..]);
    }
}

fn index(at: prop::sample::Index, len: usize) -> Option<usize> {
    (len > 0).then(|| at.index(len))
}

fn apply(tree: &mut Tree<u64>, model: &mut Vec<u64>, edit: Edit) {
    match edit {
        Edit::Insert(at, item) => {
            let at = at.index(model.len() + 1);
            tree.insert(at, item);
            model.insert(at, item);
        }
        Edit::Push(item) => {
            tree.push(item);
            model.push(item);
        }
        Edit::Remove(at) => {
            let at = index(at, model.len());
            assert_eq!(
                at.and_then(|at| tree.remove(at)),
                at.map(|at| model.remove(at))
            );
        }
        Edit::Pop => assert_eq!(tree.pop(), model.pop()),
        Edit::Set(at, item) => {
            if let Some(at) = index(at, model.len()) {
                *tree.get_mut(at).unwrap() = item;
                model[at] = item;
            }
        }
        Edit::RemoveRange(a, b) => {
            let (a, b) = (a.index(model.len() + 1), b.index(model.len() + 1));
            let (start, end) = (a.min(b), a.max(b));
            tree.remove_range(start, end);
            model.drain(start..end);
        }
        Edit::Rebuild => *tree = Tree::from_vec(model.clone()),
        Edit::Share => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_tree_is_a_vector(
        start in prop::collection::vec(any::<u64>(), 0..700),
        edits in prop::collection::vec(edit(), 0..200),
    ) {
        let mut model = start.clone();
        let mut tree = Tree::from_vec(start);
        let mut kept = vec![(tree.clone(), model.clone())];
        for edit in edits {
            let share = matches!(edit, Edit::Share);
            apply(&mut tree, &mut model, edit);
            if share {
                kept.push((tree.clone(), model.clone()));
                assert_is(&tree, &model);
            }
        }
        kept.push((tree, model));
        for (tree, model) in &kept {
            assert_is(tree, model);
        }
        for pair in kept.windows(2) {
            assert_differing(&pair[0].0, &pair[1].0);
            assert_differing(&pair[1].0, &pair[0].0);
        }
    }

    #[test]
    fn a_sorted_tree_is_a_set(
        items in prop::collection::vec(0u64..2000, 0..1500),
        removed in prop::collection::vec(0u64..2000, 0..1500),
    ) {
        let mut model = std::collections::BTreeSet::new();
        let mut tree = Tree::default();
        for item in items {
            let at = model.range(..item).count();
            if model.insert(item) {
                match item % 2 {
                    0 => tree.insert(at, item),
                    _ => tree.insert_after(|key| key < item, item),
                }
            }
        }
        for item in removed {
            let found = tree.last_where(|key| key <= item).copied();
            prop_assert_eq!(found, model.range(..=item).next_back().copied());
            prop_assert_eq!(tree.last_where_mut(|key| key <= item).copied(), found);
            if model.remove(&item) {
                let at = model.range(..item).count();
                let removed = match item % 2 {
                    0 => tree.remove(at),
                    _ => tree.remove_last(|key| key <= item),
                };
                prop_assert_eq!(removed, Some(item));
            }
        }
        prop_assert!(tree.iter().eq(&model));
    }
}

#[test]
fn large_trees_stay_balanced() {
    let mut tree: Tree<u64> = (0..100_000).collect();
    let before = tree.clone();
    assert_eq!(height(&tree), 5);
    *tree.get_mut(50_000).unwrap() = 1;
    let stretches: Vec<_> = before.differing(&tree).collect();
    assert!(matches!(&stretches[..], [one] if one.before.len() <= u64::LEAF));
    // All but every 64th removed, then down to nothing from the front.
    for at in 0..100_000 / 64 {
        tree.remove_range(at, at + 63);
    }
    assert!(height(&tree) <= 5);
    while tree.remove(0).is_some() {}
    assert_eq!(tree.len(), 0);
    assert!(before.iter().copied().eq(0..100_000));
}

fn height(tree: &Tree<u64>) -> usize {
    tree.head.as_ref().map_or(0, assert_sound)
}
