//! The layers of one image, several at once: fetched, checked, applied.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use gradus_image::Digest;
use gradus_image::layer::{ApplyLayerError, Expected, LayerCaps, verify};
use gradus_image::store::{
    ImageBlob, ImageLayer, ImageRecord, Pin, PutBlobError, PutLayerError, Store,
};

use super::blob::BlobReader;
use super::budget::Budget;
use super::endpoint::Endpoint;
use super::error::PullError;
use super::pull::{PullEvent, PullOptions};

/// The layers of one image, on their way into a store.
pub(super) struct Layers<'a> {
    pub(super) endpoint: &'a Endpoint<'a>,
    pub(super) store: &'a Store,
    pub(super) pin: &'a Pin,
    pub(super) options: &'a PullOptions,
    pub(super) report: &'a (dyn Fn(PullEvent) + Sync),
    pub(super) budget: Budget,
    pub(super) known: Vec<ImageRecord>,
    pub(super) stop: AtomicBool,
}

impl Layers<'_> {
    /// Takes all of them, several at once; returns how many bytes had to be fetched.
    pub(super) fn take(&self, layers: &[ImageLayer]) -> Result<u64, PullError> {
        let mut unique: Vec<&ImageLayer> = Vec::new();
        for layer in layers {
            if !unique.contains(&layer) {
                unique.push(layer);
            }
        }
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<PullError>> = Mutex::new(None);
        let fetched = Mutex::new(0u64);
        let workers = self.options.workers.clamp(1, unique.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(layer) = unique.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.take_one(layer) {
                            Ok(bytes) => {
                                *fetched.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
                            }
                            Err(error) => {
                                self.stop.store(true, Ordering::Relaxed);
                                let mut first =
                                    failed.lock().unwrap_or_else(PoisonError::into_inner);
                                if first.is_none() {
                                    *first = Some(error);
                                }
                                return;
                            }
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(fetched.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn take_one(&self, layer: &ImageLayer) -> Result<u64, PullError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(PullError::Stopped);
        }
        let blob = layer.blob.as_ref().expect("it was made with one");
        let had_blob = self.store.blob_bytes(&blob.digest)? == Some(blob.bytes);
        let progress = |done| {
            (self.report)(PullEvent::Layer {
                digest: blob.digest,
                done,
                total: blob.bytes,
            });
        };
        // What another pull has left of it is not asked for again.
        let reader = |position| {
            BlobReader::new(self.endpoint, &blob.digest, blob.bytes)
                .watched(&self.stop, &progress)
                .from(position)
        };
        let position = self
            .store
            .resume_blob(self.pin, &blob.digest, blob.bytes, reader)
            .map_err(|source| blob_error(&blob.digest, source))?;
        let had_layer = self.apply(layer, blob)?;
        (self.report)(PullEvent::Applied {
            digest: blob.digest,
            had: had_blob && had_layer,
        });
        Ok(blob.bytes - position)
    }

    /// Puts the layer's tree into the store; says whether it was there.
    fn apply(&self, layer: &ImageLayer, blob: &ImageBlob) -> Result<bool, PullError> {
        let expected = Expected {
            compression: Some(blob.compression),
            blob: Some((blob.digest, blob.bytes)),
            diff_id: Some(layer.diff_id),
        };
        let had = self.store.layer(&layer.diff_id)?.is_some();
        let cap = self.options.caps.unpacked_bytes;
        let mut share = self.budget.share(blob.bytes, cap);
        let record = loop {
            let caps = LayerCaps {
                unpacked_bytes: share.bytes(),
                ..self.options.caps.clone()
            };
            let input = self.store.open_blob(&blob.digest)?;
            match self.store.put_layer(self.pin, input, &expected, &caps) {
                Ok(record) => break record,
                Err(error) if is_too_large(&error) => {
                    let had = share.bytes();
                    drop(share);
                    share = self.budget.whole(cap);
                    if share.bytes() <= had {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        if record.unpacked_bytes > cap.min(self.options.unpacked_bytes) {
            return Err(PullError::TooLarge {
                what: format!("layer {}", blob.digest),
                found: record.unpacked_bytes,
                limit: cap.min(self.options.unpacked_bytes),
            });
        }
        share.used(record.unpacked_bytes);
        // The store has the tree already: still the blob must be of that tree, or what is exported would be another image.
        let pair_is_known = self
            .known
            .iter()
            .flat_map(|image| &image.layers)
            .any(|other| other == layer);
        if had && !pair_is_known {
            let input = self.store.open_blob(&blob.digest)?;
            verify(input, &expected, &self.options.caps).map_err(|source| PullError::Verify {
                digest: blob.digest,
                source,
            })?;
        }
        Ok(had)
    }
}

fn is_too_large(error: &PutLayerError) -> bool {
    matches!(
        error,
        PutLayerError::Apply {
            source: ApplyLayerError::TooLarge { .. },
            ..
        }
    )
}

/// What failed below a reader is what failed.
pub(super) fn blob_error(digest: &Digest, source: PutBlobError) -> PullError {
    match source {
        PutBlobError::Input { digest, source } => match source.downcast::<PullError>() {
            Ok(inner) => inner,
            Err(source) => PullError::Blob {
                digest,
                source: PutBlobError::Input { digest, source },
            },
        },
        PutBlobError::Store(source) => PullError::Store(source),
        source => PullError::Blob {
            digest: *digest,
            source,
        },
    }
}
