//! The directory in which gradus processes meet: lock files of leases, records of quarantine.
//!
//! It must outlive processes and reboots, and be the same for all who share GPUs. By default it is the user's own;
//! `GRADUS_STATE_DIR` names one for several users, who then need the right to write there.

use super::quarantine::{self, Record, file_name};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The variable that names the directory.
pub const VARIABLE: &str = "GRADUS_STATE_DIR";

/// The directory. Nothing is made before it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used\nhelp: {VARIABLE} names another directory for GPU leases", path.display())]
pub struct StateError {
    /// What.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl StateDir {
    /// At `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the environment says: `GRADUS_STATE_DIR`, or `gradus` in `XDG_STATE_HOME`, or in `HOME/.local/state`.
    pub fn from_environment() -> Option<Self> {
        Self::from(|name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        })
    }

    fn from(get: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        get(VARIABLE)
            .or_else(|| Some(get("XDG_STATE_HOME")?.join("gradus")))
            .or_else(|| Some(get("HOME")?.join(".local/state/gradus")))
            .map(Self::new)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock file of a device. Its directory is made.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) fn lock_file(&self, uuid: &str) -> Result<PathBuf, StateError> {
        Ok(self
            .made("leases")?
            .join(format!("{}.lock", file_name(uuid))))
    }

    /// The record of a device in quarantine; a record that cannot be read still is one.
    pub fn quarantined(&self, uuid: &str) -> Option<Record> {
        quarantine::find(&self.path, uuid)
    }

    /// Puts a device into quarantine until [`StateDir::clear`].
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn quarantine(&self, record: &Record) -> Result<(), StateError> {
        quarantine::write(&self.path, record).map_err(|source| StateError {
            path: self.record_path(&record.uuid),
            source,
        })
    }

    /// Ends a quarantine; whether there was one.
    ///
    /// # Errors
    /// If the record cannot be removed.
    pub fn clear(&self, uuid: &str) -> Result<bool, StateError> {
        quarantine::end(&self.path, uuid).map_err(|source| StateError {
            path: self.record_path(uuid),
            source,
        })
    }

    /// Where the record of a device is.
    pub fn record_path(&self, uuid: &str) -> PathBuf {
        quarantine::path(&self.path, uuid)
    }

    fn made(&self, name: &str) -> Result<PathBuf, StateError> {
        let path = self.path.join(name);
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(StateError { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::quarantine::Why;

    #[test]
    fn the_directory_is_the_first_that_is_named() {
        let of = |names: &[(&str, &str)]| {
            let get = |name: &str| {
                names
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| value.into())
            };
            StateDir::from(get).map(|state| state.path)
        };
        let all = [(VARIABLE, "/g"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(of(&all), Some("/g".into()));
        assert_eq!(of(&all[1..]), Some("/x/gradus".into()));
        assert_eq!(of(&all[2..]), Some("/h/.local/state/gradus".into()));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_quarantine_lasts_until_it_is_cleared_even_when_its_record_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::new(directory.path().join("not/yet"));
        assert_eq!(state.quarantined("GPU-1"), None);
        let record = Record::new("GPU-1", Why::Lost, "tests");
        state.quarantine(&record).unwrap();
        assert_eq!(state.quarantined("GPU-1"), Some(record));
        assert_eq!(state.quarantined("GPU-2"), None);
        fs::write(state.record_path("GPU-1"), "{\"uuid\": \"GPU").unwrap();
        assert_eq!(state.quarantined("GPU-1").unwrap().why, Why::Unreadable);
        assert!(state.clear("GPU-1").unwrap());
        assert!(!state.clear("GPU-1").unwrap());
        assert_eq!(state.quarantined("GPU-1"), None);
    }

    #[test]
    fn no_uuid_leaves_the_directory() {
        let state = StateDir::new("/s");
        let path = state.record_path("MIG-GPU-1/2/../../../x");
        assert_eq!(path.parent(), Some(Path::new("/s/quarantine")));
    }
}
