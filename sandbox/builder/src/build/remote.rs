//! What `ADD` takes from the network.

use std::fs::File;
use std::path::PathBuf;

use gradus_image::Digest;
use gradus_image::dockerfile::ContentHash;
use sha2::{Digest as _, Sha256};

use super::stage::Builder;
use crate::error::{BuildError, StepError};
use crate::mounts::MountError;
use crate::network::{Egress, Network, Within};
use crate::progress::Added;
use crate::session::failed;

/// A file that was fetched, until the step is done.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    /// seconds since 1970, as the layer has it
    pub(super) mtime_s: i64,
    bytes: u64,
}

impl Fetched {
    pub(super) fn open(&self) -> Result<File, BuildError> {
        File::open(&self.path).map_err(failed("reading", &self.path))
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // What stays goes with the build.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl<'a> Builder<'a> {
    /// What stands for a URL in a step's key: its checksum, or what is there now, which is fetched for that.
    pub(super) fn url_digest(
        &mut self,
        line: usize,
        url: &str,
        checksum: Option<&str>,
        had: u64,
    ) -> Result<(ContentHash, Option<Fetched>), MountError> {
        let mut hash = Sha256::new();
        if let Some(checksum) = checksum {
            self.added(line, url, checksum.to_owned());
            hash.update(b"checksum ");
            hash.update(checksum);
            return Ok((hash.finalize().into(), None));
        }
        let (digest, fetched) = self.fetch(line, url, had)?;
        hash.update(b"fetched ");
        hash.update(digest.bytes());
        hash.update(fetched.mtime_s.to_le_bytes());
        Ok((hash.finalize().into(), Some(fetched)))
    }

    /// Fetches a file whose checksum is known.
    pub(super) fn fetch_checked(
        &mut self,
        line: usize,
        url: &str,
        checksum: &str,
    ) -> Result<Fetched, MountError> {
        let (digest, fetched) = self.fetch(line, url, 0)?;
        if digest.to_string() != checksum {
            return Err(StepError::Checksum {
                url: url.to_owned(),
                expected: checksum.to_owned(),
                found: digest,
            }
            .into());
        }
        Ok(fetched)
    }

    /// `had`: bytes that the step has fetched already.
    fn fetch(&mut self, line: usize, url: &str, had: u64) -> Result<(Digest, Fetched), MountError> {
        let egress = self.egress(url)?;
        let within = self.within(had)?;
        let path = self.materials.session.directory("fetched")?.join("file");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed("making", &path))?;
        let download =
            egress
                .download(url, &mut file, within)
                .map_err(|source| StepError::Fetch {
                    url: url.to_owned(),
                    source,
                })?;
        self.added(line, url, download.digest.to_string());
        if let Some(added) = self.added.last_mut() {
            added.bytes = Some(download.bytes);
        }
        let epoch_s = self.materials.epoch_s;
        let fetched = Fetched {
            path,
            mtime_s: download.modified_s.unwrap_or(epoch_s).min(epoch_s),
            bytes: download.bytes,
        };
        Ok((download.digest, fetched))
    }

    /// Fetches a commit's files into a directory of the build's.
    pub(super) fn checkout(&mut self, url: &str, commit: &str) -> Result<PathBuf, MountError> {
        let egress = self.egress(url)?;
        let within = self.within(0)?;
        let dir = self.materials.session.directory("commit")?.join("tree");
        egress
            .checkout(url, commit, &dir, within)
            .map_err(|source| StepError::Fetch {
                url: url.to_owned(),
                source,
            })?;
        Ok(dir)
    }

    /// For the build's record; what is fetched twice stands there once.
    pub(super) fn added(&mut self, line: usize, url: &str, content: String) {
        self.added
            .retain(|added| added.line != line || added.url != url);
        self.added.push(Added {
            line,
            url: url.to_owned(),
            content,
            bytes: None,
        });
    }

    fn egress(&self, url: &str) -> Result<&'a dyn Egress, StepError> {
        match self.network {
            Network::Egress(egress) => Ok(egress),
            // Refused before the first step.
            Network::None => Err(StepError::NotAllowed {
                url: url.to_owned(),
                why: "the build may reach no host".to_owned(),
            }),
        }
    }

    fn within(&self, had: u64) -> Result<Within, BuildError> {
        let limits = self.materials.limits;
        Ok(Within {
            bytes: limits.disk_bytes.saturating_sub(had),
            entries: limits.disk_inodes,
            time: self.time_left()?,
        })
    }
}

/// Bytes of files that were fetched.
pub(super) fn bytes_of(files: &[Option<Fetched>]) -> u64 {
    files.iter().flatten().map(|file| file.bytes).sum()
}
