//! From a plan to a process inside: control groups, namespaces, ids, and the mounts that only the host's user may open.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, open};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::cgroup::{Entrance, Group};
use crate::channel::Channel;
use crate::device_filter;
use crate::inside::{self, Streams};
use crate::landlock::Held;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Network, Plan};
use crate::protocol::{FromInside, Identity};
use crate::step::{At, chain};
use crate::syscalls::{self, Cloned};

/// A job whose program runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) identity: Identity,
    /// its first process
    pub(super) pidfd: OwnedFd,
    /// to that process
    pub(super) channel: Channel,
    pub(super) group: Option<Group>,
    pub(super) output: OwnedFd,
    pub(super) errors: OwnedFd,
    /// what is handed over when it has ended: the directory of outputs, then what it wrote to its root, as its plan has them
    pub(super) outputs: Vec<OwnedFd>,
}

/// Applies `plan`. On failure nothing of the job is left.
pub(super) fn launch(plan: &Plan, filters: &[Vec<u8>]) -> Result<Running, LaunchError> {
    let group = match &plan.cgroup {
        Some(groups) => Some(Group::create(groups).map_err(|error| error.to_launch_error())?),
        None => None,
    };
    let started = start(plan, filters, group.as_ref());
    match (started, group) {
        (Ok(started), group) => Ok(Running { group, ..started }),
        (Err(mut error), Some(group)) => {
            if let Err(left) = super::ending::end_group(&group) {
                error.what = format!("{}; then {left}", error.what);
            }
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

fn start(plan: &Plan, filters: &[Vec<u8>], group: Option<&Group>) -> Result<Running, LaunchError> {
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
        let (Some(user), Some(group), true) = (user, group_of_user, plan.identity.count > 1) else {
            continue;
        };
        fchown(end, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
            .at(Stage::Watcher, || "streams for the job's user")?;
    }
    let input = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .at(Stage::Watcher, || "/dev/null")?;
    let network = matches!(plan.network, Network::Loopback);
    let into = group.and_then(Group::v2_fd);
    if let (Some(group), false) = (into, plan.device_rules.is_empty()) {
        device_filter::attach(group, &plan.device_rules).map_err(|error| LaunchError {
            stage: Stage::Devices,
            errno: 0,
            what: chain(&error),
        })?;
    }
    let entrance = group
        .map(Group::entrance)
        .transpose()
        .map_err(|error| error.to_launch_error())?;
    let cloned = syscalls::clone_into_namespaces(network, into).map_err(no_namespaces)?;
    let (pid, pidfd) = match cloned {
        Cloned::Child => {
            drop((ours, output, errors));
            enter(entrance.as_ref(), &theirs);
            let streams = Streams {
                input,
                output: output_end,
                errors: errors_end,
            };
            inside::run(plan, filters, &theirs, streams)
        }
        Cloned::Parent(parent) => parent,
    };
    drop((theirs, output_end, errors_end));
    // Until the program runs, every failure ends what was started: the pid namespace dies with its first process.
    let ended_on_failure = |error| {
        super::ending::kill_first(&pidfd);
        error
    };
    let (outputs, landlock) = admit(plan, pid, &ours).map_err(ended_on_failure)?;
    let identity = Identity {
        watcher: rustix::process::getpid().as_raw_nonzero().get(),
        init: pid,
        init_start_ticks: start_ticks(pid).map_err(ended_on_failure)?,
        landlock,
    };
    Ok(Running {
        identity,
        pidfd,
        channel: ours,
        group: None,
        output,
        errors,
        outputs,
    })
}

fn no_namespaces(error: std::io::Error) -> LaunchError {
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

/// Enters the groups of version 1, in the new process: nothing that it does is anybody else's from here on.
fn enter(entrance: Option<&Entrance>, channel: &Channel) {
    if let Some(Err(errno)) = entrance.map(Entrance::enter) {
        let what = "entering the job's control groups".to_owned();
        let error = LaunchError {
            stage: Stage::Cgroup,
            errno: errno.raw_os_error(),
            what,
        };
        let _ = channel.send(&FromInside::Failed(error), &[]);
        std::process::exit(1);
    }
}

/// Gives the process its ids and mounts, and waits until its program runs.
fn admit(
    plan: &Plan,
    pid: i32,
    channel: &Channel,
) -> Result<(Vec<OwnedFd>, Option<Held>), LaunchError> {
    map_ids(plan, pid)?;
    let score = format!("/proc/{pid}/oom_score_adj");
    fs::write(&score, "1000").at(Stage::Identity, || score)?;
    let (go, mounts) = super::mounts::open_all(plan, pid)?;
    channel
        .send(&go, &mounts.iter().map(AsFd::as_fd).collect::<Vec<_>>())
        .at(Stage::Namespaces, || "the job's first process is gone")?;
    drop(mounts);
    let mut outputs = Vec::new();
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
        match message {
            FromInside::Ready => outputs = descriptors,
            FromInside::Started(held) => return Ok((outputs, held)),
            FromInside::Failed(error) => return Err(error),
            FromInside::Ended(status) => {
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

fn map_ids(plan: &Plan, pid: i32) -> Result<(), LaunchError> {
    let identity = &plan.identity;
    if identity.count == 1 {
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
