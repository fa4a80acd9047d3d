//! Names that a tree may have. A tree is written for Linux, but what is refused here would be something else on other systems, or to git:
//! nobody has a good reason to commit it.

/// Longest name.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a name is refused; `None` for a good one.
pub fn fault_of(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Some("is longer than 255 bytes");
    }
    if name == b"." || name == b".." {
        return Some("leads out of the tree");
    }
    if name.contains(&b'/') || name.contains(&0) {
        return Some("has a slash or a NUL");
    }
    is_dot_git(name).then_some("is git's own, in some spelling")
}

/// Whether some system takes a name for `.git`: by case, as Windows' short name or with what Windows passes over behind it, or with characters
/// that macOS passes over.
fn is_dot_git(name: &[u8]) -> bool {
    let visible = without_ignorable(name);
    if visible.eq_ignore_ascii_case(b".git") {
        return true;
    }
    // Windows: `.git` and `git~1`, followed by dots and spaces, perhaps by a stream's name behind a colon or something behind a backslash.
    let end = name
        .iter()
        .position(|b| matches!(b, b':' | b'\\'))
        .unwrap_or(name.len());
    let mut base = &name[..end];
    while let [rest @ .., b'.' | b' '] = base {
        base = rest;
    }
    base.eq_ignore_ascii_case(b".git") || base.eq_ignore_ascii_case(b"git~1")
}

/// Without the code points that HFS+ passes over.
fn without_ignorable(name: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(name) else {
        return name.to_vec();
    };
    let ignored = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    text.chars()
        .filter(|c| !ignored(c))
        .collect::<String>()
        .into()
}

/// What two names have in common that a system which ignores case takes for one.
pub fn folded(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        // Twice: some capitals become two characters, of which one has a capital again.
        Ok(text) => text.to_lowercase().to_uppercase().to_lowercase().into(),
        Err(_) => name.to_ascii_lowercase(),
    }
}

/// A name for messages: short, without control characters.
pub fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .take(200)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_in_any_spelling_is_refused_and_its_neighbours_are_not() {
        for wrong in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git.",
            ".git ",
            ".git. .",
            "git~1.",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            ".git\\hooks",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git\u{206f}",
            ".\u{202e}GIT",
            "",
            ".",
            "..",
            "a/b",
            "a\0",
        ] {
            assert!(fault_of(wrong.as_bytes()).is_some(), "{wrong:?}");
        }
        for good in [
            ".gitignore",
            ".gitattributes",
            ".gitmodules",
            "git",
            "git~2",
            ".git2",
            "..git",
            "a.git",
            "...",
            " ",
            "ä",
            ".github",
        ] {
            assert_eq!(fault_of(good.as_bytes()), None, "{good:?}");
        }
        assert!(fault_of(&[b'a'; 256]).is_some() && fault_of(&[b'a'; 255]).is_none());
        assert_eq!(fault_of(b"\xff\xfe"), None);
    }

    #[test]
    fn names_that_differ_in_case_fold_to_one() {
        for (a, b) in [
            ("README", "readme"),
            ("Ä", "ä"),
            ("ß", "SS"),
            ("Σ", "ς"),
            ("K", "\u{212a}"),
        ] {
            assert_eq!(folded(a.as_bytes()), folded(b.as_bytes()), "{a} {b}");
        }
        assert_ne!(folded(b"a"), folded(b"b"));
        assert_eq!(folded(b"\xffA"), folded(b"\xffa"));
    }
}
