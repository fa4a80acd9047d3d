//! What the user sees while an evaluation runs: one bar on a terminal, JSON lines when piped, or nothing.

mod bar;
mod lines;
mod reached;

use crate::hub::HubProgress;
use crate::interrupt::Interrupt;
use bar::Bar;
use gradus_evaluators::{Event, Observer};
use lines::Lines;
use reached::{Reached, Work};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shows events, and passes the user's wish to stop on.
pub struct Progress {
    interrupt: Interrupt,
    sink: Mutex<Sink>,
    work: Mutex<Option<Work>>,
}

enum Sink {
    Bar(Bar),
    Lines(Lines<std::io::Stderr>),
    Quiet,
}

/// How fast, and how long still, judged from the work since the start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    tokens_per_second: f64,
    left: Duration,
}

impl Pace {
    fn new(fraction: f64, tokens: f64, elapsed: Duration) -> Option<Self> {
        let seconds = elapsed.as_secs_f64();
        if !(fraction > 0.0 && seconds > 0.0) {
            return None;
        }
        let left = Duration::try_from_secs_f64(seconds * (1.0 / fraction.min(1.0) - 1.0)).ok()?;
        Some(Self {
            tokens_per_second: tokens / seconds,
            left,
        })
    }
}

impl Progress {
    /// Shows progress on stderr, as fits it. `started` is when the command began.
    pub fn new(quiet: bool, interrupt: Interrupt, started: Instant) -> Self {
        let sink = if quiet {
            Sink::Quiet
        } else if std::io::stderr().is_terminal() {
            Sink::Bar(Bar::new(started))
        } else {
            Sink::Lines(Lines::new(std::io::stderr(), started))
        };
        Self {
            interrupt,
            sink: Mutex::new(sink),
            work: Mutex::default(),
        }
    }

    /// Says that the task is being read.
    pub fn opening(&self, task: &str, candidates: usize) {
        match &mut *self.sink() {
            Sink::Bar(bar) => bar.opening(task),
            Sink::Lines(lines) => lines.opening(task, candidates),
            Sink::Quiet => {}
        }
    }

    /// Runs `work` that does not ask whether to stop.
    pub fn without_asking<T>(&self, work: impl FnOnce() -> T) -> T {
        self.interrupt.without_asking(work)
    }

    /// Says how far the transfer of a file of `model` is.
    pub fn fetching(&self, model: &str, transfer: &HubProgress<'_>) {
        match &mut *self.sink() {
            Sink::Bar(bar) => bar.fetching(model, transfer),
            Sink::Lines(lines) => lines.fetching(model, transfer),
            Sink::Quiet => {}
        }
    }

    /// Says that the evaluation is over, and what it reached.
    pub fn finished(&self, scored: usize, failed: usize) {
        let reached: Option<Reached> = self.work().as_ref().and_then(Work::done);
        match &mut *self.sink() {
            Sink::Bar(bar) => bar.finished(reached),
            Sink::Lines(lines) => lines.finished(scored, failed, reached),
            Sink::Quiet => {}
        }
    }

    /// Takes the bar away, for an error to be shown.
    pub fn clear(&self) {
        if let Sink::Bar(bar) = &mut *self.sink() {
            bar.clear();
        }
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sink(&self) -> std::sync::MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Progress {
    fn on_event(&self, event: Event) {
        Work::follow(&mut self.work(), &event);
        match &mut *self.sink() {
            Sink::Bar(bar) => bar.on_event(&event),
            Sink::Lines(lines) => lines.on_event(&event),
            Sink::Quiet => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupt.requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_work_done() {
        let pace = Pace::new(0.25, 1000.0, Duration::from_secs(10)).unwrap();
        assert_eq!(
            pace,
            Pace {
                tokens_per_second: 100.0,
                left: Duration::from_secs(30)
            }
        );
        assert_eq!(Pace::new(0.0, 0.0, Duration::from_secs(1)), None);
        assert_eq!(Pace::new(f64::NAN, 0.0, Duration::from_secs(1)), None);
        assert_eq!(
            Pace::new(1.1, 5.0, Duration::from_secs(1)).unwrap().left,
            Duration::ZERO
        );
    }
}
