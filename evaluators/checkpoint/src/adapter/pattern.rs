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
    /// A plain name, as nearly all are; `None` is a dot, which stands for any character. Needs no compiled expression, of
    /// which a hostile file could ask for very many.
    Simple {
        end: Vec<Option<u8>>,
        whole: bool,
    },
    Compiled(Box<Regex>),
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
        let kind = match simple(source) {
            Some((end, anchored)) => Kind::Simple {
                end,
                whole: anchored || !suffix,
            },
            None => {
                let whole = match suffix {
                    true => format!(r"^(?:.*\.)?(?:{source})$"),
                    false => format!(r"^(?:{source})$"),
                };
                let regex = RegexBuilder::new(&whole)
                    .size_limit(256 << 10)
                    .dfa_size_limit(256 << 10)
                    .build()
                    .ok()?;
                Kind::Compiled(Box::new(regex))
            }
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

    pub(super) fn is_compiled(&self) -> bool {
        matches!(self.kind, Kind::Compiled(_))
    }

    /// Whether a module path matches.
    pub fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Compiled(regex) => regex.is_match(path),
            Kind::Simple { end, whole } => {
                let path = path.as_bytes();
                let Some(start) = path.len().checked_sub(end.len()) else {
                    return false;
                };
                let starts = start == 0 || (!whole && path[start - 1] == b'.');
                starts
                    && path[start..]
                        .iter()
                        .zip(end)
                        .all(|(c, p)| p.is_none_or(|p| p == *c))
            }
        }
    }
}

/// Letters, digits, `_`, `-`, dots plain and escaped, between an optional `^` and `$`; and whether there was a `^`.
fn simple(source: &str) -> Option<(Vec<Option<u8>>, bool)> {
    let (source, anchored) = match source.strip_prefix('^') {
        Some(rest) => (rest, true),
        None => (source, false),
    };
    let mut bytes = source.strip_suffix('$').unwrap_or(source).bytes();
    let mut end = Vec::new();
    while let Some(byte) = bytes.next() {
        end.push(match byte {
            b'.' => None,
            b'\\' if bytes.next()? == b'.' => Some(b'.'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => Some(byte),
            _ => return None,
        });
    }
    (!end.is_empty()).then_some((end, anchored))
}
