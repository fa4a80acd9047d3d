//! The watcher's program and how it is started.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gradus_jail::channel::Channel;
use gradus_jail::protocol::Begin;
use sha2::{Digest as _, Sha256};

/// A static program, built beside this crate.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gradus-jail"));

/// How long a program that was just written may still count as being written: whatever this process starts meanwhile has a copy of the
/// descriptor until it runs.
const BUSY_AT_MOST: Duration = Duration::from_secs(1);

/// What tells one build of it from another.
const BUILD: &str = env!("GRADUS_JAIL_BUILD");

/// The program, and the seccomp programs that most jobs get, as files of the state directory. To make them for each process anew takes as
/// long as half a launch.
#[derive(Debug)]
pub(crate) struct Program {
    program: PathBuf,
    filters: PathBuf,
}

/// A watcher without a job: its process, and the channel on which it reports. It ends with the other end of that.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) process: Child,
    pub(crate) report: Channel,
}

impl Program {
    /// Puts into `folder` what is not there yet. `filters` makes the programs for the policy whose text is `policy`.
    pub(crate) fn new<E>(
        folder: &Path,
        policy: &str,
        filters: impl FnOnce() -> Result<Vec<Vec<u8>>, E>,
    ) -> Result<Program, ProgramError<E>> {
        let program = folder.join(format!("gradus-jail-{BUILD}"));
        if fs::metadata(&program).map_or(true, |meta| meta.len() != PROGRAM.len() as u64) {
            put(&program, PROGRAM, 0o500)?;
        }
        Ok(Program {
            program,
            filters: compiled(folder, policy, filters)?,
        })
    }

    /// The watcher's program.
    pub(crate) fn path(&self) -> &Path {
        &self.program
    }

    /// The file with the seccomp programs.
    pub(crate) fn filters(&self) -> &Path {
        &self.filters
    }

    /// Starts a watcher, which waits for its job ([`begin`]).
    pub(crate) fn start(&self) -> io::Result<Idle> {
        let (report, theirs) = Channel::pair()?;
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let until = Instant::now() + BUSY_AT_MOST;
        loop {
            match command.spawn() {
                Err(error)
                    if error.kind() == io::ErrorKind::ExecutableFileBusy
                        && Instant::now() < until =>
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                other => {
                    return Ok(Idle {
                        process: other?,
                        report,
                    });
                }
            }
        }
    }
}

/// The file in `folder` with the seccomp programs of the policy whose text is `policy`.
pub(crate) fn compiled<E>(
    folder: &Path,
    policy: &str,
    filters: impl FnOnce() -> Result<Vec<Vec<u8>>, E>,
) -> Result<PathBuf, ProgramError<E>> {
    // Of a bundle it is a stranger's text.
    let hash = Sha256::digest(policy.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let compiled = folder.join(format!("seccomp-{BUILD}-{hash}"));
    if !compiled.exists() {
        let mut bytes = Vec::new();
        let filters = filters().map_err(ProgramError::Filters)?;
        gradus_jail::watcher::write_filters(&mut bytes, &filters).expect("memory can be written");
        put(&compiled, &bytes, 0o400)?;
    }
    Ok(compiled)
}

/// Gives the watcher at the other end of `channel` the job in `directory`, whose plan is there, with `lock`, which it holds while it lives,
/// and the seccomp programs in the file `filters`.
pub(crate) fn begin(
    channel: &Channel,
    directory: &Path,
    lock: &File,
    filters: &Path,
) -> io::Result<()> {
    let (directory, filters) = (File::open(directory)?, File::open(filters)?);
    let given = [directory.as_fd(), lock.as_fd(), filters.as_fd()];
    channel.send(&Begin {}, &given)
}

/// Why there is no program to start.
#[derive(Debug)]
pub(crate) enum ProgramError<E> {
    /// there are no seccomp programs
    Filters(E),
    /// a file cannot be written
    Io(PathBuf, io::Error),
}

/// Writes a file aside, and renames it: others may use it meanwhile.
fn put<E>(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ProgramError<E>> {
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&aside);
    let written = made
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&aside);
        ProgramError::Io(path.to_owned(), error)
    })
}
