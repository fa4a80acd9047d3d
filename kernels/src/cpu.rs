//! The CPU as a device: an instruction set and a pool of threads.

use crate::simd::Isa;
use std::sync::Arc;
use thiserror::Error;

/// An instruction set and the threads that kernels run on.
#[derive(Clone)]
pub struct Cpu {
    isa: Isa,
    pool: Arc<rayon::ThreadPool>,
}

/// The pool could not be made.
#[derive(Debug, Error)]
#[error("cannot start {threads} compute threads")]
pub struct StartCpuError {
    threads: usize,
    #[source]
    source: rayon::ThreadPoolBuildError,
}

impl Cpu {
    /// The best instruction set here and `threads` threads (0: one per core).
    ///
    /// # Errors
    /// If the host refuses to start them.
    pub fn new(threads: usize) -> Result<Self, StartCpuError> {
        Self::with_isa(threads, Isa::detect())
    }

    /// As [`Cpu::new`] with an instruction set from [`Isa::available`].
    ///
    /// # Errors
    /// If the host refuses to start the threads.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self, StartCpuError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("compute-{i}"))
            .build()
            .map(|pool| Self {
                isa,
                pool: Arc::new(pool),
            })
            .map_err(|source| StartCpuError { threads, source })
    }

    /// The instruction set that kernels use.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Threads in the pool.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `f` in the pool, so that parallel iterators inside use its threads.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.pool.install(f)
    }

    /// Rows that one task takes, so that every thread has work and panels stay in the second cache. Results do
    /// not depend on it.
    #[must_use]
    pub fn rows_per_task(&self, rows: usize) -> usize {
        const MOST: usize = 192;
        let tasks = rows.div_ceil(MOST).next_multiple_of(self.threads());
        rows.div_ceil(tasks.max(1)).next_multiple_of(12).min(MOST)
    }
}
