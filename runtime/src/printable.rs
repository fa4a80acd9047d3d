//! Text of unknown origin on a terminal.
//!
//! Candidate names, paths and failure reasons carry bytes that a submission chose. Control characters would let it
//! move the cursor, recolour or overwrite other rows, and bidirectional controls would reorder them, so both are
//! shown as escapes.

use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// `text` with control and bidirectional characters escaped.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_unicode())
        } else {
            shown.push(c)
        }
    }
    Cow::Owned(shown)
}

/// As [`printable`], but line breaks stay.
pub fn printable_lines(text: &str) -> String {
    text.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Columns that `text` takes on a terminal.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text`, cut in the middle to at most `most` columns.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return Cow::Borrowed(text);
    }
    let keep = most.saturating_sub(1);
    let head: String = prefix(text.chars(), keep.div_ceil(2));
    let tail: String = prefix(text.chars().rev(), keep / 2).chars().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

fn prefix(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut taken = String::new();
    for c in chars {
        let mut buffer = [0; 4];
        if columns(&taken) + columns(c.encode_utf8(&mut buffer)) > most {
            break;
        }
        taken.push(c);
    }
    taken
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_reach_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{202e}c\rd"),
            "a\\u{1b}[2Jb\\u{202e}c\\u{d}d"
        );
        assert_eq!(printable("good-lora é 好"), "good-lora é 好");
        assert_eq!(printable_lines("a\nb\tc"), "a\nb\\u{9}c");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghijk", 7), "abc…ijk");
        assert!(columns(&shortened(&"好".repeat(30), 9)) <= 9);
    }
}
