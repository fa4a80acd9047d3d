//! CPU time of this process, and percentiles.

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of all threads of this process since it started: what a neighbour on the machine does not change.
#[must_use]
pub fn cpu_s() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// CPU seconds and wall seconds that `f` took.
pub fn time(f: impl FnOnce()) -> (f64, f64) {
    let (wall, cpu) = (std::time::Instant::now(), cpu_s());
    f();
    (cpu_s() - cpu, wall.elapsed().as_secs_f64())
}

/// The tenth, fiftieth and ninetieth percentile.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Percentiles {
    /// One value in ten is below.
    pub p10: f64,
    /// The median.
    pub p50: f64,
    /// One value in ten is above.
    pub p90: f64,
}

impl Percentiles {
    /// Of `values`, to the nearest one; zeros if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return Self::default();
        };
        let at = |part: f64| sorted[(part * last as f64).round() as usize];
        Self {
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values: Vec<f64> = (0..11).rev().map(f64::from).collect();
        let p = Percentiles::of(&values);
        assert_eq!((p.p10, p.p50, p.p90), (1.0, 5.0, 9.0));
        let p = Percentiles::of(&[3.0]);
        assert_eq!((p.p10, p.p50, p.p90), (3.0, 3.0, 3.0));
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let (cpu, wall) = time(|| {
            let mut x = 1u64;
            for i in 0..30_000_000u64 {
                x = std::hint::black_box(x ^ i);
            }
        });
        assert!(cpu > 0.0 && wall > 0.0);
    }
}
