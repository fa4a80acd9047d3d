//! Chunks of one set, handed to whoever is free; what a lost executor had in work goes to another.

use crate::error::EvaluateError;
use crate::layout::{Chunk, RowOrder};
use gradus_kernels::device::DeviceError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Chunks to be computed.
pub(crate) struct Queue<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    order: RowOrder<'a>,
    tokens: usize,
    /// Chunks that came back.
    again: Vec<Chunk>,
    in_work: usize,
    rows_done: usize,
    workers: usize,
    stop: Option<EvaluateError>,
    /// A worker panicked: the others end, and the panic goes on where they are joined.
    panicked: bool,
}

/// Held while a worker has a chunk.
pub(crate) struct InWork<'q, 'a>(&'q Queue<'a>);

impl Drop for InWork<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.lock();
            state.in_work -= 1;
            state.panicked = true;
            self.0.changed.notify_all();
        }
    }
}

impl<'a> Queue<'a> {
    /// Chunks of `tokens` tokens for `workers` executors.
    pub(crate) fn new(order: RowOrder<'a>, tokens: usize, workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                order,
                tokens,
                again: Vec::new(),
                in_work: 0,
                rows_done: 0,
                workers,
                stop: None,
                panicked: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the others if the worker that holds this panics over its chunk.
    pub(crate) fn guard(&self) -> InWork<'_, 'a> {
        InWork(self)
    }

    /// The next chunk; waits while others may still give one back. `None` if all is done, or nothing more shall be.
    pub(crate) fn take(&self) -> Option<Chunk> {
        let mut state = self.lock();
        loop {
            if state.stop.is_some() || state.panicked {
                return None;
            }
            let tokens = state.tokens;
            let next = state.again.pop().or_else(|| state.order.next_chunk(tokens));
            if next.is_some() {
                state.in_work += 1;
                return next;
            }
            if state.in_work == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A chunk is done. Returns how many of how many rows are.
    pub(crate) fn done(&self, chunk: &Chunk) -> (usize, usize) {
        let mut state = self.lock();
        state.in_work -= 1;
        // Rows of a chunk are in one chunk only.
        state.rows_done += chunk.rows.len();
        self.changed.notify_all();
        (state.rows_done, state.order.num_rows())
    }

    /// Nothing more shall be done; the first reason counts.
    pub(crate) fn stop(&self, error: EvaluateError) {
        let mut state = self.lock();
        state.in_work -= 1;
        state.stop.get_or_insert(error);
        self.changed.notify_all();
    }

    /// The device had not enough memory for `chunk`: it comes again in pieces, as do all that follow. A single row that is too
    /// much ends the run.
    pub(crate) fn too_large(&self, chunk: Chunk, error: DeviceError) {
        let mut state = self.lock();
        state.in_work -= 1;
        let tokens = chunk.tokens().div_ceil(2);
        let pieces = state.order.split(&chunk, tokens);
        if pieces.len() < 2 {
            state.stop.get_or_insert(EvaluateError::Device(error));
        } else {
            state.tokens = state.tokens.min(tokens);
            state.again.extend(pieces);
        }
        self.changed.notify_all();
    }

    /// The executor that had `chunk` is lost; the last one takes the run with it.
    pub(super) fn lost(&self, chunk: Chunk, error: DeviceError) {
        let mut state = self.lock();
        state.in_work -= 1;
        state.workers -= 1;
        state.again.push(chunk);
        if state.workers == 0 {
            state.stop.get_or_insert(EvaluateError::Device(error));
        }
        self.changed.notify_all();
    }

    /// An executor could not begin; the last one takes the run with it.
    pub(super) fn absent(&self, error: DeviceError) {
        let mut state = self.lock();
        state.workers -= 1;
        if state.workers == 0 {
            state.stop.get_or_insert(EvaluateError::Device(error));
        }
        self.changed.notify_all();
    }

    /// Why not all chunks were computed, if they were not.
    ///
    /// # Panics
    /// If they were not and there is no reason: no score is better than one of some rows.
    pub(crate) fn finish(self) -> Result<(), EvaluateError> {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.stop {
            return Err(error);
        }
        let (done, all) = (state.rows_done, state.order.num_rows());
        assert!(done == all, "{done} of {all} rows are computed");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
