//! The tree of one git commit, without git.
//!
//! A server and whoever named it are not trusted. Asked for is one commit by its full id and no history; what comes is a pack, whose objects
//! count for what they hash to. The tree is written entry by entry beneath a directory that nobody else sees, read back, and compared with
//! what the commit says. Nothing of the repository is run or obeyed: there are no hooks, filters, attributes, configuration, submodules.
//!
//! | module | is about |
//! |---|---|
//! | [`id`] | SHA-1 and SHA-256 ids, and what they are of |
//! | [`name`] | names that a tree may have |
//! | [`object`] | commits and trees as they are stored |
//! | [`packet`] | how git frames what it says |
//! | `protocol` | one question to a server, and the pack that it sends |
//! | [`pack`] | a pack's objects, deltas included, in little memory |
//! | `plan` | all entries of a commit, counted before one is written |
//! | `checkout` | entries to files |
//! | [`verify`] | files to a tree's id |
//! | [`fetch`] | all of it |
//! | [`error`] | why a commit is not fetched |

mod checkout;
pub mod error;
pub mod fetch;
pub mod id;
pub mod name;
pub mod object;
pub mod pack;
pub mod packet;
mod plan;
mod protocol;
pub mod verify;

pub use error::{FetchError, PackError};
pub use fetch::{FetchOptions, Fetched, Fetcher, GitCaps, remove_left};
pub use id::{Algorithm, Kind, ObjectId};
pub use verify::tree_id;
