//! A job's groups: made all or nothing, entered, recorded, opened again, removed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::error::CgroupError;
use super::files::{Dir, last, remove_dir};
use super::host::{Backend, Controller};
use super::limits::check_name;
use super::plan::{Plan, PlannedGroup};

/// The groups of one job, one in each hierarchy that its plan needs. They stay when this is dropped: a job outlives its supervisor.
#[derive(Debug)]
pub struct Group {
    pub(super) name: String,
    pub(super) members: Vec<Member>,
}

/// One of a job's groups.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) backend: Backend,
    pub(super) controllers: Vec<Controller>,
    pub(super) dir: Dir,
}

/// What has to be written down to find a job's groups again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// the last part of every path
    pub name: String,
    /// the groups
    pub groups: Vec<RecordedGroup>,
}

/// One group of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedGroup {
    /// of which version
    pub backend: Backend,
    /// what it is for
    pub controllers: Vec<Controller>,
    /// its directory
    pub path: PathBuf,
}

impl Plan {
    /// What [`Group::record`] will be. Written down before the groups are made, nothing can be left that nobody knows of.
    pub fn record(&self) -> Record {
        let group = |group: &PlannedGroup| RecordedGroup {
            backend: group.backend,
            controllers: group.controllers.clone(),
            path: group.path.clone(),
        };
        Record {
            name: self.name.clone(),
            groups: self.groups.iter().map(group).collect(),
        }
    }
}

impl Group {
    /// Makes the groups and writes their limits. All or nothing: if a step fails, what was made is removed.
    ///
    /// # Errors
    /// The first step that failed, and the removal's failure if that failed too.
    pub fn create(plan: &Plan) -> Result<Group, CgroupError> {
        let mut group = Group {
            name: plan.name.clone(),
            members: Vec::with_capacity(plan.groups.len()),
        };
        group.make_or_remove(&plan.groups)?;
        Ok(group)
    }

    /// Makes what a process has to be started in, the group of version 2; [`Group::complete`] makes the others, and needs not be waited for by
    /// what only prepares a job. All or nothing, as [`Group::create`].
    ///
    /// # Errors
    /// As [`Group::create`].
    pub fn create_first(plan: &Plan) -> Result<Group, CgroupError> {
        let mut group = Group {
            name: plan.name.clone(),
            members: Vec::with_capacity(plan.groups.len()),
        };
        let (v2, _) = by_version(plan);
        group.make_or_remove(v2)?;
        Ok(group)
    }

    /// Makes the groups of version 1 that the plan has. If a step fails, all of the groups are left for [`Group::end`] and [`Group::remove`].
    ///
    /// # Errors
    /// The step that failed.
    pub fn complete(&mut self, plan: &Plan) -> Result<(), CgroupError> {
        let (_, v1) = by_version(plan);
        self.make(v1, &plan.name)
    }

    fn make_or_remove(&mut self, groups: &[PlannedGroup]) -> Result<(), CgroupError> {
        let name = self.name.clone();
        self.make(groups, &name)
            .map_err(|first| match self.remove(Duration::ZERO) {
                Ok(()) => first,
                Err(undo) => CgroupError::Undo {
                    first: Box::new(first),
                    undo: Box::new(undo),
                },
            })
    }

    fn make(&mut self, groups: &[PlannedGroup], name: &str) -> Result<(), CgroupError> {
        for planned in groups {
            check_path(&planned.path, name)?;
            let dir = Dir::make(&planned.path, planned.backend)?;
            self.members.push(Member {
                backend: planned.backend,
                controllers: planned.controllers.clone(),
                dir,
            });
            let Some(made) = self.members.last() else {
                break;
            };
            for write in &planned.writes {
                if write.file.contains('/') {
                    return Err(CgroupError::Invalid {
                        what: format!("{:?} is not the name of a group's file", write.file),
                    });
                }
                made.dir.write(&write.file, &write.value)?;
            }
        }
        Ok(())
    }

    /// Finds recorded groups again. None where all of them are gone; a group of which only some are left is cleaned up like any other.
    ///
    /// # Errors
    /// [`CgroupError::Foreign`] if a path is not that of a control group of this name; nothing is touched then.
    pub fn open(record: &Record) -> Result<Option<Group>, CgroupError> {
        check_name(&record.name)?;
        let mut members = Vec::with_capacity(record.groups.len());
        for recorded in &record.groups {
            check_path(&recorded.path, &record.name)?;
            match Dir::open(&recorded.path, recorded.backend) {
                Ok(dir) => members.push(Member {
                    backend: recorded.backend,
                    controllers: recorded.controllers.clone(),
                    dir,
                }),
                Err(CgroupError::Open {
                    errno: Errno::NOENT,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((!members.is_empty()).then(|| Group {
            name: record.name.clone(),
            members,
        }))
    }

    /// What [`Group::open`] needs.
    pub fn record(&self) -> Record {
        let group = |member: &Member| RecordedGroup {
            backend: member.backend,
            controllers: member.controllers.clone(),
            path: member.dir.path().to_owned(),
        };
        Record {
            name: self.name.clone(),
            groups: self.members.iter().map(group).collect(),
        }
    }

    /// The last part of every group's path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group of version 2: for `CLONE_INTO_CGROUP`, and to attach a filter of devices.
    pub fn v2_fd(&self) -> Option<BorrowedFd<'_>> {
        self.v2().map(|member| member.dir.as_fd())
    }

    /// Moves a process into the groups of version 1, and with `v2` into that of version 2 too. Its threads come along; the processes that
    /// it has already started do not. Waits up to some 20 ms for the kernel: see [`Group::entrance`].
    ///
    /// # Errors
    /// [`CgroupError::Write`] for the first group that does not take it; it stays in those before.
    pub fn add(&self, pid: Pid, v2: bool) -> Result<(), CgroupError> {
        let pid = pid.as_raw_pid().to_string();
        for member in self
            .members
            .iter()
            .filter(|member| v2 || member.backend == Backend::V1)
        {
            member.dir.write("cgroup.procs", &pid)?;
        }
        Ok(())
    }

    /// Opens the way into the groups of version 1, which a new process of one thread takes itself, even after it gave up its
    /// privileges: the kernel asks who opened it.
    ///
    /// # Errors
    /// [`CgroupError::Open`].
    pub fn entrance(&self) -> Result<Entrance, CgroupError> {
        let open = |member: &Member| {
            let failed = |errno| CgroupError::Open {
                path: member.dir.path().join("tasks"),
                errno,
            };
            member
                .dir
                .open_file("tasks", OFlags::WRONLY)
                .map_err(failed)
        };
        let v1 = self
            .members
            .iter()
            .filter(|member| member.backend == Backend::V1);
        Ok(Entrance {
            tasks: v1.map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Removes the groups, and groups in them first. While the kernel says that one is busy it is tried again, for up to `timeout`
    /// altogether. Groups that are gone already are fine, so this can be called again after it failed.
    ///
    /// # Errors
    /// [`CgroupError::Remove`] for the first that stays; the others were tried too.
    pub fn remove(&self, timeout: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + timeout;
        let mut result = Ok(());
        for member in self.members.iter().rev() {
            result = result.and(remove_tree(member.dir.path(), member.backend, deadline));
        }
        result
    }

    pub(super) fn v2(&self) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.backend == Backend::V2)
    }

    /// The group in which a controller works.
    pub(super) fn member(&self, controller: Controller) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.controllers.contains(&controller))
    }
}

/// The way into a job's groups of version 1. Empty where only version 2 is used.
#[derive(Debug)]
pub struct Entrance {
    tasks: Vec<OwnedFd>,
}

impl Entrance {
    /// The way by descriptors of another process: see [`Entrance::descriptors`].
    pub(crate) fn from_descriptors(tasks: Vec<OwnedFd>) -> Entrance {
        Entrance { tasks }
    }

    /// What the process that enters is to be given.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.tasks.iter().map(AsFd::as_fd).collect()
    }

    /// Moves the calling thread. Allocates nothing and waits for nothing, so it can be called between clone and exec.
    ///
    /// Only for a process of one thread: other threads would stay where they are, and memory is charged where the first thread is.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn enter(&self) -> Result<(), Errno> {
        for fd in &self.tasks {
            // "0" is the caller itself, which is why the kernel need not stop every fork on the machine
            rustix::io::retry_on_intr(|| rustix::io::write(fd, b"0"))?;
        }
        Ok(())
    }
}

/// A plan's groups of version 2, which come first, and those of version 1.
fn by_version(plan: &Plan) -> (&[PlannedGroup], &[PlannedGroup]) {
    let v2 = plan
        .groups
        .iter()
        .take_while(|group| group.backend == Backend::V2);
    plan.groups.split_at(v2.count())
}

/// A group's path is absolute, without detours, and ends in the name.
fn check_path(path: &Path, name: &str) -> Result<(), CgroupError> {
    let foreign = |why| {
        Err(CgroupError::Foreign {
            path: path.to_owned(),
            name: name.to_owned(),
            why,
        })
    };
    let straight = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !straight {
        return foreign("a path should be absolute and have no ..");
    }
    if name.is_empty() || last(path) != name {
        return foreign("a path should end in the name");
    }
    Ok(())
}

fn remove_tree(path: &Path, backend: Backend, deadline: Instant) -> Result<(), CgroupError> {
    let mut pause = Duration::from_micros(200);
    loop {
        match remove_dir(path) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(errno @ (Errno::BUSY | Errno::NOTEMPTY)) => {
                for child in Dir::open(path, backend)?.children()? {
                    remove_tree(&path.join(child), backend, deadline)?;
                }
                if Instant::now() >= deadline {
                    // once more, for children that were removed just now
                    return match remove_dir(path) {
                        Ok(()) | Err(Errno::NOENT) => Ok(()),
                        Err(_) => Err(CgroupError::Remove {
                            dir: path.to_owned(),
                            errno,
                        }),
                    };
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(5));
            }
            Err(errno) => {
                return Err(CgroupError::Remove {
                    dir: path.to_owned(),
                    errno,
                });
            }
        }
    }
}
