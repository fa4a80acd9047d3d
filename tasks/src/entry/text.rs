//! Lines and spaces as Python has them: they decide which licences and which sources are equal.

/// Whether Python's `str.isspace` holds: what Unicode calls white space, and four separators of ASCII.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Lines as `str.splitlines` splits them: the last one may lack its end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((at, end)) = rest.char_indices().find(|(_, c)| ends_line(*c)) else {
            return Some(std::mem::take(&mut rest));
        };
        let line = &rest[..at];
        rest = &rest[at + end.len_utf8()..];
        if end == '\r' {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        Some(line)
    })
}

fn ends_line(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split("a"), ["a"]);
        assert_eq!(split("a\n"), ["a"]);
        assert_eq!(split("a\r\n\nb\rc"), ["a", "", "b", "c"]);
        assert_eq!(
            split("\u{b}\u{c}\u{1c}x\u{1d}\u{1e}"),
            ["", "", "", "x", ""]
        );
        assert_eq!(split("ä\u{85}ö\u{2028}ü\u{2029}"), ["ä", "ö", "ü"]);
        // Neither a unit separator nor a tab.
        assert_eq!(split("a\u{1f}b\tc"), ["a\u{1f}b\tc"]);
    }
}
