//! Names of images and platforms.

use std::fmt;

use crate::dockerfile::error::{At, DockerfileError, shown};
use crate::dockerfile::expand::Variables;
use crate::dockerfile::values;

/// An image by name, with a tag or a digest or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Registry and repository as written, no default put in.
    pub name: String,
    /// Tag, if one is said.
    pub tag: Option<String>,
    /// Manifest digest, `sha256:` and 64 digits, if one is said.
    pub digest: Option<String>,
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl ImageRef {
    pub(super) fn parse(text: &str, at: At<'_>) -> Result<Self, DockerfileError> {
        let wrong = |expected: &str| {
            at.syntax(
                expected,
                match text {
                    "" => "nothing: is a variable without a value in it?".to_owned(),
                    text => shown(text),
                },
                "write for example registry/name:tag or name@sha256:...",
            )
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if values::is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return Err(wrong("sha256: and 64 digits behind @")),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let tag_char = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if let Some(tag) = &tag
            && (tag.is_empty()
                || tag.len() > 128
                || tag.starts_with(['.', '-'])
                || !tag.chars().all(tag_char))
        {
            return Err(wrong("a tag of letters, digits, _ . - behind :"));
        }
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("", name),
        };
        let part = |part: &str| {
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            edge(part.chars().next())
                && edge(part.chars().next_back())
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c))
        };
        let host_char = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if name.len() > 255 || !path.split('/').all(part) || !host.chars().all(host_char) {
            return Err(wrong("an image's name in lower case, or a stage's name"));
        }
        Ok(ImageRef {
            name: name.to_owned(),
            tag,
            digest,
        })
    }
}

/// What an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// `v7` and the like.
    pub variant: Option<String>,
}

impl Default for Platform {
    /// Linux on x86-64.
    fn default() -> Self {
        Platform {
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            variant: None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Platform {
    pub(super) fn parse(text: &str, at: At<'_>) -> Result<Self, DockerfileError> {
        let lower = text.to_ascii_lowercase();
        let word = |w: &&str| {
            !w.is_empty()
                && w.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, arch, variant) = match parts.as_slice() {
            _ if !parts.iter().all(word) => ("", "", None),
            ["linux"] => ("linux", "amd64", None),
            [arch] => ("linux", *arch, None),
            [os, arch] => (*os, *arch, None),
            [os, arch, variant] => (*os, *arch, Some(variant.to_string())),
            _ => ("", "", None),
        };
        if os != "linux" {
            return Err(at.syntax(
                "a platform such as linux/amd64",
                shown(text),
                "correct --platform; only Linux is built for",
            ));
        }
        let arch = match arch {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            arch => arch,
        };
        Ok(Platform {
            os: os.to_owned(),
            arch: arch.to_owned(),
            variant,
        })
    }

    /// The arguments that name it: what is built for and what is built on are one.
    pub(super) fn variables(&self) -> Variables {
        let variant = self.variant.clone().unwrap_or_default();
        ["TARGET", "BUILD"]
            .iter()
            .flat_map(|side| {
                [
                    (format!("{side}PLATFORM"), self.to_string()),
                    (format!("{side}OS"), self.os.clone()),
                    (format!("{side}ARCH"), self.arch.clone()),
                    (format!("{side}VARIANT"), variant.clone()),
                ]
            })
            .collect()
    }
}
