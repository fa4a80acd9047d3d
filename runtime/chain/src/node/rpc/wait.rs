//! How long is waited: until a moment, or until nobody needs the answer any more.

use super::Stop;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a thread waits for the other side before it looks whether somebody still waits for it.
const SLICE: Duration = Duration::from_millis(20);

/// The patience of one question, shared by all that are asked it; the default has no end.
#[derive(Clone, Debug, Default)]
pub(in crate::node) struct Wait {
    until: Option<Instant>,
    given_up: Arc<AtomicBool>,
    stop: Stop,
}

impl Wait {
    /// Ends at a moment, or when it is given up.
    pub(in crate::node) fn until(moment: Instant) -> Self {
        Self {
            until: Some(moment),
            given_up: Arc::default(),
            stop: Stop::default(),
        }
    }

    /// The same, which ends too once somebody wants to stop.
    pub(in crate::node) fn or_stop(&self, stop: Stop) -> Self {
        Self {
            stop,
            ..self.clone()
        }
    }

    /// Ends it: who still waits stops within a slice.
    pub(in crate::node) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether it has ended.
    pub(in crate::node) fn is_over(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
            || self.stop.is_set()
            || self.until.is_some_and(|end| Instant::now() >= end)
    }

    /// How long to wait before asking again, `deadline` being another end.
    ///
    /// # Errors
    /// `TimedOut` once either end has come.
    pub(super) fn slice(&self, deadline: Instant) -> io::Result<Duration> {
        let end = self.until.map_or(deadline, |until| until.min(deadline));
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || self.stop.is_set() || self.given_up.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left.min(SLICE))
    }

    /// Sleeps, at most until it ends.
    pub(in crate::node) fn sleep(&self, duration: Duration) {
        let deadline = Instant::now() + duration;
        while let Ok(slice) = self.slice(deadline) {
            std::thread::sleep(slice);
        }
    }
}
