//! The lines at the bottom of a terminal that change in place: what is under way.

use std::io::Write;

use crate::console;

/// Above a region of at most the terminal's height, lines are printed for good.
#[derive(Default)]
pub struct Region {
    drawn: usize,
    lines: Vec<String>,
}

impl Region {
    /// Prints lines for good and draws the region anew below them.
    pub fn update(&mut self, above: &[String], lines: Vec<String>) {
        if above.is_empty() && lines == self.lines {
            return;
        }
        let (columns, rows) = terminal_size::terminal_size_of(std::io::stderr())
            .map_or((80, 24), |(width, height)| {
                (usize::from(width.0), usize::from(height.0))
            });
        let room = rows.saturating_sub(2).max(1);
        let mut text = String::new();
        for _ in 0..self.drawn {
            text.push_str("\x1b[1A\x1b[2K");
        }
        for line in above {
            text.push_str(line);
            text.push('\n');
        }
        let shown = if lines.len() > room {
            room.saturating_sub(1)
        } else {
            lines.len()
        };
        for line in lines.iter().take(shown) {
            // A line that wraps could not be erased. These lines hold names, numbers and narrow characters only.
            text.push_str(&fitted(line, columns.saturating_sub(1)));
            text.push('\n');
        }
        self.drawn = shown;
        if shown < lines.len() {
            text.push_str(&format!(
                "   and {} more\n",
                lines.len().saturating_sub(shown)
            ));
            self.drawn = shown.saturating_add(1);
        }
        self.lines = lines;
        let mut err = console::stderr();
        // Without a terminal there is nobody to show it to.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// As much of a line as has room; colours take none, and end with it.
fn fitted(line: &str, columns: usize) -> String {
    let (mut out, mut left, mut escape) = (String::with_capacity(line.len()), columns, false);
    for c in line.chars() {
        if escape || c == '\x1b' {
            escape = c != 'm';
            out.push(c);
        } else if left > 0 {
            left = left.saturating_sub(1);
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::fitted;

    #[test]
    fn colours_take_no_room_and_end_with_the_line() {
        assert_eq!(fitted("plain text", 5), "plain");
        assert_eq!(fitted("\x1b[36mab\x1b[0mcd", 3), "\x1b[36mab\x1b[0mc");
        assert_eq!(fitted("\x1b[36mabcd\x1b[0m", 2), "\x1b[36mab\x1b[0m");
    }
}
