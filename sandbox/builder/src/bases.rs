//! Images that a build begins with or copies from: each name is looked up once, and what it led to is recorded.

use std::collections::BTreeMap;

use gradus_image::dockerfile::{ImageRef, Platform};
use gradus_image::layout::{ImageConfig, read_config};
use gradus_image::store::{ImageRecord, Pin, Store};
use gradus_image::{Digest, Owner};
use serde::Serialize;

use crate::error::BuildError;

/// Where images come from that the store does not have.
pub trait Bases {
    /// Brings an image into `store` and keeps it under `pin`; `None` if it has nothing of that name.
    ///
    /// # Errors
    /// It has, and it did not work.
    fn fetch(
        &self,
        reference: &ImageRef,
        platform: &Platform,
        store: &Store,
        pin: &Pin,
    ) -> Result<Option<ImageRecord>, FetchError>;
}

/// Nowhere: what the store does not have has to be brought there first.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreOnly;

impl Bases for StoreOnly {
    fn fetch(
        &self,
        _reference: &ImageRef,
        _platform: &Platform,
        _store: &Store,
        _pin: &Pin,
    ) -> Result<Option<ImageRecord>, FetchError> {
        Ok(None)
    }
}

/// Why an image was not fetched.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be fetched")]
pub struct FetchError {
    /// whose fault it is
    pub owner: Owner,
    /// why
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What a name of an image led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResolvedBase {
    /// As the Dockerfile has it.
    pub reference: String,
    /// The image: its configuration's digest.
    pub image: Digest,
    /// The manifest that it came with, if it came from elsewhere.
    pub manifest: Option<Digest>,
}

/// The name under which an image is kept: with the tag `latest` if it has none.
///
/// # Errors
/// What is wrong with it, as the Dockerfile's `FROM` would say it.
pub fn full_name(text: &str) -> Result<String, String> {
    let wrong = || {
        format!(
            "{text:?} is no image's name: lower-case letters, digits and `.`, `_`, `-`, `/` are expected, and a tag behind `:`"
        )
    };
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (text, "latest"),
    };
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let part = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(part.chars().next()) && edge(part.chars().next_back())
    };
    let host = |host: &str| {
        host.chars()
            .all(|c| word(c.to_ascii_lowercase()) || c == ':')
    };
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    let first_fits = part(first)
        && if name.contains('/') {
            host(first)
        } else {
            first.chars().all(word)
        };
    let rest_fits = parts.all(|name| part(name) && name.chars().all(word));
    let tag_fits = !tag.is_empty()
        && tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match first_fits && rest_fits && tag_fits && name.len() <= 255 {
        true => Ok(format!("{name}:{tag}")),
        false => Err(wrong()),
    }
}

/// An image of the store by what a user calls it: a name, with or without a tag, or a digest (`sha256:…`) of its configuration or manifest, also
/// behind a name and `@`.
///
/// # Errors
/// The store's.
pub fn find(
    store: &Store,
    text: &str,
) -> Result<Option<ImageRecord>, gradus_image::store::StoreError> {
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    if let Ok(digest) = digest.parse::<Digest>() {
        return match store.image(&digest)? {
            Some(image) => Ok(Some(image)),
            None => store.image_of_manifest(&digest),
        };
    }
    let Ok(full) = full_name(text) else {
        return Ok(None);
    };
    // Registries' own short names.
    let bare = full
        .strip_prefix("docker.io/library/")
        .or(full.strip_prefix("docker.io/"));
    let candidates = [
        Some(full.clone()),
        bare.map(str::to_owned),
        (!full.contains('/')).then(|| format!("docker.io/library/{full}")),
        Some(format!("docker.io/{full}")),
    ];
    for name in candidates.into_iter().flatten() {
        if let Some(image) = store.resolve(&name)? {
            return Ok(Some(image));
        }
    }
    Ok(None)
}

/// An image with its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) image: ImageRecord,
    pub(crate) config: ImageConfig,
}

/// Images that were looked up.
pub(crate) struct Resolver<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pin: &'a Pin,
    pub(crate) bases: &'a dyn Bases,
    known: BTreeMap<(String, String), Base>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(store: &'a Store, pin: &'a Pin, bases: &'a dyn Bases) -> Resolver<'a> {
        Resolver {
            store,
            pin,
            bases,
            known: BTreeMap::new(),
        }
    }

    /// The image that a line of the Dockerfile names.
    pub(crate) fn get(
        &mut self,
        line: usize,
        reference: &ImageRef,
        platform: &Platform,
    ) -> Result<Base, BuildError> {
        let key = (reference.to_string(), platform.to_string());
        if let Some(base) = self.known.get(&key) {
            return Ok(base.clone());
        }
        let found = match find(self.store, &key.0)? {
            Some(image) => Some(image),
            None => self
                .bases
                .fetch(reference, platform, self.store, self.pin)
                .map_err(|source| BuildError::Fetch {
                    line,
                    reference: key.0.clone(),
                    source,
                })?,
        };
        let image = found.ok_or_else(|| BuildError::NoBase {
            line,
            reference: key.0.clone(),
        })?;
        let image = self.store.pin_image(self.pin, &image.config)?;
        let config = read_config(self.store, &image)?;
        let wanted = gradus_image::layout::Platform {
            architecture: platform.arch.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
        };
        if !config.platform.runs_on(&wanted) {
            return Err(BuildError::Platform {
                line,
                reference: key.0,
                wanted: wanted.to_string(),
                found: config.platform.to_string(),
            });
        }
        let base = Base { image, config };
        self.known.insert(key, base.clone());
        Ok(base)
    }

    /// What was looked up.
    pub(crate) fn resolved(&self) -> Vec<ResolvedBase> {
        self.known
            .iter()
            .map(|((reference, _), base)| ResolvedBase {
                reference: reference.clone(),
                image: base.image.config,
                manifest: base.image.manifest,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_have_a_tag_and_are_names() {
        for (text, full) in [
            ("app", "app:latest"),
            ("app:1.2", "app:1.2"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest"),
            ("registry.example/a_b:T-1", "registry.example/a_b:T-1"),
        ] {
            assert_eq!(full_name(text).as_deref(), Ok(full));
        }
        for wrong in [
            "", "App", "a//b", "a:", "a:-x", "../a", "a b", "a:\u{1b}", "-a",
        ] {
            assert!(full_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
