//! `attend`: passes on what a container prints to where `create` printed, until it has ended.
//!
//! The job itself has pipes to its watcher, as every job: none of its caller's files.

use super::{LOOK_EVERY, Runtime};
use crate::commands::sandbox::CommandError;
use crate::commands::sandbox::run::pass_on;
use crate::exit::Exit;
use gradus_oci::record::Container;
use gradus_sandbox::logs::Reader;
use gradus_sandbox::state::{Phase, StateError};
use std::time::{Duration, Instant};

/// How long whatever was printed last may take to be passed on.
const PASSED_ON_WITHIN: Duration = Duration::from_secs(2);

impl Runtime<'_> {
    pub(super) fn attend(&self, id: &str) -> Result<Exit, CommandError> {
        let container = self.containers.find(id)?;
        let mut log = Reader::open(&self.sandbox.state().directory(&container.job))?;
        loop {
            // Before the last look at the output: what is printed in between is seen.
            let over = match self.sandbox.state().record(&container.job) {
                Err(StateError::Missing(_)) => true,
                other => matches!(other?.phase, Phase::Ended(_) | Phase::Lost),
            };
            pass_on(&mut log)?;
            if over {
                let _ = self.containers.set_attended(id);
                return Ok(Exit::Done);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until all is passed on that the container has printed, which has ended; not for long.
    pub(super) fn wait_for_attendant(&self, container: &Container) {
        let until = Instant::now() + PASSED_ON_WITHIN;
        while !self.containers.is_attended(&container.id) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
