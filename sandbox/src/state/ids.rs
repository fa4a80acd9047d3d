//! Ranges of user ids: `ids/NUMBER` is a link to the name of the job that has it, which is there whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use gradus_jail::plan::Identity;

use super::{FIRST_ID, IDS, RANGES, State, StateError, io_error};
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
        // Not always from the start: with many jobs the first are taken.
        let start = rustix::process::getpid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
            % 64;
        for range in (0..RANGES).map(|range| (range + start) % RANGES) {
            let path = self.ids().join(range.to_string());
            match symlink(name, &path) {
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
        // Its plan says which. Where there is none yet, or it is torn, all are looked at.
        if let Ok(Some(plan)) = self.plan(name)
            && let Some(above) = plan.identity.uid.checked_sub(FIRST_ID)
        {
            let path = self.ids().join((above / IDS).to_string());
            if fs::read_link(&path).is_ok_and(|holder| holder.as_os_str() == name) {
                return fs::remove_file(&path).map_err(io_error(path));
            }
        }
        self.free_ids_where(|holder| holder == name)
    }

    /// Frees ids whose job is not there. A job has its directory before it takes ids, and until it has given them back.
    pub(super) fn free_lost_ids(&self) -> Result<(), StateError> {
        let _turn = self.ids_turn()?;
        self.free_ids_where(|holder| !self.directory(holder).exists())
    }

    fn free_ids_where(&self, free: impl Fn(&str) -> bool) -> Result<(), StateError> {
        let ids = self.ids();
        for entry in fs::read_dir(&ids).map_err(io_error(&ids))? {
            let path = entry.map_err(io_error(&ids))?.path();
            let holder = fs::read_link(&path).unwrap_or_default();
            if holder.to_str().is_some_and(&free) {
                fs::remove_file(&path).map_err(io_error(path))?;
            }
        }
        Ok(())
    }
}
