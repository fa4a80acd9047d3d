//! The stages of a build, step by step.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gradus_image::Digest;
use gradus_image::Entropy;
use gradus_image::context::Selected;
use gradus_image::dockerfile::{
    Action, Base, ImageConfig, Key, Mount, MountKind, PlannedStage, Resolved, Step,
};
use gradus_image::layout::{self, History};
use gradus_image::store::{ImageLayer, ImageRecord, Pin, StepRecord, Store};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sha2::{Digest as _, Sha256};

use crate::bases::Resolver;
use crate::error::{BuildError, StepError};
use crate::image::rfc3339;
use crate::mounts::{Materials, MountError};
use crate::network::Network;
use crate::progress::{Added, Event, Large, StepReport};
use crate::union::{Entry, Union};

/// Most files of a layer that are reported as large.
const LARGE_MAX: usize = 100;

/// A stage as far as it is built.
#[derive(Debug)]
pub(super) struct Stage {
    /// the lowest first
    pub(super) layers: Vec<ImageLayer>,
    key: Key,
    /// what the image that it is built on says
    pub(super) base: Option<layout::ImageConfig>,
    pub(super) history: Vec<History>,
    pub(super) large: Vec<Large>,
    /// set when it is done
    pub(super) resolved: Resolved,
}

/// A build that goes on.
pub(super) struct Builder<'a> {
    pub(super) materials: Materials<'a>,
    pub(super) store: &'a Store,
    pub(super) pin: &'a Pin,
    pub(super) proxies: &'a [(String, String)],
    pub(super) network: Network<'a>,
    pub(super) no_cache: bool,
    pub(super) started: Instant,
    pub(super) resolver: Resolver<'a>,
    /// those that are done, by number
    pub(super) stages: BTreeMap<usize, Stage>,
    pub(super) number: usize,
    pub(super) total: usize,
    pub(super) reports: Vec<StepReport>,
    /// what was fetched by `ADD`
    pub(super) added: Vec<Added>,
    /// what paths select in the context
    pub(super) selected: BTreeMap<String, Rc<Selected>>,
    pub(super) tell: &'a mut dyn FnMut(Event<'_>),
}

impl Stage {
    /// What a stage begins with.
    pub(super) fn begin(
        planned: &PlannedStage,
        line: usize,
        builder: &mut Builder<'_>,
    ) -> Result<Stage, BuildError> {
        let empty = Resolved {
            steps: Vec::new(),
            config: ImageConfig::scratch(),
            args: BTreeMap::new(),
        };
        Ok(match &planned.base {
            Base::Scratch => Stage {
                layers: Vec::new(),
                key: builder.first_key(&Key::scratch(&planned.platform)),
                base: None,
                history: Vec::new(),
                large: Vec::new(),
                resolved: empty,
            },
            Base::Image(reference) => {
                let base = builder.resolver.get(line, reference, &planned.platform)?;
                let digest = base.image.manifest.unwrap_or(base.image.config);
                Stage {
                    layers: base.image.layers,
                    key: builder.first_key(&Key::image(&digest.to_string(), &planned.platform)),
                    history: base.config.history.clone(),
                    base: Some(base.config),
                    large: Vec::new(),
                    resolved: empty,
                }
            }
            Base::Stage(index) => {
                let parent = builder
                    .stages
                    .get(index)
                    .expect("stages are built in order");
                Stage {
                    layers: parent.layers.clone(),
                    key: parent.key,
                    base: parent.base.clone(),
                    history: parent.history.clone(),
                    large: parent.large.clone(),
                    resolved: empty,
                }
            }
        })
    }

    /// Bytes of all layers, unpacked.
    pub(super) fn bytes(&self, store: &Store) -> Result<u64, BuildError> {
        let mut bytes = 0;
        for layer in &self.layers {
            let record = store.layer(&layer.diff_id)?;
            bytes += record.map_or(0, |record| record.unpacked_bytes);
        }
        Ok(bytes)
    }

    /// Trees of its layers, the uppermost first.
    pub(super) fn trees(&self, store: &Store) -> Result<Vec<PathBuf>, BuildError> {
        Ok(store.layer_dirs(&record_of(&self.layers))?)
    }
}

/// Layers as the store takes them together; of an image that is none yet.
pub(super) fn record_of(layers: &[ImageLayer]) -> ImageRecord {
    ImageRecord {
        config: Digest::of(b""),
        manifest: None,
        layers: layers.to_vec(),
    }
}

impl Builder<'_> {
    /// What times become is part of every layer, so of every key.
    fn first_key(&self, key: &Key) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"times until ");
        hash.update(self.materials.epoch_s.to_le_bytes());
        hash.update(key.0);
        Key(hash.finalize().into())
    }

    /// What is in a cache is part of no key: whose it is has to be, or a build would be given what another one's cache made.
    fn with_caches(&self, step: &Step, key: Key) -> Key {
        let Action::Run(run) = &step.action else {
            return key;
        };
        let is_cache = |mount: &Mount| matches!(mount.kind, MountKind::Cache { .. });
        if !run.mounts.iter().any(is_cache) {
            return key;
        }
        let mut hash = Sha256::new();
        match self.materials.cache_scope {
            Some(scope) => {
                hash.update(b"caches of ");
                hash.update(Sha256::digest(scope));
            }
            None => {
                hash.update(b"caches of one build ");
                hash.update(Sha256::digest(self.materials.session.id()));
            }
        }
        hash.update(key.0);
        Key(hash.finalize().into())
    }

    pub(super) fn step_begins(&mut self, line: usize, text: &str) {
        self.number += 1;
        (self.tell)(Event::Step {
            number: self.number,
            total: self.total,
            line,
            text,
        });
    }

    pub(super) fn step_done(
        &mut self,
        line: usize,
        text: &str,
        cached: bool,
        took: Duration,
        bytes: Option<u64>,
    ) {
        (self.tell)(Event::Done {
            cached,
            took,
            bytes,
        });
        self.reports.push(StepReport {
            line,
            text: text.to_owned(),
            cached,
            took_ms: took.as_millis() as u64,
            layer_bytes: bytes,
        });
    }

    /// What is left of the build's time.
    pub(super) fn time_left(&self) -> Result<Option<Duration>, BuildError> {
        if (self.materials.cancelled)() {
            return Err(BuildError::Cancelled);
        }
        let Some(limit) = self.materials.limits.time else {
            return Ok(None);
        };
        match limit.checked_sub(self.started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(BuildError::Time {
                limit_s: limit.as_secs(),
            }),
        }
    }

    /// Does a step: finds what it came to before, or does it now.
    pub(super) fn step(&mut self, step: &Step, stage: &mut Stage) -> Result<(), BuildError> {
        let begun = Instant::now();
        self.step_begins(step.line, &step.text);
        self.time_left()?;
        let at_line = |source: StepError| BuildError::at(step, source);
        let mut history = History {
            created: Some(rfc3339(u64::try_from(self.materials.epoch_s).unwrap_or(0))),
            created_by: Some(step.text.clone()),
            empty_layer: true,
            ..History::default()
        };
        if step.action == Action::Config {
            stage.history.push(history);
            self.step_done(step.line, &step.text, false, begun.elapsed(), None);
            return Ok(());
        }
        let inputs = self.inputs(step).map_err(|error| match error {
            MountError::Step(source) => at_line(source),
            MountError::Build(error) => error,
        })?;
        let key = step
            .key(&stage.key, &inputs.digests)
            .expect("there is a digest for each input");
        let key = self.with_caches(step, key);
        let known = match self.no_cache {
            true => None,
            false => self.store.step(self.pin, &key)?,
        };
        let cached = known.is_some();
        let (record, layer) = match known {
            Some(known) => known,
            None => {
                let layer = self.act(step, stage, inputs).map_err(|error| match error {
                    MountError::Step(source) => at_line(source),
                    MountError::Build(error) => error,
                })?;
                // One without an entry says nothing: no layer.
                let layer = layer.filter(|layer| layer.entries > 0 || layer.opaque_root);
                let record = StepRecord {
                    large: match &layer {
                        Some(layer) => self.large(&layer.diff_id)?,
                        None => Vec::new(),
                    },
                    layer: layer.as_ref().map(|layer| layer.diff_id),
                };
                self.store.put_step(&key, &record)?;
                (record, layer)
            }
        };
        let bytes = layer.as_ref().map(|layer| layer.unpacked_bytes);
        stage.key = key;
        if let Some(layer) = layer {
            history.empty_layer = false;
            stage.layers.push(ImageLayer {
                diff_id: layer.diff_id,
                blob: None,
            });
            for (path, bytes) in record.large {
                let entropy_millibits = self.entropy(&layer.diff_id, &path, bytes)?;
                stage.large.push(Large {
                    line: step.line,
                    path,
                    bytes,
                    entropy_millibits,
                });
            }
            let (found, limit) = (stage.bytes(self.store)?, self.materials.limits.image_bytes);
            if found > limit {
                return Err(BuildError::ImageSize { found, limit });
            }
        }
        stage.history.push(history);
        self.step_done(step.line, &step.text, cached, begun.elapsed(), bytes);
        Ok(())
    }

    /// How much the bytes of a layer's file say.
    fn entropy(&self, layer: &Digest, path: &str, bytes: u64) -> Result<u16, BuildError> {
        let root = self.store.layer_dir(layer);
        let failed = |source| BuildError::Io {
            step: "looking at",
            path: path.to_owned(),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        // What was built is hostile: no link of it is followed.
        let file = File::open(root).and_then(|root| {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let inside = path.trim_start_matches('/');
            Ok(openat2(&root, inside, flags, Mode::empty(), resolve)?)
        });
        let file = File::from(file.map_err(failed)?);
        Ok(Entropy::of(&file, bytes).map_err(failed)?.millibits())
    }

    /// Files of a layer that are large, the largest first.
    fn large(&self, layer: &Digest) -> Result<Vec<(String, u64)>, BuildError> {
        let from_bytes = self.materials.limits.large_bytes;
        let mut large: Vec<(String, u64)> = Vec::new();
        let walked = Union::open(&[self.store.layer_dir(layer)]).and_then(|tree| {
            tree.root().walk(|path, entry, stat| {
                let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                if matches!(entry, Entry::File(_)) && bytes >= from_bytes {
                    large.push((crate::staging::joined(path), bytes));
                    large.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
                    large.truncate(LARGE_MAX);
                }
                Ok::<_, crate::union::UnionError>(())
            })
        });
        walked.map_err(|error| BuildError::Io {
            step: "looking through",
            path: "a new layer".to_owned(),
            source: std::io::Error::other(error),
        })?;
        Ok(large)
    }
}
