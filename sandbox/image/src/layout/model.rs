//! Indices, manifests and descriptors, with what this crate reads of them. Other members are passed over; a member twice is an
//! error.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ParseImageError;
use crate::Digest;

/// Longest index, manifest or configuration that is read.
pub const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// Most layers of an image; more than this overlay does not mount everywhere.
pub const LAYERS_MAX: usize = 128;
/// Most manifests of an index.
pub const MANIFESTS_MAX: usize = 256;

/// OCI's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Whether a media type is an index's, OCI's or Docker's.
pub fn is_index(media_type: &str) -> bool {
    media_type == INDEX || media_type == DOCKER_INDEX
}

/// Whether a media type is a manifest's, OCI's or Docker's.
pub fn is_manifest(media_type: &str) -> bool {
    media_type == MANIFEST || media_type == DOCKER_MANIFEST
}

/// What leads to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Names, among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// Without platform and annotations.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: None,
        }
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        Some(self.annotations.as_ref()?.get(key)?)
    }
}

/// An operating system and a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64` and the like.
    pub architecture: String,
    /// `linux` and the like.
    pub os: String,
    /// `v8` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The one that images are run on.
    pub fn linux_amd64() -> Platform {
        Platform {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            variant: None,
        }
    }

    /// The same system and machine; the variant is a matter of taste on those we run.
    pub fn runs_on(&self, host: &Platform) -> bool {
        self.os == host.os && self.architecture == host.architecture
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| -> String { text.chars().take(40).collect() };
        write!(f, "{}/{}", cut(&self.os), cut(&self.architecture))?;
        match &self.variant {
            Some(variant) => write!(f, "/{}", cut(variant)),
            None => Ok(()),
        }
    }
}

/// A list of manifests, one for each platform or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// What it lists.
    pub manifests: Vec<Descriptor>,
}

/// A configuration and layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers.
    pub layers: Vec<Descriptor>,
}

impl Index {
    /// Of some manifests.
    pub fn new(manifests: Vec<Descriptor>) -> Index {
        Index {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// As [`ParseImageError`] says.
    pub fn parse(json: &[u8]) -> Result<Index, ParseImageError> {
        const WHAT: &str = "index";
        let index: Index = parse(WHAT, json)?;
        check_version(WHAT, index.schema_version)?;
        check_type(WHAT, index.media_type.as_deref(), is_index)?;
        check_count(WHAT, "manifests", index.manifests.len(), MANIFESTS_MAX)?;
        Ok(index)
    }
}

impl Manifest {
    /// Of a configuration and layers.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config,
            layers,
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// As [`ParseImageError`] says.
    pub fn parse(json: &[u8]) -> Result<Manifest, ParseImageError> {
        const WHAT: &str = "manifest";
        let manifest: Manifest = parse(WHAT, json)?;
        check_version(WHAT, manifest.schema_version)?;
        check_type(WHAT, manifest.media_type.as_deref(), is_manifest)?;
        check_type(
            "manifest's configuration",
            Some(&manifest.config.media_type),
            |found| found == CONFIG || found == DOCKER_CONFIG,
        )?;
        check_count(WHAT, "layers", manifest.layers.len(), LAYERS_MAX)?;
        Ok(manifest)
    }
}

pub(super) fn parse<T: DeserializeOwned>(
    what: &'static str,
    json: &[u8],
) -> Result<T, ParseImageError> {
    if json.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(ParseImageError::TooLong {
            what,
            found: json.len() as u64,
            limit: DOCUMENT_BYTES_MAX,
        });
    }
    serde_json::from_slice(json).map_err(|source| ParseImageError::Json { what, source })
}

fn check_version(what: &'static str, found: u32) -> Result<(), ParseImageError> {
    if found == 2 {
        return Ok(());
    }
    Err(ParseImageError::Wrong {
        what,
        reason: format!("schema version {found}, only 2 is known\nhelp: export the image again"),
    })
}

fn check_type(
    what: &'static str,
    found: Option<&str>,
    is_right: impl Fn(&str) -> bool,
) -> Result<(), ParseImageError> {
    match found {
        Some(found) if !is_right(found) => Err(ParseImageError::Wrong {
            what,
            reason: format!(
                "that it is {:?}: it is no image",
                found.chars().take(100).collect::<String>()
            ),
        }),
        _ => Ok(()),
    }
}

fn check_count(
    what: &'static str,
    of: &'static str,
    found: usize,
    limit: usize,
) -> Result<(), ParseImageError> {
    if found <= limit {
        return Ok(());
    }
    Err(ParseImageError::TooMany {
        what,
        of,
        found,
        limit,
    })
}

#[cfg(test)]
mod tests;
