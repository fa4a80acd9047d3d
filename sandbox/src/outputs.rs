//! Takes what a job has written, when nothing of the job is left: all of it, or nothing.
//!
//! What a job leaves is made by somebody hostile. So first everything is looked at and counted without being opened; then each
//! file is opened without following anything, compared with what was seen, read once, hashed and written into the [`Store`], and compared
//! again; and only when the last one is there, all of them get names. Permissions, owners, times and extended attributes are not taken.
//!
//! Links are refused as a rule, also those that stay inside: what they lead to is there under its own name, and to follow one is to let
//! the job choose what is read. Caches that are full of links (a hub's `snapshots`) can be taken with [`Links::Skip`].

mod error;
#[cfg(test)]
mod tests;
mod walk;

pub use error::CollectError;
pub use gradus_owner::Owner;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::BorrowedFd;

use rustix::fs::{OFlags, fstat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::store::{
    AddError, Batch, CopyError, Digest, Entry, Lease, MANIFEST_VERSION, Manifest, Store,
    StoreError, Tree,
};
use walk::{Found, Identity, Walked, read_error};

/// What is taken at most, of all outputs of a job together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectLimits {
    /// sum of the files' sizes; a hole counts as what it reads as
    pub bytes: u64,
    /// size of one file
    pub file_bytes: u64,
    /// files and directories
    pub files: u64,
    /// components of a path below its output
    pub depth: usize,
    /// bytes of a name
    pub name_bytes: usize,
    /// what is done about symbolic links
    pub links: Links,
}

/// What is done about symbolic links. None is ever followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// one is enough to refuse the outputs
    #[default]
    Refuse,
    /// they are left out, and listed
    Skip,
}

impl Default for CollectLimits {
    fn default() -> CollectLimits {
        CollectLimits {
            bytes: 64 << 30,
            file_bytes: 64 << 30,
            files: 100_000,
            depth: 32,
            name_bytes: 255,
            links: Links::Refuse,
        }
    }
}

/// What was taken. It is not removed from the store as garbage while this lives, nor after [`Collected::keep`].
#[derive(Debug)]
pub struct Collected {
    manifest: Manifest,
    lease: Lease,
}

impl Collected {
    /// Trees by the outputs' names.
    pub fn outputs(&self) -> &BTreeMap<String, Tree> {
        &self.manifest.outputs
    }

    /// What was taken, as it can be written down.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Keeps it in the store under `name`, until that is forgotten.
    pub fn keep(self, store: &Store, name: &str) -> Result<Manifest, StoreError> {
        store.keep(name, &self.manifest, &self.lease)?;
        Ok(self.manifest)
    }
}

/// Takes the outputs in `directory`, which holds a directory for each, into a store. Nobody may write there any more.
///
/// # Errors
/// Nothing was taken. [`CollectError::owner`] says whether the job is to be rejected.
pub fn collect(
    directory: BorrowedFd<'_>,
    limits: &CollectLimits,
    into: &Store,
) -> Result<Collected, CollectError> {
    take(directory, walk::walk(directory, limits)?, into)
}

fn take(
    directory: BorrowedFd<'_>,
    walked: Walked,
    into: &Store,
) -> Result<Collected, CollectError> {
    let mut batch = into.batch()?;
    let mut outputs: BTreeMap<String, Tree> = walked
        .outputs
        .into_iter()
        .map(|name| (name, Tree::default()))
        .collect();
    for found in &walked.files {
        let sha256 = take_file(directory, found, &mut batch)?;
        let (tree, path) = place(&mut outputs, &found.path);
        tree.files.push(Entry {
            path: path.to_owned(),
            bytes: found.identity.bytes,
            sha256,
        });
    }
    for link in &walked.skipped {
        let (tree, path) = place(&mut outputs, link);
        tree.skipped.push(path.to_owned());
    }
    for tree in outputs.values_mut() {
        tree.files
            .sort_unstable_by(|one, other| one.path.cmp(&other.path));
        tree.skipped.sort_unstable();
    }
    let lease = batch.publish()?;
    Ok(Collected {
        manifest: Manifest {
            version: MANIFEST_VERSION,
            outputs,
        },
        lease,
    })
}

fn place<'a, 'p>(
    outputs: &'a mut BTreeMap<String, Tree>,
    path: &'p str,
) -> (&'a mut Tree, &'p str) {
    let (output, path) = path.split_once('/').expect("files lie in outputs");
    (
        outputs
            .get_mut(output)
            .expect("outputs were found before their files"),
        path,
    )
}

fn take_file(
    directory: BorrowedFd<'_>,
    found: &Found,
    batch: &mut Batch<'_>,
) -> Result<Digest, CollectError> {
    let path = &*found.path;
    let changed = |what| CollectError::Changed {
        path: path.to_owned(),
        what,
    };
    let file = File::from(walk::open(directory, path, OFlags::empty()).map_err(read_error(path))?);
    let same = |what| match fstat(&file) {
        Ok(stat) if Identity::new(&stat) == found.identity => Ok(()),
        Ok(_) => Err(changed(what)),
        Err(error) => Err(read_error(path)(error)),
    };
    same("it is not the file that was counted")?;
    let digest = batch
        .add(&file, found.identity.bytes)
        .map_err(|error| match error {
            AddError::Store(error) => CollectError::Store(error),
            AddError::Source(CopyError::Read(error)) => match Errno::from_io_error(&error) {
                Some(error) => read_error(path)(error),
                None => CollectError::Io {
                    path: path.to_owned(),
                    source: error,
                },
            },
            AddError::Source(CopyError::Short { .. }) => changed("it became shorter"),
            AddError::Source(CopyError::Write(_)) => {
                unreachable!("the store answers for what it writes")
            }
        })?;
    same("somebody wrote to it")?;
    Ok(digest)
}
