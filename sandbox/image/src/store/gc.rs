//! What is removed when: what is old, then what was used longest ago until the store is small enough; never what is pinned or
//! leased.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::lock::{self, Guard};
use super::{ImageRecord, Store, StoreError, pin};
use crate::Digest;
use crate::layer::remove_tree;

/// How much of a store is kept.
#[derive(Clone, Debug, Default)]
pub struct GcPolicy {
    /// Bytes of blobs and unpacked layers; the least recently used go first.
    pub bytes_max: Option<u64>,
    /// What was not used for longer goes.
    pub age_max: Option<Duration>,
}

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Images removed, with their names.
    pub images: Vec<Digest>,
    /// Layers removed.
    pub layers: Vec<Digest>,
    /// Blobs removed.
    pub blobs: Vec<Digest>,
    /// Bytes of what was removed.
    pub bytes_freed: u64,
    /// Bytes of what is left; above `bytes_max` if the rest is pinned.
    pub bytes_left: u64,
}

#[derive(Clone, Copy)]
struct Thing {
    bytes: u64,
    used: SystemTime,
}

struct Contents {
    images: BTreeMap<Digest, (ImageRecord, SystemTime)>,
    layers: BTreeMap<Digest, Thing>,
    blobs: BTreeMap<Digest, Thing>,
    pinned: BTreeSet<Digest>,
    /// Of beginnings of blobs that stay.
    partial_bytes: u64,
    /// What was not used since then goes.
    oldest: Option<SystemTime>,
    done: Collected,
}

impl Store {
    /// Removes what the policy does not keep. Others wait while it is decided, not while trees are removed.
    ///
    /// A layer without an image (a build step's result) is kept as an image is; a blob without an image goes at once.
    ///
    /// # Errors
    /// `Record`, `Io`. What was removed until then stays removed.
    pub fn collect(&self, policy: &GcPolicy) -> Result<Collected, StoreError> {
        let guard = Guard::exclusive(&self.root)?;
        pin::remove_dead(&self.root.join("pins"))?;
        let mut contents = self.contents()?;
        self.collect_partials(policy, &mut contents)?;
        contents.decide(policy, SystemTime::now());
        let removed = self.unlink(&contents)?;
        drop(guard);
        for path in removed {
            remove_tree(&path).map_err(StoreError::io(&path, "removing a layer"))?;
        }
        Ok(contents.done)
    }

    /// Beginnings of blobs go first: they are worth the least.
    fn collect_partials(
        &self,
        policy: &GcPolicy,
        contents: &mut Contents,
    ) -> Result<(), StoreError> {
        let now = SystemTime::now();
        for kept in self.partials()? {
            let is_old = policy
                .age_max
                .is_some_and(|max| now.duration_since(kept.used).is_ok_and(|age| age > max));
            let is_too_much = policy
                .bytes_max
                .is_some_and(|max| contents.bytes().saturating_add(kept.bytes) > max);
            let is_gone = (is_old || is_too_much) && self.remove_partial(&kept)?;
            match is_gone {
                true => contents.done.bytes_freed += kept.bytes,
                false => contents.partial_bytes += kept.bytes,
            }
        }
        Ok(())
    }

    /// Removes images that no name stands for and nothing holds. Their layers stay, as those of build steps do. How many there were.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn remove_nameless(&self) -> Result<usize, StoreError> {
        let _guard = Guard::exclusive(&self.root)?;
        pin::remove_dead(&self.root.join("pins"))?;
        let pinned = self.pinned()?;
        let named: BTreeSet<Digest> = self.names()?.into_iter().map(|(_, image)| image).collect();
        let mut removed = 0;
        for image in self.images()? {
            let config = &image.config;
            if named.contains(config) || pinned.contains(config) {
                continue;
            }
            let path = format!("{}.json", config.hex());
            self.remove_if_there(&self.root.join("images").join(path))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn contents(&self) -> Result<Contents, StoreError> {
        let mut pinned = self.pinned()?;
        let mut images = BTreeMap::new();
        for image in self.images()? {
            let path = self
                .root
                .join("images")
                .join(format!("{}.json", image.config.hex()));
            if pinned.contains(&image.config) {
                pinned.extend(image.layers.iter().map(|layer| layer.diff_id));
                pinned.extend(image.blobs());
            }
            images.insert(image.config, (image, used(&path)?));
        }
        let mut layers = BTreeMap::new();
        for path in lock::list(&self.root.join("layers"))? {
            let Some(diff_id) = digest_of(&path) else {
                continue;
            };
            // One without a record cannot come to be; if one does, it is old and empty.
            let thing = match self.layer(&diff_id)? {
                Some(record) => Thing {
                    bytes: record.unpacked_bytes,
                    used: used(&path.join("layer.json"))?,
                },
                None => Thing {
                    bytes: 0,
                    used: SystemTime::UNIX_EPOCH,
                },
            };
            layers.insert(diff_id, thing);
        }
        let mut blobs = BTreeMap::new();
        for path in lock::list(&self.root.join("blobs/sha256"))? {
            if let Some(digest) = digest_of(&path) {
                let bytes = self.blob_bytes(&digest)?.unwrap_or(0);
                let used = used(&path)?;
                blobs.insert(digest, Thing { bytes, used });
            }
        }
        Ok(Contents {
            images,
            layers,
            blobs,
            pinned,
            partial_bytes: 0,
            oldest: None,
            done: Collected::default(),
        })
    }

    /// Names before images before what they need, so that whatever is found is complete. Returns the trees left to remove.
    fn unlink(&self, contents: &Contents) -> Result<Vec<std::path::PathBuf>, StoreError> {
        let done = &contents.done;
        for (name, image) in self.names()? {
            if done.images.contains(&image) {
                let path = self.root.join("names").join(pin::file_name(&name));
                self.remove_if_there(&path)?;
            }
        }
        for image in &done.images {
            let name = format!("{}.json", image.hex());
            self.remove_if_there(&self.root.join("images").join(name))?;
        }
        for blob in &done.blobs {
            self.remove_if_there(&self.blob_path(blob))?;
        }
        let oldest = contents.oldest;
        for step in self.lost_steps(|layer| contents.layers.contains_key(layer), oldest)? {
            self.remove_if_there(&step)?;
        }
        for content in self.old_contents(oldest)? {
            self.remove_if_there(&content)?;
        }
        let mut trees = Vec::new();
        for layer in &done.layers {
            let home = self.layer_home(layer);
            let away = self.scratch.next();
            std::fs::rename(&home, &away).map_err(StoreError::io(&home, "moving a layer away"))?;
            trees.push(away);
        }
        Ok(trees)
    }
}

impl Contents {
    fn decide(&mut self, policy: &GcPolicy, now: SystemTime) {
        self.oldest = policy.age_max.and_then(|age| now.checked_sub(age));
        let is_old = |used: SystemTime| {
            policy
                .age_max
                .is_some_and(|max| now.duration_since(used).is_ok_and(|age| age > max))
        };
        let old: Vec<Digest> = self
            .images
            .iter()
            .filter(|(digest, (_, used))| is_old(*used) && !self.pinned.contains(digest))
            .map(|(digest, _)| *digest)
            .collect();
        for image in old {
            self.drop_image(&image);
        }
        for (layer, thing) in self.loose_layers() {
            if is_old(thing.used) {
                self.drop_layer(&layer);
            }
        }
        self.drop_loose_blobs();
        while policy.bytes_max.is_some_and(|max| self.bytes() > max) {
            let images = self
                .images
                .iter()
                .filter(|(digest, _)| !self.pinned.contains(digest))
                .map(|(digest, (_, used))| (*used, true, *digest));
            let layers = self
                .loose_layers()
                .into_iter()
                .map(|(digest, thing)| (thing.used, false, digest));
            match images.chain(layers).min() {
                Some((_, true, image)) => self.drop_image(&image),
                Some((_, false, layer)) => self.drop_layer(&layer),
                None => break,
            }
            self.drop_loose_blobs();
        }
        self.done.bytes_left = self.bytes();
    }

    fn bytes(&self) -> u64 {
        self.layers
            .values()
            .chain(self.blobs.values())
            .map(|thing| thing.bytes)
            .sum::<u64>()
            + self.partial_bytes
    }

    /// Layers of no image that nobody holds.
    fn loose_layers(&self) -> Vec<(Digest, Thing)> {
        let needed: BTreeSet<Digest> = self
            .images
            .values()
            .flat_map(|(image, _)| image.layers.iter().map(|layer| layer.diff_id))
            .collect();
        self.layers
            .iter()
            .filter(|(digest, _)| !needed.contains(digest) && !self.pinned.contains(digest))
            .map(|(digest, thing)| (*digest, *thing))
            .collect()
    }

    fn drop_image(&mut self, image: &Digest) {
        self.images.remove(image);
        self.done.images.push(*image);
    }

    fn drop_layer(&mut self, layer: &Digest) {
        if let Some(thing) = self.layers.remove(layer) {
            self.done.bytes_freed += thing.bytes;
            self.done.layers.push(*layer);
        }
    }

    fn drop_loose_blobs(&mut self) {
        let needed: BTreeSet<Digest> = self
            .images
            .values()
            .flat_map(|(image, _)| image.blobs().copied())
            .collect();
        let (pinned, done) = (&self.pinned, &mut self.done);
        self.blobs.retain(|digest, thing| {
            let keep = needed.contains(digest) || pinned.contains(digest);
            if !keep {
                done.bytes_freed += thing.bytes;
                done.blobs.push(*digest);
            }
            keep
        });
    }
}

pub(super) fn digest_of(path: &Path) -> Option<Digest> {
    Digest::from_hex(path.file_name()?.to_str()?)
}

fn used(path: &Path) -> Result<SystemTime, StoreError> {
    path.metadata()
        .and_then(|meta| meta.modified())
        .map_err(StoreError::io(path, "looking at a record"))
}
