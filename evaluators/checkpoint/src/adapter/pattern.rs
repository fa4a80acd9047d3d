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
/// Largest compiled pattern.
const COMPILED_BYTES_MAX: usize = 256 << 10;

/// Why there is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// Not a regular expression in the strict sense (look-around, back-references), too long, or too large once compiled.
    Refused,
    /// The ones before it took what there is.
    Budget,
}

/// What the compiled patterns of one configuration may still take.
#[derive(Debug)]
pub(super) struct PatternBudget {
    count: usize,
    bytes: usize,
}

impl PatternBudget {
    /// Most patterns that are more than a name.
    pub(super) const COUNT: usize = 256;
    /// Most that they take together: a Unicode class such as `\w` in each of them is just within it.
    pub(super) const BYTES: usize = 16 << 20;

    pub(super) fn new() -> PatternBudget {
        PatternBudget {
            count: Self::COUNT,
            bytes: Self::BYTES,
        }
    }

    /// Compiles within the smallest limit that will do, since the size itself is not to be had.
    fn compile(&mut self, source: &str) -> Result<Regex, PatternError> {
        self.count = self.count.checked_sub(1).ok_or(PatternError::Budget)?;
        let mut limit = 4 << 10;
        while limit <= COMPILED_BYTES_MAX {
            let left = self.bytes.checked_sub(limit).ok_or(PatternError::Budget)?;
            let built = RegexBuilder::new(source)
                .size_limit(limit)
                .dfa_size_limit(COMPILED_BYTES_MAX)
                .build();
            match built {
                Ok(regex) => {
                    self.bytes = left;
                    return Ok(regex);
                }
                Err(regex::Error::CompiledTooBig(_)) => limit *= 2,
                Err(_) => break,
            }
        }
        Err(PatternError::Refused)
    }
}

impl NamePattern {
    /// A pattern that matches a whole path, or with `suffix` the end of one at a dot: `(.*\.)?(pattern)$`.
    pub(super) fn new(
        source: &str,
        suffix: bool,
        budget: &mut PatternBudget,
    ) -> Result<NamePattern, PatternError> {
        if source.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Refused);
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
                Kind::Compiled(Box::new(budget.compile(&whole)?))
            }
        };
        Ok(NamePattern {
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
