//! What an image is called: `ubuntu`, `ghcr.io/astral-sh/uv:latest`, `127.0.0.1:5000/x@sha256:…`. Short names mean what Docker means by them.

use std::fmt;
use std::str::FromStr;

use gradus_image::Digest;

/// The registry of names without one.
pub const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest name of registry and repository together.
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;
/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 512;

/// A name of an image, with the parts that were left out filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no image's name: {reason}\nhelp: such as ubuntu:24.04, ghcr.io/owner/image:tag, or name@sha256:DIGEST"
)]
pub struct ParseReferenceError {
    text: String,
    reason: &'static str,
}

impl Reference {
    /// `docker.io`, or host and port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Such as `library/ubuntu`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` where neither tag nor digest was said.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, which counts more than a tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at a digest.
    pub fn at(&self, digest: &Digest) -> Reference {
        Reference {
            tag: None,
            digest: Some(*digest),
            ..self.clone()
        }
    }

    /// Where its registry answers: Docker's is elsewhere than it is called.
    pub fn server(&self) -> &str {
        match self.registry.as_str() {
            DEFAULT_REGISTRY => "registry-1.docker.io",
            other => other,
        }
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Reference, ParseReferenceError> {
        parse(text).map_err(|reason| ParseReferenceError {
            text: text.chars().take(160).collect(),
            reason,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err("it is too long");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest: Digest = digest
                .parse()
                .map_err(|_| "behind @ stands no sha256: with 64 lower-case hexadecimal digits")?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    // A colon behind the last slash is a tag's, one before it a port's.
    let name_end = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[name_end..].find(':') {
        Some(colon) => {
            let (name, tag) = rest.split_at(name_end + colon);
            (name, Some(&tag[1..]))
        }
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err("a tag is 1 to 128 letters, digits, _, . and -, not beginning with . or -");
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_server(first) => (first, path),
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = match registry {
        "index.docker.io" | DEFAULT_REGISTRY => DEFAULT_REGISTRY.to_owned(),
        other if is_host_and_port(other) => other.to_ascii_lowercase(),
        _ => return Err("its registry is no host with an optional port"),
    };
    if name.len() > NAME_BYTES_MAX {
        return Err("its name is longer than 255 bytes");
    }
    if !path.split('/').all(is_component) {
        return Err(
            "a repository is lower-case letters and digits, with one ., one or two _ or some - between, and / between parts",
        );
    }
    let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
        if path == "scratch" {
            return Err("scratch is no image but the absence of one");
        }
        if path.len() == 64 && path.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("64 hexadecimal digits alone would be an image's id");
        }
        format!("library/{path}")
    } else {
        path.to_owned()
    };
    let tag = match (tag, &digest) {
        (None, None) => Some(DEFAULT_TAG.to_owned()),
        (tag, _) => tag.map(str::to_owned),
    };
    Ok(Reference {
        registry,
        repository,
        tag,
        digest,
    })
}

/// Whether a first part is a server's rather than a user's.
fn is_server(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        // An IPv6 address.
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            }
            _ => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_component(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    part.bytes().next().is_some_and(alphanumeric)
        && part.bytes().last().is_some_and(alphanumeric)
        && separators.into_iter().all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-')
        })
}

#[cfg(test)]
mod tests;
