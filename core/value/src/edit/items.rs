//! The edits of an array. On a value at a path: through [`Value::edit`] or the variant that ends in `_at`.

use super::wrong_type;
use std::mem::ManuallyDrop;

use crate::node::Array;
use crate::{Error, Kind, MAX_DEPTH, Path, Result, Value, ValueRef};

/// Edits of an array. Each fails with [`Error::WrongType`] if this is no array; nothing is changed on an
/// error.
impl Value {
    /// Appends `value` to this array. O(1) on average, after the [first edit](Value#cost-of-the-first-edit); if
    /// the array is shared, a copy of at most 32 items.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!([1]);
    /// list.push(value!(2))?;
    /// assert_eq!(list, value!([1, 2]));
    /// assert_eq!(value!({}).push(value!(2)).unwrap_err().code(), 203);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array, [`Error::Limit`] if it would nest too deep.
    #[inline]
    pub fn push(&mut self, value: Value) -> Result<()> {
        let depth = value.depth_bound();
        // Never in memory until it is in its place: what is stored in parts and soon loaded as one is slow.
        let value = ManuallyDrop::new(value);
        match self.tail_for(depth) {
            Some(tail) => {
                tail.push(ManuallyDrop::into_inner(value));
                Ok(())
            }
            None => self.push_carefully(ManuallyDrop::into_inner(value)),
        }
    }

    /// Where an item of this depth is appended; none if it must be looked at more closely.
    fn tail_for(&mut self, depth: u32) -> Option<&mut Vec<Value>> {
        let array = self.array_mut(1)?;
        if depth as usize >= MAX_DEPTH {
            return None;
        }
        array.admit(depth);
        Some(array.open_tail())
    }

    #[cold]
    fn push_carefully(&mut self, value: Value) -> Result<()> {
        self.array_for(&value)?.push(value);
        Ok(())
    }

    /// This array, ready to take in `value`.
    fn array_for(&mut self, value: &Value) -> Result<&mut Array> {
        let array = self.array_or(Path::root, 1)?;
        let depth = value.checked_depth(1, &Path::root())?;
        array.admit(depth);
        Ok(array)
    }

    /// Removes the last item of this array and returns it; none if the array is empty. O(log n), mostly O(1).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut stack = value!([1, 2]);
    /// assert_eq!(stack.pop()?, Some(value!(2)));
    /// assert_eq!(stack, value!([1]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn pop(&mut self) -> Result<Option<Value>> {
        Ok(self.array_or(Path::root, 0)?.pop())
    }

    /// Puts `value` before item `at` of this array, or behind the last if `at` is the length. Later items
    /// move on. O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!(["a", "c"]);
    /// list.insert_item(1, value!("b"))?;
    /// assert_eq!(list, value!(["a", "b", "c"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array, [`Error::IndexOutOfRange`] beyond its length,
    /// [`Error::Limit`] if it would nest too deep.
    pub fn insert_item(&mut self, at: usize, value: Value) -> Result<()> {
        if let Some(len) = self.as_array_len()
            && at > len
        {
            return Err(out_of_range(at, len));
        }
        self.array_for(&value)?.insert(at, value);
        Ok(())
    }

    /// Removes item `at` of this array and returns it; none, and no change, past the end. Later items move up.
    /// O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!(["a", "b"]);
    /// assert_eq!(list.remove_item(0)?, Some(value!("a")));
    /// assert_eq!(list.remove_item(7)?, None);
    /// assert_eq!(list, value!(["b"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn remove_item(&mut self, at: usize) -> Result<Option<Value>> {
        if self.as_array_len().is_some_and(|len| at >= len) {
            return Ok(None);
        }
        Ok(self.array_or(Path::root, 0)?.remove(at))
    }

    /// Moves item `from` of this array to where it is item `to`; the items between move by one. O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!(["a", "b", "c"]);
    /// list.move_item(0, 2)?;
    /// assert_eq!(list, value!(["b", "c", "a"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array, [`Error::IndexOutOfRange`] if either is past the end.
    pub fn move_item(&mut self, from: usize, to: usize) -> Result<()> {
        self.check_item(from)?;
        self.check_item(to)?;
        if from != to {
            let array = self.array_or(Path::root, 1)?;
            if let Some(item) = array.remove(from) {
                array.insert(to, item);
            }
        }
        Ok(())
    }

    /// Exchanges two items of this array. O(log n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!(["a", "b", "c"]);
    /// list.swap(0, 2)?;
    /// assert_eq!(list, value!(["c", "b", "a"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array, [`Error::IndexOutOfRange`] if either is past the end.
    pub fn swap(&mut self, a: usize, b: usize) -> Result<()> {
        self.check_item(a)?;
        self.check_item(b)?;
        if a != b {
            let array = self.array_or(Path::root, 0)?;
            let first = array.slot_mut(a).map(std::mem::take).unwrap_or_default();
            let second = array.slot_mut(b).map(|slot| std::mem::replace(slot, first));
            if let (Some(slot), Some(second)) = (array.slot_mut(a), second) {
                *slot = second;
            }
        }
        Ok(())
    }

    /// Shortens this array to at most `len` items. O(log n), and dropping the items.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!([1, 2, 3]);
    /// list.truncate_items(1)?;
    /// assert_eq!(list, value!([1]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn truncate_items(&mut self, len: usize) -> Result<()> {
        if self.as_array_len().is_none_or(|now| len < now) {
            self.array_or(Path::root, 0)?.remove_range(len, usize::MAX);
        }
        Ok(())
    }

    /// Removes the items from `start` on and before `end`, as far as there are any. O(log n), and dropping the
    /// items.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!(["a", "b", "c", "d"]);
    /// list.remove_range(1, 3)?;
    /// assert_eq!(list, value!(["a", "d"]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn remove_range(&mut self, start: usize, end: usize) -> Result<()> {
        if self.as_array_len().is_none_or(|len| start < end.min(len)) {
            self.array_or(Path::root, 0)?.remove_range(start, end);
        }
        Ok(())
    }

    /// Removes the items that `keep` says false of, and returns how many. It is asked once for each item, in
    /// order. O(n).
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!([1, "x", 2]);
    /// assert_eq!(list.retain_items(|item| item.as_i64().is_some())?, 1);
    /// assert_eq!(list, value!([1, 2]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] if this is no array.
    pub fn retain_items(&mut self, mut keep: impl FnMut(ValueRef<'_>) -> bool) -> Result<usize> {
        let Some(len) = self.as_array_len() else {
            return Err(wrong_type(self.by_ref(), Path::root(), "array"));
        };
        let kept: Vec<Value> = self
            .by_ref()
            .items()
            .filter(|item| keep(*item))
            .map(ValueRef::to_value)
            .collect();
        let removed = len - kept.len();
        if removed > 0 {
            *self = Value::from(kept);
        }
        Ok(removed)
    }

    /// Removes all items of this array, or all entries of this object. O(1), and dropping them.
    ///
    /// ```
    /// use statewright_value::value;
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut list = value!([1, 2]);
    /// list.clear()?;
    /// assert_eq!(list, value!([]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongType`] for other kinds.
    pub fn clear(&mut self) -> Result<()> {
        *self = match self.kind() {
            Kind::Array => Value::array(),
            Kind::Object => Value::object(),
            _ => return Err(wrong_type(self.by_ref(), Path::root(), "array or object")),
        };
        Ok(())
    }

    /// The number of items; none if this is no array.
    fn as_array_len(&self) -> Option<usize> {
        (self.kind() == Kind::Array).then(|| self.len())
    }

    fn check_item(&self, at: usize) -> Result<()> {
        match self.as_array_len() {
            None => Err(wrong_type(self.by_ref(), Path::root(), "array")),
            Some(len) if at >= len => Err(out_of_range(at, len)),
            Some(_) => Ok(()),
        }
    }
}

fn out_of_range(index: usize, len: usize) -> Error {
    Error::IndexOutOfRange {
        path: Path::root(),
        index,
        len,
    }
}
