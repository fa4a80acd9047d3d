//! Starts jobs, finds them again, ends them, removes them.
//!
//! | module | is about |
//! |---|---|
//! | `planning` | what would be applied for a job here |
//! | `starting` | from a job to its watcher and its running program |
//! | `spare` | what is made before a job that needs it |
//! | `started` | a job, as the process sees it that has started it |
//! | `asking` | what is asked of a job's watcher: its end, its outputs, to let go |
//! | `unanswered` | jobs whose watcher does not answer |
//! | `recovery` | jobs whose watcher, or whoever started or removed them, was killed |
//! | `reaper` | watchers that nobody waits for |

mod asking;
mod error;
mod planning;
mod reaper;
mod recovery;
mod spare;
mod started;
mod starting;
mod unanswered;

pub use error::SandboxError;
pub use started::Started;

use std::path::Path;

use gradus_jail::cgroup;

use crate::bundle::Bundle;
use crate::gpu::Granted;
use crate::job::BuildStep;
use crate::program::Program;
use crate::scratch::{ScratchError, make_image};
use crate::seccomp::{Policy, TRAINER};
use crate::state::{Record, State, StateError};
use spare::{DeviceFilter, Spare};

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

/// In a job's directory: the file system for its writes.
const SCRATCH_FILE: &str = "scratch.ext4";

/// Jobs of one state directory.
#[derive(Debug)]
pub struct Sandbox {
    state: State,
    program: Program,
    control_groups: cgroup::Host,
    spare: Spare,
    device_filter: DeviceFilter,
}

impl Sandbox {
    /// Opens the state directory `root`.
    pub fn open(root: &Path) -> Result<Sandbox, SandboxError> {
        Sandbox::open_with(root, |_, _| Ok(()))
    }

    /// Opens the state directory `root`, and starts the next job's watcher meanwhile ([`Sandbox::prepare`]).
    pub fn open_for_a_job(root: &Path) -> Result<Sandbox, SandboxError> {
        Sandbox::open_with(root, Spare::fill)
    }

    fn open_with(
        root: &Path,
        meanwhile: impl FnOnce(&Spare, &Program) -> Result<(), SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        let state = State::open(root)?;
        let filters = || Policy::trainer().compile().map(|filters| filters.programs);
        let program =
            Program::new(&state.templates(), TRAINER, filters).map_err(starting::program_error)?;
        let spare = Spare::default();
        meanwhile(&spare, &program)?;
        let control_groups = crate::host::control_groups(&state.templates());
        Ok(Sandbox {
            state,
            program,
            control_groups,
            spare,
            device_filter: DeviceFilter::default(),
        })
    }

    /// Starts the next job's watcher, if there is none that waits for one: with it, a job starts sooner by the time that a program takes to
    /// start. It waits in a process of its own, and ends with this value.
    pub fn prepare(&self) -> Result<(), SandboxError> {
        self.spare.fill(&self.program)
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
}
