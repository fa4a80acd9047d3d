//! What would be applied for a job here.

use std::path::{Path, PathBuf};

use gradus_jail::cgroup::{self, LimitName};
use gradus_jail::plan::{Identity, Neighbour, Plan};

use super::{More, SCRATCH_FILE, Sandbox, SandboxError};
use crate::disks;
use crate::gpu::Granted;
use crate::job::{Job, Limits, ScratchKind};
use crate::plan::{Given, plan};
use crate::state::{FIRST_ID, IDS, Phase, StateError, is_name};

impl Sandbox {
    /// What would be applied for `job`, without a name or ids being taken.
    pub fn plan(&self, job: &Job) -> Result<Plan, SandboxError> {
        self.plan_on(job, None)
    }

    /// The same with GPUs.
    pub fn plan_on(&self, job: &Job, gpus: Option<&Granted>) -> Result<Plan, SandboxError> {
        let identity = self.identity(|| {
            Ok(Identity {
                uid: FIRST_ID,
                gid: FIRST_ID,
                count: IDS,
            })
        })?;
        let scratch_image =
            wants_disk(job).then(|| self.state.directory(&job.name).join(SCRATCH_FILE));
        let more = gpus.map_or(More::Nothing, More::Gpus);
        self.plan_for(job, identity, scratch_image, more)
    }

    pub(super) fn plan_for(
        &self,
        job: &Job,
        identity: Identity,
        scratch_image: Option<PathBuf>,
        more: More<'_>,
    ) -> Result<Plan, SandboxError> {
        if !identity.is_range() && (job.uid, job.gid) != (0, 0) {
            return Err(SandboxError::OneId {
                name: job.name.clone(),
                uid: job.uid,
                gid: job.gid,
            });
        }
        check(job).map_err(|what| SandboxError::Job {
            name: job.name.clone(),
            what,
        })?;
        let name = self.state.group_name(&job.name);
        let failed = |source| SandboxError::Limits {
            name: job.name.clone(),
            source,
        };
        let (io, no_disks) =
            disks::limits(job, self.state.root()).map_err(|(path, source)| SandboxError::Host {
                what: format!("job {:?}: the disk under {}", job.name, path.display()),
                source,
            })?;
        let (groups, mut shortfalls) = cgroup::plan(
            &name,
            &control_group_limits(&job.limits, io),
            &self.control_groups,
        )
        .map_err(failed)?;
        shortfalls.extend(no_disks);
        shortfalls.retain(|shortfall| !is_kept_otherwise(shortfall.limit, &identity, &groups));
        if !job.best_effort && !shortfalls.is_empty() {
            return Err(SandboxError::Shortfall {
                name: job.name.clone(),
                shortfalls,
            });
        }
        let cgroup = (!groups.groups.is_empty()).then_some(groups);
        let step = match more {
            More::Step(step) => Some(step),
            More::Nothing | More::Gpus(_) | More::Bundle(_) => None,
        };
        let policy = match step {
            Some(_) => "build",
            None => "trainer",
        };
        let mut plan = plan(
            job,
            Given {
                identity,
                seccomp: policy.to_owned(),
                cgroup,
                scratch_image,
                scratch_directory: (job.scratch == ScratchKind::Quota)
                    .then(|| self.state.scratch_directory(&job.name)),
                neighbour: self.neighbour(job)?,
                shortfalls,
                step: step.cloned(),
            },
        );
        match more {
            More::Gpus(gpus) => gpus.add_to(&mut plan),
            More::Bundle(bundle) => bundle.add_to(&mut plan),
            More::Nothing | More::Step(_) => {}
        }
        Ok(plan)
    }

    /// The job whose network `job` shares, which runs.
    fn neighbour(&self, job: &Job) -> Result<Option<Neighbour>, SandboxError> {
        let Some(name) = &job.network.of else {
            return Ok(None);
        };
        let record = match self.state.record(name) {
            Err(StateError::Missing(_)) => return Err(SandboxError::RunsNot(name.clone())),
            other => other?,
        };
        match (&record.phase, &record.processes) {
            (Phase::Running, Some(processes)) => Ok(Some(Neighbour {
                job: name.clone(),
                init: processes.init,
                init_start_ticks: processes.init_start_ticks,
            })),
            _ => Err(SandboxError::RunsNot(name.clone())),
        }
    }

    /// Who a job is: a range of its own, which only root may give, or this user.
    pub(super) fn identity(
        &self,
        range: impl FnOnce() -> Result<Identity, StateError>,
    ) -> Result<Identity, StateError> {
        let user = rustix::process::geteuid();
        if user.is_root() {
            return range();
        }
        Ok(Identity {
            uid: user.as_raw(),
            gid: rustix::process::getegid().as_raw(),
            count: 1,
        })
    }
}

/// What no host could do, and what would mean something else to the kernel.
fn check(job: &Job) -> Result<(), String> {
    let limits = &job.limits;
    for (what, limit) in [
        ("disk_bytes", limits.disk_bytes),
        ("disk_inodes", limits.disk_inodes),
        ("shm_bytes", limits.shm_bytes),
    ] {
        // To a file system in memory it is no limit.
        if limit == 0 {
            return Err(format!("{what} is 0, and a job needs at least 1"));
        }
    }
    for (i, output) in job.outputs.iter().enumerate() {
        let name = &output.name;
        if !is_name(name) {
            return Err(format!(
                "an output is called {name:?}, expected are lower-case letters, digits and `-`"
            ));
        }
        if job.outputs[..i].iter().any(|other| other.name == *name) {
            return Err(format!("two outputs are called {name:?}"));
        }
    }
    for (i, layer) in job.layers.iter().enumerate() {
        // To the kernel it is a circle of links.
        let overlaps = |other: &&PathBuf| layer.starts_with(other) || other.starts_with(layer);
        if let Some(other) = job.layers[..i].iter().find(overlaps) {
            let (layer, other) = (layer.display(), other.display());
            return Err(format!(
                "layers {other} and {layer} are the same or one in the other, and have to be apart"
            ));
        }
    }
    let inputs = job.inputs.iter().map(|input| &input.inside);
    let outputs = job.outputs.iter().map(|output| &output.inside);
    for inside in inputs.chain(outputs) {
        if !is_place(inside) {
            return Err(format!(
                "{inside:?} is no place inside: an absolute path without `..` is expected, which is not the root"
            ));
        }
    }
    Ok(())
}

/// Whether something can be mounted there.
fn is_place(path: &str) -> bool {
    let mut names = 0;
    path.starts_with('/')
        && path.split('/').all(|part| {
            names += usize::from(!matches!(part, "" | "."));
            part != ".."
        })
        && names > 0
}

/// Whether something other than control groups keeps this limit: a namespace of processes ends as a whole, and with one id a job's processes are
/// all that its user has in its user namespace.
fn is_kept_otherwise(limit: LimitName, identity: &Identity, groups: &cgroup::Plan) -> bool {
    match limit {
        LimitName::Kill => groups.groups.is_empty(),
        LimitName::Pids => !identity.is_range(),
        _ => false,
    }
}

/// Whether a job's writes go to an image on disk, which only root can mount.
pub(super) fn wants_disk(job: &Job) -> bool {
    match job.scratch {
        ScratchKind::Memory | ScratchKind::Quota => false,
        ScratchKind::Disk => true,
        ScratchKind::Auto => {
            rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists()
        }
    }
}

/// What control groups keep of a job's limits.
pub(super) fn control_group_limits(limits: &Limits, io: Vec<cgroup::IoLimit>) -> cgroup::Limits {
    let number = |wanted: u64| u32::try_from(wanted).unwrap_or(u32::MAX);
    cgroup::Limits {
        memory_bytes: Some(limits.memory_bytes),
        pids: Some(number(limits.pids)),
        cpu_millis: limits.cpu_millis.map(number),
        cpuset: limits.cpuset.clone(),
        io,
        ..cgroup::Limits::default()
    }
}
