//! The mounts of a job that come from the host: layers, scratch, inputs, devices. They are attached nowhere on the host.
//!
//! The watcher opens them where it may, since only the host's root may map ids. An unprivileged user may copy no mount of the host: there the
//! job's first process does it, in its own namespace of mounts, before it gives up anything.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};

use crate::channel::DESCRIPTORS_MAX;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{BindHow, Content, Plan, Scratch, Source};
use crate::protocol::Go;
use crate::step::At;
use crate::syscalls::{MountAttributes, loop_device, mount_setattr};

/// No file of it gives rights, and none is a device.
const STRICT: MountAttributes<'static> = MountAttributes {
    read_only: false,
    nosuid: true,
    nodev: true,
    noexec: false,
    nosymfollow: false,
    atime: None,
    only_itself: false,
    idmap: None,
};

/// All of them, in the order that [`Go`] says. Their ids are those of the process `pid` inside; without one, a file's owner inside is who it is
/// outside. `sysfs` is that of a network which is not its own.
pub(crate) fn open_all(
    plan: &Plan,
    pid: Option<i32>,
    mut sysfs: Option<OwnedFd>,
) -> Result<(Go, Vec<OwnedFd>), LaunchError> {
    let namespace = pid.map(|pid| {
        let namespace = format!("/proc/{pid}/ns/user");
        open(&namespace, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .at(Stage::Identity, || namespace)
    });
    let namespace = namespace.transpose()?;
    let idmap = namespace.as_ref().map(AsFd::as_fd);
    let mut mounts = Vec::new();
    for layer in &plan.layers {
        mounts.push(copy(
            layer,
            MountAttributes {
                read_only: !plan.in_place,
                idmap,
                ..STRICT
            },
            Stage::Root,
        )?);
    }
    let scratch = scratch(&plan.scratch, idmap)?;
    let mut go = Go {
        layers: plan.layers.len(),
        scratch: scratch.is_some(),
        mounts: Vec::new(),
        devices: plan.devices.len(),
    };
    mounts.extend(scratch);
    for (index, mount) in plan.mounts.iter().enumerate() {
        let before = mounts.len();
        match &mount.source {
            Source::ReadOnly { path } => mounts.push(input(path, idmap)?),
            Source::Bind { path, how } => mounts.push(bind(path, *how, idmap)?),
            Source::Image { image, .. } => mounts.push(image_file(image, idmap)?),
            Source::Sysfs => mounts.extend(sysfs.take()),
            Source::Device { path } => mounts.push(device(path)?),
            Source::Tree { entries } => {
                for entry in entries {
                    if let Content::File { path } = &entry.content {
                        mounts.push(input(path, idmap)?);
                    }
                }
            }
            _ => {}
        }
        go.mounts
            .extend(std::iter::repeat_n(index, mounts.len() - before));
    }
    for path in &plan.devices {
        mounts.push(device(path)?);
    }
    if mounts.len() > DESCRIPTORS_MAX {
        let what = format!(
            "{} layers, inputs and devices: at most {DESCRIPTORS_MAX} go into a job",
            mounts.len()
        );
        return Err(LaunchError {
            stage: Stage::Mount,
            errno: 0,
            what,
        });
    }
    Ok((go, mounts))
}

fn scratch(
    scratch: &Scratch,
    idmap: Option<BorrowedFd<'_>>,
) -> Result<Option<OwnedFd>, LaunchError> {
    match scratch {
        // The job mounts it itself, so that it counts against the job's memory.
        Scratch::Tmpfs { .. } => Ok(None),
        Scratch::Directory { path } => {
            copy(path, MountAttributes { idmap, ..STRICT }, Stage::Scratch).map(Some)
        }
        Scratch::Loop { image } => {
            let mount = image_file(image, idmap)?;
            std::fs::remove_file(image).at(Stage::Scratch, || image.display().to_string())?;
            Ok(Some(mount))
        }
    }
}

/// The file system in the file `image`. The loop device goes with the last who uses it, however that ends, and so does the file where it loses
/// its name.
fn image_file(image: &Path, idmap: Option<BorrowedFd<'_>>) -> Result<OwnedFd, LaunchError> {
    let named = || image.display().to_string();
    let file =
        open(image, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).at(Stage::Scratch, named)?;
    let (_device, path) = loop_device(file.as_fd())
        .at(Stage::Scratch, || format!("a loop device for {}", named()))?;
    let mounted = || -> Result<OwnedFd, rustix::io::Errno> {
        let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "source", path.as_str())?;
        fsconfig_create(&context)?;
        fsmount(
            &context,
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::empty(),
        )
    };
    let mount = mounted().at(Stage::Scratch, || {
        format!("mounting {} from {path}", named())
    })?;
    mount_setattr(mount.as_fd(), MountAttributes { idmap, ..STRICT }).at(Stage::Scratch, named)?;
    Ok(mount)
}

/// Some file systems know no other ids; then a file is readable inside if everybody may read it.
fn input(path: &Path, idmap: Option<BorrowedFd<'_>>) -> Result<OwnedFd, LaunchError> {
    let plain = MountAttributes {
        read_only: true,
        ..STRICT
    };
    match copy(path, MountAttributes { idmap, ..plain }, Stage::Mount) {
        Err(error) if error.errno == libc::EINVAL && idmap.is_some() => {
            copy(path, plain, Stage::Mount)
        }
        other => other,
    }
}

/// The same as a bundle asks for it.
fn bind(path: &Path, how: BindHow, idmap: Option<BorrowedFd<'_>>) -> Result<OwnedFd, LaunchError> {
    let named = || path.display().to_string();
    let below = if how.recursive {
        OpenTreeFlags::AT_RECURSIVE
    } else {
        OpenTreeFlags::empty()
    };
    let open = || {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | below;
        open_tree(CWD, path, flags | OpenTreeFlags::AT_SYMLINK_NOFOLLOW).at(Stage::Mount, named)
    };
    let times = [
        (how.noatime, libc::MOUNT_ATTR_NOATIME),
        (how.strictatime, libc::MOUNT_ATTR_STRICTATIME),
        (how.nodiratime, libc::MOUNT_ATTR_NODIRATIME),
    ];
    let some_times = times.iter().any(|(on, _)| *on);
    let bits = times.iter().filter(|(on, _)| *on);
    let plain = MountAttributes {
        read_only: true,
        noexec: how.noexec,
        nosymfollow: how.nosymfollow,
        atime: some_times.then(|| bits.fold(0, |all, (_, bit)| all | bit)),
        ..STRICT
    };
    let mount = open()?;
    match mount_setattr(mount.as_fd(), MountAttributes { idmap, ..plain }) {
        // As with inputs: some file systems know no other ids.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) && idmap.is_some() => {
            let mount = open()?;
            mount_setattr(mount.as_fd(), plain).at(Stage::Mount, named)?;
            Ok(mount)
        }
        other => other.map(|()| mount).at(Stage::Mount, named),
    }
}

/// A device node. It can be written to all the same; its permissions and times, which are the host's, cannot.
fn device(path: &Path) -> Result<OwnedFd, LaunchError> {
    let attributes = MountAttributes {
        read_only: true,
        nosuid: true,
        noexec: true,
        ..Default::default()
    };
    copy(path, attributes, Stage::Devices)
}

/// A copy of the mount at `path`.
fn copy(
    path: &Path,
    attributes: MountAttributes<'_>,
    stage: Stage,
) -> Result<OwnedFd, LaunchError> {
    let named = || path.display().to_string();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let mount = open_tree(CWD, path, flags).at(stage, named)?;
    mount_setattr(mount.as_fd(), attributes).at(stage, named)?;
    Ok(mount)
}
