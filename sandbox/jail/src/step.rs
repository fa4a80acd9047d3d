//! Where a step of a launch failed.

use std::io;

use crate::outcome::{LaunchError, Stage};

/// Names the step that a result belongs to.
pub(crate) trait At<T> {
    /// The value, or the error with its stage, and which thing it is about.
    fn at<W: Into<String>>(self, stage: Stage, what: impl FnOnce() -> W) -> Result<T, LaunchError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at<W: Into<String>>(self, stage: Stage, what: impl FnOnce() -> W) -> Result<T, LaunchError> {
        self.map_err(|error| {
            let error = error.into();
            let what = what().into();
            match error.raw_os_error() {
                Some(errno) => LaunchError { stage, errno, what },
                None => LaunchError {
                    stage,
                    errno: 0,
                    what: format!("{what}: {error}"),
                },
            }
        })
    }
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// A text that an image says, quoted, cut where it is too long for a message: an error that cannot be sent is taken for none.
pub(crate) fn short(text: &str) -> String {
    const CHARACTERS_MAX: usize = 256;
    match text.char_indices().nth(CHARACTERS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… of {} bytes", &text[..end], text.len()),
    }
}
