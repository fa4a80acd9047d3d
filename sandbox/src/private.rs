//! Directories that nobody but this user may read or change.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a directory is not this user's alone.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Somebody else could read or change it.
    #[error(
        "{path} belongs to user {owner} with mode {mode:o}, expected this user ({user}) and 700\nhelp: choose another directory or correct it"
    )]
    Foreign {
        /// the directory
        path: PathBuf,
        /// its owner
        owner: u32,
        /// its permissions
        mode: u32,
        /// who asks
        user: u32,
    },
    /// It cannot be made, or looked at.
    #[error("{path} cannot be made or used")]
    Io {
        /// the directory
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

/// Makes the directory `root`, where it is not there, with `parts` in it.
///
/// # Errors
/// As [`PrivateError`] says; one that is there is left as it is.
pub(crate) fn make(root: &Path, parts: &[&str]) -> Result<(), PrivateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PrivateError::Io { path, source }
    };
    let private = |path: &Path| {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(failed(path))
    };
    private(root)?;
    let meta = fs::metadata(root).map_err(failed(root))?;
    let user = rustix::process::geteuid().as_raw();
    if meta.uid() != user || meta.mode() & 0o077 != 0 {
        return Err(PrivateError::Foreign {
            path: root.to_owned(),
            owner: meta.uid(),
            mode: meta.mode() & 0o7777,
            user,
        });
    }
    parts.iter().try_for_each(|part| private(&root.join(part)))
}
