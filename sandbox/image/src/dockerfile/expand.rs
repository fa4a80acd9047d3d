//! Variables, quotes and escapes in an instruction's words, as BuildKit treats them.
//!
//! One pass from left to right, without looking at what a variable held: values are not expanded again. Bounded twice:
//! [`NESTING_MAX`] for `${a:-${b:-...}}`, and a budget of bytes that every piece is paid from, whether or
//! not it reaches the result.

mod error;
mod words;

use std::collections::BTreeMap;

use super::pattern::Pattern;
use super::{EXPANDED_BYTES_MAX, NESTING_MAX};
pub use error::ExpandError;
use words::Words;

/// Values by name.
pub type Variables = BTreeMap<String, String>;

/// Bytes that may still be written.
#[derive(Debug, Clone)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Budget(EXPANDED_BYTES_MAX)
    }
}

impl Budget {
    fn pay(&mut self, bytes: usize) -> Result<(), ExpandError> {
        self.0 = self.0.checked_sub(bytes).ok_or(ExpandError::TooLarge)?;
        Ok(())
    }
}

/// How words are read.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The escape character.
    pub escape: char,
    /// Quotes stay in the result.
    pub keep_quotes: bool,
    /// Escape characters stay in the result.
    pub keep_escapes: bool,
    /// Quotes are text like any other.
    pub plain_quotes: bool,
    /// Variables without a value stay as written.
    pub keep_unset: bool,
}

impl Style {
    /// How arguments of instructions are read.
    pub fn arguments(escape: char) -> Self {
        Style {
            escape,
            keep_quotes: false,
            keep_escapes: false,
            plain_quotes: false,
            keep_unset: false,
        }
    }

    /// How content of here-documents is read: quotes are text, the escape character is a backslash whatever the directive.
    pub fn here_doc() -> Self {
        Style {
            plain_quotes: true,
            ..Style::arguments('\\')
        }
    }
}

/// The text with variables put in, quotes and escape characters taken off; blanks stay.
///
/// # Errors
/// What [`ExpandError`] says.
pub fn expand(
    text: &str,
    variables: &Variables,
    style: Style,
    budget: &mut Budget,
) -> Result<String, ExpandError> {
    Ok(run(text, variables, style, budget)?.0)
}

/// As [`expand`], and split into words: at blanks that are neither quoted nor escaped, those in values of variables included.
///
/// # Errors
/// What [`ExpandError`] says.
pub fn expand_words(
    text: &str,
    variables: &Variables,
    style: Style,
    budget: &mut Budget,
) -> Result<Vec<String>, ExpandError> {
    Ok(run(text, variables, style, budget)?.1)
}

fn run(
    text: &str,
    variables: &Variables,
    style: Style,
    budget: &mut Budget,
) -> Result<(String, Vec<String>), ExpandError> {
    let mut scanner = Scanner {
        rest: text,
        variables,
        style,
        budget,
        depth: 0,
    };
    scanner.until(None, style.keep_escapes, "")
}

struct Scanner<'a, 'b> {
    rest: &'a str,
    variables: &'b Variables,
    style: Style,
    budget: &'b mut Budget,
    depth: usize,
}

impl Scanner<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Up to `stop`, which is taken, or to the end.
    fn until(
        &mut self,
        stop: Option<char>,
        keep_escapes: bool,
        name: &str,
    ) -> Result<(String, Vec<String>), ExpandError> {
        let outer = std::mem::replace(&mut self.style.keep_escapes, keep_escapes);
        let result = self.until_inner(stop, name);
        self.style.keep_escapes = outer;
        result
    }

    fn until_inner(
        &mut self,
        stop: Option<char>,
        name: &str,
    ) -> Result<(String, Vec<String>), ExpandError> {
        let mut result = String::new();
        let mut words = Words::default();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                self.next();
                return Ok((result, words.finish()));
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    self.budget.pay(value.len())?;
                    value.chars().for_each(|c| words.push(c));
                    result.push_str(&value);
                }
                '\'' | '"' if !self.style.plain_quotes => {
                    let value = if c == '"' {
                        self.double()?
                    } else {
                        self.single()?
                    };
                    self.budget.pay(value.len())?;
                    words.word.push_str(&value);
                    words.in_word = true;
                    result.push_str(&value);
                }
                _ => {
                    self.next();
                    self.budget.pay(c.len_utf8())?;
                    if c != self.style.escape {
                        words.push(c);
                        result.push(c);
                        continue;
                    }
                    if self.style.keep_escapes {
                        words.push_raw(c);
                        result.push(c);
                    }
                    let Some(c) = self.next() else { break };
                    words.push_raw(c);
                    result.push(c);
                }
            }
        }
        match stop {
            Some(expected) => Err(ExpandError::OpenBrace {
                name: name.to_owned(),
                expected,
            }),
            None => Ok((result, words.finish())),
        }
    }

    fn single(&mut self) -> Result<String, ExpandError> {
        self.next();
        let (inside, rest) = self
            .rest
            .split_once('\'')
            .ok_or(ExpandError::OpenQuote { quote: '\'' })?;
        self.rest = rest;
        Ok(match self.style.keep_quotes {
            true => format!("'{inside}'"),
            false => inside.to_owned(),
        })
    }

    fn double(&mut self) -> Result<String, ExpandError> {
        self.next();
        let mut result = String::new();
        if self.style.keep_quotes {
            result.push('"');
        }
        loop {
            match self.peek() {
                None => return Err(ExpandError::OpenQuote { quote: '"' }),
                Some('"') => {
                    self.next();
                    if self.style.keep_quotes {
                        result.push('"');
                    }
                    return Ok(result);
                }
                Some('$') => {
                    let value = self.dollar()?;
                    self.budget.pay(value.len())?;
                    result.push_str(&value);
                }
                Some(mut c) => {
                    self.next();
                    if c == self.style.escape {
                        if self.style.keep_escapes {
                            result.push(c);
                        }
                        match self.peek() {
                            None => continue,
                            // Only these are escaped; before all others the escape character is text.
                            Some(e) if e == '"' || e == '$' || e == self.style.escape => {
                                c = e;
                                self.next();
                            }
                            Some(_) => {}
                        }
                    }
                    result.push(c);
                }
            }
        }
    }

    fn name(&mut self) -> String {
        let first = match self.peek() {
            Some(c) => c,
            None => return String::new(),
        };
        if matches!(first, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
            self.next();
            return first.to_string();
        }
        let digits = first.is_ascii_digit();
        let end = self
            .rest
            .find(|c: char| match digits {
                true => !c.is_ascii_digit(),
                false => !(c.is_alphanumeric() || c == '_'),
            })
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(match self.variables.get(&name) {
                Some(value) => value.clone(),
                None if name.is_empty() || self.style.keep_unset => format!("${name}"),
                None => String::new(),
            });
        }
        self.next();
        if matches!(self.peek(), Some('{' | '}' | ':')) {
            return Err(ExpandError::BadName {
                found: self.rest.chars().take(8).collect(),
            });
        }
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(ExpandError::Nesting);
        }
        let value = self.braces();
        self.depth -= 1;
        value
    }

    /// From the name on.
    fn braces(&mut self) -> Result<String, ExpandError> {
        let name = self.name();
        let value = self.variables.get(&name).cloned();
        let as_written = |rest: &str| format!("${{{name}{rest}}}");
        let mut operator = match self.next() {
            None => {
                return Err(ExpandError::OpenBrace {
                    name,
                    expected: '}',
                });
            }
            Some('}') if value.is_none() && self.style.keep_unset => return Ok(as_written("")),
            Some('}') => return Ok(value.unwrap_or_default()),
            Some(c) => c.to_string(),
        };
        if operator == ":" {
            operator.extend(self.next());
        }
        match operator.as_str() {
            "/" => return self.replace(name, value),
            ":-" | "-" | ":+" | "+" | ":?" | "?" | "#" | "%" => {}
            _ => return Err(ExpandError::Operator { name, operator }),
        }
        let trims = matches!(operator.as_str(), "#" | "%");
        let (word, _) = self.until(Some('}'), trims, &name)?;
        if value.is_none() && self.style.keep_unset {
            return Ok(as_written(&format!("{operator}{word}")));
        }
        let colon = operator.starts_with(':');
        let present = value.clone().filter(|v| !colon || !v.is_empty());
        match operator.chars().next_back() {
            Some('-') => Ok(present.unwrap_or(word)),
            Some('+') => Ok(present.map(|_| word).unwrap_or_default()),
            Some('?') => present.ok_or_else(|| ExpandError::Required {
                name,
                message: match (word.is_empty(), value.is_none()) {
                    (false, _) => word,
                    (true, true) => "it has no value".to_owned(),
                    (true, false) => "it is empty".to_owned(),
                },
            }),
            end => {
                let value = value.unwrap_or_default();
                let doubled = word.strip_prefix(operator.as_str());
                let pattern = Pattern::new(doubled.unwrap_or(&word), doubled.is_some());
                let trimmed = match end {
                    Some('#') => pattern.and_then(|p| p.trim_start(&value)),
                    _ => pattern.and_then(|p| p.trim_end(&value)),
                };
                trimmed.map_err(|source| ExpandError::Pattern { name, source })
            }
        }
    }

    /// `${name/pattern/word}`, after the first slash.
    fn replace(&mut self, name: String, value: Option<String>) -> Result<String, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let (pattern, _) = self.until(Some('/'), true, &name)?;
        let (word, _) = self.until(Some('}'), true, &name)?;
        let Some(value) = value else {
            return Ok(match self.style.keep_unset {
                true => format!("${{{name}/{pattern}/{word}}}"),
                false => String::new(),
            });
        };
        let found = Pattern::new(&pattern, true)
            .and_then(|p| p.find(&value, all))
            .map_err(|source| ExpandError::Pattern { name, source })?;
        let mut out = String::new();
        let mut done = 0;
        for range in found {
            // What is put in is text: a `$` in it means nothing.
            self.budget.pay(range.start - done + word.len())?;
            out.push_str(&value[done..range.start]);
            out.push_str(&word);
            done = range.end;
        }
        out.push_str(&value[done..]);
        Ok(out)
    }
}
