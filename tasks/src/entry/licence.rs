//! Licence and notice: equal to the validator's own, line by line, but for spaces at the ends of lines.

use super::text::{is_space, lines};
use crate::Owner;
use crate::rules::LicenceRules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest file that is read, bytes.
pub const LICENCE_BYTES_MAX: usize = 1 << 20;

/// Why a repository's licence or notice is not the one that it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum LicenceRefusal {
    /// There is none.
    #[error("the repository has no {what}\nhelp: add one of {}", .names.join(", "))]
    Missing {
        /// Licence or notice.
        what: String,
        /// The names that are looked for.
        names: Vec<String>,
    },
    /// It is too large to be one.
    #[error("{name} has {bytes} bytes, at most {LICENCE_BYTES_MAX} are read")]
    TooLarge {
        /// Which file.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// It is not text.
    #[error("{name} is not UTF-8")]
    NotText {
        /// Which file.
        name: String,
    },
    /// It says something else.
    #[error(
        "{name} differs from the validator's from line {line} on\nhelp: copy the file unchanged"
    )]
    Differs {
        /// Which file.
        name: String,
        /// The first line that differs, from 1.
        line: usize,
    },
}

impl LicenceRefusal {
    /// Whose fault: the miner's.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Whether a repository has the licence and the notice that it must have.
///
/// * `files`: regular files at the root of the tree that the rules name, by name; others are not looked at
/// * `licence`, `notice`: the validator's own
///
/// # Errors
/// The first that is wrong: the licence, then the notice.
pub fn check_licence(
    rules: &LicenceRules,
    files: &BTreeMap<String, Vec<u8>>,
    licence: &str,
    notice: &str,
) -> Result<(), LicenceRefusal> {
    for (what, names, expected) in [
        ("licence", &rules.licence_names, licence),
        ("notice", &rules.notice_names, notice),
    ] {
        let Some((name, bytes)) = names.iter().find_map(|name| files.get_key_value(name)) else {
            return Err(LicenceRefusal::Missing {
                what: what.to_owned(),
                names: names.clone(),
            });
        };
        let name = name.clone();
        if bytes.len() > LICENCE_BYTES_MAX {
            return Err(LicenceRefusal::TooLarge {
                name,
                bytes: bytes.len(),
            });
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(LicenceRefusal::NotText { name });
        };
        if let Some(line) = first_difference(text, expected) {
            return Err(LicenceRefusal::Differs { name, line });
        }
    }
    Ok(())
}

/// The first line, from 1, in which two texts differ.
fn first_difference(a: &str, b: &str) -> Option<usize> {
    let stripped = |text| lines(text).map(|line: &str| line.trim_end_matches(is_space));
    let (mut a, mut b) = (stripped(a), stripped(b));
    let mut first_line = true;
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => return None,
            // No line and one empty line are joined to the same text.
            (None, Some("")) if first_line && b.next().is_none() => return None,
            (Some(""), None) if first_line && a.next().is_none() => return None,
            (a, b) if a != b => return Some(line),
            _ => first_line = false,
        }
    }
    None
}

#[cfg(test)]
mod tests;
