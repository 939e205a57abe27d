//! A walk through a value as a sequence of events, with its own stack: how everything that visits a whole
//! value (printing, encoding, hashing, ordering) does so without recursion.

use crate::node::{Array, Items};
use crate::object::{self, Object};
use crate::value::Repr;
use crate::{Key, Value};

/// One step of a walk. In an object a key comes before each value; every container is closed by `End`.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Scalar(&'a Value),
    Array(&'a Array),
    Object(&'a Object),
    Key(&'a str),
    End,
}

pub(crate) struct Walk<'a> {
    next: Option<&'a Value>,
    open: Vec<Frame<'a>>,
    sorted: bool,
}

enum Frame<'a> {
    Items(Items<'a>),
    Entries(object::Entries<'a>),
    Sorted(std::vec::IntoIter<(&'a Key, &'a Value)>),
}

impl<'a> Walk<'a> {
    /// Objects in insertion order.
    pub(crate) fn new(value: &'a Value) -> Self {
        Walk {
            next: Some(value),
            open: Vec::new(),
            sorted: false,
        }
    }

    /// Objects in canonical order, sorted by key.
    pub(crate) fn sorted(value: &'a Value) -> Self {
        Walk {
            sorted: true,
            ..Walk::new(value)
        }
    }

    /// Leaves the innermost open container, without an `End`.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }

    fn enter(&mut self, value: &'a Value) -> Event<'a> {
        match &value.0 {
            Repr::Array(array) => {
                self.open.push(Frame::Items(array.iter()));
                Event::Array(array)
            }
            Repr::Object(object) => {
                self.open.push(match self.sorted {
                    true => Frame::Sorted(object.sorted().into_iter()),
                    false => Frame::Entries(object.iter()),
                });
                Event::Object(object)
            }
            _ => Event::Scalar(value),
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        if let Some(value) = self.next.take() {
            return Some(self.enter(value));
        }
        let entry = match self.open.last_mut()? {
            Frame::Items(items) => match items.next() {
                Some(item) => return Some(self.enter(item)),
                None => None,
            },
            Frame::Entries(entries) => entries.next(),
            Frame::Sorted(entries) => entries.next(),
        };
        match entry {
            Some((key, value)) => {
                self.next = Some(value);
                Some(Event::Key(key))
            }
            None => {
                self.open.pop();
                Some(Event::End)
            }
        }
    }
}
