//! Words of `ENV`, `LABEL` and `ARG`: split at blanks, quotes and escape characters kept for the expansion that follows.

use super::error::{At, DockerfileError};

/// Blanks between words; other white space of Unicode is text.
fn blank(c: char) -> bool {
    c.is_whitespace()
}

/// Words, with their quotes and escape characters.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quote.is_none() && blank(c) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        if c == escape && quote != Some('\'') {
            // At the very end it is dropped; elsewhere what follows it is part of the word, whatever it is.
            if let Some(next) = chars.next() {
                word.extend([c, next]);
            }
            continue;
        }
        match quote {
            Some(q) if q == c => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `name=value ...`, or the old form `name value with blanks`.
pub(super) fn pairs(
    text: &str,
    escape: char,
    at: At<'_>,
    instruction: &str,
) -> Result<Vec<(String, String)>, DockerfileError> {
    let words = split(text, escape);
    let Some(first) = words.first() else {
        return Err(at.syntax(
            "a name and a value",
            "nothing",
            format!("write {instruction} name=value"),
        ));
    };
    if !first.contains('=') {
        let text = text.trim_start();
        let cut = text.find(|c: char| "\t\x0b\x0c\r ".contains(c));
        let Some((name, value)) = cut.map(|cut| text.split_at(cut)) else {
            return Err(at.syntax(
                "a value",
                format!("{first} alone"),
                format!("write {instruction} name=value"),
            ));
        };
        let value = value.trim_start_matches(|c: char| "\t\x0b\x0c\r ".contains(c));
        return Ok(vec![(name.to_owned(), value.to_owned())]);
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some(("", _)) => Err(at.syntax("a name", word.as_str(), "write a name before the =")),
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(at.syntax(
                "name=value",
                word.as_str(),
                "put quotes around values with blanks",
            )),
        })
        .collect()
}
