//! Ranges of user ids: `ids/NUMBER` is another name of the journal of the job that has it, which is there whole or not at all. Where that is
//! the only name, the job is gone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use gradus_jail::plan::Identity;
use gradus_jail::watcher::PLAN_FILE;

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

    /// A range of ids for the job `name`, which is there, that no other job has.
    pub(crate) fn take_ids(&self, name: &str) -> Result<Identity, StateError> {
        let _turn = self.ids_turn()?;
        let journal = self.directory(name).join(LOCK_FILE);
        // Not always from the start: with many jobs the first are taken.
        let start = rustix::process::getpid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
            % 64;
        for range in (0..RANGES).map(|range| (range + start) % RANGES) {
            let path = self.ids().join(range.to_string());
            match fs::hard_link(&journal, &path) {
                Ok(()) => {
                    let first = FIRST_ID + range * IDS;
                    return Ok(Identity {
                        uid: first,
                        gid: first,
                        count: IDS,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(path)(error)),
            }
        }
        Err(StateError::Ids)
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
                return fs::remove_file(&path).map_err(io_error(path));
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
        let _turn = self.ids_turn()?;
        self.free_ids_where(|meta| meta.nlink() == 1)
    }

    fn free_ids_where(&self, free: impl Fn(&fs::Metadata) -> bool) -> Result<(), StateError> {
        let ids = self.ids();
        for entry in fs::read_dir(&ids).map_err(io_error(&ids))? {
            let path = entry.map_err(io_error(&ids))?.path();
            let meta = fs::symlink_metadata(&path).map_err(io_error(&path))?;
            if free(&meta) {
                fs::remove_file(&path).map_err(io_error(path))?;
            }
        }
        Ok(())
    }
}
