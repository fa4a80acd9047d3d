//! Directories that stand for control groups.
//!
//! A tree is fake where a part of its path begins with [`MARK`]. The directory `.children` at its top holds the files that a new group has;
//! a file `.refuse-NAME` in a group holds the answer to writing NAME.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::cgroup::host::Backend;

pub(in crate::cgroup) const MARK: &str = "fake-cgroup";

/// The top of the tree that a path lies in, and the version it stands for.
fn top(path: &Path) -> Option<(PathBuf, Backend)> {
    let top = path
        .ancestors()
        .find(|above| above.join(".children").is_dir())?;
    let mark = path.components().find_map(|part| {
        part.as_os_str()
            .to_str()?
            .strip_prefix(MARK)
            .map(str::to_owned)
    })?;
    Some((
        top.to_owned(),
        if mark.starts_with("-v1") {
            Backend::V1
        } else {
            Backend::V2
        },
    ))
}

pub(in crate::cgroup) fn version(path: &Path) -> Option<Backend> {
    top(path).map(|(_, backend)| backend)
}

pub(in crate::cgroup) fn made(path: &Path) {
    let Some((top, _)) = top(path) else { return };
    for entry in fs::read_dir(top.join(".children")).expect("the tree was made by a test") {
        let entry = entry.expect("the tree was made by a test");
        fs::copy(entry.path(), path.join(entry.file_name())).expect("the tree was made by a test");
    }
}

pub(in crate::cgroup) fn removing(path: &Path) {
    if top(path).is_none() {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().is_file() {
            _ = fs::remove_file(entry.path());
        }
    }
}

pub(in crate::cgroup) fn refuse(dir: &Path, file: &str) -> Result<(), Errno> {
    if top(dir).is_none() {
        return Ok(());
    }
    match fs::read_to_string(dir.join(format!(".refuse-{file}"))) {
        Ok(errno) => Err(Errno::from_raw_os_error(
            errno.trim().parse().expect("a number"),
        )),
        Err(_) => Ok(()),
    }
}
