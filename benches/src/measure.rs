//! A kernel between two measurements of its roofline.

use crate::clock::{Percentiles, time};
use crate::roofline::{Copy, fma_burst};
use gradus_kernels::Cpu;
use serde::Serialize;

/// What one run of a kernel has to do, at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "bound", rename_all = "snake_case")]
pub enum Work {
    /// Floating point operations, a multiply-add being two; the roofline is fused multiply-adds in registers.
    Compute {
        /// Operations.
        flop: f64,
    },
    /// Bytes read and written once; the roofline is a copy that moves as many.
    Memory {
        /// Bytes.
        bytes: f64,
    },
}

impl Work {
    /// Operations or bytes.
    #[must_use]
    pub fn amount(self) -> f64 {
        match self {
            Work::Compute { flop } => flop,
            Work::Memory { bytes } => bytes,
        }
    }
}

/// One kernel at one shape.
pub trait Bench {
    /// What one [`Bench::run`] does.
    fn work(&self) -> Work;
    /// What is done once for many runs (packing weights), if anything; measured apart.
    fn prepare(&mut self, _cpu: &Cpu) -> bool {
        false
    }
    /// The kernel.
    fn run(&mut self, cpu: &Cpu);
    /// Compares what the last run left with the reference, on a part: the largest difference as a fraction of
    /// what is allowed.
    ///
    /// # Errors
    /// Where it is more than that.
    fn check(&self) -> Result<f64, String>;
}

/// The largest `|got - want| / (abs + rel |want|)`.
///
/// # Errors
/// At the first that is above 1, or not a number.
pub fn compare(got: &[f32], want: &[f64], abs: f64, rel: f64, what: &str) -> Result<f64, String> {
    if got.len() != want.len() {
        return Err(format!(
            "{what}: {} values, expected {}",
            got.len(),
            want.len()
        ));
    }
    let mut worst: f64 = 0.0;
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let part = (f64::from(got) - want).abs() / (abs + rel * want.abs());
        if part.is_nan() || part > 1.0 {
            return Err(format!("{what}: value {i} is {got}, expected {want}"));
        }
        worst = worst.max(part);
    }
    Ok(worst)
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Operations or bytes of a run.
    pub work: Work,
    /// Runs of the kernel in one sample, and samples.
    pub runs: usize,
    /// Samples taken.
    pub samples: usize,
    /// CPU microseconds of a run, all threads together.
    pub cpu_us: Percentiles,
    /// Wall microseconds of a run.
    pub wall_us: Percentiles,
    /// 1e9 operations or bytes per CPU second, from the median.
    pub giga_per_cpu_s: f64,
    /// The roofline's, likewise.
    pub roofline_giga_per_cpu_s: Percentiles,
    /// Percent of the roofline measured around each sample.
    pub percent: Percentiles,
    /// CPU microseconds of preparing, if there is anything to prepare.
    pub prepare_us: Option<f64>,
    /// The largest difference from the reference, as a fraction of what is allowed.
    pub worst_error: f64,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Samples, if there is time.
    pub samples: usize,
    /// CPU seconds for the samples; at least three are taken.
    pub seconds: f64,
}

/// Seconds that a sample should at least take.
const SAMPLE_S: f64 = 4e-3;

/// Checks `bench` against its reference, then measures it.
///
/// # Errors
/// If it does not agree with its reference: then a time would mean nothing.
pub fn measure(cpu: &Cpu, bench: &mut dyn Bench, budget: Budget) -> Result<Measurement, String> {
    let prepares = bench.prepare(cpu);
    bench.run(cpu);
    let worst_error = bench.check()?;
    let work = bench.work();

    let mut roofline = Roofline::new(cpu, work);
    let (mut once, _) = time(|| bench.run(cpu));
    once = once.max(1e-9);
    let runs = (SAMPLE_S / once).ceil().max(1.0) as usize;
    let per_sample = once * runs as f64 + 2.0 * SAMPLE_S;
    let samples = budget
        .samples
        .min((budget.seconds / per_sample) as usize)
        .max(3);

    let (mut cpu_us, mut wall_us, mut rates, mut percent) = (vec![], vec![], vec![], vec![]);
    let mut before = roofline.rate(cpu);
    for _ in 0..samples {
        let (cpu_s, wall_s) = time(|| (0..runs).for_each(|_| bench.run(cpu)));
        let after = roofline.rate(cpu);
        let rate = work.amount() * runs as f64 / cpu_s;
        let around = (before + after) / 2.0;
        cpu_us.push(cpu_s / runs as f64 * 1e6);
        wall_us.push(wall_s / runs as f64 * 1e6);
        rates.push(around / 1e9);
        percent.push(rate / around * 100.0);
        before = after;
    }
    let prepare_us = prepares.then(|| {
        let times: Vec<f64> = (0..3)
            .map(|_| time(|| _ = bench.prepare(cpu)).0 * 1e6)
            .collect();
        Percentiles::of(&times).p50
    });
    let cpu_us = Percentiles::of(&cpu_us);
    Ok(Measurement {
        work,
        runs,
        samples,
        cpu_us,
        wall_us: Percentiles::of(&wall_us),
        giga_per_cpu_s: work.amount() / cpu_us.p50 / 1e3,
        roofline_giga_per_cpu_s: Percentiles::of(&rates),
        percent: Percentiles::of(&percent),
        prepare_us,
        worst_error,
    })
}

/// The roofline of a kind of work, in bursts of about [`SAMPLE_S`].
enum Roofline {
    Compute { rounds: u32 },
    Memory { copy: Copy, runs: usize },
}

impl Roofline {
    fn new(cpu: &Cpu, work: Work) -> Self {
        match work {
            Work::Compute { .. } => {
                // CPU time again: a trial that was preempted would make for bursts that are too short.
                let trial = 200_000;
                fma_burst(cpu, trial);
                let (cpu_s, _) = time(|| _ = fma_burst(cpu, trial));
                let a_thread_s = (cpu_s / cpu.threads() as f64).max(1e-6);
                let rounds = f64::from(trial) * SAMPLE_S / a_thread_s;
                Roofline::Compute {
                    rounds: rounds.clamp(1e3, 1e9) as u32,
                }
            }
            Work::Memory { bytes } => {
                let mut copy = Copy::new(bytes);
                copy.run();
                let (cpu_s, _) = time(|| _ = copy.run());
                let runs = (SAMPLE_S / cpu_s.max(1e-9)).ceil().clamp(1.0, 1e6) as usize;
                Roofline::Memory { copy, runs }
            }
        }
    }

    /// Operations or bytes per CPU second.
    fn rate(&mut self, cpu: &Cpu) -> f64 {
        let mut done = 0.0;
        let (cpu_s, _) = time(|| match self {
            Roofline::Compute { rounds } => done = fma_burst(cpu, *rounds),
            Roofline::Memory { copy, runs } => done = (0..*runs).map(|_| copy.run()).sum(),
        });
        done / cpu_s.max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wrong;
    impl Bench for Wrong {
        fn work(&self) -> Work {
            Work::Memory { bytes: 64.0 }
        }
        fn run(&mut self, _: &Cpu) {}
        fn check(&self) -> Result<f64, String> {
            compare(&[1.0, 2.1], &[1.0, 2.0], 1e-6, 0.0, "made up")
        }
    }

    #[test]
    fn a_kernel_that_is_wrong_has_no_time() {
        let cpu = Cpu::new(1).expect("a thread starts");
        let budget = Budget {
            samples: 3,
            seconds: 0.1,
        };
        let error = measure(&cpu, &mut Wrong, budget).unwrap_err();
        assert_eq!(error, "made up: value 1 is 2.1, expected 2");
    }

    #[test]
    fn differences_are_fractions_of_what_is_allowed_and_nan_is_none() {
        let half = compare(&[1.5], &[1.0], 1.0, 0.0, "half");
        assert_eq!(half, Ok(0.5));
        assert!(compare(&[f32::NAN], &[1.0], 1.0, 0.0, "nan").is_err());
        assert!(compare(&[1.0], &[1.0, 1.0], 1.0, 0.0, "length").is_err());
    }
}
