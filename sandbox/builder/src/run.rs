//! `RUN`: a command as a job on the layers so far, and what it wrote as a layer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gradus_image::dockerfile::resolve::{RunStep, Scope};
use gradus_image::layer::{ExportOptions, LayerCaps, Owners};
use gradus_image::store::{LayerRecord, Pin, Store};
use gradus_sandbox::job::{BuildStep, Job, Limits, ScratchKind, StepMount, StepSource};
use gradus_sandbox::logs::Reader;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::{Ended, KillReason};
use gradus_sandbox::sandbox::{Sandbox, SandboxError, Started};

use crate::error::{BuildError, StepError};
use crate::mounts::{self, From, Materials, MountError, Mounts};
use crate::network::Network;
use crate::progress::Event;
use crate::session::{end_job, failed};
use crate::union::Union;
use crate::users::{self, Alone};

/// How often output is looked for while a command runs.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Time from SIGTERM until a command is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A command and what it runs on.
pub(crate) struct Command<'a> {
    pub(crate) run: &'a RunStep,
    pub(crate) scope: &'a Scope,
    /// trees of the layers so far, the uppermost first
    pub(crate) layers: Vec<PathBuf>,
    /// where bind mounts' files lie, in the mounts' order
    pub(crate) sources: Vec<From<'a>>,
    pub(crate) proxies: &'a [(String, String)],
    pub(crate) network: Network<'a>,
    /// what is left of the build's time
    pub(crate) time: Option<Duration>,
}

/// Runs it; its layer, which may have no entry.
pub(crate) fn run(
    command: Command<'_>,
    materials: &Materials<'_>,
    (store, pin): (&Store, &Pin),
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<LayerRecord, MountError> {
    let union = Union::open(&command.layers).map_err(StepError::from)?;
    let user = users::find(&union, &command.scope.user, Alone::Looked).map_err(StepError::from)?;
    let mut mounts = Mounts::default();
    let mut sources = command.sources.iter();
    for mount in &command.run.mounts {
        let shows = matches!(
            mount.kind,
            gradus_image::dockerfile::MountKind::Bind { .. }
                | gradus_image::dockerfile::MountKind::Cache { from: Some(_), .. }
        );
        let from = if shows { sources.next() } else { None };
        materials.add(mount, from, &mut mounts)?;
    }
    if let Some((name, content)) = &command.run.script {
        let path = materials.session.directory("script")?.join("script");
        fs::write(&path, content)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .map_err(failed("writing", &path))?;
        mounts.mounts.push(StepMount {
            inside: format!("/dev/pipes/{name}"),
            source: StepSource::ReadOnly(path),
        });
    }
    let places = mounts::places(&union, &mounts.mounts)?;
    let mut job = job(&command, materials, &union, user)?;
    let egress = match command.network {
        Network::Egress(egress) if !command.run.no_network => Some(egress),
        _ => None,
    };
    if let Some(egress) = egress {
        let variables = egress.variables();
        job.env.extend(
            variables
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        egress.prepare(&mut job);
    }
    let step = BuildStep {
        mounts: mounts.mounts.clone(),
    };
    let mut running = Running {
        sandbox: materials.sandbox,
        name: job.name.clone(),
        removed: false,
    };
    let mut started = match materials.sandbox.start_step(&job, &step) {
        Ok(started) => started,
        Err(error) => {
            running.removed = !materials.sandbox.state().directory(&job.name).exists();
            return Err(StepError::Launch(Box::new(error)).into());
        }
    };
    let serving = match egress.map(|egress| egress.serve(&mut started)).transpose() {
        Ok(serving) => serving,
        Err(source) => {
            return Err(BuildError::Io {
                step: "answering requests of",
                path: job.name,
                source,
            }
            .into());
        }
    };
    let ended = follow(materials, &mut started, tell)?;
    drop(serving);
    if (materials.cancelled)() {
        return Err(BuildError::Cancelled.into());
    }
    if ended.outcome != (Outcome::Exited { code: 0 }) {
        let outcome = ended.outcome;
        return Err(StepError::Command { outcome }.into());
    }
    let written = materials
        .sandbox
        .written(&job.name)
        .map_err(BuildError::from)?;
    let (upper, ids) = written.ok_or(StepError::Gone)?;
    let mut options = ExportOptions::new(u64::try_from(materials.epoch_s).unwrap_or(0));
    options.owners = Some(Owners {
        uid: ids.uid,
        gid: ids.gid,
        count: ids.count,
    });
    options.mount_points = places;
    options.caps = LayerCaps {
        unpacked_bytes: materials.limits.disk_bytes,
        entries: materials.limits.disk_inodes,
        ..LayerCaps::default()
    };
    let layer = store
        .put_written(pin, upper, &options)
        .map_err(StepError::from)?;
    running.end()?;
    Ok(layer)
}

fn job(
    command: &Command<'_>,
    materials: &Materials<'_>,
    union: &Union,
    user: users::User,
) -> Result<Job, MountError> {
    let limits = materials.limits;
    let mut env = command.scope.env.clone();
    let mut add = |name: &str, value: String| {
        if !env.iter().any(|(known, _)| known == name) {
            env.push((name.to_owned(), value));
        }
    };
    add(
        "HOME",
        users::home(union, user.uid).map_err(StepError::from)?,
    );
    // Of programs that write times into files, many take this one: a command that is run again then gives the same layer.
    add("SOURCE_DATE_EPOCH", materials.epoch_s.to_string());
    for (name, value) in command.proxies {
        add(name, value.clone());
    }
    let layers = match command.layers.is_empty() {
        // An overlay needs something to lie on.
        true => vec![materials.session.directory("nothing")?],
        false => command.layers.clone(),
    };
    Ok(Job {
        name: materials.session.job_name(),
        layers,
        writable_root: true,
        argv: command.run.argv.clone(),
        env: env
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        cwd: command.scope.working_dir.clone(),
        uid: user.uid,
        gid: user.gid,
        inputs: Vec::new(),
        outputs: Vec::new(),
        network: gradus_sandbox::job::Network::default(),
        scratch: ScratchKind::Auto,
        limits: Limits {
            memory_bytes: limits.memory_bytes,
            pids: limits.pids,
            cpu_millis: limits.cpu_millis,
            disk_bytes: limits.disk_bytes,
            disk_inodes: limits.disk_inodes,
            wall: command.time,
            grace: GRACE,
            log_bytes: limits.log_bytes,
            ..Limits::default()
        },
        best_effort: false,
        record_refused: false,
    })
}

/// Passes on what the command prints until it has ended.
fn follow(
    materials: &Materials<'_>,
    started: &mut Started,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Ended, BuildError> {
    let sandbox = materials.sandbox;
    let log_failed = |source: gradus_sandbox::logs::LogError| BuildError::Io {
        step: "reading",
        path: "what the command printed".to_owned(),
        source: std::io::Error::other(source),
    };
    let mut log = Reader::open(&sandbox.state().directory(started.name())).map_err(log_failed)?;
    let mut asked: Option<Instant> = None;
    loop {
        let ended = started.wait_for(LOOK_EVERY)?;
        while let Some(record) = log.next().map_err(log_failed)? {
            tell(Event::Output(&record));
        }
        if let Some(ended) = ended {
            return Ok(ended);
        }
        if asked.is_none() && (materials.cancelled)() {
            asked = Some(Instant::now());
            sandbox.kill(started.name(), KillReason::Cancelled, GRACE)?;
        }
    }
}

/// A command's job: ended and removed whatever happens.
struct Running<'a> {
    sandbox: &'a Sandbox,
    name: String,
    removed: bool,
}

impl Running<'_> {
    fn end(mut self) -> Result<(), SandboxError> {
        self.removed = true;
        self.sandbox.remove(&self.name)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.removed {
            // What cannot be ended now is, by whoever sweeps next.
            let _ = end_job(self.sandbox, &self.name);
        }
    }
}

impl std::convert::From<SandboxError> for MountError {
    fn from(error: SandboxError) -> MountError {
        MountError::Build(error.into())
    }
}
