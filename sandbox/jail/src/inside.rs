//! The job's first process: makes its root, gives up what it could do, lets the program run, and waits for all that are orphaned.

mod beside;
mod bundled;
mod dev;
mod gate;
mod hide;
mod network;
mod program;
mod restrict;
mod root;
mod target;
mod tree;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use self::program::{Program, Runs};
use crate::cgroup::Entrance;
use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::plan::Plan;
use crate::protocol::{Enter, FromInside, Go, Status};
use crate::step::At;
use crate::syscalls;

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
    let watched = start(plan, filters, channel, streams).and_then(|(program, gate)| {
        gate.map_or(Ok(()), |gate| gate::keep(&gate, channel))?;
        Ok(program)
    });
    let code = match watched {
        // A watcher that is gone is told nothing: this process ends, and the job with it.
        Ok(program) => watch(program, plan, channel).map_or(1, |()| 0),
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
) -> Result<(Pid, Option<Channel>), LaunchError> {
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
    rustix::process::setsid().at(Stage::Namespaces, || "a session of its own")?;
    syscalls::block_signals().at(Stage::Restrict, || "blocking signals")?;
    // What the two do at the same time takes the kernel long: that one makes the job's network, this one its root.
    let program = Program::clone(plan, filters, streams)?;
    let given = receive(plan, channel)?;
    restrict::become_root(plan.identity.count)?;
    // The watcher's end is the job's: a job that nobody watches has no limits of time and output.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .at(Stage::Namespaces, || "ending with the watcher")?;
    let handed_over = root::build(plan, given, || program.enter_network(plan))?;
    rustix::system::sethostname(plan.hostname.as_bytes()).at(Stage::Namespaces, || {
        format!("host name {:?}", plan.hostname)
    })?;
    let proxy = network::listen(&plan.network)?;
    if let Some(bundled) = &plan.bundled {
        bundled::names(bundled)?;
        bundled::views(bundled)?;
    }
    let entrance = entrance(channel)?;
    entrance
        .enter()
        .at(Stage::Cgroup, || "entering the job's control groups")?;
    program.admit(&entrance);
    drop(entrance);
    // Now that it is in its groups, those are the roots that it sees.
    syscalls::new_cgroup_namespace().at(Stage::Namespaces, || "a namespace of control groups")?;
    let ready = FromInside::Ready {
        handed_over: handed_over.len(),
        proxy: proxy.is_some(),
    };
    let descriptors: Vec<_> = handed_over.iter().chain(&proxy).map(AsFd::as_fd).collect();
    channel
        .send(&ready, &descriptors)
        .at(Stage::Watcher, || "the watcher is gone")?;
    drop((handed_over, proxy));
    root::let_go_of_host()?;
    restrict::no_way_back(&[])?;
    program.run();
    let held = restrict::apply_filters(plan, filters)?;
    restrict::keep_capabilities(&[])?;
    let Runs {
        pid,
        pidfd,
        asks,
        gate,
    } = program.running()?;
    let told = match &gate {
        None => FromInside::Started(held),
        Some(_) => FromInside::Waits(held),
    };
    let descriptors: Vec<_> = [&pidfd].into_iter().chain(&asks).map(AsFd::as_fd).collect();
    channel
        .send(&told, &descriptors)
        .at(Stage::Watcher, || "the watcher is gone")?;
    Ok((pid, gate))
}

/// The ways into the groups of version 1, which are there by now: nothing that this process does is anybody else's once it is in them.
fn entrance(channel: &Channel) -> Result<Entrance, LaunchError> {
    let nothing = || LaunchError {
        stage: Stage::Watcher,
        errno: 0,
        what: "the watcher is gone".to_owned(),
    };
    let (enter, descriptors): (Enter, _) = channel
        .receive()
        .at(Stage::Watcher, || "the watcher's word")?
        .ok_or_else(nothing)?;
    if descriptors.len() != enter.groups {
        return Err(LaunchError {
            stage: Stage::Watcher,
            errno: 0,
            what: "fewer groups than promised".to_owned(),
        });
    }
    Ok(Entrance::from_descriptors(descriptors))
}

fn receive(plan: &Plan, channel: &Channel) -> Result<Given, LaunchError> {
    let nothing = || LaunchError {
        stage: Stage::Watcher,
        errno: 0,
        what: "the watcher is gone".to_owned(),
    };
    let told = channel
        .receive()
        .at(Stage::Watcher, || "the watcher's word")?
        .ok_or_else(nothing)?;
    let (go, descriptors): (Go, _) = if plan.identity.is_range() {
        told
    } else {
        crate::watcher::mounts::open_all(plan, None, None)?
    };
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

/// Reaps what ends until the program has. Signals are nothing to it: the watcher sends the program its own.
fn watch(program: Pid, plan: &Plan, channel: &Channel) -> std::io::Result<()> {
    if plan.bundled.is_some() {
        return beside::watch(program, plan, channel);
    }
    loop {
        while let Some((pid, status)) = reaped()? {
            if pid == program {
                return channel.send(&FromInside::Ended(status_of(&status)), &[]);
            }
        }
        syscalls::next_signal()?;
    }
}

fn status_of(status: &WaitStatus) -> Status {
    match status.exit_status() {
        Some(code) => Status::Exited(code),
        None => Status::Signalled(status.terminating_signal().unwrap_or(0)),
    }
}

fn reaped() -> std::io::Result<Option<(Pid, WaitStatus)>> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Err(rustix::io::Errno::CHILD) => Ok(None),
        other => Ok(other?),
    }
}
