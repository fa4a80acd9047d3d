//! Below which group of version 2 jobs are made: one that can hand its controllers to its children.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::{Access, AtFlags, Mode};
use rustix::io::Errno;

use super::error::CgroupError;
use super::files::{Dir, remove_dir};
use super::host::{Backend, Controller, Missing, Settings};
use super::layout::Place;
use super::v2;

/// The group that was chosen.
pub(super) struct Parent {
    /// it
    pub(super) dir: Dir,
    /// what was done
    pub(super) notes: Vec<String>,
    /// what it cannot hand out, and why
    pub(super) refused: BTreeMap<Controller, Missing>,
}

/// The group beside the own one that is made for jobs.
const BESIDE: &str = "gradus";

/// The group below the own one that its processes are moved into. It must not begin like the names of jobs, which are swept.
const BELOW: &str = "supervisor";

/// Chooses in the order that the module's page gives.
pub(super) fn choose(place: Option<&Place>, settings: &Settings) -> Result<Parent, Missing> {
    if let Some(delegated) = &settings.delegated {
        let dir = Dir::open(delegated, Backend::V2).map_err(|error| Missing::from(&error))?;
        let refused = hand_out(&dir);
        return Ok(Parent {
            dir,
            notes: Vec::new(),
            refused,
        });
    }
    let Some(place) = place else {
        return Err(Missing::new(
            "no cgroup2 is mounted".to_owned(),
            "mount -t cgroup2 none /sys/fs/cgroup (or beside version 1)",
        ));
    };
    let Some(own) = &place.own else {
        let what = format!(
            "the mount {} does not show the own group",
            place.mount.display()
        );
        return Err(Missing::new(what, "configure a delegated group"));
    };
    let dir = Dir::open(own, Backend::V2).map_err(|error| Missing::from(&error))?;
    let refused = hand_out(&dir);
    let above = own.parent().filter(|above| above.starts_with(&place.mount));
    let more_above = !has_any(&dir)
        && above
            .is_some_and(|above| Dir::open(above, Backend::V2).is_ok_and(|above| has_any(&above)));
    if refused.is_empty() && !more_above {
        return Ok(Parent {
            dir,
            notes: Vec::new(),
            refused,
        });
    }
    if let Some(beside) = above.and_then(beside) {
        return Ok(beside);
    }
    if settings.may_move
        && let Ok(moved) = move_below(&dir)
    {
        let refused = hand_out(&dir);
        let note = format!(
            "moved {moved} processes from {} into {BELOW} below it",
            own.display()
        );
        return Ok(Parent {
            dir,
            notes: vec![note],
            refused,
        });
    }
    Ok(Parent {
        dir,
        notes: Vec::new(),
        refused,
    })
}

/// Whether a group has any controller that limits something.
fn has_any(dir: &Dir) -> bool {
    let has = dir.read("cgroup.controllers").unwrap_or_default();
    has.split_whitespace()
        .any(|word| v2::CONTROLLERS.iter().any(|(_, name)| *name == word))
}

/// Makes all controllers that a group has available to its children. Returns what it has and cannot hand out.
fn hand_out(dir: &Dir) -> BTreeMap<Controller, Missing> {
    let read = |file| dir.read(file).unwrap_or_default();
    let (has, hands) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    let listed = |text: &str, name: &str| text.split_whitespace().any(|word| word == name);
    let wanted: Vec<_> = v2::CONTROLLERS
        .into_iter()
        .filter(|(_, name)| listed(&has, name) && !listed(&hands, name))
        .collect();
    if wanted.is_empty() {
        return BTreeMap::new();
    }
    let value = |name: &str| format!("+{name}");
    // pids, cpu and cpuset would be handed out in spite of processes, but only to threads of them: then no job could be in a group below
    if is_leaf_with_processes(dir) {
        let (file, errno) = (dir.path().join("cgroup.subtree_control"), Errno::BUSY);
        let refuse = |name| {
            Missing::from(&CgroupError::Write {
                file: file.clone(),
                value: value(name),
                errno,
            })
        };
        return wanted
            .into_iter()
            .map(|(controller, name)| (controller, refuse(name)))
            .collect();
    }
    let tried = wanted.into_iter().map(|(controller, name)| {
        (
            controller,
            dir.write("cgroup.subtree_control", &value(name)),
        )
    });
    tried
        .filter_map(|(controller, written)| Some((controller, Missing::from(&written.err()?))))
        .collect()
}

/// Whether a group has processes and is not the root of the hierarchy, which alone may have both processes and groups with controllers.
fn is_leaf_with_processes(dir: &Dir) -> bool {
    let root = matches!(dir.read_if_there("cgroup.type"), Ok(None));
    !root && dir.processes().map_or(true, |pids| !pids.is_empty())
}

/// A group for jobs below `above`, if it gets every controller that `above` has.
fn beside(above: &Path) -> Option<Parent> {
    let upper = Dir::open(above, Backend::V2).ok()?;
    if !hand_out(&upper).is_empty() {
        return None;
    }
    let path = above.join(BESIDE);
    let (dir, made) = match Dir::make(&path, Backend::V2) {
        Ok(dir) => (dir, true),
        Err(CgroupError::Make {
            errno: Errno::EXIST,
            ..
        }) => (Dir::open(&path, Backend::V2).ok()?, false),
        Err(_) => return None,
    };
    let refused = hand_out(&dir);
    if !refused.is_empty() || !has_any(&dir) || !writable(&dir) {
        if made {
            _ = remove_dir(&path);
        }
        return None;
    }
    let notes = if made {
        vec![format!("made {}", path.display())]
    } else {
        Vec::new()
    };
    Some(Parent {
        dir,
        notes,
        refused,
    })
}

/// Whether groups can be made in it: one that is there already may belong to another user.
fn writable(dir: &Dir) -> bool {
    rustix::fs::accessat(dir, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Moves every process of a group into one below it.
fn move_below(dir: &Dir) -> Result<usize, CgroupError> {
    let path = dir.path().join(BELOW);
    match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(CgroupError::Make { dir: path, errno }),
    }
    let below = Dir::open(&path, Backend::V2)?;
    let mut moved = 0;
    // processes may be started meanwhile
    for _ in 0..16 {
        let pids = dir.processes()?;
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            match below.write("cgroup.procs", &pid.to_string()) {
                Ok(()) => moved += 1,
                Err(CgroupError::Write {
                    errno: Errno::SRCH, ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(moved)
}
