//! Layers and images by digest, in one directory that several processes share.
//!
//! ```text
//! STORE                0700
//!   version            "1"
//!   lock               shared to publish, exclusive to clean and to collect
//!   blobs/sha256/HEX   configurations, manifests, compressed layers as they came
//!   partial/HEX        the beginning of a blob that is being fetched, or was
//!   layers/HEX/fs      an applied layer, named for its diffID; nobody writes there again
//!   layers/HEX/layer.json
//!   images/HEX.json    an image, named for its configuration's digest
//!   names/HEX.json     a name and the image that it stands for
//!   steps/KEY.json     what a build's step came to, by its key
//!   contents/KEY.json  the digest of what a path selects in layers, by both
//!   pins/              what a running process makes or uses: ends with the process
//!   leases/            what a job uses: ends when it is released
//!   tmp/               a directory for each process that has the store open
//! ```
//!
//! Everything is made in `tmp` and renamed into place, so a crash leaves garbage in `tmp` and nowhere else. The next
//! [`Store::open`] removes what belongs to no living process: each one holds a lock on its directory, which the kernel lets go
//! when it dies.
//!
//! Before a rename a blob is flushed (`fsync`), and a layer's whole file system (`syncfs`: one call, however many
//! files), then the directory that it went into. What has a name after a power cut is complete.

mod blob;
mod content;
mod error;
mod gc;
mod image;
mod layer;
mod lock;
mod partial;
mod pin;
mod step;

use std::path::{Path, PathBuf};

pub use error::{PutBlobError, PutLayerError, StoreError};
pub use gc::{Collected, GcPolicy};
pub use image::{ImageBlob, ImageLayer, ImageRecord};
pub use layer::LayerRecord;
pub use pin::Pin;
pub use step::StepRecord;

use lock::{Guard, Scratch};

/// A store that this process has open.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    scratch: Scratch,
    flush: bool,
}

const VERSION: &str = "1\n";
const DIRECTORIES: [&str; 10] = [
    "blobs/sha256",
    "layers",
    "images",
    "names",
    "steps",
    "contents",
    "partial",
    "pins",
    "leases",
    "tmp",
];

impl Store {
    /// Opens a store, made if `root` is missing or empty, and removes what dead processes left in it.
    ///
    /// # Errors
    /// `Foreign` where `root` holds something else, `Version`, `Io`.
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        Store::open_with(root, true)
    }

    /// As [`Store::open`], without flushing to the disk: for tests, and for stores that need not outlive a power cut.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_unflushed(root: &Path) -> Result<Store, StoreError> {
        Store::open_with(root, false)
    }

    fn open_with(root: &Path, flush: bool) -> Result<Store, StoreError> {
        lock::make_private(root)?;
        lock::check_ours(root)?;
        let root = root
            .canonicalize()
            .map_err(StoreError::io(root, "finding the store"))?;
        let guard = Guard::exclusive(&root)?;
        lock::check_version(&root, VERSION)?;
        for name in DIRECTORIES {
            let dir = root.join(name);
            std::fs::create_dir_all(&dir).map_err(StoreError::io(&dir, "making a directory"))?;
        }
        lock::remove_dead(&root.join("tmp"))?;
        pin::remove_dead(&root.join("pins"))?;
        let scratch = Scratch::new(&root.join("tmp"))?;
        drop(guard);
        Ok(Store {
            root,
            scratch,
            flush,
        })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of `dir` with this content, whole or not at all.
    fn put_json(
        &self,
        dir: &str,
        name: &str,
        value: &impl serde::Serialize,
    ) -> Result<(), StoreError> {
        let path = self.root.join(dir).join(name);
        let mut json = serde_json::to_vec(value).map_err(|source| StoreError::Io {
            path: path.clone(),
            step: "writing a record",
            source: source.into(),
        })?;
        json.push(b'\n');
        let made = self.scratch.next();
        self.write_flushed(&made, &json)?;
        std::fs::rename(&made, &path).map_err(StoreError::io(&path, "publishing a record"))?;
        self.flush_directory(&self.root.join(dir))
    }

    fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        dir: &str,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        read_record(&self.root.join(dir).join(name))
    }

    fn write_flushed(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        std::fs::write(path, bytes).map_err(StoreError::io(path, "writing a record"))?;
        if self.flush {
            std::fs::File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(StoreError::io(path, "flushing a record"))?;
        }
        Ok(())
    }

    fn flush_directory(&self, dir: &Path) -> Result<(), StoreError> {
        if !self.flush {
            return Ok(());
        }
        std::fs::File::open(dir)
            .and_then(|file| file.sync_all())
            .map_err(StoreError::io(dir, "flushing a directory"))
    }
}

fn read_record<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io(path, "reading a record")(e)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| StoreError::Record {
            path: path.to_owned(),
            source,
        })
}
