//! Ranges of user ids: `ids/NUMBER` is another name of the journal of the job that has it, which is there whole or not at all. Where that is
//! the only name, the job is gone. No other state directory of the host has the range either ([`host`]).

mod host;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gradus_jail::plan::Identity;
use gradus_jail::watcher::PLAN_FILE;

use host::HostIds;

use super::{FIRST_ID, IDS, LOCK_FILE, RANGES, State, StateError, io_error};
use crate::turn::Turn;

impl State {
    fn ids(&self) -> PathBuf {
        self.root.join("ids")
    }

    fn ids_turn(&self) -> Result<Turn, StateError> {
        let ids = self.ids();
        Turn::wait(&ids).map_err(io_error(ids))
    }

    /// A range of ids for the job `name`, which is there, that no other job of the host has.
    pub(crate) fn take_ids(&self, name: &str) -> Result<Identity, StateError> {
        let host = HostIds::open()?;
        let _turn = self.ids_turn()?;
        if let Some(identity) = self.take_from(&host, name)? {
            return Ok(identity);
        }
        // Others may have left some.
        host.sweep(true)?;
        self.take_from(&host, name)?.ok_or(StateError::Ids)
    }

    fn take_from(&self, host: &HostIds, name: &str) -> Result<Option<Identity>, StateError> {
        let journal = self.directory(name).join(LOCK_FILE);
        // Not always from the start: with many jobs the first are taken.
        let start = rustix::process::getpid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
            % 64;
        for range in (0..RANGES).map(|range| (range + start) % RANGES) {
            let number = range.to_string();
            let path = self.ids().join(&number);
            match fs::hard_link(&journal, &path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(io_error(path)(error)),
            }
            match host.take(&number, &path) {
                Ok(true) => {
                    let first = FIRST_ID + range * IDS;
                    return Ok(Some(Identity {
                        uid: first,
                        gid: first,
                        count: IDS,
                    }));
                }
                other => {
                    fs::remove_file(&path).map_err(io_error(path))?;
                    other?;
                }
            }
        }
        Ok(None)
    }

    /// Frees the ids of the job `name`, which is still there and has no process any more.
    pub(super) fn free_ids(&self, name: &str) -> Result<(), StateError> {
        let _turn = self.ids_turn()?;
        let journal = self.directory(name).join(LOCK_FILE);
        let inode = fs::metadata(&journal).map_err(io_error(journal))?.ino();
        // Its plan says which. Where there is none yet, or it is torn, all are looked at.
        if let Some(range) = self.planned_range(name) {
            let path = self.ids().join(range.to_string());
            if fs::metadata(&path).is_ok_and(|meta| meta.ino() == inode) {
                return free(&path);
            }
        }
        self.free_ids_where(|meta| meta.ino() == inode)
    }

    /// The range that the plan of the job `name` has, of which the rest is not looked at.
    fn planned_range(&self, name: &str) -> Option<u32> {
        #[derive(serde::Deserialize)]
        struct Part {
            identity: Identity,
        }
        let text = fs::read(self.directory(name).join(PLAN_FILE)).ok()?;
        let Part { identity } = serde_json::from_slice(&text).ok()?;
        Some(identity.uid.checked_sub(FIRST_ID)? / IDS)
    }

    /// Frees ids whose job is not there. A job has its journal before it takes ids, and until it has given them back.
    pub(super) fn free_lost_ids(&self) -> Result<(), StateError> {
        let turn = self.ids_turn()?;
        self.free_ids_where(|meta| meta.nlink() == 1)?;
        drop(turn);
        if rustix::process::geteuid().is_root() {
            HostIds::open()?.sweep(false)?;
        }
        Ok(())
    }

    fn free_ids_where(&self, is_free: impl Fn(&fs::Metadata) -> bool) -> Result<(), StateError> {
        let ids = self.ids();
        for entry in fs::read_dir(&ids).map_err(io_error(&ids))? {
            let path = entry.map_err(io_error(&ids))?.path();
            let meta = fs::symlink_metadata(&path).map_err(io_error(&path))?;
            if is_free(&meta) {
                free(&path)?;
            }
        }
        Ok(())
    }
}

/// Frees the range whose file is `path`: for the host first, so that nobody else has it while the file says that it is taken.
fn free(path: &Path) -> Result<(), StateError> {
    if let Some(range) = path.file_name().and_then(|name| name.to_str()) {
        HostIds::open()?.free(range, path)?;
    }
    fs::remove_file(path).map_err(io_error(path))
}
