//! Explicit places, sections, names, and the `many` of a task.

use super::fields::{MANY, PLACE, SECTION};
use super::read::{Name, PlaceSpec, Reader, SectionSpec};
use super::yaml::{Data, Node};
use crate::net::{Many, Rest};

impl Reader<'_> {
    pub(super) fn places(&mut self, node: &Node) -> Vec<PlaceSpec> {
        let Data::Map(entries) = &node.data else {
            self.wrong(node, "places", "a mapping from names to places");
            return Vec::new();
        };
        let mut places = Vec::new();
        for (key, node) in entries {
            self.check_name(&key.name, key.at, "place");
            let what = format!("place `{}`", key.name);
            let mut place = PlaceSpec {
                name: Name {
                    text: key.name.clone(),
                    at: key.at,
                },
                tokens: 0,
                next: Vec::new(),
            };
            // A place without fields may be written as nothing.
            if !matches!(node.data, Data::Null)
                && let Some(fields) = self.fields(node, key.at, &what, &PLACE)
            {
                self.description(&fields);
                if let Some(node) = fields.get("tokens") {
                    place.tokens = self.tokens(node, "tokens", 0).unwrap_or(0);
                }
                if let Some(node) = fields.get("next") {
                    place.next = self.names(node, "next");
                }
            }
            places.push(place);
        }
        places
    }

    pub(super) fn sections(&mut self, node: &Node) -> Vec<SectionSpec> {
        let Data::Map(entries) = &node.data else {
            self.wrong(node, "sections", "a mapping from names to sections");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (key, node) in entries {
            self.check_name(&key.name, key.at, "section");
            let what = format!("section `{}`", key.name);
            let Some(fields) = self.fields(node, key.at, &what, &SECTION) else {
                continue;
            };
            self.description(&fields);
            let tasks = fields
                .required(self, "tasks", &what)
                .map(|node| self.names(node, "tasks"));
            let mutex = fields
                .required(self, "mutex", &what)
                .and_then(|node| self.name(node, "mutex", "mutex"));
            if let (Some(tasks), Some(mutex)) = (tasks, mutex) {
                let name = Name {
                    text: key.name.clone(),
                    at: key.at,
                };
                sections.push(SectionSpec { name, tasks, mutex });
            }
        }
        sections
    }

    /// A name of its own making.
    pub(super) fn name(&mut self, node: &Node, field: &str, what: &str) -> Option<Name> {
        let text = self.text(node, field)?.to_owned();
        self.check_name(&text, node.at, what);
        Some(Name { text, at: node.at })
    }

    /// A name, or a list of names.
    pub(super) fn names(&mut self, node: &Node, field: &str) -> Vec<Name> {
        let items = match &node.data {
            Data::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut names = Vec::new();
        for item in items {
            match &item.data {
                Data::Text(text) => names.push(Name {
                    text: text.clone(),
                    at: item.at,
                }),
                _ => self.wrong(item, field, "a name, or a list of names"),
            }
        }
        names
    }

    /// A boolean; false if it is something else, which is a problem.
    pub(super) fn flag(&mut self, node: &Node, field: &str) -> bool {
        match node.data {
            Data::Bool(flag) => flag,
            _ => {
                self.wrong(node, field, "true or false");
                false
            }
        }
    }

    pub(super) fn many(&mut self, node: &Node) -> Option<Many> {
        let fields = self.fields(node, node.at, "`many`", &MANY)?;
        let items = fields
            .required(self, "items", "`many`")
            .and_then(|node| self.expr(node, "items"));
        let [min, max, threshold] =
            ["min", "max", "threshold"].map(|field| match fields.get(field) {
                None => Some(None),
                Some(node) => {
                    if matches!(node.data, Data::Integer(n) if n < i64::from(field != "min")) {
                        self.wrong(node, field, "a whole number of instances");
                        return None;
                    }
                    self.expr(node, field).map(Some)
                }
            });
        let until = match fields.get("until") {
            None => Some(None),
            Some(node) => self.expr(node, "until").map(Some),
        };
        let rests = [("cancel", Rest::Cancel), ("continue", Rest::Continue)];
        let rest = fields
            .get("rest")
            .map_or(Some(Rest::Cancel), |node| self.word(node, "rest", &rests));
        let add = fields.get("add").is_some_and(|node| self.flag(node, "add"));
        let wait = fields
            .get("wait")
            .is_none_or(|node| self.flag(node, "wait"));
        if let (Some(Data::Integer(min)), Some(Data::Integer(max))) = (
            fields.get("min").map(|n| &n.data),
            fields.get("max").map(|n| &n.data),
        ) && min > max
        {
            let at = fields.get("min").map_or(fields.at, |n| n.at);
            let message = format!("`min` is {min}, but `max` is only {max}");
            self.problems
                .error(at, "bad-many", message, "`min` must be at most `max`");
        }
        if !wait {
            for field in ["threshold", "until", "rest", "add"] {
                if let Some(node) = fields.get(field) {
                    let message = format!("`{field}` means nothing with `wait: false`");
                    let help =
                        "without waiting, the task completes when its instances have started";
                    self.problems.error(node.at, "bad-many", message, help);
                }
            }
        }
        Some(Many {
            items: items?,
            min: min?,
            max: max?,
            threshold: threshold?,
            until: until?,
            add,
            rest: rest?,
            wait,
        })
    }
}
