//! From a place in a scalar's text back to its place in the YAML source.

use crate::problem::Pos;

/// Where byte `offset` of the text of the scalar that begins at `byte` is in the source. Exact for plain, quoted and
/// literal (`|`) scalars; in a folded (`>`) one and across folded lines it may be some columns off.
pub(super) fn head_of(source: &str, byte: usize, offset: usize) -> Option<Pos> {
    let start = skip_properties(source, byte)?;
    let scalar = source.get(start..)?;
    let inner = match scalar.chars().next()? {
        '"' => 1 + double_quoted(scalar.get(1..)?, offset),
        '\'' => 1 + single_quoted(scalar.get(1..)?, offset),
        '|' | '>' => block(scalar, offset)?,
        _ => plain(scalar, offset),
    };
    position(source, start + inner)
}

/// A scalar may be preceded by a tag and an anchor.
fn skip_properties(source: &str, byte: usize) -> Option<usize> {
    let mut at = byte;
    loop {
        let rest = source.get(at..)?;
        if !rest.starts_with(['&', '!']) {
            return Some(at);
        }
        let word = rest.find(char::is_whitespace)?;
        let blank = rest.get(word..)?.find(|c: char| !c.is_whitespace())?;
        at += word + blank;
    }
}

fn position(source: &str, byte: usize) -> Option<Pos> {
    let before = source.get(..byte)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next()?.chars().count() + 1;
    Some(Pos {
        line: u32::try_from(line).ok()?,
        column: u32::try_from(column).ok()?,
    })
}

/// Walks the pieces of a scalar, each so many source bytes for so many bytes of text, to the piece that holds
/// `offset`.
fn walk(pieces: impl Iterator<Item = (usize, usize)>, offset: usize) -> usize {
    let (mut at, mut text) = (0, 0);
    for (source_len, text_len) in pieces {
        if text + text_len > offset {
            break;
        }
        at += source_len;
        text += text_len;
    }
    at
}

/// A line break in a flow scalar, with the indentation of the next line, folds to one space.
fn fold(rest: &str) -> Option<(usize, usize)> {
    if !rest.starts_with(['\n', '\r']) {
        return None;
    }
    let blank = rest
        .find(|c: char| !c.is_whitespace())
        .unwrap_or(rest.len());
    let breaks = rest
        .get(..blank)
        .map_or(1, |blank| blank.matches('\n').count());
    Some((blank, breaks.saturating_sub(1).max(1)))
}

fn plain(scalar: &str, offset: usize) -> usize {
    let mut rest = scalar;
    let pieces = std::iter::from_fn(|| {
        let piece =
            fold(rest).or_else(|| rest.chars().next().map(|c| (c.len_utf8(), c.len_utf8())))?;
        rest = rest.get(piece.0..)?;
        Some(piece)
    });
    walk(pieces, offset)
}

fn single_quoted(scalar: &str, offset: usize) -> usize {
    let mut rest = scalar;
    let pieces = std::iter::from_fn(|| {
        let piece = match fold(rest) {
            Some(fold) => fold,
            None if rest.starts_with("''") => (2, 1),
            None => rest.chars().next().map(|c| (c.len_utf8(), c.len_utf8()))?,
        };
        rest = rest.get(piece.0..)?;
        Some(piece)
    });
    walk(pieces, offset)
}

fn double_quoted(scalar: &str, offset: usize) -> usize {
    let mut rest = scalar;
    let pieces = std::iter::from_fn(|| {
        let piece = match fold(rest) {
            Some(fold) => fold,
            None if rest.starts_with('\\') => escape(rest)?,
            None => rest.chars().next().map(|c| (c.len_utf8(), c.len_utf8()))?,
        };
        rest = rest.get(piece.0..)?;
        Some(piece)
    });
    walk(pieces, offset)
}

fn escape(rest: &str) -> Option<(usize, usize)> {
    let letter = rest.chars().nth(1)?;
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '\n' | '\r' => {
            let blank = rest.get(1..)?.find(|c: char| !c.is_whitespace())?;
            return Some((1 + blank, 0));
        }
        // Next line, non-breaking space, line and paragraph separator.
        'N' | '_' => return Some((2, 2)),
        'L' | 'P' => return Some((2, 3)),
        _ => return Some((1 + letter.len_utf8(), 1)),
    };
    let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((2 + digits, char::from_u32(code).map_or(3, char::len_utf8)))
}

fn block(scalar: &str, offset: usize) -> Option<usize> {
    let header = scalar.find('\n')? + 1;
    let lines = || {
        scalar
            .get(header..)
            .unwrap_or_default()
            .split_inclusive('\n')
    };
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let indent = lines().find(|line| !line.trim().is_empty()).map(spaces)?;
    let mut at = header;
    let mut left = offset;
    for line in lines() {
        let skipped = indent.min(spaces(line));
        let text = line.len() - skipped;
        if left < text {
            return Some(at + skipped + left);
        }
        left -= text;
        at += line.len();
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_place_in_every_style() {
        // The scalar begins at the first '.', quote or block sign after "k: "; `@` in the text is to be found.
        for (source, text) in [
            ("k: .a @", ".a @"),
            ("k: \".a \\\"b\\u00e4\\t @\"", ".a \"bä\t @"),
            ("k: '.a ''x'' @'", ".a 'x' @"),
            ("k: |\n  .a\n  | @\n", ".a\n| @\n"),
            ("k: |-\n\n    .ä\n      @", "\n.ä\n  @"),
            ("k: .a\n   | @", ".a | @"),
            ("k: &x '.a @'", ".a @"),
        ] {
            let offset = text.find('@').unwrap();
            let found = head_of(source, 3, offset).unwrap();
            let wanted = position(source, source.find('@').unwrap()).unwrap();
            assert_eq!(found, wanted, "{source:?}");
        }
    }
}
