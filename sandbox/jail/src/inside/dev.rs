//! The job's `/dev`: device nodes of the host that it was granted, terminals of its own, the usual links.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::symlinkat;
use rustix::mount::MountAttrFlags;

use super::root::new_filesystem;
use super::target::{Kind, attach, own_place, place};
use crate::outcome::{LaunchError, Stage};
use crate::plan::Plan;
use crate::step::At;

/// Links that programs expect.
const LINKS: [(&str, &str); 5] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// Makes it at `target` below `root`. `devices` are the mounts of the plan's devices, in its order.
pub(super) fn build(
    root: BorrowedFd<'_>,
    target: &str,
    plan: &Plan,
    devices: &[OwnedFd],
) -> Result<(), LaunchError> {
    let place_of_dev = own_place(root, target)?;
    // Small: nodes and links need no data, and what a job writes here is a mistake or worse.
    let options = [("mode", "755"), ("size", "65536"), ("nr_inodes", "512")];
    let dev = new_filesystem(
        "tmpfs",
        &options,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )?;
    attach(dev.as_fd(), place_of_dev.as_fd()).at(Stage::Devices, || "/dev")?;
    for (path, device) in plan.devices.iter().zip(devices) {
        let name = path
            .strip_prefix("/dev")
            .ok()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let node = place(dev.as_fd(), name, Kind::File)?;
        attach(device.as_fd(), node.as_fd()).at(Stage::Devices, || path.display().to_string())?;
    }
    for (link, text) in LINKS {
        symlinkat(text, &dev, link).at(Stage::Devices, || format!("/dev/{link}"))?;
    }
    let terminals = place(dev.as_fd(), "pts", Kind::Directory)?;
    // How many there are is the host's number, 4096 as a rule, whoever has them.
    let options = [
        ("newinstance", ""),
        ("ptmxmode", "0666"),
        ("mode", "0620"),
        ("max", "64"),
    ];
    let pts = new_filesystem(
        "devpts",
        &options,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )?;
    attach(pts.as_fd(), terminals.as_fd()).at(Stage::Devices, || "/dev/pts")
}
