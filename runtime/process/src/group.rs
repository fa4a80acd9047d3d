//! A process group that ends with its owner.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

/// What a started program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It runs, or somebody has stopped it, who may let it go on.
    Runs,
    /// The kernel has stopped it: it reads from a terminal, or sets one up, which is another group's.
    WantsTerminal,
    /// It has ended.
    Ended,
}

/// A started program, in a process group of its own. Nothing of the group outlives this; the program itself, its leader, is
/// reaped last, so that the group's number stays its own.
pub(crate) struct Group {
    leader: Child,
    reaped: bool,
}

impl Group {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self {
            leader: command.process_group(0).spawn()?,
            reaped: false,
        })
    }

    /// The program, for its pipes.
    pub(crate) fn leader(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// The group's number, which is the program's.
    fn pid(&self) -> Pid {
        Pid::from_child(&self.leader)
    }

    /// What the program does; one that has ended is left to be reaped.
    pub(crate) fn doing(&self) -> io::Result<Doing> {
        let options = WaitIdOptions::EXITED
            | WaitIdOptions::STOPPED
            | WaitIdOptions::NOHANG
            | WaitIdOptions::NOWAIT;
        let terminal = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw);
        Ok(match waitid(WaitId::Pid(self.pid()), options)? {
            None => Doing::Runs,
            Some(status) if status.stopped() => match status.stopping_signal() {
                Some(signal) if terminal.contains(&signal) => Doing::WantsTerminal,
                _ => Doing::Runs,
            },
            Some(_) => Doing::Ended,
        })
    }

    /// Kills what is left of the group, and reaps the program.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        // Fails only if nothing is left to kill.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        self.reaped = true;
        self.leader.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.end();
        }
    }
}
