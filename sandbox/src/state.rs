//! The directory of all jobs: names, user ids, journals, and whether a watcher lives.
//!
//! ```text
//! jobs/NAME/      a job: plan, journal, output, control socket (gradus_jail::watcher)
//! ids/NUMBER      a range of user ids that is taken: another name of the journal of the job that has it (for the whole host, a link in
//!                 /run/gradus/ids says so)
//! store/          outputs that were taken, by digest ([`crate::store`])
//! images/         images and layers; builds/: what builds use and keep (gradus-image, gradus-builder)
//! templates/      empty file systems by size, copied for each job ([`crate::scratch`])
//! new/, gone/     jobs' directories that are being made, or removed
//! ```
//! Several processes may use one directory, and each may be killed at any time. A job's watcher holds a lock for as long as it lives, however
//! it ends; whoever starts a job holds it from before the job can be seen until the watcher has it. Others only look whether it is held.
//! Whoever recovers or removes a job holds the lock of its directory meanwhile.

mod boot;
mod ids;
mod life;

pub(crate) use boot::is_of_another_boot;
pub(crate) use life::Claim;

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gradus_jail::outcome::Outcome;
use gradus_jail::plan::Plan;
use gradus_jail::protocol::{Ended, Identity as Processes, Report};
use gradus_jail::watcher::{JOURNAL_FILE, PLAN_FILE};
use rustix::fs::{FlockOperation, flock};

use crate::plan::has_outputs;
use crate::private::{self, PrivateError};

/// Held by a job's watcher, and takes what it says of itself: lines that are no states. Not a file of its own, since to make and to remove one
/// is among what takes longest in a launch.
pub(crate) const LOCK_FILE: &str = JOURNAL_FILE;

/// The first user id on the host that jobs get. Below it are people and services.
pub(crate) const FIRST_ID: u32 = 524_288;
/// Letters of a job's name at most: with what makes a control group's name of it, those are 64.
const NAME_MAX: usize = 46;
/// Ids of one job.
pub(crate) const IDS: u32 = 65_536;
/// Jobs at the same time.
const RANGES: u32 = 16_384;

/// Whether a job can be called so.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let well_formed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= NAME_MAX
        && !text.starts_with('-')
        && text.bytes().all(well_formed)
}

/// Why the state directory cannot be used as it is, or a job in it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A name that no job can have.
    #[error(
        "job name {0:?}: lower-case letters, digits and `-` are expected, at most {NAME_MAX}, the first no `-`"
    )]
    Name(String),
    /// There is one already.
    #[error(
        "job {0:?} exists already\nhelp: choose another name, or remove it with `gradus sandbox gc`"
    )]
    Exists(String),
    /// There is none.
    #[error("there is no job {0:?}\nhelp: `gradus sandbox ps --all` lists them")]
    Missing(String),
    /// About the directory itself.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// All ranges of ids are taken.
    #[error(
        "all {RANGES} ranges of user ids are taken\nhelp: remove jobs that have ended with `gradus sandbox gc`"
    )]
    Ids,
    /// A file cannot be read or written.
    #[error("{path}")]
    Io {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

fn io_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StateError {
    move |source| StateError::Io {
        path: path.into(),
        source,
    }
}

/// A directory of jobs.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

/// What is known of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// its name
    pub name: String,
    /// where it is
    pub phase: Phase,
    /// whether its program waits to be started, with everything else done ([`crate::bundle`])
    pub held: bool,
    /// its processes, once its program runs
    pub processes: Option<Processes>,
    /// whether it has ended and its outputs wait to be taken: they are gone when it is removed
    pub outputs_wait: bool,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// its watcher lives, its program does not run yet
    Starting,
    /// its program runs, or waits to be started
    Running,
    /// it has ended; its watcher lives if it has outputs that nobody has taken
    Ended(Ended),
    /// its watcher died before it
    Lost,
}

impl State {
    /// Opens the directory `root`, made where it is not there.
    pub fn open(root: &Path) -> Result<State, StateError> {
        private::make(root, &["jobs", "ids", "templates", "new", "gone"])?;
        Ok(State {
            root: root.canonicalize().map_err(io_error(root))?,
        })
    }

    /// The state directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the job `name`.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.join("jobs").join(name)
    }

    /// Where the job `name` writes, if that is a directory.
    pub(crate) fn scratch_directory(&self, name: &str) -> PathBuf {
        self.directory(name).join(life::SCRATCH)
    }

    /// Where outputs that were taken lie, by digest.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Where images and their layers lie, by digest.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Where builds keep what is theirs: caches, and what a running one uses.
    pub fn builds(&self) -> PathBuf {
        self.root.join("builds")
    }

    /// The control group's name for the job `name`: no other state directory's job has it.
    pub(crate) fn group_name(&self, name: &str) -> String {
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        format!("gradus-{:010x}-{name}", hasher.finish() >> 24)
    }

    /// Where file systems lie that are copied for jobs.
    pub(crate) fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// Names of all jobs, sorted.
    pub fn names(&self) -> Result<Vec<String>, StateError> {
        let path = self.root.join("jobs");
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(io_error(&path))? {
            names.extend(entry.map_err(io_error(&path))?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn open_lock(&self, name: &str) -> Result<File, StateError> {
        let path = self.directory(name).join(LOCK_FILE);
        match OpenOptions::new().append(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StateError::Missing(name.to_owned()))
            }
            other => other.map_err(io_error(path)),
        }
    }

    /// Whether the job's watcher lives, or whoever is about to start it.
    pub(crate) fn watcher_lives(&self, name: &str) -> Result<bool, StateError> {
        is_held(&self.open_lock(name)?)
            .map_err(|error| io_error(self.directory(name).join(LOCK_FILE))(error))
    }

    /// What is known of the job `name`.
    pub fn record(&self, name: &str) -> Result<Record, StateError> {
        self.record_and_life(name).map(|(record, _)| record)
    }

    /// What is known of the job `name`, and whether its watcher lives, or whoever is about to start it.
    pub(crate) fn record_and_life(&self, name: &str) -> Result<(Record, bool), StateError> {
        let path = self.directory(name).join(LOCK_FILE);
        let lock = self.open_lock(name)?;
        // Before the journal: a watcher that ends in between has written its last line.
        let lives = is_held(&lock).map_err(io_error(&path))?;
        let (mut processes, mut ended, mut held) = (None, None, false);
        for report in self.journal(name)? {
            match report {
                Report::Started(identity) => (processes, held) = (Some(identity), false),
                Report::Held(identity) => (processes, held) = (Some(identity), true),
                Report::Ended(end) => ended = Some(end),
            }
        }
        // Whoever holds that lock now is none of its processes.
        let lives = lives && !processes.as_ref().is_some_and(is_of_another_boot);
        let outputs_wait = lives && self.has_outputs(name, ended.as_ref());
        let phase = match (ended, lives, &processes) {
            (Some(ended), _, _) => Phase::Ended(ended),
            (None, false, _) => Phase::Lost,
            (None, true, None) => Phase::Starting,
            (None, true, Some(_)) => Phase::Running,
        };
        // All of that was of one job, if it is still there: another one of its name has another file.
        let same = lock.metadata().map_err(io_error(&path))?.ino();
        if fs::metadata(&path).map(|meta| meta.ino()).ok() != Some(same) {
            return Err(StateError::Missing(name.to_owned()));
        }
        let record = Record {
            name: name.to_owned(),
            held: held && phase == Phase::Running,
            phase,
            processes,
            outputs_wait,
        };
        Ok((record, lives))
    }

    /// Whether a job that has ended so was to have outputs, or to keep what it wrote to its root.
    fn has_outputs(&self, name: &str, ended: Option<&Ended>) -> bool {
        let launched =
            ended.is_some_and(|ended| !matches!(ended.outcome, Outcome::LaunchFailed { .. }));
        launched
            && matches!(self.plan(name), Ok(Some(plan)) if plan.keeps_root || has_outputs(&plan))
    }

    fn journal(&self, name: &str) -> Result<Vec<Report>, StateError> {
        let path = self.directory(name).join(JOURNAL_FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(io_error(&path))?,
        };
        // A line without an end is a state that was not reached.
        Ok(text
            .split_inclusive(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line.strip_suffix(b"\n")?).ok())
            .collect())
    }

    /// Adds the end of a job whose watcher could not say it.
    pub(crate) fn append(&self, name: &str, report: &Report) -> Result<(), StateError> {
        let path = self.directory(name).join(JOURNAL_FILE);
        let mut line = serde_json::to_vec(report).expect("reports are plain data");
        // A torn line before it must not swallow it.
        line.insert(0, b'\n');
        line.push(b'\n');
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path);
        file.and_then(|mut file| file.write_all(&line))
            .map_err(io_error(&path))
    }

    /// The plan of the job `name`, if it got that far.
    pub fn plan(&self, name: &str) -> Result<Option<Plan>, StateError> {
        let path = self.directory(name).join(PLAN_FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path)(error)),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                io_error(&path)(io::Error::new(io::ErrorKind::InvalidData, error))
            }),
        }
    }

    /// Writes the plan of the job `name`: whole, or not at all.
    pub(crate) fn write_plan(&self, name: &str, plan: &Plan) -> Result<(), StateError> {
        let path = self.directory(name).join(PLAN_FILE);
        let aside = path.with_extension("tmp");
        let text = serde_json::to_vec_pretty(plan).expect("plans are plain data");
        fs::write(&aside, text)
            .and_then(|()| fs::rename(&aside, &path))
            .map_err(io_error(path))
    }
}

/// Whether somebody holds the lock. Looking disturbs nobody else who looks, and is over when this returns.
fn is_held(lock: &File) -> io::Result<bool> {
    match flock(lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => flock(lock, FlockOperation::Unlock)
            .map(|()| false)
            .map_err(io::Error::from),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
