//! A kernel of the CPU that a peer has an opinion on, and the peer as something that is timed.

use crate::measure::{Bench, Budget, Work, measure};
use crate::peer::{Opinion, Prepared};
use crate::result::Measured;
use gradus_kernels::Cpu;

/// Ours: right if its reference and the peer say so.
pub(super) struct Judged<'a> {
    pub(super) bench: Box<dyn Bench>,
    pub(super) opinion: Option<&'a Opinion>,
}

impl Bench for Judged<'_> {
    fn work(&self) -> Work {
        self.bench.work()
    }

    fn prepare(&mut self, cpu: &Cpu) -> bool {
        self.bench.prepare(cpu)
    }

    fn run(&mut self, cpu: &Cpu) {
        self.bench.run(cpu);
    }

    fn check(&self) -> Result<f64, String> {
        let worst = self.bench.check()?;
        let Some(opinion) = self.opinion else {
            return Ok(worst);
        };
        Ok(worst.max(opinion.of_ours(&self.bench.left(opinion.rows()))?))
    }
}

/// The peer's. It is stopped by its first error.
pub(super) struct Timed<'a> {
    prepared: Box<dyn Prepared>,
    opinion: &'a Opinion,
    work: Work,
    ran: Result<(), String>,
}

impl<'a> Timed<'a> {
    pub(super) fn new(prepared: Box<dyn Prepared>, opinion: &'a Opinion, work: Work) -> Self {
        Self {
            prepared,
            opinion,
            work,
            ran: Ok(()),
        }
    }

    /// Times it.
    pub(super) fn measure(mut self, cpu: &Cpu, budget: Budget) -> Result<Measured, String> {
        let measured = measure(cpu, &mut self, budget);
        self.ran.map_err(|error| format!("failed: {error}"))?;
        measured.map_err(|difference| format!("disagrees with its own f64: {difference}"))
    }
}

impl Bench for Timed<'_> {
    fn work(&self) -> Work {
        self.work
    }

    fn run(&mut self, _: &Cpu) {
        if self.ran.is_ok() {
            self.ran = self.prepared.run();
        }
    }

    fn check(&self) -> Result<f64, String> {
        self.ran.clone()?;
        self.opinion
            .of_peers(&self.prepared.left(self.opinion.rows())?)
    }
}

#[cfg(test)]
mod tests {
    use crate::cpu::rows;
    use crate::measure::Budget;
    use crate::peer::testing::Gates;
    use crate::result::{Failure, Row};
    use crate::table;
    use gradus_kernels::Cpu;

    const BUDGET: Budget = Budget {
        samples: 3,
        seconds: 0.0,
    };

    fn measured(shape: &str, peer: Gates, memory_bytes: u64) -> Vec<Result<Row, Failure>> {
        let cpu = Cpu::new(1).expect("a thread starts");
        let shape = shape.parse().expect("written by hand");
        rows(&cpu, &shape, BUDGET, memory_bytes, Some(&peer))
    }

    fn reasons(rows: &[Result<Row, Failure>]) -> Vec<&str> {
        let failures = rows.iter().filter_map(|row| row.as_ref().err());
        failures.map(|failure| failure.reason.as_str()).collect()
    }

    #[test]
    fn a_peer_has_a_row_behind_ours_that_says_how_long_ours_took_beside_it() {
        let rows = measured("activation:5x67", Gates::default(), u64::MAX);
        let [Ok(ours), Ok(peers)] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(
            (&ours.variant[..], &peers.variant[..]),
            ("gradus", "gates f64")
        );
        let ratio = ours.measured.us.p50 / peers.measured.us.p50;
        assert_eq!(
            (ours.ours_over_this, peers.ours_over_this),
            (None, Some(ratio))
        );
        assert_eq!(peers.measured.flop, ours.measured.flop);
        let line = table::line(peers);
        let end = format!("  gates f64, ours/this {ratio:.2}");
        assert!(line.ends_with(&end), "{line}");
        assert!(!table::line(ours).contains("ours/this"));
        let text = serde_json::to_string(peers).expect("numbers and text");
        assert!(text.contains("\"ours_over_this\":"), "{text}");
    }

    #[test]
    fn a_peer_that_finds_otherwise_is_an_error_of_our_row_and_names_result_row_and_value() {
        let off = Gates {
            off: 1e-3,
            ..Gates::default()
        };
        let rows = measured("activation:5x67", off, u64::MAX);
        let reasons = reasons(&rows);
        let begins = "disagrees with its reference: gate of row 0 by Gates in f64: value ";
        assert!(
            reasons.len() == 1 && reasons[0].starts_with(begins),
            "{rows:?}"
        );
        let Ok(peers) = &rows[1] else {
            panic!("{rows:?}");
        };
        assert_eq!(peers.ours_over_this, None, "ours has no time");
    }

    #[test]
    fn a_peer_may_be_less_exact_than_ours_but_not_compute_something_else() {
        let off = |timed_off| Gates {
            timed_off,
            ..Gates::default()
        };
        let rows = measured("activation:5x67", off(1e-4), u64::MAX);
        let worst = rows[1].as_ref().map(|row| row.measured.worst_error);
        assert!(matches!(worst, Ok(Some(part)) if part > 1.0), "{rows:?}");
        let rows = measured("activation:5x67", off(1.0), u64::MAX);
        let reasons = reasons(&rows);
        assert!(rows[0].is_ok(), "{rows:?}");
        assert!(
            reasons[0].starts_with("gates f64 disagrees with its own f64: gate of row 0"),
            "{reasons:?}"
        );
    }

    #[test]
    fn a_peer_that_fails_is_named_and_ours_is_measured() {
        let fails = Gates {
            fails: true,
            ..Gates::default()
        };
        let rows = measured("activation:5x67", fails, u64::MAX);
        assert!(rows[0].is_ok(), "{rows:?}");
        assert_eq!(reasons(&rows), ["gates f64 failed: no memory"]);
        let rows = measured("linear:5x7x9", Gates::default(), u64::MAX);
        assert!(rows[0].is_ok(), "{rows:?}");
        assert_eq!(reasons(&rows), ["Gates: knows gates alone"]);
    }

    #[test]
    fn families_without_a_peer_and_memory_for_ours_alone_leave_ours() {
        let rows = measured("soft_cap:101", Gates::default(), u64::MAX);
        assert!(matches!(&rows[..], [Ok(_)]), "{rows:?}");
        // 12 bytes a value are what ours takes.
        let rows = measured("activation:5x67", Gates::default(), 12 * 5 * 67);
        let Err(failure) = &rows[1] else {
            panic!("{rows:?}");
        };
        assert!(rows[0].is_ok() && failure.skipped, "{rows:?}");
        assert!(failure.reason.starts_with("Gates: needs about"), "{rows:?}");
    }
}
