//! The stages of a build, step by step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gradus_image::Digest;
use gradus_image::context::Selected;
use gradus_image::dockerfile::key::Input;
use gradus_image::dockerfile::resolve::{CopyFrom, CopySource, CopyStep};
use gradus_image::dockerfile::{
    Action, Base, ContentHash, ImageConfig, Key, PlannedStage, Platform, Resolved, Step,
};
use gradus_image::layer::{ExportOptions, LayerCaps};
use gradus_image::layout::{self, History};
use gradus_image::store::{ImageLayer, ImageRecord, LayerRecord, Pin, StepRecord, Store};
use sha2::{Digest as _, Sha256};

use crate::bases::Resolver;
use crate::copy::{Changes, Copier, Unpacker, archive_caps};
use crate::error::{BuildError, StepError};
use crate::image::rfc3339;
use crate::mounts::{From, Materials, MountError};
use crate::network::Network;
use crate::progress::{Event, Large, StepReport};
use crate::run::{self, Command};
use crate::staging::{Meta, Staging};
use crate::union::{Entry, Found, Union};
use crate::users::{self, Alone, User};

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
    fn trees(&self, store: &Store) -> Result<Vec<PathBuf>, BuildError> {
        Ok(store.layer_dirs(&record_of(&self.layers))?)
    }
}

/// Layers as the store takes them together; of an image that is none yet.
fn record_of(layers: &[ImageLayer]) -> ImageRecord {
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
    fn time_left(&self) -> Result<Option<Duration>, BuildError> {
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
        let at_line = |source: StepError| BuildError::Step {
            line: step.line,
            text: step.text.chars().take(120).collect(),
            source,
        };
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
        let (digests, selections) = self.inputs(step).map_err(|error| match error {
            MountError::Step(source) => at_line(source),
            MountError::Build(error) => error,
        })?;
        let key = step
            .key(&stage.key, &digests)
            .expect("there is a digest for each input");
        let known = match self.no_cache {
            true => None,
            false => self.store.step(self.pin, &key)?,
        };
        let cached = known.is_some();
        let (record, layer) = match known {
            Some(known) => known,
            None => {
                let layer = self
                    .act(step, stage, &selections)
                    .map_err(|error| match error {
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
            stage
                .large
                .extend(record.large.into_iter().map(|(path, bytes)| Large {
                    line: step.line,
                    path,
                    bytes,
                }));
            let (found, limit) = (stage.bytes(self.store)?, self.materials.limits.image_bytes);
            if found > limit {
                return Err(BuildError::ImageSize { found, limit });
            }
        }
        stage.history.push(history);
        self.step_done(step.line, &step.text, cached, begun.elapsed(), bytes);
        Ok(())
    }

    /// A digest for each thing that a step reads, and what it selects in the context.
    fn inputs(
        &mut self,
        step: &Step,
    ) -> Result<(Vec<ContentHash>, Vec<(String, Selected)>), MountError> {
        let (mut digests, mut selections) = (Vec::new(), Vec::new());
        for input in step.inputs() {
            digests.push(match input {
                Input::Network => self.network.digest(),
                Input::Url(_) => {
                    return Err(StepError::Refused {
                        what: "ADD of a URL".to_owned(),
                        help: "put the file into the context, or fetch it with RUN where builds have a network",
                    }
                    .into());
                }
                Input::Files { from, paths } => {
                    let mut hash = Sha256::new();
                    for path in paths {
                        let digest = match from {
                            CopyFrom::Context => {
                                let selected = self
                                    .materials
                                    .context
                                    .select(path)
                                    .map_err(StepError::from)?;
                                let digest = selected.digest;
                                selections.push((path.to_owned(), selected));
                                digest
                            }
                            // The same layers have the same files.
                            CopyFrom::Stage(_) | CopyFrom::Image(_) => {
                                self.layers_digest(from, &step.scope.platform, step.line, path)?
                            }
                        };
                        hash.update(digest);
                    }
                    hash.finalize().into()
                }
            });
        }
        Ok((digests, selections))
    }

    fn layers_digest(
        &mut self,
        from: &CopyFrom,
        platform: &Platform,
        line: usize,
        path: &str,
    ) -> Result<ContentHash, MountError> {
        let mut hash = Sha256::new();
        hash.update(b"layers");
        for layer in self.layers_of(from, platform, line)? {
            hash.update(layer.diff_id.hex());
        }
        hash.update(path);
        Ok(hash.finalize().into())
    }

    fn layers_of(
        &mut self,
        from: &CopyFrom,
        platform: &Platform,
        line: usize,
    ) -> Result<Vec<ImageLayer>, BuildError> {
        Ok(match from {
            CopyFrom::Context => Vec::new(),
            CopyFrom::Stage(index) => {
                let stage = self.stages.get(index).expect("stages are built in order");
                stage.layers.clone()
            }
            CopyFrom::Image(reference) => {
                let base = self.resolver.get(line, reference, platform)?;
                base.image.layers
            }
        })
    }

    fn union_of(
        &mut self,
        from: &CopyFrom,
        platform: &Platform,
        line: usize,
    ) -> Result<Union, MountError> {
        let layers = self.layers_of(from, platform, line)?;
        let trees = self
            .store
            .layer_dirs(&record_of(&layers))
            .map_err(BuildError::from)?;
        Ok(Union::open(&trees).map_err(StepError::from)?)
    }

    /// Does a step that changes files.
    fn act(
        &mut self,
        step: &Step,
        stage: &Stage,
        selections: &[(String, Selected)],
    ) -> Result<Option<LayerRecord>, MountError> {
        match &step.action {
            Action::Config => Ok(None),
            Action::Workdir(path) => self.workdir(step, stage, path),
            Action::Copy(copy) => self.copy(step, stage, copy, selections),
            Action::Run(run) => {
                let mut unions = Vec::new();
                for (from, _) in &run.mount_sources {
                    unions.push(match from {
                        CopyFrom::Context => None,
                        from => Some(self.union_of(from, &step.scope.platform, step.line)?),
                    });
                }
                let command = Command {
                    run,
                    scope: &step.scope,
                    layers: stage.trees(self.store)?,
                    sources: unions
                        .iter()
                        .map(|union| union.as_ref().map_or(From::Context, From::Layers))
                        .collect(),
                    proxies: self.proxies,
                    network: self.network,
                    time: self.time_left()?,
                };
                let to = (self.store, self.pin);
                run::run(command, &self.materials, to, self.tell).map(Some)
            }
        }
    }

    fn staging(&self, lower: &Union, owner: User) -> Result<(PathBuf, Staging), MountError> {
        let dir = self.materials.session.directory("layer")?;
        let implied = Meta {
            mode: 0o755,
            owner,
            mtime_s: self.materials.epoch_s,
        };
        let limits = self.materials.limits;
        let staging = Staging::new(&dir, lower, implied, limits.disk_bytes, limits.disk_inodes)
            .map_err(StepError::from)?;
        Ok((dir, staging))
    }

    /// What was staged as a layer.
    fn commit(&self, dir: PathBuf, staging: Staging) -> Result<Option<LayerRecord>, MountError> {
        if !staging.finish().map_err(StepError::from)? {
            return Ok(None);
        }
        let mut options = ExportOptions::new(u64::try_from(self.materials.epoch_s).unwrap_or(0));
        // What is copied from layers keeps its times; what is new has the build's.
        options.caps = LayerCaps {
            unpacked_bytes: self.materials.limits.disk_bytes.saturating_mul(2),
            ..LayerCaps::default()
        };
        let layer = self
            .store
            .put_upper(self.pin, &dir, &options)
            .map_err(StepError::from)?;
        gradus_image::layer::remove_tree(&dir).map_err(crate::session::failed("removing", &dir))?;
        Ok(Some(layer))
    }

    fn workdir(
        &mut self,
        step: &Step,
        stage: &Stage,
        path: &str,
    ) -> Result<Option<LayerRecord>, MountError> {
        let lower = Union::open(&stage.trees(self.store)?).map_err(StepError::from)?;
        let path = match lower.resolve(path, true).map_err(StepError::from)? {
            Found::There {
                entry: Entry::Directory(_),
                ..
            } => return Ok(None),
            Found::Missing { mut path, rest, .. } => {
                path.extend(rest);
                path
            }
            Found::There { path, .. } | Found::Blocked { path } => path,
        };
        let owner =
            users::find(&lower, &step.scope.user, Alone::Looked).map_err(StepError::from)?;
        let (dir, mut staging) = self.staging(&lower, owner)?;
        staging.directory(&path, None).map_err(StepError::from)?;
        self.commit(dir, staging)
    }

    fn copy(
        &mut self,
        step: &Step,
        stage: &Stage,
        copy: &CopyStep,
        selections: &[(String, Selected)],
    ) -> Result<Option<LayerRecord>, MountError> {
        let image = Union::open(&stage.trees(self.store)?).map_err(StepError::from)?;
        let owner = match &copy.chown {
            Some(text) => Some(users::find(&image, text, Alone::Same).map_err(StepError::from)?),
            None => None,
        };
        // --link: as if there were nothing beneath.
        let lower = match copy.link {
            true => Union::open(&[]).map_err(StepError::from)?,
            false => image,
        };
        let (dir, mut staging) = self.staging(&lower, owner.unwrap_or(User { uid: 0, gid: 0 }))?;
        let scratch = self.materials.session.directory("add")?;
        let limits = self.materials.limits;
        let mut unpacker = Unpacker {
            scratch: &scratch,
            caps: archive_caps(limits.disk_bytes, limits.disk_inodes),
            unpacked: 0,
        };
        let from = match copy.from {
            CopyFrom::Context => None,
            _ => Some(self.union_of(&copy.from, &step.scope.platform, step.line)?),
        };
        let mut copier = Copier {
            staging: &mut staging,
            destination: &copy.destination,
            into_directory: copy.into_directory,
            changes: Changes {
                owner,
                mode: copy.chmod,
                epoch_s: self.materials.epoch_s,
            },
        };
        let mut selections = selections.iter();
        for source in &copy.sources {
            let done = match (source, &from) {
                (CopySource::File { name, content }, _) => copier.text(name, content),
                (CopySource::Path(path), Some(from)) => copier.layers(from, path),
                (CopySource::Path(path), None) => {
                    let (_, selected) = selections.next().expect("each path was selected");
                    let unpacker = copy.unpack.then_some(&mut unpacker);
                    copier.context(self.materials.context, path, selected, unpacker)
                }
                // Refused with the step's inputs.
                (CopySource::Url(_), _) => Ok(()),
            };
            done.map_err(StepError::from)?;
        }
        let layer = self.commit(dir, staging);
        gradus_image::layer::remove_tree(&scratch)
            .map_err(crate::session::failed("removing", &scratch))?;
        layer
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
                    large.sort_by(|one, other| other.1.cmp(&one.1));
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
