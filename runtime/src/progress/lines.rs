//! JSON lines, for programs: one event a line, each with the seconds since the start.

use super::{Pace, Reached};
use crate::hub::HubProgress;
use gradus_evaluators::Event;
use serde::Serialize;
use std::io::Write;
use std::time::{Duration, Instant};

/// Progress lines come at most this often; other events always come.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Lines<W> {
    out: W,
    started: Instant,
    work_started: Instant,
    last: Option<Instant>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(flatten)]
    event: &'a T,
    elapsed_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_s: Option<f64>,
}

/// Events that are the command's own.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Own<'a> {
    Opening {
        task: &'a str,
        candidates: usize,
    },
    Fetching {
        model: &'a str,
        file: &'a str,
        done_bytes: u64,
        total_bytes: u64,
    },
    Finished {
        scored: usize,
        failed: usize,
        #[serde(flatten)]
        reached: Option<Reached>,
    },
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W, started: Instant) -> Self {
        Self {
            out,
            started,
            work_started: started,
            last: None,
        }
    }

    pub(super) fn opening(&mut self, task: &str, candidates: usize) {
        self.write(&Own::Opening { task, candidates }, None);
    }

    pub(super) fn fetching(&mut self, model: &str, transfer: &HubProgress<'_>) {
        let HubProgress {
            file,
            done_bytes,
            total_bytes,
        } = *transfer;
        if self.due() || done_bytes >= total_bytes {
            self.write(
                &Own::Fetching {
                    model,
                    file,
                    done_bytes,
                    total_bytes,
                },
                None,
            );
        }
    }

    pub(super) fn finished(&mut self, scored: usize, failed: usize, reached: Option<Reached>) {
        let finished = Own::Finished {
            scored,
            failed,
            reached,
        };
        self.write(&finished, None);
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        let mut pace = None;
        match event {
            Event::Started { .. } => {
                self.work_started = Instant::now();
                self.last = None;
            }
            Event::Progress {
                fraction,
                tokens_done,
                ..
            } => {
                if !self.due() && *fraction < 1.0 {
                    return;
                }
                pace = Pace::new(*fraction, *tokens_done, self.work_started.elapsed());
            }
            Event::CandidateFailed { .. } | Event::Note { .. } => {}
        }
        self.write(event, pace);
    }

    // Whether a line may come again; the first may come at once.
    fn due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }

    fn write(&mut self, event: &impl Serialize, pace: Option<Pace>) {
        let line = Line {
            event,
            elapsed_s: round(self.started.elapsed().as_secs_f64()),
            tokens_per_s: pace.map(|pace| round(pace.tokens_per_second)),
            left_s: pace.map(|pace| round(pace.left.as_secs_f64())),
        };
        let mut bytes =
            serde_json::to_vec(&line).expect("events have text keys and a vector takes all bytes");
        bytes.push(b'\n');
        // Nobody may be reading; the work goes on.
        let _ = self.out.write_all(&bytes).and_then(|()| self.out.flush());
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn progress(fraction: f64) -> Event {
        Event::Progress {
            fraction,
            rows_done: 1,
            rows_total: 4,
            tokens_done: 10.0,
            tokens_total: 40.0,
        }
    }

    #[test]
    fn the_first_and_last_progress_come_at_once_and_those_between_are_thinned() {
        let mut lines = Lines::new(Vec::new(), Instant::now());
        lines.opening("task", 2);
        lines.on_event(&Event::Started {
            rows: 4,
            tokens: 10,
            candidates: 1,
            tokens_total: 10.0,
            flops: 1e9,
            floor_s: None,
        });
        for fraction in [0.1, 0.2, 0.3] {
            lines.on_event(&progress(fraction));
        }
        lines.on_event(&Event::Note {
            text: "line\nbreak".to_owned(),
        });
        lines.on_event(&progress(1.0));
        lines.finished(2, 0, None);
        let text = String::from_utf8(lines.out).unwrap();
        let events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let names: Vec<_> = events
            .iter()
            .map(|event| event["event"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "opening", "started", "progress", "note", "progress", "finished"
            ]
        );
        assert_eq!(events[2]["fraction"], 0.1);
        assert!(events.iter().all(|event| event["elapsed_s"].is_f64()));
        assert!(events[4]["tokens_per_s"].is_f64() && events[4]["left_s"].is_f64());
    }
}
