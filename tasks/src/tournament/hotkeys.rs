//! Lists of hotkeys as files: one on a line.

use super::limits;
use crate::Owner;
use std::collections::HashMap;

/// Why a file is no list of hotkeys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HotkeysError {
    /// A line that names nobody.
    #[error(
        "line {line} is {found:?}, expected a hotkey: 1 to 100 characters of A-Z a-z 0-9 _ -\nhelp: one hotkey on a line, and nothing else"
    )]
    Name {
        /// From 1.
        line: usize,
        /// What it says.
        found: String,
    },
    /// The same one twice.
    #[error("line {line} is {hotkey}, and so is line {before}\nhelp: name each hotkey once")]
    Twice {
        /// From 1.
        line: usize,
        /// Who.
        hotkey: String,
        /// Where it was first.
        before: usize,
    },
}

impl HotkeysError {
    /// Whose fault: the operator writes such lists.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// The hotkeys of a list, in its order; blank lines, and blanks around a hotkey, say nothing.
///
/// # Errors
/// `Name`, `Twice`.
pub fn hotkeys(text: &str) -> Result<Vec<String>, HotkeysError> {
    let mut seen = HashMap::new();
    let mut hotkeys = Vec::new();
    for (hotkey, line) in text.lines().map(str::trim).zip(1..) {
        if hotkey.is_empty() {
            continue;
        }
        if !limits::is_name(hotkey) {
            let found = limits::shortened(hotkey);
            return Err(HotkeysError::Name { line, found });
        }
        if let Some(before) = seen.insert(hotkey, line) {
            let hotkey = hotkey.to_owned();
            return Err(HotkeysError::Twice {
                line,
                hotkey,
                before,
            });
        }
        hotkeys.push(hotkey.to_owned());
    }
    Ok(hotkeys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_of_hotkeys_is_refused_by_its_line() {
        let list = ["a".to_owned(), "5Gx_-".to_owned()];
        assert_eq!(hotkeys("a\r\n\n \t5Gx_- ").unwrap(), list);
        assert_eq!(hotkeys("\n"), Ok(Vec::new()));
        for (text, line) in [
            ("\u{feff}a\nb", 1),
            ("a\n# active\n", 2),
            ("a\n\nb,c", 3),
            ("{\"version\":1}", 1),
            ("a\n\u{1b}[31mb", 2),
        ] {
            let error = hotkeys(text).unwrap_err();
            let of = format!("line {line} is \"");
            assert!(error.to_string().starts_with(&of), "{error}");
        }
        let twice = hotkeys("a\nb\n\na").unwrap_err();
        let (line, before) = (4, 1);
        let hotkey = "a".to_owned();
        assert_eq!(
            twice,
            HotkeysError::Twice {
                line,
                hotkey,
                before
            }
        );
        let long = hotkeys(&"x".repeat(100_000)).unwrap_err();
        assert!(long.to_string().len() < 400);
    }
}
