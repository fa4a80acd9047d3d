//! Steps that change files.

use std::path::PathBuf;

use gradus_image::dockerfile::resolve::{CopyFrom, CopySource, CopyStep};
use gradus_image::dockerfile::{Action, Step};
use gradus_image::layer::{ExportOptions, LayerCaps};
use gradus_image::store::LayerRecord;

use super::inputs::Inputs;
use super::stage::{Builder, Stage};
use crate::copy::{Changes, Copier, Unpacker, archive_caps};
use crate::error::StepError;
use crate::mounts::{From, MountError};
use crate::run::{self, Command};
use crate::staging::{Meta, Staging};
use crate::union::{Entry, Found, Union};
use crate::users::{self, Alone, User};

impl Builder<'_> {
    /// Does a step that changes files.
    pub(super) fn act(
        &mut self,
        step: &Step,
        stage: &Stage,
        inputs: Inputs,
    ) -> Result<Option<LayerRecord>, MountError> {
        match &step.action {
            Action::Config => Ok(None),
            Action::Workdir(path) => self.workdir(step, stage, path),
            Action::Copy(copy) => self.copy(step, stage, copy, inputs),
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
        inputs: Inputs,
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
        let mut selections = inputs.selections.iter();
        let mut files = inputs.files.into_iter();
        for source in &copy.sources {
            let done = match (source, &from) {
                (CopySource::File { name, content }, _) => copier.text(name, content),
                (CopySource::Path(path), Some(from)) => copier.layers(from, path),
                (CopySource::Path(path), None) => {
                    let selected = selections.next().expect("each path was selected");
                    let unpacker = copy.unpack.then_some(&mut unpacker);
                    copier.context(self.materials.context, path, selected, unpacker)
                }
                (CopySource::Url { url, name }, _) => {
                    let fetched = match (files.next().flatten(), &copy.checksum) {
                        (None, Some(checksum)) => self.fetch_checked(step.line, url, checksum)?,
                        (fetched, _) => fetched.expect("it was fetched for the step's key"),
                    };
                    copier.download(url, name.as_deref(), fetched.open()?, fetched.mtime_s)
                }
                (
                    CopySource::Repository {
                        url,
                        commit,
                        directory,
                    },
                    _,
                ) => {
                    let tree = self.checkout(url, commit)?;
                    let done = copier.commit(&tree, url, directory);
                    gradus_image::layer::remove_tree(&tree)
                        .map_err(crate::session::failed("removing", &tree))?;
                    done
                }
            };
            done.map_err(StepError::from)?;
        }
        let layer = self.commit(dir, staging);
        gradus_image::layer::remove_tree(&scratch)
            .map_err(crate::session::failed("removing", &scratch))?;
        layer
    }
}
