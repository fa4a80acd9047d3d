use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::lock;
use super::{Store, StoreError};
use crate::Digest;
use crate::dockerfile::{ContentHash, Key};

/// A digest that took reading files. Layers do not change, so it stays right for good.
#[derive(Serialize, Deserialize)]
struct ContentRecord {
    content: Digest,
}

impl Store {
    /// What [`Store::remember_content`] was told under this key; counts as a use of it.
    ///
    /// # Errors
    /// `Record`, `Io`.
    pub fn content(&self, key: &Key) -> Result<Option<ContentHash>, StoreError> {
        let name = format!("{key}.json");
        let Some(record) = self.get_json::<ContentRecord>("contents", &name)? else {
            return Ok(None);
        };
        // One that is being collected is right all the same.
        let _ = super::image::touch(&self.root.join("contents").join(name));
        Ok(Some(*record.content.bytes()))
    }

    /// Remembers the digest of what is selected in layers, under a key over these layers and what selects.
    ///
    /// # Errors
    /// `Io`.
    pub fn remember_content(&self, key: &Key, content: &ContentHash) -> Result<(), StoreError> {
        let record = ContentRecord {
            content: Digest::from_bytes(*content),
        };
        self.put_json("contents", &format!("{key}.json"), &record)
    }

    /// Digests that were not asked for since `oldest`.
    pub(super) fn old_contents(
        &self,
        oldest: Option<SystemTime>,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let is_old = |path: &PathBuf| {
            let used = path.metadata().and_then(|meta| meta.modified());
            oldest.is_some_and(|oldest| used.is_ok_and(|used| used < oldest))
        };
        let all = lock::list(&self.root.join("contents"))?;
        Ok(all.into_iter().filter(is_old).collect())
    }
}
