//! The watcher's program and how it is started.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gradus_jail::channel::Channel;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A static program, built beside this crate.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gradus-jail"));

/// The program in memory, and the seccomp programs that jobs get.
#[derive(Debug)]
pub(crate) struct Program {
    program: OwnedFd,
    filters: OwnedFd,
}

impl Program {
    pub(crate) fn new(filters: &[Vec<u8>]) -> io::Result<Program> {
        let mut written = Vec::new();
        gradus_jail::watcher::write_filters(&mut written, filters)?;
        Ok(Program {
            program: sealed("gradus-jail", PROGRAM)?,
            filters: sealed("gradus-seccomp", &written)?,
        })
    }

    /// Starts a watcher in the job's directory, which holds `lock` while it lives: the process, and the channel on which it reports.
    pub(crate) fn start(&self, directory: &Path, lock: File) -> io::Result<(Child, Channel)> {
        let (ours, theirs) = Channel::pair()?;
        let child = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()))
            .current_dir(directory)
            .env_clear()
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::from(self.filters.try_clone()?))
            .stderr(Stdio::from(lock))
            .spawn()?;
        Ok((child, ours))
    }
}

/// `bytes` in memory, which nobody can change any more: whoever runs a job must not be able to write to what runs the next.
fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    fcntl_add_seals(
        file.as_fd(),
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok(file.into())
}
