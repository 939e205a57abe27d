//! A set of tasks as bits, taken out in the order of the spec.

use crate::net::TaskId;

/// Tasks to be looked at.
#[derive(Clone, Debug)]
pub(super) struct TaskSet {
    words: Vec<u64>,
    /// No word before this one has a bit.
    first: usize,
}

impl TaskSet {
    pub fn new(tasks: usize) -> TaskSet {
        TaskSet {
            words: vec![0; tasks.div_ceil(64)],
            first: 0,
        }
    }

    pub fn insert(&mut self, task: TaskId) {
        let word = task / 64;
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (task % 64);
            self.first = self.first.min(word);
        }
    }

    pub fn pop_first(&mut self) -> Option<TaskId> {
        while let Some(bits) = self.words.get_mut(self.first) {
            if *bits != 0 {
                let bit = bits.trailing_zeros();
                *bits &= *bits - 1;
                return Some(self.first * 64 + bit as usize);
            }
            self.first += 1;
        }
        None
    }

    /// Takes those out that are wanted, in order.
    pub fn take(&mut self, wanted: impl Fn(TaskId) -> bool) -> Vec<TaskId> {
        let mut taken = Vec::new();
        for (index, word) in self.words.iter_mut().enumerate().skip(self.first) {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let task = index * 64 + bit as usize;
                if wanted(task) {
                    *word &= !(1 << bit);
                    taken.push(task);
                }
            }
        }
        taken
    }

    pub fn clear(&mut self) {
        self.words.fill(0);
        self.first = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_in_order_and_once() {
        let mut set = TaskSet::new(200);
        for task in [130, 5, 199, 5, 64, 999] {
            set.insert(task);
        }
        let first = set.pop_first();
        set.insert(1);
        let rest: Vec<TaskId> = std::iter::from_fn(|| set.pop_first()).collect();
        assert_eq!(
            (first, rest.as_slice()),
            (Some(5), [1, 64, 130, 199].as_slice())
        );
        for task in [3, 70, 71] {
            set.insert(task);
        }
        assert_eq!(set.take(|task| task % 2 == 1), [3, 71]);
        assert_eq!((set.pop_first(), set.pop_first()), (Some(70), None));
        set.insert(7);
        set.clear();
        assert_eq!(set.pop_first(), None);
    }
}
