//! An image made here, and a registry that has it.

use crate::server::{Peer, Request};
use gradus_image::Digest;
use std::collections::BTreeMap;
use std::io::Write as _;

/// Type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Blobs by digest, and what a tag stands for.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Configuration and layers.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Digests of the layers.
    pub layers: Vec<String>,
    /// The manifest.
    pub manifest: Vec<u8>,
}

impl Image {
    /// With a layer for each content.
    pub fn new(contents: &[&[u8]]) -> Image {
        let archives: Vec<Vec<u8>> = contents
            .iter()
            .enumerate()
            .map(|(i, content)| archive(&format!("file{i}"), content))
            .collect();
        Image::of_archives(&archives)
    }

    /// With these layers.
    pub fn of_archives(archives: &[Vec<u8>]) -> Image {
        let mut image = Image::default();
        let diff_ids: Vec<String> = archives.iter().map(|a| Digest::of(a).to_string()).collect();
        let mut layers = Vec::new();
        for archive in archives {
            let blob = gzip(archive);
            layers.push(format!(
                r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}"#,
                Digest::of(&blob),
                blob.len()
            ));
            let digest = image.add(blob);
            image.layers.push(digest);
        }
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":["A=b"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids
                .iter()
                .map(|d| format!("{d:?}"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let size = config.len();
        let config = image.add(config.into_bytes());
        image.manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":{size}}},"layers":[{}]}}"#,
            layers.join(",")
        )
        .into_bytes();
        image
    }

    /// One blob more; its digest.
    pub fn add(&mut self, blob: Vec<u8>) -> String {
        let digest = Digest::of(&blob).to_string();
        self.blobs.insert(digest.clone(), blob);
        digest
    }

    /// The manifest's digest.
    pub fn digest(&self) -> String {
        Digest::of(&self.manifest).to_string()
    }

    /// As a registry serves it, Range included.
    pub fn serve(&self, request: &Request, peer: &mut Peer) {
        if let Some(name) = request.path.split("/manifests/").nth(1) {
            let document = match self.blobs.get(name) {
                Some(document) => document,
                None if name.starts_with("sha256:") && name != self.digest() => {
                    return peer.answer(404, &[], b"{}");
                }
                None => &self.manifest,
            };
            return peer.answer(200, &[("content-type", MANIFEST)], document);
        }
        let blob = request
            .path
            .split("/blobs/")
            .nth(1)
            .and_then(|d| self.blobs.get(d));
        let Some(blob) = blob else {
            return peer.answer(404, &[], b"{}");
        };
        match begin_of(request) {
            None => peer.answer(200, &[], blob),
            Some(begin) => {
                let range = format!("bytes {begin}-{}/{}", blob.len() - 1, blob.len());
                peer.answer(206, &[("content-range", &range)], &blob[begin..]);
            }
        }
    }

    /// Whether a layer is asked for.
    pub fn is_layer(&self, request: &Request) -> bool {
        let asked = request.path.split("/blobs/").nth(1).unwrap_or_default();
        self.layers.iter().any(|layer| layer == asked)
    }
}

/// Where a request for a part wants it to begin.
pub fn begin_of(request: &Request) -> Option<usize> {
    let range = request.header("range")?.strip_prefix("bytes=")?;
    range.strip_suffix('-')?.parse().ok()
}

/// An archive with one file.
///
/// # Panics
/// The file's name is none.
pub fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

/// As gzip has it.
///
/// # Panics
/// Memory cannot be written to.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that do not compress, the same each time.
pub fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}
