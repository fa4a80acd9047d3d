//! The network of another job.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::process_start_ticks;
use crate::outcome::{LaunchError, Stage};
use crate::plan::Neighbour;
use crate::step::At;

const BACK: &str = "going back to the host's network";

/// The way back from a neighbour's network.
#[derive(Debug)]
pub(super) struct Visit {
    own: OwnedFd,
    sysfs: OwnedFd,
}

/// Enters the network namespace of `neighbour`: what is cloned from here on is in there too. A job could not go there itself, since only
/// who has rights over the neighbour's user namespace may.
pub(super) fn visit(neighbour: &Neighbour) -> Result<Visit, LaunchError> {
    let own = namespace("/proc/self/ns/net")?;
    let its = namespace(&format!("/proc/{}/ns/net", neighbour.init))?;
    // Looked at after it was opened: an id may have become another process's.
    if process_start_ticks(neighbour.init) != Some(neighbour.init_start_ticks) {
        return Err(LaunchError {
            stage: Stage::Network,
            errno: libc::ESRCH,
            what: format!(
                "job {:?}, whose network was to be shared, has ended",
                neighbour.job
            ),
        });
    }
    enter(&its).at(Stage::Network, || {
        format!(
            "entering the network of job {:?}, which only root may",
            neighbour.job
        )
    })?;
    let sysfs = sysfs().at(Stage::Mount, || "a sysfs of the neighbour's network");
    match sysfs {
        Ok(sysfs) => Ok(Visit { own, sysfs }),
        Err(error) => {
            enter(&own).at(Stage::Network, || BACK)?;
            Err(error)
        }
    }
}

impl Visit {
    /// Goes back to where this process was. A mount of `/sys` as it is there, attached nowhere: it shows a network's devices, and so only
    /// who has rights over that may mount it, which the neighbour's neighbour has not.
    pub(super) fn leave(self) -> Result<OwnedFd, LaunchError> {
        enter(&self.own).at(Stage::Network, || BACK)?;
        Ok(self.sysfs)
    }
}

fn sysfs() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn enter(namespace: &OwnedFd) -> rustix::io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
}

fn namespace(path: &str) -> Result<OwnedFd, LaunchError> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at(Stage::Network, || path)
}
