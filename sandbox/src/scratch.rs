//! Where a job's writes go: an image file with a file system of its own, whose size is the limit. Or, where it is asked for, a directory
//! (`quota`).
//!
//! An ext4 without a journal, since nobody needs the files of a job that a power cut has ended. Making one takes a fifth of a second, so one
//! of each size is kept as a template, and a job's is a copy of its few written blocks. The copy has a name only until it is mounted.

pub(crate) mod quota;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{SeekFrom, seek};

use crate::turn::Turn;

/// Why there is no scratch.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The program that makes file systems is not there.
    #[error(
        "mkfs.ext4 cannot be run\nhelp: install e2fsprogs, or let the job's writes go to memory with --scratch memory"
    )]
    NoProgram(#[source] io::Error),
    /// It did not make one.
    #[error(
        "{}: mkfs.ext4 made no file system of {bytes} bytes and {inodes} files: {said}\nhelp: at least 1 MiB and 16 files are needed, and as much room on the disk as they take",
        path.display()
    )]
    Failed {
        /// where
        path: PathBuf,
        /// size
        bytes: u64,
        /// files
        inodes: u64,
        /// its words
        said: String,
    },
    /// The file system keeps nobody to a quota by project.
    #[error(
        "{}: its file system does not bound what a project has\nhelp: make the state directory on ext4 with `mkfs.ext4 -O quota,project`, mounted with -o prjquota, or leave out --scratch quota",
        path.display()
    )]
    NoQuota {
        /// where
        path: PathBuf,
        /// why
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
}

/// A file that is not empty takes a block of this size at least: more files than that need no places.
const BYTES_OF_A_FILE: u64 = 1024;

/// Files that a file system has room for at least; it has some of its own.
const INODES_MIN: u64 = 16;

/// Makes the image `path` for `bytes` and `inodes`, with templates in `templates`, which exists.
pub(crate) fn make_image(
    templates: &Path,
    path: &Path,
    bytes: u64,
    inodes: u64,
) -> Result<(), ScratchError> {
    let inodes = inodes.min((bytes / BYTES_OF_A_FILE).max(INODES_MIN));
    let template = templates.join(format!("ext4-{bytes}-{inodes}"));
    if !template.exists() {
        let turn = Turn::wait(templates).map_err(|source| ScratchError::Io {
            path: templates.to_owned(),
            source,
        })?;
        if !template.exists() {
            make_template(&template, bytes, inodes)?;
        }
        drop(turn);
    }
    copy_sparse(&template, path).map_err(|source| ScratchError::Io {
        path: path.to_owned(),
        source,
    })
}

fn make_template(template: &Path, bytes: u64, inodes: u64) -> Result<(), ScratchError> {
    let io_error = |source| ScratchError::Io {
        path: template.to_owned(),
        source,
    };
    // Aside, and renamed. One of before is not written to: the mkfs of a process that was killed may still do that.
    let aside = template.with_extension("tmp");
    let _ = fs::remove_file(&aside);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)
        .map_err(io_error)?;
    let sized = file.set_len(bytes);
    let made = Command::new("mkfs.ext4")
        .args([
            "-q",
            "-F",
            "-O",
            "^has_journal,^resize_inode",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=1,nodiscard",
            "-N",
        ])
        .arg(inodes.to_string())
        .arg(&aside)
        .stdin(Stdio::null())
        .output();
    let result = match made {
        Err(error) => Err(ScratchError::NoProgram(error)),
        Ok(output) if !output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.split_whitespace().collect();
            Err(ScratchError::Failed {
                path: template.to_owned(),
                bytes,
                inodes,
                said: said.join(" "),
            })
        }
        // On the disk before it has its name: a template that a power cut has torn would spoil every job after it.
        Ok(_) => sized
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&aside, template))
            .map_err(io_error),
    };
    if result.is_err() {
        let _ = fs::remove_file(&aside);
    }
    result
}

/// Copies a file's data and leaves its holes.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let from = File::open(from)?;
    let to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut at = 0;
    while at < length {
        let data = match seek(&from, SeekFrom::Data(at)) {
            Err(rustix::io::Errno::NXIO) => break,
            other => other?,
        };
        let hole = seek(&from, SeekFrom::Hole(data))?;
        let (mut read, mut written) = (data, data);
        while read < hole {
            let left = (hole - read) as usize;
            if rustix::fs::copy_file_range(&from, Some(&mut read), &to, Some(&mut written), left)?
                == 0
            {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        at = hole;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn an_image_is_made_once_and_its_copies_are_sparse_and_the_same() {
        let folder = tempfile::tempdir().expect("a directory");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        if let Err(ScratchError::NoProgram(_)) = make_image(folder.path(), &one, 64 << 20, 100) {
            println!("skipped: no mkfs.ext4");
            return;
        }
        make_image(folder.path(), &two, 64 << 20, 100).expect("the second image");
        let (first, second) = (fs::read(&one).expect("one"), fs::read(&two).expect("two"));
        assert_eq!((first.len(), first == second), (64 << 20, true));
        // ext4's magic number, in the superblock at 1 KiB.
        assert_eq!(first[1024 + 56..1024 + 58], [0x53, 0xef]);
        assert!(
            fs::metadata(&two).expect("two").blocks() * 512 < 4 << 20,
            "not sparse"
        );
    }

    /// What is small has few files, however many may be.
    #[test]
    fn a_small_image_has_room_for_fewer_files_than_were_asked_for() {
        let folder = tempfile::tempdir().expect("a directory");
        match make_image(
            folder.path(),
            &folder.path().join("image"),
            2 << 20,
            100_000,
        ) {
            Err(ScratchError::NoProgram(_)) => println!("skipped: no mkfs.ext4"),
            made => made.expect("an image"),
        }
    }

    #[test]
    fn an_image_too_small_for_a_file_system_says_so_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        match make_image(folder.path(), &folder.path().join("image"), 4096, 16) {
            Err(ScratchError::NoProgram(_)) => println!("skipped: no mkfs.ext4"),
            Err(error @ ScratchError::Failed { .. }) => {
                assert!(error.to_string().contains("4096 bytes"), "{error}");
                assert_eq!(
                    fs::read_dir(folder.path()).expect("the directory").count(),
                    0
                );
            }
            other => panic!("{other:?}"),
        }
    }
}
