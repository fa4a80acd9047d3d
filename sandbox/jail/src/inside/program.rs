//! The program's process: from its clone to the program.
//!
//! It is there before the job has a root, since it can make the job's network meanwhile, and get ready. It runs nothing that is not ours
//! before it is told to:
//!
//! | the first process | this one |
//! |---|---|
//! | root, as far as it needs no network | a network namespace, its loopback |
//! | the rest of the root ◄─ [`FromProgram::Network`] | |
//! | enters its groups ─ [`Word::Enter`] ─► | enters them; can gain nothing any more; filters |
//! | the host's root is gone ─ [`Word::Run`] ─► | working directory, user, `execve` |

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use super::{Streams, bundled, gate, network, restrict};
use crate::cgroup::Entrance;
use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::plan::{Plan, Process};
use crate::step::{At, short};
use crate::syscalls::{self, Cloned};

/// The first process to that of the program.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// the job has its root, and the ways into its groups of version 1 come along
    Enter,
    /// nothing of the host is there any more
    Run,
}

/// The program's process to the first one. A program that runs has closed its end without another word.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromProgram {
    /// the job's network comes along
    Network,
    /// its filter asks on the descriptor that comes along
    Asks,
    /// it waits to be started, as the plan says
    Waits,
    /// the program does not run
    Failed(LaunchError),
}

/// The program's process, as the first one sees it.
#[derive(Debug)]
pub(super) struct Program {
    pid: i32,
    pidfd: OwnedFd,
    channel: Channel,
}

impl Program {
    /// Clones this process; the streams are the program's alone, or they would never end.
    pub(super) fn clone(
        plan: &Plan,
        filters: &[Vec<u8>],
        streams: Streams,
    ) -> Result<Program, LaunchError> {
        let (channel, theirs) = Channel::pair().at(Stage::Exec, || "a channel to the program")?;
        match syscalls::clone_process().at(Stage::Exec, || "a process for the program")? {
            Cloned::Child => {
                drop(channel);
                let error = match become_program(plan, filters, &streams, &theirs) {
                    Ok(never) => match never {},
                    Err(error) => error,
                };
                let _ = theirs.send(&FromProgram::Failed(error), &[]);
                std::process::exit(127)
            }
            Cloned::Parent((pid, pidfd)) => Ok(Program {
                pid,
                pidfd,
                channel,
            }),
        }
    }

    /// Enters the network that the program's process has made, if the job has one of its own.
    pub(super) fn enter_network(&self, plan: &Plan) -> Result<(), LaunchError> {
        if plan.network.of.is_some() {
            return Ok(());
        }
        let heard = self.channel.receive().at(Stage::Network, || CHANNEL)?;
        match heard {
            Some((FromProgram::Network, descriptors)) => {
                let [network] = <[OwnedFd; 1]>::try_from(descriptors).map_err(|_| ended_early())?;
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                    .at(Stage::Network, || "entering the job's network")
            }
            Some((FromProgram::Failed(error), _)) => Err(error),
            Some((FromProgram::Asks | FromProgram::Waits, _)) | None => Err(ended_early()),
        }
    }

    /// Lets it into the groups, now that the job has its root. One that has ended says why later, in [`Program::running`].
    pub(super) fn admit(&self, entrance: &Entrance) {
        let _ = self.channel.send(&Word::Enter, &entrance.descriptors());
    }

    /// Lets it run the program, now that nothing of the host is there.
    pub(super) fn run(&self) {
        let _ = self.channel.send(&Word::Run, &[]);
    }

    /// Waits until the program runs, or waits itself.
    pub(super) fn running(self) -> Result<Runs, LaunchError> {
        let (mut asks, mut gate) = (None, None);
        loop {
            match self.channel.receive().at(Stage::Exec, || CHANNEL)? {
                None => break,
                Some((FromProgram::Waits, _)) => {
                    gate = Some(self.channel);
                    break;
                }
                Some((FromProgram::Asks, descriptors)) => asks = descriptors.into_iter().next(),
                Some((FromProgram::Failed(error), _)) => return Err(error),
                Some((FromProgram::Network, _)) => return Err(ended_early()),
            }
        }
        Ok(Runs {
            pid: Pid::from_raw(self.pid).expect("a clone's id is not 0"),
            pidfd: self.pidfd,
            asks,
            gate,
        })
    }
}

/// A program that runs, or that there is nothing but a word between it and its process.
#[derive(Debug)]
pub(super) struct Runs {
    /// its process
    pub(super) pid: Pid,
    /// the same
    pub(super) pidfd: OwnedFd,
    /// on which its filter asks
    pub(super) asks: Option<OwnedFd>,
    /// the channel for that word
    pub(super) gate: Option<Channel>,
}

const CHANNEL: &str = "the program's channel";

fn ended_early() -> LaunchError {
    LaunchError {
        stage: Stage::Exec,
        errno: 0,
        what: "the program's process ended without a word; was it killed for lack of memory?"
            .to_owned(),
    }
}

/// Everything from the clone to the program; returns why it does not run.
fn become_program(
    plan: &Plan,
    filters: &[Vec<u8>],
    streams: &Streams,
    first: &Channel,
) -> Result<Infallible, LaunchError> {
    // What the first process has is not the program's: the channel to the watcher.
    let mut own = [
        first.as_fd(),
        streams.input.as_fd(),
        streams.output.as_fd(),
        streams.errors.as_fd(),
    ]
    .map(|fd| fd.as_raw_fd());
    syscalls::close_all_but(&mut own).at(Stage::Exec, || "closing descriptors")?;
    if plan.network.of.is_none() {
        let network = network::make()?;
        // One that is gone takes this process with it.
        let _ = first.send(&FromProgram::Network, &[network.as_fd()]);
    }
    let process = &plan.process;
    let image = Image::of(process)?;
    rustix::stdio::dup2_stdin(&streams.input).at(Stage::Exec, || "standard input")?;
    rustix::stdio::dup2_stdout(&streams.output).at(Stage::Exec, || "standard output")?;
    rustix::stdio::dup2_stderr(&streams.errors).at(Stage::Exec, || "standard errors")?;
    restrict::limits(plan)?;
    // Where it is not told, the first process has failed and says why, or is gone.
    let Ok(Some((Word::Enter, groups))) = first.receive() else {
        std::process::exit(127);
    };
    // The ids inside are there by now.
    restrict::become_root(plan.identity.count)?;
    Entrance::from_descriptors(groups)
        .enter()
        .at(Stage::Cgroup, || "entering the job's control groups")?;
    syscalls::new_cgroup_namespace().at(Stage::Namespaces, || "a namespace of control groups")?;
    rustix::process::chdir("/").at(Stage::Root, || "/")?;
    if let Some(bundled) = &plan.bundled {
        bundled::views(bundled)?;
        bundled::priorities(bundled)?;
    }
    restrict::no_way_back(&plan.capabilities)?;
    if plan.records_refused {
        let asks = restrict::apply_asking_filter(plan, filters)?;
        first
            .send(&FromProgram::Asks, &[asks.as_fd()])
            .at(Stage::Restrict, || "the first process is gone")?;
    } else {
        restrict::apply_filters(plan, filters)?;
    }
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(process.umask));
    // Until it is told, the host's root lies over this one, and whatever leads up from the root leads there: nothing that a job or its image
    // names is looked up before.
    let Ok(Some((Word::Run, _))) = first.receive() else {
        std::process::exit(127);
    };
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
    rustix::process::chdir(process.cwd.as_str())
        .at(Stage::WorkingDirectory, || short(&process.cwd))?;
    if plan.held {
        gate::wait(first);
    }
    syscalls::close_on_exec_from(3).at(Stage::Restrict, || "closing descriptors")?;
    if let Some(bundled) = bundled {
        bundled::run_first(bundled)?;
    }
    syscalls::default_signals().at(Stage::Restrict, || "default signals")?;
    image.run()
}

/// What a process becomes, put together before it gives anything up.
pub(super) struct Image {
    argv: Vec<CString>,
    env: Vec<CString>,
    candidates: Vec<CString>,
    name: String,
}

impl Image {
    pub(super) fn of(process: &Process) -> Result<Image, LaunchError> {
        let candidates = candidates(process)?;
        Ok(Image {
            argv: strings(&process.argv)?,
            env: strings(&process.env)?,
            candidates,
            name: short(&process.argv[0]),
        })
    }

    /// Becomes the program; returns why not.
    pub(super) fn run(self) -> Result<Infallible, LaunchError> {
        let mut error = std::io::Error::from_raw_os_error(libc::ENOENT);
        for path in &self.candidates {
            let answer = syscalls::execute(path, &self.argv, &self.env);
            // As a shell does: a file that may not be run is worth more words than one that is not there.
            if error.raw_os_error() == Some(libc::ENOENT) {
                error = answer;
            }
        }
        Err(error).at(Stage::Exec, || format!("program {}", self.name))
    }
}

fn strings(texts: &[String]) -> Result<Vec<CString>, LaunchError> {
    texts
        .iter()
        .map(|text| CString::new(text.as_str()).map_err(|_| wrong("a NUL in the arguments")))
        .collect()
}

fn wrong(what: &str) -> LaunchError {
    LaunchError {
        stage: Stage::Exec,
        errno: libc::EINVAL,
        what: what.to_owned(),
    }
}

/// The files that the program's name may mean, in order.
fn candidates(process: &Process) -> Result<Vec<CString>, LaunchError> {
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
