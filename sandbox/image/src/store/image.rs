use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use serde::{Deserialize, Serialize};

use super::lock::{self, Guard};
use super::pin::file_name;
use super::{Pin, Store, StoreError};
use crate::Digest;
use crate::layer::Compression;

/// An image: named for its configuration's digest, which the layers' digests are part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The configuration's digest: the image's name.
    pub config: Digest,
    /// The manifest that it came with; `None` if it was built here.
    pub manifest: Option<Digest>,
    /// The lowest first, as manifests have them.
    pub layers: Vec<ImageLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// Digest of its archive.
    pub diff_id: Digest,
    /// The compressed form that it came in; `None` if it was made here.
    pub blob: Option<ImageBlob>,
}

/// A layer's compressed form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
    /// How it is compressed.
    pub compression: Compression,
}

#[derive(Serialize, Deserialize)]
struct NameRecord {
    name: String,
    image: Digest,
}

impl ImageRecord {
    /// Blobs that it needs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Digest> {
        let layers = self.layers.iter().flat_map(|layer| &layer.blob);
        layers
            .map(|blob| &blob.digest)
            .chain([&self.config])
            .chain(&self.manifest)
    }
}

impl Store {
    /// Publishes an image whose blobs and layers are there.
    ///
    /// # Errors
    /// `Absent` where one of them is not, `Record`, `Io`.
    pub fn put_image(&self, pin: &Pin, image: &ImageRecord) -> Result<(), StoreError> {
        pin.add(&image.config)?;
        let _guard = Guard::shared(&self.root)?;
        for digest in image.blobs() {
            if self.blob_bytes(digest)?.is_none() {
                return Err(StoreError::Absent {
                    what: "blob",
                    digest: *digest,
                });
            }
        }
        for layer in &image.layers {
            if self.layer(&layer.diff_id)?.is_none() {
                return Err(StoreError::Absent {
                    what: "layer",
                    digest: layer.diff_id,
                });
            }
        }
        self.put_json("images", &format!("{}.json", image.config.hex()), image)
    }

    /// An image by its configuration's digest.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn image(&self, config: &Digest) -> Result<Option<ImageRecord>, StoreError> {
        self.get_json("images", &format!("{}.json", config.hex()))
    }

    /// All images, by digest.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn images(&self) -> Result<Vec<ImageRecord>, StoreError> {
        let mut out: Vec<ImageRecord> = Vec::new();
        for path in lock::list(&self.root.join("images"))? {
            out.extend(super::read_record::<ImageRecord>(&path)?);
        }
        out.sort_by_key(|image| image.config);
        Ok(out)
    }

    /// The image that came with this manifest.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn image_of_manifest(&self, manifest: &Digest) -> Result<Option<ImageRecord>, StoreError> {
        let mut images = self.images()?.into_iter();
        Ok(images.find(|image| image.manifest == Some(*manifest)))
    }

    /// Lets a name stand for an image, whatever it stood for before.
    ///
    /// # Errors
    /// `Absent` where the image is not there, `Record`, `Io`.
    pub fn tag(&self, name: &str, image: &Digest) -> Result<(), StoreError> {
        let _guard = Guard::shared(&self.root)?;
        if self.image(image)?.is_none() {
            return Err(StoreError::Absent {
                what: "image",
                digest: *image,
            });
        }
        let record = NameRecord {
            name: name.to_owned(),
            image: *image,
        };
        self.put_json("names", &file_name(name), &record)
    }

    /// Takes a name away. That nothing has it is no error.
    ///
    /// # Errors
    /// `Io`.
    pub fn untag(&self, name: &str) -> Result<(), StoreError> {
        let _guard = Guard::shared(&self.root)?;
        self.remove_if_there(&self.root.join("names").join(file_name(name)))
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn resolve(&self, name: &str) -> Result<Option<ImageRecord>, StoreError> {
        match self.get_json::<NameRecord>("names", &file_name(name))? {
            Some(record) => self.image(&record.image),
            None => Ok(None),
        }
    }

    /// Names and their images, by name.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn names(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        let mut out = Vec::new();
        for path in lock::list(&self.root.join("names"))? {
            if let Some(record) = super::read_record::<NameRecord>(&path)? {
                out.push((record.name, record.image));
            }
        }
        out.sort();
        Ok(out)
    }

    /// Trees of an image's layers as overlay wants its lower directories: the uppermost first, each once. A layer whose root is opaque is
    /// the last one, since overlay itself does not look for that.
    ///
    /// # Errors
    /// `Absent`, `Record`, `Io`.
    pub fn layer_dirs(&self, image: &ImageRecord) -> Result<Vec<PathBuf>, StoreError> {
        let mut out: Vec<PathBuf> = Vec::new();
        for layer in image.layers.iter().rev() {
            let record = self.layer(&layer.diff_id)?.ok_or(StoreError::Absent {
                what: "layer",
                digest: layer.diff_id,
            })?;
            // One that comes again lower down changes nothing that this one does not; an overlay takes no directory twice, and many images
            // have several empty layers.
            let dir = self.layer_dir(&layer.diff_id);
            if !out.contains(&dir) {
                out.push(dir);
            }
            if record.opaque_root {
                break;
            }
        }
        Ok(out)
    }

    pub(super) fn touch_image(&self, image: &ImageRecord) -> Result<(), StoreError> {
        let name = format!("{}.json", image.config.hex());
        touch(&self.root.join("images").join(name))?;
        for layer in &image.layers {
            self.touch_layer(&layer.diff_id)?;
        }
        Ok(())
    }

    pub(super) fn remove_if_there(&self, path: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io(path, "removing a record")(e))
            }
            _ => Ok(()),
        }
    }
}

/// A record's time is when what it describes was last used.
pub(super) fn touch(path: &Path) -> Result<(), StoreError> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty())
        .map_err(|e| StoreError::io(path, "noting a use")(e.into()))
}
