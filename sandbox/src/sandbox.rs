//! Starts jobs, finds them again, ends them, removes them.

mod error;
mod reaper;
mod recovery;
mod started;

pub use error::SandboxError;
pub use started::Started;

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gradus_jail::cgroup::{self, LimitName};
use gradus_jail::channel::Channel;
use gradus_jail::outcome::Outcome;
use gradus_jail::plan::{Identity, Mount, Neighbour, Plan, Source};
use gradus_jail::protocol::{Answer, Ended, KillReason, Report, Request};
use gradus_jail::watcher::connect_to;

use crate::bundle::{Bundle, Calls};
use crate::disks;
use crate::gpu::Granted;
use crate::job::{BuildStep, Job, Limits, ScratchKind};
use crate::plan::{Given, plan};
use crate::program::{Program, ProgramError, begin};
use crate::scratch::quota::make_directory;
use crate::scratch::{ScratchError, make_image};
use crate::seccomp::{BUILD, CompilePolicyError, GPU, Policy, TRAINER};
use crate::state::{FIRST_ID, IDS, Phase, Record, State, StateError};
use reaper::Watcher;

/// Which system calls jobs may make, and steps of builds.
const POLICIES: [&str; 2] = ["trainer", "build"];

/// What a job is given besides what it asks for.
#[derive(Clone, Copy)]
pub(crate) enum More<'a> {
    Nothing,
    Gpus(&'a Granted),
    /// it is a step of a build
    Step(&'a BuildStep),
    /// it is what a bundle asks for
    Bundle(&'a Bundle),
}

/// How long after its start a watcher may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// In a job's directory: the file system for its writes.
const SCRATCH_FILE: &str = "scratch.ext4";

/// Jobs of one state directory.
#[derive(Debug)]
pub struct Sandbox {
    state: State,
    program: Program,
    control_groups: cgroup::Host,
}

impl Sandbox {
    /// Opens the state directory `root`.
    pub fn open(root: &Path) -> Result<Sandbox, SandboxError> {
        let state = State::open(root)?;
        let filters = || Policy::trainer().compile().map(|filters| filters.programs);
        let program = Program::new(&state.templates(), TRAINER, filters).map_err(program_error)?;
        let control_groups = crate::host::control_groups(&state.templates());
        Ok(Sandbox {
            state,
            program,
            control_groups,
        })
    }

    /// The jobs' directory.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What control groups can do here.
    pub fn control_groups(&self) -> &cgroup::Host {
        &self.control_groups
    }

    /// Makes the image file `path` with a file system of `bytes` and `inodes` in it.
    ///
    /// # Errors
    /// As [`ScratchError`] says; nothing is there then.
    pub fn make_image(&self, path: &Path, bytes: u64, inodes: u64) -> Result<(), ScratchError> {
        make_image(&self.state.templates(), path, bytes, inodes)
    }

    /// The watcher's program, a file.
    pub(crate) fn program(&self) -> &Path {
        self.program.path()
    }

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

    fn plan_for(
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
        let mut plan = plan(
            job,
            Given {
                identity,
                seccomp: POLICIES[usize::from(step.is_some())].to_owned(),
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
        let record = self.state.record(name)?;
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
    fn identity(
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

    fn scratch_image(&self, job: &Job, directory: &Path) -> Result<Option<PathBuf>, SandboxError> {
        if !wants_disk(job) {
            return Ok(None);
        }
        let image = directory.join(SCRATCH_FILE);
        let limits = &job.limits;
        match make_image(
            &self.state.templates(),
            &image,
            limits.disk_bytes,
            limits.disk_inodes,
        ) {
            Ok(()) => Ok(Some(image)),
            Err(ScratchError::NoProgram(_)) if job.scratch == ScratchKind::Auto => Ok(None),
            Err(source) => Err(SandboxError::Scratch {
                name: job.name.clone(),
                source,
            }),
        }
    }

    /// Starts `job`; its program runs when this returns. What has failed to start leaves nothing.
    pub fn start(&self, job: &Job) -> Result<Started, SandboxError> {
        self.start_with(job, More::Nothing)
    }

    /// The same with GPUs that were taken for it. They stay held, for a keeper ([`crate::gpu::keeper`]) or, if this fails, to be released.
    pub fn start_on(&self, job: &Job, gpus: Option<&Granted>) -> Result<Started, SandboxError> {
        self.start_with(job, gpus.map_or(More::Nothing, More::Gpus))
    }

    /// Starts `job` as a step of a build; [`Sandbox::written`] has what it wrote. Like outputs, that waits until the job is removed.
    pub fn start_step(&self, job: &Job, step: &BuildStep) -> Result<Started, SandboxError> {
        self.start_with(job, More::Step(step))
    }

    pub(crate) fn start_with(&self, job: &Job, more: More<'_>) -> Result<Started, SandboxError> {
        let name = job.name.as_str();
        reaper::reap();
        // First of all: it makes itself ready meanwhile.
        let other = self.program_for(more)?;
        let program = other.as_ref().unwrap_or(&self.program);
        let (watcher, report) = program.start().map_err(|source| SandboxError::Host {
            what: format!("job {name:?}: its watcher"),
            source,
        })?;
        let watcher = Watcher::new(watcher);
        let (directory, lock) = self.state.create(name)?;
        self.start_in(job, more, &directory, &lock, watcher, report)
            .map_err(|error| {
                // Nobody else does this: the lock is held, by the watcher perhaps a moment longer, which has nothing left to do.
                let undone = self.state.claim(name).map_err(SandboxError::from);
                let undone = undone.and_then(|claim| {
                    self.end_rest(name, None)?;
                    Ok(self.state.remove(name, claim)?)
                });
                match undone {
                    Ok(()) => error,
                    Err(undo) => SandboxError::Left {
                        name: name.to_owned(),
                        what: format!(
                            "{}; then {}",
                            recovery::chain(&error),
                            recovery::chain(&undo)
                        ),
                    },
                }
            })
    }

    fn start_in(
        &self,
        job: &Job,
        more: More<'_>,
        directory: &Path,
        lock: &fs::File,
        mut watcher: Watcher,
        report: Channel,
    ) -> Result<Started, SandboxError> {
        let name = job.name.as_str();
        let identity = self.identity(|| self.state.take_ids(name))?;
        if job.scratch == ScratchKind::Quota {
            let (path, limits) = (self.state.scratch_directory(name), &job.limits);
            // The first of its ids: what nobody else has as an id, nobody has as a project.
            make_directory(&path, identity.uid, limits.disk_bytes, limits.disk_inodes).map_err(
                |source| SandboxError::Scratch {
                    name: name.to_owned(),
                    source,
                },
            )?;
        }
        let scratch_image = self.scratch_image(job, directory)?;
        let plan = self.plan_for(job, identity, scratch_image, more)?;
        self.state.write_plan(name, &plan)?;
        match begin(&report, directory, lock) {
            // One that has ended already is found out below.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other.map_err(|source| SandboxError::Host {
                what: format!("job {name:?}: {}", directory.display()),
                source,
            })?,
        }
        match report.receive::<Report>() {
            Ok(Some((Report::Started(processes) | Report::Held(processes), mut descriptors))) => {
                Ok(Started {
                    name: name.to_owned(),
                    report,
                    watcher,
                    processes,
                    proxy: descriptors.pop(),
                })
            }
            Ok(Some((
                Report::Ended(Ended {
                    outcome: Outcome::LaunchFailed { error },
                    ..
                }),
                _,
            ))) => {
                let _ = watcher.wait();
                Err(SandboxError::Launch {
                    name: name.to_owned(),
                    source: error,
                })
            }
            other => {
                watcher.kill();
                let end = watcher.wait();
                let said =
                    fs::read_to_string(directory.join(crate::state::LOCK_FILE)).unwrap_or_default();
                let source = io::Error::other(format!("{other:?}; {end:?}; it said {said:?}"));
                Err(SandboxError::Watcher {
                    name: name.to_owned(),
                    source,
                })
            }
        }
    }

    /// The watcher's program with other filters than those of most jobs, for what needs them.
    fn program_for(&self, more: More<'_>) -> Result<Option<Program>, SandboxError> {
        let narrower;
        let (text, policy): (&str, fn() -> Policy) = match more {
            More::Bundle(bundle) if bundle.calls != Calls::All => {
                narrower = bundle.calls.text();
                (&narrower, Policy::trainer)
            }
            More::Nothing | More::Bundle(_) => return Ok(None),
            More::Gpus(_) => (GPU, Policy::trainer_with_gpu),
            More::Step(_) => (BUILD, Policy::build),
        };
        let narrowed = || match more {
            More::Bundle(bundle) => bundle.calls.narrow(policy()),
            _ => policy(),
        };
        let filters = || narrowed().compile().map(|filters| filters.programs);
        self.program
            .with_filters(
                &self.state.templates(),
                &format!("{TRAINER}{text}"),
                filters,
            )
            .map(Some)
            .map_err(program_error)
    }

    /// All jobs, sorted by name.
    pub fn jobs(&self) -> Result<Vec<Record>, SandboxError> {
        let names = self.state.names()?;
        let mut jobs = Vec::new();
        for name in names {
            match self.state.record(&name) {
                Ok(record) => jobs.push(record),
                // Removed a moment ago.
                Err(StateError::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(jobs)
    }

    pub(crate) fn ask(
        &self,
        name: &str,
        request: &Request,
    ) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        self.ask_with(name, request, &[])
    }

    /// The same, with descriptors.
    pub(crate) fn ask_with(
        &self,
        name: &str,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        let failed = |source| SandboxError::Watcher {
            name: name.to_owned(),
            source,
        };
        let channel = connect_to(&self.state.directory(name)).map_err(failed)?;
        channel.send(request, descriptors).map_err(failed)?;
        channel
            .receive()
            .map_err(failed)?
            .ok_or_else(|| failed(io::Error::other("it has hung up")))
    }

    /// Ends the job `name`, `grace` after SIGTERM. One that has ended already is left as it is.
    pub fn kill(
        &self,
        name: &str,
        reason: KillReason,
        grace: Duration,
    ) -> Result<(), SandboxError> {
        let request = Request::Kill {
            reason,
            grace_ms: grace.as_millis() as u64,
        };
        let deadline = Instant::now() + LISTENS_WITHIN;
        loop {
            match self.state.record(name)?.phase {
                Phase::Ended(_) | Phase::Lost => return Ok(()),
                Phase::Starting | Phase::Running => {}
            }
            match self.ask(name, &request) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                // It ended between the look and the question, or does not listen yet.
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits until the job `name` has ended: how.
    pub fn wait(&self, name: &str) -> Result<Ended, SandboxError> {
        loop {
            match self.state.record(name)?.phase {
                Phase::Ended(ended) => return Ok(ended),
                Phase::Lost => return self.lose(name),
                Phase::Starting | Phase::Running => {}
            }
            if let Ok((Answer::Ended(ended), _)) = self.ask(name, &Request::Wait) {
                return Ok(ended);
            }
            // It ended between the look and the question, or does not listen yet.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The directory with a directory for each output of the job `name`, which has ended; none if it has no outputs or they are gone.
    pub fn outputs(&self, name: &str) -> Result<Option<OwnedFd>, SandboxError> {
        let plan = self.state.plan(name)?;
        let has_some = plan.is_some_and(|plan| has_outputs(&plan));
        Ok(self
            .handed_over(name)?
            .into_iter()
            .next()
            .filter(|_| has_some))
    }

    /// What the step `name` of a build, which has ended, wrote to its root, with whose ids: an overlay's upper directory, on which nobody works
    /// any more. None where it is gone, or the job was no such step.
    pub fn written(&self, name: &str) -> Result<Option<(OwnedFd, Identity)>, SandboxError> {
        let Some(plan) = self.state.plan(name)?.filter(|plan| plan.keeps_root) else {
            return Ok(None);
        };
        let last = self.handed_over(name)?.pop();
        Ok(last.map(|directory| (directory, plan.identity)))
    }

    fn handed_over(&self, name: &str) -> Result<Vec<OwnedFd>, SandboxError> {
        match self.state.record(name)?.phase {
            Phase::Starting | Phase::Running => return Err(SandboxError::Runs(name.to_owned())),
            Phase::Lost => return Ok(Vec::new()),
            Phase::Ended(_) if !self.state.watcher_lives(name)? => return Ok(Vec::new()),
            Phase::Ended(_) => {}
        }
        let (_, descriptors) = self.ask(name, &Request::Outputs)?;
        Ok(descriptors)
    }

    /// Lets the watcher of the job `name` go, if that has ended, with its outputs. Waits for nothing: with many jobs to remove, their watchers
    /// end at the same time if this is called for all of them first.
    pub fn release(&self, name: &str) -> Result<(), SandboxError> {
        let record = self.state.record(name)?;
        if record.outputs_wait {
            // One that is just ending has nothing to let go.
            drop(self.ask(name, &Request::Release));
        }
        Ok(())
    }

    /// Forgets the job `name`, which has ended, and its outputs.
    pub fn remove(&self, name: &str) -> Result<(), SandboxError> {
        loop {
            let claim = self.state.claim(name)?;
            let (record, watcher_lives) = self.state.record_and_life(name)?;
            if let Phase::Starting | Phase::Running = record.phase {
                return Err(SandboxError::Runs(name.to_owned()));
            }
            if !watcher_lives {
                self.forget(&record, claim)?;
                reaper::reap();
                return Ok(());
            }
            drop(claim);
            // It waits for somebody to take its outputs, or is about to end.
            drop(self.ask(name, &Request::Release));
            std::thread::sleep(Duration::from_micros(200));
        }
    }
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

fn program_error(error: ProgramError<CompilePolicyError>) -> SandboxError {
    match error {
        ProgramError::Filters(source) => SandboxError::Policy(source),
        ProgramError::Io(path, source) => SandboxError::Host {
            what: format!("{} cannot be written", path.display()),
            source,
        },
    }
}

/// Whether outputs of it are handed over.
fn has_outputs(plan: &Plan) -> bool {
    let is_output = |mount: &Mount| matches!(mount.source, Source::Output { .. });
    plan.mounts.iter().any(is_output)
}

/// Whether a job's writes go to an image on disk, which only root can mount.
fn wants_disk(job: &Job) -> bool {
    match job.scratch {
        ScratchKind::Memory | ScratchKind::Quota => false,
        ScratchKind::Disk => true,
        ScratchKind::Auto => {
            rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists()
        }
    }
}

/// What control groups keep of a job's limits.
fn control_group_limits(limits: &Limits, io: Vec<cgroup::IoLimit>) -> cgroup::Limits {
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
