//! A configuration as a job: what of it the jail does, and what is refused by name.
//!
//! | asked for | |
//! |---|---|
//! | guarantees: hidden and read-only paths, limits, filters, `noexec`, namespaces | kept, or refused |
//! | rights: capabilities, control groups inside, writing to the host's directories | those of a step of a build; others are withheld, and listed |
//! | rights asked for by their name alone: devices, `rw`, `suid`, `dev`, namespaces of others, terminals | refused |
//!
//! Nothing of the host is changed. It looks at what the bundle's root is, so that links in it are refused here and not followed later.

mod linux;
mod mounts;
mod process;
mod seccomp;

use std::path::{Path, PathBuf};

use gradus_jail::plan::Before;
use gradus_sandbox::bundle::Bundle;
use gradus_sandbox::job::{Job, Limits, Network, ScratchKind};

use crate::config::{Config, Hook, Hooks, Process};
use crate::error::{OciError, io_error};

/// The versions of the specification that are understood begin so.
const VERSION: &str = "1.";
/// Characters of a host name at most, as the kernel has it.
const NAME_MAX: usize = 64;
/// What a list may have at most, whichever it is: no bundle has more.
const ENTRIES_MAX: usize = 1024;

/// A bundle as a job.
#[derive(Clone, Debug)]
pub struct Translated {
    /// the job
    pub job: Job,
    /// what it asks for besides
    pub bundle: Bundle,
    /// programs that are run for it
    pub hooks: Hooks,
    /// rights that it asks for and does not have
    pub withheld: Vec<String>,
}

/// Translates `config`, of the bundle in the directory `bundle`, into the job `name`. `state` is what programs that are run first inside are
/// told of the container.
///
/// # Errors
/// `Refused` with the property; `Io` where the bundle's root cannot be looked at.
pub fn translate(
    config: &Config,
    bundle: &Path,
    name: &str,
    state: &str,
) -> Result<Translated, OciError> {
    check(config)?;
    let mut withheld = Vec::new();
    let root = config
        .root
        .as_ref()
        .ok_or_else(|| OciError::refused("root", "every container has one"))?;
    let layer = bundle.join(&root.path);
    let layer = layer.canonicalize().map_err(io_error(layer))?;
    let process = config
        .process
        .as_ref()
        .ok_or_else(|| OciError::refused("process", "every container has a program here"))?;
    let mut job = Job {
        name: name.to_owned(),
        layers: vec![layer.clone()],
        writable_root: !root.readonly,
        argv: process.args.clone(),
        env: process.env.clone(),
        cwd: process.cwd.clone(),
        uid: process.user.uid,
        gid: process.user.gid,
        inputs: Vec::new(),
        outputs: Vec::new(),
        network: Network::default(),
        scratch: ScratchKind::Memory,
        limits: Limits::default(),
        best_effort: false,
        record_refused: false,
    };
    let mut ours = Bundle {
        hostname: config.hostname.clone().filter(|name| !name.is_empty()),
        in_place: !root.readonly,
        ..Bundle::default()
    };
    ours.bundled.domainname = config.domainname.clone().filter(|name| !name.is_empty());
    if ours.in_place {
        if bundle
            .canonicalize()
            .is_ok_and(|bundle| bundle.starts_with(&layer))
        {
            let why = "the container could write its own config.json; help: give it a directory below the bundle";
            return Err(OciError::refused("root.path", why));
        }
        private(&layer)?;
    }
    process::add(process, &mut job, &mut ours, &mut withheld)?;
    mounts::add(
        &config.mounts,
        bundle,
        &layer,
        &mut job,
        &mut ours,
        &mut withheld,
    )?;
    linux::add(&config.linux, &mut job, &mut ours, &mut withheld)?;
    let hooks = config.hooks.clone();
    check_hooks(&hooks)?;
    for hook in &hooks.start_container {
        ours.bundled.before.push(Before {
            path: hook.path.display().to_string(),
            argv: hook.args.clone(),
            env: hook.env.clone().unwrap_or_else(|| process.env.clone()),
            input: state.to_owned(),
            timeout_ms: hook.timeout.map(|seconds| u64::from(seconds) * 1000),
        });
    }
    Ok(Translated {
        job,
        bundle: ours,
        hooks,
        withheld,
    })
}

/// A program that is run beside a container's own.
///
/// # Errors
/// `Refused` with the property, of what such a program cannot have.
pub fn program(asked: &Process) -> Result<gradus_jail::plan::Process, OciError> {
    process::beside(asked)
}

/// What is written to a root in place is a file of the host, with set-id bits if the program sets them: nobody else may come near it.
fn private(root: &Path) -> Result<(), OciError> {
    use std::os::unix::fs::MetadataExt;
    let mut place = root.canonicalize().map_err(io_error(root))?;
    let me = rustix::process::geteuid().as_raw();
    loop {
        let meta = std::fs::metadata(&place).map_err(io_error(&place))?;
        if meta.uid() == me && meta.mode() & 0o077 == 0 {
            return Ok(());
        }
        if !place.pop() {
            let why = "what the container writes are files of this host then, and others can reach them; help: chmod 700 root.path or a directory above it, or set root.readonly";
            return Err(OciError::refused("root.readonly = false", why));
        }
    }
}

fn check(config: &Config) -> Result<(), OciError> {
    if !config.oci_version.starts_with(VERSION) {
        return Err(OciError::refused(
            "ociVersion",
            format!("{:?}, expected 1.x.y", config.oci_version),
        ));
    }
    for (property, value) in [
        ("windows", &config.windows),
        ("solaris", &config.solaris),
        ("vm", &config.vm),
        ("zos", &config.zos),
    ] {
        if value.is_some() {
            return Err(OciError::refused(property, "containers are Linux's here"));
        }
    }
    for (property, name) in [
        ("hostname", &config.hostname),
        ("domainname", &config.domainname),
    ] {
        if name
            .as_ref()
            .is_some_and(|name| name.len() > NAME_MAX || name.contains('\0'))
        {
            return Err(OciError::refused(
                property,
                format!("at most {NAME_MAX} characters are a name"),
            ));
        }
    }
    most("mounts", config.mounts.len())
}

fn check_hooks(hooks: &Hooks) -> Result<(), OciError> {
    for (kind, hooks) in [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ] {
        most(&format!("hooks.{kind}"), hooks.len())?;
        for (index, hook) in hooks.iter().enumerate() {
            let property = || format!("hooks.{kind}[{index}]");
            if !hook.path.is_absolute() {
                return Err(OciError::refused(property(), "its path is not absolute"));
            }
            if hook.timeout == Some(0) {
                return Err(OciError::refused(property(), "its timeout is 0"));
            }
            check_texts(&property(), hook)?;
        }
    }
    Ok(())
}

fn check_texts(property: &str, hook: &Hook) -> Result<(), OciError> {
    let env = hook.env.iter().flatten();
    for text in hook.args.iter().chain(env) {
        no_nul(property, text)?;
    }
    Ok(())
}

/// A text that the kernel can be given.
fn no_nul(property: &str, text: &str) -> Result<(), OciError> {
    if text.contains('\0') {
        return Err(OciError::refused(property, "it has a NUL"));
    }
    Ok(())
}

/// A path inside: absolute, and not more than the kernel takes.
fn inside(property: &str, path: &str) -> Result<(), OciError> {
    no_nul(property, path)?;
    if !path.starts_with('/') || path.len() > 4095 {
        return Err(OciError::refused(
            property,
            format!("{path:?} is no absolute path"),
        ));
    }
    Ok(())
}

/// A list that is no attack.
fn most(property: &str, found: usize) -> Result<(), OciError> {
    if found > ENTRIES_MAX {
        return Err(OciError::refused(
            property,
            format!("{found} entries, at most {ENTRIES_MAX} are taken"),
        ));
    }
    Ok(())
}

/// Something that no job has.
fn none<T>(property: &str, value: &Option<T>, why: &str) -> Result<(), OciError> {
    match value {
        None => Ok(()),
        Some(_) => Err(OciError::refused(property, why)),
    }
}

/// A path of the host, from the bundle.
fn of_host(bundle: &Path, path: &Path) -> PathBuf {
    bundle.join(path)
}

#[cfg(test)]
mod tests;
