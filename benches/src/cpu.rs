//! Kernels of the CPU, shape by shape.

use crate::kernels;
use crate::measure::{Budget, measure, peaks};
use crate::result::{Failure, Machine, Row, Run};
use crate::shape::Shape;
use gradus_kernels::Cpu;

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

/// Measures `shape`.
///
/// # Errors
/// If the CPU has no such kernel (skipped), memory is short, or it disagrees with its reference.
pub fn row(cpu: &Cpu, shape: &Shape, budget: Budget, memory_bytes: u64) -> Result<Row, Failure> {
    let failure = |reason: String, skipped: bool| Failure {
        family: shape.family().to_owned(),
        shape: shape.sizes(),
        reason,
        skipped,
    };
    let needs = kernels::footprint(shape);
    if needs > memory_bytes as f64 {
        let reason = format!(
            "needs about {:.1} GB, {:.1} GB are available",
            needs / 1e9,
            memory_bytes as f64 / 1e9
        );
        return Err(failure(reason, true));
    }
    let mut bench = kernels::build(cpu, shape).map_err(|reason| failure(reason, true))?;
    let measured = measure(cpu, bench.as_mut(), budget).map_err(|difference| {
        failure(format!("disagrees with its reference: {difference}"), false)
    })?;
    Ok(Row {
        family: shape.family().to_owned(),
        shape: shape.sizes(),
        variant: "gradus".to_owned(),
        measured,
        eval: None,
    })
}
