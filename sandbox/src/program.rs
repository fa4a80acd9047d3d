//! The watcher's program and how it is started.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gradus_jail::channel::Channel;

use crate::seccomp::{self, Policy};

/// A static program, built beside this crate.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gradus-jail"));

/// What tells one build of it from another.
const BUILD: &str = env!("GRADUS_JAIL_BUILD");

/// The program and the seccomp programs that jobs get, as files of the state directory. To make them for each process anew takes as long as
/// half a launch.
#[derive(Debug)]
pub(crate) struct Program {
    program: PathBuf,
    filters: PathBuf,
    step_filters: PathBuf,
}

impl Program {
    /// Puts into `folder` what is not there yet. `filters` makes the programs of a policy.
    pub(crate) fn new<E>(
        folder: &Path,
        filters: impl Fn(&Policy) -> Result<Vec<Vec<u8>>, E>,
    ) -> Result<Program, ProgramError<E>> {
        let program = folder.join(format!("gradus-jail-{BUILD}"));
        if fs::metadata(&program).map_or(true, |meta| meta.len() != PROGRAM.len() as u64) {
            put(&program, PROGRAM, 0o500)?;
        }
        let compiled = |texts: &[&str], policy: fn() -> Policy| {
            let hash = gradus_jail::fnv1a(texts.concat().as_bytes());
            let compiled = folder.join(format!("seccomp-{BUILD}-{hash:016x}"));
            if !compiled.exists() {
                let mut bytes = Vec::new();
                let filters = filters(&policy()).map_err(ProgramError::Filters)?;
                gradus_jail::watcher::write_filters(&mut bytes, &filters)
                    .expect("memory can be written");
                put(&compiled, &bytes, 0o400)?;
            }
            Ok(compiled)
        };
        Ok(Program {
            filters: compiled(&[seccomp::TRAINER], Policy::trainer)?,
            step_filters: compiled(&[seccomp::TRAINER, seccomp::BUILD], Policy::build)?,
            program,
        })
    }

    /// The watcher's program.
    pub(crate) fn path(&self) -> &Path {
        &self.program
    }

    /// Starts a watcher in the job's directory, which holds `lock` while it lives: the process, and the channel on which it reports. `is_step`: of a
    /// build, whose policy is another one.
    pub(crate) fn start(
        &self,
        directory: &Path,
        lock: File,
        is_step: bool,
    ) -> io::Result<(Child, Channel)> {
        let (ours, theirs) = Channel::pair()?;
        let filters = if is_step {
            &self.step_filters
        } else {
            &self.filters
        };
        let child = Command::new(&self.program)
            .current_dir(directory)
            .env_clear()
            .stdin(Stdio::from(theirs.into_fd()))
            .stdout(Stdio::from(File::open(filters)?))
            .stderr(Stdio::from(lock))
            .spawn()?;
        Ok((child, ours))
    }
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
