//! Who has which GPU.
//!
//! ```text
//! held/UUID           a hold: which job has the GPU, and what was in use of it before
//! quarantine/UUID     why nobody gets it
//! leases/UUID.lock    locks of evaluations, which take GPUs for as long as a process lives
//! ```
//! A hold outlives processes: what says that a GPU is free is that it came back, not that somebody died. The file is locked by whoever
//! looks after it: first the one who starts the job, then its keeper. A hold that nobody has locked is abandoned, and whoever recovers takes
//! it up. Holds and locks of evaluations exclude each other, since both are put down before the other one is looked for.

mod held;

pub use held::{Grant, Held, Hold};

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};

use super::error::io_error;
use super::quarantine::{self, Record, Why, file_name};
use super::{GpuError, Granted, Nvml};
use crate::turn::Turn;

/// The directory of holds.
#[derive(Clone, Debug)]
pub struct Holds {
    root: PathBuf,
}

impl Holds {
    /// In the directory `root`, which all who use the host's GPUs share. Nothing is made before something is taken.
    #[must_use]
    pub fn at(root: &Path) -> Holds {
        Holds {
            root: root.to_owned(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.root.join("held")
    }

    /// Takes what `granted` names for the job `job` of `state`: all of it or nothing, without waiting.
    ///
    /// # Errors
    /// `Held`, `Quarantined`, `InUse`; `Nvml` if what is in use is not told.
    pub fn take(
        &self,
        mut granted: Granted,
        nvml: &dyn Nvml,
        state: &Path,
        job: &str,
    ) -> Result<Grant, GpuError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        granted.taken_unix_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        let _turn = Turn::wait(&folder).map_err(io_error(&folder))?;
        let mut held: Vec<Held> = Vec::new();
        for gpu in granted.gpus() {
            let hold = Hold {
                uuid: gpu.uuid,
                of: gpu.instance.map(|instance| instance.of),
                job: job.to_owned(),
                state: state.to_owned(),
                taken_unix_ns: granted.taken_unix_ns,
                memory_bytes: gpu.memory_bytes,
                baseline_bytes: 0,
            };
            match self.take_one(hold, nvml) {
                Ok(one) => held.push(one),
                Err(error) => {
                    for one in held {
                        one.release()?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(Grant { granted, held })
    }

    fn take_one(&self, mut hold: Hold, nvml: &dyn Nvml) -> Result<Held, GpuError> {
        let uuid = hold.uuid.clone();
        for name in [Some(&uuid), hold.of.as_ref()].into_iter().flatten() {
            if let Some(record) = self.quarantined(name) {
                return Err(GpuError::Quarantined {
                    uuid: name.clone(),
                    record: Box::new(record),
                });
            }
        }
        if let Some(other) = self.holder(&uuid, hold.of.as_deref())? {
            return Err(GpuError::Held {
                uuid,
                holder: format!("job {:?}", other.job),
            });
        }
        let told = |source| GpuError::Nvml {
            what: uuid.clone(),
            source,
        };
        let usage = nvml.usage(&uuid).map_err(told)?;
        if !usage.processes.is_empty() {
            return Err(GpuError::InUse {
                uuid,
                pids: usage.processes.iter().map(|process| process.pid).collect(),
            });
        }
        hold.baseline_bytes = usage.used_bytes;
        let held = self.put(hold)?;
        // After the hold is there: one of both sees the other.
        if self.is_leased(&held.hold)? {
            held.release()?;
            return Err(GpuError::Held {
                uuid,
                holder: "another gradus process, such as an evaluation".to_owned(),
            });
        }
        Ok(held)
    }

    /// The hold on the device with this UUID (a part of the GPU `of` if that is given), on the whole of it, or on a part of it. Instances of one GPU go to different jobs.
    ///
    /// # Errors
    /// If holds cannot be read.
    pub fn holder(&self, uuid: &str, of: Option<&str>) -> Result<Option<Hold>, GpuError> {
        let excludes = |other: &Hold| {
            other.uuid == uuid || other.of.as_deref() == Some(uuid) || of == Some(&*other.uuid)
        };
        Ok(self.list()?.into_iter().find(excludes))
    }

    /// Writes a hold that is locked from the moment that others can see it.
    fn put(&self, hold: Hold) -> Result<Held, GpuError> {
        let path = self.folder().join(file_name(&hold.uuid));
        let aside =
            self.folder()
                .join(format!(".{}.{}", file_name(&hold.uuid), std::process::id()));
        let text = serde_json::to_vec_pretty(&hold).expect("plain data");
        let write = || -> io::Result<File> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o644)
                .open(&aside)?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            Ok(file)
        };
        let lock = write().map_err(|source| {
            let _ = fs::remove_file(&aside);
            GpuError::Io {
                path: path.clone(),
                source,
            }
        })?;
        Ok(Held { hold, path, lock })
    }

    /// Whether an evaluation has it: the whole of it alone, or an instance with others of the same GPU.
    fn is_leased(&self, hold: &Hold) -> Result<bool, GpuError> {
        let whole = hold.of.as_ref();
        let asked = [
            (Some(&hold.uuid), FlockOperation::NonBlockingLockExclusive),
            (whole, FlockOperation::NonBlockingLockShared),
        ];
        for (uuid, how) in asked {
            let Some(uuid) = uuid else { continue };
            let path = self
                .root
                .join("leases")
                .join(format!("{}.lock", file_name(uuid)));
            let file = match OpenOptions::new().read(true).write(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(io_error(&path))?,
            };
            match flock(&file, how) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(true),
                Err(error) => return Err(io_error(path)(error.into())),
            }
        }
        Ok(false)
    }

    /// All holds, by UUID.
    ///
    /// # Errors
    /// If the directory or a hold cannot be read.
    pub fn list(&self) -> Result<Vec<Hold>, GpuError> {
        let folder = self.folder();
        let mut holds = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(holds),
            other => other.map_err(io_error(&folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_error(&folder))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            match fs::read(&path) {
                // Let go a moment ago.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error(path)(error)),
                Ok(text) => holds.push(serde_json::from_slice(&text).map_err(|error| {
                    io_error(path)(io::Error::new(io::ErrorKind::InvalidData, error))
                })?),
            }
        }
        holds.sort_by(|one: &Hold, other: &Hold| one.uuid.cmp(&other.uuid));
        Ok(holds)
    }

    /// Takes up `hold` if nobody looks after it.
    ///
    /// # Errors
    /// If its file cannot be used.
    pub fn adopt(&self, hold: &Hold) -> Result<Option<Held>, GpuError> {
        let path = self.folder().join(file_name(&hold.uuid));
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io_error(&path))?,
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(io_error(path)(error.into())),
        }
        // Otherwise it was let go meanwhile, and this is another one.
        let same = |file: &File| Ok(file.metadata()?.ino() == fs::metadata(&path)?.ino());
        let same: io::Result<bool> = same(&file);
        let text = fs::read(&path).unwrap_or_default();
        let still = serde_json::from_slice::<Hold>(&text).is_ok_and(|found| found == *hold);
        Ok((same.unwrap_or(false) && still).then(|| Held {
            hold: hold.clone(),
            path,
            lock: file,
        }))
    }

    /// Whether somebody looks after `hold`.
    ///
    /// # Errors
    /// As [`Holds::adopt`].
    pub fn is_kept(&self, hold: &Hold) -> Result<bool, GpuError> {
        Ok(self.adopt(hold)?.is_none())
    }

    /// The record of a GPU in quarantine.
    pub fn quarantined(&self, uuid: &str) -> Option<Record> {
        quarantine::find(&self.root, uuid)
    }

    /// All GPUs in quarantine, by UUID.
    pub fn quarantines(&self) -> Vec<Record> {
        quarantine::all(&self.root)
    }

    /// Ends a quarantine; whether there was one.
    ///
    /// # Errors
    /// If the record cannot be removed.
    pub fn release(&self, uuid: &str) -> Result<bool, GpuError> {
        quarantine::end(&self.root, uuid)
            .map_err(|error| io_error(quarantine::path(&self.root, uuid))(error))
    }

    /// Puts what is held into quarantine, and lets it go.
    pub(super) fn quarantine(&self, held: Held, why: Why) -> Result<(), GpuError> {
        let purpose = format!("sandbox job {}", held.hold.job);
        let record = Record::new(&held.hold.uuid, why, &purpose);
        // The hold stays if this fails: nobody gets the GPU either way.
        quarantine::write(&self.root, &record)
            .map_err(|error| io_error(quarantine::path(&self.root, &record.uuid))(error))?;
        held.release()
    }
}
