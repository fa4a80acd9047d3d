use std::fs::File;
use std::io::{BufWriter, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::lock::Guard;
use super::{Pin, PutLayerError, Store, StoreError};
use crate::Digest;
use crate::layer::{
    Applied, Expected, ExportLayerError, ExportOptions, Exported, LayerCaps, Notes, apply, export,
    export_from, remove_tree,
};

/// What the store knows of a layer beside its tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Digest of its archive.
    pub diff_id: Digest,
    /// Length of its archive, holes filled.
    pub unpacked_bytes: u64,
    /// Entries, and parents that had none.
    pub entries: u64,
    /// Nothing of the layers beneath is to be seen.
    pub opaque_root: bool,
    /// What was left out or changed.
    pub notes: Notes,
}

impl Store {
    /// Applies a layer, unless the store has it. With `expected.diff_id` unknown it is applied in any case.
    ///
    /// # Errors
    /// As [`PutLayerError`] says; the store is as it was.
    pub fn put_layer(
        &self,
        pin: &Pin,
        input: impl Read,
        expected: &Expected,
        caps: &LayerCaps,
    ) -> Result<LayerRecord, PutLayerError> {
        if let Some(diff_id) = &expected.diff_id {
            pin.add(diff_id)?;
            if let Some(record) = self.layer(diff_id)? {
                self.touch_layer(diff_id)?;
                return Ok(record);
            }
        }
        let made = self.scratch.next();
        std::fs::create_dir(&made).map_err(StoreError::io(&made, "making a layer"))?;
        let result = apply(input, expected, &made.join("fs"), caps)
            .map_err(|source| PutLayerError::Apply {
                digest: expected
                    .blob
                    .map(|(digest, _)| digest)
                    .or(expected.diff_id)
                    .unwrap_or_else(|| Digest::of(b"")),
                source,
            })
            .and_then(|applied| Ok(self.publish_layer(pin, &made, applied)?));
        if result.is_err() {
            let _ = remove_tree(&made);
        }
        result
    }

    /// Makes a layer of an overlay's upper directory. Its archive is not kept: the tree in the store exports to it again.
    ///
    /// # Errors
    /// `Export` where the directory holds what a layer cannot, `Apply` and `Store` where writing failed.
    pub fn put_upper(
        &self,
        pin: &Pin,
        upper: &Path,
        options: &ExportOptions,
    ) -> Result<LayerRecord, PutLayerError> {
        self.put_exported(pin, options, |out| export(upper, out, options))
    }

    /// As [`Store::put_upper`], of a directory that is open: one that has no path any more, as a job's is when the job has ended.
    ///
    /// # Errors
    /// As [`Store::put_upper`].
    pub fn put_written(
        &self,
        pin: &Pin,
        upper: OwnedFd,
        options: &ExportOptions,
    ) -> Result<LayerRecord, PutLayerError> {
        self.put_exported(pin, options, |out| export_from(upper, out, options))
    }

    fn put_exported(
        &self,
        pin: &Pin,
        options: &ExportOptions,
        export: impl FnOnce(BufWriter<File>) -> Result<Exported, ExportLayerError>,
    ) -> Result<LayerRecord, PutLayerError> {
        let archive = self.scratch.next();
        let file = File::create_new(&archive)
            .map_err(StoreError::io(&archive, "making a layer's archive"))?;
        let result = export(BufWriter::with_capacity(1 << 20, file))
            .map_err(PutLayerError::Export)
            .and_then(|exported| {
                let input = File::open(&archive)
                    .map_err(StoreError::io(&archive, "reading a layer's archive"))?;
                let expected = Expected {
                    compression: Some(crate::layer::Compression::None),
                    blob: None,
                    diff_id: Some(exported.diff_id),
                };
                // Headers count too when it is read back.
                let caps = LayerCaps {
                    unpacked_bytes: u64::MAX,
                    compressed_bytes: u64::MAX,
                    entries: u64::MAX,
                    ..options.caps.clone()
                };
                self.put_layer(pin, input, &expected, &caps)
            });
        let _ = std::fs::remove_file(&archive);
        result
    }

    /// Writes a layer's archive from its tree.
    ///
    /// # Errors
    /// As [`ExportLayerError`] says. `Ok` has the digest of what was written: of an imported layer it may be another one.
    pub fn export_layer(
        &self,
        record: &LayerRecord,
        out: impl std::io::Write,
    ) -> Result<Exported, ExportLayerError> {
        let mut options = ExportOptions::new(u64::MAX);
        options.opaque_root = record.opaque_root;
        options.caps.entries = u64::MAX;
        options.caps.unpacked_bytes = u64::MAX;
        export(&self.layer_dir(&record.diff_id), out, &options)
    }

    /// What is known of a layer, if it is there.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn layer(&self, diff_id: &Digest) -> Result<Option<LayerRecord>, StoreError> {
        self.get_json("layers", &format!("{}/layer.json", diff_id.hex()))
    }

    /// Where a layer's tree is, or would be.
    pub fn layer_dir(&self, diff_id: &Digest) -> PathBuf {
        self.layer_home(diff_id).join("fs")
    }

    pub(super) fn layer_home(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    pub(super) fn touch_layer(&self, diff_id: &Digest) -> Result<(), StoreError> {
        super::image::touch(&self.layer_home(diff_id).join("layer.json"))
    }

    fn publish_layer(
        &self,
        pin: &Pin,
        made: &Path,
        applied: Applied,
    ) -> Result<LayerRecord, StoreError> {
        let record = LayerRecord {
            diff_id: applied.diff_id,
            unpacked_bytes: applied.unpacked_bytes,
            entries: applied.entries,
            opaque_root: applied.opaque_root,
            notes: applied.notes,
        };
        let json = made.join("layer.json");
        let bytes = serde_json::to_vec(&record).map_err(|source| StoreError::Io {
            path: json.clone(),
            step: "writing a record",
            source: source.into(),
        })?;
        std::fs::write(&json, bytes).map_err(StoreError::io(&json, "writing a record"))?;
        if self.flush {
            File::open(made)
                .and_then(|dir| Ok(rustix::fs::syncfs(dir)?))
                .map_err(StoreError::io(made, "flushing a layer"))?;
        }
        pin.add(&record.diff_id)?;
        let _guard = Guard::shared(&self.root)?;
        let home = self.layer_home(&record.diff_id);
        match rustix::fs::renameat_with(CWD, made, CWD, &home, RenameFlags::NOREPLACE) {
            Ok(()) => self.flush_directory(&self.root.join("layers"))?,
            // Somebody else was faster with the same layer.
            Err(Errno::EXIST) => {
                remove_tree(made).map_err(StoreError::io(made, "removing a second copy"))?;
            }
            Err(e) => return Err(StoreError::io(&home, "publishing a layer")(e.into())),
        }
        Ok(record)
    }
}
