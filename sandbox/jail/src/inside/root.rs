//! The job's root: layers and scratch under one overlay, what is mounted into it, and the host's root out of reach.
//!
//! ```text
//! /proc of this mount namespace, covered by a small tmpfs, where all of it is put together:
//!   0, 1, …     the layers, their ids those of the job
//!   scratch/    upper, work, outputs
//!   root        overlay of both, and everything that the plan mounts into it
//! ```
//! The overlay is mounted inside the job's user namespace: mounted outside over layers with other ids it would be read-only. `/proc` is
//! there on every host, and covering it does not keep the kernel from seeing that a new one may be mounted.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, chown, mkdir, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, mount_change,
    unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use super::target::{Kind, attach, below, own_place, place};
use super::{Given, dev, hide, tree};
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Plan, Scratch, Source};
use crate::step::At;
use crate::syscalls::{MountAttributes, mount_setattr};

/// Where the root is put together.
const WORKSHOP: &str = "/proc";

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Makes the root and enters it; the host's is left for [`let_go_of_host`]. `enter_network` is called when mounts that show a network are
/// next. What is handed over at the end: the directory of outputs, then what was written to the root, as the plan has them.
pub(super) fn build(
    plan: &Plan,
    given: Given,
    enter_network: impl FnOnce() -> Result<(), LaunchError>,
) -> Result<Vec<OwnedFd>, LaunchError> {
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
    .at(Stage::Root, || "private mounts")?;
    mount(
        "tmpfs",
        WORKSHOP,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(c"size=64k,mode=755"),
    )
    .at(Stage::Root, || format!("a tmpfs on {WORKSHOP}"))?;
    chdir(WORKSHOP).at(Stage::Root, || WORKSHOP)?;
    for (index, layer) in given.layers.iter().enumerate() {
        let name = if plan.in_place {
            "root".to_owned()
        } else {
            index.to_string()
        };
        attach_new(layer.as_fd(), &name)
            .at(Stage::Root, || plan.layers[index].display().to_string())?;
    }
    scratch(plan, given.scratch.as_ref())?;
    if !plan.in_place {
        overlay(plan.layers.len())?;
    }
    let root = openat(CWD, "root", OFlags::PATH | DIRECTORY, Mode::empty())
        .at(Stage::Root, || "the overlay")?;
    let mut handed_over: Vec<OwnedFd> = outputs(plan)?.into_iter().collect();
    if plan.keeps_root {
        let written = openat(
            CWD,
            "scratch/upper",
            OFlags::RDONLY | DIRECTORY,
            Mode::empty(),
        );
        handed_over.push(written.at(Stage::Scratch, || "what is written")?);
    }
    let mut host: Vec<Vec<OwnedFd>> = plan.mounts.iter().map(|_| Vec::new()).collect();
    for (of, mount) in given.mounts {
        host[of].push(mount);
    }
    let mount = |host: &mut [Vec<OwnedFd>], shows_network| -> Result<(), LaunchError> {
        for (index, mount) in plan.mounts.iter().enumerate() {
            if of_network(plan, &mount.target) != shows_network {
                continue;
            }
            one(
                root.as_fd(),
                &mount.target,
                &mount.source,
                index,
                std::mem::take(&mut host[index]),
                plan,
                &given.devices,
            )?;
        }
        Ok(())
    };
    // A path may lead anywhere, but for what is below the job's own `/proc`, which is there already.
    let (masked, masked_there): (Vec<_>, Vec<_>) =
        (plan.masked.iter()).partition(|path| is_plain_below_proc(path));
    mount(&mut host, false)?;
    hide::mask(root.as_fd(), &masked)?;
    enter_network()?;
    mount(&mut host, true)?;
    hide::mask(root.as_fd(), &masked_there)?;
    hide::read_only(root.as_fd(), &plan.read_only)?;
    if let Some(bundled) = &plan.bundled {
        hide::no_exec(root.as_fd(), &bundled.no_exec)?;
    }
    if !plan.writable_root {
        let only_itself = MountAttributes {
            read_only: true,
            only_itself: true,
            ..Default::default()
        };
        mount_setattr(root.as_fd(), only_itself).at(Stage::Root, || "a read-only root")?;
    }
    fchdir(&root).at(Stage::Root, || "the new root")?;
    pivot_root(".", ".").at(Stage::Root, || "exchanging the roots")?;
    Ok(handed_over)
}

/// Whether what is mounted on `target` shows a network, or lies below what does.
fn of_network(plan: &Plan, target: &str) -> bool {
    plan.mounts
        .iter()
        .filter(|mount| mount.source == Source::Sysfs)
        .any(|sysfs| Path::new(target).starts_with(&sysfs.target))
}

fn is_plain_below_proc(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    parts.next() == Some(Component::RootDir)
        && parts.next() == Some(Component::Normal("proc".as_ref()))
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Lets go of the host's root, which lies over the new one once [`build`] is done. The kernel waits for all processors meanwhile.
pub(super) fn let_go_of_host() -> Result<(), LaunchError> {
    unmount(".", UnmountFlags::DETACH).at(Stage::Root, || "letting go of the host's root")?;
    chdir("/").at(Stage::Root, || "/")
}

/// Mounts the file system `kind`, not attached yet. An option without a value is a flag.
pub(super) fn new_filesystem(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, LaunchError> {
    let make = || -> Result<OwnedFd, Errno> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (name, value) in options {
            if value.is_empty() {
                fsconfig_set_flag(&context, *name)?;
            } else {
                fsconfig_set_string(&context, *name, *value)?;
            }
        }
        fsconfig_create(&context)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    make().at(Stage::Mount, || {
        format!("a file system {kind} with {options:?}")
    })
}

fn attach_new(mount: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    mkdir(name, Mode::from_bits_truncate(0o755))?;
    let target = openat(CWD, name, OFlags::PATH | DIRECTORY, Mode::empty())?;
    attach(mount, target.as_fd())
}

fn scratch(plan: &Plan, given: Option<&OwnedFd>) -> Result<(), LaunchError> {
    match (&plan.scratch, given) {
        (Scratch::Tmpfs { bytes, inodes }, _) => {
            let options = [
                ("size", &*bytes.to_string()),
                ("nr_inodes", &*inodes.to_string()),
                ("mode", "755"),
            ];
            let made = new_filesystem(
                "tmpfs",
                &options,
                MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
            )?;
            attach_new(made.as_fd(), "scratch").at(Stage::Scratch, || "the scratch")?;
        }
        (_, Some(given)) => {
            attach_new(given.as_fd(), "scratch").at(Stage::Scratch, || "the scratch")?
        }
        (_, None) => {
            return Err(LaunchError {
                stage: Stage::Scratch,
                errno: 0,
                what: "no scratch came along".to_owned(),
            });
        }
    }
    for name in ["scratch/upper", "scratch/work", "scratch/outputs"] {
        make_directory(name).at(Stage::Scratch, || name)?;
    }
    Ok(())
}

fn make_directory(name: &str) -> Result<(), Errno> {
    match mkdir(name, Mode::from_bits_truncate(0o755)) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn overlay(layers: usize) -> Result<(), LaunchError> {
    make_directory("root").at(Stage::Root, || "the root's place")?;
    let lower = (0..layers)
        .map(|index| index.to_string())
        .collect::<Vec<_>>()
        .join(":");
    // By the old call: the new one takes 255 bytes a value, and layers one by one only since Linux 6.8.
    let options = format!("lowerdir={lower},upperdir=scratch/upper,workdir=scratch/work,userxattr");
    let options = std::ffi::CString::new(options).expect("digits and fixed words");
    mount(
        "overlay",
        "root",
        "overlay",
        MountFlags::NOSUID | MountFlags::NODEV,
        Some(options.as_c_str()),
    )
    .at(Stage::Root, || format!("an overlay of {layers} layers"))
}

fn outputs(plan: &Plan) -> Result<Option<OwnedFd>, LaunchError> {
    let names: Vec<&str> = plan
        .mounts
        .iter()
        .filter_map(|mount| match &mount.source {
            Source::Output { name } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for name in &names {
        make_directory(&format!("scratch/outputs/{name}"))
            .at(Stage::Scratch, || format!("outputs/{name}"))?;
    }
    if names.is_empty() {
        return Ok(None);
    }
    openat(
        CWD,
        "scratch/outputs",
        OFlags::RDONLY | DIRECTORY,
        Mode::empty(),
    )
    .map(Some)
    .at(Stage::Scratch, || "outputs")
}

/// The directory `data` of a file system that outlives the job, made with these permissions and owner where it is not there. Its root has
/// `lost+found`, which is nobody's business.
fn kept_directory(
    mount: BorrowedFd<'_>,
    index: usize,
    (mode, uid, gid): (u32, u32, u32),
) -> Result<OwnedFd, Errno> {
    let place = format!("kept-{index}");
    attach_new(mount, &place)?;
    let data = format!("{place}/data");
    let made = mkdir(data.as_str(), Mode::from_bits_truncate(mode));
    if made != Err(Errno::EXIST) {
        made?;
        chown(
            data.as_str(),
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
        )?;
    }
    let data = openat(
        CWD,
        data,
        OFlags::PATH | OFlags::NOFOLLOW | DIRECTORY,
        Mode::empty(),
    )?;
    super::target::copy_of(&data)
}

fn one(
    root: BorrowedFd<'_>,
    target: &str,
    source: &Source,
    index: usize,
    mut given: Vec<OwnedFd>,
    plan: &Plan,
    devices: &[OwnedFd],
) -> Result<(), LaunchError> {
    let strict = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let inert = strict | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mut kind = Kind::Directory;
    let made = match source {
        Source::Dev => return dev::build(root, target, plan, devices),
        Source::Tree { entries } => return tree::build(root, target, entries, given),
        Source::Proc => new_filesystem("proc", &[], inert)?,
        Source::Sysfs => match given.pop() {
            Some(mount) => mount,
            None => new_filesystem("sysfs", &[], inert | MountAttrFlags::MOUNT_ATTR_RDONLY)?,
        },
        Source::Mqueue => new_filesystem("mqueue", &[], inert)?,
        Source::Tmpfs {
            bytes,
            inodes,
            mode,
        } => {
            let (bytes, inodes, mode) =
                (bytes.to_string(), inodes.to_string(), format!("{mode:o}"));
            new_filesystem(
                "tmpfs",
                &[("size", &*bytes), ("nr_inodes", &*inodes), ("mode", &*mode)],
                strict,
            )?
        }
        Source::Output { name } => {
            let from = openat(
                CWD,
                format!("scratch/outputs/{name}"),
                OFlags::PATH | DIRECTORY,
                Mode::empty(),
            )
            .at(Stage::Mount, || format!("outputs/{name}"))?;
            super::target::copy_of(&from).at(Stage::Mount, || format!("outputs/{name}"))?
        }
        Source::Image {
            image,
            mode,
            uid,
            gid,
        } => {
            let named = || image.display().to_string();
            let mount = given.pop().ok_or_else(|| LaunchError {
                stage: Stage::Mount,
                errno: 0,
                what: format!("{} did not come along", image.display()),
            })?;
            kept_directory(mount.as_fd(), index, (*mode, *uid, *gid)).at(Stage::Mount, named)?
        }
        Source::ReadOnly { path } | Source::Device { path } | Source::Bind { path, .. } => {
            let mount = given.pop().ok_or_else(|| LaunchError {
                stage: Stage::Mount,
                errno: 0,
                what: format!("{} did not come along", path.display()),
            })?;
            let stat = rustix::fs::fstat(&mount).at(Stage::Mount, || path.display().to_string())?;
            if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory
            {
                kind = Kind::File;
            }
            mount
        }
    };
    let place = match source {
        Source::Proc | Source::Sysfs => own_place(root, target)?,
        _ => below(root, place(root, target, kind)?, target)?,
    };
    attach(made.as_fd(), place.as_fd()).at(Stage::Mount, || format!("mounting on {target}"))
}
