//! `.dockerignore`: patterns in order, the last that matches decides.

use super::error::IgnoreError;
use super::glob::Glob;

/// Longest `.dockerignore` that is read.
pub const IGNORE_BYTES_MAX: usize = 64 << 10;
/// Most patterns of one.
pub const IGNORE_PATTERNS_MAX: usize = 2000;

/// What a `.dockerignore` leaves out.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    glob: Glob,
    keeps: bool,
}

/// Which patterns a directory matched: what is in it matches them too.
#[derive(Debug, Clone)]
pub struct Matched(Vec<bool>);

impl Ignore {
    /// Reads a `.dockerignore`: comments have `#` in the first column, blanks around a pattern are dropped, a `/` at its start
    /// or end too, `!` keeps.
    ///
    /// # Errors
    /// What [`IgnoreError`] says.
    pub fn parse(bytes: &[u8]) -> Result<Self, IgnoreError> {
        if bytes.len() > IGNORE_BYTES_MAX {
            return Err(IgnoreError::TooLarge { bytes: bytes.len() });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut ignore = Ignore::default();
        for (at, row) in bytes.split(|b| *b == b'\n').enumerate() {
            let line = at + 1;
            let row = std::str::from_utf8(row).map_err(|_| IgnoreError::NotText { line })?;
            if row.contains('\0') {
                return Err(IgnoreError::NotText { line });
            }
            let text = row.trim();
            if row.starts_with('#') || text.is_empty() {
                continue;
            }
            let (keeps, text) = match text.strip_prefix('!') {
                Some(text) => (true, text.trim()),
                None => (false, text),
            };
            if text.is_empty() {
                return Err(IgnoreError::Empty { line });
            }
            let clean = clean(text);
            // The whole context cannot be left out or kept by its own name.
            if clean.is_empty() {
                continue;
            }
            if ignore.patterns.len() == IGNORE_PATTERNS_MAX {
                return Err(IgnoreError::TooMany);
            }
            let glob = Glob::deep(&clean).map_err(|source| IgnoreError::Pattern {
                line,
                pattern: text.chars().take(120).collect(),
                source,
            })?;
            ignore.patterns.push(Pattern { glob, keeps });
        }
        Ok(ignore)
    }

    /// Whether `path` is left out, itself or with a directory above it; relative, with `/` between components.
    pub fn ignores(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
        let mut matched = self.root();
        let mut ignored = false;
        for end in ends {
            (ignored, matched) = self.below(&path[..end], &matched);
        }
        ignored
    }

    /// What the root matches: nothing.
    pub fn root(&self) -> Matched {
        Matched(vec![false; self.patterns.len()])
    }

    /// Whether `path` is left out, from what its directory matched, and what it matches itself.
    pub fn below(&self, path: &str, directory: &Matched) -> (bool, Matched) {
        let mut ignored = false;
        let mut matched = Vec::with_capacity(self.patterns.len());
        for (pattern, above) in self.patterns.iter().zip(&directory.0) {
            let matches = *above || pattern.glob.matches(path);
            if matches {
                ignored = !pattern.keeps;
            }
            matched.push(matches);
        }
        (ignored, Matched(matched))
    }

    /// Whether something below a directory that is left out can be kept.
    pub fn keeps_any(&self) -> bool {
        self.patterns.iter().any(|p| p.keeps)
    }
}

/// Without `.`, `..`, doubled slashes, and slashes at the ends.
fn clean(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            // Above the context there is nothing, so at the start it matches nothing; below a leading slash it is dropped.
            ".." if text.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
