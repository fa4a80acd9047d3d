//! Why a Dockerfile is refused: the line, what was expected, what was found, what to do.

use super::expand::ExpandError;
use super::{INSTRUCTIONS_MAX, TEXT_BYTES_MAX};
use crate::Owner;

/// What a Dockerfile may consist of, for messages.
pub(crate) const SUPPORTED: &str = "FROM, ARG, ENV, RUN, COPY, ADD, WORKDIR, USER, SHELL, LABEL, EXPOSE, VOLUME, HEALTHCHECK, STOPSIGNAL, ENTRYPOINT, CMD, MAINTAINER";

/// Why a Dockerfile is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum DockerfileError {
    #[error(
        "the Dockerfile is {bytes} bytes long, the limit is {TEXT_BYTES_MAX}\nhelp: copy data from files instead of writing it into the Dockerfile"
    )]
    TooLarge { bytes: usize },
    #[error(
        "line {line}: the Dockerfile holds {found}, a text in UTF-8 was expected\nhelp: is this the Dockerfile? save it as UTF-8 without control characters"
    )]
    NotText { line: usize, found: String },
    #[error(
        "the Dockerfile has no stage: at least one FROM was expected, found {found}\nhelp: begin with FROM and an image, or FROM scratch"
    )]
    NoStage { found: &'static str },
    #[error(
        "line {line}: more than {limit} {what}\nhelp: join instructions, or split the Dockerfile; it may have {INSTRUCTIONS_MAX} instructions in all"
    )]
    TooMany {
        line: usize,
        what: &'static str,
        limit: usize,
    },
    #[error(
        "line {line}: {word} is not an instruction\n  {text}\nsupported: {SUPPORTED}\nhelp: correct the word; a line that continues the one before needs the escape character at that one's end"
    )]
    UnknownInstruction {
        line: usize,
        text: String,
        word: String,
    },
    #[error("line {line}: expected {expected}, found {found}\n  {text}\nhelp: {help}")]
    Syntax {
        line: usize,
        text: String,
        expected: String,
        found: String,
        help: String,
    },
    #[error("line {line}: {what} is not supported\n  {text}\nsupported: {supported}\nhelp: {help}")]
    Unsupported {
        line: usize,
        text: String,
        what: String,
        supported: String,
        help: String,
    },
    #[error("line {line}: a variable cannot be put in\n  {text}")]
    Expand {
        line: usize,
        text: String,
        #[source]
        source: ExpandError,
    },
    #[error(
        "line {line}: there is no stage {name}; the stages are {known}\n  {text}\nhelp: correct the number or name, or give the stage that name with FROM ... AS {name}"
    )]
    UnknownStage {
        line: usize,
        text: String,
        name: String,
        known: String,
    },
    #[error(
        "line {line}: stages need each other in a circle: {circle}\nhelp: a stage can only copy from one that is finished without it"
    )]
    StageCycle { line: usize, circle: String },
    #[error(
        "line {line}: a stage is called {name}, as the one of line {first} is\nhelp: give each stage a name of its own"
    )]
    DuplicateStage {
        line: usize,
        first: usize,
        name: String,
    },
    #[error(
        "the target {target:?} is not a stage; the stages are {known}\nhelp: correct the target, or give the stage that name"
    )]
    UnknownTarget { target: String, known: String },
    #[error(
        "line {line}: the image {image} carries ONBUILD triggers, which are not supported: {triggers}\nhelp: build on an image without triggers, and write those instructions into the Dockerfile"
    )]
    BaseTriggers {
        line: usize,
        image: String,
        triggers: String,
    },
}

impl DockerfileError {
    /// Always the submission: a Dockerfile is what its author wrote.
    pub fn owner(&self) -> Owner {
        Owner::Submission
    }

    /// The line at fault, counted from 1; none where it is the whole file.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::TooLarge { .. } | Self::NoStage { .. } | Self::UnknownTarget { .. } => None,
            Self::NotText { line, .. }
            | Self::TooMany { line, .. }
            | Self::UnknownInstruction { line, .. }
            | Self::Syntax { line, .. }
            | Self::Unsupported { line, .. }
            | Self::Expand { line, .. }
            | Self::UnknownStage { line, .. }
            | Self::StageCycle { line, .. }
            | Self::DuplicateStage { line, .. }
            | Self::BaseTriggers { line, .. } => Some(*line),
        }
    }
}

/// A piece of the Dockerfile as a message shows it: one line, no control characters, at most 120 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(120)
        .map(|c| match c {
            '\n' => '⏎',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    if text.chars().nth(120).is_some() {
        out.push('…');
    }
    out
}

/// Where an instruction stands and how it begins, to make its errors from.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

impl At<'_> {
    pub(crate) fn syntax(
        self,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> DockerfileError {
        DockerfileError::Syntax {
            line: self.line,
            text: shown(self.text),
            expected: expected.into(),
            found: found.into(),
            help: help.into(),
        }
    }

    pub(crate) fn unsupported(
        self,
        what: impl Into<String>,
        supported: impl Into<String>,
        help: impl Into<String>,
    ) -> DockerfileError {
        DockerfileError::Unsupported {
            line: self.line,
            text: shown(self.text),
            what: what.into(),
            supported: supported.into(),
            help: help.into(),
        }
    }

    pub(crate) fn expand(self, source: ExpandError) -> DockerfileError {
        DockerfileError::Expand {
            line: self.line,
            text: shown(self.text),
            source,
        }
    }
}
