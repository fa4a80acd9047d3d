//! The file that becomes the result: `.NAME`, six letters or digits, `.tmp`, in the result's directory, locked while somebody writes it. A kill leaves
//! one that nobody has locked; the next who writes the same result removes it.

use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid, fchown, flock};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tempfile::NamedTempFile;

/// Characters between the name and the end.
const RANDOM: usize = 6;
const END: &str = ".tmp";

/// What the names of a result's files begin with.
fn beginning(path: &Path) -> OsString {
    let mut beginning = OsString::from(".");
    beginning.push(path.file_name().unwrap_or(OsStr::new("gradus")));
    beginning
}

/// An empty file, ours until it is dropped or named.
pub(super) fn make(path: &Path, directory: &Path) -> io::Result<NamedTempFile> {
    let beginning = beginning(path);
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(&beginning)
        .suffix(END)
        .rand_bytes(RANDOM)
        .permissions(Permissions::from_mode(0o666));
    loop {
        let file = builder.tempfile_in(directory)?;
        // Where nothing can be locked, nothing is taken for left either.
        let _ = flock(&file, FlockOperation::LockExclusive);
        // Somebody who looked for what was left may have found it before the lock.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes what others who wrote this result left when they were killed. What fails is tried by the next.
pub(super) fn remove_left(path: &Path, directory: &Path) {
    let beginning = beginning(path);
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if is_aside(&entry.file_name(), &beginning) && is_left(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_aside(name: &OsStr, beginning: &OsStr) -> bool {
    let middle = name.as_bytes().strip_prefix(beginning.as_bytes());
    let middle = middle.and_then(|rest| rest.strip_suffix(END.as_bytes()));
    middle.is_some_and(|middle| {
        middle.len() == RANDOM && middle.iter().all(u8::is_ascii_alphanumeric)
    })
}

/// Whether it is a file that nobody is writing.
fn is_left(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()) else {
        return false;
    };
    let file = File::from(file);
    file.metadata().is_ok_and(|found| found.is_file())
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Gives a file the mode of the one that it replaces, and its owner and group where that is allowed. A group that cannot be kept gets no more than
/// everybody.
pub(super) fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    let mut mode = old.mode() & 0o777;
    let new = file.metadata()?;
    if new.uid() != old.uid() {
        let _ = fchown(file, Some(Uid::from_raw(old.uid())), None);
    }
    if new.gid() != old.gid() && fchown(file, None, Some(Gid::from_raw(old.gid()))).is_err() {
        mode &= 0o707 | (mode & 0o007) << 3;
    }
    file.set_permissions(Permissions::from_mode(mode))
}
