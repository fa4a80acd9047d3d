//! A process group that ends with its owner.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

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

    /// Whether the program has ended; leaves it to be reaped.
    pub(crate) fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid()), options)?.is_some())
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
