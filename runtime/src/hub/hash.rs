//! Hashes that the hub names files by.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const BUFFER_BYTES: usize = 1 << 20;

/// The hash of a file, of the kind that `like` is: SHA-256, or git's SHA-1 over a short header and the content.
pub(super) fn hash_of(path: &Path, like: &str) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size_bytes = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    if like.len() == 64 {
        return digest(Sha256::new(), file);
    }
    digest(Sha1::new_with_prefix(format!("blob {size_bytes}\0")), file)
}

fn digest<D: Digest>(mut state: D, mut file: File) -> io::Result<String> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => state.update(&buffer[..n]),
        }
    }
    Ok(state
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
