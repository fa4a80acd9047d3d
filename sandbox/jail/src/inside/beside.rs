//! Programs that are run beside a bundle's own: children of the first process, which has given up all that the job's program has.
//!
//! They are user 0 of the job without capabilities, as that process is, so they are run only beside a program that is no less.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;

use super::program::Image;
use super::{reaped, restrict, status_of};
use crate::channel::Channel;
use crate::outcome::{LaunchError, Stage};
use crate::plan::Plan;
use crate::protocol::{Beside, FromInside, Status};
use crate::step::{At, short};
use crate::syscalls::{self, Cloned};

/// As [`super::watch`], and runs what the watcher sends meanwhile.
pub(super) fn watch(program: Pid, plan: &Plan, channel: &Channel) -> std::io::Result<()> {
    let signals = syscalls::signal_descriptor()?;
    let mut running: Vec<(Pid, u64)> = Vec::new();
    loop {
        while let Some((pid, status)) = reaped()? {
            let status = status_of(&status);
            if pid == program {
                return channel.send(&FromInside::Ended(status), &[]);
            }
            if let Some(index) = running.iter().position(|(beside, _)| *beside == pid) {
                let (_, id) = running.swap_remove(index);
                channel.send(&FromInside::EndedBeside { id, status }, &[])?;
            }
        }
        let mut polled = [signals.as_fd(), channel.as_fd()]
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        rustix::io::retry_on_intr(|| poll(&mut polled, None))?;
        let [signal, word] = polled.map(|fd| !fd.revents().is_empty());
        if signal {
            syscalls::signal_from(signals.as_fd())?;
        }
        if word {
            let Some((beside, streams)) = channel.receive::<Beside>()? else {
                return Err(std::io::Error::other("the watcher is gone"));
            };
            let id = beside.id;
            match start(beside, streams, plan)? {
                Some(pid) => running.push((pid, id)),
                None => {
                    let status = Status::Exited(126);
                    channel.send(&FromInside::EndedBeside { id, status }, &[])?;
                }
            }
        }
    }
}

/// Its process; none where it is not to be run here.
fn start(beside: Beside, streams: Vec<OwnedFd>, plan: &Plan) -> std::io::Result<Option<Pid>> {
    let Ok(streams) = <[OwnedFd; 3]>::try_from(streams) else {
        return Ok(None);
    };
    if (plan.process.uid, plan.process.gid) != (0, 0) {
        return Ok(None);
    }
    match syscalls::clone_behind_filters()? {
        Cloned::Parent(pid) => Ok(Pid::from_raw(pid)),
        Cloned::Child => {
            let error = match become_it(&beside, &streams, plan) {
                Ok(never) => match never {},
                Err(error) => error,
            };
            let _ = rustix::io::write(&streams[2], format!("{error}\n").as_bytes());
            std::process::exit(127)
        }
    }
}

fn become_it(
    beside: &Beside,
    streams: &[OwnedFd; 3],
    plan: &Plan,
) -> Result<Infallible, LaunchError> {
    let process = &beside.process;
    let image = Image::of(process)?;
    rustix::process::setsid().at(Stage::Exec, || "a session of its own")?;
    rustix::stdio::dup2_stdin(&streams[0]).at(Stage::Exec, || "standard input")?;
    rustix::stdio::dup2_stdout(&streams[1]).at(Stage::Exec, || "standard output")?;
    rustix::stdio::dup2_stderr(&streams[2]).at(Stage::Exec, || "standard errors")?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(process.umask));
    restrict::limits(plan)?;
    rustix::process::chdir(process.cwd.as_str())
        .at(Stage::WorkingDirectory, || short(&process.cwd))?;
    syscalls::close_on_exec_from(3).at(Stage::Restrict, || "closing descriptors")?;
    syscalls::default_signals().at(Stage::Restrict, || "default signals")?;
    image.run()
}
