//! What a finished run reached, against what its plan says that it cannot be faster than.
//!
//! Progress only: no result file has a time in it.

use gradus_evaluators::Event;
use serde::Serialize;
use std::fmt;
use std::time::{Duration, Instant};

/// The work of a run, and since when it is done.
#[derive(Debug)]
pub(super) struct Work {
    started: Instant,
    tokens: f64,
    flops: f64,
    floor_s: Option<f64>,
}

/// How fast the work was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Reached {
    /// Times candidates.
    tokens: f64,
    seconds: f64,
    tokens_per_s: f64,
    flops_per_s: f64,
    /// Only on GPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_s: Option<f64>,
    /// 1 is as fast as the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_floor: Option<f64>,
}

impl Work {
    /// Keeps `work` up with `event`. Of a run that a candidate has left, nobody knows how much was done.
    pub(super) fn follow(work: &mut Option<Self>, event: &Event) {
        match *event {
            Event::Started {
                tokens_total,
                flops,
                floor_s,
                ..
            } => {
                *work = (flops > 0.0).then(|| Self {
                    started: Instant::now(),
                    tokens: tokens_total,
                    flops,
                    floor_s,
                });
            }
            Event::CandidateFailed { .. } => *work = None,
            Event::Progress { .. } | Event::Note { .. } => {}
        }
    }

    /// What was reached if all of it is done now.
    pub(super) fn done(&self) -> Option<Reached> {
        self.after(self.started.elapsed())
    }

    fn after(&self, elapsed: Duration) -> Option<Reached> {
        let seconds = elapsed.as_secs_f64();
        (seconds > 0.0).then(|| Reached {
            tokens: self.tokens,
            seconds,
            tokens_per_s: self.tokens / seconds,
            flops_per_s: self.flops / seconds,
            floor_s: self.floor_s,
            of_floor: self.floor_s.map(|floor_s| floor_s / seconds),
        })
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} tokens in {:.2} s: {:.0} tokens/s, {:.3} TFLOP/s",
            self.tokens,
            self.seconds,
            self.tokens_per_s,
            self.flops_per_s / 1e12
        )?;
        match (self.floor_s, self.of_floor) {
            (Some(floor_s), Some(share)) => {
                write!(f, ", {:.1} % of the floor's {floor_s:.2} s", 100.0 * share)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(floor_s: Option<f64>) -> Event {
        Event::Started {
            rows: 4,
            tokens: 500,
            candidates: 2,
            tokens_total: 1000.0,
            flops: 8e12,
            floor_s,
        }
    }

    fn after_four_seconds(events: &[Event]) -> Option<Reached> {
        let mut work = None;
        for event in events {
            Work::follow(&mut work, event);
        }
        work.and_then(|work| work.after(Duration::from_secs(4)))
    }

    #[test]
    fn a_run_of_twice_the_floor_reached_half_of_it() {
        let gpu = after_four_seconds(&[started(Some(2.0))]).unwrap();
        assert_eq!(
            gpu.to_string(),
            "1000 tokens in 4.00 s: 250 tokens/s, 2.000 TFLOP/s, 50.0 % of the floor's 2.00 s"
        );
        let cpu = after_four_seconds(&[started(None)]).unwrap();
        assert_eq!(
            cpu.to_string(),
            "1000 tokens in 4.00 s: 250 tokens/s, 2.000 TFLOP/s"
        );
        assert_eq!(serde_json::to_value(cpu).unwrap().get("floor_s"), None);
    }

    #[test]
    fn a_run_that_a_candidate_left_says_no_speed() {
        let failed = Event::CandidateFailed {
            name: "a".to_owned(),
            failure: gradus_evaluators::Failure {
                owner: gradus_tasks::Owner::Submission,
                reason: "r".to_owned(),
            },
        };
        assert_eq!(after_four_seconds(&[started(None), failed.clone()]), None);
        assert!(after_four_seconds(&[failed, started(None)]).is_some());
    }
}
