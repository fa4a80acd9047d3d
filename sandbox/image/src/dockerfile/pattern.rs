//! Patterns of `${x#pattern}`, `${x%pattern}` and `${x/pattern/word}`: `*`, `?`, and a backslash before either.
//!
//! Brackets are text. Matching is linear in the value: patterns become regular expressions without backtracking.

use std::ops::Range;

use regex::Regex;

/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 4096;

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum PatternError {
    #[error("it is {bytes} bytes long, the limit is {PATTERN_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("a backslash stands before {found}\nhelp: it can stand before * ? \\ / and }}")]
    Escape { found: String },
    #[error("it is too complex to be matched")]
    TooComplex,
}

enum Token {
    Any,
    One,
    Text(char),
}

/// A pattern; matches as much as it can, or as little.
pub(super) struct Pattern {
    tokens: Vec<Token>,
    longest: bool,
}

impl Pattern {
    pub(super) fn new(pattern: &str, longest: bool) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong {
                bytes: pattern.len(),
            });
        }
        let mut tokens = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\' | '/' | '}')) => Token::Text(c),
                    found => {
                        return Err(PatternError::Escape {
                            found: found.map_or("the end".to_owned(), String::from),
                        });
                    }
                },
                c => Token::Text(c),
            });
        }
        Ok(Pattern { tokens, longest })
    }

    fn regex(&self, prefix: &str, backwards: bool) -> Result<Regex, PatternError> {
        let mut out = prefix.to_owned();
        let mut add = |token: &Token| match token {
            Token::Any if self.longest => out.push_str(".*"),
            Token::Any => out.push_str(".*?"),
            Token::One => out.push('.'),
            Token::Text(c) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        };
        match backwards {
            true => self.tokens.iter().rev().for_each(&mut add),
            false => self.tokens.iter().for_each(&mut add),
        }
        Regex::new(&out).map_err(|_| PatternError::TooComplex)
    }

    /// The value without its start that matches.
    pub(super) fn trim_start(&self, value: &str) -> Result<String, PatternError> {
        let end = self.regex("^", false)?.find(value).map_or(0, |m| m.end());
        Ok(value[end..].to_owned())
    }

    /// The value without its end that matches.
    pub(super) fn trim_end(&self, value: &str) -> Result<String, PatternError> {
        let backwards: String = value.chars().rev().collect();
        let end = self
            .regex("^", true)?
            .find(&backwards)
            .map_or(0, |m| m.end());
        Ok(value[..value.len() - end].to_owned())
    }

    /// Where it matches, first or everywhere.
    pub(super) fn find(&self, value: &str, all: bool) -> Result<Vec<Range<usize>>, PatternError> {
        let limit = if all { usize::MAX } else { 1 };
        let regex = self.regex("", false)?;
        Ok(regex
            .find_iter(value)
            .take(limit)
            .map(|m| m.range())
            .collect())
    }
}
