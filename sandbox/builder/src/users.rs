//! Users and groups by name, as the image itself has them.

use crate::union::{Union, UnionError};

/// Longest `/etc/passwd` and `/etc/group` that are read.
const BYTES_MAX: u64 = 1 << 20;
/// Ids that a job has.
const IDS: u32 = 65_536;

/// Why there is no such user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// not in the file
    #[error(
        "the image's {file} has no {name:?}\nhelp: add it with RUN before this line, or give its number"
    )]
    Unknown {
        /// where it was looked for
        file: &'static str,
        /// which
        name: String,
    },
    /// too high
    #[error("the id {id} is not below {IDS}, and a job has no others\nhelp: use a lower one")]
    Range {
        /// which
        id: u32,
    },
    /// the image
    #[error(transparent)]
    Union(#[from] UnionError),
}

/// A user of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What group a user has who is given by number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// that of `/etc/passwd`, else 0: `USER`
    Looked,
    /// the one of the same number: `--chown`
    Same,
}

/// The user that `user` or `user:group` names; nothing is root.
pub(crate) fn find(union: &Union, text: &str, alone: Alone) -> Result<User, UserError> {
    if text.is_empty() {
        return Ok(User { uid: 0, gid: 0 });
    }
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let number = |text: &str| text.parse::<u32>().ok();
    let needs_passwd = number(user).is_none() || group.is_none() && alone == Alone::Looked;
    let passwd = match needs_passwd {
        true => lines(union, "/etc/passwd")?,
        false => Vec::new(),
    };
    // NAME:PASSWORD:UID:GID:…
    let entry = |wanted: &dyn Fn(&[&str]) -> bool| {
        passwd.iter().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let ids = (number(fields.get(2)?)?, number(fields.get(3)?)?);
            wanted(&fields).then_some(ids)
        })
    };
    let (uid, gid) = match number(user) {
        Some(uid) if alone == Alone::Same => (uid, uid),
        Some(uid) => entry(&|fields| number(fields[2]) == Some(uid)).unwrap_or((uid, 0)),
        None => entry(&|fields| fields[0] == user).ok_or_else(|| UserError::Unknown {
            file: "/etc/passwd",
            name: user.to_owned(),
        })?,
    };
    let gid = match group.map(|group| (number(group), group)) {
        None => gid,
        Some((Some(gid), _)) => gid,
        Some((None, name)) => {
            let groups = lines(union, "/etc/group")?;
            let found = groups.iter().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (fields[0] == name).then_some(number(fields.get(2)?)?)
            });
            found.ok_or_else(|| UserError::Unknown {
                file: "/etc/group",
                name: name.to_owned(),
            })?
        }
    };
    match [uid, gid].into_iter().find(|id| *id >= IDS) {
        Some(id) => Err(UserError::Range { id }),
        None => Ok(User { uid, gid }),
    }
}

/// User and group that `user` or `user:group` names in the tree of these layers, the uppermost first; nothing is root.
///
/// # Errors
/// There are none of that name, or they are none that a job can have.
pub fn user_of(layers: &[std::path::PathBuf], text: &str) -> Result<(u32, u32), UserError> {
    let user = find(&Union::open(layers)?, text, Alone::Looked)?;
    Ok((user.uid, user.gid))
}

/// The home directory of a user, as `/etc/passwd` has it; else the root.
pub(crate) fn home(union: &Union, uid: u32) -> Result<String, UserError> {
    let found = lines(union, "/etc/passwd")?.iter().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let home = *fields.get(5)?;
        (fields[2].parse() == Ok(uid) && home.starts_with('/')).then(|| home.to_owned())
    });
    Ok(found.unwrap_or_else(|| if uid == 0 { "/root" } else { "/" }.to_owned()))
}

fn lines(union: &Union, path: &str) -> Result<Vec<String>, UserError> {
    let bytes = union.read(path, BYTES_MAX)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_and_numbers_are_those_of_the_image() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001::/home/app:/bin/sh\nhigh:x:70000:1::/:\n";
        std::fs::write(etc.join("passwd"), passwd).unwrap();
        std::fs::write(etc.join("group"), "root:x:0:\nstaff:x:50:\n").unwrap();
        let union = Union::open(&[root.path().to_owned()]).unwrap();
        let user = |text: &str, alone| find(&union, text, alone).map(|user| (user.uid, user.gid));
        for (text, looked, same) in [
            ("", (0, 0), (0, 0)),
            ("app", (1000, 1001), (1000, 1001)),
            ("1000", (1000, 1001), (1000, 1000)),
            ("55", (55, 0), (55, 55)),
            ("app:staff", (1000, 50), (1000, 50)),
            ("7:staff", (7, 50), (7, 50)),
            ("app:9", (1000, 9), (1000, 9)),
        ] {
            assert_eq!(user(text, Alone::Looked).unwrap(), looked, "{text}");
            assert_eq!(user(text, Alone::Same).unwrap(), same, "{text}");
        }
        for text in ["nobody", "app:none", "broken"] {
            assert!(
                matches!(user(text, Alone::Looked), Err(UserError::Unknown { .. })),
                "{text}"
            );
        }
        for text in ["high", "70000", "1:65536"] {
            assert!(
                matches!(user(text, Alone::Looked), Err(UserError::Range { .. })),
                "{text}"
            );
        }
        assert_eq!(home(&union, 1000).unwrap(), "/home/app");
        assert_eq!(home(&union, 5).unwrap(), "/");
    }

    #[test]
    fn a_passwd_that_leads_out_is_one_of_the_image() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        symlink(
            "/../../../../../../../etc/passwd",
            root.path().join("etc/passwd"),
        )
        .unwrap();
        let union = Union::open(&[root.path().to_owned()]).unwrap();
        // The host's has root; the image's leads to itself, which is no file.
        assert!(find(&union, "root", Alone::Looked).is_err());
    }
}
