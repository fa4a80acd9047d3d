//! The job's first process: makes its root, gives up what it could do, starts the program, and waits for all that are orphaned.

mod dev;
mod hide;
mod restrict;
mod root;
mod target;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Plan, Process};
use crate::protocol::{FromInside, Go, Status};
use crate::step::{At, short};
use crate::syscalls::{self, Cloned};

/// What the program's standard streams are.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) input: OwnedFd,
    pub(crate) output: OwnedFd,
    pub(crate) errors: OwnedFd,
}

/// Mounts and directories that the watcher has opened on the host.
#[derive(Debug)]
pub(crate) struct Given {
    layers: Vec<OwnedFd>,
    scratch: Option<OwnedFd>,
    mounts: Vec<(usize, OwnedFd)>,
    devices: Vec<OwnedFd>,
}

/// Everything from the clone to the job's end.
pub(crate) fn run(plan: &Plan, filters: &[Vec<u8>], channel: &Channel, streams: Streams) -> ! {
    let code = match start(plan, filters, channel, streams) {
        // A watcher that is gone is told nothing: this process ends, and the job with it.
        Ok(program) => watch(program, channel).map_or(1, |()| 0),
        Err(error) => {
            let _ = channel.send(&FromInside::Failed(error), &[]);
            1
        }
    };
    std::process::exit(code)
}

fn start(
    plan: &Plan,
    filters: &[Vec<u8>],
    channel: &Channel,
    streams: Streams,
) -> Result<Pid, LaunchError> {
    // The watcher's own streams are a channel, a file and its lock: not for here.
    rustix::stdio::dup2_stdin(&streams.input).at(Stage::Watcher, || "standard input")?;
    rustix::stdio::dup2_stdout(&streams.input).at(Stage::Watcher, || "standard output")?;
    rustix::stdio::dup2_stderr(&streams.input).at(Stage::Watcher, || "standard errors")?;
    // Nor are its others: directories of control groups among them, from which `..` leads to the host's root. An image may name
    // `/proc/self/fd/N` as its program's directory. What they belong to is in frames below, to which this process never returns.
    let mut own = [
        channel.as_fd(),
        streams.input.as_fd(),
        streams.output.as_fd(),
        streams.errors.as_fd(),
    ]
    .map(|fd| fd.as_raw_fd());
    syscalls::close_all_but(&mut own).at(Stage::Watcher, || "closing the watcher's descriptors")?;
    // What is made here has the permissions that are asked for.
    rustix::process::umask(rustix::fs::Mode::empty());
    let given = receive(channel)?;
    restrict::become_root(plan.identity.count)?;
    // Now that it is in its groups, those are the roots that it sees.
    syscalls::new_cgroup_namespace().at(Stage::Namespaces, || "a namespace of control groups")?;
    // The watcher's end is the job's: a job that nobody watches has no limits of time and output.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .at(Stage::Namespaces, || "ending with the watcher")?;
    let handed_over = root::build(plan, given)?;
    rustix::system::sethostname(plan.hostname.as_bytes()).at(Stage::Namespaces, || {
        format!("host name {:?}", plan.hostname)
    })?;
    if plan.network == crate::plan::Network::Loopback {
        let socket = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            None,
        )
        .at(Stage::Network, || "a socket for the loopback")?;
        syscalls::loopback_up(socket.as_fd()).at(Stage::Network, || "bringing up the loopback")?;
    }
    rustix::process::setsid().at(Stage::Namespaces, || "a session of its own")?;
    restrict::no_way_back(&plan.capabilities)?;
    channel
        .send(
            &FromInside::Ready,
            &handed_over.iter().map(AsFd::as_fd).collect::<Vec<_>>(),
        )
        .at(Stage::Watcher, || "the watcher is gone")?;
    drop(handed_over);

    syscalls::block_signals().at(Stage::Restrict, || "blocking signals")?;
    let (started, starting) = Channel::pair().at(Stage::Exec, || "a channel to the program")?;
    // Before the program's process is made, which has them from here: to install them takes the kernel a while.
    let held = restrict::apply_filters(plan, filters)?;
    match syscalls::clone_process().at(Stage::Exec, || "a process for the program")? {
        Cloned::Child => {
            let error = program(plan, streams);
            let _ = starting.send(&error, &[]);
            std::process::exit(127)
        }
        Cloned::Parent(pid) => {
            // The program's ends of its streams must be its own, or they would never end.
            drop((streams, starting));
            restrict::keep_capabilities(&[])?;
            // A program that runs has closed its end without a word.
            if let Some((error, _)) = started
                .receive::<LaunchError>()
                .at(Stage::Exec, || "the program's channel")?
            {
                return Err(error);
            }
            channel
                .send(&FromInside::Started(held), &[])
                .at(Stage::Watcher, || "the watcher is gone")?;
            Ok(Pid::from_raw(pid).expect("a clone's id is not 0"))
        }
    }
}

fn receive(channel: &Channel) -> Result<Given, LaunchError> {
    let nothing = || LaunchError {
        stage: Stage::Watcher,
        errno: 0,
        what: "the watcher is gone".to_owned(),
    };
    let (go, descriptors): (Go, _) = channel
        .receive()
        .at(Stage::Watcher, || "the watcher's word")?
        .ok_or_else(nothing)?;
    let mut descriptors = descriptors.into_iter();
    let given = Given {
        layers: descriptors.by_ref().take(go.layers).collect(),
        scratch: if go.scratch { descriptors.next() } else { None },
        mounts: go
            .mounts
            .iter()
            .copied()
            .zip(descriptors.by_ref())
            .collect(),
        devices: descriptors.by_ref().take(go.devices).collect(),
    };
    if given.layers.len() != go.layers
        || given.mounts.len() != go.mounts.len()
        || given.devices.len() != go.devices
    {
        return Err(LaunchError {
            stage: Stage::Watcher,
            errno: 0,
            what: "fewer mounts than promised".to_owned(),
        });
    }
    Ok(given)
}

/// Becomes the program; returns why not.
fn program(plan: &Plan, streams: Streams) -> LaunchError {
    let attempt = || -> Result<std::convert::Infallible, LaunchError> {
        let process = &plan.process;
        let failed = |_| LaunchError {
            stage: Stage::Exec,
            errno: libc::EINVAL,
            what: "a NUL in the arguments".to_owned(),
        };
        let strings = |texts: &[String]| -> Result<Vec<CString>, LaunchError> {
            texts
                .iter()
                .map(|text| CString::new(text.as_str()).map_err(failed))
                .collect()
        };
        let (argv, env) = (strings(&process.argv)?, strings(&process.env)?);
        let candidates = candidates(process)?;
        rustix::stdio::dup2_stdin(&streams.input).at(Stage::Exec, || "standard input")?;
        rustix::stdio::dup2_stdout(&streams.output).at(Stage::Exec, || "standard output")?;
        rustix::stdio::dup2_stderr(&streams.errors).at(Stage::Exec, || "standard errors")?;
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate(process.umask));
        restrict::limits(plan)?;
        restrict::become_user(process)?;
        // As that user: a directory that it may not enter is the image's mistake, not a way around its permissions.
        rustix::process::chdir(process.cwd.as_str()).at(Stage::Exec, || {
            format!("working directory {}", short(&process.cwd))
        })?;
        // Those of user 0: another one has lost them with that.
        let kept = if process.uid == 0 {
            plan.capabilities.as_slice()
        } else {
            &[]
        };
        restrict::keep_capabilities(kept)?;
        syscalls::close_on_exec_from(3).at(Stage::Restrict, || "closing descriptors")?;
        syscalls::default_signals().at(Stage::Restrict, || "default signals")?;
        let mut error = std::io::Error::from_raw_os_error(libc::ENOENT);
        for path in &candidates {
            let answer = syscalls::execute(path, &argv, &env);
            // As a shell does: a file that may not be run is worth more words than one that is not there.
            if error.raw_os_error() == Some(libc::ENOENT) {
                error = answer;
            }
        }
        Err(error).at(Stage::Exec, || {
            format!("program {}", short(&process.argv[0]))
        })
    };
    match attempt() {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// The files that the program's name may mean, in order.
fn candidates(process: &Process) -> Result<Vec<CString>, LaunchError> {
    let wrong = |what: &str| LaunchError {
        stage: Stage::Exec,
        errno: libc::EINVAL,
        what: what.to_owned(),
    };
    let name = process
        .argv
        .first()
        .ok_or_else(|| wrong("no program is named"))?;
    let paths = if name.contains('/') {
        vec![name.clone()]
    } else {
        let path = process
            .env
            .iter()
            .find_map(|variable| variable.strip_prefix("PATH="));
        path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .split(':')
            .map(|folder| format!("{}/{name}", if folder.is_empty() { "." } else { folder }))
            .collect()
    };
    paths
        .into_iter()
        .map(|path| CString::new(path).map_err(|_| wrong("a NUL in the program's name")))
        .collect()
}

/// Reaps what ends, passes signals on, until the program has ended.
fn watch(program: Pid, channel: &Channel) -> std::io::Result<()> {
    loop {
        while let Some((pid, status)) = reaped()? {
            if pid == program {
                let status = match status.exit_status() {
                    Some(code) => Status::Exited(code),
                    None => Status::Signalled(status.terminating_signal().unwrap_or(0)),
                };
                return channel.send(&FromInside::Ended(status), &[]);
            }
        }
        let signal = syscalls::next_signal()?;
        if signal != libc::SIGCHLD
            && let Some(signal) = Signal::from_named_raw(signal)
        {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process(program, signal);
        }
    }
}

fn reaped() -> std::io::Result<Option<(Pid, WaitStatus)>> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Err(rustix::io::Errno::CHILD) => Ok(None),
        other => Ok(other?),
    }
}
