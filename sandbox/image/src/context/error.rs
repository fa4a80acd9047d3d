//! Why a context, a source of `COPY` or a `.dockerignore` is refused.

use super::glob::PatternError;
use super::ignore::{IGNORE_BYTES_MAX, IGNORE_PATTERNS_MAX};
use crate::Owner;

/// Why a `.dockerignore` is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum IgnoreError {
    #[error(
        ".dockerignore is {bytes} bytes long, the limit is {IGNORE_BYTES_MAX}\nhelp: use patterns instead of a list of files"
    )]
    TooLarge { bytes: usize },
    #[error(
        ".dockerignore has more than {IGNORE_PATTERNS_MAX} patterns\nhelp: use wildcards instead of a list of files"
    )]
    TooMany,
    #[error(".dockerignore line {line}: expected text in UTF-8\nhelp: save the file as UTF-8")]
    NotText { line: usize },
    #[error(
        ".dockerignore line {line}: ! stands alone\nhelp: write the path that is to be kept behind it"
    )]
    Empty { line: usize },
    #[error(".dockerignore line {line}: the pattern {pattern:?} is refused")]
    Pattern {
        line: usize,
        pattern: String,
        #[source]
        source: PatternError,
    },
}

impl IgnoreError {
    /// Always the submission.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }
}

/// Why a context or a source in it is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ContextError {
    #[error("cannot {action} {path:?} in the build context")]
    Io {
        action: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the build context's .dockerignore is refused")]
    Ignore(#[source] IgnoreError),
    #[error("the pattern {pattern:?} of a source is refused")]
    Pattern {
        pattern: String,
        #[source]
        source: PatternError,
    },
    #[error(
        "the source {pattern:?} leads out of the build context\nhelp: copy the file into the context; .. does not lead out of it"
    )]
    Escapes { pattern: String },
    #[error(
        "the source {pattern:?} matches nothing in the build context{}\nhelp: check the path and .dockerignore; paths are relative to the context, not to the Dockerfile",
        if *.ignored { " that .dockerignore leaves" } else { "" }
    )]
    NoMatch { pattern: String, ignored: bool },
    #[error(
        "the source {path:?} lies in .git, which is never part of a build context\nhelp: write what is needed of it into a file"
    )]
    Git { path: String },
    #[error(
        "{path:?} is a symbolic link, and a source or a directory on the way to it\nhelp: name what the link points to"
    )]
    Link { path: String },
    #[error(
        "{path:?} is a {kind}: only files, directories and links can be copied\nhelp: remove it, or name it in .dockerignore"
    )]
    Special { path: String, kind: &'static str },
    #[error(
        "the build context has more than {limit} {what}{}\nhelp: name what the image does not need in .dockerignore",
        if .path.is_empty() { String::new() } else { format!(" at {:?}", .path) }
    )]
    TooMuch {
        what: &'static str,
        limit: u64,
        path: String,
    },
    #[error(
        "{path:?} changed while it was read\nhelp: build again once nothing writes into the context"
    )]
    Changed { path: String },
}

impl ContextError {
    /// The submission's, but for failures of the machine.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Io { .. } | Self::Changed { .. } => Owner::Host,
            _ => Owner::Submission,
        }
    }
}
