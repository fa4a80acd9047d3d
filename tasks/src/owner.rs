//! Whose fault a failure is: the field of an error that decides what happens next.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Who has to act on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The candidate's author: reject it, with a reason they can act on.
    Submission,
    /// This host, or the task it was given: correct it, or retry elsewhere.
    Host,
    /// This program: stop, no score is better than a wrong one.
    Bug,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Owner::Submission => "submission",
            Owner::Host => "host",
            Owner::Bug => "bug",
        })
    }
}
