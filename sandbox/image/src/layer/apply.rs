//! Entries to files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::archive::{Archive, ArchiveError, Entry, EntryKind};
use super::caps::LayerCaps;
use super::decode::{Compression, Unpacked};
use super::error::ApplyLayerError;
use super::note::{Note, Notes};
use super::path::{self, InnerPath, Whiteout};
use super::remove;
use super::tree::{self, Meta, Place, Present, Tree};
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
                check_target(entry, target)?;
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

    fn meta(&mut self, entry: &Entry) -> Result<Meta, ApplyLayerError> {
        let id = |id: u64| match u32::try_from(id) {
            // The last one means "leave it as it is" to the kernel.
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(ApplyLayerError::entry(
                &entry.name,
                format!("belongs to id {id}, which no system has"),
            )),
        };
        let (uid, gid) = (id(entry.uid)?, id(entry.gid)?);
        if uid > 0xffff || gid > 0xffff {
            self.notes.take(Note::OwnerUnmapped, &entry.name);
        }
        if !self.is_root {
            self.notes.take(Note::OwnerNotKept, &entry.name);
        }
        Ok(Meta {
            uid,
            gid,
            mode: entry.mode,
            mtime: entry.mtime,
        })
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

    fn file(
        &mut self,
        place: &Place<'_>,
        path: &InnerPath,
        entry: &Entry,
        meta: Meta,
    ) -> Result<(), ApplyLayerError> {
        let real = entry.real_size();
        self.holes = self.holes.saturating_add(real - entry.size.min(real));
        let unpacked = self.holes.saturating_add(self.archive.offset());
        if unpacked.saturating_add(entry.size) > self.caps.unpacked_bytes {
            return Err(ApplyLayerError::TooLarge {
                limit: self.caps.unpacked_bytes,
            });
        }
        let fd = rustix::fs::openat(
            &place.dir,
            place.name,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(ApplyLayerError::io(path.as_bytes(), "making the file"))?;
        let mut file = File::from(fd);
        match &entry.sparse {
            None => self.copy(&mut file, path, entry.size)?,
            Some(sparse) => {
                let io = |source| write_failed(path, source);
                for &(offset, len) in &sparse.pieces {
                    file.seek(SeekFrom::Start(offset)).map_err(io)?;
                    self.copy(&mut file, path, len)?;
                }
                file.set_len(sparse.real_size).map_err(io)?;
            }
        }
        let fd = OwnedFd::from(file);
        self.set_xattrs(&fd, entry)?;
        self.set(&fd, path.as_bytes(), meta)
    }

    fn copy(&mut self, file: &mut File, path: &InnerPath, len: u64) -> Result<(), ApplyLayerError> {
        let mut left = len;
        while left > 0 {
            let wanted =
                usize::try_from(left).map_or(self.buffer.len(), |n| n.min(self.buffer.len()));
            let read = self.archive.read_data(&mut self.buffer[..wanted]);
            let n = self.explained(read)?;
            if n == 0 {
                return Err(ApplyLayerError::entry(path.as_bytes(), "is cut off"));
            }
            file.write_all(&self.buffer[..n])
                .map_err(|source| write_failed(path, source))?;
            left -= n as u64;
        }
        Ok(())
    }

    fn hardlink(
        &mut self,
        place: &Place<'_>,
        path: &InnerPath,
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), ApplyLayerError> {
        let refuse = |reason: &str| {
            let target = super::note::shown(target);
            ApplyLayerError::entry(
                &entry.name,
                format!("is a hard link to {target:?}, which {reason}"),
            )
        };
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        let target_path = InnerPath::new(target).map_err(refuse)?;
        let Some((dir, name)) = self
            .tree
            .find(&target_path)
            .map_err(io("looking for the link's target"))?
        else {
            return Err(refuse("is not in this layer"));
        };
        let Some(stat) = tree::stat(&dir, name).map_err(io("looking at the link's target"))? else {
            return Err(refuse("is not in this layer"));
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Symlink => {}
            _ => return Err(refuse("is neither a file nor a symbolic link")),
        }
        let here = tree::stat(&place.dir, place.name).map_err(io("looking at what is there"))?;
        if here.is_some_and(|here| here.st_ino == stat.st_ino) {
            return Ok(());
        }
        self.make_way(place, path)?;
        // What made way may have been a directory with the target in it.
        match rustix::fs::linkat(&dir, name, &place.dir, place.name, AtFlags::empty()) {
            Err(Errno::NOENT) => Err(refuse("it replaces together with its directory")),
            Err(Errno::MLINK) => Err(refuse("has more names than the file system allows")),
            other => other.map_err(io("making the hard link")),
        }
    }

    fn whiteout(
        &mut self,
        path: &InnerPath,
        whiteout: &Whiteout<'_>,
    ) -> Result<(), ApplyLayerError> {
        let place = self.tree.place(path, &mut self.notes)?;
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        let open = |name: &[u8]| {
            rustix::fs::openat(
                &place.dir,
                name,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            )
        };
        let Whiteout::Name(hidden) = *whiteout else {
            if path.split().is_some_and(|(parent, _)| parent.is_empty()) {
                self.opaque_root = true;
            }
            let dir = open(b".").map_err(io("opening the directory"))?;
            return tree::set_opaque(&dir).map_err(io("making the directory opaque"));
        };
        // A whiteout is about the layers beneath, wherever it stands in the archive: what this layer has of that name stays.
        let hidden_place = Place {
            name: hidden,
            ..place
        };
        match tree::present(&hidden_place, path)? {
            Present::Directory => {
                let dir = open_dir(&hidden_place).map_err(io("opening the directory"))?;
                tree::set_opaque(&dir).map_err(io("making the directory opaque"))
            }
            Present::Nothing => rustix::fs::mknodat(
                &hidden_place.dir,
                hidden,
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            )
            .map_err(io("making the whiteout")),
            Present::Whiteout | Present::Other => Ok(()),
        }
    }

    fn set_xattrs(&mut self, fd: &OwnedFd, entry: &Entry) -> Result<(), ApplyLayerError> {
        for (name, value) in &entry.xattrs {
            let allowed = name.starts_with(b"user.")
                && !name.starts_with(b"user.overlay.")
                && name.len() <= 255
                && name.len() > 5
                && !name.contains(&0);
            let kept = allowed
                && match rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
                    Ok(()) => true,
                    // Past what the file system holds for one file, or it holds none.
                    Err(Errno::NOSPC | Errno::RANGE | Errno::TOOBIG | Errno::NOTSUP) => false,
                    Err(errno) => {
                        return Err(ApplyLayerError::io(&entry.name, "setting an attribute")(
                            errno,
                        ));
                    }
                };
            if !kept {
                self.notes.take(Note::AttributeDropped, &entry.name);
            }
        }
        Ok(())
    }

    /// Owner first: changing it clears the setuid bits.
    fn set(&self, fd: &OwnedFd, entry: &[u8], meta: Meta) -> Result<(), ApplyLayerError> {
        if self.is_root {
            rustix::fs::fchown(
                fd,
                Some(Uid::from_raw(meta.uid)),
                Some(Gid::from_raw(meta.gid)),
            )
            .map_err(ApplyLayerError::io(entry, "setting the owner"))?;
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(meta.mode))
            .map_err(ApplyLayerError::io(entry, "setting the mode"))?;
        rustix::fs::futimens(fd, &times(meta))
            .map_err(ApplyLayerError::io(entry, "setting the time"))
    }

    fn set_at(
        &self,
        place: &Place<'_>,
        path: &InnerPath,
        meta: Meta,
        has_mode: bool,
    ) -> Result<(), ApplyLayerError> {
        let io = |step| ApplyLayerError::io(path.as_bytes(), step);
        if self.is_root {
            rustix::fs::chownat(
                &place.dir,
                place.name,
                Some(Uid::from_raw(meta.uid)),
                Some(Gid::from_raw(meta.gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(io("setting the owner"))?;
        }
        if has_mode {
            // This process alone writes here, and has just made it: it is no link.
            rustix::fs::chmodat(
                &place.dir,
                place.name,
                Mode::from_raw_mode(meta.mode),
                AtFlags::empty(),
            )
            .map_err(io("setting the mode"))?;
        }
        rustix::fs::utimensat(
            &place.dir,
            place.name,
            &times(meta),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(io("setting the time"))
    }

    /// Directories get their owners, modes and times last: making entries in them changes the time, and may need the mode.
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

    /// Children before their parents, as deep as the cap of depth allows and no deeper.
    fn set_directories(&self) -> Result<(), ApplyLayerError> {
        let io = |step| ApplyLayerError::io(b"a directory", step);
        let root = rustix::io::dup(self.tree.root()).map_err(io("opening the root"))?;
        let mut stack = vec![(subdirectories(&root).map_err(io("listing it"))?, root)];
        while let Some((left, dir)) = stack.last_mut() {
            if let Some(name) = left.pop() {
                let inner = rustix::fs::openat(
                    &*dir,
                    name.as_slice(),
                    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                    Mode::empty(),
                )
                .map_err(io("opening it"))?;
                stack.push((subdirectories(&inner).map_err(io("listing it"))?, inner));
                continue;
            }
            let ino = rustix::fs::fstat(&*dir)
                .map_err(io("looking at it"))?
                .st_ino;
            let meta = self.tree.meta_of(ino).unwrap_or(tree::IMPLIED);
            self.set(dir, b"a directory", meta)?;
            stack.pop();
        }
        Ok(())
    }
}

fn subdirectories(dir: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let is_dir = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => tree::stat(dir, name)?
                .is_some_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory),
            _ => false,
        };
        if is_dir {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn open_dir(place: &Place<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(
        &place.dir,
        place.name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn check_target(entry: &Entry, target: &[u8]) -> Result<(), ApplyLayerError> {
    let reason = match target {
        b"" => "is a symbolic link to nothing",
        _ if target.contains(&0) => "is a symbolic link whose target has a NUL",
        _ if target.len() > super::caps::PATH_BYTES_MAX => {
            "is a symbolic link to more than 4095 bytes"
        }
        _ => return Ok(()),
    };
    Err(ApplyLayerError::entry(&entry.name, reason))
}

fn times(meta: Meta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime.0,
        tv_nsec: meta.mtime.1.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn write_failed(path: &InnerPath, source: io::Error) -> ApplyLayerError {
    ApplyLayerError::Io {
        entry: super::note::shown(path.as_bytes()),
        step: "writing the file",
        source,
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
