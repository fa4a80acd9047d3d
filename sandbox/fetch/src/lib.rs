//! What a job needs from the network, before it runs without one: images of registries, and the tree of a git commit.
//!
//! Both come from servers that nobody vouches for, often named by whoever submitted the job. So everything is asked for by what it hashes to,
//! counted before it is unpacked, and checked before it has a name: an image is in the store, or a tree at its path, whole or not at all.
//! Addresses that only this machine's network can reach are not asked unless they are trusted by name.
//!
//! | module | is about |
//! |---|---|
//! | [`registry`] | images into a [`gradus_image::store::Store`] |
//! | [`git`] | a commit's files into a directory |
//! | [`mod@download`] | one file by its address |
//! | [`net`] | HTTP as both need it: time, length, redirects, addresses, secrets |
//!
//! Neither a daemon nor another program is needed, nothing is async, and no unsafe code of this crate reads what servers send. Why there is
//! neither `git` nor an OCI client library here: [ADR 14](../../../docs/adr/0014-fetching.md).
//!
//! ```no_run
//! use gradus_fetch::git::Fetcher;
//! use gradus_fetch::registry::{PullOptions, Puller, Reference};
//! use gradus_image::store::Store;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("images".as_ref())?;
//! let pin = store.pin()?; // keeps what is pulled from being collected, until it is dropped
//! let reference: Reference = "ghcr.io/astral-sh/uv:latest".parse()?;
//! let pulled = Puller::new(PullOptions::default()).pull(&store, &pin, &reference, &|_event| {})?;
//! println!("{}", pulled.reference); // ghcr.io/astral-sh/uv@sha256:…, for the job's record
//! let lowers = store.layer_dirs(&pulled.image)?; // the uppermost first, as overlay wants them
//!
//! let commit = "ce013625030ba8dba906f756967f9e9ca394464a".parse()?;
//! let fetched = Fetcher::default().fetch("https://github.com/owner/name", &commit, None, "tree".as_ref())?;
//! println!("{} in {} files", fetched.tree, fetched.files);
//! # let _ = lowers;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod download;
pub mod git;
pub mod net;
pub mod registry;

pub use gradus_image::Owner;
