//! Images that `kernels/cubins/build.py` compiled, embedded as one deflated archive for each architecture.
//!
//! The format is described in `kernels/cubins/archive.py`. Every image is compared with its hash before it is used.

use sha2::{Digest, Sha256};
use std::sync::OnceLock;
use thiserror::Error;

const MAGIC: &[u8; 16] = b"gradus-images-1\0";
/// More than an archive inflates to.
const INFLATED_MAX: usize = 64 << 20;

/// What is wrong with an archive.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the program's archive of images for {arch} is damaged: {what}\nhelp: install the program anew, or run kernels/cubins/build.py and build it again"
)]
pub(super) struct Damaged {
    arch: String,
    what: &'static str,
}

/// An image and the hash of the source it was compiled from.
#[derive(Debug)]
pub(super) struct Image<'a> {
    name: &'a str,
    /// SHA-256 of the source with its headers.
    pub(super) source: [u8; 32],
    sha256: [u8; 32],
    /// The cubin, or PTX.
    pub(super) bytes: &'a [u8],
}

struct Archive {
    arch: &'static str,
    deflated: &'static [u8],
    inflated: OnceLock<Option<Vec<u8>>>,
}

macro_rules! archive {
    ($arch:literal) => {
        Archive {
            arch: $arch,
            deflated: include_bytes!(concat!("../../cubins/", $arch, ".images")),
            inflated: OnceLock::new(),
        }
    };
}

static ARCHIVES: [Archive; 4] = [
    archive!("sm_80"),
    archive!("sm_86"),
    archive!("sm_90a"),
    archive!("compute_80"),
];

/// The image of module `name` for `arch`, if there is one.
pub(super) fn image(arch: &str, name: &str) -> Result<Option<Image<'static>>, Damaged> {
    let Some(archive) = ARCHIVES.iter().find(|archive| archive.arch == arch) else {
        return Ok(None);
    };
    let inflated = archive.inflated.get_or_init(|| inflate(archive.deflated));
    let content = inflated.as_deref().ok_or(Damaged {
        arch: arch.to_owned(),
        what: "it does not inflate",
    })?;
    find(arch, content, name)
}

fn inflate(deflated: &[u8]) -> Option<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(deflated, INFLATED_MAX).ok()
}

/// Image `name` of an inflated archive, compared with its hash.
fn find<'a>(arch: &str, content: &'a [u8], name: &str) -> Result<Option<Image<'a>>, Damaged> {
    let damaged = |what| Damaged {
        arch: arch.to_owned(),
        what,
    };
    let images =
        parse(content).ok_or_else(|| damaged("its table does not describe its content"))?;
    let Some(image) = images.into_iter().find(|image| image.name == name) else {
        return Ok(None);
    };
    if <[u8; 32]>::from(Sha256::digest(image.bytes)) != image.sha256 {
        return Err(damaged("an image is not what its hash says"));
    }
    Ok(Some(image))
}

/// The table and the images of an archive; `None` where one reaches past the end, or bytes are left over.
fn parse(content: &[u8]) -> Option<Vec<Image<'_>>> {
    let mut rest = content.strip_prefix(MAGIC)?;
    let count = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
    let (mut images, mut lengths) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
        images.push(Image {
            name: str::from_utf8(take(&mut rest, length as usize)?).ok()?,
            source: take(&mut rest, 32)?.try_into().ok()?,
            sha256: take(&mut rest, 32)?.try_into().ok()?,
            bytes: &[],
        });
        let length = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
        lengths.push(usize::try_from(length).ok()?);
    }
    for (image, length) in images.iter_mut().zip(lengths) {
        image.bytes = take(&mut rest, length)?;
    }
    rest.is_empty().then_some(images)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut content = MAGIC.to_vec();
        content.extend(1u32.to_le_bytes());
        content.extend(4u32.to_le_bytes());
        content.extend(b"rope");
        content.extend([7; 32]);
        content.extend(Sha256::digest(b"image"));
        content.extend(5u64.to_le_bytes());
        content.extend(b"image");
        content
    }

    #[test]
    fn an_archive_gives_back_its_images() {
        let content = sample();
        let image = find("sm_80", &content, "rope")
            .expect("sound")
            .expect("there");
        assert_eq!((image.source, image.bytes), ([7; 32], &b"image"[..]));
        assert!(find("sm_80", &content, "none").expect("sound").is_none());
    }

    #[test]
    fn every_cut_and_every_changed_image_byte_is_refused() {
        let content = sample();
        for length in 0..content.len() {
            assert!(
                find("sm_80", &content[..length], "rope").is_err(),
                "{length}"
            );
        }
        let mut changed = content;
        *changed.last_mut().expect("not empty") ^= 1;
        let error = find("sm_80", &changed, "rope").expect_err("a changed image");
        assert!(
            error.to_string().contains("not what its hash says"),
            "{error}"
        );
        assert_eq!(inflate(&[1, 2, 3]), None);
    }

    #[test]
    fn committed_archives_are_sound() {
        for archive in &ARCHIVES {
            let content = inflate(archive.deflated).expect("inflates");
            let images = parse(&content).expect("is described");
            for image in images {
                assert!(find(archive.arch, &content, image.name).is_ok());
            }
        }
    }
}
