//! The job's first process: makes its root, gives up what it could do, starts the program, and waits for all that are orphaned.

mod beside;
mod bundled;
mod dev;
mod gate;
mod hide;
mod network;
mod restrict;
mod root;
mod target;
mod tree;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use serde::{Deserialize, Serialize};

use crate::cgroup::Entrance;
use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Plan, Process};
use crate::protocol::{Enter, FromInside, Go, Status};
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

/// The process of the job's program.
struct Program {
    pid: Pid,
    /// the channel to it, where it waits to be started
    gate: Option<Channel>,
}

/// The program's process to the first one.
#[derive(Serialize, Deserialize)]
enum FromProgram {
    /// it waits to be started
    Waits,
    /// it does not run
    Failed(LaunchError),
}

/// Everything from the clone to the job's end.
pub(crate) fn run(plan: &Plan, filters: &[Vec<u8>], channel: &Channel, streams: Streams) -> ! {
    let code = match start(plan, filters, channel, streams) {
        // A watcher that is gone is told nothing: this process ends, and the job with it.
        Ok(Program { pid, gate: None }) => watch(pid, plan, channel).map_or(1, |()| 0),
        Ok(Program {
            pid,
            gate: Some(program),
        }) => match gate::keep(&program, channel) {
            Ok(()) => {
                drop(program);
                watch(pid, plan, channel).map_or(1, |()| 0)
            }
            Err(error) => {
                let _ = channel.send(&FromInside::Failed(error), &[]);
                1
            }
        },
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
) -> Result<Program, LaunchError> {
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
    if plan.network.of.is_none() {
        // Here and not with the others: it takes the longest, and the watcher has things to do meanwhile.
        syscalls::new_network_namespace().map_err(crate::watcher::no_namespaces)?;
    }
    let given = receive(plan, channel)?;
    restrict::become_root(plan.identity.count)?;
    // The watcher's end is the job's: a job that nobody watches has no limits of time and output.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .at(Stage::Namespaces, || "ending with the watcher")?;
    let handed_over = root::build(plan, given)?;
    rustix::system::sethostname(plan.hostname.as_bytes()).at(Stage::Namespaces, || {
        format!("host name {:?}", plan.hostname)
    })?;
    let proxy = network::prepare(&plan.network)?;
    if let Some(bundled) = &plan.bundled {
        bundled::names_and_clocks(bundled)?;
    }
    enter(channel)?;
    // Now that it is in its groups, those are the roots that it sees.
    syscalls::new_cgroup_namespace().at(Stage::Namespaces, || "a namespace of control groups")?;
    rustix::process::setsid().at(Stage::Namespaces, || "a session of its own")?;
    let ready = FromInside::Ready {
        handed_over: handed_over.len(),
        proxy: proxy.is_some(),
    };
    let descriptors: Vec<_> = handed_over.iter().chain(&proxy).map(AsFd::as_fd).collect();
    channel
        .send(&ready, &descriptors)
        .at(Stage::Watcher, || "the watcher is gone")?;
    drop((handed_over, proxy));

    syscalls::block_signals().at(Stage::Restrict, || "blocking signals")?;
    let (started, starting) = Channel::pair().at(Stage::Exec, || "a channel to the program")?;
    // Its process is made before the host's root is gone and this process has given up anything: both take the kernel a while, and it can
    // do the same for itself meanwhile. It runs nothing that is not ours before it is told to.
    match syscalls::clone_process().at(Stage::Exec, || "a process for the program")? {
        Cloned::Child => {
            drop(started);
            let error = program(plan, filters, streams, &starting);
            let _ = starting.send(&FromProgram::Failed(error), &[]);
            std::process::exit(127)
        }
        Cloned::Parent(pid) => {
            // The program's ends of its streams must be its own, or they would never end.
            drop((streams, starting));
            root::let_go_of_host()?;
            restrict::no_way_back(&[])?;
            // One that has failed has closed its end: why is said there.
            let _ = started.send(&Run, &[]);
            let held = restrict::apply_filters(plan, filters)?;
            restrict::keep_capabilities(&[])?;
            let heard = started.receive::<FromProgram>();
            let (told, gate) = match heard.at(Stage::Exec, || "the program's channel")? {
                // A program that runs has closed its end without a word.
                None => (FromInside::Started(held), None),
                Some((FromProgram::Waits, _)) => (FromInside::Waits(held), Some(started)),
                Some((FromProgram::Failed(error), _)) => return Err(error),
            };
            channel
                .send(&told, &[])
                .at(Stage::Watcher, || "the watcher is gone")?;
            let pid = Pid::from_raw(pid).expect("a clone's id is not 0");
            Ok(Program { pid, gate })
        }
    }
}

/// The first process to that of the program: nothing of the host is there any more.
#[derive(Serialize, Deserialize)]
struct Run;

/// Enters the groups of version 1, which are there by now: nothing that it does is anybody else's from here on.
fn enter(channel: &Channel) -> Result<(), LaunchError> {
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
    Entrance::from_descriptors(descriptors)
        .enter()
        .at(Stage::Cgroup, || "entering the job's control groups")
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

/// Becomes the program when it is told to on `word`; returns why not.
fn program(plan: &Plan, filters: &[Vec<u8>], streams: Streams, word: &Channel) -> LaunchError {
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
        rustix::process::chdir("/").at(Stage::Root, || "/")?;
        if let Some(bundled) = &plan.bundled {
            bundled::priorities(bundled)?;
        }
        restrict::no_way_back(&plan.capabilities)?;
        restrict::apply_filters(plan, filters)?;
        let (argv, env) = (strings(&process.argv)?, strings(&process.env)?);
        let candidates = candidates(process)?;
        rustix::stdio::dup2_stdin(&streams.input).at(Stage::Exec, || "standard input")?;
        rustix::stdio::dup2_stdout(&streams.output).at(Stage::Exec, || "standard output")?;
        rustix::stdio::dup2_stderr(&streams.errors).at(Stage::Exec, || "standard errors")?;
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate(process.umask));
        restrict::limits(plan)?;
        // Where it is not told, the first process has failed and says why, or is gone. Until it is told, the host's root lies over this one, and
        // whatever leads up from the root leads there: nothing that a job or its image names is looked up before.
        if !matches!(word.receive::<Run>(), Ok(Some(_))) {
            std::process::exit(127);
        }
        let bundled = plan.bundled.as_ref();
        restrict::become_user(process, bundled.map_or(&[], |bundled| &bundled.groups))?;
        // Those of user 0: another one has lost them with that.
        let kept = if process.uid == 0 {
            plan.capabilities.as_slice()
        } else {
            &[]
        };
        restrict::keep_capabilities(kept)?;
        // As that user: a directory that it may not enter is the image's mistake, not a way around its permissions.
        rustix::process::chdir(process.cwd.as_str()).at(Stage::Exec, || {
            format!("working directory {}", short(&process.cwd))
        })?;
        if plan.held {
            gate::wait(word);
        }
        syscalls::close_on_exec_from(3).at(Stage::Restrict, || "closing descriptors")?;
        if let Some(bundled) = bundled {
            bundled::run_first(bundled)?;
        }
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
        let signal = syscalls::next_signal()?;
        if signal != libc::SIGCHLD
            && let Some(signal) = Signal::from_named_raw(signal)
        {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process(program, signal);
        }
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
