//! Which hierarchies of control groups this process sees, and where it is in them.
//!
//! Pure: from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`. What they say is a claim; only a probe shows what can be used.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The hierarchies that are mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// the hierarchy of version 2
    pub v2: Option<Place>,
    /// the hierarchies of version 1 that have controllers
    pub v1: Vec<Place>,
}

/// One hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// where it is mounted
    pub mount: PathBuf,
    /// the directory of this process's group; none where the mount does not show it
    pub own: Option<PathBuf>,
    /// controllers, of version 1 only
    pub controllers: Vec<String>,
}

impl Layout {
    /// Reads the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
    pub fn parse(self_cgroup: &str, mountinfo: &str) -> Layout {
        let mounts = visible_mounts(mountinfo);
        let mut layout = Layout::default();
        for line in self_cgroup.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(own)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if controllers.is_empty() {
                layout.v2 = place(
                    mounts.iter().filter(|mount| mount.version == 2),
                    own,
                    Vec::new(),
                );
                continue;
            }
            let controllers: Vec<String> = controllers.split(',').map(str::to_owned).collect();
            // name=systemd and the like only order processes
            if controllers
                .iter()
                .any(|controller| controller.starts_with("name="))
            {
                continue;
            }
            let same = mounts.iter().filter(|mount| {
                mount.version == 1
                    && controllers
                        .iter()
                        .all(|one| mount.options.split(',').any(|option| option == one))
            });
            layout.v1.extend(place(same, own, controllers.clone()));
        }
        layout
    }
}

struct Mount {
    root: String,
    point: PathBuf,
    version: u8,
    options: String,
}

/// Mounts of control groups that no later mount hides.
fn visible_mounts(mountinfo: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in mountinfo.lines() {
        // 41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        let (&[_, _, _, root, point, ..], &[kind, _, options, ..]) =
            (before.as_slice(), after.as_slice())
        else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        // a root is listed again where one was mounted over it, but then the one below is still this process's
        mounts.retain(|mount| point == Path::new("/") || !mount.point.starts_with(&point));
        let version = match kind {
            "cgroup" => 1,
            "cgroup2" => 2,
            _ => continue,
        };
        mounts.push(Mount {
            root: unescape(root),
            point,
            version,
            options: options.to_owned(),
        });
    }
    mounts
}

/// The first mount that shows the own group, or else the first at all.
fn place<'a>(
    mounts: impl Iterator<Item = &'a Mount>,
    own: &str,
    controllers: Vec<String>,
) -> Option<Place> {
    let mut found: Option<Place> = None;
    for mount in mounts {
        let own = below(mount, own);
        if own.is_some() {
            return Some(Place {
                mount: mount.point.clone(),
                own,
                controllers,
            });
        }
        found.get_or_insert_with(|| Place {
            mount: mount.point.clone(),
            own: None,
            controllers: controllers.clone(),
        });
    }
    found
}

/// The directory of the own group within a mount. A path with `..` lies outside this control group namespace.
fn below(mount: &Mount, own: &str) -> Option<PathBuf> {
    if own.ends_with(" (deleted)") {
        return None;
    }
    let rest = Path::new(own).strip_prefix(&mount.root).ok()?;
    let inside = rest
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    // joining an empty path would leave a slash at the end
    inside.then(|| {
        if rest.as_os_str().is_empty() {
            mount.point.clone()
        } else {
            mount.point.join(rest)
        }
    })
}

/// Undoes the kernel's `\040` and the like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|digits| {
            first == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
        });
        match octal {
            Some(digits) => {
                bytes.push(digits.iter().fold(0u8, |value, digit| {
                    value.wrapping_mul(8).wrapping_add(digit - b'0')
                }));
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
