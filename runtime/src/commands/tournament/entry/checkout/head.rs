//! The commit that git's own files say a clone or a worktree is at.
//!
//! In a clone `.git` is a directory. In a worktree it is a file that names one inside the clone's, which has to name the
//! worktree in turn: a stranger's tree cannot pass for somebody else's. Nothing but plain files is opened, and nothing of
//! them is passed on but a commit.

use super::read;
use std::path::{Path, PathBuf};

/// Bytes of a file of git's.
const GIT_BYTES_MAX: u64 = 4 << 20;

/// The commit, where it can be read.
pub(super) fn of(git: &Path) -> Option<String> {
    let (own, common) = directories(git)?;
    let head = text(&own.join("HEAD"))?;
    let Some(name) = head.trim_end().strip_prefix("ref: refs/heads/") else {
        return commit(&head);
    };
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !name.split('/').all(plain) {
        return None;
    }
    if let Some(text) = text(&common.join("refs/heads").join(name)) {
        return commit(&text);
    }
    let packed = text(&common.join("packed-refs"))?;
    packed.lines().find_map(|line| {
        let (found, of) = line.split_once(' ')?;
        (of.strip_prefix("refs/heads/") == Some(name)).then(|| commit(found))?
    })
}

/// The directory with HEAD, and the one with branches.
fn directories(git: &Path) -> Option<(PathBuf, PathBuf)> {
    if !git.symlink_metadata().ok()?.is_file() {
        return Some((git.to_owned(), git.to_owned()));
    }
    let root = git.parent()?;
    let named = text(git)?;
    let named = named.strip_prefix("gitdir:")?.trim();
    let own = root.join(named).canonicalize().ok()?;
    let back = own.join(text(&own.join("gitdir"))?.trim());
    if back.canonicalize().ok()? != git.canonicalize().ok()? {
        return None;
    }
    let common = own.join(text(&own.join("commondir"))?.trim());
    Some((own, common.canonicalize().ok()?))
}

fn commit(text: &str) -> Option<String> {
    let text = text.trim_end();
    let digits = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| text.to_ascii_lowercase())
}

fn text(path: &Path) -> Option<String> {
    let regular = path.symlink_metadata().ok()?.is_file();
    let bytes = regular.then(|| read(path, GIT_BYTES_MAX).ok()).flatten()?;
    String::from_utf8(bytes).ok()
}
