//! `RUN --mount`, and the places inside that mounts need.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use gradus_image::context::Context;
use gradus_image::dockerfile::{Mount, MountKind};
use gradus_sandbox::job::{StepMount, StepSource};
use gradus_sandbox::sandbox::Sandbox;

use crate::caches::Cache;
use crate::copy::{Changes, Copier};
use crate::error::{BuildError, StepError};
use crate::limits::BuildLimits;
use crate::session::{Session, failed};
use crate::staging::{Meta, Staging};
use crate::union::{Entry, Found, Union};
use crate::users::User;

/// Longest secret.
const SECRET_BYTES_MAX: u64 = 1 << 20;
/// Memory of `--mount=type=tmpfs` that says nothing else; part of the command's own.
const TMPFS_BYTES: u64 = 1 << 30;
/// What each job has mounted there; nothing of a build lies below.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A secret that a build is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// what the Dockerfile calls it
    pub id: String,
    /// the file with it
    pub path: PathBuf,
}

/// What mounts are made from.
pub(crate) struct Materials<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) session: &'a Session,
    pub(crate) limits: &'a BuildLimits,
    pub(crate) secrets: &'a [Secret],
    pub(crate) cache_scope: Option<&'a str>,
    pub(crate) context: &'a Context,
    pub(crate) epoch_s: i64,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// Mounts of one command, and what has to stay as long as they are there.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    pub(crate) mounts: Vec<StepMount>,
    caches: Vec<Cache>,
}

/// Where what a bind mount shows lies: the context, or a stage's or image's layers.
pub(crate) enum From<'a> {
    Context,
    Layers(&'a Union),
}

impl Materials<'_> {
    /// Refuses what cannot be had, whatever the image is.
    pub(crate) fn check(&self, mount: &Mount) -> Result<(), StepError> {
        let refused = |what: String, help| Err(StepError::Refused { what, help });
        let system = SYSTEM.iter().find(|system| {
            mount
                .target
                .strip_prefix(**system)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if let Some(system) = system {
            return refused(format!("a mount below {system}"), "name another target");
        }
        match &mount.kind {
            MountKind::Bind { .. } if !mount.read_only => refused(
                "a mount of type bind that is written to".to_owned(),
                "leave the option out, and copy what is changed",
            ),
            MountKind::Cache { .. } if mount.read_only => refused(
                "a mount of type cache that is read-only".to_owned(),
                "leave the option out: the next command that is given the cache may write to it anyway",
            ),
            MountKind::Cache { from: Some(_), .. } => refused(
                "a cache that begins with files of a stage".to_owned(),
                "leave from= out, and copy the files in the command",
            ),
            MountKind::Secret { env: Some(_), .. } => refused(
                "a secret as a variable".to_owned(),
                "leave env= out, and read it from its file: what a variable holds is in every record of the command",
            ),
            MountKind::Secret {
                id, required: true, ..
            } if self.secrets.iter().all(|secret| secret.id != *id) => {
                Err(StepError::NoSecret { id: id.clone() })
            }
            _ => Ok(()),
        }
    }

    /// A mount of a `RUN`; `from` is where a bind mount's files lie.
    pub(crate) fn add(
        &self,
        mount: &Mount,
        from: Option<&From<'_>>,
        to: &mut Mounts,
    ) -> Result<(), MountError> {
        self.check(mount)?;
        let source = match &mount.kind {
            MountKind::Tmpfs { size_bytes } => StepSource::Memory {
                bytes: size_bytes
                    .unwrap_or(TMPFS_BYTES)
                    .min(self.limits.memory_bytes),
            },
            MountKind::Bind { source, .. } => StepSource::ReadOnly(self.bind(source, from)?),
            MountKind::Cache {
                id, mode, uid, gid, ..
            } => {
                let cache = Cache::take(
                    self.sandbox,
                    self.session,
                    self.cache_scope,
                    id,
                    self.limits.cache_bytes,
                    self.cancelled,
                )?;
                let image = cache.image.clone();
                to.caches.push(cache);
                StepSource::Image {
                    image,
                    mode: *mode,
                    uid: *uid,
                    gid: *gid,
                }
            }
            MountKind::Secret {
                id, mode, uid, gid, ..
            } => match self.secrets.iter().find(|secret| secret.id == *id) {
                Some(secret) => {
                    let owner = User {
                        uid: *uid,
                        gid: *gid,
                    };
                    StepSource::ReadOnly(self.secret(secret, *mode, owner)?)
                }
                None => return Ok(()),
            },
        };
        to.mounts.push(StepMount {
            inside: mount.target.clone(),
            source,
        });
        Ok(())
    }

    /// A copy of what a bind mount shows: of the context that `.dockerignore` leaves, of layers as they are seen together.
    fn bind(&self, source: &str, from: Option<&From<'_>>) -> Result<PathBuf, MountError> {
        let dir = self.session.directory("bind")?;
        let nothing = Union::open(&[]).map_err(StepError::from)?;
        let implied = Meta {
            mode: 0o755,
            owner: User { uid: 0, gid: 0 },
            mtime_s: self.epoch_s,
        };
        let (bytes, entries) = (self.limits.disk_bytes, self.limits.disk_inodes);
        let mut staging =
            Staging::new(&dir, &nothing, implied, bytes, entries).map_err(StepError::from)?;
        let mut copier = Copier {
            staging: &mut staging,
            destination: "/shown",
            into_directory: false,
            changes: Changes {
                owner: None,
                mode: None,
                epoch_s: self.epoch_s,
            },
        };
        match from {
            Some(From::Layers(union)) => copier.layers(union, source).map_err(StepError::from)?,
            _ => {
                let selected = self.context.select(source).map_err(StepError::from)?;
                copier
                    .context(self.context, source, &selected, None)
                    .map_err(StepError::from)?;
            }
        }
        staging.finish().map_err(StepError::from)?;
        Ok(dir.join("shown"))
    }

    /// A copy of a secret with the permissions that are asked for. It is never written to a disk, where the host has memory for that.
    fn secret(&self, secret: &Secret, mode: u32, owner: User) -> Result<PathBuf, MountError> {
        let wrong = |source: io::Error| BuildError::Secret {
            id: secret.id.clone(),
            path: secret.path.display().to_string(),
            source,
        };
        let mut bytes = Vec::new();
        File::open(&secret.path)
            .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(wrong)?;
        if bytes.len() as u64 > SECRET_BYTES_MAX {
            return Err(wrong(io::Error::other("it is longer than a megabyte")).into());
        }
        let path = self.session.secret_path()?;
        let write = || -> io::Result<()> {
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            io::Write::write_all(&mut file, &bytes)?;
            std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
            file.set_permissions(fs::Permissions::from_mode(mode & 0o777))
        };
        write().map_err(failed("writing", &path))?;
        Ok(path)
    }
}

/// The paths, relative to the root, that the jail makes so that mounts have a place: what is missing of each target.
pub(crate) fn places(union: &Union, mounts: &[StepMount]) -> Result<BTreeSet<Vec<u8>>, StepError> {
    let mut made = BTreeSet::new();
    let targets = mounts.iter().map(|mount| mount.inside.as_str());
    for target in SYSTEM.into_iter().chain(targets) {
        if SYSTEM
            .iter()
            .any(|system| target.len() > system.len() && target.starts_with(*system))
        {
            continue;
        }
        let is_system = SYSTEM.contains(&target);
        match union.resolve(target, true)? {
            Found::There { entry, .. } => {
                if is_system && !matches!(entry, Entry::Directory(_)) {
                    return Err(StepError::Mount(format!(
                        "{target} of the image is no directory, and a command cannot run without it\nhelp: use an image whose {target} is one, or has none"
                    )));
                }
            }
            Found::Missing { by_link: true, .. } => {
                return Err(StepError::Mount(format!(
                    "{target} of the image is a link to nothing, or below one: nothing can be mounted there\nhelp: name another target, or remove the link"
                )));
            }
            Found::Missing { mut path, rest, .. } => {
                for name in rest {
                    path.push(name);
                    made.insert(path.join(&b'/'));
                }
            }
            Found::Blocked { .. } => {
                return Err(StepError::Mount(format!(
                    "{target} is below something in the image that is no directory\nhelp: name another target"
                )));
            }
        }
    }
    Ok(made)
}

/// Why there is no mount: of the step, or of the build.
#[derive(Debug)]
pub(crate) enum MountError {
    Step(StepError),
    Build(BuildError),
}

impl std::convert::From<StepError> for MountError {
    fn from(error: StepError) -> MountError {
        MountError::Step(error)
    }
}

impl std::convert::From<BuildError> for MountError {
    fn from(error: BuildError) -> MountError {
        MountError::Build(error)
    }
}
