//! Whose fault a failure is: the field of an error that decides what happens next.
//!
//! A crate of its own, since those that say it are strangers to each other: tasks, checkpoints, jobs, images.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use std::fmt;

/// Who has to act on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Whoever made what was submitted: reject it, with a reason they can act on.
    Submission,
    /// This host, or the task or job it was given: correct it, or retry elsewhere.
    Host,
    /// This program: stop, no answer is better than a wrong one.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Results that others keep have these words.
    #[test]
    fn an_owner_is_written_as_it_is_shown() {
        for owner in [Owner::Submission, Owner::Host, Owner::Bug] {
            let text = serde_json::to_string(&owner).expect("plain data");
            assert_eq!(text, format!("\"{owner}\""));
        }
    }
}
