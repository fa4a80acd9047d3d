//! From a plan to a process inside: control groups, namespaces, ids, and the mounts that only the host's user may open.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, open};
use rustix::pipe::{PipeFlags, pipe_with};

use super::neighbour::{Visit, visit};
use crate::cgroup::{self, Entrance, Group};
use crate::channel::Channel;
use crate::device_filter;
use crate::inside::{self, Streams};
use crate::landlock::Held;
use crate::outcome::{LaunchError, Stage};
use crate::plan::Plan;
use crate::protocol::{Devices, Enter, FromInside, Go, Identity};
use crate::step::{At, chain};
use crate::syscalls::{self, Cloned};

/// A job whose program runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) identity: Identity,
    /// its first process
    pub(super) pidfd: OwnedFd,
    /// its program's process
    pub(super) program: OwnedFd,
    /// to that process
    pub(super) channel: Channel,
    pub(super) group: Option<Group>,
    pub(super) output: OwnedFd,
    pub(super) errors: OwnedFd,
    /// what is handed over when it has ended: the directory of outputs, then what it wrote to its root, as its plan has them
    pub(super) outputs: Vec<OwnedFd>,
    /// the listening socket of the proxy's port, for whoever starts the job
    pub(super) proxy: Option<OwnedFd>,
    /// on which its filter asks
    pub(super) refused: Option<OwnedFd>,
    /// whether its program waits to be started
    pub(super) held: bool,
}

/// Applies `plan`. On failure nothing of the job is left. The filter of devices comes on `report`. `meanwhile` is done while the job's first
/// process makes its root.
pub(super) fn launch<T>(
    plan: &Plan,
    filters: &[Vec<u8>],
    report: &Channel,
    meanwhile: impl FnOnce() -> Result<T, LaunchError>,
) -> Result<(Running, T), LaunchError> {
    let mut group = match &plan.cgroup {
        Some(groups) => Some(Group::create_first(groups).map_err(|error| error.to_launch_error())?),
        None => None,
    };
    let fences = Fences {
        group: group.as_mut(),
        report,
    };
    let started = start(plan, filters, fences, meanwhile);
    match (started, group) {
        (Ok((started, done)), group) => Ok((Running { group, ..started }, done)),
        (Err(mut error), Some(group)) => {
            if let Err(left) = super::ending::end_group(&group) {
                error.what = format!("{}; then {left}", error.what);
            }
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

fn start<T>(
    plan: &Plan,
    filters: &[Vec<u8>],
    fences: Fences<'_>,
    meanwhile: impl FnOnce() -> Result<T, LaunchError>,
) -> Result<(Running, T), LaunchError> {
    let (ours, theirs) = Channel::pair().at(Stage::Watcher, || "a channel to the job")?;
    let (output, output_end) =
        pipe_with(PipeFlags::CLOEXEC).at(Stage::Watcher, || "a pipe for output")?;
    let (errors, errors_end) =
        pipe_with(PipeFlags::CLOEXEC).at(Stage::Watcher, || "a pipe for errors")?;
    // A program opens its streams anew by the names `/dev/stdout` and `/dev/stderr`, as scripts do, and may: they are its own.
    let user = plan.identity.uid.checked_add(plan.process.uid);
    let group_of_user = plan.identity.gid.checked_add(plan.process.gid);
    for end in [&output_end, &errors_end] {
        // Without privileges there is one user, who has them already.
        let (Some(user), Some(group), true) = (user, group_of_user, plan.identity.is_range())
        else {
            continue;
        };
        fchown(end, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
            .at(Stage::Watcher, || "streams for the job's user")?;
    }
    let input = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Stage::Watcher, || "/dev/null")?;
    let into = fences.group.as_deref().and_then(Group::v2_fd);
    let visit = plan.network.of.as_ref().map(visit).transpose()?;
    let expendable = Expendable::from_here(plan)?;
    let cloned = syscalls::clone_into_namespaces(into).map_err(no_namespaces);
    let sysfs;
    let (pid, pidfd) = match cloned {
        Ok(Cloned::Child) => {
            drop((ours, output, errors));
            let streams = Streams {
                input,
                output: output_end,
                errors: errors_end,
            };
            inside::run(plan, filters, &theirs, streams)
        }
        // The clone stays there; this process does not, whatever became of it.
        outside => {
            expendable.end();
            sysfs = visit.map(Visit::leave).transpose()?;
            match outside? {
                Cloned::Parent(parent) => parent,
                Cloned::Child => unreachable!("it never comes here"),
            }
        }
    };
    drop((theirs, output_end, errors_end));
    // Until the program runs, every failure ends what was started: the pid namespace dies with its first process.
    let ended_on_failure = |error| {
        super::ending::kill_first(&pidfd);
        error
    };
    let Admitted {
        done,
        program,
        outputs,
        proxy,
        landlock,
        refused,
        held,
    } = admit(plan, pid, sysfs, &ours, fences, meanwhile).map_err(ended_on_failure)?;
    let watcher = rustix::process::getpid().as_raw_nonzero().get();
    let boot_id = super::boot_id().at(Stage::Watcher, || super::BOOT_ID_FILE);
    let identity = Identity {
        watcher,
        watcher_start_ticks: start_ticks(watcher).map_err(ended_on_failure)?,
        init: pid,
        init_start_ticks: start_ticks(pid).map_err(ended_on_failure)?,
        boot_id: boot_id.map_err(ended_on_failure)?,
        landlock,
    };
    let running = Running {
        identity,
        pidfd,
        program,
        channel: ours,
        group: None,
        output,
        errors,
        outputs,
        proxy,
        refused,
        held,
    };
    Ok((running, done))
}

/// What is cloned from here on is what the kernel ends first when it lacks memory, and cannot change that: who has rights over the host has said
/// so, here, and not itself.
struct Expendable {
    before: String,
}

impl Expendable {
    const FILE: &str = "/proc/self/oom_score_adj";

    fn from_here(plan: &Plan) -> Result<Expendable, LaunchError> {
        let before = fs::read_to_string(Self::FILE).at(Stage::Identity, || Self::FILE)?;
        let score = plan.bundled.as_ref().and_then(|one| one.oom_score_adj);
        fs::write(Self::FILE, score.unwrap_or(1000).to_string())
            .at(Stage::Identity, || Self::FILE)?;
        Ok(Expendable { before })
    }

    /// A watcher is not expendable; where it may not say so any more, it goes on all the same.
    fn end(self) {
        let _ = fs::write(Self::FILE, self.before.trim_end());
    }
}

/// Why a process has no namespaces of its own.
pub(crate) fn no_namespaces(error: std::io::Error) -> LaunchError {
    let errno = error.raw_os_error().unwrap_or(0);
    let why = match errno {
        libc::EPERM => {
            "this user may not, or nobody in a chroot or in this container: start gradus outside of it, and see kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns"
        }
        libc::ENOSPC | libc::EUSERS => {
            "there are as many as there may be: raise user.max_user_namespaces and its like with sysctl"
        }
        libc::EINVAL => "this kernel lacks some of them: `gradus doctor` says which",
        _ => "`gradus doctor` says what is missing",
    };
    LaunchError {
        stage: Stage::Namespaces,
        errno,
        what: format!("a process in namespaces of its own; {why}"),
    }
}

/// What there is when the job's program runs.
struct Admitted<T> {
    /// of what was done meanwhile
    done: T,
    /// the program's process
    program: OwnedFd,
    outputs: Vec<OwnedFd>,
    proxy: Option<OwnedFd>,
    landlock: Option<Held>,
    refused: Option<OwnedFd>,
    /// whether it waits to be started instead
    held: bool,
}

/// Gives the process its ids, mounts and groups, and waits until its program runs.
fn admit<T>(
    plan: &Plan,
    pid: i32,
    sysfs: Option<OwnedFd>,
    channel: &Channel,
    fences: Fences<'_>,
    meanwhile: impl FnOnce() -> Result<T, LaunchError>,
) -> Result<Admitted<T>, LaunchError> {
    map_ids(plan, pid)?;
    let (go, mounts) = if plan.identity.is_range() {
        super::mounts::open_all(plan, Some(pid), sysfs)?
    } else {
        (Go::default(), Vec::new())
    };
    tell(
        channel,
        &go,
        &mounts.iter().map(AsFd::as_fd).collect::<Vec<_>>(),
    )?;
    drop(mounts);
    let entrance = match (fences.group, &plan.cgroup) {
        (Some(group), Some(groups)) => Some(fence(plan, group, groups, fences.report)?),
        _ => None,
    };
    let ways = entrance
        .as_ref()
        .map(Entrance::descriptors)
        .unwrap_or_default();
    let groups = ways.len();
    let done = meanwhile()?;
    tell(channel, &Enter { groups }, &ways)?;
    drop(ways);
    drop(entrance);
    let (mut outputs, mut socket) = (Vec::new(), None);
    loop {
        let heard = channel
            .receive::<FromInside>()
            .at(Stage::Namespaces, || "the job's first process")?;
        let (message, descriptors) = heard.ok_or_else(|| LaunchError {
            stage: Stage::Namespaces,
            errno: 0,
            what: "the job's first process ended without a word; was it killed for lack of memory?"
                .to_owned(),
        })?;
        let held = matches!(message, FromInside::Waits(_));
        match message {
            FromInside::Ready { handed_over, proxy } => {
                let mut descriptors = descriptors.into_iter();
                outputs = descriptors.by_ref().take(handed_over).collect();
                socket = descriptors.next().filter(|_| proxy);
            }
            FromInside::Started(landlock) | FromInside::Waits(landlock) => {
                let mut descriptors = descriptors.into_iter();
                let program = descriptors.next().ok_or_else(|| LaunchError {
                    stage: Stage::Watcher,
                    errno: 0,
                    what: "the program's process did not come along".to_owned(),
                })?;
                return Ok(Admitted {
                    done,
                    program,
                    outputs,
                    proxy: socket,
                    landlock,
                    refused: descriptors.next(),
                    held,
                });
            }
            FromInside::Failed(error) => return Err(error),
            FromInside::Ended(status) | FromInside::EndedBeside { status, .. } => {
                let what = format!("ended before it had started: {status:?}");
                return Err(LaunchError {
                    stage: Stage::Exec,
                    errno: 0,
                    what,
                });
            }
        }
    }
}

/// Tells the process inside. One that is gone has said why, which is heard next.
fn tell(
    channel: &Channel,
    message: &impl serde::Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), LaunchError> {
    match channel.send(message, descriptors) {
        Err(error) if error.raw_os_error() == Some(libc::EPIPE) => Ok(()),
        other => other.at(Stage::Namespaces, || "the job's first process"),
    }
}

/// What the job's groups are made of besides the plan.
struct Fences<'a> {
    /// those that are there already
    group: Option<&'a mut Group>,
    /// from whoever started this: the filter of devices
    report: &'a Channel,
}

/// Makes the rest of the groups, puts the filter of devices there, and opens the way in.
fn fence(
    plan: &Plan,
    group: &mut Group,
    groups: &cgroup::Plan,
    report: &Channel,
) -> Result<Entrance, LaunchError> {
    group
        .complete(groups)
        .map_err(|error| error.to_launch_error())?;
    if let (Some(v2), false) = (group.v2_fd(), plan.device_rules.is_empty()) {
        let filter = device_filter_from(report)?;
        device_filter::attach(v2, filter.as_fd()).map_err(|error| LaunchError {
            stage: Stage::Devices,
            errno: 0,
            what: chain(&error),
        })?;
    }
    group.entrance().map_err(|error| error.to_launch_error())
}

fn device_filter_from(report: &Channel) -> Result<OwnedFd, LaunchError> {
    let heard = report
        .receive::<Devices>()
        .at(Stage::Devices, || "the filter of devices")?;
    let filter = heard.and_then(|(Devices {}, descriptors)| descriptors.into_iter().next());
    filter.ok_or_else(|| LaunchError {
        stage: Stage::Devices,
        errno: 0,
        what: "whoever starts the job has ended before its filter of devices was there".to_owned(),
    })
}

fn map_ids(plan: &Plan, pid: i32) -> Result<(), LaunchError> {
    let identity = &plan.identity;
    if !identity.is_range() {
        let denied = format!("/proc/{pid}/setgroups");
        fs::write(&denied, "deny").at(Stage::Identity, || denied)?;
    }
    for (file, first) in [("uid_map", identity.uid), ("gid_map", identity.gid)] {
        let file = format!("/proc/{pid}/{file}");
        let map = format!("0 {first} {}", identity.count);
        fs::write(&file, &map).at(Stage::Identity, || format!("{file} = {map:?}"))?;
    }
    Ok(())
}

/// When a process was started, in clock ticks since the boot: with its id, that is one process and no other.
fn start_ticks(pid: i32) -> Result<u64, LaunchError> {
    let file = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&file).at(Stage::Watcher, || file.clone())?;
    // The name, in brackets, may hold anything.
    let field = text
        .rsplit_once(") ")
        .and_then(|(_, fields)| fields.split(' ').nth(19))
        .and_then(|field| field.parse().ok());
    field.ok_or_else(|| LaunchError {
        stage: Stage::Watcher,
        errno: 0,
        what: format!("{file} has no start time: {text:?}"),
    })
}

/// The process `pid`'s start, for those who must know whether it is still the same.
pub fn process_start_ticks(pid: i32) -> Option<u64> {
    start_ticks(pid).ok()
}
