//! What a step reads besides its own text: the digests that its key needs.

use gradus_image::context::Selected;
use gradus_image::dockerfile::key::Input;
use gradus_image::dockerfile::resolve::CopyFrom;
use gradus_image::dockerfile::{ContentHash, Platform, Step};
use gradus_image::store::ImageLayer;
use sha2::{Digest as _, Sha256};

use super::stage::{Builder, record_of};
use crate::error::{BuildError, StepError};
use crate::mounts::MountError;
use crate::union::Union;

/// A digest for each thing that a step reads, and what its sources select in the context.
pub(super) type Inputs = (Vec<ContentHash>, Vec<(String, Selected)>);

impl Builder<'_> {
    /// A digest for each thing that a step reads, and what it selects in the context.
    pub(super) fn inputs(&mut self, step: &Step) -> Result<Inputs, MountError> {
        let (mut digests, mut selections) = (Vec::new(), Vec::new());
        for input in step.inputs() {
            digests.push(match input {
                Input::Network => self.network.digest(),
                Input::Url(_) => {
                    return Err(StepError::Refused {
                        what: "ADD of a URL".to_owned(),
                        help: "put the file into the context, or fetch it with RUN and --allow-host",
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
