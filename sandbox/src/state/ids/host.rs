//! Ranges of ids of all state directories of this host: `/run/gradus/ids/NUMBER` is a link that names who has the range, the mount namespace
//! that it is seen in and its file there. Nothing is behind it that could be opened; it is made in one step, or was there.
//!
//! A range is taken below its state directory first and here then, and given back here first: whatever is killed in between, no two have it.
//! What is left of somebody who is gone is found by [`HostIds::sweep`]. The directory is in memory: after a boot nobody has any.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::{StateError, io_error};
use crate::private;
use crate::turn::Turn;

/// For all that runs as root on this host.
const PLACE: &str = "/run/gradus/ids";

/// All ranges of this host.
#[derive(Debug)]
pub(super) struct HostIds {
    place: PathBuf,
    /// the mount namespace of this process, `mnt:[NUMBER]`
    namespace: OsString,
}

impl HostIds {
    /// The ranges of this host.
    pub(super) fn open() -> Result<HostIds, StateError> {
        HostIds::at(Path::new(PLACE))
    }

    fn at(place: &Path) -> Result<HostIds, StateError> {
        private::make(place, &[])?;
        let namespace = "/proc/self/ns/mnt";
        Ok(HostIds {
            place: place.to_owned(),
            namespace: fs::read_link(namespace)
                .map_err(io_error(namespace))?
                .into_os_string(),
        })
    }

    /// What is found to be nobody's must not have become somebody's when it is taken away.
    fn turn(&self) -> Result<Turn, StateError> {
        Turn::wait(&self.place).map_err(io_error(&self.place))
    }

    fn entry(&self, range: &str) -> PathBuf {
        self.place.join(range)
    }

    fn holder(&self, file: &Path) -> OsString {
        let mut holder = self.namespace.clone();
        holder.push(file);
        holder
    }

    /// Takes a range for whoever has `file`, which is there: false if somebody else has it.
    pub(super) fn take(&self, range: &str, file: &Path) -> Result<bool, StateError> {
        let _turn = self.turn()?;
        let (entry, holder) = (self.entry(range), self.holder(file));
        match symlink(&holder, &entry) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(fs::read_link(&entry).is_ok_and(|found| found.as_os_str() == holder))
            }
            Err(error) => Err(io_error(entry)(error)),
        }
    }

    /// Gives a range back that whoever has `file`, which is still there, may have.
    pub(super) fn free(&self, range: &str, file: &Path) -> Result<(), StateError> {
        let _turn = self.turn()?;
        let entry = self.entry(range);
        match fs::read_link(&entry) {
            Ok(found) if found.as_os_str() == self.holder(file) => remove(&entry),
            // Another state directory's, as after a boot.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error(entry)(error)),
        }
    }

    /// Frees what nobody has any more. To find out whether anybody is left who sees the file of a holder that this process does not see, all
    /// processes have to be looked at: that is done where `seen_by_others` are to be freed too.
    pub(super) fn sweep(&self, seen_by_others: bool) -> Result<(), StateError> {
        let _turn = self.turn()?;
        for entry in fs::read_dir(&self.place).map_err(io_error(&self.place))? {
            let entry = entry.map_err(io_error(&self.place))?.path();
            match fs::read_link(&entry) {
                Ok(holder) if !self.is_there(holder.as_os_str().as_bytes(), seen_by_others) => {
                    remove(&entry)?
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a holder's file is there: where this process does not see it, it may be as long as anybody is who does.
    fn is_there(&self, bytes: &[u8], look_for_others: bool) -> bool {
        let end = bytes.iter().position(|byte| *byte == b']');
        let Some((namespace, file)) = end.and_then(|end| bytes.split_at_checked(end + 1)) else {
            return false;
        };
        if namespace == self.namespace.as_bytes() {
            return fs::symlink_metadata(Path::new(std::ffi::OsStr::from_bytes(file))).is_ok();
        }
        if !look_for_others {
            return true;
        }
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut namespaces =
            processes.filter_map(|process| fs::read_link(process.path().join("ns/mnt")).ok());
        namespaces.any(|found| found.as_os_str().as_bytes() == namespace)
    }
}

/// Another process may do the same.
fn remove(entry: &Path) -> Result<(), StateError> {
    match fs::remove_file(entry) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(entry)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn place() -> (tempfile::TempDir, HostIds) {
        let folder = tempfile::tempdir().expect("a directory");
        let ids = HostIds::at(&folder.path().join("run/ids")).expect("a place");
        (folder, ids)
    }

    #[test]
    fn a_range_is_one_holders_until_it_gives_it_back() {
        let (folder, ids) = place();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        fs::write(&one, "").expect("written");
        assert!(ids.take("3", &one).expect("taken"));
        assert!(ids.take("3", &one).expect("taken"), "its own");
        assert!(!ids.take("3", &other).expect("asked"));
        ids.free("3", &other).expect("not its own");
        ids.sweep(true).expect("swept");
        assert!(
            !ids.take("3", &other).expect("asked"),
            "still the first one's"
        );
        ids.free("3", &one).expect("given back");
        assert!(ids.take("3", &other).expect("taken"));
    }

    #[test]
    fn what_nobody_has_any_more_is_free_again() {
        let (folder, ids) = place();
        assert!(ids.take("3", &folder.path().join("gone")).expect("taken"));
        let odd = ids.entry("4");
        symlink("no holder", &odd).expect("a link");
        ids.sweep(true).expect("swept");
        assert_eq!(fs::read_dir(&ids.place).expect("a directory").count(), 0);
    }

    /// As with a service whose `/tmp` is its own.
    #[test]
    fn what_is_seen_from_another_mount_namespace_alone_is_kept_while_somebody_is_there() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root makes a mount namespace here");
            return;
        }
        let (_folder, ids) = place();
        let mut other = Command::new("unshare");
        let mut other = other
            .args(["--mount", "sleep", "60"])
            .spawn()
            .expect("unshare");
        let link = format!("/proc/{}/ns/mnt", other.id());
        let namespace = loop {
            let found = fs::read_link(&link).expect("it runs");
            if found.as_os_str() != ids.namespace {
                break found;
            }
            std::thread::yield_now();
        };
        let entry = ids.entry("3");
        symlink(format!("{}/tmp/there", namespace.display()), &entry).expect("a link");
        ids.sweep(true).expect("swept");
        assert!(entry.is_symlink());
        other.kill().expect("killed");
        other.wait().expect("waited for");
        ids.sweep(false).expect("swept");
        assert!(entry.is_symlink(), "nobody was looked for");
        ids.sweep(true).expect("swept");
        assert!(!entry.is_symlink());
    }
}
