//! Why a word cannot be expanded.

use crate::dockerfile::pattern::PatternError;
use crate::dockerfile::{EXPANDED_BYTES_MAX, NESTING_MAX};

/// Why a word cannot be expanded.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ExpandError {
    #[error(
        "expected a closing {quote}, found the end\nhelp: close the quote, or put the escape character before it"
    )]
    OpenQuote { quote: char },
    #[error("expected {expected} in ${{{name}...}}, found the end\nhelp: close the braces")]
    OpenBrace { name: String, expected: char },
    #[error(
        "${{{found} names no variable\nhelp: write ${{name}}; for the text itself put the escape character before the $"
    )]
    BadName { found: String },
    #[error(
        "${{{name}{operator}...}} has an unknown operator\nsupported: :- - :+ + :? ? # ## % %% / //\nhelp: use one of these, or do it in RUN"
    )]
    Operator { name: String, operator: String },
    #[error("{name}: {message}\nhelp: give it a value with ARG or ENV before this line")]
    Required { name: String, message: String },
    #[error("the pattern of ${{{name}...}} is refused")]
    Pattern {
        name: String,
        #[source]
        source: PatternError,
    },
    #[error("${{...}} is nested deeper than {NESTING_MAX}\nhelp: use variables in between")]
    Nesting,
    #[error(
        "variables grow to more than {EXPANDED_BYTES_MAX} bytes in this stage\nhelp: put large values into files"
    )]
    TooLarge,
}
