//! From a name to a manifest and a configuration, whose digests were computed here.

use gradus_image::Digest;
use gradus_image::layout::model::{self, DOCUMENT_BYTES_MAX};
use gradus_image::layout::{Descriptor, ImageConfig, Index, Manifest, ParseImageError, Platform};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::blob::BlobReader;
use super::endpoint::{Endpoint, Question};
use super::error::PullError;
use super::reference::Reference;
use crate::net::{header, plain_text};

/// How an index of indices may nest.
const NESTED_MAX: u32 = 3;

/// An image's documents.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Of what the name stands for: an index, or the manifest.
    pub(super) digest: Digest,
    pub(super) manifest_digest: Digest,
    pub(super) manifest_json: Vec<u8>,
    pub(super) manifest: Manifest,
}

enum Document {
    Index(Index),
    Manifest(Manifest),
}

/// Asks what a name stands for, once, and follows it to the manifest for a platform.
pub(super) fn resolve(
    endpoint: &Endpoint<'_>,
    reference: &Reference,
    platform: &Platform,
) -> Result<Resolved, PullError> {
    let what = format!("the manifest of {reference}");
    let (digest, mut json, mut document) = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => fetch(endpoint, &what, &digest.to_string(), Some(digest), None)?,
        (None, tag) => fetch(endpoint, &what, tag.unwrap_or("latest"), None, None)?,
    };
    let mut manifest_digest = digest;
    for _ in 0..=NESTED_MAX {
        let index = match document {
            Document::Manifest(manifest) => {
                return Ok(Resolved {
                    digest,
                    manifest_digest,
                    manifest_json: json,
                    manifest,
                });
            }
            Document::Index(index) => index,
        };
        let chosen = choose(&index, platform)?;
        (manifest_digest, json, document) = fetch(
            endpoint,
            &what,
            &chosen.digest.to_string(),
            Some(&chosen.digest),
            Some(chosen.size),
        )?;
    }
    Err(PullError::Kind {
        server: endpoint.server.clone(),
        what,
        found: format!("an index below {NESTED_MAX} others"),
    })
}

/// The first that fits: without a variant if there is one, and one that does not say for whom it is only where nothing else fits.
fn choose<'i>(index: &'i Index, platform: &Platform) -> Result<&'i Descriptor, PullError> {
    let is_document =
        |d: &&Descriptor| model::is_manifest(&d.media_type) || model::is_index(&d.media_type);
    let rank = |d: &Descriptor| match &d.platform {
        Some(found) if !found.runs_on(platform) => None,
        Some(found) => Some(u8::from(found.variant.is_some())),
        None => Some(2),
    };
    let candidates = index.manifests.iter().filter(is_document);
    candidates
        .filter_map(|d| Some((rank(d)?, d)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, d)| d)
        .ok_or_else(|| PullError::NoPlatform {
            wanted: platform.to_string(),
            found: index
                .manifests
                .iter()
                .map(|d| match &d.platform {
                    Some(platform) => platform.to_string(),
                    None => plain_text(&d.media_type, &[]),
                })
                .collect(),
        })
}

fn fetch(
    endpoint: &Endpoint<'_>,
    what: &str,
    name: &str,
    expected: Option<&Digest>,
    size: Option<u64>,
) -> Result<(Digest, Vec<u8>, Document), PullError> {
    const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
        application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
    let answer = endpoint.get_patiently(&Question {
        what,
        path: &format!("manifests/{name}"),
        accept: Some(ACCEPT),
        range: None,
    })?;
    let announced: Option<Digest> =
        header(&answer.headers, "docker-content-digest").and_then(|text| text.parse().ok());
    let server = answer.server.clone();
    let json = answer.document(DOCUMENT_BYTES_MAX, &mut endpoint.http.pace(), what)?;
    let found = Digest::of(&json);
    for expected in expected.into_iter().chain(&announced) {
        if found != *expected {
            return Err(PullError::DocumentDigest {
                server,
                what: what.to_owned(),
                expected: *expected,
                found,
            });
        }
    }
    if let Some(expected) = size.filter(|size| *size != json.len() as u64) {
        return Err(PullError::DocumentSize {
            server,
            what: what.to_owned(),
            expected,
            found: json.len() as u64,
        });
    }
    let document = parse(&server, what, &json)?;
    Ok((found, json, document))
}

/// What a document is decides what is in it, which its digest covers; not a header, which it does not.
fn parse(server: &str, what: &str, json: &[u8]) -> Result<Document, PullError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Peek {
        media_type: Option<String>,
        manifests: Option<IgnoredAny>,
        layers: Option<IgnoredAny>,
    }
    let unusable = |source| PullError::Document {
        server: server.to_owned(),
        what: what.to_owned(),
        source,
    };
    let peek: Peek = serde_json::from_slice(json).map_err(|source| {
        unusable(ParseImageError::Json {
            what: "manifest",
            source,
        })
    })?;
    let kind = match (&peek.media_type, &peek.manifests, &peek.layers) {
        (Some(kind), _, _) => kind.as_str(),
        (None, Some(_), None) => model::INDEX,
        (None, None, Some(_)) => model::MANIFEST,
        _ => "unknown",
    };
    if model::is_index(kind) {
        return Ok(Document::Index(Index::parse(json).map_err(unusable)?));
    }
    if model::is_manifest(kind) {
        return Ok(Document::Manifest(Manifest::parse(json).map_err(unusable)?));
    }
    Err(PullError::Kind {
        server: server.to_owned(),
        what: what.to_owned(),
        found: plain_text(kind, &[]),
    })
}

/// A manifest's configuration, for this platform and of as many layers.
pub(super) fn config(
    endpoint: &Endpoint<'_>,
    manifest: &Manifest,
    platform: &Platform,
) -> Result<(Vec<u8>, ImageConfig), PullError> {
    let descriptor = &manifest.config;
    let what = "the image's configuration";
    if descriptor.size > DOCUMENT_BYTES_MAX {
        return Err(PullError::TooLarge {
            what: what.to_owned(),
            found: descriptor.size,
            limit: DOCUMENT_BYTES_MAX,
        });
    }
    let json = BlobReader::new(endpoint, &descriptor.digest, descriptor.size).into_document()?;
    let found = Digest::of(&json);
    let (server, what) = (endpoint.server.clone(), what.to_owned());
    if json.len() as u64 != descriptor.size {
        return Err(PullError::DocumentSize {
            server,
            what,
            expected: descriptor.size,
            found: json.len() as u64,
        });
    }
    if found != descriptor.digest {
        return Err(PullError::DocumentDigest {
            server,
            what,
            expected: descriptor.digest,
            found,
        });
    }
    let config = ImageConfig::parse(&json).map_err(|source| PullError::Document {
        server,
        what,
        source,
    })?;
    if !config.platform.runs_on(platform) {
        return Err(PullError::NoPlatform {
            wanted: platform.to_string(),
            found: vec![config.platform.to_string()],
        });
    }
    let (diff_ids, layers) = (config.rootfs.diff_ids.len(), manifest.layers.len());
    if diff_ids != layers {
        return Err(PullError::Layers { diff_ids, layers });
    }
    Ok((json, config))
}
