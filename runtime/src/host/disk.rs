//! Space on a file system.

use std::path::Path;

/// Bytes that this user can still write where `path` is, or where its nearest existing parent is.
#[cfg(unix)]
pub fn free_space(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// Bytes that this user can still write where `path` is: not told here.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_yet_to_be_made_has_its_parents_space() {
        let directory = tempfile::tempdir().unwrap();
        assert!(free_space(&directory.path().join("a/b/c")).unwrap() > 0);
    }
}
