//! A walk through a value as a sequence of events, with its own stack: how everything that visits a whole
//! value (encoding, hashing, ordering) does so without recursion.

use std::cmp::Ordering;

use crate::ValueRef;
use crate::value_ref::{Data, Entries, Items};

/// One step of a walk. In an object a key comes before each value; every container is closed by `End`.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Scalar(Data<'a>),
    Array(ValueRef<'a>),
    Object(ValueRef<'a>),
    Key(&'a str),
    End,
}

pub(crate) struct Walk<'a> {
    next: Option<ValueRef<'a>>,
    open: Vec<Frame<'a>>,
    /// How the keys of objects are sorted, if they are.
    order: Option<fn(&str, &str) -> Ordering>,
}

enum Frame<'a> {
    Items(Items<'a>),
    Entries(Entries<'a>),
    Sorted(std::vec::IntoIter<(&'a str, ValueRef<'a>)>),
}

impl<'a> Walk<'a> {
    /// Objects in insertion order.
    pub(crate) fn new(value: ValueRef<'a>) -> Self {
        Walk {
            next: Some(value),
            open: Vec::new(),
            order: None,
        }
    }

    /// Objects in canonical order, sorted by key (by bytes, which is by code point).
    pub(crate) fn sorted(value: ValueRef<'a>) -> Self {
        Walk::sorted_by(value, str::cmp)
    }

    /// Objects sorted by key in this order.
    pub(crate) fn sorted_by(value: ValueRef<'a>, order: fn(&str, &str) -> Ordering) -> Self {
        Walk {
            order: Some(order),
            ..Walk::new(value)
        }
    }

    /// Leaves the innermost open container, without an `End`.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }

    fn enter(&mut self, value: ValueRef<'a>) -> Event<'a> {
        match value.data() {
            Data::Array => {
                self.open.push(Frame::Items(value.items()));
                Event::Array(value)
            }
            Data::Object => {
                self.open.push(match self.order {
                    Some(order) => {
                        let mut entries: Vec<_> = value.entries().collect();
                        entries.sort_unstable_by(|(a, _), (b, _)| order(a, b));
                        Frame::Sorted(entries.into_iter())
                    }
                    None => Frame::Entries(value.entries()),
                });
                Event::Object(value)
            }
            scalar => Event::Scalar(scalar),
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
