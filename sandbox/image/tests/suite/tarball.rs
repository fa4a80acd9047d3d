//! A small writer of archives that says nothing against any of them.

use std::io::Write;

/// Blocks of an archive.
#[derive(Clone, Default)]
pub(crate) struct Tarball(Vec<u8>);

impl Tarball {
    pub(crate) fn new() -> Tarball {
        Tarball::default()
    }

    /// A header with a right checksum, then `data`, padded.
    pub(crate) fn raw(
        mut self,
        name: &[u8],
        flag: u8,
        link: &[u8],
        size: u64,
        data: &[u8],
    ) -> Tarball {
        let mut block = [0u8; 512];
        put(&mut block, 0, &name[..name.len().min(100)]);
        put(&mut block, 100, b"0000755\0");
        put(&mut block, 108, b"0000000\0");
        put(&mut block, 116, b"0000000\0");
        put(&mut block, 124, format!("{size:011o}\0").as_bytes());
        put(&mut block, 136, b"00000001750\0");
        block[156] = flag;
        put(&mut block, 157, &link[..link.len().min(100)]);
        put(&mut block, 257, b"ustar\x0000");
        sign(&mut block);
        self.0.extend(block);
        self.0.extend(data);
        let padded = self.0.len().next_multiple_of(512);
        self.0.resize(padded, 0);
        self
    }

    pub(crate) fn entry(self, name: &str, flag: u8, link: &str) -> Tarball {
        self.raw(name.as_bytes(), flag, link.as_bytes(), 0, b"")
    }

    pub(crate) fn file(self, name: &str, data: &str) -> Tarball {
        self.raw(
            name.as_bytes(),
            b'0',
            b"",
            data.len() as u64,
            data.as_bytes(),
        )
    }

    pub(crate) fn dir(self, name: &str) -> Tarball {
        self.entry(name, b'5', "")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Tarball {
        self.entry(name, b'2', target)
    }

    pub(crate) fn hardlink(self, name: &str, target: &str) -> Tarball {
        self.entry(name, b'1', target)
    }

    /// An extended header for the entry behind it.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Tarball {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let len = (rest..)
                .find(|len| *len == rest + len.to_string().len())
                .unwrap();
            write!(data, "{len} {key}=").unwrap();
            data.extend(*value);
            data.push(b'\n');
        }
        self.raw(b"pax", b'x', b"", data.len() as u64, &data)
    }

    /// Changes the last header's bytes and signs it again; for entries without data.
    pub(crate) fn patch_last(mut self, at: usize, bytes: &[u8]) -> Tarball {
        let start = self.0.len() - 512;
        let block: &mut [u8; 512] = (&mut self.0[start..]).try_into().unwrap();
        put(block, at, bytes);
        sign(block);
        self
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Tarball {
        Tarball([self.0, bytes.to_vec()].concat())
    }

    /// With the end's two blocks.
    pub(crate) fn end(self) -> Vec<u8> {
        self.bytes(&[0; 1024]).0
    }

    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.0
    }
}

fn put(block: &mut [u8; 512], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn sign(block: &mut [u8; 512]) {
    put(block, 148, b"        ");
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    put(block, 148, format!("{sum:06o}\0 ").as_bytes());
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    gradus_image::layer::decode::compress(gradus_image::layer::Compression::Gzip, &mut out, |w| {
        w.write_all(bytes)
    })
    .unwrap();
    out
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    gradus_image::layer::decode::compress(gradus_image::layer::Compression::Zstd, &mut out, |w| {
        w.write_all(bytes)
    })
    .unwrap();
    out
}
