//! What lies in a directory, one line an entry, sorted.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use gradus_image::Digest;

/// Path to type with content, target or device, mode, owner, first of several names, time in seconds.
pub(crate) fn listing(root: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = left.pop() {
        for entry in dir.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                left.push(path.clone());
            }
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let meta = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        let name = name.escape_ascii().to_string();
        let what = if meta.is_dir() {
            let mut value = [0u8; 8];
            let opaque = rustix::fs::getxattr(&path, "user.overlay.opaque", &mut value[..]).is_ok();
            if opaque { "opaque dir" } else { "dir" }.to_owned()
        } else if meta.is_symlink() {
            format!("link {}", path.read_link().unwrap().display())
        } else if meta.file_type().is_fifo() {
            "fifo".to_owned()
        } else if meta.file_type().is_char_device() {
            format!("char {}", meta.rdev())
        } else {
            format!("file {}", Digest::of(&std::fs::read(&path).unwrap()))
        };
        let first = inodes.entry(meta.ino()).or_insert_with(|| name.clone());
        let linked = match *first == name {
            true => String::new(),
            false => format!("is {first} "),
        };
        let line = format!(
            "{what} {:o} {}:{} {linked}@{}",
            meta.mode() & 0o7777,
            meta.uid(),
            meta.gid(),
            meta.mtime()
        );
        out.insert(name, line);
    }
    out
}

/// Without times.
pub(crate) fn timeless(listing: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    listing
        .iter()
        .map(|(path, line)| {
            let line = line.rsplit_once('@').unwrap().0.trim_end();
            (path.clone(), line.to_owned())
        })
        .collect()
}

/// What is to be seen when layers lie on each other, the lowest first: overlay's rules, written down once more.
pub(crate) fn merged(layers: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for layer in layers {
        for (path, line) in layer {
            let is_dir = line.starts_with("dir ");
            if !is_dir || !out.get(path).is_some_and(|was| was.starts_with("dir ")) {
                let below = format!("{path}/");
                out.retain(|other, _| other != path && !other.starts_with(&below));
            }
            if !line.starts_with("char 0 ") {
                out.insert(path.clone(), line.replacen("opaque dir ", "dir ", 1));
            }
        }
    }
    out
}
