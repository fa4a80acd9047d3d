//! What must not be removed. A pin ends with its process, however that ends; a lease is a job's and outlives the process that
//! took it, as a job does.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::image::ImageRecord;
use super::lock::{self, Guard};
use super::{Store, StoreError};
use crate::Digest;

/// Keeps what is put into the store under it from being collected, until it is dropped or its process ends.
#[derive(Debug)]
pub struct Pin {
    path: PathBuf,
    file: Mutex<File>,
}

#[derive(Serialize, Deserialize)]
struct LeaseRecord {
    name: String,
    image: Digest,
}

impl Store {
    /// A pin that holds nothing yet.
    ///
    /// # Errors
    /// `Io`.
    pub fn pin(&self) -> Result<Pin, StoreError> {
        // Between making it and locking it, it looks dead: nobody cleans meanwhile.
        let _guard = Guard::shared(&self.root)?;
        let path = lock::unique(&self.root.join("pins"), |path| File::create_new(path))?;
        let file = File::options()
            .append(true)
            .open(&path)
            .map_err(StoreError::io(&path, "opening a pin"))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| StoreError::io(&path, "locking a pin")(e.into()))?;
        Ok(Pin {
            path,
            file: Mutex::new(file),
        })
    }

    /// Pins an image with its layers, and counts as a use of it.
    ///
    /// # Errors
    /// `Absent` where it is gone already, `Record`, `Io`.
    pub fn pin_image(&self, pin: &Pin, image: &Digest) -> Result<ImageRecord, StoreError> {
        let _guard = Guard::shared(&self.root)?;
        pin.add(image)?;
        let record = self.image(image)?.ok_or(StoreError::Absent {
            what: "image",
            digest: *image,
        })?;
        self.touch_image(&record)?;
        Ok(record)
    }

    /// Keeps an image and its layers until [`Store::release`], whatever becomes of this process. A lease of that name is replaced.
    ///
    /// # Errors
    /// `Absent`, `Record`, `Io`.
    pub fn lease(&self, name: &str, image: &Digest) -> Result<ImageRecord, StoreError> {
        let _guard = Guard::shared(&self.root)?;
        let record = self.image(image)?.ok_or(StoreError::Absent {
            what: "image",
            digest: *image,
        })?;
        let lease = LeaseRecord {
            name: name.to_owned(),
            image: *image,
        };
        self.put_json("leases", &file_name(name), &lease)?;
        self.touch_image(&record)?;
        Ok(record)
    }

    /// Ends a lease.
    ///
    /// # Errors
    /// `NoLease`, `Io`.
    pub fn release(&self, name: &str) -> Result<(), StoreError> {
        let path = self.root.join("leases").join(file_name(name));
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(StoreError::NoLease {
                name: name.to_owned(),
            }),
            Err(e) => Err(StoreError::io(&path, "removing a lease")(e)),
        }
    }

    /// Names of the leases and their images.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn leases(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        let mut out = Vec::new();
        for path in lock::list(&self.root.join("leases"))? {
            if let Some(lease) = super::read_record::<LeaseRecord>(&path)? {
                out.push((lease.name, lease.image));
            }
        }
        out.sort();
        Ok(out)
    }

    /// Digests under a pin or a lease: of images, layers and blobs alike.
    pub(super) fn pinned(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut out: BTreeSet<Digest> = self.leases()?.into_iter().map(|(_, d)| d).collect();
        for path in lock::list(&self.root.join("pins"))? {
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            out.extend(text.lines().filter_map(Digest::from_hex));
        }
        Ok(out)
    }
}

impl Pin {
    /// Before it is looked for: then it is either there and stays, or is seen to be missing.
    pub(super) fn add(&self, digest: &Digest) -> Result<(), StoreError> {
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(format!("{}\n", digest.hex()).as_bytes())
            .map_err(StoreError::io(&self.path, "writing a pin"))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // What stays is removed by the next collection, as nobody holds its lock.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes pins of processes that are gone.
pub(super) fn remove_dead(pins: &Path) -> Result<(), StoreError> {
    for path in lock::list(pins)? {
        let Ok(file) = File::open(&path) else {
            continue;
        };
        let dead = lock::is_dead(&OwnedFd::from(file))
            .map_err(|e| StoreError::io(&path, "looking at a pin")(e.into()))?;
        if dead {
            std::fs::remove_file(&path).map_err(StoreError::io(&path, "removing a pin"))?;
        }
    }
    Ok(())
}

/// Any name as a file's.
pub(super) fn file_name(name: &str) -> String {
    format!("{}.json", Digest::of(name.as_bytes()).hex())
}
