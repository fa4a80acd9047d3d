//! Which of a layout's images is meant.

use super::ImportImageError;
use super::config::ImageConfig;
use super::model::{self, DOCUMENT_BYTES_MAX, Descriptor, Index, Manifest, Platform};
use super::source::{Source, blob_name};

/// How an index of indices may nest.
const NESTED_MAX: u32 = 3;
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A manifest and where it was found.
pub(super) struct Chosen {
    pub(super) descriptor: Descriptor,
    pub(super) json: Vec<u8>,
    pub(super) manifest: Manifest,
}

pub(super) fn select(
    source: &Source,
    reference: Option<&str>,
    platform: &Platform,
) -> Result<Chosen, ImportImageError> {
    let json = source.read("index.json", DOCUMENT_BYTES_MAX)?;
    let index = Index::parse(&json).map_err(|source| ImportImageError::Parse {
        file: "index.json".to_owned(),
        source,
    })?;
    let mut named = index.manifests.clone();
    if let Some(wanted) = reference {
        named.retain(|found| found.annotation(REF_NAME) == Some(wanted));
        if named.is_empty() {
            return Err(ImportImageError::NoReference {
                wanted: wanted.to_owned(),
                found: index.manifests.iter().map(name_of).collect(),
            });
        }
    }
    let mut leaves = Leaves {
        source,
        wanted: platform,
        matching: Vec::new(),
        others: Vec::new(),
        seen: 0,
    };
    leaves.walk(named, 0)?;
    let mut matching = leaves.matching;
    matching.dedup_by(|a, b| a.digest == b.digest);
    match matching.len() {
        0 => Err(ImportImageError::NoPlatform {
            wanted: platform.to_string(),
            found: leaves.others,
        }),
        1 => {
            let descriptor = matching.remove(0);
            let json = source.read_blob(&descriptor, DOCUMENT_BYTES_MAX)?;
            let manifest = parse_manifest(&descriptor, &json)?;
            Ok(Chosen {
                descriptor,
                json,
                manifest,
            })
        }
        _ => Err(ImportImageError::Ambiguous {
            platform: platform.to_string(),
            found: matching.iter().map(name_of).collect(),
        }),
    }
}

struct Leaves<'a> {
    source: &'a Source,
    wanted: &'a Platform,
    matching: Vec<Descriptor>,
    /// Other platforms, for the message.
    others: Vec<String>,
    seen: usize,
}

impl Leaves<'_> {
    fn walk(&mut self, found: Vec<Descriptor>, depth: u32) -> Result<(), ImportImageError> {
        for descriptor in found {
            self.seen += 1;
            if self.seen > model::MANIFESTS_MAX {
                return Err(ImportImageError::File {
                    file: "index.json".to_owned(),
                    reason: format!("leads to more than {} manifests", model::MANIFESTS_MAX),
                });
            }
            if model::is_index(&descriptor.media_type) {
                let file = blob_name(&descriptor.digest);
                if depth == NESTED_MAX {
                    return Err(ImportImageError::File {
                        file,
                        reason: format!("is an index below {NESTED_MAX} others"),
                    });
                }
                let json = self.source.read_blob(&descriptor, DOCUMENT_BYTES_MAX)?;
                let index = Index::parse(&json)
                    .map_err(|source| ImportImageError::Parse { file, source })?;
                self.walk(index.manifests, depth + 1)?;
                continue;
            }
            if !model::is_manifest(&descriptor.media_type) {
                let cut: String = descriptor.media_type.chars().take(80).collect();
                self.others.push(format!("something of type {cut}"));
                continue;
            }
            let platform = match &descriptor.platform {
                Some(platform) => platform.clone(),
                None => self.platform_of(&descriptor)?,
            };
            if platform.runs_on(self.wanted) {
                self.matching.push(descriptor);
            } else {
                self.others.push(platform.to_string());
            }
        }
        Ok(())
    }

    fn platform_of(&self, descriptor: &Descriptor) -> Result<Platform, ImportImageError> {
        let json = self.source.read_blob(descriptor, DOCUMENT_BYTES_MAX)?;
        let manifest = parse_manifest(descriptor, &json)?;
        Ok(config_of(self.source, &manifest)?.1.platform)
    }
}

fn parse_manifest(descriptor: &Descriptor, json: &[u8]) -> Result<Manifest, ImportImageError> {
    Manifest::parse(json).map_err(|source| ImportImageError::Parse {
        file: blob_name(&descriptor.digest),
        source,
    })
}

/// A manifest's configuration, verified.
pub(super) fn config_of(
    source: &Source,
    manifest: &Manifest,
) -> Result<(Vec<u8>, ImageConfig), ImportImageError> {
    let json = source.read_blob(&manifest.config, DOCUMENT_BYTES_MAX)?;
    let config = ImageConfig::parse(&json).map_err(|source| ImportImageError::Parse {
        file: blob_name(&manifest.config.digest),
        source,
    })?;
    Ok((json, config))
}

fn name_of(descriptor: &Descriptor) -> String {
    match descriptor.annotation(REF_NAME) {
        Some(name) => format!("{:?}", name.chars().take(100).collect::<String>()),
        None => descriptor.digest.to_string(),
    }
}
