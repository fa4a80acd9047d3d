//! An image into a store.

use std::sync::atomic::AtomicBool;

use gradus_image::Digest;
use gradus_image::layer::{Compression, LayerCaps};
use gradus_image::layout::{ImageConfig, Platform, read_config};
use gradus_image::store::{ImageBlob, ImageLayer, ImageRecord, Pin, Store};
use ureq::http::Uri;

use super::budget::Budget;
use super::credentials::Credentials;
use super::document::{self, Resolved};
use super::endpoint::Endpoint;
use super::error::PullError;
use super::layers::{Layers, blob_error};
use super::reference::{DEFAULT_REGISTRY, Reference};
use crate::net::{self, Http, NetError, NetLimits, Plain, Reach};

/// What may be pulled, from where, and how large it may be.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// Whom it has to be for.
    pub platform: Platform,
    /// Of each layer.
    pub caps: LayerCaps,
    /// Of all layers together, as they come.
    pub compressed_bytes: u64,
    /// Of all layers together, unpacked.
    pub unpacked_bytes: u64,
    /// Layers that are fetched and applied at once.
    pub workers: usize,
    /// Times and retries.
    pub limits: NetLimits,
    /// Asked before the registry, in this order.
    pub mirrors: Vec<Mirror>,
    /// Registries without encryption: `host:port`, or `host` for port 80. This machine's own need not be listed.
    pub insecure: Vec<String>,
    /// Servers that may lie at private addresses.
    pub reach: Reach,
    /// Who we are.
    pub credentials: Credentials,
}

impl Default for PullOptions {
    fn default() -> PullOptions {
        PullOptions {
            platform: Platform::linux_amd64(),
            caps: LayerCaps::default(),
            compressed_bytes: 48 << 30,
            unpacked_bytes: 96 << 30,
            workers: 4,
            limits: NetLimits::default(),
            mirrors: Vec::new(),
            insecure: Vec::new(),
            reach: Reach::public(),
            credentials: Credentials::none(),
        }
    }
}

/// A server that has images of a registry, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Whose images.
    pub registry: String,
    /// `https://host:port`, perhaps with a path.
    pub url: String,
}

impl std::str::FromStr for Mirror {
    type Err = PullError;

    /// `URL` for Docker's registry, or `REGISTRY=URL`.
    fn from_str(text: &str) -> Result<Mirror, PullError> {
        let (registry, url) = match text.split_once('=') {
            Some((registry, url)) if !registry.contains('/') => (registry, url),
            _ => (DEFAULT_REGISTRY, text),
        };
        let mirror = Mirror {
            registry: registry.to_ascii_lowercase(),
            url: url.trim_end_matches('/').to_owned(),
        };
        mirror.server()?;
        Ok(mirror)
    }
}

impl Mirror {
    /// `host:port`.
    ///
    /// # Errors
    /// `Mirror` where its URL has no server, or more than server and path.
    pub fn server(&self) -> Result<String, PullError> {
        let wrong = || PullError::Mirror {
            mirror: self.url.chars().take(200).collect(),
        };
        let url: Uri = self.url.parse().map_err(|_| wrong())?;
        let is_right = matches!(url.scheme_str(), Some("https" | "http"))
            && url.query().is_none()
            && url.authority().is_some_and(|a| !a.as_str().contains('@'));
        match net::server_of(&url) {
            Ok(server) if is_right => Ok(server),
            _ => Err(wrong()),
        }
    }
}

/// How far a pull is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// A server did not have it, or did not answer; the next one is asked.
    Passed {
        /// which
        server: String,
        /// why
        reason: String,
    },
    /// The name stands for this.
    Resolved {
        /// digest of an index or a manifest
        digest: Digest,
        /// layers that it has
        layers: usize,
        /// their bytes, as they come
        bytes: u64,
    },
    /// Bytes of a layer that are there.
    Layer {
        /// its blob
        digest: Digest,
        /// so far
        done: u64,
        /// in all
        total: u64,
    },
    /// A layer is in the store.
    Applied {
        /// its blob
        digest: Digest,
        /// it was there before
        had: bool,
    },
}

/// An image that was pulled.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulled {
    /// What was asked for, at the digest that it stood for then: for a job's record.
    pub reference: Reference,
    /// Digest of what the name stands for: an index, or the manifest itself.
    pub resolved: Digest,
    /// Digest of the manifest for this platform.
    pub manifest: Digest,
    /// As the store has it.
    pub image: ImageRecord,
    /// Its configuration.
    pub config: ImageConfig,
    /// Bytes of layers that had to be fetched.
    pub fetched_bytes: u64,
}

/// Pulls images.
#[derive(Clone, Debug, Default)]
pub struct Puller {
    options: PullOptions,
}

impl Puller {
    /// With these limits.
    pub fn new(options: PullOptions) -> Puller {
        Puller { options }
    }

    /// Pulls an image into `store` and keeps it under `pin`. Layers that are there are not fetched. `report` is called from several threads.
    ///
    /// # Errors
    /// As [`PullError`] says, of the last server that was asked. Layers that were taken before stay, until they are collected.
    pub fn pull(
        &self,
        store: &Store,
        pin: &Pin,
        reference: &Reference,
        report: &(dyn Fn(PullEvent) + Sync),
    ) -> Result<Pulled, PullError> {
        let bases = self.bases(reference)?;
        let plain: Vec<String> = bases
            .iter()
            .filter(|(base, _, _)| base.starts_with("http://"))
            .map(|(_, server, _)| server.clone())
            .chain(
                self.options
                    .insecure
                    .iter()
                    .map(|server| with_port(server, 80)),
            )
            .collect();
        let http = Http::new(
            &self.options.limits,
            &self.options.reach,
            Plain::These(plain),
        );
        let mut last = None;
        for (base, server, registry) in bases {
            let login = self.options.credentials.of(&registry);
            let endpoint =
                Endpoint::new(&http, base, server.clone(), reference.repository(), login);
            let error = match self.pull_from(&endpoint, store, pin, reference, report) {
                Ok(pulled) => return Ok(pulled),
                Err(error @ (PullError::Store(_) | PullError::Net(NetError::Total { .. }))) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            report(PullEvent::Passed {
                server,
                reason: error.to_string(),
            });
            last = Some(error);
        }
        Err(last.expect("the registry itself is always among them"))
    }

    /// Where to ask: URL, server, and whose login.
    fn bases(&self, reference: &Reference) -> Result<Vec<(String, String, String)>, PullError> {
        let mut out = Vec::new();
        let of_registry = |mirror: &&Mirror| mirror.registry == reference.registry();
        for mirror in self.options.mirrors.iter().filter(of_registry) {
            let server = mirror.server()?;
            let registry = server.trim_end_matches(":443").to_owned();
            out.push((mirror.url.clone(), server, registry));
        }
        let server = reference.server();
        let secure = with_port(server, 443);
        let insecure = with_port(server, 80);
        let is_plain = is_loopback(server)
            || self
                .options
                .insecure
                .iter()
                .any(|listed| with_port(listed, 80) == insecure);
        out.push(if is_plain {
            (
                format!("http://{server}"),
                insecure,
                reference.registry().to_owned(),
            )
        } else {
            (
                format!("https://{server}"),
                secure,
                reference.registry().to_owned(),
            )
        });
        Ok(out)
    }

    fn pull_from(
        &self,
        endpoint: &Endpoint<'_>,
        store: &Store,
        pin: &Pin,
        reference: &Reference,
        report: &(dyn Fn(PullEvent) + Sync),
    ) -> Result<Pulled, PullError> {
        let options = &self.options;
        let resolved = document::resolve(endpoint, reference, &options.platform)?;
        let pulled = |image: ImageRecord, config: ImageConfig, fetched_bytes: u64| Pulled {
            reference: reference.at(&resolved.digest),
            resolved: resolved.digest,
            manifest: resolved.manifest_digest,
            image,
            config,
            fetched_bytes,
        };
        let layers = self.check(&resolved)?;
        report(PullEvent::Resolved {
            digest: resolved.digest,
            layers: layers.len(),
            bytes: layers.iter().map(|blob| blob.bytes).sum(),
        });
        if let Some(image) = store.image_of_manifest(&resolved.manifest_digest)? {
            let image = store.pin_image(pin, &image.config)?;
            if let Ok(config) = read_config(store, &image)
                && config.platform.runs_on(&options.platform)
            {
                return Ok(pulled(image, config, 0));
            }
        }
        let (config_json, config) =
            document::config(endpoint, &resolved.manifest, &options.platform)?;
        let layers: Vec<ImageLayer> = layers
            .into_iter()
            .zip(&config.rootfs.diff_ids)
            .map(|(blob, diff_id)| ImageLayer {
                diff_id: *diff_id,
                blob: Some(blob),
            })
            .collect();
        let fetched_bytes = Layers {
            endpoint,
            store,
            pin,
            options,
            report,
            budget: Budget::new(options.unpacked_bytes),
            known: store.images()?,
            stop: AtomicBool::new(false),
        }
        .take(&layers)?;
        for (digest, bytes) in [
            (&resolved.manifest.config.digest, &config_json),
            (&resolved.manifest_digest, &resolved.manifest_json),
        ] {
            store
                .put_blob(pin, bytes.as_slice(), digest, bytes.len() as u64)
                .map_err(|source| blob_error(digest, source))?;
        }
        let image = ImageRecord {
            config: resolved.manifest.config.digest,
            manifest: Some(resolved.manifest_digest),
            layers,
        };
        store.put_image(pin, &image)?;
        Ok(pulled(image, config, fetched_bytes))
    }

    /// Types and sizes, before anything is fetched.
    fn check(&self, resolved: &Resolved) -> Result<Vec<ImageBlob>, PullError> {
        let mut out = Vec::new();
        let mut sum = 0u64;
        for layer in &resolved.manifest.layers {
            let compression = Compression::of_media_type(&layer.media_type).ok_or_else(|| {
                PullError::LayerType {
                    digest: layer.digest,
                    media_type: layer.media_type.chars().take(100).collect(),
                }
            })?;
            if layer.size > self.options.caps.compressed_bytes {
                return Err(PullError::TooLarge {
                    what: format!("layer {}", layer.digest),
                    found: layer.size,
                    limit: self.options.caps.compressed_bytes,
                });
            }
            sum = sum.saturating_add(layer.size);
            out.push(ImageBlob {
                digest: layer.digest,
                bytes: layer.size,
                compression,
            });
        }
        if sum > self.options.compressed_bytes {
            return Err(PullError::TooLarge {
                what: "the image".to_owned(),
                found: sum,
                limit: self.options.compressed_bytes,
            });
        }
        Ok(out)
    }
}

/// `host:port` of a server that may come without its port.
fn with_port(server: &str, port: u16) -> String {
    let behind_address = server.rfind(']').map_or(0, |at| at + 1);
    let server = server.to_ascii_lowercase();
    match server[behind_address..].contains(':') {
        true => server,
        false => format!("{server}:{port}"),
    }
}

fn is_loopback(server: &str) -> bool {
    let port = server
        .rfind(':')
        .filter(|colon| !server[*colon..].contains(']'));
    net::is_loopback(&server[..port.unwrap_or(server.len())])
}
