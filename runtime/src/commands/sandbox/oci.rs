//! `gradus sandbox oci`: bundles of the Open Container Initiative, over the same launcher and watcher as `gradus sandbox run`.

mod attend;
mod create;
mod exec;
mod listing;

use super::{CommandError, print};
use crate::cli::sandbox::{DeleteArgs, OciArgs, OciCommand, OciKillArgs};
use crate::exit::Exit;
use gradus_oci::OciError;
use gradus_oci::record::{Container, Containers, Status};
use gradus_oci::{hooks, translate::translate};
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::{Phase, StateError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a program that is about to end may take before it counts as running.
const ENDS_WITHIN: Duration = Duration::from_millis(500);
/// How long what was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The kernel's number of the signal that nobody can refuse.
const SIGKILL: i32 = 9;

/// Where containers are, and their jobs.
struct Runtime<'a> {
    sandbox: &'a Sandbox,
    containers: Containers,
    arguments: &'a OciArgs,
    root: PathBuf,
}

/// Does what the arguments say. Errors are said on one line, as tools read them.
pub(super) fn run(sandbox: &Sandbox, arguments: &OciArgs) -> Result<Exit, CommandError> {
    let done = Runtime::open(sandbox, arguments).and_then(|runtime| runtime.run());
    match done {
        Ok(exit) => Ok(exit),
        Err(error) => Ok(say(arguments, &error)),
    }
}

/// Says what went wrong.
pub(super) fn say(arguments: &OciArgs, error: &dyn std::error::Error) -> Exit {
    let text = chain(error);
    let _ = writeln!(io::stderr(), "error: {text}");
    note(arguments, "error", &text);
    Exit::Failed
}

impl<'a> Runtime<'a> {
    fn open(sandbox: &'a Sandbox, arguments: &'a OciArgs) -> Result<Runtime<'a>, CommandError> {
        let default = || sandbox.state().root().join("oci");
        let root = arguments.root.clone().unwrap_or_else(default);
        Ok(Runtime {
            sandbox,
            containers: Containers::open(&root)?,
            arguments,
            root,
        })
    }

    fn run(&self) -> Result<Exit, CommandError> {
        match &self.arguments.command {
            OciCommand::Create(create) => self.create(create).map(|_| Exit::Done),
            OciCommand::Run(create) => self.run_to_its_end(create),
            OciCommand::Start(id) => self.start(&id.id).map(|()| Exit::Done),
            OciCommand::State(id) => self.state(&id.id),
            OciCommand::Kill(kill) => self.kill(kill),
            OciCommand::Delete(delete) => self.delete(delete),
            OciCommand::Exec(exec) => self.exec(exec),
            OciCommand::Pause(id) => self.pause(&id.id, true),
            OciCommand::Resume(id) => self.pause(&id.id, false),
            OciCommand::List(list) => self.list(list),
            OciCommand::Features => listing::features(),
            OciCommand::Attend(id) => self.attend(&id.id),
        }
    }

    /// Where `container` is in its life, and its first process.
    fn status(&self, container: &Container) -> Result<(Status, Option<i32>), CommandError> {
        let record = match self.sandbox.state().record(&container.job) {
            // Its job is being made, or was never made.
            Err(StateError::Missing(_)) => return Ok((Status::Creating, None)),
            other => other?,
        };
        let pid = record.processes.as_ref().map(|processes| processes.init);
        Ok(match record.phase {
            Phase::Starting => (Status::Creating, None),
            Phase::Running if record.held => (Status::Created, pid),
            Phase::Running if self.containers.is_paused(&container.id) => (Status::Paused, pid),
            Phase::Running => (Status::Running, pid),
            Phase::Ended(_) | Phase::Lost => (Status::Stopped, None),
        })
    }

    /// The container `id`, which is `expected`.
    fn expect(&self, id: &str, expected: Status) -> Result<Container, CommandError> {
        let container = self.containers.find(id)?;
        let (found, _) = self.status(&container)?;
        if found != expected {
            return Err(wrong(id, found, expected.name()).into());
        }
        Ok(container)
    }

    fn start(&self, id: &str) -> Result<(), CommandError> {
        let container = self.expect(id, Status::Created)?;
        let (_, pid) = self.status(&container)?;
        let started = self.sandbox.let_run(&container.job);
        // What is run first inside may fail when the gate is open: the container has been started then, and ended.
        let gone_through = match &started {
            Ok(()) => true,
            Err(_) => !container.hooks.start_container.is_empty(),
        };
        if gone_through {
            let state = container.state(Status::Running, pid);
            if let Err(error) = hooks::run("poststart", &container.hooks.poststart, &state) {
                self.end(&container)?;
                return Err(error.into());
            }
        }
        Ok(started?)
    }

    fn state(&self, id: &str) -> Result<Exit, CommandError> {
        let container = self.containers.find(id)?;
        let (status, pid) = self.status(&container)?;
        print(&(container.state(status, pid) + "\n"))?;
        Ok(Exit::Done)
    }

    fn kill(&self, arguments: &OciKillArgs) -> Result<Exit, CommandError> {
        let container = self.containers.find(&arguments.id)?;
        let signal = signal(&arguments.signal)
            .ok_or_else(|| refused("kill", format!("{:?} is no signal", arguments.signal)))?;
        if arguments.all && signal != SIGKILL {
            let why = "only KILL reaches all of a job's processes";
            return Err(refused("--all", why).into());
        }
        match self.status(&container)?.0 {
            Status::Created | Status::Running | Status::Paused => {}
            other => return Err(wrong(&container.id, other, "created or running").into()),
        }
        self.sandbox.signal(&container.job, signal)?;
        if signal == SIGKILL {
            self.is_over_within(&container, GONE_WITHIN)?;
        }
        Ok(Exit::Done)
    }

    fn delete(&self, arguments: &DeleteArgs) -> Result<Exit, CommandError> {
        let container = match self.containers.find(&arguments.id) {
            Err(OciError::Missing(_)) if arguments.force => {
                // Half of one may be there.
                let _ = self.containers.remove(&arguments.id);
                return Ok(Exit::Done);
            }
            other => other?,
        };
        match self.status(&container)?.0 {
            Status::Stopped => {}
            Status::Created | Status::Creating => self.end(&container)?,
            Status::Running | Status::Paused if arguments.force => self.end(&container)?,
            found => {
                if !self.is_over_within(&container, ENDS_WITHIN)? {
                    return Err(wrong(&container.id, found, "stopped").into());
                }
            }
        }
        self.forget(&container)?;
        Ok(Exit::Done)
    }

    fn pause(&self, id: &str, pause: bool) -> Result<Exit, CommandError> {
        let expected = if pause {
            Status::Running
        } else {
            Status::Paused
        };
        let container = self.expect(id, expected)?;
        self.sandbox.pause(&container.job, pause)?;
        self.containers.set_paused(id, pause)?;
        Ok(Exit::Done)
    }

    /// Ends the job of `container`, whatever it does.
    fn end(&self, container: &Container) -> Result<(), CommandError> {
        let ended = self
            .sandbox
            .kill(&container.job, KillReason::Cancelled, Duration::ZERO);
        match ended {
            Err(SandboxError::State(StateError::Missing(_))) => return Ok(()),
            other => other?,
        }
        self.is_over_within(container, GONE_WITHIN)?;
        Ok(())
    }

    /// Whether the job of `container` has ended by then.
    fn is_over_within(
        &self,
        container: &Container,
        within: Duration,
    ) -> Result<bool, CommandError> {
        let until = Instant::now() + within;
        loop {
            match self.sandbox.state().record(&container.job) {
                Err(StateError::Missing(_)) => return Ok(true),
                Ok(record) if matches!(record.phase, Phase::Ended(_) | Phase::Lost) => {
                    return Ok(true);
                }
                other => drop(other?),
            }
            if Instant::now() > until {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Removes the container and its job, which has ended, and runs what is run then.
    fn forget(&self, container: &Container) -> Result<(), CommandError> {
        match self.sandbox.remove(&container.job) {
            Err(SandboxError::State(StateError::Missing(_))) => {}
            other => other?,
        }
        self.containers.remove(&container.id)?;
        let state = container.state(Status::Stopped, None);
        hooks::run("poststop", &container.hooks.poststop, &state)?;
        Ok(())
    }
}

fn refused(property: impl Into<String>, why: impl Into<String>) -> OciError {
    OciError::Refused {
        property: property.into(),
        why: why.into(),
    }
}

fn wrong(id: &str, found: Status, expected: &'static str) -> OciError {
    OciError::Status {
        id: id.to_owned(),
        found: found.name(),
        expected,
    }
}

/// Descriptors from 3 on that whoever started this has left open, of so many.
fn open_descriptors(wanted: u32) -> u32 {
    let is_open = |fd: &u32| Path::new(&format!("/proc/self/fd/{fd}")).exists();
    // Those of this process's own are closed by any program that it runs; what was passed on is not.
    let passed_on = |fd: &u32| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
        flags.is_some_and(|flags| flags & CLOSED_ON_EXEC == 0)
    };
    let last = 3u32.saturating_add(wanted.min(4096));
    (3..last).filter(is_open).filter(passed_on).count() as u32
}

/// The kernel's flag of a descriptor that a new program does not get, as `fdinfo` shows it (`O_CLOEXEC`).
const CLOSED_ON_EXEC: u32 = 0o2_000_000;

fn no_descriptors(wanted: u32) -> Result<(), CommandError> {
    match open_descriptors(wanted) {
        0 => Ok(()),
        open => {
            let why = format!("{open} are open, and no job is given any of its caller's");
            Err(refused(format!("--preserve-fds {wanted}"), why).into())
        }
    }
}

/// A signal by name or number.
fn signal(text: &str) -> Option<i32> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    if let Ok(number) = text.parse::<i32>() {
        return (1..=31).contains(&number).then_some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let index = NAMES.iter().position(|known| *known == name)?;
    Some(index as i32 + 1)
}

/// Adds a line to the file that the arguments name. One that cannot be written keeps nothing from being done.
fn note(arguments: &OciArgs, level: &str, text: &str) {
    let Some(path) = &arguments.log else { return };
    let line = if arguments.log_format == "json" {
        serde_json::json!({ "level": level, "msg": text }).to_string()
    } else {
        format!("{level}: {text}")
    };
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{line}");
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text.replace('\n', "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("9", 9),
            ("TERM", 15),
            ("SIGUSR1", 10),
            ("sys", 31),
            ("io", 29),
        ] {
            assert_eq!(signal(text), Some(number), "{text}");
        }
        for wrong in ["0", "32", "-1", "", "NOSUCH", "SIG"] {
            assert_eq!(signal(wrong), None, "{wrong}");
        }
    }
}
