//! Kernels of the CPU, shape by shape.

mod peer;

use crate::kernels;
use crate::measure::{Budget, measure, peaks};
use crate::peer::{Asked, Peer, ask, set_ratios};
use crate::result::{Failure, Machine, Measured, OURS, Row, Run};
use crate::shape::Shape;
use gradus_kernels::Cpu;
use peer::{Judged, Timed};

/// The processor's name, as Linux has it.
#[must_use]
pub fn model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// This machine, computing with `cpu`.
#[must_use]
pub fn machine(cpu: &Cpu) -> Machine {
    Machine {
        device: "cpu".to_owned(),
        name: model(),
        clock: "cpu".to_owned(),
        isa: cpu.isa().name().to_owned(),
        threads: cpu.threads(),
        ..Machine::default()
    }
}

/// A result without rows, with what this machine can do.
#[must_use]
pub fn run(cpu: &Cpu) -> Run {
    Run::new("kernels", machine(cpu), Some(peaks(cpu)))
}

/// Measures `shape`, and what `peer` needs for the same.
///
/// A row of ours is missing where the CPU has no such kernel (skipped), memory is short, or the kernel disagrees with its
/// reference or the peer.
pub fn rows(
    cpu: &Cpu,
    shape: &Shape,
    budget: Budget,
    memory_bytes: u64,
    peer: Option<&dyn Peer>,
) -> Vec<Result<Row, Failure>> {
    let needs = kernels::footprint(shape);
    let short = |needs: f64| {
        (needs > memory_bytes as f64).then(|| {
            format!(
                "needs about {:.1} GB, {:.1} GB are available",
                needs / 1e9,
                memory_bytes as f64 / 1e9
            )
        })
    };
    if let Some(reason) = short(needs) {
        return vec![Err(Failure::of(shape, reason, true))];
    }
    let bench = match kernels::build(cpu, shape) {
        Ok(bench) => bench,
        Err(reason) => return vec![Err(Failure::of(shape, reason, true))],
    };
    let work = bench.work();
    let problem = peer.zip(bench.problem());
    let asked = problem.map(|(peer, problem)| match short(needs * PEER_FOOTPRINT) {
        Some(reason) => Err(Failure::of(
            shape,
            format!("{}: {reason}", peer.library()),
            true,
        )),
        None => ask(peer, &problem, work).map_err(|error| Failure::of(shape, error, false)),
    });
    let (asked, refused) = match asked {
        Some(Ok(asked)) => (Some(asked), None),
        Some(Err(failure)) => (None, Some(failure)),
        None => (None, None),
    };
    let opinion = asked.as_ref().map(|asked| &asked.opinion);
    let own = measure(cpu, &mut Judged { bench, opinion }, budget);
    let own = own.map_err(|difference| format!("disagrees with its reference: {difference}"));
    let row = |variant: &str, measured: Result<Measured, String>| {
        measured
            .map(|measured| Row::of(shape, variant, measured))
            .map_err(|reason| Failure::of(shape, reason, false))
    };
    let mut rows = vec![row(OURS, own)];
    if let Some(Asked { prepared, opinion }) = asked {
        let variant = prepared.variant();
        let measured = Timed::new(prepared, &opinion, work).measure(cpu, budget);
        let named = measured.map_err(|reason| format!("{variant} {reason}"));
        rows.push(row(&variant, named));
    }
    rows.extend(refused.map(Err));
    set_ratios(&mut rows);
    rows
}

/// What a peer takes beside what ours takes: weights in f32 instead of bf16, and a second of every row.
const PEER_FOOTPRINT: f64 = 3.0;
