//! Work done so far, of all executors together.

use crate::engine::{Monitor, PassError};
use crate::evaluation::{Event, Observer};
use std::sync::{Mutex, PoisonError};

/// Passes progress on, and the wish to stop.
pub(super) struct Progress<'a> {
    observer: &'a dyn Observer,
    flops_total: f64,
    rows_total: usize,
    tokens_total: f64,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    flops: f64,
    rows: usize,
}

impl<'a> Progress<'a> {
    pub(super) fn new(
        observer: &'a dyn Observer,
        flops_total: f64,
        rows_total: usize,
        tokens_total: f64,
    ) -> Self {
        Self {
            observer,
            flops_total,
            rows_total,
            tokens_total,
            done: Mutex::default(),
        }
    }

    pub(super) fn observer(&self) -> &'a dyn Observer {
        self.observer
    }

    /// Adds and tells, one thread at a time.
    fn add(&self, flops: f64, change_rows: impl FnOnce(&mut usize)) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.flops += flops;
        change_rows(&mut done.rows);
        let fraction = if self.flops_total > 0.0 {
            (done.flops / self.flops_total).min(1.0)
        } else {
            1.0
        };
        self.observer.on_event(Event::Progress {
            fraction,
            rows_done: done.rows,
            rows_total: self.rows_total,
            tokens_done: fraction * self.tokens_total,
            tokens_total: self.tokens_total,
        });
    }

    /// A monitor of one chunk, which takes `flops`.
    pub(super) fn of_chunk(&self, flops: f64) -> ChunkProgress<'_> {
        ChunkProgress {
            progress: self,
            total: flops,
            left: flops,
        }
    }

    /// A chunk is done; with it, `rows` rows in all are.
    pub(super) fn chunk_done(&self, chunk: ChunkProgress<'_>, rows: usize) {
        self.add(chunk.left, |done| *done = rows.max(*done));
    }

    /// A chunk has to be done again.
    pub(super) fn chunk_lost(&self, chunk: ChunkProgress<'_>) {
        self.add(chunk.left - chunk.total, |_| ());
    }

    /// Rows that are in no chunk are done as well.
    pub(super) fn all_rows(&self) {
        let rows = self
            .done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rows;
        if rows < self.rows_total {
            self.add(0.0, |done| *done = self.rows_total);
        }
    }
}

/// Work of one chunk.
pub(super) struct ChunkProgress<'a> {
    progress: &'a Progress<'a>,
    total: f64,
    left: f64,
}

impl Monitor for ChunkProgress<'_> {
    fn step(&mut self, flops: f64) -> Result<(), PassError> {
        if self.progress.observer.cancelled() {
            return Err(PassError::Cancelled);
        }
        let taken = flops.min(self.left);
        self.left -= taken;
        self.progress.add(taken, |_| ());
        Ok(())
    }
}
