//! The part of `str.format` that prompt formats use: `{name}`, `{{` and `}}`. Conversions, format
//! specifications, indexing and positional fields are refused rather than guessed.

/// A parsed format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatString {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String),
}

/// Why a format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A brace without its partner.
    #[error(
        "format {format:?} has a single {brace:?} at character {at}\nhelp: write {brace}{brace} for a literal brace"
    )]
    LoneBrace {
        /// The format.
        format: String,
        /// Which brace.
        brace: char,
        /// Where, in characters.
        at: usize,
    },
    /// A field that is not a plain name.
    #[error("format {format:?} has the field {field:?}; only plain names in braces are supported")]
    Unsupported {
        /// The format.
        format: String,
        /// What is between the braces.
        field: String,
    },
    /// A name that is not filled in here.
    #[error("format {format:?} names {field:?}, known here are {}", .known.join(", "))]
    UnknownField {
        /// The format.
        format: String,
        /// The name.
        field: String,
        /// The names that are filled in.
        known: Vec<&'static str>,
    },
}

impl FormatString {
    /// Parses a format whose fields must all be in `known`.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn parse(format: &str, known: &[&'static str]) -> Result<Self, FormatError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut chars = format.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' | '}' if chars.peek().is_some_and(|(_, next)| *next == c) => {
                    chars.next();
                    text.push(c);
                }
                '{' => {
                    let mut field = String::new();
                    loop {
                        match chars.next() {
                            Some((_, '}')) => break,
                            Some((_, '{')) | None => {
                                return Err(FormatError::LoneBrace {
                                    format: format.to_owned(),
                                    brace: '{',
                                    at,
                                });
                            }
                            Some((_, c)) => field.push(c),
                        }
                    }
                    if field.is_empty() || !field.chars().all(|c| c.is_alphanumeric() || c == '_') {
                        return Err(FormatError::Unsupported {
                            format: format.to_owned(),
                            field,
                        });
                    }
                    if !known.contains(&field.as_str()) {
                        return Err(FormatError::UnknownField {
                            format: format.to_owned(),
                            field,
                            known: known.to_vec(),
                        });
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Field(field));
                }
                '}' => {
                    return Err(FormatError::LoneBrace {
                        format: format.to_owned(),
                        brace: '}',
                        at,
                    });
                }
                c => text.push(c),
            }
        }
        pieces.push(Piece::Text(text));
        Ok(Self { pieces })
    }

    /// Fills the fields in; `values` has every name that `parse` was told.
    pub fn fill(&self, values: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(name) => {
                    out.push_str(
                        values
                            .iter()
                            .find(|(n, _)| n == name)
                            .map_or("", |(_, value)| value),
                    );
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_doubled_braces_are_filled_as_python_does() {
        let format =
            FormatString::parse("{{x}} {instruction}{input}}}", &["instruction", "input"]).unwrap();
        assert_eq!(
            format.fill(&[("instruction", "{a}"), ("input", "b")]),
            "{x} {a}b}"
        );
    }

    #[test]
    fn what_python_would_refuse_or_compute_is_refused() {
        for bad in [
            "{",
            "}",
            "a}b",
            "{instruction",
            "{}",
            "{0:>3}",
            "{instruction!r}",
            "{instruction.upper}",
            "{other}",
        ] {
            assert!(FormatString::parse(bad, &["instruction"]).is_err(), "{bad}");
        }
    }
}
