//! Name patterns of adapter_config.json, matched as Python's `re` does where peft calls it, in time linear in the name.

use regex::{Regex, RegexBuilder};

/// A pattern over module paths.
#[derive(Clone, Debug)]
pub struct NamePattern {
    source: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Letters, digits, `_`, and dots, which stand for any character: no need for a compiled expression.
    Simple,
    Compiled(Regex),
}

/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 4096;

impl NamePattern {
    /// A pattern that matches a whole path, or with `suffix` the end of one at a dot: `(.*\.)?(pattern)$`.
    ///
    /// Returns `None` for what is not a regular expression in the strict sense (look-around, back-references), too long, or
    /// too large once compiled.
    pub fn new(source: &str, suffix: bool) -> Option<NamePattern> {
        if source.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let simple = suffix
            && source
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
        let kind = if simple && !source.is_empty() {
            Kind::Simple
        } else {
            let whole = if suffix {
                format!(r"^(?:.*\.)?(?:{source})$")
            } else {
                format!(r"^(?:{source})$")
            };
            Kind::Compiled(
                RegexBuilder::new(&whole)
                    .size_limit(1 << 20)
                    .dfa_size_limit(1 << 20)
                    .build()
                    .ok()?,
            )
        };
        Some(NamePattern {
            source: source.to_owned(),
            kind,
        })
    }

    /// The pattern as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether a module path matches.
    pub fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Compiled(regex) => regex.is_match(path),
            Kind::Simple => {
                let (path, pattern) = (path.as_bytes(), self.source.as_bytes());
                let Some(start) = path.len().checked_sub(pattern.len()) else {
                    return false;
                };
                let at_dot = start == 0 || path[start - 1] == b'.';
                at_dot
                    && path[start..]
                        .iter()
                        .zip(pattern)
                        .all(|(c, p)| c == p || *p == b'.')
            }
        }
    }
}
