//! What a step reads besides its own text: the digests that its key needs.

use std::rc::Rc;

use gradus_image::Digest;
use gradus_image::context::Selected;
use gradus_image::dockerfile::key::Input;
use gradus_image::dockerfile::resolve::{CopyFrom, CopySource};
use gradus_image::dockerfile::{Action, ContentHash, Key, Platform, Step};
use gradus_image::store::ImageLayer;
use sha2::{Digest as _, Sha256};

use super::remote::{self, Fetched};
use super::stage::{Builder, record_of};
use crate::error::{BuildError, StepError};
use crate::mounts::MountError;
use crate::union::Union;

/// What a step reads.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// a digest for each thing
    pub(super) digests: Vec<ContentHash>,
    /// what its sources select in the context, in their order
    pub(super) selections: Vec<Rc<Selected>>,
    /// what was fetched for its URLs, in their order; none where a checksum says what it is
    pub(super) files: Vec<Option<Fetched>>,
    /// the checksum of its URL
    checksum: Option<String>,
}

impl Builder<'_> {
    /// What a path selects in the context; each is looked at once.
    pub(super) fn selected(&mut self, path: &str) -> Result<Rc<Selected>, StepError> {
        if let Some(selected) = self.selected.get(path) {
            return Ok(Rc::clone(selected));
        }
        let selected = Rc::new(self.materials.context.select(path)?);
        self.selected.insert(path.to_owned(), Rc::clone(&selected));
        Ok(selected)
    }

    /// A digest for each thing that a step reads, and what it selects in the context.
    pub(super) fn inputs(&mut self, step: &Step) -> Result<Inputs, MountError> {
        let mut inputs = Inputs::default();
        if let Action::Copy(copy) = &step.action {
            inputs.checksum.clone_from(&copy.checksum);
            for source in &copy.sources {
                if let CopySource::Repository { url, commit, .. } = source {
                    self.added(step.line, url, commit.clone());
                }
            }
        }
        for input in step.inputs() {
            let digest = match input {
                Input::Network => self.network.digest(),
                Input::Url(url) => {
                    let had = remote::bytes_of(&inputs.files);
                    let checksum = inputs.checksum.as_deref();
                    let (digest, file) = self.url_digest(step.line, url, checksum, had)?;
                    inputs.files.push(file);
                    digest
                }
                Input::Files { from, paths } => {
                    let mut hash = Sha256::new();
                    for path in paths {
                        let digest = match from {
                            CopyFrom::Context => {
                                let selected = self.selected(path)?;
                                let digest = selected.digest;
                                inputs.selections.push(selected);
                                digest
                            }
                            CopyFrom::Stage(_) | CopyFrom::Image(_) => {
                                self.layers_digest(from, &step.scope.platform, step.line, path)?
                            }
                        };
                        hash.update(digest);
                    }
                    hash.finalize().into()
                }
            };
            inputs.digests.push(digest);
        }
        Ok(inputs)
    }

    /// The digest of what a path selects in layers. It is remembered for these layers: the same ones have the same files.
    fn layers_digest(
        &mut self,
        from: &CopyFrom,
        platform: &Platform,
        line: usize,
        path: &str,
    ) -> Result<ContentHash, MountError> {
        let epoch_s = self.materials.epoch_s;
        let layers = self.layers_of(from, platform, line)?;
        let layers: Vec<_> = layers.iter().map(|layer| layer.diff_id).collect();
        let key = selection_key(epoch_s, &layers, path);
        if let Some(known) = self.store.content(&key).map_err(BuildError::from)? {
            return Ok(known);
        }
        let union = self.union_of(from, platform, line)?;
        let content = crate::copy::digest(&union, path, epoch_s).map_err(StepError::from)?;
        self.store
            .remember_content(&key, &content)
            .map_err(BuildError::from)?;
        Ok(content)
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

    pub(super) fn union_of(
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
}

/// What the digest of a selection is remembered under. Layers and paths are a stranger's choice: no two lists of layers and a path read the
/// same.
fn selection_key(epoch_s: i64, layers: &[Digest], path: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update(b"selected 2 ");
    hash.update(epoch_s.to_le_bytes());
    hash.update((layers.len() as u64).to_le_bytes());
    for layer in layers {
        hash.update(layer.hex());
    }
    hash.update((path.len() as u64).to_le_bytes());
    hash.update(path);
    Key(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_reads_like_a_layer_has_a_key_of_its_own() {
        let layer = |byte: u8| -> Digest {
            format!("sha256:{}", format!("{byte:02x}").repeat(32))
                .parse()
                .unwrap()
        };
        let (one, two) = (layer(0xab), layer(0xcd));
        let planted = format!("{}usr/local/tool", two.hex());
        assert_ne!(
            selection_key(0, &[one], &planted),
            selection_key(0, &[one, two], "usr/local/tool")
        );
    }
}
