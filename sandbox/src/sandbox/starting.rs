//! From a job to its watcher and its running program.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use gradus_jail::cgroup::Backend;
use gradus_jail::chain;
use gradus_jail::outcome::{LaunchError, Outcome, Stage};
use gradus_jail::plan::Plan;
use gradus_jail::protocol::{Devices, Ended, Report};

use super::planning::wants_disk;
use super::reaper::{self, Watcher};
use super::{More, SCRATCH_FILE, Sandbox, SandboxError, Started};
use crate::bundle::Calls;
use crate::gpu::Granted;
use crate::job::{BuildStep, Job, ScratchKind};
use crate::plan::has_outputs;
use crate::program::{Idle, ProgramError, begin, compiled};
use crate::scratch::quota::make_directory;
use crate::scratch::{ScratchError, make_image};
use crate::seccomp::{BUILD, CompilePolicyError, GPU, Policy, TRAINER};

impl Sandbox {
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
        let idle = self.spare.take(&self.program)?;
        let (directory, lock) = self.state.create(name)?;
        self.start_in(job, more, &directory, &lock, idle)
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
                        what: format!("{}; then {}", chain(&error), chain(&undo)),
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
        idle: Idle,
    ) -> Result<Started, SandboxError> {
        let name = job.name.as_str();
        let (mut watcher, report) = (Watcher::new(idle.process), idle.report);
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
        let other = self.filters_for(more)?;
        let filters = other.as_deref().unwrap_or(self.program.filters());
        // One that has ended already is found out below.
        let told = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|source| SandboxError::Host {
                what: format!("job {name:?}: {}", directory.display()),
                source,
            }),
        };
        told(begin(&report, directory, lock, filters))?;
        if fences_devices(&plan) {
            let filter = self.device_filter.of(&plan.device_rules);
            let filter = filter.map_err(|source| SandboxError::Launch {
                name: name.to_owned(),
                source: LaunchError {
                    stage: Stage::Devices,
                    errno: 0,
                    what: chain(&source),
                },
            })?;
            told(report.send(&Devices {}, &[filter.as_fd()]))?;
        }
        match report.receive::<Report>() {
            Ok(Some((Report::Started(processes) | Report::Held(processes), mut descriptors))) => {
                Ok(Started {
                    name: name.to_owned(),
                    state: self.state.clone(),
                    report,
                    watcher,
                    hands_over: plan.keeps_root || has_outputs(&plan),
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

    /// The file with other seccomp programs than those of most jobs, for what needs them.
    fn filters_for(&self, more: More<'_>) -> Result<Option<PathBuf>, SandboxError> {
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
        let programs = || narrowed().compile().map(|filters| filters.programs);
        compiled(
            &self.state.templates(),
            &format!("{TRAINER}{text}"),
            programs,
        )
        .map(Some)
        .map_err(program_error)
    }
}

/// Whether the watcher waits for a filter of devices.
fn fences_devices(plan: &Plan) -> bool {
    let groups = plan.cgroup.iter().flat_map(|groups| &groups.groups);
    !plan.device_rules.is_empty() && groups.into_iter().any(|group| group.backend == Backend::V2)
}

pub(super) fn program_error(error: ProgramError<CompilePolicyError>) -> SandboxError {
    match error {
        ProgramError::Filters(source) => SandboxError::Policy(source),
        ProgramError::Io(path, source) => SandboxError::Host {
            what: format!("{} cannot be written", path.display()),
            source,
        },
    }
}
