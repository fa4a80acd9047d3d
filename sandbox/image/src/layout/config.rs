//! An image's configuration: what a container is started with, and its layers' digests.
//!
//! Members that are not known are kept and written again, so that an image built on another does not lose what its base said.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::ParseImageError;
use super::model::{LAYERS_MAX, Platform, parse};
use crate::Digest;

/// An image's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whom it is for.
    #[serde(flatten)]
    pub platform: Platform,
    /// What a container is started with.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RunConfig,
    /// The layers.
    pub rootfs: RootFs,
    /// How the layers came to be.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub history: Vec<History>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Digests of the layers' archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type")]
    kind: RootFsKind,
    /// The lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RootFsKind {
    Layers,
}

impl RootFs {
    /// Of these layers, the lowest first.
    pub fn new(diff_ids: Vec<Digest>) -> RootFs {
        RootFs {
            kind: RootFsKind::Layers,
            diff_ids,
        }
    }
}

/// What a container is started with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// `NAME=value`.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Arguments, or the program where there is no entry point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Where it is started; empty is the root.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub working_dir: String,
    /// A name or number, with a group behind a colon; empty is root.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub user: String,
    /// `8080/tcp` and the like.
    #[serde(default, with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// Directories that outlive a container elsewhere; here they are directories.
    #[serde(default, with = "set", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// What people said about the image.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
    /// How a container is asked to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How a container is asked whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// What runs the shell form of a Dockerfile's instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How a container is asked whether it is well; times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `NONE`, or `CMD` or `CMD-SHELL` and what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Between two questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// For an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Before an answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// Between two questions until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<i64>,
    /// Bad answers in a row that are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One step of how an image came to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// It made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
    /// What else it says.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ImageConfig {
    /// An empty image for a platform.
    pub fn new(platform: Platform) -> ImageConfig {
        ImageConfig {
            created: None,
            author: None,
            platform,
            config: RunConfig::default(),
            rootfs: RootFs::new(Vec::new()),
            history: Vec::new(),
            extra: Map::new(),
        }
    }

    /// From JSON.
    ///
    /// # Errors
    /// As [`ParseImageError`] says. Strings that end up as arguments of a system call must not hold a NUL.
    pub fn parse(json: &[u8]) -> Result<ImageConfig, ParseImageError> {
        const WHAT: &str = "configuration";
        let image: ImageConfig = parse(WHAT, json)?;
        if image.rootfs.diff_ids.len() > LAYERS_MAX {
            return Err(ParseImageError::TooMany {
                what: WHAT,
                of: "diff_ids",
                found: image.rootfs.diff_ids.len(),
                limit: LAYERS_MAX,
            });
        }
        let run = &image.config;
        let passed_on = [&run.entrypoint, &run.cmd]
            .into_iter()
            .flatten()
            .flatten()
            .chain(&run.env)
            .chain([&run.working_dir, &run.user]);
        for text in passed_on {
            if text.contains('\0') {
                return Err(ParseImageError::Wrong {
                    what: WHAT,
                    reason: format!(
                        "{:?}, which has a NUL\nhelp: leave it out",
                        text.chars().take(100).collect::<String>()
                    ),
                });
            }
        }
        Ok(image)
    }

    /// As JSON, the same bytes for the same value.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps with string keys, strings and numbers are JSON")
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A set that JSON has as an object of empty objects.
mod set {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        set: &BTreeSet<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|name| (name, Map::<String, Value>::new())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<String>, D::Error> {
        let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests;
