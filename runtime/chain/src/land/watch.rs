//! Journals that tell of each record once it is on disk, and clocks that stop when they are told to.

use crate::submission::{Clock, Journal, LedgerError, Record};
use std::time::{Duration, Instant};

/// How long a sleep lasts before it is asked again whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// A journal, and who hears of its records.
pub struct Watched<J, T> {
    journal: J,
    tell: T,
}

impl<J: Journal, T: FnMut(&Record)> Watched<J, T> {
    /// `tell` hears of each record after it is on disk.
    pub fn new(journal: J, tell: T) -> Self {
        Self { journal, tell }
    }
}

impl<J: Journal, T: FnMut(&Record)> Journal for Watched<J, T> {
    fn append(&mut self, record: &Record) -> Result<(), LedgerError> {
        self.journal.append(record)?;
        (self.tell)(record);
        Ok(())
    }
}

/// The machine's clock; it stops when `stopped` says so, in the middle of a sleep too.
pub struct Stopping<S> {
    stopped: S,
    faster: u32,
    begin: Instant,
}

impl<S: Fn() -> bool> Stopping<S> {
    /// A clock of this machine.
    pub fn new(stopped: S) -> Self {
        Self::faster(stopped, 1)
    }

    /// One that is that many times faster: for chains that are faster than they say.
    pub fn faster(stopped: S, faster: u32) -> Self {
        Self {
            stopped,
            faster: faster.max(1),
            begin: Instant::now(),
        }
    }
}

impl<S: Fn() -> bool> Clock for Stopping<S> {
    fn sleep_ms(&mut self, milliseconds: u64) {
        let until = Instant::now() + Duration::from_millis(milliseconds) / self.faster;
        while !(self.stopped)() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn now_ms(&self) -> u64 {
        let passed = self.begin.elapsed().saturating_mul(self.faster);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}
