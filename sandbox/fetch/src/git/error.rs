//! Why a commit is not fetched.

use std::io;
use std::path::PathBuf;

use gradus_image::Owner;

use super::id::ObjectId;
use super::object::ParseObjectError;
use super::verify::VerifyError;
use crate::net::NetError;

/// Why a pack is refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum PackError {
    #[error(
        "the pack has more than {limit} {what}\nhelp: keep data, models and other large files out of the repository"
    )]
    TooMuch { what: &'static str, limit: u64 },
    #[error("the pack is malformed at byte {offset}: {reason}")]
    Malformed { offset: u64, reason: &'static str },
    #[error("the object at byte {offset} of the pack has a SHA-1 that another content has, too")]
    Collision { offset: u64 },
    #[error("{step} failed on this machine")]
    Io {
        step: &'static str,
        #[source]
        source: io::Error,
    },
}

impl PackError {
    pub(super) fn io(step: &'static str) -> impl FnOnce(io::Error) -> PackError {
        move |source| PackError::Io { step, source }
    }
}

/// Why a commit is not fetched. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum FetchError {
    #[error("the repository's address {reason}\nhelp: such as https://github.com/owner/name")]
    Url { reason: &'static str },
    #[error("the token cannot be sent: it is empty, or has characters that no token has")]
    Token,
    #[error("{} exists\nhelp: name a directory that does not", .path.display())]
    Exists { path: PathBuf },
    #[error("{server} has no repository there{}", if *.with_token { "" } else { ", or none for everybody\nhelp: for a private one give a token" })]
    NotFound { server: String, with_token: bool },
    #[error("{server} does not give the repository to {}", if *.with_token { "this token" } else { "anybody\nhelp: give a token" })]
    Denied { server: String, with_token: bool },
    #[error(
        "the repository at {server} has no commit {commit}\nhelp: push it, and name it by its full id"
    )]
    NoCommit { server: String, commit: ObjectId },
    #[error("the repository at {server} has ids of {found}, the commit's is one of {asked}")]
    Format {
        server: String,
        asked: &'static str,
        found: String,
    },
    #[error("{server} says no to a fetch: {said:?}")]
    Said { server: String, said: String },
    #[error("{server} does not speak git's protocol 2 as it is known here: {reason}")]
    Protocol {
        server: String,
        reason: &'static str,
    },
    #[error("what {server} sent is refused")]
    Pack {
        server: String,
        #[source]
        source: PackError,
    },
    #[error("{what} {id} is not in the pack\nhelp: the server sent less than the commit needs")]
    Missing { what: String, id: ObjectId },
    #[error("{what} {id} is refused")]
    Object {
        what: String,
        id: ObjectId,
        #[source]
        source: ParseObjectError,
    },
    #[error("{path:?} {reason}")]
    Entry { path: String, reason: &'static str },
    #[error(
        "the commit has more than {limit} {what}\nhelp: keep data, models and other large files out of the repository"
    )]
    TooMuch { what: &'static str, limit: u64 },
    #[error("the files that were written make tree {found}, the commit says {expected}")]
    Tree { expected: ObjectId, found: ObjectId },
    #[error("the files that were written cannot be read back")]
    Verify(#[source] VerifyError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{}: {step} failed", .path.display())]
    Io {
        path: PathBuf,
        step: &'static str,
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// The submission's where it names what is not there or what is wrong, the host's where the way there or this machine failed.
    pub fn owner(&self) -> Owner {
        match self {
            FetchError::Net(source) => source.owner(),
            FetchError::Pack {
                source: PackError::Io { .. },
                ..
            }
            | FetchError::Io { .. }
            | FetchError::Exists { .. }
            | FetchError::Token
            | FetchError::Verify(_) => Owner::Host,
            FetchError::Tree { .. } => Owner::Bug,
            _ => Owner::Submission,
        }
    }

    pub(super) fn io(
        path: &std::path::Path,
        step: &'static str,
    ) -> impl FnOnce(io::Error) -> FetchError {
        let path = path.to_owned();
        move |source| FetchError::Io { path, step, source }
    }
}
