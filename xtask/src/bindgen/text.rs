//! Building the text of a generated file.

/// Lines, with an indentation that can be changed.
pub struct Text {
    text: String,
    unit: &'static str,
    depth: usize,
}

impl Text {
    /// Text that indents by `unit`.
    pub fn new(unit: &'static str) -> Text {
        Text {
            text: String::new(),
            unit,
            depth: 0,
        }
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            for _ in 0..self.depth {
                self.text.push_str(self.unit);
            }
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// Several lines as they are, at the current indentation.
    pub fn lines(&mut self, lines: &str) {
        lines.lines().for_each(|line| self.line(line));
    }

    pub fn blank(&mut self) {
        self.line("");
    }

    pub fn indent(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    pub fn outdent(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A line, what `body` writes indented, and a closing line.
    pub fn block(&mut self, open: impl AsRef<str>, close: &str, body: impl FnOnce(&mut Text)) {
        self.line(open);
        self.indent();
        body(self);
        self.outdent();
        self.line(close);
    }

    /// Prose as comment lines, wrapped.
    pub fn comment(&mut self, marker: &str, prose: &str) {
        for line in wrap(prose, 100) {
            self.line(format!("{marker} {line}"));
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// Breaks prose into lines of at most `width` characters, at spaces.
pub fn wrap(prose: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in prose.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_wraps_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrap("averyveryverylongword x", 5),
            ["averyveryverylongword", "x"]
        );
        assert!(wrap("", 5).is_empty());
    }

    #[test]
    fn blocks_indent() {
        let mut text = Text::new("  ");
        text.block("{", "}", |text| text.lines("a\n\nb"));
        assert_eq!(text.finish(), "{\n  a\n\n  b\n}\n");
    }
}
