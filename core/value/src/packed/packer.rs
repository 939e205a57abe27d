//! Arrays written straight into the packed form.

use super::bytes::{scalar_word, too_large, write_into};
use super::{Full, Writer, word};
use crate::value_ref::Data;
use crate::{Result, Value, ValueRef};

/// Writes an array in the packed form item by item, with no node and no allocation for each: for programs that write
/// many small documents of a shape of their own. An array opened within is closed as an array, as a *row*, whose nulls
/// at the end are left out, or as a *list*, which is null if it is empty.
///
/// ```
/// use statewright_value::{Packer, value};
/// # fn main() -> statewright_value::Result<()> {
/// let mut packer = Packer::new();
/// packer.uint(7);
/// packer.open();
/// packer.text("a");
/// packer.null();
/// packer.close_row();
/// packer.open();
/// packer.close_list();
/// packer.int(-1);
/// assert_eq!(packer.finish()?, value!([7, ["a"], null, -1]));
/// # Ok(())
/// # }
/// ```
#[must_use = "what is packed is in what `finish` gives"]
pub struct Packer {
    writer: Box<Writer>,
    full: bool,
}

impl Default for Packer {
    fn default() -> Self {
        Packer::new()
    }
}

impl Packer {
    /// An empty array.
    pub fn new() -> Packer {
        let mut writer = Writer::new(64);
        writer.open_array();
        Packer {
            writer,
            full: false,
        }
    }

    /// Adds null. O(1).
    pub fn null(&mut self) {
        self.writer.push(word::NULL);
    }

    /// Adds a whole number. O(1).
    pub fn uint(&mut self, number: u64) {
        let word = self.writer.uint(number);
        self.push(word);
    }

    /// Adds a whole number. O(1).
    pub fn int(&mut self, number: i64) {
        let word = self.writer.int(number);
        self.push(word);
    }

    /// Adds text. O(length).
    pub fn text(&mut self, text: &str) {
        let word = self.writer.text(text);
        self.push(word);
    }

    /// Adds a copy of any value. O(size).
    pub fn value(&mut self, value: ValueRef<'_>) {
        match value.data() {
            Data::Array | Data::Object => {
                self.full |= write_into(&mut self.writer, value).is_err();
            }
            scalar => {
                let word = scalar_word(&mut self.writer, scalar);
                self.push(word);
            }
        }
    }

    /// Opens an array within the innermost open one.
    pub fn open(&mut self) {
        self.writer.open_array();
    }

    /// Closes the innermost open array. Without one this does nothing.
    pub fn close(&mut self) {
        // The outermost is closed by `finish`.
        if self.writer.depth() > 1 {
            self.full |= self.writer.close().is_err();
        }
    }

    /// As [`close`](Packer::close), without nulls at its end.
    pub fn close_row(&mut self) {
        if self.writer.depth() > 1 {
            self.writer.trim_nulls();
            self.close();
        }
    }

    /// As [`close`](Packer::close); null if it is empty.
    pub fn close_list(&mut self) {
        if self.writer.depth() > 1 && self.writer.pending() == 0 {
            self.writer.abandon();
            self.null();
        } else {
            self.close();
        }
    }

    /// The array; what is still open is closed. O(size).
    ///
    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) if it needs more than 32 GiB, or nests deeper than
    /// [`MAX_DEPTH`](crate::MAX_DEPTH).
    pub fn finish(mut self) -> Result<Value> {
        // What is full stays open.
        while self.writer.depth() > 0 && !self.full {
            self.full = self.writer.close().is_err();
        }
        if self.full {
            return Err(too_large());
        }
        let value = self.writer.finish().map_err(|Full| too_large())?;
        value.checked_depth(0, &crate::Path::root())?;
        Ok(value)
    }

    /// As [`finish`](Packer::finish), without nulls at its end.
    ///
    /// # Errors
    /// As [`finish`](Packer::finish).
    pub fn finish_row(mut self) -> Result<Value> {
        while self.writer.depth() > 1 && !self.full {
            self.close();
        }
        self.writer.trim_nulls();
        self.finish()
    }

    fn push(&mut self, word: std::result::Result<u64, Full>) {
        match word {
            Ok(word) => self.writer.push(word),
            Err(Full) => self.full = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value;

    #[test]
    fn what_is_left_open_is_closed_and_closing_too_often_is_nothing() {
        let mut packer = Packer::new();
        packer.close();
        packer.close_row();
        packer.close_list();
        packer.open();
        packer.open();
        packer.uint(u64::MAX);
        packer.value(value!({"a": [1.5, null]}).by_ref());
        let want = value!([[[(u64::MAX), {"a": [1.5, null]}]]]);
        assert_eq!(packer.finish().unwrap(), want);
    }

    #[test]
    fn too_deep_is_an_error() {
        let mut packer = Packer::new();
        (0..crate::MAX_DEPTH).for_each(|_| packer.open());
        assert!(packer.finish().is_err());
    }

    proptest! {
        /// The same as with nodes that are packed afterwards.
        #[test]
        fn is_what_nodes_would_be(
            steps in proptest::collection::vec((0u8..8, any::<i64>(), ".{0,12}"), 0..60),
            row in any::<bool>(),
        ) {
            let mut packer = Packer::new();
            let mut open: Vec<Vec<Value>> = vec![Vec::new()];
            for (step, number, text) in steps {
                let deep = open.len() > 1;
                let mut item = None;
                match step {
                    0 => { packer.null(); item = Some(Value::NULL); }
                    1 => { packer.int(number); item = Some(Value::from(number)); }
                    2 => { packer.uint(number as u64); item = Some(Value::from(number as u64)); }
                    3 => { packer.text(&text); item = Some(Value::text(&text)); }
                    4 => { packer.open(); open.push(Vec::new()); }
                    5 => { packer.close(); }
                    6 => { packer.close_row(); }
                    _ => { packer.close_list(); }
                }
                if step > 4 && deep {
                    let mut closed = open.pop().unwrap();
                    while step == 6 && closed.last().is_some_and(Value::is_null) { closed.pop(); }
                    let list = step == 7 && closed.is_empty();
                    item = Some(if list { Value::NULL } else { closed.into_iter().collect() });
                }
                open.last_mut().unwrap().extend(item);
            }
            while open.len() > 1 {
                let closed = open.pop().unwrap();
                open.last_mut().unwrap().push(closed.into_iter().collect());
            }
            let mut all = open.pop().unwrap();
            while row && all.last().is_some_and(Value::is_null) { all.pop(); }
            let want: Value = all.into_iter().collect();
            let have = if row { packer.finish_row() } else { packer.finish() }.unwrap();
            prop_assert_eq!(have.to_packed_bytes().unwrap(), want.to_packed_bytes().unwrap());
            prop_assert_eq!(have, want);
        }
    }
}
