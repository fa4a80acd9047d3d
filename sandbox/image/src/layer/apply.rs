//! Entries to files.

mod kinds;
mod meta;

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::archive::{Archive, ArchiveError, Entry, EntryKind};
use super::caps::LayerCaps;
use super::decode::{Compression, Unpacked};
use super::error::ApplyLayerError;
use super::note::{Note, Notes};
use super::path::{self, InnerPath};
use super::remove;
use super::tree::{self, Place, Present, Tree};
use crate::Digest;

/// What a layer has to be. What is `None` is taken as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// How the media type says that it is compressed.
    pub compression: Option<Compression>,
    /// Digest and length of the blob.
    pub blob: Option<(Digest, u64)>,
    /// Digest of the archive.
    pub diff_id: Option<Digest>,
}

/// What was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Digest of the archive.
    pub diff_id: Digest,
    /// Digest of the blob.
    pub blob: Digest,
    /// Length of the blob.
    pub blob_bytes: u64,
    /// Length of the archive, holes of its files filled.
    pub unpacked_bytes: u64,
    /// Entries, and parents that had none.
    pub entries: u64,
    /// The layer hides all that lies beneath it. Overlay does not look for that at a root: leave out the layers beneath.
    pub opaque_root: bool,
    /// What was left out or changed.
    pub notes: Notes,
}

/// Applies a layer's blob to `dir`, which is made. After a failure `dir` is gone.
///
/// Nothing is flushed: whoever publishes `dir` does that once for all of it. Time is the caller's: a reader that fails ends it.
///
/// # Errors
/// As [`ApplyLayerError`] says.
pub fn apply(
    input: impl Read,
    expected: &Expected,
    dir: &Path,
    caps: &LayerCaps,
) -> Result<Applied, ApplyLayerError> {
    rustix::fs::mkdir(dir, Mode::RWXU)
        .map_err(ApplyLayerError::io(b"/", "making the layer's directory"))?;
    apply_into(input, expected, dir, caps).map_err(|failed| match remove::remove_tree(dir) {
        Ok(()) => failed,
        Err(cleanup) => ApplyLayerError::Leftover {
            failed: Box::new(failed),
            cleanup,
        },
    })
}

/// Reads a blob to its end and compares what is expected of it; the archive's entries are not looked at.
///
/// # Errors
/// As [`apply()`], where bytes and digests are concerned.
pub fn verify(
    input: impl Read,
    expected: &Expected,
    caps: &LayerCaps,
) -> Result<(), ApplyLayerError> {
    let mut unpacked = Unpacked::new(input, expected.compression, caps)?;
    let mut buffer = vec![0u8; 128 << 10];
    loop {
        match unpacked.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(unpacked.explain(e)),
        }
    }
    check_digests(&unpacked, expected)
}

fn check_digests(unpacked: &Unpacked<'_>, expected: &Expected) -> Result<(), ApplyLayerError> {
    let ((diff_id, _), (blob, blob_bytes)) = unpacked.digests();
    if let Some((digest, bytes)) = expected.blob {
        if blob_bytes != bytes {
            return Err(ApplyLayerError::BlobSize {
                expected: bytes,
                found: blob_bytes,
            });
        }
        if blob != digest {
            return Err(ApplyLayerError::BlobDigest {
                expected: digest,
                found: blob,
            });
        }
    }
    match expected.diff_id {
        Some(expected) if expected != diff_id => Err(ApplyLayerError::DiffId {
            expected,
            found: diff_id,
        }),
        _ => Ok(()),
    }
}

fn apply_into(
    input: impl Read,
    expected: &Expected,
    dir: &Path,
    caps: &LayerCaps,
) -> Result<Applied, ApplyLayerError> {
    let mut caps = caps.clone();
    if let Some((_, bytes)) = expected.blob {
        if bytes > caps.compressed_bytes {
            return Err(ApplyLayerError::BlobTooLarge {
                limit: caps.compressed_bytes,
            });
        }
        // One byte more, so that a longer blob is seen to be longer.
        caps.compressed_bytes = caps.compressed_bytes.min(bytes + 1);
    }
    let tree = Tree::open(dir, &caps)
        .map_err(ApplyLayerError::io(b"/", "opening the layer's directory"))?;
    let unpacked = Unpacked::new(input, expected.compression, &caps)
        .map_err(|error| blob_size(error, expected))?;
    let mut applier = Applier {
        archive: Archive::new(unpacked),
        tree,
        notes: Notes::default(),
        holes: 0,
        opaque_root: false,
        is_root: rustix::process::geteuid().is_root(),
        caps,
        buffer: vec![0; 128 << 10],
    };
    while let Some(entry) = applier.next_entry()? {
        applier.tree.count_entry()?;
        applier.entry(&entry)?;
    }
    let end = applier.archive.finish();
    applier
        .explained(end)
        .map_err(|error| blob_size(error, expected))?;
    applier.finish(expected)
}

/// A blob that is longer than its descriptor says, rather than longer than some cap.
fn blob_size(error: ApplyLayerError, expected: &Expected) -> ApplyLayerError {
    match (error, expected.blob) {
        (ApplyLayerError::BlobTooLarge { limit }, Some((_, bytes))) if limit == bytes + 1 => {
            ApplyLayerError::BlobSize {
                expected: bytes,
                found: limit,
            }
        }
        (error, _) => error,
    }
}

struct Applier<'a> {
    archive: Archive<Unpacked<'a>>,
    tree: Tree,
    notes: Notes,
    /// Bytes of holes, which count as if they were stored.
    holes: u64,
    opaque_root: bool,
    is_root: bool,
    caps: LayerCaps,
    buffer: Vec<u8>,
}

impl Applier<'_> {
    fn explained<T>(&mut self, result: Result<T, ArchiveError>) -> Result<T, ApplyLayerError> {
        result.map_err(|error| match error {
            ArchiveError::Io(e) => self.archive.input().explain(e),
            malformed => malformed.into(),
        })
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, ApplyLayerError> {
        let next = self.archive.next_entry();
        self.explained(next)
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), ApplyLayerError> {
        if entry.kind == EntryKind::GlobalHeader {
            self.notes.take(Note::GlobalHeaderIgnored, &entry.name);
            return Ok(());
        }
        let path = InnerPath::new(&entry.name)
            .map_err(|reason| ApplyLayerError::entry(&entry.name, reason))?;
        let Some((parent, name)) = path.split() else {
            return self.root_entry(entry);
        };
        if parent
            .split(|&b| b == b'/')
            .any(|part| part.starts_with(path::WHITEOUT))
        {
            return Err(ApplyLayerError::entry(
                &entry.name,
                "lies below a whiteout's name",
            ));
        }
        if let EntryKind::Unknown(flag) = entry.kind {
            return Err(ApplyLayerError::entry(
                &entry.name,
                format!(
                    "is of type {:?}, which a layer cannot hold",
                    char::from(flag)
                ),
            ));
        }
        if let Some(whiteout) = path::whiteout(name) {
            let whiteout =
                whiteout.map_err(|reason| ApplyLayerError::entry(&entry.name, reason))?;
            if !matches!(entry.kind, EntryKind::File | EntryKind::Hardlink(_)) {
                return Err(ApplyLayerError::entry(
                    &entry.name,
                    "has a whiteout's name and is no plain file",
                ));
            }
            // Some tools say of each file of a directory that it is gone, and then that a file has the directory's place.
            let io = ApplyLayerError::io(path.as_bytes(), "looking at its parents");
            if self.tree.is_hidden(parent).map_err(io)? {
                self.notes.take(Note::WhiteoutMoot, &entry.name);
                return Ok(());
            }
            return self.whiteout(&path, &whiteout);
        }
        if entry.kind == EntryKind::Device {
            self.notes.take(Note::DeviceSkipped, &entry.name);
            return Ok(());
        }
        let place = self.tree.place(&path, &mut self.notes)?;
        let meta = self.meta(entry)?;
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        match &entry.kind {
            EntryKind::Directory => {
                self.tree.make_dir(&place, &path, meta)?;
                if !entry.xattrs.is_empty() {
                    let dir = rustix::fs::openat(
                        &place.dir,
                        place.name,
                        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                        Mode::empty(),
                    )
                    .map_err(io("opening the directory"))?;
                    self.set_xattrs(&dir, entry)?;
                }
            }
            EntryKind::File => {
                self.make_way(&place, &path)?;
                self.file(&place, &path, entry, meta)?;
            }
            EntryKind::Symlink(target) => {
                kinds::check_target(entry, target)?;
                self.make_way(&place, &path)?;
                rustix::fs::symlinkat(target.as_slice(), &place.dir, place.name)
                    .map_err(io("making the link"))?;
                self.set_at(&place, &path, meta, false)?;
            }
            EntryKind::Hardlink(target) => self.hardlink(&place, &path, entry, target)?,
            EntryKind::Fifo => {
                self.make_way(&place, &path)?;
                rustix::fs::mknodat(
                    &place.dir,
                    place.name,
                    FileType::Fifo,
                    Mode::RUSR | Mode::WUSR,
                    0,
                )
                .map_err(io("making the fifo"))?;
                self.set_at(&place, &path, meta, true)?;
            }
            EntryKind::Device | EntryKind::GlobalHeader | EntryKind::Unknown(_) => {}
        }
        Ok(())
    }

    fn root_entry(&mut self, entry: &Entry) -> Result<(), ApplyLayerError> {
        if entry.kind != EntryKind::Directory {
            return Err(ApplyLayerError::entry(
                &entry.name,
                "stands for the root, and is no directory",
            ));
        }
        let meta = self.meta(entry)?;
        self.tree.set_root(meta)
    }

    /// Removes what lies where a file is to be: of two entries with one name the last is kept.
    fn make_way(&mut self, place: &Place<'_>, path: &InnerPath) -> Result<(), ApplyLayerError> {
        if tree::present(place, path)? != Present::Nothing {
            remove::remove_at(&place.dir, place.name).map_err(ApplyLayerError::io(
                path.as_bytes(),
                "replacing what was there",
            ))?;
        }
        Ok(())
    }

    fn finish(mut self, expected: &Expected) -> Result<Applied, ApplyLayerError> {
        let ((diff_id, archive_bytes), (blob, blob_bytes)) = self.archive.input().digests();
        check_digests(self.archive.input(), expected)?;
        self.set_directories()?;
        Ok(Applied {
            diff_id,
            blob,
            blob_bytes,
            unpacked_bytes: archive_bytes + self.holes,
            entries: self.tree.entries(),
            opaque_root: self.opaque_root,
            notes: std::mem::take(&mut self.notes),
        })
    }
}

/// Whether a directory is marked as opaque.
pub(crate) fn is_opaque(dir: &OwnedFd, attribute: &str) -> rustix::io::Result<bool> {
    let mut value = [0u8; 2];
    match rustix::fs::fgetxattr(dir, attribute, value.as_mut_slice()) {
        Ok(1) => Ok(value[0] == b'y'),
        Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}
