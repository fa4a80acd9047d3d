//! The bar, for people.

use super::{Pace, Reached};
use crate::bytes::ByteSize;
use crate::hub::HubProgress;
use crate::printable::printable;
use gradus_evaluators::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;
use std::time::{Duration, Instant};

const STEPS: u64 = 1000;

pub(super) struct Bar {
    bar: ProgressBar,
    // Of the work itself; opening files does not count into the pace.
    started: Instant,
    candidates: usize,
}

impl Bar {
    pub(super) fn new(started: Instant) -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{bar:28.green/dim} {percent:>3}%  {wide_msg}")
            .expect("the template is well-formed")
            .progress_chars("━╸─");
        bar.set_style(style);
        Self {
            bar,
            started,
            candidates: 0,
        }
    }

    pub(super) fn opening(&self, task: &str) {
        self.bar.set_message(format!("reading {}", printable(task)));
    }

    pub(super) fn fetching(&self, model: &str, transfer: &HubProgress<'_>) {
        let HubProgress {
            file,
            done_bytes,
            total_bytes,
        } = transfer;
        let (model, file) = (printable(model), printable(file));
        self.bar.set_message(format!(
            "{model}: {file}, {} of {}",
            ByteSize(*done_bytes),
            ByteSize(*total_bytes)
        ));
        self.bar.set_position(
            done_bytes
                .saturating_mul(STEPS)
                .checked_div(*total_bytes)
                .unwrap_or(0),
        );
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        match event {
            Event::Started {
                rows,
                tokens,
                candidates,
                ..
            } => {
                self.started = Instant::now();
                self.candidates = *candidates;
                self.bar.set_position(0);
                self.bar.set_message(format!(
                    "{} of {rows} rows, {tokens} tokens each",
                    counted(*candidates, "candidate")
                ));
            }
            Event::Progress {
                fraction,
                rows_done,
                rows_total,
                tokens_done,
                ..
            } => {
                let mut message = format!("{rows_done}/{rows_total} rows");
                if let Some(pace) = Pace::new(*fraction, *tokens_done, self.started.elapsed()) {
                    let left = clock(pace.left);
                    let speed = pace.tokens_per_second;
                    write!(message, "  {speed:.0} tokens/s  {left} left").expect("a string grows");
                }
                write!(message, "  {}", counted(self.candidates, "candidate"))
                    .expect("a string grows");
                self.bar.set_message(message);
                self.bar
                    .set_position((fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
            }
            Event::CandidateFailed { name, failure } => {
                let (name, reason) = (printable(name), printable(&failure.reason));
                self.bar.suspend(|| tell(&format!("✗ {name}: {reason}")));
            }
            Event::Note { text } => self.bar.suspend(|| tell(&printable(text))),
        }
    }

    pub(super) fn finished(&self, reached: Option<Reached>) {
        self.clear();
        if let Some(reached) = reached {
            tell(&reached.to_string());
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn tell(text: &str) {
    use std::io::Write;
    // The terminal may be gone; the work goes on.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

fn clock(left: Duration) -> String {
    let seconds = left.as_secs_f64().ceil() as u64;
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_reads_like_a_clock() {
        assert_eq!(clock(Duration::from_millis(61_200)), "1:02");
        assert_eq!(clock(Duration::from_secs(3 * 3600 + 62)), "3:01:02");
    }
}
