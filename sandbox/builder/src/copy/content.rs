//! The digest of what a path selects in a stage or an image: of all that a copy of it depends on, and of nothing else.

use std::collections::HashMap;
use std::io::Read;

use gradus_image::dockerfile::ContentHash;
use rustix::fs::Stat;
use sha2::{Digest as _, Sha256};

use super::{CopyError, select};
use crate::staging::{StageError, joined, meta_of, xattrs};
use crate::union::{Entry, Union};

/// Over names, types, permissions, owners, attributes, links, contents, and times as the layer will have them: later ones become `epoch_s`
/// there. Which of the layers has a file is nothing that it depends on.
pub(crate) fn digest(from: &Union, pattern: &str, epoch_s: i64) -> Result<ContentHash, CopyError> {
    let mut fields = Fields(Sha256::new());
    for (name, entry, stat) in &select(from, pattern)? {
        fields.bytes(name);
        fields.entry(entry, stat, epoch_s)?;
        let Entry::Directory(dir) = entry else {
            continue;
        };
        let mut names: HashMap<(u64, u64), u64> = HashMap::new();
        let mut number = 0u64;
        dir.walk(|path, entry, stat| {
            number += 1;
            fields.bytes(&path.join(&b'/'));
            let is_file = !matches!(entry, Entry::Directory(_));
            if is_file && stat.st_nlink > 1 {
                let first = *names.entry((stat.st_dev, stat.st_ino)).or_insert(number);
                if first != number {
                    fields.bytes(b"as");
                    fields.number(first);
                    return Ok(());
                }
            }
            fields.entry(entry, stat, epoch_s)
        })?;
        fields.bytes(b"end");
    }
    Ok(fields.0.finalize().into())
}

/// Each with its length before it, so that no two lists of fields read the same.
struct Fields(Sha256);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn entry(&mut self, entry: &Entry, stat: &Stat, epoch_s: i64) -> Result<(), CopyError> {
        let meta = meta_of(stat);
        let is_link = matches!(entry, Entry::Link(_));
        // A link's own permissions mean nothing.
        self.number(u64::from(if is_link { 0o777 } else { meta.mode }));
        self.number(u64::from(meta.owner.uid));
        self.number(u64::from(meta.owner.gid));
        self.0.update(meta.mtime_s.min(epoch_s).to_le_bytes());
        match entry {
            Entry::Directory(_) => self.bytes(b"directory"),
            Entry::Fifo => self.bytes(b"pipe"),
            Entry::Other => self.bytes(b"other"),
            Entry::Link(target) => {
                self.bytes(b"link");
                self.bytes(target);
            }
            Entry::File(place) => {
                self.bytes(b"file");
                let failed = |source| StageError::Io {
                    step: "reading",
                    path: joined(std::slice::from_ref(place.name())),
                    source,
                };
                let mut file = place.open()?;
                let xattrs = xattrs(&file).map_err(|errno| failed(errno.into()))?;
                self.number(xattrs.len() as u64);
                for (name, value) in xattrs {
                    self.bytes(&name);
                    self.bytes(&value);
                }
                let mut content = Sha256::new();
                let mut buffer = vec![0; 128 << 10];
                loop {
                    match file.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => content.update(&buffer[..read]),
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(source) => return Err(failed(source).into()),
                    }
                }
                self.bytes(&content.finalize());
            }
        }
        Ok(())
    }
}
