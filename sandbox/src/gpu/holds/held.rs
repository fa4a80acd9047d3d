//! What is held, and by whom it is looked after.

use std::fs::{self, File};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::gpu::error::io_error;
use crate::gpu::{GpuError, Granted};

/// What a hold says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// the GPU or instance
    pub uuid: String,
    /// the whole GPU, if it is an instance
    pub of: Option<String>,
    /// the job's name
    pub job: String,
    /// the state directory with that job
    pub state: PathBuf,
    /// when, nanoseconds since 1970
    pub taken_unix_ns: u64,
    /// memory that the job may take, bytes
    pub memory_bytes: Option<u64>,
    /// memory that was in use before, bytes
    pub baseline_bytes: u64,
}

/// A hold that this process looks after.
#[derive(Debug)]
pub struct Held {
    /// what it says
    pub hold: Hold,
    pub(super) path: PathBuf,
    // Locked until it is dropped.
    pub(super) lock: File,
}

/// GPUs that were taken for a job that is about to start.
#[derive(Debug)]
pub struct Grant {
    /// what the job is given
    pub granted: Granted,
    pub(super) held: Vec<Held>,
}

impl Held {
    /// Lets the GPU go.
    ///
    /// # Errors
    /// If the hold cannot be removed.
    pub fn release(self) -> Result<(), GpuError> {
        fs::remove_file(&self.path).map_err(io_error(&self.path))
    }
}

impl Drop for Held {
    /// Said, not only closed: a process that another thread is just starting holds a copy of the descriptor for a moment.
    fn drop(&mut self) {
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

impl Grant {
    /// Lets all of it go: the job has not started, so nothing was used.
    ///
    /// # Errors
    /// If a hold cannot be removed; the others are.
    pub fn release(self) -> Result<(), GpuError> {
        let mut result = Ok(());
        for held in self.held {
            result = result.and(held.release());
        }
        result
    }

    /// Leaves the holds to the job's keeper, which takes them up now.
    pub fn hand_over(self) {
        drop(self);
    }
}
