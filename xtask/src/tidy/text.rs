//! Checks of one file's text: sizes, characters, left-over marks, paths of a machine, attributes without a reason.

use super::{File, Problem};

/// Hand-written source, by extension.
const SOURCES: &[&str] = &[
    "rs", "c", "h", "cc", "cpp", "hpp", "go", "js", "mjs", "cjs", "ts", "mts", "sh", "cmake",
];
const FILE_SOFT: usize = 600;
const FILE_HARD: usize = 800;
const LINE_HARD: usize = 120;

/// Marks that must not stay, in two pieces so that this file does not hold them, and what to do instead.
const LEFT_OVER: &[(&str, &str, &str)] = &[
    (
        "FIX",
        "ME",
        "fix it, or open an issue and say here what holds today",
    ),
    ("XX", "X", "say what is wrong, or fix it"),
    ("TO", "DO", "do it, or open an issue"),
    ("HA", "CK", "say why it is done this way"),
    ("db", "g!", "remove it"),
    ("DO NOT ", "MERGE", "finish it"),
    ("<<<<", "<<< ", "resolve the conflict"),
];

/// Folders that exist on somebody's machine only, in pieces as above.
const MACHINE_FOLDERS: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/tm", "p/"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
];

pub fn check(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let licence = file.path.starts_with("LICENSE");
    let source = SOURCES.contains(&file.extension());
    if source && !file.is_generated() {
        problems.extend(length(file));
    }
    problems.extend(characters(file));
    if file.extension() == "rs" {
        problems.extend(rust(file));
    }
    if file.extension() == "json" && file.path.ends_with("package-lock.json") {
        problems.extend(npm_hosts(file));
    }
    if !licence && !file.path.ends_with(".lock") && !file.path.ends_with(".sum") {
        problems.extend(words(file));
    }
    problems.retain(|problem| !allowed(file, problem));
    problems
}

/// Whether the line, or the one before, says `tidy: allow(<rule>) <reason>`.
fn allowed(file: &File, problem: &Problem) -> bool {
    let says = |line: &str| {
        let rest = line.split_once("tidy: allow(").map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once(')'))
            .is_some_and(|(rule, why)| rule == problem.rule && why.trim().len() > 3)
    };
    let first = problem.line.saturating_sub(2);
    problem.line > 0
        && file
            .text
            .lines()
            .skip(first)
            .take(problem.line - first)
            .any(says)
}

fn length(file: &File) -> Option<Problem> {
    let lines = file.text.lines().count();
    let message = format!(
        "{lines} lines; above {FILE_HARD} a file must be cut, above {FILE_SOFT} it should be"
    );
    let problem = Problem::new(&file.path, 0, "file-length", message);
    (lines > FILE_SOFT).then_some(Problem {
        advice: lines <= FILE_HARD,
        ..problem
    })
}

fn characters(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let strange = |c: &char| {
            (c.is_control() && *c != '\t')
                || matches!(c, '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some(c) = line.chars().find(strange) {
            let message = format!("the character {c:?} cannot be seen; write an escape");
            problems.push(Problem::new(
                &file.path,
                number + 1,
                "control-character",
                message,
            ));
        }
    }
    problems
}

fn rust(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if line.contains('\t') {
            problems.push(Problem::new(
                &file.path,
                number + 1,
                "tab",
                "use spaces, or \\t in a string",
            ));
        }
        let width = line.chars().count();
        // A string or a URL is not cut: it would be harder to read and to find.
        let indivisible = line.contains('"') || line.contains("://");
        if width > LINE_HARD && !indivisible && !file.is_generated() {
            let message = format!("{width} columns; at most {LINE_HARD}");
            problems.push(Problem::new(&file.path, number + 1, "line-length", message));
        }
    }
    problems.extend(attributes(file));
    problems
}

/// `#[allow(…)]` and `#[expect(…)]` must carry `reason = "…"`; also in code the compiler does not see today.
fn attributes(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (offset, _) in file.text.match_indices('#') {
        let Some((before, rest)) = file.text.split_at_checked(offset) else {
            continue;
        };
        let inner = rest.trim_start_matches('#').trim_start_matches('!');
        let starts_line = before
            .lines()
            .next_back()
            .is_none_or(|line| before.ends_with('\n') || line.trim().is_empty());
        if !starts_line || !(inner.starts_with("[allow(") || inner.starts_with("[expect(")) {
            continue;
        }
        let attribute = inner
            .split_once(")]")
            .map_or(inner, |(attribute, _)| attribute);
        if !attribute.contains("reason") {
            let line = before.matches('\n').count() + 1;
            problems.push(Problem::new(
                &file.path,
                line,
                "reason",
                "say why: add `reason = \"…\"`",
            ));
        }
    }
    problems
}

fn words(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (start, end, remedy) in LEFT_OVER {
            let mark = format!("{start}{end}");
            if has_word(line, &mark) {
                problems.push(Problem::new(
                    &file.path,
                    number + 1,
                    "left-over-mark",
                    format!("`{mark}`: {remedy}"),
                ));
            }
        }
        for (start, end) in MACHINE_FOLDERS {
            let folder = format!("{start}{end}");
            if line
                .match_indices(&folder)
                .any(|(offset, _)| starts_path(line, offset))
            {
                let message = format!(
                    "`{folder}…` exists on one machine; use a relative path or a temporary folder"
                );
                problems.push(Problem::new(
                    &file.path,
                    number + 1,
                    "machine-path",
                    message,
                ));
            }
        }
    }
    problems
}

/// Whether the mark stands by itself, not inside a longer word.
fn has_word(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(offset, _)| {
        let (before, rest) = line.split_at_checked(offset).unwrap_or_default();
        let after = rest.strip_prefix(mark).unwrap_or_default();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let opens = mark.ends_with(|c: char| !c.is_alphanumeric());
        !joins(before.chars().next_back()) && (opens || !joins(after.chars().next()))
    })
}

/// Whether an absolute path starts here, and not the rest of a URL or of a relative path.
fn starts_path(line: &str, offset: usize) -> bool {
    let before = line
        .get(..offset)
        .and_then(|before| before.chars().next_back());
    before.is_none_or(|c| {
        !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '/' | '*' | '}' | ')' | '~')
    })
}

/// A lock file says what is installed, by its hash, and leaves where from to whoever installs.
fn npm_hosts(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let address = line.split_once("\"resolved\": \"").map(|(_, url)| url);
        if address.is_some_and(|url| url.contains("://")) {
            problems.push(Problem::new(
                &file.path,
                number + 1,
                "registry",
                "names a host: install with `npm config set omit-lockfile-registry-resolved true`",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::{file, places};
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        places(&check(&file(path, text)))
    }

    #[test]
    fn long_files_and_lines() {
        let long = "x\n".repeat(801);
        assert_eq!(rules("a.rs", &long), ["a.rs:0 file-length"]);
        assert!(!check(&file("a.rs", &long))[0].advice);
        assert!(check(&file("a.rs", &"x\n".repeat(601)))[0].advice);
        assert!(rules("a.rs", &"x\n".repeat(600)).is_empty());
        assert!(rules("a.md", &long).is_empty());
        assert!(
            rules(
                "a.rs",
                &format!("// Generated by a tool\n{long}{}", "x".repeat(200))
            )
            .is_empty()
        );
        assert_eq!(
            rules("a.rs", &format!("\n{}", "é".repeat(121))),
            ["a.rs:2 line-length"]
        );
        assert!(rules("a.rs", &"é".repeat(120)).is_empty());
        assert!(rules("a.rs", &format!("#[error(\"{}\")]", "é".repeat(120))).is_empty());
    }

    #[test]
    fn invisible_characters() {
        assert_eq!(rules("a.md", "a\u{7}b"), ["a.md:1 control-character"]);
        assert_eq!(rules("a.c", "x\n\u{202e}"), ["a.c:2 control-character"]);
        assert_eq!(rules("a.rs", "fn a() {\n\tb\n}"), ["a.rs:2 tab"]);
        assert!(rules("a.go", "func a() {\n\tb\n}").is_empty());
    }

    #[test]
    fn left_over_marks() {
        let mark = LEFT_OVER
            .iter()
            .map(|(start, end, _)| format!("{start}{end}"))
            .collect::<Vec<_>>();
        for mark in &mark {
            assert_eq!(
                rules("a.c", &format!("x\n// {mark} (later)")),
                ["a.c:2 left-over-mark"],
                "{mark}"
            );
        }
        assert!(
            rules("a.c", &format!("A{}B {}_COUNT", mark[1], mark[2])).is_empty(),
            "inside a word"
        );
        let excused = format!(
            "# tidy: allow(left-over-mark) what the flow looks for\ngrep {}",
            mark[0]
        );
        assert!(rules("a.yaml", &excused).is_empty());
        assert_eq!(
            rules("a.yaml", &excused.replace(" what the flow looks for", "")),
            ["a.yaml:2 left-over-mark"]
        );
        assert!(rules("Cargo.lock", &mark[1]).is_empty());
    }

    #[test]
    fn paths_of_one_machine() {
        let folder = MACHINE_FOLDERS
            .iter()
            .map(|(start, end)| format!("{start}{end}"))
            .collect::<Vec<_>>();
        assert_eq!(
            rules("README.md", &format!("see `{}main`", folder[0])),
            ["README.md:1 machine-path"]
        );
        assert_eq!(
            rules("a.c", &format!("open(\"{}x\")", folder[1])),
            ["a.c:1 machine-path"]
        );
        assert!(
            rules(
                "README.md",
                &format!("https://example.org{}x ./a{}b", folder[0], folder[1])
            )
            .is_empty()
        );
        let excused = format!(
            "open(\"{}x\") // tidy: allow(machine-path) only the name matters",
            folder[1]
        );
        assert!(rules("a.c", &excused).is_empty());
    }

    #[test]
    fn attributes_say_why() {
        assert_eq!(
            rules("a.rs", "#[allow(dead_code)]\nfn a() {}"),
            ["a.rs:1 reason"]
        );
        assert_eq!(
            rules("a.rs", "x\n    #![expect(\n  unused,\n)]"),
            ["a.rs:2 reason"]
        );
        assert!(rules("a.rs", "#[expect(\n  unused,\n  reason = \"told\",\n)]\n").is_empty());
        assert!(rules("a.rs", "//! says `#[allow(x)]`\nlet a = \"#[allow(b)]\";").is_empty());
    }

    #[test]
    fn lock_files_name_no_host() {
        let line = |url: &str| format!("{{\n  \"resolved\": \"{url}\",\n}}");
        assert_eq!(
            rules("package-lock.json", &line("http://example.org/a.tgz")),
            ["package-lock.json:2 registry"]
        );
        assert!(rules("package-lock.json", &line("../../bindings/node")).is_empty());
    }
}
