//! Files of a state directory: whole or not there, nobody else's to read.

use super::*;
use rustix::fs::OFlags;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;

/// An error at a path.
pub(super) fn at(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io {
        path,
        action,
        source,
    }
}

/// Makes a directory that is nobody else's to read, with those above it, so that it is there after a crash: the directory that each new one
/// is in is synced, and the one that holds `path` though it was there, since whoever made it may have crashed before.
///
/// # Errors
/// [`LedgerError::Io`].
pub fn make_directory(path: &Path) -> Result<(), LedgerError> {
    make_directories(path, |directory| File::open(directory)?.sync_all())
}

fn make_directories(
    path: &Path,
    sync: impl Fn(&Path) -> io::Result<()>,
) -> Result<(), LedgerError> {
    let above = |path: &Path| match path.parent() {
        Some(above) if above.as_os_str().is_empty() => PathBuf::from("."),
        Some(above) => above.to_owned(),
        None => path.to_owned(),
    };
    // The lowest that is there, and what is to be made below it.
    let mut missing = Vec::new();
    let mut lowest = path.to_owned();
    while !lowest.is_dir() {
        let next = above(&lowest);
        if next == lowest {
            break;
        }
        missing.push(std::mem::replace(&mut lowest, next));
    }
    if missing.is_empty() {
        let holds = above(path);
        return match sync(&holds) {
            // Who may not list it did not make it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.map_err(at(&holds, "synced")),
        };
    }
    for new in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o700).create(&new) {
            // Another process was faster, and may not have synced it yet.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && new.is_dir() => {}
            made => made.map_err(at(&new, "made"))?,
        }
        let holds = above(&new);
        sync(&holds).map_err(at(&holds, "synced"))?;
    }
    Ok(())
}

/// The lock, ours until it is dropped.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A pipe in its place would be waited for.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(at(path, "opened"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LedgerError::Locked {
            path: path.to_owned(),
        }),
        Err(error) => Err(at(path, "locked")(error.into())),
    }
}

/// A file's bytes, one more than `bytes_max` at most; none if it is not there.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, LedgerError> {
    let file = match crate::plain_file::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path, "opened")(error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(at(path, "read"))?;
    Ok(Some(bytes))
}

/// Makes a file that was not there: aside, synced, renamed, its directory synced.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let aside = path.with_extension("new");
    let written = write_synced(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&aside);
        return Err(at(path, "written")(error));
    }
    let directory = path.parent().expect("files lie in a directory");
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(at(directory, "synced"))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Journals of a directory, in order of their names. What a crash left aside is no journal.
pub(super) fn journals(directory: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(at(directory, "listed"))? {
        let path = entry.map_err(at(directory, "listed"))?.path();
        if path.to_str().is_some_and(|path| path.ends_with(SUFFIX)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_directory_that_a_new_one_is_in_is_synced_after_it_was_made() {
        let place = tempfile::tempdir().expect("a directory");
        let base = place.path();
        let path = base.join("a/b/c");
        let synced = RefCell::new(Vec::new());
        let sync = |directory: &Path| {
            let holds: Vec<_> = fs::read_dir(directory)?
                .map(|one| one.unwrap().path())
                .collect();
            synced.borrow_mut().push((directory.to_owned(), holds));
            Ok(())
        };
        make_directories(&path, sync).expect("room");
        let entry = |of: &str, holds: &str| (base.join(of), vec![base.join(holds)]);
        let expected = [entry("", "a"), entry("a", "a/b"), entry("a/b", "a/b/c")];
        assert_eq!(*synced.borrow(), expected);
        let mode = fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o077, 0);
        // One that is there may be another's who crashed before its parent was synced.
        synced.borrow_mut().clear();
        make_directories(&path, sync).expect("there");
        assert_eq!(*synced.borrow(), [entry("a/b", "a/b/c")]);
        let failed = make_directories(&base.join("x"), |_| Err(io::ErrorKind::Other.into()));
        assert!(matches!(
            failed,
            Err(LedgerError::Io {
                action: "synced",
                ..
            })
        ));
        fs::write(base.join("file"), "").expect("room");
        let failed = make_directory(&base.join("file/below"));
        assert!(matches!(
            failed,
            Err(LedgerError::Io { action: "made", .. })
        ));
    }
}
