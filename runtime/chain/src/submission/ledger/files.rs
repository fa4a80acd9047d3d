//! Files of a state directory: whole or not there, nobody else's to read.

use super::*;

/// An error at a path.
pub(super) fn at(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io {
        path,
        action,
        source,
    }
}

/// The lock, ours until it is dropped.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
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
    let file = match File::open(path) {
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
