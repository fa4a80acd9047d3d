//! A file of values: an audit file of gradus, which says whom they are for, or pairs.

use crate::input_file::{self, InputFileError};
use gradus_tasks::weights::audit::{FILE_BYTES_MAX, Recipe};
use gradus_tasks::weights::{AuditError, AuditFile};
use std::path::{Path, PathBuf};

/// What such a file holds.
pub(super) enum Values {
    /// An audit file's.
    Recipe(Box<Recipe>),
    /// Uid and value.
    Pairs(Vec<(u16, u16)>),
}

/// Why a file has no values.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// It cannot be read.
    #[error(transparent)]
    Input(#[from] InputFileError),
    /// It is neither.
    #[error("{argument} {} holds neither an audit file of gradus nor a list of pairs [uid, value]\nhelp: such as [[0,65535],[7,1200]]", path.display())]
    Pairs {
        /// The argument, as the usage calls it.
        argument: &'static str,
        /// The file.
        path: PathBuf,
        /// Why the list cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// It is an audit file, or looks like one, and cannot be read.
    #[error("{argument} {}", path.display())]
    Audit {
        /// The argument, as the usage calls it.
        argument: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: AuditError,
    },
    /// It is an audit file of another program.
    #[error("{argument} {} holds no values: its record was not written by gradus\nhelp: recompute it, `gradus weights audit`, or compute the values anew", path.display())]
    NoRecipe {
        /// The argument, as the usage calls it.
        argument: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// Reads one. What begins as an object is held to be an audit file, so that what is wrong with it is said.
pub(super) fn read(argument: &'static str, path: &Path) -> Result<Values, ValuesError> {
    let bytes = input_file::read(argument, path, FILE_BYTES_MAX)?;
    let path = || path.to_owned();
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let pairs = serde_json::from_slice(&bytes).map_err(|source| ValuesError::Pairs {
            argument,
            path: path(),
            source,
        })?;
        return Ok(Values::Pairs(pairs));
    }
    let file = AuditFile::parse(&bytes).map_err(|source| ValuesError::Audit {
        argument,
        path: path(),
        source,
    })?;
    let recipe = file.gradus.ok_or_else(|| ValuesError::NoRecipe {
        argument,
        path: path(),
    })?;
    Ok(Values::Recipe(Box::new(recipe)))
}
