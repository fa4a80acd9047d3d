//! Compiled kernels kept on disk, under `$XDG_CACHE_HOME/gradus/kernels` or `~/.cache/gradus/kernels`.
//!
//! A file says what it is for and what it must hash to, so that one that is cut, damaged or another's is compiled again. The
//! folder is as trusted as its owner: a hash beside what it hashes stops accidents, not an attacker who can write there.

use sha2::{Digest, Sha256};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

const MAGIC: &[u8; 16] = b"gradus-kernel-1\0";

/// A folder of compiled kernels; `None` keeps nothing.
#[derive(Debug)]
pub(super) struct Cache(pub(super) Option<PathBuf>);

impl Cache {
    /// The user's. Relative paths in the environment are ignored, as the XDG specification asks.
    pub(super) fn of_user() -> Self {
        let absolute = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        Self(base.map(|base| base.join("gradus").join("kernels")))
    }

    /// What is kept under `key`, or what `build` makes, kept from now on. A folder that takes no files costs a note.
    pub(super) fn get<E>(
        &self,
        key: &[u8; 32],
        notes: &mut Vec<String>,
        build: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let Some(folder) = &self.0 else {
            notes.push(
                "compiled kernels are not kept: neither XDG_CACHE_HOME nor HOME is set".into(),
            );
            return build();
        };
        let mut name = String::new();
        for byte in key {
            let _ = write!(name, "{byte:02x}");
        }
        let path = folder.join(format!("{name}.kernel"));
        if let Ok(file) = fs::read(&path) {
            if let Some(image) = open(&file, key) {
                return Ok(image.to_vec());
            }
            notes.push(format!(
                "{} is damaged, it is compiled again",
                path.display()
            ));
        }
        let image = build()?;
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let aside = folder.join(format!(".{name}.{}.{serial}", process::id()));
        let kept = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&aside, seal(&image, key)))
            .and_then(|()| fs::rename(&aside, &path));
        if let Err(error) = kept {
            let _ = fs::remove_file(&aside);
            notes.push(format!(
                "compiled kernels are not kept in {}: {error}",
                folder.display()
            ));
        }
        Ok(image)
    }
}

fn seal(image: &[u8], key: &[u8; 32]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend(key);
    file.extend(Sha256::digest(image));
    file.extend(image);
    file
}

fn open<'a>(file: &'a [u8], key: &[u8; 32]) -> Option<&'a [u8]> {
    let rest = file.strip_prefix(MAGIC)?.strip_prefix(key)?;
    let (hash, image) = rest.split_at_checked(32)?;
    (Sha256::digest(image)[..] == *hash).then_some(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn get(cache: &Cache, key: u8, image: &[u8]) -> (Vec<u8>, bool, Vec<String>) {
        let (mut notes, mut built) = (Vec::new(), false);
        let found = cache.get(&[key; 32], &mut notes, || {
            built = true;
            Ok::<_, Infallible>(image.to_vec())
        });
        (found.expect("cannot fail"), built, notes)
    }

    #[test]
    fn a_kernel_is_compiled_once_and_again_when_its_file_is_cut_or_changed_or_another_s() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache(Some(folder.path().join("a").join("b")));
        assert_eq!(get(&cache, 1, b"one"), (b"one".to_vec(), true, vec![]));
        assert_eq!(get(&cache, 1, b"-"), (b"one".to_vec(), false, vec![]));
        let dir = cache.0.as_ref().expect("a folder");
        let path = dir.join(format!("{}.kernel", "01".repeat(32)));
        let sound = fs::read(&path).expect("kept");
        let mut changed = sound.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        for bad in [
            &sound[..sound.len() - 1],
            &sound[..20],
            &[],
            &changed,
            &seal(b"one", &[2; 32]),
        ] {
            fs::write(&path, bad).expect("writable");
            let (image, built, notes) = get(&cache, 1, b"one");
            assert!(
                image == b"one" && built && notes[0].contains("damaged"),
                "{notes:?}"
            );
            assert_eq!(fs::read(&path).expect("kept"), sound);
        }
        assert_eq!(fs::read_dir(dir).expect("a folder").count(), 1);
    }

    #[test]
    fn a_folder_that_takes_no_files_costs_a_note() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let cache = Cache(Some(file.path().join("below-a-file")));
        let (image, built, notes) = get(&cache, 1, b"one");
        assert!(
            image == b"one" && built && notes[0].contains("not kept"),
            "{notes:?}"
        );
        assert_eq!(get(&Cache(None), 1, b"one").2.len(), 1);
    }
}
