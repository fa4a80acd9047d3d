//! The watcher of one job, outside: applies its plan, keeps its output, ends it in time, says how it ended.
//!
//! One process a job, so that the supervisor can die and come back: everything about a running job is here, in its control group, and in
//! its directory:
//!
//! | file | what |
//! |---|---|
//! | `plan.json` | the plan, written by the supervisor |
//! | `journal` | a line of JSON for each state that the job has reached, whatever else this process has to say, and the lock it holds |
//! | `log.*` | its output ([`logs`]) |
//! | `refused.json` | the system calls that it was refused, where that is asked for ([`refusals`]) |
//! | `control` | the socket on which this process takes requests ([`crate::protocol`]) |

mod ending;
mod launch;
mod listener;
pub mod logs;
pub(crate) mod mounts;
mod neighbour;
pub mod refusals;
mod serve;

pub(crate) use launch::no_namespaces;
pub use launch::process_start_ticks;
pub use listener::{answers_at, connect_to};

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use crate::channel::Channel;
use crate::outcome::{LaunchError, Outcome, Stage, Usage};
use crate::plan::{Plan, VERSION};
use crate::protocol::{Begin, Ended, Report};
use crate::step::At;

/// Names of the files in a job's directory.
pub const PLAN_FILE: &str = "plan.json";
/// See [`PLAN_FILE`].
pub const JOURNAL_FILE: &str = "journal";
/// See [`PLAN_FILE`].
pub const CONTROL_FILE: &str = "control";

/// Where the kernel says which boot this is.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Which boot of the host this is: process ids and start times of another one are other processes'.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID_FILE)?.trim_end().to_owned())
}

/// Runs the job that comes on `report`, the channel to whoever started this.
pub fn run(report: OwnedFd) -> io::Result<()> {
    let report = Channel::from(report);
    rustix::process::setsid().ok();
    let Some((Begin {}, given)) = report.receive()? else {
        // There is no job, or nobody any more who wants one.
        return Ok(());
    };
    let Ok([directory, lock, filters]) = <[OwnedFd; 3]>::try_from(given) else {
        return Err(io::Error::other(
            "a job without a directory, a lock and filters",
        ));
    };
    rustix::process::fchdir(&directory)?;
    rustix::stdio::dup2_stdout(&filters)?;
    rustix::stdio::dup2_stderr(&lock)?;
    drop((directory, lock));
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let prepared = prepare(filters);
    let launched = prepared.and_then(|(plan, filters)| {
        let listen = || listener::listen().at(Stage::Watcher, || CONTROL_FILE);
        let (running, listener) = launch::launch(&plan, &filters, &report, listen)?;
        let identity = running.identity.clone();
        let started = if running.held {
            Report::Held(identity)
        } else {
            Report::Started(identity)
        };
        match journal(&started).at(Stage::Watcher, || here(JOURNAL_FILE)) {
            Ok(()) => Ok((plan, filters, listener, running, started)),
            // What nobody would find again must not run.
            Err(error) => Err(ending::undo(running, error)),
        }
    });
    match launched {
        Ok((plan, filters, listener, mut running, started)) => {
            // Whoever started this may be gone: the job is run all the same. A proxy's socket is theirs alone, and closed with them.
            let proxy = running.proxy.take();
            let descriptors: Vec<_> = proxy.iter().map(AsFd::as_fd).collect();
            let _ = report.send(&started, &descriptors);
            drop(proxy);
            let pidfd = running.pidfd.try_clone()?;
            let refusals = running
                .refused
                .take()
                .zip(filters.first())
                .map(|(asks, filter)| refusals::Listener::new(asks, filter));
            match serve::serve(&plan, running, &listener, &report, refusals) {
                Ok(Some(outputs)) => outputs.hand_over(&listener),
                Ok(None) => let_go(report),
                Err(error) => {
                    let ended = Report::Ended(ending::abandon(&plan, &pidfd, &error));
                    // What is not written down is told by this process's end: the job is lost then.
                    if journal(&ended).is_ok() {
                        let _ = report.send(&ended, &[]);
                    }
                    Err(error)
                }
            }
        }
        Err(error) => {
            let ended = Ended {
                outcome: Outcome::LaunchFailed { error },
                usage: Usage::default(),
                left: Vec::new(),
            };
            let ended = Report::Ended(ended);
            // Said even if it cannot be written down.
            let _ = report.send(&ended, &[]);
            journal(&ended)
        }
    }
}

/// Lets go of the job's lock and of whoever started this, in this order: there is nothing left to do, and to end takes the kernel as long as
/// they need to remove the job.
fn let_go(report: Channel) -> io::Result<()> {
    let nothing = File::open("/dev/null")?;
    rustix::stdio::dup2_stderr(&nothing)?;
    rustix::stdio::dup2_stdin(&nothing)?;
    drop(report);
    Ok(())
}

fn prepare(filters: OwnedFd) -> Result<(Plan, Vec<Vec<u8>>), LaunchError> {
    let text = fs::read(PLAN_FILE).at(Stage::Plan, || PLAN_FILE)?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(io::Error::other)
        .at(Stage::Plan, || PLAN_FILE)?;
    if plan.version != VERSION {
        let what = format!(
            "{PLAN_FILE} is version {}, expected {VERSION}: it was written by another gradus",
            plan.version
        );
        return Err(LaunchError {
            stage: Stage::Plan,
            errno: 0,
            what,
        });
    }
    let filters = read_filters(File::from(filters)).at(Stage::Plan, || "seccomp programs")?;
    if plan.seccomp.is_some() == filters.is_empty() {
        let what = format!(
            "plan's seccomp policy is {:?}, but {} programs came along",
            plan.seccomp,
            filters.len()
        );
        return Err(LaunchError {
            stage: Stage::Plan,
            errno: 0,
            what,
        });
    }
    Ok((plan, filters))
}

/// A file of the job's directory, for people.
fn here(file: &str) -> String {
    let directory = std::env::current_dir().unwrap_or_default();
    directory.join(file).display().to_string()
}

/// Appends a state to the journal. A line is written whole or, where the machine stops meanwhile, is not a line.
fn journal(state: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(state).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(JOURNAL_FILE)?;
    if file.metadata()?.len() > 0 {
        // A torn line before it must not swallow it.
        line.insert(0, b'\n');
    }
    file.write_all(&line)
}

/// Writes seccomp programs as [`run`] reads them: for each its length in bytes, u32 little-endian, and itself.
pub fn write_filters(mut file: impl Write, programs: &[Vec<u8>]) -> io::Result<()> {
    for program in programs {
        file.write_all(&(program.len() as u32).to_le_bytes())?;
        file.write_all(program)?;
    }
    Ok(())
}

fn read_filters(file: File) -> io::Result<Vec<Vec<u8>>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    // By position: every job of a supervisor is given the same file.
    file.read_exact_at(&mut bytes, 0)?;
    let mut rest = &bytes[..];
    let mut programs = Vec::new();
    while !rest.is_empty() {
        let mut length = [0; 4];
        rest.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        let (program, others) = rest.split_at_checked(length).ok_or_else(|| {
            io::Error::other(format!(
                "a program of {length} bytes, {} are there",
                rest.len()
            ))
        })?;
        programs.push(program.to_vec());
        rest = others;
    }
    Ok(programs)
}
