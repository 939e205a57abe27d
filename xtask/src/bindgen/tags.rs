//! The tags in the documentation of an export.
//!
//! ```text
//! /// Reads the value of a key.                       the brief: one sentence, up to the first blank line
//! ///
//! /// More paragraphs, for every language.
//! ///
//! /// @role method                                    function constructor destructor getter method submit callback
//! /// @on engine                                      the noun
//! /// @thread safe                                    safe | handle (one thread at a time for each handle)
//! /// @blocks                                         may wait for something else than its own work
//! /// @param key in bytes max=SW_MAX_NAME_BYTES: The key.
//! /// @param value out msgpack owned present=found: Receives
//! ///   the value.                                    a tag goes on on lines that are indented
//! /// @since 0.1 unstable
//! /// @node manual                                    that language's layer is written by hand
//! /// @noerror                                        the function takes no `err`
//! ```
//!
//! A `@param` is its name, a direction (`in`, `out`, `inout`), a kind, then any of `owned`, `borrowed
//! until=F`, `consumed`, `nullable`, `max=C`, `present=P`, `cap=P`, `count=P`, a colon, and what it means.

use super::model::{Direction, Kind, Ownership, Role, Thread};

#[derive(Default, Debug)]
pub struct Tags {
    pub brief: String,
    pub doc: Vec<String>,
    pub role: Option<Role>,
    pub on: Option<String>,
    pub thread: Option<Thread>,
    pub blocks: bool,
    pub since: Option<(String, String)>,
    pub manual: Vec<String>,
    pub no_error: bool,
    pub params: Vec<TaggedParam>,
}

#[derive(Debug)]
pub struct TaggedParam {
    pub name: String,
    pub direction: Direction,
    pub kind: Kind,
    pub ownership: Option<Ownership>,
    pub nullable: bool,
    pub max: Option<String>,
    pub until: Option<String>,
    pub present: Option<String>,
    pub cap: Option<String>,
    pub count: Option<String>,
    pub doc: String,
}

/// Splits documentation into prose and tags; what is wrong goes to `problems`.
pub fn parse(lines: &[String], problems: &mut Vec<String>) -> Tags {
    let mut tags = Tags::default();
    let (prose, tagged) = split(lines);
    let mut paragraphs = paragraphs(&prose).into_iter();
    tags.brief = paragraphs.next().unwrap_or_default();
    tags.doc = paragraphs.collect();
    for tag in tagged {
        let (name, rest) = tag.split_once(' ').unwrap_or((&tag, ""));
        if let Err(problem) = apply(&mut tags, name, rest.trim()) {
            problems.push(format!("@{name}: {problem}"));
        }
    }
    tags
}

/// Paragraphs of prose, each on one line; list items stay apart.
pub fn paragraphs(lines: &[String]) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in lines {
        let line = line.trim();
        let starts_item = line.starts_with("- ");
        if line.is_empty() || starts_item {
            paragraphs.push(String::new());
        }
        if let Some(last) = paragraphs.last_mut()
            && !line.is_empty()
        {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(line);
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// The prose, and each tag with its continuation lines joined, without its `@`.
fn split(lines: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut prose, mut tags): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut in_tag = false;
    for line in lines {
        let text = line.strip_prefix(' ').unwrap_or(line);
        if let Some(tag) = text.strip_prefix('@') {
            tags.push(tag.trim().to_owned());
            in_tag = true;
        } else if let (true, Some(more), Some(tag)) =
            (in_tag, text.strip_prefix("  "), tags.last_mut())
        {
            tag.push(' ');
            tag.push_str(more.trim());
        } else {
            in_tag = false;
            prose.push(text.to_owned());
        }
    }
    (prose, tags)
}

fn apply(tags: &mut Tags, name: &str, rest: &str) -> Result<(), String> {
    match name {
        "role" => tags.role = Some(role(rest)?),
        "on" => tags.on = Some(rest.to_owned()),
        "thread" => {
            tags.thread = Some(match rest {
                "safe" => Thread::Safe,
                "handle" => Thread::Handle,
                other => return Err(format!("`{other}` is not safe or handle")),
            });
        }
        "blocks" => tags.blocks = true,
        "noerror" => tags.no_error = true,
        "since" => {
            let (version, stability) = rest
                .split_once(' ')
                .ok_or("say a version and unstable, stable or deprecated")?;
            if !["unstable", "stable", "deprecated"].contains(&stability) {
                return Err(format!(
                    "`{stability}` is not unstable, stable or deprecated"
                ));
            }
            tags.since = Some((version.to_owned(), stability.to_owned()));
        }
        "param" => tags.params.push(param(rest)?),
        "go" | "cpp" | "node" if rest == "manual" => tags.manual.push(name.to_owned()),
        _ => return Err("no such tag".into()),
    }
    Ok(())
}

fn role(word: &str) -> Result<Role, String> {
    Ok(match word {
        "function" => Role::Function,
        "constructor" => Role::Constructor,
        "destructor" => Role::Destructor,
        "getter" => Role::Getter,
        "method" => Role::Method,
        "submit" => Role::Submit,
        "callback" => Role::Callback,
        other => return Err(format!("`{other}` is no role")),
    })
}

fn kind(word: &str) -> Result<Kind, String> {
    Ok(match word {
        "handle" => Kind::Handle,
        "text" => Kind::Text,
        "bytes" => Kind::Bytes,
        "msgpack" => Kind::Msgpack,
        "number" => Kind::Number,
        "flag" => Kind::Flag,
        "options" => Kind::Options,
        "struct" => Kind::Struct,
        "events" => Kind::Events,
        "callback" => Kind::Callback,
        "context" => Kind::Context,
        other => return Err(format!("`{other}` is no kind")),
    })
}

fn param(text: &str) -> Result<TaggedParam, String> {
    let (head, doc) = text
        .split_once(": ")
        .ok_or("end the attributes with `: ` and say what it means")?;
    let mut words = head.split_whitespace();
    let name = words.next().ok_or("name the parameter")?.to_owned();
    let direction = match words.next() {
        Some("in") => Direction::In,
        Some("out") => Direction::Out,
        Some("inout") => Direction::InOut,
        _ => return Err(format!("`{name}` needs a direction: in, out or inout")),
    };
    let kind = kind(
        words
            .next()
            .ok_or_else(|| format!("`{name}` needs a kind"))?,
    )?;
    let mut param = TaggedParam {
        name,
        direction,
        kind,
        ownership: None,
        nullable: false,
        max: None,
        until: None,
        present: None,
        cap: None,
        count: None,
        doc: doc.trim().to_owned(),
    };
    for word in words {
        match word.split_once('=') {
            None if word == "nullable" => param.nullable = true,
            None => param.ownership = Some(ownership(word)?),
            Some(("max", value)) => param.max = Some(value.to_owned()),
            Some(("until", value)) => param.until = Some(value.to_owned()),
            Some(("present", value)) => param.present = Some(value.to_owned()),
            Some(("cap", value)) => param.cap = Some(value.to_owned()),
            Some(("count", value)) => param.count = Some(value.to_owned()),
            Some(_) => return Err(format!("`{word}` is no attribute")),
        }
    }
    Ok(param)
}

fn ownership(word: &str) -> Result<Ownership, String> {
    Ok(match word {
        "copied" => Ownership::Copied,
        "owned" => Ownership::Owned,
        "borrowed" => Ownership::Borrowed,
        "consumed" => Ownership::Consumed,
        "kept" => Ownership::Kept,
        other => return Err(format!("`{other}` is no ownership")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(|line| format!(" {line}")).collect()
    }

    #[test]
    fn prose_and_tags_come_apart() {
        let mut problems = Vec::new();
        let tags = parse(
            &lines(
                "Reads it.\n\nOne\nparagraph.\n\n@role getter\n@thread safe\n\
                 @param k in bytes max=M: The\n  key.\n@since 0.1 unstable",
            ),
            &mut problems,
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (tags.brief.as_str(), tags.doc.as_slice()),
            ("Reads it.", ["One paragraph.".to_owned()].as_slice())
        );
        assert_eq!(
            (tags.role, tags.thread),
            (Some(Role::Getter), Some(Thread::Safe))
        );
        let param = &tags.params[0];
        assert_eq!(
            (param.kind, param.max.as_deref(), param.doc.as_str()),
            (Kind::Bytes, Some("M"), "The key.")
        );
    }

    #[test]
    fn what_is_not_known_is_a_problem() {
        for tag in [
            "@rule x",
            "@role king",
            "@thread maybe",
            "@param k in",
            "@param k in bytes",
            "@since 1",
            "@param k in bytes lent: x",
        ] {
            let mut problems = Vec::new();
            parse(&lines(tag), &mut problems);
            assert_eq!(problems.len(), 1, "{tag}");
        }
    }
}
