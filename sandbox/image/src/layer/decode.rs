//! Compressed bytes to an archive's, with both digests taken and both caps watched on the way.
//!
//! gzip is read by flate2's Rust backend, several members one after the other as one stream. zstd is read by the reference
//! library: the pure Rust reader is a third as fast (110 to 130 MB/s of archive against 375 to 400, one core), and the workspace
//! links the library already for Parquet. Its window is capped at 128 MiB.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::{ApplyLayerError, LayerCaps};
use crate::Digest;
use crate::digest::Tally;

/// How a layer's archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As it is.
    None,
    /// gzip, one or several members.
    Gzip,
    /// Zstandard, one or several frames.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "an uncompressed archive",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        })
    }
}

impl Compression {
    /// What a layer's media type says, OCI's and Docker's; `None` where it is no layer's.
    pub fn of_media_type(media_type: &str) -> Option<Compression> {
        Some(match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Compression::None,
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Compression::Gzip,
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Compression::Zstd,
            _ => return None,
        })
    }

    /// OCI's media type of a layer so compressed.
    pub fn media_type(self) -> &'static str {
        match self {
            Compression::None => "application/vnd.oci.image.layer.v1.tar",
            Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// From the first bytes.
    fn detect(magic: &[u8]) -> Result<Compression, &'static str> {
        match magic {
            [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Compression::Zstd),
            // A skippable frame, as some writers put first.
            [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == 0x50 => Ok(Compression::Zstd),
            [b'B', b'Z', b'h', ..] => Err("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err("xz"),
            [b'P', b'K', 3, 4, ..] => Err("zip"),
            _ => Ok(Compression::None),
        }
    }
}

/// Compresses with parameters that never change, so that the same archive gives the same blob: gzip at level 6 without a name
/// or time in its header, zstd at level 3 with a checksum, one thread.
///
/// # Errors
/// Of `write`, and of `out`.
pub fn compress<W: Write>(
    compression: Compression,
    out: W,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<W> {
    match compression {
        Compression::None => {
            let mut out = out;
            write(&mut out)?;
            Ok(out)
        }
        Compression::Gzip => {
            let mut gz = GzEncoder::new(out, flate2::Compression::new(6));
            write(&mut gz)?;
            gz.finish()
        }
        Compression::Zstd => {
            let mut zstd = zstd::Encoder::new(out, 3)?;
            zstd.include_checksum(true)?;
            write(&mut zstd)?;
            zstd.finish()
        }
    }
}

/// The blob as it passes: its digest, and what went wrong beneath the decoder, which would hide it.
#[derive(Default)]
struct BlobState {
    tally: Tally,
    failed: Option<ApplyLayerError>,
}

struct Blob<R> {
    inner: R,
    limit: u64,
    state: Rc<RefCell<BlobState>>,
}

impl<R: Read> Read for Blob<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        let mut state = self.state.borrow_mut();
        match read {
            Ok(n) => {
                state.tally.add(&buf[..n]);
                if state.tally.bytes() > self.limit {
                    state.failed = Some(ApplyLayerError::BlobTooLarge { limit: self.limit });
                    return Err(io::Error::other("the blob is too long"));
                }
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let kind = e.kind();
                state.failed = Some(ApplyLayerError::Input(e));
                Err(kind.into())
            }
        }
    }
}

/// A layer's archive, as it comes out of its blob.
pub(crate) struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    compressed: bool,
    tally: Tally,
    caps: LayerCaps,
    state: Rc<RefCell<BlobState>>,
    failed: Option<ApplyLayerError>,
}

const BUFFER_BYTES: usize = 128 << 10;

impl<'a> Unpacked<'a> {
    pub(crate) fn new(
        input: impl Read + 'a,
        declared: Option<Compression>,
        caps: &LayerCaps,
    ) -> Result<Unpacked<'a>, ApplyLayerError> {
        let state = Rc::new(RefCell::new(BlobState::default()));
        let mut blob = BufReader::with_capacity(
            BUFFER_BYTES,
            Blob {
                inner: input,
                limit: caps.compressed_bytes,
                state: Rc::clone(&state),
            },
        );
        let found = match blob.fill_buf() {
            Ok(magic) => Compression::detect(magic)
                .map_err(|found| ApplyLayerError::UnknownCompression { found })?,
            Err(e) => {
                let failed = state.borrow_mut().failed.take();
                return Err(failed.unwrap_or(ApplyLayerError::Input(e)));
            }
        };
        if let Some(declared) = declared
            && declared != found
        {
            return Err(ApplyLayerError::Compression { declared, found });
        }
        let decoder: Box<dyn Read + 'a> = match found {
            Compression::None => Box::new(blob),
            Compression::Gzip => Box::new(MultiGzDecoder::new(blob)),
            Compression::Zstd => {
                let mut zstd = zstd::Decoder::with_buffer(blob).map_err(ApplyLayerError::Input)?;
                zstd.window_log_max(27).map_err(ApplyLayerError::Input)?;
                Box::new(zstd)
            }
        };
        Ok(Unpacked {
            decoder,
            compressed: found != Compression::None,
            tally: Tally::default(),
            caps: caps.clone(),
            state,
            failed: None,
        })
    }

    /// What a failed read of this was about.
    pub(crate) fn explain(&mut self, error: io::Error) -> ApplyLayerError {
        if let Some(failed) = self.failed.take() {
            return failed;
        }
        if let Some(failed) = self.state.borrow_mut().failed.take() {
            return failed;
        }
        ApplyLayerError::Damaged {
            unpacked_bytes: self.tally.bytes(),
            source: error,
        }
    }

    /// Digest and length of the archive, then of the blob. True once both were read to their ends.
    pub(crate) fn digests(&self) -> ((Digest, u64), (Digest, u64)) {
        let blob = self.state.borrow();
        (
            (self.tally.digest(), self.tally.bytes()),
            (blob.tally.digest(), blob.tally.bytes()),
        )
    }

    fn refuse(&mut self, error: ApplyLayerError) -> io::Error {
        self.failed = Some(error);
        io::Error::other("past a cap")
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(buf)?;
        self.tally.add(&buf[..n]);
        let bytes = self.tally.bytes();
        if bytes > self.caps.unpacked_bytes {
            return Err(self.refuse(ApplyLayerError::TooLarge {
                limit: self.caps.unpacked_bytes,
            }));
        }
        if self.compressed && bytes > self.caps.ratio_from_bytes {
            let compressed_bytes = self.state.borrow().tally.bytes();
            if bytes / self.caps.ratio.max(1) > compressed_bytes {
                return Err(self.refuse(ApplyLayerError::Ratio {
                    compressed_bytes,
                    unpacked_bytes: bytes,
                    ratio: self.caps.ratio,
                }));
            }
        }
        Ok(n)
    }
}
