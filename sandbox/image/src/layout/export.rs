use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::config::ImageConfig;
use super::error::ExportImageError;
use super::model::{self, DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest};
use super::source::blob_name;
use crate::Digest;
use crate::digest::Tallied;
use crate::layer::decode::compress;
use crate::layer::{Compression, ExportLayerError, ExportOptions, remove_tree};
use crate::store::{ImageLayer, ImageRecord, Store};

/// How an image is written out.
#[derive(Clone, Debug)]
pub struct ExportImageOptions {
    /// The name that the layout gives it.
    pub reference: Option<String>,
    /// Of layers that were made here; others keep the form that they came in.
    pub compression: Compression,
}

impl Default for ExportImageOptions {
    fn default() -> ExportImageOptions {
        ExportImageOptions {
            reference: None,
            compression: Compression::Gzip,
        }
    }
}

/// Writes an image as a layout to `dir`, which is made. Returns its manifest's digest: of an imported image the one that it came
/// with, of one built here the same each time.
///
/// # Errors
/// As [`ExportImageError`] says; `dir` is gone then.
pub fn export(
    store: &Store,
    image: &ImageRecord,
    dir: &Path,
    options: &ExportImageOptions,
) -> Result<Digest, ExportImageError> {
    match std::fs::create_dir(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ExportImageError::Exists {
                path: dir.to_owned(),
            });
        }
        Err(e) => return Err(failed(dir)(e)),
    }
    let result = write(store, image, dir, options);
    if result.is_err() {
        let _ = remove_tree(dir);
    }
    result
}

/// As [`export()`], as an archive of the layout, the same bytes each time. The layout is made at `scratch` first, and removed.
///
/// # Errors
/// As [`ExportImageError`] says.
pub fn export_archive(
    store: &Store,
    image: &ImageRecord,
    scratch: &Path,
    out: impl Write,
    options: &ExportImageOptions,
) -> Result<Digest, ExportImageError> {
    let manifest = export(store, image, scratch, options)?;
    let written = crate::layer::export(scratch, out, &ExportOptions::new(0));
    let removed = remove_tree(scratch).map_err(failed(scratch));
    written.map_err(|source| ExportImageError::Layer {
        digest: manifest,
        source,
    })?;
    removed.map(|()| manifest)
}

fn write(
    store: &Store,
    image: &ImageRecord,
    dir: &Path,
    options: &ExportImageOptions,
) -> Result<Digest, ExportImageError> {
    let blobs = dir.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).map_err(failed(&blobs))?;
    let (manifest, bytes) = match image.manifest {
        Some(manifest) => {
            for digest in image
                .layers
                .iter()
                .filter_map(|layer| Some(&layer.blob.as_ref()?.digest))
            {
                copy_blob(store, digest, dir)?;
            }
            copy_blob(store, &image.config, dir)?;
            (manifest, copy_blob(store, &manifest, dir)?)
        }
        None => write_manifest(store, image, dir, options.compression)?,
    };
    let config = store.read_blob(&image.config, DOCUMENT_BYTES_MAX)?;
    let config = ImageConfig::parse(&config).map_err(ExportImageError::Parse)?;
    let mut descriptor = Descriptor::new(model::MANIFEST, manifest, bytes);
    if image.manifest.is_some() {
        let json = store.read_blob(&manifest, DOCUMENT_BYTES_MAX)?;
        descriptor.media_type = media_type_of(&json);
    }
    descriptor.platform = Some(config.platform);
    if let Some(reference) = &options.reference {
        descriptor.annotations = Some(BTreeMap::from([(
            "org.opencontainers.image.ref.name".to_owned(),
            reference.clone(),
        )]));
    }
    write_file(
        &dir.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    // Last: without it a directory is no layout.
    let index = json(&Index::new(vec![descriptor]));
    write_file(&dir.join("index.json"), &index)?;
    Ok(manifest)
}

/// An imported manifest's own type; those of Docker name it, OCI's need not.
fn media_type_of(manifest: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    serde_json::from_slice::<Typed>(manifest)
        .ok()
        .and_then(|typed| typed.media_type)
        .unwrap_or_else(|| model::MANIFEST.to_owned())
}

fn write_manifest(
    store: &Store,
    image: &ImageRecord,
    dir: &Path,
    compression: Compression,
) -> Result<(Digest, u64), ExportImageError> {
    let mut layers = Vec::new();
    for layer in &image.layers {
        layers.push(match &layer.blob {
            Some(blob) => {
                copy_blob(store, &blob.digest, dir)?;
                Descriptor::new(blob.compression.media_type(), blob.digest, blob.bytes)
            }
            None => write_layer(store, layer, dir, compression)?,
        });
    }
    let config_bytes = copy_blob(store, &image.config, dir)?;
    let config = Descriptor::new(model::CONFIG, image.config, config_bytes);
    let manifest = json(&Manifest::new(config, layers));
    let digest = Digest::of(&manifest);
    write_file(&dir.join(blob_name(&digest)), &manifest)?;
    Ok((digest, manifest.len() as u64))
}

fn write_layer(
    store: &Store,
    layer: &ImageLayer,
    dir: &Path,
    compression: Compression,
) -> Result<Descriptor, ExportImageError> {
    let record = store.layer(&layer.diff_id)?.ok_or({
        crate::store::StoreError::Absent {
            what: "layer",
            digest: layer.diff_id,
        }
    })?;
    let path = dir.join("blobs/sha256/partial");
    let file = File::create_new(&path).map_err(failed(&path))?;
    let out = Tallied::new(BufWriter::with_capacity(1 << 20, file));
    let mut exported = None;
    let written = compress(compression, out, |out| {
        exported = Some(store.export_layer(&record, out));
        // What went wrong is in `exported`; this ends the compressor.
        match &exported {
            Some(Err(_)) => Err(io::Error::other("the layer cannot be exported")),
            _ => Ok(()),
        }
    });
    let layer_failed = |source: ExportLayerError| ExportImageError::Layer {
        digest: layer.diff_id,
        source,
    };
    let found = match exported {
        Some(exported) => exported.map_err(layer_failed)?.diff_id,
        None => layer.diff_id,
    };
    let mut out = written.map_err(failed(&path))?;
    out.flush().map_err(failed(&path))?;
    if found != layer.diff_id {
        return Err(ExportImageError::Changed {
            expected: layer.diff_id,
            found,
        });
    }
    let (digest, bytes) = (out.tally.digest(), out.tally.bytes());
    let named = dir.join(blob_name(&digest));
    std::fs::rename(&path, &named).map_err(failed(&named))?;
    Ok(Descriptor::new(compression.media_type(), digest, bytes))
}

fn copy_blob(store: &Store, digest: &Digest, dir: &Path) -> Result<u64, ExportImageError> {
    let path = dir.join(blob_name(digest));
    let mut from = store.open_blob(digest)?;
    let mut to = File::create(&path).map_err(failed(&path))?;
    io::copy(&mut from, &mut to).map_err(failed(&path))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ExportImageError> {
    std::fs::write(path, bytes).map_err(failed(path))
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with string keys, strings and numbers are JSON")
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExportImageError {
    let path = path.to_owned();
    move |source| ExportImageError::Io { path, source }
}
