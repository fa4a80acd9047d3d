//! What is made before a job that needs it, or for more than one.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use gradus_jail::device_filter::{self, DeviceFilterError, Rule};

use super::SandboxError;
use crate::program::{Idle, Program};

/// A watcher that has no job yet.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Option<Idle>>);

impl Spare {
    /// Starts one, if there is none.
    pub(super) fn fill(&self, program: &Program) -> Result<(), SandboxError> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.as_mut().is_none_or(|idle| !lives(idle)) {
            *spare = Some(start(program)?);
        }
        Ok(())
    }

    /// The one that waits, or one that is started now.
    pub(super) fn take(&self, program: &Program) -> Result<Idle, SandboxError> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut idle) = spare.take()
            && lives(&mut idle)
        {
            return Ok(idle);
        }
        start(program)
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let spare = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Idle {
            mut process,
            report,
        }) = spare.take()
        {
            // It ends with this.
            drop(report);
            let _ = process.wait();
        }
    }
}

fn start(program: &Program) -> Result<Idle, SandboxError> {
    program.start().map_err(|source| SandboxError::Host {
        what: "the watcher of a job".to_owned(),
        source,
    })
}

/// Somebody may have killed it while it waited.
fn lives(idle: &mut Idle) -> bool {
    matches!(idle.process.try_wait(), Ok(None))
}

/// The filter of devices of the job before, which the next one mostly has too.
#[derive(Debug, Default)]
pub(super) struct DeviceFilter(Mutex<Option<(Vec<Rule>, Arc<OwnedFd>)>>);

impl DeviceFilter {
    /// The filter that allows `rules` alone.
    pub(super) fn of(&self, rules: &[Rule]) -> Result<Arc<OwnedFd>, DeviceFilterError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, filter)) = &*last
            && of == rules
        {
            return Ok(filter.clone());
        }
        let filter = Arc::new(device_filter::load(rules)?);
        *last = Some((rules.to_vec(), filter.clone()));
        Ok(filter)
    }
}
