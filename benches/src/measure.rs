//! A kernel between two measurements of its roofline.

use crate::clock::{Percentiles, time};
use crate::peer::problem::Problem;
use crate::result::{Bound, Limit, Measured, Peaks};
use crate::roofline::{Copy, fma_burst};
use gradus_kernels::Cpu;

/// What one run of a kernel has to do, at least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Floating point operations, a multiply-add being two; functions such as exp are one.
    pub flop: f64,
    /// Bytes of inputs read and outputs written, each once.
    pub bytes: f64,
}

/// One kernel at one shape. A peer that computes the same is one, too.
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
    /// What it computes, for a peer; `None` if none does.
    fn problem(&self) -> Option<Problem<'_>> {
        None
    }
    /// What the last run left at `rows` of each of the problem's results.
    fn left(&self, _rows: &[usize]) -> Vec<Vec<f32>> {
        Vec::new()
    }
}

/// What a value may differ by from the one that is expected: `abs + rel |want|`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// Whatever is expected.
    pub abs: f64,
    /// As a fraction of what is expected.
    pub rel: f64,
}

impl Allowed {
    /// `abs + rel |want|`.
    #[must_use]
    pub const fn new(abs: f64, rel: f64) -> Self {
        Self { abs, rel }
    }

    /// The difference of `got` as a fraction of what is allowed.
    #[must_use]
    pub fn part(self, got: f32, want: f64) -> f64 {
        (f64::from(got) - want).abs() / (self.abs + self.rel * want.abs())
    }
}

/// The largest [`Allowed::part`].
///
/// # Errors
/// At the first that is above 1, or not a number.
pub fn compare(got: &[f32], want: &[f64], allowed: Allowed, what: &str) -> Result<f64, String> {
    if got.len() != want.len() {
        return Err(format!(
            "{what}: {} values, expected {}",
            got.len(),
            want.len()
        ));
    }
    let mut worst: f64 = 0.0;
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let part = allowed.part(got, want);
        if part.is_nan() || part > 1.0 {
            return Err(format!("{what}: value {i} is {got}, expected {want}"));
        }
        worst = worst.max(part);
    }
    Ok(worst)
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
pub fn measure(cpu: &Cpu, bench: &mut dyn Bench, budget: Budget) -> Result<Measured, String> {
    let prepares = bench.prepare(cpu);
    bench.run(cpu);
    let worst_error = bench.check()?;
    let work = bench.work();

    let mut roofs = Roofs::new(cpu, work);
    let (mut once, _) = time(|| bench.run(cpu));
    once = once.max(1e-9);
    let runs = (SAMPLE_S / once).ceil().max(1.0) as usize;
    let per_sample = once * runs as f64 + 2.0 * SAMPLE_S;
    let samples = budget
        .samples
        .min((budget.seconds / per_sample) as usize)
        .max(3);

    let (mut us, mut wall_us, mut rates, mut percent) = (vec![], vec![], vec![], vec![]);
    let mut before = roofs.rate(cpu);
    for _ in 0..samples {
        let (cpu_s, wall_s) = time(|| (0..runs).for_each(|_| bench.run(cpu)));
        let after = roofs.rate(cpu);
        let rate = roofs.amount(work) * runs as f64 / cpu_s;
        let around = (before + after) / 2.0;
        us.push(cpu_s / runs as f64 * 1e6);
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
    let around = Percentiles::of(&rates).p50;
    let (roof_gflop_s, roof_gb_s) = match roofs.bound {
        Bound::Compute => (around, roofs.bytes_s / 1e9),
        Bound::Memory => (roofs.flop_s / 1e9, around),
    };
    Ok(Measured {
        us: Percentiles::of(&us),
        wall_us: Some(Percentiles::of(&wall_us)),
        warm_us: None,
        flop: work.flop,
        bytes: work.bytes,
        limit: Some(Limit {
            bound: roofs.bound,
            roof_gflop_s,
            roof_gb_s,
            percent: Percentiles::of(&percent),
        }),
        samples,
        runs,
        worst_error: Some(worst_error),
        prepare_us,
        datasheet_percent: None,
    })
}

/// The two limits of a kernel: multiply-adds in registers, and a copy of as many bytes. The lower one is measured around each
/// sample, in bursts of about [`SAMPLE_S`].
struct Roofs {
    bound: Bound,
    rounds: u32,
    copy: Copy,
    copies: usize,
    flop_s: f64,
    bytes_s: f64,
}

/// The largest copy that is measured, bytes: far beyond every cache, and longer than that tells nothing more.
const COPY_BYTES_MAX: f64 = 268_435_456.0;

impl Roofs {
    fn new(cpu: &Cpu, work: Work) -> Self {
        // CPU time again: a trial that was preempted would make for bursts that are too short.
        let trial = 200_000;
        fma_burst(cpu, trial);
        let mut flop = 0.0;
        let (cpu_s, _) = time(|| flop = fma_burst(cpu, trial));
        let flop_s = flop / cpu_s.max(1e-9);
        let rounds = f64::from(trial) * SAMPLE_S / (cpu_s / cpu.threads() as f64).max(1e-6);
        let mut copy = Copy::new(work.bytes.min(COPY_BYTES_MAX));
        copy.run();
        let mut bytes = 0.0;
        let (cpu_s, _) = time(|| bytes = copy.run());
        let copies = (SAMPLE_S / cpu_s.max(1e-9)).ceil().clamp(1.0, 1e6) as usize;
        let (cpu_s, _) = time(|| bytes = (0..copies).map(|_| copy.run()).sum());
        let bytes_s = bytes / cpu_s.max(1e-9);
        Self {
            bound: Bound::of(work.flop / flop_s, work.bytes / bytes_s),
            rounds: rounds.clamp(1e3, 1e9) as u32,
            copy,
            copies,
            flop_s,
            bytes_s,
        }
    }

    /// What the lower limit counts.
    fn amount(&self, work: Work) -> f64 {
        match self.bound {
            Bound::Compute => work.flop,
            Bound::Memory => work.bytes,
        }
    }

    /// The lower limit: operations or bytes per CPU second.
    fn rate(&mut self, cpu: &Cpu) -> f64 {
        let mut done = 0.0;
        let (cpu_s, _) = time(|| match self.bound {
            Bound::Compute => done = fma_burst(cpu, self.rounds),
            Bound::Memory => done = (0..self.copies).map(|_| self.copy.run()).sum(),
        });
        done / cpu_s.max(1e-9)
    }
}

/// What this machine can do, for the plot: multiply-adds, and copies beyond the caches.
pub fn peaks(cpu: &Cpu) -> Peaks {
    let bytes = COPY_BYTES_MAX / 2.0;
    let mut best = (0.0_f64, 0.0_f64);
    for _ in 0..3 {
        let roofs = Roofs::new(cpu, Work { flop: 1.0, bytes });
        best = (best.0.max(roofs.flop_s), best.1.max(roofs.bytes_s));
    }
    Peaks {
        gflop_s: best.0 / 1e9,
        gb_s: best.1 / 1e9,
        how: "measured: multiply-adds in registers, a copy of 128 MiB; per CPU-second".to_owned(),
        datasheet: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wrong;
    impl Bench for Wrong {
        fn work(&self) -> Work {
            Work {
                flop: 1.0,
                bytes: 64.0,
            }
        }
        fn run(&mut self, _: &Cpu) {}
        fn check(&self) -> Result<f64, String> {
            compare(&[1.0, 2.1], &[1.0, 2.0], Allowed::new(1e-6, 0.0), "made up")
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
        let one = Allowed::new(1.0, 0.0);
        assert_eq!(compare(&[1.5], &[1.0], one, "half"), Ok(0.5));
        assert!(compare(&[f32::NAN], &[1.0], one, "nan").is_err());
        assert!(compare(&[1.0], &[1.0, 1.0], one, "length").is_err());
    }
}
