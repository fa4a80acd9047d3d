use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::lock::{self, Guard};
use super::{LayerRecord, Pin, Store, StoreError};
use crate::Digest;
use crate::dockerfile::Key;

/// What a build's step came to, under its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its layer; `None` where it changed nothing.
    pub layer: Option<Digest>,
    /// Files of the layer that whoever judges the image wants to know of, with their lengths.
    pub large: Vec<(String, u64)>,
}

impl Store {
    /// What the step of this key came to, if that is known and its layer is there: the layer is kept under `pin` then, and counts as used.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn step(
        &self,
        pin: &Pin,
        key: &Key,
    ) -> Result<Option<(StepRecord, Option<LayerRecord>)>, StoreError> {
        let Some(step) = self.get_json::<StepRecord>("steps", &file_name(key))? else {
            return Ok(None);
        };
        let layer = match &step.layer {
            None => None,
            Some(diff_id) => {
                pin.add(diff_id)?;
                let Some(layer) = self.layer(diff_id)? else {
                    return Ok(None);
                };
                self.touch_layer(diff_id)?;
                Some(layer)
            }
        };
        super::image::touch(&self.root.join("steps").join(file_name(key)))?;
        Ok(Some((step, layer)))
    }

    /// Remembers what a step came to.
    ///
    /// # Errors
    /// `Absent` where its layer is not there, `Io`.
    pub fn put_step(&self, key: &Key, step: &StepRecord) -> Result<(), StoreError> {
        let _guard = Guard::shared(&self.root)?;
        if let Some(diff_id) = &step.layer
            && self.layer(diff_id)?.is_none()
        {
            return Err(StoreError::Absent {
                what: "layer",
                digest: *diff_id,
            });
        }
        self.put_json("steps", &file_name(key), step)
    }

    /// Steps that nobody can use any more: their layer is not among those that `stays` knows, or they are older than `oldest`.
    pub(super) fn lost_steps(
        &self,
        stays: impl Fn(&Digest) -> bool,
        oldest: Option<SystemTime>,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let is_old = |path: &Path| {
            let used = path.metadata().and_then(|meta| meta.modified());
            oldest.is_some_and(|oldest| used.is_ok_and(|used| used < oldest))
        };
        let mut out = Vec::new();
        for path in lock::list(&self.root.join("steps"))? {
            let is_lost = match super::read_record::<StepRecord>(&path)? {
                Some(StepRecord {
                    layer: Some(layer), ..
                }) => !stays(&layer),
                Some(_) => is_old(&path),
                None => false,
            };
            if is_lost {
                out.push(path);
            }
        }
        Ok(out)
    }
}

fn file_name(key: &Key) -> String {
    format!("{key}.json")
}
