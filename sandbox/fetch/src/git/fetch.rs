//! One commit's tree into a directory that is not there yet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gradus_image::layer::remove_tree;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use serde::Serialize;
use ureq::http::Uri;

use super::checkout::checkout;
use super::error::{FetchError, PackError};
use super::id::ObjectId;
use super::name;
use super::pack::{Pack, PackCaps};
use super::plan::plan;
use super::protocol::Remote;
use super::verify::tree_id;
use crate::net::{Http, NetLimits, Reach, Secret, is_loopback, server_of};

/// How much of everything a commit may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitCaps {
    /// of what the server sends
    pub pack: PackCaps,
    /// files, links and directories
    pub entries: u64,
    /// directories below each other
    pub depth: u32,
    /// of one file
    pub file_bytes: u64,
    /// of all files
    pub tree_bytes: u64,
}

impl Default for GitCaps {
    fn default() -> GitCaps {
        GitCaps {
            pack: PackCaps::default(),
            entries: 200_000,
            depth: 64,
            file_bytes: 2 << 30,
            tree_bytes: 4 << 30,
        }
    }
}

/// What may be fetched, and from where.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Sizes.
    pub caps: GitCaps,
    /// Times and retries.
    pub limits: NetLimits,
    /// Servers that may lie at private addresses.
    pub reach: Reach,
    /// Whether a server on this machine may be asked without encryption: for tests.
    pub plain_loopback: bool,
}

impl Default for FetchOptions {
    fn default() -> FetchOptions {
        FetchOptions {
            caps: GitCaps::default(),
            limits: NetLimits {
                // A server that packs says no more than that it is there.
                stall: Duration::from_secs(60),
                rate_bytes: 0,
                total: Duration::from_secs(900),
                ..NetLimits::default()
            },
            reach: Reach::public(),
            plain_loopback: false,
        }
    }
}

/// What was fetched, for a job's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// as it was asked for
    pub commit: ObjectId,
    /// the commit's tree; the files that were written make the same
    pub tree: ObjectId,
    /// files
    pub files: u64,
    /// their bytes
    pub bytes: u64,
    /// symbolic links
    pub links: u64,
    /// of these, such whose target is not in the tree
    pub links_out: u64,
    /// files that only stand for others, which are not fetched
    pub lfs_pointers: u64,
    /// commits of other repositories: empty directories, by path
    pub submodules: Vec<String>,
    /// bytes that the server sent
    pub pack_bytes: u64,
    /// objects in them
    pub objects: u64,
}

/// Fetches commits.
#[derive(Clone, Debug, Default)]
pub struct Fetcher {
    options: FetchOptions,
}

impl Fetcher {
    /// With these limits.
    pub fn new(options: FetchOptions) -> Fetcher {
        Fetcher { options }
    }

    /// Fetches `commit` of the repository at `url` and writes its tree to `dir`, which is made: whole, or not at all. `token` is sent to the
    /// server of `url` and to nobody else.
    ///
    /// # Errors
    /// As [`FetchError`] says.
    pub fn fetch(
        &self,
        url: &str,
        commit: &ObjectId,
        token: Option<&Secret>,
        dir: &Path,
    ) -> Result<Fetched, FetchError> {
        let url = self.check_url(url)?;
        if token.is_some_and(|token| !token.fits_a_header()) {
            return Err(FetchError::Token);
        }
        if dir.symlink_metadata().is_ok() {
            return Err(FetchError::Exists {
                path: dir.to_owned(),
            });
        }
        let plain = match url.scheme_str() {
            Some("http") => vec![server_of(&url)?],
            _ => Vec::new(),
        };
        let http = Http::new(&self.options.limits, &self.options.reach, &plain);
        remove_left(dir, false);
        let work = WorkDir::beside(dir)?;
        let (pack_file, server) = self.receive_patiently(&http, &url, commit, token, &work)?;
        let caps = &self.options.caps;
        let pack_bytes = pack_file
            .metadata()
            .map_err(FetchError::io(&work.0, "looking at what was received"))?
            .len();
        let scratch = work.unnamed_file("objects")?;
        let mut pack = Pack::open(pack_file, scratch, commit.algorithm(), &caps.pack)
            .map_err(|source| FetchError::Pack { server, source })?;
        let plan = plan(&mut pack, commit, caps)?;
        let tree = work.0.join("tree");
        let written = checkout(&mut pack, &plan, make_dir(&tree)?)?;
        let found =
            tree_id(&tree, commit.algorithm(), &written.submodules).map_err(FetchError::Verify)?;
        if found != plan.tree {
            return Err(FetchError::Tree {
                expected: plan.tree,
                found,
            });
        }
        match rustix::fs::renameat_with(CWD, &tree, CWD, dir, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                return Err(FetchError::Exists {
                    path: dir.to_owned(),
                });
            }
            Err(e) => return Err(FetchError::io(dir, "publishing the tree")(e.into())),
        }
        Ok(Fetched {
            commit: *commit,
            tree: found,
            files: written.files,
            bytes: written.bytes,
            links: written.links,
            links_out: written.links_out,
            lfs_pointers: written.lfs_pointers,
            submodules: written
                .submodules
                .keys()
                .map(|path| name::shown(path))
                .collect(),
            pack_bytes,
            objects: pack.len() as u64,
        })
    }

    /// https; http for tests. A name or password in it would be shown in messages and logs.
    fn check_url(&self, text: &str) -> Result<Uri, FetchError> {
        let wrong = |reason| FetchError::Url { reason };
        let url: Uri = text.parse().map_err(|_| wrong("is no URL"))?;
        let authority = url.authority().ok_or_else(|| wrong("names no server"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "has a user or a password in it: give a token beside it",
            ));
        }
        if url.query().is_some() || text.contains('#') {
            return Err(wrong("has a query or a fragment"));
        }
        if url.path().len() < 2 {
            return Err(wrong("names no repository"));
        }
        match url.scheme_str() {
            Some("https") => Ok(url),
            Some("http") if self.options.plain_loopback && is_loopback(authority.host()) => Ok(url),
            _ => Err(wrong("is not https")),
        }
    }

    fn receive_patiently(
        &self,
        http: &Http,
        url: &Uri,
        commit: &ObjectId,
        token: Option<&Secret>,
        work: &WorkDir,
    ) -> Result<(File, String), FetchError> {
        let mut failures = 0;
        loop {
            match self.receive(Remote::new(http, url.clone(), token), commit, work) {
                Err(FetchError::Net(e)) if e.may_pass() && failures < http.limits().retries => {
                    failures += 1;
                    http.wait(failures, None)?;
                }
                other => return other,
            }
        }
    }

    /// The pack in a file without a name, and who sent it.
    fn receive(
        &self,
        mut remote: Remote<'_>,
        commit: &ObjectId,
        work: &WorkDir,
    ) -> Result<(File, String), FetchError> {
        let mut stream = remote.fetch(commit)?;
        let server = stream.server().to_owned();
        let limit = self.options.caps.pack.pack_bytes;
        let io = |source| FetchError::io(&work.0, "writing what is received")(source);
        let mut out = BufWriter::with_capacity(1 << 20, work.unnamed_file("pack")?);
        let mut bytes = 0;
        loop {
            let part = stream.next()?;
            if part.is_empty() {
                break;
            }
            bytes += part.len() as u64;
            if bytes > limit {
                return Err(FetchError::Pack {
                    server,
                    source: PackError::TooMuch {
                        what: "bytes",
                        limit,
                    },
                });
            }
            out.write_all(part).map_err(io)?;
        }
        let file = out.into_inner().map_err(|e| io(e.into_error()))?;
        Ok((file, server))
    }
}

/// Removes what fetches to `dir` have left whose processes are gone, and, with `own`, this process's: whoever ends it in the middle of a fetch
/// calls this before.
pub fn remove_left(dir: &Path, own: bool) {
    let Some(name) = dir.file_name() else { return };
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let begins = [b".", name.as_encoded_bytes(), b"."].concat();
    for entry in parent.read_dir().into_iter().flatten().flatten() {
        let found = entry.file_name();
        let process = found
            .as_encoded_bytes()
            .strip_prefix(begins.as_slice())
            .and_then(|rest| std::str::from_utf8(rest).ok()?.split_once('-'))
            .filter(|(_, number)| number.parse::<u64>().is_ok())
            .and_then(|(process, _)| Pid::from_raw(process.parse().ok()?));
        let is_left = process.is_some_and(|process| match process == getpid() {
            true => own,
            false => test_kill_process(process) == Err(Errno::SRCH),
        });
        if is_left {
            // What cannot be removed now is so the next time.
            let _ = remove_tree(&entry.path());
        }
    }
}

/// A directory that nobody else enters, gone when this is.
struct WorkDir(PathBuf);

impl WorkDir {
    /// On the same file system as `dir`.
    fn beside(dir: &Path) -> Result<WorkDir, FetchError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = dir.file_name().ok_or_else(|| FetchError::Exists {
            path: dir.to_owned(),
        })?;
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let mut work = std::ffi::OsString::from(".");
            work.push(name);
            work.push(format!(".{}-{n}", std::process::id()));
            let path = dir.with_file_name(work);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(WorkDir(path)),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(FetchError::io(&path, "making a directory")(e)),
            }
        }
    }

    /// A file that ends with this process, however that ends.
    fn unnamed_file(&self, name: &str) -> Result<File, FetchError> {
        let path = self.0.join(name);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(FetchError::io(&path, "making a file"))?;
        std::fs::remove_file(&path).map_err(FetchError::io(&path, "taking a file's name"))?;
        Ok(file)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is garbage beside a directory that is not there, and looks like it.
        let _ = remove_tree(&self.0);
    }
}

fn make_dir(path: &Path) -> Result<std::os::fd::OwnedFd, FetchError> {
    std::fs::DirBuilder::new()
        .mode(0o755)
        .create(path)
        .map_err(FetchError::io(path, "making a directory"))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|e| FetchError::io(path, "opening a directory")(e.into()))?;
    rustix::fs::fchmod(&fd, Mode::from(0o755))
        .map_err(|e| FetchError::io(path, "setting permissions")(e.into()))?;
    Ok(fd)
}
