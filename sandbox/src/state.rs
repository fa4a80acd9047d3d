//! The directory of all jobs: names, user ids, journals, and whether a watcher lives.
//!
//! ```text
//! jobs/NAME/      a job: plan, journal, output, control socket (gradus_jail::watcher)
//! ids/NUMBER      a range of user ids that is taken, with the name of the job that has it
//! store/          outputs that were taken, by digest ([`crate::store`])
//! templates/      empty file systems by size, copied for each job ([`crate::scratch`])
//! ```
//! Several processes may use one directory: a name and a range are taken by making a file that must not exist, and a job's watcher holds a
//! lock for as long as it lives, however it ends.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gradus_jail::plan::{Identity, Plan};
use gradus_jail::protocol::{Ended, Identity as Processes, Report};
use gradus_jail::watcher::{JOURNAL_FILE, PLAN_FILE};
use rustix::fs::{FlockOperation, flock};

/// Held by a job's watcher, and takes what it says of itself.
pub(crate) const LOCK_FILE: &str = "watcher.errors";

/// The first user id on the host that jobs get. Below it are people and services.
pub(crate) const FIRST_ID: u32 = 524_288;
/// Letters of a job's name at most: with what makes a control group's name of it, those are 64.
const NAME_MAX: usize = 46;
/// Ids of one job.
pub(crate) const IDS: u32 = 65_536;
/// Jobs at the same time.
const RANGES: u32 = 16_384;

/// Why the state directory cannot be used as it is, or a job in it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A name that no job can have.
    #[error(
        "job name {0:?}: lower-case letters, digits and `-` are expected, at most {NAME_MAX}, the first a letter or digit"
    )]
    Name(String),
    /// There is one already.
    #[error(
        "job {0:?} exists already; help: choose another name, or remove it with `gradus sandbox gc`"
    )]
    Exists(String),
    /// There is none.
    #[error("there is no job {0:?}; help: `gradus sandbox ps --all` lists them")]
    Missing(String),
    /// Somebody else could read or change it.
    #[error(
        "{path} belongs to user {owner} with mode {mode:o}, expected this user ({user}) and 700; help: choose another directory or correct it"
    )]
    Foreign {
        /// the directory
        path: PathBuf,
        /// its owner
        owner: u32,
        /// its permissions
        mode: u32,
        /// who asks
        user: u32,
    },
    /// All ranges of ids are taken.
    #[error(
        "all {RANGES} ranges of user ids are taken; help: remove jobs that have ended with `gradus sandbox gc`"
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
    /// its processes, once its program runs
    pub processes: Option<Processes>,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// its watcher lives, its program does not run yet
    Starting,
    /// its program runs
    Running,
    /// it has ended; its watcher lives if it has outputs that nobody has taken
    Ended(Ended),
    /// its watcher died before it
    Lost,
}

impl State {
    /// Opens the directory `root`, made where it is not there.
    pub fn open(root: &Path) -> Result<State, StateError> {
        let private = |path: &Path| {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(io_error(path))
        };
        private(root)?;
        let meta = fs::metadata(root).map_err(io_error(root))?;
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user || meta.mode() & 0o077 != 0 {
            return Err(StateError::Foreign {
                path: root.to_owned(),
                owner: meta.uid(),
                mode: meta.mode() & 0o7777,
                user,
            });
        }
        private(&root.join("jobs"))?;
        private(&root.join("ids"))?;
        private(&root.join("templates"))?;
        Ok(State {
            root: root.canonicalize().map_err(io_error(root))?,
        })
    }

    /// The directory of the job `name`.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.join("jobs").join(name)
    }

    /// Where outputs that were taken lie, by digest.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
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

    /// Takes the name, and makes the job's directory with its lock, which is held as long as the file is open anywhere.
    pub(crate) fn create(&self, name: &str) -> Result<(PathBuf, File), StateError> {
        let well_formed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty()
            || name.len() > NAME_MAX
            || name.starts_with('-')
            || !name.bytes().all(well_formed)
        {
            return Err(StateError::Name(name.to_owned()));
        }
        let directory = self.directory(name);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StateError::Exists(name.to_owned()));
            }
            other => other.map_err(io_error(&directory))?,
        }
        let path = directory.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io_error(&path)(error.into()))?;
        Ok((directory, lock))
    }

    /// A range of ids for the job `name` that no other job has.
    pub(crate) fn take_ids(&self, name: &str) -> Result<Identity, StateError> {
        // Not always from the start: with many jobs the first are taken.
        let start = rustix::process::getpid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
            % 64;
        for range in (0..RANGES).map(|range| (range + start) % RANGES) {
            let path = self.root.join("ids").join(range.to_string());
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                Ok(mut file) => {
                    file.write_all(name.as_bytes()).map_err(io_error(&path))?;
                    let first = FIRST_ID + range * IDS;
                    return Ok(Identity {
                        uid: first,
                        gid: first,
                        count: IDS,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(&path)(error)),
            }
        }
        Err(StateError::Ids)
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

    /// The lock of a job whose watcher is gone; none while it lives.
    pub(crate) fn lock(&self, name: &str) -> Result<Option<File>, StateError> {
        let path = self.directory(name).join(LOCK_FILE);
        let lock = match OpenOptions::new().append(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StateError::Missing(name.to_owned()));
            }
            other => other.map_err(io_error(&path))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(io_error(&path)(error.into())),
        }
    }

    /// The lock of a job whose watcher is about to go: waits for that.
    pub(crate) fn lock_when_free(&self, name: &str) -> Result<File, StateError> {
        let path = self.directory(name).join(LOCK_FILE);
        let lock = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(io_error(&path))?;
        rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockExclusive))
            .map_err(|error| io_error(&path)(error.into()))?;
        Ok(lock)
    }

    /// What is known of the job `name`.
    pub fn record(&self, name: &str) -> Result<Record, StateError> {
        // Before the journal: a watcher that ends in between has written its last line.
        let lives = self.lock(name)?.is_none();
        let (mut processes, mut ended) = (None, None);
        for report in self.journal(name)? {
            match report {
                Report::Started(identity) => processes = Some(identity),
                Report::Ended(end) => ended = Some(end),
            }
        }
        let phase = match (ended, lives, &processes) {
            (Some(ended), _, _) => Phase::Ended(ended),
            (None, false, _) => Phase::Lost,
            (None, true, None) => Phase::Starting,
            (None, true, Some(_)) => Phase::Running,
        };
        Ok(Record {
            name: name.to_owned(),
            phase,
            processes,
        })
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
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| io_error(&path)(io::Error::other(error))),
        }
    }

    /// Forgets the job `name`, whose watcher is gone and whose `lock` this is: its ids are free and its directory is gone.
    pub(crate) fn remove(&self, name: &str, lock: File) -> Result<(), StateError> {
        let directory = self.directory(name);
        // The lock's file goes last, so that a job that is half removed is still one.
        for entry in fs::read_dir(&directory).map_err(io_error(&directory))? {
            let path = entry.map_err(io_error(&directory))?.path();
            if path.file_name().is_some_and(|name| name != LOCK_FILE) {
                let removed = if path.is_dir() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
                removed.map_err(io_error(&path))?;
            }
        }
        let ids = self.root.join("ids");
        for entry in fs::read_dir(&ids).map_err(io_error(&ids))? {
            let path = entry.map_err(io_error(&ids))?.path();
            if fs::read(&path).is_ok_and(|holder| holder == name.as_bytes()) {
                fs::remove_file(&path).map_err(io_error(&path))?;
            }
        }
        let path = directory.join(LOCK_FILE);
        fs::remove_file(&path).map_err(io_error(&path))?;
        fs::remove_dir(&directory).map_err(io_error(&directory))?;
        drop(lock);
        Ok(())
    }
}
