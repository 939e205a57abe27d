//! Relative links in Markdown must lead somewhere: to a file or folder of the clone, and to a heading that exists.

use std::collections::BTreeSet;

use super::{File, Problem};

pub fn check(files: &[File]) -> Vec<Problem> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        known.insert(path);
        while let Some((folder, _)) = path.rsplit_once('/') {
            known.insert(folder);
            path = folder;
        }
    }
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.extension() == "md") {
        for (line, target) in links(&file.text) {
            if let Some(message) = broken(files, &known, file, &target) {
                problems.push(Problem::new(&file.path, line, "link", message));
            }
        }
    }
    problems
}

/// Why the link leads nowhere.
fn broken(files: &[File], known: &BTreeSet<&str>, from: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if path.is_empty() {
        Some(from.path.clone())
    } else {
        resolve(folder, path)
    };
    let Some(path) = path else {
        return Some(format!("`{target}` leads out of the clone"));
    };
    if !path.is_empty() && !known.contains(path.as_str()) {
        return Some(format!("there is no `{path}`"));
    }
    let page = files
        .iter()
        .find(|file| file.path == path && file.extension() == "md");
    match page {
        Some(page) if !heading.is_empty() && !headings(&page.text).contains(heading) => {
            Some(format!("`{path}` has no heading `#{heading}`"))
        }
        _ => None,
    }
}

/// The path from the root, with `.` and `..` taken out; `None` when it climbs above the root.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if path.starts_with('/') {
        vec![]
    } else {
        folder.split('/').collect()
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.retain(|part| !part.is_empty());
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts.join("/"))
}

/// Lines outside fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        (!fence && !fenced).then_some((number + 1, line))
    })
}

/// Targets of `[text](target)` and `[label]: target`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        for (offset, _) in line.match_indices("](") {
            let rest = line.get(offset + 2..).unwrap_or_default();
            if let Some((target, _)) = rest.split_once(')') {
                let target = target.split_whitespace().next().unwrap_or_default();
                links.push((number, target.trim_matches(['<', '>']).to_string()));
            }
        }
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
            && !label.starts_with("[^")
        {
            links.push((
                number,
                target
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_string(),
            ));
        }
    }
    links
}

/// The line with `code` blanked.
fn without_code(line: &str) -> String {
    let mut code = false;
    let blank = |c: char| {
        code ^= c == '`';
        if code && c != '`' { ' ' } else { c }
    };
    line.chars().map(blank).collect()
}

/// Anchors of the headings, as GitHub makes them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() < line.len() && title.starts_with(' ') {
            let kept = title
                .trim()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor: String = kept
                .flat_map(char::to_lowercase)
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            let mut unique = anchor.clone();
            let mut count = 0;
            while !anchors.insert(unique.clone()) {
                count += 1;
                unique = format!("{anchor}-{count}");
            }
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::super::{file, places};
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let files = [
            file(
                "README.md",
                "# Hello\n[a](docs/A.md) [b](docs/) [c](gone.md)\n[d]: docs/B.md\n[e](#hello) [f](#bye)",
            ),
            file(
                "docs/A.md",
                "# A: the `first` part\n## Twice\n## Twice\n[up](../README.md#hello) [out](../../x)\n[s](A.md#a-the-first-part)",
            ),
            file(
                "docs/C.md",
                "[t](A.md#twice-1) [u](A.md#twice-2) <!-- -->\n```\n[code](nowhere)\n```\n`[code](nowhere)` [w](https://a.b/c)",
            ),
        ];
        assert_eq!(
            places(&check(&files)),
            [
                "README.md:2 link",
                "README.md:3 link",
                "README.md:4 link",
                "docs/A.md:4 link",
                "docs/C.md:1 link"
            ]
        );
    }

    #[test]
    fn paths_resolve_from_the_file() {
        assert_eq!(resolve("docs/a", "../b.md").as_deref(), Some("docs/b.md"));
        assert_eq!(resolve("", "docs/").as_deref(), Some("docs"));
        assert_eq!(resolve("docs", "..").as_deref(), Some(""));
        assert_eq!(resolve("docs", "/core/a.rs").as_deref(), Some("core/a.rs"));
        assert_eq!(resolve("docs", "../.."), None);
    }
}
