//! What clients do with JSON documents.

use statewright_store::Error;
use statewright_value::Path;

use super::Checked;
use super::client::{Handle, Open, differs};
use super::model::{
    Change, FIELDS, Seen, State, doc_item, doc_value, field_item, field_path, number_in,
    numbers_in, value_of,
};
use super::world::World;
use crate::check::Event;

impl World {
    /// Makes, replaces or drops a whole document.
    pub(super) fn whole_doc(&mut self, mut open: Open) -> Checked<Open> {
        let doc = self.doc();
        let there = open.view.docs.contains_key(&doc);
        let mut fields = [None; 4];
        for field in &mut fields {
            *field = (self.random.below(3) > 0).then(|| self.judge.number());
        }
        let space = self.space(0).clone();
        match self.random.below(5) {
            0 | 1 => {
                let made = open.txn.json_create(&space, &doc, doc_value(&fields));
                match made {
                    Ok(()) if !there => self.changed(&mut open, Change::Whole(doc, fields)),
                    Err(Error::AlreadyExists { .. }) if there => open.hinted.push(Seen::Doc(doc)),
                    other => return Err(self.unexpected("creating a document", &other, !there)),
                }
            }
            2 | 3 => {
                let value = doc_value(&fields);
                let set = open.txn.json_set(&space, &doc, &Path::root(), value);
                self.must("replacing a document", set)?;
                self.changed(&mut open, Change::Whole(doc, fields));
            }
            _ => {
                let dropped = open.txn.json_drop(&space, &doc);
                let dropped = self.must("dropping a document", dropped)?;
                if dropped != there {
                    return Err(differs("dropping a document", &dropped, &there));
                }
                open.seen.push(Seen::Doc(doc.clone()));
                if dropped {
                    self.changed(&mut open, Change::Drop(doc));
                } else {
                    open.record.events.push(Event::Read(doc_item(&doc), None));
                }
            }
        }
        Ok(open)
    }

    pub(super) fn set_field(&mut self, mut open: Open) -> Checked<Open> {
        let doc = self.doc();
        let field = self.random.below(FIELDS.len() as u64) as usize;
        let there = open.view.docs.contains_key(&doc);
        let n = self.judge.number();
        let path = field_path(field);
        match open.txn.json_set(self.space(0), &doc, &path, value_of(n)) {
            Ok(()) if there => self.changed(&mut open, Change::Set(doc, field, n)),
            Err(Error::NotFound { .. }) if !there => {
                // It learned that the document is not there.
                open.record.events.push(Event::Read(doc_item(&doc), None));
                open.hinted.push(Seen::Doc(doc));
            }
            other => return Err(self.unexpected("setting a field", &other, there)),
        }
        Ok(open)
    }

    pub(super) fn unset_field(&mut self, mut open: Open) -> Checked<Open> {
        let (doc, field) = (self.doc(), self.random.below(2) as usize);
        let expected = open
            .view
            .docs
            .get(&doc)
            .map(|fields| fields.get(field).copied().flatten());
        match open
            .txn
            .json_remove(self.space(0), &doc, &field_path(field))
        {
            Ok(old) if expected.is_some() => {
                let n = expected.flatten();
                if old != n.map(value_of) {
                    return Err(differs("removing a field", &old, &n.map(value_of)));
                }
                let read = Event::Read(field_item(&doc, field), n);
                open.record.events.push(read);
                open.seen.push(Seen::Field(doc.clone(), field));
                if n.is_some() {
                    self.changed(&mut open, Change::Unset(doc, field));
                }
            }
            Err(Error::NotFound { .. }) if expected.is_none() => {
                open.record.events.push(Event::Read(doc_item(&doc), None));
                open.hinted.push(Seen::Doc(doc));
            }
            other => {
                return Err(self.unexpected("removing a field", &other, expected.is_some()));
            }
        }
        Ok(open)
    }

    pub(super) fn read_doc(&mut self, mut open: Open) -> Checked<Open> {
        let doc = self.doc();
        let field = (self.random.below(2) == 0).then(|| self.random.below(4) as usize);
        let events = self.get_doc(&Handle::Txn(&open.txn), &open.view, &doc, field)?;
        open.record.events.extend(events);
        open.seen.push(match field {
            Some(field) => Seen::Field(doc, field),
            None => Seen::Doc(doc),
        });
        Ok(open)
    }

    pub(super) fn get_doc(
        &mut self,
        handle: &Handle<'_>,
        state: &State,
        doc: &str,
        field: Option<usize>,
    ) -> Checked<Vec<Event>> {
        let path = field.map_or(Path::root(), field_path);
        let found = handle.json_get(self, doc, &path);
        let found = self.must("reading a document", found)?;
        self.out.reads += 1;
        let fields = state.docs.get(doc);
        let expected = match field {
            Some(field) => fields
                .and_then(|f| f.get(field).copied().flatten())
                .map(value_of),
            None => fields.map(doc_value),
        };
        if found != expected {
            return Err(differs(
                &format!("document {doc} {path}"),
                &found,
                &expected,
            ));
        }
        self.note(found.is_some().into());
        Ok(match (field, found) {
            (Some(field), found) => {
                let n = found.as_ref().and_then(number_in);
                vec![Event::Read(field_item(doc, field), n)]
            }
            (None, Some(found)) => {
                let numbers = numbers_in(&found).into_iter().enumerate();
                numbers
                    .map(|(field, n)| Event::Read(field_item(doc, field), n))
                    .collect()
            }
            (None, None) => vec![Event::Read(doc_item(doc), None)],
        })
    }
}
