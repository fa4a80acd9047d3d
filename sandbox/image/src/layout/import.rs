use super::config::ImageConfig;
use super::error::{ImportImageError, ParseImageError};
use super::model::{DOCUMENT_BYTES_MAX, Platform};
use super::select::{self, Chosen};
use super::source::{Source, blob_name};
use crate::Digest;
use crate::layer::{Compression, Expected, LayerCaps, verify};
use crate::store::{ImageBlob, ImageLayer, ImageRecord, Pin, Store, StoreError};

/// Which image of a layout is taken, and how large it may be.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The name that the layout gives it; needed where there are several for the platform.
    pub reference: Option<String>,
    /// Whom it has to be for.
    pub platform: Platform,
    /// Of each layer.
    pub caps: LayerCaps,
    /// Of all layers together.
    pub unpacked_bytes: u64,
}

impl Default for ImportOptions {
    fn default() -> ImportOptions {
        ImportOptions {
            reference: None,
            platform: Platform::linux_amd64(),
            caps: LayerCaps::default(),
            unpacked_bytes: 96 << 30,
        }
    }
}

/// An image that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// As the store has it.
    pub image: ImageRecord,
    /// Its configuration.
    pub config: ImageConfig,
}

/// Takes an image into the store: its blobs as they are, its layers applied. Keeps them under `pin`.
///
/// # Errors
/// As [`ImportImageError`] says. Layers that were taken before stay, until they are collected.
pub fn import(
    source: &Source,
    store: &Store,
    pin: &Pin,
    options: &ImportOptions,
) -> Result<Imported, ImportImageError> {
    let Chosen {
        descriptor,
        json,
        manifest,
    } = select::select(source, options.reference.as_deref(), &options.platform)?;
    let (config_json, config) = select::config_of(source, &manifest)?;
    if !config.platform.runs_on(&options.platform) {
        return Err(ImportImageError::NoPlatform {
            wanted: options.platform.to_string(),
            found: vec![config.platform.to_string()],
        });
    }
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        return Err(ImportImageError::Parse {
            file: blob_name(&manifest.config.digest),
            source: ParseImageError::Wrong {
                what: "configuration",
                reason: format!(
                    "that there are {} layers, the manifest lists {}\nhelp: export the image again",
                    diff_ids.len(),
                    manifest.layers.len()
                ),
            },
        });
    }
    let known = store.images()?;
    let mut left = options.unpacked_bytes;
    let mut layers = Vec::new();
    for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
        let compression = Compression::of_media_type(&layer.media_type).ok_or_else(|| {
            ImportImageError::LayerType {
                digest: layer.digest,
                media_type: layer.media_type.chars().take(100).collect(),
            }
        })?;
        let blob = ImageBlob {
            digest: layer.digest,
            bytes: layer.size,
            compression,
        };
        let mut caps = options.caps.clone();
        if layer.size > caps.compressed_bytes {
            return Err(ImportImageError::TooLarge {
                limit: caps.compressed_bytes,
            });
        }
        caps.unpacked_bytes = caps.unpacked_bytes.min(left);
        let unpacked = take_layer(source, store, pin, &blob, diff_id, &caps, &known)?;
        left = left
            .checked_sub(unpacked)
            .ok_or(ImportImageError::TooLarge {
                limit: options.unpacked_bytes,
            })?;
        layers.push(ImageLayer {
            diff_id: *diff_id,
            blob: Some(blob),
        });
    }
    for (digest, bytes) in [
        (&manifest.config.digest, &config_json),
        (&descriptor.digest, &json),
    ] {
        store
            .put_blob(pin, bytes.as_slice(), digest, bytes.len() as u64)
            .map_err(|source| ImportImageError::Blob {
                digest: *digest,
                source,
            })?;
    }
    let image = ImageRecord {
        config: manifest.config.digest,
        manifest: Some(descriptor.digest),
        layers,
    };
    store.put_image(pin, &image)?;
    Ok(Imported { image, config })
}

/// Takes one layer; returns how long it is unpacked.
fn take_layer(
    source: &Source,
    store: &Store,
    pin: &Pin,
    blob: &ImageBlob,
    diff_id: &Digest,
    caps: &LayerCaps,
    known: &[ImageRecord],
) -> Result<u64, ImportImageError> {
    let (file, _) = source.file(&blob_name(&blob.digest))?;
    store
        .put_blob(pin, file, &blob.digest, blob.bytes)
        .map_err(|source| ImportImageError::Blob {
            digest: blob.digest,
            source,
        })?;
    let expected = Expected {
        compression: Some(blob.compression),
        blob: Some((blob.digest, blob.bytes)),
        diff_id: Some(*diff_id),
    };
    let had = store.layer(diff_id)?.is_some();
    let input = store.open_blob(&blob.digest)?;
    let record = store.put_layer(pin, input, &expected, caps)?;
    // The store has the tree already: still the blob must be of that tree, or what is exported would be another image.
    let pair_is_known = known
        .iter()
        .flat_map(|image| &image.layers)
        .any(|layer| layer.diff_id == *diff_id && layer.blob.as_ref() == Some(blob));
    if had && !pair_is_known {
        let input = store.open_blob(&blob.digest)?;
        verify(input, &expected, caps).map_err(|source| ImportImageError::Verify {
            digest: blob.digest,
            source,
        })?;
    }
    Ok(record.unpacked_bytes)
}

/// Publishes an image that was built here: its configuration, and layers that are in the store.
///
/// # Errors
/// `Parse` where configuration and layers disagree, `Blob`, `Store`.
pub fn put_built(
    store: &Store,
    pin: &Pin,
    config: &ImageConfig,
    layers: Vec<ImageLayer>,
) -> Result<ImageRecord, ImportImageError> {
    let json = config.to_json();
    let digest = Digest::of(&json);
    let parsed = ImageConfig::parse(&json);
    let agrees = parsed.and_then(|config| {
        let diff_ids = layers.iter().map(|layer| &layer.diff_id);
        if config.rootfs.diff_ids.iter().eq(diff_ids) {
            return Ok(());
        }
        Err(ParseImageError::Wrong {
            what: "configuration",
            reason: "other diff_ids than the image's layers have".to_owned(),
        })
    });
    agrees.map_err(|source| ImportImageError::Parse {
        file: "the new image's configuration".to_owned(),
        source,
    })?;
    store
        .put_blob(pin, json.as_slice(), &digest, json.len() as u64)
        .map_err(|source| ImportImageError::Blob { digest, source })?;
    let image = ImageRecord {
        config: digest,
        manifest: None,
        layers,
    };
    store.put_image(pin, &image)?;
    Ok(image)
}

/// The configuration of an image in the store.
///
/// # Errors
/// `Store`, and `Parse` where it was damaged.
pub fn read_config(store: &Store, image: &ImageRecord) -> Result<ImageConfig, ImportImageError> {
    let json = store.read_blob(&image.config, DOCUMENT_BYTES_MAX)?;
    if Digest::of(&json) != image.config {
        return Err(StoreError::Absent {
            what: "an undamaged configuration",
            digest: image.config,
        }
        .into());
    }
    ImageConfig::parse(&json).map_err(|source| ImportImageError::Parse {
        file: blob_name(&image.config),
        source,
    })
}
