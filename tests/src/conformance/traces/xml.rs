//! As much of XML as the definitions use: elements, attributes and text, no entities.

use anyhow::{Context, Result, bail};

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    pub tag: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    pub text: String,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn named<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.tag == tag)
    }
}

/// The root element of a document.
pub fn parse(text: &str) -> Result<Element> {
    // The last is the innermost element that is open; the first holds the root.
    let mut open = vec![Element::default()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        open.last_mut().context("an end too many")?.text += before.trim();
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").context("an open comment")?.1;
            continue;
        }
        let (tag, after) = after.split_once('>').context("an open tag")?;
        rest = after;
        if tag.starts_with('?') {
            continue;
        }
        if tag.starts_with('/') {
            let done = open.pop().context("an end too many")?;
            open.last_mut()
                .context("an end too many")?
                .children
                .push(done);
            continue;
        }
        let element = element(tag.trim_end_matches('/'))?;
        if tag.ends_with('/') {
            let parent = open.last_mut().context("an end too many")?;
            parent.children.push(element);
        } else {
            open.push(element);
        }
    }
    let document = open.pop().filter(|_| open.is_empty());
    let root = document.and_then(|mut d| d.children.pop());
    root.context("there is no root element")
}

fn element(tag: &str) -> Result<Element> {
    let tag = tag.trim();
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        let Some((value, after)) = after
            .trim_start()
            .strip_prefix('"')
            .and_then(|quoted| quoted.split_once('"'))
        else {
            bail!("{tag}: an attribute without quotes");
        };
        attributes.push((key.trim().to_owned(), value.to_owned()));
        rest = after;
    }
    Ok(Element {
        tag: name.to_owned(),
        attributes,
        ..Element::default()
    })
}
