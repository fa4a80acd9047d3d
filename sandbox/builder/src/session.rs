//! What a running build uses, and what is left of one that was killed.
//!
//! ```text
//! builds/lock            held while a build's directory is made or looked for
//! builds/running/ID      what a build uses: locked while it lives
//! builds/caches/HEX      caches of RUN --mount=type=cache
//! ```
//! Its commands are jobs called `build-ID-N`. Their watchers outlive the build, as all do, so whoever comes next ends them.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gradus_image::layer::remove_tree;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::{Sandbox, SandboxError};
use gradus_sandbox::state::StateError;
use rustix::fs::{FlockOperation, flock};

use crate::error::BuildError;

/// A file system in memory that is there on every host.
const MEMORY: &str = "/dev/shm";

/// A build that runs.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    path: PathBuf,
    secrets: PathBuf,
    next: Cell<u32>,
    _lock: File,
}

impl Session {
    pub(crate) fn new(builds: &Path) -> Result<Session, BuildError> {
        let running = builds.join("running");
        make_private(&running)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos() as u64 & 0xff_ffff_ffff;
        let id = format!("{:x}-{nanos:x}", std::process::id());
        let path = running.join(&id);
        let _turn = turn(builds)?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(failed("making", &path))?;
        let lock = File::open(&path).map_err(failed("opening", &path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| failed("locking", &path)(error.into()))?;
        Ok(Session {
            secrets: secrets_of(&id, &path),
            id,
            path,
            next: Cell::new(0),
            _lock: lock,
        })
    }

    /// Its name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn number(&self) -> u32 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    /// A job's name that nobody else has.
    pub(crate) fn job_name(&self) -> String {
        format!("{}{}", prefix(&self.id), self.number())
    }

    /// A new directory, removed with the build.
    pub(crate) fn directory(&self, what: &str) -> Result<PathBuf, BuildError> {
        let path = self.path.join(format!("{what}-{}", self.number()));
        DirBuilder::new()
            .mode(0o755)
            .create(&path)
            .map_err(failed("making", &path))?;
        Ok(path)
    }

    /// A path for a file that is a secret: in memory, where the host has such a place.
    pub(crate) fn secret_path(&self) -> Result<PathBuf, BuildError> {
        make_private(&self.secrets)?;
        Ok(self.secrets.join(self.number().to_string()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now goes with the next sweep.
        let _ = remove_tree(&self.secrets);
        let _ = remove_tree(&self.path);
    }
}

fn prefix(id: &str) -> String {
    format!("build-{id}-")
}

fn secrets_of(id: &str, path: &Path) -> PathBuf {
    match Path::new(MEMORY).is_dir() {
        true => Path::new(MEMORY).join(format!("gradus-build-{id}")),
        false => path.join("secrets"),
    }
}

/// Ends and removes what builds have left that were killed: their jobs, their directories. The jobs' names.
///
/// # Errors
/// The first of what went wrong; all builds were tried.
pub fn sweep(sandbox: &Sandbox) -> Result<Vec<String>, BuildError> {
    let builds = sandbox.state().builds();
    let running = builds.join("running");
    if !running.exists() {
        return Ok(Vec::new());
    }
    let mut dead = Vec::new();
    let turn = turn(&builds)?;
    for entry in fs::read_dir(&running).map_err(failed("listing", &running))? {
        let path = entry.map_err(failed("listing", &running))?.path();
        let Ok(lock) = File::open(&path) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            dead.push((path, lock));
        }
    }
    drop(turn);
    let (mut ended, mut result) = (Vec::new(), Ok(()));
    for (path, lock) in dead {
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        let cleaned = end_jobs(sandbox, &prefix(&id), &mut ended).and_then(|()| {
            let secrets = secrets_of(&id, &path);
            remove_tree(&secrets).map_err(failed("removing", &secrets))?;
            remove_tree(&path).map_err(failed("removing", &path))
        });
        drop(lock);
        result = result.and(cleaned);
    }
    result.map(|()| ended)
}

fn end_jobs(sandbox: &Sandbox, prefix: &str, ended: &mut Vec<String>) -> Result<(), BuildError> {
    let names = sandbox.state().names().map_err(SandboxError::from)?;
    for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
        end_job(sandbox, &name)?;
        ended.push(name);
    }
    Ok(())
}

/// Ends a job and removes it, wherever it is. One that is gone is no error.
pub(crate) fn end_job(sandbox: &Sandbox, name: &str) -> Result<(), BuildError> {
    let steps = [
        &|| sandbox.kill(name, KillReason::Cancelled, Duration::ZERO),
        &|| sandbox.wait(name).map(drop),
        &|| sandbox.remove(name),
    ] as [&dyn Fn() -> Result<(), SandboxError>; 3];
    for step in steps {
        match step() {
            Err(SandboxError::State(StateError::Missing(_))) => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

/// The turn to make or look for builds' directories.
fn turn(builds: &Path) -> Result<File, BuildError> {
    lock_file(&builds.join("lock"), &|| false)
}

/// A file's lock, made where it is not there.
pub(crate) fn lock_file(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<File, BuildError> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(failed("opening", path))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if cancelled() => return Err(BuildError::Cancelled),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOOK_EVERY),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed("locking", path)(error.into())),
        }
    }
}

pub(crate) fn make_private(path: &Path) -> Result<(), BuildError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("making", path))
}

pub(crate) fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.display().to_string();
    move |source| BuildError::Io { step, path, source }
}
