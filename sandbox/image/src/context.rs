//! A build context: what `.dockerignore` leaves, what `COPY` selects, and its digest.
//!
//! The directory is hostile: links lead out of it, files change while they are read, names hide sockets. So everything is
//! opened below one descriptor, without following links, and each file is looked at before and after it is read.
//!
//! | module | is about |
//! |---|---|
//! | [`glob`] | patterns of one path component's characters |
//! | [`ignore`] | `.dockerignore` |
//! | [`tree`] | walking, limits |
//! | `below` | opening and reading below one descriptor |
//! | `digest` | the digest of what is selected |
//!
//! `.git` is never part of a context, at any depth, whatever `.dockerignore` says: a build must not see history that the
//! tree it is judged by does not show, and what is in there differs between two clones of one commit.
#![forbid(unsafe_code)]

mod below;
mod digest;
pub mod error;
pub mod glob;
pub mod ignore;
pub mod tree;

#[cfg(test)]
mod tests;

pub use error::{ContextError, IgnoreError};
pub use ignore::Ignore;
pub use tree::{Context, Entry, EntryKind, Limits, Selected};
