//! The stack of a run: its first places lie in the machine itself, so a query that opens few allocates nothing.

/// So many are open at once in `$.items[?@.price > 10].name` and the like; a walk opens one more for each level.
const INLINE: usize = 3;

pub(super) struct Stack<T> {
    first: [Option<T>; INLINE],
    /// What lies above the first; empty until those are taken.
    more: Vec<T>,
    len: usize,
}

impl<T> Stack<T> {
    pub(super) fn new() -> Self {
        Stack {
            first: [const { None }; INLINE],
            more: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self.first.get_mut(self.len) {
            Some(slot) => *slot = Some(item),
            None => self.more.push(item),
        }
        self.len += 1;
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let top = self.len.checked_sub(1)?;
        self.len = top;
        match self.first.get_mut(top) {
            Some(slot) => slot.take(),
            None => self.more.pop(),
        }
    }

    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        match self.first.get_mut(self.len.checked_sub(1)?) {
            Some(slot) => slot.as_mut(),
            None => self.more.last_mut(),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        while self.len > len {
            self.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_in_first_out_across_the_border() {
        let mut stack = Stack::new();
        assert_eq!((stack.pop(), stack.last_mut()), (None::<usize>, None));
        for mut item in 0..10 {
            stack.push(item);
            assert_eq!((stack.len(), stack.last_mut()), (item + 1, Some(&mut item)));
        }
        *stack.last_mut().unwrap() = 90;
        assert_eq!(stack.pop(), Some(90));
        stack.truncate(2);
        assert_eq!((stack.len(), stack.last_mut()), (2, Some(&mut 1)));
        stack.push(7);
        stack.push(8);
        assert_eq!([8, 7, 1, 0].map(Some), [(); 4].map(|()| stack.pop()));
        assert_eq!(stack.len(), 0);
    }
}
