//! Whether some bytes are an archive.

use std::io::Read;

use super::caps::LayerCaps;
use super::decode::Unpacked;
use super::error::ApplyLayerError;
use super::header::BLOCK_BYTES;

/// Where the word `ustar` lies in an archive's first block.
const MAGIC: std::ops::Range<usize> = 257..262;

/// Whether `input` begins as an archive does, decompressed where that is needed. What is compressed with xz or bzip2 counts as one: applied, it is
/// refused, where a copy of it would be a file in the place of a tree. A zip is none: nobody unpacks those.
pub fn is_archive(input: impl Read) -> bool {
    let caps = LayerCaps::default();
    let mut unpacked = match Unpacked::new(input, None, &caps) {
        Ok(unpacked) => unpacked,
        Err(ApplyLayerError::UnknownCompression { found }) => return found != "zip",
        Err(_) => return false,
    };
    let mut block = [0u8; BLOCK_BYTES];
    let mut length = 0;
    while length < block.len() {
        match unpacked.read(&mut block[length..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    block[..length].get(MAGIC) == Some(b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Compression;
    use crate::layer::decode::compress;

    #[test]
    fn archives_are_told_from_other_files_by_content() {
        let mut tar = vec![0u8; 1024];
        tar[MAGIC].copy_from_slice(b"ustar");
        let packed =
            |how, bytes: &[u8]| compress(how, Vec::new(), |out| out.write_all(bytes)).unwrap();
        for how in [Compression::None, Compression::Gzip, Compression::Zstd] {
            assert!(is_archive(packed(how, &tar).as_slice()), "{how}");
            assert!(!is_archive(packed(how, b"a text").as_slice()), "{how}");
        }
        assert!(is_archive(b"BZh91AY&SY".as_slice()) && is_archive(b"\xfd7zXZ\0".as_slice()));
        for other in [b"PK\x03\x04".as_slice(), b"", b"\x1f\x8b", &[0; 2000]] {
            assert!(!is_archive(other), "{other:?}");
        }
    }
}
